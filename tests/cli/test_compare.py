"""``ceinms-torch compare`` as a process of its own."""

import json
import sys

import pytest

from command_line import interrupt, listing, run_command
from helpers import edit, write_tiny_folder


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """A comparison of all methods, with a test trial."""
    path = write_tiny_folder(tmp_path_factory.mktemp("compare") / "tiny", n_trial=2)
    edit(path / "calibration.xml", " trial2/inputData.xml", "")
    out = path / "out"
    result = run_command(
        *("compare", path / "calibrationSetup.xml", "--methods", "annealing,adamw,lbfgs,lm"),
        *("--test", path / "trial2" / "inputData.xml", "--max-evaluations", "50", "--out", out),
        without_torch=path / "poison",
    )
    assert result.returncode == 0, result.stderr
    return path, out, result


def test_tables_and_files(compared):
    _, out, result = compared
    for text in (
        "Objective and cost",
        "uncalibrated",
        "Accuracy of the moments",
        "RMSE test",
        "Against adamw, test trials",
        "Nothing is tested against a search that was cut short",
        "none: fewer than 3 values",
        "no temperature began after 50 evaluations",
    ):
        assert text in result.stdout
    assert sorted(file.name for file in out.iterdir()) == [
        "comparison.png",
        "comparison.svg",
        "result.json",
    ]
    assert (out / "comparison.png").read_bytes().startswith(b"\x89PNG")
    figure = (out / "comparison.svg").read_text()
    for text in ("time in the optimiser [s]", "RMSE [N m]", "tendonSlackLength", "soleus_r", "lm"):
        assert f">{text}<" in figure


def test_result_file_says_where_it_came_from(compared):
    _, out, result = compared
    content = json.loads((out / "result.json").read_text())
    assert content["study"] == "compare"
    assert content["is_complete"] is True
    assert content["options"]["max_evaluations"] == 50
    assert content["versions"]["ceinms-torch"]
    names = set(content["inputs"])
    assert {"subject.xml", "calibration.xml", "trial2/emg.mot"} <= names
    titles = [table["title"] for table in content["tables"]]
    # The table of the parameters is in the file and in the figure, as it is long.
    assert titles[-1] == "Parameters within their ranges, 0 to 1"
    assert all(title in result.stdout for title in titles[:-1])
    assert titles[-1] not in result.stdout


def test_drawn_once_more_from_the_result_file(compared, tmp_path):
    _, out, first = compared
    before = listing(out)
    again = run_command("compare", "--from", out, "--out", tmp_path / "again")
    assert again.returncode == 0, again.stderr
    assert listing(out) == before
    assert again.stdout.replace(str(tmp_path / "again"), str(out)) == first.stdout
    for name in ("result.json", "comparison.png"):
        assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes()
    assert run_command("compare", "--from", out / "result.json").returncode == 0
    assert (out / "comparison.png").read_bytes() == (tmp_path / "again/comparison.png").read_bytes()


def test_default_folder_lies_beside_the_setup_file(tiny_folder):
    setup = tiny_folder / "calibrationSetup.xml"
    result = run_command("compare", setup, "--methods", "lm", "--quiet")
    directory = tiny_folder / "calibrationSetup_results" / "compare"
    assert (result.returncode, result.stdout) == (0, f"results: {directory}\n"), result.stderr
    assert (directory / "result.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--methods", "lm,adamv"],
            "expected one of lm, adamw, lbfgs, annealing, adamw-hybrid, lbfgs-h",
        ),
        (["--tendons", "elastic"], "tendon: expected one of stiff, rosenbrockElastic, equilibrium"),
        (["--tendons", "integrationElastic"], "CEINMS 0.9 has it in its grammar but does not run"),
        (
            ["--tendons", "equilibriumElastic,rosenbrockElastic"],
            "tendons: expected different ones, got elastic, elastic.",
        ),
        (["--from", "."], "a file to work on, or --from with a folder, got both."),
    ],
)
def test_bad_options(tiny_folder, arguments, message):
    before = listing(tiny_folder)
    result = run_command("compare", tiny_folder / "calibrationSetup.xml", *arguments)
    assert result.returncode == 1
    assert message in result.stderr
    assert listing(tiny_folder) == before


def test_neither_setup_nor_source():
    result = run_command("compare")
    assert result.returncode == 1
    assert "expected a file to work on, or --from with a folder, got neither." in result.stderr


def test_test_trial_without_moments(tiny_folder):
    trial = tiny_folder / "trial2" / "inputData.xml"
    edit(trial, "<externalTorquesFile>id.sto</externalTorquesFile>", "")
    edit(tiny_folder / "calibration.xml", " trial2/inputData.xml", "")
    result = run_command("compare", tiny_folder / "calibrationSetup.xml", "--test", trial)
    assert result.returncode == 1
    assert f"error: {trial}" in result.stderr
    assert "externalTorquesFile" in result.stderr


# Says when the annealing, which would go on for days, has begun.
INTERRUPTIBLE = """
import sys
from rich import progress
from ceinms_torch.cli import main
shown = progress.Progress.update
def show(self, task, **state):
    shown(self, task, **state)
    if state["state"].startswith("annealing"):
        print("under way", flush=True)
progress.Progress.update = show
sys.argv = ["ceinms-torch", *sys.argv[1:]]
main.main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_ctrl_c_keeps_what_is_complete(tiny_folder):
    edit(tiny_folder / "calibration.xml", "<maxNoEval>100<", "<maxNoEval>2000000000<")
    edit(tiny_folder / "calibration.xml", "<epsilon>1E-3<", "<epsilon>-1<")
    setup, out = tiny_folder / "calibrationSetup.xml", tiny_folder / "out"
    options = ["--methods", "lm,annealing", "--out", out]
    result = interrupt(INTERRUPTIBLE, "compare", setup, *options)
    assert result.returncode == 130, result.stderr
    assert "Traceback" not in result.stderr
    assert "interrupted; what was complete is kept" in result.stderr
    assert "Accuracy of the moments" in result.stdout
    content = json.loads((out / "result.json").read_text())
    assert content["is_complete"] is False
    methods = [run["candidate"]["method"] for run in content["data"]["runs"]]
    assert methods == ["uncalibrated", "lm"]
    assert (out / "comparison.png").is_file()
