"""The factor on the tendon's stiffness, a parameter that CEINMS does not have."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import ceinms_torch as ct
from engine_cases import make_subject, make_trial

GAIT = Path(__file__).resolve().parents[2] / "subjects" / "gait"


def with_stiffness(subject, *values):
    return dataclasses.replace(
        subject,
        mtus=tuple(
            dataclasses.replace(mtu, tendon_stiffness=value)
            for mtu, value in zip(subject.mtus, values, strict=True)
        ),
    )


@pytest.mark.parametrize("factor", [0.85, 1.25])
def test_all_parameters_come_back_with_it(factor):
    """One factor for all MTUs and the shipped subject's six kinds, moments without noise.

    With a factor for every MTU, minima near the truth fit to 1e-6: it is exchangeable with the
    tendon's slack length, nearly.
    """
    folder = ct.CalibrationFolder.read(GAIT / "calibrate.xml")
    shipped = ct.Subject.read(GAIT / "truth" / "subjectTrue.xml")
    truth = with_stiffness(shipped, *[factor] * len(shipped.mtus))
    trials = [
        dataclasses.replace(trial, measured_moment=ct.simulate(truth, trial).joint_moment.array)
        for trial in folder.trials
    ]
    planned = folder.plan.steps[0]
    spec = ct.ParameterSpec(
        kind="tendonStiffness", scope="global", range_type="absolute", low=0.7, high=1.4
    )
    step = dataclasses.replace(planned, parameters=(*planned.parameters, spec))
    options = ct.LevenbergMarquardt(max_iterations=1000, min_improvement=1e-12)
    plan = dataclasses.replace(folder.plan, steps=(step,))
    result = ct.calibrate(folder.subject, trials, plan, options=options)
    # The moments are exact: only rounding is left, times the condition of the problem.
    assert result.steps[0].objective < 1e-20
    found, true = result.subject.parameters(), truth.parameters()
    # The model does not change when C1 and C2 change places.
    for matrix in (found, true):
        matrix[:2].sort(axis=0)
    np.testing.assert_allclose(found, true, rtol=1e-8, atol=1e-10)


def test_force_at_a_strain_is_the_curve_times_the_factor():
    """A fibre that is held still carries what its tendon carries."""
    subject = make_subject([{"tendon_stiffness": 1.0}, {"tendon_stiffness": 1.7}])
    trial = make_trial(subject, "held", n_step=3, swing=0.0, level=0.4)
    simulation = ct.simulate(subject, trial)
    curve = subject.curves["tendonForceStrain"]
    for i, mtu in enumerate(subject.mtus):
        strain = simulation.tendon_strain.array[0, i]
        force = simulation.mtu_force.array[0, i]
        capacity = mtu.max_isometric_force * mtu.strength_coefficient
        expected = mtu.tendon_stiffness * np.interp(strain, curve.x, curve.y) * capacity
        # Between points the curve is a spline, not straight.
        assert force == pytest.approx(expected, rel=0.02)
