"""Primitives as sums of Gaussian bumps: a handful of variables instead of one per sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ceinms_torch.arrays import FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.errors import DataError, OptionError
from ceinms_torch.model.settings import check_whole

_LEAST_WIDTH = 1.0  # in sampling intervals: a narrower bump would be a single sample


@dataclass(frozen=True, kw_only=True, eq=False)
class GaussianPrimitives:
    """Primitives that are sums of Gaussian bumps.

    Parameters
    ----------
    amplitude : ndarray (n_synergy, n_bump)
        Height of each bump (-), >= 0.
    centre : ndarray (n_synergy, n_bump)
        Where it is, in units of phase.
    width : ndarray (n_synergy, n_bump)
        Its standard deviation, in units of phase.
    period : float or None
        After which the primitives repeat, in units of phase; None for movements that do not.
    """

    amplitude: FloatArray
    centre: FloatArray
    width: FloatArray
    period: float | None

    @property
    def n_variable(self) -> int:
        """Number of variables: amplitude, centre and width of every bump."""
        return 3 * self.amplitude.size

    def values(self, phase: ArrayLike) -> FloatArray:
        """Return the primitives at given phases.

        Parameters
        ----------
        phase : array_like (n_sample,)
            Phases.

        Returns
        -------
        ndarray (n_synergy, n_sample)
            (-), >= 0.
        """
        at = np.asarray(phase, dtype=float)
        bumps = zip(self.amplitude, self.centre, self.width, strict=True)
        return np.stack([_sum(np.concatenate(one), at, self.period) for one in bumps])


def fit_gaussians(
    primitives: ArrayLike, phase: ArrayLike, n_bump: int, *, period: float | None = None
) -> GaussianPrimitives:
    """Fit a sum of Gaussian bumps to each primitive.

    Parameters
    ----------
    primitives : array_like (n_synergy, n_sample)
        Primitives (-), >= 0.
    phase : array_like (n_sample,)
        Where they were sampled, increasing: time [s], or 0 to 1 over a gait cycle.
    n_bump : int
        Bumps per primitive, >= 1. Their 3 variables each must be fewer than the samples.
    period : float, optional
        After which the movement repeats, in units of phase: 1 for phases of a gait cycle. Bumps
        then go on from the end to the beginning.

    Returns
    -------
    GaussianPrimitives
        Bounded least squares, bump after bump and then all together; the bumps of a primitive are
        in order of their centres.

    Raises
    ------
    DataError
        If shapes do not fit, values are not finite, or phases do not increase.
    OptionError
        If there are more variables than samples.

    References
    ----------
    Sartori et al. 2013, Front. Comput. Neurosci. 7:79.
    """
    data, at = np.asarray(primitives, dtype=float), np.asarray(phase, dtype=float)
    if data.ndim != 2 or at.shape != data.shape[1:]:
        expected = "the shapes (n_synergy, n_sample) and (n_sample,)"
        raise DataError(
            where="primitives, phase", expected=expected, got=f"{data.shape}, {at.shape}"
        )
    if not np.isfinite(data).all() or not (np.diff(at) > 0.0).all():
        raise DataError(
            where="primitives, phase", expected="finite values at increasing phases", got="others"
        )
    check_whole("bumps per primitive", n_bump, least=1)
    if 3 * n_bump >= len(at):
        expected = f"at most {max((len(at) - 1) // 3, 0)}, 3 variables each for {len(at)} samples"
        raise OptionError(where="bumps per primitive", expected=expected, got=str(n_bump))
    fitted = np.stack([_fit_one(one, at, n_bump, period) for one in data])
    amplitude, centre, width = np.split(fitted, 3, axis=1)
    order = np.argsort(centre, axis=1)
    return GaussianPrimitives(
        amplitude=np.take_along_axis(amplitude, order, axis=1),
        centre=np.take_along_axis(centre, order, axis=1),
        width=np.take_along_axis(width, order, axis=1),
        period=period,
    )


def gaussian_limits(
    phase: FloatArray, n_bump: int, *, period: float | None = None, top: float = 0.5
) -> tuple[FloatArray, FloatArray]:
    """Return what bumps of a primitive may be.

    Parameters
    ----------
    phase : ndarray (n_sample,)
        Where it was sampled.
    n_bump : int
        Number of bumps.
    period : float or None
        See `fit_gaussians`.
    top : float
        Half the greatest height of a bump (-).

    Returns
    -------
    lower, upper : ndarray (3 n_bump,)
        Of all amplitudes, all centres, all widths.
    """
    span = float(phase[-1] - phase[0]) if period is None else period
    least = _LEAST_WIDTH * float(np.diff(phase).max())
    lower = np.repeat([0.0, phase[0], least], n_bump)
    upper = np.repeat([2.0 * top, phase[0] + span, max(0.5 * span, 2.0 * least)], n_bump)
    return lower, upper


def gaussian_bumps(
    variables: FloatArray, phase: FloatArray, period: float | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return bumps of height 1 and their slopes by centre and width, each (n_bump, n_sample)."""
    _, centre, width = (one[:, None] for one in np.split(variables, 3))
    # A bump of a repeating movement is that of the cycle before and after, too.
    images = np.zeros(1) if period is None else period * np.array([-1.0, 0.0, 1.0])
    distance = (phase - centre)[..., None] + images
    deviation = distance / width[..., None]
    image = np.exp(-0.5 * deviation**2)
    by_centre = np.sum(image * deviation, axis=-1) / width
    by_width = np.sum(image * deviation**2, axis=-1) / width
    return np.sum(image, axis=-1), by_centre, by_width


def _sum(variables: FloatArray, phase: FloatArray, period: float | None) -> FloatArray:
    """Return the sum of bumps; variables are all amplitudes, all centres, all widths."""
    return np.asarray(np.split(variables, 3)[0] @ gaussian_bumps(variables, phase, period)[0])


def _misfit(
    variables: FloatArray, data: FloatArray, phase: FloatArray, period: float | None
) -> FloatArray:
    return _sum(variables, phase, period) - data


def _misfit_slopes(
    variables: FloatArray, _: FloatArray, phase: FloatArray, period: float | None
) -> FloatArray:
    amplitude = np.split(variables, 3)[0][:, None]
    bumps, by_centre, by_width = gaussian_bumps(variables, phase, period)
    return np.concatenate([bumps, amplitude * by_centre, amplitude * by_width]).T


def _fit_one(data: FloatArray, phase: FloatArray, n_bump: int, period: float | None) -> FloatArray:
    from scipy.optimize import least_squares  # noqa: PLC0415

    span = float(phase[-1] - phase[0]) if period is None else period
    least = _LEAST_WIDTH * float(np.diff(phase).max())
    top = max(float(data.max()), 1e-12)
    lower, upper = gaussian_limits(phase, n_bump, period=period, top=top)
    variables = np.empty((3, 0))
    for n in range(1, n_bump + 1):
        rest = data - _sum(variables.ravel(), phase, period) if n > 1 else data
        at = int(np.argmax(rest))
        guess = [[max(rest[at], 0.01 * top)], [phase[at]], [np.clip(span / 12.0, least, upper[-1])]]
        start = np.concatenate([variables, guess], axis=1).ravel()
        low, high = lower.reshape(3, -1)[:, :n].ravel(), upper.reshape(3, -1)[:, :n].ravel()
        fitted = one_blas_thread(least_squares)(
            _misfit,
            np.clip(start, low, high),
            jac=_misfit_slopes,
            bounds=(low, high),
            x_scale=np.repeat([top, span, span], n),
            args=(data, phase, period),
        )
        variables = fitted.x.reshape(3, n)
    return np.asarray(variables.ravel())
