"""What is wrong or doubtful in a recording of raw EMG, channel by channel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.signal

from ceinms_torch.arrays import BoolArray, FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.emg.envelopes import (
    EmgProcessing,
    band_passed,
    longest_run,
    with_gaps_bridged,
)
from ceinms_torch.emg.raw_emg import RawEmg, swing
from ceinms_torch.io.display import OneLine

# So many equal samples in a row at a signal's highest or lowest value are cut off.
_CLIPPED_RUN = 3
_SAME_VALUE = 1e-6  # of the range
# A signal of so few different values is the recorder's last digit.
_FEW_VALUES = 4
_DEAD_SWING = 1e-4  # of the liveliest channel's
_FLAT = 10  # equal samples in a row, of a signal that is not dead
_QUIET, _WINDOW = 0.05, 0.25  # share of windows that are rest, seconds of each
_MAINS = (50.0, 60.0)  # Hz
_RESOLUTION = 0.5  # of spectra [Hz]
_LINE, _BESIDE = 1.0, 5.0  # half widths of a line, and of what it stands out from [Hz]
_LOWEST = 20.0  # what is below is movement of the electrode [Hz]
_COPY = 0.999  # correlation: two electrodes' own noise makes it lower
_MOST_LAG = 0.01  # s, at which EMG of one electrode may come to another
# What is doubtful.
_MOST_HUM = 0.1  # of the power
_LEAST_SNR = 6.0  # dB: twice what is there at rest
_CROSSTALK = 0.5  # correlation
# Surface EMG has its median frequency at 50 to 100 Hz, of a few muscles above (De Luca 1997, J Appl
# Biomech 13:135); taken for a recording at twice its rate, it has twice that.
_HIGHEST_MEDIAN, _ENOUGH = 120.0, 3

DoubtCode = Literal["gap", "clipped", "dead", "flat", "copied", "hum", "weak", "crosstalk", "rate"]


@dataclass(frozen=True, kw_only=True)
class EmgDoubt:
    """Something doubtful in a recording.

    Parameters
    ----------
    code : str
        What kind of doubt it is.
    channels : tuple of str
        Those concerned; empty for the whole recording.
    text : str
        What it is, as a sentence without the channel.
    """

    code: DoubtCode
    channels: tuple[str, ...]
    text: str

    def of(self, channel: str) -> str:
        """Return what it is, with the other channels that are concerned."""
        others = [name for name in self.channels if name != channel]
        return f"{self.text}, with {', '.join(others)}" if others else self.text


@dataclass(frozen=True, kw_only=True)
class ChannelQuality:
    """What was measured of one channel.

    Parameters
    ----------
    channel : str
        Its name.
    offset, rms : float
        Mean of the raw signal, and root mean square in the band, in the recorder's unit.
    missing : int
        Samples that are missing.
    longest_gap : float
        [s].
    clipped : int
        Samples at the highest or lowest value, where three or more in a row are.
    flat : float
        Longest time without any change [s].
    hum : float
        Share of the power above 20 Hz at the mains' frequency and its multiples [-].
    mains : float
        That frequency [Hz].
    snr : float
        Root mean square of the liveliest 0.25 s over that of rest, the quietest twentieth [dB].
    median_frequency : float
        Of the power above 20 Hz, the mains' left out [Hz].
    is_dead : bool
        Whether there is no signal.
    """

    channel: str
    offset: float
    rms: float
    missing: int
    longest_gap: float
    clipped: int
    flat: float
    hum: float
    mains: float
    snr: float
    median_frequency: float
    is_dead: bool


@dataclass(frozen=True, kw_only=True)
class ChannelPair:
    """How alike two channels are.

    Parameters
    ----------
    channels : tuple of (str, str)
        Their names.
    correlation : float
        Greatest cross-correlation of the EMG in its band, by modulus [-].
    lag : float
        By how much the second is later, there [s].
    """

    channels: tuple[str, str]
    correlation: float
    lag: float


@dataclass(frozen=True, kw_only=True, eq=False)
class EmgQuality(OneLine):
    """What was measured of a recording.

    Parameters
    ----------
    name : str
        Of the recording.
    rate : float
        [Hz].
    seconds : float
        How long it lasts [s].
    channels : tuple of ChannelQuality
        In the order of the file.
    pairs : tuple of ChannelPair
        All of them, the most alike first.
    doubts : tuple of EmgDoubt
        What is doubtful.
    """

    name: str
    rate: float
    seconds: float
    channels: tuple[ChannelQuality, ...]
    pairs: tuple[ChannelPair, ...]
    doubts: tuple[EmgDoubt, ...]

    def doubts_of(self, channel: str) -> tuple[EmgDoubt, ...]:
        """Return what is doubtful in a channel."""
        return tuple(one for one in self.doubts if channel in one.channels)

    @property
    def dead(self) -> tuple[str, ...]:
        """Names of channels without a signal."""
        return tuple(one.channel for one in self.channels if one.is_dead)


@one_blas_thread
def emg_quality(raw: RawEmg, processing: EmgProcessing | None = None) -> EmgQuality:
    """Measure what may be wrong in a recording.

    Parameters
    ----------
    raw : RawEmg
        The recording, with gaps of any length.
    processing : EmgProcessing, optional
        Its band is what correlations and signal to noise are measured in.

    Returns
    -------
    EmgQuality
    """
    processing = processing or EmgProcessing()
    whole = with_gaps_bridged(raw)
    in_band = band_passed(whole, processing)
    frequency, power = spectrum(whole)
    mains = _mains(frequency, power)
    highest = max(map(swing, raw.values.T))
    measured = tuple(
        _measured(raw, i, whole.values[:, i], in_band[:, i], highest, mains, frequency, power[:, i])
        for i in range(len(raw.channels))
    )
    pairs = _pairs(raw, in_band, [one.is_dead for one in measured])
    doubts = [doubt for one in measured for doubt in _doubts_of(one, raw)]
    doubts += _doubts_of_pairs(pairs)
    doubts += _doubts_of_rate(measured, raw.rate)
    return EmgQuality(
        name=raw.name,
        rate=raw.rate,
        seconds=raw.seconds,
        channels=measured,
        pairs=pairs,
        doubts=tuple(doubts),
    )


def spectrum(raw: RawEmg) -> tuple[FloatArray, FloatArray]:
    """Return the power spectral density of a recording without gaps.

    Parameters
    ----------
    raw : RawEmg
        The recording.

    Returns
    -------
    ndarray (n_frequency,)
        [Hz], 0 to half the rate.
    ndarray (n_frequency, n_channel)
        By Welch's method, in the square of the recorder's unit per Hz.
    """
    length = min(len(raw.values), round(raw.rate / _RESOLUTION))
    values = raw.values - raw.values.mean(axis=0)
    frequency, power = scipy.signal.welch(values, raw.rate, nperseg=length, axis=0)
    return np.asarray(frequency), np.asarray(power)


# ---- One channel ------------------------------------------------------------------------


def _measured(
    raw: RawEmg,
    i: int,
    whole: FloatArray,
    in_band: FloatArray,
    highest: float,
    mains: float,
    frequency: FloatArray,
    power: FloatArray,
) -> ChannelQuality:
    values = raw.values[:, i]
    missing = np.isnan(values)
    is_dead = swing(values) <= _DEAD_SWING * highest or len(np.unique(values)) <= _FEW_VALUES
    _, gap = longest_run(missing)
    _, flat = longest_run(np.diff(values) == 0.0)
    total = float(power[frequency > _LOWEST].sum())
    hum = sum(_standing_out(frequency, power, one) for one in _multiples(frequency, mains))
    return ChannelQuality(
        channel=raw.channels[i],
        offset=float(whole.mean()),
        rms=float(np.sqrt(np.mean(in_band**2))),
        missing=int(missing.sum()),
        longest_gap=gap / raw.rate,
        clipped=0 if is_dead else int(_clipped(values).sum()),
        flat=(flat + 1) / raw.rate if flat else 0.0,
        hum=max(hum, 0.0) / total if total > 0.0 else 0.0,
        mains=mains,
        snr=_signal_to_noise(in_band, raw.rate),
        median_frequency=_median_frequency(frequency, power, mains),
        is_dead=is_dead,
    )


def _clipped(values: FloatArray) -> BoolArray:
    """Mark samples at the ends of a signal's range, if it stays there for three or more."""
    near = _SAME_VALUE * swing(values)
    marks = np.zeros(len(values), dtype=np.bool_)
    for at_end in (values >= np.nanmax(values) - near, values <= np.nanmin(values) + near):
        if longest_run(at_end)[1] >= _CLIPPED_RUN:
            marks |= at_end
    return marks


def _signal_to_noise(in_band: FloatArray, rate: float) -> float:
    """Return how far the liveliest window stands out from rest [dB]."""
    length = max(round(_WINDOW * rate), 1)
    power = np.concatenate(([0.0], np.cumsum(in_band**2)))
    windows = np.maximum(power[length:] - power[:-length], 0.0)
    rest = float(np.quantile(windows, _QUIET)) if len(windows) else 0.0
    return 10.0 * math.log10(float(windows.max()) / rest) if rest > 0.0 else math.nan


def _mains(frequency: FloatArray, power: FloatArray) -> float:
    """Return the frequency of the mains [Hz], by what stands out in all channels together."""
    total = power[frequency > _LOWEST].sum(axis=0)
    together = np.divide(power, total, out=np.zeros_like(power), where=total > 0.0).sum(axis=1)

    def hum(mains: float) -> float:
        lines = _multiples(frequency, mains)[:4]  # the fifth of 60 Hz is the sixth of 50 Hz
        return sum(_standing_out(frequency, together, one) for one in lines)

    return max(_MAINS, key=hum)


def _multiples(frequency: FloatArray, mains: float) -> list[float]:
    return [float(one) for one in np.arange(mains, frequency[-1] - _LINE, mains)]


def _standing_out(frequency: FloatArray, power: FloatArray, line: float) -> float:
    """Return the power by which a line stands out from what is beside it; below 0 by chance."""
    away = np.abs(frequency - line)
    at, beside = away <= _LINE, (away > 2.0 * _LINE) & (away <= _BESIDE)
    if not beside.any():
        return 0.0
    return float(power[at].sum() - power[beside].mean() * at.sum())


def _median_frequency(frequency: FloatArray, power: FloatArray, mains: float) -> float:
    """Return the median frequency of what is neither hum nor movement [Hz]."""
    away = np.abs(frequency - mains * np.round(frequency / mains))
    rest = np.cumsum(np.where((frequency > _LOWEST) & (away > _LINE), power, 0.0))
    if not rest[-1] > 0.0:
        return math.nan
    return float(frequency[np.searchsorted(rest, 0.5 * rest[-1])])


def _doubts_of(one: ChannelQuality, raw: RawEmg) -> list[EmgDoubt]:
    """Return what is doubtful in a channel; of a dead one, that alone."""
    if one.is_dead:
        return [EmgDoubt(code="dead", channels=(one.channel,), text="dead: it has no signal")]
    percent = 100.0 * one.clipped / len(raw.values)
    checks: tuple[tuple[bool, DoubtCode, str], ...] = (
        (
            one.missing > 0,
            "gap",
            f"{one.missing} samples are missing, at most {one.longest_gap:.3g} s in a row",
        ),
        (
            one.clipped > 0,
            "clipped",
            f"saturated: {one.clipped} samples ({percent:.2g} %) at the end of its range",
        ),
        (
            one.flat * raw.rate > _FLAT and one.clipped == 0,
            "flat",
            f"stands still for {one.flat:.3g} s: samples were lost",
        ),
        (
            one.hum > _MOST_HUM,
            "hum",
            f"mains hum of {one.mains:g} Hz is {100.0 * one.hum:.0f} % of its power",
        ),
        (
            one.snr < _LEAST_SNR,
            "weak",
            f"its liveliest moment stands {one.snr:.1f} dB above rest",
        ),
    )
    return [
        EmgDoubt(code=code, channels=(one.channel,), text=text)
        for holds, code, text in checks
        if holds
    ]


# ---- Several channels -------------------------------------------------------------------


def _pairs(raw: RawEmg, in_band: FloatArray, dead: list[bool]) -> tuple[ChannelPair, ...]:
    """Return how alike the channels are that are not dead, the most alike first."""
    alive = [i for i, is_dead in enumerate(dead) if not is_dead]
    signals = in_band[:, alive] / np.sqrt((in_band[:, alive] ** 2).sum(axis=0))
    n = len(signals)
    n_lag = min(round(_MOST_LAG * raw.rate), n - 1)
    # [lag, first, second]: the second is later by the lag.
    later = np.stack([signals[: n - lag].T @ signals[lag:] for lag in range(n_lag + 1)])
    pairs = []
    for a in range(len(alive)):
        for b in range(a + 1, len(alive)):
            both = np.concatenate((later[:0:-1, b, a], later[:, a, b]))
            best = int(np.argmax(np.abs(both)))
            pair = ChannelPair(
                channels=(raw.channels[alive[a]], raw.channels[alive[b]]),
                correlation=float(both[best]),
                lag=(best - n_lag) / raw.rate,
            )
            pairs.append(pair)
    return tuple(sorted(pairs, key=lambda one: -abs(one.correlation)))


def _doubts_of_pairs(pairs: tuple[ChannelPair, ...]) -> list[EmgDoubt]:
    doubts = []
    for one in pairs:
        r = f"correlation {one.correlation:.3f}"
        if abs(one.correlation) >= _COPY:
            text = f"copied: the same signal in both ({r})"
            doubts.append(EmgDoubt(code="copied", channels=one.channels, text=text))
        elif abs(one.correlation) >= _CROSSTALK:
            text = f"crosstalk: {r} at a lag of {1e3 * one.lag:.1f} ms"
            doubts.append(EmgDoubt(code="crosstalk", channels=one.channels, text=text))
    return doubts


def _doubts_of_rate(channels: tuple[ChannelQuality, ...], rate: float) -> list[EmgDoubt]:
    """Return the doubt that a recording at half the rate is taken for one at this rate."""
    clear = [
        one.median_frequency
        for one in channels
        if not one.is_dead and one.hum < _MOST_HUM and one.snr > 2.0 * _LEAST_SNR
    ]
    median = float(np.median(clear)) if clear else 0.0
    if len(clear) < _ENOUGH or median < _HIGHEST_MEDIAN:
        return []
    text = (
        f"half of the EMG's power is above {median:.0f} Hz, for 50 to 100 Hz elsewhere: it may "
        f"have been recorded at {0.5 * rate:g} Hz, not {rate:g} Hz"
    )
    return [EmgDoubt(code="rate", channels=(), text=text)]
