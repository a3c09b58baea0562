"""What every search in Python keeps while it runs."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence

from ceinms_torch.arrays import FloatArray
from ceinms_torch.io.interrupts import raise_if_stopped
from ceinms_torch.optimisers.minimum import Callback, Iterate, Minimum
from ceinms_torch.optimisers.problem import Evaluation
from ceinms_torch.plan.options import Improvement


class NotFiniteError(Exception):
    """The objective is NaN or infinite."""


class _EarlyStopping:
    """Tells when the best value has improved too little for too long (`EarlyStopping` in C++)."""

    def __init__(self) -> None:
        self.reference = math.inf
        self._since = 0

    def stops(self, iteration: int, best: float, enough: float, patience: int) -> bool:
        """Tell whether a value has not fallen by enough for so many iterations."""
        if iteration == 0 or best < self.reference - enough:
            self.reference, self._since = best, iteration
        return iteration - self._since >= patience


class Run:
    """Clock, history, best point and early stopping of one search (`OptimiserRun` in C++).

    Parameters
    ----------
    callback : callable, optional
        Called with an Iterate after every iteration.
    term_names : sequence of str
        Names of the objective's terms, of which "moment" is watched for itself.
    """

    def __init__(self, callback: Callback | None, term_names: Sequence[str] = ()) -> None:
        self.history: list[Iterate] = []
        self.best: tuple[FloatArray, Iterate] | None = None
        self.evaluations = 0
        self.lowest = math.inf
        self._callback = callback
        self._begin = time.perf_counter()
        self._latest: Iterate
        self._objective, self._moments = _EarlyStopping(), _EarlyStopping()
        self._moment = term_names.index("moment") if "moment" in term_names else None

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
        self,
        min_improvement: float,
        patience: int,
        improvement: Improvement = "relative",
        least: float = 0.0,
    ) -> bool:
        """Tell whether neither the objective nor the moment errors in it get better any longer.

        Where penalties are most of an objective, errors may still fall by much of themselves when
        it hardly does. The objective is that of the validation trials, if any, and then watched
        alone.

        Parameters
        ----------
        min_improvement : float
            Fall of the lowest value that counts as progress; >= 0.
        patience : int
            Iterations without progress that are too many; >= 1.
        improvement : {"relative", "absolute"}
            Whether the fall is a share, or in the unit of the objective, watched alone. A loss of
            one's own may be negative: less is then farther from 0.
        least : float
            Values count as at least so large when shares of them are taken; >= 0.
        """
        iteration = len(self.history) - 1

        def stops(watch: _EarlyStopping, best: float) -> bool:
            size = max(abs(watch.reference), least) if improvement == "relative" else 1.0
            return watch.stops(iteration, best, min_improvement * size, patience)

        stalls = stops(self._objective, self.lowest)
        if self._moment is None or self.best is None or improvement == "absolute":
            return stalls
        best = self.best[1]
        if best.validation is not None:
            return stalls
        return stops(self._moments, best.terms[self._moment]) and stalls

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
