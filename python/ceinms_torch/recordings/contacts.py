"""When feet are on the ground, by the vertical force, and where that is doubtful.

A contact begins with the first sample at the threshold and ends with the first one below it, as
labs mark events by hand. Drift and offset of the plate are taken off first: what it says while
nobody stands on it. Where another foot steps on a plate the force is of both, inverse dynamics of
either leg is wrong and the events are nobody's, so that time is named and left out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import median_filter

from ceinms_torch.arrays import FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.errors import DataError, OptionError, Place
from ceinms_torch.io.display import OneLine
from ceinms_torch.recordings.ground_forces import LOADED, Foot, GroundForces
from ceinms_torch.recordings.unloaded import runs_of, step_of, unloaded_readings

_LEAST_LOAD = 0.05  # [s] of something that is no noise
# Noise of so many standard deviations does not reach the threshold in a recording's length.
_NOISE = 4.0
# Half a foot [m]: the point of force goes from heel to toe, or with the belt, and not back again.
_BACK_AND_FORTH = 0.12
_LONG = 1.6  # times the usual: a contact of two


@dataclass(frozen=True, kw_only=True)
class ContactOptions:
    """What counts as a foot on the ground.

    Parameters
    ----------
    threshold : float
        Vertical force [N], above 0.
    least_share : float
        What a contact must reach, as a share of the greatest force on the plate, 0 to 1.
    least_force : float
        The same in N, at least.
    least_contact, least_swing : float
        Shorter contacts are none; contacts with shorter gaps are one [s].
    remove_drift : bool
        Whether what the plate says while nobody stands on it is taken off.
    """

    threshold: float = LOADED
    least_share: float = 0.25
    least_force: float = 50.0
    least_contact: float = 0.15
    least_swing: float = 0.1
    remove_drift: bool = True

    def __post_init__(self) -> None:
        """Check ranges."""
        for name, value, low, high in (
            ("threshold", self.threshold, 0.0, 1000.0),
            ("least_share", self.least_share, 0.0, 1.0),
        ):
            if not low < value <= high:
                got = f"{value:g}"
                raise OptionError(where=name, expected=f"above {low:g} to {high:g}", got=got)
        for name, value in (
            ("least_force", self.least_force),
            ("least_contact", self.least_contact),
            ("least_swing", self.least_swing),
        ):
            if not 0.0 <= value < np.inf:
                raise OptionError(where=name, expected="0 or more", got=f"{value:g}")


@dataclass(frozen=True)
class Contact:
    """One foot on the ground.

    Parameters
    ----------
    foot : {"right", "left"}
        Which.
    on, off : float
        First time at the threshold, and first below it [s].
    peak : float
        Greatest vertical force [N].
    is_complete : bool
        Whether it begins and ends within the recording.
    """

    foot: Foot
    on: float
    off: float
    peak: float
    is_complete: bool = True

    @property
    def duration(self) -> float:
        """How long it takes [s]."""
        return self.off - self.on


@dataclass(frozen=True)
class Doubt:
    """A time whose forces are not those of one foot.

    Parameters
    ----------
    start, stop : float
        From when to when [s].
    why : str
        What speaks for it.
    """

    start: float
    stop: float
    why: str

    def concerns(self, start: float, stop: float) -> bool:
        """Tell whether something from `start` to `stop` [s], both events of it, is in doubt."""
        return start <= self.stop and stop >= self.start


@dataclass(frozen=True, kw_only=True)
class Contacts(OneLine):
    """All contacts of a recording.

    Parameters
    ----------
    contacts : tuple of Contact
        In the order of their beginnings.
    doubts : tuple of Doubt
        In the order of their beginnings.
    thresholds : dict of str to float
        The threshold that was used for each foot [N], above that asked for where noise is.
    drift : dict of str to (float, float)
        Least and greatest reading of each foot's plates with nobody on them [N].
    """

    contacts: tuple[Contact, ...]
    doubts: tuple[Doubt, ...]
    thresholds: dict[Foot, float]
    drift: dict[Foot, tuple[float, float]]

    def of(self, foot: Foot) -> list[Contact]:
        """Return the contacts of a foot."""
        return [one for one in self.contacts if one.foot == foot]

    def complete(self, foot: Foot) -> list[Contact]:
        """Return those that begin and end within the recording."""
        return [one for one in self.of(foot) if one.is_complete]

    def doubts_of(self, start: float, stop: float) -> list[Doubt]:
        """Return what is doubtful of the time from `start` to `stop` [s]."""
        return [one for one in self.doubts if one.concerns(start, stop)]


@one_blas_thread
def find_contacts(forces: GroundForces, options: ContactOptions | None = None) -> Contacts:
    """Find when feet are on the ground.

    Parameters
    ----------
    forces : GroundForces
        Plates whose feet are known; others do not count.
    options : ContactOptions, optional
        What counts as a contact.

    Returns
    -------
    Contacts

    Raises
    ------
    DataError
        If no plate has a foot, or nobody steps on any.
    """
    options = options or ContactOptions()
    if not forces.feet:
        raise DataError(
            where=Place(forces.path, element="ground forces"),
            expected="plates of which the foot is known",
            got=", ".join(one.name for one in forces.plates) or "no plates",
            hint="Say which foot is on which plate: --feet PLATE=right PLATE=left",
            code="foot-unknown",
        )
    found: dict[Foot, list[Contact]] = {}
    doubts: list[Doubt] = []
    thresholds, drift = {}, {}
    for foot in forces.feet:
        vertical = forces.vertical(foot)
        base = np.zeros_like(vertical)
        if options.remove_drift:
            base = unloaded_readings(forces.time, vertical, vertical[:, None])[:, 0]
        runs, weak, thresholds[foot] = contact_rows(forces.time, vertical - base, options)
        drift[foot] = (float(base.min()), float(base.max()))
        found[foot] = [_contact(foot, forces.time, vertical - base, *run) for run in runs]
        doubts += [
            Doubt(forces.time[a], forces.time[min(b, len(base) - 1)], f"{foot} plate: {_SWING}")
            for a, b in weak
        ]
    whole = {foot: [one for one in some if one.is_complete] for foot, some in found.items()}
    for foot, some in found.items():
        others = [one for other in whole if other != foot for one in whole[other]]
        found[foot], mixed = _split(forces, some, others)
        sure = [one for one in found[foot] if not any(d.concerns(one.on, one.off) for d in mixed)]
        doubts += mixed + _back_and_forth(forces, foot, sure)
    contacts = sorted((one for some in found.values() for one in some), key=lambda one: one.on)
    if not contacts:
        greatest = max(float(forces.vertical(foot).max()) for foot in forces.feet)
        raise DataError(
            where=Place(forces.path, element="vertical ground force"),
            expected=f"{options.threshold:g} N for {options.least_contact:g} s: a foot on it",
            got=f"none in the recording, whose greatest force is {greatest:.4g} N",
            hint="Contacts that are shorter need --least-contact"
            if doubts
            else "Name the recording in which the plates were stepped on",
            code="no-contact",
        )
    return Contacts(
        contacts=tuple(contacts),
        doubts=tuple(sorted(doubts, key=lambda one: one.start)),
        thresholds=thresholds,
        drift=drift,
    )


_SWING = "something steps on it between two contacts"


# ---- Contacts ---------------------------------------------------------------------------


def contact_rows(
    time: FloatArray, vertical: FloatArray, options: ContactOptions
) -> tuple[list[tuple[int, int]], list[tuple[int, int]], float]:
    """Return when somebody is on a plate.

    Parameters
    ----------
    time : ndarray (n_row,)
        Times [s].
    vertical : ndarray (n_row,)
        Vertical force [N], without drift.
    options : ContactOptions
        What counts as a contact.

    Returns
    -------
    contacts : list of (int, int)
        First row, and the row behind the last.
    others : list of (int, int)
        Of what lasts, but is too weak or too short for a contact.
    threshold : float
        That was used [N]: above what was asked for where noise would reach that.
    """
    quiet = vertical[np.abs(vertical) < options.threshold]
    noise = 1.4826 * float(np.median(np.abs(quiet))) if len(quiet) else 0.0
    threshold = max(options.threshold, _NOISE * noise)
    pairs = _hysteresis(vertical, threshold)
    high = float(median_filter(vertical, 5, mode="nearest").max())
    least = max(options.least_force, options.least_share * high)
    step = step_of(time)
    joined: list[tuple[int, int]] = []
    weak: list[tuple[int, int]] = []
    for start, stop in pairs:
        if vertical[start:stop].max() < least:
            weak.append((start, stop))
        elif joined and (start - joined[-1][1]) * step < options.least_swing:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    long = [(a, b) for a, b in joined if (b - a) * step >= options.least_contact]
    others = sorted([*weak, *(set(joined) - set(long))])
    return long, [(a, b) for a, b in others if (b - a) * step >= _LEAST_LOAD], threshold


def _hysteresis(vertical: FloatArray, threshold: float) -> list[tuple[int, int]]:
    """Return runs at the threshold and above, on through dips that stay above half of it."""
    starts, stops = runs_of(vertical >= threshold)
    pairs: list[tuple[int, int]] = []
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        if pairs and vertical[pairs[-1][1] : start].min() >= 0.5 * threshold:
            pairs[-1] = (pairs[-1][0], stop)
        else:
            pairs.append((start, stop))
    return pairs


def _contact(foot: Foot, time: FloatArray, vertical: FloatArray, start: int, stop: int) -> Contact:
    return Contact(
        foot=foot,
        on=float(time[start]),
        off=float(time[min(stop, len(time) - 1)]),
        peak=float(vertical[start:stop].max()),
        is_complete=start > 0 and stop < len(time),
    )


# ---- Two feet on one plate --------------------------------------------------------------


def _split(
    forces: GroundForces, contacts: Sequence[Contact], others: Sequence[Contact]
) -> tuple[list[Contact], list[Doubt]]:
    """Split contacts that go on while the other foot stands, or for too long, at their valleys."""
    vertical = forces.vertical(contacts[0].foot) if contacts else forces.time
    usual = float(np.median([one.duration for one in contacts if one.is_complete] or [np.inf]))
    is_usual = sum(one.is_complete for one in contacts) > 3
    result: list[Contact] = []
    doubts: list[Doubt] = []
    for contact in contacts:
        within = [one for one in others if contact.on < one.on and one.off < contact.off]
        if not within and is_usual and contact.duration > _LONG * usual:
            middle, quarter = 0.5 * (contact.on + contact.off), 0.25 * contact.duration
            within = [dataclasses.replace(contact, on=middle - quarter, off=middle + quarter)]
        rest = contact
        for other in within:
            rows = np.flatnonzero((forces.time >= other.on) & (forces.time < other.off))
            valley = float(forces.time[rows[vertical[rows].argmin()]])
            begins, ends = rest.on > forces.time[0], contact.off < forces.time[-1]
            result.append(dataclasses.replace(rest, off=valley, is_complete=begins))
            rest = dataclasses.replace(rest, on=valley, is_complete=ends)
            why = f"both feet on the {contact.foot} plate: a contact of {contact.duration:.2f} s"
            # At its first instant the other foot has only just come on, which ends a cycle of it.
            doubts.append(Doubt(float(forces.time[rows[0] + 1]), other.off, why))
        result.append(rest)
    return result, doubts


def _back_and_forth(forces: GroundForces, foot: Foot, contacts: Sequence[Contact]) -> list[Doubt]:
    """Doubt contacts in which the point of force goes back further than half a foot.

    Of one foot it goes from heel to toe, or with the belt of a treadmill, all the way; where
    another foot steps on the plate, or leaves it, it jumps there or back. What is in doubt is the
    beginning of the contact until then, or its end from then on.
    """
    plates = [one for one in forces.plates if one.foot == foot]
    if len(plates) > 1 or not plates[0].point.any():
        return []
    doubts = []
    for contact in contacts:
        rows = np.flatnonzero((forces.time >= contact.on) & (forces.time < contact.off))
        vertical = plates[0].force[rows, 1]
        rows = rows[vertical >= max(2.0 * LOADED, 0.1 * contact.peak)]
        if len(rows) < 10:
            continue
        points = plates[0].point[rows][:, [0, 2]]
        tenth = max(1, len(rows) // 10)
        way = np.median(points[-tenth:], axis=0) - np.median(points[:tenth], axis=0)
        along = points @ (way / max(float(np.linalg.norm(way)), 1e-9))
        back = np.maximum.accumulate(along) - along
        turn = int(back.argmax())
        if back[turn] <= _BACK_AND_FORTH:
            continue
        furthest = float(forces.time[rows[along[: turn + 1].argmax()]])
        start, stop = contact.on, float(forces.time[rows[turn]])
        if stop > 0.5 * (contact.on + contact.off):
            start, stop = furthest, contact.off
        cm = 100.0 * back[turn]
        why = f"both feet on the {foot} plate: the point of force goes {cm:.0f} cm back"
        doubts.append(Doubt(start, stop, why))
    return doubts
