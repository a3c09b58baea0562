"""The figure of a comparison of calibrations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ceinms_torch.plots.style import COLOURS, GREYS, MARKERS, in_style, label_panels, new_figure
from ceinms_torch.simulation.trial_result import Role
from ceinms_torch.studies.comparison import CONTROL, Comparison, Measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D


def comparison_figure(comparison: Comparison) -> Figure:
    """Draw a comparison: objective over time and evaluations, accuracy, parameters.

    Parameters
    ----------
    comparison : Comparison
        What was found.

    Returns
    -------
    matplotlib.figure.Figure
    """
    n_mtu = len(_mtus(comparison))
    heights = [3.0, 3.0, 1.0 + 0.2 * n_mtu]
    with in_style():
        figure = new_figure(12.0, sum(heights) + 0.5)
        rows: Any = figure.subfigures(3, 1, height_ratios=heights)
        top, middle, bottom = rows
        objectives = list(top.subplots(1, 2, sharey=True))
        plot_objective(objectives[0], comparison, over="time")
        plot_objective(objectives[1], comparison, over="evaluations")
        accuracies = list(middle.subplots(1, 2))
        plot_accuracy(accuracies[0], comparison, "RMSE [N m]", "rmse")
        plot_accuracy(accuracies[1], comparison, "R² = 1 − SSE/SST [-]", "r2")
        kinds = list(dict.fromkeys(kind for kind, _ in comparison.parameters))
        panels = list(np.atleast_1d(bottom.subplots(1, len(kinds), sharey=True)))
        for panel, kind in zip(panels, kinds, strict=True):
            plot_parameters(panel, comparison, kind)
        bottom.supxlabel("value within its range [-]", fontsize=9)
        label_panels([*objectives, *accuracies, panels[0]])
        handles = _legend_handles(comparison)
        figure.legend(
            handles=handles, loc="outside upper center", ncols=min(len(handles), 5), fontsize=9
        )
    return figure


def _legend_handles(comparison: Comparison) -> list[Line2D]:
    from matplotlib.lines import Line2D as Line  # noqa: PLC0415  slow to load

    return [
        Line([], [], color=colour, marker=marker, markersize=7, linewidth=3, label=name)
        for name, (colour, marker) in style_of(comparison).items()
    ]


def style_of(comparison: Comparison) -> dict[str, tuple[str, str]]:
    """Return colour and marker of every group; controls are grey."""
    styles = {}
    colours, markers, greys = iter(COLOURS * 9), iter(MARKERS * 9), iter(GREYS)
    for name, runs in comparison.groups().items():
        is_control = runs[0].candidate.method == CONTROL
        styles[name] = (next(greys), "|") if is_control else (next(colours), next(markers))
    return styles


def plot_objective(axes: Axes, comparison: Comparison, *, over: str) -> None:
    """Draw the objective of every run as it falls, and the common objective where it ends.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where.
    comparison : Comparison
        What was found.
    over : {"time", "evaluations", "iterations"}
        The horizontal axis.
    """
    styles = style_of(comparison)
    for name, runs in comparison.groups().items():
        colour, _ = styles[name]
        for run in runs:
            if run.objective is None:
                axes.axhline(run.common, color=colour, linestyle=":", linewidth=1.2)
                continue
            points = np.array(run.history)
            # The start takes no time; a logarithm begins at half the first point after it.
            x = {
                "time": points[:, 1],
                "evaluations": points[:, 0],
                "iterations": np.arange(len(points), dtype=float),
            }[over]
            if np.any(x > 0.0):
                x = np.maximum(x, 0.5 * np.min(x[x > 0.0]))
            axes.plot(x, points[:, 2], color=colour, linewidth=1.4)
            axes.plot(x[-1], run.common, color=colour, marker="D", markersize=6, clip_on=False)
    axes.set(xscale="log", yscale="log")
    for ticks in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        ticks(_plain_number)
    axes.set_xlabel("time in the optimiser [s]" if over == "time" else f"{over} [-]")
    if over == "time":
        axes.set_ylabel(f"objective [{comparison.unit}]")
        axes.plot([], [], color="black", linewidth=1.4, label="by its own definition")
        axes.plot(
            [], [], color="black", marker="D", linestyle="", label="by the common one, at end"
        )
        axes.plot([], [], color=GREYS[0], linestyle=":", label="uncalibrated, common")
        axes.legend(loc="best", fontsize=8)
    axes.grid(which="major")


def _plain_number(value: float, _: object) -> str:
    """Label 1, 2 and 5 of every decade, plainly."""
    return f"{value:g}" if f"{value:e}"[0] in "125" else ""


def plot_accuracy(axes: Axes, comparison: Comparison, label: str, measure: Measure) -> None:
    """Draw a measure of accuracy by DOF: bars for means over trials, dots for trials.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where.
    comparison : Comparison
        What was found.
    label : str
        Name and unit of the measure.
    measure : {"rmse", "r2"}
        Which.
    """
    groups, styles = comparison.groups(), style_of(comparison)
    roles: tuple[Role, ...] = ("calibration", "test")
    roles = roles if comparison.runs[0].test_fit else roles[:1]
    width = 0.8 / (len(groups) * len(roles))
    lowest = 0.0
    for i, (name, runs) in enumerate(groups.items()):
        for j, role in enumerate(roles):
            for k, dof in enumerate(comparison.dofs):
                trials = [trial[dof] for run in runs for trial in run.fits(role).values()]
                values = [getattr(one, measure) for one in trials]
                x = k - 0.4 + (i * len(roles) + j + 0.5) * width
                is_plain = role == roles[-1]
                axes.bar(
                    x,
                    float(np.mean(values)),
                    0.9 * width,
                    color=styles[name][0] if is_plain else "white",
                    edgecolor=styles[name][0],
                    linewidth=1.0,
                )
                axes.plot([x] * len(values), values, "k.", markersize=2.5, alpha=0.6)
                lowest = min(lowest, float(np.mean(values)))
    # Where there is little room, a name takes several lines.
    separator = "_" if len(comparison.dofs) < 5 else "\n"
    names = [dof.replace("_", separator) for dof in comparison.dofs]
    axes.set_xticks(range(len(names)), names)
    axes.tick_params(axis="x", length=0)
    which = "calibration trials"
    if len(roles) > 1:
        which = f"filled: test trials, open: {which}"
    axes.set_ylabel(label)
    if lowest < -1.0:  # R² without a lower limit: what is below says no more than that it is bad
        axes.set_ylim(bottom=-1.0)
        which += "; cut off at −1"
    axes.set_title(which, loc="right", fontsize=8)
    axes.grid(axis="y")
    axes.axhline(0.0, color="black", linewidth=0.8)


def plot_parameters(axes: Axes, comparison: Comparison, kind: str) -> None:
    """Draw where a parameter of every MTU ended within its range.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where.
    comparison : Comparison
        What was found.
    kind : str
        The parameter by its XML name.
    """
    mtus, styles = _mtus(comparison), style_of(comparison)
    groups = list(comparison.groups().items())
    for i, (name, runs) in enumerate(groups):
        colour, marker = styles[name]
        offset = (i - 0.5 * (len(groups) - 1)) * 0.6 / max(len(groups) - 1, 1)
        for run in runs:
            pairs = [
                (value, mtus.index(mtu) + (0.0 if colour in GREYS else offset))
                for (one, names), value in zip(comparison.parameters, run.parameters, strict=True)
                if one == kind
                for mtu in names
            ]
            x, y = zip(*pairs, strict=True)
            size = 9.0 if colour in GREYS else 4.0
            axes.plot(x, y, marker, color=colour, markersize=size, linestyle="", clip_on=False)
    for row in range(0, len(mtus), 2):
        axes.axhspan(row - 0.5, row + 0.5, color="#f4f4f4", linewidth=0)
    axes.set_xlim(-0.03, 1.03)
    axes.set_xticks([0.0, 0.5, 1.0], ["0", "0.5", "1"])
    axes.set_ylim(len(mtus) - 0.5, -0.5)
    axes.set_yticks(range(len(mtus)), mtus)
    axes.tick_params(axis="y", length=0)
    n_kind = len({name for name, _ in comparison.parameters})
    axes.set_title(kind, loc="center", fontsize=9 if n_kind < 7 else 7)


def _mtus(comparison: Comparison) -> list[str]:
    """Return every MTU that has a parameter, in their order."""
    return list(dict.fromkeys(name for _, names in comparison.parameters for name in names))
