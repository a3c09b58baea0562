"""Elements that CEINMS versions after 0.9 write: read, used where they mean something, kept."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from ceinms_torch.errors import DataError, FileFormatError
from ceinms_torch.io.storage import read_storage
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.input_data import InputData
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from helpers import edit, line_with, storage_text

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


@pytest.mark.parametrize("text", ["-0.02 0.2", "0.1 0.31"])
def test_window_beyond_the_file_is_an_error(tiny_folder, text):
    path = with_window(tiny_folder, text)
    with pytest.raises(DataError) as caught:
        read_trial(tiny_folder)
    assert f"{path}: <startStopTime>: expected times within" in str(caught.value)
    assert "0 to 0.29 s" in str(caught.value)


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


# ---- Subject ----------------------------------------------------------------------------


def test_factor_on_activations_must_be_one(tiny_folder):
    path = tiny_folder / "subject.xml"
    edit(path, SCALE, SCALE + "<activationScale>1.0</activationScale>")
    Subject.read(path).write(tiny_folder / "again.xml")
    assert "<activationScale>1.0</activationScale>" in (tiny_folder / "again.xml").read_text()
    edit(path, "<activationScale>1.0<", "<activationScale>0.7<")
    with pytest.raises(FileFormatError, match=r"expected 1, got 0\.7\. CEINMS 0\.9 has no such"):
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
