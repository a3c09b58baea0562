"""Calibration by a loss of the user's own: what is minimised, with variables beside parameters."""

import dataclasses

import numpy as np
import pytest
import torch

import ceinms_torch as ct
from loss_cases import (
    NARROW,
    PLAN,
    QUICK,
    STRENGTH,
    SUBJECT,
    TRIALS,
    USUAL,
    as_planned,
    make_plan,
    make_problem,
)

ENGINES = ("fused", "tensor")


def absolute_error(state):
    """Not a sum of squares, and with a term of the forces."""
    error = state.simulation.joint_moment - state.measured_moment
    valid = state.batch.is_valid
    force = state.simulation.mtu_force.movedim(1, 2)[valid]
    return 0.1 * error.abs().movedim(1, 2)[valid].mean() + 1e-7 * force.square().mean()


# ---- what is minimised


@pytest.mark.parametrize("tendon", ["stiff", "rosenbrockElastic"])
@pytest.mark.parametrize("normalisation", ["variance", "meanSquare", "rmse"])
@pytest.mark.parametrize("engine", ENGINES)
def test_objective_of_the_plan_walks_as_calibrate(engine, normalisation, tendon):
    plan = make_plan(*USUAL, tendon=tendon, normalisation=normalisation, **NARROW)
    options = dataclasses.replace(QUICK, weight_decay=0.5)
    own = ct.calibrate_with_loss(SUBJECT, TRIALS, plan, as_planned, options=options, engine=engine)
    usual = ct.calibrate(SUBJECT, TRIALS, plan, options=options, starts=1)
    assert own.tendon == usual.tendon
    # Adam divides by the gradient's size, which blows up the rounding of gradients near zero.
    for a, b in zip(own.history, usual.history, strict=True):
        assert a.objective == pytest.approx(b.objective, rel=1e-7)
        assert a.rmse == pytest.approx(b.rmse, rel=1e-7)
        assert a.terms == pytest.approx({**b.terms, "own": 0.0}, rel=1e-6, abs=1e-12)
    np.testing.assert_allclose(own.steps[0].x, usual.steps[0].x, atol=1e-7)
    np.testing.assert_allclose(own.subject.parameters(), usual.subject.parameters(), rtol=1e-7)
    assert own.fit["long"]["knee"].rmse == pytest.approx(usual.fit["long"]["knee"].rmse, rel=1e-6)
    assert own.validation_losses == ()


@pytest.mark.parametrize("engine", ENGINES)
def test_gradient_is_that_of_differences(engine):
    problem, space = make_problem(
        lambda state: state.objective() + absolute_error(state), engine=engine
    )
    x = space.start() * 0.9 + 0.03
    point, gradient = problem.gradient(x)
    step = 1e-6
    for i in range(len(x)):
        ahead, behind = (
            problem.gradient(x + sign * step * (np.arange(len(x)) == i))[0] for sign in (1, -1)
        )
        difference = (ahead.objective - behind.objective) / (2 * step)
        # Truncation of a central difference: the square of the step times third derivatives.
        assert gradient[i] == pytest.approx(difference, rel=1e-5, abs=1e-6 * point.objective)


def test_own_term_is_what_the_loss_adds():
    problem, space = make_problem(lambda state: 2.0 + state.objective())
    point, _ = problem.gradient(space.start())
    assert problem.term_names == ("moment", "fibre_length", "tendon_strain", "own")
    assert point.terms[-1] == pytest.approx(2.0, abs=1e-12)
    assert sum(point.terms) == pytest.approx(point.objective)
    alone, _ = make_problem(absolute_error)
    point, _ = alone.gradient(space.start())
    assert point.terms == (0.0, 0.0, 0.0, point.objective)
    assert min(point.rmse) > 0.0


def test_moments_of_ones_own_are_compared_with_the_measured_ones():
    problem, space = make_problem(lambda state: state.objective(state.measured_moment + 3.0))
    x = torch.tensor(space.start(), requires_grad=True)
    loss, point = problem.evaluate(x)
    assert point.rmse == pytest.approx((3.0, 3.0))
    # Penalties still depend on the parameters.
    assert torch.autograd.grad(loss, x)[0].any()


def test_states_hold_what_they_say():
    seen = []

    def loss(state):
        seen.append(state)
        return state.objective()

    ct.calibrate_with_loss(SUBJECT, TRIALS, make_plan("strengthCoefficient"), loss, options=QUICK)
    first = seen[0]
    assert first.trials == TRIALS
    assert first.parameters.detach().numpy() == pytest.approx(SUBJECT.parameters(), rel=1e-12)
    for i, trial in enumerate(TRIALS):
        n = len(trial.time)
        assert first.batch.is_valid[:, i].sum() == n
        assert np.array_equal(first.measured_moment[:n, :, i].numpy(), trial.measured_moment)
        moment = ct.simulate(SUBJECT, trial).joint_moment.array
        # Two engines.
        np.testing.assert_allclose(
            first.simulation.joint_moment[:n, :, i].detach(), moment, rtol=1e-10, atol=1e-10
        )


def test_lbfgs_ends_at_or_below_adamw():
    def smooth(state):
        return state.objective() + 1e-3 * state.simulation.activation.square().sum()

    by_adamw = ct.calibrate_with_loss(SUBJECT, TRIALS, PLAN, smooth, options=ct.AdamW())
    by_lbfgs = ct.calibrate_with_loss(SUBJECT, TRIALS, PLAN, smooth, options=ct.Lbfgs())
    assert by_lbfgs.method == "lbfgs"
    assert by_lbfgs.objective <= by_adamw.objective * (1.0 + 1e-3)
    assert by_lbfgs.objective < 0.9 * by_lbfgs.history[0].objective


# ---- variables


AMPLITUDE = np.array([4.0, -2.5])  # of a moment that is no muscle's [N m]


def wave(time):
    return np.sin(10.0 * np.pi * time)  # 5 Hz; other signals have 2 Hz


def planted():
    """A stronger subject, and trials with its moments and one that is no muscle's."""
    matrix = SUBJECT.parameters()
    matrix[STRENGTH] *= [1.1, 0.9, 1.05]
    truth = SUBJECT.with_parameters(matrix)
    return truth, tuple(
        dataclasses.replace(
            trial,
            measured_moment=ct.simulate(truth, trial).joint_moment.array
            + np.outer(wave(trial.time), AMPLITUDE),
        )
        for trial in TRIALS
    )


def waving(amplitude):
    """A loss with that moment, its amplitude (2, 1) [N m] being a variable."""

    def loss(state):
        extra = amplitude * torch.from_numpy(wave(state.batch.time.numpy()))[:, None]
        return state.objective(state.simulation.joint_moment + extra)

    return loss


def test_planted_moment_and_parameters_are_found_together():
    truth, trials = planted()
    amplitude = torch.zeros(2, 1, dtype=torch.float64, requires_grad=True)
    result = ct.calibrate_with_loss(
        SUBJECT,
        trials,
        make_plan("strengthCoefficient"),
        waving(amplitude),
        variables=[{"params": [amplitude], "lr": 0.2, "weight_decay": 0.0}],
        options=ct.AdamW(max_iterations=600, patience=600),
    )
    # Free of noise; what is left is AdamW creeping to its end.
    assert amplitude.detach().numpy()[:, 0] == pytest.approx(AMPLITUDE, rel=0.05)
    assert result.subject.parameters() == pytest.approx(truth.parameters(), rel=5e-3)
    without = ct.calibrate(SUBJECT, trials, make_plan("strengthCoefficient"))
    assert result.objective < 1e-3 * without.objective


@pytest.mark.parametrize("groups", [False, True])
def test_variables_are_left_at_the_best_point(groups):
    # So long a first step overshoots: the last iterate is not the best.
    options = ct.AdamW(max_iterations=10, patience=10, learning_rate=0.4)
    bias = torch.zeros(2, 1, dtype=torch.float64, requires_grad=True)

    def loss(state):
        return state.objective(state.simulation.joint_moment + 10.0 * bias)

    variables = [{"params": bias, "lr": 3.0}] if groups else (one for one in [bias])
    plan = make_plan(*USUAL)
    result = ct.calibrate_with_loss(
        SUBJECT, TRIALS, plan, loss, variables=variables, options=options
    )
    objectives = [item.objective for item in result.history]
    assert result.objective == min(objectives)
    assert not groups or result.objective < objectives[-1]
    assert bias.any()
    problem, _ = make_problem(loss, plan=plan)
    again, _ = problem.gradient(result.steps[0].x)
    assert again.objective == pytest.approx(result.objective, rel=1e-12)


def test_without_parameters_only_variables_change():
    _, trials = planted()
    amplitude = torch.zeros(2, 1, dtype=torch.float64, requires_grad=True)
    result = ct.calibrate_with_loss(
        SUBJECT,
        trials,
        make_plan(),
        waving(amplitude),
        variables=[{"params": [amplitude], "lr": 0.2}],
        options=ct.AdamW(max_iterations=100),
    )
    assert np.array_equal(result.subject.parameters(), SUBJECT.parameters())
    assert result.objective < result.history[0].objective
    assert amplitude.all()


def test_steps_go_on_from_each_other_with_the_same_variables():
    bias = torch.zeros(2, 1, dtype=torch.float64, requires_grad=True)
    result = ct.calibrate_with_loss(
        SUBJECT,
        TRIALS,
        make_plan("strengthCoefficient", n_step=2),
        lambda state: state.objective(state.simulation.joint_moment + bias),
        variables=[bias],
    )
    first, second = result.steps
    begin = next(item for item in result.history if item.step == 1)
    assert begin.iteration == 0
    assert begin.objective == pytest.approx(first.objective, rel=1e-9)
    assert second.objective <= first.objective


def test_begins_where_asked_within_the_ranges_about_the_subject():
    found = ct.calibrate(SUBJECT, TRIALS, PLAN)
    result = ct.calibrate_with_loss(SUBJECT, TRIALS, PLAN, as_planned, begin_at=found.subject)
    assert result.history[0].objective == pytest.approx(found.objective, rel=1e-9)
    assert np.array_equal(result.steps[0].space.lower, found.steps[0].space.lower)
