"""Forces between feet and ground: of plates, of feet, and whether they are plausible."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import DataError, FileFormatError, Place
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.source import Source

Foot = Literal["right", "left"]
FEET: tuple[Foot, Foot] = ("right", "left")
LOADED = 20.0  # [N] of vertical force, below which nobody is said to stand on a plate
AXES = ("x", "y", "z")
SIDES: dict[str, Foot] = {"r": "right", "right": "right", "l": "left", "left": "left"}
# No lab is as long [m]; no foot twists as hard on the floor [N m].
_FURTHEST, _GREATEST_TORQUE = 100.0, 500.0


@dataclass(frozen=True, kw_only=True, eq=False)
class PlateForces(OneLine):
    """What one plate, or one foot, felt.

    Parameters
    ----------
    name : str
        Name of the plate or foot.
    foot : {"right", "left"}, optional
        The foot that stands on it; None where it is not known.
    force : ndarray (n_row, 3)
        Force on the body [N].
    point : ndarray (n_row, 3)
        Where it acts [m]: any point of the plate while nothing does.
    torque : ndarray (n_row, 3)
        Moment about that point [N m]: the free moment.
    """

    name: str
    foot: Foot | None = None
    force: FloatArray
    point: FloatArray
    torque: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class GroundForces(OneLine):
    """Forces of all plates of a recording, y up.

    Parameters
    ----------
    time : ndarray (n_row,)
        Times [s], strictly increasing.
    plates : tuple of PlateForces
        In the order of the file; several may be of one foot.
    path : Path, optional
        The file that they come from.
    sha256 : str
        Digest of its bytes.
    """

    time: FloatArray
    plates: tuple[PlateForces, ...]
    path: Path | None = None
    sha256: str = ""

    @property
    def source(self) -> Source:
        """The file as it was read."""
        return Source(self.path, self.sha256)

    @property
    def feet(self) -> tuple[Foot, ...]:
        """Feet that have a plate, the right one first."""
        return tuple(foot for foot in FEET if any(one.foot == foot for one in self.plates))

    def vertical(self, foot: Foot) -> FloatArray:
        """Return the vertical force on a foot [N], the sum of its plates, (n_row,)."""
        forces = [one.force[:, 1] for one in self.plates if one.foot == foot]
        return np.asarray(np.sum(forces, axis=0) if forces else np.zeros_like(self.time))

    def of_foot(self, foot: Foot) -> PlateForces:
        """Return the resultant of the plates of a foot.

        Parameters
        ----------
        foot : {"right", "left"}
            The foot.

        Returns
        -------
        PlateForces
            Of one plate, that plate; of several, one force at the height of the first.

        Raises
        ------
        DataError
            If the foot has no plate.
        """
        plates = [one for one in self.plates if one.foot == foot]
        if not plates:
            raise DataError(
                where=Place(self.path, element="ground forces"),
                expected=f"a force plate of the {foot} foot",
                got=", ".join(
                    f"'{one.name}' ({one.foot or 'foot not known'})" for one in self.plates
                )
                or "none",
            )
        if len(plates) == 1:
            return replace(plates[0], name=foot[0])
        force = np.sum([one.force for one in plates], axis=0)
        moment = np.sum([np.cross(one.point, one.force) + one.torque for one in plates], axis=0)
        point, torque = resultant(force, moment, plates[0].point)
        return PlateForces(name=foot[0], foot=foot, force=force, point=point, torque=torque)

    def turned(self, rotation: FloatArray) -> GroundForces:
        """Return the forces in other axes.

        Parameters
        ----------
        rotation : ndarray (3, 3)
            Its rows are the new axes in terms of the old.

        Returns
        -------
        GroundForces
        """
        plates = tuple(
            replace(
                one,
                force=one.force @ rotation.T,
                point=one.point @ rotation.T,
                torque=one.torque @ rotation.T,
            )
            for one in self.plates
        )
        return replace(self, plates=plates)


def resultant(
    force: FloatArray, moment: FloatArray, unloaded: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return where a force acts, and the free moment about that point.

    Parameters
    ----------
    force : ndarray (n_row, 3)
        Force [N], y up.
    moment : ndarray (n_row, 3)
        Its moment about the origin [N m].
    unloaded : ndarray (n_row, 3)
        The point [m] to take where the vertical force is below `LOADED`; its height, elsewhere.

    Returns
    -------
    point : ndarray (n_row, 3)
        Points [m] at the height of `unloaded`.
    torque : ndarray (n_row, 3)
        Moment about them [N m]: vertical where there is a load.
    """
    point = unloaded.copy()
    loaded = np.abs(force[:, 1]) >= LOADED
    fx, fy, fz = force[loaded].T
    height = unloaded[loaded, 1]
    point[loaded, 0] = (moment[loaded, 2] + height * fx) / fy
    point[loaded, 2] = (height * fz - moment[loaded, 0]) / fy
    return point, moment - np.cross(point, force)


def foot_in(name: str) -> Foot | None:
    """Return the foot that a name of a plate or a body speaks of: calcn_r, l, Right_GRF."""
    words = re.split(r"[^a-z]+", name.casefold())
    sides = {SIDES[word] for word in words if word in SIDES}
    return sides.pop() if len(sides) == 1 else None


def check_plausible(forces: GroundForces) -> None:
    """Refuse forces that are in other units or axes than their labels say.

    Parameters
    ----------
    forces : GroundForces
        As read.

    Raises
    ------
    FileFormatError
        If the points are further from the origin than any lab is long, or torques greater than any
        foot can twist (mm, N mm); if forces point down, or along another axis than y.
    """
    for one in forces.plates:
        where = Place(forces.path, element=f"plate {one.name}")
        loaded = np.abs(one.force).max(axis=1) >= LOADED
        if not loaded.any():
            continue
        mean = one.force[loaded].mean(axis=0)
        up = int(np.abs(mean).argmax())
        if up != 1 or mean[1] < 0.0:
            raise FileFormatError(
                where=where,
                expected="forces on the body that point up, along y",
                got=f"a mean of {_vector(mean)} N along x, y, z",
                hint="Export the reaction on the body, not the action on the plate, in the axes of "
                "OpenSim: x forward, y up, z to the right",
                code="ground-forces-axes",
            )
        standing = one.force[:, 1] >= 0.2 * one.force[:, 1].max()
        for what, values, most, unit in (
            ("points", one.point, _FURTHEST, "m"),
            ("free moments", one.torque, _GREATEST_TORQUE, "N m"),
        ):
            typical = float(np.median(np.abs(values[standing]).max(axis=1)))
            if typical > most:
                raise FileFormatError(
                    where=where,
                    expected=f"{what} in {unit}, below {most:g}",
                    got=f"{typical:.4g} while somebody stands on it",
                    hint=f"The numbers seem to be in {unit.replace('m', 'mm')}: divide them by "
                    "1000, or export them again",
                    code="ground-forces-unit",
                )


def _vector(values: FloatArray) -> str:
    return ", ".join(f"{value:.4g}" for value in values)
