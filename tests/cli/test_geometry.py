"""``ceinms-torch geometry`` as users run it."""

import json

import numpy as np
import pytest

from ceinms_torch.geometry.path_files import read_paths
from ceinms_torch.io.storage import read_storage
from command_line import listing, run_command
from smooth_leg import COORDINATES, CROSSED, gait, samples, write_files

RNG = np.random.default_rng(5)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """Paths fitted to poses around a movement, and the files of these poses."""
    folder = tmp_path_factory.mktemp("poses")
    poses = gait()[RNG.integers(0, 120, 200)] + RNG.uniform(-0.2, 0.2, (200, 4))
    files = write_files(folder, poses)
    arms = [word for dof in COORDINATES for word in ("--arms", files[dof])]
    done = run_command(
        "geometry", "fit", files["motion"], "--lengths", files["lengths"], *arms,
        without_torch=folder / "poison",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done, folder / "ik_results", files


def test_fit(fitted):
    done, results, _ = fitted
    assert "Lengths: median RMS error" in done.stdout
    assert "without --model, paths.xml has names of coordinates" in done.stderr
    paths = read_paths(results / "paths.xml")
    assert paths.mtu_names == tuple(CROSSED)
    lines = (results / "path_errors.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("MTU,coordinates,order,length RMS [mm],length largest [mm]")
    assert len(lines) == 6
    study = json.loads((results / "study.json").read_text(encoding="utf-8"))
    assert study["settings"]["poses"] == 200
    assert len(study["inputs"]) == 2 + len(COORDINATES)
    assert study["left_out"] == []


def test_evaluate(tmp_path, fitted):
    _, results, _ = fitted
    files = write_files(tmp_path, gait())
    done = run_command(
        "geometry", "evaluate", results / "paths.xml", files["motion"],
        "--dofs", "knee_angle,ankle_angle", "--out", tmp_path / "trial",
        "--lengths", files["lengths"], "--arms", files["knee_angle"],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Moment arms: median" in done.stdout
    names = {"lmt.sto", "ma_knee_angle.sto", "ma_ankle_angle.sto", "study.json"}
    assert {file.name for file in (tmp_path / "trial").iterdir()} == names
    expected = samples()
    lengths = read_storage(tmp_path / "trial" / "lmt.sto")
    assert lengths.columns == tuple(CROSSED)
    assert lengths.units == "m"
    np.testing.assert_allclose(lengths.values, expected.mtu_length, atol=1e-4)
    arms = read_storage(tmp_path / "trial" / "ma_knee_angle.sto")
    np.testing.assert_allclose(arms.values, expected.moment_arm[:, 2], atol=1e-3)


def test_a_contradicting_moment_arm_is_a_warning(tmp_path):
    files = write_files(tmp_path)
    text = files["ankle_angle"].read_text(encoding="utf-8")
    (tmp_path / "ma_ankle_angle.sto").write_text(text.replace("\t0.0", "\t-0.0"))
    done = run_command(
        "geometry", "fit", files["motion"], "--lengths", files["lengths"],
        "--arms", tmp_path / "ma_ankle_angle.sto", "--mtus", "soleus", "-q",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "warning: the moment arm of soleus about ankle_angle is not -dL/dq" in done.stderr
    assert "it is left out of the fit" in done.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("inDegrees=yes", "inDegrees=no"), "they look like degrees"),
        (lambda text: text.replace("inDegrees=yes\n", ""), "--angles degrees or --angles radians"),
        (lambda text: text.replace("knee_angle", "knee"), "column of the coordinate 'knee_angle'"),
        (lambda text: text.replace("\t", "\tx", 30), "number"),
    ],
    ids=["degrees called radians", "no unit", "coordinate missing", "not a number"],
)
def test_faulty_motions_leave_nothing(tmp_path, fitted, change, message):
    _, results, _ = fitted
    files = write_files(tmp_path)
    files["motion"].write_text(change(files["motion"].read_text(encoding="utf-8")))
    before = listing(tmp_path)
    done = run_command("geometry", "evaluate", results / "paths.xml", files["motion"])
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert message.casefold() in done.stderr.casefold()
    assert listing(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--lengths: expected MTU lengths, or a model to ask OpenSim for them, got none"),
        (("--arms", "x.sto"), "--arms: expected one file of every DOF, got 'x.sto'"),
        (("--arms", "ma_knee_angle.sto"), "--lengths: expected MTU lengths, with moment arms"),
    ],
)
def test_options_that_do_not_go_together(tmp_path, arguments, message):
    files = write_files(tmp_path)
    done = run_command("geometry", "fit", files["motion"], *arguments)
    assert done.returncode == 1
    assert message in done.stderr
