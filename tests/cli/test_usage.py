"""What users get wrong on the command line, and terminals that can do little."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from command_line import COMMAND, environment, listing, run_command
from helpers import DOF_NAMES, edit, write_tiny_folder

SETUPS = {"calibrate": "calibrationSetup.xml", "run": "setup.xml"}


def refused(tmp_path, *arguments):
    """Run a command that must fail before torch is loaded; return its one message."""
    result = run_command(*arguments, without_torch=tmp_path / "poison")
    assert result.returncode == 1, result.stderr
    assert result.stdout == ""
    (message,) = [line for line in result.stderr.splitlines() if line]
    assert message.startswith("error: ")
    return message.removeprefix("error: ")


@pytest.fixture(params=SETUPS)
def command(request):
    return request.param


def test_setup_file_that_is_missing(tmp_path, command):
    message = refused(tmp_path, command, tmp_path / "no.xml")
    assert message.startswith(f"{tmp_path / 'no.xml'}: expected an XML file, got no readable file")


def test_folder_in_place_of_a_setup_file(tiny_folder, tmp_path, command):
    message = refused(tmp_path, command, tiny_folder)
    assert message == f"{tiny_folder}: expected an XML file, got a folder. Name the file inside it."


def test_results_in_place_of_a_file(tiny_folder, tmp_path, command):
    before = listing(tiny_folder)
    taken = tiny_folder / "subject.xml"
    message = refused(tmp_path, command, tiny_folder / SETUPS[command], "--out", taken)
    assert message.startswith(f"{taken}: expected a folder that can be written to, got a file, ")
    assert "--out" in message
    assert listing(tiny_folder) == before


@pytest.fixture
def unwritable(tmp_path):
    """A folder in which nobody can make a file, not even root."""
    folder = tmp_path / "read only"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):
        folder = Path("/proc")
        if not folder.is_dir():
            pytest.skip("this user can write everywhere")
    return folder


def test_results_where_nobody_can_write(tiny_folder, tmp_path, command, unwritable):
    setup = tiny_folder / SETUPS[command]
    for out in (unwritable, unwritable / "new" / "results"):
        message = refused(tmp_path, command, setup, "--out", out)
        assert message.startswith(f"{out}: expected a folder that can be written to, got ")


def test_subject_in_place_of_a_folder(tiny_folder, tmp_path):
    (tiny_folder / "calibrated" / "subject.xml").mkdir(parents=True)
    before = listing(tiny_folder)
    message = refused(tmp_path, "calibrate", tiny_folder / "calibrationSetup.xml")
    taken = tiny_folder / "calibrated" / "subject.xml"
    assert message == f"{taken}: expected the name of a file to write, got that of a folder."
    assert listing(tiny_folder) == before


@pytest.mark.parametrize(
    ("settings", "thing"),
    [
        ({"activation": "piecewise"}, "<piecewise/>"),
        ({"tendon": "<integrationElastic/>"}, "'integrationElastic'"),
    ],
    ids=["activation", "tendon"],
)
def test_model_that_cannot_be_calibrated(tmp_path, settings, thing):
    folder = write_tiny_folder(tmp_path / "subject", **settings)
    before = listing(folder)
    message = refused(tmp_path, "calibrate", folder / "calibrationSetup.xml")
    assert message.startswith(f"{folder / 'calibration.xml'}: ")
    assert thing in message
    assert listing(folder) == before


@pytest.mark.parametrize(
    ("tendon", "says"),
    [
        ("stiff", "is run as <offline/>"),
        ("rosenbrockElastic", "makes no difference"),
        ("equilibriumElastic", "makes no difference"),
    ],
)
def test_online_is_explained_once(tmp_path, tendon, says):
    results = {}
    for mode in ("online", "offline"):
        folder = write_tiny_folder(tmp_path / mode, tendon=f"<{tendon}/>", mode=mode)
        results[mode] = run_command("run", folder / "setup.xml")
        assert results[mode].returncode == 0, results[mode].stderr
    assert results["online"].stderr.count("<online/>") == 1
    assert f"note: <online/> {says}" in results["online"].stderr
    assert "line/>" not in results["offline"].stderr
    torques = [(tmp_path / mode / "output" / "Torques.sto").read_text() for mode in results]
    assert torques[0] == torques[1]


def test_two_test_trials_of_one_name(tiny_folder, tmp_path):
    file = tiny_folder / "trial2" / "inputData.xml"
    edit(tiny_folder / "calibration.xml", " trial2/inputData.xml", "")
    tests = ["--test", file, "--test", file]
    before = listing(tiny_folder)
    message = refused(tmp_path, "calibrate", tiny_folder / "calibrationSetup.xml", *tests)
    assert message.startswith(f"{file}: expected trials with different names, got 'trial2', as")
    assert listing(tiny_folder) == before


def test_test_trial_that_is_not_unseen_is_a_warning(tiny_folder, tmp_path):
    # Stopped by what comes after reading, so that nothing is calibrated here.
    result = run_command(
        "calibrate",
        tiny_folder / "calibrationSetup.xml",
        "--test",
        tiny_folder / "trial2" / "inputData.xml",
        "--max-iterations",
        "0",
        without_torch=tmp_path / "poison",
    )
    warnings = [line for line in result.stderr.splitlines() if line.startswith("warning:")]
    assert len(warnings) == 1
    assert "Test trial 'trial2' is calibration trial 'trial2'" in warnings[0]


def test_folder_with_brackets_is_printed_as_it_is(tiny_folder, tmp_path):
    out = tmp_path / "[bold] results"
    result = run_command("run", tiny_folder / "setup.xml", "--out", out, "--quiet")
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"results: {out}\n"


@pytest.mark.skipif(sys.platform == "win32", reason="the encoding is set another way")
@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_output_to_a_narrow_file_in_any_encoding(tiny_folder, encoding):
    result = subprocess.run(
        [COMMAND, "run", tiny_folder / "setup.xml"],
        check=False,
        capture_output=True,
        encoding=encoding,
        timeout=60.0,
        env=environment(COLUMNS="80", PYTHONIOENCODING=encoding),
    )
    assert result.returncode == 0, result.stderr
    *table, last = result.stdout.splitlines()
    assert last == f"results: {tiny_folder / 'output'}"  # one line, however long
    assert max(map(len, table)) <= 80
    for name in DOF_NAMES:
        assert any(name in line for line in table)


def test_slack_stiff_tendon_is_one_warning_per_trial(tiny_folder, tmp_path):
    edit(tiny_folder / "subject.xml", "<tendonSlackLength>0.25<", "<tendonSlackLength>0.34<")
    setup, out = tiny_folder / "calibrationSetup.xml", tmp_path / "out"
    result = run_command("calibrate", setup, "--out", out, "--max-iterations", "1", "--quiet")
    assert result.returncode == 0, result.stderr
    warnings = [line for line in result.stderr.splitlines() if line.startswith("warning:")]
    assert [line.split(":")[1] for line in warnings] == [" Trial 'trial1'", " Trial 'trial2'"]
    assert all("of the 30 steps: soleus_r (30)." in line for line in warnings)
    shown = [line.removeprefix("warning: ") for line in warnings]
    assert json.loads((out / "result.json").read_text())["warnings"] == shown
