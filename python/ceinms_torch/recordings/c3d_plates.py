"""Force plates of a C3D file: forces, points and free moments in N, m and N m.

ezc3d turns what a plate measured into the axes of the laboratory and adds the moments of forces
about its centre, both in the unit of the coordinates: it takes moments for N mm where those are mm,
whatever ANALOG:UNITS says, and the point of force stays at the centre of the plate then. Here the
measured moments have the unit that is stated, and the point follows from force and moment.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import FileFormatError, Place
from ceinms_torch.recordings.c3d_integrity import EXPORT_AGAIN
from ceinms_torch.recordings.ground_forces import LOADED, GroundForces, PlateForces
from ceinms_torch.recordings.trc import METRES

_NEWTON_METRES = {"nmm": 0.001, "ncm": 0.01, "nm": 1.0}
_OUTSIDE = 0.1  # [m] that a point of force may lie beside its plate
_LEAST_AREA = 1e-3  # [m²]
_STUCK = 0.01  # [m] about the centre of a plate that nobody stays in
# Where the moments are among the channels of a plate, by FORCE_PLATFORM:TYPE.
_MOMENTS = {1: (None, None, 5), 2: (3, 4, 5), 4: (3, 4, 5)}


def parameter(parameters: Any, group: str, name: str) -> Any:
    """Return the value of a parameter, empty without one."""
    try:
        return parameters[group][name]["value"]
    except KeyError:
        return []


def parameter_texts(parameters: Any, group: str, name: str) -> list[str]:
    """Return a list of texts: more than 255 go on in NAME2, NAME3."""
    texts = [str(text).strip() for text in parameter(parameters, group, name)]
    for i in range(2, 10):
        texts += [str(text).strip() for text in parameter(parameters, group, f"{name}{i}")]
    return texts


def plate_forces(
    file: Any, path: Path, time: FloatArray
) -> tuple[GroundForces, tuple[FloatArray, ...]]:
    """Return the forces on all plates, in the axes of the laboratory.

    Parameters
    ----------
    file : ezc3d.c3d
        What ezc3d read, plates included.
    path : Path
        The file, for messages.
    time : ndarray (n_sample,)
        Times of the analog samples [s].

    Returns
    -------
    forces : GroundForces
        Of plates "1", "2", ...; where nobody stands on a plate the point is its centre.
    corners : tuple of ndarray (4, 3)
        Corners of the plates [m].

    Raises
    ------
    FileFormatError
        If a unit is not known, or the forces act beside their plate or only in its centre.
    """
    plates, corners = [], []
    for i, one in enumerate(file["data"]["platform"]):
        where = Place(path, element=f"force plate {i + 1}")
        length = _known(where, one["unit_position"], METRES)
        _known(where, one["unit_force"], {"n": 1.0})
        force = np.ascontiguousarray(one["force"].T)
        corner = one["corners"].T * length
        measured, newton_metres = _measured_moments(where, file, i, one["corners"].T)
        if newton_metres is None:
            newton_metres = length
        moment = one["moment"].T * length + (newton_metres - length) * measured
        centre = corner.mean(axis=0)
        if _kind(file["parameters"], i) == 1:  # measures the point; ezc3d's moment has another sign
            apart = np.nan_to_num(one["center_of_pressure"].T * length - centre)
            moment = np.cross(apart, force) + newton_metres * measured
        normal = np.cross(corner[1] - corner[0], corner[3] - corner[0])
        area = float(np.linalg.norm(normal))
        if not area > _LEAST_AREA:
            raise FileFormatError(
                where=where,
                expected="four corners of a plate (FORCE_PLATFORM:CORNERS)",
                got=f"corners with {area:.3g} m² between them",
                hint=EXPORT_AGAIN,
            )
        normal /= area
        point = np.broadcast_to(centre, force.shape).copy()
        along = force @ normal
        on = np.abs(along) >= LOADED
        point[on] += np.cross(normal, moment[on]) / along[on, None]
        _check_points(where, point[on], corner)
        torque = moment - np.cross(point - centre, force)
        plates.append(PlateForces(name=str(i + 1), force=force, point=point, torque=torque))
        corners.append(corner)
    return GroundForces(time=time, plates=tuple(plates), path=path), tuple(corners)


def _measured_moments(
    where: Place, file: Any, plate: int, corners: FloatArray
) -> tuple[FloatArray, float | None]:
    """Return the moments that a plate measured, in the laboratory, and their unit [N m] if stated.

    Those of plates that measure nothing but forces are 0.
    """
    analogs, parameters = file["data"]["analogs"][0], file["parameters"]
    places = _of_plate(parameter(parameters, "FORCE_PLATFORM", "CHANNEL"), plate).astype(int)
    kind = _kind(parameters, plate)
    which = _MOMENTS.get(kind)
    if which is None:
        return np.zeros((analogs.shape[1], 3)), None
    beyond = [int(one) for one in places if not 1 <= one <= len(analogs)]
    if beyond or len(places) < 6:
        raise FileFormatError(
            where=where,
            expected=f"six of the {len(analogs)} analog channels (FORCE_PLATFORM:CHANNEL)",
            got=f"channel {beyond[0]}" if beyond else str(len(places)),
            hint=EXPORT_AGAIN,
        )
    channels = analogs[places - 1]
    units = parameter_texts(parameters, "ANALOG", "UNITS")
    numbers = [places[one] for one in which if one is not None]
    stated = [units[one - 1] for one in numbers if one <= len(units)]
    if kind == 4:
        matrix = _of_plate(parameter(parameters, "FORCE_PLATFORM", "CAL_MATRIX"), plate)
        channels = matrix @ channels[:6]
    moments = [np.zeros(channels.shape[1]) if one is None else channels[one] for one in which]
    # Axes of the plate: from the second corner to the first, from the fourth to the first.
    x, y = corners[0] - corners[1], corners[0] - corners[3]
    axes = np.array([x, y, np.cross(x, y)])
    axes /= np.maximum(np.linalg.norm(axes, axis=1, keepdims=True), 1e-12)
    unit = _NEWTON_METRES.get(_plain(stated[-1])) if stated else None
    return np.array(moments).T @ axes, unit


def _kind(parameters: Any, plate: int) -> int:
    return int(_of_plate(parameter(parameters, "FORCE_PLATFORM", "TYPE"), plate))


def _of_plate(values: Any, plate: int) -> FloatArray:
    """Return what a parameter says of one plate: plates are along its last axis."""
    return np.asarray(values, dtype=np.float64)[..., plate]


def _plain(unit: str) -> str:
    return re.sub(r"[\s.*·-]", "", unit.casefold())


def _known(where: Place, unit: str, known: dict[str, float]) -> float:
    if _plain(unit) not in known:
        raise FileFormatError(
            where=where,
            expected=f"one of the units {', '.join(known)}",
            got=f"'{unit}'",
            hint=EXPORT_AGAIN,
        )
    return known[_plain(unit)]


def _check_points(where: Place, points: FloatArray, corners: FloatArray) -> None:
    """Refuse points beside their plate, or all in its centre: wrong channels, corners or units."""
    if len(points) < 10:
        return
    low, high = corners.min(axis=0) - _OUTSIDE, corners.max(axis=0) + _OUTSIDE
    outside = ((points < low) | (points > high)).any(axis=1)
    stuck = np.linalg.norm(points - corners.mean(axis=0), axis=1).max() < _STUCK
    if outside.mean() > 0.5 or stuck:  # the rest is stepping on and off
        share = f"{100.0 * outside.mean():.0f} % of them more than {_OUTSIDE * 100:g} cm beside it"
        raise FileFormatError(
            where=where,
            expected="forces that act all over the plate",
            got=f"all of them within {_STUCK * 100:g} cm of its centre" if stuck else share,
            hint="Correct the units of the moments (ANALOG:UNITS), or CHANNEL, CORNERS, ORIGIN",
            code="force-beside-plate",
        )
