"""A recording and the cycles that were found in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ceinms_torch.errors import OptionError
from ceinms_torch.plots.narrow import (
    MEASURED,
    MUTED,
    add_legend,
    colour_of,
    narrow_figure,
    styled,
)
from ceinms_torch.recordings.segmentation import Segmentation

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure


@styled
def plot_cycles(found: Segmentation) -> Figure:
    """Draw what cycles were found by, the cycles in use, and those left out.

    Parameters
    ----------
    found : Segmentation
        By forces or peaks.

    Returns
    -------
    matplotlib.figure.Figure
        One plot per foot, or one, over time [s].

    Raises
    ------
    OptionError
        If cycles are of events: there is no signal to draw.
    """
    if found.time is None or not found.signals:
        raise OptionError(where="found", expected="cycles of forces or peaks", got="of events")
    figure, panels = narrow_figure(len(found.signals), heights=1.2)
    handles: dict[str, Artist] = {}
    for axes, (label, values) in zip(panels, found.signals.items(), strict=True):
        axes.plot(found.time, values, color=MEASURED, lw=0.8)
        axes.set_title(label, fontsize=8.0)
        of_panel = [one for one in found.cycles if one.foot is None or one.foot in label]
        for one in of_panel:
            name, colour = ("left out", MUTED) if one.why else (found.phase, colour_of(0))
            handles[name] = axes.axvspan(one.start, one.stop, color=colour, alpha=0.25, lw=0)
            handles[found.middle] = axes.axvline(one.middle, color=colour_of(1), lw=0.8, ls="--")
            if not one.why:
                axes.axvline(one.start, color=colour_of(0), lw=0.8)
    figure.supxlabel("Time [s]", fontsize=9.0)
    add_legend(figure, handles, n_column=3)
    return figure
