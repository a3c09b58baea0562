"""Whether excitation signals are envelopes, normalised to 0 to 1, of electrodes that worked."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.inputs.checks.files import Inputs, TrialInputs
from ceinms_torch.inputs.checks.findings import Finding, Severity, listed

# An envelope is low-pass filtered at 3 to 10 Hz: hardly any of its power is above this [Hz].
_ENVELOPE_BAND = 15.0
_MOST_POWER_ABOVE = 0.25
# A raw signal is negative half of the time; an envelope dips below zero where its filter rings.
_RAW_NEGATIVE = 0.2
_RINGING = -0.05
# Peaks above this are no share of a maximum contraction but microvolts or percent.
_NOT_NORMALISED = 5.0
# A few samples above 1 are a maximum contraction that was not maximal.
_MOST_ABOVE_ONE = 0.02
# If no signal of any trial reaches this, they were normalised by something else.
_TINY = 0.01
# So long [s] at exactly the same highest value: the amplifier, or a limit, cut it off.
_CEILING_TIME = 0.03
_CEILING_ROWS = 5
# Signals of a trial that are so many times smaller than those of the others, all of them together
# or one alone, were given another unit, or have lost their electrode.
_MUCH_SMALLER, _LOST = 30.0, 200.0
# A signal that never falls below the first share of its peak, and so many times the share of any
# other, stands on a floor; from the third on, that is worth a note.
_FLOOR, _HIGHER, _RATHER_HIGHER = 0.1, 4.0, 2.0
# So many signals tell what floor is usual.
_FEWEST_SIGNALS = 4
# What printed digits leave of 1.
_PRINTED = 1e-4
# Rows that are needed to say anything about a signal.
_FEWEST_ROWS = 20


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """A fault that a signal may have."""

    code: str
    severity: Severity
    says: str
    why: str
    to_do: str


_KINDS = (
    _Kind(
        code="emg-raw",
        severity="error",
        says="are negative about half of the time: raw EMG",
        why="Muscles would follow the noise of single motor units, half of it cut off.",
        to_do="Band-pass filter, rectify and low-pass filter the EMG, then normalise it.",
    ),
    _Kind(
        code="emg-not-normalised",
        severity="error",
        says=f"reach more than {_NOT_NORMALISED:g}: microvolts, or percent",
        why="Excitations are limited to 1: the muscles would be fully active most of the time.",
        to_do="Divide by the largest envelope of a maximum contraction; 100 % is 1.",
    ),
    _Kind(
        code="emg-zero",
        severity="warning",
        says="are zero at all times",
        why="The muscle was not recorded, but the model takes it for silent.",
        to_do="Check the electrode; give the <excitation> no input if there is no signal.",
    ),
    _Kind(
        code="emg-flat",
        severity="warning",
        says="are constant",
        why="A muscle with constant EMG is a dead electrode.",
        to_do="Check the electrode; give the <excitation> no input if there is no signal.",
    ),
    _Kind(
        code="emg-not-enveloped",
        severity="warning",
        says=f"have much of their power above {_ENVELOPE_BAND:g} Hz: rectified, but not smoothed",
        why="Activation would be as rough as the EMG; only some rows are even looked at.",
        to_do="Low-pass filter the rectified EMG at 3 to 10 Hz.",
    ),
    _Kind(
        code="emg-clipped",
        severity="warning",
        says="stay at exactly their highest value: cut off there",
        why="The largest contractions are missing, so forces at the peaks come out too small.",
        to_do="Use the recording before it was limited, or a larger amplifier range.",
    ),
    _Kind(
        code="emg-negative",
        severity="warning",
        says=f"dip below {_RINGING:g} of their peak",
        why="Negative values are set to 0; the envelope was filtered too sharply, or is offset.",
        to_do="Use a filter that does not ring, such as a second-order Butterworth.",
    ),
    _Kind(
        code="emg-above-one",
        severity="warning",
        says=f"are above 1 in more than {100 * _MOST_ABOVE_ONE:g} % of the rows",
        why="What is above 1 is cut off there: the maximum contraction was none.",
        to_do="Normalise by the largest value of all trials.",
    ),
)


def check_emg(inputs: Inputs) -> list[Finding]:
    """Check every signal that drives an MTU.

    Parameters
    ----------
    inputs : Inputs
        What could be read.

    Returns
    -------
    list of Finding
    """
    faults: dict[tuple[str, str], list[TrialInputs]] = {}
    for trial in inputs.trials:
        for name in _driving(inputs, trial):
            code = _fault_of(trial, name)
            if code is not None:
                faults.setdefault((code, name), []).append(trial)
    findings = [
        finding
        for kind in _KINDS
        for finding in _grouped(kind, {n: t for (c, n), t in faults.items() if c == kind.code})
    ]
    findings += _check_trials(inputs, {name for _, name in faults})
    if not findings:
        findings += _check_all(inputs)
    findings += _check_copies(inputs)
    findings += _check_peaks(inputs)
    findings += _check_floors(inputs, {name for _, name in faults})
    return findings


def _by_name(inputs: Inputs, but: Container[str] = ()) -> dict[str, list[FloatArray]]:
    """Return every signal that drives an MTU in all trials, if all of them have it."""
    trials = [
        trial for trial in inputs.trials if trial.signals is not None and _driving(inputs, trial)
    ]
    signals: dict[str, list[FloatArray]] = {}
    for trial in trials:
        assert trial.signals is not None  # noqa: S101  chosen so
        for name in _driving(inputs, trial):
            signals.setdefault(name, []).append(trial.signals.column(name))
    return {
        name: columns
        for name, columns in signals.items()
        if name not in but and len(columns) == len(trials) and min(map(len, columns)) > 0
    }


def _check_trials(inputs: Inputs, but: Container[str]) -> Iterator[Finding]:
    """Compare the signals of each trial with those of the others."""
    signals = _by_name(inputs, but)
    trials = [trial for trial in inputs.trials if trial.signals is not None]
    peaks = np.array([[float(one.max()) for one in columns] for columns in signals.values()])
    if not len(peaks) or peaks.shape[1] < 2 or peaks.shape[1] != len(trials):
        return
    for t, trial in enumerate(trials):
        usual = np.median(np.delete(peaks, t, axis=1), axis=1)
        times = usual / np.maximum(peaks[:, t], 1e-300)
        factor = float(np.median(times))
        lost = [name for name, one in zip(signals, times.tolist(), strict=True) if one > _LOST]
        if factor > _MUCH_SMALLER:
            yield Finding(
                severity="warning",
                code="emg-small-in-trial",
                where=trial.place(trial.signals),
                what=f"The signals of trial {trial.name} are {factor:.3g} times smaller than those "
                "of the other trials.",
                why="They have another unit, or were normalised by something else: one set of "
                "parameters cannot serve both.",
                to_do="Normalise the EMG of all trials by the same maximum contractions.",
            )
        elif lost:
            yield Finding(
                severity="warning",
                code="emg-lost",
                where=trial.place(trial.signals, listed(lost)),
                what=f"{listed(lost)}: more than {_LOST:g} times smaller in trial {trial.name} "
                "than in the others.",
                why="The electrode came off, or the signal has another unit in this trial.",
                to_do="Check the recording; leave the trial out if the signal is lost.",
            )


def _check_peaks(inputs: Inputs) -> Iterator[Finding]:
    """Find signals whose peak is 1 in every trial."""
    trials = [trial for trial in inputs.trials if trial.signals is not None]
    ones = [
        name
        for name, columns in _by_name(inputs).items()
        if all(abs(float(one.max()) - 1.0) < _PRINTED for one in columns)
        and len(_moments_of_peaks(trials, name)) > 1
    ]
    if ones:
        yield Finding(
            severity="warning",
            code="emg-normalised-by-trial",
            where=trials[0].place(trials[0].signals, listed(ones)),
            what=f"The peak of {listed(ones)} is exactly 1 in every trial.",
            why="Each trial was divided by its own maximum, so that a weak contraction counts as "
            "much as a strong one.",
            to_do="Normalise all trials by one maximum contraction, or by the largest value of all "
            "trials.",
        )


def _moments_of_peaks(trials: list[TrialInputs], name: str) -> set[tuple[float, float]]:
    """Return when a signal peaks [s], and the sample before: trials of a recording share peaks."""
    moments = set()
    for trial in trials:
        assert trial.signals is not None  # noqa: S101  chosen so
        signal = trial.signals.column(name)
        row = int(signal.argmax())
        before = float(signal[max(row - 1, 0)])
        moments.add((round(float(trial.signals.time[row]), 4), round(before, 6)))
    return moments


def _check_floors(inputs: Inputs, but: Container[str]) -> Iterator[Finding]:
    """Find signals that stand on a floor which no other has."""
    shares = {
        name: float(np.percentile(np.concatenate(columns), 1.0) / max(one.max() for one in columns))
        for name, columns in _by_name(inputs, but).items()
    }
    trials = [trial for trial in inputs.trials if trial.signals is not None]
    if len(shares) < _FEWEST_SIGNALS:
        return
    first, second = sorted(shares, key=shares.__getitem__, reverse=True)[:2]
    times = shares[first] / max(shares[second], 1e-3)
    if shares[first] > _FLOOR and times > _RATHER_HIGHER:
        yield Finding(
            severity="warning" if times > _HIGHER else "note",
            code="emg-floor",
            where=trials[0].place(trials[0].signals, first),
            what=f"'{first}' never falls below {100 * shares[first]:.3g} % of its peak; no other "
            f"signal stays above {100 * shares[second]:.2g} %.",
            why="An offset, hum or a neighbour's activity drives the muscle all the time.",
            to_do="Remove the offset before rectifying; check the electrode.",
        )


def _driving(inputs: Inputs, trial: TrialInputs) -> list[str]:
    """Return the columns that drive an MTU; all of them without a map."""
    if trial.signals is None:
        return []
    if inputs.generator is None:
        return list(trial.signals.columns)
    used = {
        signal
        for excitation in inputs.generator.excitations
        for signal, weight in excitation.inputs
        if weight != 0.0
    }
    return [name for name in trial.signals.columns if name in used]


def _fault_of(trial: TrialInputs, name: str) -> str | None:
    """Return the code of the most fundamental fault of a signal."""
    assert trial.signals is not None  # noqa: S101  it has columns
    time, signal = trial.signals.time, trial.signals.column(name)
    peak = float(np.abs(signal).max())
    if peak == 0.0:
        return "emg-zero"
    if len(signal) < _FEWEST_ROWS:
        return None
    if float(np.ptp(signal)) <= 1e-6 * peak:
        return "emg-flat"
    step = float(time[-1] - time[0]) / (len(time) - 1)
    tests: tuple[tuple[str, Callable[[], bool]], ...] = (
        ("emg-raw", lambda: bool(np.mean(signal < -0.02 * peak) > _RAW_NEGATIVE)),
        ("emg-not-normalised", lambda: peak > _NOT_NORMALISED),
        ("emg-not-enveloped", lambda: _power_above(signal, step) > _MOST_POWER_ABOVE),
        ("emg-clipped", lambda: _is_clipped(signal, step)),
        ("emg-negative", lambda: float(signal.min()) < _RINGING * peak),
        ("emg-above-one", lambda: bool(np.mean(signal > 1.0) > _MOST_ABOVE_ONE)),
    )
    return next((code for code, test in tests if test()), None)


def _power_above(signal: FloatArray, step: float) -> float:
    """Return the share of a signal's power, its mean left out, above the band of envelopes."""
    window = np.hanning(len(signal))
    power = np.abs(np.fft.rfft((signal - signal.mean()) * window)) ** 2
    above = np.fft.rfftfreq(len(signal), step) > _ENVELOPE_BAND
    total = float(power.sum())
    return float(power[above].sum()) / total if total > 0.0 else 0.0


def _is_clipped(signal: FloatArray, step: float) -> bool:
    at_top = signal >= signal.max() * (1.0 - 1e-9)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], at_top, [False])).astype(int)))
    longest = int((edges[1::2] - edges[::2]).max())
    return longest >= max(_CEILING_ROWS, _CEILING_TIME / step)


def _grouped(kind: _Kind, signals: dict[str, list[TrialInputs]]) -> Iterator[Finding]:
    """Report a fault once, for all the signals that have it."""
    if not signals:
        return
    trials = list(dict.fromkeys(trial.name for found in signals.values() for trial in found))
    first = next(iter(signals.values()))[0]
    names = listed(list(signals))
    yield Finding(
        severity=kind.severity,
        code=kind.code,
        where=first.place(first.signals, names),
        what=f"Signals {names} {kind.says} (trials {listed(trials)}).",
        why=kind.why,
        to_do=kind.to_do,
    )


def _check_all(inputs: Inputs) -> Iterator[Finding]:
    """Look at the largest value of all signals together."""
    peaks = [
        float(trial.signals.column(name).max())
        for trial in inputs.trials
        if trial.signals is not None
        for name in _driving(inputs, trial)
    ]
    if not peaks or max(peaks) > _TINY:
        return
    first = inputs.trials[0]
    yield Finding(
        severity="warning",
        code="emg-tiny",
        where=first.place(first.signals),
        what=f"No signal of any trial is larger than {max(peaks):.3g}: volts, or normalised twice.",
        why="The muscles would hardly be active, and parameters would go to their bounds.",
        to_do="Divide the envelopes by those of maximum contractions.",
    )


def _check_copies(inputs: Inputs) -> Iterator[Finding]:
    """Find two signals that are one."""
    for trial in inputs.trials:
        signals = trial.signals
        seen: dict[bytes, str] = {}
        for name in _driving(inputs, trial):
            assert signals is not None  # noqa: S101  it has columns
            column = signals.column(name)
            first = seen.setdefault(column.tobytes(), name)
            if first != name and float(np.ptp(column)) > 0.0:
                yield Finding(
                    severity="warning",
                    code="emg-copied",
                    where=trial.place(signals, name),
                    what=f"'{name}' is the same as '{first}', to the last digit.",
                    why="Two muscles never have the same EMG: a column was copied.",
                    to_do="Export the signals again; to share one, map it to both MTUs.",
                )
