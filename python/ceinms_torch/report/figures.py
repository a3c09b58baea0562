"""Which figures a report has: one list for the page and for files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from ceinms_torch import plots
from ceinms_torch.calibration.result import CalibrationResult
from ceinms_torch.plots.moments import dof_names, trial_names, trial_of
from ceinms_torch.plots.parameters import parameter_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class ReportFigure:
    """A figure of the report.

    Parameters
    ----------
    name : str
        Name of its file, without suffix, and of its place in the page.
    section : str
        The section it belongs to.
    choice : str
        What the reader chooses it by, such as the trial; "" if it is always shown.
    caption : str
        What it shows; also said to those who cannot see it.
    draw : callable
        Draws it.
    """

    name: str
    section: str
    choice: str = ""
    caption: str
    draw: Callable[[], Figure]


def report_figures(results: Sequence[CalibrationResult]) -> list[ReportFigure]:
    """Return every figure of a report, in its order; none is drawn yet.

    Parameters
    ----------
    results : sequence of CalibrationResult
        What the report is about.

    Returns
    -------
    list of ReportFigure
        With names that differ.
    """
    figures = [
        *_moments(results),
        *_parameters(results),
        *_identifiability(results),
        *_ranges(results),
        *_forces(results),
        *_activations(results),
        *_history(results),
    ]
    # Two names may be one without what files cannot take.
    count: Counter[str] = Counter()
    different = []
    for figure in figures:
        count[figure.name] += 1
        n = count[figure.name]
        different.append(figure if n == 1 else replace(figure, name=f"{figure.name}_{n}"))
    return different


def _moments(results: Sequence[CalibrationResult]) -> Iterator[ReportFigure]:
    for dof in dof_names(results):
        yield ReportFigure(
            name=f"moment_bands_{file_name(dof)}",
            section="moments",
            choice=dof,
            caption=f"Moment of {dof}: mean over the trials of each kind, with one standard "
            "deviation to both sides where there are several.",
            draw=partial(plots.plot_moment_bands, results, dof),
        )
    for trial in trial_names(results):
        yield ReportFigure(
            name=f"moments_{file_name(trial)}",
            section="moment_trials",
            choice=_choice(results, trial),
            caption=f"Measured and predicted moments of {_choice(results, trial)}."
            + _bands_in_words(results),
            draw=partial(plots.plot_moments, results, trial),
        )


def _choice(results: Sequence[CalibrationResult], name: str) -> str:
    """Return a trial's name with what the results did with it."""
    uses = {trial.role for result in results if (trial := trial_of(result, name)) is not None}
    return f"{name} ({' or '.join(sorted(uses))} trial)"


def _parameters(results: Sequence[CalibrationResult]) -> Iterator[ReportFigure]:
    for name in parameter_names(results):
        yield ReportFigure(
            name=f"parameters_{name}",
            section="parameters",
            caption=f"Where {name} started and ended within its range; bars are 95 % intervals of "
            "those values that are identifiable.",
            draw=partial(plots.plot_parameters, results, name),
        )


def _identifiability(results: Sequence[CalibrationResult]) -> Iterator[ReportFigure]:
    known = [result for result in results if result.identifiability is not None]
    for i, result in enumerate(known, 1):
        number = f"_{i}" if len(known) > 1 else ""
        yield ReportFigure(
            name=f"certainty{number}",
            section="identifiability",
            caption=f"Parameters of {result.label}: how many are identifiable, by kind, and why "
            "the others are not.",
            draw=partial(plots.plot_certainty, result),
        )
    if known:
        yield ReportFigure(
            name="singular_values",
            section="identifiability",
            caption="How strongly the moments react to a step along each direction of the "
            "parameters. Directions far below the first are free to change.",
            draw=partial(plots.plot_singular_values, known),
        )


def _ranges(results: Sequence[CalibrationResult]) -> Iterator[ReportFigure]:
    yield ReportFigure(
        name="operating_ranges",
        section="fibres",
        caption="Normalised fibre lengths of every MTU in all trials: whole range thin, middle "
        "90 % thick, median marked; above, the force-length curves at full activation.",
        draw=partial(plots.plot_operating_ranges, results),
    )
    yield ReportFigure(
        name="tendon_strains",
        section="tendons",
        caption="Tendon strains of every MTU in all trials: whole range thin, middle 90 % thick, "
        "median marked. Below zero the tendon is slack.",
        draw=partial(plots.plot_tendon_strains, results),
    )


def _forces(results: Sequence[CalibrationResult]) -> Iterator[ReportFigure]:
    for trial in trial_names(results):
        yield ReportFigure(
            name=f"forces_{file_name(trial)}",
            section="forces",
            choice=_choice(results, trial),
            caption=f"Force of every MTU in {_choice(results, trial)}." + _bands_in_words(results),
            draw=partial(plots.plot_forces, results, trial),
        )


def _bands_in_words(results: Sequence[CalibrationResult]) -> str:
    if all(result.uncertainty is None for result in results):
        return ""
    return " Bands: where the truth is at each instant, given that the model is right."


def _activations(results: Sequence[CalibrationResult]) -> Iterator[ReportFigure]:
    for trial in trial_names(results):
        yield ReportFigure(
            name=f"activations_{file_name(trial)}",
            section="activations",
            choice=_choice(results, trial),
            caption=f"Excitation and activation of every MTU in {_choice(results, trial)}.",
            draw=partial(plots.plot_activations, results, trial),
        )


def _history(results: Sequence[CalibrationResult]) -> Iterator[ReportFigure]:
    yield ReportFigure(
        name="history_iterations",
        section="history",
        caption="Objective and moment errors over the iterations.",
        draw=partial(plots.plot_history, results, "iteration"),
    )
    yield ReportFigure(
        name="history_seconds",
        section="history",
        caption="Objective and moment errors over the time inside the optimiser.",
        draw=partial(plots.plot_history, results, "seconds"),
    )


def file_name(name: str) -> str:
    """Return a name with nothing in it that file names and links cannot take."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)
