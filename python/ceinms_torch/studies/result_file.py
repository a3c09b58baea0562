"""What every study writes: its tables, what its figures are drawn from, where it came from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from ceinms_torch.errors import FileFormatError, Place
from ceinms_torch.io.plain import plain, read_json, revived
from ceinms_torch.io.results import RESULT_FILE, write_result_file
from ceinms_torch.results.provenance import versions
from ceinms_torch.studies.statistics import deviation

# Raised when a file of today could not be read by the code of yesterday.
FORMAT = 2

Cell = str | int | float | None


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of a study, as printed.

    Parameters
    ----------
    title : str
        What it shows.
    columns : tuple of str
        Headers, with units in brackets.
    rows : tuple of tuple
        Words, numbers, or None where there is nothing to say.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @classmethod
    def of(cls, title: str, rows: Iterable[Mapping[str, Cell]]) -> Self:
        """Return the table of rows that are mappings of headers, in the same order, to values."""
        listed = list(rows)
        columns = tuple(listed[0]) if listed else ()
        return cls(title=title, columns=columns, rows=tuple(tuple(row.values()) for row in listed))


def mean_and_spread(values: Sequence[float], digits: int = 3) -> Cell:
    """Return mean ± standard deviation in words, as tables have it; of a single value, the value.

    Parameters
    ----------
    values : sequence of float
        Of repetitions, such as seeds.
    digits : int
        Significant digits of the mean.

    Returns
    -------
    str or None
        None if there are none, or one is not finite.
    """
    if not values or not np.isfinite(values).all():
        return None
    spread = f" ± {deviation(values):.2g}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}g}{spread}"


@dataclass(frozen=True, kw_only=True)
class StudyResult:
    """The outcome of a study: all that its tables and figures need.

    Parameters
    ----------
    study : str
        Name of the study, that of its command.
    options : dict
        What was asked for, ready for JSON.
    data : dict
        What the figures are drawn from, ready for JSON.
    tables : tuple of Table
        What is printed.
    notes : tuple of str
        What a reader of the tables must know.
    warnings : tuple of str
        What was doubtful in the input.
    is_complete : bool
        False if Ctrl-C ended it early.
    inputs : dict of str to str
        SHA-256 of every input file by name, see `file_hashes`.
    versions : dict of str to str
        Software that computed it; that of this process by default.
    """

    study: str
    options: dict[str, Any]
    data: dict[str, Any] = field(repr=False)
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    is_complete: bool = True
    inputs: dict[str, str] = field(default_factory=dict, repr=False)
    versions: dict[str, str] = field(default_factory=versions, repr=False)

    def write(self, directory: str | os.PathLike[str]) -> Path:
        """Write ``result.json``.

        Parameters
        ----------
        directory : path-like
            The folder; made if needed.

        Returns
        -------
        Path
            The file.
        """
        return write_result_file(
            Path(directory), {"format": FORMAT, **plain(self)}, lists_files=False
        )

    @classmethod
    def read(cls, directory: str | os.PathLike[str], study: str) -> Self:
        """Read what `write` wrote.

        Parameters
        ----------
        directory : path-like
            The folder of the study, or its ``result.json``.
        study : str
            Which study it must be.

        Returns
        -------
        StudyResult

        Raises
        ------
        FileFormatError
            If there is no such file, or it is of another study or a later version.
        """
        path = Path(directory)
        path = path / RESULT_FILE if path.is_dir() else path
        hint = f"Name the --out folder of an earlier '{study}'"
        content = read_json(path, "a result file", hint)
        name = content.get("study")
        if name != study:
            got = "another file" if name is None else f"one of '{name}'"
            raise FileFormatError(where=path, expected=f"a result of '{study}'", got=got, hint=hint)
        if content.get("format") != FORMAT:
            raise FileFormatError(
                where=Place(path, element="format"),
                expected=str(FORMAT),
                got=str(content.get("format")),
                hint="Run the study again, or read it with the version that wrote it",
            )
        try:
            result: Self = revived(cls, content)
        except (KeyError, TypeError) as error:
            raise FileFormatError(
                where=path, expected=f"all of a result of '{study}'", got=f"none of {error}"
            ) from error
        return result
