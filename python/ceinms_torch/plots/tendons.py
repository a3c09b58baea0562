"""How far tendons are stretched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ceinms_torch.calibration.result import CalibrationResult
from ceinms_torch.plots.narrow import MUTED, add_legend, narrow_figure, styled, told_apart
from ceinms_torch.plots.ranges import draw_ranges, rows_height

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def plot_tendon_strains(results: Sequence[CalibrationResult]) -> Figure:
    """Draw the range of tendon strains of every MTU.

    Parameters
    ----------
    results : sequence of CalibrationResult
        What to compare, each in a colour of its own.

    Returns
    -------
    matplotlib.figure.Figure
        One row per MTU with all strains (thin), the middle 90 % (thick) and the median [%]; below
        zero the tendon is slack.
    """
    results = told_apart(results)
    figure, (axes,) = narrow_figure(1, heights=[rows_height(results)])
    handles = draw_ranges(axes, results, "tendon_strain", scale=100.0)
    axes.axvline(0.0, color=MUTED, lw=0.8, zorder=0)
    low, high = axes.dataLim.intervalx
    margin = 0.03 * (high - low) + 0.1
    axes.set_xlim(low - margin, high + margin)
    axes.set_xlabel("Tendon strain [%]")
    add_legend(figure, handles)
    return figure
