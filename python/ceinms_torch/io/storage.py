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

Accepted dialects: ``nRows=``/``nColumns=``, ``datarows``/``datacolumns`` and ``nr``/``nc`` in any
spelling and indentation, headers without counts (OpenSim 4), two headers, ``endheader`` in any
case, tabs, blanks or commas between the values, quotes around them, what spreadsheets leave behind
lines, any line ending, a column of frame numbers before the times, ``.csv`` files that start with
the labels; UTF-8, UTF-16 and code page 1252. Labels that are paths of OpenSim 4 are known by the
name in them. What would silently change numbers is refused with the line it is in: not-a-number
entries, short and long rows, times that do not increase, counts that contradict the header.
"""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import CeinmsTorchWarning, DataError, FileFormatError, Place, did_you_mean
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.paths import write_atomically
from ceinms_torch.io.source import Source
from ceinms_torch.io.storage_rows import rows_of_text
from ceinms_torch.io.storage_text import (
    Columns,
    check_rows,
    has_content,
    parse_by_line,
    parse_fast,
    read_head,
    read_header,
    read_labels,
    times_of_six_digits,
)
from ceinms_torch.io.text_blocks import TextBlocks

# Paths of OpenSim 4: /forceset/NAME|output, /jointset/JOINT/COORDINATE/value.
_SETS = {"forceset": 1, "jointset": 2}


@dataclass(frozen=True, kw_only=True, eq=False)
class Storage(OneLine):
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
        Labels of the other columns, all different; of a path of OpenSim 4 the name in it, unless
        other columns have the same.
    values : ndarray (n_row, n_column)
        The other columns, in the unit the file is in; finite, unless gaps were allowed.
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
    paths : mapping of str to str
        For columns that the file labels with a path, that path.
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
    paths: Mapping[str, str] = field(default_factory=dict)

    @property
    def source(self) -> Source:
        """The file as it was read."""
        return Source(self.path, self.sha256)

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
        return self.values[:, self.columns.index(self.label(name))]

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
        places = [self.columns.index(self.label(name)) for name in names]
        return np.ascontiguousarray(self.values[:, places])

    def label(self, *names: str) -> str:
        """Return the first of these labels that the file has.

        Parameters
        ----------
        *names : str
            Labels that mean the same.

        Returns
        -------
        str

        Raises
        ------
        FileFormatError
            If the file has none of them, or several columns whose paths have that name in them.
        """
        found = next((name for name in names if name in self.columns), None)
        if found is not None:
            return found
        where = Place(self.path, self.label_line, names[0])
        same = [label for label in self.columns if _name_in_path(label) in names]
        if same:
            raise FileFormatError(
                where=where,
                expected=f"one column of '{names[-1]}'",
                got=f"{len(same)}: {', '.join(same)}",
                hint="Leave only the one that is meant in the file, or give it the plain label "
                f"'{names[0]}'",
                code="column-ambiguous",
            )
        listing = ", ".join(self.columns[:12]) + (" ..." if len(self.columns) > 12 else "")
        raise FileFormatError(
            where=where,
            expected=f"a column with the label {' or '.join(map(repr, names))}",
            got=f"the labels {listing}" if listing else "no columns but time",
            hint=did_you_mean(names[0], self.columns)
            or f"Export the file with a column '{names[0]}', or write that label above the column "
            "that is meant",
            code="column-missing",
        )

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write it as a storage file; see `write_storage`.

        Parameters
        ----------
        path : path-like
            The file to write.
        """
        write_storage(
            path,
            self.time,
            self.columns,
            self.values,
            name=self.name,
            units=self.units,
            in_degrees=self.in_degrees,
        )


def _name_in_path(label: str) -> str | None:
    """Return the name in a path of OpenSim 4, None for any other label."""
    if not label.startswith("/"):
        return None
    parts = label.partition("|")[0].strip("/").split("/")
    for place, part in enumerate(parts):
        if part in _SETS:
            return parts[min(place + _SETS[part], len(parts) - 1)]
    return parts[-1]


def _named(labels: Sequence[str]) -> dict[str, str]:
    """Return the labels by the names they are known by: that in a path, where it is no other's."""
    names = [_name_in_path(label) or label for label in labels]
    counts = Counter(names)
    return {
        name if counts[name] == 1 else label: label
        for name, label in zip(names, labels, strict=True)
    }


def read_storage(path: str | os.PathLike[str], *, gaps: bool = False) -> Storage:
    """Read a storage file or a CSV table.

    Parameters
    ----------
    path : path-like
        A ``.sto``, ``.mot`` or ``.csv`` file; the extension matters only for ``.csv``, which may
        lack the header.
    gaps : bool
        Whether values, but no times, may be missing: those are NaN.

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
    with TextBlocks(path, "a storage file") as text:
        try:
            return _read(path, text, iter(text), gaps=gaps)
        except UnicodeDecodeError:  # another encoding, or no text
            return _read(path, text, iter([text.lines()]), gaps=gaps)


def _read(path: Path, text: TextBlocks, blocks: Iterator[list[str]], *, gaps: bool) -> Storage:
    head = read_head(path, blocks)
    layout = read_header(path, head)
    columns = read_labels(path, layout, head)
    start = layout.label_line + 1
    time, values = _table(path, text, chain([head], blocks), start, columns, gaps=gaps)
    even = times_of_six_digits(text.lines, start, columns, time)
    if even is not None:
        time = even
        said = (
            "times are printed with six digits, so that some repeat; their rows are taken every "
            f"{even[1] - even[0]:.6g} s from {even[0]:.7g} s on."
        )
        warnings.warn(CeinmsTorchWarning(said, "time-digits", path), stacklevel=3)
    check_rows(path, text.lines, layout, time)
    known = _named(columns.labels[columns.time + 1 :])
    lowered = {key.casefold(): value for key, value in layout.header.items()}
    return Storage(
        path=path,
        name=layout.name or path.stem,
        time=time,
        columns=tuple(known),
        values=values,
        in_degrees=lowered.get("indegrees", "no").casefold() in ("yes", "true", "1"),
        units=lowered.get("units", ""),
        header=layout.header,
        label_line=start,
        sha256=text.source.sha256,
        paths={name: label for name, label in known.items() if name != label},
    )


def _table(
    path: Path,
    text: TextBlocks,
    blocks: Iterable[list[str]],
    start: int,
    columns: Columns,
    *,
    gaps: bool,
) -> tuple[FloatArray, FloatArray]:
    """Return times (n_row,) and values (n_row, n_column), read block by block."""
    time = np.empty(0)
    values = np.empty((0, len(columns.labels) - columns.time - 1))
    n_row = before = 0
    for block in blocks:
        rows = block[max(start - before, 0) :]
        above, before = before + len(block) - len(rows), before + len(block)
        if not has_content(rows):
            continue
        part = parse_fast(rows, columns, gaps=gaps)
        if part is None:
            part = parse_by_line(path, rows, 0, columns, gaps=gaps, before=above)
        n_part = len(part)
        if n_row + n_part > len(time):
            # As many rows as the rest of the file has room for, if they are like these.
            share = max(text.n_byte / max(text.n_read, 1), 1.0)
            room = n_row + n_part if share == 1.0 else int(1.02 * share * (n_row + n_part)) + 1
            _resize(time, values, room)
        time[n_row : n_row + n_part] = part[:, columns.time]
        values[n_row : n_row + n_part] = part[:, columns.time + 1 :]
        n_row += n_part
    if n_row == 0:
        parse_by_line(path, [], 0, columns, before=before)  # says so
    _resize(time, values, n_row)
    return time, values


def _resize(time: FloatArray, values: FloatArray, n_row: int) -> None:
    """Give two arrays, which nothing else knows of, another number of rows, where they are."""
    time.resize(n_row, refcheck=False)
    values.resize((n_row, values.shape[1]), refcheck=False)


# No quantity of a body is as large in any unit; of what is larger squares are infinite. The number
# that some programs mark gaps by, the largest of single precision, is.
_LARGEST = 1e30


class StorageReader:
    """Reads recordings, each once, by whatever path it is called: trials may share files."""

    def __init__(self) -> None:
        self._read: dict[Path, Storage] = {}

    def __call__(self, path: Path) -> Storage:
        """Return a file as `read_storage` does, or as it was when it was read before.

        Raises
        ------
        FileFormatError
            As `read_storage`, or at the first number that no recording has.
        """
        file = path.resolve()
        if file not in self._read:
            storage = read_storage(path)
            if max(storage.values.max(initial=0.0), -storage.values.min(initial=0.0)) > _LARGEST:
                row, column = (int(i) for i in np.argwhere(np.abs(storage.values) > _LARGEST)[0])
                raise FileFormatError(
                    where=Place(path, element=storage.columns[column]),
                    expected=f"numbers of a recording, {_LARGEST:g} at most",
                    got=f"{storage.values[row, column]:.4g} at time {storage.time[row]:.6g} s",
                    hint="Fill gaps before the trial is used: some programs mark them like this",
                    code="not-a-number",
                )
            self._read[file] = storage
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
    head = ("\n".join(lines) + "\n").encode()
    write_atomically(path, chain([head], rows_of_text(times, table)))


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
