"""Joint contact forces over a trial, with their bands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ceinms_torch.loads.joint_loads import JointLoads
from ceinms_torch.plots.narrow import (
    MUTED,
    add_legend,
    colour_of,
    draw_line,
    narrow_figure,
    styled,
    thinned,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure


@styled
def plot_joint_loads(loads: JointLoads) -> Figure:
    """Draw the resultant that every joint bears, in body weights.

    Parameters
    ----------
    loads : JointLoads
        Of one trial.

    Returns
    -------
    matplotlib.figure.Figure
        One plot per joint over time [s]: with muscles, with the band where there is one, and
        without any muscle force.
    """
    figure, panels = narrow_figure(len(loads.peaks), heights=1.3)
    handles: dict[str, Artist] = {}
    weight, time = loads.body_weight, loads.force.time
    for axes, peak in zip(panels, loads.peaks, strict=True):
        column = loads.column(peak.joint)
        if (band := loads.band) is not None:
            keep = thinned(len(time))
            name = "range" if band.level == 1.0 else f"{band.percentage} band"
            name += f" of {loads.n_set} parameter sets"
            ends = band.lower[column][keep] / weight, band.upper[column][keep] / weight
            handles[name] = axes.fill_between(
                time[keep], *ends, color=colour_of(0), alpha=0.22, lw=0
            )
        name = "without muscle forces"
        handles[name] = draw_line(
            axes, time, loads.net_force[peak.joint] / weight, name, color=MUTED, ls="--"
        )
        name = "joint contact force"
        handles[name] = draw_line(
            axes, time, loads.resultant(peak.joint) / weight, name, color=colour_of(0)
        )
        axes.set_title(f"{peak.joint}, at most {peak.body_weights:.2f} body weights", fontsize=8.0)
        axes.set_ylim(bottom=0.0)
        axes.locator_params(axis="y", nbins=4)
    figure.supxlabel("Time [s]", fontsize=9.0)
    figure.supylabel("Resultant [body weights]", fontsize=9.0)
    add_legend(figure, handles, n_column=1 if loads.band is not None else 2)
    return figure
