"""Whether EMG and motion of a trial were recorded together: by when they begin and how long."""

from __future__ import annotations

import math
import warnings

from ceinms_torch.arrays import FloatArray
from ceinms_torch.emg.raw_emg import RawEmg
from ceinms_torch.errors import CeinmsTorchWarning, DataError, Place

_SAME_LENGTH = 0.02  # share of the length, for rates that are wrong by a factor
_FACTORS = (0.1, 0.25, 0.5, 2.0, 4.0, 10.0)


def check_timing(emg: RawEmg, time: FloatArray, what: str) -> None:
    """Compare the time of a recording of EMG with that of what was recorded beside it.

    Parameters
    ----------
    emg : RawEmg
        The EMG.
    time : ndarray (n_frame,)
        Times of markers, angles or forces of the trial [s].
    what : str
        What these are, for messages: the name of the file.

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
    frame = float(time[-1] - time[0]) / max(len(time) - 1, 1)
    begin, end = emg.start, emg.start + emg.seconds
    # Both with the time their last sample stands for.
    lasting = float(time[-1] - time[0]) + frame
    place = Place(emg.source.path, element="time", trial=emg.name)
    for factor in _FACTORS:
        if math.isclose(emg.seconds, factor * lasting, rel_tol=_SAME_LENGTH):
            raise DataError(
                where=place,
                expected=f"EMG of {lasting:.4g} s, as long as {what}",
                got=f"{emg.seconds:.4g} s at {emg.rate:g} Hz",
                hint=f"A rate of {emg.rate * factor:g} Hz would explain it: find out at which the "
                "EMG was recorded",
                code="emg-rate",
            )
    late = begin - float(time[0])
    both = max(frame, 1.0 / emg.rate)
    if abs(late) > both + 1e-9 and abs(emg.seconds - lasting) <= both + 1e-9:
        raise DataError(
            where=place,
            expected=f"EMG from {time[0]:.6g} s on, as {what}",
            got=f"EMG that lasts as long and begins at {begin:.6g} s, {abs(late):.4g} s "
            + ("later" if late > 0.0 else "earlier"),
            hint=f"If both were started together, say --delay {late:.6g}; if not, cut both to the "
            "time they have in common",
            code="emg-late",
        )
    missing = max(late, float(time[-1]) - end)
    if missing > both:
        text = f"{missing:.4g} s of {what}, at one end, have no EMG."
        warnings.warn(CeinmsTorchWarning(text, "emg-short", place), stacklevel=2)
