"""The objective over the iterations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.calibration.result import CalibrationResult, Iteration
from ceinms_torch.plots.narrow import (
    add_legend,
    colour_of,
    draw_line,
    narrow_figure,
    styled,
    told_apart,
)
from ceinms_torch.plots.style import COLOURS

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DASHES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1)), (0, (1, 3)))


@styled
def plot_history(
    results: Sequence[CalibrationResult], over: Literal["iteration", "seconds"] = "iteration"
) -> Figure:
    """Draw the objective, its terms and the error of every DOF as the calibration went on.

    Parameters
    ----------
    results : sequence of CalibrationResult
        One alone is drawn with the terms of its objective; several share the objective.
    over : {"iteration", "seconds"}
        The horizontal axis; seconds inside the optimiser, all steps.

    Returns
    -------
    matplotlib.figure.Figure
        Above, the objective (and its terms) in its unit; below, RMSE of each DOF [N m]; both on
        logarithmic axes. A thin line parts calibration steps.
    """
    from matplotlib.ticker import LogFormatter  # noqa: PLC0415  slow to load

    results = told_apart(results)
    figure, (above, below) = narrow_figure(2, heights=[1.9, 1.9])
    handles: dict[str, Artist | None] = {}
    for i, result in enumerate(results):
        x = _column(list(result.through_steps()), over)
        name = "objective" if len(results) == 1 else result.label
        # Wider alone, for the term of the moments often hides it.
        width = 2.4 if len(results) == 1 else 1.3
        handles[name] = _draw(
            above, x, _column(result.history, "objective"), name, color=colour_of(i), lw=width
        )
        if len(results) == 1:
            for k, (term, values) in enumerate(_columns(result.history, "terms"), 1):
                handles[f"term {term}"] = _draw(
                    above, x, values, f"term {term}", color=colour_of(k), lw=1.0
                )
        for k, (dof, values) in enumerate(_columns(result.history, "rmse")):
            colour = COLOURS[k % len(COLOURS)] if len(results) == 1 else colour_of(i)
            name = dof if len(results) == 1 else f"{dof}, {result.label}"
            _draw(below, x, values, name, color=colour, ls=_DASHES[k % len(_DASHES)])
        _draw_steps((above, below), result.history, x)
    units = sorted({result.unit for result in results})
    above.set_ylabel(f"Objective [{' or '.join(units)}]")
    below.set_ylabel("RMSE [N m]")
    below.set_xlabel("Iteration" if over == "iteration" else "Time inside the optimiser [s]")
    for axes in (above, below):
        axes.set_yscale("log")
        axes.grid()
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1.5, 0.6)))
    below.legend(loc="upper right", ncols=len(results))
    add_legend(figure, {name: line for name, line in handles.items() if line is not None})
    return figure


def _draw(axes: Axes, x: FloatArray, y: FloatArray, label: str, **style: object) -> Artist | None:
    """Draw what a logarithmic axis shows; nothing, where nothing is above zero."""
    shown = np.isfinite(y) & (y > 0.0)
    if not shown.any():
        return None
    return draw_line(axes, x, np.where(shown, y, np.nan), label, **style)


def _column(history: Sequence[Iteration], name: str) -> FloatArray:
    return np.array([getattr(item, name) for item in history], dtype=np.float64)


def _columns(history: Sequence[Iteration], name: str) -> Iterator[tuple[str, FloatArray]]:
    """Iterate over terms or DOFs with their values, NaN where a step does not have them."""
    dicts = [getattr(item, name) for item in history]
    for key in dict.fromkeys(key for one in dicts for key in one):
        yield key, np.array([one.get(key, np.nan) for one in dicts])


def _draw_steps(rows: Sequence[Axes], history: Sequence[Iteration], x: FloatArray) -> None:
    for begin in np.flatnonzero(np.diff(_column(history, "step"))) + 1:
        for axes in rows:
            axes.axvline(x[begin], color="#bfbfbf", lw=0.8, zorder=0)
