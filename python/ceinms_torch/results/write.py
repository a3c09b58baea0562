"""Write what came out: storage files, history, result.json, calibrated subject."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from ceinms_torch.calibration.loss import LossResult
from ceinms_torch.calibration.result import STATUS_SENTENCES, CalibrationResult, StepResult
from ceinms_torch.io.paths import write_atomically
from ceinms_torch.model.calibration import ParameterSpec
from ceinms_torch.model.parameters import PARAMETER_KINDS
from ceinms_torch.results.provenance import with_provenance
from ceinms_torch.results.synergies import hybrid_dict, write_synergies
from ceinms_torch.results.trials import finite, fit_dict, trial_folder, write_trial
from ceinms_torch.synergies.result import HybridResult

# What result.json and the files beside it are; another number when their readers have to change.
RESULT_FORMAT = 2
RESULT_FILE = "result.json"
HISTORY_FILE = "loss_history.csv"
# Of a parameter to calibrate, what files say about it.
SPEC_FIELDS = tuple(one.name for one in fields(ParameterSpec) if one.compare)

_log = logging.getLogger(__name__)


def _step_dict(number: int, step: StepResult, result: CalibrationResult) -> dict[str, Any]:
    return {
        "dofs": list(step.step.dofs),
        "objective_options": step.step.objective.to_dict(),
        "parameter_options": [
            {name: getattr(spec, name) for name in SPEC_FIELDS} for spec in step.step.parameters
        ],
        **{name: getattr(step, name) for name in ("objective", "terms", "iterations")},
        **{name: getattr(step, name) for name in ("evaluations", "seconds", "status")},
        "starts": [{**asdict(one), "objective": finite(one.objective)} for one in step.starts],
        "parameters": [
            {
                "name": one.name,
                "mtus": list(one.mtus),
                **{name: getattr(one, name) for name in ("start", "value", "lower", "upper")},
                "share_of_range": share,
                "at_bound": one.at_bound or None,
            }
            for one, share in zip(
                (one for one in result.parameters if one.step == number),
                step.x.tolist(),
                strict=True,
            )
        ],
    }


def result_dict(result: CalibrationResult, subject_file: str) -> dict[str, Any]:
    """Return everything that ``result.json`` says.

    Parameters
    ----------
    result : CalibrationResult
        The calibration.
    subject_file : str
        Name of the calibrated subject beside it.

    Returns
    -------
    dict
        Ready for JSON.
    """
    plan, start = result.plan, result.steps[0].space.subject
    also: dict[str, Any] = {}
    if isinstance(result, HybridResult):
        also["hybrid"] = hybrid_dict(result)
    if isinstance(result, LossResult):
        also["validation_losses"] = list(map(finite, result.validation_losses))
    return {
        "format": RESULT_FORMAT,
        "command": result.provenance.command,
        "method": result.method,
        "engine": result.engine,
        "device": result.device,
        "tendon": {
            "requested": plan.tendon.kind,
            "tolerance": plan.tendon.tolerance,
            "used": result.tendon,
        },
        "activation": plan.activation,
        "objective": result.objective,
        "terms": result.terms,
        "seconds": result.seconds,
        "iterations": result.iterations,
        "evaluations": result.evaluations,
        "status": result.status,
        "status_message": STATUS_SENTENCES[result.status],
        "seed": result.seed,
        "options": result.options.to_dict(),
        "polish": result.polished,
        "start": result.start,
        "subject": subject_file,
        "mtus": list(result.subject.mtu_names),
        "dofs": list(result.subject.dof_names),
        "start_parameters": dict(zip(PARAMETER_KINDS, start.parameters().tolist(), strict=True)),
        "fit": fit_dict(result.fit),
        "test_fit": fit_dict(result.test_fit),
        "identifiability": result.identifiability and result.identifiability.to_dict(),
        "steps": [_step_dict(i, step, result) for i, step in enumerate(result.steps)],
        **also,
        "findings": list(result.provenance.findings),
        "warnings": list(result.provenance.warnings),
        "versions": dict(result.provenance.versions),
        "inputs": dict(result.provenance.inputs),
    }


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


def write_subject(result: CalibrationResult, path: Path) -> None:
    """Write a calibrated subject, with what it was calibrated from and by.

    Parameters
    ----------
    result : CalibrationResult
        The calibration.
    path : Path
        The file.
    """
    result.subject.write(
        path,
        calibrated_from=result.steps[0].space.subject.path,
        calibration_file=result.plan.path,
    )


def save_result(
    result: CalibrationResult,
    directory: str | os.PathLike[str],
    *,
    subject_file: str = "subject.xml",
) -> None:
    """Write a calibration: subject, result.json, history, storage files of every trial.

    Parameters
    ----------
    result : CalibrationResult
        The calibration, of any method.
    directory : path-like
        Where; made if needed, files in it are overwritten. `load_result` reads it.
    subject_file : str
        Name of the calibrated subject in it.

    Raises
    ------
    OptionError
        If MTUs differ in percentageChange, which a subject file has only once for all.
    """
    folder = Path(directory)
    if not result.provenance.versions:
        result = with_provenance(result)
    write_subject(result, folder / subject_file)
    for trial in (*result.trials, *result.tests):
        write_trial(trial, trial_folder(folder, trial.role, trial.name))
    if isinstance(result, HybridResult):
        write_synergies(result, folder)
    write_atomically(folder / HISTORY_FILE, _history_csv(result).encode())
    # Last: a result.json says that everything beside it is complete.
    text = json.dumps(result_dict(result, subject_file), indent=2, allow_nan=False)
    write_atomically(folder / RESULT_FILE, f"{text}\n".encode())
    _log.info("%s written to %s", type(result).__name__, folder)
