"""EMG of the recorded shoulder, against the envelopes published of it; and EMG of C3D files."""

import numpy as np
import pytest

import ceinms_torch as ct
from emg_signals import raw_emg

TRIALS = ("abd01", "flx01")


@pytest.fixture(scope="module")
def shoulder(shared_dir):
    """The raw recordings, and the numbers that they were published over."""
    data = shared_dir / "data"
    raw = [
        ct.read_raw_emg(data / "shoulder_raw" / f"{name}_emg_raw.sto", name=name) for name in TRIALS
    ]
    return raw, ct.read_maxima(data / "shoulder" / "emg_normalisation.csv")[0]


def published(shared_dir, name):
    return ct.read_storage(shared_dir / "data" / "shoulder" / "trials" / name / "emg.sto")


@pytest.mark.filterwarnings("ignore:.*excitations above 1")
def test_published_envelopes_are_met(shoulder, shared_dir):
    """Correlation 0.99, peaks within 8 %, as the issue asks, with its 4 Hz."""
    raw, maxima = shoulder
    result = ct.process_emg(raw, processing=ct.EmgProcessing(low_pass=4.0), maxima=maxima)
    for one in result.envelopes:
        there = published(shared_dir, one.name)
        assert one.channels == there.columns
        assert one.time == pytest.approx(there.time)
        for i, channel in enumerate(one.channels):
            ours, theirs = one.values[:, i], there.values[:, i]
            assert np.corrcoef(ours, theirs)[0, 1] > 0.99, channel
            assert ours.max() / theirs.max() == pytest.approx(1.0, abs=0.08), channel


def test_published_envelopes_are_two_passes_without_a_correction(shoulder, shared_dir):
    """Which is where the difference above comes from: of 5 Hz nominal, the pair's is 4.48 Hz."""
    raw, maxima = shoulder
    of_a_pair = (np.sqrt(2.0) - 1.0) ** (1.0 / 8.0)
    low = np.tan(np.pi * 5.0 / 1000.0) * of_a_pair
    narrower = (np.sqrt(2.0) - 1.0) ** (1.0 / 6.0)
    edges = np.tan(np.pi * np.array([30.0, 300.0]) / 1000.0)
    half = 0.5 * narrower * (edges[1] - edges[0])
    middle = np.hypot(half, np.sqrt(edges[0] * edges[1]))
    band, cutoff = (
        np.arctan(one) * 1000.0 / np.pi for one in (np.array([middle - half, middle + half]), low)
    )
    processing = ct.EmgProcessing(band_pass=tuple(band.tolist()), low_pass=float(cutoff))
    for one in ct.process_emg(raw, processing=processing, normalise="none").envelopes:
        theirs = published(shared_dir, one.name).values
        ours = one.values / [maxima[name] for name in one.channels]
        # Filters agree to the last digits that were published, but where the offset they were
        # given differs: all of the recording's mean here.
        assert ours[:-1] == pytest.approx(theirs[: len(ours) - 1], abs=2e-3)


def test_quality_of_the_shoulder(shoulder):
    raw, _ = shoulder
    for one in raw:
        quality = ct.emg_quality(one)
        found = {(doubt.code, doubt.channels) for doubt in quality.doubts}
        # Infraspinatus is mains hum; trapezii, middle and lower, are one signal.
        assert {("hum", ("Infra",)), ("weak", ("Infra",)), ("crosstalk", ("TM", "TI"))} <= found
        assert not {code for code, _ in found} & {
            "gap",
            "clipped",
            "dead",
            "flat",
            "copied",
            "rate",
        }


def test_analog_channels_of_c3d(tmp_path):
    ezc3d = pytest.importorskip("ezc3d", reason="C3D files are written by ezc3d")
    raw = raw_emg(seconds=2.0)
    file = ezc3d.c3d()
    file["parameters"]["POINT"]["RATE"]["value"] = [100.0]
    file["parameters"]["POINT"]["LABELS"]["value"] = ["HEEL"]
    file["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    points = np.ones((4, 1, 200))
    points[2] = np.linspace(0.0, 900.0, 200)
    file["data"]["points"] = points
    file["parameters"]["ANALOG"]["RATE"]["value"] = [raw.rate]
    file["parameters"]["ANALOG"]["LABELS"]["value"] = ["EMG TA", "EMG SOL", "EMG MG", "EMG VL"]
    file["parameters"]["ANALOG"]["UNITS"]["value"] = ["V"] * 4
    file["data"]["analogs"] = raw.values.T[None]
    file.write(str(tmp_path / "walk.c3d"))
    read = ct.read_raw_emg(tmp_path / "walk.c3d")
    assert (read.rate, read.channels, read.unit) == (raw.rate, tuple(
        f"EMG_{name}" for name in raw.channels
    ), "V")  # fmt: skip
    assert read.values == pytest.approx(raw.values, abs=1e-6)  # kept as floats of 32 bit
    suggested = ct.suggest_map(read.channels, ["tibant_r", "soleus_r", "gasmed_r", "vaslat_r"])
    assert suggested.map.channels["EMG_SOL"] == {"soleus_r": 1.0}


@pytest.mark.parametrize("name", ["walking2", "walking5"])
def test_c3d_without_emg_is_said(name, shared_dir):
    pytest.importorskip("ezc3d", reason="C3D files are read by ezc3d")
    file = shared_dir / "data" / "walking_opensim" / f"{name}.c3d"
    with pytest.raises(ct.FileFormatError, match="beside those of the force plates") as caught:
        ct.read_raw_emg(file)
    assert caught.value.code == "emg-missing"
