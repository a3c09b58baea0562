"""``ceinms-torch report`` as users run it."""

import json
import shutil

import pytest

from command_line import listing, run_command
from helpers import DOF_NAMES

PNG = b"\x89PNG"


def test_report_with_figures_as_files(annealed_folder, tmp_path):
    before = listing(annealed_folder)
    result = run_command(
        "report",
        annealed_folder,
        "--out",
        tmp_path / "new",
        "--figures",
        "png",
        without_torch=tmp_path / "poison",
    )
    assert result.returncode == 0, result.stderr
    assert listing(annealed_folder) == before
    page = (tmp_path / "new" / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    files = sorted(path.name for path in (tmp_path / "new" / "figures").iterdir())
    assert page.count("<figure ") == len(files)
    assert {f"moment_bands_{dof}.png" for dof in DOF_NAMES} <= set(files)
    for name in files:
        assert (tmp_path / "new" / "figures" / name).read_bytes().startswith(PNG)
    assert result.stdout == f"results: {tmp_path / 'new' / 'report.html'}\n"


# ---- What users get wrong ---------------------------------------------------------------


def refused(tmp_path, *arguments):
    """Run a report that must fail without writing anything; return its one message."""
    out = tmp_path / "out"
    result = run_command("report", *arguments, "--out", out, without_torch=tmp_path / "poison")
    assert result.returncode == 1
    assert result.stdout == ""
    assert not out.exists()
    (message,) = [line for line in result.stderr.splitlines() if line]
    return message.removeprefix("error: ")


def test_folder_that_is_no_result(tmp_path):
    message = refused(tmp_path, tmp_path)
    assert message.startswith(f"{tmp_path}: expected a folder that ceinms-torch calibrate has")
    message = refused(tmp_path, tmp_path / "nowhere")
    assert "result.json" in message


def test_result_of_another_version(saved_folder, tmp_path):
    folder = shutil.copytree(saved_folder, tmp_path / "old")
    summary = json.loads((folder / "result.json").read_text())
    del summary["format"]
    (folder / "result.json").write_text(json.dumps(summary))
    message = refused(tmp_path, saved_folder, folder)
    assert message.startswith(f"{folder / 'result.json'}: format: expected 2, got none.")
    assert message.endswith("Run ceinms-torch calibrate again with this version.")


def test_report_in_place_of_a_folder(saved_folder, tmp_path):
    (tmp_path / "taken" / "report.html").mkdir(parents=True)
    result = run_command("report", saved_folder, "--out", tmp_path / "taken")
    assert result.returncode == 1
    assert "expected the name of a file to write, got that of a folder" in result.stderr


@pytest.mark.parametrize("arguments", [(), ("x", "--figures", "pdf")])
def test_usage(arguments):
    result = run_command("report", *arguments)
    assert result.returncode == 2
    assert "Usage" in result.stderr


def test_help_has_examples():
    result = run_command("report", "--help")
    assert result.returncode == 0
    assert "ceinms-torch report calibrate_results" in result.stdout
    for option in ("--out", "--figures", "--quiet"):
        assert option in result.stdout
