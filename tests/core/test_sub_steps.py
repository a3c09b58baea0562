"""Fast onset at coarse steps: right forces, the same in every engine, with right derivatives."""

import dataclasses
import warnings

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import ceinms_torch as ct
from ceinms_torch import _kernel
from ceinms_torch.excitations.search import TrialSearch
from ceinms_torch.model.execution import Hybrid
from ceinms_torch.model.parameters import PARAMETER_KINDS
from engine_cases import QUANTITIES, make_subject, make_trial, run_kernel, run_tensor
from engine_strategies import between
from problem_cases import check_against_tensor, make_step, space_of

# A short fibre with a long tendon, and the reverse; what Hill models of legs and arms have.
MUSCLES = {
    "soleus": {"optimal_fibre_length": 0.05, "tendon_slack_length": 0.25, "pennation_angle": 0.43},
    "short": {"optimal_fibre_length": 0.03, "tendon_slack_length": 0.40, "pennation_angle": 0.3},
    "even": {"optimal_fibre_length": 0.10, "tendon_slack_length": 0.10, "pennation_angle": 0.1},
    "long": {"optimal_fibre_length": 0.30, "tendon_slack_length": 0.05, "pennation_angle": 0.0},
}
# Activation is excitation.
PLAIN = {"c1": 0.0, "c2": 0.0, "shape_factor": 0.0, "em_delay": 0.0}
# 0.05 of F0 S is what is promised at 100 Hz, for onsets as fast as EMG envelopes are.
LARGEST_ERROR = 0.05


def switching(mtus, *, step=0.01, rise=0.02, low=0.01, high=1.0, curves=True, norm_length=0.95):
    """A subject at constant length whose muscles are switched on, and off 150 ms later."""
    subject = make_subject([{**PLAIN, **mtu} for mtu in mtus], curves=curves)
    n_step = round(0.3 / step) + 1
    trial = make_trial(
        subject,
        "onset",
        n_step=n_step,
        step=step,
        swing=0.0,
        norm_length=norm_length,
        emg_rate=1.0 / step,
        emg_start=0.0,
    )
    time = trial.excitation_time
    share = np.clip(np.minimum((time - 0.02) / rise, (0.17 + rise - time) / rise), 0.0, 1.0)
    excitation = np.repeat((low + (high - low) * share)[:, None], len(mtus), axis=1)
    return subject, dataclasses.replace(trial, excitation=excitation)


def forces(subject, simulation):
    peak = [mtu.max_isometric_force * mtu.strength_coefficient for mtu in subject.mtus]
    return simulation.mtu_force.array / peak


def largest_error(subject, trial):
    """Of the Rosenbrock tendon's forces, over F0 S, where the damped equilibrium is known."""
    got = ct.simulate(subject, trial, filter_start="zero")
    expected = ct.simulate(subject, trial, filter_start="zero", tendon="dampedEquilibrium")
    return np.abs(forces(subject, got) - forces(subject, expected)).max(axis=0)


@pytest.mark.parametrize("curves", [True, False], ids=["manual", "smooth"])
@pytest.mark.parametrize("rate", [100.0, 200.0, 500.0, 1000.0])
def test_onset_within_20_ms_is_followed(rate, curves):
    """By the damped equilibrium, which test_damped_equilibrium.py compares with scipy's."""
    mtus = [
        {**muscle, "tendon_stiffness": stiffness}
        for muscle in MUSCLES.values()
        for stiffness in (0.5, 1.0, 2.0)
    ]
    subject, trial = switching(mtus, step=1.0 / rate, curves=curves)
    assert largest_error(subject, trial).max() < LARGEST_ERROR


@st.composite
def muscles(draw):
    optimal = draw(between(0.02, 0.3))
    return {
        "optimal_fibre_length": optimal,
        "tendon_slack_length": optimal * draw(between(0.2, 12.0)),
        "pennation_angle": draw(between(0.0, 0.5)),
        "max_contraction_velocity": draw(between(5.0, 15.0)),
        "damping": draw(between(0.03, 0.2)),
        "percentage_change": draw(between(0.0, 0.3)),
        "tendon_stiffness": draw(between(0.5, 2.0)),
    }


@settings(max_examples=40, deadline=None)
@given(muscle=muscles(), rise=between(0.01, 0.06), norm_length=between(0.8, 1.1))
@example(muscle=MUSCLES["soleus"], rise=0.01, norm_length=1.0)
@example(  # one step from rest to its least length, which is not slack: its tendon pulls
    muscle={
        "optimal_fibre_length": 0.124,
        "tendon_slack_length": 0.836,
        "pennation_angle": 0.5,
        "max_contraction_velocity": 15.0,
        "damping": 0.03,
        "percentage_change": 0.0,
        "tendon_stiffness": 0.5,
    },
    rise=0.01,
    norm_length=0.94,
)
@example(  # slow on a compliant tendon: what many steps leave has one sign
    muscle={
        "optimal_fibre_length": 0.275,
        "tendon_slack_length": 0.457,
        "pennation_angle": 0.0,
        "max_contraction_velocity": 5.0,
        "damping": 0.03,
        "percentage_change": 0.0,
        "tendon_stiffness": 0.5,
    },
    rise=0.016,
    norm_length=1.07,
)
def test_any_muscle_is_followed(muscle, rise, norm_length):
    # With the manual's curves the damped equilibrium may have three roots (cpp/EQUATIONS.md).
    subject, trial = switching([muscle], rise=rise, norm_length=norm_length, curves=False)
    assert largest_error(subject, trial)[0] < LARGEST_ERROR


def sub_stepped(subject, trial):
    """Steps at which the plain step would have been another."""
    got = run_kernel(subject, trial, filter_start="zero")
    plain = np.diff(got["fibre_length"], axis=0) / np.diff(trial.time)[:, None]
    return np.abs(plain - got["fibre_velocity"][1:]) > 1e-9


def test_every_engine_takes_the_same_sub_steps():
    subject, trial = switching(list(MUSCLES.values()))
    taken = sub_stepped(subject, trial)
    assert 0.05 < taken.mean() < 0.5
    expected = run_kernel(subject, trial, filter_start="zero")
    (tensor,) = run_tensor(subject, [trial], filter_start="zero")
    for name in QUANTITIES:
        scale = np.abs(expected[name]).max()
        np.testing.assert_allclose(tensor[name] / scale, expected[name] / scale, atol=1e-11, rtol=0)
    for name in _kernel.instruction_sets():
        stream = ct.Stream(subject, rate=100.0, filter_start="zero", instruction_set=name)
        steps = [
            stream.step(*instant).mtu_force
            for instant in zip(trial.excitation, trial.mtu_length, trial.moment_arm, strict=False)
        ][: len(trial.time)]
        scale = np.abs(expected["mtu_force"]).max()
        np.testing.assert_allclose(
            np.stack(steps) / scale, expected["mtu_force"] / scale, atol=1e-11, rtol=0
        )


# Ranges within which no step changes from one kind to the other.
NEAR = {"fibre_length_range": (0.6, 1.4)}


@pytest.mark.parametrize("curves", [True, False], ids=["manual", "smooth"])
def test_derivatives_by_adjoint_sensitivities_and_graph_are_one(curves):
    """Also that objectives are the same on every instruction set."""
    subject, trial = switching(list(MUSCLES.values()), curves=curves)
    other = dataclasses.replace(trial, name="slower", time=1.5 * trial.time)
    step = make_step(sorted(set(PARAMETER_KINDS) - {"emDelay", "pennationAngle"}), **NEAR)
    space = space_of(subject, step)
    x = space.start()
    check_against_tensor(subject, (trial, other), step, "rosenbrockElastic", "zero", x)


@pytest.mark.parametrize("curves", [True, False], ids=["manual", "smooth"])
def test_gradient_is_that_of_differences(curves):
    subject, trial = switching([MUSCLES["soleus"], MUSCLES["even"]], curves=curves)
    step = make_step(["optimalFibreLength", "tendonSlackLength", "damping", "tendonStiffness"])
    problem = ct.FusedProblem(
        subject, (trial,), step, space_of(subject, step), tendon="rosenbrockElastic"
    )
    x = space_of(subject, step).start()
    _, gradient = problem.gradient(x)
    width = 1e-6
    for i, slope in enumerate(gradient):
        at = [
            problem.core.evaluate(x + sign * width * np.eye(len(x))[i]).objective
            for sign in (1.0, -1.0)
        ]
        difference = (at[0] - at[1]) / (2.0 * width)
        # Rounding of the objective over the width, and what its third derivative adds.
        assert difference == pytest.approx(slope, rel=1e-5, abs=1e-6 * np.abs(gradient).max())


def test_searched_excitations_follow_sub_steps():
    """The trial that a search linearises hands on lengths and velocities of the last sub-step."""
    # An excitation of 1 is where its gain stops to count.
    subject, trial = switching([MUSCLES["soleus"], MUSCLES["even"]], high=0.98)
    trial = dataclasses.replace(trial, measured_moment=np.zeros_like(trial.moment_arm[:, :, 0]))
    assert sub_stepped(subject, trial).any()
    hybrid = Hybrid(
        alpha=1.0,
        beta=1.0,
        gamma=0.0,
        adjust_mtus=(),
        synth_mtus=subject.mtu_names,
        algorithm=None,
    )
    search = TrialSearch(subject, trial, hybrid, filter_start="zero")
    x = search.recorded
    _, gradient = search.core.square_errors(x)
    width = 1e-6
    for k in range(len(x)):
        move = np.zeros_like(x)
        move[k] = width
        at = [search.core.square_errors(x + sign * move)[0].sum() for sign in (1.0, -1.0)]
        difference = (at[0] - at[1]) / (2.0 * width)
        # Rounding of the sum over the width, and what its third derivative adds.
        scale = 1e-6 * np.abs(gradient).max()
        assert difference == pytest.approx(gradient[k].sum(), rel=1e-5, abs=scale)


def test_what_is_too_coarse_all_the_same_is_said():
    """Hardly any damping, and an MTU that jumps by a quarter of its fibre at every step."""
    subject, trial = switching([{**MUSCLES["even"], "damping": 0.01}])
    jerk = trial.mtu_length + 0.025 * (np.arange(len(trial.time)) % 2)[:, None]
    with pytest.warns(ct.CeinmsTorchWarning, match=r"'onset': steps of 10 ms.*mtu0 \(\d+\)"):
        ct.simulate(subject, dataclasses.replace(trial, mtu_length=jerk), filter_start="zero")


def test_recorded_walking_hardly_changes(shared_dir):
    """The forces of few steps change, each towards the reference."""
    setup = shared_dir / "data" / "lower_limb" / "ceinms" / "calibrate_elastic.xml"
    if not setup.is_file():
        pytest.skip(f"no {setup}")
    folder = ct.CalibrationFolder.read(setup)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for trial in folder.trials:
            ct.simulate(folder.subject, trial)
    taken = np.concatenate([sub_stepped(folder.subject, trial) for trial in folder.trials])
    assert taken.mean() < 0.01
