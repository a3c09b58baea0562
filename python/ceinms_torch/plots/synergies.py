"""Figures of muscle synergies: what they are, what they explain, how much they repeat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.plots.style import COLOURS, GREYS, in_style, label_panels, new_figure
from ceinms_torch.synergies.extraction import Synergies
from ceinms_torch.synergies.number import RULE_NAMES, NumberChoice
from ceinms_torch.synergies.recording import Recording
from ceinms_torch.synergies.reliability import Reliability, time_normalised
from ceinms_torch.synergies.vaf import vaf_by_channel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

_COLUMNS = 3  # of small panels side by side


def synergies_figure(
    recordings: Sequence[Recording], synergies: Mapping[str, Synergies], trial: str
) -> Figure:
    """Draw weightings, primitives, and what they make of one trial (paper, Fig. 4).

    Parameters
    ----------
    recordings : sequence of Recording
        The trials.
    synergies : mapping of str to Synergies
        Of each trial, in the same order of synergies.
    trial : str
        The trial whose excitations are shown.

    Returns
    -------
    matplotlib.figure.Figure
    """
    one = next(recording for recording in recordings if recording.name == trial)
    found = synergies[trial]
    n_row = max(found.n_synergy, -(-len(one.channels) // _COLUMNS))
    with in_style():
        figure = new_figure(11.0, 1.0 + 1.15 * max(n_row, 2))
        parts: Any = figure.subfigures(1, 2, width_ratios=(1.0, 1.15), wspace=0.03)
        left, right = parts
        _draw_factors(left, recordings, synergies)
        _draw_excitations(right, one, found)
        left.suptitle(f"{found.n_synergy} synergies of {_trials(len(recordings))}")
        right.suptitle(f"Excitations of {trial}, VAF {100.0 * found.vaf:.1f} %")
    return figure


def number_figure(choice: NumberChoice, recorded_moment_error: float | None = None) -> Figure:
    """Draw what every number of synergies explains, and the number taken.

    Parameters
    ----------
    choice : NumberChoice
        The numbers.
    recorded_moment_error : float, optional
        Moment RMSE with the excitations as recorded [N m], as a line.

    Returns
    -------
    matplotlib.figure.Figure
        Variance accounted for; error of channels as if not recorded, and of moments, both on trials
        left out, with the standard error of the mean over trials.
    """
    rows = choice.rows
    numbers = [row.n_synergy for row in rows]
    errors: list[tuple[str, str, list[Any]]] = [
        (
            "held-out",
            "Error of unrecorded channels,\ntrials left out (1 − VAF) [%]",
            [
                None if row.channel_error is None else 100.0 * np.array(row.channel_error)
                for row in rows
            ],
        ),
        ("score", "Moment RMSE,\ntrials left out [N m]", [row.score for row in rows]),
    ]
    shown = [one for one in errors if any(values is not None for values in one[2])]
    with in_style():
        figure = new_figure(3.6 * (1 + len(shown)), 3.1)
        panels: list[Axes] = list(np.atleast_1d(figure.subplots(1, 1 + len(shown))))
        _draw_vaf(panels[0], choice)
        for axes, (rule, label, values) in zip(panels[1:], shown, strict=True):
            known = [
                (n, np.asarray(v)) for n, v in zip(numbers, values, strict=True) if v is not None
            ]
            mean = [v.mean() for _, v in known]
            spread = [v.std(ddof=1) / np.sqrt(len(v)) if len(v) > 1 else 0.0 for _, v in known]
            axes.errorbar(
                [n for n, _ in known], mean, yerr=spread, marker="o", capsize=3, color=COLOURS[1]
            )
            if rule == "score" and recorded_moment_error is not None:
                axes.axhline(
                    recorded_moment_error, color=GREYS[0], linestyle=":", label="as recorded"
                )
                axes.legend()
            _mark(axes, choice, rule)
            axes.set_ylabel(label)
            axes.set_ylim(bottom=0.0)
        for axes in panels:
            axes.set_xlabel("Number of synergies")
            axes.set_xticks(numbers)
        if len(panels) > 1:
            label_panels(panels)
    return figure


def reliability_figure(found: Reliability) -> Figure:
    """Draw how much synergies repeat themselves from trial to trial (paper, Figs S4 and S5).

    Parameters
    ----------
    found : Reliability
        The comparison.

    Returns
    -------
    matplotlib.figure.Figure
        Top: weightings and primitives of every trial. Bottom: their agreement over all pairs.
    """
    n_synergy = found.matched[0].n_synergy
    names = found.matched[0].names
    with in_style():
        figure = new_figure(max(6.5, 2.3 * n_synergy), 6.6)
        parts: Any = figure.subfigures(2, 1, height_ratios=(2.0, 1.0))
        top, bottom = parts
        grid = top.subplots(2, n_synergy, squeeze=False, sharey="row", height_ratios=(1.3, 1.0))
        for i in range(n_synergy):
            colour = COLOURS[i % len(COLOURS)]
            values = np.array([one.weightings[:, i] for one in found.matched])
            place = np.arange(len(names))
            upper, lower = grid[0, i], grid[1, i]
            upper.barh(place, values.mean(axis=0), color=colour, alpha=0.35)
            for one in values:
                upper.plot(one, place, ".", color=colour, markersize=3)
            upper.set_yticks(place, names)
            upper.set_title(f"Synergy {i + 1}")
            upper.set_xlabel("Weighting [-]")
            curves = np.array([time_normalised(one.primitives)[i] for one in found.matched])
            _draw_curves(lower, curves, colour)
            lower.set_xlabel("Time [% of trial]")
        grid[0, 0].invert_yaxis()
        grid[1, 0].set_ylabel("Primitive [-]")
        panels = bottom.subplots(1, 2, sharey=True)
        for axes, values, label in zip(
            panels,
            (found.weighting_similarity, found.primitive_correlation),
            ("Weightings:\ncosine of two trials [-]", "Primitives:\ncorrelation of two trials [-]"),
            strict=True,
        ):
            _draw_spread(axes, values)
            axes.set_ylabel(label)
            axes.set_xlabel("Synergy")
            axes.tick_params(labelleft=True)
        top.suptitle(f"Synergies extracted from each of {_trials(len(found.matched))}")
    return figure


def _trials(n: int) -> str:
    return f"{n} trial" + ("s" if n > 1 else "")


def _draw_factors(
    figure: SubFigure, recordings: Sequence[Recording], synergies: Mapping[str, Synergies]
) -> None:
    """Draw one row per synergy: weightings as bars, primitives as curves."""
    found = [synergies[one.name] for one in recordings]
    names = found[0].names
    grid = figure.subplots(
        found[0].n_synergy, 2, squeeze=False, sharex="col", width_ratios=(1.0, 1.1)
    )
    top = max(one.weightings.max() for one in found)
    for i, (bars, curves) in enumerate(grid):
        colour = COLOURS[i % len(COLOURS)]
        weightings = np.array([one.weightings[:, i] for one in found])
        place = np.arange(len(names))
        bars.bar(place, weightings.mean(axis=0), color=colour)
        if np.ptp(weightings, axis=0).max() > 0.0:  # each trial has its own
            for one in weightings:
                bars.plot(place, one, ".", color="black", markersize=2.5)
        bars.set_ylim(0.0, 1.05 * top)
        bars.set_ylabel(f"Synergy {i + 1}")
        _draw_curves(
            curves, np.array([time_normalised(one.primitives)[i] for one in found]), colour
        )
    grid[-1, 0].set_xticks(np.arange(len(names)), names, rotation=90)
    grid[0, 0].set_title("Weightings [-]")
    grid[0, 1].set_title("Primitives [-]")
    grid[-1, 1].set_xlabel("Time [% of trial]")


def _draw_curves(axes: Axes, curves: FloatArray, colour: str) -> None:
    """Draw curves of every trial thinly and their mean thickly."""
    percent = np.linspace(0.0, 100.0, curves.shape[1])
    if len(curves) > 1:
        axes.plot(percent, curves.T, color=colour, linewidth=0.6, alpha=0.5)
    axes.plot(percent, curves.mean(axis=0), color=colour, linewidth=2.0)
    axes.set_xlim(0.0, 100.0)
    axes.set_ylim(0.0, 1.05)


def _draw_excitations(figure: SubFigure, recording: Recording, synergies: Synergies) -> None:
    """Draw one small panel per channel, all on one scale: as recorded and from synergies."""
    names, recorded, rebuilt = recording.channels, recording.excitation, synergies.reconstruction
    time = recording.time - recording.time[0]
    n_row = -(-len(names) // _COLUMNS)
    grid = figure.subplots(n_row, _COLUMNS, squeeze=False, sharex=True, sharey=True)
    explained = vaf_by_channel(recorded, rebuilt)
    lines = []
    for i, (name, axes) in enumerate(zip(names, grid.flat, strict=False)):
        lines = [
            axes.plot(time, recorded[:, i], color="black", linewidth=1.6, label="recorded")[0],
            axes.plot(
                time,
                rebuilt[:, i],
                color=COLOURS[1],
                linewidth=1.3,
                dashes=(4, 1.5),
                label="from synergies",
            )[0],
        ]
        share = explained[i]
        known = f"VAF {100.0 * share:.0f} %" if share >= 0.0 else "VAF < 0"
        axes.set_title(name if np.isnan(share) else f"{name}, {known}")
    for axes in grid.flat[len(names) :]:
        axes.remove()
    for axes in [*grid[-1, : len(names) - (n_row - 1) * _COLUMNS]]:
        axes.set_xlabel("Time [s]")
    if n_row > 1:
        for axes in grid[-2, len(names) - (n_row - 1) * _COLUMNS :]:
            axes.set_xlabel("Time [s]")
            axes.tick_params(labelbottom=True)
    for axes in grid[:, 0]:
        axes.set_ylabel("Excitation [-]")
    grid[0, 0].set_ylim(bottom=0.0)
    figure.legend(handles=lines, loc="outside lower center", ncols=2)


def _draw_vaf(axes: Axes, choice: NumberChoice) -> None:
    rows = choice.rows
    numbers = [row.n_synergy for row in rows]
    axes.plot(
        numbers, [100.0 * row.vaf for row in rows], "o-", color=COLOURS[0], label="all channels"
    )
    least = [100.0 * row.vaf_by_channel.min() for row in rows]
    axes.plot(numbers, least, "^--", color=COLOURS[2], label="worst channel")
    held = [row.held_out_vaf for row in rows]
    if all(value is not None for value in held):
        percent = [100.0 * value for value in held if value is not None]
        axes.plot(numbers, percent, "s-.", color=COLOURS[1], label="trials left out")
    axes.axhline(100.0 * choice.threshold, color=GREYS[0], linestyle=":", linewidth=1.0)
    _mark(axes, choice, "vaf")
    axes.set_ylabel("Variance accounted for [%]")
    axes.set_ylim(top=102.0)
    axes.legend(loc="lower right")


def _mark(axes: Axes, choice: NumberChoice, rule: str) -> None:
    """Mark the number that a rule says; boldly if it is the one that decided."""
    if rule in choice.choices:
        decided = rule == choice.rule
        number = choice.choices[rule]
        axes.axvline(
            number, color=GREYS[0], linewidth=8.0, alpha=0.35 if decided else 0.15, zorder=0
        )
        axes.set_title(f"rule '{RULE_NAMES[rule]}': {number}" + (" (taken)" if decided else ""))


def _draw_spread(axes: Axes, values: FloatArray) -> None:
    """Draw every pair as a dot, and mean and standard deviation over them."""
    rng = np.random.default_rng(0)
    for i, one in enumerate(values.T):
        known = one[np.isfinite(one)]
        colour = COLOURS[i % len(COLOURS)]
        place = i + 1 + 0.12 * rng.uniform(-1.0, 1.0, len(known))
        axes.plot(place, known, ".", color=colour, alpha=0.5, markersize=4)
        axes.errorbar(i + 1.25, known.mean(), known.std(), fmt="D", color="black", capsize=3)
    axes.set_xticks(np.arange(1, values.shape[1] + 1))
    axes.set_xlim(0.5, values.shape[1] + 0.6)
    axes.set_ylim(min(0.0, float(np.nanmin(values)) - 0.05), 1.05)
    axes.grid(axis="y")
