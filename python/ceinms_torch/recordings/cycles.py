"""Cycles and their phases, from contacts with the ground, from marked events, or from peaks."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from scipy.signal import find_peaks, peak_widths

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import DataError, OptionError, Place
from ceinms_torch.recordings.c3d import Event
from ceinms_torch.recordings.contacts import Contacts
from ceinms_torch.recordings.filters import butterworth
from ceinms_torch.recordings.ground_forces import FEET, Foot, foot_in
from ceinms_torch.recordings.unloaded import step_of

Phase = Literal["cycle", "stance", "up", "down"]
PHASES: tuple[Phase, ...] = get_args(Phase)
_LONG = 1.6  # times the usual: a step that is missing
_STRIKE = re.compile(r"strike|contact|touch ?down|\b[rl]?(hs|fs|ic|td)\b", re.I)
_OFF = re.compile(r"off|lift|\b[rl]?(to|fo)\b", re.I)


@dataclass(frozen=True)
class Cycle:
    """A cycle, or the phase of one that was asked for.

    Parameters
    ----------
    name : str
        ``r01``, ``l01`` of the feet, ``m01`` of movements: numbered with those left out.
    foot : {"right", "left"}, optional
        Whose it is.
    start, stop : float
        From when to when [s].
    middle : float
        Foot off, or the peak of a movement [s]; NaN where it is not known.
    why : str
        Why it is left out; empty of one to use.
    """

    name: str
    foot: Foot | None
    start: float
    stop: float
    middle: float
    why: str = ""

    @property
    def duration(self) -> float:
        """How long it takes [s]."""
        return self.stop - self.start


@dataclass(frozen=True, kw_only=True)
class PeakOptions:
    """Which peaks are movements.

    Parameters
    ----------
    lowest : bool
        Look for lowest values instead of highest.
    least_height : float
        How far a peak must stand out, as a share of the signal's whole range, above 0 to 1.
    least_duration : float
        Shorter movements, measured at half their height, are none [s].
    onset : float
        A movement begins and ends at this share of its height above its own ends, 0 to below 1.
    cutoff : float
        Low-pass filter for finding them [Hz], zero-phase; 0 for none.
    """

    lowest: bool = False
    least_height: float = 0.5
    least_duration: float = 0.2
    onset: float = 0.05
    cutoff: float = 6.0

    def __post_init__(self) -> None:
        """Check ranges."""
        for name, is_right, expected in (
            ("least_height", 0.0 < self.least_height <= 1.0, "above 0 to 1"),
            ("onset", 0.0 <= self.onset < 1.0, "0 to below 1"),
            ("least_duration", 0.0 <= self.least_duration < np.inf, "0 or more"),
            ("cutoff", 0.0 <= self.cutoff < np.inf, "0 or more"),
        ):
            if not is_right:
                raise OptionError(where=name, expected=expected, got=f"{getattr(self, name):g}")


# ---- Of feet ----------------------------------------------------------------------------


def cycles_of_contacts(
    contacts: Contacts, phase: Phase = "cycle", feet: Sequence[Foot] = FEET
) -> tuple[Cycle, ...]:
    """Return gait cycles, from one contact of a foot to its next, or their stance.

    Parameters
    ----------
    contacts : Contacts
        What `find_contacts` found.
    phase : {"cycle", "stance"}
        What is wanted.
    feet : sequence of {"right", "left"}
        Whose.

    Returns
    -------
    tuple of Cycle
        In the order of their beginnings; those in doubt with the reason.

    Raises
    ------
    OptionError
        If it is no phase of gait.
    """
    _check_phase(phase, ("cycle", "stance"), "contacts with the ground")
    cycles: list[Cycle] = []
    for foot in feet:
        found = contacts.of(foot)
        if found and not found[0].is_complete and len(found) > 1:
            found = found[1:]  # it began before the recording did
        if phase == "stance":
            pairs = [(one.on, one.off, one.off) for one in found if one.is_complete]
        else:
            pairs = [(one.on, next_one.on, one.off) for one, next_one in itertools.pairwise(found)]
        cycles += [
            _cycle(foot, i, *pair, _doubts(contacts, pair[0], pair[1]))
            for i, pair in enumerate(pairs)
        ]
    return _in_order(cycles)


def cycles_of_events(
    events: Iterable[Event], phase: Phase = "cycle", feet: Sequence[Foot] = FEET
) -> tuple[Cycle, ...]:
    """Return gait cycles, from one foot strike to the next of the foot, or their stance.

    Parameters
    ----------
    events : iterable of Event
        Foot strikes and foot offs; others do not count.
    phase : {"cycle", "stance"}
        What is wanted.
    feet : sequence of {"right", "left"}
        Whose.

    Returns
    -------
    tuple of Cycle
        In the order of their beginnings. Without exactly one foot off between two strikes one of
        the events is missing, so what is between them is left out.

    Raises
    ------
    OptionError
        If it is no phase of gait.
    """
    _check_phase(phase, ("cycle", "stance"), "foot strikes and foot offs")
    known = sorted(events, key=lambda one: one.time)
    cycles: list[Cycle] = []
    for foot in feet:
        mine = [one for one in known if (one.foot or _foot_of(one.label)) == foot]
        strikes = [one.time for one in mine if _STRIKE.search(one.label)]
        offs = [one.time for one in mine if _OFF.search(one.label)]
        for i, (start, stop) in enumerate(zip(strikes, [*strikes, np.inf][1:], strict=True)):
            between = [time for time in offs if start < time < stop]
            if phase == "cycle" and stop == np.inf:
                continue
            why = ""
            if len(between) != 1:
                why = f"{len(between) or 'no'} foot off after the foot strike: an event is missing"
            middle = between[0] if between else np.nan
            end = stop if phase == "cycle" else middle
            if np.isfinite(end):
                cycles.append(_cycle(foot, i, start, end, middle, why))
    return _in_order(cycles)


def _foot_of(label: str) -> Foot | None:
    match = re.match(r"\s*([rl])(hs|fs|ic|td|to|fo)\b", label, re.I)
    if match is not None:
        return "right" if match[1].casefold() == "r" else "left"
    return foot_in(label)


def _check_phase(phase: Phase, known: tuple[Phase, ...], of: str) -> None:
    if phase not in known:
        raise OptionError(where="--phase", expected=f"of {of}, {' or '.join(known)}", got=phase)


def _doubts(contacts: Contacts, start: float, stop: float) -> str:
    reasons = [one.why for one in contacts.doubts_of(start, stop)]
    return "; ".join(dict.fromkeys(reasons))


def _cycle(foot: Foot, i: int, start: float, stop: float, middle: float, why: str) -> Cycle:
    return Cycle(f"{foot[0]}{i + 1:02d}", foot, start, stop, middle, why)


def _in_order(cycles: list[Cycle]) -> tuple[Cycle, ...]:
    """Return cycles by their beginnings, those left out that take much longer than the others."""
    result = []
    for foot in FEET:
        mine = [one for one in cycles if one.foot == foot]
        usual = float(np.median([one.duration for one in mine])) if len(mine) > 2 else np.inf
        for one in mine:
            is_long = one.duration > _LONG * usual and not one.why
            why = f"takes {one.duration:.2f} s, usual are {usual:.2f} s: a contact is missing"
            result.append(replace(one, why=why) if is_long else one)
    return tuple(sorted(result, key=lambda one: one.start))


# ---- Of movements -----------------------------------------------------------------------


def cycles_of_peaks(
    time: FloatArray,
    values: FloatArray,
    phase: Phase = "cycle",
    options: PeakOptions | None = None,
    *,
    where: Place | str = "signal",
) -> tuple[Cycle, ...]:
    """Return movements up to a peak and down again, of a joint angle or a joint moment.

    Parameters
    ----------
    time : ndarray (n_row,)
        Times [s].
    values : ndarray (n_row,)
        The angle or moment, in any unit.
    phase : {"cycle", "up", "down"}
        The movement, or the part before or after its peak.
    options : PeakOptions, optional
        Which peaks are movements.
    where : Place or str
        Where the signal is from, for messages.

    Returns
    -------
    tuple of Cycle
        In their order; those that the recording cuts off with the reason.

    Raises
    ------
    OptionError
        If it is no phase of a movement.
    DataError
        If the signal is constant, or has no such peak.
    """
    _check_phase(phase, ("cycle", "up", "down"), "peaks of an angle or a moment")
    options = options or PeakOptions()
    step = step_of(time)
    signal = -values if options.lowest else values
    if 0.0 < options.cutoff < 0.5 / step:
        signal = butterworth(signal, 1.0 / step, options.cutoff, order=2)
    height = float(np.ptp(signal))
    # The ends count as valleys: a movement from rest begins with the recording's first sample.
    padded = np.concatenate(([signal.min()], signal, [signal.min()]))
    found, _ = find_peaks(padded, prominence=options.least_height * max(height, 1e-12))
    widths = peak_widths(padded, found, 0.5)[0] * step
    peaks = [int(one) - 1 for one in found[widths >= options.least_duration]]
    if not peaks:
        raise DataError(
            where=where,
            expected=f"a peak of {100.0 * options.least_height:g} % of its range that takes "
            f"{options.least_duration:g} s",
            got=f"none in {len(time)} samples, which range over {height:.4g}",
            hint="Choose the angle or moment in which the movement shows, or --lowest",
            code="no-peak",
        )
    bounds = [0, *(a + int(signal[a:b].argmin()) for a, b in itertools.pairwise(peaks))]
    bounds.append(len(signal) - 1)
    cycles = []
    for i, peak in enumerate(peaks):
        first = bounds[i] + int(signal[bounds[i] : peak + 1].argmin())
        last = peak + int(signal[peak : bounds[i + 1] + 1].argmin())
        start = first + _last_below(signal[first : peak + 1], options.onset)
        stop = last - _last_below(signal[peak : last + 1][::-1], options.onset)
        low = signal[peak] - options.least_height * height
        why = "" if max(signal[start], signal[stop]) <= low else "the recording cuts it off"
        a, b = {"cycle": (start, stop), "up": (start, peak), "down": (peak, stop)}[phase]
        times = (float(time[a]), float(time[b]), float(time[peak]))
        cycles.append(Cycle(f"m{i + 1:02d}", None, *times, why))
    return tuple(cycles)


def _last_below(rise: FloatArray, onset: float) -> int:
    """Return the last row of a rise, from first to last value, that is not above its onset."""
    level = rise[0] + onset * (rise[-1] - rise[0])
    return int(np.flatnonzero(rise <= level)[-1]) if rise[-1] > rise[0] else 0
