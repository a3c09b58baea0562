"""Random subjects and trials (hypothesis), and how closely engines must agree on them."""

import numpy as np
from hypothesis import strategies as st

from ceinms_torch.model.parameters import PARAMETER_KINDS
from engine_cases import make_subject, make_trial

TENDONS = ("stiff", "rosenbrock")
# Both engines run the same text; sums in another order and another exp and sqrt leave some 1e-15
# per operation, of which a steep tendon makes some 1e-13.
RTOL = 1e-12


def between(low, high):
    return st.floats(low, high, allow_subnormal=False)


@st.composite
def mtus(draw):
    """Ranges of lower-limb models in the literature, a little widened."""
    optimal = draw(between(0.02, 0.4))
    values = st.fixed_dictionaries(
        {
            "c1": between(-0.95, 0.4),
            "c2": between(-0.95, 0.4),
            "shape_factor": between(-3.0, 0.0),
            "optimal_fibre_length": st.just(optimal),
            "pennation_angle": between(0.0, 0.6),
            "tendon_slack_length": between(0.5 * optimal, 8.0 * optimal),
            "max_isometric_force": between(50.0, 8000.0),
            "max_contraction_velocity": between(5.0, 15.0),
            "strength_coefficient": between(0.5, 3.0),
            "em_delay": st.one_of(st.sampled_from([0.0, 0.01, 0.015, 0.1]), between(0.0, 0.1)),
            "damping": between(0.01, 0.2),
            "percentage_change": between(0.0, 0.3),
            "tendon_stiffness": between(0.5, 2.0),
            "passive_stiffness": between(0.5, 2.0),
            "emg_gain": between(0.5, 2.0),
        }
    )
    return draw(values)


@st.composite
def subjects(draw):
    return make_subject(draw(st.lists(mtus(), min_size=1, max_size=4)), curves=draw(st.booleans()))


@st.composite
def trials_of(draw, subject):
    """One to three trials with their own lengths, time steps and EMG rates."""
    trials = []
    for i in range(draw(st.integers(1, 3))):
        start = draw(between(-0.25, -0.101))
        trials.append(
            make_trial(
                subject,
                f"trial{i}",
                n_step=draw(st.integers(2, 25)),
                frequency=draw(between(0.2, 3.0)),
                phase=draw(between(0.0, 6.0)),
                norm_length=draw(between(0.6, 1.4)),
                swing=draw(between(0.0, 0.2)),
                step=draw(st.sampled_from([0.005, 0.01, 1.0 / 60.0])),
                emg_rate=draw(st.sampled_from([50.0, 100.0, 137.0, 200.0, 1000.0, 1926.0])),
                emg_start=draw(st.sampled_from([-0.25, -0.2, start])),
                level=draw(between(0.01, 0.52)),
            )
        )
    return trials


@st.composite
def cases(draw):
    subject = draw(subjects())
    return (
        subject,
        draw(trials_of(subject)),
        {
            "tendon": draw(st.sampled_from(TENDONS)),
            "filter_start": draw(st.sampled_from(["ceinms", "zero"])),
        },
    )


def scales(subject, trial):
    """What each column is judged against: its largest physiological value."""
    p = dict(zip(PARAMETER_KINDS, subject.parameters(), strict=True))
    force = p["maxIsometricForce"] * p["strengthCoefficient"]
    ones = np.ones(len(subject.mtus))
    return {
        "activation": ones,
        "fibre_length": p["optimalFibreLength"],
        # A difference of lengths over a time step has their rounding over that time step.
        "fibre_velocity": p["optimalFibreLength"] / np.diff(trial.time).min(),
        "pennation_angle": ones,
        # The rounding of the fibre length, over the tendon's length.
        "tendon_strain": np.maximum(1.0, p["optimalFibreLength"] / p["tendonSlackLength"]),
        "mtu_force": force,
        "joint_moment": np.abs(trial.moment_arm).max(axis=0) @ force,
    }


def assert_same(subject, trial, got, expected, tolerance=RTOL):
    for name, scale in scales(subject, trial).items():
        assert np.all(np.isfinite(expected[name])), name
        error = np.abs(got[name] - expected[name]) / scale
        assert error.max() <= tolerance, (name, error.max())
