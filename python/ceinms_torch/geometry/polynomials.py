"""Polynomials of several coordinates: their terms in OpenSim's order, and fits of them.

A polynomial of order p in the coordinates q_1, ..., q_n has a coefficient for every product
q_1^e_1 ... q_n^e_n with e_1 + ... + e_n <= p. OpenSim's ``MultivariatePolynomialFunction`` lists
them with the exponent of the last coordinate running fastest.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import legendre

from ceinms_torch.arrays import FloatArray, IndexArray

# Coordinates that hardly move are not blown up to the whole box [rad or m].
_LEAST_HALF_RANGE = 0.05
# Price of a term of degree one, as a share of the square of a row of data.
_RIDGE = 1e-9


def n_term(n_coordinate: int, order: int) -> int:
    """Return how many coefficients a polynomial has.

    Parameters
    ----------
    n_coordinate : int
        Of how many coordinates it is, >= 1.
    order : int
        Largest sum of exponents, >= 0.

    Returns
    -------
    int
    """
    return math.comb(n_coordinate + order, order)


@functools.cache
def exponents(n_coordinate: int, order: int) -> IndexArray:
    """Return the exponents of every term, in the order of OpenSim's coefficients.

    Parameters
    ----------
    n_coordinate : int
        Of how many coordinates it is, >= 0.
    order : int
        Largest sum of exponents, >= 0.

    Returns
    -------
    ndarray of int (n_term, n_coordinate)
        Read-only.
    """
    blocks = [np.zeros((1, 0), dtype=np.int64)]
    if n_coordinate > 0:
        rests = [exponents(n_coordinate - 1, order - power) for power in range(order + 1)]
        blocks = [
            np.column_stack((np.full(len(rest), power), rest)) for power, rest in enumerate(rests)
        ]
    result = np.concatenate(blocks).astype(np.int64)
    result.setflags(write=False)
    return result


def derivative_coefficients(
    coefficients: FloatArray, n_coordinate: int, order: int, coordinate: int
) -> FloatArray:
    """Return the coefficients of a polynomial's derivative, whose order is one less.

    Parameters
    ----------
    coefficients : ndarray (n_term,)
        Of the polynomial.
    n_coordinate, order : int
        Its coordinates and order.
    coordinate : int
        Index of the coordinate that it is differentiated by.

    Returns
    -------
    ndarray
        In the same order of terms; one zero for a constant.
    """
    power = exponents(n_coordinate, order)[:, coordinate]
    # With one power less, those that have any are all terms of the lower order, as listed there.
    return (power * coefficients)[power > 0] if order > 0 else np.zeros(1)


@dataclass(frozen=True, eq=False)
class Basis:
    """All products of Legendre polynomials up to an order, on the box that some poses fill.

    On a box such products are nearly independent of each other, which powers of angles are not:
    a least-squares fit keeps its digits, and is turned into powers of the coordinates at the end.

    Parameters
    ----------
    low, high : ndarray (n_coordinate,)
        Corners of the box [rad or m].
    order : int
        Largest sum of degrees, >= 0.
    """

    low: FloatArray
    high: FloatArray
    order: int

    @classmethod
    def of(cls, coordinates: FloatArray, order: int) -> Basis:
        """Return the basis on the box of some poses (n_pose, n_coordinate)."""
        low, high = coordinates.min(axis=0), coordinates.max(axis=0)
        more = np.maximum(0.0, _LEAST_HALF_RANGE - 0.5 * (high - low))
        return cls(low - more, high + more, order)

    @property
    def degrees(self) -> IndexArray:
        """Degree of every term in every coordinate (n_term, n_coordinate)."""
        return exponents(len(self.low), self.order)

    @property
    def _half(self) -> FloatArray:
        return 0.5 * (self.high - self.low)

    def values(self, coordinates: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return all terms in some poses, and their derivatives.

        Parameters
        ----------
        coordinates : ndarray (n_pose, n_coordinate)
            [rad or m].

        Returns
        -------
        value : ndarray (n_pose, n_term)
            Of every term.
        derivative : ndarray (n_coordinate, n_pose, n_term)
            By every coordinate [1/rad or 1/m].
        """
        place = (coordinates - self.low) / self._half - 1.0
        one = legendre.legvander(place, self.order)  # (n_pose, n_coordinate, order + 1)
        slopes = legendre.legder(np.eye(self.order + 1), axis=0)
        slope = legendre.legvander(place, max(self.order - 1, 0)) @ slopes
        factor = [one[:, i, self.degrees[:, i]] for i in range(len(self.low))]
        derivative = [
            math.prod(factor[:i] + factor[i + 1 :]) * slope[:, i, self.degrees[:, i]] / half
            for i, half in enumerate(self._half)
        ]
        return np.asarray(math.prod(factor)), np.stack(derivative)

    def coefficients(self, weights: FloatArray) -> FloatArray:
        """Return the coefficients of a sum of these terms, in OpenSim's order.

        Parameters
        ----------
        weights : ndarray (n_term,)
            Of every term.

        Returns
        -------
        ndarray (n_term,)
            Of the powers of the coordinates.
        """
        result = np.ones((len(self.degrees),) * 2)
        for i, (low, half) in enumerate(zip(self.low, self._half, strict=True)):
            of_degree = np.zeros((self.order + 1,) * 2)  # [degree, power]
            inner = np.polynomial.Polynomial([-low / half - 1.0, 1.0 / half])
            for degree, unit in enumerate(np.eye(self.order + 1)):
                power = np.polynomial.Polynomial(legendre.leg2poly(unit))(inner).coef
                of_degree[degree, : len(power)] = power
            result *= of_degree[np.ix_(self.degrees[:, i], self.degrees[:, i])]
        return weights @ result


@dataclass(frozen=True, eq=False)
class LengthFit:
    """A polynomial length as it was fitted; its moment arms are its negative derivatives.

    Parameters
    ----------
    basis : Basis
        What its terms are.
    weights : ndarray (n_term,)
        Of every term [m].
    """

    basis: Basis
    weights: FloatArray

    def at(self, coordinates: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return lengths (n_pose,) [m] and moment arms (n_coordinate, n_pose) [m] in some poses.

        Parameters
        ----------
        coordinates : ndarray (n_pose, n_coordinate)
            [rad or m].

        Returns
        -------
        length : ndarray (n_pose,)
            [m].
        moment_arm : ndarray (n_coordinate, n_pose)
            [m].
        """
        value, derivative = self.basis.values(coordinates)
        return value @ self.weights, -derivative @ self.weights

    @property
    def coefficients(self) -> FloatArray:
        """Coefficients of the powers of the coordinates, in OpenSim's order (n_term,)."""
        return self.basis.coefficients(self.weights)


@dataclass(frozen=True, eq=False)
class Equations:
    """Normal equations of a fit; those of two sets of poses may be added and subtracted.

    Parameters
    ----------
    gram : ndarray (n_term, n_term)
        Products of the terms, summed over rows of data.
    right : ndarray (n_term,)
        Products of the terms and what their sum shall be.
    n_row : int
        How many rows.
    """

    gram: FloatArray
    right: FloatArray
    n_row: int

    @classmethod
    def of(
        cls,
        basis: Basis,
        coordinates: FloatArray,
        length: FloatArray,
        moment_arm: FloatArray,
        *,
        length_weight: float = 1.0,
        arm_weight: FloatArray,
    ) -> Equations:
        """Return those of some poses; arguments as of `fit_length`."""
        value, derivative = basis.values(coordinates)
        known = [i for i, weight in enumerate(arm_weight) if weight > 0.0]
        rows = [length_weight * value, *(-arm_weight[i] * derivative[i] for i in known)]
        target = [length_weight * length, *(arm_weight[i] * moment_arm[i] for i in known)]
        matrix, right = np.concatenate(rows), np.concatenate(target)
        return cls(matrix.T @ matrix, matrix.T @ right, len(right))

    def __add__(self, other: Equations) -> Equations:
        """Return those of both sets of poses."""
        return Equations(self.gram + other.gram, self.right + other.right, self.n_row + other.n_row)

    def __sub__(self, other: Equations) -> Equations:
        """Return those of the poses that are in this set and not in the other."""
        return Equations(self.gram - other.gram, self.right - other.right, self.n_row - other.n_row)

    def _prices(self, basis: Basis) -> FloatArray:
        # Terms are nearly independent, so that the equations' condition is at most 1 / _RIDGE, and
        # rounding far below a micrometre.
        return np.asarray(_RIDGE * self.n_row * basis.degrees.sum(axis=1) ** 2.0)

    def solution(self, basis: Basis) -> LengthFit:
        """Return the fit, in which terms of high degree are small where data do not decide."""
        gram = self.gram + np.diag(self._prices(basis))
        return LengthFit(basis, np.linalg.solve(gram, self.right).astype(np.float64))

    def undecided(self, basis: Basis, coordinates: FloatArray) -> FloatArray:
        """Return how little data say about the derivative by each coordinate.

        Parameters
        ----------
        basis : Basis
            Of the fit, of order 1 at least.
        coordinates : ndarray (n_pose, n_coordinate)
            Poses [rad or m].

        Returns
        -------
        ndarray (n_coordinate,)
            The share of a constant derivative that would be left in the fit if it, and not zero,
            were what data do not decide: 0 where they do, 1 where they say nothing.
        """
        prices = self._prices(basis)
        degree = basis.degrees.sum(axis=1)
        linear = [int(np.flatnonzero((degree == 1) & (one > 0))[0]) for one in basis.degrees.T]
        preferred = np.diag(prices)[:, linear]
        left = np.linalg.solve(self.gram + np.diag(prices), preferred)
        _, derivative = basis.values(coordinates)
        shares = [
            np.abs(by @ left[:, i] / by[:, term]).max()
            for i, (by, term) in enumerate(zip(derivative, linear, strict=True))
        ]
        return np.array(shares)


def fit_length(
    coordinates: FloatArray,
    length: FloatArray,
    moment_arm: FloatArray,
    *,
    order: int,
    length_weight: float = 1.0,
    arm_weight: FloatArray,
) -> LengthFit:
    """Fit a polynomial to lengths, and its derivatives to moment arms.

    Parameters
    ----------
    coordinates : ndarray (n_pose, n_coordinate)
        [rad or m].
    length : ndarray (n_pose,)
        [m].
    moment_arm : ndarray (n_coordinate, n_pose)
        [m]; read where `arm_weight` is above 0.
    order : int
        Largest sum of exponents, >= 0.
    length_weight : float
        Of an error of a length, beside one of a moment arm, > 0.
    arm_weight : ndarray (n_coordinate,)
        Of an error of each moment arm, >= 0.

    Returns
    -------
    LengthFit
        Where data do not decide, as for coordinates that only moved together, terms of high degree
        are small.
    """
    basis = Basis.of(coordinates, order)
    equations = Equations.of(
        basis, coordinates, length, moment_arm, length_weight=length_weight, arm_weight=arm_weight
    )
    return equations.solution(basis)
