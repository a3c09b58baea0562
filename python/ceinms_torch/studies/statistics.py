"""Whether groups of values differ: the tests of the paper, section III-D."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

SIGNIFICANCE = 0.05
# The least that a test of Shapiro and Wilk takes.
FEWEST_VALUES = 3


def deviation(values: Sequence[float]) -> float:
    """Return the standard deviation of repetitions such as seeds, (n,); 0 for a single one."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


@dataclass(frozen=True, kw_only=True)
class GroupComparison:
    """The outcome of a test, or why there was none.

    Parameters
    ----------
    test : str
        "t test" or "Mann-Whitney U" for two groups, "ANOVA" or "Kruskal-Wallis" for more; empty
        where there was none.
    statistic : float or None
        Its statistic [-].
    p : float or None
        Probability of a statistic as extreme if the groups do not differ [-].
    normality : tuple of float
        p of the test of Shapiro and Wilk, one per group; empty where there was none.
    why_not : str
        Why no test was made; empty where there was one.
    """

    test: str = ""
    statistic: float | None = None
    p: float | None = None
    normality: tuple[float, ...] = ()
    why_not: str = ""

    @property
    def is_significant(self) -> bool:
        """Whether the groups differ at p < 0.05; False where there was no test."""
        return self.p is not None and self.p < SIGNIFICANCE


def compare_groups(*groups: Sequence[float]) -> GroupComparison:
    """Test whether independent groups of values differ.

    As in the paper: if the test of Shapiro and Wilk finds every group normally distributed
    (p >= 0.05), an independent samples t test of equal variances, else a Mann-Whitney U test, both
    two-sided. Of three groups or more, an analysis of variance or a Kruskal-Wallis test in their
    place. Nothing is corrected for the number of comparisons.

    Parameters
    ----------
    *groups : sequence of float
        At least two groups, such as the RMSE of every trial with one model and with another.

    Returns
    -------
    GroupComparison
        Without a test if a group has fewer than three values, a value is not finite, or all values
        of a group are the same.

    Raises
    ------
    ValueError
        If there are fewer than two groups.

    References
    ----------
    Hambly et al., section III-D.
    """
    if len(groups) < 2:
        raise ValueError("compare_groups: expected at least two groups.")
    arrays = [np.asarray(group, dtype=np.float64) for group in groups]
    why_not = next(filter(None, map(_why_not, arrays)), "")
    if why_not:
        return GroupComparison(why_not=why_not)
    from scipy import stats  # noqa: PLC0415  slow to load

    normality = tuple(float(stats.shapiro(array).pvalue) for array in arrays)
    is_normal = min(normality) >= SIGNIFICANCE
    tests: dict[tuple[bool, bool], tuple[str, Any]] = {
        (True, True): ("t test", stats.ttest_ind),
        (True, False): ("Mann-Whitney U", stats.mannwhitneyu),
        (False, True): ("ANOVA", stats.f_oneway),
        (False, False): ("Kruskal-Wallis", stats.kruskal),
    }
    test, function = tests[len(arrays) == 2, is_normal]
    outcome = function(*arrays)
    return GroupComparison(
        test=test,
        statistic=float(outcome.statistic),
        p=float(outcome.pvalue),
        normality=normality,
    )


def _why_not(values: np.ndarray[Any, np.dtype[np.float64]]) -> str:
    if values.size < FEWEST_VALUES:
        return f"fewer than {FEWEST_VALUES} values"
    if not np.all(np.isfinite(values)):
        return "values that are not finite"
    # Rounding of equal values is no spread.
    if np.ptp(values) <= 1e-12 * np.max(np.abs(values)):
        return "values that are all the same"
    return ""
