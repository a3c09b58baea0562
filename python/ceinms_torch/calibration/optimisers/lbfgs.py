"""L-BFGS-B on the unit box, by scipy."""

from __future__ import annotations

import time

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from ceinms_torch.calibration.optimisers.minimum import Callback, Differentiable, Minimum, Point
from ceinms_torch.model.options import Lbfgs

FloatArray = NDArray[np.float64]

# Measured (cpp/EQUATIONS.md, "The search of eq. (5)"). Where a search starts, curvatures say little
# about those at the minimum. With an exponent of 1/2 all variables would be curved about alike, but
# only for a while; less is better. A variable without curvature still has a twentieth of the width.
_N_BEFORE_WIDTHS = 50
_N_PROBE = 10
_PROBE = 1e-4  # in ranges
_LEAST_SIZE = 1e-4  # in mean sizes
_EXPONENT = 1.0 / 3.0
# One iteration that gains little proves nothing where the objective has kinks; a search with other
# widths that gains less than as many such iterations does.
_ENOUGH = 100


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
        if point.objective < self.lowest:
            self.best = point, x.copy()
        if not self.history:
            self.record()
        return point.objective, gradient

    @property
    def lowest(self) -> float:
        return np.inf if self.best is None else self.best[0].objective

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
    problem: Differentiable,
    start: FloatArray,
    options: Lbfgs,
    callback: Callback | None,
    *,
    equilibrate: bool = False,
    unit: float = 1.0,
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
    equilibrate : bool
        After some iterations, go on with variables that are scaled to be curved more alike: for
        problems whose variables differ much in what they do.
    unit : float
        What counts as an objective of 1 in the stopping rules; > 0.

    Returns
    -------
    Minimum
        The best point seen.

    Raises
    ------
    KeyboardInterrupt
        If there is no point yet that could be kept.
    """
    recorder = _Recorder(problem, callback)
    try:
        status = _search_all(recorder, start, options, unit, equilibrate=equilibrate)
    except KeyboardInterrupt:
        if recorder.best is None:
            raise
        status = "interrupted"
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


def _search_all(
    recorder: _Recorder, start: FloatArray, options: Lbfgs, unit: float, *, equilibrate: bool
) -> str:
    if len(start) == 0:  # nothing to change
        recorder.evaluate(start)
        return "converged"
    unscaled = np.ones(len(start))
    if not equilibrate:
        return _search(recorder, start, unscaled, options, options.max_iterations, unit)
    n_first = min(_N_BEFORE_WIDTHS, options.max_iterations)
    status = _search(recorder, start, unscaled, options, n_first, unit)
    return status if status == "converged" else _search_on(recorder, options, unit)


def _search(
    recorder: _Recorder,
    start: FloatArray,
    widths: FloatArray,
    options: Lbfgs,
    n_iteration: int,
    unit: float,
) -> str:
    """Search in a box of other widths, and say why it stopped."""

    def evaluate(scaled: FloatArray) -> tuple[float, FloatArray]:
        # A width over itself is exactly 1: what is on a bound there is on it here.
        objective, gradient = recorder.evaluate(scaled / widths)
        return objective / unit, gradient / (unit * widths)

    result = scipy.optimize.minimize(
        evaluate,
        start * widths,
        jac=True,
        method="L-BFGS-B",
        bounds=scipy.optimize.Bounds(np.zeros(len(widths)), widths),
        callback=lambda _: recorder.record(),
        options={
            "maxiter": n_iteration,
            "maxfun": 20 * n_iteration,
            "ftol": options.min_improvement,
            "gtol": options.min_gradient,
            "maxcor": options.memory,
        },
    )
    # scipy's 1 is a limit reached; 2 a line search that found nothing better.
    return {0: "converged", 1: "max_iterations"}.get(result.status, "converged_step")


def _search_on(recorder: _Recorder, options: Lbfgs, unit: float) -> str:
    """Search in an equilibrated box, and again from where that ended, until it hardly helps."""
    status = "max_iterations"
    while (n_left := options.max_iterations - recorder.history[-1].iteration) > 0:
        x, widths = _equilibrated(recorder)
        before = recorder.lowest
        status = _search(recorder, x, widths, options, n_left, unit)
        # What scipy's rule is relative to.
        size = max(abs(before), unit)
        if before - recorder.lowest <= _ENOUGH * options.min_improvement * size:
            break
    return status


def _equilibrated(recorder: _Recorder) -> tuple[FloatArray, FloatArray]:
    """Return the best point so far and widths that make the Hessian's rows there more alike.

    The mean square of H v over vectors v of random signs is the squared norm of every row of H
    (Dauphin et al. 2015, equilibration); H v is a difference of two gradients.
    """
    if recorder.best is None:
        raise _NotFiniteError
    x = recorder.best[1]
    _, gradient = recorder.evaluate(x)
    random = np.random.default_rng(0)
    squares = np.zeros(len(x))
    for _ in range(_N_PROBE):
        step = random.choice((-_PROBE, _PROBE), size=len(x))
        ahead = x + step
        step = np.where((ahead < 0.0) | (ahead > 1.0), -step, step)
        squares += (recorder.evaluate(x + step)[1] - gradient) ** 2
    sizes = np.sqrt(squares)
    if not np.any(sizes):  # a plane
        return x, np.ones(len(x))
    sizes /= sizes.mean()
    return x, np.maximum(sizes, _LEAST_SIZE) ** _EXPONENT
