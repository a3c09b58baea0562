"""Calibrated parameters within their ranges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ceinms_torch.calibration.result import CalibratedParameter, CalibrationResult
from ceinms_torch.plots.narrow import (
    MUTED,
    add_legend,
    check_known,
    colour_of,
    narrow_figure,
    styled,
    told_apart,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Room beside the range for marks at its ends [%].
_MARGIN = 6.0


def parameter_names(results: Sequence[CalibrationResult]) -> list[str]:
    """Return the kinds of parameters that any of the results calibrated, in the order they come."""
    return list(dict.fromkeys(one.name for result in results for one in result.parameters))


@styled
def plot_parameters(results: Sequence[CalibrationResult], name: str) -> Figure:
    """Draw where in its range each parameter of a kind started and ended.

    Parameters
    ----------
    results : sequence of CalibrationResult
        What to compare, each in a colour of its own.
    name : str
        One of `PARAMETER_KINDS` that at least one of them calibrated.

    Returns
    -------
    matplotlib.figure.Figure
        One row per value (MTU or group of MTUs), over the share of its range [%]: start, value,
        95 % interval where it is identifiable, and a triangle at a bound that it ended at.

    Raises
    ------
    UnknownNameError
        If no result calibrated such a parameter.
    """
    results = told_apart(results)
    check_known("a parameter", name, parameter_names(results))
    chosen = [[one for one in result.parameters if one.name == name] for result in results]
    # Two steps may calibrate the same value: the row is then shared.
    rows = {one.mtus: one.label for parameters in chosen for one in parameters}
    figure, (axes,) = narrow_figure(1, heights=[0.4 + 0.2 * (0.6 + 0.4 * len(results)) * len(rows)])
    handles: dict[str, Artist] = {}
    step = 0.8 / len(results)
    for i, parameters in enumerate(chosen):
        for one in parameters:
            y = list(rows).index(one.mtus) + (i - 0.5 * (len(results) - 1)) * step
            for mark, drawn in _draw_parameter(axes, one, y, colour_of(i)).items():
                if len(results) == 1:
                    handles.setdefault(mark, drawn)
                else:
                    handles.setdefault(results[i].label, drawn)
    axes.set_yticks(range(len(rows)), list(rows.values()))
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(-_MARGIN, 100.0 + _MARGIN)
    for end in (0.0, 100.0):
        axes.axvline(end, color=MUTED, lw=0.8, zorder=0)
    axes.grid(axis="x")
    axes.set_xlabel("Share of the range [%]")
    axes.set_title(name)
    add_legend(figure, handles, n_column=4 if len(results) == 1 else 2)
    return figure


def _draw_parameter(
    axes: Axes, one: CalibratedParameter, y: float, colour: str
) -> dict[str, Artist]:
    """Draw a row; return what each of its marks stands for, the value first."""
    start, value = one.share(one.start), one.share(one.value)
    handles: dict[str, Artist] = {}
    axes.plot([start, value], [y, y], color=colour, lw=0.6, alpha=0.5)
    handles["start"] = axes.plot(start, y, "|", color=MUTED, ms=6.0, mew=1.3)[0]
    if one.interval is not None:
        ends = [one.share(end) for end in one.interval]
        handles["95 % interval"] = axes.plot(
            ends, [y, y], color=colour, lw=3.4, alpha=0.35, solid_capstyle="butt"
        )[0]
    marker, name = "o", "value"
    if one.at_bound:
        marker, name = ("<" if one.at_bound == "lower" else ">"), "at a bound"
    mark = axes.plot(value, y, marker, color=colour, ms=4.6)[0]
    return {name: mark, **handles}
