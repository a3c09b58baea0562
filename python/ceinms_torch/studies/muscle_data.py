"""Recordings of one muscle: time, length, activation and force from a CSV file."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ceinms_torch.arrays import BoolArray, FloatArray
from ceinms_torch.errors import FileFormatError
from ceinms_torch.io.source import Source, read_text

# A spline through fewer says nothing about a muscle.
FEWEST_ROWS = 4
# Activation as in Millard et al. (2013): time constant while it rises, and the least value.
TAU_ACTIVATION = 0.010  # [s]
LEAST_ACTIVATION = 0.01


@dataclass(frozen=True, kw_only=True, eq=False)
class MuscleRecording:
    """One recording of a muscle.

    Parameters
    ----------
    name : str
        Name of the file without its ending.
    source : Source
        The file.
    time : ndarray (n_row,)
        [s], strictly increasing.
    length : ndarray (n_row,)
        Of the MTU [m].
    force : ndarray (n_row,)
        Measured, along the tendon [N].
    activation : ndarray (n_row,) or None
        Measured [-]; None for a muscle that is excited fully from the first row on.
    """

    name: str
    source: Source
    time: FloatArray
    length: FloatArray
    force: FloatArray
    activation: FloatArray | None

    @property
    def displacement_range(self) -> float:
        """Largest less smallest length [m]."""
        return float(np.ptp(self.length))


def read_recording(path: Path, zero_length: float) -> MuscleRecording:
    """Read a recording.

    Parameters
    ----------
    path : Path
        A CSV file with a header: ``time_s``, ``length_m`` or ``displacement_mm``, ``force_N`` and
        optionally ``activation``, in any order; other columns are ignored.
    zero_length : float
        MTU length at which ``displacement_mm`` is zero [m].

    Returns
    -------
    MuscleRecording

    Raises
    ------
    FileFormatError
        If the file cannot be read, lacks a column, has too few rows, a value is not a finite
        number, an activation is outside 0 to 1, an MTU length is not positive or times do not
        increase.
    """
    header, rows, source = _read_rows(path)
    time = _column(path, header, rows, "time_s")
    force = _column(path, header, rows, "force_N")
    has_length, has_displacement = "length_m" in header, "displacement_mm" in header
    if has_length == has_displacement:
        raise FileFormatError(
            where=path,
            expected="a column length_m or displacement_mm",
            got="both" if has_length else f"columns {', '.join(header)}",
            hint="Names carry units: length_m in m, displacement_mm in mm",
        )
    if has_length:
        length = _column(path, header, rows, "length_m")
    else:
        length = zero_length + 1e-3 * _column(path, header, rows, "displacement_mm")
    activation = _column(path, header, rows, "activation") if "activation" in header else None
    _refuse_rows(path, time, np.diff(time, prepend=-np.inf) <= 0.0, "times that increase")
    _refuse_rows(path, length, length <= 0.0, "MTU lengths above zero [m]")
    if activation is not None:
        outside = (activation < 0.0) | (activation > 1.0)
        _refuse_rows(path, activation, outside, "activations from 0 to 1")
    return MuscleRecording(
        name=path.stem, source=source, time=time, length=length, force=force, activation=activation
    )


def _read_rows(path: Path) -> tuple[list[str], list[list[str]], Source]:
    text, source = read_text(path, "a CSV file")
    try:
        cells = csv.reader(io.StringIO(text, newline=""))
        lines = [row for row in cells if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise FileFormatError(where=path, expected="a CSV file", got=str(error)) from error
    header = [cell.strip() for cell in lines[0]] if lines else []
    rows = lines[1:]
    if len(rows) < FEWEST_ROWS:
        raise FileFormatError(
            where=path,
            expected=f"a header and at least {FEWEST_ROWS} rows",
            got=f"{len(rows)} rows",
        )
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            got = f"{len(row)} in row {number}"
            raise FileFormatError(
                where=path, expected=f"{len(header)} values in every row", got=got
            )
    return header, rows, source


def _column(path: Path, header: list[str], rows: list[list[str]], name: str) -> FloatArray:
    if header.count(name) != 1:
        raise FileFormatError(
            where=path,
            expected=f"one column {name}",
            got=f"{header.count(name)} among {', '.join(header)}",
            hint="The first row names the columns",
        )
    place = header.index(name)
    values = []
    for number, row in enumerate(rows, start=2):
        try:
            value = float(row[place])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise FileFormatError(
                where=path,
                expected=f"a finite number for {name} in row {number}",
                got=repr(row[place]),
            )
        values.append(value)
    return np.array(values)


def _refuse_rows(path: Path, values: FloatArray, is_wrong: BoolArray, expected: str) -> None:
    if is_wrong.any():
        i = int(np.argmax(is_wrong))
        raise FileFormatError(where=path, expected=expected, got=f"{values[i]:g} in row {i + 2}")


def full_activation(time: FloatArray) -> FloatArray:
    """Return the activation of a muscle that is fully excited from the first time on.

    First order, with a time constant that grows with activation, as Millard et al. (2013):
    da/dt = (u - a) / (tau (0.5 + 1.5 a)) while it rises; excitation u = 1, a(0) = 0.01.

    Parameters
    ----------
    time : ndarray (n_step,)
        [s], increasing.

    Returns
    -------
    ndarray (n_step,)
        [-].
    """
    from scipy.integrate import solve_ivp  # noqa: PLC0415  slow to load

    def rate(_: float, a: FloatArray) -> FloatArray:
        return (1.0 - a) / (TAU_ACTIVATION * (0.5 + 1.5 * a))

    span = (float(time[0]), float(time[-1]))
    solved = solve_ivp(
        rate, span, [LEAST_ACTIVATION], method="LSODA", t_eval=time, rtol=1e-8, atol=1e-10
    )
    return np.clip(np.asarray(solved.y[0], dtype=np.float64), 0.0, 1.0)
