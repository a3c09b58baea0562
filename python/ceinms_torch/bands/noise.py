"""The noise of measured moments, told from what a fit leaves over.

Errors of inverse dynamics are smooth in time: low-pass filters see to it. A fit with many
parameters follows smooth noise and leaves a residual that is smaller and rougher than the noise it
comes from. So the noise is described by its power over frequency, and the share that the fit takes
at every frequency, its leverage, is put back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ceinms_torch.arrays import FloatArray, IndexArray
from ceinms_torch.errors import DataError

# Bands of frequency per octave. With one, leverage and power both fall within a band and the power
# comes out too low; with more, bands hold too few numbers (6 Hz noise on the gait subject: 0.86 to
# 0.95 of the true variance where parameters look, with a spread of 17 %).
_PER_OCTAVE = 3
# Half periods of the longest wave that has a band of its own, in a trial of mean length.
_LOWEST = 2.5
# A search without a prior goes wherever the box lets it: as one with a standard deviation of about
# half a range would.
_SEARCHED_PRECISION = 4.0
_ITERATIONS = 12
# Noise is white unless a falling spectrum explains more than chance does, by so many standard
# deviations of chi squared. Where noise is white, a falling one is too high at low frequencies.
_BY_CHANCE = 2.0
# Power below this share of the largest counts as this much: it comes from what is not linear.
_SPILL = 3e-2
# No residuals are smaller than this, relative to the moments' own size: rounding.
_ROUNDING = 1e-7
# With fewer degrees of freedom than this, residuals do not tell how large the noise is.
FEWEST = 5.0


@dataclass(frozen=True, kw_only=True)
class Block:
    """Rows of the residuals that are one time series: a DOF in a trial.

    Parameters
    ----------
    dof : int
        Number of the DOF.
    n_step : int
        Rows.
    time_step : float
        [s].
    """

    dof: int
    n_step: int
    time_step: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Noise:
    """Noise of the residuals: stationary, each DOF of its own size, all of one spectrum.

    Parameters
    ----------
    blocks : tuple of Block
        The time series, in the order of the residuals.
    power : ndarray (n_row,)
        Variance of every coefficient of the discrete cosine transform of every block, in the unit
        of the squared residuals.
    in_reach : float
        Variance of the noise along those directions of the residuals that parameters can change,
        averaged over them: what a residual is worth against knowledge of parameters.
    fitted : float
        Degrees of freedom that the fit has taken.
    observations : float
        Independent residuals: of each DOF ``sum(power)^2 / sum(power^2)``.
    """

    blocks: tuple[Block, ...]
    power: FloatArray
    in_reach: float
    fitted: float
    observations: float

    @property
    def degrees_of_freedom(self) -> float:
        """Independent residuals less those that the fit has taken."""
        return self.observations - self.fitted

    def draw(self, random: np.random.Generator) -> FloatArray:
        """Return noise (n_row,) as it may have been.

        Its size is drawn, too, as residuals tell the size no better than to their degrees of
        freedom; that makes of the normal distribution Student's.
        """
        free = self.degrees_of_freedom
        size = np.sqrt(free / random.chisquare(free))
        waves = size * np.sqrt(self.power) * random.standard_normal(self.power.size)
        return _by_block(waves, self.blocks, _inverse)


def noise_of(residual: FloatArray, jacobian: FloatArray, blocks: Sequence[Block]) -> Noise:
    """Tell the noise from the residuals of a fit and their derivatives.

    Parameters
    ----------
    residual : ndarray (n_row,)
        Residuals at the best fit.
    jacobian : ndarray (n_row, n)
        Their derivatives by the parameters, in shares of their ranges.
    blocks : sequence of Block
        The time series that the rows are, in order; weighted so that the noise of a DOF is as
        large in every trial.

    Returns
    -------
    Noise

    Raises
    ------
    DataError
        If residuals are fewer than tell noise from fit.

    Notes
    -----
    In the cosine transform noise that is stationary has independent coefficients; those of a DOF d
    and a band of frequencies b have the variance l_d s_b. A fit leaves M e of the noise e, with
    M = I - U F U', where U are the left singular vectors of the Jacobian and F = s^2 / (s^2 + w) of
    their singular values s: directions that the moments hardly know are not searched to their end.
    So the expected power of the residuals is linear in that of the noise: it is, for the rows a
    and c of a band, sum_c |M_ac|^2 power_c. Levels l follow from the whole power of each DOF, the
    shape s from all DOFs together by non-negative least squares, as noise whose power never rises
    with frequency: low ones, of which a fit leaves little, have at least the power of those above.
    It is white unless residuals tell otherwise beyond chance.
    """
    blocks = tuple(blocks)
    n_row = residual.size
    scale = np.sqrt(np.repeat([one.n_step for one in blocks], [one.n_step for one in blocks]))
    waves = _by_block(residual * scale, blocks, _forward)
    by = _by_block(jacobian * scale[:, np.newaxis], blocks, _forward)
    cells, n_band = _cells(blocks)
    n_dof = 1 + max(one.dof for one in blocks)
    left, singular, _ = np.linalg.svd(by, full_matrices=False)
    mean_step = n_row / len(blocks)
    count: FloatArray = np.bincount(cells, minlength=n_dof * n_band).astype(np.float64)
    least = _ROUNDING**2 * max(float(np.mean(by**2)), 1e-300)
    found: FloatArray = least * count
    found = found + np.bincount(cells, waves**2, minlength=n_dof * n_band)
    grams = np.stack([left[cells == i].T @ left[cells == i] for i in range(count.size)])
    reach = float(found.sum() / n_row)
    for _ in range(3):  # the weak directions depend on the noise, and hardly so
        share = singular**2 / (singular**2 + _SEARCHED_PRECISION * reach)
        power = _power(found, _left_over(grams, share, count), n_dof)
        if share.any():  # else nothing is in reach
            reach = float((np.einsum("aii,i->a", grams, share) * power).sum() / share.sum())
    rows = power[cells]
    noise = Noise(
        blocks=blocks,
        power=rows / scale**2,
        in_reach=reach / mean_step,
        fitted=float(share.sum()),
        observations=_independent(rows, cells // n_band),
    )
    if noise.degrees_of_freedom < FEWEST:
        raise DataError(
            where="uncertainty",
            expected="more independent moment errors than parameters they are fitted with, by "
            f"{FEWEST:g}",
            got=f"{noise.observations:.0f} (smooth errors count for few) for {noise.fitted:.0f}",
            hint="Calibrate on more or longer trials, or fewer parameters",
        )
    return noise


def _left_over(grams: FloatArray, share: FloatArray, count: FloatArray) -> FloatArray:
    """Return how much of the noise of one cell a fit leaves in another, (n_cell, n_cell)."""
    taken = grams * share
    matrix = np.einsum("aij,bji->ab", taken, taken)
    return np.asarray(matrix + np.diag(count - 2.0 * np.einsum("aii->a", taken)))


def _power(found: FloatArray, left_over: FloatArray, n_dof: int) -> FloatArray:
    """Return the power of noise (n_dof * n_band,) by the power found in the residuals."""
    from scipy.optimize import nnls  # noqa: PLC0415  slow to load

    n_band = found.size // n_dof
    of = left_over.reshape(n_dof, n_band, n_dof, n_band)
    by_cell = found.reshape(n_dof, n_band)
    freedom = np.maximum(np.einsum("abab->b", of), 0.5)
    falling = np.triu(np.ones((n_band, n_band)))

    def judged(shape: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return levels, what bands are expected to hold by the shape, and their errors."""
        share = np.einsum("abcd,d->ac", of, shape) / by_cell.sum(axis=1)[:, np.newaxis]
        level = nnls(share, np.ones(n_dof))[0]
        level = np.maximum(level, 1e-6 * level.max())
        matrix = np.einsum("abcd,c,a->bd", of, level, 1.0 / level)
        expected = matrix @ shape
        weight = np.sqrt(freedom / 2.0) / (expected + _SPILL * expected.max())
        return level, matrix * weight[:, np.newaxis], weight * (by_cell.T @ (1.0 / level))

    def misfit(shape: FloatArray) -> float:
        _, matrix, target = judged(shape)
        return float(np.sum((matrix @ shape - target) ** 2))

    white = shape = np.ones(n_band)
    for _ in range(_ITERATIONS):
        _, matrix, target = judged(shape)
        found_shape = falling @ nnls(matrix @ falling, target)[0]
        # Half way: weights and shape would take turns.
        shape = (shape + found_shape / found_shape[0]) / 2.0
    if misfit(white) - misfit(shape) < n_band + _BY_CHANCE * np.sqrt(2.0 * n_band):
        shape = white
    return np.outer(judged(shape)[0], shape).ravel()


def _independent(power: FloatArray, dof: IndexArray) -> float:
    """Return how many independent numbers tell the size of noise of such power, by DOF."""
    square = np.bincount(dof, power) ** 2
    return float(np.sum(square / np.bincount(dof, power**2)))


def _cells(blocks: Sequence[Block]) -> tuple[IndexArray, int]:
    """Return the number of DOF and band of every coefficient, and how many bands there are."""
    top = max(0.5 / one.time_step for one in blocks)
    duration = float(np.mean([one.n_step * one.time_step for one in blocks]))
    lowest = min(_LOWEST / (2.0 * duration), top)
    n_edge = int(_PER_OCTAVE * np.log2(top / lowest)) + 1
    edges = lowest * 2.0 ** (np.arange(n_edge) / _PER_OCTAVE)
    cells = [
        one.dof * (n_edge + 1)
        + np.searchsorted(
            edges, np.arange(one.n_step) / (2.0 * one.n_step * one.time_step), side="right"
        )
        for one in blocks
    ]
    return np.concatenate(cells), n_edge + 1


def _forward(values: FloatArray) -> FloatArray:
    from scipy.fft import dct  # noqa: PLC0415  slow to load

    return np.asarray(dct(values, axis=0, norm="ortho"))


def _inverse(values: FloatArray) -> FloatArray:
    from scipy.fft import idct  # noqa: PLC0415  slow to load

    return np.asarray(idct(values, axis=0, norm="ortho"))


def _by_block(
    values: FloatArray, blocks: Sequence[Block], change: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """Return rows (n_row, ...) with every block changed for itself."""
    ends = np.cumsum([one.n_step for one in blocks])[:-1]
    return np.concatenate([change(part) for part in np.split(values, ends)])
