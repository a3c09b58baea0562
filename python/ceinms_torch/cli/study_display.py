"""What the commands of studies show: progress, the tables of a result, where it is."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable

from ceinms_torch.cli.display import note, stderr, stdout
from ceinms_torch.errors import OptionError
from ceinms_torch.io.paths import check_writable

if TYPE_CHECKING:
    from ceinms_torch.studies.result_file import Cell, StudyResult, Table


class StudyProgress:
    """A progress bar over the parts of a study.

    Parameters
    ----------
    name : str
        What is being done.
    n_part : int
        How many parts there are.
    quiet : bool
        Show nothing.
    """

    def __init__(self, name: str, n_part: int, *, quiet: bool) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[state]}"),
            console=stderr,
            disable=quiet,
        )
        self._task = self._progress.add_task(name, total=n_part, state="")

    def __enter__(self) -> StudyProgress:
        """Start the display."""
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the display and leave its last state visible."""
        self._progress.stop()

    def show(self, n_done: int, state: str) -> None:
        """Show how far the study is.

        Parameters
        ----------
        n_done : int
            Parts that are done.
        state : str
            What is being done, and how it goes.
        """
        self._progress.update(self._task, completed=n_done, state=escape(state))


def study_table(table: Table) -> RichTable:
    """Return a table of a study for the terminal.

    Parameters
    ----------
    table : Table
        The table, as its result file has it.

    Returns
    -------
    rich.table.Table
    """
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


def show_study(result: StudyResult, directory: Path, *, leave_out: tuple[str, ...] = ()) -> None:
    """Print the tables and notes of a study, and where its files are.

    Parameters
    ----------
    result : StudyResult
        The result.
    directory : Path
        Folder of its files.
    leave_out : tuple of str
        Titles of tables that are only in the file.
    """
    for table in result.tables:
        if table.title not in leave_out:
            stdout.print(study_table(table))
    for line in result.notes:
        stdout.print(escape(line))
    if not result.is_complete:
        note("interrupted; what was complete is kept", kind="warning")
    stdout.print(f"results: {escape(str(directory))}", soft_wrap=True)


def study_folder(
    study: str, setup: Path | None, source: Path | None, out: Path | None
) -> tuple[Path, StudyResult | None]:
    """Return where a study of a subject goes, and what is there if it is only drawn once more.

    Parameters
    ----------
    study : str
        Its name.
    setup : Path, optional
        The setup file to work on.
    source : Path, optional
        Folder or ``result.json`` of an earlier study, in place of the setup file.
    out : Path, optional
        The folder asked for; that of the earlier study, or one beside the setup file by default.

    Returns
    -------
    Path
        Can be written to.
    StudyResult or None
        The earlier study.

    Raises
    ------
    OptionError
        If both or neither is given, or the folder cannot be written to.
    """
    from ceinms_torch.studies.result_file import StudyResult  # noqa: PLC0415  keeps --help fast

    if source is not None and setup is None:
        directory = out or (source if source.is_dir() else source.parent)
        result = StudyResult.read(source, study)
    elif setup is not None and source is None:
        directory, result = out or setup.parent / f"{setup.stem}_{study}", None
    else:
        got = "neither" if setup is None else "both"
        raise OptionError(where=study, expected="a setup file, or --from with a folder", got=got)
    check_writable(directory)
    return directory, result
