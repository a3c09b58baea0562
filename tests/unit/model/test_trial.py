"""Trials: alignment of the files, and what makes them unusable."""

import math

import numpy as np
import pytest

from ceinms_torch.errors import CeinmsTorchWarning, DataError, FileFormatError
from ceinms_torch.io.storage import read_storage
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.input_data import InputData
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from helpers import DOF_NAMES, MTU_NAMES, edit, line_with, storage_text, write_tiny_folder

FOLDER = "trial1"
LABELS = 7  # line of the labels in every storage file of the folder


def read(folder, **options):
    return Trial.read(
        folder / FOLDER / "inputData.xml",
        Subject.read(folder / "subject.xml"),
        ExcitationGenerator.read(folder / "excitationGenerator.xml"),
        **options,
    )


def rewrite(path, change):
    """Replace (time, values) of a storage file by what a function makes of them."""
    storage = read_storage(path)
    time, values = change(storage.time, storage.values)
    path.write_text(storage_text("changed", time, storage.columns, values))


def test_arrays(tiny_folder):
    trial = read(tiny_folder, require_moments=True)
    folder = tiny_folder / FOLDER
    assert (trial.name, trial.mtu_names, trial.dof_names) == (FOLDER, MTU_NAMES, DOF_NAMES)
    assert trial.mtu_length.shape == (30, 3)
    assert trial.moment_arm.shape == (30, 2, 3)
    assert trial.excitation.shape == (109, 3)
    assert trial.measured_moment.shape == (30, 2)
    np.testing.assert_allclose(trial.time, np.arange(30) / 100, atol=1e-12)
    assert trial.excitation_time[0] == -0.2
    arms = read_storage(folder / "ma_knee_angle_r.sto")
    np.testing.assert_array_equal(trial.moment_arm[:, 0, 1], arms.column("gasmed_r"))
    np.testing.assert_array_equal(trial.moment_arm[:, 0, 2], arms.column("recfem_r"))
    moments = read_storage(folder / "id.sto")
    np.testing.assert_array_equal(
        trial.measured_moment[:, 1], moments.column("ankle_angle_r_moment")
    )
    sources = trial.sources
    assert sources.input_data.path == folder / "inputData.xml"
    assert sources.muscle_tendon_length.path == folder / "lmt.sto"
    assert {dof: one.path for dof, one in sources.moment_arms.items()} == {
        dof: folder / f"ma_{dof}.sto" for dof in DOF_NAMES
    }
    assert sources.excitations.path == folder / "emg.mot"
    assert sources.torques.path == folder / "id.sto"
    assert len({source.sha256 for source in sources}) == len(list(folder.iterdir())) == 6
    for array in (trial.mtu_length, trial.moment_arm, trial.excitation, trial.measured_moment):
        assert array.flags.c_contiguous
        assert array.dtype == np.float64


def test_moment_arms_of_other_mtus_are_zero(tiny_folder):
    path = tiny_folder / FOLDER / "ma_ankle_angle_r.sto"
    rewrite(path, lambda time, values: (time, np.ones_like(values)))
    arms = read(tiny_folder).moment_arm
    np.testing.assert_array_equal(arms[:, 1], np.tile([1.0, 1.0, 0.0], (30, 1)))


def test_columns_are_found_by_name(tiny_folder):
    before = read(tiny_folder)
    for name in ("lmt.sto", "emg.mot", "id.sto", "ma_knee_angle_r.sto"):
        path = tiny_folder / FOLDER / name
        storage = read_storage(path)
        path.write_text(
            storage_text("x", storage.time, storage.columns[::-1], storage.values[:, ::-1])
        )
    after = read(tiny_folder)
    for name in ("mtu_length", "moment_arm", "excitation", "measured_moment"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))


def test_excitations_are_weighted_sums(tiny_folder):
    before = read(tiny_folder).excitation
    edit(
        tiny_folder / "excitationGenerator.xml",
        '<input weight="1">gasmed_r_emg</input>',
        '<input weight="0.5">soleus_r_emg</input><input weight="0.25">recfem_r_emg</input>',
    )
    after = read(tiny_folder).excitation
    np.testing.assert_allclose(after[:, 1], 0.5 * before[:, 0] + 0.25 * before[:, 2], rtol=1e-14)
    np.testing.assert_array_equal(after[:, 0], before[:, 0])


def test_unrecorded_mtus_are_silent(tmp_path):
    folder = write_tiny_folder(tmp_path / "tiny", unrecorded=("gasmed_r",))
    assert not read(folder).excitation[:, 1].any()


def test_excitations_are_limited_with_one_warning(tiny_folder):
    path = tiny_folder / FOLDER / "emg.mot"
    rewrite(path, lambda time, values: (time, values * [3.0, 1.0, -0.1]))
    with pytest.warns(CeinmsTorchWarning) as caught:
        trial = read(tiny_folder)
    (warning,) = caught
    raw = read_storage(path).values
    outside = int(((raw < 0) | (raw > 1)).sum())
    text = str(warning.message)
    assert f"'trial1': {outside} of {raw.size} excitations are outside 0 to 1" in text
    assert f"lowest {raw.min():.4g}, highest {raw.max():.4g}; MTUs: soleus_r, recfem_r" in text
    np.testing.assert_array_equal(trial.excitation, np.clip(raw, 0.0, 1.0))


@pytest.mark.parametrize(("name", "what"), [("emg.mot", "gasmed_r_emg"), ("lmt.sto", "gasmed_r")])
def test_missing_column(tiny_folder, name, what):
    path = tiny_folder / FOLDER / name
    edit(path, f"{what}\t", "gasmet\t")
    with pytest.raises(
        FileFormatError, match=f"{path}:{LABELS}: {what}: expected a column.*'{what}', got"
    ):
        read(tiny_folder)


def test_missing_moment_column(tiny_folder):
    path = tiny_folder / FOLDER / "id.sto"
    edit(path, "knee_angle_r_moment", "knee_r_moment")
    with pytest.raises(
        FileFormatError, match=rf":{LABELS}: .*'knee_angle_r_moment' or 'knee_angle_r'.*Did you"
    ):
        read(tiny_folder)


def test_moment_columns_without_suffix(tiny_folder):
    before = read(tiny_folder).measured_moment
    edit(tiny_folder / FOLDER / "id.sto", "knee_angle_r_moment", "knee_angle_r")
    np.testing.assert_array_equal(read(tiny_folder).measured_moment, before)


def test_mtu_without_excitation(tiny_folder):
    edit(tiny_folder / "excitationGenerator.xml", 'id="gasmed_r"', 'id="gas_med_r"')
    with pytest.raises(DataError, match=r"<excitation id=\"gasmed_r\">.*Did you mean 'gas_med_r'"):
        read(tiny_folder)


@pytest.mark.parametrize("name", ["lmt.sto", "emg.mot", "id.sto", "ma_knee_angle_r.sto"])
def test_repeated_time_names_the_line(tiny_folder, name):
    path = tiny_folder / FOLDER / name
    lines = path.read_text().split("\n")
    lines[12] = "\t".join([lines[11].split("\t")[0], *lines[12].split("\t")[1:]])
    path.write_text("\n".join(lines))
    with pytest.raises(FileFormatError, match=rf"{path}:13: time: expected a time after"):
        read(tiny_folder)


def test_nan_names_line_and_column(tiny_folder):
    path = tiny_folder / FOLDER / "id.sto"
    lines = path.read_text().split("\n")
    lines[20] = lines[20].split("\t")[0] + "\tnan\t1"
    path.write_text("\n".join(lines))
    with pytest.raises(FileFormatError, match=f"{path}:21: knee_angle_r_moment: .*got 'nan'"):
        read(tiny_folder)


def test_emg_too_short_at_either_end(tiny_folder):
    path = tiny_folder / FOLDER / "emg.mot"
    text = path.read_text()
    rewrite(path, lambda time, values: (time[40:], values[40:]))  # starts at 0 s: no delay covered
    expected = (
        r"emg.mot: expected signals from -0.015 to 0.275 s \(the times of .*lmt.sto' less the "
        r"emDelay of soleus_r, 0.015 s\), got 0 to 0.34 s. The EMG is too short"
    )
    with pytest.raises(DataError, match=expected):
        read(tiny_folder)
    path.write_text(text)
    rewrite(path, lambda time, values: (time[:-20], values[:-20]))
    with pytest.raises(DataError, match=r"got -0.2 to 0.24 s. The EMG is too short"):
        read(tiny_folder)


def test_emg_may_end_before_the_trial_by_the_delay(tiny_folder):
    path = tiny_folder / FOLDER / "emg.mot"
    rewrite(path, lambda time, values: (time[37:96], values[37:96]))
    trial = read(tiny_folder)
    np.testing.assert_allclose(trial.excitation_time[[0, -1]], [-0.015, 0.275], atol=1e-12)
    rewrite(path, lambda time, values: (time[:-1], values[:-1]))
    with pytest.raises(DataError, match="too short"):
        read(tiny_folder)


def test_delay_of_every_mtu_counts(tiny_folder):
    subject = tiny_folder / "subject.xml"
    edit(subject, "<name>recfem_r</name>", "<name>recfem_r</name><emDelay>0.199</emDelay>")
    with pytest.warns(CeinmsTorchWarning, match="emDelay differs"):
        read(tiny_folder)
    edit(subject, "0.199", "0.2002")
    with (
        pytest.warns(CeinmsTorchWarning, match="emDelay"),
        pytest.raises(DataError, match=r"emDelay of recfem_r, 0.2002 s"),
    ):
        read(tiny_folder)


def test_moments_at_other_times_are_interpolated(tiny_folder):
    path = tiny_folder / FOLDER / "id.sto"
    time = np.linspace(-0.05, 0.35, 33)
    moments = np.stack([3.0 * time, 1.0 - time], axis=1)
    path.write_text(storage_text("x", time, [f"{dof}_moment" for dof in DOF_NAMES], moments))
    with pytest.warns(CeinmsTorchWarning, match="interpolated linearly"):
        trial = read(tiny_folder)
    expected = np.stack([3.0 * trial.time, 1.0 - trial.time], axis=1)
    np.testing.assert_allclose(trial.measured_moment, expected, atol=1e-9)


def test_times_that_agree_to_a_tenth_of_a_millisecond_are_the_same(tiny_folder):
    before = read(tiny_folder).measured_moment
    path = tiny_folder / FOLDER / "id.sto"
    rewrite(path, lambda time, values: (time + 0.9e-4, values))
    np.testing.assert_array_equal(read(tiny_folder).measured_moment, before)


@pytest.mark.parametrize("name", ["id.sto", "ma_ankle_angle_r.sto"])
def test_files_for_another_period_are_refused(tiny_folder, name):
    path = tiny_folder / FOLDER / name
    rewrite(path, lambda time, values: (time + 0.5, values))
    with pytest.raises(DataError) as caught:
        read(tiny_folder)
    assert "too, 0 to 0.29 s, got 0.5 to 0.79 s, not one in common" in str(caught.value)
    assert "begins 0.5 s from where it should" in caught.value.hint
    rewrite(path, lambda time, values: (time - 0.3, values))
    with pytest.raises(
        DataError, match=rf"{path}: expected times from 0 to 0.29 s.*got 0.2 to 0.49"
    ):
        read(tiny_folder)


@pytest.mark.parametrize("shift", [-20.0, 0.6, 27.3])
def test_emg_on_another_clock_is_not_too_short(tiny_folder, shift):
    path = tiny_folder / FOLDER / "emg.mot"
    rewrite(path, lambda time, values: (time + shift, values))
    with pytest.raises(DataError, match="not one in common") as caught:
        read(tiny_folder)
    assert caught.value.code == "other-clock"
    assert "shift the times" in caught.value.hint
    assert "short" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "path", "is_right"),
    [
        ("lmt.sto", "/forceset/{}|length", True),
        ("lmt.sto", "/forceset/{}|fiber_length", False),
        ("lmt.sto", "/forceset/{}/normalized_tendon_force", False),
        ("id.sto", "/jointset/joint/{}|generalized_force", True),
        ("id.sto", "/jointset/joint/{}/value", False),
        ("id.sto", "/jointset/joint/{}|speed", False),
        ("ma_ankle_angle_r.sto", "/forceset/{}|moment_arm", True),
        ("ma_ankle_angle_r.sto", "/forceset/{}|tendon_force", False),
    ],
)
def test_path_says_whether_it_is_what_is_needed(tiny_folder, name, path, is_right):
    file = tiny_folder / FOLDER / name
    before = read(tiny_folder)
    lines = file.read_text().split("\n")
    row = lines.index("endheader") + 1
    labels = [one.removesuffix("_moment") for one in lines[row].split("\t")]
    lines[row] = "\t".join(["time", *(path.format(label) for label in labels[1:])])
    file.write_text("\n".join(lines))
    if is_right:
        after = read(tiny_folder)
        for array in ("mtu_length", "moment_arm", "measured_moment"):
            np.testing.assert_array_equal(getattr(after, array), getattr(before, array))
        return
    with pytest.raises(FileFormatError, match=r"expected a \w+ \w+ of '\w+', got '/") as caught:
        read(tiny_folder)
    assert caught.value.code == "column-other-quantity"


def test_moments_may_be_required(tiny_folder):
    path = tiny_folder / FOLDER / "inputData.xml"
    edit(path, "<externalTorquesFile>id.sto</externalTorquesFile>", "")
    assert read(tiny_folder).measured_moment is None
    with pytest.raises(DataError, match=f"{path}: expected an <externalTorquesFile>"):
        read(tiny_folder, require_moments=True)


def test_single_row(tiny_folder):
    path = tiny_folder / FOLDER / "lmt.sto"
    rewrite(path, lambda time, values: (time[:1], values[:1]))
    with pytest.raises(FileFormatError, match="expected at least two rows, got one"):
        read(tiny_folder)


def test_jitter_is_kept_and_gaps_are_filled(tiny_folder):
    path = tiny_folder / FOLDER / "emg.mot"
    wobble = 0.02 * 0.005 * np.sin(np.arange(109))
    rewrite(path, lambda time, values: (time + wobble, values))
    np.testing.assert_allclose(
        read(tiny_folder).excitation_time, read_storage(path).time, atol=0.0, rtol=0.0
    )
    keep = np.r_[0:50, 55:109]
    rewrite(path, lambda time, values: (time[keep], 0.3 + values[keep] * 0 + time[keep, None] / 10))
    with pytest.warns(CeinmsTorchWarning, match="not evenly spaced"):
        trial = read(tiny_folder)
    steps = np.diff(trial.excitation_time)
    np.testing.assert_allclose(steps, steps.mean(), rtol=1e-9)
    expected = 0.3 + trial.excitation_time / 10
    np.testing.assert_allclose(trial.excitation[:, 0], expected, atol=1e-9)


def test_slow_emg_warns(tiny_folder):
    path = tiny_folder / FOLDER / "emg.mot"
    rewrite(path, lambda time, values: (time[::2], values[::2]))
    read(tiny_folder)  # 100 Hz, as the trial
    rewrite(path, lambda time, values: (time[::2], values[::2]))
    with pytest.warns(CeinmsTorchWarning, match="every 0.02 s, slower than MTU lengths"):
        read(tiny_folder)


def test_input_data_may_be_made_in_memory(tiny_folder):
    subject = Subject.read(tiny_folder / "subject.xml")
    generator = ExcitationGenerator.read(tiny_folder / "excitationGenerator.xml")
    folder = tiny_folder / FOLDER
    data = InputData(
        name="walk",
        muscle_tendon_length_file=folder / "lmt.sto",
        moment_arms_files={dof: folder / f"ma_{dof}.sto" for dof in DOF_NAMES},
        excitations_file=folder / "emg.mot",
    )
    trial = Trial.read(data, subject, generator)
    assert trial.name == "walk"
    assert len(tuple(trial.sources)) == 4
    with pytest.raises(DataError, match="walk: expected an <externalTorquesFile>"):
        Trial.read(data, subject, generator, require_moments=True)


def test_missing_moment_arm_file_blames_the_line_that_names_it(tiny_folder):
    path = tiny_folder / FOLDER / "inputData.xml"
    edit(path, "ma_knee_angle_r.sto", "ma_knee.sto")
    with pytest.raises(FileFormatError, match=f"{path}:{line_with(path, 'ma_knee.sto')}: "):
        read(tiny_folder)


@pytest.mark.parametrize("base", ["golden", "data/lower_limb/ceinms"])
def test_reference_trials(shared_dir, base):
    folder = shared_dir / base
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    subject = Subject.read(folder / "subjectUncalibrated.xml")
    generator = ExcitationGenerator.read(folder / "excitationGenerator.xml")
    files = [*folder.glob("trial?/trial?.xml"), *folder.glob("trials/*/inputData.xml")]
    assert files
    for file in files:
        trial = Trial.read(file, subject, generator, require_moments=True)
        assert trial.name == file.parent.name
        assert math.isclose(np.diff(trial.time).mean(), 0.01, rel_tol=1e-6)
        assert trial.measured_moment.shape == (len(trial.time), len(subject.dofs))
