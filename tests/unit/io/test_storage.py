"""Storage files: dialects, faults with their lines, and round trips."""

import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ceinms_torch.errors import CeinmsTorchWarning, DataError, FileFormatError
from ceinms_torch.io.storage import read_storage, write_storage

ROWS = "time\ta\tb\n0\t1\t2\n0.01\t3\t4\n"
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def write(tmp_path, text, name="file.sto"):
    path = tmp_path / name
    path.write_bytes(text.encode())
    return path


def fault(path):
    with pytest.raises(FileFormatError) as caught:
        read_storage(path)
    assert str(caught.value).startswith(f"{path}")
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        "Length\nversion=1\nnRows=2\nnColumns=3\ninDegrees=no\nendheader\n" + ROWS,
        "EMG\ndatacolumns 3\ndatarows 2\nendheader\n" + ROWS,
        "EMG\ndataColumns 3\ndataRows 2\nendheader\n" + ROWS,
        "x\n  nRows = 2\n\tnColumns=3\n  EndHeader  \n" + ROWS,
        "DataType=double\nversion=3\nOpenSimVersion=4.5\nendheader\n" + ROWS,
        "endheader\n" + ROWS,
        ("x\nnRows=2\nnColumns=3\nendheader\n" + ROWS).replace("\n", "\r\n"),
        ("x\nnRows=2\nnColumns=3\nendheader\n" + ROWS).replace("\n", "\r"),
        "\ufeffx\nendheader\n" + ROWS,
        "x\nendheader\n\n" + ROWS.replace("\t", "   ").replace("\n", "  \n") + "\n\n",
        "x\nendheader\n" + ROWS.replace("\t", ","),
        "first\nnRows=7\nendheader\nsecond\nnRows=2\nnColumns=3\nendheader\n" + ROWS,
        "x\nnr=2\nnc=3\nInDegrees=no\nendheader\n" + ROWS,
        "x\nnRows = 2\nnColumns = 3\nendheader\n" + ROWS,
        ("x\nnRows=2\nnColumns=3\nendheader\n" + ROWS).replace("\n", "\r\r\n"),
        ("x\nnRows=2\nnColumns=3\nendheader\n" + ROWS).replace("\n", "\t\t\t\n"),
        "x\nnRows=2\nendheader\n" + ROWS + "\t\t\n\t\t\n\x1a",
        "x\nnRows=2,,\nnColumns=3,,\nendheader,,\n" + ROWS.replace("\t", ",") + ",,\n,,\n",
        "x\nendheader\n" + ROWS.replace("\t", ",").replace("time,a,b", "time\ta\tb"),
        "x\nendheader\n" + re.sub(r"[^\t\n]+", r'"\g<0>"', ROWS).replace("\t", ","),
        "x\nendheader\n" + re.sub(r"[^\t\n]+", r'"\g<0>"', ROWS),
        "x\nendheader\n" + ROWS.replace("\t", ",").replace("\n", ",,\n"),
        "x\nnColumns=4\nendheader\nFrame#\ttime\ta\tb\n1\t0\t1\t2\n2\t0.01\t3\t4\n",
        "x\nendheader\n,Time,a,b\n0,0,1,2\n1,0.01,3,4\n",
    ],
    ids=[
        "opensim 3",
        "ceinms",
        "manual",
        "indented",
        "opensim 4",
        "nothing but endheader",
        "windows",
        "old mac",
        "byte order mark",
        "blanks and empty lines",
        "commas",
        "two headers",
        "nr and nc",
        "blanks around the sign",
        "CR CR LF",
        "tabs behind every line",
        "lines of tabs at the end",
        "commas of a spreadsheet",
        "labels by tabs, rows by commas",
        "quoted commas",
        "quoted tabs",
        "empty columns at the end",
        "frame numbers",
        "index of a data frame",
    ],
)
def test_every_dialect_gives_the_same_table(tmp_path, text):
    storage = read_storage(write(tmp_path, text))
    assert storage.columns == ("a", "b")
    np.testing.assert_array_equal(storage.time, [0.0, 0.01])
    np.testing.assert_array_equal(storage.values, [[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize("quote", ["", '"'])
def test_csv_needs_no_header(tmp_path, quote):
    text = f"{quote}time{quote},{quote}a b{quote},{quote}c{quote}\n0,1,2\n0.01, 3, 4\n"
    storage = read_storage(write(tmp_path, text, "table.CSV"))
    assert storage.columns == ("a b", "c")
    np.testing.assert_array_equal(storage.column("a b"), [1.0, 3.0])
    assert storage.name == "table"


def test_labels_with_blanks_between_tabs(tmp_path):
    text = "EMG\nnColumns=3\nendheader\ntime\tMed  Gas\tTib Ant (R)\t\n0\t1\t2\t\n1\t3\t4\t\n"
    storage = read_storage(write(tmp_path, text))
    assert storage.columns == ("Med Gas", "Tib Ant (R)")


def test_quoted_labels_may_have_commas(tmp_path):
    text = 'time,"Gas, med",b\n0,1,2\n'
    assert read_storage(write(tmp_path, text, "x.csv")).columns == ("Gas, med", "b")


def test_frames_without_times(tmp_path):
    error = fault(write(tmp_path, "x\nendheader\nFrame\ta\n1\t2\n2\t3\n"))
    assert error.got == "'Frame' and no column 'time'"


def may_be_utf_8(raw, text):
    """Tell whether bytes of one encoding are, by chance, another text in UTF-8."""
    try:
        return raw.decode("utf-8-sig") != text
    except UnicodeDecodeError:
        return False


@given(
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"]),
    title=st.text("abc äöüßéè°µ\\/:", min_size=1, max_size=20),
    label=st.text("abcäöüßé", min_size=1, max_size=5),
    end=st.sampled_from(["\n", "\r\n", "\r", "\r\r\n"]),
)
def test_any_encoding_and_line_end(tmp_path_factory, encoding, title, label, end):
    text = f"{title}\nnRows=2\nendheader\ntime\t{label}1\tb\n0\t1\t2\n0.01\t3\t4\n"
    path = tmp_path_factory.mktemp("encodings") / "file.sto"
    assume(not may_be_utf_8(text.encode(encoding), text))
    path.write_bytes(text.replace("\n", end).encode(encoding))
    storage = read_storage(path)
    assert storage.columns == (f"{label}1", "b")
    assert storage.name == (title.strip() or "file")
    np.testing.assert_array_equal(storage.values, [[1.0, 2.0], [3.0, 4.0]])


# ---- Labels that are paths --------------------------------------------------------------


def with_labels(tmp_path, *labels):
    values = "\t".join(str(i) for i in range(len(labels) + 1))
    text = "\t".join(("time", *labels))
    return read_storage(write(tmp_path, f"version=3\nendheader\n{text}\n{values}\n"))


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("/forceset/soleus_r|length", "soleus_r"),
        ("/forceset/soleus_r/activation", "soleus_r"),
        ("/jointset/knee_r/knee_angle_r/value", "knee_angle_r"),
        ("/jointset/knee_r/knee_angle_r|generalized_force", "knee_angle_r"),
        ("/model/forceset/soleus_r|length", "soleus_r"),
        ("/soleus_r|length", "soleus_r"),
        ("soleus/r|length", "soleus/r|length"),
    ],
)
def test_name_in_a_path(tmp_path, label, name):
    storage = with_labels(tmp_path, label, "other")
    assert storage.columns == (name, "other")
    assert storage.paths == ({} if label == name else {name: label})
    np.testing.assert_array_equal(storage.column(name), [1.0])


def test_names_that_several_paths_have_are_refused(tmp_path):
    labels = ("/forceset/sol|length", "/forceset/sol|fiber_length", "/forceset/tib|length", "gas")
    storage = with_labels(tmp_path, *labels, "/forceset/gas|length")
    assert storage.columns == (*labels[:2], "tib", "gas", "/forceset/gas|length")
    with pytest.raises(FileFormatError) as caught:
        storage.select(["tib", "sol"])
    assert "one column of 'sol', got 2: /forceset/sol|length, /forceset/sol|fiber" in str(
        caught.value
    )
    assert caught.value.code == "column-ambiguous"
    np.testing.assert_array_equal(storage.column("gas"), [4.0])  # the plain label is the one


# ---- Times with six digits --------------------------------------------------------------


def with_times(tmp_path, times):
    rows = "".join(f"{time}\t{i}\n" for i, time in enumerate(times))
    return write(tmp_path, f"EMG\nendheader\ntime\ta\n{rows}")


@given(start=st.floats(110.0, 800.0), rate=st.floats(1100.0, 4000.0), n=st.integers(40, 400))
def test_times_that_six_digits_made_equal(tmp_path_factory, start, rate, n):
    true = start + np.arange(n) / rate
    path = with_times(tmp_path_factory.mktemp("digits"), [f"{time:.6g}" for time in true])
    with pytest.warns(CeinmsTorchWarning, match="six digits") as caught:
        time = read_storage(path).time
    assert [one.message.code for one in caught] == ["time-digits"]
    # The sixth digit is a millisecond; a line through n such times is nearer.
    assert np.abs(time - true).max() < 0.5e-3
    np.testing.assert_allclose(np.diff(time), time[1] - time[0], rtol=1e-6)


@pytest.mark.parametrize("at", [2, 50, 98])
@pytest.mark.parametrize(
    ("start", "step"), [(0.0, 0.01), (100.0, 0.001), (100.0, 0.01), (5000.0, 0.01)]
)
def test_one_repeated_row_is_still_an_error(tmp_path, at, start, step):
    times = [f"{start + i * step:.6g}" for i in range(100)]
    times.insert(at, times[at])
    assert fault(with_times(tmp_path, times)).code == "time-order"


def test_header_content(tmp_path):
    text = "Angles\nversion=1\ninDegrees=yes\nunits=deg\nendheader\n" + ROWS
    storage = read_storage(write(tmp_path, text))
    assert (storage.name, storage.in_degrees, storage.units) == ("Angles", True, "deg")
    assert storage.header["version"] == "1"


def test_columns_by_name_in_the_order_asked_for(tmp_path):
    storage = read_storage(write(tmp_path, "x\nendheader\n" + ROWS))
    np.testing.assert_array_equal(storage.select(["b", "a"]), [[2.0, 1.0], [4.0, 3.0]])
    with pytest.raises(FileFormatError, match=r"label 'A'.*Did you mean 'a'\?"):
        storage.column("A")


@pytest.mark.parametrize("cell", ["nan", "NaN", "inf", "-Infinity", "abc", "1,5", "1_000", "0x1p3"])
def test_not_a_finite_number(tmp_path, cell):
    rows = f"time\ta\tb\n0\t1\t2\n0.01\t3\t{cell}\n0.02\t5\t6\n"
    error = fault(write(tmp_path, "x\nendheader\n" + rows))
    assert (error.where.line, error.where.element) == (5, "b")
    assert f"got '{cell}'" in str(error)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("x\nnRows=2\n" + ROWS, None, "endheader.*none in the whole file"),
        ("x\nendheader\n", 3, "a line of column labels after 'endheader'"),
        ("x\nendheader\ntime\ta\n", 4, "at least one row of numbers, got none"),
        ('x\nendheader\ntime\ta\n"', 4, "at least one row of numbers, got none"),
        ("x\nendheader\n\xa0\n0\t1\n", 3, "a label above every column.*got none"),
        (
            "x\nendheader\ntime\ta\tb\n0\t1\t2\n\n0.01\t3\t\n",
            6,
            "3 values.*got 2.*'b' is the first",
        ),
        ("x\nendheader\n" + ROWS + "0.02\t5\t6\t7\n", 6, "3 values, one per label, got 4"),
        ("x\nnRows=3\nendheader\n" + ROWS, 6, r"3 rows \(header, line 2\), got 2.*cut short"),
        ("x\nnRows=1\nendheader\n" + ROWS, 6, r"1 rows \(header, line 2\), got 2"),
        ("x\nnRows=two\nendheader\n" + ROWS, 2, "nRows: expected a whole number, got 'two'"),
        ("x\nnColumns=4\nendheader\n" + ROWS, 4, r"4 labels.*\(header, line 2\), got 3"),
        ("x\nendheader\ntime\ta\ta\n0\t1\t2\n", 3, "every column label once, got 'a' again"),
        ("x\nendheader\n" + ROWS + "0.01\t5\t6\n", 6, "a time after 0.01 s, got 0.01 s"),
        ("x\nendheader\n" + ROWS + "\n0.005\t5\t6\n", 7, "a time after 0.01 s, got 0.005 s"),
    ],
)
def test_faults_name_their_line(tmp_path, text, line, message):
    path = write(tmp_path, text)
    error = fault(path)
    assert error.where.line == line
    with pytest.raises(FileFormatError, match=message):
        read_storage(path)


def test_faults_of_csv(tmp_path):
    error = fault(write(tmp_path, "time,a\n0,1\n0.01,\n", "gap.csv"))
    assert (error.where.line, error.where.element, error.got) == (3, "a", "an empty cell")
    error = fault(write(tmp_path, "time;a\n0,00;1,5\n", "german.csv"))
    assert (error.where.line, error.got) == (1, "semicolons")
    error = fault(write(tmp_path, "time,,a\n0,1,2\n", "label.csv"))
    assert (error.where.line, error.got) == (1, "column 2 empty")


def test_binary_file(tmp_path):
    path = tmp_path / "table.sto"
    path.write_bytes(b"x\nPK\x03\x04\xff\xfe")
    error = fault(path)
    assert error.where.line == 2
    assert "0xff" in error.got


def test_missing_file_hints_at_a_similar_name(tmp_path):
    write(tmp_path, ROWS, "LMT.sto")
    with pytest.raises(FileFormatError, match=r"No such file.*Did you mean 'LMT\.sto'\?"):
        read_storage(tmp_path / "lmt.sto")
    with pytest.raises(FileFormatError, match=r"folder .* does not exist either"):
        read_storage(tmp_path / "nowhere" / "lmt.sto")


@given(
    values=hnp.arrays(
        np.float64, st.tuples(st.integers(1, 20), st.integers(0, 5)), elements=NUMBERS
    ),
    steps=st.lists(st.floats(1e-4, 1e3), min_size=20, max_size=20),
    start=st.floats(-1e3, 1e3),
    in_degrees=st.booleans(),
)
def test_written_numbers_are_read_back_exactly(tmp_path_factory, values, steps, start, in_degrees):
    path = tmp_path_factory.mktemp("storage") / "sub" / "table.sto"
    time = start + np.cumsum(steps)[: len(values)]
    columns = [f"column_{i}" for i in range(values.shape[1])]
    write_storage(path, time, columns, values, name="Table", units="N m", in_degrees=in_degrees)
    storage = read_storage(path)
    np.testing.assert_array_equal(storage.time, time)
    np.testing.assert_array_equal(storage.values, values)
    assert storage.columns == tuple(columns)
    assert (storage.name, storage.units, storage.in_degrees) == ("Table", "N m", in_degrees)
    assert storage.header["version"] == "1"


def test_written_header_is_what_opensim_reads(tmp_path):
    path = tmp_path / "forces.sto"
    write_storage(path, [0.0, 0.01], ["m1"], [[1.0], [2.5]], name="Forces", units="N")
    assert path.read_text() == (
        "Forces\nversion=1\nnRows=2\nnColumns=2\ninDegrees=no\nunits=N\nendheader\n"
        "time\tm1\n0.0\t1.0\n0.01\t2.5\n"
    )
    assert [file.name for file in tmp_path.iterdir()] == ["forces.sto"]


@pytest.mark.parametrize(
    ("time", "columns", "values", "message"),
    [
        ([0.0], ["a"], [[1.0, 2.0]], "the shape"),
        ([], ["a"], np.zeros((0, 1)), "the shape"),
        ([0.0], ["a b"], [[1.0]], "labels"),
        ([0.0], ["a", "a"], [[1.0, 2.0]], "labels"),
        ([0.0], ["a"], [[np.nan]], "finite numbers, got nan at time 0 s"),
        ([0.0, 0.0], ["a"], [[1.0], [2.0]], "increasing times"),
    ],
)
def test_what_cannot_be_read_back_is_not_written(tmp_path, time, columns, values, message):
    path = tmp_path / "table.sto"
    path.write_text("old")
    with pytest.raises(DataError, match=message):
        write_storage(path, time, columns, values, name="x", units="m")
    assert path.read_text() == "old"


def test_header_text_must_be_one_line(tmp_path):
    with pytest.raises(DataError, match="units: expected one line of text"):
        write_storage(tmp_path / "x.sto", [0.0], ["a"], [[1.0]], name="x", units="m\nendheader")


def test_all_reference_files_are_read(golden_dir):
    files = [*golden_dir.rglob("*.sto"), *golden_dir.rglob("*.mot")]
    assert len(files) > 100
    for file in files:
        storage = read_storage(file)
        assert len(storage.time) in (200, 2140)
