"""``ceinms-torch report``: result folders in, one page to read out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ceinms_torch.cli.display import stderr, stdout
from ceinms_torch.io.paths import check_is_no_folder, check_writable

EXAMPLES = """
[bold]Examples[/]

One page that explains a calibration:
  ceinms-torch report calibrate_results

Two calibrations side by side, and every figure as a file:
  ceinms-torch report results_lm results_adamw --out both.html --figures figures --format svg
"""


class FigureFormat(StrEnum):
    """Formats of figures."""

    png = "png"
    svg = "svg"


def report_command(
    results: Annotated[
        list[Path],
        typer.Argument(
            metavar="RESULT_DIR...",
            help="Folders that calibrate has written; several are shown side by side.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="The HTML file.")] = Path("report.html"),
    figures: Annotated[
        Path | None, typer.Option(help="Folder for every figure as a file of its own.")
    ] = None,
    figure_format: Annotated[
        FigureFormat, typer.Option("--format", help="Format of these files.")
    ] = FigureFormat.png,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Explain calibrations in one HTML file that needs nothing else.

    Summary in words, measured and predicted moments, parameters and what the data say about them,
    fibres, tendons, activations, the course of the calibration, doubts about the input, and where
    everything comes from. The file opens without a network, on a phone and on paper.
    """
    from ceinms_torch.report.html import write_figures, write_report  # noqa: PLC0415
    from ceinms_torch.results.read import load_results  # noqa: PLC0415

    saved = load_results(results)
    check_is_no_folder(out)
    check_writable(out.parent)
    if figures is not None:
        check_writable(figures)
    with _progress("drawing", quiet=quiet) as progress:
        write_report(saved, out, progress=progress)
    stdout.print(f"report:  {escape(str(out))}", soft_wrap=True)
    if figures is not None:
        with _progress("drawing files", quiet=quiet) as progress:
            files = write_figures(saved, figures, suffix=figure_format.value, progress=progress)
        stdout.print(f"figures: {len(files)} in {escape(str(figures))}", soft_wrap=True)


@contextmanager
def _progress(what: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show how many figures are drawn."""
    columns = (TextColumn(what), BarColumn(bar_width=20), MofNCompleteColumn())
    with Progress(*columns, console=stderr, disable=quiet, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
