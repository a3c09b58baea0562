"""The figure of the calibration study (paper, Figs. 2, S2 and S3; Fig. 3 is in the comparison)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ceinms_torch.plots.compare import plot_objective, style_of
from ceinms_torch.plots.style import (
    COLOURS,
    GREYS,
    draw_means,
    in_style,
    label_panels,
    new_figure,
)
from ceinms_torch.simulation.trial_result import Role
from ceinms_torch.studies.calibration import CONDITION, TRIAL, CalibrationStudy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def calibration_figure(study: CalibrationStudy) -> Figure:
    """Draw time, convergence and spread of every method, validation and the learning curve.

    Parameters
    ----------
    study : CalibrationStudy
        The study.

    Returns
    -------
    matplotlib.figure.Figure
        A panel of what was not run says so.
    """
    with in_style():
        figure = new_figure(12.0, 7.0)
        panels: list[Axes] = list(figure.subplots(2, 3).flat)
        _draw_time(panels[0], study)
        plot_objective(panels[1], study.comparison, over="iterations")
        panels[1].set_ylabel(f"objective [{study.comparison.unit}]")
        draws: list[Callable[[Axes, CalibrationStudy], bool]] = [
            _draw_cost,
            _draw_spread,
            _draw_validation,
            _draw_learning,
        ]
        for axes, draw in zip(panels[2:], draws, strict=True):
            if not draw(axes, study):
                axes.text(0.5, 0.5, "not run", transform=axes.transAxes, ha="center", color="grey")
        label_panels(panels)
    return figure


def _draw_time(axes: Axes, study: CalibrationStudy) -> None:
    styles, groups = style_of(study.comparison), study.comparison.calibrated()
    for i, (name, runs) in enumerate(groups.items()):
        seconds = [run.seconds for run in runs]
        axes.bar(i, float(np.mean(seconds)), 0.7, color=styles[name][0])
        axes.plot([i] * len(seconds), seconds, "k.", markersize=3)
    axes.set_xticks(range(len(groups)), [name.replace(", ", "\n") for name in groups])
    axes.set_yscale("log")
    axes.set_ylabel("time in the optimiser [s]")
    axes.grid(axis="y")


def _draw_cost(axes: Axes, study: CalibrationStudy) -> bool:
    styles = style_of(study.comparison)
    curves = study.cost_curves()
    for name, curve in curves.items():
        if 1 in curve:
            colour, marker = styles[name]
            counts = sorted(curve)
            ratios = [curve[n] / curve[1] for n in counts]
            axes.plot(counts, ratios, color=colour, marker=marker, markersize=4, label=name)
    axes.set_xlabel("calibration trials")
    axes.set_ylabel("time of an iteration,\nover that with one trial [-]")
    axes.set_ylim(bottom=0.0)
    axes.grid()
    if curves:
        axes.legend(fontsize=8)
    return bool(curves)


def _draw_spread(axes: Axes, study: CalibrationStudy) -> bool:
    by_kind, styles = study.spread_by_kind(), style_of(study.comparison)
    names = list(dict.fromkeys(name for one in by_kind.values() for name in one))
    for i, name in enumerate(names):
        for k, spread in enumerate(by_kind.values()):
            y = k + 0.8 * (i + 0.5) / len(names) - 0.4
            colour = styles[name][0]
            axes.barh(
                y,
                float(np.mean(spread[name])),
                0.7 / len(names),
                color=colour,
                label=name if k == 0 else None,
            )
            axes.plot(spread[name], [y] * len(spread[name]), "k.", markersize=2, alpha=0.6)
    axes.set_yticks(range(len(by_kind)), list(by_kind))
    axes.invert_yaxis()
    axes.set_xlabel("SD of parameters between seeds [ranges]")
    axes.grid(axis="x")
    if names:
        axes.legend(fontsize=8)
    return bool(by_kind)


def _draw_validation(axes: Axes, study: CalibrationStudy) -> bool:
    parts = [*study.of_kind(TRIAL), *study.of_kind(CONDITION)]
    dofs = study.comparison.dofs
    for i, part in enumerate(parts):
        for j, (run, colour) in enumerate(((part.control, GREYS[1]), (part.run, COLOURS[0]))):
            label = None if i else ("uncalibrated", "calibrated on the rest")[j]
            value = run.mean("test", "rmse", dofs)
            axes.barh(i + 0.4 * j - 0.2, value, 0.38, color=colour, label=label)
    axes.set_yticks(range(len(parts)), [part.fold.name for part in parts])
    axes.invert_yaxis()
    axes.set_xlabel("RMSE of what was held out [N m]")
    axes.grid(axis="x")
    n_trial = len(study.of_kind(TRIAL))
    if 0 < n_trial < len(parts):  # conditions below
        axes.axhline(n_trial - 0.5, color="black", linewidth=0.8)
    if parts:
        axes.legend(fontsize=8)
    return bool(parts)


def _draw_learning(axes: Axes, study: CalibrationStudy) -> bool:
    curve, dofs = study.learning_curve(), study.comparison.dofs
    roles: tuple[Role, ...] = ("test", "calibration")
    for i, role in enumerate(roles):
        errors: dict[float, list[float]] = {
            n: [part.run.mean(role, "rmse", dofs) for part in parts] for n, parts in curve.items()
        }
        draw_means(axes, errors, i, f"{role} trials")
    n_enough = study.enough_trials()
    if n_enough is not None:
        axes.axvline(n_enough, color=GREYS[0], linestyle=":", label="enough")
    axes.set_xlabel("calibration trials")
    axes.set_ylabel("RMSE, mean over DOFs [N m]")
    axes.set_xticks(list(curve))
    axes.grid(axis="y")
    if curve:
        axes.legend(fontsize=8)
    return bool(curve)
