"""Calibration by a loss of the user's own: what is kept, when it stops, and what is refused."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

import ceinms_torch as ct
from ceinms_torch.errors import DataError, OptionError
from loss_cases import OTHER, PLAN, QUICK, SUBJECT, TRIALS, as_planned, make_plan

GAIT = Path(__file__).resolve().parents[2] / "subjects" / "gait"


def stronger(trial, factor):
    moment = factor * ct.simulate(SUBJECT, trial).joint_moment.array
    return dataclasses.replace(trial, measured_moment=moment)


def test_validation_trials_decide_which_point_is_kept():
    # On the way to strengths of 1.15 the search passes those of 1.05.
    trials = [stronger(trial, 1.15) for trial in TRIALS]
    validation = [stronger(OTHER, 1.05)]
    factor = torch.ones(1, dtype=torch.float64, requires_grad=True)

    def loss(state):
        return state.objective(factor * state.simulation.joint_moment)

    result = ct.calibrate_with_loss(
        SUBJECT,
        trials,
        make_plan("strengthCoefficient"),
        loss,
        variables=[{"params": [factor], "lr": 0.005}],
        validation=validation,
        options=ct.AdamW(max_iterations=40, patience=40, learning_rate=0.02),
    )
    losses = result.validation_losses
    assert len(losses) == len(result.history)
    kept = int(np.argmin(losses))
    assert 0 < kept < len(losses) - 5
    assert result.objective == result.history[kept].objective
    assert result.objective > 2.0 * min(item.objective for item in result.history)
    moment = ct.simulate(result.subject, OTHER).joint_moment.array * float(factor.detach())
    assert moment == pytest.approx(validation[0].measured_moment, rel=0.03)


def test_patience_counts_falls_of_a_negative_loss():
    options = ct.AdamW(max_iterations=30, patience=4, min_improvement=0.9)
    result = ct.calibrate_with_loss(
        SUBJECT, TRIALS, PLAN, lambda state: state.objective() - 1e6, options=options
    )
    assert (result.status, result.iterations) == ("converged", 4)
    falling = ct.calibrate_with_loss(
        SUBJECT,
        TRIALS,
        make_plan("strengthCoefficient"),
        lambda state: -state.simulation.mtu_force.sum(),
        options=dataclasses.replace(options, min_improvement=0.0),
    )
    # Forces grow until the strengths are at their bounds, and then no more.
    assert falling.status == "converged"
    assert falling.iterations > 4
    assert falling.steps[0].space.at_bound(falling.steps[0].x) == ["upper"] * 3


def test_interrupt_keeps_the_best():
    bias = torch.zeros(2, 1, dtype=torch.float64, requires_grad=True)

    def stop(item):
        if item.iteration == 3:
            raise KeyboardInterrupt

    result = ct.calibrate_with_loss(
        SUBJECT,
        TRIALS,
        make_plan("strengthCoefficient", n_step=2),
        lambda state: state.objective(state.simulation.joint_moment + bias),
        variables=[bias],
        callback=stop,
    )
    assert result.status == "interrupted"
    assert (len(result.steps), len(result.history)) == (1, 4)
    assert result.objective == min(item.objective for item in result.history)


def test_not_finite_keeps_the_best():
    calls = []

    def loss(state):
        calls.append(state)
        value = state.objective()
        return value * float("nan") if len(calls) > 4 else value

    result = ct.calibrate_with_loss(SUBJECT, TRIALS, PLAN, loss)
    assert result.status == "not_finite"
    assert len(result.history) == 4
    assert result.objective == min(item.objective for item in result.history)


def root_at_zero(state):
    """A loss whose value is finite and whose derivative is not."""
    return state.objective() + (0.0 * state.simulation.activation.sum()).sqrt()


def test_gradient_that_is_not_finite_ends_the_search():
    result = ct.calibrate_with_loss(SUBJECT, TRIALS, PLAN, root_at_zero, options=QUICK)
    assert (result.status, len(result.history)) == ("not_finite", 1)
    assert result.subject.parameters() == pytest.approx(SUBJECT.parameters(), rel=1e-12)
    with pytest.raises(DataError, match="a finite objective at the start"):
        ct.calibrate_with_loss(SUBJECT, TRIALS, PLAN, root_at_zero, options=ct.Lbfgs())


def test_loss_of_any_unit_is_minimised_alike():
    small = ct.calibrate_with_loss(
        SUBJECT, TRIALS, PLAN, lambda state: 1e-8 * state.objective(), options=ct.Lbfgs()
    )
    usual = ct.calibrate_with_loss(
        SUBJECT, TRIALS, PLAN, lambda state: state.objective(), options=ct.Lbfgs()
    )
    # The rules are relative to the loss at the start in both; the paths differ by rounding.
    assert 1e8 * small.objective == pytest.approx(usual.objective, rel=1e-3)


@pytest.mark.parametrize("options", [QUICK, ct.Lbfgs()], ids=["adamw", "lbfgs"])
def test_network_that_is_not_named_is_no_variable(options):
    forgotten = torch.ones(1, dtype=torch.float64, requires_grad=True)
    with pytest.raises(OptionError, match="everything else that is to be optimised in variables"):
        ct.calibrate_with_loss(
            SUBJECT, TRIALS, PLAN, lambda _: forgotten.square().sum(), options=options
        )


# ---- bad input


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda state: state.measured_moment, r"loss: expected a scalar tensor, got shape \(17, 2"),
        (lambda state: state.batch, "loss: expected a scalar tensor, got TrialBatch"),
        (lambda state: state.objective().detach(), "depends on what is optimised"),
    ],
)
def test_what_is_no_loss_is_refused(loss, message):
    with pytest.raises(OptionError, match=message):
        ct.calibrate_with_loss(SUBJECT, TRIALS, PLAN, loss)


def test_moments_that_do_not_fit_are_refused():
    for moment, error, message in (
        (lambda state: state.measured_moment[1:], ValueError, "joint_moment: expected shape"),
        (lambda state: state.measured_moment.float(), TypeError, "joint_moment: expected dtype"),
    ):
        with pytest.raises(error, match=message):
            ct.calibrate_with_loss(
                SUBJECT, TRIALS, PLAN, lambda state, moment=moment: state.objective(moment(state))
            )


def test_options_that_do_not_fit_are_refused():
    bias = torch.zeros(2, 1, dtype=torch.float64, requires_grad=True)

    def refuses(message, error=OptionError, **options):
        with pytest.raises(error, match=message):
            ct.calibrate_with_loss(SUBJECT, TRIALS, PLAN, as_planned, **options)

    refuses("expected adamw or lbfgs, got lm", options=ct.LevenbergMarquardt())
    refuses("expected AdamW, got another method", options=ct.Lbfgs(), variables=[bias])
    refuses("expected AdamW, got another method", options=ct.Lbfgs(), validation=[OTHER])
    refuses("leaf tensors that require grad", variables=[2.0 * bias])
    refuses("leaf tensors that require grad", variables=[{"params": [torch.zeros(2)]}])
    refuses("leaf tensors that require grad, got float", variables=[1.0])
    refuses("trials that are not fitted, got long", DataError, validation=[TRIALS[1]])
    refuses("engine: expected fused or tensor", engine="slow")
    refuses("device", device="cuda")
    refuses("threads", threads=0)
    refuses(
        "trial other.* moments",
        DataError,
        validation=[dataclasses.replace(OTHER, measured_moment=None)],
    )


def test_loss_that_is_not_finite_at_the_start_is_refused():
    with pytest.raises(DataError, match="a finite objective at the start"):
        ct.calibrate_with_loss(
            SUBJECT, TRIALS, PLAN, lambda state: state.objective() * float("inf")
        )
