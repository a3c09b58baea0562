"""Elements that CEINMS versions after 0.9 write: read, used where they mean something, kept."""

import dataclasses
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ceinms_torch.errors import CeinmsTorchWarning, DataError, FileFormatError
from ceinms_torch.inputs.folder import CalibrationFolder
from ceinms_torch.io.storage import read_storage
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.input_data import InputData
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from helpers import edit, line_with, storage_text, write_tiny_folder
from rt_files import write_rt_subject

FILES = """</calibrationInfo>
  <contactModelFile>contact.xml</contactModelFile>
  <opensimModelFile>..\\model.osim</opensimModelFile>"""
SCALE = "<shapeFactor>-1.0</shapeFactor>"


def with_window(folder, text):
    """Return the first trial's inputData.xml, with a <startStopTime>."""
    path = folder / "trial1" / "inputData.xml"
    edit(path, "</inputData>", f"  <startStopTime>{text}</startStopTime>\n</inputData>")
    return path


def read_trial(folder):
    return Trial.read(
        folder / "trial1" / "inputData.xml",
        Subject.read(folder / "subject.xml"),
        ExcitationGenerator.read(folder / "excitationGenerator.xml"),
    )


# ---- startStopTime ----------------------------------------------------------------------


def test_trial_is_cropped(tiny_folder):
    whole = read_trial(tiny_folder)
    with_window(tiny_folder, "0.1 0.2")
    part = read_trial(tiny_folder)
    np.testing.assert_allclose(part.time, np.arange(10, 21) / 100, atol=1e-12)
    for name in ("mtu_length", "moment_arm", "measured_moment"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[10:21])
    # EMG from before the start still charges the activation filter.
    np.testing.assert_array_equal(part.excitation, whole.excitation)


@pytest.mark.parametrize(("text", "rows"), [("-0.009 0.3", 30), ("0.09995 0.10005", 0)])
def test_ends_have_tolerance(tiny_folder, text, rows):
    # A frame outside the file at most (0.01 s); 1e-4 s within.
    with_window(tiny_folder, text)
    if rows:
        assert len(read_trial(tiny_folder).time) == rows
    else:
        with pytest.raises(DataError, match=r"at least two rows .* got 1"):
            read_trial(tiny_folder)


@pytest.mark.parametrize("text", ["-0.02 0.2", "0.3 0.5", "-5 -4"])
def test_start_beyond_the_file_is_an_error(tiny_folder, text):
    path = with_window(tiny_folder, text)
    with pytest.raises(DataError) as caught:
        read_trial(tiny_folder)
    assert f"{path}: <startStopTime>: expected times within" in str(caught.value)
    assert "0 to 0.29 s" in str(caught.value)


# The 30 rows of lengths are 0.01 s apart; EMG ends 0.05 s later.
def shorten(folder, name, n_row):
    path = folder / "trial1" / name
    storage = read_storage(path)
    rows = slice(None, n_row)
    path.write_text(storage_text("cut", storage.time[rows], storage.columns, storage.values[rows]))


@given(
    stop=st.one_of(st.floats(0.02, 0.5), st.floats(0.5, 1e9)),
    n_row=st.fixed_dictionaries(
        {"id.sto": st.integers(20, 30), "ma_knee_angle_r.sto": st.integers(20, 30)}
    ),
    n_emg=st.integers(90, 109),
)
def test_any_stop_is_the_last_row_that_all_files_have(tmp_path_factory, stop, n_row, n_emg):
    folder = write_tiny_folder(tmp_path_factory.mktemp("stop") / "tiny")
    whole = read_trial(folder)
    for name, n in n_row.items():
        shorten(folder, name, n)
    shorten(folder, "emg.mot", n_emg)
    with_window(folder, f"0 {stop!r}")
    # EMG at 200 Hz begins at -0.2 s and serves lengths up to its delay of 0.015 s later.
    emg_end = -0.2 + (n_emg - 1) / 200 + 0.015
    last = min(emg_end, *((n - 1) / 100 for n in n_row.values()))
    asked = int(np.sum(whole.time <= stop + 1e-4))
    expected = int(np.sum(whole.time <= min(stop, last) + 1e-4))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CeinmsTorchWarning)
        part = read_trial(folder)
    assert len(part.time) == expected
    np.testing.assert_array_equal(part.mtu_length, whole.mtu_length[:expected])
    np.testing.assert_array_equal(part.measured_moment, whole.measured_moment[:expected])
    codes = [one.message.code for one in caught]
    code = "trial-cut" if expected < 0.9 * asked else "stop-beyond-data"
    assert codes == [code] * (expected < asked or stop > 0.3001)
    for one in caught:
        assert f"is {stop - part.time[-1]:.4g} s beyond the last row" in str(one.message)


def test_files_of_another_period_are_not_cut_to_nothing(tiny_folder):
    with_window(tiny_folder, "0 0.3")
    path = tiny_folder / "trial1" / "emg.mot"
    storage = read_storage(path)
    path.write_text(storage_text("early", storage.time - 27.0, storage.columns, storage.values))
    with pytest.raises(DataError, match="not one in common"):
        read_trial(tiny_folder)


@pytest.mark.parametrize("text", ["0.1", "0.2 0.1", "0.1 0.2 0.3"])
def test_window_is_two_times_in_order(tiny_folder, text):
    path = with_window(tiny_folder, text)
    with pytest.raises(FileFormatError, match="start before the stop") as caught:
        InputData.read(path)
    assert caught.value.where.line == line_with(path, "startStopTime")


def test_rows_at_the_same_times_are_taken_without_interpolation(tiny_folder):
    # The other files hold more rows than these; a warning that they are interpolated would fail.
    lengths = tiny_folder / "trial1" / "lmt.sto"
    storage = read_storage(lengths)
    keep = slice(4, 20)
    lengths.write_text(
        storage_text("cut", storage.time[keep], storage.columns, storage.values[keep])
    )
    moments = read_storage(tiny_folder / "trial1" / "id.sto")
    got = read_trial(tiny_folder).measured_moment
    np.testing.assert_array_equal(got, moments.values[keep])


def test_window_is_written(tiny_folder, tmp_path):
    path = with_window(tiny_folder, "0.1 0.2")
    data = InputData.read(path)
    assert data.start_stop_time == (0.1, 0.2)
    data.write(tmp_path / "new" / "trial1.xml")
    again = InputData.read(tmp_path / "new" / "trial1.xml")
    assert again.start_stop_time == data.start_stop_time


def test_files_that_are_only_named_are_kept(tiny_folder, tmp_path):
    path = tiny_folder / "trial1" / "inputData.xml"
    motion, loads = ".\\ik\\motion.mot", "C:\\Users\\Jane Doe\\grf.xml"
    edit(
        path,
        "</inputData>",
        f"<motionFile>{motion}</motionFile><externalLoadsFile>{loads}</externalLoadsFile></inputData>",
    )
    data = InputData.read(path)
    assert data.motion_file == path.parent / "ik" / "motion.mot"
    data.write(tmp_path / "a" / "b" / "trial1.xml")
    again = InputData.read(tmp_path / "a" / "b" / "trial1.xml")
    assert again.motion_file.resolve() == data.motion_file.resolve()
    assert again.external_loads_file == data.external_loads_file
    assert data.external_loads_file.as_posix() == "C:/Users/Jane Doe/grf.xml"


def test_windows_names_lead_to_the_files(tiny_folder):
    path = tiny_folder / "trial1" / "inputData.xml"
    edit(path, "lmt.sto", ".\\lmt.sto")
    edit(path, "ma_knee_angle_r.sto", "..\\trial1\\ma_knee_angle_r.sto")
    edit(tiny_folder / "calibration.xml", "trial1/inputData.xml", ".\\trial1\\inputData.xml")
    assert len(CalibrationFolder.read(tiny_folder / "calibrationSetup.xml").trials) == 2


# ---- Subject ----------------------------------------------------------------------------


def test_factor_on_activations_must_be_one(tiny_folder):
    path = tiny_folder / "subject.xml"
    edit(path, SCALE, SCALE + "<activationScale>1.0</activationScale>")
    Subject.read(path).write(tiny_folder / "again.xml")
    assert "<activationScale>1.0</activationScale>" in (tiny_folder / "again.xml").read_text()
    edit(path, "<activationScale>1.0<", "<activationScale>0.7<")
    with pytest.raises(FileFormatError, match=r"got 0\.7\. What later versions .* not published"):
        Subject.read(path)


@given(place=st.integers(0, 9), data=st.data())
def test_place_of_later_elements_is_free(tmp_path_factory, place, data):
    """Nobody has the later grammars: what they brought may stand anywhere in its parent."""
    folder = write_tiny_folder(tmp_path_factory.mktemp("places") / "tiny")
    path = folder / "subject.xml"
    plain = Subject.read(path)
    tree = etree.parse(path)
    mtu = tree.find("mtuSet/mtu")
    scale = etree.Element("activationScale")
    scale.text = "1"
    mtu.insert(min(place, len(mtu)), scale)
    for name in ("opensimModelFile", "contactModelFile"):
        node = etree.Element(name)
        node.text = "x"
        tree.getroot().insert(data.draw(st.integers(0, 5)), node)
    tree.write(path)
    subject = Subject.read(path)
    assert (subject.mtus, subject.dofs) == (plain.mtus, plain.dofs)
    assert subject.opensim_model_file == folder / "x"
    # Written with an element that was not there, which has its own place.
    changed = subject.replace_mtu("soleus_r", max_contraction_velocity=8.0)
    changed.write(folder / "again.xml")
    again = Subject.read(folder / "again.xml")
    assert again.mtus == changed.mtus
    kept = etree.parse(folder / "again.xml").find("mtuSet/mtu")
    names = [child.tag for child in kept if child.tag != "activationScale"]
    assert names.index("maxContractionVelocity") == names.index("maxIsometricForce") - 1


def test_history_with_windows_paths_is_kept(tiny_folder, tmp_path):
    path = tiny_folder / "subject.xml"
    start, earlier = "C:\\Data\\S 01\\subject.xml", "C:\\Data\\S 01\\calibration.xml"
    text = path.read_text()
    begin, end = text.index("<uncalibrated>"), text.index("</uncalibrated>")
    path.write_text(
        text[:begin]
        + f"<calibrated><startSubjectFile>{start}</startSubjectFile>"
        + f"<calibrationSequence>{earlier}</calibrationSequence></calibrated>"
        + text[end + len("</uncalibrated>") :]
    )
    subject = Subject.read(path)
    new = tmp_path / "elsewhere" / "subject.xml"
    subject.write(new, calibrated_from=path, calibration_file=tiny_folder / "calibration.xml")
    written = new.read_text()
    assert f"<startSubjectFile>{start}</startSubjectFile>" in written
    assert f"<calibrationSequence>{earlier} ../tiny/calibration.xml<" in written


def test_subject_of_ceinms_rt_in_a_setup(tmp_path):
    path = write_rt_subject(tmp_path / "model.xml")
    with pytest.raises(FileFormatError) as caught:
        Subject.read(path)
    assert caught.value.code == "subject-of-rt"
    assert "got one of CEINMS-RT" in str(caught.value)
    assert f"`ceinms-torch convert {path}`. Then name" in caught.value.hint
    # A fault in the file, or angles in radians, change nothing about what it is.
    edit(path, "<C2>-0.4</C2>", "")
    edit(path, ">25<", ">0.24<")
    edit(path, ">3<", ">0.13<")
    with pytest.raises(FileFormatError, match=r"CEINMS-RT.*0\.13 to 0\.24, look like radians"):
        Subject.read(path)


def test_names_of_models_lead_to_the_same_files_from_elsewhere(tiny_folder, tmp_path):
    path = tiny_folder / "subject.xml"
    edit(path, "</calibrationInfo>", FILES)
    subject = Subject.read(path)
    assert subject.opensim_model_file == tiny_folder / ".." / "model.osim"
    assert subject.contact_model_file == tiny_folder / "contact.xml"
    subject.write(tmp_path / "a" / "b" / "subject.xml")
    moved = Subject.read(tmp_path / "a" / "b" / "subject.xml")
    assert moved.contact_model_file.resolve() == subject.contact_model_file.resolve()
    assert moved.opensim_model_file.resolve() == subject.opensim_model_file.resolve()
    subject.write(tiny_folder / "again.xml")  # the same folder: the text stays as it was
    assert "<opensimModelFile>..\\model.osim<" in (tiny_folder / "again.xml").read_text()


def test_names_of_models_are_written_from_scratch(tiny_folder, tmp_path):
    subject = dataclasses.replace(
        Subject.read(tiny_folder / "subject.xml"),
        document=None,
        opensim_model_file=tmp_path / "model.osim",
        contact_model_file=Path("contact.xml").absolute(),
    )
    subject.write(tmp_path / "new.xml")
    again = Subject.read(tmp_path / "new.xml")
    assert again.opensim_model_file == tmp_path / "model.osim"
    assert again.contact_model_file.resolve() == subject.contact_model_file


def test_empty_names_of_models_are_left_alone(tiny_folder):
    path = tiny_folder / "subject.xml"
    edit(path, "</calibrationInfo>", "</calibrationInfo><opensimModelFile/>")
    subject = Subject.read(path)
    assert subject.opensim_model_file is None
    subject.write(tiny_folder / "again.xml")
    assert "<opensimModelFile/>" in (tiny_folder / "again.xml").read_text()


# ---- Excitations ------------------------------------------------------------------------


def test_excitations_may_be_in_any_order(tiny_folder):
    before = read_trial(tiny_folder)
    path = tiny_folder / "excitationGenerator.xml"
    generator = ExcitationGenerator.read(path)
    turned = dataclasses.replace(generator, excitations=generator.excitations[::-1])
    turned.write(path)
    np.testing.assert_array_equal(read_trial(tiny_folder).excitation, before.excitation)
    assert ExcitationGenerator.read(path).excitations == turned.excitations
