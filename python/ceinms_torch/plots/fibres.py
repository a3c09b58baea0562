"""Where on the force-length curves fibres work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ceinms_torch.calibration.result import CalibrationResult
from ceinms_torch.model.subject import CURVE_NAMES
from ceinms_torch.plots.narrow import (
    MEASURED,
    MUTED,
    add_legend,
    draw_line,
    narrow_figure,
    styled,
    told_apart,
)
from ceinms_torch.plots.ranges import draw_ranges, rows_height
from ceinms_torch.simulation.curves import curve_tables, curve_values

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Normalised fibre lengths [-] at which the force-length curves are drawn.
_LENGTHS = np.linspace(0.3, 1.9, 81)


@styled
def plot_operating_ranges(results: Sequence[CalibrationResult]) -> Figure:
    """Draw the range of normalised fibre lengths of every MTU below the force-length curves.

    Parameters
    ----------
    results : sequence of CalibrationResult
        What to compare, each in a colour of its own; the curves are those of the first.

    Returns
    -------
    matplotlib.figure.Figure
        Above, active and passive force over maximum isometric force [-]; below, one row per MTU
        with all lengths (thin), the middle 90 % (thick) and the median; over fibre length /
        optimal fibre length [-].
    """
    results = told_apart(results)
    figure, (above, below) = narrow_figure(2, heights=[1.3, rows_height(results)])
    tables = dict(zip(CURVE_NAMES, curve_tables(results[0].subject), strict=True))
    for name, label, dashes in (
        ("activeForceLength", "active", "-"),
        ("passiveForceLength", "passive", "--"),
    ):
        force = curve_values(tables[name], _LENGTHS)
        draw_line(above, _LENGTHS, force, label, color=MEASURED, ls=dashes)
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
