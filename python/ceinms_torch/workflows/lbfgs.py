"""L-BFGS-B on the unit box, by scipy."""

from __future__ import annotations

import time

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from ceinms_torch.model.options import Lbfgs
from ceinms_torch.workflows.minimum import Callback, Differentiable, Minimum, Point

FloatArray = NDArray[np.float64]


class _NotFiniteError(Exception):
    """The objective is NaN or infinite; scipy's line search would ask for NaN next."""


class _Recorder:
    """Evaluates, keeps the best point and the history."""

    def __init__(self, problem: Differentiable, callback: Callback | None) -> None:
        self.problem = problem
        self.callback = callback
        self.begin = time.perf_counter()
        self.history: list[Point] = []
        self.best: tuple[Point, FloatArray] | None = None
        self.latest: Point | None = None
        self.evaluations = 0

    def evaluate(self, x: FloatArray) -> tuple[float, FloatArray]:
        point, gradient = self.problem.gradient(x)
        self.evaluations += 1
        self.latest = point
        if not np.isfinite(point.objective):
            raise _NotFiniteError
        if self.best is None or point.objective < self.best[0].objective:
            self.best = point, x.copy()
        if not self.history:
            self.record()
        return point.objective, gradient

    def record(self) -> None:
        if self.latest is None:
            return
        point = Point(
            iteration=len(self.history),
            evaluations=self.evaluations,
            seconds=time.perf_counter() - self.begin,
            objective=self.latest.objective,
            terms=self.latest.terms,
            rmse=self.latest.rmse,
        )
        self.history.append(point)
        if self.callback is not None:
            self.callback(point)


def minimise_lbfgs(
    problem: Differentiable, start: FloatArray, options: Lbfgs, callback: Callback | None
) -> Minimum:
    """Minimise in the unit box by scipy's L-BFGS-B.

    Parameters
    ----------
    problem : Differentiable
        A calibration step on either engine, or anything else on the unit box.
    start : ndarray (n,)
        In the unit box.
    options : Lbfgs
        Settings.
    callback : callable, optional
        Called with a Point after every iteration.

    Returns
    -------
    Minimum
        The best point seen.
    """
    recorder = _Recorder(problem, callback)
    status = "interrupted"
    try:
        result = scipy.optimize.minimize(
            recorder.evaluate,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=[(0.0, 1.0)] * len(start),
            callback=lambda _: recorder.record(),
            options={
                "maxiter": options.max_iterations,
                "maxfun": 20 * options.max_iterations,
                "ftol": options.min_improvement,
                "gtol": options.min_gradient,
                "maxcor": options.memory,
            },
        )
        # scipy's 1 is a limit reached; 2 a line search that found nothing better.
        status = {0: "converged", 1: "max_iterations"}.get(result.status, "converged_step")
    except KeyboardInterrupt:
        pass
    except _NotFiniteError:
        status = "not_finite"
    seconds = time.perf_counter() - recorder.begin
    if recorder.best is None:
        return Minimum(
            x=start,
            objective=float("nan"),
            terms=(),
            history=(),
            evaluations=recorder.evaluations,
            seconds=seconds,
            status=status,
        )
    point, x = recorder.best
    return Minimum(
        x=x,
        objective=point.objective,
        terms=point.terms,
        history=tuple(recorder.history),
        evaluations=recorder.evaluations,
        seconds=seconds,
        status=status,
    )
