"""Factors on what CEINMS has without: stiffness of tendon and passive fibre, gain of the EMG."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ceinms_torch as ct
from ceinms_torch.conversion.files import read_conversion
from ceinms_torch.model.parameters import PARAMETERS
from ceinms_torch.simulation.legacy.run import simulate_legacy
from engine_cases import QUANTITIES, make_subject, make_trial, run_kernel, run_tensor
from helpers import write_tiny_folder

RATE = 128.0  # [Hz]: a stream's time steps without rounding
FACTORS = [kind for kind in PARAMETERS.values() if not kind.in_ceinms]
NAMES = [kind.name for kind in FACTORS]
PLAIN = make_subject([{}, {"pennation_angle": 0.1, "optimal_fibre_length": 0.08}])
TRIAL = make_trial(
    PLAIN,
    "trial",
    n_step=60,
    norm_length=1.15,
    step=1.0 / RATE,
    emg_rate=RATE,
    emg_start=-0.125,
)


def with_values(subject, kind, *values):
    return dataclasses.replace(
        subject,
        mtus=tuple(
            dataclasses.replace(mtu, **{kind: value})
            for mtu, value in zip(subject.mtus, values, strict=True)
        ),
    )


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
    "stiff": lambda subject, trial: run_kernel(subject, trial, tendon="stiff"),
    "tensors": lambda subject, trial: run_tensor(subject, [trial])[0],
    "damped": lambda subject, trial: run_kernel(subject, trial, tendon="dampedEquilibrium"),
    "stream": run_stream,
}


def assert_same(got, expected):
    for name in set(QUANTITIES) & got.keys():
        scale = np.abs(expected[name]).max() + 1e-300
        # Multiplied points and samples are rounded; a damped step is right to 1e-9.
        np.testing.assert_allclose(got[name], expected[name], rtol=0.0, atol=1e-8 * scale)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("kind", "curve"),
    [("tendon_stiffness", "tendonForceStrain"), ("passive_stiffness", "passiveForceLength")],
)
def test_every_engine_multiplies_the_curve(engine, kind, curve):
    """The same as with a curve whose points are multiplied, which every engine knew before."""
    stiffer = with_values(PLAIN, kind, 1.7, 1.7)
    points = PLAIN.curves[curve]
    multiplied = dataclasses.replace(points, y=tuple(1.7 * y for y in points.y))
    other = dataclasses.replace(PLAIN, curves={**PLAIN.curves, curve: multiplied})
    got, before = (ENGINES[engine](one, TRIAL) for one in (stiffer, PLAIN))
    assert_same(got, ENGINES[engine](other, TRIAL))
    if (engine, kind) == ("stiff", "tendon_stiffness"):
        assert_same(got, before)  # it is not stretched
    else:
        assert np.abs(got["mtu_force"] - before["mtu_force"]).max() > 1.0  # [N]


@settings(max_examples=20, deadline=None)
@given(
    engine=st.sampled_from(sorted(ENGINES)),
    gains=st.tuples(st.floats(0.3, 3.0), st.floats(0.3, 3.0)),
)
def test_every_engine_amplifies_the_excitation(engine, gains):
    """The same as a trial whose excitations are so many times larger, and at most 1."""
    # At the instants of the lengths a delay takes no sample between two, where they bend.
    delays = (2.0 / RATE, 0.0)
    plain = with_values(PLAIN, "em_delay", *delays)
    amplified = np.minimum(TRIAL.excitation * gains, 1.0)
    louder = dataclasses.replace(TRIAL, excitation=amplified)
    got = ENGINES[engine](with_values(plain, "emg_gain", *gains), TRIAL)
    assert_same(got, ENGINES[engine](plain, louder))


def test_calibration_finds_gain_and_passive_stiffness():
    truth = with_values(with_values(PLAIN, "emg_gain", 0.7, 1.4), "passive_stiffness", 1.6, 0.6)
    trials = [
        make_trial(PLAIN, name, n_step=80, norm_length=length, phase=phase, level=0.3)
        for name, length, phase in (("one", 1.1, 0.0), ("two", 1.25, 2.0))
    ]
    trials = [
        dataclasses.replace(one, measured_moment=ct.simulate(truth, one).joint_moment.array)
        for one in trials
    ]
    step = ct.CalibrationStep(
        dofs=PLAIN.dof_names,
        parameters=(
            ct.ParameterSpec(kind="emgGain", low=0.5, high=2.0),
            ct.ParameterSpec(kind="passiveStiffness", low=0.3, high=3.0),
        ),
    )
    plan = ct.CalibrationPlan(
        algorithm=ct.LevenbergMarquardt(min_improvement=1e-12),
        tendon=ct.Tendon(kind="rosenbrockElastic"),
        steps=(step,),
    )
    found = ct.calibrate(PLAIN, trials, plan).subject
    # Moments are exact: only rounding is left, times the condition of the problem.
    np.testing.assert_allclose(found.parameters(), truth.parameters(), rtol=1e-6)


@pytest.mark.parametrize("kind", FACTORS, ids=NAMES)
def test_at_its_default_it_is_not_written(kind, tmp_path):
    PLAIN.write(tmp_path / "plain.xml")
    assert kind.name not in (tmp_path / "plain.xml").read_text(encoding="utf-8")
    other = with_values(PLAIN, kind.attribute, 1.25, 1.0)
    other.write(tmp_path / "other.xml")
    text = (tmp_path / "other.xml").read_text(encoding="utf-8")
    assert text.count(f"<{kind.name}>") == 1
    assert ct.Subject.read(tmp_path / "other.xml").mtus == other.mtus


@pytest.mark.parametrize("kind", FACTORS, ids=NAMES)
def test_the_model_of_ceinms_refuses_it(kind):
    subject = with_values(PLAIN, kind.attribute, 1.0, 1.5)
    with pytest.raises(ct.DataError, match=rf"{kind.name}.*expected 1, got other values"):
        simulate_legacy(subject, TRIAL, tendon=ct.Tendon(kind="stiff"), activation="exponential")


def test_gains_become_weights_for_ceinms(tmp_path):
    """A converted folder has no gain, and the excitations that the gains make."""
    write_tiny_folder(tmp_path / "old")
    file = tmp_path / "old" / "subject.xml"
    subject = ct.Subject.read(file)
    gains = np.linspace(0.6, 1.3, len(subject.mtus))
    with_values(subject, "emg_gain", *gains).write(file)
    conversion = read_conversion(tmp_path / "old" / "setup.xml", tmp_path / "new")
    conversion.write()
    assert any("emgGain, which is in the weights" in one for one in conversion.lost)
    assert "emgGain" not in (tmp_path / "new" / "subject.xml").read_text(encoding="utf-8")
    before, after = (
        ct.RunFolder.read(tmp_path / name / "setup.xml", legacy=True) for name in ("old", "new")
    )
    expected = np.minimum(before.trial.excitation * gains, 1.0)
    np.testing.assert_allclose(after.trial.excitation, expected, atol=1e-6)  # printed digits
    assert {mtu.emg_gain for mtu in after.subject.mtus} == {1.0}
