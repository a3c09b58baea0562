"""``ceinms-torch study calibration`` as users run it."""

import json

from command_line import run_command
from helpers import edit


def test_study_and_once_more(tiny_folder, tmp_path):
    edit(tiny_folder / "calibration.xml", " trial2/inputData.xml", "")
    out = tmp_path / "out"
    result = run_command(
        *("study", "calibration", tiny_folder / "calibrationSetup.xml"),
        *("--test", tiny_folder / "trial2" / "inputData.xml", "--methods", "annealing,lm"),
        *("--seeds", 2, "--lm-starts", 2, "--jobs", 1, "--conditions", "[0-9]", "--out", out),
    )
    assert result.returncode == 0, result.stderr
    summary = json.loads((out / "result.json").read_text())
    assert (summary["study"], summary["is_complete"]) == ("calibration", True)
    assert summary["tables"][0]["title"] in result.stdout
    assert "Conditions: 1: trial1; 2: trial2." in result.stdout
    for name in ("calibration", "comparison"):
        (out / f"{name}.png").unlink()
    again = run_command("study", "calibration", "--from", out)
    assert again.returncode == 0, again.stderr
    assert again.stdout == result.stdout
    for name in ("calibration.png", "calibration.svg", "comparison.png", "comparison.svg"):
        assert (out / name).stat().st_size > 10_000


def test_messages(tiny_folder, tmp_path):
    setup = tiny_folder / "calibrationSetup.xml"
    edit(tiny_folder / "calibration.xml", " trial2/inputData.xml", "")
    for arguments, message in (
        ((setup,), "validation: expected at least two trials, got 1"),
        ((setup, "--methods", "magic"), "methods: expected one of"),
        ((), "a file to work on, or --from with a folder, got neither"),
        (("--from", tmp_path), "a result file"),
    ):
        result = run_command("study", "calibration", *arguments, "--out", tmp_path / "out")
        assert result.returncode == 1
        assert message in result.stderr
        assert "Traceback" not in result.stderr
