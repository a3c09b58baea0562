"""Match what was read: names against columns, EMG against the times it must cover."""

from __future__ import annotations

import dataclasses

from ceinms_torch.calibration.delays import check_delays
from ceinms_torch.inputs.checks.attempts import Attempts
from ceinms_torch.inputs.checks.files import Inputs, TrialInputs
from ceinms_torch.inputs.checks.findings import Finding
from ceinms_torch.inputs.folder import check_trial_names, warn_if_calibrated_on
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.model.trial_files import check_coverage, check_signals, moment_columns

# A delay beyond this [s] is in milliseconds (see `units`); there is no EMG to look for then.
LONGEST_DELAY = 1.0


def match_trials(inputs: Inputs) -> list[Finding]:
    """Match every trial to the subject, and keep those that fit in `inputs`.

    Parameters
    ----------
    inputs : Inputs
        What could be read.

    Returns
    -------
    list of Finding
    """
    findings: list[Finding] = []
    subject, generator = inputs.subject, inputs.generator
    if subject is None:
        return findings
    attempt = Attempts(findings)
    for trial in inputs.trials:
        before = len(findings)
        _match(attempt, trial, subject, generator)
        files = trial.complete(subject)
        if len(findings) > before or files is None or generator is None:
            continue
        if set(subject.mtu_names) - {excitation.id for excitation in generator.excitations}:
            continue  # `mapping` says so
        missing = inputs.plan is not None and files.torques is None
        aligned = attempt(
            "moments-missing" if missing else "times-not-covered",
            trial.name,
            Trial.of,
            files,
            subject,
            generator,
            require_moments=inputs.plan is not None,
        )
        if aligned is not None:
            (inputs.tests if trial.is_test else inputs.aligned).append(aligned)
    attempt("trial-name-repeated", None, check_trial_names, inputs.aligned)
    attempt("trial-name-repeated", None, check_trial_names, inputs.tests)
    attempt("test-is-calibrated-on", None, warn_if_calibrated_on, inputs.tests, inputs.aligned)
    return findings


def _match(
    attempt: Attempts, trial: TrialInputs, subject: Subject, generator: ExcitationGenerator | None
) -> None:
    """Look for columns, and for EMG at all times, in those files that could be read."""
    lengths, signals, torques = trial.lengths, trial.signals, trial.torques
    code, name = "column-missing", trial.name
    if lengths is not None:
        attempt(code, name, lengths.select, subject.mtu_names)
    for dof in subject.dofs:
        if dof.name in trial.arms:
            attempt(code, name, trial.arms[dof.name].select, dof.mtu_names)
    if signals is not None and generator is not None:
        attempt(code, name, check_signals, signals, subject.mtu_names, generator)
    if torques is not None:
        attempt(code, name, moment_columns, torques, subject.dof_names)
    longest = max((abs(mtu.em_delay) for mtu in subject.mtus), default=0.0)
    if lengths is not None and signals is not None and longest <= LONGEST_DELAY:
        attempt("emg-too-short", name, check_coverage, signals, lengths, subject)


def check_names(inputs: Inputs) -> list[Finding]:
    """Find names in the plan that the subject lacks.

    Parameters
    ----------
    inputs : Inputs
        What could be read.

    Returns
    -------
    list of Finding
    """
    findings: list[Finding] = []
    if inputs.subject is None or inputs.plan is None:
        return findings
    attempt = Attempts(findings)
    for step in inputs.plan.steps:
        for spec in step.parameters:
            one = dataclasses.replace(step, parameters=(spec,))
            plan = dataclasses.replace(inputs.plan, steps=(one,))
            attempt("unknown-name", None, plan.check_names, inputs.subject)
    return findings


def check_delay_ranges(inputs: Inputs) -> list[Finding]:
    """Find delays that the calibration may try and the EMG does not cover.

    Parameters
    ----------
    inputs : Inputs
        What could be read and matched; names in the plan are those of the subject.

    Returns
    -------
    list of Finding
    """
    findings: list[Finding] = []
    if inputs.subject is None or inputs.plan is None:
        return findings
    attempt = Attempts(findings)
    for trial in (*inputs.aligned, *inputs.tests):
        attempt("emg-too-short", trial.name, check_delays, inputs.subject, inputs.plan, [trial])
    return findings
