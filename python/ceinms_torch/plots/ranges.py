"""Rows of bars that say where a quantity of every MTU has been."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.calibration.result import CalibrationResult
from ceinms_torch.plots.narrow import colour_of

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

ROW_HEIGHT = 0.24  # of one MTU of one result [inch]


def mtu_names(results: Sequence[CalibrationResult]) -> list[str]:
    """Return the names of all MTUs of all results, in the order they come."""
    return list(dict.fromkeys(mtu for result in results for mtu in result.subject.mtu_names))


def rows_height(results: Sequence[CalibrationResult]) -> float:
    """Return the height that the rows of all MTUs need [inch]."""
    per_mtu = ROW_HEIGHT * (0.6 + 0.4 * len(results))
    return 0.3 + per_mtu * len(mtu_names(results))


def draw_ranges(
    axes: Axes, results: Sequence[CalibrationResult], quantity: str, *, scale: float = 1.0
) -> dict[str, Artist]:
    """Draw, for every MTU, where a quantity has been in all trials.

    Parameters
    ----------
    axes : Axes
        Where; rows from above, named by MTU.
    results : sequence of CalibrationResult
        Each in a colour of its own.
    quantity : {"norm_fibre_length", "tendon_strain"}
        Attribute of `Simulation`.
    scale : float
        Factor on the values.

    Returns
    -------
    dict of str to Artist
        For a legend.
    """
    names = mtu_names(results)
    handles: dict[str, Artist] = {}
    step = 0.8 / len(results)
    for i, result in enumerate(results):
        for mtu in result.subject.mtu_names:
            y = names.index(mtu) + (i - 0.5 * (len(results) - 1)) * step
            for group, marker, role in (
                (result.trials, "o", "calibration"),
                (result.new_tests, "D", "test"),
            ):
                if not group:
                    continue
                shift = 0.0 if not result.new_tests else (0.2 if role == "test" else -0.2) * step
                values = np.concatenate([getattr(one.simulation, quantity)[mtu] for one in group])
                name = f"{role} trials" if len(results) == 1 else f"{result.label}, {role}"
                handles[name] = _draw_range(
                    axes, scale * values, y + shift, colour=colour_of(i), marker=marker
                )
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    return handles


def _draw_range(axes: Axes, values: FloatArray, y: float, *, colour: str, marker: str) -> Artist:
    """Draw the whole range thin, the middle 90 % thick, the median as a mark."""
    low, early, middle, late, high = np.percentile(values, [0.0, 5.0, 50.0, 95.0, 100.0])
    axes.plot([low, high], [y, y], color=colour, lw=0.8)
    axes.plot([early, late], [y, y], color=colour, lw=2.6, alpha=0.55, solid_capstyle="butt")
    face = colour if marker == "o" else "white"
    return axes.plot(middle, y, marker, color=colour, mfc=face, ms=3.6, mew=0.9)[0]
