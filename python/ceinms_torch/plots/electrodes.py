"""The figure of the study of electrodes (paper, Fig. 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ceinms_torch.plots.style import GREYS, draw_means, in_style, label_panels, new_figure
from ceinms_torch.studies.electrode_cells import EMG_DRIVEN, HYBRID
from ceinms_torch.studies.electrode_tables import (
    WAYS,
    WITHHELD,
    distance,
    on_tests,
    r2,
    rmse,
    withheld,
)
from ceinms_torch.studies.electrodes import ElectrodeStudy, Quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Line = tuple[str, str, Quantity]  # label, method, what


def electrodes_figure(study: ElectrodeStudy) -> Figure:
    """Draw accuracy, parameters and synthesised excitations over the number of electrodes.

    Parameters
    ----------
    study : ElectrodeStudy
        The study.

    Returns
    -------
    matplotlib.figure.Figure
        Means over seeds with standard deviations; a star where the methods differ (p < 0.05).
    """
    with in_style():
        figure = new_figure(10.5, 6.4)
        grid = figure.subplots(2, 3)
        panels: list[Axes] = list(grid.flat)
        for axes, quantity, label in (
            (panels[0], rmse, "Moment RMSE,\ncalibration trials [N m]"),
            (panels[1], r2, "R² of moments,\ncalibration trials [-]"),
            (panels[2], distance(study), "Parameters, distance to all\nelectrodes [ranges]"),
        ):
            lines = [(method, method, quantity) for method in (EMG_DRIVEN, HYBRID)]
            _draw(axes, study, lines, label)
            _star(axes, study, quantity)
        ways = [(label, method, on_tests(way)) for way, (method, label) in WAYS.items()]
        _draw(panels[3], study, ways, "Moment RMSE,\ntest trials [N m]")
        _draw(
            panels[4],
            study,
            [(label, HYBRID, withheld(way, "correlation")) for way, label in WITHHELD.items()],
            "Synthesised and withheld\nexcitations, correlation [-]",
        )
        _draw_ranking(panels[5], study)
        label_panels(panels)
    return figure


def _draw(axes: Axes, study: ElectrodeStudy, lines: Sequence[Line], label: str) -> None:
    counts = study.counts()
    drawn = False
    for i, (name, method, quantity) in enumerate(lines):
        known = {count: study.values(count, method, quantity) for count in counts}
        known = {n: values for n, values in known.items() if values and np.isfinite(values).all()}
        if not known:
            continue
        drawn = True
        beside = 0.12 * (i - 0.5 * (len(lines) - 1))  # or error bars hide each other
        draw_means(axes, {count - beside: one for count, one in known.items()}, i, name)
    axes.set_xlabel("Electrodes kept")
    axes.set_ylabel(label)
    axes.set_xticks(counts)
    axes.set_xlim(max(counts) + 0.4, min(counts) - 0.4)  # fewer and fewer
    axes.grid(axis="y")
    if drawn:
        axes.margins(y=0.25)
        if axes.get_ylim()[0] < 0.0 <= axes.dataLim.y0:
            axes.set_ylim(bottom=0.0)
        axes.legend(fontsize=7)
    else:
        axes.text(0.5, 0.5, "no such trials", transform=axes.transAxes, ha="center", color=GREYS[0])


def _star(axes: Axes, study: ElectrodeStudy, quantity: Quantity) -> None:
    for count in study.counts():
        outcome = study.difference(count, quantity)
        if outcome is not None and outcome.is_significant:
            axes.text(count, 0.02, "*", transform=axes.get_xaxis_transform(), ha="center")


def _draw_ranking(axes: Axes, study: ElectrodeStudy) -> None:
    names = [name for name, _ in study.ranking]
    place = np.arange(len(names))
    axes.barh(place, [error for _, error in study.ranking], color=GREYS[0])
    axes.set_yticks(place, names)
    axes.invert_yaxis()
    axes.set_xlabel("Moment RMSE without it alone [N m]")
    axes.set_ylabel("Removed first to last")
