"""OpenSim storage files (``.sto``, ``.mot``) and plain ``.csv`` tables of numbers over time.

A storage file is a header, a line ``endheader``, a line of labels and rows of numbers::

    Length
    version=1
    nRows=2
    nColumns=3
    inDegrees=no
    endheader
    time    soleus_r    tibant_r
    0.00    0.2974      0.3101
    0.01    0.2979      0.3097

Accepted dialects: ``nRows=``/``nColumns=`` and ``datarows``/``datacolumns`` in any spelling and
indentation, headers without counts (OpenSim 4), ``endheader`` in any case, tabs, blanks or commas
between the values, any line ending, and ``.csv`` files that start with the labels. What would
silently change numbers is refused with the line it is in: not-a-number entries, short and long
rows, times that do not increase, counts that contradict the header.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ceinms_torch.errors import DataError, FileFormatError, Place, did_you_mean
from ceinms_torch.io.display import one_line
from ceinms_torch.io.paths import write_atomically
from ceinms_torch.io.source import Source
from ceinms_torch.io.storage_text import (
    FloatArray,
    check_rows,
    parse_by_line,
    parse_fast,
    read_header,
    read_labels,
    read_lines,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Storage:
    """Content of a storage file.

    Parameters
    ----------
    path : Path
        The file it was read from.
    name : str
        First header line; the file stem where the header has none.
    time : ndarray (n_row,)
        First column [s], strictly increasing.
    columns : tuple of str
        Labels of the other columns, all different.
    values : ndarray (n_row, n_column)
        The other columns, in the unit the file is in; finite.
    in_degrees : bool
        What the header says about angles.
    units : str
        Content of the header's ``units=`` line; empty without one.
    header : mapping of str to str
        All ``key=value`` lines of the header, keys as spelt there.
    label_line : int, optional
        Line the labels are in, from 1.
    sha256 : str
        Digest of the bytes that were read.
    """

    path: Path
    name: str
    time: FloatArray
    columns: tuple[str, ...]
    values: FloatArray
    in_degrees: bool = False
    units: str = ""
    header: Mapping[str, str] = field(default_factory=dict)
    label_line: int | None = None
    sha256: str = ""

    @property
    def source(self) -> Source:
        """The file as it was read."""
        return Source(self.path, self.sha256)

    __repr__ = one_line

    def column(self, name: str) -> FloatArray:
        """Return one column by its label.

        Parameters
        ----------
        name : str
            The label, exactly as in the file.

        Returns
        -------
        ndarray (n_row,)

        Raises
        ------
        FileFormatError
            If the file has no such column.
        """
        return self.values[:, self._index(name)]

    def select(self, names: Iterable[str]) -> FloatArray:
        """Return several columns by their labels, in the order asked for.

        Parameters
        ----------
        names : iterable of str
            Labels, exactly as in the file.

        Returns
        -------
        ndarray (n_row, len(names))

        Raises
        ------
        FileFormatError
            If the file lacks one of the columns.
        """
        return np.ascontiguousarray(self.values[:, [self._index(name) for name in names]])

    def _index(self, name: str) -> int:
        try:
            return self.columns.index(name)
        except ValueError:
            listing = ", ".join(self.columns[:12]) + (" ..." if len(self.columns) > 12 else "")
            raise FileFormatError(
                where=Place(self.path, self.label_line, name),
                expected=f"a column with the label '{name}'",
                got=f"the labels {listing}" if listing else "no columns but time",
                hint=did_you_mean(name, self.columns),
                code="column-missing",
            ) from None


def read_storage(path: str | os.PathLike[str]) -> Storage:
    """Read a storage file or a CSV table.

    Parameters
    ----------
    path : path-like
        A ``.sto``, ``.mot`` or ``.csv`` file; the extension matters only for ``.csv``, which may
        lack the header.

    Returns
    -------
    Storage

    Raises
    ------
    FileFormatError
        If the file is missing or unreadable; lacks ``endheader``, labels or rows; has a value that
        is not a finite number, a row with too few or too many values, times that do not increase,
        two columns with one label, or other counts than its header announces. The message names
        the line.
    """
    path = Path(path)
    lines, source = read_lines(path)
    layout = read_header(path, lines)
    label_text = lines[layout.label_line]
    delimiter = "," if "," in label_text else None
    labels = read_labels(path, layout, label_text, delimiter)
    table = parse_fast(lines[layout.label_line + 1 :], len(labels), delimiter)
    if table is None:
        table = parse_by_line(path, lines, layout.label_line + 1, labels, delimiter)
    check_rows(path, lines, layout, table)
    lowered = {key.casefold(): value for key, value in layout.header.items()}
    return Storage(
        path=path,
        name=layout.name or path.stem,
        time=np.ascontiguousarray(table[:, 0]),
        columns=labels[1:],
        values=np.ascontiguousarray(table[:, 1:]),
        in_degrees=lowered.get("indegrees", "no").casefold() in ("yes", "true", "1"),
        units=lowered.get("units", ""),
        header=layout.header,
        label_line=layout.label_line + 1,
        sha256=source.sha256,
    )


class StorageReader:
    """Reads storage files, each once, by whatever path it is called: trials may share files."""

    def __init__(self) -> None:
        self._read: dict[Path, Storage] = {}

    def __call__(self, path: Path) -> Storage:
        """Return a file as `read_storage` does, or as it was when it was read before."""
        file = path.resolve()
        if file not in self._read:
            self._read[file] = read_storage(path)
        return replace(self._read[file], path=path)


def write_storage(
    path: str | os.PathLike[str],
    time: ArrayLike,
    columns: Sequence[str],
    values: ArrayLike,
    *,
    name: str,
    units: str,
    in_degrees: bool = False,
) -> None:
    """Write a storage file that OpenSim and CEINMS read.

    The file is replaced in one step and its folder created if needed. Numbers are written with as
    many digits as it takes to read the same value back.

    Parameters
    ----------
    path : path-like
        The file to write.
    time : array_like (n_row,)
        Times [s], finite and strictly increasing, at least one.
    columns : sequence of str
        Labels, all different, without white space and commas.
    values : array_like (n_row, n_column)
        Finite numbers in the unit `units`.
    name : str
        First header line; one line of text.
    units : str
        Unit of the values, for the header; one line of text.
    in_degrees : bool
        Whether the values are angles in degrees.

    Raises
    ------
    DataError
        If the shapes do not fit, a value is not finite, times do not increase, or a label or
        header text cannot be written.
    """
    times = np.asarray(time, dtype=np.float64)
    table = np.asarray(values, dtype=np.float64)
    _check_table(path, times, columns, table)
    for key, text in (("name", name), ("units", units)):
        if len(text.splitlines()) > 1 or text.strip().casefold() == "endheader":
            raise DataError(
                where=Place(Path(path), element=key), expected="one line of text", got=repr(text)
            )
    lines = [
        name.strip() or Path(path).stem,
        "version=1",
        f"nRows={len(times)}",
        f"nColumns={len(columns) + 1}",
        f"inDegrees={'yes' if in_degrees else 'no'}",
        f"units={units.strip()}",
        "endheader",
        "\t".join(("time", *columns)),
    ]
    lines.extend("\t".join(map(repr, row)) for row in np.column_stack((times, table)).tolist())
    write_atomically(path, ("\n".join(lines) + "\n").encode())


def _check_table(
    path: str | os.PathLike[str], time: FloatArray, columns: Sequence[str], table: FloatArray
) -> None:
    def where(element: str) -> Place:
        return Place(Path(path), element=element)

    if time.ndim != 1 or len(time) == 0 or table.shape != (len(time), len(columns)):
        shape = f"({len(time) or 'at least 1'}, {len(columns)})" if time.ndim == 1 else "(n_row,)"
        got = f"time {time.shape}, values {table.shape}"
        raise DataError(where=where("values"), expected=f"the shape {shape}", got=got)
    for i, label in enumerate(columns):
        if not label or re.search(r"[\s,]", label) or label in columns[:i]:
            expected = "different labels without white space and commas"
            raise DataError(where=where("columns"), expected=expected, got=repr(label))
    finite = np.isfinite(table)
    if not finite.all():
        row, column = (int(i) for i in np.argwhere(~finite)[0])
        got = f"{table[row, column]} at time {time[row]:.6g} s"
        raise DataError(where=where(columns[column]), expected="finite numbers", got=got)
    if not np.isfinite(time).all() or (np.diff(time) <= 0).any():
        raise DataError(
            where=where("time"), expected="finite, increasing times", got="times that are not"
        )
