"""Search the minimum of one calibration step, from one start or several."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ceinms_torch.calibration.multi_start import minimise_from_all
from ceinms_torch.calibration.optimisers.minimum import Minimum, Point, Problem
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.result import Iteration, StepResult
from ceinms_torch.errors import DataError
from ceinms_torch.io.log import log
from ceinms_torch.model.calibration import CalibrationStep
from ceinms_torch.model.options import LevenbergMarquardt, Optimiser

FloatArray = NDArray[np.float64]


def run_step(
    number: int,
    step: CalibrationStep,
    space: ParameterSpace,
    problems: Sequence[Problem],
    starts: FloatArray,
    options: Optimiser,
    *,
    polish: bool = False,
    callback: Callable[[Iteration], None] | None = None,
) -> tuple[StepResult, list[Iteration], FloatArray]:
    """Minimise the objective of a calibration step.

    Parameters
    ----------
    number : int
        Number of the step, from 0.
    step : CalibrationStep
        The step.
    space : ParameterSpace
        What may change; its components come first in every point.
    problems : sequence of Problem
        The same problem once for every thread.
    starts : ndarray (n_start, n)
        Start points.
    options : Optimiser
        Settings of every search.
    polish : bool
        Let Levenberg-Marquardt go on from the best point.
    callback : callable, optional
        Called with an `Iteration` after every iteration, from the thread that searches.

    Returns
    -------
    result : StepResult
        The best point seen.
    history : list of Iteration
        How the start that won got there.
    point : ndarray (n,)
        The best point; its first components are those of the parameters.

    Raises
    ------
    DataError
        If the objective is not finite at any start.
    """
    names = problems[0].term_names

    def named(start: int, point: Point) -> Iteration:
        return Iteration(
            step=number,
            start=start,
            iteration=point.iteration,
            evaluations=point.evaluations,
            seconds=point.seconds,
            objective=point.objective,
            terms=dict(zip(names, point.terms, strict=True)),
            rmse=dict(zip(step.dofs, point.rmse, strict=True)),
        )

    def report(start: int, point: Point) -> None:
        if callback is not None:
            callback(named(start, point))

    report_to = None if callback is None else report
    log(
        "info",
        "step %d: %d parameters, %d starts, %r",
        number + 1,
        len(space.components),
        len(starts),
        options,
    )
    minimum, results = minimise_from_all(problems, starts, options, report_to)
    if not minimum.history:
        raise DataError(
            where=f"calibration step {number + 1}",
            expected="a finite objective at the start values",
            got="NaN or infinity",
            hint="check lengths, moment arms and start values of all MTUs",
        )
    if polish and minimum.status != "interrupted":
        minimum = _polished(minimum, problems[0], report_to)
    result = StepResult(
        step=step,
        space=space,
        x=minimum.x[: len(space.components)],
        objective=minimum.objective,
        terms=dict(zip(names, minimum.terms, strict=True)),
        iterations=minimum.history[-1].iteration,
        evaluations=minimum.evaluations,
        seconds=minimum.seconds,
        status=minimum.status,
        starts=tuple(results),
    )
    log(
        "info",
        "step %d: objective %.6g after %.3g s, %s",
        number + 1,
        result.objective,
        result.seconds,
        result.status,
    )
    return result, [named(0, point) for point in minimum.history], minimum.x


def _polished(
    minimum: Minimum, problem: Problem, report: Callable[[int, Point], None] | None
) -> Minimum:
    """Go on from the best point only; the history goes on where the first method stopped."""
    last = minimum.history[-1]
    offset = (last.iteration, minimum.evaluations, minimum.seconds)
    polished = problem.minimise(
        minimum.x,
        LevenbergMarquardt(),
        None if report is None else lambda point: report(0, _shifted(point, *offset)),
    )
    return dataclasses.replace(
        polished if polished.objective <= minimum.objective else minimum,
        history=minimum.history + tuple(_shifted(p, *offset) for p in polished.history[1:]),
        evaluations=minimum.evaluations + polished.evaluations,
        seconds=minimum.seconds + polished.seconds,
        status=polished.status,
    )


def _shifted(point: Point, iteration: int, evaluations: int, seconds: float) -> Point:
    return dataclasses.replace(
        point,
        iteration=point.iteration + iteration,
        evaluations=point.evaluations + evaluations,
        seconds=point.seconds + seconds,
    )
