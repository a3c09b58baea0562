"""Marker trajectories, and the TRC files that they come in.

A TRC file is three lines of header, a line of marker names, one of X1, Y1, Z1, ... and rows of
frame number, time and coordinates, all with tabs between::

    PathFileType    4    (X/Y/Z)    walk.trc
    DataRate    CameraRate    NumFrames    NumMarkers    Units    (and three of the original's)
    100         100           238          2             mm
    Frame#      Time          R.ASIS                     L.ASIS
                              X1     Y1    Z1            X2     Y2    Z2
    1           0.00          512.1  970.3 102.5         511.8  969.9 -98.0

A marker that a frame does not show is an empty cell, NaN, or all three 0 in files of some programs.
"""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.errors import (
    CeinmsTorchWarning,
    DataError,
    FileFormatError,
    Place,
    unknown_name,
)
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.paths import write_atomically
from ceinms_torch.io.source import Source
from ceinms_torch.io.storage_text import read_lines

_KEYS = ["DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units"]
_KEYS += ["OrigDataRate", "OrigDataStartFrame", "OrigNumFrames"]
METRES = {"m": 1.0, "meters": 1.0, "cm": 0.01, "mm": 0.001, "millimeters": 0.001}
# What the markers of a hand span at least, and those of a person walking through a lab at most [m].
_LEAST_SPAN, _LARGEST_SPAN = 0.02, 10.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Markers(OneLine):
    """Where markers were.

    Parameters
    ----------
    time : ndarray (n_frame,)
        Times [s], strictly increasing.
    names : tuple of str
        Names of the markers, all different.
    positions : ndarray (n_frame, n_marker, 3)
        Positions [m]; NaN where a marker was not seen.
    path : Path, optional
        The file that they come from.
    sha256 : str
        Digest of its bytes.
    """

    time: FloatArray
    names: tuple[str, ...]
    positions: FloatArray
    path: Path | None = None
    sha256: str = ""

    @property
    def source(self) -> Source:
        """The file as it was read."""
        return Source(self.path, self.sha256)

    @property
    def rate(self) -> float:
        """Frames a second [Hz]."""
        return 1.0 / float(np.median(np.diff(self.time))) if len(self.time) > 1 else 0.0

    def position(self, name: str) -> FloatArray:
        """Return the trajectory of one marker.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        ndarray (n_frame, 3)
            Positions [m].

        Raises
        ------
        UnknownNameError
            If there is no such marker.
        """
        if name not in self.names:
            raise unknown_name(Place(self.path, element="markers"), "a marker", name, self.names)
        return self.positions[:, self.names.index(name)]

    def turned(self, rotation: FloatArray) -> Markers:
        """Return the markers in other axes.

        Parameters
        ----------
        rotation : ndarray (3, 3)
            Its rows are the new axes in terms of the old.

        Returns
        -------
        Markers
        """
        return replace(self, positions=self.positions @ rotation.T)

    def between(self, start: float, stop: float) -> Markers:
        """Return the frames from one time to another [s], both included."""
        rows = (self.time >= start) & (self.time <= stop)
        return replace(self, time=self.time[rows], positions=self.positions[rows])


@one_blas_thread
def read_trc(path: str | os.PathLike[str]) -> Markers:
    """Read a TRC file.

    Parameters
    ----------
    path : path-like
        The file, in m, cm or mm as its header says.

    Returns
    -------
    Markers
        In metres.

    Raises
    ------
    FileFormatError
        If it is missing or no TRC file; two markers have one name; a row has other cells than the
        names ask for, or something that is no number; times do not increase; the counts or the
        unit of the header contradict what is there. The message names the line.
    """
    path = Path(path)
    lines, source = read_lines(path)
    header = _header(path, lines)
    names = _names(path, lines, header)
    time, positions = _rows(path, lines, names)
    _check_count(path, header, "NumFrames", len(time))
    scale = METRES.get(header.get("units", "").casefold())
    if scale is None:
        raise FileFormatError(
            where=Place(path, 3, "Units"),
            expected="one of m, cm, mm",
            got=f"'{header.get('units', '')}'",
            hint="Write the unit of the coordinates into the third line",
        )
    positions *= scale
    _mark_gaps(positions)
    markers = Markers(time=time, names=names, positions=positions, path=path, sha256=source.sha256)
    check_span(markers, Place(path, 3, "Units"), header["units"])
    return markers


def _header(path: Path, lines: list[str]) -> dict[str, str]:
    if not lines[0].casefold().startswith("pathfiletype") or len(lines) < 6:
        raise FileFormatError(
            where=Place(path, 1),
            expected="a TRC file, whose first line begins with PathFileType",
            got=f"'{lines[0][:40].strip()}'",
            hint="Export the marker trajectories as TRC",
        )
    # Neither has blanks in it, and some programs put more tabs between the values.
    return dict(zip(lines[1].casefold().split(), lines[2].split(), strict=False))


def _names(path: Path, lines: list[str], header: dict[str, str]) -> tuple[str, ...]:
    cells = [cell.strip() for cell in lines[3].split("\t")]
    names = tuple(cell for cell in cells[2:] if cell)
    where = Place(path, 4, "marker names")
    if len(cells) < 3 or not names or cells[1].casefold() != "time":
        got = f"'{lines[3][:40].strip()}'"
        expected = "Frame#, Time and the names of the markers, with tabs between"
        raise FileFormatError(where=where, expected=expected, got=got)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        got = f"'{twice[0]}' {names.count(twice[0])} times"
        raise FileFormatError(where=where, expected="every name once", got=got)
    _check_count(path, header, "NumMarkers", len(names))
    return names


def _check_count(path: Path, header: dict[str, str], key: str, count: int) -> None:
    announced = header.get(key.casefold(), "")
    if key == "NumFrames" and announced.isdecimal() and int(announced) < count:
        text = f"announces {announced} frames, there are {count}, which are all read."
        where = Place(path, 3, key)
        warnings.warn(CeinmsTorchWarning(text, "trc-frames", where), stacklevel=4)
    elif announced and announced != str(count):
        raise FileFormatError(
            where=Place(path, 3, key),
            expected=f"{announced}, as the header announces",
            got=f"{count} in the file",
            hint="The file was cut off, or changed by hand: export it again",
        )


def _rows(path: Path, lines: list[str], names: Sequence[str]) -> tuple[FloatArray, FloatArray]:
    n_cell = 2 + 3 * len(names)
    time: list[float] = []
    rows: list[list[float]] = []
    for i, line in enumerate(lines[5:], start=6):
        if not line.strip():
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        while len(cells) > n_cell and not cells[-1]:
            cells.pop()
        if len(cells) > n_cell or len(cells) < 3:
            raise FileFormatError(
                where=Place(path, i, "row"),
                expected=f"{n_cell} cells, a frame, a time and three of each marker",
                got=str(len(cells)),
                hint="Cells are separated by tabs",
            )
        numbers = [_number(path, i, cell) for cell in cells[1:]]
        if not numbers[0] > (time[-1] if time else -np.inf):
            raise FileFormatError(
                where=Place(path, i, "Time"),
                expected="a time after that of the row before",
                got=f"'{cells[1]}'",
            )
        time.append(numbers[0])
        rows.append(numbers[1:] + [np.nan] * (n_cell - len(cells)))
    if not rows:
        raise FileFormatError(
            where=Place(path, len(lines), "rows"), expected="at least one frame", got="none"
        )
    table = np.array(rows, dtype=np.float64).reshape(len(rows), len(names), 3)
    return np.array(time, dtype=np.float64), table


def _number(path: Path, line: int, cell: str) -> float:
    if not cell or cell.casefold() == "nan":
        return float("nan")
    try:
        return float(cell) if np.isfinite(float(cell)) else float("nan")
    except ValueError:
        raise FileFormatError(
            where=Place(path, line, "row"),
            expected="numbers with decimal points, or nothing where a marker was not seen",
            got=f"'{cell}'",
        ) from None


def _mark_gaps(positions: FloatArray) -> None:
    """Mark what some programs write where a marker was not seen: 0, 0, 0.

    A marker that is there in every frame is what the coordinates are relative to.
    """
    at_origin = (positions == 0.0).all(axis=2)
    is_gap = at_origin & ~at_origin.all(axis=0)
    positions[is_gap | np.isnan(positions).any(axis=2)] = np.nan


def check_span(markers: Markers, where: Place, unit: str) -> None:
    """Refuse markers that are further apart, or closer together, than those of a body.

    Parameters
    ----------
    markers : Markers
        In metres, if `unit` is true.
    where : Place
        Where the unit is stated.
    unit : str
        The unit stated.

    Raises
    ------
    FileFormatError
        If they span more than 10 m at one time or less than 20 mm, which another unit explains.
    """
    seen = ~np.isnan(markers.positions).any(axis=2)
    frames = seen.sum(axis=1) > 1
    if not frames.any():
        return
    several = markers.positions[frames]
    spans = np.nanmax(several, axis=1) - np.nanmin(several, axis=1)
    span = float(np.median(np.linalg.norm(spans, axis=1)))
    if _LEAST_SPAN <= span <= _LARGEST_SPAN or span == 0.0:
        return
    likely = "mm" if span > _LARGEST_SPAN else "m"
    raise FileFormatError(
        where=where,
        expected=f"markers that are {_LEAST_SPAN * 1000:g} mm to {_LARGEST_SPAN:g} m apart",
        got=f"{span:.4g} m, if the unit is {unit} as stated",
        hint=f"The coordinates seem to be in {likely}: correct the unit in the file"
        if likely != unit
        else "Some marker is far from all others: correct its trajectory, or its unit",
        code="marker-unit",
    )


def write_trc(path: str | os.PathLike[str], markers: Markers) -> None:
    """Write a TRC file in mm that OpenSim reads; what was not seen is NaN there.

    The file is replaced in one step.

    Parameters
    ----------
    path : path-like
        The file to write; its folder is created if needed.
    markers : Markers
        At least one frame; names without tabs.

    Raises
    ------
    DataError
        If there is no frame, or shapes or names cannot be written.
    """
    n_frame, n_marker = len(markers.time), len(markers.names)
    shape = (n_frame, n_marker, 3)
    if 0 in shape or markers.positions.shape != shape:
        got = f"time {markers.time.shape}, positions {markers.positions.shape}"
        expected = f"the shape ({n_frame or 'at least 1'}, {n_marker or 'at least 1'}, 3)"
        raise DataError(where=Place(Path(path), element="markers"), expected=expected, got=got)
    for name in markers.names:
        if not name.strip() or re.search(r"[\t\n\r]", name):
            expected = "names of markers, without tabs"
            raise DataError(where=Path(path), expected=expected, got=repr(name))
    rate = f"{markers.rate:.10g}"
    values = (rate, rate, str(n_frame), str(n_marker), "mm", rate, "1", str(n_frame))
    axes = [f"{axis}{i + 1}" for i in range(n_marker) for axis in "XYZ"]
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{Path(path).name}",
        "\t".join(_KEYS),
        "\t".join(values),
        "Frame#\tTime\t" + "\t\t\t".join(markers.names) + "\t\t",
        "\t\t" + "\t".join(axes),
        "",
    ]
    # To the nanometre: OpenSim reads an empty last cell as a missing one, NaN as what it is.
    millimetres = np.round(markers.positions.reshape(n_frame, -1) * 1000.0, 6) + 0.0
    for i, (time, row) in enumerate(zip(markers.time.tolist(), millimetres.tolist(), strict=True)):
        cells = ("NaN" if value != value else repr(value) for value in row)  # noqa: PLR0124  NaN
        lines.append("\t".join((str(i + 1), repr(time), *cells)))
    write_atomically(path, ("\n".join(lines) + "\n").encode())
