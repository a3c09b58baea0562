"""Tables as recorders export them: a header of any kind, labels, perhaps units, rows of numbers.

Values are separated by tabs, semicolons, commas or blanks; with the first two, decimals may have a
comma. The table begins with the first row that is numbers in every filled cell, labels above it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import FileFormatError, Place
from ceinms_torch.io.source import Source
from ceinms_torch.io.storage_text import Columns, parse_by_line, parse_fast, read_lines

_UNIT = re.compile(
    r"[(\[]?\s*([mµμun]?V|m?s(?:ec)?|seconds?|%|Hz|N|N\s?m|mm|-|a\.?u\.?)\s*[)\]]?", re.I
)
_UNIT_BEHIND = re.compile(r"\s*[(\[]\s*([^)\]]*)\s*[)\]]\s*$")
TIME_LABEL = re.compile(r"time|zeit|tempo|temps|t|secs?|seconds?|x|.*time_series", re.I)
# First cells of rows that say something about channels, but are not their names.
_ABOUT = re.compile(r"(rate|range|units?|scale|gain|offset|frequenc\w*)\b.*", re.I)
_RATE = re.compile(
    r"(?<![a-z])(?:\w*\s*(?:rate|freq\w*|frequenz\w*)|abtastrate|fs)(?![a-z])"
    r"[^0-9\n]{0,40}?(\d+(?:[.,]\d+)?)\s*(k?hz|1/s)?",
    re.I,
)
# Rates of something else.
_OTHER_RATE = re.compile(
    r"video|frame|camera|marker|point|bit|baud|filter|cut-?off|notch|pass", re.I
)
_LONGEST_HEADER = 500  # lines
_ROWS = 10  # below which there are no more labels


@dataclass(frozen=True, kw_only=True)
class RecorderTable:
    """What a text file of a recorder says.

    Parameters
    ----------
    labels : tuple of str
        Of the columns, without their units; several columns of times may have one label.
    units : tuple of str
        Of the columns, empty where nothing says them.
    values : ndarray (n_row, n_column)
        As in the file; NaN where cells are empty.
    rates : tuple of float
        Sampling rates that the header states [Hz].
    label_line : int
        Line of the labels, from 1.
    source : Source
        The file.
    """

    labels: tuple[str, ...]
    units: tuple[str, ...]
    values: FloatArray
    rates: tuple[float, ...]
    label_line: int
    source: Source


def read_recorder_text(path: Path) -> RecorderTable:
    """Read a table with whatever a recorder writes above it.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    RecorderTable

    Raises
    ------
    FileFormatError
        If the file is missing or no text, has no table with labels, or a cell is neither empty nor
        a number.
    """
    lines, source = read_lines(path)
    start, delimiter, comma = _table(path, lines)
    width = len(_cells(lines[start], delimiter))
    label_line, labels, units = _labels(path, lines[:start], delimiter, width)
    columns = Columns(labels, delimiter, width - len(labels), 0)
    rows = [line.replace(",", ".") for line in lines] if comma else lines
    values = parse_fast(rows[start:], columns, gaps=True)
    if values is None:
        values = parse_by_line(path, rows, start, columns, gaps=True)
    return RecorderTable(
        labels=labels,
        units=units,
        values=values,
        rates=_rates(lines[:start]),
        label_line=label_line + 1,
        source=source,
    )


def _cells(line: str, delimiter: str | None) -> list[str]:
    cells = [cell.strip().strip('"').strip() for cell in line.strip("\r\n ").split(delimiter)]
    return cells[:-1] if delimiter and len(cells) > 1 and not cells[-1] else cells


def _table(path: Path, lines: Sequence[str]) -> tuple[int, str | None, bool]:
    """Return the first row's index, what separates cells, and whether commas are points."""
    for i, line in enumerate(lines[:_LONGEST_HEADER]):
        for delimiter in ("\t", ";", ",", None):
            cells, commas = _cells(line, delimiter), delimiter != ","
            if len(cells) < 2 or not _is_row(cells, commas):
                continue
            below = islice(lines, i + 1, i + 1 + _ROWS)
            if not any(_is_heading(_cells(one, delimiter), commas) for one in below):
                return i, delimiter, commas and any("," in cell for cell in cells)
    raise FileFormatError(
        where=Place(path, element="table"),
        expected="rows of numbers, separated by tabs, semicolons, commas or blanks, below labels",
        got="none",
        hint="Export the raw EMG as text: a line of channel names, and a row for every sample",
    )


def _is_row(cells: Sequence[str], commas: bool) -> bool:
    """Tell whether all filled cells are numbers, the first of them filled."""
    texts = [cell.replace(",", ".") if commas else cell for cell in cells]
    return bool(texts[0]) and all(not text or _number(text) is not None for text in texts)


def _is_heading(cells: Sequence[str], commas: bool) -> bool:
    """Tell whether cells are labels: several, and none of them a number."""
    texts = [cell.replace(",", ".") if commas else cell for cell in cells if cell]
    return len(texts) > 1 and all(_number(text) is None for text in texts)


def _number(text: str) -> float | None:
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def _labels(
    path: Path, head: Sequence[str], delimiter: str | None, width: int
) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
    """Return line, names and units of the columns: of the nearest line above that names all."""
    below = [""] * width
    for i in reversed(range(len(head))):
        cells = _cells(head[i], delimiter)
        if len(cells) != width and "\t" in head[i]:
            cells = _cells(head[i], "\t")
        if len(cells) != width or not any(cells):
            continue
        if all(not cell or _UNIT.fullmatch(cell) for cell in cells):
            below = cells
        elif not _ABOUT.fullmatch(cells[0]) and all(_number(cell) is None for cell in cells):
            return i, *_named(path, i + 1, cells, below)
    raise FileFormatError(
        where=Place(path, len(head) + 1, "labels"),
        expected=f"a line above the numbers with {width} labels, one for each column",
        got="none",
        hint="Write the names of the channels above their columns, separated as the numbers are",
    )


def _named(
    path: Path, line: int, cells: Sequence[str], below: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    names, units = [], []
    for i, (cell, unit) in enumerate(zip(cells, below, strict=True)):
        behind = _UNIT_BEHIND.search(cell)
        name = plain_label(cell[: behind.start() if behind and behind.start() else None])
        if (not name and i) or (name in names and not TIME_LABEL.fullmatch(name)):
            raise FileFormatError(
                where=Place(path, line, name or "labels"),
                expected="a name of its own above every column",
                got=f"{name!r} again in column {i + 1}" if name else f"column {i + 1} empty",
                hint="Rename one of the columns, or take it out",
            )
        names.append(name)
        units.append(unit.strip("()[] ") or (behind[1] if behind and behind.start() else ""))
    return tuple(names), tuple(units)


def plain_label(text: str) -> str:
    """Return a label as columns of storage files may have it: without blanks and commas."""
    return re.sub(r"[\s,]+", "_", text.strip())


def _rates(head: Sequence[str]) -> tuple[float, ...]:
    """Return the different sampling rates that a header states [Hz]."""
    found = []
    for line in head:
        if _OTHER_RATE.search(line):
            continue
        for number, unit in _RATE.findall(line):
            rate = float(number.replace(",", ".")) * (1e3 if unit.casefold() == "khz" else 1.0)
            if math.isfinite(rate) and rate > 0.0:
                found.append(rate)
    return tuple(np.unique(found).tolist())
