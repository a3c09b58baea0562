"""Terms of polynomials in OpenSim's order, and fits of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceinms_torch.geometry.polynomials import (
    Basis,
    derivative_coefficients,
    exponents,
    fit_length,
    n_term,
)

SIZES = st.tuples(st.integers(1, 4), st.integers(0, 5))


def value(coefficients, n, order, q):
    """Return a polynomial, term by term."""
    return np.prod(q[:, np.newaxis] ** exponents(n, order), axis=2) @ coefficients


def test_exponents_are_in_the_order_of_opensim():
    expected = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0)]
    np.testing.assert_array_equal(exponents(2, 2), expected)
    assert not exponents(2, 2).flags.writeable  # it is kept


@given(SIZES)
def test_all_terms_are_there_once(size):
    n, order = size
    table = exponents(n, order)
    assert len(table) == n_term(n, order) == len({tuple(row) for row in table})
    assert table.sum(axis=1).max() == order
    assert [tuple(row) for row in table] == sorted(tuple(row) for row in table)


@given(SIZES, st.integers(0, 2**32 - 1))
def test_derivative_is_that_of_differences(size, seed):
    n, order = size
    rng = np.random.default_rng(seed)
    coefficients, q = rng.uniform(-1, 1, n_term(n, order)), rng.uniform(-1, 1, (3, n))
    for i in range(n):
        step = 1e-5 * np.eye(n)[i]
        numeric = value(coefficients, n, order, q + step) - value(coefficients, n, order, q - step)
        found = derivative_coefficients(coefficients, n, order, i)
        exact = value(found, n, max(order - 1, 0), q)
        np.testing.assert_allclose(exact, numeric / 2e-5, atol=1e-7)


@given(SIZES, st.integers(0, 2**32 - 1))
def test_a_fit_becomes_powers_of_the_coordinates(size, seed):
    n, order = size
    rng = np.random.default_rng(seed)
    low = rng.uniform(-1.5, 0.5, n)
    basis = Basis(low, low + rng.uniform(0.1, 1.5, n), order)
    weights, q = rng.uniform(-1, 1, n_term(n, order)), rng.uniform(basis.low, basis.high, (5, n))
    terms, slopes = basis.values(q)
    coefficients = basis.coefficients(weights)
    # Powers of angles far from zero cancel: digits go with their size.
    tolerance = 1e-13 * max(np.abs(coefficients).max(), 1.0)
    np.testing.assert_allclose(
        value(coefficients, n, order, q), terms @ weights, rtol=0, atol=10 * tolerance
    )
    for i in range(n):
        found = derivative_coefficients(coefficients, n, order, i)
        np.testing.assert_allclose(
            value(found, n, max(order - 1, 0), q), slopes[i] @ weights, rtol=0, atol=100 * tolerance
        )


@pytest.mark.parametrize("with_arms", [False, True])
def test_a_polynomial_is_found_again(with_arms):
    rng = np.random.default_rng(3)
    coefficients, q = 0.1 * rng.uniform(-1, 1, n_term(3, 4)), rng.uniform(-0.6, 1.0, (150, 3))
    arms = np.stack(
        [-value(derivative_coefficients(coefficients, 3, 4, i), 3, 3, q) for i in range(3)]
    )
    fit = fit_length(
        q, value(coefficients, 3, 4, q), arms, order=4, arm_weight=np.full(3, float(with_arms))
    )
    length, found = fit.at(q)
    # What the price of high degrees takes: far below a micrometre.
    np.testing.assert_allclose(length, value(coefficients, 3, 4, q), atol=1e-7)
    np.testing.assert_allclose(found, arms, atol=1e-6)
