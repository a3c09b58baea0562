"""The page: everything that `tables`, `summary` and `figures` say, in one HTML file."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ceinms_torch.blas import one_blas_thread
from ceinms_torch.calibration.result import CalibrationResult
from ceinms_torch.errors import OptionError
from ceinms_torch.io.paths import write_atomically
from ceinms_torch.optimisers.minimum import STATUS_SENTENCES
from ceinms_torch.plots.narrow import colour_of, told_apart
from ceinms_torch.plots.style import save_figure
from ceinms_torch.report.figures import ReportFigure, report_figures
from ceinms_torch.report.references import references_of
from ceinms_torch.report.summary import R2_WORDS, summarise
from ceinms_torch.report.svg import inline_svg, readable_values
from ceinms_torch.report.tables import (
    certainty,
    direction_sentences,
    finding_rows,
    fit_rows,
    interval,
    number,
    provenance_rows,
)
from ceinms_torch.results.provenance import with_provenance

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
FORMATS = ("png", "svg")
# Identifier and heading of every section, in the order of the page.
SECTIONS = {
    "summary": "Summary",
    "moments": "Moments",
    "fit": "Fit",
    "parameters": "Parameters",
    "identifiability": "What is identifiable",
    "fibres": "Fibres",
    "tendons": "Tendons",
    "forces": "Muscle forces",
    "activations": "Excitations and activations",
    "history": "Course of the calibration",
    "findings": "Doubts about the input",
    "provenance": "Provenance",
    "references": "References",
}


@dataclass(frozen=True, kw_only=True)
class _Drawn:
    """A figure as the page takes it."""

    figure: ReportFigure
    svg: str
    values: str


def render_report(
    results: Sequence[CalibrationResult],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Return a report as one HTML page that needs nothing else.

    Parameters
    ----------
    results : sequence of CalibrationResult
        What it is about, in memory or loaded; several are shown side by side.
    progress : callable, optional
        Called with the number of figures drawn, and of all, after each.

    Returns
    -------
    str
        The same for the same results.
    """
    results = told_apart([with_provenance(result) for result in results])
    figures = report_figures(results)
    drawn = []
    for i, figure in enumerate(figures, 1):
        drawn.append(_draw(figure))
        if progress is not None:
            progress(i, len(figures))
    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            results=results,
            sections=SECTIONS,
            figures=drawn,
            colours=[colour_of(i) for i in range(len(results))],
            summaries=[summarise(result) for result in results],
            r2_words=R2_WORDS,
            status_sentences=STATUS_SENTENCES,
            fit_rows=fit_rows(results),
            directions=[direction_sentences(result) for result in results],
            findings=[finding_rows(result) for result in results],
            provenance_rows=provenance_rows(results),
            references=references_of(results),
            version=importlib.metadata.version("ceinms-torch"),
            **_assets(),
        )
    )


def _draw(figure: ReportFigure) -> _Drawn:
    drawing = figure.draw()
    svg = inline_svg(drawing, figure.name, figure.caption)  # first: it sets the layout
    return _Drawn(figure=figure, svg=svg, values=readable_values(drawing))


def _assets() -> dict[str, Any]:
    return {
        "style": (TEMPLATES / "report.css").read_text(encoding="utf-8"),
        "script": (TEMPLATES / "report.js").read_text(encoding="utf-8"),
    }


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {one.__name__: one for one in (number, interval, certainty)}
    return environment


@one_blas_thread
def write_report(
    results: Sequence[CalibrationResult],
    path: str | os.PathLike[str],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a report as one HTML file.

    Parameters
    ----------
    results : sequence of CalibrationResult
        What it is about, in memory or loaded; several are shown side by side.
    path : path-like
        The file; its folder is made if needed, and the file replaced in one step.
    progress : callable, optional
        Called with the number of figures drawn, and of all, after each.
    """
    write_atomically(path, render_report(results, progress=progress).encode())


def write_figures(
    results: Sequence[CalibrationResult],
    directory: str | os.PathLike[str],
    *,
    suffix: str = "png",
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Write every figure of a report as a file of its own.

    Parameters
    ----------
    results : sequence of CalibrationResult
        What they are about.
    directory : path-like
        Where; made if needed, files in it are overwritten.
    suffix : {"png", "svg"}
        The format; in SVG, text stays text.
    progress : callable, optional
        Called with the number of figures drawn, and of all, after each.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    OptionError
        If the format is another.
    """
    if suffix not in FORMATS:
        raise OptionError(where="format", expected=f"one of {', '.join(FORMATS)}", got=repr(suffix))
    figures = report_figures(told_apart(results))
    files: list[Path] = []
    for i, figure in enumerate(figures, 1):
        files += save_figure(figure.draw(), directory, figure.name, endings=(suffix,))
        if progress is not None:
            progress(i, len(figures))
    return files
