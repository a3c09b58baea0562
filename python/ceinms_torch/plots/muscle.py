"""The figures of the study of a muscle (paper, Figs. 6 and 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ceinms_torch.plots.style import COLOURS, GREYS, in_style, new_figure
from ceinms_torch.studies.muscle import MuscleStudy
from ceinms_torch.studies.muscle_models import MODELS
from ceinms_torch.studies.muscle_tables import against_stiff, prediction_errors
from ceinms_torch.studies.statistics import deviation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Rosenbrock, drawn last, is blue; models that agree are told apart by their dashes.
_LOOKS = dict(
    zip(
        MODELS,
        (
            (GREYS[1], "-", 1.0),
            (COLOURS[1], "-", 2.4),
            (COLOURS[2], (0, (4, 2)), 1.8),
            (COLOURS[0], "-", 1.0),
        ),
        strict=True,
    )
)


def muscle_forces_figure(study: MuscleStudy) -> Figure:
    """Draw measured and predicted force over time, a panel per recording.

    Parameters
    ----------
    study : MuscleStudy
        The study.

    Returns
    -------
    matplotlib.figure.Figure
    """
    n_column = min(3, len(study.trials))
    n_row = -(-len(study.trials) // n_column)
    with in_style():
        figure = new_figure(3.9 * n_column, 2.5 * n_row + 0.5)
        panels = figure.subplots(n_row, n_column, squeeze=False, sharex=True).ravel()
        for axes, trial in zip(panels, study.trials, strict=False):
            axes.plot(trial["time"], trial["force"], "k.", markersize=3.5, label="measured")
            for model, (colour, dashes, width) in _LOOKS.items():
                axes.plot(
                    trial["grid"],
                    trial["predicted"][model],
                    color=colour,
                    linestyle=dashes,
                    linewidth=width,
                    label=MODELS[model],
                )
            half = 500.0 * trial["displacement"]
            fitted = ", fitted" if trial["name"] == study.fitted_on else ""
            axes.set_title(f"±{half:.3g} mm{fitted}", loc="left")
            axes.grid(axis="y")
        for axes in panels[len(study.trials) :]:
            axes.set_visible(False)
        figure.supxlabel("Time [s]", fontsize=9)
        figure.supylabel("Force along the tendon [N]", fontsize=9)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    return figure


def muscle_errors_figure(study: MuscleStudy) -> Figure:
    """Draw every model's error on test recordings: means, standard deviations, recordings.

    Parameters
    ----------
    study : MuscleStudy
        The study.

    Returns
    -------
    matplotlib.figure.Figure
        With a star where a model differs from the stiff tendon (p < 0.05).
    """
    with in_style():
        figure = new_figure(5.2, 3.4)
        axes = figure.subplots()
        for place, (model, label) in enumerate(MODELS.items()):
            errors = prediction_errors(study, model)
            spread = deviation(errors)
            colour = _LOOKS[model][0]
            axes.bar(place, float(np.mean(errors)), yerr=spread, color=colour, width=0.6, capsize=4)
            beside = np.linspace(-0.15, 0.15, len(errors)) if len(errors) > 1 else np.zeros(1)
            axes.plot(place + beside, errors, "o", color="white", markeredgecolor="k", markersize=4)
            if label != "stiff" and against_stiff(study, model).is_significant:
                top = max(*errors, float(np.mean(errors)) + spread)
                axes.annotate(
                    "*", (place, top), (0, 2), textcoords="offset points", ha="center", fontsize=12
                )
        axes.set_xticks(range(len(MODELS)), [label.replace(" ", "\n") for label in MODELS.values()])
        axes.set_ylabel("Mean absolute error, test recordings\n[% of maximum isometric force]")
        axes.margins(y=0.12)
        axes.grid(axis="y")
    return figure
