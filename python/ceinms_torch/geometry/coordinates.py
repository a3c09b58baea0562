"""Joint angles of a motion file, in radians."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ceinms_torch.arrays import BoolArray, FloatArray
from ceinms_torch.errors import CeinmsTorchWarning, FileFormatError, Place, did_you_mean
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.source import Source
from ceinms_torch.io.storage import Storage, read_storage

Angles = Literal["degrees", "radians"]

# No joint is turned further than once around [rad], nor moved further in a pose of a person [m].
_FULL_TURN = 2.0 * math.pi
# Names that OpenSim's models give to translations end like this.
_TRANSLATIONS = ("_tx", "_ty", "_tz")


@dataclass(frozen=True, kw_only=True, eq=False)
class Coordinates(OneLine):
    """Coordinates of a model over time.

    Parameters
    ----------
    time : ndarray (n_row,)
        [s].
    names : tuple of str
        Names of the coordinates.
    values : ndarray (n_row, n_coordinate)
        [rad]; [m] of translations.
    paths : mapping of str to str
        Their paths in the model, such as ``/jointset/hip_r/hip_flexion_r``, where the file has
        them.
    source : Source
        The file.
    """

    time: FloatArray
    names: tuple[str, ...]
    values: FloatArray
    paths: Mapping[str, str]
    source: Source


def read_coordinates(
    path: str | os.PathLike[str],
    names: Sequence[str] | None = None,
    *,
    among: Collection[str] | None = None,
    angles: Angles | None = None,
    translations: Collection[str] = (),
) -> Coordinates:
    """Read joint angles, as inverse kinematics leaves them, in radians.

    Parameters
    ----------
    path : path-like
        A ``.mot``, ``.sto`` or ``.csv`` file of coordinates.
    names : sequence of str, optional
        The coordinates wanted, in their order; all columns, unless given.
    among : collection of str, optional
        Coordinates of the model: where no names are given, other columns are left out.
    angles : {"degrees", "radians"}, optional
        Unit of the angles in a file whose header does not say ``inDegrees``.
    translations : collection of str
        Coordinates that are distances, besides those whose names end in ``_tx``, ``_ty``, ``_tz``:
        they are metres in either case.

    Returns
    -------
    Coordinates

    Raises
    ------
    FileFormatError
        If the file is faulty, lacks a coordinate, does not say the unit of its angles and nobody
        else does, or has angles that cannot be in that unit.

    Warns
    -----
    CeinmsTorchWarning
        If angles in degrees are so small that they look like radians.
    """
    return coordinates_of(
        read_storage(path), names, among=among, angles=angles, translations=translations
    )


def coordinates_of(
    storage: Storage,
    names: Sequence[str] | None = None,
    *,
    among: Collection[str] | None = None,
    angles: Angles | None = None,
    translations: Collection[str] = (),
    doubt_small: bool = True,
) -> Coordinates:
    """Return the coordinates that a table has, as `read_coordinates` does those of a file.

    Parameters
    ----------
    storage : Storage
        A motion.
    names, among, angles, translations
        As of `read_coordinates`.
    doubt_small : bool
        Whether to warn of degrees that look like radians.

    Returns
    -------
    Coordinates

    Raises
    ------
    FileFormatError
        As `read_coordinates`.
    """
    labels = _labels(storage)
    known = [name for name in labels if among is None or name in among]
    wanted = tuple(known) if names is None else tuple(names)
    if not wanted:
        raise FileFormatError(
            where=Place(storage.path, storage.label_line),
            expected="coordinates of the model",
            got=", ".join(labels),
            hint="Take a motion of this model",
        )
    missing = next((name for name in wanted if name not in labels), None)
    if missing is not None:
        raise FileFormatError(
            where=Place(storage.path, storage.label_line, missing),
            expected=f"a column of the coordinate '{missing}'",
            got=f"the coordinates {', '.join(labels)}",
            hint=did_you_mean(missing, labels)
            or "The geometry depends on it: export it, too, or a motion of the same model",
            code="column-missing",
        )
    values = storage.select([labels[name] for name in wanted])
    is_angle = np.array(
        [name not in translations and not name.endswith(_TRANSLATIONS) for name in wanted]
    )
    unit = _unit(storage, angles)
    _check_size(storage, wanted, values, is_angle, unit)
    if doubt_small and unit == "degrees" and is_angle.any():
        _doubt_small(storage, values[:, is_angle])
    if unit == "degrees":
        values = np.where(is_angle, np.deg2rad(values), values)
    paths = {name: storage.paths.get(labels[name], labels[name]) for name in wanted}
    return Coordinates(
        time=storage.time,
        names=wanted,
        values=values,
        paths={name: path.removesuffix("/value") for name, path in paths.items() if "/" in path},
        source=storage.source,
    )


def _labels(storage: Storage) -> dict[str, str]:
    """Return the columns by the names of coordinates, speeds of OpenSim 4's files left out."""
    found = {}
    for label in storage.columns:
        path = storage.paths.get(label, label)
        if not path.startswith("/"):
            found[label] = label
        elif not path.endswith("/speed"):
            found[path.removesuffix("/value").rpartition("/")[2]] = label
    return found


def _unit(storage: Storage, angles: Angles | None) -> Angles:
    """Return the unit of the angles, of which the header has the last word."""
    said = {key.casefold() for key in storage.header}
    if "indegrees" not in said:
        if angles is None:
            raise FileFormatError(
                where=Place(storage.path, element="inDegrees"),
                expected="a header that says inDegrees=yes or inDegrees=no",
                got="none",
                hint="Say the unit of its angles: --angles degrees or --angles radians, "
                "angles= in Python",
                code="angles-unit",
            )
        return angles
    in_header: Angles = "degrees" if storage.in_degrees else "radians"
    if angles is not None and angles != in_header:
        raise FileFormatError(
            where=Place(storage.path, element="inDegrees"),
            expected=f"angles in {angles}, as was said",
            got=f"a header that says {in_header}",
            hint="Correct whichever of them is wrong",
            code="angles-unit",
        )
    return in_header


def _check_size(
    storage: Storage,
    names: tuple[str, ...],
    values: FloatArray,
    is_angle: BoolArray,
    unit: Angles,
) -> None:
    """Refuse radians beyond a full turn."""
    if not is_angle.any():
        return
    largest = np.where(is_angle, np.abs(values).max(axis=0), 0.0)
    worst = int(largest.argmax())
    if unit == "radians" and largest[worst] > _FULL_TURN:
        raise FileFormatError(
            where=Place(storage.path, element=names[worst]),
            expected="angles in radians, as the header says, within one turn",
            got=f"{largest[worst]:.4g}",
            hint="They look like degrees: write inDegrees=yes into the header",
            code="angles-unit",
        )


def _doubt_small(storage: Storage, angles: FloatArray) -> None:
    # Of all angles of the file: some coordinates hardly move.
    others = [i for i, name in enumerate(storage.columns) if not name.endswith(_TRANSLATIONS)]
    greatest = np.abs(storage.values[:, others]).max(initial=np.abs(angles).max())
    if 0.0 < greatest < 0.5 * math.pi:
        text = (
            f"the header says degrees, and no angle is greater than {greatest:.3g}: are they "
            "radians? Then write inDegrees=no into the header."
        )
        warnings.warn(CeinmsTorchWarning(text, "angles-unit", storage.path), stacklevel=4)
