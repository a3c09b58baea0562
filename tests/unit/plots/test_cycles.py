"""The figure of cycles: what they were found by, those in use and those left out."""

import dataclasses

import numpy as np
import pytest

import ceinms_torch as ct
from ceinms_torch.errors import OptionError


def movements(tmp_path, *, n=3):
    time = np.arange(0.0, 2.0 * n, 0.01)
    angle = 30.0 * (1.0 - np.cos(np.pi * time))
    path = tmp_path / "angles.sto"
    ct.write_storage(path, time, ["elv"], angle[:, None], name="angles", units="", in_degrees=True)
    return ct.segment_peaks(path, "elv")


def test_cycles_in_use_and_left_out_are_told_apart(tmp_path):
    found = movements(tmp_path)
    cycles = list(found.cycles)
    cycles[1] = dataclasses.replace(cycles[1], why="somebody spoke")
    figure = ct.plots.plot_cycles(dataclasses.replace(found, cycles=tuple(cycles)))
    (axes,) = figure.axes
    assert axes.get_title(loc="left") == "elv [degrees]"
    colours = [patch.get_facecolor() for patch in axes.patches]
    assert len(colours) == len(cycles)
    assert colours[0] == colours[2] != colours[1]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["cycle", "peak", "left out"]
    assert axes.lines[0].get_ydata() == pytest.approx(found.signals["elv [degrees]"])


def test_marked_events_have_no_signal(tmp_path):
    found = dataclasses.replace(movements(tmp_path), time=None, signals={})
    with pytest.raises(OptionError, match="of events"):
        ct.plots.plot_cycles(found)
