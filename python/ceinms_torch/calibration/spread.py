"""How far least-squares parameters may be off: covariance from residuals and their Jacobian."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ceinms_torch.arrays import BoolArray, FloatArray
from ceinms_torch.errors import DataError

# Singular values below this share of the largest are zero but for rounding.
_NO_VALUE = 1e-9
# Autocorrelation counts from this many standard errors (1 / sqrt(n_step)) on: below, white noise
# has it, too, and would look worse than it is.
_CORRELATED = 2.0
# Parameters cannot explain away more than this share of a block's residuals.
_EXPLAINED = 0.9


@dataclass(frozen=True, kw_only=True)
class Spread:
    """How far the parameters may be off, to first order.

    Parameters
    ----------
    root : ndarray (n_rank, n)
        The covariance of the parameters is root' root. Directions without influence are left out.
    alone : ndarray (n,)
        Standard error of each parameter, were all others known; infinite without influence.
    singular_values : ndarray (n,)
        Of the Jacobian, the largest first.
    directions : ndarray (n, n)
        Rows are the right singular vectors. Those without influence, of which any basis would do,
        are combinations of as few parameters as possible instead of orthogonal.
    is_null : ndarray (n,)
        Whether a direction is without influence on the residuals.
    observations : float
        Number of independent residuals.
    """

    root: FloatArray
    alone: FloatArray
    singular_values: FloatArray
    directions: FloatArray
    is_null: BoolArray
    observations: float

    @property
    def degrees_of_freedom(self) -> float:
        """Independent residuals less parameters."""
        return self.observations - len(self.root)

    def errors(self) -> FloatArray:
        """Return the standard error of every parameter, (n,)."""
        return np.asarray(np.linalg.norm(self.root, axis=0))

    def error_along(self, weights: FloatArray) -> float:
        """Return the standard error of a combination of the parameters with weights (n,)."""
        return float(np.linalg.norm(self.root @ weights))

    def shares(self, is_chosen: BoolArray) -> FloatArray:
        """Return which share of every parameter's variance comes from some directions.

        Parameters
        ----------
        is_chosen : ndarray (n,)
            The directions.

        Returns
        -------
        ndarray (n,)
            Zero where the variance is.
        """
        chosen = self.directions[is_chosen]
        part = np.sum((self.root @ chosen.T @ chosen) ** 2, axis=0)
        whole = np.sum(self.root**2, axis=0)
        return np.asarray(part / np.where(whole > 0.0, whole, 1.0))


def parameter_spread(residual: FloatArray, jacobian: FloatArray, rows: Sequence[int]) -> Spread:
    """Return how far the parameters at a least-squares optimum may be off.

    Parameters
    ----------
    residual : ndarray (n_row,)
        Residuals, of any scale by block.
    jacobian : ndarray (n_row, n)
        Their derivatives by the parameters, at least one of them not zero.
    rows : sequence of int
        Number of residuals of each block, in order; each a time series with noise of its own.

    Returns
    -------
    Spread

    Raises
    ------
    DataError
        If squares of residuals or derivatives are not finite, as with absurd ranges.

    Notes
    -----
    With J the Jacobian of the residuals e, the covariance is the sandwich
    (J'J)^-1 (sum_b s_b^2 J_b' R_b J_b) (J'J)^-1 over the blocks b, with
    s_b^2 = e_b'e_b / (n_b - tr((J'J)^-1 J_b' R_b J_b)) and R_b the correlation, rho^|k-l|, of noise
    whose successive values correlate by rho, which is the residuals' own: zero unless it is beyond
    chance. For derivatives that hardly change over time R_b multiplies variances by
    (1 + rho) / (1 - rho), and for those that change fast by less.
    """
    n = jacobian.shape[1]
    with np.errstate(over="ignore", invalid="ignore"):
        length = np.sum(jacobian**2, axis=0)
        if not np.isfinite([length.sum(), residual @ residual]).all():
            raise DataError(
                where="identifiability",
                expected="moment errors and derivatives that are finite numbers, and their squares",
                got="NaN or infinity",
                hint="Narrow the ranges of the parameters to what a muscle can have",
            )
    # The triangle has the same singular values and vectors as the Jacobian, and is small.
    _, found, directions = np.linalg.svd(np.linalg.qr(jacobian, mode="r"))
    values = np.zeros(n)
    values[: found.size] = found
    is_null = values <= _NO_VALUE * values.max(initial=0.0)
    directions[is_null] = _sparse_basis(directions[is_null])
    # Unit columns where the Jacobian's have any length between 1 and 1e-9: its normal matrix, and
    # the covariance even more so, would lose the weak directions to rounding.
    scaled = directions[~is_null] / values[~is_null, np.newaxis]
    filling = np.zeros((len(scaled), len(scaled)))
    own = np.zeros(n)
    observations = 0.0
    for first, last in _blocks(rows):
        e, j = residual[first:last], jacobian[first:last]
        rho = _autocorrelation(e)
        correlated = _correlated(j, rho)
        part = (j @ scaled.T).T @ (correlated @ scaled.T)
        explained = min(float(np.trace(part)), _EXPLAINED * e.size)
        variance = float(e @ e) / (e.size - explained)
        filling += variance * part
        own += variance * np.sum(j * correlated, axis=0)
        # So many independent residuals would tell the variance as well.
        observations += e.size * (1.0 - rho**2) / (1.0 + rho**2)
    square, axes = np.linalg.eigh((filling + filling.T) / 2.0)
    return Spread(
        root=np.sqrt(np.maximum(square, 0.0))[:, np.newaxis] * axes.T @ scaled,
        alone=np.where(length > 0.0, np.sqrt(own) / np.where(length > 0.0, length, 1.0), np.inf),
        singular_values=values,
        directions=directions,
        is_null=is_null,
        observations=observations,
    )


def student_quantile(degrees_of_freedom: float) -> float:
    """Return the 97.5 % quantile of Student's distribution.

    Parameters
    ----------
    degrees_of_freedom : float
        At least 5.

    Returns
    -------
    float
        Right to 0.2 %.

    References
    ----------
    Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5.
    """
    z, n = statistics.NormalDist().inv_cdf(0.975), degrees_of_freedom
    first = (z**3 + z) / 4.0
    second = (5.0 * z**5 + 16.0 * z**3 + 3.0 * z) / 96.0
    third = (3.0 * z**7 + 19.0 * z**5 + 17.0 * z**3 - 15.0 * z) / 384.0
    return z + first / n + second / n**2 + third / n**3


def _sparse_basis(rows: FloatArray) -> FloatArray:
    """Return unit vectors that span the same space, each with a parameter of its own."""
    rows = rows.copy()
    waiting = np.ones(len(rows), dtype=np.bool_)
    while waiting.any():
        candidates = np.abs(rows) * waiting[:, np.newaxis]
        row, column = np.unravel_index(int(candidates.argmax()), rows.shape)
        others = np.arange(len(rows)) != row
        rows[others] -= np.outer(rows[others, column] / rows[row, column], rows[row])
        waiting[row] = False
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def _blocks(rows: Sequence[int]) -> list[tuple[int, int]]:
    ends = np.cumsum(rows).tolist()
    return list(zip([0, *ends[:-1]], ends, strict=True))


def _autocorrelation(residual: FloatArray) -> float:
    """Return the correlation of successive residuals, zero where chance could explain it."""
    square = float(residual @ residual)
    if square == 0.0:
        return 0.0
    rho = float(residual[1:] @ residual[:-1]) / square
    n = residual.size
    # Correlated over half the block at most: beyond, a block would hardly be one observation.
    return max(min(rho, 1.0 - 2.0 / n), 0.0) if rho > _CORRELATED / np.sqrt(n) else 0.0


def _correlated(rows: FloatArray, rho: float) -> FloatArray:
    """Return R @ rows with R_kl = rho^|k-l|, by two sweeps."""
    if rho == 0.0:
        return rows
    forward, backward = rows.copy(), rows.copy()
    for k in range(1, len(rows)):
        forward[k] += rho * forward[k - 1]
        backward[-1 - k] += rho * backward[-k]
    return forward + backward - rows
