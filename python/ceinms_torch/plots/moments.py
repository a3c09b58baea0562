"""Measured and predicted joint moments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.calibration.result import CalibrationResult
from ceinms_torch.plots.narrow import (
    MEASURED,
    add_legend,
    check_known,
    draw_band,
    draw_line,
    line_style,
    narrow_figure,
    styled,
    told_apart,
)
from ceinms_torch.simulation.trial_result import TrialResult

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Trials of different duration are compared at every percent of the trial.
_PERCENT = np.linspace(0.0, 100.0, 101)
_SHARE_LABEL = "Share of the trial [%]"


def trials_of(result: CalibrationResult) -> tuple[TrialResult, ...]:
    """Return what is drawn of a result: its calibration trials, then those it is tested on."""
    return (*result.trials, *result.new_tests)


def trial_names(results: Sequence[CalibrationResult]) -> list[str]:
    """Return the names of all trials of all results, in the order they come.

    Parameters
    ----------
    results : sequence of CalibrationResult
        The results.

    Returns
    -------
    list of str
    """
    return list(dict.fromkeys(one.name for result in results for one in trials_of(result)))


def dof_names(results: Sequence[CalibrationResult]) -> list[str]:
    """Return the names of all DOFs of all results, in the order they come."""
    return list(dict.fromkeys(dof for result in results for dof in result.subject.dof_names))


def trial_of(result: CalibrationResult, name: str) -> TrialResult | None:
    """Return a result's trial of that name, its calibration trial if there are two."""
    return next((one for one in trials_of(result) if one.name == name), None)


@styled
def plot_moments(results: Sequence[CalibrationResult], trial: str) -> Figure:
    """Draw measured and predicted moments of every DOF over one trial.

    Parameters
    ----------
    results : sequence of CalibrationResult
        What to compare, each in a colour of its own.
    trial : str
        Name of a trial that at least one of them has.

    Returns
    -------
    matplotlib.figure.Figure
        One row per DOF; moments [N m] over time [s], with their bands where there are some.

    Raises
    ------
    UnknownNameError
        If no result has such a trial.
    """
    results = told_apart(results)
    check_known("a trial", trial, trial_names(results))
    dofs = dof_names(results)
    figure, rows = narrow_figure(len(dofs))
    handles: dict[str, Artist] = {}
    for axes, dof in zip(rows, dofs, strict=True):
        fits = []
        for i, result in enumerate(results):
            one = trial_of(result, trial)
            if one is None or dof not in result.subject.dof_names:
                continue
            time = one.measured_moment.time
            if "measured" not in axes.get_legend_handles_labels()[1]:
                handles["measured"] = draw_line(
                    axes, time, one.measured_moment[dof], "measured", color=MEASURED, ls="--"
                )
            style, own = line_style(i, len(results)), "" if len(results) == 1 else result.label
            if (bands := result.bands_of(one)) is not None:
                band = bands.joint_moment
                name = f"{band.percentage} band{own and f', {own}'}"
                handles[name] = draw_band(axes, time, band, dof, **style)
            name = own or "predicted"
            handles[name] = draw_line(axes, time, one.simulation.joint_moment[dof], name, **style)
            fits.append(f"RMSE {one.fit[dof].rmse:.3g} N m, R² {one.fit[dof].r2:.2f}")
        axes.set_title(f"{dof}: {fits[0]}" if len(fits) == 1 else dof)
        _finish_row(axes)
    rows[-1].set_xlabel("Time [s]")
    add_legend(figure, handles)
    return figure


@styled
def plot_moment_bands(results: Sequence[CalibrationResult], dof: str) -> Figure:
    """Draw the mean and the spread of a DOF's moments over the trials of each kind.

    Parameters
    ----------
    results : sequence of CalibrationResult
        What to compare, each in a colour of its own.
    dof : str
        Name of a DOF that at least one of them has.

    Returns
    -------
    matplotlib.figure.Figure
        One row per kind of trial (`trial_kind`): mean measured moment, and the mean predicted on
        calibration trials (solid) and on test trials (dotted) [N m]; bands are one standard
        deviation over trials, where there are at least two. Over 0 to 100 % of the trial.

    Raises
    ------
    UnknownNameError
        If no result has such a DOF.
    """
    results = told_apart(results)
    check_known("a DOF", dof, dof_names(results))
    having = [(i, result) for i, result in enumerate(results) if dof in result.subject.dof_names]
    trials = {one.name: one for _, result in having for one in trials_of(result)}
    kinds = list(dict.fromkeys(trial.kind for trial in trials.values()))
    figure, rows = narrow_figure(len(kinds), heights=1.5)
    handles: dict[str, Artist] = {}
    for axes, kind in zip(rows, kinds, strict=True):
        measured = [t for t in trials.values() if t.kind == kind]
        handles["measured"] = _band(
            axes,
            [t.measured_moment[dof] for t in measured],
            measured,
            "measured",
            color=MEASURED,
            ls="--",
        )
        for i, result in having:
            for role, dashes in (("calibration", "-"), ("test", ":")):
                chosen = [t for t in trials_of(result) if (t.kind, t.role) == (kind, role)]
                if not chosen:
                    continue
                name = f"predicted, {role} trials"
                if len(results) > 1:
                    name = f"{result.label}, {role}"
                values = [t.simulation.joint_moment[dof] for t in chosen]
                handles[name] = _band(
                    axes, values, chosen, name, ls=dashes, **line_style(i, len(results))
                )
        axes.set_title(f"{dof}, {kind} ({len(measured)} trial{'s' * (len(measured) > 1)})")
        _finish_row(axes)
    rows[-1].set_xlabel(_SHARE_LABEL)
    add_legend(figure, handles)
    return figure


def _band(
    axes: Axes,
    moments: Sequence[FloatArray],
    trials: Sequence[TrialResult],
    label: str,
    **style: Any,
) -> Artist:
    """Draw the mean over trials, and one standard deviation to both sides."""
    values = np.array(
        [
            np.interp(_PERCENT, trial.percent(trial.measured_moment), moment)
            for trial, moment in zip(trials, moments, strict=True)
        ]
    )
    mean = values.mean(axis=0)
    if len(values) > 1:
        spread = values.std(axis=0, ddof=1)
        axes.fill_between(
            _PERCENT, mean - spread, mean + spread, color=style["color"], alpha=0.18, lw=0
        )
    return draw_line(axes, _PERCENT, mean, label, **style)


def _finish_row(axes: Axes) -> None:
    axes.axhline(0.0, color="#bfbfbf", lw=0.6, zorder=0)
    axes.set_ylabel("Moment [N m]")
    axes.locator_params(axis="y", nbins=5)
