"""Muscle forces, with their bands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ceinms_torch.calibration.result import CalibrationResult
from ceinms_torch.plots.moments import trial_names, trial_of
from ceinms_torch.plots.narrow import (
    add_legend,
    check_known,
    draw_band,
    draw_line,
    line_style,
    mtu_panels,
    styled,
    told_apart,
)
from ceinms_torch.plots.ranges import mtu_names

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure


@styled
def plot_forces(results: Sequence[CalibrationResult], trial: str) -> Figure:
    """Draw the force of every MTU over one trial, with its band where there is one.

    Parameters
    ----------
    results : sequence of CalibrationResult
        What to compare, each in a colour of its own.
    trial : str
        Name of a trial that at least one of them has.

    Returns
    -------
    matplotlib.figure.Figure
        One small plot per MTU: force along the tendon [N], each with limits of its own, over 0 to
        100 % of the trial; bands as `ceinms_torch.uncertainty` says what they mean.

    Raises
    ------
    UnknownNameError
        If no result has such a trial.
    """
    results = told_apart(results)
    check_known("a trial", trial, trial_names(results))
    mtus = mtu_names(results)
    figure, panels = mtu_panels(mtus, sharey=False)
    handles: dict[str, Artist] = {}
    for axes, mtu in zip(panels, mtus, strict=True):
        for i, result in enumerate(results):
            one = trial_of(result, trial)
            if one is None or mtu not in result.subject.mtu_names:
                continue
            series, own = one.simulation.mtu_force, f", {result.label}" if len(results) > 1 else ""
            percent, style = one.percent(series), line_style(i, len(results))
            if (bands := result.bands_of(one)) is not None:
                name = f"{bands.mtu_force.percentage} band{own}"
                handles[name] = draw_band(axes, percent, bands.mtu_force, mtu, **style)
            name = f"force{own}"
            handles[name] = draw_line(axes, percent, series[mtu], name, **style)
        axes.set_ylim(bottom=0.0)
        axes.locator_params(axis="y", nbins=3)
    figure.supylabel("Force along the tendon [N]", fontsize=9.0)
    add_legend(figure, handles)
    return figure
