"""Result folders: what is read is what was written, and what is none is refused."""

import json
import shutil

import numpy as np
import pytest

from ceinms_torch.errors import FileFormatError, OptionError
from ceinms_torch.io.storage import read_storage
from ceinms_torch.results.read import read_result, read_results
from ceinms_torch.results.saved import trial_kind
from ceinms_torch.simulation.fit import MomentFit
from helpers import DOF_NAMES, MTU_NAMES


@pytest.fixture(scope="module")
def saved(saved_folder):
    return read_result(saved_folder)


@pytest.fixture
def copy(saved_folder, tmp_path):
    """A result folder that a test may spoil."""
    return shutil.copytree(saved_folder, tmp_path / "copy")


def change(folder, **changes):
    """Change keys of result.json; None takes one away."""
    path = folder / "result.json"
    summary = json.loads(path.read_text())
    for name, value in changes.items():
        summary[name] = value
        if value is None:
            del summary[name]
    path.write_text(json.dumps(summary))


def test_trials_are_those_of_the_calibration(saved):
    assert [(trial.name, trial.is_own) for trial in saved.trials] == [
        ("trial1", True),
        ("trial2", True),
        ("trial3", False),
    ]
    assert saved.own == saved.trials[:2]
    assert saved.unseen == saved.trials[2:]
    assert (saved.mtus, saved.dofs) == (MTU_NAMES, DOF_NAMES)
    assert saved.label == "gradient"


def test_fit_follows_from_the_moments_that_are_saved(saved):
    # A report needs nothing of the original folder: its moments give the fit of result.json.
    for trial in saved.trials:
        for dof in DOF_NAMES:
            expected = MomentFit.of(trial.measured_moment[dof], trial.joint_moment[dof])
            assert trial.fit[dof].rmse == pytest.approx(expected.rmse, rel=1e-12)
            assert trial.fit[dof].r2 == pytest.approx(expected.r2, rel=1e-9)


def test_recordings_are_those_of_the_folder(saved, saved_folder):
    folder = saved_folder.parent / "subject" / "trial3"
    (trial,) = saved.unseen
    emg, torques = read_storage(folder / "emg.mot"), read_storage(folder / "id.sto")
    np.testing.assert_array_equal(trial.excitation.time, emg.time)
    for mtu in MTU_NAMES:
        np.testing.assert_array_equal(trial.excitation[mtu], emg.column(f"{mtu}_emg"))
    for dof in DOF_NAMES:
        np.testing.assert_array_equal(trial.measured_moment[dof], torques.column(f"{dof}_moment"))
    assert trial.measured_moment.units == "N m"


def test_share_of_a_trial_runs_from_its_first_frame_to_its_last(saved):
    trial = saved.trials[0]
    percent = trial.percent(trial.joint_moment)
    assert (percent[0], percent[-1]) == (0.0, 100.0)
    # EMG begins 0.2 s before the 0.29 s of the trial.
    assert trial.percent(trial.excitation)[0] == pytest.approx(-100.0 * 0.2 / 0.29)


def test_parameters_know_what_the_data_say_about_them(saved):
    found = saved.summary["identifiability"]["parameters"]
    assert [(one.name, one.mtus) for one in saved.parameters] == [
        (one["name"], tuple(one["mtus"])) for one in found
    ]
    for one, other in zip(saved.parameters, found, strict=True):
        assert (one.interval is None) == (other["interval"] is None) == bool(other["reason"])
        assert bool(one.at_bound) == other["reason"].startswith("at the ")
        assert one.share(one.lower) == 0.0
        assert one.share(one.upper) == pytest.approx(100.0)
        assert -1e-9 <= one.share(one.value) <= 100.0 + 1e-9


def test_history_adds_up(saved):
    history = saved.history
    assert set(history.terms) == {"moment", "fibre_length", "tendon_strain"}
    np.testing.assert_allclose(sum(history.terms.values()), history.objective, rtol=1e-12)
    assert history.objective.min() == saved.summary["objective"]
    assert tuple(history.rmse) == DOF_NAMES
    assert (np.diff(history.iteration) > 0).all()


def test_iterations_and_seconds_go_on_through_all_steps(copy):
    path = copy / "loss_history.csv"
    header, first, *_ = path.read_text().splitlines()
    rest = first.split(",", 4)[4]
    rows = ["1,0,1,0.5", "1,1,2,1.5", "2,0,1,0.25", "2,1,2,1"]
    path.write_text("\n".join([header, *(f"{row},{rest}" for row in rows), ""]))
    history = read_result(copy).history
    assert history.iteration.tolist() == [0, 1, 1, 2]
    assert history.seconds.tolist() == [0.5, 1.5, 1.75, 2.5]


def test_trial_that_was_calibrated_on_is_not_unseen(copy):
    shutil.rmtree(copy / "test" / "trial3")
    shutil.copytree(copy / "trials" / "trial1", copy / "test" / "again")
    summary = json.loads((copy / "result.json").read_text())
    change(copy, test_fit={"again": summary["fit"]["trial1"]})
    saved = read_result(copy)
    assert [trial.name for trial in saved.trials] == ["trial1", "trial2", "again"]
    assert saved.unseen == ()


def test_synthesised_excitations_are_those_of_the_synergies(copy):
    assert not any(trial.synthesised for trial in read_result(copy).trials)
    change(copy, hybrid={"synthesised": ["soleus_r"]})
    assert all(trial.synthesised == {"soleus_r"} for trial in read_result(copy).trials)


def test_annealing_has_no_identifiability(annealed_folder):
    saved = read_result(annealed_folder)
    assert saved.summary["identifiability"] is None
    assert {one.reason for one in saved.parameters} == {""}
    assert saved.unseen == ()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("walk36_c05", "walk36"),
        ("walk_115", "walk"),
        ("squat3", "squat"),
        ("fast walk-07", "fast walk"),
        ("jump", "jump"),
        ("12", "12"),
    ],
)
def test_kind_of_a_trial(name, kind):
    assert trial_kind(name) == kind


# ---- What is no result ------------------------------------------------------------------


def test_folder_without_results(tmp_path):
    with pytest.raises(FileFormatError) as caught:
        read_result(tmp_path)
    assert str(caught.value).startswith(
        f"{tmp_path}: expected a folder that ceinms-torch calibrate has written, with a "
        "result.json, got none that can be read (No such file or directory)."
    )


def test_result_of_an_older_version(copy):
    change(copy, format=None)
    with pytest.raises(FileFormatError) as caught:
        read_result(copy)
    assert str(caught.value) == (
        f"{copy / 'result.json'}: format: expected 1, got none: an older version wrote it, without "
        "MeasuredTorques.sto and Excitations.sto of each trial. Run ceinms-torch calibrate again "
        "with this version."
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"format": 99}', r"result.json: format: expected 1, got 99\. Run"),
        ("[]", r"result.json: expected a result of ceinms-torch calibrate, got no object"),
        (
            '{"study": "compare"}',
            r"a result of ceinms-torch calibrate, got that of a study, 'compare'",
        ),
        ("{", r"result.json:1: expected JSON, got Expecting property name"),
        ('{"format": 1}', r"expected what ceinms-torch calibrate writes, got KeyError\('fit'\)"),
    ],
)
def test_result_that_is_another(copy, text, message):
    (copy / "result.json").write_text(text)
    with pytest.raises(FileFormatError, match=message):
        read_result(copy)


def test_missing_storage_is_named(copy):
    (copy / "trials" / "trial2" / "MeasuredTorques.sto").unlink()
    with pytest.raises(FileFormatError, match=r"trial2/MeasuredTorques\.sto: expected"):
        read_result(copy)


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "step,iteration\n1\n"])
def test_history_that_is_another(copy, text):
    (copy / "loss_history.csv").write_text(text)
    with pytest.raises(FileFormatError, match=r"loss_history\.csv.*expected .* calibrate again"):
        read_result(copy)


# ---- Several ----------------------------------------------------------------------------


def test_labels_tell_results_apart(saved_folder, tmp_path):
    for name in ("a/results", "b/results", "c"):
        shutil.copytree(saved_folder, tmp_path / name)
    folders = [tmp_path / name for name in ("a/results", "c")]
    assert [one.label for one in read_results(folders)] == ["results", "c"]
    folders.append(tmp_path / "b" / "results")
    labels = [one.label for one in read_results(folders)]
    assert labels == ["a/results", f"{tmp_path.name}/c", "b/results"]


def test_same_result_twice(saved_folder):
    with pytest.raises(
        OptionError, match=r"expected one or more folders, each once, got '.*' twice"
    ):
        read_results([saved_folder, saved_folder / ".." / saved_folder.name])
    with pytest.raises(OptionError, match="got none"):
        read_results([])
