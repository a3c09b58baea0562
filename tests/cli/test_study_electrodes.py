"""``ceinms-torch study electrodes`` as users run it."""

import json

from command_line import run_command
from helpers import edit


def test_study_on_two_processes_and_once_more(tiny_folder, tmp_path):
    edit(tiny_folder / "calibration.xml", "<stiff/>", "<rosenbrockElastic/>")
    out = tmp_path / "out"
    arguments = ("--seeds", 1, "--starts", 1, "--synergies", 2, "--counts", "2", "--out", out)
    result = run_command(
        *("study", "electrodes", tiny_folder / "calibrationSetup.xml"),
        *("--test", tiny_folder / "trial2" / "inputData.xml", "--recommend", 0.5),
        *(*arguments, "--jobs", 2),
    )
    assert result.returncode == 0, result.stderr
    summary = json.loads((out / "result.json").read_text())
    assert (summary["study"], summary["is_complete"]) == ("electrodes", True)
    assert "synthesised excitations and withheld recordings, RMSE" in result.stdout
    assert "Enough: " in result.stdout
    assert len(summary["data"]["cells"]) == 3
    # 3 electrodes dropped alone, all, and two with synergies; the other one of two was known.
    assert len(list((out / "cells").iterdir())) == 3 + 1 + 1
    for ending in ("png", "svg"):
        (out / f"electrodes.{ending}").unlink()
    again = run_command("study", "electrodes", "--from", out, "--recommend", 0.5)
    assert again.returncode == 0, again.stderr
    assert again.stdout == result.stdout
    assert (out / "electrodes.png").stat().st_size > 10_000


def test_messages(tiny_folder, tmp_path):
    setup = tiny_folder / "calibrationSetup.xml"
    for arguments, message in (
        ((setup, "--recommend", 0.1), "--recommend: expected test trials, with --test"),
        ((setup, "--counts", "7"), "counts: expected numbers of electrodes from 1 to 3, got 7"),
        ((setup, "--counts", "few"), "--counts: expected whole numbers"),
        ((), "a file to work on, or --from with a folder, got neither"),
        (("--from", tmp_path), "a result file"),
    ):
        result = run_command("study", "electrodes", *arguments)
        assert result.returncode == 1
        assert message in result.stderr
        assert "Traceback" not in result.stderr
