"""Raw EMG as it was recorded: read from the files of recorders, evenly sampled, gaps as NaN."""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import scipy.signal

from ceinms_torch.arrays import FloatArray
from ceinms_torch.emg.recorder_text import (
    TIME_LABEL,
    RecorderTable,
    plain_label,
    read_recorder_text,
)
from ceinms_torch.errors import (
    CeinmsTorchWarning,
    DataError,
    FileFormatError,
    OptionError,
    Place,
    unknown_name,
)
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.source import IN_MEMORY, Source, read_text
from ceinms_torch.io.storage import read_storage

# Surface EMG reaches 400 to 500 Hz (Hermens et al. 2000, SENIAM: at least 1000 Hz are recommended).
LOWEST_RATE = 500.0
# Of an envelope, hardly anything is faster [Hz, share of the power]; of EMG, most is.
_SLOW, _FAST_SHARE = 20.0, 1e-3
_ONE_SIDED = 0.35  # where the median of rectified noise lies at most, between lowest and highest
# Rates that differ by less are the same, printed otherwise.
_SAME_RATE = 5e-3
_MARKS_GAP = 1e30  # what some programs write into gaps
_COUNTER = re.compile(r"(frames?|samples?|index|#|n|sub[ _]?frames?)\W*", re.I)
# Of a step: times farther than that from even ones are those of another recording.
_MOST_JITTER = 0.45


@dataclass(frozen=True, kw_only=True, eq=False)
class RawEmg(OneLine):
    """A recording of raw EMG.

    Parameters
    ----------
    name : str
        Of the recording, by default its file's without the ending.
    rate : float
        Samples per second [Hz], at least 500.
    channels : tuple of str
        Names, all different.
    values : ndarray (n_sample, n_channel)
        In the recorder's unit; NaN where a sample is missing.
    start : float
        Time of the first sample [s].
    unit : str
        Of the values, empty where the file does not say it.
    source : Source
        The file it was read from.
    """

    name: str
    rate: float
    channels: tuple[str, ...]
    values: FloatArray
    start: float = 0.0
    unit: str = ""
    source: Source = IN_MEMORY

    def __post_init__(self) -> None:
        """Make sure that it is raw EMG, as far as a recording says.

        Raises
        ------
        DataError
            If the shapes do not fit, or the rate is below 500 Hz.
        """
        where = self._place("values")
        shape = np.shape(self.values)
        if len(shape) != 2 or shape[1] != len(self.channels) or shape[0] < 2 or not self.channels:
            expected = f"two samples or more of {len(self.channels)} channels, one at least"
            raise DataError(where=where, expected=expected, got=f"the shape {shape}")
        if not self.rate >= LOWEST_RATE * (1.0 - _SAME_RATE):
            raise DataError(
                where=self._place("rate"),
                expected=f"raw EMG of {LOWEST_RATE:g} Hz at least",
                got=f"{self.rate:.6g} Hz",
                hint="Surface EMG reaches 400 Hz; what lies above half the rate is folded onto "
                "what lies below, and no filter takes it away again. Export the recording at its "
                "own rate. An envelope is no raw EMG: name its file in inputData.xml as it is",
                code="emg-rate",
            )

    def _place(self, element: str) -> Place:
        return Place(self.source.path, element=element, trial=self.name)

    @property
    def time(self) -> FloatArray:
        """Times of the samples (n_sample,) [s]."""
        return self.start + np.arange(len(self.values)) / self.rate

    @property
    def seconds(self) -> float:
        """How long it lasts [s]."""
        return len(self.values) / self.rate

    def select(self, channels: Sequence[str]) -> RawEmg:
        """Return the recording of some channels.

        Parameters
        ----------
        channels : sequence of str
            Their names, in the order wanted.

        Returns
        -------
        RawEmg

        Raises
        ------
        UnknownNameError
            If there is no such channel.
        """
        for name in channels:
            if name not in self.channels:
                raise unknown_name(self._place("channels"), "a channel", name, self.channels)
        places = [self.channels.index(name) for name in channels]
        return replace(self, channels=tuple(channels), values=self.values[:, places])


def swing(values: FloatArray) -> float:
    """Return the range of a signal's samples, missing ones left out; 0 without any."""
    known = values[np.isfinite(values)]
    return float(known.max() - known.min()) if len(known) else 0.0


def _check_is_raw(emg: RawEmg) -> RawEmg:
    """Refuse what was rectified or filtered to an envelope: signals near one side of zero, or slow.

    One electrode that moves may look slow; all of them do not.
    """
    moving = [one for one in emg.values.T if swing(one) > 0.0]
    if moving and all(_is_processed(one[np.isfinite(one)], emg.rate) for one in moving):
        raise DataError(
            where=Place(emg.source.path, element="values", trial=emg.name),
            expected="raw EMG, fast and to both sides of zero",
            got="signals that are not",
            hint="They have been rectified, or are envelopes: name the file in inputData.xml as it "
            "is, or export the raw recording",
            code="emg-rectified",
        )
    return emg


def _is_processed(values: FloatArray, rate: float) -> bool:
    low, middle, high = np.quantile(values, (0.0, 0.5, 1.0)).tolist()
    if low >= 0.0 and middle - low < _ONE_SIDED * (high - low):
        return True
    frequency, power = scipy.signal.welch(values, rate, nperseg=min(len(values), round(rate)))
    return bool(power[frequency > _SLOW].sum() < _FAST_SHARE * power.sum())


def read_raw_emg(
    path: str | os.PathLike[str], *, rate: float | None = None, name: str | None = None
) -> RawEmg:
    """Read raw EMG.

    Parameters
    ----------
    path : path-like
        ``.c3d`` (its analog channels; needs ``ceinms-torch[c3d]``), ``.sto``, ``.mot``, or text of
        a recorder: a header of any kind, a line of labels, perhaps one of units, rows of numbers.
    rate : float, optional
        Sampling rate [Hz], where the file has neither times nor a rate.
    name : str, optional
        Of the recording.

    Returns
    -------
    RawEmg
        Rows that are missing by their times are there, as NaN.

    Raises
    ------
    FileFormatError
        If the file is missing or not as its format asks, has neither times nor a rate, or times
        that are not evenly spaced but for missing rows.
    OptionError, DataError
        If times, the header and `rate` contradict each other; as `RawEmg`; if all signals were
        rectified, or are envelopes.
    """
    path = Path(path)
    if path.suffix.casefold() == ".c3d":
        emg = _from_c3d(path)
        _check_rates(path, {"the file": emg.rate}, rate)
        return _check_is_raw(emg if name is None else replace(emg, name=name))
    time: FloatArray | None
    stated: dict[str, float] = {}
    if _has_endheader(path):
        storage = read_storage(path, gaps=True)
        time, values, channels, unit = storage.time, storage.values, storage.columns, storage.units
        source = storage.source
    else:
        table = read_recorder_text(path)
        time, places = _columns_of(path, table)
        values, channels = table.values[:, places], tuple(table.labels[i] for i in places)
        units = {table.units[i] for i in places} - {""}
        unit = units.pop() if len(units) == 1 else ""
        source = table.source
        if len(table.rates) == 1 or (table.rates and time is None and rate is None):
            stated["its header"] = _only(path, table.rates)
    values = np.where(np.abs(values) > _MARKS_GAP, math.nan, values)
    if time is not None:
        by_time, values = _evened(path, time, values)
        stated["its times"] = by_time
    return _check_is_raw(
        RawEmg(
            name=path.stem if name is None else name,
            rate=_check_rates(path, stated, rate),
            channels=channels,
            values=values,
            start=0.0 if time is None else float(time[0]),
            unit=unit,
            source=source,
        )
    )


def _from_c3d(path: Path) -> RawEmg:
    """Return the analog channels of a C3D file that are not its force plates'."""
    from ceinms_torch.recordings.c3d import read_c3d  # noqa: PLC0415  other files do without

    recording = read_c3d(path)
    analogs = recording.analogs
    places = [i for i, name in enumerate(analogs.names) if name not in recording.plate_channels]
    if not places:
        raise FileFormatError(
            where=Place(path, element="ANALOG"),
            expected="analog channels beside those of the force plates",
            got=f"{len(analogs.names)} channels, none of them of EMG",
            hint="Export the EMG with the C3D file, or name a file of its own",
            code="emg-missing",
        )
    units = {analogs.units[i] for i in places} - {""}
    return RawEmg(
        name=path.stem,
        rate=analogs.rate,
        channels=tuple(plain_label(analogs.names[i]) for i in places),
        values=analogs.values[:, places],
        start=float(analogs.time[0]),
        unit=units.pop() if len(units) == 1 else "",
        source=recording.source,
    )


def _has_endheader(path: Path) -> bool:
    if path.suffix.casefold() in (".sto", ".mot"):
        return True
    text, _ = read_text(path, "a recording of EMG as text")
    return re.search(r"^\s*endheader\s*$", text[:100_000], re.I | re.M) is not None


def _only(path: Path, rates: Sequence[float]) -> float:
    if len(rates) == 1:
        return rates[0]
    raise FileFormatError(
        where=Place(path, element="rate"),
        expected="one sampling rate in the header",
        got=" and ".join(f"{one:g} Hz" for one in rates),
        hint="Say with --emg-rate which one is that of the EMG",
        code="emg-rate",
    )


def _columns_of(path: Path, table: RecorderTable) -> tuple[FloatArray | None, list[int]]:
    """Return the times [s], None without a column of them, and which columns are channels.

    Some recorders write the times of every channel before it. Of those that have others than the
    first, such as accelerations at a lower rate, no channel is read.
    """
    labels = [label.casefold() for label in table.labels]
    first = 1 if _COUNTER.fullmatch(labels[0]) and len(labels) > 1 else 0
    times = [i for i in range(first, len(labels)) if TIME_LABEL.fullmatch(labels[i])]
    is_nameless = labels[first] in ("", "name") and (np.diff(table.values[:, first]) > 0.0).all()
    if is_nameless:
        times = [first]
    if first not in times:
        return None, list(range(first, len(labels)))
    same = [i for i in times if np.array_equal(table.values[:, i], table.values[:, first])]
    places: list[int] = []
    left_out: list[int] = []
    now = first
    for i in range(first, len(labels)):
        if i in times:
            now = i
        else:
            (places if now in same else left_out).append(i)
    if left_out:
        names = ", ".join(table.labels[i] for i in left_out)
        text = (
            f"{names}: left out, since they were sampled at other times than {labels[places[0]]}."
        )
        where = Place(path, table.label_line)
        warnings.warn(CeinmsTorchWarning(text, "emg-other-times", where), stacklevel=3)
    factor = 1e-3 if table.units[first].casefold() in ("ms", "msec") else 1.0
    return factor * table.values[:, first], places


def _evened(path: Path, time: FloatArray, values: FloatArray) -> tuple[float, FloatArray]:
    """Return the rate by the times [Hz], and all samples, those of missing rows NaN."""
    steps = np.diff(time)
    if not (steps > 0.0).all():
        row = int(np.argmin(steps > 0.0)) + 1
        raise FileFormatError(
            where=Place(path, element="time"),
            expected=f"a time after {time[row - 1]:.10g} s in row {row + 1} of the table",
            got=f"{time[row]:.10g} s",
            hint="Every row needs a later time than the one before it",
            code="time-order",
        )
    place = np.concatenate(([0.0], np.cumsum(np.maximum(np.round(steps / np.median(steps)), 1.0))))
    step, first = np.polyfit(place, time, 1) if len(time) > 2 else (steps[0], time[0])
    off = np.abs(time - (first + step * place)) / step
    if off.max() > _MOST_JITTER:
        row = int(np.argmax(off))
        raise FileFormatError(
            where=Place(path, element="time"),
            expected=f"evenly spaced times, every {step:.6g} s, but for missing rows",
            got=f"{time[row]:.10g} s, which is {off[row]:.2g} steps beside them",
            hint="Export the recording as it was sampled",
            code="time-step",
        )
    whole = np.full((int(place[-1]) + 1, values.shape[1]), math.nan)
    whole[place.astype(np.int64)] = values
    rate = 1.0 / step
    # Rates are whole numbers; times are printed with so many digits.
    return (round(rate) if abs(rate - round(rate)) < 1e-3 * rate else rate), whole


def _check_rates(path: Path, stated: Mapping[str, float], asked: float | None) -> float:
    """Return the one rate that all who state one agree on [Hz]."""
    known = dict(stated)
    if asked is not None:
        known["--emg-rate"] = asked
    if not known:
        raise FileFormatError(
            where=Place(path, element="rate"),
            expected="a column of times, or a sampling rate in the header",
            got="neither",
            hint="Say at which rate it was recorded, with --emg-rate",
            code="emg-rate",
        )
    (one, rate), *rest = known.items()
    for other, different in rest:
        if abs(different - rate) > _SAME_RATE * rate:
            kind = OptionError if other == "--emg-rate" else FileFormatError
            raise kind(
                where=Place(path, element="rate"),
                expected=f"{different:.6g} Hz by {other}",
                got=f"{rate:.6g} Hz by {one}",
                hint="Find out at which rate it was recorded: at a wrong one the whole trial lasts "
                "too long or too short, and filters cut elsewhere",
                code="emg-rate",
            )
    return known.get("its times", rate)
