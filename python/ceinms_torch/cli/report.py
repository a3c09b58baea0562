"""``ceinms-torch report``: result folders in, one page to read out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ceinms_torch.terminal import options as opt
from ceinms_torch.terminal.display import counted
from ceinms_torch.terminal.outputs import claim, results_folder, say_overwriting, say_where

EXAMPLES = """
[bold]Examples[/]

One page that explains a calibration:
  ceinms-torch report calibrate_results

Two calibrations side by side, and every figure as a file:
  ceinms-torch report results_lm results_adamw --out both --figures svg
"""


def command(
    results: Annotated[
        list[Path],
        typer.Argument(
            metavar="RESULT_DIR...",
            help="Folders that calibrate has written; several are shown side by side.",
        ),
    ],
    out: opt.Out = None,
    figures: Annotated[
        Literal["png", "svg"] | None,
        typer.Option(help="Also write every figure as a file of this format, into figures/."),
    ] = None,
    quiet: opt.Quiet = False,
) -> None:
    """Explain calibrations in report.html, one file that needs nothing else.

    It goes into the first of the folders unless --out names another.
    Summary in words, measured and predicted moments, parameters and what the data say about them,
    fibres, tendons, activations, the course of the calibration, doubts about the input, and where
    everything comes from. The file opens without a network, on a phone and on paper.
    """
    from ceinms_torch.report.html import write_figures, write_report  # noqa: PLC0415
    from ceinms_torch.results.read import load_results  # noqa: PLC0415

    loaded = load_results(results)
    directory = results_folder(results[0], out)
    file = directory / "report.html"
    say_overwriting(file)
    claim(directory)
    with counted("drawing", quiet=quiet) as progress:
        write_report(loaded, file, progress=progress)
    if figures is not None:
        with counted("drawing files", quiet=quiet) as progress:
            write_figures(loaded, directory / "figures", suffix=figures, progress=progress)
    say_where(file)
