"""What every search in Python keeps while it runs."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable

from ceinms_torch.arrays import FloatArray
from ceinms_torch.io.interrupts import raise_if_stopped
from ceinms_torch.optimisers.minimum import Callback, Iterate, Minimum
from ceinms_torch.optimisers.problem import Evaluation
from ceinms_torch.plan.options import Improvement


class NotFiniteError(Exception):
    """The objective is NaN or infinite."""


class Run:
    """Clock, history, best point and early stopping of one search (`OptimiserRun` in C++).

    Parameters
    ----------
    callback : callable, optional
        Called with an Iterate after every iteration.
    """

    def __init__(self, callback: Callback | None) -> None:
        self.history: list[Iterate] = []
        self.best: tuple[FloatArray, Iterate] | None = None
        self.evaluations = 0
        self.lowest = math.inf
        self._callback = callback
        self._begin = time.perf_counter()
        self._latest: Iterate
        self._reference = 0.0
        self._since = 0

    def take(self, x: FloatArray, evaluation: Evaluation, validation: float | None = None) -> bool:
        """Count an evaluation at x (n,) and return whether it is the best so far.

        Raises
        ------
        KeyboardInterrupt
            If a signal waits that asks to stop.
        NotFiniteError
            If the objective, or that of the validation trials, is not finite.
        """
        raise_if_stopped()
        self.evaluations += 1
        self._latest = Iterate(
            objective=evaluation.objective,
            terms=evaluation.terms,
            rmse=evaluation.rmse,
            iteration=len(self.history),
            evaluations=self.evaluations,
            seconds=time.perf_counter() - self._begin,
            validation=validation,
        )
        judged = evaluation.objective if validation is None else validation
        if not (math.isfinite(evaluation.objective) and math.isfinite(judged)):
            raise NotFiniteError
        if judged >= self.lowest:
            return False
        self.lowest = judged
        self.best = x.copy(), self._latest
        return True

    def record(self) -> None:
        """Make the latest evaluation the next iterate."""
        one = dataclasses.replace(
            self._latest,
            iteration=len(self.history),
            evaluations=self.evaluations,
            seconds=time.perf_counter() - self._begin,
        )
        self.history.append(one)
        if self._callback is not None:
            self._callback(one)

    def stalls(
        self, min_improvement: float, patience: int, improvement: Improvement = "relative"
    ) -> bool:
        """Tell whether the best objective has improved too little for too long.

        As `EarlyStopping` in C++; an absolute improvement is in the unit of the objective. A loss
        of one's own may be negative: less is then farther from 0.
        """
        iteration = len(self.history) - 1
        enough = self._reference - min_improvement
        if improvement == "relative":
            enough = self._reference * (1.0 - math.copysign(min_improvement, self._reference))
        if iteration == 0 or self.lowest < enough:
            self._reference, self._since = self.lowest, iteration
        return iteration - self._since >= patience

    def finish(self, start: FloatArray, search: Callable[[], str]) -> Minimum:
        """Run a search, which says why it stopped, and return the best point that it took.

        Raises
        ------
        KeyboardInterrupt
            If there is no point yet that could be kept.
        """
        try:
            status = search()
        except KeyboardInterrupt:
            if self.best is None:
                raise
            status = "interrupted"
        except NotFiniteError:
            status = "not_finite"
        x, best = self.best or (start, None)
        return Minimum(
            x=x,
            objective=math.nan if best is None else best.objective,
            terms=() if best is None else best.terms,
            history=tuple(self.history),
            evaluations=self.evaluations,
            seconds=time.perf_counter() - self._begin,
            status=status,
            validation=None if best is None else best.validation,
        )
