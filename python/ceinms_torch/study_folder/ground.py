"""Whether ground forces act on the feet that they are said to act on, and carry the model's mass.

A centre of pressure lies under a foot. Where the model's file says which markers a foot has, their
places tell which foot that is, without inverse kinematics. From one foot's strike to the next, with
all feet on plates, the mean vertical force is the weight: of the mass of a scaled model in
`walking_opensim` it is 100.5 %.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import FileFormatError, Place
from ceinms_torch.inputs.checks.findings import Finding
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.storage import Storage
from ceinms_torch.osim.model_file import OsimModel
from ceinms_torch.recordings.external_loads import ExternalForce, ExternalLoads
from ceinms_torch.recordings.ground_forces import GroundForces, PlateForces, check_plausible
from ceinms_torch.recordings.trc import Markers

# A foot is on the ground from this force on [N].
_CONTACT = 20.0
# Where a centre of pressure means something: this share of the weight.
_LOADED = 0.2
# Farther from all markers of its foot than this, a centre of pressure is somewhere else [m].
_FAR = 0.3
# Share of the loaded frames in which the other foot must be nearer.
_SWAPPED = 0.8
# At a strike the other foot carries at least this share of the weight, if it is on a plate.
_CARRIED = 0.6
# Shortest and longest step [s].
_STEP = (0.2, 1.5)
# Masses that differ by more than these shares are doubtful, and those of two people.
_DOUBTFUL_MASS, _OTHER_MASS = 0.05, 0.15
# A body in N has a peak above this; one in body weights, or per kilogram, below it.
_LEAST_PEAK = 40.0


@dataclass(frozen=True, kw_only=True, eq=False)
class GroundForce(OneLine):
    """A measured force along a recording.

    Parameters
    ----------
    name, body : str
        Its name, and the body it acts on.
    time : ndarray (n_row,)
        [s].
    force, point : ndarray (n_row, 3)
        [N] and [m], in the axes of the model.
    """

    name: str
    body: str
    time: FloatArray
    force: FloatArray
    point: FloatArray


def ground_forces(storage: Storage, loads: ExternalLoads) -> tuple[GroundForce, ...]:
    """Return the forces that external loads name, from a file of ground forces.

    Parameters
    ----------
    storage : Storage
        The file.
    loads : ExternalLoads
        What its columns are.

    Returns
    -------
    tuple of GroundForce
        Those with a point.

    Raises
    ------
    FileFormatError
        If the file lacks a column.
    """
    return tuple(
        GroundForce(
            name=one.name,
            body=one.body,
            time=storage.time,
            force=_columns(storage, one.force, one, loads),
            point=_columns(storage, one.point, one, loads),
        )
        for one in loads.forces
        if one.force and one.point
    )


def _columns(
    storage: Storage, prefix: str, force: ExternalForce, loads: ExternalLoads
) -> FloatArray:
    names = [f"{prefix}{axis}" for axis in "xyz"]
    missing = [name for name in names if name not in storage.columns]
    if missing:
        raise FileFormatError(
            where=Place(storage.path, storage.label_line, missing[0]),
            expected=f"the columns {', '.join(names)} of '{force.name}' in '{loads.path}'",
            got=", ".join(storage.columns[:9]) + " ...",
            hint="Name the file of external loads that belongs to these ground forces (--loads)",
            code="column-missing",
        )
    return storage.select(names)


def check_ground_forces(
    forces: Sequence[GroundForce],
    storage: Storage,
    model: OsimModel,
    markers: Markers | None,
) -> list[Finding]:
    """Check ground forces: units, the feet they act on, the mass they carry.

    Parameters
    ----------
    forces : sequence of GroundForce
        All of a recording.
    storage : Storage
        The file they are from.
    model : OsimModel
        The model.
    markers : Markers, optional
        Of the same recording, in the axes of the model.

    Returns
    -------
    list of Finding
    """
    if not forces:
        return []
    up = int(np.argmax(np.abs(model.gravity)))
    found = list(_units(forces, storage, up))
    if not found and markers is not None:
        found += _feet(forces, storage, model, up, markers)
    if not any(one.severity == "error" for one in found):
        found += _mass(forces, storage, model, up)
    return found


def _units(forces: Sequence[GroundForce], storage: Storage, up: int) -> Iterator[Finding]:
    check_plausible(
        GroundForces(
            time=storage.time,
            plates=tuple(
                PlateForces(
                    name=one.name, force=one.force, point=one.point, torque=np.zeros_like(one.point)
                )
                for one in forces
            ),
            path=storage.path,
        )
    )
    peak = max(float(one.force[:, up].max()) for one in forces)
    if peak < _LEAST_PEAK:
        yield Finding(
            severity="error",
            code="ground-force-unit",
            where=Place(storage.path),
            what=f"The largest vertical force is {peak:.3g} N: no foot stands on that.",
            why="Joint moments are computed from forces in N.",
            to_do="Multiply forces that were divided by body weight.",
        )


def _feet(
    forces: Sequence[GroundForce],
    storage: Storage,
    model: OsimModel,
    up: int,
    markers: Markers,
) -> Iterator[Finding]:
    """Compare where forces act with where markers are: those of their foot, and all others."""
    weight = model.mass * float(np.linalg.norm(model.gravity))
    for one in forces:
        vertical = np.interp(markers.time, one.time, one.force[:, up], left=0.0, right=0.0)
        loaded = vertical > _LOADED * weight
        point = np.stack([np.interp(markers.time, one.time, p) for p in one.point.T], axis=1)
        distance = {
            name: np.nan_to_num(
                np.linalg.norm(markers.position(name)[loaded] - point[loaded], axis=1), nan=np.inf
            )
            for name in markers.names
            if name in model.markers
        }
        # What the foot hangs on is near it, too.
        foot, leg = model.bodies_beyond(one.body), model.bodies_before(one.body)
        mine = {n: d for n, d in distance.items() if model.markers[n] in foot}
        others = {n: d for n, d in distance.items() if model.markers[n] not in (*foot, *leg)}
        if not loaded.any() or not mine or not np.isfinite(np.median(_nearest(mine))):
            continue
        away = float(np.median(_nearest(mine)))
        other, share, near = one.body, 0.0, np.inf
        if others:
            share = float(np.mean(_nearest(others) < _nearest(mine)))
            near = float(np.median(_nearest(others)))
            other = model.markers[min(others, key=lambda n: float(np.median(others[n])))]
        where = Place(storage.path, column=one.name)
        if share > _SWAPPED and near < _FAR:
            yield Finding(
                severity="error",
                code="plates-swapped",
                where=where,
                what=f"'{one.name}' acts on {one.body}, but its centre of pressure is "
                f"{near:.2f} m from a marker of {other} and {away:.2f} m from the nearest of "
                f"{one.body}.",
                why="The moments of both legs would be wrong.",
                to_do="Swap the columns in the file of ground forces, or the bodies in that of "
                "external loads.",
            )
        elif away > _FAR:
            yield Finding(
                severity="error",
                code="force-off-foot",
                where=where,
                what=f"The centre of pressure of '{one.name}' is {away:.2f} m from the nearest "
                f"marker of {one.body}.",
                why="A force that does not act under the foot makes wrong moments at every joint.",
                to_do="Give markers and ground forces in the same axes, from the same origin, in "
                "metres.",
            )


def _nearest(distance: Mapping[str, FloatArray]) -> FloatArray:
    return np.asarray(np.min(list(distance.values()), axis=0))


def _mass(
    forces: Sequence[GroundForce], storage: Storage, model: OsimModel, up: int
) -> Iterator[Finding]:
    gravity = float(np.linalg.norm(model.gravity))
    total = np.sum([one.force[:, up] for one in forces], axis=0)
    time = forces[0].time
    strikes = sorted(
        int(row) + 1
        for one in forces
        for row in np.flatnonzero(np.diff((one.force[:, up] > _CONTACT).astype(int)) > 0)
        if total[row] > _CARRIED * np.median(total[total > _CONTACT])
    )
    steps = [
        float(np.mean(total[a:b])) / gravity
        for a, b in pairwise(strikes)
        if _STEP[0] < time[b] - time[a] < _STEP[1] and total[a:b].min() > _CONTACT
    ]
    if not steps:
        return
    mass = float(np.median(steps))
    share = abs(mass / model.mass - 1.0)
    if share > _DOUBTFUL_MASS:
        yield Finding(
            severity="error" if share > _OTHER_MASS else "warning",
            code="mass-differs",
            where=Place(storage.path),
            what=f"The ground carries {mass:.1f} kg ({len(steps)} "
            f"step{'' if len(steps) == 1 else 's'}), the model '{model.path}' has "
            f"{model.mass:.1f} kg.",
            why="Gravity and inertia of the model are not those of the person: it is unscaled, of "
            "somebody else, or carries something; or plates are not calibrated.",
            to_do="Scale the model with the person's mass, or give the forces in N.",
        )
