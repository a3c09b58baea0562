"""Take the text of a storage file apart, and name the line of whatever is wrong with it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ceinms_torch.errors import FileFormatError, Place
from ceinms_torch.io.source import Source, read_text

FloatArray = NDArray[np.float64]

_KEY_VALUE = re.compile(r"^\s*([A-Za-z][\w .-]*?)\s*=\s*(.*?)\s*$")
_COUNT = re.compile(r"^\s*(nrows|datarows|ncolumns|datacolumns)(?:\s*=\s*|\s+)(\S*)\s*$", re.I)


@dataclass(frozen=True)
class Layout:
    """Where things are in a file.

    Parameters
    ----------
    label_line : int
        Index of the label line, counted from 0.
    header : dict of str to str
        The ``key=value`` lines.
    counts : dict of str to (int, int)
        For "rows" and "columns", where announced: the number and the index of the header line.
    name : str
        First free line of the header, or empty.
    """

    label_line: int
    header: dict[str, str]
    counts: dict[str, tuple[int, int]]
    name: str


def read_lines(path: Path) -> tuple[list[str], Source]:
    """Read the lines of a text file, without their ends, whatever those are.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    list of str
        The lines.
    Source
        The file as it was read.

    Raises
    ------
    FileFormatError
        If the file is missing, unreadable or not UTF-8.
    """
    text, source = read_text(path, "a storage file")
    # splitlines would also split at form feeds and other separators that editors do not count.
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), source


def read_header(path: Path, lines: list[str]) -> Layout:
    """Read everything above the labels.

    Parameters
    ----------
    path : Path
        The file, for messages; a ``.csv`` may lack the header.
    lines : list of str
        All its lines.

    Returns
    -------
    Layout

    Raises
    ------
    FileFormatError
        If ``endheader`` or the labels are missing, or a count is not a number.
    """
    end = next((i for i, line in enumerate(lines) if line.strip().casefold() == "endheader"), None)
    if end is None and path.suffix.casefold() != ".csv":
        raise FileFormatError(
            where=Place(path, element="endheader"),
            expected="a line 'endheader' between header and labels",
            got="none in the whole file",
            hint="Give the file the extension .csv if it is a plain table that starts with labels",
        )
    header: dict[str, str] = {}
    counts: dict[str, tuple[int, int]] = {}
    name = ""
    first = 0 if end is None else end + 1
    for i, line in enumerate(lines[: 0 if end is None else end]):
        count = _COUNT.match(line)
        pair = _KEY_VALUE.match(line)
        if count:
            key = "rows" if count[1].casefold().endswith("rows") else "columns"
            counts[key] = (_count(path, i, count[1], count[2]), i)
        elif pair:
            header[pair[1]] = pair[2]
        elif not name and line.strip():
            name = line.strip()
    label_line = next((i for i in range(first, len(lines)) if lines[i].strip()), None)
    if label_line is None:
        raise FileFormatError(
            where=Place(path, len(lines), "labels"),
            expected="a line of column labels" + ("" if end is None else " after 'endheader'"),
            got="the end of the file",
        )
    return Layout(label_line, header, counts, header.get("name", name))


def _count(path: Path, index: int, key: str, text: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    raise FileFormatError(
        where=Place(path, index + 1, key), expected="a whole number", got=f"'{text}'"
    )


def read_labels(path: Path, layout: Layout, text: str, delimiter: str | None) -> tuple[str, ...]:
    """Read the label line.

    Parameters
    ----------
    path : Path
        The file, for messages.
    layout : Layout
        Its header.
    text : str
        The label line.
    delimiter : str, optional
        What separates the values; any white space if None.

    Returns
    -------
    tuple of str
        Labels of all columns, time first.

    Raises
    ------
    FileFormatError
        If a label is empty or occurs twice, or their number contradicts the header.
    """
    line = layout.label_line + 1
    labels = tuple(label.strip().strip('"').strip() for label in text.strip().split(delimiter))
    if len(labels) == 1 and ";" in text:
        raise FileFormatError(
            where=Place(path, line, "labels"),
            expected="values separated by tabs, blanks or commas",
            got="semicolons",
            hint="Export with decimal points and comma separators",
        )
    for i, label in enumerate(labels):
        if not label:
            raise FileFormatError(
                where=Place(path, line, "labels"), expected="a label", got=f"column {i + 1} empty"
            )
        if label in labels[:i]:
            raise FileFormatError(
                where=Place(path, line, label),
                expected="every column label once",
                got=f"'{label}' again in column {i + 1}",
            )
    announced, header_index = layout.counts.get("columns", (len(labels), 0))
    if announced != len(labels):
        raise FileFormatError(
            where=Place(path, line, "labels"),
            expected=f"{announced} labels, time included (header, line {header_index + 1})",
            got=str(len(labels)),
            hint="Labels cannot contain blanks" if len(labels) > announced else None,
        )
    return labels


def parse_fast(rows: Sequence[str], n_column: int, delimiter: str | None) -> FloatArray | None:
    """Parse all rows at once.

    Parameters
    ----------
    rows : sequence of str
        The lines below the labels; empty ones are skipped.
    n_column : int
        Number of values a row should have.
    delimiter : str, optional
        What separates the values; any white space if None.

    Returns
    -------
    ndarray (n_row, n_column) or None
        None if anything is wrong, whatever it is: `parse_by_line` finds out.
    """
    if not any(row.strip() for row in rows[:10]):
        return None
    try:
        table = np.loadtxt(rows, dtype=np.float64, comments=None, delimiter=delimiter, ndmin=2)
    except ValueError:
        return None
    if table.shape[1] != n_column or not np.isfinite(table).all():
        return None
    return table


def parse_by_line(
    path: Path, lines: list[str], start: int, labels: tuple[str, ...], delimiter: str | None
) -> FloatArray:
    """Parse row by row, to name the line and column of the first fault.

    Parameters
    ----------
    path : Path
        The file, for messages.
    lines : list of str
        All its lines.
    start : int
        Index of the line below the labels.
    labels : tuple of str
        Labels of all columns.
    delimiter : str, optional
        What separates the values; any white space if None.

    Returns
    -------
    ndarray (n_row, len(labels))

    Raises
    ------
    FileFormatError
        At the first value that is not a finite number, the first row with too few or too many
        values, or if there is no row.
    """
    rows: list[list[float]] = []
    for i in range(start, len(lines)):
        if not lines[i].strip():
            continue
        cells = lines[i].strip().split(delimiter)
        if len(cells) != len(labels):
            raise FileFormatError(
                where=Place(path, i + 1, "row"),
                expected=f"{len(labels)} values, one per label",
                got=f"{len(cells)}",
                hint=None
                if len(cells) > len(labels)
                else f"The value of '{labels[len(cells)]}' is the first without one",
            )
        rows.append([_number(path, i, label, c) for label, c in zip(labels, cells, strict=True)])
    if not rows:
        raise FileFormatError(
            where=Place(path, len(lines), "rows"),
            expected="at least one row of numbers",
            got="none",
        )
    return np.array(rows, dtype=np.float64)


def _number(path: Path, index: int, label: str, cell: str) -> float:
    text = cell.strip()
    try:
        # float() takes digit groups such as 1_000, which no other reader of these files does.
        value = math.nan if "_" in text else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        comma = re.fullmatch(r"[-+]?\d+,\d+", text) is not None
        raise FileFormatError(
            where=Place(path, index + 1, label),
            expected="a finite number",
            got=f"'{text}'" if text else "an empty cell",
            hint="Write numbers with decimal points"
            if comma
            else "Fill gaps before the trial is used"
            if text.casefold() == "nan"
            else None,
            code="decimal-comma" if comma else "not-a-number",
        )
    return value


def check_rows(path: Path, lines: list[str], layout: Layout, table: FloatArray) -> None:
    """Check the number of rows against the header, and that time increases.

    Parameters
    ----------
    path : Path
        The file, for messages.
    lines : list of str
        All its lines.
    layout : Layout
        Its header.
    table : ndarray (n_row, n_column)
        Its rows, time [s] first.

    Raises
    ------
    FileFormatError
        If the header announces another number of rows, or a time is not after the one before.
    """

    def line_of(row: int) -> int:
        filled = (i for i in range(layout.label_line + 1, len(lines)) if lines[i].strip())
        return [i for i, _ in zip(filled, range(row + 1), strict=False)][row] + 1

    announced, header_index = layout.counts.get("rows", (len(table), 0))
    if announced != len(table):
        raise FileFormatError(
            where=Place(path, line_of(min(announced, len(table) - 1)), "rows"),
            expected=f"{announced} rows (header, line {header_index + 1})",
            got=str(len(table)),
            hint="The file may be cut short" if len(table) < announced else None,
            code="row-count",
        )
    steps = np.diff(table[:, 0])
    if (steps <= 0).any():
        row = int(np.argmax(steps <= 0)) + 1
        before, now = table[row - 1, 0], table[row, 0]
        raise FileFormatError(
            where=Place(path, line_of(row), "time"),
            expected=f"a time after {before:.10g} s",
            got=f"{now:.10g} s",
            hint="Every row needs a later time than the one before it",
            code="time-order",
        )
