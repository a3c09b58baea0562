"""Three optimisers, two engines, one optimum: where they end, why they stop, what decides it."""

import dataclasses
import functools

import numpy as np
import pytest
from scipy.optimize import least_squares

import ceinms_torch as ct
from ceinms_torch.calibration.result import STATUS_SENTENCES
from ceinms_torch.model.parameters import PARAMETER_KINDS
from engine_cases import make_subject, make_trial

TENDONS = ("stiff", "rosenbrockElastic")
KINDS = ("shapeFactor", "optimalFibreLength", "tendonSlackLength", "strengthCoefficient")
RANGES = {"tendonSlackLength": (0.96, 1.04), "shapeFactor": (0.4, 1.8)}
METHODS = [
    (ct.LevenbergMarquardt(), "fused"),
    (ct.Lbfgs(min_improvement=1e-12, min_gradient=1e-9), "fused"),
    (ct.AdamW(max_iterations=3000, patience=300, min_improvement=1e-6), "fused"),
    (ct.Lbfgs(min_improvement=1e-12, min_gradient=1e-9), "tensor"),
    (ct.AdamW(max_iterations=100, patience=100), "tensor"),
]
NAMES = [f"{type(options).__name__}-{engine}" for options, engine in METHODS]

SUBJECT = make_subject(
    [
        {"shape_factor": -1.5},
        {"pennation_angle": 0.1, "optimal_fibre_length": 0.1, "shape_factor": -1.0},
        {"shape_factor": -2.0, "tendon_slack_length": 0.2},
    ]
)


def make_plan(kinds=KINDS, *, tendon="stiff", ranges=None, **objective):
    specs = []
    for kind in kinds:
        low, high = {**RANGES, **(ranges or {})}.get(kind, (0.6, 1.6))
        specs.append(
            ct.ParameterSpec(kind=kind, range_type="relativeToSubjectValue", low=low, high=high)
        )
    # No penalty: every optimiser sees the same rows at every point.
    objective = {"fibre_length_range": (0.01, 9.0), "tendon_strain_range": (-0.9, 9.0)} | objective
    step = ct.CalibrationStep(
        dofs=("knee", "ankle"), objective=ct.Objective(**objective), parameters=tuple(specs)
    )
    return ct.CalibrationPlan(
        algorithm=ct.LevenbergMarquardt(), tendon=ct.Tendon(kind=tendon), steps=(step,)
    )


@functools.cache
def hidden_truth(tendon, noise, step=0.02):
    """Trials whose moments a subject in the box makes, and its place in the box."""
    plan = make_plan(tendon=tendon)
    space = ct.ParameterSpace.of(SUBJECT, plan.steps[0], plan)
    random = np.random.default_rng(11)
    x = random.uniform(0.25, 0.75, size=len(space.components))
    truth = space.subject_at(x)
    trials = []
    for i, level in enumerate((0.15, 0.3, 0.5)):
        trial = make_trial(
            SUBJECT,
            f"trial{i}",
            n_step=round(0.4 / step),
            step=step,
            frequency=1.0 + i,
            phase=i,
            level=level,
            swing=0.2,
        )
        moment = ct.simulate(truth, trial, tendon=tendon).joint_moment.array
        wrong = noise * moment.std(0) * random.standard_normal(moment.shape)
        trials.append(dataclasses.replace(trial, measured_moment=moment + wrong))
    return tuple(trials), x


def problem(tendon, noise=0.0, engine="fused", plan=None, step=0.02):
    plan = plan or make_plan(tendon=tendon)
    trials, _ = hidden_truth(tendon, noise, step)
    first = plan.steps[0]
    space = ct.ParameterSpace.of(SUBJECT, first, plan)
    return ct.build_problem(SUBJECT, trials, first, space, tendon=tendon, engine=engine), space


# ---- where they end


@pytest.mark.parametrize("tendon", TENDONS)
@pytest.mark.parametrize(("options", "engine"), METHODS, ids=NAMES)
def test_truth_is_found(options, engine, tendon):
    one, space = problem(tendon, engine=engine)
    minimum = ct.minimise(one, space.start(), options)
    start = minimum.history[0].objective
    assert minimum.objective == min(point.objective for point in minimum.history)
    # 100 iterations of AdamW go far, 3000 farther; the others arrive.
    share = {METHODS[2][0]: 1e-3, METHODS[4][0]: 2e-2}.get(options, 1e-6)
    assert minimum.objective < share * start
    if isinstance(options, ct.LevenbergMarquardt):
        _, x = hidden_truth(tendon, 0.0)
        assert np.abs(minimum.x - x).max() < 1e-2


@pytest.mark.parametrize("tendon", TENDONS)
def test_all_methods_end_at_one_optimum(tendon):
    """With noise, so that the optimum is not zero; with parameters that the data determine."""
    plan = make_plan(("shapeFactor", "strengthCoefficient"), tendon=tendon)
    ends, points = {}, []
    for (options, engine), name in zip(METHODS[:4], NAMES[:4], strict=True):
        one, space = problem(tendon, 0.1, engine, plan)
        minimum = ct.minimise(one, space.start(), options)
        ends[name] = minimum.objective
        points.append(minimum.x)
    best = min(ends.values())
    assert ends["LevenbergMarquardt-fused"] <= (1.0 + 1e-6) * best, ends
    assert max(ends.values()) <= 1.001 * best, ends
    # The objective is flat along the shape factors: AdamW's last 0.1 per cent are far.
    for x in (points[1], points[3]):
        assert np.abs(x - points[0]).max() < 1e-3


@pytest.mark.parametrize("tendon", TENDONS)
def test_adamw_takes_the_same_path_on_both_engines(tendon):
    """The updates are written twice, for numbers and by torch."""
    options = ct.AdamW(max_iterations=30, patience=30, weight_decay=0.1)
    paths = []
    for engine in ("fused", "tensor"):
        one, space = problem(tendon, 0.1, engine)
        paths.append(ct.minimise(one, space.start(), options))
    first, second = paths
    assert first.status == second.status == "max_iterations"
    for a, b in zip(first.history, second.history, strict=True):
        assert a.objective == pytest.approx(b.objective, rel=1e-7)
        assert a.rmse == pytest.approx(b.rmse, rel=1e-7)
    np.testing.assert_allclose(first.x, second.x, atol=1e-6)


@pytest.mark.parametrize("noise", [0.02, 0.3])
@pytest.mark.parametrize("tendon", TENDONS)
def test_levenberg_marquardt_is_as_good_as_that_of_scipy(tendon, noise):
    """From the subject's values, and in the best that several starts find."""
    one, space = problem(tendon, noise)
    ours, theirs = [], []
    for x in space.starts(8, 3):
        ours.append(ct.minimise(one, x, ct.LevenbergMarquardt()).objective)
        result = least_squares(
            lambda x: one.residuals(x)[0],
            np.clip(x, 1e-9, 1.0 - 1e-9),
            jac=lambda x: one.residuals(x)[1],
            bounds=(0.0, 1.0),
            method="trf",
            max_nfev=400,
        )
        theirs.append(2.0 * result.cost)
    assert ours[0] <= 1.01 * theirs[0]
    assert min(ours) <= 1.01 * min(theirs)


def test_levenberg_marquardt_is_as_good_as_that_of_scipy_on_recorded_data(shared_dir):
    setup = shared_dir / "data" / "lower_limb" / "ceinms" / "calibrate_elastic.xml"
    if not setup.is_file():
        pytest.skip(f"no {setup}")
    folder = ct.CalibrationFolder.read(setup)
    wide = ct.Objective(fibre_length_range=(0.01, 9.0), tendon_strain_range=(-0.9, 9.0))
    step = dataclasses.replace(folder.plan.steps[0], objective=wide)
    space = ct.ParameterSpace.of(folder.subject, step, folder.plan)
    one = ct.build_problem(folder.subject, folder.trials, step, space, tendon="rosenbrockElastic")
    ours = ct.minimise(one, space.start(), ct.LevenbergMarquardt()).objective
    result = least_squares(
        lambda x: one.residuals(x)[0],
        np.clip(space.start(), 1e-9, 1.0 - 1e-9),
        jac=lambda x: one.residuals(x)[1],
        bounds=(0.0, 1.0),
        method="trf",
        max_nfev=200,
    )
    assert ours <= 1.01 * 2.0 * result.cost


@pytest.mark.parametrize("normalisation", ["variance", "meanSquare", "rmse"])
@pytest.mark.parametrize("tendon", TENDONS)
def test_bounds_are_exact(tendon, normalisation):
    """The truth is outside the box: the optimum is on its faces, and not beyond."""
    narrow = {"strengthCoefficient": (0.99, 1.01), "tendonSlackLength": (0.999, 1.001)}
    plan = make_plan(tendon=tendon, ranges=narrow, normalisation=normalisation)
    values = {}
    for (options, engine), name in zip(METHODS[:4], NAMES[:4], strict=True):
        # So short that no step of the tendon is divided: there the objective would jump, and a line
        # search end.
        one, space = problem(tendon, 0.0, engine, plan, step=0.01)
        minimum = ct.minimise(one, space.start(), options)
        assert minimum.x.min() >= 0.0
        assert minimum.x.max() <= 1.0
        at_bound = (minimum.x == 0.0) | (minimum.x == 1.0)
        assert at_bound.sum() >= 3, name
        subject = space.subject_at(minimum.x)
        for component, x in zip(space.components, minimum.x, strict=True):
            row = PARAMETER_KINDS.index(component.kind)
            value = subject.parameters()[row, SUBJECT.mtu_index(component.mtu_names[0])]
            assert component.lower <= value <= component.upper
            if x in (0.0, 1.0):
                assert value in (component.lower, component.upper)
        values[name] = minimum.objective
    assert values["LevenbergMarquardt-fused"] <= 1.001 * min(values.values()), values


def test_graphs_that_are_switched_off_elsewhere_are_on_here(tiny_folder):
    torch = pytest.importorskip("torch")
    folder = ct.CalibrationFolder.read(tiny_folder / "calibrationSetup.xml")
    options = ct.AdamW(max_iterations=3)
    expected = ct.calibrate(folder, options=options, engine="tensor")
    with torch.no_grad():
        found = ct.calibrate(folder, options=options, engine="tensor")
    assert found.objective == expected.objective


# ---- why they stop


def test_stops_at_the_truth_at_once():
    one, _ = problem("stiff")
    _, x = hidden_truth("stiff", 0.0)
    minimum = ct.minimise(one, x, ct.LevenbergMarquardt(min_improvement=0.0, patience=100))
    assert minimum.status in ("converged_gradient", "converged_step")
    assert minimum.objective < 1e-20


@pytest.mark.parametrize(
    ("options", "status"),
    [
        (ct.LevenbergMarquardt(max_iterations=2), "max_iterations"),
        (ct.LevenbergMarquardt(min_improvement=0.5, patience=2), "converged"),
        (ct.LevenbergMarquardt(min_gradient=1e3), "converged_gradient"),
        (ct.LevenbergMarquardt(min_step=0.9), "converged_step"),
        (ct.AdamW(max_iterations=2), "max_iterations"),
        (ct.AdamW(min_improvement=0.9, patience=2), "converged"),
        (ct.Lbfgs(max_iterations=2), "max_iterations"),
        (ct.Lbfgs(min_improvement=0.5), "converged"),
    ],
    ids=str,
)
def test_reasons_to_stop(options, status):
    one, space = problem("stiff", 0.1)
    minimum = ct.minimise(one, space.start(), options)
    assert minimum.status == status
    assert status in STATUS_SENTENCES
    iterations = [point.iteration for point in minimum.history]
    assert iterations == list(range(len(iterations)))
    if status == "max_iterations":
        assert iterations[-1] == 2
    evaluations = [point.evaluations for point in minimum.history]
    assert evaluations == sorted(evaluations)
    assert evaluations[0] == 1
    assert minimum.evaluations >= evaluations[-1]


@pytest.mark.parametrize("min_improvement", [0.05, 0.3])
def test_adamw_stops_alike_everywhere(min_improvement):
    """Compiled, by LibTorch, and by torch with variables beside the parameters: one rule."""
    options = ct.AdamW(min_improvement=min_improvement, patience=3, max_iterations=100)
    plan = make_plan()
    trials, _ = hidden_truth("stiff", 0.1)
    results = [
        ct.calibrate(SUBJECT, trials, plan, options=options, engine=engine, starts=1)
        for engine in ("fused", "tensor")
    ]
    results.append(
        ct.calibrate_with_loss(
            SUBJECT, trials, plan, lambda state: state.objective(), options=options
        )
    )
    assert {result.status for result in results} == {"converged"}
    assert len({result.iterations for result in results}) == 1
    assert 3 < results[0].iterations < 100


HOPELESS = {"fibre_length_range": (0.01, 0.02), "fibre_length_weight": 3000.0}


def stalled_at(history, options, least=0.0, *, watches=("objective", "moment")):
    """The iteration at which nothing that is watched has fallen by enough for too long."""
    patience = getattr(options, "patience", 1)
    best = history[0]
    seen = {}
    for point in history:
        best = min(best, point, key=lambda one: one.objective)
        values = {"objective": best.objective, "moment": best.terms[0]}
        for name in watches:
            reference, _ = seen.get(name, (np.inf, 0))
            enough = options.min_improvement * max(reference, least) if seen.get(name) else 0.0
            if values[name] < reference - enough:
                seen[name] = values[name], point.iteration
        if all(point.iteration - since >= patience for _, since in seen.values()):
            return point.iteration
    return None


@pytest.mark.parametrize(
    ("options", "engine"),
    [
        (ct.LevenbergMarquardt(min_improvement=0.01, patience=1), "fused"),
        (ct.AdamW(min_improvement=0.02, patience=5), "fused"),
        (ct.AdamW(min_improvement=0.02, patience=5), "tensor"),
        (ct.Lbfgs(min_improvement=0.01), "fused"),
    ],
    ids=lambda one: one if isinstance(one, str) else one.method,
)
def test_moments_are_watched_apart_from_penalties(options, engine):
    """A penalty that no strength can mend hides that the moments still fall."""
    plan = make_plan(("shapeFactor", "strengthCoefficient"), **HOPELESS)
    one, space = problem("stiff", 0.1, engine, plan)
    minimum = ct.minimise(one, space.start(), options)
    assert minimum.status == "converged"
    assert minimum.terms[1] > 100.0 * minimum.terms[0]
    least = 1.0 if options.method == "lbfgs" else 0.0
    end = minimum.history[-1].iteration
    assert stalled_at(minimum.history, options, least) == end
    alone = stalled_at(minimum.history, options, least, watches=("objective",))
    assert alone < end
    assert minimum.terms[0] < 0.999 * minimum.history[alone].terms[0]


def test_absolute_improvement_is_of_the_objective_alone():
    """As in files of the paper's calibrator, whose words are kept."""
    plan = make_plan(**HOPELESS)
    one, space = problem("stiff", 0.1, plan=plan)
    options = ct.AdamW(min_improvement=1.0, patience=5, improvement="absolute")
    minimum = ct.minimise(one, space.start(), options)
    best = np.minimum.accumulate([point.objective for point in minimum.history])
    assert best[-6] - best[-1] < 1.0
    assert minimum.status == "converged"


def test_steps_stay_long_while_they_lead_down():
    """With a rate that decays always, no parameter gets farther than the rates sum up to."""
    plan = make_plan(("strengthCoefficient",), ranges={"strengthCoefficient": (0.5, 50.0)})
    one, space = problem("stiff", 0.0, plan=plan)
    start = space.starts(1, 3, random=True)[0]
    options = ct.AdamW(learning_rate=0.002, learning_rate_decay=0.9, max_iterations=60)
    moved = [
        np.abs(ct.minimise(one, start, dataclasses.replace(options, decay_when=when)).x - start)
        for when in ("always", "stalled")
    ]
    assert moved[0].max() < 0.002 * 10 + 60 * options.min_learning_rate
    assert moved[1].max() > 0.9 * 60 * 0.002


@pytest.mark.parametrize(("options", "engine"), METHODS, ids=NAMES)
def test_interrupt_keeps_the_best(options, engine):
    one, space = problem("stiff", 0.1, engine)
    seen = []

    def callback(point):
        seen.append(point)
        if point.iteration == 3:
            raise KeyboardInterrupt

    minimum = ct.minimise(one, space.start(), options, callback)
    assert minimum.status == "interrupted"
    assert [point.objective for point in seen] == [p.objective for p in minimum.history]
    assert minimum.objective == min(point.objective for point in seen)
    again, _ = one.gradient(minimum.x)
    assert again.objective == pytest.approx(minimum.objective, rel=1e-12)


@pytest.mark.parametrize(("options", "engine"), METHODS, ids=NAMES)
def test_other_exceptions_come_through(options, engine):
    one, space = problem("stiff", 0.1, engine)

    def fail(point):
        raise LookupError(f"at {point.iteration}")

    with pytest.raises(LookupError, match="at 0"):
        ct.minimise(one, space.start(), options, fail)


@pytest.mark.parametrize(("options", "engine"), METHODS, ids=NAMES)
def test_objective_that_is_not_finite(options, engine):
    plan = make_plan()
    trials, _ = hidden_truth("stiff", 0.0)
    # Finite, and too long for its square.
    trial = dataclasses.replace(trials[0], mtu_length=np.full_like(trials[0].mtu_length, 1e200))
    step = plan.steps[0]
    space = ct.ParameterSpace.of(SUBJECT, step, plan)
    one = ct.build_problem(SUBJECT, (trial,), step, space, tendon="stiff", engine=engine)
    minimum = ct.minimise(one, space.start(), options)
    assert minimum.status == "not_finite"
    assert minimum.history == ()


def test_levenberg_marquardt_needs_the_fused_engine():
    one, space = problem("stiff", engine="tensor")
    with pytest.raises(ct.OptionError, match="Levenberg-Marquardt needs the fused engine"):
        ct.minimise(one, space.start(), ct.LevenbergMarquardt())


# ---- what decides the result


def path(result):
    return [(point.objective, point.terms, point.rmse) for point in result.history]


@pytest.mark.parametrize(("options", "engine"), METHODS, ids=NAMES)
def test_same_start_gives_the_same_path(options, engine):
    options = dataclasses.replace(options, max_iterations=15)
    one, space = problem("rosenbrockElastic", 0.1, engine)
    first = ct.minimise(one, space.start(), options)
    ct.minimise(one, space.starts(2, 1)[1], options)
    again = ct.minimise(one, space.start(), options)
    assert path(first) == path(again)
    np.testing.assert_array_equal(first.x, again.x)


@pytest.mark.parametrize("starts", [1, 6])
@pytest.mark.parametrize("polish", [False, True])
@pytest.mark.parametrize("options", [options for options, engine in METHODS if engine == "fused"])
def test_number_of_threads_does_not_matter(options, polish, starts):
    plan = make_plan(tendon="rosenbrockElastic")
    trials, _ = hidden_truth("rosenbrockElastic", 0.1)
    options = dataclasses.replace(options, max_iterations=60)
    results = [
        ct.calibrate(
            SUBJECT,
            trials,
            plan,
            options=options,
            polish=polish,
            starts=starts,
            seed=4,
            threads=threads,
        )
        for threads in (1, 2, 3)
    ]
    for result in results[1:]:
        assert path(result) == path(results[0])
        np.testing.assert_array_equal(result.subject.parameters(), results[0].subject.parameters())
        ends = [[s.objective for s in one.steps[0].starts] for one in (result, results[0])]
        assert ends[0] == ends[1]


def test_seed_decides_the_other_starts():
    plan = make_plan()
    trials, _ = hidden_truth("stiff", 0.1)
    ends = [
        [
            one.objective
            for one in ct.calibrate(
                SUBJECT,
                trials,
                plan,
                options=ct.LevenbergMarquardt(max_iterations=3),
                starts=5,
                seed=seed,
            )
            .steps[0]
            .starts
        ]
        for seed in (1, 1, 2)
    ]
    assert ends[0] == ends[1]
    # All but the first, which has the subject's own values.
    assert all(a != b for a, b in zip(ends[0][1:], ends[2][1:], strict=True))


@pytest.mark.parametrize("tendon", TENDONS)
def test_several_starts_are_not_worse_than_one(tendon):
    plan = make_plan(tendon=tendon)
    trials, _ = hidden_truth(tendon, 0.1)
    one, many = (ct.calibrate(SUBJECT, trials, plan, starts=n, seed=2) for n in (1, 8))
    assert many.objective <= one.objective * (1.0 + 1e-5)
    step = many.steps[0]
    assert len(step.starts) == 8
    assert many.objective == min(start.objective for start in step.starts)
    assert sum(start.finished for start in step.starts) == 2


@pytest.mark.parametrize("options", [ct.AdamW(max_iterations=20), ct.Lbfgs(max_iterations=5)])
@pytest.mark.parametrize("tendon", TENDONS)
def test_polish_goes_on_from_the_best_point(options, tendon):
    plan = make_plan(tendon=tendon)
    trials, _ = hidden_truth(tendon, 0.1)
    rough, polished = (
        ct.calibrate(SUBJECT, trials, plan, options=options, polish=polish)
        for polish in (False, True)
    )
    assert polished.objective < rough.objective
    assert path(polished)[: len(rough.history)] == path(rough)
    assert polished.polished
    iterations = [point.iteration for point in polished.history]
    assert iterations == list(range(len(iterations)))
    plain = ct.calibrate(SUBJECT, trials, plan)
    assert polished.objective <= 1.001 * plain.objective
