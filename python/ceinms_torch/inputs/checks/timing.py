"""Times: rates, gaps, and how much of the EMG lies before a trial."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from ceinms_torch.errors import Place
from ceinms_torch.inputs.checks.attempts import Attempts
from ceinms_torch.inputs.checks.files import Inputs, TrialInputs
from ceinms_torch.inputs.checks.findings import Finding, listed
from ceinms_torch.inputs.rates import warn_of_another_rate
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial

# A step so many times the usual one is a gap.
_GAP = 1.5
# The activation filter has settled after about this time [s].
_RUN_IN = 0.1
# Fewer rows than this in a trial determine next to nothing.
_FEWEST_ROWS = 10
# EMG so many times as long as the trial may have been given a wrong rate.
_MUCH_LONGER = 4.0


def check_timing(inputs: Inputs) -> list[Finding]:
    """Check the times of every trial.

    Parameters
    ----------
    inputs : Inputs
        What could be read.

    Returns
    -------
    list of Finding
        Beyond what the readers say about coverage, uneven and slow EMG, and interpolation.
    """
    findings: list[Finding] = []
    for trial in inputs.trials:
        findings += _check_gaps(trial)
    if inputs.subject is not None:
        findings += _check_emg_spans(inputs, inputs.subject)
    findings += _check_copies(inputs.aligned)
    findings += _check_copies(inputs.tests)
    return findings


def _check_gaps(trial: TrialInputs) -> Iterator[Finding]:
    lengths = trial.lengths
    if lengths is None or len(lengths.time) < 2:
        return
    steps = np.diff(lengths.time)
    usual, largest = float(np.median(steps)), float(steps.max())
    if largest > _GAP * usual:
        start = float(lengths.time[int(np.argmax(steps))])
        yield Finding(
            severity="warning",
            code="time-gap",
            where=trial.place(lengths, "time"),
            what=f"After {start:.6g} s, {largest:.4g} s pass to the next row; otherwise "
            f"{usual:.4g} s.",
            why="Fibre velocities and the activation filter jump at a gap.",
            to_do="Export the trial at an even rate, or cut it at the gap.",
        )
    if len(lengths.time) < _FEWEST_ROWS:
        yield Finding(
            severity="warning",
            code="trial-short",
            where=trial.place(lengths),
            what=f"The trial has {len(lengths.time)} rows.",
            why="So few determine next to nothing, and the start of a trial is its worst part.",
            to_do="Export a longer part of the recording.",
        )


def _check_emg_spans(inputs: Inputs, subject: Subject) -> Iterator[Finding]:
    delay = max(mtu.em_delay for mtu in subject.mtus)
    late: dict[TrialInputs, float] = {}
    long: dict[TrialInputs, float] = {}
    for trial in inputs.trials:
        if trial.lengths is None or trial.signals is None:
            continue
        lengths, signals = trial.lengths.time, trial.signals.time
        before = float(lengths[0]) - delay - float(signals[0])
        if 0.0 <= before < _RUN_IN:
            late[trial] = before
        span, needed = float(np.ptp(signals)), float(np.ptp(lengths))
        if span > _MUCH_LONGER * needed > 0.0:
            long[trial] = span / needed
    if late:
        yield Finding(
            severity="note",
            code="emg-no-run-in",
            where=_place(late),
            what=f"EMG starts only {min(late.values()):.2g} s before it is needed "
            f"({_trials(late)}).",
            why=f"The activation filter takes about {_RUN_IN:g} s to settle.",
            to_do="Export more EMG before the trial if there is any.",
        )
    if long:
        yield Finding(
            severity="note",
            code="emg-longer",
            where=_place(long),
            what=f"EMG lasts up to {max(long.values()):.3g} times as long as the trial "
            f"({_trials(long)}).",
            why="If its rate was entered wrongly, its events come at the wrong times.",
            to_do="Nothing, if the trial was cut out of a longer recording.",
        )


def _trials(trials: Iterable[TrialInputs]) -> str:
    return "trials " + listed([trial.name for trial in trials])


def _place(trials: Iterable[TrialInputs]) -> Place:
    first = next(iter(trials))
    return first.place(first.signals, "time")


def _check_copies(trials: list[Trial]) -> Iterator[Finding]:
    """Find two trials that are one."""
    seen: dict[bytes, str] = {}
    for trial in trials:
        first = seen.setdefault(trial.mtu_length.tobytes(), trial.name)
        if first != trial.name:
            yield Finding(
                severity="warning",
                code="trial-copied",
                where=Place(file=trial.sources.input_data.path, trial=trial.name),
                what=f"Trials {first} and {trial.name} have the same MTU lengths, to the last "
                "digit.",
                why="The recording counts twice.",
                to_do="Leave one of them out, or correct its inputData.xml.",
            )


def check_calibrated_rate(inputs: Inputs) -> list[Finding]:
    """Find a subject that was calibrated at another rate than its trials have.

    Parameters
    ----------
    inputs : Inputs
        What could be read.

    Returns
    -------
    list of Finding
    """
    findings: list[Finding] = []
    if inputs.subject is not None:
        trials = (*inputs.aligned, *inputs.tests)
        Attempts(findings)(
            "rate-of-calibration", None, warn_of_another_rate, inputs.subject, trials
        )
    return findings
