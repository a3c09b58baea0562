"""Signals to the installed commands: the best state is kept, and nothing ends in a traceback."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

import ceinms_torch as ct
from command_line import SCRIPTS, environment, interrupt, run_command
from helpers import edit

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

# A command that says when an iteration of its calibration is done.
TELLING = """
import sys
from ceinms_torch.cli import entry
from ceinms_torch.terminal import display
shown = display.CalibrationProgress.__call__
def show(self, iteration):
    shown(self, iteration)
    if (iteration.start, iteration.iteration) == (0, 2):
        print("under way", flush=True)
display.CalibrationProgress.__call__ = show
sys.argv = ["ceinms-torch", *sys.argv[1:]]
sys.exit(entry.ceinms_torch())
"""
ENDLESS = ("--max-iterations", "100000000", "--set", "patience=100000000")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("starts", [(), ("--starts", "3", "--threads", "2")], ids=["one", "many"])
def test_the_best_state_is_kept(tiny_folder, name, starts):
    number = getattr(signal, name)
    words = ("calibrate", tiny_folder / "calibrationSetup.xml", "--method", "adamw", *starts)
    result = interrupt(TELLING, *words, *ENDLESS, number=number)
    assert result.returncode == 128 + number, result.stderr
    assert "Traceback" not in result.stderr
    saved = ct.load_result(tiny_folder / "calibrationSetup_results")
    assert saved.status == "interrupted"
    assert saved.iterations >= 2
    ct.Subject.read(tiny_folder / "calibrated" / "subject.xml")


def test_a_signal_while_results_are_written_waits(tiny_folder):
    """From the last iteration until result.json is there, nothing is lost."""
    code = TELLING.replace(
        "sys.exit(",
        "import os, signal\n"
        "from ceinms_torch.calibration import loop\n"
        "from ceinms_torch.results import write\n"
        "print('under way', flush=True)\n"
        "known = loop.identifiability\n"
        "def judge(*words):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return known(*words)\n"
        "loop.identifiability = judge\n"
        "history = write._history_csv\n"
        "def table(result):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    return history(result)\n"
        "write._history_csv = table\n"
        "sys.exit(",
    )
    words = ("calibrate", tiny_folder / "calibrationSetup.xml", "--max-iterations", "30")
    result = interrupt(code, *words, number=0)
    assert result.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in result.stderr
    saved = ct.load_result(tiny_folder / "calibrationSetup_results")
    assert saved.status != "interrupted"


def test_sigterm_to_ceinms_calibrate(tiny_folder):
    edit(tiny_folder / "calibration.xml", "<maxNoEval>100<", "<maxNoEval>100000000<")
    edit(tiny_folder / "calibration.xml", "<epsilon>1E-3<", "<epsilon>-1<")
    words = [SCRIPTS / "CEINMScalibrate", "-S", tiny_folder / "calibrationSetup.xml"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        for line in process.stdout:
            if "temperature 1:" in line:
                break
        process.send_signal(signal.SIGTERM)
        _, wrong = process.communicate(timeout=60.0)
    assert process.returncode == 128 + signal.SIGTERM
    assert "best parameters found so far are in the calibrated subject" in wrong
    ct.Subject.read(tiny_folder / "calibrated" / "subject.xml")


@pytest.mark.parametrize("delay", [0.05, 0.1, 0.2, 0.3, 0.5])
@pytest.mark.parametrize("program", ["ceinms-torch", "CEINMScalibrate"])
def test_ctrl_c_while_it_is_loaded(tiny_folder, program, delay):
    setup = tiny_folder / "calibrationSetup.xml"
    words = ("calibrate", setup) if program == "ceinms-torch" else ("-S", setup)
    # Python itself is no part of it: its own start ends in a traceback.
    code = (
        "import sys; from ceinms_torch.cli import entry\n"
        "print('loading', flush=True)\n"
        f"sys.exit(entry.{'ceinms_torch' if program == 'ceinms-torch' else 'ceinms_calibrate'}())"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        process.stdout.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        _, wrong = process.communicate(timeout=60.0)
    assert "Traceback" not in wrong, wrong
    assert process.returncode in (0, 130, -signal.SIGINT)


def test_the_second_command_in_a_folder_is_refused(tiny_folder, tmp_path):
    out = tmp_path / "out"
    setup = tiny_folder / "calibrationSetup.xml"
    words = ("calibrate", setup, "--out", out, "--method", "adamw", *ENDLESS)
    command = [sys.executable, "-c", TELLING, *map(str, words)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        try:
            assert process.stdout.readline() == b"under way\n"
            for other in (("calibrate", setup), ("run", tiny_folder / "setup.xml")):
                result = run_command(*other, "--out", out)
                assert result.returncode == 1
                assert f"in use by process {process.pid} on " in result.stderr
                assert str(out) in result.stderr
        finally:
            os.kill(process.pid, signal.SIGKILL)
    assert not (out / "result.json").exists()
    result = run_command("calibrate", setup, "--out", out, "--max-iterations", "2")
    assert result.returncode == 0, result.stderr
    assert json.loads((out / "result.json").read_text())["iterations"] == 2
    assert not list(out.rglob(".ceinms-torch*"))
