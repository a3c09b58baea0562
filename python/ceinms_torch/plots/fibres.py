"""Where on the force-length curves fibres work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ceinms_torch.plots.narrow import MEASURED, MUTED, add_legend, draw_line, narrow_figure, styled
from ceinms_torch.plots.ranges import draw_ranges, rows_height
from ceinms_torch.results.saved import SavedResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def plot_operating_ranges(results: Sequence[SavedResult]) -> Figure:
    """Draw the range of normalised fibre lengths of every MTU below the force-length curves.

    Parameters
    ----------
    results : sequence of SavedResult
        What to compare, each in a colour of its own; the curves are those of the first.

    Returns
    -------
    matplotlib.figure.Figure
        Above, active and passive force over maximum isometric force [-]; below, one row per MTU
        with all lengths (thin), the middle 90 % (thick) and the median; over fibre length /
        optimal fibre length [-].
    """
    figure, (above, below) = narrow_figure(2, heights=[1.3, rows_height(results)])
    curves = results[0].summary["curves"]
    length = np.array(curves["normFibreLength"])
    for name, label, dashes in (
        ("activeForceLength", "active", "-"),
        ("passiveForceLength", "passive", "--"),
    ):
        force = np.array(curves[name])
        draw_line(above, length, force, label, color=MEASURED, ls=dashes)
    above.set_ylim(-0.05, 1.6)
    above.set_ylabel("Force / maximum\nisometric force [-]")
    above.legend(loc="upper left")
    handles = draw_ranges(below, results, "norm_fibre_length")
    below.set_xlabel("Fibre length / optimal fibre length [-]")
    low, high = below.dataLim.intervalx
    below.set_xlim(min(0.4, low - 0.03), max(1.6, high + 0.03))
    for axes in (above, below):
        axes.axvline(1.0, color=MUTED, lw=0.8, ls=":", zorder=0)
    add_legend(figure, handles)
    return figure
