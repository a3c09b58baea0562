"""What the data determine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ceinms_torch.errors import DataError
from ceinms_torch.plots.narrow import MUTED, add_legend, colour_of, narrow_figure, styled
from ceinms_torch.plots.style import COLOURS
from ceinms_torch.results.saved import SavedParameter, SavedResult

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

# Colour and hatch of every class, in the order they are drawn.
_CLASSES = {
    "determined": (COLOURS[2], ""),
    "at a bound": (COLOURS[4], "//"),
    "others can make up for it": (COLOURS[0], ".."),
    "c1 and c2 alike": (COLOURS[3], "xx"),
    "little or no influence": (MUTED, "--"),
    "too few observations": ("#d9d9d9", ""),
}


def certainty_class(parameter: SavedParameter) -> str:
    """Return in few words what the data say about a parameter.

    Parameters
    ----------
    parameter : SavedParameter
        One of the last step's.

    Returns
    -------
    str
        "determined", or why not.
    """
    starts = {
        "": "determined",
        "at the": "at a bound",
        "others": "others can make up for it",
        "c1 and c2": "c1 and c2 alike",
        "too few": "too few observations",
    }
    reason = parameter.reason
    found = [name for start, name in starts.items() if start and reason.startswith(start)]
    return "determined" if not reason else (found or ["little or no influence"])[0]


def _check(results: Sequence[SavedResult]) -> None:
    for result in results:
        if result.summary["identifiability"] is None:
            raise DataError(
                where=result.label,
                expected="a calibration by gradient",
                got="one without derivatives, which say what the data determine",
            )


@styled
def plot_certainty(result: SavedResult) -> Figure:
    """Draw how many parameters of each kind the data determine, and why they do not the others.

    Parameters
    ----------
    result : SavedResult
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

    _check([result])
    parameters = result.last_parameters
    kinds = list(dict.fromkeys(one.name for one in parameters))
    counts = Counter((one.name, certainty_class(one)) for one in parameters)
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
def plot_singular_values(results: Sequence[SavedResult]) -> Figure:
    """Draw how strongly the moments react to each direction of the parameters.

    Parameters
    ----------
    results : sequence of SavedResult
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
    _check(results)
    figure, (axes,) = narrow_figure(1, heights=[1.9])
    handles: dict[str, Artist] = {}
    for i, result in enumerate(results):
        values = np.array(result.summary["identifiability"]["singular_values"])
        # What rounding leaves of nothing would take up most of the axis.
        shown = np.maximum(values, 1e-10 * values.max())
        number = np.arange(1, len(values) + 1)
        handles[result.label] = axes.plot(
            number, shown, "o-", color=colour_of(i), ms=2.4, lw=0.8, label=result.label
        )[0]
    axes.set_yscale("log")
    axes.margins(x=0.02)
    axes.grid()
    axes.set_xlabel("Direction, the best determined first")
    axes.set_ylabel("Singular value [-]")
    if len(results) > 1:
        add_legend(figure, handles)
    return figure
