"""From a matplotlib figure to a small inline SVG, and to the values that can be read off it."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from lxml import etree

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SVG = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
_POINTS_PER_INCH = 72.0
# Text stays text, and the same figure gives the same file.
_SETTINGS: Any = {"svg.fonttype": "none", "svg.hashsalt": "ceinms-torch"}
_DIGITS = 4  # of the values that are read off


def inline_svg(figure: Figure, name: str, label: str) -> str:
    """Return a figure as an SVG element for a page with many of them.

    Its text is text. Everything that only editors of drawings need is left out, coordinates have
    two decimals, and identifiers begin with the figure's name, so that no two figures of a page
    share one.

    Parameters
    ----------
    figure : Figure
        The figure.
    name : str
        Different for every figure of the page; letters, digits, "-" and "_".
    label : str
        What the figure shows, for those who cannot see it.

    Returns
    -------
    str
    """
    import matplotlib as mpl  # noqa: PLC0415  slow to load

    buffer = io.BytesIO()
    with mpl.rc_context(_SETTINGS):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    parser = etree.XMLParser(
        remove_comments=True, remove_blank_text=True, resolve_entities=False, no_network=True
    )
    root = etree.fromstring(buffer.getvalue(), parser)
    for element in [*root.iter(f"{_SVG}metadata"), *root.iter(f"{_SVG}style")]:
        parent = element.getparent()
        if parent is not None:
            parent.remove(element)
    _rename(root, name)
    for element in root.iter():
        _shorten(element)
    for key in ("width", "height", "version"):
        root.attrib.pop(key, "")
    root.set("role", "img")
    root.set("aria-label", label)
    return etree.tostring(root, encoding="unicode")


def _rename(root: etree._Element, name: str) -> None:
    """Give identifiers that something refers to the figure's name, and drop the others."""
    text = etree.tostring(root, encoding="unicode")
    used = set(re.findall(r"url\(#([^)]+)\)", text)) | set(re.findall(r'href="#([^"]+)"', text))
    new = {old: f"{name}-{i}" for i, old in enumerate(sorted(used))}
    for element in root.iter():
        old = str(element.attrib.pop("id", ""))
        if old in new:
            element.set("id", new[old])
        link = element.get(_LINK)
        if link is not None:
            element.set(_LINK, f"#{new[link[1:]]}")
        for key, value in element.attrib.items():
            text = re.sub(r"url\(#([^)]+)\)", lambda m: f"url(#{new[m[1]]})", str(value))
            element.set(key, text)


def _shorten(element: etree._Element) -> None:
    for key in ("d", "x", "y", "width", "height", "transform", "points"):
        value = element.get(key)
        if value is not None:
            element.set(key, re.sub(r"-?\d+\.\d+", _rounded, re.sub(r"\s+", " ", value.strip())))
    style = element.get("style")
    if style is not None and element.tag == f"{_SVG}text":
        # One family for the whole page, set there.
        element.set("style", re.sub(r"font: ([\d.]+px)[^;]*", r"font-size: \1", style))


def _rounded(match: re.Match[str]) -> str:
    return f"{float(match[0]):.2f}".rstrip("0").rstrip(".") or "0"


def readable_values(figure: Figure) -> str:
    """Return as JSON what a reader can read off a figure, and where it is.

    Parameters
    ----------
    figure : Figure
        The figure, drawn before.

    Returns
    -------
    str
        For every axes with labelled lines: `box` (left, top, right, bottom, in the coordinates of
        the SVG), `x` and `y` (limits), `log` (whether each is logarithmic), `title`, `xlabel`,
        `ylabel`, and `lines` with `label`, `colour`, `x`, `y`. "" without any. Safe inside a
        script element.
    """
    panels = [panel for axes in figure.axes if (panel := _panel(figure, axes)) is not None]
    if not panels:
        return ""
    return json.dumps(panels, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _panel(figure: Figure, axes: Axes) -> dict[str, Any] | None:
    from matplotlib.colors import to_hex  # noqa: PLC0415  slow to load

    labelled = [line for line in axes.lines if not str(line.get_label()).startswith("_")]
    if not labelled:
        return None
    width, height = (_POINTS_PER_INCH * size for size in figure.get_size_inches())
    box = axes.get_position()
    corners = (box.x0 * width, (1 - box.y1) * height, box.x1 * width, (1 - box.y0) * height)
    return {
        "box": [round(float(value), 1) for value in corners],
        "x": [float(value) for value in axes.get_xlim()],
        "y": [float(value) for value in axes.get_ylim()],
        "log": [axes.get_xscale() == "log", axes.get_yscale() == "log"],
        "title": axes.get_title(loc="left"),
        "xlabel": _axis_label(axes, figure, "x"),
        "ylabel": _axis_label(axes, figure, "y").replace("\n", " "),
        "lines": [
            {
                "label": str(line.get_label()),
                "colour": to_hex(line.get_color()),
                "x": _short(line.get_xdata()),
                "y": _short(line.get_ydata()),
            }
            for line in labelled
        ],
    }


def _axis_label(axes: Axes, figure: Figure, which: str) -> str:
    """Return an axis's label: its own, that of the last axes below, or the figure's."""
    if which == "x":
        own = axes.get_xlabel() or figure.axes[-1].get_xlabel() or figure.get_supxlabel()
    else:
        own = axes.get_ylabel() or figure.get_supylabel()
    return str(own)


def _short(values: Any) -> list[float | None]:
    """Return numbers with few digits, None for NaN, which JSON lacks."""
    numbers = np.asarray(values, dtype=np.float64).tolist()
    return [float(f"{v:.{_DIGITS}g}") if np.isfinite(v) else None for v in numbers]
