"""Raw EMG, its envelope and its spectrum."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.emg.emg_quality import spectrum
from ceinms_torch.emg.envelopes import envelopes, with_gaps_bridged
from ceinms_torch.emg.process import EmgResult
from ceinms_torch.errors import unknown_name
from ceinms_torch.plots.style import COLOURS, GREYS, in_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ceinms_torch.emg.raw_emg import RawEmg

_ROW, _SPECTRUM, _WIDTH = 1.3, 2.2, 7.0  # inch
_LETTERS = 105  # of a line of a title
_BINS = 700  # along a time axis, as many as a screen shows


def plot_emg(result: EmgResult, channel: str) -> Figure:
    """Draw one channel of all trials.

    Parameters
    ----------
    result : EmgResult
        What `process_emg` returned.
    channel : str
        Name of the channel.

    Returns
    -------
    matplotlib.figure.Figure
        Raw EMG without its offset (grey) and its envelope in the recorder's unit, a panel for each
        trial; below them the power spectra of all trials, the mains' frequency dotted.

    Raises
    ------
    UnknownNameError
        If there is no such channel.
    """
    if channel not in result.channels:
        raise unknown_name("channel", "a channel", channel, result.channels)
    with in_style():
        n = len(result.recordings)
        figure = new_figure(_WIDTH, _ROW * n + _SPECTRUM)
        rows = figure.subplots(n + 1, 1, height_ratios=[_ROW] * n + [_SPECTRUM])
        for axes, raw in zip(rows[:-1], result.recordings, strict=True):
            one = raw.select([channel])
            _draw_recording(axes, with_gaps_bridged(one).values[:, 0], one)
            envelope = envelopes(one, result.processing)
            axes.plot(envelope.time, envelope.values[:, 0], color=COLOURS[1], label="envelope")
            axes.set_ylabel(f"{channel} [{raw.unit or 'rec. u.'}]")
            doubts = [
                doubt.of(channel)
                for quality in result.qualities
                if quality.name == raw.name
                for doubt in quality.doubts_of(channel)
            ]
            title = textwrap.wrap("; ".join([raw.name, *doubts]), _LETTERS)
            axes.set_title("\n".join(title), loc="left", fontsize=8)
        rows[0].legend(loc="upper right", ncols=2, fontsize=7)
        rows[-2].set_xlabel("time [s]")
        _draw_spectra(rows[-1], result, channel)
        return figure


def _draw_recording(axes: Axes, values: FloatArray, raw: RawEmg) -> None:
    """Draw lowest and highest samples of short stretches, which is what a line would show."""
    length = math.ceil(len(values) / _BINS)
    starts = np.arange(0, len(values), length)
    middle = values - values.mean()
    low, high = (way.reduceat(middle, starts) for way in (np.minimum, np.maximum))
    axes.fill_between(raw.time[starts], low, high, color=GREYS[1], lw=0.4, label="raw")
    axes.set_xlim(raw.time[0], raw.time[-1])


def _draw_spectra(axes: Axes, result: EmgResult, channel: str) -> None:
    for i, raw in enumerate(result.recordings):
        frequency, power = spectrum(with_gaps_bridged(raw.select([channel])))
        shown = power[1:, 0] > 0.0
        colour = COLOURS[i % len(COLOURS)]
        axes.semilogy(
            frequency[1:][shown], power[1:, 0][shown], color=colour, lw=0.7, label=raw.name
        )
    mains = result.qualities[0].channels[0].mains
    for line in (mains, 2.0 * mains, 3.0 * mains):
        axes.axvline(line, color=GREYS[0], ls=":", lw=0.8)
    unit = result.recordings[0].unit
    axes.set_xlabel("frequency [Hz]")
    axes.set_ylabel(f"power [{f'({unit})²' if unit else 'rec. u.²'}/Hz]")
    axes.legend(fontsize=7, loc="upper right")
