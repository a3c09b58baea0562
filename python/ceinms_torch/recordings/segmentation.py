"""A recording in cycles: what is read for that, what is found, and what is left out and why."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ceinms_torch.arrays import FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.errors import FileFormatError, Place
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.source import Source
from ceinms_torch.io.storage import read_storage
from ceinms_torch.recordings.c3d import C3d, read_c3d
from ceinms_torch.recordings.contacts import ContactOptions, Contacts, find_contacts
from ceinms_torch.recordings.cycles import (
    Cycle,
    PeakOptions,
    Phase,
    cycles_of_contacts,
    cycles_of_events,
    cycles_of_peaks,
)
from ceinms_torch.recordings.feet import check_feet, of_feet, with_feet
from ceinms_torch.recordings.ground_force_files import read_ground_forces
from ceinms_torch.recordings.ground_forces import FEET, Foot, GroundForces
from ceinms_torch.recordings.trc import Markers, read_trc


@dataclass(frozen=True, kw_only=True, eq=False)
class Segmentation(OneLine):
    """Cycles of a recording.

    Parameters
    ----------
    cycles : tuple of Cycle
        All that were found, in their order; those left out with the reason.
    phase : {"cycle", "stance", "up", "down"}
        What of them.
    middle : {"foot off", "peak"}
        What their `middle` is.
    contacts : Contacts, optional
        Contacts with force plates, where they were found by those.
    remarks : tuple of str
        What was decided on the way: sentences without a full stop.
    settings : mapping
        Everything that was chosen.
    sources : tuple of Source
        Files that were read.
    time : ndarray (n_frame,), optional
        Of `signals` [s].
    signals : mapping of str to ndarray (n_frame,)
        What cycles were found by, by name and unit; empty where events were marked.
    """

    cycles: tuple[Cycle, ...]
    phase: Phase
    middle: str
    contacts: Contacts | None = None
    remarks: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    time: FloatArray | None = None
    signals: Mapping[str, FloatArray] = field(default_factory=dict)

    @property
    def used(self) -> tuple[Cycle, ...]:
        """Cycles that are not left out."""
        return tuple(one for one in self.cycles if not one.why)

    def check_used(self) -> None:
        """Refuse a recording of which no cycle can be used.

        Raises
        ------
        FileFormatError
            With what there is instead.
        """
        if self.used:
            return
        got = "none"
        if self.cycles:
            got = f"{len(self.cycles)} that are left out ({self.cycles[0].why})"
        elif self.contacts is not None:
            counts = [f"{len(self.contacts.complete(foot))} {foot}" for foot in FEET]
            got = f"complete contacts: {', '.join(counts)}"
        is_gait = self.middle == "foot off"
        hint = "A cycle needs two foot strikes of one foot, and the foot off between them"
        raise FileFormatError(
            where=Place(self.sources[0].path, element=self.phase),
            expected=f"a {self.phase} that can be used",
            got=got,
            hint=f"{hint}; with fewer, --phase stance" if is_gait else None,
            code="no-cycle",
        )


@one_blas_thread
def segment_forces(
    path: str | os.PathLike[str],
    phase: Phase = "cycle",
    *,
    feet: Sequence[Foot] = FEET,
    plates: Mapping[str, Foot] | None = None,
    markers: str | os.PathLike[str] | None = None,
    options: ContactOptions | None = None,
) -> Segmentation:
    """Find gait cycles by the ground forces.

    Parameters
    ----------
    path : path-like
        Ground forces (``.mot``, ``.sto``, ``.csv``, the ``.xml`` of ExternalLoads), or a C3D file.
    phase : {"cycle", "stance"}
        What is wanted.
    feet : sequence of {"right", "left"}
        Whose cycles.
    plates : mapping of str to {"right", "left"}, optional
        The foot of each plate, where the file does not say it.
    markers : path-like, optional
        A TRC file: the forces are checked against the feet. Without `plates`, they say whose a
        plate is; those of a C3D file do so anyway.
    options : ContactOptions, optional
        What counts as a contact.

    Returns
    -------
    Segmentation

    Raises
    ------
    FileFormatError, DataError
        If a file is missing or faulty, has no plates or no contacts, no foot can be told, or the
        forces of one foot act where the other is.
    """
    options = options or ContactOptions()
    forces, seen, remarks = plates_with_feet(path, plates=plates, markers=markers)
    contacts = find_contacts(forces, options)
    sources = [forces.source] + ([] if markers is None or seen is None else [seen.source])
    return Segmentation(
        cycles=cycles_of_contacts(contacts, phase, feet),
        phase=phase,
        middle="foot off",
        contacts=contacts,
        remarks=tuple(remarks),
        settings={
            "from": "forces",
            "phase": phase,
            "feet": tuple(feet),
            "plates": {one.name: one.foot for one in forces.plates},
            "contacts": options,
        },
        sources=tuple(sources),
        time=forces.time,
        signals={
            f"vertical force, {one.foot or one.name} [N]": one.force[:, 1] for one in forces.plates
        },
    )


def plates_with_feet(
    path: str | os.PathLike[str],
    *,
    plates: Mapping[str, Foot] | None = None,
    markers: str | os.PathLike[str] | None = None,
) -> tuple[GroundForces, Markers | None, list[str]]:
    """Read ground forces and find out whose they are.

    Parameters
    ----------
    path, plates, markers
        As `segment_forces`.

    Returns
    -------
    forces : GroundForces
        y up.
    markers : Markers or None
        What they were compared with.
    remarks : list of str
        What was decided.

    Raises
    ------
    FileFormatError, DataError
        As `segment_forces`.
    """
    seen = None if markers is None else read_trc(markers)
    if Path(path).suffix.casefold() == ".c3d":
        file = read_c3d(path).in_opensim_axes()
        check_has_plates(file)
        forces, seen = with_feet(file.forces, plates), seen or file.markers
    else:
        forces = read_ground_forces(path, plates)
    if seen is not None and not plates and any(one.foot is None for one in forces.plates):
        forces, remarks = of_feet(forces, seen)
        return forces, seen, remarks
    if seen is not None:
        check_feet(forces, seen)
    return forces, seen, []


def check_has_plates(file: C3d) -> None:
    """Refuse a C3D file without force plates.

    Raises
    ------
    FileFormatError
        With what else it could be used for.
    """
    if file.forces.plates:
        return
    events = len(file.events)
    raise FileFormatError(
        where=Place(file.path, element="FORCE_PLATFORM"),
        expected="force plates",
        got="a recording without any",
        hint=f"It has {events} events: --by events"
        if events
        else "Name a file of ground forces, or an angle with --of",
        code="c3d-without-plates",
    )


def segment_events(
    path: str | os.PathLike[str], phase: Phase = "cycle", *, feet: Sequence[Foot] = FEET
) -> Segmentation:
    """Find gait cycles by the events that somebody marked in a C3D file.

    Parameters
    ----------
    path : path-like
        The C3D file.
    phase : {"cycle", "stance"}
        What is wanted.
    feet : sequence of {"right", "left"}
        Whose cycles.

    Returns
    -------
    Segmentation

    Raises
    ------
    FileFormatError
        If it is missing or faulty, or has no events.
    """
    file = read_c3d(path)
    if not file.events:
        raise FileFormatError(
            where=Place(file.path, element="EVENT"),
            expected="foot strikes and foot offs",
            got="a recording without events",
            hint="Mark them where it was recorded, or use its force plates: --by forces",
            code="c3d-without-events",
        )
    return Segmentation(
        cycles=cycles_of_events(file.events, phase, feet),
        phase=phase,
        middle="foot off",
        settings={"from": "events", "phase": phase, "feet": tuple(feet)},
        sources=(file.source,),
    )


@one_blas_thread
def segment_peaks(
    path: str | os.PathLike[str],
    column: str,
    phase: Phase = "cycle",
    *,
    options: PeakOptions | None = None,
) -> Segmentation:
    """Find movements by the peaks of an angle or a moment.

    Parameters
    ----------
    path : path-like
        A storage file with joint angles or moments.
    column : str
        The column whose peaks are the movements.
    phase : {"cycle", "up", "down"}
        What is wanted.
    options : PeakOptions, optional
        Which peaks count.

    Returns
    -------
    Segmentation

    Raises
    ------
    FileFormatError
        If it is missing or faulty, or lacks the column.
    DataError
        If there is no peak.
    """
    options = options or PeakOptions()
    storage = read_storage(path)
    label = storage.label(column, f"{column}_moment")
    where = Place(storage.path, storage.label_line, label)
    cycles = cycles_of_peaks(storage.time, storage.column(label), phase, options, where=where)
    return Segmentation(
        cycles=cycles,
        phase=phase,
        middle="peak",
        settings={"from": "peaks", "of": label, "phase": phase, "peaks": options},
        sources=(storage.source,),
        time=storage.time,
        signals={
            f"{label} [{'degrees' if storage.in_degrees else storage.units or '-'}]": (
                storage.column(label)
            )
        },
    )
