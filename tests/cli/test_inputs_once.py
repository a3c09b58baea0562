"""Every input file is opened once, and hashes are of what was read."""

import hashlib
import json
import subprocess
import sys

import pytest

from ceinms_torch.io.storage import read_storage
from command_line import environment
from helpers import edit, write_tiny_folder

# Runs the command line; counts how often each file below a folder is opened for reading. When the
# file TRIGGER is opened, CHANGED gets a comment more.
COUNTING = """
import collections, json, os, sys
folder, trigger, changed, log, *sys.argv[1:] = sys.argv[1:]
opened = collections.Counter()
def count(event, arguments):
    if event != "open" or not str(arguments[0]).startswith(folder) or arguments[1] != "r":
        return
    name = os.path.relpath(arguments[0], folder)
    opened[name] += 1
    if name == trigger and opened[name] == 1:
        with open(f"{folder}/{changed}", "a") as file:
            file.write("<!-- changed during the run -->")
sys.addaudithook(count)
from ceinms_torch.cli.main import main
try:
    main()
finally:
    with open(log, "w") as file:
        json.dump(opened, file)
"""


@pytest.fixture
def folder(tmp_path):
    """Three trials; two DOFs share a file of moment arms, two trials an EMG file."""
    path = write_tiny_folder(tmp_path / "subject", n_trial=3)
    edit(path / "calibration.xml", " trial3/inputData.xml", "")
    for name in ("trial1", "trial2", "trial3"):
        edit(path / name / "inputData.xml", "ma_knee_angle_r.sto", "ma_ankle_angle_r.sto")
    edit(path / "trial2" / "inputData.xml", "emg.mot", "../trial1/emg.mot")
    return path


def opened(folder, *arguments, trigger="", changed=""):
    log = folder.parent / "opened.json"
    process = subprocess.run(
        [sys.executable, "-c", COUNTING, folder, trigger, changed, log, *arguments],
        check=False,
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert process.returncode == 0, process.stderr
    return json.loads(log.read_text())


def inputs(*trials, documents):
    data = {
        "trial1": ("emg.mot", "lmt.sto", "ma_ankle_angle_r.sto", "id.sto"),
        "trial2": ("lmt.sto", "ma_ankle_angle_r.sto", "id.sto"),
        "trial3": ("emg.mot", "lmt.sto", "ma_ankle_angle_r.sto", "id.sto"),
    }
    names = [f"{trial}/{name}" for trial in trials for name in ("inputData.xml", *data[trial])]
    return dict.fromkeys(["subject.xml", "excitationGenerator.xml", *documents, *names], 1)


CALIBRATION = ("calibrationSetup.xml", "calibration.xml")


def test_check_opens_every_file_once(folder):
    names = [folder / name / "inputData.xml" for name in ("trial3", "trial1")]
    tests = [text for name in names for text in ("--test", name)]
    counts = opened(folder, "check", folder / "calibrationSetup.xml", *tests)
    assert counts == inputs("trial1", "trial2", "trial3", documents=CALIBRATION)


def test_calibrate_opens_every_file_once(folder):
    arguments = ["--out", folder.parent / "results", "--max-iterations", "1"]
    tests = ["--test", folder / "trial3" / "inputData.xml"]
    counts = opened(folder, "calibrate", folder / "calibrationSetup.xml", *arguments, *tests)
    assert counts == inputs("trial1", "trial2", "trial3", documents=CALIBRATION)


def test_run_opens_every_file_once(folder):
    arguments = ["--out", folder.parent / "results"]
    counts = opened(folder, "run", folder / "setup.xml", *arguments)
    assert counts == inputs("trial1", documents=("setup.xml", "execution.xml"))


def test_hashes_are_of_the_bytes_that_were_read(folder):
    before = hashlib.sha256((folder / "subject.xml").read_bytes()).hexdigest()
    opened(
        folder,
        "calibrate",
        folder / "calibrationSetup.xml",
        "--out",
        folder.parent / "results",
        "--max-iterations",
        "1",
        trigger="trial2/lmt.sto",
        changed="subject.xml",
    )
    assert hashlib.sha256((folder / "subject.xml").read_bytes()).hexdigest() != before
    result = json.loads((folder.parent / "results" / "result.json").read_text())
    assert result["inputs"]["subject.xml"] == before


def test_a_file_that_changes_later_keeps_the_digest_of_what_was_read(folder):
    path = folder / "trial1" / "lmt.sto"
    storage = read_storage(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_text("")
    assert (storage.source.path, storage.source.sha256) == (path, digest)
