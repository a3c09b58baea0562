"""The table of a study: who, under which condition, by which setup file."""

from __future__ import annotations

import csv
import glob
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from ceinms_torch.errors import FileFormatError, Place, did_you_mean
from ceinms_torch.inputs.outputs import safe_name
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.paths import kind_of, resolve_path

_COLUMNS = ("subject", "condition", "setup", "tests")
_NEEDED = ("subject", "setup")
# Columns of the table that says what became of every row.
OUTCOME_COLUMNS = {
    "subject": ("", "Who."),
    "condition": ("", "Under which condition; empty in a study without conditions."),
    "kind": ("", "calibration or run, by the setup file; empty where that could not be read."),
    "status": ("", "done, or failed."),
    "message": ("", "Why it failed."),
    "objective": ("", "Of the calibration's last step; its unit is in result.json."),
    "duration": ("s", "How long it took."),
    "warnings": ("", "Number of warnings; they are in outcome.json of the folder."),
    "folder": ("", "Folder of its results, within that of the study's."),
}


@dataclass(frozen=True, kw_only=True)
class StudyRow(OneLine):
    """One calibration or run of a study.

    Parameters
    ----------
    number : int
        Which row of the table, from 1; the header does not count.
    subject : str
        Who.
    condition : str
        Under which condition; "" in a study without conditions.
    setup : Path
        The setup file of a calibration or of a run. It need not exist: then the row fails.
    tests : tuple of str
        ``inputData.xml`` of test trials: files, folders and patterns, absolute.
    others : mapping of str to str
        The lab's own columns.
    """

    number: int
    subject: str
    condition: str
    setup: Path
    tests: tuple[str, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What it is called, for people."""
        return f"{self.subject}, {self.condition}" if self.condition else self.subject

    @property
    def folder(self) -> Path:
        """Folder of its results, within that of the study's."""
        parts = [one for one in (self.subject, self.condition) if one]
        return Path("subjects", *map(safe_name, parts))

    def test_files(self) -> list[Path]:
        """Return the test trials.

        Returns
        -------
        list of Path
            Of each pattern sorted. A file without wildcards may be missing: its reader says so.

        Raises
        ------
        FileFormatError
            If a folder or a pattern has no file.
        """
        return [file for pattern in self.tests for file in _matches(pattern)]


def _matches(pattern: str) -> list[Path]:
    found = [Path(pattern)]
    if kind_of(found[0]) == "nothing" and glob.has_magic(pattern):
        found = [Path(name) for name in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207
    files = [
        file
        for path in found
        for file in (sorted(path.rglob("inputData.xml")) if path.is_dir() else [path])
    ]
    if not files:
        where = Place(element="tests")
        raise FileFormatError(
            where=where, expected="at least one inputData.xml", got=f"none in '{pattern}'"
        )
    return files


@dataclass(frozen=True, kw_only=True)
class CohortStudy(OneLine):
    """A study: its rows in the order of the file.

    Parameters
    ----------
    path : Path
        The file.
    rows : tuple of StudyRow
        At least one.
    """

    path: Path
    rows: tuple[StudyRow, ...] = field(repr=False)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read a study.

        Parameters
        ----------
        path : path-like
            A table with commas, semicolons or tabs between, its header in the first row: `subject`,
            `setup`, and, if wanted, `condition`, `tests` (files, folders and patterns, with
            semicolons or vertical bars between) and columns of the lab's own. Names of files are
            relative to the table.

        Returns
        -------
        CohortStudy

        Raises
        ------
        FileFormatError
            If a column is missing or there twice, a cell that is needed is empty, a row has other
            cells than the header, or two rows are of one subject and condition.
        """
        path = Path(path)
        table = _table(path)
        _, header = next(table, (1, []))
        _check_header(path, header)
        rows: list[StudyRow] = []
        lines: dict[Path, int] = {}
        for line, cells in table:
            if not any(cells):
                continue
            if len(cells) != len(header):
                raise FileFormatError(
                    where=Place(path, line),
                    expected=f"{len(header)} cells, as in the header",
                    got=str(len(cells)),
                    hint="Put cells in which the separator occurs between double quotes",
                )
            row = _row(path, line, dict(zip(header, cells, strict=True)), len(rows) + 1)
            earlier = lines.setdefault(row.folder, line)
            if earlier != line:
                raise FileFormatError(
                    where=Place(path, line, "subject"),
                    expected="one row of each subject and condition",
                    got=f"'{row.label}', as line {earlier} has it",
                    hint="Tell rows of one subject apart in a column 'condition'",
                )
            rows.append(row)
        if not rows:
            raise FileFormatError(where=path, expected="at least one row", got="a header alone")
        _check_folders(path, rows)
        return cls(path=path, rows=tuple(rows))

    @property
    def other_columns(self) -> tuple[str, ...]:
        """Names of the lab's own columns."""
        return tuple(self.rows[0].others)


def _table(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Iterate over the rows of a table with the lines that they begin in."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        got = "another encoding" if isinstance(error, ValueError) else f"'{error.strerror}'"
        raise FileFormatError(
            where=path, expected="a table of a study, in UTF-8", got=got
        ) from error
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)  # the comma where there is none
    reader = csv.reader(text.splitlines(keepends=True), delimiter=separator, strict=True)
    line = 1
    try:
        for cells in reader:
            yield line, [cell.strip() for cell in cells]
            line = reader.line_num + 1
    except csv.Error as error:
        raise FileFormatError(
            where=Place(path, line), expected="cells, quoted ones closed", got=f"'{error}'"
        ) from error


def _check_header(path: Path, header: list[str]) -> None:
    where = Place(path, 1, "header")
    for name in _NEEDED:
        if name not in header:
            known = f"Columns are {', '.join(map(repr, header)) or 'none'}"
            raise FileFormatError(
                where=where,
                expected=f"a column '{name}'",
                got="none",
                hint=f"{known}. {did_you_mean(name, header) or ''}",
            )
    for name in header:
        if not name or header.count(name) > 1:
            got = f"'{name}' {header.count(name)} times" if name else "one without a name"
            raise FileFormatError(where=where, expected="columns with names of their own", got=got)
        if name in OUTCOME_COLUMNS and name not in _COLUMNS:
            raise FileFormatError(
                where=where,
                expected="columns that subjects.csv does not have by itself",
                got=f"'{name}'",
                hint="Rename it",
            )


def _row(path: Path, line: int, cells: dict[str, str], number: int) -> StudyRow:
    for name in (*_NEEDED, "condition"):
        if not cells.get(name, "" if name in _NEEDED else "none"):
            raise FileFormatError(
                where=Place(path, line, name), expected="a value", got="an empty cell"
            )
    tests = (one.strip() for one in cells.get("tests", "").replace("|", ";").split(";"))
    return StudyRow(
        number=number,
        subject=cells["subject"],
        condition=cells.get("condition", ""),
        setup=_absolute(cells["setup"], path),
        tests=tuple(str(_absolute(one, path)) for one in tests if one),
        others={name: cell for name, cell in cells.items() if name not in _COLUMNS},
    )


def _absolute(text: str, path: Path) -> Path:
    return Path(resolve_path(text, path)).absolute()


def _check_folders(path: Path, rows: list[StudyRow]) -> None:
    """Refuse names that a file system which ignores case would take for one."""
    seen: dict[str, StudyRow] = {}
    for row in rows:
        earlier = seen.setdefault(str(row.folder).casefold(), row)
        if earlier is not row:
            raise FileFormatError(
                where=Place(path, element="subject"),
                expected="names that differ in more than upper and lower case",
                got=f"'{earlier.label}' and '{row.label}'",
            )
