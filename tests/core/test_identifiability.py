"""Standard errors for what the data determine, and for nothing else."""

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import ceinms_torch as ct
from ceinms_torch.calibration.parameter_space import Component
from ceinms_torch.calibration.spread import parameter_spread, student_quantile
from ceinms_torch.io.plain import plain
from engine_cases import make_subject, make_trial

GAIT = Path(__file__).resolve().parents[2] / "subjects" / "gait"
TENDON = "rosenbrockElastic"
N_REPETITION = 100
NOISE = 0.02  # of each moment's standard deviation


class LinearProblem:
    """Residuals that are exactly linear: e + J x."""

    def __init__(self, residual, jacobian, rows):
        self.moment_rows = rows
        self._result = residual, jacobian

    def residuals(self, _):
        return self._result


def linear_space(n, *, kind="optimalFibreLength", width=2.0):
    subject = make_subject([{}] * n)
    components = tuple(
        Component(kind=kind, mtu_names=(f"mtu{i}",), lower=1.0, upper=1.0 + width, start=1.0)
        for i in range(n)
    )
    return ct.ParameterSpace(subject=subject, components=components)


def spec(kind, low, high, *, relative=False, scope="single", groups=()):
    return ct.ParameterSpec(
        kind=kind,
        scope=scope,
        groups=groups,
        range_type="relativeToSubjectValue" if relative else "absolute",
        low=low,
        high=high,
    )


def make_problem(subject, trials, specs, dofs=("knee", "ankle")):
    plan = ct.CalibrationPlan.read(GAIT / "calibration.xml")
    step = dataclasses.replace(plan.steps[0], dofs=dofs, parameters=tuple(specs))
    space = ct.ParameterSpace.of(subject, step, plan)
    return ct.FusedProblem(subject, trials, step, space, tendon=TENDON), space


def with_noise(subject, trials, seed, share=NOISE):
    """Return trials whose moments are the subject's with white noise."""
    random = np.random.default_rng(seed)
    result = []
    for trial in trials:
        moment = ct.simulate(subject, trial, tendon=TENDON).joint_moment.array
        noise = share * moment.std(axis=0, ddof=1) * random.standard_normal(moment.shape)
        result.append(dataclasses.replace(trial, measured_moment=moment + noise))
    return result


def by_name(found):
    return {(one.name, one.mtus): one for one in found.parameters}


def test_a_line_has_the_errors_of_a_textbook():
    """Ordinary least squares: s^2 (J'J)^-1 with n - 2 degrees of freedom."""
    random = np.random.default_rng(3)
    t = np.linspace(0.0, 1.0, 40)
    jacobian = np.stack([np.ones(40), t], axis=1)
    noise = 0.02 * random.standard_normal(40)
    residual = noise - jacobian @ np.linalg.lstsq(jacobian, noise)[0]
    found = ct.identifiability(
        LinearProblem(residual, jacobian, (40,)), linear_space(2), np.array([0.4, 0.5])
    )
    variance = residual @ residual / 38.0 * np.linalg.inv(jacobian.T @ jacobian)
    for i, (one, value) in enumerate(zip(found.parameters, (1.8, 2.0), strict=True)):
        error = 2.0 * np.sqrt(variance[i, i])  # the range is 2 wide
        half = stats.t(38).ppf(0.975) * error
        assert one.identifiable
        assert one.reason == ""
        assert one.value == pytest.approx(value)
        assert one.standard_error == pytest.approx(error, rel=1e-9)
        assert one.interval == pytest.approx((value - half, value + half), rel=1e-4)
        assert one.share_of_range == pytest.approx(half / 2.0, rel=1e-3)
    assert found.directions == ()
    assert found.observations == 40.0
    np.testing.assert_allclose(found.singular_values, np.linalg.svd(jacobian)[1])
    json.dumps(plain(found), allow_nan=False)


def test_every_block_has_noise_of_its_own():
    """Each parameter acts on one block: nothing of the other block's noise reaches its error."""
    random = np.random.default_rng(4)
    jacobian = np.zeros((300, 2))
    jacobian[:100, 0] = jacobian[100:, 1] = 1.0
    residual = random.standard_normal(300) * np.repeat([0.5, 0.01], [100, 200])
    for part in (slice(0, 100), slice(100, 300)):
        residual[part] -= residual[part].mean()
    spread = parameter_spread(residual, jacobian, (100, 200))
    expected = [residual[:100].std(ddof=1) / 10.0, residual[100:].std(ddof=1) / np.sqrt(200.0)]
    np.testing.assert_allclose(spread.errors(), expected, rtol=1e-9)
    np.testing.assert_allclose(spread.alone, expected, rtol=1e-9)


@pytest.mark.parametrize(("rho", "least"), [(0.0, 0.92), (0.8, 0.91)])
def test_intervals_cover_with_correlated_noise(rho, least):
    """Without regard to the correlation, 95 % intervals would cover less than 65 % at 0.8."""
    random = np.random.default_rng(5)
    t = np.linspace(0.0, 1.0, 150)
    jacobian = np.stack([np.ones(150), np.sin(7.0 * t), t], axis=1)
    inverse = np.linalg.pinv(jacobian)
    n_hit = 0
    for _ in range(400):
        noise = random.standard_normal(200)
        for k in range(1, 200):
            noise[k] += rho * noise[k - 1]
        noise = noise[50:]
        error = inverse @ noise
        spread = parameter_spread(noise - jacobian @ error, jacobian, (150,))
        n_hit += (abs(error) < student_quantile(spread.degrees_of_freedom) * spread.errors()).sum()
    assert least <= n_hit / 1200 <= 0.97


@pytest.mark.parametrize("n", [5.0, 7.5, 30.0, 900.0])
def test_quantile_is_students(n):
    assert student_quantile(n) == pytest.approx(stats.t(n).ppf(0.975), rel=2e-3)


def test_fewer_observations_than_parameters_determine_nothing():
    random = np.random.default_rng(6)
    jacobian = random.standard_normal((12, 8))
    noise = 1e-3 * random.standard_normal(12)
    residual = noise - jacobian @ np.linalg.lstsq(jacobian, noise)[0]
    found = ct.identifiability(
        LinearProblem(residual, jacobian, (12,)), linear_space(8), np.full(8, 0.5)
    )
    assert {one.reason for one in found.parameters} == {"too few independent observations"}
    assert {one.standard_error for one in found.parameters} == {None}


def test_penalties_are_no_data():
    random = np.random.default_rng(7)
    jacobian = np.concatenate([random.standard_normal((50, 2)), 1e3 * np.eye(2)])
    residual = np.concatenate([0.01 * random.standard_normal(50), [5.0, 5.0]])
    x, space = np.array([0.5, 0.5]), linear_space(2)
    with_penalty = ct.identifiability(LinearProblem(residual, jacobian, (50,)), space, x)
    without = ct.identifiability(LinearProblem(residual[:50], jacobian[:50], (50,)), space, x)
    assert with_penalty == without


def test_directions_without_influence_are_named_by_few_parameters():
    """Of four pairs that are interchangeable, any four mixtures would do, too."""
    half = np.random.default_rng(8).standard_normal((60, 4))
    found = ct.identifiability(
        LinearProblem(0.01 * np.ones(60), np.repeat(half, 2, axis=1), (60,)),
        linear_space(8),
        np.full(8, 0.5),
    )
    pairs = [{int(one.mtus[0][3:]) for one in d.loadings} for d in found.directions]
    assert sorted(map(sorted, pairs)) == [[0, 1], [2, 3], [4, 5], [6, 7]]
    for direction in found.directions:
        assert [one.loading for one in direction.loadings] == pytest.approx([0.5**0.5, -(0.5**0.5)])


def test_nothing_has_any_influence():
    found = ct.identifiability(
        LinearProblem(np.ones(9), np.zeros((9, 2)), (9,)), linear_space(2), np.array([0.5, 0.0])
    )
    reasons = [one.reason for one in found.parameters]
    assert reasons == ["no influence on the moments", "at the lower bound"]
    assert len(found.directions) == 2


def test_parameters_without_influence():
    """An MTU without excitation lacks an active force, and one on no DOF that counts, any."""
    subject = make_subject([{}, {}, {}, {}])
    trials = [
        make_trial(subject, f"trial{i}", n_step=120, phase=1.3 * i, frequency=1.0 + 0.2 * i)
        for i in range(2)
    ]
    for trial in trials:
        trial.excitation[:, 2] = 0.0
    trials = with_noise(subject, trials, 1)
    specs = (spec("shapeFactor", -3.0, -0.01), spec("strengthCoefficient", 0.5, 2.5))
    everyone = tuple((name,) for name in subject.mtu_names)
    problem, space = make_problem(
        subject,
        trials,
        (dataclasses.replace(one, scope="muscleGroups", groups=everyone) for one in specs),
        dofs=("ankle",),
    )
    parameters = by_name(ct.identifiability(problem, space, space.start()))
    for name in ("mtu1", "mtu3"):  # on the knee only
        for kind in ("shapeFactor", "strengthCoefficient"):
            one = parameters[kind, (name,)]
            assert one.reason == "no influence on the moments"
            assert (one.standard_error, one.interval, one.share_of_range) == (None, None, None)
    assert parameters["shapeFactor", ("mtu2",)].reason == "no influence on the moments"
    assert parameters["strengthCoefficient", ("mtu0",)].identifiable


def test_synergists_that_look_alike_share_a_direction():
    subject = make_subject([{}, {}, {"optimal_fibre_length": 0.08}])
    trials = [make_trial(subject, f"trial{i}", n_step=90, phase=1.3 * i) for i in range(2)]
    for trial in trials:
        for array in (trial.excitation, trial.mtu_length, trial.moment_arm):
            array[..., 1] = array[..., 0]
    specs = [spec("strengthCoefficient", 0.5, 2.5), spec("shapeFactor", -3.0, -0.01)]
    problem, space = make_problem(subject, with_noise(subject, trials, 2), specs, dofs=("knee",))
    found = ct.identifiability(problem, space, space.start())
    parameters = by_name(found)
    for kind in ("strengthCoefficient", "shapeFactor"):
        for name in ("mtu0", "mtu1"):
            one = parameters[kind, (name,)]
            assert (one.identifiable, one.reason) == (False, "others can make up for it")
            assert one.standard_error is None
    assert parameters["strengthCoefficient", ("mtu2",)].identifiable
    loose = found.directions[:2]  # strength, shape
    assert max(one.singular_value for one in loose) < 1e-9 * found.singular_values[0]
    for direction in loose:
        named = {one.mtus: 0.0 for one in direction.loadings}
        assert set(named) <= {("mtu0",), ("mtu1",)}
        assert len(named) == 2
    assert found.unidentifiable == tuple(p for p in found.parameters if p.mtus != ("mtu2",))


def test_at_bound():
    subject = make_subject([{}, {"optimal_fibre_length": 0.08}])
    trials = with_noise(subject, [make_trial(subject, "trial", n_step=150)], 3)
    problem, space = make_problem(subject, trials, [spec("strengthCoefficient", 0.5, 2.5)])
    x = space.start()
    x[0] = 1.0
    first, second = ct.identifiability(problem, space, x).parameters
    assert (first.reason, first.identifiable, first.at_bound) == ("at the upper bound", False, True)
    assert (first.value, first.standard_error, first.interval) == (2.5, None, None)
    assert not second.at_bound


@pytest.mark.parametrize(("c2", "is_apart"), [(-0.2, True), (-0.79, False)])
def test_c1_and_c2_must_be_apart(c2, is_apart):
    """Where they are equal, the moments do not change with their difference."""
    subject = make_subject([{"c1": -0.8, "c2": c2}])
    trials = [make_trial(subject, f"trial{i}", n_step=200, phase=i) for i in range(2)]
    trials = with_noise(subject, trials, 4, share=0.001)
    specs = [spec("c1", -0.95, -0.05), spec("c2", -0.95, -0.05)]
    problem, space = make_problem(subject, trials, specs)
    found = ct.identifiability(problem, space, space.start())
    reason = "" if is_apart else "c1 and c2 are too close to be told apart"
    assert [one.reason for one in found.parameters] == [reason] * 2


def gait_case(*, shared_activation):
    """The gait subject, with its 76 parameters or with c1, c2 and shape factor common to all."""
    truth = ct.Subject.read(GAIT / "truth" / "subjectTrue.xml")
    start = ct.Subject.read(GAIT / "subjectUncalibrated.xml")
    generator = ct.ExcitationGenerator.read(GAIT / "excitationGenerator.xml")
    plan = ct.CalibrationPlan.read(GAIT / "calibration.xml")
    trials = [ct.Trial.read(file, truth, generator) for file in plan.trial_files]
    step = plan.steps[0]
    if shared_activation:
        matrix = truth.parameters()
        matrix[:3] = np.array([[-0.7], [-0.35], [-1.5]])
        truth = truth.with_parameters(matrix)
        specs = (
            dataclasses.replace(one, scope="global", groups=())
            if one.kind in ("c1", "c2", "shapeFactor")
            else one
            for one in step.parameters
        )
        step = dataclasses.replace(step, parameters=tuple(specs))
    space = ct.ParameterSpace.of(start, step, plan)
    slots, component = space.slots()
    value = np.empty(len(space.components))
    value[component] = truth.parameters().flat[slots]
    return truth, trials, step, space, value


def covered(found, truth, space):
    """Return component -> whether the interval holds the truth, c1 and c2 in the nearer order."""
    index = {(one.kind, one.mtu_names): i for i, one in enumerate(space.components)}
    expected = truth.copy()
    values = np.array([one.value for one in found.parameters])
    for (kind, mtus), i in index.items():
        j = index.get(("c2", mtus))
        if kind == "c1" and j is not None and (values[i] - values[j]) * (truth[i] - truth[j]) < 0.0:
            expected[[i, j]] = truth[[j, i]]
    return {
        i: one.interval[0] <= expected[i] <= one.interval[1]
        for i, one in enumerate(found.parameters)
        if one.identifiable
    }


@pytest.mark.parametrize(
    ("shared_activation", "at_truth", "least_identifiable"),
    [(True, False, 18), (False, True, 14)],
    ids=["37 parameters, from the start values", "76 parameters, from the truth"],
)
def test_intervals_cover_the_hidden_truth(shared_activation, at_truth, least_identifiable):
    """95 % intervals cover in 90 to 99 %, under 2 % noise.

    What is local cannot know of other minima. From the start values, Levenberg-Marquardt finds the
    truth's valley with 37 parameters, but with 76 in two of three repetitions only (and in all with
    16 starts, which take too long here), so these repetitions start at the truth.
    """
    truth, trials, step, space, value = gait_case(shared_activation=shared_activation)
    start = (value - space.lower) / (space.upper - space.lower) if at_truth else space.start()

    def repeat(seed):
        noisy = with_noise(truth, trials, seed)
        problem = ct.FusedProblem(space.subject, noisy, step, space, tendon=TENDON)
        minimum = ct.minimise(problem, start, ct.LevenbergMarquardt())
        return ct.identifiability(problem, space, minimum.x)

    with ThreadPoolExecutor(2) as executor:
        found = list(executor.map(repeat, range(N_REPETITION)))
    hits = [covered(one, value, space) for one in found]
    share = np.mean([hit for one in hits for hit in one.values()])
    assert 0.90 <= share <= 0.99
    for i in range(len(value)):
        own = [one[i] for one in hits if i in one]
        # Of few repetitions a share says little.
        assert len(own) < 0.5 * N_REPETITION or np.mean(own) >= 0.90, space.components[i]
    assert np.mean([len(one.identifiable) for one in found]) >= least_identifiable
    for one in found:
        named = {(p.name, p.mtus) for p in one.parameters if p.reason}
        assert len(named) + len(one.identifiable) == len(value)
        assert all((p.standard_error is None) == bool(p.reason) for p in one.parameters)
        assert one.directions


@pytest.mark.parametrize("engine", ["fused", "tensor"])
def test_calibration_says_it_of_its_last_step(engine):
    subject = make_subject([{}, {"optimal_fibre_length": 0.08}])
    trials = with_noise(subject, [make_trial(subject, "trial", n_step=60)], 5)
    plan = ct.CalibrationPlan.read(GAIT / "calibration.xml")
    step = dataclasses.replace(
        plan.steps[0], dofs=("knee",), parameters=(spec("strengthCoefficient", 0.5, 2.5),)
    )
    plan = dataclasses.replace(plan, steps=(step, step))
    result = ct.calibrate(subject, trials, plan, options=ct.AdamW(max_iterations=3), engine=engine)
    last = result.steps[-1]
    problem = ct.FusedProblem(last.space.subject, trials, step, last.space, tendon=TENDON)
    expected = ct.identifiability(problem, last.space, last.x)
    assert result.identifiability == expected
    assert len(expected.parameters) == 2
