"""Excitations and activations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ceinms_torch.calibration.result import CalibrationResult
from ceinms_torch.plots.moments import trial_names, trial_of
from ceinms_torch.plots.narrow import (
    MUTED,
    add_legend,
    check_known,
    draw_line,
    line_style,
    mtu_panels,
    styled,
    told_apart,
)
from ceinms_torch.plots.ranges import mtu_names
from ceinms_torch.simulation.trial_result import TrialResult

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOWEST_TOP = 0.1  # of the axis [-]


@styled
def plot_activations(results: Sequence[CalibrationResult], trial: str) -> Figure:
    """Draw excitation and activation of every MTU over one trial.

    Parameters
    ----------
    results : sequence of CalibrationResult
        What to compare, each in a colour of its own; the excitations are those of the first that
        has the trial.
    trial : str
        Name of a trial that at least one of them has.

    Returns
    -------
    matplotlib.figure.Figure
        One small plot per MTU: excitation as recorded (grey; dotted and said so where it was
        synthesised) and activation [-], over 0 to 100 % of the trial.

    Raises
    ------
    UnknownNameError
        If no result has such a trial.
    """
    results = told_apart(results)
    check_known("a trial", trial, trial_names(results))
    mtus = mtu_names(results)
    figure, panels = mtu_panels(mtus, sharey=True)
    handles: dict[str, Artist] = {}
    for axes, mtu in zip(panels, mtus, strict=True):
        for i, result in enumerate(results):
            one = trial_of(result, trial)
            if one is None or mtu not in result.subject.mtu_names:
                continue
            if not axes.lines:
                name = "synthesised excitation" if mtu in one.synthesised else "excitation"
                handles[name] = _draw_excitation(axes, one, mtu, name)
            name = "activation" if len(results) == 1 else f"activation, {result.label}"
            handles[name] = draw_line(
                axes,
                one.percent(one.simulation.activation),
                one.simulation.activation[mtu],
                name,
                **line_style(i, len(results)),
            )
    highest = max(axes.dataLim.y1 for axes in panels)
    panels[0].set_ylim(0.0, max(_LOWEST_TOP, 1.02 * highest))
    figure.supylabel("Excitation and activation [-]", fontsize=9.0)
    add_legend(figure, handles)
    return figure


def _draw_excitation(axes: Axes, trial: TrialResult, mtu: str, name: str) -> Artist:
    percent = trial.percent(trial.excitation)
    inside = (percent >= 0.0) & (percent <= 100.0)
    dashes = ":" if mtu in trial.synthesised else "-"
    return draw_line(
        axes, percent[inside], trial.excitation[mtu][inside], name, color=MUTED, ls=dashes, lw=1.0
    )
