"""The shipped gait subject is what its README says; nothing is calibrated here."""

import importlib
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import ceinms_torch as ct

GAIT = Path(__file__).resolve().parents[2] / "subjects" / "gait"
CALIBRATION_TRIALS = ("walk_105", "walk_130", "walk_150")
TEST_TRIALS = ("walk_115", "walk_140_stance", "walk_145")
TRIALS = CALIBRATION_TRIALS + TEST_TRIALS
# Files that were not made by the script.
BY_HAND = {"README.md", ".gitignore", "anatomy.py", "documents.py", "make_subject.py", "signals.py"}
NOT_THE_SUBJECT = {"results", "calibrate_results", "__pycache__"}


def generated_files(folder):
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(
        path for path in files if path.name not in BY_HAND and not NOT_THE_SUBJECT & {*path.parts}
    )


@pytest.fixture(scope="module")
def truth():
    return ct.Subject.read(GAIT / "truth" / "subjectTrue.xml")


@pytest.fixture(scope="module")
def start():
    return ct.Subject.read(GAIT / "subjectUncalibrated.xml")


@pytest.fixture(scope="module")
def generator():
    return ct.ExcitationGenerator.read(GAIT / "excitationGenerator.xml")


@pytest.fixture(scope="module")
def trials(truth, generator):
    files = {name: GAIT / "trials" / name / "inputData.xml" for name in TRIALS}
    return {
        name: ct.Trial.read(file, truth, generator, require_moments=True)
        for name, file in files.items()
    }


@pytest.fixture(scope="module")
def simulations(truth, trials):
    return {name: ct.simulate(truth, trial) for name, trial in trials.items()}


@pytest.fixture
def anatomy(monkeypatch):
    """Module of the script, with its folder importable as it is when the script runs."""
    monkeypatch.syspath_prepend(GAIT)
    yield importlib.import_module("anatomy")
    for name in ("anatomy", "signals"):
        sys.modules.pop(name, None)


def test_the_script_makes_the_files_again(tmp_path):
    subprocess.run(
        [sys.executable, GAIT / "make_subject.py", "--output", tmp_path], check=True, timeout=60
    )
    files = generated_files(tmp_path)
    assert files == generated_files(GAIT)
    assert len([path for path in files if path.suffix in (".sto", ".mot")]) == 6 * len(TRIALS)
    for file in files:
        if file.suffix == ".xml":
            assert (tmp_path / file).read_text() == (GAIT / file).read_text(), file
            continue
        new, kept = ct.read_storage(tmp_path / file), ct.read_storage(GAIT / file)
        assert (new.columns, new.header) == (kept.columns, kept.header), file
        np.testing.assert_array_equal(new.time, kept.time)
        # The last digit written may differ between machines; moments come from compiled code.
        tolerance = 1e-6 if file.name == "id.sto" else 2e-8
        np.testing.assert_allclose(new.values, kept.values, rtol=0, atol=tolerance)


def test_it_is_small():
    assert sum((GAIT / file).stat().st_size for file in generated_files(GAIT)) < 3e6


def test_moment_arms_are_the_slopes_of_the_lengths(anatomy):
    random = np.random.default_rng(1)
    angles = {dof: random.uniform(-0.6, 1.2, 50) for dof in anatomy.DOF_NAMES}
    step = 1e-5
    for muscle in anatomy.MUSCLES:
        for dof in anatomy.DOF_NAMES:
            longer = muscle.length(angles | {dof: angles[dof] + step})
            shorter = muscle.length(angles | {dof: angles[dof] - step})
            slope = (longer - shorter) / (2.0 * step)
            np.testing.assert_allclose(muscle.moment_arm(dof, angles[dof]), -slope, atol=1e-9)


def test_the_files_hold_the_lengths_and_moment_arms_of_the_angles(anatomy, trials):
    signals = importlib.import_module("signals")
    for walk in signals.WALKS:
        trial, angles = trials[walk.name], signals.joint_angles(walk)
        for i, muscle in enumerate(anatomy.MUSCLES):
            np.testing.assert_allclose(trial.mtu_length[:, i], muscle.length(angles), atol=1e-9)
            for j, dof in enumerate(anatomy.DOF_NAMES):
                arm = muscle.moment_arm(dof, angles[dof])
                np.testing.assert_allclose(trial.moment_arm[:, j, i], arm, atol=1e-9)


def test_subjects_have_the_promised_size(truth, start):
    assert len(truth.mtus) >= 12
    assert truth.dof_names == ("hip_flexion_r", "knee_angle_r", "ankle_angle_r")
    assert (start.mtu_names, start.dof_names) == (truth.mtu_names, truth.dof_names)
    assert start.curves == truth.curves
    assert len(truth.curves) == 4


def test_trials_are_recordings_of_different_lengths(trials):
    rows = [len(trial.time) for trial in trials.values()]
    assert len(set(rows)) == len(rows)
    assert 60 <= min(rows) <= max(rows) <= 110
    for trial in trials.values():
        np.testing.assert_allclose(np.diff(trial.time), 0.01, atol=1e-9)
        np.testing.assert_allclose(np.diff(trial.excitation_time), 0.002, atol=1e-9)
        assert trial.excitation_time[0] <= trial.time[0] - 0.2
        assert trial.excitation_time[-1] >= trial.time[-1]


def test_excitations_need_no_limiting(trials, truth):
    recorded = np.concatenate([trial.excitation for trial in trials.values()])
    assert recorded.min() > 0.0
    assert recorded.max() < 1.0
    # Every muscle works in walking: a muscle at rest throughout could not be calibrated.
    assert (np.ptp(recorded, axis=0) > 0.08).all(), dict(
        zip(truth.mtu_names, np.ptp(recorded, axis=0), strict=True)
    )


def test_electrodes_drive_muscles_as_described(generator, truth):
    weights = generator.weights(truth.mtu_names, generator.input_signals)
    assert len(generator.input_signals) >= 10
    assert (weights.sum(axis=0) > 1.0).sum() >= 2  # electrodes that drive more than one MTU
    vasti = weights[truth.mtu_index("vasint_r")]
    assert sorted(vasti)[-3:] == [0.0, 0.5, 0.5]
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)


def test_true_fibres_and_tendons_stay_where_they_work(simulations):
    for name, simulation in simulations.items():
        length = simulation.norm_fibre_length.array
        strain = simulation.tendon_strain.array
        assert length.min() > 0.6, name
        assert length.max() < 1.3, name
        assert strain.min() > 0.0, name  # never slack
        assert strain.max() < 0.06, name
        assert simulation.mtu_force.array.min() > 0.0, name


def test_moments_are_those_of_the_truth_without_noise(simulations, trials):
    for name, simulation in simulations.items():
        np.testing.assert_allclose(
            trials[name].measured_moment, simulation.joint_moment.array, rtol=0, atol=1e-6
        )


def test_moments_look_like_walking(trials):
    """Ranges of a walking adult [N m]: extension at the hip and knee is negative here."""
    for name, trial in trials.items():
        hip, knee, ankle = trial.measured_moment.T
        share = (trial.time - trial.time[0]) / (trial.time[-1] - trial.time[0])
        stance = 0.63 if name.endswith("stance") else 1.0  # share of the stride that was recorded
        phase = share * stance
        assert -80.0 < hip.min() < -40.0, name
        assert 30.0 < hip.max() < 80.0, name
        assert 0.4 < phase[hip.argmax()] < 0.6, name  # flexion around the end of stance
        assert -60.0 < knee.min() < -25.0, name
        assert knee.max() < 60.0, name
        assert 0.1 < phase[knee.argmin()] < 0.2, name  # extension as the leg takes the weight
        assert -120.0 < ankle.min() < -80.0, name
        assert 0.4 < phase[ankle.argmin()] < 0.55, name  # push-off
        assert ankle.max() < 30.0, name


def test_speeds_make_a_difference(trials):
    """Peak hip and knee moments grow with the speed, or the test trials would test nothing."""
    peaks = [trials[name].measured_moment.min(axis=0)[:2] for name in ("walk_105", "walk_130")]
    assert (peaks[1] < peaks[0] - 5.0).all()


def test_the_truth_is_hidden_but_within_the_ranges(truth, start):
    plan = ct.CalibrationPlan.read(GAIT / "calibration.xml")
    assert [file.parent.name for file in plan.trial_files] == list(CALIBRATION_TRIALS)
    assert plan.tendon.kind == "rosenbrockElastic"
    (step,) = plan.steps
    assert step.dofs == truth.dof_names
    true, generic = truth.parameters(), start.parameters()
    calibrated = []
    for spec in step.parameters:
        row = ct.PARAMETER_KINDS.index(spec.kind)
        scale = generic[row] if spec.range_type == "relativeToSubjectValue" else 1.0
        assert (true[row] > spec.low * scale).all(), spec.kind
        assert (true[row] < spec.high * scale).all(), spec.kind
        assert (true[row] != generic[row]).all(), spec.kind
        for group in spec.groups:
            values = {true[row, truth.mtu_index(name)] for name in group}
            assert len(values) == 1, (spec.kind, group)
        calibrated.append(row)
    others = np.delete(np.arange(len(ct.PARAMETER_KINDS)), calibrated)
    np.testing.assert_array_equal(true[others], generic[others])
    for kind in ("optimalFibreLength", "tendonSlackLength"):
        row = ct.PARAMETER_KINDS.index(kind)
        assert (np.abs(true[row] / generic[row] - 1.0) < 0.0801).all(), kind


def test_start_values_leave_something_to_calibrate(start, trials):
    for name, trial in trials.items():
        error = ct.simulate(start, trial).joint_moment.array - trial.measured_moment
        spread = trial.measured_moment - trial.measured_moment.mean(axis=0)
        r2 = 1.0 - (error**2).sum(axis=0) / (spread**2).sum(axis=0)
        assert (r2 < 0.98).all(), name
        assert r2.min() < 0.5, name


def test_setup_files_point_at_the_subject():
    folder = ct.CalibrationFolder.read(GAIT / "calibrate.xml")
    assert [trial.name for trial in folder.trials] == list(CALIBRATION_TRIALS)
    assert folder.setup.output_subject_file == GAIT / "results" / "subjectCalibrated.xml"
    assert ct.Execution.read(GAIT / "execution.xml").tendon.kind == "rosenbrockElastic"


@pytest.mark.parametrize("name", TRIALS)
def test_run_files_take_what_the_calibration_wrote(name, tmp_path):
    text = (GAIT / f"run_{name}.xml").read_text()
    assert "<subjectFile>results/subjectCalibrated.xml</subjectFile>" in text
    copied = tmp_path / "run.xml"
    copied.write_text(text.replace(">results/subjectCalibrated", f">{GAIT}/subjectUncalibrated"))
    for file in (f"trials/{name}/inputData.xml", "execution.xml", "excitationGenerator.xml"):
        copied.write_text(copied.read_text().replace(f">{file}<", f">{GAIT}/{file}<"))
    setup = ct.RunSetup.read(copied)
    assert setup.input_data_file == GAIT / "trials" / name / "inputData.xml"
    assert setup.output_directory == tmp_path / "results" / name


def test_speeds_of_the_tests_lie_between_those_of_the_calibration():
    speeds = sorted((int(name.split("_")[1]), name in TEST_TRIALS) for name in TRIALS)
    assert not speeds[0][1]
    assert not speeds[-1][1]
    assert all(slower < faster for (slower, _), (faster, _) in pairwise(speeds))
