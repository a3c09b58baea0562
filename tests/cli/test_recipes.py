"""Recipes on the command line: what is overridden is said, and held-out trials decide."""

import json

import pytest

import ceinms_torch as ct
from command_line import run_command
from helpers import write_tiny_folder

SETUP = "calibrationSetup.xml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_folder(tmp_path_factory.mktemp("tiny"), n_trial=3)


@pytest.fixture(scope="module")
def compared(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("compared") / "out"
    result = run_command(
        *("compare", folder / SETUP, "--recipes", "files,recommended"),
        *("--curves", "file,degroote", "--seeds", "2", "--folds", "3", "--out", out),
    )
    assert result.returncode == 0, result.stderr
    return out, result.stdout


def test_recommended_says_what_it_overrides(folder, tmp_path):
    out = tmp_path / "out"
    result = run_command(
        "calibrate", folder / SETUP, "--recommended", "--starts", 1, "--out", out, "--quiet"
    )
    assert result.returncode == 0, result.stderr
    said = [line for line in result.stderr.splitlines() if "recommended:" in line]
    overrides = json.loads((out / "result.json").read_text())["overrides"]
    assert len(said) == len(overrides) > 3
    for one in overrides:
        assert any(one["what"] in line and one["recipe"] in line for line in said)
    loaded = ct.load_result(out)
    assert max(loaded.activation_delays.values()) <= 100.0 * (1.0 + 1e-9)


def test_recommended_is_not_for_the_annealing(folder):
    result = run_command("calibrate", folder / SETUP, "--recommended", "--method", "annealing")
    assert result.returncode == 1
    assert "--recommended: expected another method than annealing" in result.stderr


def test_held_out_trials_decide(compared):
    out, text = compared
    written = json.loads((out / "result.json").read_text())
    table = next(one for one in written["tables"] if one["title"] == "Trials held out")
    assert len(table["rows"]) == 4
    assert "Lowest error on trials held out" in written["notes"][0]
    assert "noise of seeds" in written["notes"][0]
    assert "winner/calibrate.xml" in text.replace("\n", "")


def test_the_winner_is_a_folder_to_calibrate(compared):
    out, _ = compared
    winner = out / "winner" / "calibrate.xml"
    folder = ct.CalibrationFolder.read(winner)
    assert len(folder.trials) == 3
    written = json.loads((out / "result.json").read_text())
    recipe, curves = next(
        row[:2] for one in written["tables"] if "held out" in one["title"] for row in one["rows"]
    )
    has_delay = any(
        spec.kind == "emDelay" for step in folder.plan.steps for spec in step.parameters
    )
    assert has_delay == (recipe == "recommended")
    is_smooth = len(folder.subject.curves["activeForceLength"].x) > 20
    assert is_smooth == (curves == "degroote")


def test_earlier_results_are_shown_again(compared):
    out, text = compared
    again = run_command("compare", "--from", out)
    assert again.returncode == 0, again.stderr
    assert "Trials held out" in again.stdout
    assert text.splitlines()[1:10] == again.stdout.splitlines()[1:10]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--recipes", "files", "--curves", "file"], "expected two or more choices"),
        (["--recipes", "best"], "recipes: expected one of files, recommended"),
        (["--curves", "hill"], "curves: expected one of file, degroote, millard"),
        (["--curves", "file,file"], "curves: expected different ones"),
        (["--recipes", "files,recommended", "--methods", "lm"], "--methods: expected none"),
        (["--folds", "3"], "--folds: expected none, without --recipes"),
        (["--curves", "file,degroote", "--folds", "9"], "folds: expected 2 to 3"),
        (["--curves", "file,degroote", "--by-condition"], "at least two conditions"),
    ],
)
def test_wrong_choices(folder, arguments, message):
    result = run_command("compare", folder / SETUP, *arguments)
    assert result.returncode == 1
    assert message in " ".join(result.stderr.split())
