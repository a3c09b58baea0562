"""The part of ``ceinms-torch run`` that searches for excitations: progress and tables."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ceinms_torch.optimisers.minimum import STATUS_SENTENCES
from ceinms_torch.terminal.display import fit_table, new_table, stderr, stdout

if TYPE_CHECKING:
    from rich.table import Table

    from ceinms_torch.excitations.search import ExcitationResult
    from ceinms_torch.excitations.weights import WeightChoice
    from ceinms_torch.inputs.folder import RunFolder
    from ceinms_torch.model.execution import Hybrid
    from ceinms_torch.optimisers.minimum import Iterate

_PATIENCE = 0.3  # [s] of a search without a word


def search_excitations(
    folder: RunFolder, hybrid: Hybrid, tendon: str, directory: Path, *, auto: bool, quiet: bool
) -> None:
    """Search for the excitations of a trial, show what came out and write it.

    Parameters
    ----------
    folder : RunFolder
        The subject and the trial.
    hybrid : Hybrid
        What is searched for, of the folder's execution file.
    tendon : str
        Tendon by its XML name.
    directory : Path
        Where results go.
    auto : bool
        Whether the weights are chosen instead of the file's.
    quiet : bool
        No progress and no tables.
    """
    from ceinms_torch.excitations.search import TrialSearch  # noqa: PLC0415
    from ceinms_torch.results.excitations import write_excitations  # noqa: PLC0415
    from ceinms_torch.simulation.excitation_targets import counted_dofs  # noqa: PLC0415
    from ceinms_torch.simulation.fit import moment_fit  # noqa: PLC0415
    from ceinms_torch.simulation.simulate import simulate  # noqa: PLC0415

    trial, dofs = folder.trial, counted_dofs(folder.execution)
    search = TrialSearch(folder.subject, trial, hybrid, tendon=tendon, dofs=dofs)
    recorded = simulate(folder.subject, trial, tendon=tendon)
    choice = None
    with _shown(quiet=quiet) as show:
        if auto:
            from ceinms_torch.excitations.weights import choose_weights  # noqa: PLC0415

            choice = choose_weights(
                search, callback=lambda n: show(f"choosing the weights: search {n}")
            )
            result = choice.result
        else:
            result = search.solve(callback=lambda point: show(_state(point)))
    fits = {"recorded": recorded, "adjusted": result.simulation}
    fit = {name: moment_fit(trial, simulation) for name, simulation in fits.items()}
    write_excitations(result, fit, directory, choice)
    if not quiet:
        stdout.print(fit_table("measured and predicted moments", fit, kind="excitations"))
        stdout.print(_terms_table(result))
        if choice is not None:
            stdout.print(_weights_table(choice))
    message = STATUS_SENTENCES[result.status].replace("parameters", "excitations")
    stdout.print(f"{message} {result.iterations} iterations, {result.seconds:.2f} s.")


@contextmanager
def _shown(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Show a line of progress on standard error, which changes with every call.

    It begins with the first call after `_PATIENCE`: most searches are over before.
    """
    begin = time.monotonic()
    with ExitStack() as open_ones:
        update: Callable[[str], None] | None = None

        def show(text: str) -> None:
            nonlocal update
            if update is None and not quiet and time.monotonic() - begin > _PATIENCE:
                update = open_ones.enter_context(_progress())
            if update is not None:
                update(text)

        yield show


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    from rich.progress import (  # noqa: PLC0415  slow to load
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=stderr) as progress:
        task = progress.add_task("searching")
        yield lambda text: progress.update(task, description=text)


def _state(point: Iterate) -> str:
    rmse = math.sqrt(sum(value**2 for value in point.rmse) / len(point.rmse))
    return f"iteration {point.iteration}: objective {point.objective:.5g}, RMSE {rmse:.2f} N m"


def _terms_table(result: ExcitationResult) -> Table:
    table = new_table("objective", ("term",), ("weight", "sum", "weight × sum"))
    weighted = result.terms.weighted(result.hybrid)
    weights = (result.hybrid.alpha, result.hybrid.beta, result.hybrid.gamma)
    units = {"moment": "N² m²", "effort": "-", "tracking": "-"}
    for (name, value), weight in zip(weighted.items(), weights, strict=True):
        total = getattr(result.terms, name)
        table.add_row(f"{name} [{units[name]}]", f"{weight:.4g}", f"{total:.5g}", f"{value:.5g}")
    table.add_row("sum", "", "", f"{result.objective:.5g}")
    return table


def _weights_table(choice: WeightChoice) -> Table:
    title = (
        f"{choice.name} chosen so that the moment RMSE is at most {choice.largest_rmse:.4g} N m "
        f"(best attainable: {choice.best_rmse:.4g} N m)"
    )
    header = (f"{choice.name}/alpha\n[N² m²]", "moment RMSE\n[N m]", "mean |change|\n[-]")
    table = new_table(title, (), (*header, "RMS excitation\n[-]"))
    for outcome in choice.sensitivity:
        tracking = "-" if math.isnan(outcome.tracking) else f"{outcome.tracking:.4f}"
        cells = (
            f"{outcome.weight:.4g}",
            f"{outcome.moment_rmse:.3f}",
            tracking,
            f"{outcome.effort:.4f}",
        )
        table.add_row(*cells)
    return table
