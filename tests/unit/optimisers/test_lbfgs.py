"""L-BFGS-B on functions with known minima, in the unit box and in an equilibrated one."""

import numpy as np
import pytest

from ceinms_torch.optimisers.lbfgs import minimise_lbfgs
from ceinms_torch.optimisers.problem import Differentiable, Evaluation
from ceinms_torch.plan.options import Lbfgs

TIGHT = Lbfgs(min_improvement=0.0, min_gradient=1e-9, max_iterations=5000)


class Bowl(Differentiable):
    """(x - centre) . A (x - centre) / 2, which checks where it is asked and can fail there."""

    def __init__(self, matrix, centre, *, is_uneven=False, fails_at=None, raises_at=None):
        self.matrix, self.centre = matrix, centre
        self.is_uneven = is_uneven
        self.fails_at, self.raises_at = fails_at, raises_at
        self.n_call = 0

    def gradient(self, x):
        assert np.all((x >= 0.0) & (x <= 1.0))
        self.n_call += 1
        if self.n_call == self.raises_at:
            raise KeyboardInterrupt
        slope = self.matrix @ (x - self.centre)
        value = np.nan if self.n_call == self.fails_at else 0.5 * (x - self.centre) @ slope
        return Evaluation(objective=value, terms=(value,), rmse=(0.0,)), slope


def uneven_bowl(n=120, **options):
    """Variables whose curvatures range over six decades, coupled; a third wants out of the box."""
    random = np.random.default_rng(7)
    basis = np.linalg.qr(random.normal(size=(n, n)))[0]
    coupling = basis @ np.diag(np.linspace(1.0, 30.0, n)) @ basis.T
    scale = np.sqrt(np.logspace(-3.0, 3.0, n))
    return Bowl(scale[:, None] * coupling * scale, random.uniform(-0.25, 1.25, size=n), **options)


def start_of(bowl):
    """Some variables in the middle, some on either bound."""
    return np.resize([0.5, 0.0, 1.0], len(bowl.centre))


@pytest.mark.parametrize("equilibrate", [False, True])
def test_minimum_fulfils_its_conditions(equilibrate):
    bowl = uneven_bowl(is_uneven=equilibrate)
    minimum = minimise_lbfgs(bowl, start_of(bowl), TIGHT, None)
    _, slope = bowl.gradient(minimum.x)
    low, high = minimum.x == 0.0, minimum.x == 1.0
    assert low.any()
    assert high.any()
    # Exactly on a bound, the objective falls outwards; inside, nowhere.
    tolerance = 1e-5 * np.sqrt(np.diag(bowl.matrix))
    assert np.all(slope[low] >= 0.0)
    assert np.all(slope[high] <= 0.0)
    assert np.all(np.abs(slope)[~(low | high)] <= tolerance[~(low | high)])


def test_equilibrated_search_needs_fewer_evaluations():
    counts = {}
    for equilibrate in (False, True):
        bowl = uneven_bowl(is_uneven=equilibrate)
        minimum = minimise_lbfgs(bowl, start_of(bowl), TIGHT, None)
        assert minimum.evaluations == bowl.n_call
        lowest = minimum.objective
        close = next(p for p in minimum.history if p.objective <= lowest * (1.0 + 1e-5))
        counts[equilibrate] = close.evaluations
    assert counts[True] < 0.7 * counts[False]


def test_history_goes_on_where_the_box_changes():
    bowl = uneven_bowl(is_uneven=True)
    seen = []
    minimum = minimise_lbfgs(bowl, start_of(bowl), Lbfgs(max_iterations=80), seen.append)
    assert minimum.status == "max_iterations"
    assert seen == list(minimum.history)
    assert [point.iteration for point in seen] == list(range(81))
    evaluations = [point.evaluations for point in seen]
    assert evaluations == sorted(evaluations)
    # Ten products of the Hessian, one gradient to compare with, and the new start.
    assert max(np.diff(evaluations)) >= 12
    assert minimum.objective == min(point.objective for point in seen)


def test_last_iteration_may_be_the_first_in_another_box():
    bowl = uneven_bowl(is_uneven=True)
    options = Lbfgs(max_iterations=51)
    minimum = minimise_lbfgs(bowl, start_of(bowl), options, None)
    assert minimum.history[-1].iteration == 51
    assert minimum.status == "max_iterations"


def test_one_poor_iteration_is_not_the_end():
    """A coarse tolerance stops a search early; in another box it goes on."""
    lowest = minimise_lbfgs(uneven_bowl(), start_of(uneven_bowl()), TIGHT, None).objective
    excess = {}
    for equilibrate in (False, True):
        bowl = uneven_bowl(is_uneven=equilibrate)
        options = Lbfgs(min_improvement=2e-4)
        minimum = minimise_lbfgs(bowl, start_of(bowl), options, None)
        assert minimum.status == "converged"
        assert minimum.history[-1].iteration > 50
        excess[equilibrate] = minimum.objective - lowest
    assert excess[True] < 0.3 * excess[False]


def test_short_search_keeps_its_box():
    results = []
    for equilibrate in (False, True):
        bowl = uneven_bowl(is_uneven=equilibrate)
        options = Lbfgs(max_iterations=50)
        results.append(minimise_lbfgs(bowl, start_of(bowl), options, None))
    np.testing.assert_array_equal(results[0].x, results[1].x)
    assert results[0].evaluations == results[1].evaluations


def test_converged_search_does_not_start_again():
    bowl = Bowl(np.eye(3), np.array([0.2, 0.7, 1.5]), is_uneven=True)
    minimum = minimise_lbfgs(bowl, np.full(3, 0.5), Lbfgs(), None)
    assert minimum.status == "converged"
    np.testing.assert_allclose(minimum.x, [0.2, 0.7, 1.0], atol=1e-6)
    assert minimum.evaluations < 10


def test_variables_without_influence_stay():
    bowl = uneven_bowl(60, is_uneven=True)
    idle = np.arange(60) % 4 == 3
    bowl.matrix[idle] = 0.0
    bowl.matrix[:, idle] = 0.0
    start = start_of(bowl)
    minimum = minimise_lbfgs(bowl, start, Lbfgs(), None)
    assert minimum.evaluations > 70
    # A product and a quotient: one rounding each.
    np.testing.assert_allclose(minimum.x[idle], start[idle], rtol=1e-15)


def calls_before_widths():
    """Evaluations of the first part of a search."""
    bowl = uneven_bowl()
    minimise_lbfgs(bowl, start_of(bowl), Lbfgs(max_iterations=50), None)
    return bowl.n_call


@pytest.mark.parametrize("after", [-20, 1, 5, 30], ids=["before", "slope", "products", "after"])
@pytest.mark.parametrize(
    ("failure", "status"), [("raises_at", "interrupted"), ("fails_at", "not_finite")]
)
def test_stopped_anywhere_the_best_is_kept(failure, status, after):
    bowl = uneven_bowl(is_uneven=True, **{failure: calls_before_widths() + after})
    minimum = minimise_lbfgs(bowl, start_of(bowl), Lbfgs(), None)
    assert minimum.status == status
    assert minimum.objective <= min(point.objective for point in minimum.history)
    assert bowl.gradient(minimum.x)[0].objective == minimum.objective


def test_not_finite_at_the_start():
    bowl = uneven_bowl(is_uneven=True, fails_at=1)
    minimum = minimise_lbfgs(bowl, start_of(bowl), Lbfgs(), None)
    assert minimum.status == "not_finite"
    assert not minimum.history
    np.testing.assert_array_equal(minimum.x, start_of(bowl))


def test_small_objective_does_not_start_again_and_again():
    bowl = uneven_bowl(is_uneven=True)
    bowl.matrix = 1e-4 * bowl.matrix  # of which scipy's rules see little
    minimum = minimise_lbfgs(bowl, start_of(bowl), Lbfgs(), None)
    assert minimum.evaluations < 400


def test_rules_are_relative_to_the_unit():
    bowls = [uneven_bowl(), uneven_bowl()]
    bowls[1].matrix = 2.0**-30 * bowls[1].matrix
    for bowl in bowls:
        bowl.is_in_own_unit = True
    one, other = (minimise_lbfgs(bowl, start_of(bowl), TIGHT, None) for bowl in bowls)
    np.testing.assert_array_equal(other.x, one.x)


def test_nothing_to_change_is_one_evaluation():
    minimum = minimise_lbfgs(Bowl(np.zeros((0, 0)), np.zeros(0)), np.zeros(0), Lbfgs(), None)
    assert (minimum.status, minimum.evaluations) == ("converged", 1)


def test_ctrl_c_before_there_is_a_point_is_passed_on():
    class Interrupted(Differentiable):
        def gradient(self, _):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        minimise_lbfgs(Interrupted(), np.full(3, 0.5), Lbfgs(), None)
