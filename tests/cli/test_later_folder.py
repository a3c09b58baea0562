"""A folder in the dialect of CEINMS 0.21, of recorded data, with every command."""

import json

import numpy as np
import pytest

from ceinms_torch.io.storage import read_storage
from command_line import run_command, run_program
from later_folder import DOFS, MTUS, STOP_LATE, TRIALS, write_equivalent_folder, write_later_folder

DIALECT = "CEINMS 0.10 or later ("
OBJECTIVE = 4  # its column in loss_history.csv


@pytest.fixture(scope="module")
def folders(shared_dir, tmp_path_factory):
    """The folder of 0.21 and its equivalent, written by hand."""
    lower_limb = shared_dir / "data" / "lower_limb"
    path = tmp_path_factory.mktemp("later")
    return (
        write_later_folder(path / "of 0.21", lower_limb),
        write_equivalent_folder(path / "equivalent", lower_limb),
    )


def succeed(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def calibrated(setup, out, *options):
    """Calibrate in a few iterations; return what was found."""
    options = (*options, "--max-iterations", 3, "--quiet", "--out", out)
    done = succeed(run_command("calibrate", setup, *options))
    return json.loads((out / "result.json").read_text()), done


def test_check(folders):
    done = run_command("check", folders[0] / "calibrate.xml", "--json")
    report = json.loads(done.stdout)
    assert report["counts"]["error"] == 0, done.stdout
    assert report["dialect"].startswith(DIALECT)
    for name in ("activationScale", "startStopTime", "torqueErrorNormalised", "opensimModelFile"):
        assert f"<{name}>" in report["dialect"]
    late = [one for one in report["findings"] if one["code"] == "stop-beyond-data"]
    assert [one["severity"] for one in late] == ["note"] * len(TRIALS)
    assert all(f"is {STOP_LATE:g} s beyond the last row" in one["what"] for one in late)


def test_objective_is_that_of_the_equivalent(folders, tmp_path):
    results = []
    for folder in folders:
        out = tmp_path / folder.name
        result, done = calibrated(folder / "calibrate.xml", out)
        assert (f"note: files of {DIALECT}" in done.stderr) == (folder is folders[0])
        history = np.loadtxt(out / "loss_history.csv", delimiter=",", skiprows=1, ndmin=2)
        results.append((result["objective"], history))
    later, equivalent = results
    assert later[0] == pytest.approx(equivalent[0], rel=1e-9)
    objectives = [history[:, OBJECTIVE] for history in (later[1], equivalent[1])]
    assert len(objectives[0]) > 2  # from the start on, every point that was accepted
    np.testing.assert_allclose(*objectives, rtol=1e-9)


def test_programs_write_the_same_bytes(folders):
    written = []
    for folder in folders:
        outputs = {}
        for setup in ("run.xml", "run_hybrid.xml"):
            done = succeed(run_program("CEINMS", "-S", folder / setup))
            assert done.stdout.startswith(f"Files of {DIALECT}") == (folder is folders[0])
            files = sorted((folder / "output").glob("*.sto"))
            outputs |= {(setup, file.name): file.read_bytes() for file in files}
        written.append(outputs)
    assert len(written[0]) > 16
    assert written[0] == written[1]


def test_original_calibration_takes_the_folder(folders):
    for folder in folders[:1]:
        done = succeed(run_program("CEINMScalibrate", "-S", folder / "calibrate.xml"))
        assert done.stdout.startswith(f"Files of {DIALECT}")
        text = (folder / "subjectCalibrated.xml").read_text()
        assert "<startSubjectFile>C:\\Lab 1\\s.xml</startSubjectFile>" in text
        assert "<opensimModelFile>..\\models\\s.osim</opensimModelFile>" in text
        assert text.count("<activationScale>1</activationScale>") == len(MTUS)


@pytest.mark.parametrize("setup", ["run.xml", "run_hybrid.xml"])
def test_run(folders, tmp_path, setup):
    tables = []
    for folder in folders:
        out = tmp_path / folder.name
        succeed(run_command("run", folder / setup, "--out", out, "--quiet"))
        tables.append(read_storage(out / "Torques.sto"))
    assert set(tables[0].columns) == {f"{dof[:-1]}{side}" for dof in DOFS for side in "rl"}
    np.testing.assert_array_equal(tables[0].values, tables[1].values)


@pytest.mark.parametrize("version", ["0.9", "0.21"])
def test_converted_runs_are_the_same(folders, tmp_path, version):
    out = tmp_path / "converted"
    done = succeed(
        run_command("convert", folders[0] / "run_hybrid.xml", "--to", version, "--out", out)
    )
    assert "dofSet" not in done.stderr  # all DOFs of the subject, as in 0.9
    assert ("<activationScale>" in done.stderr) == (version == "0.9")
    succeed(run_program("CEINMS", "-S", out / "run_hybrid.xml"))
    succeed(run_program("CEINMS", "-S", folders[0] / "run_hybrid.xml"))
    for file in (folders[0] / "output").glob("*.sto"):
        if (out / "output" / file.name).exists() or version == "0.9":
            assert (out / "output" / file.name).read_bytes() == file.read_bytes()


def test_converted_calibration_has_the_same_objective(folders, tmp_path):
    out = tmp_path / "converted"
    succeed(run_command("convert", folders[0] / "calibrate.xml", "--to", "0.21", "--out", out))
    later, _ = calibrated(folders[0] / "calibrate.xml", tmp_path / "later")
    again, _ = calibrated(out / "calibrate.xml", tmp_path / "again")
    assert again["objective"] == later["objective"]
