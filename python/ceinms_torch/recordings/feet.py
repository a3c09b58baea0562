"""Which foot is on which plate, by the markers nearest to where the force acts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import DataError, OptionError, Place
from ceinms_torch.recordings.contacts import ContactOptions, contact_rows
from ceinms_torch.recordings.ground_forces import (
    FEET,
    SIDES,
    Foot,
    GroundForces,
    PlateForces,
    resultant,
)
from ceinms_torch.recordings.trc import Markers
from ceinms_torch.recordings.unloaded import unloaded_readings

# No marker of a foot is further from where the force acts [m]; a further one is of another unit,
# clock or laboratory.
_NEAR, _LOST = 0.35, 3.0
_MOST = 0.9  # of a contact, at least, that one foot must be the nearer one


@dataclass(frozen=True)
class Tread:
    """A contact with a plate.

    Parameters
    ----------
    plate : int
        Its place among the plates.
    start, stop : int
        First row, and the row behind the last.
    foot : {"right", "left"}, optional
        The foot whose markers are nearest; None where none is near.
    share : float
        Of the contact, how long they are the nearest.
    distance : float
        How far the nearest marker with a side is, in the middle of the contact [m].
    """

    plate: int
    start: int
    stop: int
    foot: Foot | None
    share: float
    distance: float


def marker_feet(names: Sequence[str]) -> dict[str, Foot]:
    """Return the side of markers: of those that have a partner of the mirrored name.

    Parameters
    ----------
    names : sequence of str
        Names of markers, such as RHEE and LHEE, R.Heel and L.Heel, heel_r and heel_l.

    Returns
    -------
    dict of str to {"right", "left"}
    """
    known = {name.casefold() for name in names}
    feet: dict[str, Foot] = {}
    for name in names:
        folded = name.casefold()
        for mine, other, foot in (("right", "left", FEET[0]), ("left", "right", FEET[1])):
            mirrored = [
                folded.replace(mine, other, 1),
                re.sub(f"^{mine[0]}", other[0], folded),
                re.sub(f"(?<=[_. -]){mine[0]}$", other[0], folded),
            ]
            if any(one != folded and one in known for one in mirrored):
                feet[name] = foot
                break
    return feet


def treads(forces: GroundForces, markers: Markers) -> list[Tread]:
    """Return all contacts with plates, and whose they are.

    Parameters
    ----------
    forces : GroundForces
        Their feet do not matter.
    markers : Markers
        On the same clock and in the same axes, y up.

    Returns
    -------
    list of Tread
        By plates, and in the order of their beginnings.
    """
    sides = marker_feet(markers.names)
    sided = [(markers.names.index(name), foot) for name, foot in sides.items()]
    result = []
    for i, plate in enumerate(forces.plates):
        vertical = _without_drift(forces.time, plate).force[:, 1]
        for start, stop in contact_rows(forces.time, vertical, ContactOptions())[0]:
            peak = vertical[start:stop].max()
            rows = np.arange(start, stop)[vertical[start:stop] >= 0.2 * peak]
            result.append(
                _tread(i, start, stop, forces.time[rows], plate.point[rows], markers, sided)
            )
    return result


def _tread(
    plate: int,
    start: int,
    stop: int,
    time: FloatArray,
    points: FloatArray,
    markers: Markers,
    sided: Sequence[tuple[int, Foot]],
) -> Tread:
    frames = np.clip(np.searchsorted(markers.time, time), 0, len(markers.time) - 1)
    places = [place for place, _ in sided]
    apart = np.linalg.norm(markers.positions[frames][:, places] - points[:, None], axis=2)
    seen = ~np.isnan(apart).all(axis=1) if places else np.zeros(len(time), dtype=np.bool_)
    if not seen.any():
        return Tread(plate, start, stop, None, 0.0, np.inf)
    nearest = np.nanargmin(apart[seen], axis=1)
    distance = float(np.median(np.nanmin(apart[seen], axis=1)))
    counts = Counter(sided[one][1] for one in nearest.tolist())
    foot, count = counts.most_common(1)[0]
    is_near = distance <= _NEAR
    return Tread(plate, start, stop, foot if is_near else None, count / len(nearest), distance)


def check_feet(forces: GroundForces, markers: Markers) -> None:
    """Refuse forces of one foot that act where the markers of the other are.

    Parameters
    ----------
    forces : GroundForces
        Plates whose feet are known; others do not count.
    markers : Markers
        On the same clock and in the same axes, y up.

    Raises
    ------
    DataError
        If most contacts of a foot are nearer to markers of the other, or no marker is near any.
    """
    found = [one for one in treads(forces, markers) if forces.plates[one.plate].foot]
    far = [one for one in found if _LOST < one.distance < np.inf]
    where = Place(forces.path, element="ground forces")
    if found and len(far) == len(found):
        raise DataError(
            where=where,
            expected=f"forces within {_NEAR:g} m of a marker of '{markers.path}'",
            got=f"{min(one.distance for one in far):.4g} m from the nearest",
            hint="One of the files is in mm, in other axes, or from another clock: compare its "
            "header with the recording",
            code="forces-far-from-feet",
        )
    for foot in forces.feet:
        mine = [one for one in found if forces.plates[one.plate].foot == foot and one.foot]
        wrong = [one for one in mine if one.foot != foot]
        if len(wrong) > 0.5 * len(mine):
            raise DataError(
                where=where,
                expected=f"forces of the {foot} foot where its markers are",
                got=f"{len(wrong)} of {len(mine)} contacts nearer to those of the other foot",
                hint="The plates are swapped: exchange the columns of the feet, or correct "
                "<applied_to_body>, or --feet",
                code="plates-swapped",
            )


def of_feet(forces: GroundForces, markers: Markers) -> tuple[GroundForces, list[str]]:
    """Give every plate the foot that trod on it.

    Parameters
    ----------
    forces : GroundForces
        Of plates.
    markers : Markers
        On the same clock and in the same axes, y up.

    Returns
    -------
    forces : GroundForces
        A plate that one foot trod on, as it is, with that foot; one that both trod on in turn, once
        for each, with nothing but its contacts; a foot that trod on several, their resultant.
        Plates that nobody trod on are left out.
    remarks : list of str
        What was decided, and what is doubtful: sentences.

    Raises
    ------
    DataError
        If no foot can be told.
    """
    found = treads(forces, markers)
    remarks, plates = [], []
    for i, plate in enumerate(forces.plates):
        mine = [one for one in found if one.plate == i]
        feet = [foot for foot in FEET if any(one.foot == foot for one in mine)]
        if not feet:
            what = "nobody treads on it" if not mine else "no marker with a side is near"
            remarks.append(f"plate {plate.name}: {what}: left out")
        for one in mine:
            if one.share < _MOST and one.foot:
                share = 100.0 * one.share
                at = forces.time[one.start]
                remarks.append(
                    f"plate {plate.name}: at {at:.3f} s the {one.foot} foot is the nearer one for "
                    f"{share:.0f} % of the contact only: both feet may be on it"
                )
        for foot in feet:
            rows = [(one.start, one.stop) for one in mine if one.foot == foot]
            is_shared = len(feet) > 1
            plates.append(
                replace(only(plate, rows) if is_shared else plate, foot=foot, name=plate.name)
            )
            remarks.append(f"plate {plate.name}: {len(rows)} contacts of the {foot} foot")
    if not plates:
        raise DataError(
            where=Place(forces.path, element="force plates"),
            expected="contacts near markers of the right or the left foot",
            got="; ".join(remarks) or "no plates",
            hint="Say which foot is on which plate: --feet PLATE=right",
            code="foot-unknown",
        )
    together = []
    for foot in FEET:
        mine_of = [one for one in plates if one.foot == foot]
        if len(mine_of) == 1:
            together += mine_of
        elif mine_of:
            rows_of = {
                one.name: [
                    (t.start, t.stop) for t in found if forces.plates[t.plate].name == one.name
                ]
                for one in mine_of
            }
            parts = tuple(only(one, rows_of[one.name]) for one in mine_of)
            together.append(replace(forces, plates=parts).of_foot(foot))
    return replace(forces, plates=tuple(together)), remarks


def only(plate: PlateForces, rows: Sequence[tuple[int, int]]) -> PlateForces:
    """Return a plate with nothing but what is in these rows, first and behind the last."""
    inside = np.zeros((len(plate.force), 1))
    for start, stop in rows:
        inside[start:stop] = 1.0
    return replace(plate, force=plate.force * inside, torque=plate.torque * inside)


def zeroed(forces: GroundForces) -> GroundForces:
    """Return forces without drift and offset, and without anything while nobody is on a plate.

    Parameters
    ----------
    forces : GroundForces
        As recorded.

    Returns
    -------
    GroundForces
        With points and free moments of the forces that are left.
    """
    options = ContactOptions()
    plates = []
    for plate in forces.plates:
        clean = _without_drift(forces.time, plate)
        rows, _, _ = contact_rows(forces.time, clean.force[:, 1], options)
        plates.append(only(clean, rows))
    return replace(forces, plates=tuple(plates))


def _without_drift(time: FloatArray, plate: PlateForces) -> PlateForces:
    """Return what a plate felt, less what it says with nobody on it."""
    centre = np.median(plate.point, axis=0)
    moment = plate.torque + np.cross(plate.point - centre, plate.force)
    channels = np.column_stack((plate.force, moment))
    channels = channels - unloaded_readings(time, plate.force[:, 1], channels)
    force, moment = channels[:, :3], channels[:, 3:]
    about_origin = moment + np.cross(centre, force)
    point, torque = resultant(force, about_origin, np.broadcast_to(centre, force.shape))
    return replace(plate, force=force, point=point, torque=torque)


def named_feet(text: Sequence[str]) -> dict[str, Foot]:
    """Return what ``--feet`` says: PLATE=right or PLATE=left, each."""
    result: dict[str, Foot] = {}
    for one in text:
        name, _, foot = one.partition("=")
        if foot.casefold() not in SIDES or not name:
            raise OptionError(where="--feet", expected="PLATE=right or PLATE=left", got=repr(one))
        result[name] = SIDES[foot.casefold()]
    return result
