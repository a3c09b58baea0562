"""What all figures have in common: colours, sizes, files."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ceinms_torch.io.paths import write_atomically
from ceinms_torch.studies.statistics import deviation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which people who confuse red and green can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
GREYS = ("#777777", "#b5b5b5")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

_RC: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.fonttype": "none",
}


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure that belongs to no window.

    Parameters
    ----------
    width, height : float
        [inch].

    Returns
    -------
    matplotlib.figure.Figure
        Laid out so that nothing overlaps.
    """
    from matplotlib.figure import Figure as NewFigure  # noqa: PLC0415  slow to load

    return NewFigure(figsize=(width, height), layout="constrained")


def in_style() -> Any:
    """Return a context in which axes are drawn as all figures of the package are."""
    from matplotlib import rc_context  # noqa: PLC0415  slow to load

    return rc_context(_RC)


def label_panels(panels: list[Axes]) -> None:
    """Put a, b, c, ... at the upper left of panels, so that a caption can name them.

    Parameters
    ----------
    panels : list of matplotlib.axes.Axes
        In reading order.
    """
    for letter, axes in zip("abcdefghijklmnopqrstuvwxyz", panels, strict=False):
        axes.set_title(letter, loc="left", fontweight="bold")


def draw_means(axes: Axes, values: Mapping[float, Sequence[float]], i: int, label: str) -> None:
    """Draw means of repetitions with standard deviations, as the i-th of several lines.

    Parameters
    ----------
    axes : Axes
        Where.
    values : mapping of float to sequence of float
        Repetitions by their place on the axis of x.
    i : int
        Decides colour and marker.
    label : str
        For the legend.
    """
    axes.errorbar(
        list(values),
        [float(np.mean(one)) for one in values.values()],
        yerr=[deviation(one) for one in values.values()],
        color=COLOURS[i],
        marker=MARKERS[i],
        markersize=4,
        capsize=2,
        label=label,
    )


def save_figure(
    figure: Figure,
    directory: str | os.PathLike[str],
    name: str,
    endings: Sequence[str] = ("png", "svg"),
) -> list[Path]:
    """Write a figure, by default as PNG, to look at, and SVG, to print.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    directory : path-like
        The folder; made if needed.
    name : str
        Name of the files without their ending.
    endings : sequence of str
        Formats; in SVG, text stays text.

    Returns
    -------
    list of Path
        The files.
    """
    files = [Path(directory) / f"{name}.{ending}" for ending in endings]
    with in_style():
        # Laid out once, which takes longer than to draw it.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        for file, ending in zip(files, endings, strict=True):
            drawn = io.BytesIO()
            figure.savefig(drawn, dpi=150, format=ending)
            write_atomically(file, drawn.getvalue())
    return files
