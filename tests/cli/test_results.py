"""The last line of every command that writes is where; earlier results are not replaced unsaid."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from command_line import listing, run_command
from helpers import edit, write_tiny_folder
from rt_files import write_rt_subject

SETUP = "calibrationSetup.xml"
RESULTS = "calibrationSetup_results"
ONE = ("--starts", "1", "--seeds", "1", "--jobs", "1")
QUICK = ("--methods", "lm", "--seeds", "1")
# What is typed in the folder, and what the last line says.
COMMANDS = {
    "calibrate": (("calibrate", SETUP, "--max-iterations", "1"), RESULTS),
    "run": (("run", "setup.xml"), "output"),
    "run --legacy": (("run", "setup.xml", "--legacy"), "output"),
    "compare": (("compare", SETUP, *QUICK), f"{RESULTS}/compare"),
    "synergies": (("synergies", SETUP, "--synergies", "1"), f"{RESULTS}/synergies"),
    "study electrodes": (
        ("study", "electrodes", SETUP, *ONE, "--counts", "2", "--synergies", "auto"),
        f"{RESULTS}/electrodes",
    ),
    "study calibration": (
        ("study", "calibration", SETUP, *QUICK, "--no-validation", "--test", "trial[2]"),
        f"{RESULTS}/calibration",
    ),
    "study muscle": (("study", "muscle", "slow.csv", "fast.csv"), "slow_results/muscle"),
    "preoptimise": (
        ("preoptimise", "subject.xml", "--height", "1.7", "--mass", "70"),
        "subject_results/subject.xml",
    ),
    "convert": (("convert", "subjectRT.xml"), "subjectRT_results"),
    "report": (("report", "saved"), "saved/report.html"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, annealed_folder):
    """All that the commands work on."""
    path = tmp_path_factory.mktemp("all")
    write_tiny_folder(path, tendon="<rosenbrockElastic/>")
    edit(path / "calibration.xml", " trial2/inputData.xml", "")
    edit(path / "execution.xml", "<rosenbrockElastic/>", "<equilibriumElastic/>")
    write_rt_subject(path / "subjectRT.xml")
    shutil.copytree(annealed_folder, path / "saved")
    time = np.linspace(0.0, 0.1, 21)
    for name, amplitude in (("slow", 0.2), ("fast", 0.6)):
        wave = amplitude * np.sin(50.0 * time)
        table = np.column_stack([time, 0.032 + 1e-3 * wave, 0.7 + wave])
        header = "time_s,length_m,force_N"
        np.savetxt(path / f"{name}.csv", table, delimiter=",", header=header, comments="")
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_last_line_and_overwriting(folder, monkeypatch, command):
    monkeypatch.chdir(folder)
    words, place = COMMANDS[command]
    for repetition in range(2):
        if command == "run --legacy" and repetition == 0:
            shutil.rmtree("output", ignore_errors=True)  # of the other run
        before = listing(Path())
        result = run_command(*words, "-q" if command != "convert" else "--em-delay=0.02")
        assert result.returncode == 0, result.stderr
        # Quiet, with one path more if a file lies elsewhere, and the dialect that was converted,
        # but never silent.
        assert result.stdout.splitlines()[-1] == f"results: {place}"
        assert len(result.stdout.splitlines()) == 1 + (command in ("calibrate", "convert"))
        assert Path(place).exists()
        assert result.stderr.count("earlier results are overwritten: ") == repetition
        changed = {path for path, state in listing(Path()).items() if before.get(path) != state}
        inside = Path(place).parts[0]
        allowed = {inside, "calibrated"} if command == "calibrate" else {inside}
        assert {path.parts[0] for path in changed} <= allowed
