"""``ceinms-torch cohort``: the table of a study in, results of everyone and long tables out."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from ceinms_torch.cohort.study import CohortStudy
from ceinms_torch.cohort.task import CohortOptions
from ceinms_torch.cohort.workers import DaskWorkers, SlurmJobs
from ceinms_torch.errors import OptionError
from ceinms_torch.terminal import options as opt
from ceinms_torch.terminal.display import new_table, note, progress_bar, stdout
from ceinms_torch.terminal.failures import FAILURE, INTERRUPTED
from ceinms_torch.terminal.outputs import claim, results_folder, say_where

if TYPE_CHECKING:
    from rich.progress import Progress

    from ceinms_torch.cohort.run import Cohort, CohortRow

EXAMPLES = """
[bold]Examples[/]

Every calibration and run of a study, one after the other:
  ceinms-torch cohort study.csv --out results --jobs 1

Four at a time (needs the extra cohort), giving up what takes longer than ten minutes:
  ceinms-torch cohort study.csv --out results --jobs 4 --time-limit 600

On a cluster that runs, and on SLURM:
  ceinms-torch cohort study.csv --out results --scheduler tcp://10.0.0.1:8786
  ceinms-torch cohort study.csv --out results --slurm --workers 40 --walltime 02:00:00

One row, as a job array or a workflow asks for it; then all tables:
  ceinms-torch cohort study.csv --out results --row 7
  ceinms-torch cohort study.csv --out results
"""


def command(
    study: Annotated[
        Path,
        typer.Argument(
            metavar="STUDY.csv",
            help="Table with the columns subject, setup and, if wanted, condition, tests (with "
            "semicolons between) and the lab's own.",
        ),
    ],
    out: opt.Out = None,
    method: opt.Method = None,
    recommended: opt.Recommended = False,
    starts: opt.Starts = None,
    seed: opt.Seed = 0,
    time_limit: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="A calibration that takes longer fails [s]."),
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Also try again what failed before.")
    ] = False,
    jobs: opt.Jobs = 2,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Scheduler of a dask cluster that runs.")
    ] = None,
    slurm: Annotated[
        bool, typer.Option("--slurm", help="Ask SLURM for workers, each of which is a job.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Number of them, with --slurm.")] = 8,
    walltime: Annotated[
        str, typer.Option(metavar="HH:MM:SS", help="Longest time of such a job.")
    ] = "04:00:00",
    memory: Annotated[str, typer.Option(help="Memory of such a job.")] = "2GB",
    directives: Annotated[
        list[str] | None,
        typer.Option(
            "--sbatch",
            metavar="LINE",
            help="A further line of its script, such as '--account=lab'; may be repeated.",
        ),
    ] = None,
    print_script: Annotated[
        bool,
        typer.Option("--print-script", help="Print the script of such a job, and do nothing."),
    ] = False,
    row: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Do the Nth row alone, without tables of all."),
    ] = None,
    parquet: Annotated[
        bool, typer.Option("--parquet", help="Also write the tables as Parquet (needs pyarrow).")
    ] = False,
    quiet: opt.Quiet = False,
) -> None:
    """Calibrate or run everyone of a study, and put all numbers into long tables.

    Every row of STUDY.csv is checked and done as ceinms-torch calibrate or run does it, by its
    setup file, into a folder of its own below subjects. What is complete and unchanged is not done
    again; what fails is a row with its message, and is not tried again before its files change. One
    that is stopped or killed goes on where it was, by the same command. Writes fit.csv,
    parameters.csv, forces.csv and muscle.csv (a number a row, with its unit), subjects.csv (what
    became of every row, and the lab's columns) and dictionary.csv. Exit status 1 if a row failed.
    """
    from ceinms_torch.cohort.run import run_cohort, run_row  # noqa: PLC0415  keeps --help fast

    _refuse(scheduler=scheduler, slurm=slurm or print_script, row=row)
    cluster = SlurmJobs(
        workers=workers, walltime=walltime, memory=memory, directives=tuple(directives or ())
    )
    if print_script:
        stdout.print(escape(cluster.script()), soft_wrap=True)
        return
    options = CohortOptions(
        method=method, recommended=recommended, starts=starts, seed=seed, time_limit=time_limit
    )
    table = CohortStudy.read(study)
    directory = results_folder(study, out)
    if row is not None:
        one = run_row(table, row, directory, options)
        if not one.outcome.is_done:
            note(f"{one.row.label}: {one.outcome.message}", kind="error")
            raise typer.Exit(FAILURE)
        say_where(directory / one.row.folder)
        return
    claim(directory)
    way = DaskWorkers(jobs=jobs, scheduler=scheduler, slurm=cluster if slurm else None)
    is_here = jobs == 1 and scheduler is None and not slurm
    with _Shown(len(table.rows), quiet=quiet) as shown:
        try:
            cohort = run_cohort(
                table,
                directory,
                options,
                workers=1 if is_here else way,
                retry=retry,
                progress=shown.show,
                command=shlex.join(["ceinms-torch", *sys.argv[1:]]),
            )
        except KeyboardInterrupt:
            note("interrupted; what is done is kept, and the same command goes on")
            raise typer.Exit(INTERRUPTED) from None
    if parquet:
        for one_table in cohort.tables.values():
            one_table.to_parquet(one_table.path.with_suffix(".parquet"))
    _summarise(cohort, quiet=quiet)
    say_where(directory)
    if cohort.failed:
        raise typer.Exit(FAILURE)


def _refuse(*, scheduler: str | None, slurm: bool, row: int | None) -> None:
    """Refuse more than one way to do it."""
    ways = {
        "--scheduler": scheduler is not None,
        "--slurm": slurm,
        "--row": row is not None,
    }
    asked = [name for name, is_asked in ways.items() if is_asked]
    if len(asked) > 1:
        expected = "one of --scheduler, --slurm and --row"
        raise OptionError(where=asked[1], expected=expected, got=" and ".join(asked))


class _Shown:
    """Progress over the rows: how many, how fast, how long still, how many failed."""

    def __init__(self, n_row: int, *, quiet: bool) -> None:
        self._n_row, self._began = n_row, time.monotonic()
        self._n_computed = self._n_known = self._n_failed = 0
        self._bar: Progress = progress_bar(quiet=quiet)
        self._task = self._bar.add_task("cohort", total=n_row, state="")

    def __enter__(self) -> _Shown:
        """Begin."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last state visible."""
        self._bar.stop()

    def show(self, one: CohortRow, is_new: bool) -> None:
        """Count one more."""
        self._n_computed += is_new
        self._n_known += not is_new
        self._n_failed += not one.outcome.is_done
        if not self._n_computed:
            self._began = time.monotonic()  # what is there says nothing about the rate
        n_done = self._n_known + self._n_computed
        state = rate_text(self._n_computed, self._n_row - n_done, time.monotonic() - self._began)
        failed = f"{self._n_failed} failed" if self._n_failed else ""
        text = ", ".join(filter(None, (state, failed)))
        self._bar.update(self._task, completed=n_done, state=text)


def rate_text(n_done: int, n_left: int, seconds: float) -> str:
    """Return how many are done a minute, and how long the rest will take.

    Parameters
    ----------
    n_done, n_left : int
        How many are done, and how many are not.
    seconds : float
        Since the first one began [s].

    Returns
    -------
    str
        "" before the first one is done.
    """
    if n_done == 0 or seconds <= 0.0:
        return ""
    left = round(n_left * seconds / n_done)
    hours, rest = divmod(left, 3600)
    clock = f"{hours}:{rest // 60:02d}:{rest % 60:02d}"
    return f"{60.0 * n_done / seconds:.3g} a minute, {clock} left"


def _summarise(cohort: Cohort, *, quiet: bool) -> None:
    failed = cohort.failed
    if failed and not quiet:
        table = new_table("failed", ("subject", "condition", "why"))
        for one in failed:
            table.add_row(*map(escape, (one.row.subject, one.row.condition, one.outcome.message)))
        stdout.print(table)
    n_done = len(cohort.rows) - len(failed)
    stdout.print(f"{n_done} done ({cohort.n_computed} rows computed now), {len(failed)} failed")
