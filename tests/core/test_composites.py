"""Composite objectives of CEINMS 0.10 to 0.30: both engines, derivatives, the annealing."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ceinms_torch as ct
from ceinms_torch.calibration.problems.legacy import LegacyProblem
from ceinms_torch.simulation.legacy.run import simulate_legacy
from engine_cases import PLAIN_SUBJECT, SMOOTH_SUBJECT, SMOOTH_TRIALS
from problem_cases import RTOL, check_against_tensor, make_step, space_of

KINDS = ["shapeFactor", "optimalFibreLength", "tendonSlackLength", "strengthCoefficient"]
TENDONS = ("stiff", "rosenbrockElastic")
# Some MTU passes every edge at some time.
EDGES = {
    "normalisedFibreLength": (0.97, 1.01),
    "normalisedFibreVelocity": (-0.01, 0.02),
    "tendonStrain": (0.001, 0.012),
}
DOFS, MTUS = SMOOTH_SUBJECT.dof_names, SMOOTH_SUBJECT.mtu_names
TERMS = {
    "normalisedFibreLength": "fibre_length",
    "normalisedFibreVelocity": "fibre_velocity",
    "tendonStrain": "tendon_strain",
}


def penalty(quantity, **changes):
    return ct.RangePenalty(quantity=quantity, range=EDGES[quantity], **changes)


CASES = {
    "published": (ct.TorqueError(), penalty("normalisedFibreLength", weight=100.0)),
    "powers": (
        ct.TorqueError(targets=("knee",), weight=0.3, exponent=2.0),
        ct.TorqueError(weight=0.01, exponent=3.0),
        ct.TorqueError(targets=("ankle",), weight=0.5, normalised=False),
        penalty("normalisedFibreLength", weight=7.0, exponent=1.0, targets=("mtu1",)),
        penalty("normalisedFibreLength", weight=900.0, exponent=3.0),
    ),
    "everything": (
        ct.TorqueError(),
        penalty("normalisedFibreVelocity", weight=50.0),
        penalty("normalisedFibreVelocity", weight=9.0, exponent=1.5, targets=("mtu0", "mtu2")),
        penalty("tendonStrain", weight=3000.0),
    ),
}


def step_of(composites, *, dofs=("knee",), kinds=KINDS):
    return make_step(kinds, dofs=dofs, normalisation="rmse", composites=tuple(composites))


def problem_and_point(composites, tendon, seed=3):
    step = step_of(composites)
    space = space_of(SMOOTH_SUBJECT, step)
    problem = ct.FusedProblem(SMOOTH_SUBJECT, SMOOTH_TRIALS, step, space, tendon=tendon)
    return problem, np.random.default_rng(seed).uniform(0.1, 0.9, size=len(space.components)), space


def terms_at(problem, x):
    return dict(zip(problem.term_names, problem.gradient(x)[0].terms, strict=True))


def observed(subject, simulation):
    """Return what penalties are about, (n_step, n_mtu) each."""
    fastest = [mtu.optimal_fibre_length * mtu.max_contraction_velocity for mtu in subject.mtus]
    return {
        "normalisedFibreLength": simulation.norm_fibre_length.array,
        "normalisedFibreVelocity": simulation.fibre_velocity.array / fastest,
        "tendonStrain": simulation.tendon_strain.array,
    }


def expected_terms(composites, subject, simulations, *, elastic):
    """Return the terms by their formulas, averaged over trials."""
    terms = {"moment": 0.0}
    for trial, simulation in zip(SMOOTH_TRIALS, simulations, strict=True):
        error = trial.measured_moment - simulation.joint_moment.array
        quantities = observed(subject, simulation)
        for one in composites:
            if isinstance(one, ct.TorqueError):
                squares = (error**2).mean(0) if one.normalised else (error**2).sum(0)
                of = [DOFS.index(name) for name in one.targets or DOFS]
                terms["moment"] += (
                    one.weight * np.sum(squares[of] ** (one.exponent / 2)) / len(SMOOTH_TRIALS)
                )
                continue
            if one.quantity == "tendonStrain" and not elastic:
                continue
            of = [MTUS.index(name) for name in one.targets or MTUS]
            values = quantities[one.quantity][:, of]
            low, high = one.range
            outside = np.maximum(values - high, 0.0) + np.maximum(low - values, 0.0)
            share = one.weight * (outside**one.exponent).mean(0).sum() / len(SMOOTH_TRIALS)
            terms[TERMS[one.quantity]] = terms.get(TERMS[one.quantity], 0.0) + share
    return terms


# ---- the two engines, gradients, least squares


@pytest.mark.parametrize("tendon", TENDONS)
@pytest.mark.parametrize("name", CASES)
def test_engines_agree(name, tendon):
    step = step_of(CASES[name])
    x = np.random.default_rng(1).uniform(size=len(space_of(SMOOTH_SUBJECT, step).components))
    point = check_against_tensor(SMOOTH_SUBJECT, SMOOTH_TRIALS, step, tendon, "ceinms", x)
    assert min(point.terms) > 0.0
    assert len(point.rmse) == len(DOFS)  # all of the subject, not those of the step


@pytest.mark.parametrize("tendon", TENDONS)
@pytest.mark.parametrize("name", CASES)
def test_gradient_equals_central_differences(name, tendon):
    problem, x, _ = problem_and_point(CASES[name], tendon)
    _, gradient = problem.gradient(x)
    h = 1e-6
    for i in range(len(x)):
        ahead, behind = x.copy(), x.copy()
        ahead[i] += h
        behind[i] -= h
        difference = problem.gradient(ahead)[0].objective - problem.gradient(behind)[0].objective
        # Truncation, and kinks where penalties set in: with exponent 1 the slope jumps there.
        assert difference / (2.0 * h) == pytest.approx(
            gradient[i], abs=2e-4 * np.abs(gradient).max()
        )


@pytest.mark.parametrize("name", CASES)
def test_normal_equations_are_those_of_the_residuals(name):
    problem, x, _ = problem_and_point(CASES[name], "rosenbrockElastic")
    gradient, matrix = problem.core.normal_equations(x)
    residual, jacobian = problem.residuals(x)
    expected = 2.0 * jacobian.T @ jacobian
    assert np.abs(matrix - expected).max() <= RTOL * np.abs(expected).max()
    np.testing.assert_allclose(gradient, problem.gradient(x)[1], rtol=1e-9, atol=1e-9)
    penalties = sum(value for term, value in terms_at(problem, x).items() if term != "moment")
    rest = residual[sum(problem.moment_rows) :]
    assert float(np.sum(rest**2)) == pytest.approx(penalties, rel=RTOL)


# ---- what the terms are


@st.composite
def composite_lists(draw):
    weights, exponents = st.floats(0.01, 1000.0), st.sampled_from([1.0, 1.5, 2.0, 3.0, 4.0])

    def some(names):
        chosen = draw(st.sets(st.sampled_from(names)))
        return tuple(name for name in names if name in chosen)

    errors = [
        ct.TorqueError(
            targets=some(DOFS),
            weight=draw(weights),
            exponent=draw(exponents),
            normalised=draw(st.booleans()),
        )
        for _ in range(draw(st.integers(1, 3)))
    ]
    penalties = [
        ct.RangePenalty(
            quantity=quantity,
            targets=some(MTUS),
            weight=draw(weights),
            exponent=draw(exponents),
            range=(
                EDGES[quantity][0] + draw(st.floats(-0.02, 0.0)),
                EDGES[quantity][1] + draw(st.floats(0.0, 0.05)),
            ),
        )
        for quantity in draw(st.lists(st.sampled_from(list(EDGES)), max_size=3))
    ]
    return tuple(draw(st.permutations([*errors, *penalties])))


@settings(max_examples=40)
@given(composite_lists(), st.sampled_from(TENDONS), st.integers(0, 99))
def test_every_term_is_its_formula(composites, tendon, seed):
    problem, x, space = problem_and_point(composites, tendon, seed)
    subject = space.subject_at(x)
    simulations = [ct.simulate(subject, trial, tendon=tendon) for trial in SMOOTH_TRIALS]
    expected = expected_terms(
        composites, subject, simulations, elastic=tendon == "rosenbrockElastic"
    )
    # A tiny constant under the root, and penalties that start within rounding of an edge.
    assert terms_at(problem, x) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_exponent_1_of_one_trial_is_the_sum_of_rmse_over_all_dofs():
    trial = SMOOTH_TRIALS[0]
    for dofs in (("knee",), ("ankle",), DOFS):
        step = step_of((ct.TorqueError(),), dofs=dofs)
        space = space_of(SMOOTH_SUBJECT, step)
        x = space.start()
        problem = ct.FusedProblem(SMOOTH_SUBJECT, [trial], step, space, tendon="stiff")
        point, _ = problem.gradient(x)
        fit = ct.moment_fit(trial, ct.simulate(space.subject_at(x), trial, tendon="stiff"))
        assert point.objective == pytest.approx(sum(fit[dof].rmse for dof in DOFS), rel=1e-9)
        assert point.rmse == pytest.approx([fit[dof].rmse for dof in DOFS], rel=1e-9)


def test_it_is_the_native_rmse_with_its_penalty():
    native = make_step(KINDS, normalisation="rmse", fibre_length_range=(0.97, 1.01))
    composites = (ct.TorqueError(), penalty("normalisedFibreLength", weight=100.0))
    space = space_of(SMOOTH_SUBJECT, native)
    x = np.full(len(space.components), 0.3)
    points = [
        ct.FusedProblem(SMOOTH_SUBJECT, SMOOTH_TRIALS, step, space, tendon="stiff").gradient(x)
        for step in (native, step_of(composites))
    ]
    assert points[0][0] == points[1][0]
    np.testing.assert_array_equal(points[0][1], points[1][1])


def test_constant_moments_count_where_nothing_divides_by_their_variance():
    moment = SMOOTH_TRIALS[0].measured_moment.copy()
    moment[:, 1] = 0.0
    still = dataclasses.replace(SMOOTH_TRIALS[0], measured_moment=moment)
    step = step_of((ct.TorqueError(),))
    space = space_of(SMOOTH_SUBJECT, step)
    for kind in (ct.FusedProblem, ct.TensorProblem):
        problem = kind(SMOOTH_SUBJECT, [still], step, space, tendon="stiff")
        point, gradient = problem.gradient(space.start())
        assert np.isfinite(point.objective)
        assert np.isfinite(gradient).all()


# ---- searches


def plan_of(step, algorithm, tendon="stiff"):
    return ct.CalibrationPlan(algorithm=algorithm, tendon=ct.Tendon(kind=tendon), steps=(step,))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("method", ["lm", "adamw", "lbfgs"])
def test_every_search_lowers_it(method, name):
    plan = plan_of(step_of(CASES[name]), ct.LevenbergMarquardt())
    options = {"lm": ct.LevenbergMarquardt(max_iterations=40), "adamw": ct.AdamW(max_iterations=40)}
    result = ct.calibrate(
        SMOOTH_SUBJECT,
        SMOOTH_TRIALS,
        plan,
        method=method,
        options=options.get(method, ct.Lbfgs(max_iterations=40)),
    )
    assert result.objective < 0.9 * result.history[0].objective
    assert set(result.history[0].rmse) == set(DOFS)


SEARCH = ct.SimulatedAnnealing(
    no_epsilon=4, rt=0.3, temperature=20.0, ns=3, nt=2, epsilon=1e-3, max_no_eval=600
)


@pytest.mark.parametrize("tendon", ["stiff", "equilibriumElastic"])
@pytest.mark.parametrize("name", ["published", "powers"])
def test_annealing_minimises_it_on_the_model_of_ceinms(name, tendon):
    composites = CASES[name]
    step = step_of(composites)
    plan = plan_of(step, SEARCH, tendon)
    space = ct.ParameterSpace.of(PLAIN_SUBJECT, step, plan)
    problem = LegacyProblem(PLAIN_SUBJECT, SMOOTH_TRIALS, step, space, plan)
    assert problem.term_names == ("moment", "penalty")
    values = space.values(space.start())
    point = problem.core.evaluate(values)
    simulations = [
        simulate_legacy(PLAIN_SUBJECT, one, tendon=plan.tendon).simulation for one in SMOOTH_TRIALS
    ]
    expected = expected_terms(composites, PLAIN_SUBJECT, simulations, elastic=False)
    failures = sum(problem.core.failures)
    assert failures == 0
    assert point.terms == pytest.approx(
        [expected["moment"], expected["fibre_length"]],
        rel=1e-9,
    )
    result = ct.calibrate(PLAIN_SUBJECT, SMOOTH_TRIALS, plan, method="annealing")
    assert result.objective < point.objective
    assert result.objective == pytest.approx(sum(result.terms.values()), rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "got"),
    [
        ({"composites": CASES["everything"]}, "a penalty on tendon strain"),
        ({"composites": CASES["published"], "peak_force_weight": 1.0}, "preferences"),
    ],
)
def test_annealing_says_what_it_cannot_minimise(changes, got):
    step = make_step(KINDS, normalisation="rmse", **changes)
    with pytest.raises(ct.OptionError, match=f"fibre lengths and velocities, got {got}"):
        ct.calibrate(PLAIN_SUBJECT, SMOOTH_TRIALS, plan_of(step, SEARCH), method="annealing")


def test_windows_minimise_it_over_all_dofs():
    step = step_of((ct.TorqueError(), ct.TorqueError(targets=("ankle",), exponent=2.0)))
    plan = plan_of(dataclasses.replace(step, dofs=("all",)), ct.LevenbergMarquardt())
    calibrator = ct.WindowedCalibrator(SMOOTH_SUBJECT, plan, rate=100.0, window=0.3, run_in=0.0)
    random = np.random.default_rng(4)
    for i in range(40):
        arm = np.full((len(DOFS), len(MTUS)), 0.04)
        length = [mtu.optimal_fibre_length + mtu.tendon_slack_length for mtu in SMOOTH_SUBJECT.mtus]
        excitation = random.uniform(size=len(MTUS))
        moments = [20.0 * np.sin(0.2 * i), 9.0]
        calibrator.push(excitation, np.array(length) * (1.0 + 1e-4 * i), arm, moments)
    fit = calibrator.recalibrate()
    assert fit.objective <= fit.start_objective
    assert set(fit.rmse) == set(DOFS)
