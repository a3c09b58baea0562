"""Result folders: what is read is what was written, and what is none is refused."""

import json
import shutil

import numpy as np
import pytest

from ceinms_torch.errors import FileFormatError, OptionError
from ceinms_torch.io.storage import read_storage
from ceinms_torch.results.read import load_result, load_results
from ceinms_torch.simulation.fit import MomentFit
from ceinms_torch.simulation.trial_result import trial_kind
from helpers import DOF_NAMES, MTU_NAMES


@pytest.fixture(scope="module")
def saved(saved_folder):
    return load_result(saved_folder)


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
    assert [trial.name for trial in saved.trials] == ["trial1", "trial2"]
    assert [trial.name for trial in saved.tests] == ["trial3"]
    assert {trial.role for trial in saved.trials} == {"calibration"}
    assert saved.new_tests == saved.tests
    assert {trial.role for trial in saved.tests} == {"test"}
    assert (saved.subject.mtu_names, saved.subject.dof_names) == (MTU_NAMES, DOF_NAMES)
    assert saved.label == "gradient"


def test_fit_follows_from_the_moments_that_are_saved(saved):
    # A report needs nothing of the original folder: its moments give the fit of result.json.
    for trial in (*saved.trials, *saved.tests):
        for dof in DOF_NAMES:
            predicted = trial.simulation.joint_moment[dof]
            expected = MomentFit.of(trial.measured_moment[dof], predicted)
            assert trial.fit[dof].rmse == pytest.approx(expected.rmse, rel=1e-12)
            assert trial.fit[dof].r2 == pytest.approx(expected.r2, rel=1e-9)


def test_recordings_are_those_of_the_folder(saved, saved_folder):
    folder = saved_folder.parent / "subject" / "trial3"
    (trial,) = saved.tests
    emg, torques = read_storage(folder / "emg.mot"), read_storage(folder / "id.sto")
    np.testing.assert_array_equal(trial.excitation.time, emg.time)
    for mtu in MTU_NAMES:
        np.testing.assert_array_equal(trial.excitation[mtu], emg.column(f"{mtu}_emg"))
    for dof in DOF_NAMES:
        np.testing.assert_array_equal(trial.measured_moment[dof], torques.column(f"{dof}_moment"))
    assert trial.measured_moment.units == "N m"


def test_share_of_a_trial_runs_from_its_first_frame_to_its_last(saved):
    trial = saved.trials[0]
    percent = trial.percent(trial.simulation.joint_moment)
    assert (percent[0], percent[-1]) == (0.0, 100.0)
    # EMG begins 0.2 s before the 0.29 s of the trial.
    assert trial.percent(trial.excitation)[0] == pytest.approx(-100.0 * 0.2 / 0.29)


def test_parameters_know_what_the_data_say_about_them(saved):
    found = saved.identifiability.parameters
    assert [one.certainty for one in saved.parameters] == list(found)
    for one, other in zip(saved.parameters, found, strict=True):
        assert (one.name, one.mtus, one.value) == (other.name, other.mtus, other.value)
        assert (one.interval is None) == bool(other.reason)
        assert bool(one.at_bound) == other.at_bound
        assert one.share(one.lower) == 0.0
        assert one.share(one.upper) == pytest.approx(100.0)
        assert -1e-9 <= one.share(one.value) <= 100.0 + 1e-9


def test_history_adds_up(saved):
    for item in saved.history:
        assert set(item.terms) == {"moment", "fibre_length", "tendon_strain"}
        assert sum(item.terms.values()) == pytest.approx(item.objective, rel=1e-12)
        assert tuple(item.rmse) == DOF_NAMES
    assert min(item.objective for item in saved.history) == saved.objective
    assert (np.diff([item.iteration for item in saved.history]) > 0).all()


def test_trial_that_was_calibrated_on_is_no_new_test(copy):
    shutil.rmtree(copy / "test" / "trial3")
    shutil.copytree(copy / "trials" / "trial1", copy / "test" / "again")
    summary = json.loads((copy / "result.json").read_text())
    change(copy, test_fit={"again": summary["fit"]["trial1"]})
    saved = load_result(copy)
    assert [trial.name for trial in saved.tests] == ["again"]
    assert saved.new_tests == ()


def test_annealing_has_no_identifiability(annealed_folder):
    saved = load_result(annealed_folder)
    assert saved.identifiability is None
    assert {one.certainty for one in saved.parameters} == {None}
    assert saved.tests == ()


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
        load_result(tmp_path)
    assert str(caught.value).startswith(
        f"{tmp_path}: expected a folder that ceinms-torch calibrate has written, with a "
        "result.json, got none."
    )


def test_result_of_an_older_version(copy):
    change(copy, format=None)
    with pytest.raises(FileFormatError) as caught:
        load_result(copy)
    assert str(caught.value) == (
        f"{copy / 'result.json'}: format: expected 2, got none. Run ceinms-torch calibrate again "
        "with this version."
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"format": 99}', r"result.json: format: expected 2, got 99\. Run"),
        ("[]", r"result.json: expected a result of ceinms-torch calibrate, got no object"),
        (
            '{"study": "compare"}',
            r"a result of ceinms-torch calibrate, got that of a study, 'compare'",
        ),
        ("{", r"result.json:1: expected JSON, got Expecting property name"),
        ('{"format": 2}', r"what ceinms-torch calibrate writes, got KeyError\('subject'\)"),
    ],
)
def test_result_that_is_another(copy, text, message):
    (copy / "result.json").write_text(text)
    with pytest.raises(FileFormatError, match=message):
        load_result(copy)


def test_missing_storage_is_named(copy):
    (copy / "trials" / "trial2" / "MeasuredTorques.sto").unlink()
    with pytest.raises(FileFormatError, match=r"trial2/MeasuredTorques\.sto: expected"):
        load_result(copy)


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "step,iteration\n1\n"])
def test_history_that_is_another(copy, text):
    (copy / "loss_history.csv").write_text(text)
    with pytest.raises(FileFormatError, match=r"loss_history\.csv.*expected .* calibrate again"):
        load_result(copy)


# ---- Several ----------------------------------------------------------------------------


def test_labels_tell_results_apart(saved_folder, tmp_path):
    for name in ("a/results", "b/results", "c"):
        shutil.copytree(saved_folder, tmp_path / name)
    folders = [tmp_path / name for name in ("a/results", "c")]
    assert [one.label for one in load_results(folders)] == ["results", "c"]
    folders.append(tmp_path / "b" / "results")
    labels = [one.label for one in load_results(folders)]
    assert labels == ["a/results", f"{tmp_path.name}/c", "b/results"]


def test_same_result_twice(saved_folder):
    with pytest.raises(
        OptionError, match=r"expected one or more folders, each once, got '.*' twice"
    ):
        load_results([saved_folder, saved_folder / ".." / saved_folder.name])
    with pytest.raises(OptionError, match="got none"):
        load_results([])
