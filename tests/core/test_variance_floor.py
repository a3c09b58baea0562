"""The floor of the variances that moment errors are divided by, wherever they are divided."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ceinms_torch as ct
from ceinms_torch.calibration.problems.legacy import LegacyProblem
from engine_cases import PLAIN_SUBJECT, SMOOTH_SUBJECT, SMOOTH_TRIALS
from problem_cases import NARROW, RTOL, check_against_tensor, make_step, space_of

DOFS = ("knee", "ankle")
KINDS = ["optimalFibreLength", "strengthCoefficient"]
SEARCH = ct.SimulatedAnnealing(
    no_epsilon=4, rt=0.3, temperature=20.0, ns=3, nt=2, epsilon=1e-3, max_no_eval=60
)


def resized(size):
    """Trials whose moments of the second DOF are of another size."""
    return [
        dataclasses.replace(trial, measured_moment=trial.measured_moment * np.array([1.0, size]))
        for trial in SMOOTH_TRIALS
    ]


def expected_moment(trials, simulations, floor, dofs=DOFS):
    total = 0.0
    for trial, simulation in zip(trials, simulations, strict=True):
        places = [trial.dof_names.index(name) for name in dofs]
        measured = trial.measured_moment[:, places]
        error = measured - simulation.joint_moment.array[:, places]
        variance = np.var(measured, axis=0, ddof=1)
        divisor = np.maximum(variance, floor * variance.max())
        total += float(np.sum(np.mean(error**2, axis=0) / divisor))
    return total


@settings(max_examples=15, deadline=None)
@given(
    floor=st.sampled_from([0.0, 1e-9, 0.25, 1.0]) | st.floats(0.0, 1.0),
    size=st.sampled_from([1e-8, 0.1, 0.5, 3.0]),
    dofs=st.sampled_from([DOFS, ("ankle",)]),
)
def test_no_divisor_is_below_its_share_of_the_greatest(floor, size, dofs):
    trials = resized(size)
    step = make_step(KINDS, dofs=dofs, variance_floor=floor)
    space = space_of(SMOOTH_SUBJECT, step)
    problem = ct.FusedProblem(SMOOTH_SUBJECT, trials, step, space, tendon="stiff")
    x = space.start()
    simulations = [ct.simulate(space.subject_at(x), one, tendon="stiff") for one in trials]
    point, _ = problem.gradient(x)
    # Those of DOFs that the step leaves out do not count.
    assert point.terms[0] == pytest.approx(
        expected_moment(trials, simulations, floor, dofs), rel=1e-9
    )


@pytest.mark.parametrize("tendon", ["stiff", "rosenbrockElastic"])
def test_engines_and_residuals_agree(tendon):
    step = make_step(variance_floor=0.25, **NARROW)
    x = np.random.default_rng(1).uniform(size=len(space_of(SMOOTH_SUBJECT, step).components))
    trials = resized(0.1)
    point = check_against_tensor(SMOOTH_SUBJECT, trials, step, tendon, "ceinms", x)
    space = space_of(SMOOTH_SUBJECT, step)
    problem = ct.FusedProblem(SMOOTH_SUBJECT, trials, step, space, tendon=tendon)
    residual = problem.residuals(x)[0]
    assert float(residual @ residual) == pytest.approx(point.objective, rel=RTOL)
    without = dataclasses.replace(
        step, objective=dataclasses.replace(step.objective, variance_floor=0.0)
    )
    other = ct.FusedProblem(SMOOTH_SUBJECT, trials, without, space, tendon=tendon)
    assert other.gradient(x)[0].terms[0] > 2.0 * point.terms[0]  # it does something here


def annealing_plan(variant, floor):
    step = make_step(KINDS, variance_floor=floor)
    search = dataclasses.replace(SEARCH, variant=variant)
    return ct.CalibrationPlan(algorithm=search, tendon=ct.Tendon(kind="stiff"), steps=(step,))


def test_modern_annealing_knows_it():
    trials = resized(0.1)
    moments = {}
    for floor in (0.0, 0.25):
        plan = annealing_plan("modern", floor)
        (step,) = plan.steps
        space = ct.ParameterSpace.of(PLAIN_SUBJECT, step, plan)
        problem = LegacyProblem(PLAIN_SUBJECT, trials, step, space, plan)
        moments[floor] = problem.core.evaluate(space.values(space.start())).terms[0]
    simulations = [
        ct.simulate(space.subject_at(space.start()), one, tendon="stiff", filter_start="ceinms")
        for one in trials
    ]
    share = expected_moment(trials, simulations, 0.25) / expected_moment(trials, simulations, 0.0)
    # CEINMS's stiff fibres are not quite ours; variances are what is compared.
    assert moments[0.25] / moments[0.0] == pytest.approx(share, rel=0.05)
    assert share < 0.5
    plan = annealing_plan("modern", 0.25)
    result = ct.calibrate(PLAIN_SUBJECT, trials, plan, method="annealing")
    assert result.objective <= moments[0.25] + 1e-9 + result.terms["fibre_length"]


def test_annealing_of_ceinms_refuses_it():
    with pytest.raises(ct.OptionError, match="its modern variant a variance floor"):
        ct.calibrate(
            PLAIN_SUBJECT, SMOOTH_TRIALS, annealing_plan("ceinms", 0.25), method="annealing"
        )


def test_a_constant_moment_is_refused_whatever_the_floor():
    """A DOF that was locked, or a column of zeros: nothing a floor should hide."""
    step = make_step(KINDS, variance_floor=0.25)
    with pytest.raises(ct.DataError, match="a measured moment of ankle that varies"):
        ct.FusedProblem(
            SMOOTH_SUBJECT, resized(0.0), step, space_of(SMOOTH_SUBJECT, step), tendon="stiff"
        )
