"""The folder of one trial's results: a storage file per quantity, written and read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ceinms_torch.io.storage import read_storage
from ceinms_torch.simulation.fit import Fit, MomentFit
from ceinms_torch.simulation.simulate import Simulation
from ceinms_torch.simulation.time_series import TimeSeries
from ceinms_torch.simulation.trial_result import Role, TrialResult
from ceinms_torch.synergies.result import TrialSynergies
from ceinms_torch.synergies.weightings import Weightings

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
# What synergies drove a trial, after a synergy-hybrid calibration.
SYNERGY_FILES = {
    "excitations": "Excitations.sto",
    "primitives": "Primitives.sto",
    "reconstruction": "ReconstructedExcitations.sto",
}
WEIGHTINGS_FILE = "Weightings.csv"
_FOLDERS: dict[Role, str] = {"calibration": "trials", "test": "test"}


def trial_folder(directory: Path, role: Role, name: str) -> Path:
    """Return the folder of a trial within the folder of a calibration's results."""
    return directory / _FOLDERS[role] / name


def read_series(path: Path, columns: tuple[str, ...]) -> TimeSeries:
    """Read what `TimeSeries.to_sto` wrote, some columns of it.

    Parameters
    ----------
    path : Path
        The storage file.
    columns : tuple of str
        Which, in which order.

    Returns
    -------
    TimeSeries
    """
    storage = read_storage(path)
    return TimeSeries(
        name=storage.name,
        units=storage.units,
        time=storage.time,
        columns=columns,
        array=storage.select(columns),
    )


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


def write_trial(trial: TrialResult, directory: Path) -> None:
    """Write what a trial was driven by and compared with, and what the subject did in it.

    Parameters
    ----------
    trial : TrialResult
        The trial. Excitations keep the times at which they were recorded, before any delay.
    directory : Path
        Where; made if needed, files in it are overwritten.
    """
    write_simulation(trial.simulation, directory)
    for name, file in RECORDING_FILES.items():
        getattr(trial, name).to_sto(directory / file)


def read_trial(
    directory: Path,
    role: Role,
    name: str,
    fit: Mapping[str, Mapping[str, Any]],
    *,
    mtu_names: tuple[str, ...],
    synthesised: tuple[str, ...],
) -> TrialResult:
    """Read what `write_trial` wrote.

    Parameters
    ----------
    directory : Path
        The folder of the calibration's results.
    role : {"calibration", "test"}
        What the trial is there for.
    name : str
        Name of the trial.
    fit : mapping of str to mapping
        Moment errors by DOF, as ``result.json`` has them.
    mtu_names : tuple of str
        MTUs of the subject.
    synthesised : tuple of str
        MTUs whose excitation was not recorded.

    Returns
    -------
    TrialResult
    """
    folder = trial_folder(directory, role, name)
    of_dofs = {"joint_moment", "measured_moment"}
    series = {
        key: read_series(folder / file, tuple(fit) if key in of_dofs else mtu_names)
        for key, file in (STORAGE_FILES | RECORDING_FILES).items()
    }
    return TrialResult(
        name=name,
        role=role,
        fit={
            dof: MomentFit(**{key: number(value) for key, value in one.items()})
            for dof, one in fit.items()
        },
        synthesised=synthesised,
        measured_moment=series["measured_moment"],
        excitation=series["excitation"],
        simulation=Simulation(**{key: series[key] for key in STORAGE_FILES}),
    )


def finite(value: float) -> float | None:
    """Return a number as JSON takes it: nothing in place of NaN and infinity."""
    return value if math.isfinite(value) else None


def fit_dict(fit: Fit) -> dict[str, dict[str, dict[str, float | None]]]:
    """Return moment errors for JSON, which has no NaN.

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
            dof: {name: finite(value) for name, value in asdict(one).items()}
            for dof, one in dofs.items()
        }
        for trial, dofs in fit.items()
    }


def number(value: float | None) -> float:
    """Return a number that JSON may have left out: NaN in its place."""
    return float("nan") if value is None else float(value)


def write_trial_synergies(synergies: TrialSynergies, directory: Path) -> None:
    """Write the excitations, primitives and weightings of one trial.

    Parameters
    ----------
    synergies : TrialSynergies
        What to write.
    directory : Path
        Where; made if needed, files in it are overwritten.
    """
    for name, file in SYNERGY_FILES.items():
        getattr(synergies, name).to_sto(directory / file)
    synergies.weightings.write(directory / WEIGHTINGS_FILE)


def read_trial_synergies(directory: Path, mtu_names: tuple[str, ...]) -> TrialSynergies:
    """Read what `write_trial_synergies` wrote.

    Parameters
    ----------
    directory : Path
        The trial's folder.
    mtu_names : tuple of str
        MTUs of the subject.

    Returns
    -------
    TrialSynergies
    """
    weightings = Weightings.read(directory / WEIGHTINGS_FILE, mtu_names)
    columns = {"primitives": weightings.synergy_names}
    series = {
        name: read_series(directory / file, columns.get(name, mtu_names))
        for name, file in SYNERGY_FILES.items()
    }
    return TrialSynergies(weightings=weightings, **series)
