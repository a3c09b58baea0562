"""Figures for the page: small, without clashes, and with values at the right places."""

import json
import re

import numpy as np
import pytest
from lxml import etree

from ceinms_torch.plots.narrow import draw_line, narrow_figure, styled
from ceinms_torch.report.svg import inline_svg, readable_values

SVG = "{http://www.w3.org/2000/svg}"


@styled
def two_rows():
    figure, (above, below) = narrow_figure(2)
    x = np.linspace(1.0, 9.0, 50)
    draw_line(above, x, np.sin(x), "sine", color="#0072b2")
    above.plot([1.0, 9.0], [0.0, 0.5])  # no label: nothing to read off
    below.set_yscale("log")
    draw_line(below, x, np.where(x > 8.0, np.nan, np.exp(x)), "<growth>", color="#d55e00")
    above.set_title("above")
    above.set_ylabel("Height [m]")
    below.set_ylabel("Mass [kg]")
    below.set_xlabel("Time [s]")
    return figure


@pytest.fixture(scope="module")
def drawn():
    figure = two_rows()
    return figure, inline_svg(figure, "name", "What it shows")


def test_svg_has_its_text_and_its_description(drawn):
    root = etree.fromstring(drawn[1])
    texts = {"".join(element.itertext()) for element in root.iter(f"{SVG}text")}
    assert {"Height [m]", "Mass [kg]", "Time [s]", "above"} <= texts
    assert (root.get("role"), root.get("aria-label")) == ("img", "What it shows")
    assert root.get("viewBox")
    assert root.get("width") is None


def test_identifiers_are_the_figures_own(drawn):
    ids = re.findall(r'\bid="([^"]+)"', drawn[1])
    used = set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', drawn[1]))
    assert set(ids) == {first or second for first, second in used}
    assert len(set(ids)) == len(ids)
    assert all(name.startswith("name-") for name in ids)


def test_same_figure_gives_the_same_svg(drawn):
    assert inline_svg(two_rows(), "name", "What it shows") == drawn[1]


def test_coordinates_are_short(drawn):
    assert not re.search(r'\sd="[^"]*\.\d{3}', drawn[1])
    assert len(drawn[1]) < 30_000


def test_values_lie_where_they_are_drawn(drawn):
    figure, _ = drawn
    height = 72.0 * figure.get_figheight()
    panels = json.loads(readable_values(figure))
    for axes, panel in zip(figure.axes, panels, strict=True):
        left, top, right, bottom = panel["box"]
        for share_x, share_y in ((0.0, 0.0), (1.0, 1.0), (0.3, 0.8)):
            # As the script of the page does it: a share of the box is a share of the limits.
            ends = [np.log10(panel["y"]) if panel["log"][1] else np.array(panel["y"])][0]
            x = panel["x"][0] + share_x * (panel["x"][1] - panel["x"][0])
            y = ends[0] + share_y * (ends[1] - ends[0])
            y = 10**y if panel["log"][1] else y
            pixels = axes.transData.transform((x, y)) * 72.0 / figure.dpi
            expected = (left + share_x * (right - left), bottom + share_y * (top - bottom))
            # The box is rounded to 0.1 points.
            np.testing.assert_allclose((pixels[0], height - pixels[1]), expected, atol=0.11)


def test_values_are_those_of_labelled_lines(drawn):
    above, below = json.loads(readable_values(drawn[0]))
    assert [line["label"] for line in above["lines"]] == ["sine"]
    assert (above["title"], above["ylabel"], above["xlabel"]) == ("above", "Height [m]", "Time [s]")
    (growth,) = below["lines"]
    assert growth["label"] == "<growth>"
    assert growth["y"][-1] is None  # NaN
    assert growth["y"][0] == pytest.approx(np.exp(1.0), rel=1e-3)
    assert below["log"] == [False, True]


def test_values_cannot_end_their_script_element(drawn):
    assert "<" not in readable_values(drawn[0])


def test_figure_without_labelled_lines_has_no_values():
    figure, (axes,) = narrow_figure(1)
    axes.plot([0.0, 1.0], [0.0, 1.0])
    figure.draw_without_rendering()
    assert readable_values(figure) == ""
