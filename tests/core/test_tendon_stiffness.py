"""tendonStiffness: the tendon's curve times a factor, in every engine, and found by a calibration."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import ceinms_torch as ct
from engine_cases import QUANTITIES, make_subject, make_trial, run_kernel, run_tensor

GAIT = Path(__file__).resolve().parents[2] / "subjects" / "gait"
FACTOR = 1.7
RATE = 128.0  # [Hz]: a stream's time steps without rounding
MTUS = [{}, {"pennation_angle": 0.1, "optimal_fibre_length": 0.08, "em_delay": 0.0}]


def run_stream(subject, trial):
    stream = ct.Stream(subject, rate=RATE)
    n_early = int(round(-trial.excitation_time[0] * RATE))
    stream.run_in(trial.excitation[:n_early])
    steps = [
        (stream.step(*instant), stream.tendon_strain, stream.fibre_length)
        for instant in zip(
            trial.excitation[n_early:], trial.mtu_length, trial.moment_arm, strict=False
        )
    ]
    return {
        "mtu_force": np.stack([step.mtu_force for step, _, _ in steps]),
        "tendon_strain": np.stack([strain for _, strain, _ in steps]),
        "fibre_length": np.stack([length for _, _, length in steps]),
    }


ENGINES = {
    "double": run_kernel,
    "tensors": lambda subject, trial: run_tensor(subject, [trial])[0],
    "damped equilibrium": lambda subject, trial: run_kernel(
        subject, trial, tendon="dampedEquilibrium"
    ),
    "stream": run_stream,
}


@pytest.mark.parametrize("engine", ENGINES)
def test_force_at_a_strain_is_the_curve_times_the_factor(engine):
    soft = make_subject(MTUS)
    stiff = make_subject([{**mtu, "tendon_stiffness": FACTOR} for mtu in MTUS])
    curve = soft.curves["tendonForceStrain"]
    times_factor = dataclasses.replace(curve, y=tuple(FACTOR * y for y in curve.y))
    scaled = dataclasses.replace(soft, curves={**soft.curves, curve.name: times_factor})
    trial = make_trial(soft, "trial", n_step=60, step=1.0 / RATE, emg_rate=RATE, emg_start=-0.125)
    got, expected, before = (ENGINES[engine](one, trial) for one in (stiff, scaled, soft))
    assert expected["tendon_strain"].min() > 0.0  # below, the curve is not CEINMS's
    for name in set(QUANTITIES) & got.keys():
        scale = np.abs(expected[name]).max()
        # The spline through other points is rounded otherwise; a damped step is to 1e-9.
        np.testing.assert_allclose(got[name], expected[name], rtol=0.0, atol=1e-8 * scale)
    # A stiffer tendon stretches less.
    assert np.all(got["tendon_strain"] < before["tendon_strain"])


def test_stiff_tendon_has_none():
    soft, stiff = (make_subject([{"tendon_stiffness": factor}]) for factor in (1.0, FACTOR))
    trial = make_trial(soft, "trial", n_step=10)
    got, expected = (run_kernel(one, trial, tendon="stiff") for one in (stiff, soft))
    for name in QUANTITIES:
        np.testing.assert_array_equal(got[name], expected[name])


def test_hidden_stiffness_is_found_with_everything_else():
    """The shipped subject's calibration, of a truth whose tendons are not all alike."""
    plan = ct.CalibrationPlan.read(GAIT / "calibration.xml")
    start = ct.Subject.read(GAIT / "subjectUncalibrated.xml")
    generator = ct.ExcitationGenerator.read(GAIT / "excitationGenerator.xml")
    truth = ct.Subject.read(GAIT / "truth" / "subjectTrue.xml")
    hidden = np.linspace(0.7, 1.5, len(truth.mtus))
    matrix = truth.parameters()
    matrix[ct.PARAMETER_KINDS.index("tendonStiffness")] = hidden
    truth = truth.with_parameters(matrix)
    trials = []
    for file in plan.trial_files:
        trial = ct.Trial.read(file, start, generator, require_moments=True)
        moment = ct.simulate(truth, trial).joint_moment.values
        trials.append(dataclasses.replace(trial, measured_moment=moment))
    stiffness = ct.ParameterSpec(kind="tendonStiffness", low=0.5, high=2.0)
    (step,) = plan.steps
    step = dataclasses.replace(step, parameters=(*step.parameters, stiffness))
    result = ct.calibrate(start, trials, dataclasses.replace(plan, steps=(step,)))
    found = result.subject.parameters()
    print(result.status, result.iterations, result.objective)
    for kind in (spec.kind for spec in step.parameters):
        row = ct.PARAMETER_KINDS.index(kind)
        print(kind, np.abs(found[row] / matrix[row] - 1.0).max(), found[row]/matrix[row])
    assert False
