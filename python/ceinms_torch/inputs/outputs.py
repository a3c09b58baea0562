"""Which files the commands write, known before they run: none may be one that is read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ceinms_torch.io.results import RESULT_FILE
from ceinms_torch.simulation.legacy.run import LEGACY_FILES
from ceinms_torch.simulation.trial_result import Role

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
# Lower and upper ends of bands.
BAND_FILES = {
    "mtu_force": ("MuscleForcesLower.sto", "MuscleForcesUpper.sto"),
    "joint_moment": ("TorquesLower.sto", "TorquesUpper.sto"),
}
WEIGHTINGS_FILE = "Weightings.csv"
HISTORY_FILE = "loss_history.csv"
# For the excitations that are written, which are those of every MTU; and for those recorded.
GENERATOR_FILE = "excitationGenerator.xml"
RECORDED_FILE = "recordedExcitations.xml"
# What a search for excitations writes beside a simulation.
ADJUSTED_FILE, CHOICE_FILE = "AdjustedEmgs.sto", "weights.csv"
# What CEINMS 0.21 writes of a run and 0.9 does not.
LATER_FILES = (
    "TendonLengths.sto",
    "NormTendonLengths.sto",
    "MusclesContribution.sto",
    "ObjectiveFunctionComponentsAndWeightings.sto",
)
# Spelt by CEINMS as on the left; written under both names.
RESPELT = {"FiberLenghts": "FiberLengths"}
_FOLDERS: dict[Role, str] = {"calibration": "trials", "test": "test"}
_LONGEST = 200  # bytes of a folder's name; file systems take 255


def results_beside(file: Path, part: str = "") -> Path:
    """Return the folder for results about a file unless another is asked for."""
    return file.parent / f"{file.stem}_results" / part


def trial_folder(directory: Path, role: Role, name: str) -> Path:
    """Return the folder of a trial within the folder of a calibration's results.

    Parameters
    ----------
    directory : Path
        The folder of the results.
    role : {"calibration", "test"}
        What the trial is for.
    name : str
        Its name. One that would lead elsewhere, or is too long, is changed and marked by a digest.

    Returns
    -------
    Path
        Two levels below `directory`, whatever the name is.
    """
    return directory / _FOLDERS[role] / safe_name(name)


def safe_name(name: str) -> str:
    """Return a name that a file or a folder can have: what is changed is marked by a digest."""
    safe = re.sub(r"[/\\\x00-\x1f\x7f]", "_", name).encode("utf-8", "replace")[:_LONGEST]
    found = safe.decode("utf-8", "ignore")
    if not found.strip(". "):
        found = "_" * max(len(found), 1)
    if found != name:
        found += f"_{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:8]}"
    return found


def calibration_outputs(
    directory: Path,
    subject_files: Iterable[Path],
    trials: Iterable[tuple[Role, str]],
    *,
    hybrid: bool,
    bands: bool = False,
) -> Iterator[Path]:
    """Iterate over the files that a calibration writes.

    Parameters
    ----------
    directory : Path
        Folder of the results.
    subject_files : iterable of Path
        Where the calibrated subject goes.
    trials : iterable of (str, str)
        Role and name of every trial.
    hybrid : bool
        Whether synergies are calibrated, too.
    bands : bool
        Whether there are bands of forces and moments.
    """
    yield from subject_files
    of_trial = [*STORAGE_FILES.values(), *RECORDING_FILES.values()]
    of_all = [RESULT_FILE, HISTORY_FILE]
    if hybrid:
        of_trial += [*SYNERGY_FILES.values(), WEIGHTINGS_FILE]
        of_all += [WEIGHTINGS_FILE, GENERATOR_FILE, RECORDED_FILE]
    if bands:
        of_trial += [name for ends in BAND_FILES.values() for name in ends]
    yield from (directory / name for name in of_all)
    for role, trial in trials:
        folder = trial_folder(directory, role, trial)
        yield from (folder / name for name in of_trial)


def run_outputs(
    directory: Path, *, legacy: bool, hybrid: bool, synthesised: bool = False
) -> Iterator[Path]:
    """Iterate over the files that a run writes.

    Parameters
    ----------
    directory : Path
        Folder of the results.
    legacy : bool
        Whether it is one of CEINMS's own model.
    hybrid : bool
        Whether excitations are searched for.
    synthesised : bool
        Whether synergies drive what was not recorded.
    """
    names = [*STORAGE_FILES.values()]
    if legacy:
        names = [f"{name}.sto" for name in (*LEGACY_FILES, *RESPELT.values())]
    names += LATER_FILES
    if hybrid:
        names += [ADJUSTED_FILE] if legacy else [ADJUSTED_FILE, RESULT_FILE, CHOICE_FILE]
    if synthesised:
        names += [*SYNERGY_FILES.values(), WEIGHTINGS_FILE]
    return (directory / name for name in names)
