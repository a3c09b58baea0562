"""Whether EMG and motion of a trial were recorded together: by when they begin and how long."""

from __future__ import annotations

import math
import warnings

from ceinms_torch.arrays import FloatArray
from ceinms_torch.emg.envelopes import Envelopes
from ceinms_torch.emg.raw_emg import RawEmg
from ceinms_torch.errors import CeinmsTorchWarning, DataError, Place

_SAME_LENGTH = 0.02  # share of the length, for rates that are wrong by a factor
_FACTORS = (0.1, 0.25, 0.5, 2.0, 4.0, 10.0)


def check_timing(
    emg: RawEmg | Envelopes, time: FloatArray, what: str, *, delay: float = 0.0
) -> None:
    """Compare the time of a recording of EMG with that of what was recorded beside it.

    Parameters
    ----------
    emg : RawEmg or Envelopes
        The EMG.
    time : ndarray (n_frame,)
        Times of markers, angles or forces of the trial [s].
    what : str
        What these are, for messages: the name of the file.
    delay : float
        By how much the EMG is known to be late [s].

    Raises
    ------
    DataError
        If one lasts twice, four or ten times as long as the other, as at a rate that is wrong; or
        if they last equally long and one is late by more than a frame.

    Warns
    -----
    CeinmsTorchWarning
        If the EMG does not cover the other.
    """
    frame = _step(time)
    step = _step(emg.time)
    begin, end = float(emg.time[0]) - delay, float(emg.time[-1]) + step - delay
    seconds = end - begin
    # Both with the time their last sample stands for.
    lasting = float(time[-1] - time[0]) + frame
    path = emg.source.path if isinstance(emg, RawEmg) else None
    place = Place(path, element="time", trial=emg.name)
    for factor in _FACTORS:
        if math.isclose(seconds, factor * lasting, rel_tol=_SAME_LENGTH):
            raise DataError(
                where=place,
                expected=f"EMG of {lasting:.4g} s, as long as {what}",
                got=f"{seconds:.4g} s at {1.0 / step:.6g} Hz",
                hint=f"A rate of {factor / step:.6g} Hz would explain it: find out at which the "
                "EMG was recorded",
                code="emg-rate",
            )
    late = begin - float(time[0])
    both = max(frame, step)
    if abs(late) > both + 1e-9 and abs(seconds - lasting) <= both + 1e-9:
        raise DataError(
            where=place,
            expected=f"EMG from {time[0]:.6g} s on, as {what}",
            got=f"EMG that lasts as long and begins at {begin:.6g} s, {abs(late):.4g} s "
            + ("later" if late > 0.0 else "earlier"),
            hint=f"If both were started together, say --delay {late + delay:.6g}; if not, cut both "
            "to the time they have in common",
            code="emg-late",
        )
    missing = max(late, float(time[-1]) - end)
    if missing > both:
        text = f"{missing:.4g} s of {what}, at one end, have no EMG."
        warnings.warn(CeinmsTorchWarning(text, "emg-short", place), stacklevel=2)


def _step(time: FloatArray) -> float:
    return float(time[-1] - time[0]) / max(len(time) - 1, 1)
