"""Whether trials have the excitations that a calibration of the delay may ask for."""

from __future__ import annotations

from collections.abc import Sequence

from ceinms_torch.calibration.parameter_space import groups_of
from ceinms_torch.errors import DataError, Place
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.model.trial_files import TIME_TOLERANCE
from ceinms_torch.plan.calibration import CalibrationPlan, ParameterSpec


def check_delays(subject: Subject, plan: CalibrationPlan, trials: Sequence[Trial]) -> None:
    """Check that excitations cover every delay that the calibration may try.

    `Trial.read` has checked the delays of the subject itself.

    Parameters
    ----------
    subject : Subject
        The subject to be calibrated.
    plan : CalibrationPlan
        Its steps name only MTUs and DOFs of the subject.
    trials : sequence of Trial
        The trials that will be simulated.

    Raises
    ------
    DataError
        At the first range of emDelay that leaves the excitations of a trial.
    """
    # Ranges may be relative to what an earlier step has found, so each step starts from all that
    # the steps before it allow.
    reach = {mtu.name: (mtu.em_delay, mtu.em_delay) for mtu in subject.mtus}
    for step in plan.steps:
        for spec in step.parameters:
            if spec.kind != "emDelay":
                continue
            for group in groups_of(subject, step, spec):
                bounds = _bounds(spec, reach[group[0]])
                for trial in trials:
                    _check_trial(trial, plan, spec, group[0], bounds)
                reach.update(dict.fromkeys(group, bounds))


def _bounds(spec: ParameterSpec, start: tuple[float, float]) -> tuple[float, float]:
    """Return the shortest and longest delay of a group [s]."""
    bounds = [bound for value in start for bound in spec.bounds(value, None)]
    return min(bounds), max(bounds)


def _check_trial(
    trial: Trial,
    plan: CalibrationPlan,
    spec: ParameterSpec,
    mtu: str,
    bounds: tuple[float, float],
) -> None:
    shortest, longest = bounds
    needed = (trial.time[0] - longest, trial.time[-1] - shortest)
    first, last = trial.excitation_time[0], trial.excitation_time[-1]
    if first <= needed[0] + TIME_TOLERANCE and last >= needed[1] - TIME_TOLERANCE:
        return
    raise DataError(
        where=Place(plan.path, spec.range_line, "<range> of emDelay"),
        expected=f"delays that the EMG of trial {trial.name} covers; those of {mtu}, {shortest:g} "
        f"to {longest:g} s, need it from {needed[0]:g} to {needed[1]:g} s",
        got=f"{first:g} to {last:g} s",
        hint="Narrow the range, or export more EMG before and after the trial",
    )
