"""The tests of section III-D against values computed by hand and by the formulas."""

import math

import numpy as np
import pytest
from scipy import special, stats

from ceinms_torch.studies.statistics import compare_groups

# Values that no test of normality objects to, and some that all do.
NORMAL = [4.1, 5.0, 5.6, 6.1, 6.6, 7.2, 8.0]
SHIFTED = [value + 1.0 for value in NORMAL]
SKEWED = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 40.0]


def test_normal_groups_get_students_t_test():
    found = compare_groups(NORMAL, SHIFTED)
    # Student's t from its definition: equal variances, pooled.
    n, variance = len(NORMAL), np.var(NORMAL, ddof=1)
    t = -1.0 / math.sqrt(2.0 * variance / n)
    p = special.betainc(n - 1, 0.5, (2 * n - 2) / (2 * n - 2 + t * t))
    assert found.test == "t test"
    assert found.statistic == pytest.approx(t, rel=1e-12)
    assert found.p == pytest.approx(p, rel=1e-10)
    assert found.normality == tuple(stats.shapiro(one).pvalue for one in (NORMAL, SHIFTED))
    assert min(found.normality) >= 0.05
    assert not found.is_significant
    assert compare_groups(NORMAL, [value + 4.0 for value in NORMAL]).is_significant


def test_one_group_that_is_not_normal_makes_it_a_u_test():
    found = compare_groups(NORMAL, SKEWED)
    assert found.test == "Mann-Whitney U"
    # By hand: of the 49 pairs, the first group's value is greater in all but those with 40.
    assert found.statistic == 42.0
    assert found.normality[1] < 0.05
    # Exact: both ends of the distribution of U over the C(14, 7) orders.
    assert found.p == pytest.approx(stats.mannwhitneyu(NORMAL, SKEWED, method="exact").pvalue)


def test_u_test_by_counting_every_order():
    first, second = [1.0, 1.01, 1.02, 50.0], [2.0, 3.0, 4.0, 5.0]
    found = compare_groups(first, second)
    assert found.test == "Mann-Whitney U"
    assert found.statistic == 4.0
    # 70 orders; U <= 4 in 12 of them, and as many at the other end.
    assert found.p == pytest.approx(24.0 / 70.0, rel=1e-12)


def test_more_than_two_groups():
    third = [value - 1.5 for value in NORMAL]
    found = compare_groups(NORMAL, SHIFTED, third)
    assert found.test == "ANOVA"
    assert found.p == pytest.approx(stats.f_oneway(NORMAL, SHIFTED, third).pvalue)
    found = compare_groups(NORMAL, SKEWED, third)
    assert found.test == "Kruskal-Wallis"
    assert found.p == pytest.approx(stats.kruskal(NORMAL, SKEWED, third).pvalue)


@pytest.mark.parametrize(
    ("group", "why_not"),
    [
        ([], "fewer than 3 values"),
        ([1.0, 2.0], "fewer than 3 values"),
        ([1.0, math.nan, 2.0], "values that are not finite"),
        ([0.3, 0.3, 0.1 + 0.2], "values that are all the same"),
        ([0.0, 0.0, 0.0], "values that are all the same"),
    ],
)
def test_what_cannot_be_tested_says_why(group, why_not):
    for groups in ((group, NORMAL), (NORMAL, group), (NORMAL, SHIFTED, group)):
        found = compare_groups(*groups)
        assert found.why_not == why_not
        assert (found.test, found.statistic, found.p, found.normality) == ("", None, None, ())
        assert not found.is_significant


def test_one_group_is_nothing_to_compare():
    with pytest.raises(ValueError, match="at least two groups"):
        compare_groups(NORMAL)
