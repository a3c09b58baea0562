"""EMG that is late, or of another rate, than what was recorded beside it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ceinms_torch as ct
from emg_signals import raw_emg

MOTION = np.arange(0.0, 6.0, 0.01)


def emg(rate=1000.0, seconds=6.0, start=0.0):
    return raw_emg(rate=rate, seconds=seconds, start=start)


@given(rate=st.sampled_from([1000.0, 1926.0, 2000.0]), frames=st.sampled_from([100.0, 60.0, 250.0]))
def test_recorded_together(rate, frames):
    ct.check_timing(emg(rate=rate), np.arange(0.0, 6.0, 1.0 / frames), "walk.trc")


@pytest.mark.parametrize("late", [0.02, -0.02, 0.05])
def test_late(late):
    with pytest.raises(
        ct.DataError, match=f"{abs(late):g} s {'later' if late > 0 else 'earl'}"
    ) as e:
        ct.check_timing(emg(start=late), MOTION, "walk.trc")
    assert e.value.code == "emg-late"
    assert f"--delay {late:g}" in str(e.value)
    ct.check_timing(emg(start=late), MOTION, "walk.trc", delay=late)


def test_envelopes_are_compared_alike():
    ct.check_timing(ct.envelopes(emg()), MOTION, "walk.trc")
    late = ct.envelopes(emg(), ct.EmgProcessing(delay=-0.02))
    with pytest.raises(ct.DataError, match=r"trial walk: time: .*0\.02 s later"):
        ct.check_timing(late, MOTION, "walk.trc")


@pytest.mark.parametrize(("recorded", "claimed"), [(500.0, 1000.0), (2000.0, 1000.0)])
def test_another_rate(recorded, claimed):
    wrong = emg(rate=claimed, seconds=6.0 * recorded / claimed)
    with pytest.raises(ct.DataError, match=f"A rate of {recorded:g} Hz would explain it") as caught:
        ct.check_timing(wrong, MOTION, "walk.trc")
    assert caught.value.code == "emg-rate"


def test_too_short():
    with pytest.warns(ct.CeinmsTorchWarning, match="0.99 s of walk.trc, at one end, have no EMG"):
        ct.check_timing(emg(seconds=5.0), MOTION, "walk.trc")
    ct.check_timing(emg(seconds=8.0, start=-1.0), MOTION, "walk.trc")
