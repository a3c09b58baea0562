"""Terms that prefer one good fit to another: low peak of force, priors, coherence of groups."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ceinms_torch as ct
from ceinms_torch.calibration.problems.linear_terms import linear_terms
from ceinms_torch.model.parameters import PARAMETER_KINDS
from engine_cases import SMOOTH_SUBJECT, SMOOTH_TRIALS
from problem_cases import NARROW, RTOL, check_against_tensor, make_step, space_of

GROUPS = (("mtu0", "mtu1", "mtu2"), ("mtu1", "mtu2"))
PREFERENCES = {
    "peak_force": {"peak_force_weight": 0.7},
    "parameter_prior": {"parameter_prior_weight": 0.4},
    "group_coherence": {"group_coherence_weight": 3.0, "group_coherence_muscles": GROUPS},
}
ALL = {name: value for one in PREFERENCES.values() for name, value in one.items()}
KINDS = ["c1", "shapeFactor", "optimalFibreLength", "tendonSlackLength", "strengthCoefficient"]
TENDONS = ("stiff", "rosenbrockElastic")


def problem_and_point(*, tendon="rosenbrockElastic", seed=3, kinds=KINDS, **objective):
    step = make_step(kinds, **{**NARROW, **objective})
    space = space_of(SMOOTH_SUBJECT, step)
    problem = ct.FusedProblem(SMOOTH_SUBJECT, SMOOTH_TRIALS, step, space, tendon=tendon)
    x = np.random.default_rng(seed).uniform(0.1, 0.9, size=len(space.components))
    return problem, x, space


def terms_at(problem, x):
    point, _ = problem.gradient(x)
    return dict(zip(problem.term_names, point.terms, strict=True))


# ---- the two engines, gradients, least squares


@pytest.mark.parametrize("tendon", TENDONS)
@pytest.mark.parametrize("normalisation", ["variance", "meanSquare", "rmse"])
@pytest.mark.parametrize("name", [*PREFERENCES, "all"])
def test_engines_agree(name, normalisation, tendon):
    preferences = PREFERENCES.get(name, ALL)
    step = make_step(normalisation=normalisation, **NARROW, **preferences)
    x = np.random.default_rng(1).uniform(size=len(space_of(SMOOTH_SUBJECT, step).components))
    point = check_against_tensor(SMOOTH_SUBJECT, SMOOTH_TRIALS, step, tendon, "ceinms", x)
    assert min(point.terms) > 0.0
    penalties = 2 if tendon == "stiff" else 3
    assert len(point.terms) == penalties + (len(PREFERENCES) if name == "all" else 1)


@pytest.mark.parametrize("tendon", TENDONS)
@pytest.mark.parametrize("name", [*PREFERENCES, "all"])
def test_gradient_equals_central_differences(name, tendon):
    problem, x, _ = problem_and_point(tendon=tendon, **PREFERENCES.get(name, ALL))
    _, gradient = problem.gradient(x)
    h = 1e-5
    for i in range(len(x)):
        ahead, behind = x.copy(), x.copy()
        ahead[i] += h
        behind[i] -= h
        difference = problem.gradient(ahead)[0].objective - problem.gradient(behind)[0].objective
        # Truncation, and the kink of the curvature where a penalty sets in.
        assert difference / (2.0 * h) == pytest.approx(
            gradient[i], abs=2e-6 * np.abs(gradient).max()
        )


@pytest.mark.parametrize("normalisation", ["variance", "rmse"])
@pytest.mark.parametrize("tendon", TENDONS)
def test_normal_equations_are_those_of_the_residuals(tendon, normalisation):
    problem, x, _ = problem_and_point(tendon=tendon, normalisation=normalisation, **ALL)
    gradient, matrix = problem.core.normal_equations(x)
    residual, jacobian = problem.residuals(x)
    expected = 2.0 * jacobian.T @ jacobian
    assert np.abs(matrix - expected).max() <= RTOL * np.abs(expected).max()
    np.testing.assert_allclose(gradient, problem.gradient(x)[1], rtol=1e-9, atol=1e-9)
    n_moment = sum(problem.moment_rows)
    terms = terms_at(problem, x)
    without_moments = sum(value for name, value in terms.items() if name != "moment")
    assert float(np.sum(residual[n_moment:] ** 2)) == pytest.approx(without_moments, rel=RTOL)


# ---- what the terms are


def test_variance_is_maximum_r2():
    """The moment term is the sum over trials and DOFs of (n - 1) / n (1 - R²)."""
    problem, x, space = problem_and_point()
    subject = space.subject_at(x)
    expected = 0.0
    for trial in SMOOTH_TRIALS:
        simulation = ct.simulate(subject, trial, tendon="rosenbrockElastic")
        n = len(trial.time)
        for fit in ct.moment_fit(trial, simulation).values():
            expected += (n - 1) / n * (1.0 - fit.r2)
    assert terms_at(problem, x)["moment"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("normalisation", "scale"), [("variance", 2), ("rmse", 1 / 2)])
def test_peak_force_is_what_it_says(normalisation, scale):
    """Summed over trials and once per DOF, or averaged over trials."""
    problem, x, space = problem_and_point(normalisation=normalisation, peak_force_weight=0.7)
    capacity = sum(mtu.max_isometric_force for mtu in SMOOTH_SUBJECT.mtus)
    expected = 0.0
    for trial in SMOOTH_TRIALS:
        simulation = ct.simulate(space.subject_at(x), trial, tendon="rosenbrockElastic")
        share = np.sum(simulation.mtu_force.array, axis=1) / capacity
        peak = np.mean(share**8) ** (1 / 8)
        assert 0.8 * share.max() < peak <= share.max()
        expected += 0.7 * scale * peak**2
    assert terms_at(problem, x)["peak_force"] == pytest.approx(expected, rel=1e-9)


def test_silent_muscles_have_no_peak():
    silent = [
        dataclasses.replace(trial, excitation=np.zeros_like(trial.excitation))
        for trial in SMOOTH_TRIALS
    ]
    step = make_step(["maxIsometricForce"], peak_force_weight=1.0)
    space = space_of(SMOOTH_SUBJECT, step)
    dead = dataclasses.replace(
        space,
        components=tuple(
            dataclasses.replace(one, lower=0.0, upper=one.start) for one in space.components
        ),
    )
    x = np.zeros(len(dead.components))
    for kind in (ct.FusedProblem, ct.TensorProblem):
        problem = kind(SMOOTH_SUBJECT, silent, step, dead, tendon="stiff")
        point, gradient = problem.gradient(x)
        assert terms_at(problem, x)["peak_force"] == pytest.approx(0.0, abs=1e-12)
        assert np.isfinite(point.objective)
        assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize(("normalisation", "scale"), [("variance", 4), ("meanSquare", 1)])
def test_prior_is_the_mean_squared_distance_from_the_start(normalisation, scale):
    problem, x, space = problem_and_point(normalisation=normalisation, parameter_prior_weight=0.4)
    distances = [
        (value - one.start) / max(one.upper - one.start, one.start - one.lower)
        for value, one in zip(space.values(x), space.components, strict=True)
    ]
    expected = 0.4 * scale * np.mean(np.square(distances))
    assert terms_at(problem, x)["parameter_prior"] == pytest.approx(expected, rel=1e-12)


def prior_at(step, subject, value_of):
    """The prior where every parameter is at a share of the way from start to farther bound."""
    space = space_of(subject, step)
    terms = linear_terms(step, space, 1)
    if not terms:
        return 0.0
    (term,) = terms
    x = space.shares([value_of(one) for one in space.components])
    return float(np.sum((term.matrix @ x - term.offset) ** 2))


def farther(one, share):
    """Return the value at a share of the way to the bound that is farther from the start."""
    bound = max((one.lower, one.upper), key=lambda bound: abs(bound - one.start))
    return one.start + share * (bound - one.start)


def with_specs(step, **changes):
    specs = tuple(dataclasses.replace(one, **changes) for one in step.parameters)
    return dataclasses.replace(step, parameters=specs)


@settings(max_examples=30, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, unique=True),
    scope=st.sampled_from(["single", "global"]),
    share=st.floats(0.0, 1.0),
)
def test_prior_does_not_depend_on_the_number_of_parameters(kinds, scope, share):
    """Kinds, MTUs, shared values: where all are as far away, it is the same."""
    step = make_step(kinds, scope=scope, parameter_prior_weight=0.4)
    found = prior_at(step, SMOOTH_SUBJECT, lambda one: farther(one, share))
    assert found == pytest.approx(0.4 * 2 * share**2, rel=1e-9, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(
    low=st.sampled_from([0.0, 1e-9, 1e-4, 0.5]),
    high=st.sampled_from([1e-9, 1e-4, 0.5]),
    share=st.floats(0.0, 1.0),
)
def test_prior_knows_narrow_and_one_sided_ranges(low, high, share):
    """A bound on one side does not change the pull on the other, and a narrow range is one."""
    step = make_step(["strengthCoefficient"], parameter_prior_weight=1.0)
    step = with_specs(step, low=1.0 - min(low, high), high=1.0 + high)
    found = prior_at(step, SMOOTH_SUBJECT, lambda one: one.start * (1.0 + share * high))
    # A range of 1e-9 is known to some digits.
    assert found == pytest.approx(2 * share**2, rel=1e-5, abs=1e-6)


def test_a_range_without_width_has_no_prior():
    step = make_step(["strengthCoefficient", "optimalFibreLength"], parameter_prior_weight=1.0)
    stuck, free = step.parameters
    step = dataclasses.replace(
        step, parameters=(dataclasses.replace(stuck, low=1.0, high=1.0), free)
    )
    assert prior_at(step, SMOOTH_SUBJECT, lambda one: farther(one, 1.0)) == pytest.approx(2.0)
    step = with_specs(step, low=1.0, high=1.0)
    assert prior_at(step, SMOOTH_SUBJECT, lambda one: one.start) == 0.0


def test_kinds_and_muscles_have_weights_and_centres_of_their_own():
    step = make_step(["optimalFibreLength", "strengthCoefficient"], parameter_prior_weight=0.4)
    length, strength = step.parameters
    priors = (
        ct.Prior(weight=3.0, muscles=("mtu0",)),
        ct.Prior(centre=0.9, muscles=("mtu1",)),
        ct.Prior(weight=2.0, centre=1.1),
    )
    step = dataclasses.replace(
        step, parameters=(dataclasses.replace(length, priors=priors), strength)
    )
    space = space_of(SMOOTH_SUBJECT, step)
    (term,) = linear_terms(step, space, 1)
    x = np.random.default_rng(0).uniform(size=len(space.components))
    expected = 0.0
    for one, value in zip(space.components, space.values(x), strict=True):
        weight, factor = 0.4, 1.0
        if one.kind == "optimalFibreLength":
            own = {"mtu0": (3.0, 1.1), "mtu1": (2.0, 0.9)}
            weight, factor = own.get(one.mtu_names[0], (2.0, 1.1))
        centre = factor * one.start
        reach = max(one.upper - centre, centre - one.lower)
        expected += weight * ((value - centre) / reach) ** 2
    expected *= 2 / len(space.components)
    assert np.sum((term.matrix @ x - term.offset) ** 2) == pytest.approx(expected, rel=1e-12)


def test_a_prior_of_a_kind_needs_none_for_all():
    step = with_specs(make_step(KINDS), priors=(ct.Prior(weight=0.4),))
    x = np.random.default_rng(1).uniform(size=len(space_of(SMOOTH_SUBJECT, step).components))
    point = check_against_tensor(SMOOTH_SUBJECT, SMOOTH_TRIALS, step, "stiff", "ceinms", x)
    general = make_step(KINDS, parameter_prior_weight=0.4)
    space = space_of(SMOOTH_SUBJECT, general)
    other = ct.FusedProblem(SMOOTH_SUBJECT, SMOOTH_TRIALS, general, space, tendon="stiff")
    assert point.objective == pytest.approx(other.gradient(x)[0].objective, rel=RTOL)
    assert step.without_preferences() == make_step(KINDS)
    silent = with_specs(general, priors=(ct.Prior(weight=0.0),))
    assert linear_terms(silent, space, 1) == []


def test_a_shared_value_has_one_prior():
    priors = (ct.Prior(weight=1.0, muscles=("mtu0",)),)
    step = with_specs(make_step(["strengthCoefficient"], scope="global"), priors=priors)
    message = "prior of strengthCoefficient: expected the same for mtu0, .*, which share a value"
    with pytest.raises(ct.OptionError, match=message):
        linear_terms(step, space_of(SMOOTH_SUBJECT, step), 1)


@pytest.mark.parametrize(
    ("priors", "message"),
    [
        ((ct.Prior(), ct.Prior()), "expected one for all others, got 2"),
        (
            (ct.Prior(muscles=("mtu0", "mtu1")), ct.Prior(muscles=("mtu1",))),
            "expected one for mtu1, got 2",
        ),
        ((ct.Prior(centre=0.05),), "expected a centre within the range, 0.7 to 1.4, got 0.05"),
    ],
)
def test_priors_that_contradict_are_refused(priors, message):
    with pytest.raises(ct.OptionError, match=f"prior of strengthCoefficient: {message}"):
        with_specs(make_step(["strengthCoefficient"]), priors=priors)


def test_annealing_refuses_priors():
    step = with_specs(make_step(["strengthCoefficient"]), priors=(ct.Prior(weight=1.0),))
    search = ct.SimulatedAnnealing(
        no_epsilon=4, rt=0.3, temperature=20.0, ns=3, nt=2, epsilon=1e-3, max_no_eval=60
    )
    plan = ct.CalibrationPlan(algorithm=search, tendon=ct.Tendon(kind="stiff"), steps=(step,))
    with pytest.raises(ct.OptionError, match="expected no <prior>, with annealing"):
        ct.calibrate(SMOOTH_SUBJECT, SMOOTH_TRIALS, plan, method="annealing")


def test_prior_does_not_move_c1_and_c2_apart():
    """Their search starts apart where they are equal; the prior is about the subject itself."""
    step = make_step(["c1", "c2"], parameter_prior_weight=1.0)
    mtus = tuple(dataclasses.replace(mtu, c1=-0.3, c2=-0.3) for mtu in SMOOTH_SUBJECT.mtus)
    space = space_of(dataclasses.replace(SMOOTH_SUBJECT, mtus=mtus), step)
    (term,) = linear_terms(step, space, 1)
    at_subject = np.array(
        [(one.start - one.lower) / (one.upper - one.lower) for one in space.components]
    )
    np.testing.assert_allclose(term.matrix @ at_subject, term.offset, rtol=1e-12)
    assert np.abs(term.matrix @ space.start() - term.offset).min() > 0.01


def test_coherence_is_the_spread_of_changes():
    """Relative to the start for lengths, in ranges for c1; every group and kind by itself."""
    problem, x, space = problem_and_point(
        kinds=["c1", "optimalFibreLength"],
        group_coherence_weight=3.0,
        group_coherence_muscles=GROUPS,
    )
    changes = {}
    for one, value in zip(space.components, space.values(x).tolist(), strict=True):
        by = one.upper - one.lower if one.kind == "c1" else one.start
        changes[one.kind, one.mtu_names[0]] = (value - one.start) / by
    expected = 0.0
    for group in GROUPS:
        for kind in ("c1", "optimalFibreLength"):
            some = np.array([changes[kind, name] for name in group])
            expected += 4 * 3.0 * np.sum((some - some.mean()) ** 2)
    assert terms_at(problem, x)["group_coherence"] == pytest.approx(expected, rel=1e-12)


def test_what_cannot_change_has_no_change():
    step = make_step(
        ["strengthCoefficient"], group_coherence_weight=1.0, group_coherence_muscles=GROUPS[:1]
    )
    space = space_of(SMOOTH_SUBJECT, step)
    first, *others = space.components
    stuck = dataclasses.replace(first, lower=first.start, upper=first.start)
    (term,) = linear_terms(step, dataclasses.replace(space, components=(stuck, *others)), 1)
    assert not term.matrix[:, 0].any()
    # Relative to the range where the start is zero.
    none = dataclasses.replace(first, start=0.0, lower=0.0, upper=2.0)
    (term,) = linear_terms(step, dataclasses.replace(space, components=(none, *others)), 1)
    assert np.isfinite(term.matrix).all()
    assert term.matrix[:, 0].any()


def step_with_shared_strength(groups):
    """One strength of mtu0 and mtu1, one of mtu2; these groups are to stay together."""
    objective = {"group_coherence_weight": 1.0, "group_coherence_muscles": groups}
    step = make_step(["strengthCoefficient"], **objective)
    shared = {"scope": "muscleGroups", "groups": (("mtu0", "mtu1"), ("mtu2",))}
    spec = dataclasses.replace(step.parameters[0], **shared)
    return dataclasses.replace(step, parameters=(spec,))


def test_coherence_counts_a_shared_value_once():
    step = step_with_shared_strength(GROUPS[:1])
    (term,) = linear_terms(step, space_of(SMOOTH_SUBJECT, step), 1)
    assert term.matrix.shape == (2, 2)
    np.testing.assert_allclose(term.matrix.sum(axis=0), 0.0, atol=1e-12)


@pytest.mark.parametrize("groups", [(("mtu0", "mtu1"),), (("mtu0", "mtu2"), ("mtu0", "mtu1"))])
def test_group_without_values_of_its_own_is_refused(groups):
    step = step_with_shared_strength(groups)
    message = r"groupCoherence of 'mtu0 mtu1': expected at least two muscles, .*, got one or none"
    with pytest.raises(ct.OptionError, match=message):
        linear_terms(step, space_of(SMOOTH_SUBJECT, step), 1)


def test_balance_does_not_depend_on_the_number_of_trials():
    twice = [
        *SMOOTH_TRIALS,
        *(dataclasses.replace(one, name=f"{one.name} 2") for one in SMOOTH_TRIALS),
    ]
    for normalisation, factor in (("variance", 2.0), ("meanSquare", 1.0), ("rmse", 1.0)):
        problem, x, space = problem_and_point(normalisation=normalisation, **ALL)
        step = make_step(KINDS, normalisation=normalisation, **NARROW, **ALL)
        other = ct.FusedProblem(SMOOTH_SUBJECT, twice, step, space, tendon="rosenbrockElastic")
        terms = terms_at(problem, x)
        assert terms_at(other, x) == pytest.approx(
            {name: factor * value for name, value in terms.items()}, rel=RTOL
        )


def test_unknown_muscle_of_a_group_is_refused():
    step = make_step(KINDS, group_coherence_weight=1.0, group_coherence_muscles=(("mtu0", "mtu9"),))
    with pytest.raises(ct.DataError, match="expected the name of an MTU, got 'mtu9'"):
        linear_terms(step, space_of(SMOOTH_SUBJECT, step), 1)


# ---- what calibrations make of them


@pytest.fixture(scope="module")
def gait(gait_folder):
    return ct.CalibrationFolder.read(gait_folder / "calibrate.xml")


def calibrated(folder, **options):
    objective = ct.Objective(**options)
    return ct.calibrate(folder.subject, folder.trials, folder.plan, objective=objective)


def distances(result):
    """How far every parameter is from where it started, in ranges."""
    (step,) = result.steps
    space = step.space
    start = np.array([one.start for one in space.components])
    return np.abs(space.values(step.x) - start) / (space.upper - space.lower)


def test_without_weights_nothing_changes(gait):
    plain = calibrated(gait)
    groups = (("gasmed_r", "gaslat_r"),)
    same = calibrated(gait, group_coherence_muscles=groups)
    assert list(plain.terms) == list(same.terms) == ["moment", "fibre_length", "tendon_strain"]
    np.testing.assert_array_equal(plain.steps[0].x, same.steps[0].x)


def test_prior_keeps_parameters_at_the_start_unless_the_data_insist(gait):
    results = [calibrated(gait, parameter_prior_weight=10.0**power) for power in (-4, -1, 2, 6)]
    norms = [float(np.linalg.norm(distances(result))) for result in results]
    assert norms == sorted(norms, reverse=True)
    assert norms[-1] < 1e-3
    moments = [result.terms["moment"] for result in results]
    assert moments == sorted(moments)


def test_prior_is_about_the_subject_wherever_the_search_begins(gait):
    objective = ct.Objective(parameter_prior_weight=3.0)
    results = [
        ct.calibrate(
            gait.subject, gait.trials, gait.plan, objective=objective, start="random", seed=seed
        )
        for seed in (1, 2)
    ]
    for result in results:
        assert result.objective < 0.3
    first, second = (result.steps[0].x for result in results)
    # Two minima of noise-free data are less alike than this without it.
    assert np.abs(first - second).max() < 0.02


def test_coherence_keeps_a_group_together(gait):
    group = ("recfem_r", "vaslat_r", "vasmed_r", "vasint_r")

    def spread(result):
        columns = [result.subject.mtu_index(name) for name in group]
        rows = [PARAMETER_KINDS.index(k) for k in ("optimalFibreLength", "tendonSlackLength")]
        ratio = result.subject.parameters()[rows] / gait.subject.parameters()[rows]
        return float(ratio[:, columns].std(axis=1).max())

    apart = calibrated(gait)
    options = {"group_coherence_muscles": (group,)}
    near = calibrated(gait, group_coherence_weight=0.01, **options)
    together = calibrated(gait, group_coherence_weight=1.0, **options)
    assert spread(apart) > 0.02
    assert spread(together) < 1e-3 < spread(near) < 0.8 * spread(apart)


def test_low_peak_costs_little(gait):
    def peaks(result):
        return [one.mtu_force.array.sum(axis=1).max() for one in result.simulations.values()]

    def worst(result):
        return max(fit.rmse for one in result.fit.values() for fit in one.values())

    plain, low = calibrated(gait), calibrated(gait, peak_force_weight=0.3)
    assert all(b < 0.97 * a for a, b in zip(peaks(plain), peaks(low), strict=True))
    assert worst(low) < 3.0


def test_preferences_are_no_data(gait):
    """Standard errors are those of the moments alone."""
    plain = gait.plan.steps[0]
    space = ct.ParameterSpace.of(gait.subject, plain, gait.plan)
    options = {**ALL, "parameter_prior_weight": 1e4}
    options["group_coherence_muscles"] = (("gasmed_r", "gaslat_r"),)
    found = []
    for objective in (plain.objective, ct.Objective(**options)):
        step = dataclasses.replace(plain, objective=objective)
        problem = ct.FusedProblem(
            gait.subject, gait.trials, step, space, tendon="rosenbrockElastic"
        )
        found.append(ct.identifiability(problem, space, space.start()))
    assert found[0] == found[1]
    assert found[0].unidentifiable
