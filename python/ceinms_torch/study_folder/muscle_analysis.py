"""MTU lengths and moment arms as MuscleAnalysis of OpenSim, MOtoNMS and others leave them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ceinms_torch.errors import FileFormatError, Place
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.storage import Storage, read_storage

_SUFFIXES = (".sto", ".mot", ".csv")
# NAME_MuscleAnalysis_Length.sto, NAME_MA_Length.sto, lmt.sto; never those of fibres and tendons.
_LENGTH = re.compile(r"(^|[_-])(length|lmt|lengths)$")
_ARM = re.compile(
    r"(^|[_-])(momentarms?|moment_arms?|ma)_(?!momentarms?_|moment_arms?_|length$)(?P<dof>.+)$"
)


@dataclass(frozen=True, kw_only=True, eq=False)
class MuscleGeometry(OneLine):
    """Lengths and moment arms of MTUs along a recording.

    Parameters
    ----------
    lengths : Storage
        [m].
    arms : mapping of str to Storage
        Moment arms [m] by DOF.
    """

    lengths: Storage
    arms: Mapping[str, Storage]


def find_muscle_analysis(folder: Path, dof_names: Sequence[str]) -> tuple[Path, dict[str, Path]]:
    """Find the files of a muscle analysis.

    Parameters
    ----------
    folder : Path
        Where to look; not in folders inside it.
    dof_names : sequence of str
        DOFs whose moment arms are wanted.

    Returns
    -------
    Path
        The file with the lengths.
    dict of str to Path
        The files with the moment arms, by DOF.

    Raises
    ------
    FileFormatError
        If one is missing, or several files could be meant.
    """
    files = sorted(file for file in folder.iterdir() if file.suffix.casefold() in _SUFFIXES)
    lengths = [file for file in files if _LENGTH.search(file.stem.casefold())]
    arms: dict[str, list[Path]] = {}
    for file in files:
        found = _ARM.search(file.stem.casefold())
        if found:
            arms.setdefault(found["dof"], []).append(file)

    def only(found: Sequence[Path], what: str, hint: str | None) -> Path:
        if len(found) != 1:
            raise FileFormatError(
                where=Place(folder, element=what),
                expected=f"one file of {what}, as MuscleAnalysis names them",
                got=", ".join(file.name for file in found) or "none",
                hint=hint,
                code="muscle-analysis-file",
            )
        return found[0]

    length = only(lengths, "MTU lengths", "It is called NAME_MuscleAnalysis_Length.sto")
    return length, {
        dof: only(
            arms.get(dof.casefold(), ()),
            f"moment arms about {dof}",
            f"There are arms about {', '.join(arms) or 'no DOF'}; give MuscleAnalysis {dof} in "
            "<moment_arm_coordinate_list>",
        )
        for dof in dof_names
    }


def read_muscle_analysis(
    folder: Path, dof_names: Sequence[str], read: Callable[[Path], Storage] = read_storage
) -> MuscleGeometry:
    """Read lengths and moment arms of a recording; see `find_muscle_analysis`.

    Parameters
    ----------
    folder : Path
        Where they are.
    dof_names : sequence of str
        DOFs whose moment arms are wanted.
    read : callable
        What reads a storage file.

    Returns
    -------
    MuscleGeometry

    Raises
    ------
    FileFormatError
        If a file is missing or faulty, or arms have other times than lengths.
    """
    length, arms = find_muscle_analysis(folder, dof_names)
    lengths = read(length)
    found = {dof: read(file) for dof, file in arms.items()}
    for dof, storage in found.items():
        if len(storage.time) != len(lengths.time) or abs(storage.time - lengths.time).max() > 1e-5:
            raise FileFormatError(
                where=Place(storage.path, element="time"),
                expected=f"the times of '{lengths.path}', {len(lengths.time)} from "
                f"{lengths.time[0]:g} to {lengths.time[-1]:g} s",
                got=f"{len(storage.time)} from {storage.time[0]:g} to {storage.time[-1]:g} s",
                hint=f"Moment arms about {dof} belong to another run of MuscleAnalysis",
            )
    return MuscleGeometry(lengths=lengths, arms=found)
