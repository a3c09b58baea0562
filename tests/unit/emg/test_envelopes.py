"""Envelopes follow the level of the EMG, without a shift, over the maximum that was asked for."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ceinms_torch as ct
from emg_signals import CHANNELS, amplitude, raw_emg

LEVEL = math.sqrt(2.0 / math.pi)  # of rectified normal noise, over its standard deviation
SESSION = [raw_emg(name=name, seed=i) for i, name in enumerate(("walk", "run"))]


def changed(raw, values):
    return dataclasses.replace(raw, values=values)


def test_an_envelope_is_the_level_of_the_noise():
    raw = raw_emg(seconds=60.0, channels=("VL",))
    one = ct.envelopes(raw, ct.EmgProcessing(band_pass=(20.0, 450.0), low_pass=3.0))
    level = LEVEL * amplitude(one.time)
    inside = slice(50, -50)
    slope, _ = np.polyfit(level[inside], one.values[inside, 0], 1)
    assert slope == pytest.approx(1.0, abs=0.1)  # a band passes a little less than all
    assert np.corrcoef(level[inside], one.values[inside, 0])[0, 1] > 0.97
    assert one.values.min() >= 0.0


def lag(causal):
    """Return by how much the envelope of 200 bursts is later than they are [s], on average."""
    raw = raw_emg(seconds=200.0, channels=("VL",))
    one = ct.envelopes(raw, ct.EmgProcessing(causal=causal, rate=None))
    level = amplitude(one.time) - amplitude(one.time).mean()
    steps = np.arange(-150, 151)
    fit = [one.values[200 + k : len(level) - 200 + k, 0] @ level[200:-200] for k in steps]
    return steps[int(np.argmax(fit))] / raw.rate, ct.EmgProcessing(causal=causal).late(raw.rate)


@pytest.mark.parametrize("causal", [False, True])
def test_an_envelope_is_late_by_what_is_said(causal):
    measured, said = lag(causal)
    assert said == pytest.approx(0.083 if causal else 0.0, abs=0.001)
    # Noise moves the best lag by some milliseconds, the band-pass filter's delay is 5 ms.
    assert measured == pytest.approx(said, abs=0.012)


@given(ratio=st.floats(0.2, 20.0), offset=st.floats(-5.0, 5.0))
def test_gain_and_offset_of_the_recorder_do_not_matter(ratio, offset):
    raw = SESSION[0]
    one = ct.process_emg([changed(raw, ratio * raw.values + offset)]).envelopes[0]
    assert one.values == pytest.approx(ct.process_emg([raw]).envelopes[0].values, abs=1e-9)


def test_resampling_comes_after_filtering():
    raw = SESSION[0]
    fast = ct.envelopes(raw, ct.EmgProcessing(rate=None))
    assert ct.envelopes(raw).values == pytest.approx(fast.values[::10], abs=1e-12)
    odd = ct.envelopes(raw, ct.EmgProcessing(rate=120.0))
    assert np.diff(odd.time) == pytest.approx(1.0 / 120.0)
    assert odd.time[-1] <= raw.time[-1]
    expected = np.interp(odd.time, fast.time, fast.values[:, 0])
    assert odd.values[:, 0] == pytest.approx(expected, abs=1e-9)


def test_a_delay_of_the_recorder_is_taken_off():
    late = ct.envelopes(SESSION[0], ct.EmgProcessing(delay=0.02))
    assert late.time == pytest.approx(ct.envelopes(SESSION[0]).time - 0.02)


@pytest.mark.parametrize("mains", [50.0, 60.0])
def test_a_notch_takes_out_the_mains_and_little_else(mains):
    raw = SESSION[0]
    hum = np.sin(2.0 * np.pi * mains * raw.time) + 0.5 * np.sin(6.0 * np.pi * mains * raw.time)
    noisy = changed(raw, raw.values + hum[:, None])
    clean, with_hum, out = (
        ct.envelopes(one, ct.EmgProcessing(notch=notch)).values[20:-20]
        for one, notch in ((raw, None), (noisy, None), (noisy, mains))
    )
    assert np.abs(with_hum - clean).mean() > 0.3
    assert np.abs(out - clean).mean() < 0.03


def with_gap(first, length):
    values = SESSION[0].values.copy()
    values[first : first + length, 1] = math.nan
    return changed(SESSION[0], values)


def test_short_gaps_are_filled_and_long_ones_are_named():
    whole = ct.envelopes(SESSION[0]).values
    assert ct.envelopes(with_gap(2000, 20)).values == pytest.approx(whole, abs=0.1)
    with pytest.raises(ct.DataError) as caught:
        ct.envelopes(with_gap(2000, 21))
    text = "trial walk: EMG, SOL: expected gaps of 0.02 s at most, got 0.021 s without a sample"
    assert text in str(caught.value)
    assert caught.value.code == "emg-gap"
    assert ct.envelopes(with_gap(2000, 21), ct.EmgProcessing(largest_gap=0.03)).values.shape
    assert ct.envelopes(with_gap(0, 5)).values == pytest.approx(whole, abs=0.1)


def test_a_band_beyond_the_recording_is_said():
    raw = raw_emg(rate=600.0)
    with pytest.warns(ct.CeinmsTorchWarning, match="600 Hz has nothing above 300 Hz"):
        ct.envelopes(raw)


# ---- Normalisation ----------------------------------------------------------------------


def greatest(result):
    return np.max([one.values.max(axis=0) for one in result.envelopes], axis=0)


def full(**options):
    """Process at the rate of the recording, where the greatest value is a sample."""
    return ct.process_emg(SESSION, processing=ct.EmgProcessing(rate=None), **options)


def test_by_default_the_greatest_of_all_trials_is_one():
    result = full()
    assert greatest(result) == pytest.approx(np.ones(4))
    assert min(one.values.max(axis=0).min() for one in result.envelopes) < 1.0
    assert result.normalisation == "trials"


def test_single_recordings_only_when_asked():
    result = full(normalise="each")
    assert all(one.values.max(axis=0) == pytest.approx(np.ones(4)) for one in result.envelopes)
    assert not result.maxima


def test_mvc_trials_are_one_and_may_be_exceeded():
    strong = changed(SESSION[0], 3.0 * SESSION[0].values).select(["SOL", "TA"])
    other = dataclasses.replace(changed(SESSION[0], 0.5 * SESSION[0].values), name="mvc").select(
        ["MG", "VL"]
    )
    with pytest.warns(ct.CeinmsTorchWarning, match=r"excitations above 1: MG .*, VL") as caught:
        result = full(mvc=[strong, other])
    assert "SOL" not in str(caught[0].message).split(".")[0]
    assert result.normalisation == "mvc"
    assert greatest(result)[:2].max() < 0.5
    both = full(mvc=[strong, other], normalise="trials")
    assert greatest(both)[2:] == pytest.approx(np.ones(2))
    assert len(result.qualities) == 4


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"mvc": [SESSION[0].select(["TA", "MG"])]}, "got none for SOL, VL. Give an MVC trial"),
        ({"maxima": {"TA": 1.0, "SOL": 0.0, "MG": 2.0, "VL": 1.0}}, r"none for SOL \(SOL: 0\)"),
        ({"normalise": "mvc"}, "expected MVC trials to normalise by, got none"),
    ],
)
def test_a_missing_maximum_is_named(options, text):
    with pytest.raises((ct.DataError, ct.OptionError), match=text) as caught:
        ct.process_emg(SESSION, **options)
    assert caught.value.code == "mvc-missing"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"normalise": "given"}, "maxima: expected numbers for 'given', and only then, got none"),
        ({"normalise": "trials", "maxima": {"TA": 1.0}}, "got maxima, and trials"),
        ({"normalise": "cycles"}, "one of mvc, trials, given, each, none, got 'cycles'"),
    ],
)
def test_what_contradicts_itself_is_refused(options, text):
    with pytest.raises(ct.OptionError, match=text):
        ct.process_emg(SESSION, **options)
    with pytest.raises(ct.OptionError, match="of different names"):
        ct.process_emg([SESSION[0], SESSION[0]])
    with pytest.raises(ct.UnknownNameError, match="'VM'"):
        ct.process_emg(SESSION, channels=["TA", "VM"])


def dead(name):
    values = SESSION[1].values.copy()
    values[:, CHANNELS.index(name)] = 0.123
    return [SESSION[0], changed(SESSION[1], values)]


def test_a_dead_channel_is_left_out_unless_it_drives_something():
    with pytest.warns(ct.CeinmsTorchWarning, match="trial run: EMG, MG: dead"):
        result = ct.process_emg(dead("MG"))
    assert result.channels == ("TA", "SOL", "VL")
    with pytest.raises(ct.DataError, match="leaves gasmed_r without") as caught:
        ct.process_emg(
            dead("MG"), emg_map=ct.EmgMap(channels={"TA": {"tibant_r": 1}, "MG": {"gasmed_r": 1}})
        )
    assert caught.value.code == "emg-dead"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"band_pass": (300.0, 30.0)}, "band_pass: expected two increasing"),
        ({"low_pass": 40.0}, "low_pass: expected above 0 and below 30 Hz"),
        ({"rate": 10.0}, "rate: expected 12.5 Hz at least"),
        ({"edges": "odd"}, "edges: expected one of turned, mirrored, filtfilt"),
        ({"largest_gap": -1.0}, "largest_gap"),
        ({"low_pass_order": 0}, "low_pass_order"),
    ],
)
def test_processing_out_of_range(changes, text):
    with pytest.raises(ct.OptionError, match=text):
        ct.EmgProcessing(**changes)


def test_maxima_are_read(tmp_path):
    file = tmp_path / "maxima.csv"
    file.write_text("channel,maximum [mV],note\nTA,1.5,mvc\nSOL,2,\n\n")
    assert ct.read_maxima(file)[0] == {"TA": 1.5, "SOL": 2.0}
    for text, expected in (
        ("a,b\n1,2\n", "the columns 'channel' and 'maximum', got a, b"),
        ("channel,mvc\nTA,0\n", "2: TA: expected a number above 0, got '0'"),
        ("channel,mvc\nTA,1\nTA,2\n", "3: TA: expected every channel once"),
        ("channel,mvc\nTA\n", "2: TA: expected a number above 0, got ''"),
    ):
        file.write_text(text)
        with pytest.raises(ct.FileFormatError, match=expected):
            ct.read_maxima(file)
