"""No command writes over what it reads: it is refused before anything runs, and check says so."""

import hashlib
import shutil

import pytest

from command_line import run_command, run_program
from helpers import edit

SETUP = "calibrationSetup.xml"


def hashes(folder):
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


OUTPUTS = {
    "the subject": "subject.xml",
    "the calibration": "calibration.xml",
    "the setup": SETUP,
    "the lengths": "trial1/lmt.sto",
    "by a detour": "trial1/../subject.xml",
    "a link": "link.xml",
    "a folder's link": "there/subject.xml",
    "other capitals": "Subject.XML",
}


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS)
def test_the_output_of_a_calibration(tiny_folder, tmp_path, output):
    (tiny_folder / "link.xml").symlink_to("subject.xml")
    (tiny_folder / "there").symlink_to(".", target_is_directory=True)
    edit(tiny_folder / SETUP, "calibrated/subject.xml", output)
    before, setup = hashes(tiny_folder), tiny_folder / SETUP
    poison = {"without_torch": tmp_path / "poison"}
    done = run_command("calibrate", setup, **poison)
    assert done.returncode == 1
    assert "expected a file to write, got the input" in done.stderr
    done = run_command("check", setup, **poison)
    assert done.returncode == 1
    assert "output-over-input" in done.stdout
    done = run_program("CEINMScalibrate", "-S", setup)
    assert done.returncode == 1
    assert "expected a file to write, got the input" in done.stderr
    assert hashes(tiny_folder) == before
    # Elsewhere nothing is lost.
    done = run_command("calibrate", setup, "--out", tmp_path / "out", "--max-iterations", "1")
    assert done.returncode == 0, done.stderr
    assert hashes(tiny_folder) == before


@pytest.mark.parametrize("legacy", [(), ("--legacy",)], ids=["engine", "legacy"])
def test_a_run_into_the_folder_of_the_trial(tiny_folder, legacy):
    """Torques.sto, which holds the measured moments, would be lost."""
    trial = tiny_folder / "trial1"
    (trial / "id.sto").rename(trial / "Torques.sto")
    edit(trial / "inputData.xml", "id.sto", "Torques.sto")
    before = hashes(tiny_folder)
    done = run_command("run", tiny_folder / "setup.xml", "--out", trial, *legacy)
    assert done.returncode == 1
    assert "got the input" in done.stderr
    edit(tiny_folder / "setup.xml", ">output<", ">trial1<")
    before = hashes(tiny_folder)
    assert run_command("run", tiny_folder / "setup.xml", *legacy).returncode == 1
    assert "output-over-input" in run_command("check", tiny_folder / "setup.xml", *legacy).stdout
    if legacy:
        done = run_program("CEINMS", "-S", tiny_folder / "setup.xml")
        assert done.returncode == 1
        assert "got the input" in done.stderr
    assert hashes(tiny_folder) == before


def test_results_into_the_folder_of_the_inputs(tiny_folder):
    """Allowed, as long as no name is that of an input."""
    before = hashes(tiny_folder)
    words = ("calibrate", tiny_folder / SETUP, "--out", tiny_folder, "--max-iterations", "1")
    done = run_command(*words)
    assert done.returncode == 1
    assert f"{tiny_folder / 'subject.xml'}: expected a file to write" in done.stderr
    edit(tiny_folder / SETUP, "calibrated/subject.xml", "calibrated.xml")
    before = hashes(tiny_folder)
    assert run_command(*words).returncode == 0
    after = hashes(tiny_folder)
    assert {path: after[path] for path in before} == before


def test_weightings_that_are_read(tiny_folder):
    shutil.copy(tiny_folder / "subject.xml", tiny_folder / "Weightings.csv")
    words = ("run", tiny_folder / "setup.xml", "--out", tiny_folder)
    done = run_command(*words, "--weightings", tiny_folder / "Weightings.csv")
    assert done.returncode == 1
    assert "Weightings.csv: expected a file to write, got the input" in done.stderr


@pytest.mark.parametrize("name", ["..xml", "...xml", "inputdata.xml"])
def test_a_trial_named_by_dots(tiny_folder, name):
    folder = tiny_folder / "trial1"
    (folder / "inputData.xml").rename(folder / name)
    edit(tiny_folder / "calibration.xml", "trial1/inputData.xml", f"trial1/{name}")
    before = hashes(tiny_folder)
    out = tiny_folder / "deep" / "out"
    done = run_command("calibrate", tiny_folder / SETUP, "--out", out, "--max-iterations", "1")
    assert done.returncode == 0, done.stderr
    new = set(hashes(tiny_folder)) - set(before)
    assert all(path.is_relative_to(out) for path in new)
    trials = {path.relative_to(out).parts[1] for path in new if path.name == "Torques.sto"}
    assert len(trials) == 2
    assert trials.isdisjoint({".", ".."})
    done = run_command("report", out)
    assert done.returncode == 0, done.stderr
