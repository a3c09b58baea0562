"""What is wrong in a recording is found where it is, and nothing in one that is good."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ceinms_torch as ct
from emg_signals import CHANNELS, raw_emg

GOOD = raw_emg()


def spoilt(channel, spoil, raw=GOOD):
    """Return a recording in which a function has changed the samples of a channel."""
    values = raw.values.copy()
    i = CHANNELS.index(channel)
    values[:, i] = spoil(values[:, i].copy(), values)
    return dataclasses.replace(raw, values=values)


def doubts(raw):
    return {(one.code, one.channels) for one in ct.emg_quality(raw).doubts}


@given(seed=st.integers(0, 1000), rate=st.sampled_from([1000.0, 2000.0]))
def test_a_good_recording_has_no_doubts(seed, rate):
    assert not doubts(raw_emg(rate=rate, seed=seed))


def gap(signal, _):
    signal[500:530] = math.nan
    return signal


def still(signal, _):
    signal[500:540] = signal[500]
    return signal


def hum(frequency):
    time = GOOD.time
    return lambda signal, _: signal + 0.5 * np.sin(2.0 * np.pi * frequency * time)


FAULTS = {
    "gap": ("gap", gap),
    "clipped": ("clipped", lambda signal, _: np.clip(signal, -1.0, 1.0)),
    "clipped on one side": ("clipped", lambda signal, _: np.minimum(signal, 0.8)),
    "dead": ("dead", lambda signal, _: np.full_like(signal, -0.3)),
    "last digit": ("dead", lambda signal, _: np.round(1e-5 * signal, 5) * 0.5),
    "nothing": ("dead", lambda signal, _: np.full_like(signal, math.nan)),
    "samples lost": ("flat", still),
    "European hum": ("hum", hum(50.0)),
    "American hum": ("hum", hum(60.0)),
    "weak": ("weak", lambda signal, _: np.random.default_rng(9).normal(size=len(signal))),
}


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_in_its_channel(fault, channel):
    code, spoil = FAULTS[fault]
    assert doubts(spoilt(channel, spoil)) == {(code, (channel,))}


def test_numbers_are_those_of_the_fault():
    one = ct.emg_quality(spoilt("SOL", gap)).channels[1]
    assert (one.missing, one.longest_gap) == (30, pytest.approx(0.03))
    american = ct.emg_quality(spoilt("SOL", hum(60.0))).channels[1]
    assert american.mains == 60.0
    # A sine of 0.5 has the power 0.125; that of the noise is the mean square of its level.
    assert american.hum == pytest.approx(0.125 / (0.125 + np.var(GOOD.values[:, 1])), rel=0.2)
    clipped = ct.emg_quality(spoilt("SOL", FAULTS["clipped"][1])).channels[1]
    assert clipped.clipped == (np.abs(GOOD.values[:, 1]) >= 1.0).sum()
    assert ct.emg_quality(GOOD).channels[0].median_frequency == pytest.approx(75.0, abs=20.0)
    # Levels are 1 and 0.1 of each burst and pause.
    assert ct.emg_quality(GOOD).channels[0].snr == pytest.approx(19.0, abs=3.0)


@pytest.mark.parametrize("gain", [1.0, -2.5])
def test_a_copied_channel_is_found(gain):
    copied = spoilt("SOL", lambda _, all_of_them: gain * all_of_them[:, 0])
    assert doubts(copied) == {("copied", ("TA", "SOL"))}


@pytest.mark.parametrize("lag", [-5, 0, 5])
def test_crosstalk_is_found_with_its_lag(lag):
    def with_neighbour(signal, values):
        return 0.5 * signal + np.roll(values[:, 0], lag)

    quality = ct.emg_quality(spoilt("SOL", with_neighbour))
    assert {(one.code, one.channels) for one in quality.doubts} == {("crosstalk", ("TA", "SOL"))}
    assert quality.pairs[0].lag == pytest.approx(lag / GOOD.rate)
    assert quality.pairs[0].correlation > 0.6
    assert quality.doubts_of("TA")[0].of("TA").endswith("ms, with SOL")


@given(seed=st.integers(0, 1000))
def test_half_the_rate_is_suspected(seed):
    """A recording at 500 Hz that is said to be one at 1000 Hz."""
    claimed = dataclasses.replace(raw_emg(rate=500.0, seconds=12.0, seed=seed), rate=1000.0)
    found = [one for one in ct.emg_quality(claimed).doubts if one.code == "rate"]
    assert len(found) == 1
    assert "it may have been recorded at 500 Hz, not 1000 Hz" in found[0].text


def test_several_faults_are_all_named():
    raw = spoilt("VL", FAULTS["dead"][1], spoilt("TA", gap, spoilt("SOL", FAULTS["clipped"][1])))
    assert doubts(raw) == {("gap", ("TA",)), ("clipped", ("SOL",)), ("dead", ("VL",))}


def test_short_recordings_are_measured():
    short = dataclasses.replace(GOOD, values=GOOD.values[:60])
    assert len(ct.emg_quality(short).channels) == 4
