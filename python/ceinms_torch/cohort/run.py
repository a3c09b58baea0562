"""`run_cohort`: every row of a study, each published once; and one table of each kind."""

from __future__ import annotations

import csv
import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ceinms_torch.blas import one_blas_thread
from ceinms_torch.cohort.outcome import Outcome, remove_working_folders
from ceinms_torch.cohort.study import OUTCOME_COLUMNS, CohortStudy, StudyRow
from ceinms_torch.cohort.tables import (
    ABOUT,
    DICTIONARY_FILE,
    TableName,
    columns_of,
    csv_text,
    dictionary,
)
from ceinms_torch.cohort.task import TABLES_FOLDER, CohortOptions, Task
from ceinms_torch.cohort.workers import DaskWorkers, ThisProcess, Workers
from ceinms_torch.errors import FileFormatError
from ceinms_torch.io.display import OneLine, optional
from ceinms_torch.io.interrupts import held
from ceinms_torch.io.paths import kind_of, written_in_pieces
from ceinms_torch.io.results import claimed

if TYPE_CHECKING:
    import pandas as pd

SUBJECTS_FILE = "subjects.csv"
Progress = Callable[["CohortRow", bool], None]


@dataclass(frozen=True, kw_only=True)
class CohortRow(OneLine):
    """A row of a study and what became of it.

    Parameters
    ----------
    row : StudyRow
        What was to do.
    outcome : Outcome
        What became of it.
    """

    row: StudyRow
    outcome: Outcome = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class CohortTable(OneLine):
    """A long table of a study, on disk.

    Parameters
    ----------
    path : Path
        The file.
    """

    path: Path

    def to_dataframe(self) -> pd.DataFrame:
        """Return it as a pandas data frame; subjects, conditions and trials are text.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        ImportError
            If pandas is not installed (``pip install pandas``).
        """
        pandas = optional("pandas")
        with self.path.open(encoding="utf-8", newline="") as file:
            names = next(csv.reader(file))
        # Read as Python does, to the last digit.
        frame: pd.DataFrame = pandas.read_csv(
            self.path,
            dtype={name: str for name in names if name != "value"},
            converters={"value": lambda text: float(text or "nan")},
            keep_default_na=False,
        )
        return frame

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write it as Parquet, a piece at a time.

        Parameters
        ----------
        path : path-like
            The file.

        Raises
        ------
        ImportError
            If pyarrow is not installed (``pip install pyarrow``).
        """
        optional("pyarrow")
        tables, parquet = optional("pyarrow.csv"), optional("pyarrow.parquet")
        types = optional("pyarrow")
        with self.path.open(encoding="utf-8", newline="") as file:
            names = next(csv.reader(file))
        kinds = {one: types.float64() if one == "value" else types.string() for one in names}
        how = tables.ConvertOptions(column_types=kinds, null_values=[""], strings_can_be_null=False)
        with (
            tables.open_csv(self.path, convert_options=how) as reader,
            parquet.ParquetWriter(path, reader.schema) as writer,
        ):
            for batch in reader:
                writer.write_batch(batch)


@dataclass(frozen=True, kw_only=True)
class Cohort(OneLine):
    """A study that was done: what became of every row, and the tables.

    Parameters
    ----------
    directory : Path
        Folder of the results.
    rows : tuple of CohortRow
        In the order of the study.
    n_computed : int
        How many were done by this call; the rest was there.
    """

    directory: Path
    rows: tuple[CohortRow, ...] = field(repr=False)
    n_computed: int

    @property
    def failed(self) -> tuple[CohortRow, ...]:
        """Rows without results."""
        return tuple(one for one in self.rows if not one.outcome.is_done)

    @property
    def tables(self) -> dict[TableName, CohortTable]:
        """The long tables by name."""
        return {name: CohortTable(path=self.directory / f"{name}.csv") for name in ABOUT}


@one_blas_thread
def run_cohort(
    study: CohortStudy | str | os.PathLike[str],
    directory: str | os.PathLike[str],
    options: CohortOptions = CohortOptions(),  # noqa: B008  frozen
    *,
    workers: Workers | int = 1,
    retry: bool = False,
    progress: Progress | None = None,
    command: str = "",
) -> Cohort:
    """Do every calibration and run of a study, and put all numbers into one table of each kind.

        cohort = ct.run_cohort("study.csv", "results", workers=4)
        frame = cohort.tables["fit"].to_dataframe()

    What is complete and unchanged, by the hashes of input and results, is not done again; nor is
    what failed before, until its files change.

    Parameters
    ----------
    study : CohortStudy or path-like
        The study, or its file.
    directory : path-like
        Folder for the results, which are in `subjects`; made if needed.
    options : CohortOptions
        How every row is done.
    workers : Workers or int
        Who does it: this process (1), as many processes beside it (`ceinms-torch[cohort]`), or a
        cluster (`DaskWorkers`). Results do not depend on it.
    retry : bool
        Also try again what failed before.
    progress : callable, optional
        Called with every `CohortRow` as it becomes known, and whether it was computed.
    command : str
        The command line, which results know.

    Returns
    -------
    Cohort

    Raises
    ------
    FileFormatError
        If the file of the study is faulty.
    OptionError
        If another process writes into the folder, or the cluster is lost.
    KeyboardInterrupt
        If a signal stopped it. What is published stays; the same call goes on.
    """
    study = study if isinstance(study, CohortStudy) else CohortStudy.read(study)
    place = Path(directory).absolute()
    if isinstance(workers, int):
        workers = ThisProcess() if workers == 1 else DaskWorkers(jobs=workers)
    tell = progress or (lambda *_: None)
    found: dict[int, CohortRow] = {}
    tasks = [Task(row=row, directory=place, options=options, command=command) for row in study.rows]
    with claimed(place):
        remove_working_folders(place)
        waiting: list[Task] = []
        for task in tasks:
            known = task.known()
            if known is None or (retry and not known.is_done):
                waiting.append(task)
                continue
            found[task.row.number] = one = CohortRow(row=task.row, outcome=known)
            tell(one, False)
        try:
            for task, outcome in workers.outcomes(waiting) if waiting else ():
                found[task.row.number] = one = CohortRow(row=task.row, outcome=_brief(outcome))
                tell(one, True)
        finally:
            remove_working_folders(place)
        cohort = Cohort(
            directory=place,
            rows=tuple(found[row.number] for row in study.rows),
            n_computed=len(waiting),
        )
        with held():
            _write_tables(cohort, study)
    return cohort


def run_row(study: CohortStudy, number: int, directory: Path, options: CohortOptions) -> CohortRow:
    """Do one row of a study, as a job array or a workflow asks for it; tables come later.

    Parameters
    ----------
    study : CohortStudy
        The study.
    number : int
        Which row, from 1.
    directory : Path
        Folder of the study's results; others may write other rows into it meanwhile.
    options : CohortOptions
        How.

    Returns
    -------
    CohortRow

    Raises
    ------
    FileFormatError
        If there is no such row.
    """
    if not 1 <= number <= len(study.rows):
        expected = f"a row of 1 to {len(study.rows)}"
        raise FileFormatError(where=study.path, expected=expected, got=str(number))
    task = Task(row=study.rows[number - 1], directory=directory.absolute(), options=options)
    return CohortRow(row=task.row, outcome=task.known() or task.compute())


def _brief(outcome: Outcome) -> Outcome:
    """Return an outcome without its lists of files, which thousands would fill memory with."""
    return dataclasses.replace(outcome, inputs={}, files={})


# ---- Tables of all ----------------------------------------------------------------------


def _write_tables(cohort: Cohort, study: CohortStudy) -> None:
    """Join the rows' own tables, a file at a time, in the order of the study."""
    for name, table in cohort.tables.items():
        with written_in_pieces(table.path) as file:
            file.write(csv_text([columns_of(name)]).encode())
            for one in cohort.rows:
                if one.outcome.is_done:
                    part = cohort.directory / one.row.folder / TABLES_FOLDER / f"{name}.csv"
                    file.writelines(_without_header(part))
    for file_name, rows in (
        (SUBJECTS_FILE, _subjects(cohort, study)),
        (DICTIONARY_FILE, _dictionary(study)),
    ):
        with written_in_pieces(cohort.directory / file_name) as file:
            file.write(csv_text(rows).encode())


def _without_header(part: Path) -> Iterator[bytes]:
    with part.open("rb") as file:
        file.readline()
        yield from file


def _subjects(cohort: Cohort, study: CohortStudy) -> Iterator[Sequence[object]]:
    others = study.other_columns
    units = {name: unit for name, (unit, _) in OUTCOME_COLUMNS.items()}
    header = [f"{name} [{unit}]" if unit else name for name, unit in units.items()]
    yield [*header[:2], *others, *header[2:]]
    for one in cohort.rows:
        row, outcome = one.row, one.outcome
        yield [
            row.subject,
            row.condition,
            *row.others.values(),
            outcome.kind,
            outcome.status,
            outcome.message,
            "" if outcome.objective is None else repr(outcome.objective),
            f"{outcome.seconds:.3f}",
            len(outcome.warnings),
            row.folder.as_posix(),
        ]


def _dictionary(study: CohortStudy) -> Iterator[tuple[str, ...]]:
    yield from dictionary()
    for name, (unit, meaning) in OUTCOME_COLUMNS.items():
        yield (SUBJECTS_FILE, "column", f"{name} [{unit}]" if unit else name, unit, meaning)
    for name in study.other_columns:
        yield (SUBJECTS_FILE, "column", name, "", f"As in {study.path.name}.")


def read_cohort(directory: str | os.PathLike[str]) -> dict[TableName, CohortTable]:
    """Return the tables of a study that was done.

    Parameters
    ----------
    directory : path-like
        Folder of its results.

    Returns
    -------
    dict of str to CohortTable
        "fit", "parameters", "forces" and "muscle".

    Raises
    ------
    FileFormatError
        If one is missing.
    """
    tables: dict[TableName, Any] = {}
    for name in ABOUT:
        path = Path(directory) / f"{name}.csv"
        if kind_of(path) != "file":
            raise FileFormatError(
                where=path,
                expected="a table of ceinms-torch cohort",
                got="none",
                hint="Name the folder that its last line of output names",
            )
        tables[name] = CohortTable(path=path)
    return tables
