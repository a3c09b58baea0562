"""What goes on can be heard, and is not said to those who did not ask."""

import logging
import subprocess
import sys

import ceinms_torch as ct


def test_files_and_steps_are_told(tiny_folder, tmp_path, caplog):
    with caplog.at_level(logging.DEBUG, logger="ceinms_torch"):
        folder = ct.CalibrationFolder.read(tiny_folder / "calibrationSetup.xml")
        result = ct.calibrate(
            folder.subject,
            folder.trials,
            folder.plan,
            options=ct.LevenbergMarquardt(max_iterations=2),
        )
        result.save(tmp_path / "out")
    told = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert ("DEBUG", f"read {tiny_folder / 'subject.xml'}") in told
    assert ("DEBUG", f"wrote {tmp_path / 'out' / 'result.json'}") in told
    steps = [text for level, text in told if level == "INFO"]
    assert steps[0].startswith("step 1: ")
    assert steps[-1] == f"result written to {tmp_path / 'out'}"


def test_nothing_is_said_or_loaded_for_those_who_did_not_ask(tiny_folder):
    code = (
        "import sys; from ceinms_torch.io.source import read_source; from pathlib import Path\n"
        f"read_source(Path({str(tiny_folder / 'subject.xml')!r}), 'a file')\n"
        "print('logging' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("False\n", "")
