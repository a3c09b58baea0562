"""What a force plate says with nobody on it: its offset, and how that drifts."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.ndimage import median_filter

from ceinms_torch.arrays import BoolArray, FloatArray, IndexArray
from ceinms_torch.recordings.ground_forces import LOADED

# Samples that say nothing of the edges of a contact: force may still fall or rise there [s].
_EDGE, _LEAST_UNLOADED, _KNOT = 0.05, 0.1, 0.5
# Share of the greatest force below which nobody stands on a plate, whatever its drift.
_UNLOADED = 0.2
_ROUNDS = 3
# No plate is so far from zero [N]: somebody stands on it all the time.
_LARGEST_OFFSET = 50.0
# A reading that differs so much [N] from those around it is no drift: something lies on the plate.
_LARGEST_STEP = 10.0


def unloaded_readings(time: FloatArray, vertical: FloatArray, channels: FloatArray) -> FloatArray:
    """Return what channels of a plate say with nobody on it, between those times by straight lines.

    Parameters
    ----------
    time : ndarray (n_row,)
        Times [s].
    vertical : ndarray (n_row,)
        Vertical force [N], which tells when nobody is on it.
    channels : ndarray (n_row, n_channel)
        Forces [N] or moments [N m] of the plate.

    Returns
    -------
    ndarray (n_row, n_channel)
        Offset and drift; 0 if somebody stands on it all the time.
    """
    smooth = median_filter(vertical, 5, mode="nearest")
    low, high = np.percentile(smooth, 2.0), smooth.max()
    if high - low < LOADED and abs(np.median(vertical)) < _LARGEST_OFFSET:
        return np.broadcast_to(np.median(channels, axis=0), channels.shape)
    if low > max(_UNLOADED * high, _LARGEST_OFFSET):
        return np.zeros_like(channels)
    base = np.zeros_like(smooth)
    for _ in range(_ROUNDS):  # what drift hid shows once most of it is taken off
        low, high = np.percentile(smooth - base, 2.0), (smooth - base).max()
        parts = _unloaded_parts(time, smooth - base < low + _UNLOADED * (high - low))
        if not parts:
            return np.zeros_like(channels)
        at = np.array([time[part].mean() for part in parts])
        level = np.array([np.median(vertical[part]) for part in parts])
        off = np.abs(level - _as_neighbours(at, level))
        keep = off <= max(_LARGEST_STEP, 3.0 * float(np.median(off)))
        base = np.interp(time, at[keep], level[keep])
    kept = [part for part, is_kept in zip(parts, keep, strict=True) if is_kept]
    levels = np.array([np.median(channels[part], axis=0) for part in kept])
    return np.column_stack([np.interp(time, at[keep], one) for one in levels.T])


def _as_neighbours(at: FloatArray, level: FloatArray) -> FloatArray:
    """Return what each level would be by its four nearest: the median of the lines through two."""
    expected = level.copy()
    for k in range(len(at)):
        near = [one for one in np.argsort(np.abs(at - at[k]), kind="stable")[:5] if one != k]
        lines = [
            level[i] + (level[j] - level[i]) * (at[k] - at[i]) / (at[j] - at[i])
            for i, j in itertools.combinations(near, 2)
        ]
        if lines:
            expected[k] = np.median(lines)
    return expected


def _unloaded_parts(time: FloatArray, is_unloaded: BoolArray) -> list[IndexArray]:
    """Return rows in which nobody is on a plate, in parts that drift does not change much."""
    step = step_of(time)
    edge, most = round(_EDGE / step), max(1, round(_KNOT / step))
    parts: list[IndexArray] = []
    for start, stop in zip(*runs_of(is_unloaded), strict=True):
        # At the ends of the recording there is no contact to keep away from.
        first = start + (edge if start > 0 else 0)
        last = stop - (edge if stop < len(time) else 0)
        if (stop - start) * step >= _LEAST_UNLOADED and last > first:
            parts += np.array_split(np.arange(first, last), max(1, (last - first) // most))
    return parts


def step_of(time: FloatArray) -> float:
    """Return the time between two rows [s]; infinite of one row."""
    return float(np.median(np.diff(time))) if len(time) > 1 else np.inf


def runs_of(inside: BoolArray) -> tuple[IndexArray, IndexArray]:
    """Return the first rows of all runs, and the rows behind their last."""
    change = np.diff(np.concatenate(([0], inside.astype(np.int8), [0])))
    return np.flatnonzero(change == 1), np.flatnonzero(change == -1)
