"""A problem as an optimiser sees it, and what an optimiser gives."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ceinms_torch.io.display import one_line
from ceinms_torch.model.options import Optimiser

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Point:
    """The objective at one iterate of an optimiser.

    Parameters
    ----------
    iteration : int
        0 is the start.
    evaluations : int
        Evaluations of the objective (and its derivatives) so far.
    seconds : float
        Time inside the optimiser so far [s].
    objective : float
        The objective, in the unit of its normalisation.
    terms : tuple of float
        Its terms, in the order of `Problem.term_names`.
    rmse : tuple of float
        Root mean square moment error of each DOF that counts, averaged over trials [N m].
    """

    iteration: int
    evaluations: int
    seconds: float
    objective: float
    terms: tuple[float, ...]
    rmse: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Minimum:
    """The best point an optimiser saw, and how it got there.

    Parameters
    ----------
    x : ndarray (n,)
        The point, in the unit box.
    objective : float
        The objective there.
    terms : tuple of float
        Its terms there.
    history : tuple of Point
        Every iterate; empty when the objective was not finite at the start.
    evaluations : int
        Evaluations of the objective and its derivatives.
    seconds : float
        Time inside the optimiser [s].
    status : str
        Why it stopped, a key of `STATUS_SENTENCES`.
    """

    x: FloatArray
    objective: float
    terms: tuple[float, ...]
    history: tuple[Point, ...]
    evaluations: int
    seconds: float
    status: str

    __repr__ = one_line


Callback = Callable[[Point], None]


class Differentiable(Protocol):
    """A function on the unit box, points of which are (n,) arrays."""

    def gradient(self, x: FloatArray) -> tuple[Point, FloatArray]:
        """Return the objective (as a Point without history) and its gradient (n,)."""


class Problem(Differentiable, Protocol):
    """A calibration step as an optimiser sees it."""

    @property
    def device(self) -> str:
        """Where it is evaluated, as torch spells it."""

    @property
    def term_names(self) -> tuple[str, ...]:
        """Names of the objective's terms."""

    def minimise(self, start: FloatArray, options: Optimiser, callback: Callback | None) -> Minimum:
        """Minimise from a start; a KeyboardInterrupt stops and keeps the best."""


def _point(item: Any) -> Point:
    """Copy an iteration of either extension module."""
    return Point(
        iteration=item.iteration,
        evaluations=item.evaluations,
        seconds=item.seconds,
        objective=item.objective,
        terms=tuple(item.terms),
        rmse=tuple(item.rmse),
    )


def as_minimum(item: Any) -> Minimum:
    """Copy a minimum of either extension module, its history and all."""
    return Minimum(
        x=np.asarray(item.x),
        objective=item.objective,
        terms=tuple(item.terms),
        history=tuple(_point(one) for one in item.history),
        evaluations=item.evaluations,
        seconds=item.seconds,
        status=item.status,
    )


def call_arguments(start: FloatArray, options: Any, callback: Callback | None) -> dict[str, Any]:
    """Return the arguments of an optimiser of either extension module, but for the problem."""
    report = None if callback is None else lambda item: callback(_point(item))
    return {**dataclasses.asdict(options), "start": start, "callback": report}


def as_point(objective: float, terms: Sequence[float], rmse: Sequence[float]) -> Point:
    """Return one evaluation as a Point without history."""
    return Point(
        iteration=0,
        evaluations=1,
        seconds=0.0,
        objective=objective,
        terms=tuple(terms),
        rmse=tuple(rmse),
    )
