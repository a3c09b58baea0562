"""How long a calibration takes, by method, engine and number of threads."""

import time

import numpy as np
import pytest
from scipy.optimize import least_squares

import ceinms_torch as ct
from benchmarks.cases import CEINMS_OBJECTIVE

METHODS = {"lm": ct.LevenbergMarquardt(), "adamw": ct.AdamW(), "lbfgs": ct.Lbfgs()}
SEEDS = (0, 1, 2)


def seconds_to(minimum, objective):
    """Return when an optimiser was at or below an objective [s], or None."""
    return next((p.seconds for p in minimum.history if p.objective <= objective), None)


def record(benchmark, case, minimum):
    """Keep what a search reached beside its time."""
    benchmark.extra_info |= {
        "case": case.name,
        "objective": minimum.objective,
        "evaluations": minimum.evaluations,
        "status": minimum.status,
    }


@pytest.mark.parametrize("method", METHODS)
def test_method(benchmark, case, method):
    problem = case.problem()
    start = case.space.start()
    minima = []
    benchmark.pedantic(
        lambda: minima.append(ct.minimise(problem, start, METHODS[method])),
        rounds=5 if method == "lbfgs" else 15,
        warmup_rounds=1,
    )
    record(benchmark, case, minima[0])
    benchmark.extra_info["method"] = method
    if (reference := CEINMS_OBJECTIVE.get(case.name)) is not None:
        passed = [seconds_to(minimum, reference) for minimum in minima]
        if None not in passed:
            benchmark.extra_info["seconds_to_ceinms"] = min(passed)
            benchmark.extra_info["seconds_to_ceinms_median"] = float(np.median(passed))


class FixedLengthResiduals:
    """A problem's residuals as scipy wants them: the same number at every point.

    Penalties have a row only where they are not zero. Here they are rotated onto n + 1 rows, which
    changes neither the objective nor its Gauss-Newton matrix.
    """

    def __init__(self, problem, n_moment):
        self.problem = problem
        self.n_moment = n_moment
        self._x = None

    def residual(self, x):
        return self._at(x)[:, -1]

    def jacobian(self, x):
        return self._at(x)[:, :-1]

    def _at(self, x):
        if self._x is None or not np.array_equal(x, self._x):
            residual, jacobian = self.problem.residuals(x)
            table = np.column_stack([jacobian, residual])
            rotated = np.zeros((len(x) + 1, len(x) + 1))
            triangle = np.linalg.qr(table[self.n_moment :], mode="r")
            rotated[: len(triangle)] = triangle
            self._table = np.vstack([table[: self.n_moment], rotated])
            self._x = x.copy()
        return self._table


def test_scipy(benchmark, case):
    """The yardstick: scipy's trust region reflective on the same residuals and derivatives."""
    problem = case.problem()
    n_dof = len(case.folder.plan.steps[0].dofs)
    n_moment = sum(len(trial.time) for trial in case.folder.trials) * n_dof
    start = case.space.start()
    solutions = []

    def solve():
        functions = FixedLengthResiduals(problem, n_moment)
        solutions.append(
            least_squares(
                functions.residual,
                start,
                functions.jacobian,
                bounds=(0.0, 1.0),
                method="trf",
                ftol=1e-6,
                xtol=1e-9,
                gtol=1e-10,
                max_nfev=1000,
            )
        )

    benchmark.pedantic(solve, rounds=3)
    benchmark.extra_info |= {
        "case": case.name,
        "method": "scipy trf",
        "objective": 2.0 * float(solutions[0].cost),
        "evaluations": int(solutions[0].nfev),
        "status": str(solutions[0].status),
    }


@pytest.mark.parametrize("engine", ["fused", "tensor"])
def test_adamw_iteration(benchmark, case, engine):
    problem = case.problem(engine=engine)
    start = case.space.start()
    iterations = 30 if engine == "fused" else 3
    minima = []
    benchmark.pedantic(
        lambda: minima.append(ct.minimise(problem, start, ct.AdamW(max_iterations=iterations))),
        rounds=30 if engine == "fused" else 3,
        warmup_rounds=1,
    )
    record(benchmark, case, minima[0])
    benchmark.extra_info["engine"] = engine
    benchmark.extra_info["seconds_per_iteration"] = min(
        minimum.seconds / minimum.evaluations for minimum in minima
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("threads", [1, 2])
def test_starts(benchmark, case, threads, seed):
    folder = case.folder
    results, cpu_seconds = [], []

    def calibrate():
        before = time.process_time()
        results.append(
            ct.calibrate(
                folder.subject, folder.trials, folder.plan, starts=32, threads=threads, seed=seed
            )
        )
        cpu_seconds.append(time.process_time() - before)

    benchmark.pedantic(calibrate, rounds=3)
    benchmark.extra_info |= {
        "case": case.name,
        "threads": threads,
        "seed": seed,
        "objective": results[0].objective,
        "seconds": min(result.seconds for result in results),
        "cpu_seconds": min(cpu_seconds),
        "test_rmse": case.test_rmse(results[0].subject),
    }


@pytest.mark.parametrize("n_trial", [3, 6, 12, 24])
@pytest.mark.parametrize("threads", [1, 2])
def test_gradient(benchmark, case, n_trial, threads):
    """How the cost of a gradient from Python grows with trials and falls with threads."""
    problem = case.problem(threads=threads, trials=case.repeated_trials(n_trial))
    start = case.space.start()
    points = [start, 0.999 * start + 0.0005]
    benchmark.pedantic(
        lambda: [problem.gradient(x) for x in points], rounds=100, iterations=3, warmup_rounds=3
    )
    benchmark.extra_info |= {
        "case": case.name,
        "threads": threads,
        "n_trial": n_trial,
        "calls": 2,
    }
