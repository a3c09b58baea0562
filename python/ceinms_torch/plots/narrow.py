"""Figures one column wide, to be read on a phone and side by side on a screen."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np

from ceinms_torch.arrays import FloatArray, IndexArray
from ceinms_torch.calibration.result import CalibrationResult
from ceinms_torch.calibration.uncertainty import Band
from ceinms_torch.errors import OptionError, unknown_name
from ceinms_torch.plots.style import COLOURS, in_style, new_figure

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

P = ParamSpec("P")

MEASURED = "#404040"
MUTED = "#8c8c8c"
# One column on a phone, where 9 points are still read [inch].
WIDTH = 4.0
# Lines are drawn through no more points than a screen of that width shows.
MOST_POINTS = 160
_N_COLUMN = 3
_LONG_NAME = 13  # letters of an MTU; longer names need more room

# Any: matplotlib's stubs know only the keys of their own version.
_NARROW: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
    "axes.titlelocation": "left",
    "axes.linewidth": 0.7,
    "axes.xmargin": 0.0,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.fontsize": 8.0,
    "lines.linewidth": 1.3,
    "path.simplify_threshold": 0.3,
}


def styled(plot: Callable[P, Figure]) -> Callable[P, Figure]:
    """Let a function draw in the style of narrow figures, whatever the user's settings are.

    Parameters
    ----------
    plot : callable
        The function.

    Returns
    -------
    callable
    """

    @functools.wraps(plot)
    def inner(*args: P.args, **kwargs: P.kwargs) -> Figure:
        import matplotlib as mpl  # noqa: PLC0415  slow to load

        with in_style(), mpl.rc_context(_NARROW):
            return plot(*args, **kwargs)

    return inner


def told_apart(results: Sequence[CalibrationResult]) -> tuple[CalibrationResult, ...]:
    """Return results under labels that differ: those of one label are numbered.

    Parameters
    ----------
    results : sequence of CalibrationResult
        At least one.

    Returns
    -------
    tuple of CalibrationResult

    Raises
    ------
    OptionError
        If there is none.
    """
    if not results:
        raise OptionError(where="results", expected="at least one", got="none")
    labels = [result.label for result in results]
    return tuple(
        result
        if labels.count(result.label) == 1
        else replace(result, label=f"{result.label} {1 + labels[:i].count(result.label)}")
        for i, result in enumerate(results)
    )


def narrow_figure(
    n_row: int,
    n_column: int = 1,
    *,
    heights: Sequence[float] | float = 1.4,
    sharex: bool = True,
    sharey: bool = False,
) -> tuple[Figure, list[Axes]]:
    """Return a figure of the usual width, of no window, with its axes row by row.

    Parameters
    ----------
    n_row, n_column : int
        Number of axes.
    heights : sequence of float or float
        Of every row [inch], or of each.
    sharex, sharey : bool
        Whether all axes have the same limits.

    Returns
    -------
    figure : Figure
    axes : list of Axes
    """
    rows = [heights] * n_row if isinstance(heights, float) else list(heights)
    figure = new_figure(WIDTH, sum(rows) + 0.6)
    axes = figure.subplots(
        n_row,
        n_column,
        sharex=sharex,
        sharey=sharey,
        squeeze=False,
        gridspec_kw={"height_ratios": rows},
    )
    return figure, list(axes.ravel())


def mtu_panels(mtus: Sequence[str], *, sharey: bool) -> tuple[Figure, list[Axes]]:
    """Return a figure with a small plot of each MTU over 0 to 100 % of a trial.

    Parameters
    ----------
    mtus : sequence of str
        Their names, which become titles.
    sharey : bool
        Whether all have the same vertical limits.

    Returns
    -------
    figure : Figure
    axes : list of Axes
        One per MTU.
    """
    n_column = 2 if max(map(len, mtus)) > _LONG_NAME else _N_COLUMN
    n_row = -(-len(mtus) // n_column)
    figure, panels = narrow_figure(n_row, n_column, heights=0.85, sharey=sharey)
    for axes in panels[len(mtus) :]:
        axes.remove()
    panels = panels[: len(mtus)]
    for axes, mtu in zip(panels, mtus, strict=True):
        axes.set_title(mtu, fontsize=8.0)
    panels[0].set_xlim(0.0, 100.0)
    panels[0].set_xticks([0.0, 50.0, 100.0])
    figure.supxlabel("Share of the trial [%]", fontsize=9.0)
    return figure, panels


def add_legend(figure: Figure, handles: dict[str, Artist], *, n_column: int = 2) -> None:
    """Put one legend above all axes.

    Parameters
    ----------
    figure : Figure
        The figure.
    handles : dict of str to Artist
        What each label stands for.
    n_column : int
        Number of columns.
    """
    figure.legend(list(handles.values()), list(handles), loc="outside upper left", ncols=n_column)


def colour_of(i: int) -> str:
    """Return the colour of the i-th of several results."""
    return COLOURS[i % len(COLOURS)]


def line_style(i: int, n: int) -> dict[str, Any]:
    """Return colour and width of the i-th of n results' lines.

    Earlier lines are wider, so that later ones that run along them do not hide them.

    Parameters
    ----------
    i, n : int
        Which result, of how many.

    Returns
    -------
    dict
        For `Axes.plot`.
    """
    return {"color": colour_of(i), "lw": 1.3 + 0.9 * (n - 1 - i) / max(n - 1, 1)}


def thinned(n: int) -> IndexArray:
    """Return indices of at most `MOST_POINTS` of n points, evenly spread, ends included."""
    return np.unique(np.linspace(0, n - 1, min(n, MOST_POINTS)).round().astype(np.int64))


def draw_line(axes: Axes, x: FloatArray, y: FloatArray, label: str, **style: Any) -> Artist:
    """Draw a line with a label, through no more points than can be seen.

    Parameters
    ----------
    axes : Axes
        Where.
    x, y : ndarray (n,)
        The points.
    label : str
        What it is; the report shows it beside values.
    **style
        As for `Axes.plot`.

    Returns
    -------
    Artist
    """
    keep = thinned(len(x))
    return axes.plot(x[keep], y[keep], label=label, **style)[0]


def draw_band(axes: Axes, x: FloatArray, band: Band, column: str, **style: Any) -> Artist:
    """Fill one column of a band.

    Parameters
    ----------
    axes : Axes
        Where.
    x : ndarray (n,)
        Where its steps are.
    band : Band
        The band.
    column : str
        An MTU or a DOF.
    **style
        As `line_style` gives it, of which the colour counts.

    Returns
    -------
    Artist
    """
    keep = thinned(len(x))
    lower, upper = band.lower[column][keep], band.upper[column][keep]
    return axes.fill_between(x[keep], lower, upper, color=style["color"], alpha=0.22, lw=0)


def check_known(what: str, name: str, known: Sequence[str]) -> None:
    """Refuse a name, of what it names such as "a DOF", that is in none of the results."""
    if name not in known:
        raise unknown_name("results", what, name, known)
