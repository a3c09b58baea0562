"""Marker files: round trips, what is refused, units."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ceinms_torch.errors import CeinmsTorchWarning, DataError, FileFormatError, UnknownNameError
from ceinms_torch.recordings.trc import Markers, read_trc, write_trc

HEADER = (
    "PathFileType\t4\t(X/Y/Z)\ta.trc\n"
    "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\t"
    "OrigNumFrames\n100\t100\t{frames}\t2\t{unit}\t100\t1\t{frames}\n"
    "Frame#\tTime\tR.Heel\t\t\tL.Heel\t\t\n\t\tX1\tY1\tZ1\tX2\tY2\tZ2\n\n"
)
ROWS = "1\t0.00\t100\t20\t90\t120\t21\t-90\n2\t0.01\t102\t20\t90\t119\t22\t-90\n"


def file_of(tmp_path, rows=ROWS, unit="mm", frames=2):
    path = tmp_path / "a.trc"
    path.write_text(HEADER.format(unit=unit, frames=frames) + rows, encoding="utf-8")
    return path


def test_reads_metres(tmp_path):
    markers = read_trc(file_of(tmp_path))
    assert markers.names == ("R.Heel", "L.Heel")
    np.testing.assert_allclose(markers.position("L.Heel")[1], [0.119, 0.022, -0.09], rtol=1e-15)
    assert markers.rate == pytest.approx(100.0)
    with pytest.raises(UnknownNameError, match=r"Did you mean 'L\.Heel'"):
        markers.position("LHeel")


@given(
    positions=arrays(
        np.float64,
        st.tuples(st.integers(1, 5), st.integers(2, 4), st.just(3)),
        elements=st.floats(-4.0, 4.0),
    ),
    seed=st.integers(0, 99),
)
def test_what_is_written_is_read_to_the_nanometre(tmp_path_factory, positions, seed):
    n_frame, n_marker, _ = positions.shape
    positions[:, 0] = [0.1, 0.2, 0.3]  # so that markers are apart as those of a body are
    positions[:, 1] = [1.1, 0.2, 0.3]
    gaps = np.random.default_rng(seed).random((n_frame, n_marker)) < 0.2
    gaps[:, :2] = False
    # What is at the origin in some frames only reads as not seen.
    gaps |= (np.abs(positions) < 1e-9).all(axis=2)
    positions[gaps] = np.nan
    path = tmp_path_factory.mktemp("trc") / "b.trc"
    time = np.arange(n_frame) / 250.0
    names = tuple(f"M {i}" for i in range(n_marker))
    write_trc(path, Markers(time=time, names=names, positions=positions))
    again = read_trc(path)
    assert again.names == names
    np.testing.assert_array_equal(again.time, time)
    np.testing.assert_allclose(again.positions, positions, rtol=0.0, atol=0.6e-9)


def test_gaps_are_empty_cells_nan_or_zeros_in_some_frames(tmp_path):
    rows = (
        "1\t0\t1\t20\t90\t\t\t\n2\t0.01\t0\t0\t0\t119\t22\t-90\n3\t0.02\t1\t2\t3\tNaN\tNaN\tNaN\n"
    )
    seen = ~np.isnan(read_trc(file_of(tmp_path, rows, frames=3)).positions).any(axis=2)
    np.testing.assert_array_equal(seen, [[True, False], [False, True], [True, False]])


def test_a_marker_that_is_always_at_the_origin_is_no_gap(tmp_path):
    rows = "1\t0\t0\t0\t0\t100\t22\t-90\n2\t0.01\t0\t0\t0\t119\t22\t-90\n"
    assert np.isfinite(read_trc(file_of(tmp_path, rows)).positions).all()


@pytest.mark.parametrize(
    ("unit", "likely"), [("m", "seem to be in mm"), ("cm", None), ("feet", "third line")]
)
def test_unit_that_contradicts_the_numbers(tmp_path, unit, likely):
    path = file_of(tmp_path, unit=unit)
    if likely is None:
        assert read_trc(path).positions[0, 0, 0] == 1.0
        return
    with pytest.raises(FileFormatError, match=likely) as caught:
        read_trc(path)
    assert caught.value.where.line == 3


def test_metres_read_as_mm(tmp_path):
    rows = "1\t0.00\t0.100\t0.020\t0.090\t0.120\t0.021\t-0.09\n"
    with pytest.raises(FileFormatError, match=r"seem to be in m:"):
        read_trc(file_of(tmp_path, rows, frames=1))


@pytest.mark.parametrize(
    ("rows", "line", "says"),
    [
        ("1\t0.00\t1,5\t20\t90\t120\t21\t-90\n", 7, "numbers with decimal points"),
        ("1\t0.00\t1\t20\t90\t120\t21\t-90\t7\n", 7, "expected 8 cells"),
        ("1\t0.02\t1\t2\t3\t4\t5\t6\n2\t0.01\t1\t2\t3\t4\t5\t6\n", 8, "a time after"),
        ("1\t0.00\t1\t20\t90\t120\t21\t-90\n", 3, "expected 2, as the header announces, got 1"),
    ],
)
def test_faults_name_their_line(tmp_path, rows, line, says):
    with pytest.raises(FileFormatError, match=says) as caught:
        read_trc(file_of(tmp_path, rows))
    assert caught.value.where.line == line


def test_more_frames_than_announced_are_read_with_a_warning(tmp_path):
    with pytest.warns(CeinmsTorchWarning, match="announces 1 frames, there are 2"):
        assert len(read_trc(file_of(tmp_path, frames=1)).time) == 2


@pytest.mark.parametrize("text", ["", "nothing", "a\tb\n" * 9])
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "a.trc"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FileFormatError, match="PathFileType"):
        read_trc(path)


def test_what_cannot_be_written(tmp_path):
    empty = Markers(time=np.empty(0), names=("A",), positions=np.empty((0, 1, 3)))
    with pytest.raises(DataError, match="at least 1"):
        write_trc(tmp_path / "a.trc", empty)
    tabbed = Markers(time=np.zeros(1), names=("A\tB",), positions=np.zeros((1, 1, 3)))
    with pytest.raises(DataError, match="without tabs"):
        write_trc(tmp_path / "a.trc", tabbed)
    assert list(tmp_path.iterdir()) == []


def test_recorded_markers(shared_dir):
    path = shared_dir / "data" / "walking_opensim" / "markers_walk.trc"
    markers = read_trc(path)
    assert markers.positions.shape == (238, 41, 3)
    np.testing.assert_allclose(markers.position("R.Shoulder")[0], [-0.65263, 1.529542, -0.09452])
