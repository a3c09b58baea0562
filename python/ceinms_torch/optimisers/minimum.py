"""What a search gives."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ceinms_torch.arrays import FloatArray
from ceinms_torch.io.display import OneLine
from ceinms_torch.optimisers.problem import Evaluation

# Why a search stopped, and in words.
STATUS_SENTENCES = {
    "converged": "Converged: the objective no longer improves.",
    "converged_gradient": "Converged: no direction within the ranges leads down.",
    "converged_step": "Converged: steps have become too small to matter.",
    "max_iterations": (
        "Stopped at the largest number of iterations; more iterations may improve the fit."
    ),
    "interrupted": "Interrupted; the best parameters found so far are kept.",
    "not_finite": (
        "Stopped because the objective became NaN or infinite; the best parameters found before "
        "are kept. Check the ranges of the parameters."
    ),
}


@dataclass(frozen=True, kw_only=True)
class Iterate(Evaluation):
    """The objective at one iterate of a search.

    Parameters
    ----------
    objective, terms, rmse
        As for `Evaluation`.
    iteration : int
        0 is the start.
    evaluations : int
        Evaluations of the objective (and its derivatives) so far.
    seconds : float
        Time inside the optimiser so far [s].
    validation : float, optional
        The objective of trials that nothing is fitted to, if there are such trials.
    """

    iteration: int
    evaluations: int
    seconds: float
    validation: float | None = None

    @classmethod
    def from_json(cls, known: Mapping[str, Any]) -> Iterate:
        """Return an iterate from JSON."""
        return cls(**{**known, "terms": tuple(known["terms"]), "rmse": tuple(known["rmse"])})


Callback = Callable[[Iterate], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Minimum(OneLine):
    """The best point a search saw, and how it got there.

    Parameters
    ----------
    x : ndarray (n,)
        The point, in the unit box.
    objective : float
        The objective there; NaN when it was not finite at the start.
    terms : tuple of float
        Its terms there.
    history : tuple of Iterate
        Every iterate; empty when the objective was not finite at the start.
    evaluations : int
        Evaluations of the objective and its derivatives.
    seconds : float
        Time inside the optimiser [s].
    status : str
        Why it stopped, a key of `STATUS_SENTENCES`.
    validation : float, optional
        The objective of trials that nothing is fitted to, which then says which point is the best.
    """

    x: FloatArray
    objective: float
    terms: tuple[float, ...]
    history: tuple[Iterate, ...]
    evaluations: int
    seconds: float
    status: str
    validation: float | None = None

    @property
    def rank(self) -> float:
        """What is compared between searches: the lower the better, infinite without a point."""
        value = self.objective if self.validation is None else self.validation
        return value if math.isfinite(value) else math.inf

    @property
    def iterations(self) -> int:
        """How many there were."""
        return self.history[-1].iteration if self.history else 0

    def later(self, one: Iterate) -> Iterate:
        """Return an iterate of a search that goes on from here, counted from this one's start."""
        return dataclasses.replace(
            one,
            iteration=one.iteration + self.iterations,
            evaluations=one.evaluations + self.evaluations,
            seconds=one.seconds + self.seconds,
        )

    def then(self, second: Minimum) -> Minimum:
        """Return this search and one that went on from its best point as one search."""
        return dataclasses.replace(
            second if second.rank <= self.rank else self,
            history=self.history + tuple(self.later(one) for one in second.history[1:]),
            evaluations=self.evaluations + second.evaluations,
            seconds=self.seconds + second.seconds,
            status=second.status,
        )
