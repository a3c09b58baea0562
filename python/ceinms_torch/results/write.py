"""Write what came out: storage files, loss history, result.json, calibrated subject."""

from __future__ import annotations

import csv
import importlib.metadata
import io
import json
import math
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ceinms_torch.calibration.result import (
    STATUS_SENTENCES,
    CalibrationResult,
    StepResult,
)
from ceinms_torch.inputs.checks.findings import CheckReport
from ceinms_torch.inputs.folder import CalibrationFolder
from ceinms_torch.io.paths import relative_text, write_atomically
from ceinms_torch.io.source import Source
from ceinms_torch.model.subject import CURVE_NAMES, Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.curves import curve_tables, curve_values
from ceinms_torch.simulation.fit import Fit
from ceinms_torch.simulation.simulate import Simulation
from ceinms_torch.simulation.time_series import TimeSeries, excitation_series

# What result.json and the files beside it are; another number when their readers have to change.
RESULT_FORMAT = 1
# Unit of the objective and its terms, by normalisation.
OBJECTIVE_UNITS = {"variance": "-", "meanSquare": "N^2 m^2", "rmse": "N m"}
# One storage file per quantity, named as the field names them.
STORAGE_FILES = {
    "activation": "Activations.sto",
    "fibre_length": "FibreLengths.sto",
    "norm_fibre_length": "NormFibreLengths.sto",
    "fibre_velocity": "FibreVelocities.sto",
    "norm_fibre_velocity": "NormFibreVelocities.sto",
    "pennation_angle": "PennationAngles.sto",
    "tendon_strain": "TendonStrains.sto",
    "mtu_force": "MuscleForces.sto",
    "joint_moment": "Torques.sto",
}
# What a trial was recorded with, so that a calibration can be judged without its original folder.
RECORDING_FILES = {
    "measured_moment": "MeasuredTorques.sto",
    "excitation": "Excitations.sto",
}
# Normalised fibre lengths [-] at which the force-length curves are written down.
_CURVE_LENGTHS = np.linspace(0.3, 1.9, 81)


def write_simulation(simulation: Simulation, directory: Path) -> None:
    """Write every quantity of a simulation as a storage file (`STORAGE_FILES`).

    Parameters
    ----------
    simulation : Simulation
        What to write.
    directory : Path
        Where; made if needed, files in it are overwritten.
    """
    for name, series in simulation.series():
        series.to_sto(directory / STORAGE_FILES[name])


def write_recording(trial: Trial, directory: Path) -> None:
    """Write what a trial was driven by and compared with (`RECORDING_FILES`).

    Parameters
    ----------
    trial : Trial
        The trial. Measured moments are left out where it has none; excitations keep the times at
        which they were recorded, before any delay.
    directory : Path
        Where; made if needed, files in it are overwritten.
    """
    series = {"excitation": excitation_series(trial)}
    if trial.measured_moment is not None:
        series["measured_moment"] = TimeSeries(
            name="measured joint moment",
            units="N m",
            time=trial.time,
            columns=trial.dof_names,
            values=trial.measured_moment,
        )
    for name, one in series.items():
        one.to_sto(directory / RECORDING_FILES[name])


def _curve_dict(subject: Subject) -> dict[str, Any]:
    """Return the force-length curves as points, and whose they are."""
    tables = dict(zip(CURVE_NAMES, curve_tables(subject), strict=True))
    return {
        "source": "subject" if subject.curves else "De Groote et al. (2016)",
        "normFibreLength": _CURVE_LENGTHS.tolist(),
        **{
            name: curve_values(tables[name], _CURVE_LENGTHS).tolist()
            for name in ("activeForceLength", "passiveForceLength")
        },
    }


def _finite(value: float) -> float | None:
    """Return the value, or None for NaN and infinity, which JSON lacks."""
    return value if math.isfinite(value) else None


def fit_dict(fit: Fit) -> dict[str, Any]:
    """Return a fit for JSON: trial -> DOF -> rmse [N m], r2, r2_correlation; None for NaN.

    Parameters
    ----------
    fit : dict of str to dict of str to MomentFit
        By trial and DOF.

    Returns
    -------
    dict
    """
    return {
        trial: {
            dof: {name: _finite(value) for name, value in asdict(one).items()}
            for dof, one in dofs.items()
        }
        for trial, dofs in fit.items()
    }


def file_hashes(sources: Iterable[Source], setup: Path | None) -> dict[str, str]:
    """Return the SHA-256 of every file as it was read, by a name that does not depend on the cwd.

    Parameters
    ----------
    sources : iterable of Source
        The files.
    setup : Path or None
        The setup file. Files below its folder are named relative to it, all others absolutely.

    Returns
    -------
    dict of str to str
        Names have forward slashes.
    """
    return {_stable_name(file.path, setup): file.sha256 for file in sources if file.path}


def _stable_name(file: Path, setup: Path | None) -> str:
    relative = None if setup is None else Path(relative_text(file, setup))
    if relative is None or relative.is_absolute() or ".." in relative.parts:
        return file.resolve().as_posix()
    return relative.as_posix()


def versions() -> dict[str, str]:
    """Return the versions of what computed the result."""
    packages = ("ceinms-torch", "torch", "numpy", "scipy", "lxml")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{name: importlib.metadata.version(name) for name in packages},
    }


def _step_dict(result: StepResult) -> dict[str, Any]:
    space = result.space
    values = space.values(result.x).tolist()
    rows = zip(space.components, values, space.at_bound(result.x), strict=True)
    return {
        "dofs": list(result.step.dofs),
        "objective_options": result.step.objective.to_dict(),
        "objective": result.objective,
        "terms": result.terms,
        "iterations": result.iterations,
        "evaluations": result.evaluations,
        "seconds": result.seconds,
        "status": result.status,
        "starts": [
            {**asdict(start), "objective": _finite(start.objective)} for start in result.starts
        ],
        "parameters": [
            {
                "name": component.kind,
                "mtus": list(component.mtu_names),
                "start": component.start,
                "value": value,
                "lower": component.lower,
                "upper": component.upper,
                "at_bound": at_bound or None,
            }
            for component, value, at_bound in rows
        ],
    }


def result_dict(
    result: CalibrationResult,
    folder: CalibrationFolder,
    *,
    test_fit: Fit,
    findings: CheckReport | None = None,
    warnings: Sequence[str] = (),
    tests: Iterable[Trial] = (),
    command: str = "",
) -> dict[str, Any]:
    """Return everything that ``result.json`` says.

    Parameters
    ----------
    result : CalibrationResult
        The calibration.
    folder : CalibrationFolder
        What it worked on.
    test_fit : dict of str to dict of str to MomentFit
        Unseen trials, simulated with the calibrated subject.
    findings : CheckReport, optional
        What a check of the folder found before.
    warnings : sequence of str
        What was doubtful in the input.
    tests : iterable of Trial
        The unseen trials.
    command : str
        The command line that did it.

    Returns
    -------
    dict
        Ready for JSON.
    """
    return {
        "format": RESULT_FORMAT,
        "command": command,
        "method": result.method,
        "engine": result.engine,
        "device": result.device,
        "tendon": {"requested": folder.plan.tendon.kind, "used": result.tendon},
        "objective": result.objective,
        "terms": result.terms,
        "seconds": result.seconds,
        "iterations": result.iterations,
        "evaluations": result.evaluations,
        "status": result.status,
        "status_message": STATUS_SENTENCES[result.status],
        "seed": result.seed,
        "options": {
            **result.options.to_dict(),
            "polish": result.polished,
            "start": result.start,
            "starts": len(result.steps[-1].starts),
        },
        "mtus": list(result.subject.mtu_names),
        "dofs": list(result.subject.dof_names),
        "curves": _curve_dict(result.subject),
        "fit": fit_dict(result.fit),
        "test_fit": fit_dict(test_fit),
        "identifiability": result.identifiability and result.identifiability.to_dict(),
        "steps": [_step_dict(step) for step in result.steps],
        "findings": findings and findings.to_dict()["findings"],
        "warnings": list(warnings),
        "versions": versions(),
        "inputs": file_hashes(folder.sources(tests), folder.setup.path),
    }


def _history_csv(result: CalibrationResult) -> str:
    terms = list(dict.fromkeys(name for item in result.history for name in item.terms))
    dofs = list(dict.fromkeys(name for item in result.history for name in item.rmse))
    units = {OBJECTIVE_UNITS[step.step.objective.normalisation] for step in result.steps}
    unit = " or ".join(sorted(units))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["step", "iteration", "evaluations", "seconds [s]", f"objective [{unit}]"]
        + [f"{name} [{unit}]" for name in terms]
        + [f"RMSE {name} [N m]" for name in dofs]
    )
    for item in result.history:
        writer.writerow(
            [item.step + 1, item.iteration, item.evaluations, item.seconds, item.objective]
            + [item.terms.get(name, "") for name in terms]
            + [item.rmse.get(name, "") for name in dofs]
        )
    return text.getvalue()


def write_calibration(
    result: CalibrationResult,
    folder: CalibrationFolder,
    summary: Mapping[str, Any],
    *,
    directory: Path,
    subject_file: Path,
    trials: Mapping[str, Trial],
    tests: Mapping[str, tuple[Trial, Simulation]],
) -> None:
    """Write a calibration: subject, result.json, loss history, storage files of every trial.

    Parameters
    ----------
    result : CalibrationResult
        The calibration.
    folder : CalibrationFolder
        What it worked on.
    summary : mapping
        What ``result.json`` says, see `result_dict`.
    directory : Path
        Folder for the results.
    subject_file : Path
        Where the calibrated subject goes.
    trials : mapping of str to Trial
        The trials that were calibrated on, with the excitations that drove them.
    tests : mapping of str to (Trial, Simulation)
        Unseen trials, simulated with the calibrated subject.
    """
    result.subject.write(
        subject_file,
        calibrated_from=folder.subject.path,
        calibration_file=folder.plan.path,
    )
    own = {name: (trial, result.simulations[name]) for name, trial in trials.items()}
    for group, simulated in (("trials", own), ("test", tests)):
        for name, (trial, simulation) in simulated.items():
            write_simulation(simulation, directory / group / name)
            write_recording(trial, directory / group / name)
    write_atomically(directory / "loss_history.csv", _history_csv(result).encode())
    # Last: a result.json says that everything beside it is complete.
    text = json.dumps(summary, indent=2, allow_nan=False)
    write_atomically(directory / "result.json", f"{text}\n".encode())
