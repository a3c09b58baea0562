"""Calibration end to end in memory: what is minimised, what is kept, when it stops."""

import dataclasses
import functools
import itertools

import numpy as np
import pytest

import ceinms_torch as ct
from ceinms_torch.calibration.problems.build import build_problem
from ceinms_torch.errors import DataError, OptionError
from ceinms_torch.model.nms_model import SimulatedAnnealing, Tendon
from ceinms_torch.model.parameters import PARAMETER_KINDS
from ceinms_torch.plan.calibration import CalibrationPlan, CalibrationStep, ParameterSpec
from ceinms_torch.plan.objective import Objective
from ceinms_torch.plan.options import AdamW, Lbfgs, LevenbergMarquardt
from engine_cases import make_subject, make_trial

# What happens in one search; automatic starts are in test_starts.py.
calibrate = functools.partial(ct.calibrate, starts=1)
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
QUICK = AdamW(max_iterations=8, patience=8)
TENDONS = ("stiff", "equilibriumElastic", "rosenbrockElastic")
NORMALISATIONS = ("variance", "meanSquare", "rmse")
# Every range is passed by some MTU at some time, so that every penalty counts.
NARROW = {"fibre_length_range": (0.97, 1.01), "tendon_strain_range": (0.001, 0.012)}


def relative(kind, low=0.8, high=1.2):
    if kind == "tendonSlackLength":
        low, high = 0.98, 1.02
    scope = "global" if kind == "percentageChange" else "single"
    return ParameterSpec(
        kind=kind, scope=scope, range_type="relativeToSubjectValue", low=low, high=high
    )


def make_plan(*kinds, dofs=("knee", "ankle"), tendon="stiff", algorithm=None, **objective):
    step = CalibrationStep(
        dofs=dofs,
        objective=Objective(**objective),
        parameters=tuple(relative(kind) for kind in kinds),
    )
    return CalibrationPlan(algorithm=algorithm or QUICK, tendon=Tendon(kind=tendon), steps=(step,))


USUAL = ("c1", "optimalFibreLength", "tendonSlackLength", "strengthCoefficient")


# ---- the objective, written out in numpy


def outside(values, low, high):
    return np.sum(np.maximum(values - high, 0.0) ** 2 + np.maximum(low - values, 0.0) ** 2)


def written_out(result, step, trials):
    """The terms of the objective (reference D.3; eq. 4) from the simulations of a result."""
    objective = step.objective
    names = ["moment", "fibre_length"] + ["tendon_strain"] * (result.tendon != "stiff")
    terms = dict.fromkeys(names, 0.0)
    per_dof = {"variance": len(step.dofs)}
    for trial in trials:
        simulation = result.simulations[trial.name]
        n = len(trial.time)
        for dof in step.dofs:
            measured = trial.measured_moment[:, trial.dof_names.index(dof)]
            square = np.sum((measured - simulation.joint_moment[dof]) ** 2)
            terms["moment"] += {
                "variance": square / np.var(measured, ddof=1) / n,
                "meanSquare": square / n / len(step.dofs) / len(trials),
                "rmse": np.sqrt(square / n) / len(trials),
            }[objective.normalisation]
        share = per_dof.get(objective.normalisation, 1.0 / len(trials)) / n
        terms["fibre_length"] += (
            share
            * objective.fibre_length_weight
            * outside(simulation.norm_fibre_length.array, *objective.fibre_length_range)
        )
        if result.tendon != "stiff":
            terms["tendon_strain"] += (
                share
                * objective.tendon_strain_weight
                * outside(simulation.tendon_strain.array, *objective.tendon_strain_range)
            )
    return terms


@pytest.mark.parametrize("dofs", [("knee", "ankle"), ("ankle",)], ids=len)
@pytest.mark.parametrize("tendon", ["stiff", "rosenbrockElastic"])
@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_objective_is_what_it_says(normalisation, tendon, dofs):
    plan = make_plan(*USUAL, dofs=dofs, tendon=tendon, normalisation=normalisation, **NARROW)
    result = calibrate(SUBJECT, TRIALS, plan, options=QUICK)
    expected = written_out(result, plan.steps[0], TRIALS)
    assert all(value > 0.0 for value in expected.values())
    # Two engines, and parameters that went from the box to the subject: some 1e-13 each.
    assert result.terms == pytest.approx(expected, rel=1e-10)
    assert result.objective == pytest.approx(sum(expected.values()), rel=1e-10)


def test_rmse_and_fit_are_those_of_the_simulations():
    plan = make_plan(*USUAL)
    result = calibrate(SUBJECT, TRIALS, plan)
    best = min(result.history, key=lambda item: item.objective)
    for i, dof in enumerate(SUBJECT.dof_names):
        rmse = [
            np.sqrt(
                np.mean(
                    (t.measured_moment[:, i] - result.simulations[t.name].joint_moment[dof]) ** 2
                )
            )
            for t in TRIALS
        ]
        assert [result.fit[t.name][dof].rmse for t in TRIALS] == pytest.approx(rmse, rel=1e-12)
        assert best.rmse[dof] == pytest.approx(np.mean(rmse), rel=1e-10)


@pytest.mark.parametrize("tendon", TENDONS)
@pytest.mark.parametrize("start", ["subject", "random"])
def test_returned_subject_is_the_best_one_seen(tendon, start):
    plan = make_plan(*USUAL, tendon=tendon)
    # So long a first step overshoots: the last iterate is not the best.
    options = AdamW(max_iterations=10, patience=10, learning_rate=0.4)
    result = calibrate(SUBJECT, TRIALS, plan, options=options, start=start, seed=5)
    objectives = [item.objective for item in result.history]
    assert result.objective == min(objectives)
    assert result.objective < objectives[-1]
    step = result.steps[0]
    for engine in ("fused", "tensor"):
        problem = build_problem(
            SUBJECT, TRIALS, step.step, step.space, tendon=result.tendon, engine=engine
        )
        point, _ = problem.gradient(step.x)
        assert point.objective == pytest.approx(result.objective, rel=1e-10)
    expected = written_out(result, step.step, TRIALS)
    assert result.objective == pytest.approx(sum(expected.values()), rel=1e-10)


@pytest.mark.parametrize("tendon", TENDONS)
def test_objective_falls(tendon):
    plan = make_plan(*USUAL, tendon=tendon)
    result = calibrate(SUBJECT, TRIALS, plan, options=AdamW(max_iterations=40))
    start = result.history[0].objective
    # The moments were made up, so that no model fits them, but strength alone saves a tenth.
    assert result.objective < 0.9 * start
    assert result.tendon == ("stiff" if tendon == "stiff" else "rosenbrockElastic")


@pytest.mark.parametrize(
    ("tendon", "kind"),
    [
        *(("stiff", kind) for kind in PARAMETER_KINDS if kind != "tendonStiffness"),
        *(("rosenbrockElastic", kind) for kind in PARAMETER_KINDS),
    ],
)
def test_every_kind_of_parameter_moves(kind, tendon):
    plan = make_plan(kind, tendon=tendon)
    result = calibrate(SUBJECT, TRIALS, plan)
    before, after = SUBJECT.parameters(), result.subject.parameters()
    moved = before != after
    row = PARAMETER_KINDS.index(kind)
    assert moved[row].all()
    assert moved.sum() == moved[row].sum()
    assert result.objective < result.history[0].objective


def test_bounds_are_exact():
    """Steps as long as the box end at bounds; no value is beyond one, not by rounding either."""
    plan = make_plan(*PARAMETER_KINDS)
    options = AdamW(max_iterations=6, learning_rate=1.0, learning_rate_decay=1.0)
    result = calibrate(SUBJECT, TRIALS, plan, options=options)
    step = result.steps[0]
    assert step.x.min() == 0.0
    assert step.x.max() == 1.0
    for component in step.space.components:
        row = PARAMETER_KINDS.index(component.kind)
        for name in component.mtu_names:
            value = result.subject.parameters()[row, SUBJECT.mtu_index(name)]
            assert component.lower <= value <= component.upper
            if step.x[step.space.components.index(component)] in (0.0, 1.0):
                assert value in (component.lower, component.upper)


def test_seed_decides_a_random_start():
    plan = make_plan(*USUAL)
    runs = [calibrate(SUBJECT, TRIALS, plan, start="random", seed=seed) for seed in (1, 1, 2)]
    histories = [[item.objective for item in run.history] for run in runs]
    assert histories[0] == histories[1]
    np.testing.assert_array_equal(runs[0].subject.parameters(), runs[1].subject.parameters())
    assert histories[0][0] != histories[2][0]
    assert [run.seed for run in runs] == [1, 1, 2]


# ---- when it stops


def test_stops_when_too_little_improves_for_too_long():
    options = AdamW(max_iterations=200, patience=4, min_improvement=0.2)
    result = calibrate(SUBJECT, TRIALS, make_plan(*USUAL), options=options)
    assert result.status == "converged"
    best = np.minimum.accumulate([item.objective for item in result.history])
    progress = [0]
    for i, value in enumerate(best):
        if value < 0.8 * best[progress[-1]]:
            progress.append(i)
    assert result.iterations == progress[-1] + 4
    assert result.evaluations == len(result.history) == result.iterations + 1


def test_stops_after_the_largest_number_of_iterations():
    result = calibrate(SUBJECT, TRIALS, make_plan(*USUAL), options=QUICK)
    assert result.status == "max_iterations"
    assert result.iterations == 8
    assert [item.iteration for item in result.history] == list(range(9))
    seconds = [item.seconds for item in result.history]
    assert seconds == sorted(seconds)
    assert result.seconds >= seconds[-1]


def test_exception_in_the_callback_comes_through():
    def fail(item):
        if item.iteration == 2:
            raise LookupError("third iterate")

    with pytest.raises(LookupError, match="third iterate"):
        calibrate(SUBJECT, TRIALS, make_plan(*USUAL), callback=fail)


def test_callback_sees_every_iterate():
    seen = []
    result = calibrate(SUBJECT, TRIALS, make_plan(*USUAL), callback=seen.append)
    assert tuple(seen) == result.history


@pytest.mark.parametrize("stop_at", [0, 3])
def test_interrupt_keeps_the_best(stop_at):
    def stop(item):
        if item.iteration == stop_at:
            raise KeyboardInterrupt

    plan = make_plan(*USUAL)
    plan = dataclasses.replace(plan, steps=plan.steps * 2)
    result = calibrate(SUBJECT, TRIALS, plan, callback=stop)
    assert result.status == "interrupted"
    assert len(result.steps) == 1
    assert len(result.history) == stop_at + 1
    assert result.objective == min(item.objective for item in result.history)
    expected = written_out(result, plan.steps[0], TRIALS)
    assert result.objective == pytest.approx(sum(expected.values()), rel=1e-10)


# ---- several steps


def test_step_starts_from_the_result_of_the_one_before():
    knee = make_plan("maxIsometricForce", "c1", dofs=("knee",)).steps[0]
    ankle = make_plan("tendonSlackLength", "c1", dofs=("ankle",)).steps[0]
    plan = dataclasses.replace(make_plan(*USUAL), steps=(knee, ankle))
    result = calibrate(SUBJECT, TRIALS, plan)
    first, second = result.steps
    middle = first.space.subject_at(first.x)
    assert second.space.subject == middle
    before, between, after = (s.parameters() for s in (SUBJECT, middle, result.subject))
    force, slack = (PARAMETER_KINDS.index(k) for k in ("maxIsometricForce", "tendonSlackLength"))
    assert np.all(between[force] != before[force])
    np.testing.assert_array_equal(after[force], between[force])
    # mtu1 has no part in the ankle's moment.
    assert (after != between)[slack].tolist() == [True, False, True]
    # Bounds are relative to the value at the start of the step, not to the first one.
    lower = [c.lower for c in second.space.components if c.kind == "c1"]
    np.testing.assert_allclose(lower, 1.2 * between[0, [0, 2]], rtol=1e-14)
    assert [item.step for item in result.history] == [0] * 9 + [1] * 9
    assert (result.iterations, result.evaluations) == (16, 18)
    assert result.objective == second.objective
    # The second step judges the ankle only.
    expected = written_out(result, ankle, TRIALS)
    assert second.objective == pytest.approx(sum(expected.values()), rel=1e-10)


# ---- what is refused


def changed(trial, **values):
    return dataclasses.replace(trial, **values)


def test_constant_moment_is_refused():
    moment = TRIALS[1].measured_moment.copy()
    moment[:, 1] = 0.1  # the mean of many 0.1 is not quite 0.1
    trials = (TRIALS[0], changed(TRIALS[1], measured_moment=moment))
    with pytest.raises(
        DataError, match=r"trial long: expected a measured moment of ankle that vari"
    ):
        calibrate(SUBJECT, trials, make_plan(*USUAL))
    # It does not matter where it does not count.
    calibrate(SUBJECT, trials, make_plan(*USUAL, dofs=("knee",)))


@pytest.mark.parametrize(
    ("trials", "message"),
    [
        ((), "at least one trial"),
        ((TRIALS[0], TRIALS[0]), "trials with different names, got short, short"),
        ((changed(TRIALS[0], measured_moment=None),), "trial short: expected measured moments"),
        ((changed(TRIALS[0], mtu_names=("a", "b", "c")),), "trial short: expected MTUs"),
        ((changed(TRIALS[0], dof_names=("hip", "ankle")),), "trial short: expected DOFs"),
        ((changed(TRIALS[0], mtu_length=np.full((12, 3), 1e200)),), "step 1: .* finite objective"),
    ],
    ids=["none", "same name", "no moments", "other MTUs", "other DOFs", "overflow"],
)
def test_trials_that_do_not_fit_are_refused(trials, message):
    with pytest.raises(DataError, match=message):
        calibrate(SUBJECT, trials, make_plan(*USUAL))


def test_models_without_gradient_are_refused():
    plan = dataclasses.replace(make_plan(*USUAL), activation="piecewise")
    with pytest.raises(
        OptionError, match=r"^activation: expected <exponential/>, got <piecewise/>"
    ):
        calibrate(SUBJECT, TRIALS, plan)
    with pytest.raises(OptionError, match="integrationElastic"):
        calibrate(SUBJECT, TRIALS, make_plan(*USUAL, tendon="integrationElastic"))


def test_options_come_from_the_plan_unless_it_asks_for_annealing():
    annealing = SimulatedAnnealing(
        no_epsilon=2, rt=0.3, temperature=20.0, ns=2, nt=2, epsilon=1e-3, max_no_eval=100
    )
    plans = (
        make_plan("c1", algorithm=AdamW(max_iterations=1)),
        make_plan("c1", algorithm=Lbfgs(max_iterations=1)),
        make_plan("c1", algorithm=annealing),
    )
    results = [calibrate(SUBJECT, TRIALS, plan) for plan in plans]
    expected = [AdamW(max_iterations=1), Lbfgs(max_iterations=1), LevenbergMarquardt()]
    assert [result.options for result in results] == expected
    assert [result.method for result in results] == ["adamw", "lbfgs", "lm"]


def test_objective_argument_replaces_that_of_every_step():
    plan = dataclasses.replace(make_plan("c1"), steps=make_plan("c1").steps * 2)
    result = calibrate(SUBJECT, TRIALS, plan, objective=Objective(normalisation="rmse"))
    assert [s.step.objective.normalisation for s in result.steps] == ["rmse", "rmse"]
    for first, second in itertools.pairwise(result.steps):
        assert second.objective <= first.objective
