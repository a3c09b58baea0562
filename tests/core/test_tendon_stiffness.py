"""The factor on the tendon's stiffness, a parameter that CEINMS does not have."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import ceinms_torch as ct
from ceinms_torch.simulation.legacy.run import simulate_legacy
from engine_cases import QUANTITIES, make_subject, make_trial, run_kernel, run_tensor

GAIT = Path(__file__).resolve().parents[2] / "subjects" / "gait"
RATE = 128.0  # [Hz]: a stream's time steps without rounding


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


def run_stream(subject, trial):
    stream = ct.Stream(subject, rate=RATE)
    n_early = round(-trial.excitation_time[0] * RATE)
    stream.run_in(trial.excitation[:n_early])
    rows = zip(trial.excitation[n_early:], trial.mtu_length, trial.moment_arm, strict=False)
    steps = [
        (stream.step(*row).mtu_force, stream.tendon_strain, stream.fibre_length) for row in rows
    ]
    names = ("mtu_force", "tendon_strain", "fibre_length")
    return {
        name: np.stack(column) for name, column in zip(names, zip(*steps, strict=True), strict=True)
    }


ENGINES = {
    "double": run_kernel,
    "tensors": lambda subject, trial: run_tensor(subject, [trial])[0],
    "damped": lambda subject, trial: run_kernel(subject, trial, tendon="dampedEquilibrium"),
    "stream": run_stream,
}


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_multiplies_the_curve(engine):
    """The same as with a curve whose points are multiplied, which every engine knew before."""
    plain = make_subject([{}, {"pennation_angle": 0.1, "optimal_fibre_length": 0.08}])
    stiffer = with_stiffness(plain, 1.7, 1.7)
    curve = plain.curves["tendonForceStrain"]
    multiplied = dataclasses.replace(curve, y=tuple(1.7 * y for y in curve.y))
    other = dataclasses.replace(plain, curves={**plain.curves, curve.name: multiplied})
    trial = make_trial(plain, "trial", n_step=60, step=1.0 / RATE, emg_rate=RATE, emg_start=-0.125)
    got, expected, before = (ENGINES[engine](one, trial) for one in (stiffer, other, plain))
    for name in set(QUANTITIES) & got.keys():
        scale = np.abs(expected[name]).max()
        # The multiplied points are rounded; a damped step is right to 1e-9.
        np.testing.assert_allclose(got[name], expected[name], rtol=0.0, atol=1e-8 * scale)
    assert np.all(got["tendon_strain"] < before["tendon_strain"])


def test_a_stiff_tendon_has_none():
    plain = make_subject([{}])
    trial = make_trial(plain, "trial", n_step=10)
    got, expected = (
        run_kernel(one, trial, tendon="stiff") for one in (with_stiffness(plain, 1.7), plain)
    )
    for name in QUANTITIES:
        np.testing.assert_array_equal(got[name], expected[name])


def test_at_its_default_it_is_not_written(tmp_path):
    subject = ct.Subject.read(GAIT / "subjectUncalibrated.xml")
    subject.write(tmp_path / "plain.xml")
    assert "tendonStiffness" not in (tmp_path / "plain.xml").read_text(encoding="utf-8")
    values = (1.25, *[1.0] * (len(subject.mtus) - 1))
    with_stiffness(subject, *values).write(tmp_path / "stiffer.xml")
    text = (tmp_path / "stiffer.xml").read_text(encoding="utf-8")
    assert text.count("<tendonStiffness>") == 1
    again = ct.Subject.read(tmp_path / "stiffer.xml")
    assert [mtu.tendon_stiffness for mtu in again.mtus] == list(values)


def test_the_model_of_ceinms_refuses_it():
    subject = make_subject([{"tendon_stiffness": 1.0}, {"tendon_stiffness": 1.5}])
    trial = make_trial(subject, "trial", n_step=5)
    tendon = ct.Tendon(kind="stiff")
    with pytest.raises(ct.DataError, match=r"tendonStiffness.*expected 1, got other values"):
        simulate_legacy(subject, trial, tendon=tendon, activation="exponential")
