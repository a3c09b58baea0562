"""The list of a study's trials (``trials.csv``): what was recorded, and what each is used for.

::

    trial,trc,emg,grf,start [s],stop [s],condition,use
    walk_1,walk.trc,walk.c3d,walk_grf.mot,0.266,1.411,walk,calibration
    walk_2,walk.trc,walk.c3d,walk_grf.mot,1.411,2.168,walk,test

Rows may share files: what is computed of a recording is computed once.
"""

from __future__ import annotations

import csv
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ceinms_torch.errors import FileFormatError, Place, did_you_mean
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.paths import kind_of, missing_file_hint, resolve_path
from ceinms_torch.io.source import read_text

Use = Literal["calibration", "test"]
USES: tuple[Use, ...] = ("calibration", "test")
# Columns with a file, and what is in it.
FILES = {
    "c3d": "markers, ground forces and analog channels",
    "trc": "markers",
    "motion": "joint angles",
    "emg": "raw EMG",
    "envelopes": "normalised EMG envelopes",
    "grf": "ground forces",
    "loads": "external loads",
    "moments": "joint moments",
    "muscle_analysis": "the folder with the files of MuscleAnalysis",
    "model": "the model with what was held in the hand, for inverse dynamics",
}
_TEXTS = ("trial", "condition", "use")
_TIMES = ("start", "stop")
COLUMNS = ("trial", *FILES, *_TIMES, "condition", "use")
_UNIT = re.compile(r"\s*\[s\]$")
_NO_NAME = re.compile(r"[\s/\\,:*?\"<>|]")


@dataclass(frozen=True, kw_only=True)
class TrialRow(OneLine):
    """A trial of a study.

    Parameters
    ----------
    name : str
        Its name, which its folder gets.
    files : mapping of str to Path
        Its files by their columns, see `FILES`; they exist.
    start, stop : float or None
        First and last time [s] that is used; None for those of the recording.
    condition : str
        What was done; empty if there is only one thing.
    use : {"calibration", "test"}
        Whether it is calibrated on.
    place : Place
        Its row.
    """

    name: str
    files: Mapping[str, Path]
    start: float | None = None
    stop: float | None = None
    condition: str = ""
    use: Use = "calibration"
    place: Place = field(default_factory=Place, compare=False)

    @property
    def kinematics(self) -> Path | None:
        """Where its movement is: joint angles, else markers."""
        return next(
            (self.files[one] for one in ("motion", "trc", "c3d") if one in self.files), None
        )


def read_trial_list(path: str | os.PathLike[str]) -> tuple[TrialRow, ...]:
    """Read a list of trials.

    Parameters
    ----------
    path : path-like
        A CSV file with a header of some of `COLUMNS`. Files are relative to its folder.

    Returns
    -------
    tuple of TrialRow
        In the order of the file.

    Raises
    ------
    FileFormatError
        If it has no rows, an unknown or repeated column, a trial twice, a file that does not exist,
        a time that is no number, or none to calibrate on. The message names the line.
    """
    path = Path(path)
    text, _ = read_text(path, "a list of trials (CSV)")
    dialect = (
        ";" if text.partition("\n")[0].count(";") > text.partition("\n")[0].count(",") else ","
    )
    lines = list(csv.reader(text.splitlines(), delimiter=dialect))
    numbered = [(i, [cell.strip() for cell in row]) for i, row in enumerate(lines, start=1)]
    numbered = [(i, row) for i, row in numbered if any(row) and not row[0].startswith("#")]
    if not numbered:
        raise FileFormatError(
            where=path, expected="a header and a row for each trial", got="nothing"
        )
    columns = _columns(path, *numbered[0])
    rows: dict[str, TrialRow] = {}
    for line, cells in numbered[1:]:
        row = _row(path, line, columns, cells)
        if row.name in rows:
            raise FileFormatError(
                where=row.place, expected="every trial once", got=f"'{row.name}' twice"
            )
        rows[row.name] = row
    if not any(row.use == "calibration" for row in rows.values()):
        raise FileFormatError(
            where=Place(path, element="use"),
            expected="at least one trial with the use 'calibration'",
            got="none" if rows else "no trials",
        )
    return tuple(rows.values())


def _columns(path: Path, line: int, header: list[str]) -> list[str]:
    names = [_UNIT.sub("", one.casefold()).replace(" ", "_") for one in header]
    for given, name in zip(header, names, strict=True):
        if name not in COLUMNS or names.count(name) > 1:
            raise FileFormatError(
                where=Place(path, line, given or "header"),
                expected=f"columns of {', '.join(COLUMNS)}, each once",
                got=repr(given),
                hint=did_you_mean(name, COLUMNS),
                code="trial-column",
            )
    if "trial" not in names:
        raise FileFormatError(
            where=Place(path, line, "header"), expected="a column 'trial'", got=", ".join(header)
        )
    return names


def _row(path: Path, line: int, columns: list[str], cells: list[str]) -> TrialRow:
    place = Place(path, line)
    if len(cells) > len(columns):
        raise FileFormatError(
            where=place, expected=f"{len(columns)} cells, as in the header", got=f"{len(cells)}"
        )
    given = {name: cell for name, cell in zip(columns, cells, strict=False) if cell}
    name, use = given.get("trial", ""), given.get("use", "calibration").casefold()
    if not name or _NO_NAME.search(name):
        raise FileFormatError(
            where=place, expected="a trial's name that a folder can have", got=repr(name)
        )
    if use not in USES:
        raise FileFormatError(
            where=Place(path, line, "use", name),
            expected=f"the use {' or '.join(USES)}",
            got=repr(use),
            hint=did_you_mean(use, USES),
        )
    times = {one: _time(Place(path, line, one, name), given[one]) for one in _TIMES if one in given}
    if len(times) == 2 and times["start"] >= times["stop"]:
        raise FileFormatError(
            where=Place(path, line, "start", name),
            expected="a start before the stop",
            got=f"{times['start']:g} and {times['stop']:g} s",
        )
    return TrialRow(
        name=name,
        files={one: _file(path, line, one, given[one]) for one in FILES if one in given},
        start=times.get("start"),
        stop=times.get("stop"),
        condition=given.get("condition", ""),
        use=use,
        place=Place(path, line, trial=name),
    )


def _time(place: Place, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise FileFormatError(where=place, expected="a time [s]", got=repr(text))
    return value


def _file(path: Path, line: int, column: str, text: str) -> Path:
    file = resolve_path(text, path)
    wanted = ("folder",) if column == "muscle_analysis" else ("file",)
    if (kind := kind_of(file)) not in wanted:
        raise FileFormatError(
            where=Place(path, line, column),
            expected=f"{FILES[column]}: a {wanted[0]} that exists",
            got=f"'{file}', which is {'missing' if kind == 'nothing' else f'a {kind}'}",
            hint=missing_file_hint(file),
            code="file-missing",
        )
    return file
