"""``ceinms-torch convert`` as users run it."""

import math
from pathlib import Path

import numpy as np
import pytest

from ceinms_torch.inputs.folder import RunFolder
from ceinms_torch.io.storage import read_storage
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.subject import Subject
from command_line import listing, run_command
from helpers import edit
from rt_files import write_rt_subject


def test_files(tmp_path):
    old = write_rt_subject(tmp_path / "subjectRT.xml")
    new = tmp_path / "subjectRT_results"
    done = run_command("convert", old, without_torch=tmp_path / "poison")
    assert done.returncode == 0, done.stderr
    assert "no emDelay; 0.015 s is written, --em-delay sets another" in done.stderr
    assert "overwritten" not in done.stderr
    subject = Subject.read(new / "subject.xml")
    generator = ExcitationGenerator.read(new / "excitationGenerator.xml")
    assert generator.recorded(subject.mtu_names) == (True, True)
    again = run_command("convert", old, "--em-delay", "0.03")
    assert again.returncode == 0
    names = f"{new / 'subject.xml'}, {new / 'excitationGenerator.xml'}"
    assert again.stderr == f"note: earlier results are overwritten: {names}\n"
    assert Subject.read(new / "subject.xml").mtus[0].em_delay == 0.03


def test_the_input_is_never_overwritten(tmp_path):
    old = write_rt_subject(tmp_path / "subject.xml")
    before = listing(tmp_path)
    done = run_command("convert", old, "--out", tmp_path)
    assert done.returncode == 1
    assert f"error: {old}: expected " in done.stderr
    assert f"input '{old}'. Choose another --out." in done.stderr
    assert listing(tmp_path) == before


@pytest.mark.parametrize("delay", [(), ("--em-delay", "0.03")])
def test_faults_write_nothing(tmp_path, delay):
    old = write_rt_subject(tmp_path / "subjectRT.xml")
    edit(old, "<C2>-0.4</C2>", "<C2>-0.4</C2><emg/>")
    done = run_command("convert", old, "--out", tmp_path / "new", *delay)
    assert done.returncode == 1
    assert "<emg>: expected <shapeFactor> at this place, got <emg>" in done.stderr
    assert not (tmp_path / "new").exists()


def test_subject_for_another_rate(tiny_folder):
    old, out = tiny_folder / "subject.xml", tiny_folder / "new"
    done = run_command("convert", old, "--out", out, "--rate", "1000")
    assert done.returncode == 1
    assert "--from-rate: expected the rate that c1 and c2 were calibrated at" in done.stderr
    assert not out.exists()
    done = run_command("convert", old, "--out", out, "--rate", "1000", "--from-rate", "100")
    assert done.returncode == 0, done.stderr
    assert "c1 and c2 are for trials at 1000 Hz now" in done.stderr
    expected = Subject.read(old).at_rate(1000.0, was=100.0)
    assert Subject.read(out / "subject.xml").mtus == expected.mtus


# ---- Angles of CEINMS-RT ----------------------------------------------------------------


def test_angles_that_look_like_radians(tmp_path):
    old = write_rt_subject(tmp_path / "subjectRT.xml")
    edit(old, ">25<", ">0.24<")
    edit(old, ">3<", ">0.13<")
    done = run_command("convert", old, "--out", tmp_path / "new")
    assert done.returncode == 1
    assert "got 0.13 to 0.24, which look like radians. Say which they are with --ang" in done.stderr
    assert not (tmp_path / "new").exists()
    for unit, factor in (("radians", 1.0), ("degrees", math.pi / 180.0)):
        done = run_command("convert", old, "--out", tmp_path / unit, "--angles", unit)
        assert done.returncode == 0, done.stderr
        angles = [mtu.pennation_angle for mtu in Subject.read(tmp_path / unit / "subject.xml").mtus]
        assert angles == pytest.approx([0.24 * factor, 0.13 * factor], rel=1e-15)


# ---- Documents of CEINMS ----------------------------------------------------------------

LATER = {
    "subject.xml": (
        "</calibrationInfo>",
        "</calibrationInfo><labNotes/><opensimModelFile>C:\\a b\\m.osim</opensimModelFile>",
    ),
    "execution.xml": ("<offline/>", ""),
    "trial1/inputData.xml": (
        "</inputData>",
        "<motionFile>ik.mot</motionFile><startStopTime>0 0.2</startStopTime></inputData>",
    ),
}


@pytest.mark.filterwarnings("ignore:.*elements that CEINMS does not know")
@pytest.mark.parametrize("version", ["0.9", "0.21"])
@pytest.mark.parametrize("name", [*LATER, "excitationGenerator.xml"])
def test_single_documents(tiny_folder, tmp_path, name, version):
    edit(tiny_folder / name, *LATER.get(name, ("<", "<")))
    out = tmp_path / "new"
    done = run_command("convert", tiny_folder / name, "--to", version, "--out", out)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Files of CEINMS 0.")
    assert f" as those of CEINMS {version}.\n" in done.stdout
    new = (out / Path(name).name).read_text()
    is_old = version == "0.9"
    assert ("<offline/>" in new) == (name == "execution.xml" and is_old)
    for element in ("labNotes", "opensimModelFile", "motionFile", "startStopTime"):
        was_there = f"<{element}" in (tiny_folder / name).read_text()
        is_left_out = was_there and (is_old or element == "labNotes")
        assert (f"<{element}" in new) == (was_there and not is_left_out)
        assert (f"<{element}>" in done.stderr) == is_left_out
    if name == "subject.xml":
        subjects = [Subject.read(path) for path in (out / name, tiny_folder / name)]
        assert subjects[0].mtus == subjects[1].mtus
        if not is_old:
            assert subjects[0].opensim_model_file == subjects[1].opensim_model_file
    if name == "trial1/inputData.xml":
        assert ("CEINMS 0.9 runs the whole trial" in done.stderr) == is_old


@pytest.mark.filterwarnings("ignore:.*elements that CEINMS does not know")
def test_folder_is_complete_and_cut(tiny_folder, tmp_path):
    for name, change in LATER.items():
        edit(tiny_folder / name, *change)
    edit(tiny_folder / "excitationGenerator.xml", "soleus_r_emg", "Sol (R)", 2)
    path = tiny_folder / "trial1" / "emg.mot"
    edit(path, "soleus_r_emg", "Sol (R)")
    out = tmp_path / "new"
    done = run_command("convert", tiny_folder / "setup.xml", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "names with blanks: Sol (R) is Sol_(R) now" in done.stderr
    old, new = RunFolder.read(tiny_folder / "setup.xml"), RunFolder.read(out / "setup.xml")
    assert (len(new.trial.time), new.dialect.later) == (21, ())
    for name in ("time", "mtu_length", "moment_arm", "excitation", "measured_moment"):
        np.testing.assert_array_equal(getattr(new.trial, name), getattr(old.trial, name))
    # CEINMS 0.9 asks for these names in this order, and nothing else.
    signals = new.generator.input_signals
    assert read_storage(out / "trial1" / "emg.sto").columns == signals
    assert [one.id for one in new.generator.excitations] == list(new.subject.mtu_names)


def test_folder_is_never_written_over_itself(tiny_folder):
    before = listing(tiny_folder)
    done = run_command("convert", tiny_folder / "setup.xml", "--out", tiny_folder)
    assert done.returncode == 1
    same = tiny_folder / "excitationGenerator.xml"
    assert f"error: {same}: expected " in done.stderr
    assert f"input '{same}'. Choose another --out." in done.stderr
    assert listing(tiny_folder) == before


def test_options_for_subjects_of_ceinms_rt_only(tiny_folder, tmp_path):
    done = run_command(
        "convert", tiny_folder / "setup.xml", "--out", tmp_path, "--angles", "radians"
    )
    assert done.returncode == 1
    assert "--angles: expected a subject of CEINMS-RT, got CEINMS 0.9" in done.stderr


def test_what_is_no_file_of_ceinms(tmp_path):
    path = tmp_path / "model.osim"
    path.write_text("<OpenSimDocument/>")
    done = run_command("convert", path)
    assert done.returncode == 1
    assert "expected a file of CEINMS, got <OpenSimDocument>. Name a setup" in done.stderr
