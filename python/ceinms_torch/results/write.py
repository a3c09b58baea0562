"""Write what came out: storage files, history, result.json, calibrated subject."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

from ceinms_torch.calibration.loss import LossResult
from ceinms_torch.calibration.result import CalibrationResult, StepResult
from ceinms_torch.inputs.outputs import (
    GENERATOR_FILE,
    HISTORY_FILE,
    RECORDED_FILE,
    WEIGHTINGS_FILE,
    trial_folder,
)
from ceinms_torch.io.log import log
from ceinms_torch.io.paths import write_atomically
from ceinms_torch.io.plain import plain
from ceinms_torch.io.results import results_in, write_result_file
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.parameters import PARAMETER_KINDS
from ceinms_torch.model.subject import Subject
from ceinms_torch.optimisers.minimum import STATUS_SENTENCES
from ceinms_torch.results.provenance import sources_of, with_provenance
from ceinms_torch.results.trials import write_trial, write_trial_bands, write_trial_synergies
from ceinms_torch.synergies.result import HybridResult

# What result.json and the files beside it are; another number when their readers have to change.
RESULT_FORMAT = 2


def save_result(
    result: CalibrationResult,
    directory: str | os.PathLike[str],
    *,
    subject_file: str = "subject.xml",
    copy: Path | None = None,
) -> None:
    """Write a calibration: subject, result.json, history, storage files of every trial.

    All of it, or nothing: a full disk leaves an earlier calibration as it was, and Ctrl-C waits.

    Parameters
    ----------
    result : CalibrationResult
        The calibration, of any method.
    directory : path-like
        Where; made if needed, files in it are overwritten. `load_result` reads it.
    subject_file : str
        Name of the calibrated subject in it.
    copy : Path, optional
        Another file for the calibrated subject, elsewhere.

    Raises
    ------
    OptionError
        If MTUs differ in percentageChange, which a subject file has only once for all; if another
        process is writing into the folder, or a file to write is one that the result was read from.
    """
    folder = Path(directory)
    result = with_provenance(result)
    with results_in(folder, [one.path for one in sources_of(result) if one.path]):
        _write_subject(result, folder / subject_file)
        if copy is not None:
            _write_subject(result, copy)
        for trial in (*result.trials, *result.tests):
            write_trial(trial, trial_folder(folder, trial.role, trial.name))
        for bands in () if result.uncertainty is None else result.uncertainty.trials:
            write_trial_bands(bands, trial_folder(folder, bands.role, bands.name))
        if isinstance(result, HybridResult):
            _write_synergies(result, folder)
        write_atomically(folder / HISTORY_FILE, _history_csv(result).encode())
        # Last: a result.json says that everything beside it is complete.
        write_result_file(folder, {**_result_dict(result), "subject": subject_file})
    log("info", "result written to %s", folder)


def _write_subject(result: CalibrationResult, path: Path) -> None:
    """Write a calibrated subject, with what it was calibrated from and by."""
    result.subject.write(
        path,
        calibrated_from=result.steps[0].space.subject.path,
        calibration_file=result.plan.path,
    )


def _write_synergies(result: HybridResult, folder: Path) -> None:
    for trials, synergies in (
        (result.trials, result.synergies),
        (result.tests, result.test_synergies),
    ):
        for one in trials:
            write_trial_synergies(synergies[one.name], trial_folder(folder, one.role, one.name))
    result.weightings.write(folder / WEIGHTINGS_FILE)
    ExcitationGenerator.one_to_one(result.subject.mtu_names).write(folder / GENERATOR_FILE)
    result.generator.write(folder / RECORDED_FILE)


def _history_csv(result: CalibrationResult) -> str:
    terms = list(dict.fromkeys(name for item in result.history for name in item.terms))
    dofs = list(dict.fromkeys(name for item in result.history for name in item.rmse))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["step", "iteration", "evaluations", "seconds [s]", f"objective [{result.unit}]"]
        + [f"{name} [{result.unit}]" for name in terms]
        + [f"RMSE {name} [N m]" for name in dofs]
    )
    for item in result.history:
        writer.writerow(
            [item.step + 1, item.iteration, item.evaluations, item.seconds, item.objective]
            + [item.terms.get(name, "") for name in terms]
            + [item.rmse.get(name, "") for name in dofs]
        )
    return text.getvalue()


def _result_dict(result: CalibrationResult) -> dict[str, Any]:
    """Return what ``result.json`` says; keys as python/CALIBRATION.md explains them."""
    plan, start = result.plan, result.steps[0].space.subject
    also: dict[str, Any] = {}
    if isinstance(result, HybridResult):
        also["hybrid"] = _hybrid_dict(result)
    if result.uncertainty is not None:
        also["uncertainty"] = result.uncertainty
    if isinstance(result, LossResult):
        also["validation_losses"] = result.validation_losses
    if result.verification is not None:
        also["verification"] = result.verification
    return {
        "format": RESULT_FORMAT,
        **_named(result, "method", "engine", "device", "seed", "start"),
        "polish": result.polished,
        "options": result.options.to_dict(),
        "tendon": {
            "requested": plan.tendon.kind,
            "tolerance": plan.tendon.tolerance,
            "used": result.tendon,
        },
        "activation": plan.activation,
        "overrides": plan.overrides,
        **_named(result, "status", "objective", "terms", "seconds", "iterations", "evaluations"),
        "status_message": STATUS_SENTENCES[result.status],
        "mtus": result.subject.mtu_names,
        "dofs": result.subject.dof_names,
        "start_parameters": _parameters(start),
        **_named(result, "time_step", "start_activation_delays", "activation_delays"),
        **_named(result, "fit", "test_fit", "identifiability"),
        "steps": [_step_dict(i, step, result) for i, step in enumerate(result.steps)],
        **also,
        **plain(result.provenance),
    }


def _named(of: object, *names: str) -> dict[str, Any]:
    return {name: getattr(of, name) for name in names}


def _step_dict(number: int, step: StepResult, result: CalibrationResult) -> dict[str, Any]:
    parameters = [one for one in result.parameters if one.step == number]
    return {
        "dofs": step.step.dofs,
        "objective_options": step.step.objective.to_dict(),
        "parameter_options": step.step.parameters,
        **_named(step, "objective", "terms", "iterations", "evaluations", "seconds", "status"),
        "starts": step.starts,
        "parameters": [
            {
                **_named(one, "name", "mtus", "start", "value", "lower", "upper"),
                "share_of_range": share,
                "at_bound": one.at_bound or None,
            }
            for one, share in zip(parameters, step.x, strict=True)
        ],
    }


def _parameters(subject: Subject) -> dict[str, Any]:
    return dict(zip(PARAMETER_KINDS, subject.parameters(), strict=True))


def _hybrid_dict(result: HybridResult) -> dict[str, Any]:
    weightings = result.weightings
    origins = zip(weightings.mtu_names, weightings.origin, strict=True)
    return {
        "options": result.synergy_hybrid.to_dict(),
        **_named(result, "n_synergy", "synthesised", "ties", "begun_at"),
        **_named(result, "emg_driven_fit", "emg_driven_test_fit"),
        "emg_driven_parameters": result.emg_driven and _parameters(result.emg_driven),
        "recorded": [name for name, origin in origins if origin == "recorded"],
        "undriven": result.undriven,
        "uncalibrated": result.uncalibrated,
        "vaf": {name: one.vaf for name, one in result.synergies.items()},
        "test_vaf": {name: one.vaf for name, one in result.test_synergies.items()},
    }
