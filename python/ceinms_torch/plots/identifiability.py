"""Which parameters are identifiable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ceinms_torch.calibration.identifiability import Identifiability
from ceinms_torch.calibration.result import CalibrationResult
from ceinms_torch.errors import DataError
from ceinms_torch.plots.narrow import (
    MUTED,
    add_legend,
    colour_of,
    narrow_figure,
    styled,
    told_apart,
)
from ceinms_torch.plots.style import COLOURS

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

# Colour and hatch of every class, in the order they are drawn.
_CLASSES = {
    "identifiable": (COLOURS[2], ""),
    "at a bound": (COLOURS[4], "//"),
    "others can make up for it": (COLOURS[0], ".."),
    "c1 and c2 alike": (COLOURS[3], "xx"),
    "little or no influence": (MUTED, "--"),
    "too few observations": ("#d9d9d9", ""),
}


def certainty_class(reason: str) -> str:
    """Return in few words what the data say about a parameter.

    Parameters
    ----------
    reason : str
        Why it is not identifiable, as `ParameterCertainty` has it; "" if it is.

    Returns
    -------
    str
        "identifiable", or why not.
    """
    starts = {
        "at the": "at a bound",
        "others": "others can make up for it",
        "c1 and c2": "c1 and c2 alike",
        "too few": "too few observations",
    }
    if not reason:
        return "identifiable"
    found = (name for start, name in starts.items() if reason.startswith(start))
    return next(found, "little or no influence")


def _known(result: CalibrationResult) -> Identifiability:
    if result.identifiability is None:
        raise DataError(
            where=result.label,
            expected="a calibration by gradient of eq. (4)",
            got="another, which does not say what is identifiable",
        )
    return result.identifiability


@styled
def plot_certainty(result: CalibrationResult) -> Figure:
    """Draw how many parameters of each kind are identifiable, and why the others are not.

    Parameters
    ----------
    result : CalibrationResult
        Of a calibration by gradient.

    Returns
    -------
    matplotlib.figure.Figure
        One bar per kind of parameter, over the number of parameters [-].

    Raises
    ------
    DataError
        If the result says nothing of identifiability, as after an annealing.
    """
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415  slow to load

    parameters = _known(result).parameters
    kinds = list(dict.fromkeys(one.name for one in parameters))
    counts = Counter((one.name, certainty_class(one.reason)) for one in parameters)
    figure, (axes,) = narrow_figure(1, heights=[0.6 + 0.26 * len(kinds)])
    left = np.zeros(len(kinds))
    handles: dict[str, Artist] = {}
    for name, (colour, hatch) in _CLASSES.items():
        widths = np.array([counts[kind, name] for kind in kinds], dtype=np.float64)
        if not widths.any():
            continue
        bars = axes.barh(
            range(len(kinds)), widths, left=left, color=colour, hatch=hatch, ec="white", lw=0.4
        )
        handles[name] = bars.patches[0]
        left += widths
    axes.set_yticks(range(len(kinds)), kinds)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("Number of parameters [-]")
    add_legend(figure, handles)
    return figure


@styled
def plot_singular_values(results: Sequence[CalibrationResult]) -> Figure:
    """Draw how strongly the moments react to each direction of the parameters.

    Parameters
    ----------
    results : sequence of CalibrationResult
        Of calibrations by gradient, each in a colour of its own.

    Returns
    -------
    matplotlib.figure.Figure
        Singular values of the moments' Jacobian, the largest first, on a logarithmic axis: root
        of the sum of squared residuals that a step over the whole range adds [-].

    Raises
    ------
    DataError
        If a result says nothing of identifiability, as after an annealing.
    """
    results = told_apart(results)
    found = [_known(result) for result in results]
    figure, (axes,) = narrow_figure(1, heights=[1.9])
    handles: dict[str, Artist] = {}
    for i, result in enumerate(results):
        values = np.array(found[i].singular_values)
        # What rounding leaves of nothing would take up most of the axis.
        shown = np.maximum(values, 1e-10 * values.max())
        number = np.arange(1, len(values) + 1)
        handles[result.label] = axes.plot(
            number, shown, "o-", color=colour_of(i), ms=2.4, lw=0.8, label=result.label
        )[0]
    axes.set_yscale("log")
    axes.margins(x=0.02)
    axes.grid()
    axes.set_xlabel("Direction, the most certain first")
    axes.set_ylabel("Singular value [-]")
    if len(results) > 1:
        add_legend(figure, handles)
    return figure
