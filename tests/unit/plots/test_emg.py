"""The figure of a channel: what was recorded, its envelope, its spectrum."""

import dataclasses

import numpy as np
import pytest

import ceinms_torch as ct
from emg_signals import raw_emg


@pytest.fixture(scope="module")
def result():
    first, second = (raw_emg(seconds=3.0, name=name, seed=i) for i, name in enumerate("ab"))
    values = second.values.copy()
    values[:, 1] = np.clip(values[:, 1], -1.0, 1.0)
    values[500:510, 1] = np.nan
    return ct.process_emg([first, dataclasses.replace(second, values=values, unit="mV")])


def test_envelope_raw_and_spectrum(result):
    figure = ct.plots.plot_emg(result, "SOL")
    *trials, spectra = figure.axes
    assert [axes.get_title(loc="left").partition(";")[0] for axes in trials] == ["a", "b"]
    title = " ".join(trials[1].get_title(loc="left").split())
    assert "10 samples are missing" in title
    assert "saturated" in title
    (line,) = trials[0].lines
    expected = result.envelopes[0].values[:, 1] * result.maxima["SOL"]
    assert line.get_ydata() == pytest.approx(expected)
    assert spectra.get_xlabel() == "frequency [Hz]"
    # Power over all frequencies is the variance.
    frequency, power = spectra.lines[0].get_data()
    assert power.sum() * frequency[0] == pytest.approx(
        result.recordings[0].values[:, 1].var(), rel=0.1
    )


def test_unknown_channel(result):
    with pytest.raises(ct.UnknownNameError, match=r"a channel, got 'SOLL'\. Did you mean 'SOL'"):
        ct.plots.plot_emg(result, "SOLL")
