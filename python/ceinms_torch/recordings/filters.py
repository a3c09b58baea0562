"""Butterworth filters for recordings: forward and backward without a shift in time, or causal.

What one pass lowers by 3 dB a pair of passes lowers by 6, so that a pair of nominal 6 Hz has its
-3 dB point at 4.8 Hz (order 2) or 5.4 Hz (order 4). Here a cut-off is where the whole filter has
-3 dB: the passes of a pair are designed for one that is corrected by (sqrt(2) - 1)^(1/2n) on the
axis of the bilinear transform, n the order of a pass (Winter 2009, Biomechanics and Motor Control
of Human Movement, section 3.4.4). Passes keep the order that is asked for; the pair has twice that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import scipy.signal
from numpy.typing import ArrayLike

from ceinms_torch.arrays import FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.errors import DataError, OptionError

FilterKind = Literal["low-pass", "high-pass", "band-pass", "band-stop"]
Edges = Literal["turned", "mirrored", "filtfilt"]

_SCIPY_NAMES: dict[FilterKind, Literal["low", "high", "band", "stop"]]
_SCIPY_NAMES = {"low-pass": "low", "high-pass": "high", "band-pass": "band", "band-stop": "stop"}
_NUMPY_NAMES: dict[Edges, Literal["odd", "even"]] = {"turned": "odd", "mirrored": "even"}
# Of the slowest oscillation in a filter: so much padding lets what begins it die away to 1e-6 for
# orders up to four.
_PERIODS = 5.0


@one_blas_thread
def butterworth(
    values: ArrayLike,
    rate: float,
    cutoff: float | Sequence[float],
    *,
    kind: FilterKind = "low-pass",
    order: int = 4,
    causal: bool = False,
    edges: Edges = "turned",
) -> FloatArray:
    """Filter signals by a Butterworth filter.

    Parameters
    ----------
    values : array_like (n_sample,) or (n_sample, n_signal)
        Evenly sampled, finite.
    rate : float
        Samples per second [Hz].
    cutoff : float or two floats
        Where the whole filter, be it one pass or a pair, has -3 dB [Hz]: between 0 and half the
        rate; two, increasing, for a band.
    kind : {"low-pass", "high-pass", "band-pass", "band-stop"}
        What passes.
    order : int
        Of a pass, as `scipy.signal.butter` and MATLAB's ``butter`` count: a band has it on either
        side. Without `causal` there are two passes, so that the whole has twice the order.
    causal : bool
        One pass forward, which delays the signal, in place of one forward and one backward.
    edges : {"turned", "mirrored", "filtfilt"}
        How signals go on beyond their ends, in a padding that is cut off again: turned about the
        first and last sample, which keeps slopes of smooth signals; mirrored, which keeps the level
        of noise such as EMG; or turned over three times the filter's length alone, as ``filtfilt``
        of SciPy and MATLAB does. Before a causal filter signals are mirrored.

    Returns
    -------
    ndarray
        Of the same shape.

    Raises
    ------
    OptionError
        If the order, the rate or a cut-off is out of range.
    DataError
        If a value is not finite, or there are too few samples.
    """
    corners = _checked(rate, cutoff, kind, order)
    signals = np.asarray(values, dtype=np.float64)
    if signals.ndim not in (1, 2) or len(signals) < 2:
        got = f"the shape {signals.shape}"
        raise DataError(where="values", expected="two samples or more in a row", got=got)
    if not np.isfinite(signals).all():
        place = int(np.argwhere(~np.isfinite(signals))[0][0])
        raise DataError(
            where="values",
            expected="finite samples",
            got=f"none {place / rate:.6g} s behind the first",
            hint="Fill gaps before filtering: one would spread over the whole signal",
        )
    if not causal:
        corners = _of_a_pass(corners, rate, kind, order)
    wanted = corners if len(corners) == 2 else corners[0]
    sections = scipy.signal.butter(order, wanted, _SCIPY_NAMES[kind], fs=rate, output="sos")
    if edges == "filtfilt" and not causal:
        shortest = 3 * (2 * len(sections) + 1)
        if len(signals) <= shortest:
            got = f"{len(signals)}"
            raise DataError(where="values", expected=f"more than {shortest} samples", got=got)
        return np.ascontiguousarray(scipy.signal.sosfiltfilt(sections, signals, axis=0))
    n_pad = math.ceil(_PERIODS * rate / _slowest(corners, kind))
    padding = [(n_pad, 0 if causal else n_pad), (0, 0)][: signals.ndim]
    mode = "even" if causal else _NUMPY_NAMES[edges]
    padded = np.pad(signals, padding, mode="reflect", reflect_type=mode)
    if causal:
        return np.ascontiguousarray(scipy.signal.sosfilt(sections, padded, axis=0)[n_pad:])
    filtered = scipy.signal.sosfiltfilt(sections, padded, axis=0, padtype=None)
    return np.ascontiguousarray(filtered[n_pad : n_pad + len(signals)])


def low_pass_delay(rate: float, cutoff: float, *, order: int = 4) -> float:
    """Return by how much a causal low-pass filter delays what is slow.

    Parameters
    ----------
    rate : float
        Samples per second [Hz].
    cutoff : float
        Where it has -3 dB [Hz].
    order : int
        Its order.

    Returns
    -------
    float
        [s]: the group delay at 0 Hz.

    Raises
    ------
    OptionError
        As `butterworth`.
    """
    (corner,) = _checked(rate, cutoff, "low-pass", order)
    # The poles lie on a circle; their real parts over its radius add up to this.
    return 1.0 / (2.0 * rate * math.tan(math.pi * corner / rate) * math.sin(0.5 * math.pi / order))


def _checked(
    rate: float, cutoff: float | Sequence[float], kind: FilterKind, order: int
) -> tuple[float, ...]:
    """Return the cut-offs, having made sure that a filter has them."""
    if not 0.0 < rate < math.inf:
        raise OptionError(where="rate", expected="a number above 0 Hz", got=f"{rate:g} Hz")
    if order < 1 or order != int(order):
        raise OptionError(where="order", expected="a whole number from 1 on", got=f"{order}")
    corners = tuple(np.atleast_1d(np.asarray(cutoff, dtype=np.float64)).tolist())
    wanted = 2 if kind in ("band-pass", "band-stop") else 1
    inside = all(0.0 < one < 0.5 * rate for one in corners)
    if len(corners) != wanted or not inside or any(np.diff(corners) <= 0.0):
        number = "two increasing numbers" if wanted == 2 else "one number"
        raise OptionError(
            where=f"cut-off of the {kind} filter",
            expected=f"{number} between 0 and {0.5 * rate:g} Hz, half the rate",
            got=" and ".join(f"{one:g}" for one in corners) + " Hz",
        )
    return corners


def _of_a_pass(
    corners: tuple[float, ...], rate: float, kind: FilterKind, order: int
) -> tuple[float, ...]:
    """Return the cut-offs of each pass of a pair that has its own at `corners` [Hz]."""
    factor = (math.sqrt(2.0) - 1.0) ** (0.5 / order)
    warped = [math.tan(math.pi * one / rate) for one in corners]
    if kind == "low-pass":
        warped = [warped[0] / factor]
    elif kind == "high-pass":
        warped = [warped[0] * factor]
    else:
        # A band's width changes, the product of its edges stays.
        width = (warped[1] - warped[0]) * (1.0 / factor if kind == "band-pass" else factor)
        middle = math.hypot(0.5 * width, math.sqrt(warped[0] * warped[1]))
        warped = [middle - 0.5 * width, middle + 0.5 * width]
    return tuple(math.atan(one) * rate / math.pi for one in warped)


def _slowest(corners: tuple[float, ...], kind: FilterKind) -> float:
    """Return the lowest frequency, or width of a band, in a filter's memory [Hz]."""
    if len(corners) == 1:
        return corners[0]
    width = corners[1] - corners[0]
    return width if kind == "band-stop" else min(width, corners[0])
