"""Which foot is on which plate, by the markers nearest to where the force acts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
class Footfall:
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


def footfalls(forces: GroundForces, markers: Markers) -> list[Footfall]:
    """Return all contacts with plates, and whose they are.

    Parameters
    ----------
    forces : GroundForces
        Their feet do not matter.
    markers : Markers
        On the same clock and in the same axes, y up.

    Returns
    -------
    list of Footfall
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
                _footfall(i, start, stop, forces.time[rows], plate.point[rows], markers, sided)
            )
    return result


def _footfall(
    plate: int,
    start: int,
    stop: int,
    time: FloatArray,
    points: FloatArray,
    markers: Markers,
    sided: Sequence[tuple[int, Foot]],
) -> Footfall:
    inside = (time >= markers.time[0]) & (time <= markers.time[-1])
    frames, points = np.searchsorted(markers.time, time[inside]), points[inside]
    places = [place for place, _ in sided]
    apart = np.linalg.norm(markers.positions[frames][:, places] - points[:, None], axis=2)
    seen = ~np.isnan(apart).all(axis=1) if places else np.zeros(len(frames), dtype=np.bool_)
    if not seen.any():
        return Footfall(plate, start, stop, None, 0.0, np.inf)
    nearest = np.nanargmin(apart[seen], axis=1)
    distance = float(np.median(np.nanmin(apart[seen], axis=1)))
    counts = Counter(sided[one][1] for one in nearest.tolist())
    foot, count = counts.most_common(1)[0]
    is_near = distance <= _NEAR
    return Footfall(plate, start, stop, foot if is_near else None, count / len(nearest), distance)


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
    found = [one for one in footfalls(forces, markers) if forces.plates[one.plate].foot]
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


def of_feet(
    forces: GroundForces, markers: Markers, *, must: bool = True
) -> tuple[GroundForces, list[str]]:
    """Give every plate the foot that stepped on it.

    Parameters
    ----------
    forces : GroundForces
        Of plates.
    markers : Markers
        On the same clock and in the same axes, y up.
    must : bool
        Whether it is an error if no foot can be told; otherwise plates stay as they are then.

    Returns
    -------
    forces : GroundForces
        A plate that one foot stepped on, as it is, with that foot; one that both stepped on in
        turn, once for each, with nothing but its contacts; a foot that stepped on several, their
        resultant. Plates that nobody stepped on are left out.
    remarks : list of str
        What was decided, and what is doubtful: sentences.

    Raises
    ------
    DataError
        If no foot can be told, and one must be.
    """
    found = footfalls(forces, markers)
    remarks: list[str] = []
    plates = [
        one
        for i, plate in enumerate(forces.plates)
        for one in _of_plate(
            plate, [footfall for footfall in found if footfall.plate == i], remarks
        )
    ]
    remarks += [
        f"plate {forces.plates[one.plate].name}: at {forces.time[one.start]:.3f} s the {one.foot} "
        f"foot is the nearer one for {100.0 * one.share:.0f} % of the contact only: both feet may "
        "be on it"
        for one in found
        if one.foot and one.share < _MOST
    ]
    if plates:
        return replace(forces, plates=tuple(_together(forces, plates, found))), remarks
    if not must:
        return forces, [*remarks, "no foot can be told: plates are named by their numbers"]
    raise DataError(
        where=Place(forces.path, element="force plates"),
        expected="contacts near markers of the right or the left foot",
        got="; ".join(remarks) or "no plates",
        hint="Say which foot is on which plate: --feet PLATE=right",
        code="foot-unknown",
    )


def _of_plate(
    plate: PlateForces, mine: Sequence[Footfall], remarks: list[str]
) -> Iterator[PlateForces]:
    """Iterate over a plate for each foot that stepped on it, and say so."""
    feet = [foot for foot in FEET if any(one.foot == foot for one in mine)]
    if not feet:
        what = "no marker with a side is near" if mine else "nobody steps on it"
        remarks.append(f"plate {plate.name}: {what}: left out")
    for foot in feet:
        rows = [(one.start, one.stop) for one in mine if one.foot == foot]
        remarks.append(f"plate {plate.name}: {len(rows)} contacts of the {foot} foot")
        yield replace(plate if len(feet) == 1 else only(plate, rows), foot=foot)


def _together(
    forces: GroundForces, plates: Sequence[PlateForces], found: Sequence[Footfall]
) -> Iterator[PlateForces]:
    """Iterate over feet: the one plate of each, or the resultant of contacts with several."""
    for foot in FEET:
        mine = [one for one in plates if one.foot == foot]
        if len(mine) > 1:
            names = [forces.plates[one.plate].name for one in found]
            rows_of = {
                name: [(t.start, t.stop) for t, n in zip(found, names, strict=True) if n == name]
                for name in names
            }
            mine = [only(one, rows_of[one.name]) for one in mine]
            mine = [replace(forces, plates=tuple(mine)).of_foot(foot)]
        yield from mine


def one_a_foot(forces: GroundForces) -> tuple[GroundForces, list[str]]:
    """Return forces with one plate a foot: of several, the resultant of what is stepped on them.

    Parameters
    ----------
    forces : GroundForces
        Plates whose feet are known, and others.

    Returns
    -------
    forces : GroundForces
        The same where every foot has one plate already.
    remarks : list of str
        What was done.
    """
    plates = [one for one in forces.plates if one.foot is None]
    remarks = []
    for foot in forces.feet:
        mine = [one for one in forces.plates if one.foot == foot]
        if len(mine) > 1:
            names = ", ".join(one.name for one in mine)
            remarks.append(f"{foot} foot: resultant of contacts with the plates {names}")
            clean = tuple(_without_drift(forces.time, one) for one in mine)
            whole = replace(forces, plates=clean).of_foot(foot)
            rows, _, _ = contact_rows(forces.time, whole.force[:, 1], ContactOptions())
            mine = [only(whole, rows)]
        plates += mine
    return replace(forces, plates=tuple(plates)), remarks


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


def with_feet(forces: GroundForces, plates: Mapping[str, Foot] | None) -> GroundForces:
    """Return forces whose plates have the feet that were stated.

    Raises
    ------
    OptionError
        If there is no plate of a name.
    """
    names = [one.name for one in forces.plates]
    for name in plates or {}:
        if name not in names:
            expected = f"a plate of '{forces.path}': {', '.join(names)}"
            raise OptionError(where="--feet", expected=expected, got=f"'{name}'")
    stated = plates or {}
    found = tuple(replace(one, foot=stated.get(one.name, one.foot)) for one in forces.plates)
    return replace(forces, plates=found)
