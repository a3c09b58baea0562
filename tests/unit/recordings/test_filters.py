"""Filters: -3 dB where they say so, no shift without `causal`, ends that are not bent."""

import math

import numpy as np
import pytest
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st

import ceinms_torch as ct
from ceinms_torch.recordings.filters import butterworth, low_pass_delay

KINDS = ("low-pass", "high-pass", "band-pass", "band-stop")
RATE = 1000.0


def response(frequencies, cutoff, **options):
    """Return by what a filter multiplies sines, from 16 s of its impulse response.

    Of orders up to four, and bands of 1.5 Hz and more, that is all but 2e-5 of it.
    """
    n = 16_000
    impulse = np.zeros(n)
    impulse[n // 2] = 1.0
    answer = butterworth(impulse, RATE, cutoff, edges="mirrored", **options)
    time = (np.arange(n) - n // 2) / RATE
    return np.exp(-2j * np.pi * np.outer(frequencies, time)) @ answer


@given(
    kind=st.sampled_from(KINDS),
    order=st.integers(1, 4),
    causal=st.booleans(),
    low=st.floats(3.0, 60.0),
    ratio=st.floats(1.5, 6.0),
)
def test_the_whole_filter_has_minus_3_db_at_its_cutoffs(kind, order, causal, low, ratio):
    cutoff = [low, low * ratio] if "band" in kind else [low]
    gain = response(cutoff, cutoff, kind=kind, order=order, causal=causal)
    assert np.abs(gain) == pytest.approx(np.full(len(cutoff), math.sqrt(0.5)), rel=1e-4)


@given(kind=st.sampled_from(KINDS), order=st.integers(1, 4), low=st.floats(3.0, 60.0))
def test_a_pair_has_no_phase_and_twice_the_order(kind, order, low):
    cutoff = [low, 4.0 * low] if "band" in kind else [low]
    frequencies = np.array([0.3, 0.7, 1.0, 2.0, 6.0]) * low
    gain = response(frequencies, cutoff, kind=kind, order=order)
    assert np.abs(gain.imag).max() < 1e-6
    if kind == "low-pass":
        x = np.tan(np.pi * frequencies / RATE) / math.tan(math.pi * low / RATE)
        expected = 1.0 / (1.0 + (math.sqrt(2.0) - 1.0) * x ** (2 * order))
        assert gain.real == pytest.approx(expected, abs=1e-6)


def test_causal_is_scipys_own_and_waits():
    noise = np.random.default_rng(0).normal(size=(4000, 2))
    sections = scipy.signal.butter(4, 5.0, fs=RATE, output="sos")
    ours = butterworth(noise, RATE, 5.0, causal=True)
    # How it began is forgotten after a second.
    assert ours[1500:] == pytest.approx(
        scipy.signal.sosfilt(sections, noise, axis=0)[1500:], abs=1e-7
    )
    changed = noise.copy()
    changed[3000:] = 100.0
    assert (butterworth(changed, RATE, 5.0, causal=True)[:3000] == ours[:3000]).all()


@pytest.mark.parametrize("order", [1, 2, 4])
def test_the_delay_of_a_causal_filter_is_that_of_a_ramp(order):
    ramp = np.arange(0.0, 20.0, 1.0 / RATE)
    late = ramp - butterworth(ramp, RATE, 5.0, order=order, causal=True)
    assert low_pass_delay(RATE, 5.0, order=order) == pytest.approx(late[-1], rel=1e-6)


def test_ends_are_as_they_were():
    time = np.arange(0.0, 2.0, 0.01)
    line = 3.0 + 2.0 * time
    assert butterworth(line, 100.0, 6.0) == pytest.approx(line, abs=1e-6)
    noise = np.abs(np.random.default_rng(1).normal(size=20_000))
    level = butterworth(noise, RATE, 5.0, edges="mirrored")
    assert np.abs(level[[0, -1]] / noise.mean() - 1.0).max() < 0.3
    assert butterworth(line[:3], 100.0, 6.0).shape == (3,)


def test_filtfilt_is_scipys_own():
    noise = np.random.default_rng(0).normal(size=500)
    wide = 5.0 / (math.sqrt(2.0) - 1.0) ** 0.125
    warped = math.atan(math.tan(math.pi * 5.0 / RATE) * wide / 5.0) * RATE / math.pi
    expected = scipy.signal.sosfiltfilt(
        scipy.signal.butter(4, warped, fs=RATE, output="sos"), noise
    )
    assert butterworth(noise, RATE, 5.0, edges="filtfilt") == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"cutoff": 500.0}, "between 0 and 500 Hz, half the rate, got 500 Hz"),
        ({"cutoff": 0.0}, "got 0 Hz"),
        ({"cutoff": (30.0, 30.0), "kind": "band-pass"}, "two increasing numbers"),
        ({"cutoff": 30.0, "kind": "band-pass"}, "two increasing numbers"),
        ({"cutoff": 6.0, "order": 0}, "order"),
        ({"cutoff": 6.0, "rate": math.nan}, "rate"),
    ],
)
def test_what_no_filter_has_is_refused(options, text):
    with pytest.raises(ct.OptionError, match=text):
        butterworth(np.zeros(100), **{"rate": RATE, **options})


def test_gaps_are_refused():
    gap = np.zeros(200)
    gap[50] = math.nan
    with pytest.raises(ct.DataError, match=r"none 0\.05 s behind the first. Fill gaps"):
        butterworth(gap, RATE, 6.0)
    with pytest.raises(ct.DataError, match="two samples"):
        butterworth([1.0], RATE, 6.0)
    with pytest.raises(ct.DataError, match="more than"):
        butterworth(np.zeros(9), RATE, 6.0, edges="filtfilt")
