"""Objective, gradient and residuals of the fused engine: the tensor engine's, and one another's."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ceinms_torch as ct
from ceinms_torch import _kernel
from ceinms_torch.calibration.problems.objective import engine_objective
from ceinms_torch.model.parameters import PARAMETER_KINDS
from engine_cases import SMOOTH_SUBJECT, SMOOTH_TRIALS, make_subject, make_trial, run_kernel
from engine_strategies import cases
from problem_cases import GRADIENT_RTOL, NARROW, RTOL, check_against_tensor, make_step, space_of

NORMALISATIONS = ("variance", "meanSquare", "rmse")
TENDONS = ("stiff", "rosenbrockElastic")
STARTS = ("ceinms", "zero")


def fused(step, *, subject=SMOOTH_SUBJECT, trials=SMOOTH_TRIALS, tendon=TENDONS[1], **options):
    return ct.FusedProblem(subject, trials, step, space_of(subject, step), tendon=tendon, **options)


@pytest.mark.parametrize("filter_start", STARTS)
@pytest.mark.parametrize("tendon", TENDONS)
@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_problem_equals_that_of_the_tensor_engine(normalisation, tendon, filter_start):
    step = make_step(normalisation=normalisation, **NARROW)
    x = space_of(SMOOTH_SUBJECT, step).start()
    point = check_against_tensor(SMOOTH_SUBJECT, SMOOTH_TRIALS, step, tendon, filter_start, x)
    assert min(point.terms) > 0.0


@pytest.mark.parametrize("scope", ["single", "global"])
@pytest.mark.parametrize("kind", PARAMETER_KINDS)
def test_every_kind_alone(kind, scope):
    step = make_step([kind], scope=scope, **NARROW)
    x = space_of(SMOOTH_SUBJECT, step).start()
    for tendon in TENDONS:
        check_against_tensor(SMOOTH_SUBJECT, SMOOTH_TRIALS, step, tendon, "ceinms", x)


@settings(max_examples=40)
@given(cases(), st.sampled_from(NORMALISATIONS), st.integers(0, 2**32 - 1), st.data())
def test_problem_equals_that_of_the_tensor_engine_on_random_models(case, normalisation, seed, data):
    subject, trials, options = case
    kinds = data.draw(st.sets(st.sampled_from(PARAMETER_KINDS), min_size=1))
    # A pennation angle or delay of zero has no range relative to it.
    kinds = {kind for kind in kinds if np.all(subject.parameters()[PARAMETER_KINDS.index(kind)])}
    kinds |= {"strengthCoefficient"}
    dofs = data.draw(st.sampled_from([("knee",), ("ankle",), ("knee", "ankle")]))
    if dofs == ("ankle",):  # which not all MTUs cross, as percentageChange demands
        kinds.discard("percentageChange")
    step = make_step(sorted(kinds), dofs=dofs, normalisation=normalisation, **NARROW)
    x = np.random.default_rng(seed).uniform(size=len(space_of(subject, step).components))
    tendon = "stiff" if options["tendon"] == "stiff" else "rosenbrockElastic"
    check_against_tensor(subject, trials, step, tendon, options["filter_start"], x)


@pytest.mark.parametrize("tendon", TENDONS)
def test_problem_of_recorded_data(shared_dir, tendon):
    setup = shared_dir / "data" / "lower_limb" / "ceinms" / "calibrate_elastic.xml"
    if not setup.is_file():
        pytest.skip(f"no {setup}")
    folder = ct.CalibrationFolder.read(setup)
    step = folder.plan.steps[0]
    x = ct.ParameterSpace.of(folder.subject, step, folder.plan).start()
    check_against_tensor(folder.subject, folder.trials, step, tendon, "ceinms", x)


@pytest.mark.parametrize("tendon", TENDONS)
def test_problem_of_the_gait_subject(gait_folder, tendon):
    folder = ct.CalibrationFolder.read(gait_folder / "calibrate.xml")
    step = folder.plan.steps[0]
    x = ct.ParameterSpace.of(folder.subject, step, folder.plan).start()
    check_against_tensor(folder.subject, folder.trials, step, tendon, "ceinms", x)


# ---- residuals


def penalised(step, tendon, subject, trials):
    """How many states are outside the ranges of the penalties, counted from simulations."""
    count = 0
    name = "stiff" if tendon == "stiff" else "rosenbrock"
    for trial in trials:
        result = run_kernel(subject, trial, tendon=name)
        norm = result["fibre_length"] / subject.parameters()[3]
        pairs = [(norm, step.objective.fibre_length_range)]
        if tendon != "stiff":
            pairs.append((result["tendon_strain"], step.objective.tendon_strain_range))
        for values, (low, high) in pairs:
            count += int(np.sum((values < low) | (values > high)))
    return count


@pytest.mark.parametrize("dofs", [("knee", "ankle"), ("ankle",)], ids=len)
@pytest.mark.parametrize("tendon", TENDONS)
@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_residuals_are_moment_errors_then_penalties(normalisation, tendon, dofs):
    step = make_step(["strengthCoefficient"], dofs=dofs, normalisation=normalisation, **NARROW)
    space = space_of(SMOOTH_SUBJECT, step)
    problem = fused(step, tendon=tendon)
    x = space.start()
    residual, jacobian = problem.residuals(x)
    assert jacobian.shape == (len(residual), len(x))
    name = "stiff" if tendon == "stiff" else "rosenbrock"
    row = 0
    for trial, dof in itertools.product(SMOOTH_TRIALS, dofs):
        column = SMOOTH_SUBJECT.dof_names.index(dof)
        predicted = run_kernel(SMOOTH_SUBJECT, trial, tendon=name)["joint_moment"][:, column]
        error = trial.measured_moment[:, column] - predicted
        got = residual[row : row + len(error)]
        # One scale per trial and DOF.
        np.testing.assert_allclose(got * error[0], got[0] * error, rtol=1e-10, atol=1e-12)
        assert got[0] * error[0] > 0.0
        row += len(error)
    assert len(residual) - row == penalised(step, tendon, SMOOTH_SUBJECT, SMOOTH_TRIALS) > 0
    assert np.all(residual[row:] > 0.0)
    point, _ = problem.gradient(x)
    moment = float(np.sum(residual[:row] ** 2))
    # The term of "rmse" is a root: its residuals are weighted for the gradient.
    assert moment == pytest.approx(
        point.terms[0] * (0.5 if normalisation == "rmse" else 1.0), rel=RTOL
    )
    assert float(np.sum(residual[row:] ** 2)) == pytest.approx(sum(point.terms[1:]), rel=RTOL)


@pytest.mark.parametrize("tendon", TENDONS)
@pytest.mark.parametrize("kind", PARAMETER_KINDS)
def test_sensitivities_equal_central_differences(kind, tendon):
    """One kind at a time, then all: kinds are differentiated in groups of different size."""
    for kinds in ([kind], PARAMETER_KINDS):
        step = make_step(kinds, **NARROW)
        problem = fused(step, tendon=tendon)
        x = space_of(SMOOTH_SUBJECT, step).start()
        residual, jacobian = problem.residuals(x)
        components = space_of(SMOOTH_SUBJECT, step).components
        for i in (i for i, one in enumerate(components) if one.kind == kind):
            # Near the cube root of the precision, where rounding and truncation are alike.
            h = 1e-5
            ahead, behind = x.copy(), x.copy()
            ahead[i] += h
            behind[i] -= h
            difference = (problem.residuals(ahead)[0] - problem.residuals(behind)[0]) / (2.0 * h)
            # Rounding over the step and truncation, as in test_gradients.py.
            tolerance = 1e-6 * np.abs(jacobian[:, i]).max() + 1e-9 * np.abs(residual).max()
            assert np.abs(difference - jacobian[:, i]).max() <= tolerance


@pytest.mark.parametrize("tendon", TENDONS)
@pytest.mark.parametrize(
    "objective",
    [{"normalisation": name} for name in NORMALISATIONS] + [{"peak_force_weight": 3.0}],
    ids=str,
)
def test_derivatives_of_long_trials(objective, tendon):
    """Residuals are differentiated a window of steps at a time, the shorter the more trials."""
    step = make_step(**NARROW, **objective)
    # Windows of 256 steps of three trials, of 128 of fifteen.
    lengths = (256, 9, 530) if "rmse" in objective.values() else (128, 9, 300) * 5
    trials = [
        make_trial(SMOOTH_SUBJECT, f"trial {i}", n_step=n, phase=0.1 * i)
        for i, n in enumerate(lengths)
    ]
    x = np.random.default_rng(3).uniform(size=len(space_of(SMOOTH_SUBJECT, step).components))
    results = []
    for threads in (1, 2):
        problem = fused(step, trials=trials, tendon=tendon, threads=threads)
        point, slope = problem.gradient(x)
        residual, jacobian = problem.residuals(x)
        gradient, matrix = problem.core.normal_equations(x)
        for got, expected in (
            (2.0 * jacobian.T @ residual, slope),
            (gradient, slope),
            (matrix, 2.0 * jacobian.T @ jacobian),
        ):
            assert np.abs(got - expected).max() <= GRADIENT_RTOL * np.abs(expected).max()
        assert problem.core.evaluate(x).objective == point.objective
        results.append((residual, jacobian, gradient, matrix))
    for one, two in zip(*results, strict=True):
        np.testing.assert_array_equal(one, two)


MEMORY = """
from pathlib import Path
import numpy as np
import ceinms_torch as ct
from engine_cases import make_subject, make_trial
from problem_cases import make_step, space_of

LENGTHS = ("optimalFibreLength", "tendonSlackLength")

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024

subject = make_subject([{"c1": -0.5 - 0.001 * i} for i in range(60)])
trials = [make_trial(subject, name, n_step=2000) for name in "ab"]
step = make_step(("c1", "c2", "shapeFactor", *LENGTHS, "strengthCoefficient"))
space = space_of(subject, step)
problem = ct.FusedProblem(subject, trials, step, space, tendon="rosenbrockElastic")
x = np.full(problem.core.n_component, 0.5)
problem.core.evaluate(x)
Path("/proc/self/clear_refs").write_text("5")  # what was is no peak any more
before = peak()
ct.minimise(problem, x, ct.LevenbergMarquardt(max_iterations=1))
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_normal_equations_need_little_memory():
    """What they need does not grow with the number of steps.

    Of 60 MTUs, 360 parameters and 4000 steps, all derivatives of three quantities by five
    parameters of each MTU are 27 MiB, those of two moments by all of their parameters 17 MiB.
    """
    tests = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-c", MEMORY],
        env=os.environ | {"PYTHONPATH": str(tests)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert 1.0 < float(done.stdout) < 20.0


# ---- what is kept between calls


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("tendon", TENDONS)
def test_nothing_is_left_of_earlier_points(tendon, threads):
    """Only MTUs whose parameters changed are simulated again; the numbers are those of all."""
    step = make_step(**NARROW)
    subject = make_subject([{"c1": -0.1 * i - 0.1, "em_delay": 0.01 + 0.003 * i} for i in range(9)])
    trials = [
        make_trial(subject, name, n_step=n, phase=n) for name, n in (("a", 9), ("b", 6), ("c", 9))
    ]
    problem = fused(step, subject=subject, trials=trials, tendon=tendon, threads=threads)
    random = np.random.default_rng(8)
    x = random.uniform(size=len(space_of(subject, step).components))
    for i in range(60):
        moved = random.integers(len(x), size=random.integers(0, 3))
        x[moved] = random.uniform(size=len(moved))
        fresh = fused(step, subject=subject, trials=trials, tendon=tendon)
        if i % 3 == 0:
            assert problem.core.evaluate(x).objective == fresh.core.evaluate(x).objective
        elif i % 3 == 1:
            (point, gradient), (expected, slope) = problem.gradient(x), fresh.gradient(x)
            assert point == expected
            np.testing.assert_array_equal(gradient, slope)
        else:
            for got, want in zip(problem.residuals(x), fresh.residuals(x), strict=True):
                np.testing.assert_array_equal(got, want)


def test_single_mtu_and_single_step():
    subject = make_subject([{}])
    two = make_trial(subject, "two", n_step=2)
    step = make_step(dofs=("knee",), **NARROW)
    x = np.full(len(space_of(subject, step).components), 0.4)
    for tendon in TENDONS:
        check_against_tensor(subject, [two], step, tendon, "ceinms", x)
    # A trial of one step has no variance, but moments weighed by anything.
    arrays = {
        "time": two.time[:1],
        "mtu_length": two.mtu_length[:1],
        "mtu_velocity": np.zeros((1, 1)),
        "moment_arm": two.moment_arm[:1],
        "excitation": two.excitation,
        "excitation_start": float(two.excitation_time[0]),
        "excitation_rate": 200.0,
    }
    space = space_of(subject, step)
    problem = _kernel.Problem(
        tables=_kernel.default_tables(),
        trials=[_kernel.Trial(**arrays)],
        measured=[two.measured_moment[:1]],
        variance=np.ones((1, 2)),
        map=space.map(),
        dofs=np.array([0, 1]),
        objective=engine_objective(step, subject),
        tendon="rosenbrock",
        filter_start="ceinms",
        threads=2,
    )
    evaluation, gradient = problem.gradient(x)
    residual, jacobian = problem.residuals(x)
    assert evaluation.objective > 0.0
    np.testing.assert_allclose(2.0 * jacobian.T @ residual, gradient, rtol=1e-10)
