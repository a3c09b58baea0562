"""Smooth force curves from the literature, for muscles whose own were not measured."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from ceinms_torch import _kernel
from ceinms_torch.arrays import FloatArray
from ceinms_torch.model.settings import check_choice
from ceinms_torch.model.subject import CURVE_NAMES, Curve, Subject
from ceinms_torch.simulation.curves import curve_values

Corner = tuple[float, float, float]  # x, y, slope

# Tendon strain at the maximum isometric force [-].
TENDON_STRAIN = 0.049
_N_POINT = 20  # per corner
# Points of De Groote's curves that a subject file holds: CEINMS's spline through them differs from
# the curves themselves by less than 1e-4 of the greatest force where fibres and tendons work.
_N_SAMPLE = 61

CurveSet = Literal["file", "degroote", "millard"]
# What each is called.
CURVE_SETS: dict[CurveSet, str] = {
    "file": "the subject's own",
    "degroote": "De Groote et al. (2016)",
    "millard": "Millard et al. (2013)",
}


def with_curves(subject: Subject, curves: CurveSet) -> Subject:
    """Return a subject with other force curves, which CEINMS can read from its file, too.

    Parameters
    ----------
    subject : Subject
        The subject.
    curves : {"file", "degroote", "millard"}
        Its own, or smooth ones: see `degroote_curves` and `millard_curves`.

    Returns
    -------
    Subject

    Raises
    ------
    OptionError
        If there are no such curves.
    """
    check_choice("curves", curves, CURVE_SETS)
    if curves == "file":
        return subject
    return dataclasses.replace(subject, curves=_SMOOTH[curves]())


def degroote_curves() -> dict[str, Curve]:
    """Return the curves of De Groote et al., those of a subject without any, as points.

    Returns
    -------
    dict of str to Curve
        By `CURVE_NAMES`.

    References
    ----------
    De Groote et al. (2016), Ann Biomed Eng 44:2922-2936.
    """
    curves = {}
    for name, table in zip(CURVE_NAMES, _kernel.default_tables(), strict=True):
        # From zero strain on: below, a tendon is slack, and the package lets points go on so.
        low = 0.0 if name == "tendonForceStrain" else table[0][0]
        x = np.linspace(low, table[0][-1], _N_SAMPLE).round(6)
        y = curve_values(table, x)
        curves[name] = Curve(name=name, x=tuple(x.tolist()), y=tuple(y.tolist()))
    return curves


def millard_curves(tendon_strain: float = TENDON_STRAIN) -> dict[str, Curve]:
    """Return the default curves of Millard et al.: quintic Bezier corners, as points.

    The active force falls to zero outside its range, so that a fibre without activation makes
    none. Outside the points Millard et al. have, curves go on with the slope of their ends.

    Parameters
    ----------
    tendon_strain : float
        Strain at which the tendon carries the maximum isometric force [-], > 0.

    Returns
    -------
    dict of str to Curve
        By `CURVE_NAMES`.

    References
    ----------
    Millard et al. (2013), J Biomech Eng 135:021005.
    """
    made = (_active(), _passive(), _velocity(), _tendon(tendon_strain))
    return {
        name: Curve(name=name, x=tuple(points[:, 0].tolist()), y=tuple(points[:, 1].tolist()))
        for name, points in zip(CURVE_NAMES, made, strict=True)
    }


def _corner(start: Corner, end: Corner, curviness: float) -> FloatArray:
    """Round the corner in which the lines through two points meet."""
    (x0, y0, slope0), (x1, y1, slope1) = start, end
    x = (y1 - y0 - x1 * slope1 + x0 * slope0) / (slope0 - slope1)
    tip = np.array([x, (x - x1) * slope1 + y1])
    first, last = np.array([x0, y0]), np.array([x1, y1])
    tight = 0.1 + 0.8 * curviness
    near, far = first + tight * (tip - first), last + tight * (tip - last)
    u = np.linspace(0.0, 1.0, _N_POINT, endpoint=False)[:, None]
    terms: list[Any] = [
        math.comb(5, i) * u**i * (1.0 - u) ** (5 - i) * point
        for i, point in enumerate((first, near, near, far, far, last))
    ]
    return np.asarray(np.sum(terms, axis=0), dtype=np.float64)


def _curve(
    corners: Sequence[Corner], curviness: Sequence[float], low: float, high: float
) -> FloatArray:
    """Join corners, and go on straight to both ends."""
    pairs = zip(itertools.pairwise(corners), curviness, strict=True)
    inner = [_corner(start, end, c) for (start, end), c in pairs]
    before = [_straight(corners[0], part * (low - corners[0][0])) for part in (1.0, 0.5)]
    after = [_straight(corners[-1], part * (high - corners[-1][0])) for part in (0.0, 0.5, 1.0)]
    return np.vstack([*before, *inner, *after])


def _straight(corner: Corner, step: float) -> FloatArray:
    x, y, slope = corner
    return np.array([[x + step, y + slope * step]])


def _active() -> FloatArray:
    shortest, shoulder, longest, slope, half_plateau = 0.4441, 0.73, 1.8123, 0.8616, 0.05
    plateau = 1.0 - half_plateau
    y = 1.0 - slope * (plateau - shoulder)  # at the shoulder
    fall = 1.0 / (longest - 1.0 - 2.0 * half_plateau)
    rise = 1.25 * y / (shoulder - shortest)
    middle = 1.0 + half_plateau + 0.5 * (longest - 1.0 - half_plateau)
    corners = (
        (shortest, 0.0, 0.0),
        (0.5 * (shortest + shoulder), 0.5 * y, rise),
        (0.5 * (shoulder + plateau), 0.5 * (1.0 + y), slope),
        (1.0, 1.0, 0.0),
        (middle, 0.5, -fall),
        (longest, 0.0, 0.0),
    )
    return _curve(corners, (1.0,) * 5, 0.2, 2.2)


def _passive() -> FloatArray:
    strain, slope, low_slope = 0.7, 2.0 / 0.7, 0.2
    x = 1.0 + 0.1 * min(1.0 / slope, strain)
    corners = ((1.0, 0.0, 0.0), (x, low_slope * 0.5 * (x - 1.0), low_slope))
    return _curve((*corners, (1.0 + strain, 1.0, slope)), (0.75, 0.75), 0.2, 2.2)


def _velocity() -> FloatArray:
    fast, slope, near, near_longer, most = 0.9, 5.0, 0.25, 0.15, 1.4
    corners = (
        (-1.0, 0.0, 0.0),
        (-fast, 0.5 * near * (1.0 - fast), near),
        (0.0, 1.0, slope),
        (fast, most - 0.5 * near_longer * (1.0 - fast), near_longer),
        (1.0, most, 0.0),
    )
    return _curve(corners, (0.6, 0.6, 0.9, 0.9), -1.5, 1.5)


def _tendon(strain: float) -> FloatArray:
    slope, toe = 1.375 / strain, 2.0 / 3.0
    x = strain + (toe - 1.0) / slope
    foot = 0.1 * x
    middle = strain + (0.5 * toe - 1.0) / slope
    rise = 0.5 * toe / (middle - foot)
    control = 0.5 * (foot + middle)
    corners = ((0.0, 0.0, 0.0), (control, rise * (control - foot), rise), (x, toe, slope))
    # From zero on: below, the package lets a tendon curve go on as the paper does.
    return _curve(corners, (0.5, 0.5), -strain, 3.0 * strain)[2:]


_SMOOTH: dict[str, Callable[[], dict[str, Curve]]] = {
    "degroote": degroote_curves,
    "millard": millard_curves,
}
