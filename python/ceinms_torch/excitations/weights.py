"""Weights of EMG-assisted and static optimisation, by a rule that needs no range to sweep."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ceinms_torch.blas import one_blas_thread
from ceinms_torch.errors import DataError, OptionError
from ceinms_torch.excitations.search import ExcitationResult, TrialSearch
from ceinms_torch.io.display import OneLine
from ceinms_torch.simulation.moments import measured_moments

WeightName = Literal["beta", "gamma"]
# The search for the weight ends when it is known to this factor.
PRECISION = 1.02
MARGIN = 0.1
# Moment errors smaller than this share of the measured moments are no reason to prefer a weight:
# inverse dynamics is not that exact.
NEGLIGIBLE = 0.01
# Factors on the chosen weight for which the outcome is shown: a decade, evenly in the logarithm.
DECADE = tuple(10.0**exponent for exponent in (-0.5, -0.25, 0.0, 0.25, 0.5))


@dataclass(frozen=True, kw_only=True)
class WeightOutcome:
    """What one weight buys, and what it costs.

    Parameters
    ----------
    weight : float
        Over alpha [N^2 m^2].
    moment_rmse : float
        Root mean square moment error over the frames and the DOFs that count [N m].
    tracking : float
        Mean absolute change of the adjusted excitations [-]; NaN if there are none.
    effort : float
        Root mean square excitation of all MTUs [-].
    """

    weight: float
    moment_rmse: float
    tracking: float
    effort: float


@dataclass(frozen=True, kw_only=True, eq=False)
class WeightChoice(OneLine):
    """The weights that were chosen, with what others would have given.

    Parameters
    ----------
    name : {"gamma", "beta"}
        Which weight was chosen; the other one, over alpha, is that of the file.
    result : ExcitationResult
        The search with the chosen weights.
    best_rmse : float
        Moment error with that weight at zero, the best attainable [N m].
    largest_rmse : float
        The moment error that was allowed [N m].
    sensitivity : tuple of WeightOutcome
        A decade around the choice.
    """

    name: WeightName
    result: ExcitationResult
    best_rmse: float
    largest_rmse: float
    sensitivity: tuple[WeightOutcome, ...]

    def to_csv(self) -> str:
        """Return the sensitivity as a table with units in its header."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        header = (f"{self.name}/alpha [N^2 m^2]", "moment RMSE [N m]")
        writer.writerow((*header, "mean |change of excitation| [-]", "RMS excitation [-]"))
        for outcome in self.sensitivity:
            writer.writerow([f"{value:.9g}" for value in dataclasses.astuple(outcome)])
        return text.getvalue()


@one_blas_thread
def choose_weights(
    search: TrialSearch,
    *,
    margin: float = MARGIN,
    callback: Callable[[int], None] | None = None,
) -> WeightChoice:
    """Choose gamma, or beta where no excitation is adjusted, by what the moments tolerate.

    The largest weight is taken with which the root mean square moment error stays within `margin`
    of the best attainable, that with the weight at zero. So the excitations are as close to the
    recorded ones (gamma) or as small (beta) as the moments allow, and the price is the margin, a
    number that can be reported. The knee of an L-curve, the usual rule, depends on the range that
    is swept: it moves when the range does. Here there is no range: the error grows with the weight,
    so one weight has the allowed error, and a bisection of the logarithm finds it from any start.

    Only weights over alpha matter. If gamma is chosen, beta over alpha stays as the file has it: it
    shares the load among the MTUs that are not tracked. Errors below 1 % of the root mean square
    measured moment count as that, as inverse dynamics is no better.

    Parameters
    ----------
    search : TrialSearch
        The trial; weights of its file are where the bisection starts.
    margin : float
        Allowed increase of the moment error, relative; > 0.
    callback : callable, optional
        Called with the number of searches so far, after each.

    Returns
    -------
    WeightChoice

    Raises
    ------
    DataError
        If the error does not depend on the weight, or no MTU is searched.
    OptionError
        If `margin` is not positive.
    """
    if not margin > 0.0:
        raise OptionError(where="margin", expected="a positive number", got=str(margin))
    bisection = _Bisection(search, callback)
    best = bisection.solve(0.0)
    best_rmse = bisection.rmse(best)
    dofs = search.searched.dofs
    size = float(np.sqrt(np.mean(measured_moments(search.trial)[:, dofs] ** 2)))
    allowed = (1.0 + margin) * max(best_rmse, NEGLIGIBLE * size)
    weight, result = bisection.largest(allowed, best)
    sensitivity = []
    for factor in DECADE:
        one = result if factor == 1.0 else bisection.solve(factor * weight)
        sensitivity.append(bisection.outcome(factor * weight, one))
    return WeightChoice(
        name=bisection.name,
        result=result,
        best_rmse=best_rmse,
        largest_rmse=allowed,
        sensitivity=tuple(sensitivity),
    )


class _Bisection:
    """Searches with one weight changing, each from what was recorded.

    An elastic tendon has several minima: from where the last search ended, a weight's result would
    depend on those before.
    """

    def __init__(self, search: TrialSearch, callback: Callable[[int], None] | None) -> None:
        if len(search.searched.mtus) == 0:
            expected = "at least one MTU in adjustMTUs or synthMTUs"
            raise DataError(where="weights", expected=expected, got="none")
        self.search = search
        self.callback = callback
        self.name: WeightName = "gamma" if len(search.searched.adjust) else "beta"
        self.n_solved = 0

    def solve(self, weight: float) -> ExcitationResult:
        """Search with a weight over alpha."""
        change: dict[str, Any] = {self.name: weight * self.search.hybrid.alpha}
        hybrid = dataclasses.replace(self.search.hybrid, **change)
        result = self.search.solve(hybrid)
        if result.status == "interrupted":
            raise KeyboardInterrupt
        self.n_solved += 1
        if self.callback is not None:
            self.callback(self.n_solved)
        return result

    def rmse(self, result: ExcitationResult) -> float:
        """Return the moment error over frames and DOFs that count [N m]."""
        n = len(self.search.recorded) * len(self.search.searched.dofs)
        return math.sqrt(result.terms.moment / n)

    def outcome(self, weight: float, result: ExcitationResult) -> WeightOutcome:
        """Return what a search gave, per frame and MTU."""
        n_step, n_mtu = self.search.recorded.shape
        n_adjusted = n_step * len(self.search.searched.adjust)
        return WeightOutcome(
            weight=weight,
            moment_rmse=self.rmse(result),
            tracking=result.terms.tracking / n_adjusted if n_adjusted else math.nan,
            effort=math.sqrt(result.terms.effort / (n_step * n_mtu)),
        )

    def is_exhausted(self, result: ExcitationResult) -> bool:
        """Whether a larger weight would change nothing: what it weighs is zero already."""
        searched = self.search.searched
        excitation = result.adjusted_excitation.array
        if self.name == "beta":
            return not excitation[:, searched.mtus].any()
        change = excitation[:, searched.adjust] - self.search.recorded[:, searched.adjust]
        return not change.any()

    def largest(self, allowed: float, result: ExcitationResult) -> tuple[float, ExcitationResult]:
        """Return the largest weight whose moment error is allowed, and the search with it.

        `result` is the search with the weight at zero, whose error is allowed.
        """
        low, high = 0.0, math.inf
        weight = getattr(self.search.hybrid, self.name) / self.search.hybrid.alpha or 1.0
        while not (low > 0.0 and high / low < PRECISION):
            if not 1e-12 < weight < 1e15:
                what = f"a moment error that grows with {self.name}"
                got = f"{self.rmse(result):.4g} N m up to {self.name}/alpha = {weight:.0e}"
                raise DataError(
                    where="weights", expected=what, got=got, hint="check which MTUs are searched"
                )
            tried = self.solve(weight)
            if self.rmse(tried) <= allowed:
                low, result = weight, tried
                if self.is_exhausted(tried):
                    break
            else:
                high = weight
            if low == 0.0:
                weight = high / 10.0
            elif high == math.inf:
                weight = low * 10.0
            else:
                weight = math.sqrt(low * high)
        return low, result
