"""The tutorial, command by command, where the recordings and OpenSim are."""

import csv
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

import ceinms_torch as ct
from command_line import run_command

PAGE = Path(__file__).resolve().parents[2] / "python" / "TUTORIAL.md"
TEXT = PAGE.read_text(encoding="utf-8")
DOFS = ("hip_flexion_r", "knee_angle_r", "ankle_angle_r")
JOINTS = ("hip_r", "walker_knee_r", "ankle_r")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, flags=re.DOTALL | re.MULTILINE)


def commands():
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line.startswith("ceinms-torch ")]


@pytest.fixture(scope="module")
def done(tmp_path_factory, shared_dir, opensim):
    """The folder in which all commands have run, and what each said."""
    data = shared_dir / "data"
    for name in ("walking_opensim", "shoulder_raw"):
        if not (data / name).is_dir():
            pytest.skip(f"no {data / name}")
    folder = tmp_path_factory.mktemp("tutorial")
    shutil.copytree(data / "walking_opensim", folder / "walk")
    shutil.copytree(data / "shoulder_raw", folder / "shoulder")
    (folder / "trials.csv").write_text(blocks("csv")[0])
    (folder / "emg.toml").write_text(blocks("toml")[0])
    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CEINMS_TORCH_OPENSIM_PYTHON", str(opensim.python))
        for command in commands():
            result = run_command(*command[1:], cwd=folder)
            assert result.returncode == 0, (command, result.stderr)
            said.append(result.stdout + result.stderr)
    return folder, said


def numbers(row):
    """Return the numbers of a row of a table on the page, from its first words."""
    (line,) = [one for one in TEXT.splitlines() if one.startswith(f"| {row}")]
    return [float(cell) for cell in line.split("|")[2:-1]]


def test_events_are_those_on_the_page(done):
    folder, _ = done
    with (folder / "cycles" / "cycles.csv").open(newline="") as file:
        (row,) = list(csv.DictReader(file))
    times = [float(row[f"{name} [s]"]) for name in ("start", "foot off", "stop")]
    assert times == pytest.approx([0.267, 1.024, 1.411], abs=1e-3)


# A digit of the page; searches on other processors end that much elsewhere.
@pytest.mark.parametrize(
    ("row", "results"), [("EMG-driven (", "calibrate_results"), ("synergy-hybrid (", "hybrid")]
)
def test_fit_is_that_on_the_page(done, row, results):
    folder, _ = done
    fit = json.loads((folder / "study" / results / "result.json").read_text())["test_fit"]
    found = fit["stance_2"]
    *r2, rmse = numbers(row)
    assert [found[dof]["r2"] for dof in DOFS] == pytest.approx(r2, abs=0.02)
    assert sum(found[dof]["rmse"] for dof in DOFS) / 3.0 == pytest.approx(rmse, abs=0.5)


def test_loads_are_those_on_the_page(done):
    folder, said = done
    peaks = {}
    for name in ("loads_emg_driven", "loads_hybrid"):
        table = ct.read_storage(folder / name / "test" / "stance_2" / "JointForcesBodyWeights.sto")
        peaks[name] = [
            max(
                table.column(one).max()
                for one in table.columns
                if one.startswith(joint) and one.endswith("_f")
            )
            for joint in JOINTS
        ]
    assert peaks["loads_emg_driven"] == pytest.approx([3.6, 4.3, 5.0], abs=0.2)
    assert peaks["loads_hybrid"][0] == pytest.approx(9.0, abs=0.3)
    assert "more than 6 body weights, but here" in said[-1]


def test_pictures_are_there_and_small():
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", TEXT)
    assert len(pictures) == 7
    for name in pictures:
        assert (PAGE.parent / name).stat().st_size < 100_000, name
