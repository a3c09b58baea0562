"""The folder of one trial's results: a storage file per quantity, written and read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ceinms_torch.inputs.outputs import (
    BAND_FILES,
    RECORDING_FILES,
    STORAGE_FILES,
    SYNERGY_FILES,
    WEIGHTINGS_FILE,
)
from ceinms_torch.io.plain import revived
from ceinms_torch.io.storage import read_storage
from ceinms_torch.simulation.fit import MomentFit
from ceinms_torch.simulation.simulate import Simulation
from ceinms_torch.simulation.time_series import TimeSeries
from ceinms_torch.simulation.trial_result import TrialResult

if TYPE_CHECKING:  # loaded where there are synergies or bands
    from ceinms_torch.calibration.uncertainty import Band, TrialBands
    from ceinms_torch.synergies.trial_synergies import TrialSynergies


def write_simulation(simulation: Simulation, directory: Path) -> None:
    """Write every quantity of a simulation as a storage file (`STORAGE_FILES`).

    Parameters
    ----------
    simulation : Simulation
        What to write.
    directory : Path
        Where; made if needed, files in it are overwritten.
    """
    _write(simulation, STORAGE_FILES, directory)


def write_series(series: Mapping[str, TimeSeries], directory: Path) -> None:
    """Write storage files by their names without ``.sto``."""
    for name, one in series.items():
        one.to_sto(directory / f"{name}.sto")


def write_trial(trial: TrialResult, directory: Path) -> None:
    """Write what drove a trial, was measured and was predicted into its folder."""
    write_simulation(trial.simulation, directory)
    _write(trial, RECORDING_FILES, directory)


def write_trial_bands(bands: TrialBands, directory: Path) -> None:
    """Write both ends of the bands of one trial into its folder."""
    for name, (lower, upper) in BAND_FILES.items():
        band: Band = getattr(bands, name)
        band.lower.to_sto(directory / lower)
        band.upper.to_sto(directory / upper)


def write_trial_synergies(synergies: TrialSynergies, directory: Path) -> None:
    """Write the excitations, primitives and weightings of one trial.

    Parameters
    ----------
    synergies : TrialSynergies
        What to write.
    directory : Path
        Where; made if needed, files in it are overwritten.
    """
    _write(synergies, SYNERGY_FILES, directory)
    synergies.weightings.write(directory / WEIGHTINGS_FILE)


def _write(of: object, files: Mapping[str, str], directory: Path) -> None:
    for name, file in files.items():
        getattr(of, name).to_sto(directory / file)


def read_trial(directory: Path, mtu_names: tuple[str, ...], **known: Any) -> TrialResult:
    """Read what `write_trial` wrote.

    Parameters
    ----------
    directory : Path
        The trial's folder.
    mtu_names : tuple of str
        MTUs of the subject.
    **known
        Other fields of `TrialResult`; `fit` as ``result.json`` has it.

    Returns
    -------
    TrialResult
    """
    fit: dict[str, MomentFit] = revived(dict[str, MomentFit], known.pop("fit"))
    dofs = tuple(fit)
    series = _read(STORAGE_FILES, directory, mtu_names, joint_moment=dofs)
    recorded: dict[str, Any] = _read(RECORDING_FILES, directory, mtu_names, measured_moment=dofs)
    return TrialResult(fit=fit, simulation=Simulation(**series), **recorded, **known)


def read_trial_bands(
    directory: Path,
    mtu_names: tuple[str, ...],
    dofs: tuple[str, ...],
    *,
    level: float,
    **known: Any,
) -> TrialBands:
    """Read what `write_trial_bands` wrote; other fields of `TrialBands` are known."""
    from ceinms_torch.calibration.uncertainty import Band, TrialBands  # noqa: PLC0415

    sides = [
        _read(
            {name: ends[i] for name, ends in BAND_FILES.items()},
            directory,
            mtu_names,
            joint_moment=dofs,
        )
        for i in range(2)
    ]
    lower, upper = sides
    bands: dict[str, Any] = {
        name: Band(lower=lower[name], upper=upper[name], level=level) for name in BAND_FILES
    }
    return TrialBands(**bands, **known)


def read_trial_synergies(directory: Path, mtu_names: tuple[str, ...]) -> TrialSynergies:
    """Read what `write_trial_synergies` wrote, for the MTUs of a subject."""
    from ceinms_torch.synergies.trial_synergies import TrialSynergies  # noqa: PLC0415
    from ceinms_torch.synergies.weightings import Weightings  # noqa: PLC0415

    weightings = Weightings.read(directory / WEIGHTINGS_FILE, mtu_names)
    names = weightings.synergy_names
    series = _read(SYNERGY_FILES, directory, mtu_names, primitives=names)
    return TrialSynergies(weightings=weightings, **series)


def _read(
    files: Mapping[str, str],
    directory: Path,
    mtu_names: tuple[str, ...],
    **others: tuple[str, ...],
) -> dict[str, TimeSeries]:
    """Read storage files; columns are MTUs, but for some quantities."""
    result = {}
    for key, file in files.items():
        columns = others.get(key, mtu_names)
        storage = read_storage(directory / file)
        values = storage.select(columns)
        result[key] = TimeSeries(storage.name, storage.units, storage.time, columns, values)
    return result
