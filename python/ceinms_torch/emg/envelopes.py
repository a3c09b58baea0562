"""From raw EMG to linear envelopes: fill gaps, filter, rectify, filter, normalise, resample."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.emg.raw_emg import RawEmg
from ceinms_torch.errors import CeinmsTorchWarning, DataError, OptionError, Place
from ceinms_torch.io.display import OneLine
from ceinms_torch.recordings.filters import Edges, butterworth, low_pass_delay

_NOTCH_WIDTH = 2.0  # Hz, of each line of the mains that is taken out
_NYQUIST_SHARE = 0.95  # a cut-off above that share of half the rate filters nothing
_SAMPLES_PER_PERIOD = 2.5  # of the low-pass cut-off, at the rate of the envelopes


@dataclass(frozen=True, kw_only=True)
class EmgProcessing:
    """How raw EMG becomes an envelope.

    Parameters
    ----------
    band_pass : tuple of (float, float)
        Where the band-pass filter has -3 dB [Hz], both passes together.
    band_pass_order : int
        Of each pass, as `scipy.signal.butter` counts: two passes have twice that.
    low_pass : float
        Where the low-pass filter behind the rectification has -3 dB [Hz], both passes together.
    low_pass_order : int
        Of each pass.
    notch : float, optional
        Frequency of the mains [Hz]: 2 Hz about it and about its multiples in the band are taken
        out. None for no notch.
    causal : bool
        One pass of each filter, as in real time, which delays envelopes.
    edges : {"filtfilt", "mirrored", "turned"}
        How recordings go on beyond their ends, as for `butterworth`: as ``filtfilt`` of SciPy and
        MATLAB pads, which envelopes of others are made by and which draws their ends towards zero;
        mirrored, which keeps their level there.
    largest_gap : float
        Longest run of missing samples that is interpolated [s]; a longer one is an error.
    rate : float, optional
        Of the envelopes, resampled after filtering [Hz]; None for that of the recording.
    delay : float
        By how much the recorder's EMG is late [s], such as that of wireless electrodes; times of
        the envelopes are earlier by that.

    Raises
    ------
    OptionError
        If a value is out of its range.
    """

    band_pass: tuple[float, float] = (30.0, 300.0)
    band_pass_order: int = 3
    low_pass: float = 5.0
    low_pass_order: int = 4
    notch: float | None = None
    causal: bool = False
    edges: Edges = "filtfilt"
    largest_gap: float = 0.02
    rate: float | None = 100.0
    delay: float = 0.0

    def __post_init__(self) -> None:
        """Check ranges that no recording is needed for."""
        low, high = self.band_pass
        checks = (
            (0.0 < low < high < math.inf, "band_pass", "two increasing frequencies above 0 Hz"),
            (0.0 < self.low_pass < low, "low_pass", f"above 0 and below {low:g} Hz, the band"),
            (self.band_pass_order >= 1, "band_pass_order", "a whole number from 1 on"),
            (self.low_pass_order >= 1, "low_pass_order", "a whole number from 1 on"),
            (self.notch is None or 0.0 < self.notch < math.inf, "notch", "a frequency above 0 Hz"),
            (0.0 <= self.largest_gap < math.inf, "largest_gap", "seconds from 0 on"),
            (math.isfinite(self.delay), "delay", "seconds"),
            (self.edges in get_args(Edges), "edges", f"one of {', '.join(get_args(Edges))}"),
        )
        for holds, name, expected in checks:
            if not holds:
                raise OptionError(where=name, expected=expected, got=f"{getattr(self, name)}")
        lowest = _SAMPLES_PER_PERIOD * self.low_pass
        if self.rate is not None and not lowest <= self.rate < math.inf:
            raise OptionError(
                where="rate",
                expected=f"{lowest:g} Hz at least, {_SAMPLES_PER_PERIOD:g} times the low-pass "
                "cut-off",
                got=f"{self.rate:g} Hz",
            )

    def late(self, rate: float) -> float:
        """Return by how much envelopes of a recording at a rate [Hz] are late [s]."""
        if not self.causal:
            return 0.0
        return low_pass_delay(rate, self.low_pass, order=self.low_pass_order)

    @property
    def sentence(self) -> str:
        """What is done, as a methods section says it."""
        passes = 1 if self.causal else 2
        how = "causal (one pass)" if self.causal else "zero-phase (forward and backward)"
        band = f"{self.band_pass[0]:g} to {self.band_pass[1]:g} Hz"
        mains = "" if self.notch is None else f", mains of {self.notch:g} Hz taken out"
        return (
            f"Offset removed{mains}, Butterworth band-pass {band} (order {self.band_pass_order} a "
            f"pass, {passes * self.band_pass_order} in all), rectified, Butterworth low-pass "
            f"{self.low_pass:g} Hz (order {self.low_pass_order} a pass, "
            f"{passes * self.low_pass_order} in all); {how}, -3 dB at these frequencies for the "
            "whole filter"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Envelopes(OneLine):
    """Linear envelopes of a recording.

    Parameters
    ----------
    name : str
        Of the recording.
    time : ndarray (n_row,)
        [s].
    channels : tuple of str
        Names.
    values : ndarray (n_row, n_channel)
        Not negative: in `unit` [-] after normalisation.
    unit : str
        Of the values: "-" once normalised.
    greatest : dict of str to float
        Greatest value of every channel before resampling, in `unit`.
    """

    name: str
    time: FloatArray
    channels: tuple[str, ...]
    values: FloatArray
    unit: str
    greatest: Mapping[str, float]


def without_gaps(raw: RawEmg, largest: float = EmgProcessing.largest_gap) -> RawEmg:
    """Return a recording whose gaps are filled by straight lines.

    Parameters
    ----------
    raw : RawEmg
        The recording.
    largest : float
        Longest gap that is filled [s]. One at an end is filled with the nearest sample.

    Returns
    -------
    RawEmg

    Raises
    ------
    DataError
        If a gap is longer; it names channel and time of the longest.
    """
    missing = np.isnan(raw.values)
    for i, name in enumerate(raw.channels):
        first, length = longest_run(missing[:, i])
        if length > round(largest * raw.rate):
            raise DataError(
                where=Place(raw.source.path, element="EMG", column=name, trial=raw.name),
                expected=f"gaps of {largest:g} s at most",
                got=f"{length / raw.rate:.4g} s without a sample from "
                f"{raw.start + first / raw.rate:.6g} s on",
                hint="Cut the trial before or behind it, leave the channel out, or allow longer "
                "gaps to be interpolated with --gap",
                code="emg-gap",
            )
    return with_gaps_bridged(raw)


def with_gaps_bridged(raw: RawEmg) -> RawEmg:
    """Return a recording with straight lines over its gaps, however long; to measure the rest."""
    missing = np.isnan(raw.values)
    if not missing.any():
        return raw
    filled = raw.values.copy()
    sample = np.arange(len(filled))
    for i in np.flatnonzero(missing.any(axis=0)).tolist():
        known = ~missing[:, i]
        values = raw.values[known, i]
        filled[:, i] = np.interp(sample, sample[known], values) if len(values) else 0.0
    return replace(raw, values=filled)


def longest_run(marks: np.typing.NDArray[np.bool_]) -> tuple[int, int]:
    """Return where the longest run of marked samples begins, and how many it has."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], marks, [False])).astype(np.int8)))
    if len(edges) == 0:
        return 0, 0
    first, last = edges[::2], edges[1::2]
    longest = int(np.argmax(last - first))
    return int(first[longest]), int(last[longest] - first[longest])


def band_passed(raw: RawEmg, processing: EmgProcessing) -> FloatArray:
    """Return a recording's EMG without offset, mains and what lies outside its band.

    Parameters
    ----------
    raw : RawEmg
        The recording, without gaps.
    processing : EmgProcessing
        What is done.

    Returns
    -------
    ndarray (n_sample, n_channel)
        In the recorder's unit.

    Warns
    -----
    CeinmsTorchWarning
        If the recording has no such band: what is above half its rate it does not have.
    """
    low, high = processing.band_pass
    half = 0.5 * raw.rate
    values = raw.values - raw.values.mean(axis=0)
    if processing.notch is not None:
        lines = np.arange(processing.notch, min(high, _NYQUIST_SHARE * half), processing.notch)
        for line in lines.tolist():
            values = butterworth(
                values,
                raw.rate,
                (line - 0.5 * _NOTCH_WIDTH, line + 0.5 * _NOTCH_WIDTH),
                kind="band-stop",
                order=1,
                causal=processing.causal,
                edges="mirrored",  # it rings for longer than the padding of filtfilt
            )
    has_band = high < _NYQUIST_SHARE * half
    if not has_band:
        text = (
            f"a recording at {raw.rate:g} Hz has nothing above {half:g} Hz: it is high-passed at "
            f"{low:g} Hz in place of a band-pass to {high:g} Hz."
        )
        place = Place(raw.source.path, element="rate", trial=raw.name)
        warnings.warn(CeinmsTorchWarning(text, "emg-band", place), stacklevel=3)
    return butterworth(
        values,
        raw.rate,
        (low, high) if has_band else low,
        kind="band-pass" if has_band else "high-pass",
        order=processing.band_pass_order,
        causal=processing.causal,
        edges=processing.edges,
    )


@one_blas_thread
def envelopes(
    raw: RawEmg, processing: EmgProcessing | None = None, *, in_band: FloatArray | None = None
) -> Envelopes:
    """Return the linear envelopes of a recording, in the recorder's unit.

    Parameters
    ----------
    raw : RawEmg
        The recording; gaps are filled as `without_gaps` does.
    processing : EmgProcessing, optional
        What is done; by default as Hambly et al. do.
    in_band : ndarray (n_sample, n_channel), optional
        What `band_passed` returns, where it is known.

    Returns
    -------
    Envelopes

    Raises
    ------
    DataError
        If a gap is too long, or the recording too short to be filtered.
    """
    processing = processing or EmgProcessing()
    raw = without_gaps(raw, processing.largest_gap)
    if in_band is None:
        in_band = band_passed(raw, processing)
    smooth = butterworth(
        np.abs(in_band),
        raw.rate,
        processing.low_pass,
        order=processing.low_pass_order,
        causal=processing.causal,
        edges=processing.edges,
    )
    smooth = np.maximum(smooth, 0.0)  # where a filter swings below what it smooths
    time, start = raw.time, raw.start
    if processing.rate is not None:
        n_row = math.floor((len(smooth) - 1) * processing.rate / raw.rate + 1e-6) + 1
        time = start + np.arange(n_row) / processing.rate
        # Far below the old rate and the new one, it is as good as straight between two samples.
        rows = [np.interp(time, raw.time, one) for one in smooth.T]
        values = np.column_stack(rows)
    else:
        values = smooth
    return Envelopes(
        name=raw.name,
        time=time - processing.delay,
        channels=raw.channels,
        values=values,
        unit=raw.unit or "recorder units",
        greatest=dict(zip(raw.channels, smooth.max(axis=0).tolist(), strict=True)),
    )


def greatest_of(recordings: Sequence[Envelopes]) -> dict[str, float]:
    """Return the greatest value of every channel in any of several recordings.

    Parameters
    ----------
    recordings : sequence of Envelopes
        Trials, or MVC trials; each may lack channels.

    Returns
    -------
    dict of str to float
        In their unit.
    """
    found: dict[str, float] = {}
    for one in recordings:
        for name, value in one.greatest.items():
            found[name] = max(value, found.get(name, 0.0))
    return found


def normalised(trial: Envelopes, maxima: Mapping[str, float]) -> Envelopes:
    """Return envelopes over the maximum of their channel.

    Parameters
    ----------
    trial : Envelopes
        In the recorder's unit.
    maxima : mapping of str to float
        What is 1, by channel, in the same unit.

    Returns
    -------
    Envelopes

    Raises
    ------
    DataError
        If a channel has none, or one that is not above 0; it names all of them.
    """
    lacking = [name for name in trial.channels if not 0.0 < maxima.get(name, math.nan) < math.inf]
    if lacking:
        known = [name for name in lacking if name in maxima]
        raise DataError(
            where=Place(element="maximum", trial=trial.name),
            expected="a maximum above 0 for every channel",
            got=f"none for {', '.join(lacking)}"
            + (f" ({', '.join(f'{name}: {maxima[name]:g}' for name in known)})" if known else ""),
            hint="Give an MVC trial that has it, a number for it, or normalise by the greatest "
            "of all trials",
            code="mvc-missing",
        )
    scale = [maxima[name] for name in trial.channels]
    return replace(
        trial,
        values=trial.values / scale,
        unit="-",
        greatest={name: value / maxima[name] for name, value in trial.greatest.items()},
    )
