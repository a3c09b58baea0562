"""Raw EMG is read from what recorders write, evenly sampled, and refused where it is none."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ceinms_torch as ct
from ceinms_torch.emg.recorder_text import read_recorder_text
from emg_signals import CHANNELS, raw_emg, write_raw

DATA = (ct.DataError, ct.FileFormatError, ct.OptionError)
RAW = raw_emg(seconds=0.5)


def lines(delimiter=",", comma=False):
    """Return the rows of the recording as text."""
    rows = (delimiter.join(f"{one:.6f}" for one in row) for row in RAW.values)
    return "\n".join(row.replace(".", ",") if comma else row for row in rows)


RECORDERS = {
    "labels first, times": (
        "time," + ",".join(CHANNELS),
        ",",
        False,
        True,
    ),
    "English header": (
        "Recorder 3\nSampling rate: 1000 Hz\n\n" + "\t".join(CHANNELS),
        "\t",
        False,
        False,
    ),
    "Rate in kHz": ("Sample Frequency (kHz);1 kHz\n" + ";".join(CHANNELS), ";", False, False),
    "German header, decimal commas, units below": (
        "Aufnahme vom 3.5.\nAbtastrate;1000\nVideo frame rate;100\n"
        + ";".join(CHANNELS)
        + "\n"
        + ";".join(["mV"] * 4),
        ";",
        True,
        False,
    ),
    "units behind names": (
        "fs = 1000 Hz\n" + "\t".join(f"{name} [mV]" for name in CHANNELS),
        "\t",
        False,
        False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", RECORDERS)
def test_text_of_recorders(kind, tmp_path):
    header, delimiter, comma, times = RECORDERS[kind]
    rows = lines(delimiter, comma)
    if times:
        rows = "\n".join(f"{i / 1000:.3f},{row}" for i, row in enumerate(rows.splitlines()))
    file = tmp_path / "emg.csv"
    file.write_text(f"{header}\n{rows}\n")
    read = ct.read_raw_emg(file)
    assert (read.rate, read.channels, read.name) == (1000.0, CHANNELS, "emg")
    assert read.values == pytest.approx(RAW.values, abs=1e-6)
    assert read.unit == ("mV" if "units" in kind else "")


def test_analog_ascii_of_motion_capture(tmp_path):
    """Numbers between header and names, a row of rates below them, and no label of the times."""
    rows = "\n".join(
        f"{i / 2000:.6f}\t" + "\t".join(f"{1e3 * one:.0f}" for one in row)
        for i, row in enumerate(RAW.values)
    )
    head = "File_Type:\tAnalog R/C ASCII\tGeneration#:\t1\nBitDepth:\t16\tPreciseRate:\t2000.0\n\n"
    names = "Name\t" + "\t".join(CHANNELS) + "\nRate\t" + "\t".join(["2000"] * 4)
    (tmp_path / "walk.anc").write_text(
        f"{head}{names}\nRange\t{chr(9).join(['10000'] * 4)}\n{rows}\n"
    )
    read = ct.read_raw_emg(tmp_path / "walk.anc")
    assert (read.rate, read.channels) == (2000.0, CHANNELS)
    assert read.values == pytest.approx(1e3 * RAW.values, abs=0.5)


def test_times_before_every_channel(tmp_path):
    """As Delsys exports it: accelerations have times of their own, and fewer rows."""
    raw = RAW.values[:, :2]
    lines = ["Sensor log", "X[s],TA: EMG 1[V],X[s],TA: ACC X[g],X[s],SOL: EMG 2[V]"]
    for i, (one, other) in enumerate(raw):
        slow = f"{i / 148.0:.6f},{0.1 * i:.3f}" if i < 70 else ","
        lines.append(f"{i / 1000:.6f},{one:.6f},{slow},{i / 1000:.6f},{other:.6f}")
    (tmp_path / "emg.csv").write_text("\n".join(lines))
    with pytest.warns(ct.CeinmsTorchWarning, match="TA:_ACC_X: left out, since they were sampled"):
        read = ct.read_raw_emg(tmp_path / "emg.csv")
    assert (read.channels, read.unit, read.rate) == (("TA:_EMG_1", "SOL:_EMG_2"), "V", 1000.0)
    assert read.values == pytest.approx(raw, abs=1e-6)


def test_numbers_in_the_header_are_no_rows(tmp_path):
    head = "1,2,3,4\n1000,1000,1000,1000\n" + ",".join(CHANNELS)
    (tmp_path / "emg.csv").write_text(f"{head}\n{lines()}\n")
    read = ct.read_raw_emg(tmp_path / "emg.csv", rate=1000.0)
    assert read.values == pytest.approx(RAW.values, abs=1e-6)


def test_milliseconds_are_times(tmp_path):
    rows = "\n".join(f"{i};{row}" for i, row in enumerate(lines(";").splitlines()))
    (tmp_path / "emg.txt").write_text(f"Time [ms];{';'.join(CHANNELS)}\n{rows}\n")
    assert ct.read_raw_emg(tmp_path / "emg.txt").rate == 1000.0


@given(
    rate=st.sampled_from([500.0, 1000.0, 1200.0, 1111.11, 1926.0, 2048.0, 4000.0]),
    start=st.floats(0.0, 300.0),
    lost=st.sets(st.integers(1, 97), max_size=20),
)
def test_rows_that_are_missing_are_there_as_gaps(tmp_path_factory, rate, start, lost):
    kept = [i for i in range(100) if i not in lost]
    rows = (f"{start + i / rate:.6f},{math.sin(2.1 * i):.6f}" for i in kept)
    file = tmp_path_factory.mktemp("rows") / "emg.csv"
    file.write_text("time,VL\n" + "\n".join(rows) + "\n")
    read = ct.read_raw_emg(file)
    assert read.rate == pytest.approx(rate, rel=1e-3)
    assert len(read.values) == 100
    assert set(np.flatnonzero(np.isnan(read.values[:, 0]))) == lost
    assert read.time[-1] == pytest.approx(start + 99 / rate, abs=2e-3 * 99 / rate)


def test_storage_with_gaps(tmp_path):
    values = RAW.values.copy()
    values[100:103, 1] = math.nan
    rows = "\n".join(
        "\t".join([f"{i / 1000:.3f}", *(f"{one:.6f}" for one in row)])
        for i, row in enumerate(values)
    )
    labels = "\t".join(("time", *CHANNELS))
    (tmp_path / "emg.sto").write_text(f"EMG\nunits=mV\nendheader\n{labels}\n{rows}\n")
    read = ct.read_raw_emg(tmp_path / "emg.sto")
    assert np.argwhere(np.isnan(read.values)).tolist() == [[100, 1], [101, 1], [102, 1]]
    assert read.unit == "mV"
    with pytest.raises(ct.FileFormatError, match="SOL: expected a finite number, got 'nan'"):
        ct.read_storage(tmp_path / "emg.sto")


@pytest.mark.parametrize(
    ("changes", "options", "text"),
    [
        ({}, {"rate": 2000.0}, "rate: expected 2000 Hz by --emg-rate, got 1000 Hz by its times"),
        (
            {"header": "Sampling rate: 500 Hz"},
            {},
            "expected 1000 Hz by its times, got 500 Hz by its header",
        ),
        ({"times": False}, {}, "a column of times, or a sampling rate in the header, got neither"),
        ({"times": False}, {"rate": 400.0}, "EMG of 500 Hz at least, got 400 Hz. Surface EMG"),
        ({"times": False, "header": "Analog rate,1000\nEMG rate,2000"}, {}, "1000 Hz and 2000 Hz"),
    ],
)
def test_rates_that_cannot_be(changes, options, text, tmp_path):
    file = write_raw(tmp_path / "emg.csv", RAW, **changes)
    with pytest.raises(DATA, match=text) as caught:
        ct.read_raw_emg(file, **options)
    assert caught.value.code == "emg-rate"
    assert caught.value.where.file == file or "file" in str(caught.value)


def test_times_of_something_else_are_refused(tmp_path):
    rows = [f"{t:.4f},1.0" for t in np.cumsum(np.random.default_rng(0).uniform(0.5, 3.0, 50)) / 1e3]
    (tmp_path / "emg.csv").write_text("time,VL\n" + "\n".join(rows))
    with pytest.raises(ct.FileFormatError, match="evenly spaced times"):
        ct.read_raw_emg(tmp_path / "emg.csv")
    (tmp_path / "emg.csv").write_text("time,VL\n0.001,1\n0.000,2\n0.002,3\n")
    with pytest.raises(ct.FileFormatError, match=r"a time after 0.001 s in row 2"):
        ct.read_raw_emg(tmp_path / "emg.csv")


def processed(kind):
    if kind == "rectified":
        return np.abs(RAW.values - RAW.values.mean(axis=0))
    return ct.envelopes(RAW, ct.EmgProcessing(rate=None)).values - 0.01


@pytest.mark.parametrize("kind", ["rectified", "envelope"])
def test_what_is_processed_already_is_refused(kind, tmp_path):
    raw = ct.RawEmg(name="a", rate=1000.0, channels=CHANNELS, values=processed(kind))
    with pytest.raises(
        ct.DataError, match="to both sides of zero, got signals that are not"
    ) as one:
        ct.read_raw_emg(write_raw(tmp_path / "emg.csv", raw))
    assert one.value.code == "emg-rectified"


@pytest.mark.parametrize("offset", [0.0, 5.0, -5.0, 2048.0])
def test_an_offset_is_no_rectification(offset, tmp_path):
    raw = ct.RawEmg(name="a", rate=1000.0, channels=CHANNELS, values=RAW.values + offset)
    read = ct.read_raw_emg(write_raw(tmp_path / "emg.csv", raw))
    assert read.values == pytest.approx(raw.values, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "rows of numbers"),
        ("VL,VM\n", "rows of numbers"),
        ("0.1,0.2\n0.3,0.4\n", "a line above the numbers with 2 labels"),
        ("VL,VL\n0.1,0.2\n0.3,0.4\n", "a name of its own above every column, got 'VL' again"),
        ("time,VL\n0.000,0.2\n0.001,0.4\n0.002,x\n", "4: VL: expected a finite number, got 'x'"),
        ("time,VL\n0.000,0.2\n0.001,0.4\n0.002\n", "4: row: expected 2 values"),
    ],
)
def test_tables_that_are_none(text, expected, tmp_path):
    (tmp_path / "emg.csv").write_text(text)
    with pytest.raises(ct.FileFormatError, match=expected):
        read_recorder_text(tmp_path / "emg.csv")


def test_channels_are_asked_for_by_name():
    assert RAW.select(["VL", "TA"]).channels == ("VL", "TA")
    with pytest.raises(
        ct.UnknownNameError, match=r"name of a channel, got 'VLL'\. Did you mean 'VL'"
    ):
        RAW.select(["VLL"])
