"""The force curves of a subject: their shape, and whether anybody measured them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ceinms_torch.arrays import BoolArray, FloatArray
from ceinms_torch.errors import Place
from ceinms_torch.inputs.checks.findings import Finding, listed
from ceinms_torch.model.subject import Curve, Subject

# Where the peak of active force, and the force at zero velocity, should be (-).
_PEAK_LENGTH, _PEAK_FORCE, _ISOMETRIC_FORCE = (0.8, 1.25), (0.9, 1.1), (0.95, 1.05)
# What a curve may fall where it should rise, from rounding of its points (-).
_ROUNDING = 1e-3
# Points of the example subject in CEINMS's manual (reference C.2) where muscles work; what is
# beyond differs between the files that people have made of it.
_EXAMPLE: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "activeForceLength": (
        (0.4035, 0.52725, 0.62875, 0.71875, 0.86125, 1.045, 1.2175, 1.43875, 1.61875),
        (0.0, 0.226667, 0.636667, 0.856667, 0.95, 0.993333, 0.77, 0.246667, 0.0),
    ),
    "passiveForceLength": (
        (1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6),
        (0.0, 0.035, 0.12, 0.26, 0.55, 1.17, 2.0),
    ),
    "forceVelocity": (
        (-1.0, -0.6, -0.3, -0.1, 0.0, 0.1, 0.3, 0.6, 0.8),
        (0.0, 0.08, 0.2, 0.55, 1.0, 1.4, 1.6, 1.7, 1.75),
    ),
    "tendonForceStrain": (
        (0.0, 0.00131, 0.00281, 0.00431, 0.00581, 0.00731, 0.00881, 0.0103, 0.0118, 0.0123),
        (0.0, 0.0108, 0.0257, 0.0435, 0.0652, 0.0915, 0.123, 0.161, 0.208, 0.227),
    ),
}
# Half a unit of the third digit, by which printed forces and lengths differ, and strains.
_SAME, _SAME_STRAIN = 5e-3, 5e-5
# A point that was left out or moved by hand makes no other curve.
_MOST_POINTS = 0.75


def check_curves(subject: Subject, *, is_calibration: bool) -> Iterator[Finding]:
    """Check the points of a subject's force curves.

    Parameters
    ----------
    subject : Subject
        The subject.
    is_calibration : bool
        Whether it is going to be calibrated: later, other curves would be another subject's.

    Yields
    ------
    Finding
    """
    if is_calibration:
        yield from _check_example(subject)
    for curve in subject.curves.values():
        fault = _fault_of(curve)
        if fault is not None:
            yield Finding(
                severity="warning",
                code="curve-shape",
                where=Place(file=subject.path, element="<curve>", column=curve.name),
                what=f"{curve.name} {fault}.",
                why="Forces are this curve times maxIsometricForce: points may be mixed up, or not "
                "normalised.",
                to_do="Compare the points with those of the CEINMS manual.",
            )


def _fault_of(curve: Curve) -> str | None:
    x, y = np.array(curve.x), np.array(curve.y)
    if curve.name == "activeForceLength":
        peak, at = float(y.max()), float(x[int(np.argmax(y))])
        if not _within(peak, _PEAK_FORCE) or not _within(at, _PEAK_LENGTH):
            return f"has its peak of {peak:.3g} at length {at:.3g}, not one of about 1 at about 1"
        return None
    if (np.diff(y) < -_ROUNDING).any():
        return f"falls after x = {float(x[int(np.argmax(np.diff(y) < -_ROUNDING))]):.4g}"
    isometric = float(np.interp(0.0, x, y))
    if curve.name == "forceVelocity" and not _within(isometric, _ISOMETRIC_FORCE):
        return f"is {isometric:.3g} at velocity 0, not 1"
    return None


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


def _check_example(subject: Subject) -> Iterator[Finding]:
    """Say which curves are those of the manual's example."""
    names = [name for name, curve in subject.curves.items() if is_example(curve)]
    if names:
        yield Finding(
            severity="note",
            code="curve-example",
            where=Place(file=subject.path, element="<curve>", column=listed(names)),
            what=f"{listed(names)}: the points of the example in the CEINMS manual.",
            why="They are nobody's measurement: the manual gives no source, and they are neither "
            "this subject's nor smooth. Smooth curves of the literature predict most recordings "
            "better, but not all.",
            to_do="See which curves suit these trials with ceinms-torch compare --curves "
            "file,degroote,millard.",
        )


def is_example(curve: Curve) -> bool:
    """Tell whether a curve is the one of the manual's example, as far as printed digits go.

    Parameters
    ----------
    curve : Curve
        The curve, whatever it does where no muscle works.

    Returns
    -------
    bool
    """
    example = _EXAMPLE.get(curve.name)
    if example is None:
        return False
    x, y = (np.array(one) for one in example)
    own_x, own_y = np.array(curve.x), np.array(curve.y)
    tolerance = _SAME_STRAIN if curve.name == "tendonForceStrain" else _SAME
    inside = (own_x >= x[0] - tolerance) & (own_x <= x[-1] + tolerance)
    matches = _near(x, own_x[inside], tolerance) & _near(y, own_y[inside], _SAME)
    found = float(matches.any(axis=1).mean())  # of the example's points, and of the curve's own
    own = float(matches.any(axis=0).mean()) if inside.any() else 0.0
    return min(found, own) >= _MOST_POINTS


def _near(one: FloatArray, other: FloatArray, tolerance: float) -> BoolArray:
    result: BoolArray = np.abs(one[:, np.newaxis] - other) <= tolerance
    return result
