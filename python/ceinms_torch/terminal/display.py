"""What the commands show: warnings, progress, tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ceinms_torch.errors import told_warnings

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from ceinms_torch.calibration.identifiability import Identifiability
    from ceinms_torch.calibration.result import CalibrationResult, Iteration
    from ceinms_torch.inputs.dialect import Dialect
    from ceinms_torch.simulation.fit import Fit

stdout = Console(highlight=False)
stderr = Console(stderr=True, highlight=False)


def shown_warnings(already: Iterable[str] = ()) -> AbstractContextManager[list[str]]:
    """Show the package's warnings as single lines on standard error and collect them.

    Parameters
    ----------
    already : iterable of str
        Warnings that have been shown.

    Returns
    -------
    context manager of list of str
        Filled as warnings come; each message once.
    """
    return told_warnings(lambda message: note(message, kind="warning"), already)


def note(message: str, kind: str = "note") -> None:
    """Print one line on standard error.

    Parameters
    ----------
    message : str
        The line.
    kind : {"note", "warning"}
        What it is.
    """
    stderr.print(f"[bold yellow]{kind}:[/] {escape(message)}", soft_wrap=True)


def tell_error(message: str) -> None:
    """Print the message of an error on standard error."""
    stderr.print(f"[bold red]error:[/] {escape(message)}", soft_wrap=True)


def note_dialect(dialect: Dialect) -> None:
    """Say which versions of CEINMS files are of, unless they are those of 0.9.

    Parameters
    ----------
    dialect : Dialect
        What was found.
    """
    if not dialect.is_plain:
        note(f"files of {dialect}")


def progress_bar(*, quiet: bool) -> Progress:
    """Return a progress bar on standard error; its tasks have a field `state`."""
    from rich.progress import (  # noqa: PLC0415  a run that is over in no time does without
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[state]}"),
        console=stderr,
        disable=quiet,
    )


@contextmanager
def counted(what: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show how many of something are done; calls say how many, and of how many."""
    with progress_bar(quiet=quiet) as bar:
        task = bar.add_task(what, total=1, state="")
        yield lambda done, total: bar.update(task, completed=done, total=total)


class CalibrationProgress:
    """A progress bar with the objective and the RMSE of every DOF.

    Parameters
    ----------
    n_step : int
        Number of calibration steps.
    max_iterations : int
        Of each step.
    n_start : int, optional
        Starts of each step; with several, the bar counts those that have begun. None for as many as
        there will be.
    quiet : bool
        Show nothing.
    """

    def __init__(
        self, n_step: int, max_iterations: int, n_start: int | None = 1, *, quiet: bool
    ) -> None:
        self._n_step = n_step
        self._n_start = n_start
        self._max_iterations = max_iterations
        self._tasks: dict[int, TaskID] = {}
        self._begun: dict[int, set[int]] = {}
        self._best: dict[int, Iteration] = {}
        self._progress = progress_bar(quiet=quiet)

    def __enter__(self) -> Self:
        """Start the display."""
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the display and leave its last state visible."""
        self._progress.stop()

    def __call__(self, iteration: Iteration) -> None:
        """Show the state of the calibration.

        Parameters
        ----------
        iteration : Iteration
            The latest one.
        """
        step = iteration.step
        if step not in self._tasks:
            name = "calibrating"
            if self._n_step > 1:
                name += f" step {step + 1}/{self._n_step}"
            self._tasks[step] = self._progress.add_task(name, total=1, state="")
        best = self._best.get(step)
        if best is None or iteration.objective < best.objective:
            self._best[step] = best = iteration
        begun = self._begun.setdefault(step, set())
        begun.add(iteration.start)
        done, total = len(begun), self._n_start or len(begun)
        if total == 1:
            done, total = iteration.iteration, self._max_iterations
        rmse = "".join(f"\n{dof} {value:.2f} N m" for dof, value in best.rmse.items())
        self._progress.update(
            self._tasks[step],
            completed=done,
            total=total,
            state=f"objective {best.objective:.5g}; RMSE{rmse}",
        )


def new_table(title: str, texts: Sequence[str], numbers: Sequence[str] = ()) -> Table:
    """Return a table without rows.

    Parameters
    ----------
    title : str
        What it shows.
    texts, numbers : sequence of str
        Headers of columns, those of words first. Where there is little room, nothing is cut off:
        the widest columns, which are those of the names, go on in the next line.

    Returns
    -------
    rich.table.Table
    """
    table = Table(title=escape(title), title_justify="left")
    for header in texts:
        table.add_column(escape(header), overflow="fold")
    for header in numbers:
        table.add_column(escape(header), justify="right", overflow="fold")
    return table


def identifiability_table(found: Identifiability) -> Table | None:
    """Return a table of the parameters that are not identifiable, or None without any.

    Parameters
    ----------
    found : Identifiability
        What the data say about the parameters. Those at bounds are left to `bounds_table`.

    Returns
    -------
    rich.table.Table or None
    """
    rows = [(one.name, one.reason, one.mtus) for one in found.unidentifiable]
    return _by_reason("not identifiable", "because", rows) if rows else None


def bounds_table(result: CalibrationResult) -> Table | None:
    """Return a table of the parameters that ended at a bound, or None when there are none.

    Parameters
    ----------
    result : CalibrationResult
        The calibration.

    Returns
    -------
    rich.table.Table or None
    """
    rows = [(one.name, one.at_bound, one.mtus) for one in result.parameters if one.at_bound]
    title = f"{len(rows)} of {len(result.parameters)} parameters are at a bound of their range"
    return _by_reason(title, "bound", rows) if rows else None


def _by_reason(title: str, reason: str, rows: list[tuple[str, str, tuple[str, ...]]]) -> Table:
    """Return a table of parameters, the MTUs of which one thing is said in one row."""
    table = new_table(title, ("parameter", reason, "MTUs"))
    # Blanks let the names of a long group go on in the next line.
    mtus: dict[tuple[str, str], list[str]] = {}
    for name, why, group in rows:
        mtus.setdefault((name, why), []).append(" + ".join(group))
    for (name, why), groups in mtus.items():
        table.add_row(name, why, escape(", ".join(groups)))
    return table


def fit_table(title: str, fit: Fit, kind: str = "trial") -> Table:
    """Return a table of the moment errors by trial and DOF, with their means over trials.

    Parameters
    ----------
    title : str
        What trials these are.
    fit : dict of str to dict of str to MomentFit
        By trial and DOF.
    kind : str
        What is compared; of anything but trials there are no means.

    Returns
    -------
    rich.table.Table
    """
    from ceinms_torch.simulation.fit import mean_fit  # noqa: PLC0415  keeps --help fast

    figures = ("RMSE\n[N m]", "R²\n1 − SSE/SST", "R²\ncorrelation")
    table = new_table(title, (kind, "DOF"), figures)
    means = {"mean": mean_fit(fit)} if len(fit) > 1 and kind == "trial" else {}
    for trial, dofs in (*fit.items(), *means.items()):
        for i, (dof, one) in enumerate(dofs.items()):
            cells = (f"{one.rmse:.2f}", f"{one.r2:.3f}", f"{one.r2_correlation:.3f}")
            table.add_row("" if i else escape(trial), escape(dof), *cells)
        table.add_section()
    return table


def verification_table(title: str, here: Fit, there: Fit) -> Table:
    """Return a table of moment errors in this model and in CEINMS, by trial and DOF.

    Parameters
    ----------
    title : str
        What trials these are.
    here, there : dict of str to dict of str to MomentFit
        By trial and DOF.

    Returns
    -------
    rich.table.Table
    """
    from ceinms_torch.simulation.fit import mean_fit  # noqa: PLC0415  keeps --help fast

    table = new_table(title, ("trial", "DOF"), ("RMSE [N m]", "in CEINMS 0.9\nRMSE [N m]", "more"))
    means = [("mean", mean_fit(here), mean_fit(there))] if len(here) > 1 else []
    for trial, one, other in (*((name, here[name], there[name]) for name in here), *means):
        for i, dof in enumerate(one):
            rmse = one[dof].rmse, other[dof].rmse
            cells = (f"{rmse[0]:.2f}", f"{rmse[1]:.2f}", f"{rmse[1] - rmse[0]:+.2f}")
            table.add_row("" if i else escape(trial), escape(dof), *cells)
        table.add_section()
    return table


def terms_table(result: CalibrationResult) -> Table:
    """Return a table of the share of each term in the objective, step by step.

    Parameters
    ----------
    result : CalibrationResult
        The calibration.

    Returns
    -------
    rich.table.Table
    """
    table = new_table("objective", ("step", "term"), ("value", "share"))
    for number, step in enumerate(result.steps, 1):
        for i, (name, value) in enumerate(step.terms.items()):
            share = f"{100.0 * value / step.objective:.1f} %" if step.objective > 0.0 else "-"
            table.add_row("" if i else str(number), name, f"{value:.6g}", share)
        table.add_row("", "sum", f"{step.objective:.6g}", "")
        table.add_section()
    return table
