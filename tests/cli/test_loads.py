"""``ceinms-torch loads`` as users run it."""

import dataclasses
import json

import numpy as np
import pytest

import planar_leg
from ceinms_torch.io.storage import read_storage, write_storage
from command_line import run_command
from helpers import edit, write_tiny_folder

TIME = np.arange(111) / 100.0 - 0.3


@pytest.fixture
def leg(tmp_path):
    """A folder with model, motion and forces."""
    planar_leg.write_model(tmp_path / "leg.osim")
    planar_leg.Motion(TIME).storage(tmp_path / "motion.sto", degrees=True)
    write_forces(tmp_path / "forces.sto", tuple(planar_leg.MUSCLES))
    return tmp_path


def write_forces(path, names, size=100.0):
    time = TIME[30:61]
    values = np.outer(1.0 + np.sin(5.0 * time), size * (1.0 + np.arange(len(names))))
    write_storage(path, time, names, values, name="forces", units="N")


def loads(leg, *arguments):
    return run_command(
        "loads", *arguments, "--model", leg / "leg.osim", "--out", leg / "out", "--lowpass", "0"
    )


def test_forces_of_a_file(opensim, leg):
    run = loads(leg, leg / "forces.sto", "--motion", leg / "motion.sto", "--in", "ground")
    assert run.returncode == 0, run.stderr
    assert "there are no external loads" in run.stderr
    assert "knee_r" in run.stdout
    out = leg / "out"
    force = read_storage(out / "JointForces.sto")
    given = read_storage(leg / "forces.sto")
    forces = {name: given.column(name) for name in given.columns}
    expected = planar_leg.Motion(given.time).reaction(forces)
    found = force.select([f"knee_r_on_shank_in_ground_f{axis}" for axis in "xyz"])
    np.testing.assert_allclose(found, expected[:, 0], atol=2e-3)
    assert force.units == "N"
    weights = read_storage(out / "JointForcesBodyWeights.sto")
    assert weights.units == "body weights"
    np.testing.assert_allclose(weights.values * 4.0 * planar_leg.GRAVITY, force.values, rtol=1e-9)
    study = json.loads((out / "study.json").read_text())
    assert study["versions"]["opensim"] == opensim.version
    assert study["settings"]["in"] == "ground"
    inputs = {name.rsplit("/", 1)[-1] for name in study["inputs"]}
    assert inputs == {"leg.osim", "motion.sto", "forces.sto"}
    files = {one.name for one in out.iterdir()}
    assert {"joint_loads.png", "joint_loads.svg", "joint_loads.csv", "opensim.log"} <= files


def test_shuffled_columns_and_strangers_among_them_change_nothing(opensim, leg):
    run = loads(leg, leg / "forces.sto", "--motion", leg / "motion.sto")
    assert run.returncode == 0, run.stderr
    before = read_storage(leg / "out" / "JointForces.sto").values
    forces = read_storage(leg / "forces.sto")
    names = ["reserve", *reversed(forces.columns), "pelvis_tx"]
    table = np.column_stack((7e3 * np.ones(31), forces.values[:, ::-1], np.arange(31)))
    write_storage(leg / "forces.sto", forces.time, names, table, name="forces", units="N")
    run = loads(leg, leg / "forces.sto", "--motion", leg / "motion.sto")
    assert run.returncode == 0, run.stderr
    np.testing.assert_array_equal(before, read_storage(leg / "out" / "JointForces.sto").values)


def test_a_missing_muscle_stops_it_and_nothing_is_written(opensim, leg):
    write_forces(leg / "some.sto", ("soleus_r", "recfem_r"))
    run = loads(leg, leg / "some.sto", "--motion", leg / "motion.sto")
    assert run.returncode == 1
    assert "gasmed_r: expected forces of all 3 muscles" in run.stderr
    assert "--others silent, optimise, or a file" in run.stderr
    assert not (leg / "out").exists()


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ("silent", "1 silent (gasmed_r)"),
        ("optimise", "static optimisation of 1"),
        ("forces.sto", "forces given by a file"),
    ],
)
def test_what_the_others_do_is_said(opensim, leg, others, said):
    write_forces(leg / "some.sto", ("soleus_r", "recfem_r"))
    others = leg / others if others.endswith(".sto") else others
    run = loads(leg, leg / "some.sto", "--motion", leg / "motion.sto", "--others", others)
    assert run.returncode == 0, run.stderr
    assert said in run.stdout
    assert said in (leg / "out" / "joint_loads.csv").read_text()


def test_several_files_make_a_range(opensim, leg):
    write_forces(leg / "more.sto", tuple(planar_leg.MUSCLES), 150.0)
    run = loads(leg, leg / "forces.sto", leg / "more.sto", "--motion", leg / "motion.sto")
    assert run.returncode == 0, run.stderr
    assert "range of 2 sets" in run.stdout
    ends = [read_storage(leg / "out" / f"JointForces{end}.sto") for end in ("Lower", "Upper")]
    line = read_storage(leg / "out" / "JointForces.sto").values
    assert (ends[0].values <= line + 1e-9).all()
    assert (line <= ends[1].values + 1e-9).all()


def rough_moments(file):
    """Add errors that count: of smooth ones, there are too few to tell how large noise is."""
    moments = read_storage(file)
    noise = np.random.default_rng(0).normal(scale=40.0, size=moments.values.shape)
    dataclasses.replace(moments, values=moments.values + noise).write(file)


@pytest.fixture
def calibrated(leg):
    """A calibrated subject whose trials know their motion."""
    folder = write_tiny_folder(leg / "subject", n_trial=2, n_step=60)
    edit(folder / "calibration.xml", " trial2/inputData.xml", "")
    for trial in ("trial1", "trial2"):
        rough_moments(folder / trial / "id.sto")
        files = "<motionFile>../../motion.sto</motionFile>\n</inputData>"
        edit(folder / trial / "inputData.xml", "</inputData>", files)
    run = run_command(
        "calibrate",
        folder / "calibrationSetup.xml",
        "--quiet",
        "--max-iterations",
        "5",
        "--out",
        leg / "results",
        "--test",
        folder / "trial2" / "inputData.xml",
    )
    assert run.returncode == 0, run.stderr
    return folder


def test_trials_of_a_calibration(opensim, leg, calibrated):
    test = calibrated / "trial2" / "inputData.xml"
    setup = calibrated / "calibrationSetup.xml"
    run = loads(leg, setup, "--results", leg / "results", "--test", test)
    assert run.returncode == 0, run.stderr
    # The tiny folder's recordings are of no leg, so both are said.
    assert "moment arms are not those that forces were calculated with" in run.stderr
    assert "are not the measured moments" in run.stderr
    for trial in ("trials/trial1", "test/trial2"):
        force = read_storage(leg / "results" / trial / "MuscleForces.sto")
        used = read_storage(leg / "out" / trial / "MuscleForcesOfAll.sto")
        np.testing.assert_array_equal(used.select(force.columns), force.values)
        joint = read_storage(leg / "out" / trial / "JointForces.sto")
        assert {name.split("_on_")[0] for name in joint.columns} == {"knee_r", "ankle_r"}


def test_a_run(opensim, leg, calibrated):
    run = loads(leg, calibrated / "setup.xml")
    assert run.returncode == 1
    assert "run ceinms-torch run" in run.stderr.replace("Run", "run")
    assert run_command("run", calibrated / "setup.xml", "--quiet").returncode == 0
    run = loads(leg, calibrated / "setup.xml", "--joints", "ankle_r")
    assert run.returncode == 0, run.stderr
    assert (leg / "out" / "joint_loads.csv").read_text().count("\n") == 2


def test_bands_over_parameter_sets_that_fit_alike(opensim, leg, calibrated):
    setup = calibrated / "calibrationSetup.xml"
    run = loads(leg, setup, "--results", leg / "results", "--bands")
    assert run.returncode == 0, run.stderr
    assert "95 % of 79 sets" in run.stdout
    assert (leg / "out" / "trials" / "trial1" / "JointForcesUpper.sto").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["forces.sto"], "expected the motion that it was made from, got none"),
        (["forces.sto", "--motion", "leg.osim"], "leg.osim"),
        (["forces.sto", "--motion", "motion.sto", "--joints", "hip_r"], "'hip_r'"),
        (["forces.sto", "--motion", "motion.sto", "--others", "lazy"], "silent, optimise, or a"),
        (["motion.sto", "--motion", "motion.sto"], "columns named as muscles of the model"),
        (["forces.sto", "--motion", "motion.sto", "--bands"], "the setup file of a calibration"),
        (["forces.sto", "--motion", "motion.sto", "--results", "."], "expected a setup file"),
        (["forces.sto", "--motion", "motion.sto", "--ground-forces", "."], "--external-loads, too"),
        (
            ["forces.sto", "--motion", "motion.sto", "--opensim-python", "nowhere"],
            "expected a Python interpreter with opensim",
        ),
    ],
)
def test_faults_are_one_message_and_leave_nothing(opensim, leg, arguments, message):
    known = {"forces.sto", "motion.sto", "leg.osim", "."}
    run = loads(leg, *(leg / one if one in known else one for one in arguments))
    assert run.returncode == 1
    errors = [line for line in run.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert message in errors[0]
    assert not (leg / "out").exists()


def test_without_opensim_it_says_how_to_get_it(leg, tmp_path, monkeypatch):
    monkeypatch.delenv("CEINMS_TORCH_OPENSIM_PYTHON", raising=False)
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "opensim.py").write_text("raise ImportError('hidden')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "hidden"))
    run = loads(leg, leg / "forces.sto", "--motion", leg / "motion.sto")
    assert run.returncode == 1
    assert "pip install 'ceinms-torch[opensim]'" in run.stderr
    assert not (leg / "out").exists()
