"""Take the text of a storage file apart, and name the line of whatever is wrong with it."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import FileFormatError, Place
from ceinms_torch.io.source import Source, read_text
from ceinms_torch.io.text_blocks import lines_of

_KEY_VALUE = re.compile(r"^\s*([A-Za-z][\w .-]*?)\s*=\s*(.*?)\s*$")
_COUNT = re.compile(r"^(nrows|datarows|nr|ncolumns|datacolumns|nc)(?:\s*=\s*|\s+)(\S*)$", re.I)
# What spreadsheets leave behind lines, and DOS at the end of a file.
_FILLING = ' \t,;"\x1a\f'
_TIME = re.compile(r"time(?![a-z])", re.I)
_FRAME = re.compile(r"frames?\W*|samples?|index|#|", re.I)
_MISSING = {"", "nan", "na", "n/a", "-", "-nan", "nan(ind)", "-nan(ind)", "null"}
# Another header can only begin so many lines behind the first.
_LONGEST_HEADER = 200


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


@dataclass(frozen=True)
class Columns:
    """How the rows of a file are divided.

    Parameters
    ----------
    labels : tuple of str
        Labels of all columns.
    delimiter : str or None
        What separates the values of a row; any white space if None.
    n_empty : int
        Empty columns behind the last label.
    time : int
        Index of the column of times: 1 behind a column of frame numbers, else 0.
    """

    labels: tuple[str, ...]
    delimiter: str | None
    n_empty: int
    time: int

    def cells(self, line: str) -> list[str]:
        """Return the cells of a row, those behind the last label left out where they are empty."""
        if '"' in line and self.delimiter:
            cells = next(csv.reader([line], skipinitialspace=True))
        else:
            cells = line.replace('"', "").strip().split(self.delimiter)
        excess = min(self.n_empty, len(cells) - len(self.labels))
        while excess > 0 and not cells[-1].strip():
            cells, excess = cells[:-1], excess - 1
        return cells


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
        If the file is missing, unreadable or no text.
    """
    text, source = read_text(path, "a storage file")
    return lines_of(text), source


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
    end = _last_end(lines)
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
    for i, line in enumerate(_bare(line) for line in lines[: 0 if end is None else end]):
        count = _COUNT.match(line)
        pair = _KEY_VALUE.match(line)
        if count:
            key = "rows" if count[1].casefold() in ("nr", "nrows", "datarows") else "columns"
            counts[key] = (_count(path, i, count[1], count[2]), i)
        elif pair:
            header[pair[1]] = pair[2]
        elif not name and line.strip():
            name = line.strip()
    label_line = next((i for i in range(first, len(lines)) if _bare(lines[i])), None)
    if label_line is None:
        raise FileFormatError(
            where=Place(path, len(lines), "labels"),
            expected="a line of column labels" + ("" if end is None else " after 'endheader'"),
            got="the end of the file",
        )
    return Layout(label_line, header, counts, header.get("name", name))


def read_head(path: Path, blocks: Iterator[list[str]]) -> list[str]:
    """Return the lines of a file up to where no header can follow, and the rest of that block.

    Parameters
    ----------
    path : Path
        The file: a ``.csv`` has its header in the first block, or none.
    blocks : iterator of list of str
        Its lines.

    Returns
    -------
    list of str
    """
    lines: list[str] = []
    for block in blocks:
        lines += block
        end = _last_end(lines)
        is_known = end is not None or path.suffix.casefold() == ".csv"
        if is_known and len(lines) > (end or 0) + _LONGEST_HEADER:
            break
    return lines


def _bare(line: str) -> str:
    return line.strip(_FILLING)


def has_content(lines: Sequence[str]) -> bool:
    """Tell whether a line has more in it than spreadsheets leave behind."""
    return any(map(_bare, lines))


def _last_end(lines: list[str]) -> int | None:
    """Return the index of the line that ends the header: of several headers, the last one."""
    end = None
    for i, line in enumerate(lines):
        if end is not None and i > end + _LONGEST_HEADER:
            break
        # Rows, most of which begin with a digit, need not be looked into.
        if not line[:1].isdigit() and _bare(line).casefold() == "endheader":
            end = i
    return end


def _count(path: Path, index: int, key: str, text: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    raise FileFormatError(
        where=Place(path, index + 1, key), expected="a whole number", got=f"'{text}'"
    )


def read_labels(path: Path, layout: Layout, lines: list[str]) -> Columns:
    """Read the label line, and find out by the first row what separates labels and values.

    Parameters
    ----------
    path : Path
        The file, for messages.
    layout : Layout
        Its header.
    lines : list of str
        All its lines.

    Returns
    -------
    Columns

    Raises
    ------
    FileFormatError
        If a label is empty or occurs twice, their number contradicts the header, or there is no
        column of times.
    """
    line, text = layout.label_line + 1, lines[layout.label_line]
    columns = _divided(text, next(filter(_bare, lines[line:]), ""))
    labels = columns.labels
    if not labels:  # such as quotes with nothing between them
        raise FileFormatError(
            where=Place(path, line, "labels"),
            expected="a label above every column, that of the times first",
            got="none",
            hint="Export the table with its labels",
        )
    if len(labels) == 1 and ";" in text:
        raise FileFormatError(
            where=Place(path, line, "labels"),
            expected="values separated by tabs, blanks or commas",
            got="semicolons",
            hint="Export with decimal points and comma separators",
        )
    for i, label in enumerate(labels):
        if not label and i >= columns.time:
            raise FileFormatError(
                where=Place(path, line, "labels"),
                expected="a label",
                got=f"column {i + 1} empty",
                hint="Write a name above every column, without blanks in it",
            )
        if label in labels[:i]:
            raise FileFormatError(
                where=Place(path, line, label),
                expected="every column label once",
                got=f"'{label}' again in column {i + 1}",
                hint="Rename one of the columns, or take it out",
            )
    announced, header_index = layout.counts.get("columns", (len(labels), 0))
    if announced != len(labels):
        raise FileFormatError(
            where=Place(path, line, "labels"),
            expected=f"{announced} labels, time included (header, line {header_index + 1})",
            got=str(len(labels)),
            hint="Labels cannot contain blanks, unless tabs or commas separate them"
            if len(labels) > announced
            else f"Correct line {header_index + 1}, or export the file again with all columns",
        )
    if columns.time == 0 and labels[0] and _FRAME.fullmatch(labels[0]):
        raise FileFormatError(
            where=Place(path, line, labels[0]),
            expected="a column of times [s] first, or second behind the frame numbers",
            got=f"'{labels[0]}' and no column 'time'",
            hint="Export the table with its times",
        )
    return columns


def _divided(label_line: str, first_row: str) -> Columns:
    """Divide labels and rows by what gives both the same number of cells."""
    by_tab = [" ".join(cell.split()) for cell in label_line.replace('"', "").split("\t")]
    by_blank = label_line.replace('"', "").split()
    ways: list[tuple[list[str], str | None]] = [(by_blank, None), (by_tab, None)]
    if "," in first_row:
        ways += [(by_blank, ","), (by_tab, ",")]
    if "," in label_line:
        by_comma = [" ".join(cell.split()) for cell in next(csv.reader([label_line]))]
        ways = [(by_comma, ","), *ways, (by_comma, None)]
    for labels, delimiter in ways:
        columns = _columns(labels, delimiter)
        if len(columns.cells(first_row)) == len(columns.labels):
            return columns
    # The rows do not fit, whatever divides them: the line says what they should be like.
    return _columns(*ways[0])


def _columns(cells: list[str], delimiter: str | None) -> Columns:
    labels = list(cells)
    while labels and not labels[-1]:
        labels.pop()
    has_frames = len(labels) > 1 and _TIME.match(labels[1]) and _FRAME.fullmatch(labels[0])
    return Columns(tuple(labels), delimiter, len(cells) - len(labels), 1 if has_frames else 0)


def parse_fast(rows: Sequence[str], columns: Columns, *, gaps: bool = False) -> FloatArray | None:
    """Parse all rows at once.

    Parameters
    ----------
    rows : sequence of str
        The lines below the labels; empty ones are skipped.
    columns : Columns
        How they are divided.
    gaps : bool
        Whether values may be missing: NaN.

    Returns
    -------
    ndarray (n_row, n_column) or None
        None if anything is wrong, whatever it is: `parse_by_line` finds out.
    """
    if rows and '"' in rows[0]:
        rows = [row.replace('"', "") for row in rows]
    if not any(map(str.strip, rows)):  # loadtxt would warn
        return None
    try:
        table = np.loadtxt(
            rows, dtype=np.float64, comments=None, delimiter=columns.delimiter, ndmin=2
        )
    except ValueError:
        return None
    known = ~np.isinf(table) if gaps else np.isfinite(table)
    return table if table.shape[1] == len(columns.labels) and known.all() else None


def parse_by_line(
    path: Path,
    lines: list[str],
    start: int,
    columns: Columns,
    *,
    gaps: bool = False,
    before: int = 0,
) -> FloatArray:
    """Parse row by row, to name the line and column of the first fault.

    Parameters
    ----------
    path : Path
        The file, for messages.
    lines : list of str
        Its lines.
    start : int
        Index of the first row among them.
    columns : Columns
        How the rows are divided.
    before : int
        Number of lines above these.
    gaps : bool
        Whether values may be missing: an empty cell, NaN or NA, which become NaN.

    Returns
    -------
    ndarray (n_row, n_column)

    Raises
    ------
    FileFormatError
        At the first value that is not a finite number, the first row with too few or too many
        values, or if there is no row.
    """
    labels = columns.labels
    rows: list[list[float]] = []
    for i in range(start, len(lines)):
        if not _bare(lines[i]):
            continue
        cells = columns.cells(lines[i])
        if len(cells) != len(labels):
            raise FileFormatError(
                where=Place(path, before + i + 1, "row"),
                expected=f"{len(labels)} values, one per label",
                got=f"{len(cells)}",
                hint="Export the file again: a label is missing or a value too many"
                if len(cells) > len(labels)
                else f"The value of '{labels[len(cells)]}' is the first without one",
            )
        pairs = zip(labels, cells, strict=True)
        rows.append(
            [
                math.nan
                if gaps and cell.strip().casefold() in _MISSING
                else _number(path, before + i, label, cell)
                for label, cell in pairs
            ]
        )
    if not rows:
        raise FileFormatError(
            where=Place(path, before + len(lines), "rows"),
            expected="at least one row of numbers",
            got="none",
            hint="Export the file again: it ends behind its labels",
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
            else "Fill gaps before the trial is used, or cut the trial there",
            code="decimal-comma" if comma else "not-a-number",
        )
    return value


# Programs that print numbers with six digits print so many.
_DIGITS = 6
# Steps of the true times above this share of the last printed digit hardly ever print the same. In
# so many rows, one row too many makes the mean step shorter by less than that.
_SHORT_STEP = 0.95
_ENOUGH_ROWS = 40


def times_of_six_digits(
    lines: Callable[[], list[str]], start: int, columns: Columns, time: FloatArray
) -> FloatArray | None:
    """Return evenly spaced times where six printed digits made different times the same.

    Beyond 100 s the sixth digit is a millisecond: at 2 kHz every other time repeats the one before.

    Parameters
    ----------
    lines : callable
        Returns all lines of the file.
    start : int
        Index of the line below the labels.
    columns : Columns
        How the rows are divided.
    time : ndarray (n_row,)
        Times as printed [s].

    Returns
    -------
    ndarray (n_row,) or None
        None where rounding does not explain every repeated time.
    """
    steps = np.diff(time)
    if len(time) < _ENOUGH_ROWS or (steps < 0.0).any() or not (steps == 0.0).any():
        return None
    texts = (columns.cells(line)[columns.time] for line in lines()[start:] if _bare(line))
    if any(len(re.sub(r"e.*|\D", "", text.lower()).lstrip("0")) > _DIGITS for text in texts):
        return None
    digit = 10.0 ** (math.floor(math.log10(np.abs(time).max())) - (_DIGITS - 1))
    row = np.arange(len(time), dtype=np.float64)
    step, first = np.polyfit(row, time, 1)
    even = first + step * row
    even += 0.5 * ((time - even).max() + (time - even).min())  # halves may all be rounded one way
    # Rounding moves a time by half a digit; the rest is for the slope, which is fitted to them.
    is_rounding = np.abs(even - time).max() <= 0.8 * digit and step < _SHORT_STEP * digit
    return even if is_rounding else None


def check_rows(
    path: Path, lines: Callable[[], list[str]], layout: Layout, time: FloatArray
) -> None:
    """Check the number of rows against the header, and that time increases.

    Parameters
    ----------
    path : Path
        The file, for messages.
    lines : callable
        Returns all its lines.
    layout : Layout
        Its header.
    time : ndarray (n_row,)
        The times of its rows [s].

    Raises
    ------
    FileFormatError
        If the header announces another number of rows, or a time is not after the one before.
    """

    def line_of(row: int) -> int:
        every = lines()
        filled = (i for i in range(layout.label_line + 1, len(every)) if _bare(every[i]))
        return [i for i, _ in zip(filled, range(row + 1), strict=False)][row] + 1

    announced, header_index = layout.counts.get("rows", (len(time), 0))
    if announced != len(time):
        raise FileFormatError(
            where=Place(path, line_of(min(announced, len(time) - 1)), "rows"),
            expected=f"{announced} rows (header, line {header_index + 1})",
            got=str(len(time)),
            hint="The file may be cut short" if len(time) < announced else None,
            code="row-count",
        )
    steps = np.diff(time)
    in_order = steps > 0  # which a missing time is not
    if not in_order.all():
        row = int(np.argmin(in_order)) + 1
        before, now = time[row - 1], time[row]
        raise FileFormatError(
            where=Place(path, line_of(row), "time"),
            expected=f"a time after {before:.10g} s",
            got=f"{now:.10g} s",
            hint="Every row needs a later time than the one before it",
            code="time-order",
        )
