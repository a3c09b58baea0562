"""What the commands of studies have in common: their course, progress, the tables of a result."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.markup import escape
from rich.table import Table as RichTable

from ceinms_torch.errors import OptionError
from ceinms_torch.io.results import CHECKPOINT_FILE, RESULT_FILE, results_in
from ceinms_torch.terminal.display import note, progress_bar, shown_warnings, stdout
from ceinms_torch.terminal.failures import INTERRUPTED
from ceinms_torch.terminal.outputs import claim, results_folder, say_overwriting, say_where

if TYPE_CHECKING:
    from ceinms_torch.inputs.folder import CalibrationFolder
    from ceinms_torch.model.trial import Trial
    from ceinms_torch.studies.result_file import Cell, StudyResult, Table

# A table with a row for each parameter, of which there are many: in the figure and in the file.
_LONG = "Parameters within their ranges, 0 to 1"


@contextmanager
def study_progress(name: str, n_part: int, *, quiet: bool) -> Iterator[Callable[[int, str], None]]:
    """Show a progress bar over the parts of a study.

    Parameters
    ----------
    name : str
        What is being done.
    n_part : int
        How many parts there are.
    quiet : bool
        Show nothing.

    Yields
    ------
    callable
        To be called with the number of parts that are done, and how the next one goes.
    """
    with progress_bar(quiet=quiet) as bar:
        task = bar.add_task(name, total=n_part, state="")
        yield lambda n_done, state: bar.update(task, completed=n_done, state=escape(state))


def _shown(table: Table) -> RichTable:
    """Return a table of a study for the terminal."""
    shown = RichTable(title=escape(table.title), title_justify="left")
    for i, header in enumerate(table.columns):
        is_number = any(isinstance(row[i], (int, float)) for row in table.rows)
        shown.add_column(
            escape(header.replace(" [", "\n[")),
            justify="right" if is_number else "left",
            overflow="fold",
        )
    for row in table.rows:
        shown.add_row(*(escape(_text(cell)) for cell in row))
    return shown


def _text(cell: Cell) -> str:
    if isinstance(cell, float):
        return "-" if math.isnan(cell) else f"{cell:.4g}"  # the file has no NaN either
    return "-" if cell is None else str(cell)


def read_inputs(
    setup: Path, test: Sequence[Path] | None
) -> tuple[CalibrationFolder, dict[str, Trial], dict[str, str]]:
    """Read what most studies work on.

    Parameters
    ----------
    setup : Path
        The calibration setup file.
    test : sequence of Path, optional
        ``inputData.xml`` of the test trials.

    Returns
    -------
    folder : CalibrationFolder
    tests : dict of str to Trial
        By name.
    inputs : dict of str to str
        Hashes of all files, see `file_hashes`.
    """
    from ceinms_torch.inputs.folder import CalibrationFolder  # noqa: PLC0415  keeps --help fast
    from ceinms_torch.results.provenance import file_hashes  # noqa: PLC0415

    folder = CalibrationFolder.read(setup)
    tests = folder.read_tests(test or ())
    return folder, tests, file_hashes(folder.sources(tests.values()), setup)


def run_study(
    study: str,
    worked_on: Path | None,
    *,
    out: Path | None,
    compute: Callable[[Path, Path], StudyResult],
    finish: Callable[[StudyResult, Path], StudyResult],
    quiet: bool,
    source: Path | None = None,
) -> None:
    """Do a study, or draw an earlier one once more: compute, finish, write, show.

    Parameters
    ----------
    study : str
        Its name.
    worked_on : Path, optional
        The first file that it works on.
    out : Path, optional
        Folder for the results, see `results_folder`.
    compute : callable
        Does the work; called with what is worked on and the folder, to keep there what is done.
    finish : callable
        Makes the tables and draws the figures; called with what was computed and the folder.
    quiet : bool
        No tables.
    source : Path, optional
        Folder or ``result.json`` of an earlier study, in place of what is worked on.

    Raises
    ------
    OptionError
        If there is neither anything to work on nor an earlier study, or both.
    typer.Exit
        After Ctrl-C.
    """
    from ceinms_torch.studies.result_file import StudyResult  # noqa: PLC0415

    if source is not None and worked_on is None:
        result = StudyResult.read(source, study)
        directory = results_folder(source if source.is_dir() else source.parent, out)
        say_overwriting(directory / RESULT_FILE)
        claim(directory)
    elif worked_on is not None and source is None:
        directory = results_folder(worked_on, out, study)
        say_overwriting(directory / RESULT_FILE)
        claim(directory)
        result = _computed(compute, worked_on, directory)
    else:
        got = "neither" if source is None else "both"
        raise OptionError(
            where=study, expected="a file to work on, or --from with a folder", got=got
        )
    with results_in(directory):
        result = finish(result, directory)
        result.write(directory)  # last: it says that everything beside it is complete
    for done in directory.glob(f"{CHECKPOINT_FILE}*") if result.is_complete else ():
        done.unlink()
    if not quiet:
        for table in result.tables:
            if table.title != _LONG:
                stdout.print(_shown(table))
        for line in result.notes:
            stdout.print(escape(line))
    if not result.is_complete:
        note("interrupted; what was complete is kept", kind="warning")
    say_where(directory)
    if not result.is_complete:
        raise typer.Exit(INTERRUPTED)


def _computed(
    compute: Callable[[Path, Path], StudyResult], worked_on: Path, directory: Path
) -> StudyResult:
    with shown_warnings() as warnings:
        try:
            result = compute(worked_on, directory)
        except KeyboardInterrupt:
            kept = directory / "cells"
            rest = f"the same command goes on from {kept}" if kept.exists() else "nothing is kept"
            note(f"interrupted; {rest}")
            raise typer.Exit(INTERRUPTED) from None
    return dataclasses.replace(result, warnings=tuple(warnings))
