"""Calibration by a loss of the user's own, with variables beside the parameters."""

import dataclasses

import numpy as np
import pytest
import torch

import ceinms_torch as ct
from ceinms_torch.errors import DataError, OptionError
from ceinms_torch.model.calibration import CalibrationPlan, CalibrationStep, ParameterSpec
from ceinms_torch.workflows.loss_problem import LossProblem
from engine_cases import make_subject, make_trial

SUBJECT = make_subject(
    [
        {"c1": -0.4},
        {"c1": -0.4, "pennation_angle": 0.1, "optimal_fibre_length": 0.1, "em_delay": 0.0337},
        {"c1": -0.4, "shape_factor": -2.0, "tendon_slack_length": 0.2},
    ]
)
TRIALS = (
    make_trial(SUBJECT, "short", n_step=12),
    make_trial(SUBJECT, "long", n_step=17, phase=1.1, norm_length=1.05, emg_rate=140.0),
)
OTHER = make_trial(SUBJECT, "other", n_step=14, phase=2.0)
ENGINES = ("fused", "tensor")
STRENGTH = ct.PARAMETER_KINDS.index("strengthCoefficient")
QUICK = ct.AdamW(max_iterations=8, patience=8)
# Every range is passed by some MTU at some time, so that every penalty counts.
NARROW = {"fibre_length_range": (0.97, 1.01), "tendon_strain_range": (0.001, 0.012)}


def make_plan(*kinds, tendon="rosenbrockElastic", n_step=1, **objective):
    step = CalibrationStep(
        dofs=("knee", "ankle"),
        objective=ct.Objective(**objective),
        parameters=tuple(
            ParameterSpec(
                kind=kind,
                scope="single",
                range_type="relativeToSubjectValue",
                low=0.98 if kind == "tendonSlackLength" else 0.8,
                high=1.02 if kind == "tendonSlackLength" else 1.2,
            )
            for kind in kinds
        ),
    )
    return CalibrationPlan(algorithm=QUICK, tendon=ct.Tendon(kind=tendon), steps=(step,) * n_step)


USUAL = ("c1", "optimalFibreLength", "tendonSlackLength", "strengthCoefficient")
PLAN = make_plan(*USUAL, **NARROW)


def as_planned(state):
    return state.objective()


def absolute_error(state):
    """Not a sum of squares, and with a term of the forces."""
    error = state.simulation.joint_moment - state.measured_moment
    valid = state.batch.is_valid
    force = state.simulation.mtu_force.movedim(1, 2)[valid]
    return 0.1 * error.abs().movedim(1, 2)[valid].mean() + 1e-7 * force.square().mean()


def make_problem(loss, *, engine="fused", plan=PLAN, **options):
    space = ct.ParameterSpace.of(SUBJECT, plan.steps[0], plan)
    return LossProblem(
        SUBJECT,
        TRIALS,
        plan.steps[0],
        space,
        loss,
        tendon="rosenbrockElastic",
        engine=engine,
        **options,
    ), space


# ---- what is minimised


@pytest.mark.parametrize("tendon", ["stiff", "rosenbrockElastic"])
@pytest.mark.parametrize("normalisation", ["variance", "meanSquare", "rmse"])
@pytest.mark.parametrize("engine", ENGINES)
def test_objective_of_the_plan_walks_as_calibrate(engine, normalisation, tendon):
    plan = make_plan(*USUAL, tendon=tendon, normalisation=normalisation, **NARROW)
    options = dataclasses.replace(QUICK, weight_decay=0.5)
    own = ct.calibrate_with_loss(SUBJECT, TRIALS, plan, as_planned, options=options, engine=engine)
    usual = ct.calibrate(SUBJECT, TRIALS, plan, options=options)
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
        moment = ct.simulate(SUBJECT, trial).joint_moment.values
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
            measured_moment=ct.simulate(truth, trial).joint_moment.values
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


# ---- validation and stopping


def stronger(trial, factor):
    moment = factor * ct.simulate(SUBJECT, trial).joint_moment.values
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
    moment = ct.simulate(result.subject, OTHER).joint_moment.values * float(factor.detach())
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


def test_result_is_saved_and_read_as_any_other(tmp_path):
    from ceinms_torch.workflows.results import result_dict  # noqa: PLC0415

    folder = ct.CalibrationFolder.read("subjects/gait/calibrate.xml")
    result = ct.calibrate_with_loss(
        folder.subject, folder.trials, folder.plan, as_planned, options=QUICK
    )
    summary = result_dict(result, folder, test_fit={}, findings=None, warnings=[])
    assert summary["identifiability"] is None
    result.subject.write(tmp_path / "subject.xml")
    again = ct.Subject.read(tmp_path / "subject.xml")
    assert again.parameters() == pytest.approx(result.subject.parameters(), rel=1e-12)


# ---- bad input


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda state: state.measured_moment, r"loss: expected a scalar tensor, got shape \(17, 2"),
        (lambda state: state.batch, "loss: expected a scalar tensor, got TrialBatch"),
        (lambda state: state.objective().detach(), "a tensor with a graph, got one without"),
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

    refuses("expected AdamW or Lbfgs", options=ct.LevenbergMarquardt())
    refuses("expected AdamW, got L-BFGS-B", options=ct.Lbfgs(), variables=[bias])
    refuses("expected AdamW, got L-BFGS-B", options=ct.Lbfgs(), validation=[OTHER])
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
