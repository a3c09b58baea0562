"""Files that are read and written block by block are what they would be as a whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ceinms_torch.errors import FileFormatError
from ceinms_torch.io import storage_rows, text_blocks
from ceinms_torch.io.storage import read_storage, write_storage

HEADER = "table\nversion=1\nnRows={n}\nnColumns=3\ninDegrees=no\nendheader\n"
ENDS = st.sampled_from(["\n", "\r\n", "\r", "\r\r\n"])
DECIMALS = st.integers(-(10**9), 10**9).map(lambda i: i / 10.0**5)
NUMBERS = st.one_of(st.floats(allow_nan=False, allow_infinity=False), DECIMALS)
ANYTHING = st.one_of(
    NUMBERS.map(repr), st.sampled_from(["", "NaN", "1,5", "x", '"2"', "1e400", "ä"])
)


def read_with(block, path, **options):
    """Return what a file is read as in blocks of so many bytes, or the message."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_blocks, "_BLOCK", block)
        try:
            found = read_storage(path, **options)
        except FileFormatError as error:
            return str(error)
    bits = (found.time.tobytes(), found.values.tobytes(), found.values.shape)
    return (found.columns, found.name, found.sha256, found.label_line, *bits)


@given(
    rows=st.lists(st.tuples(ANYTHING, ANYTHING), min_size=1, max_size=12),
    end=ENDS,
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16"]),
    block=st.integers(1, 200),
    gaps=st.booleans(),
    announced=st.integers(-1, 1),
    blank=st.booleans(),
    steps=st.sampled_from([0.01, 0.0, -0.01]),
)
def test_blocks_do_not_show(
    tmp_path_factory, rows, end, encoding, block, gaps, announced, blank, steps
):
    """Whatever is in a file, and wherever blocks end: the same numbers, or the same message."""
    times = [1.0 + i * 0.01 for i in range(len(rows) - 1)]
    times.append((times[-1] if times else 1.0) + steps)
    lines = [f"{time!r}\t{a}\t{b}" for time, (a, b) in zip(times, rows, strict=True)]
    if blank:
        lines.insert(len(lines) // 2, "")
    text = HEADER.format(n=len(rows) + announced) + "\n".join(["time\tone\ttwo", *lines, ""])
    path = tmp_path_factory.mktemp("blocks") / "table.sto"
    path.write_bytes(text.replace("\n", end).encode(encoding))
    assert read_with(block, path, gaps=gaps) == read_with(1 << 20, path, gaps=gaps)


@given(
    table=hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2), elements=NUMBERS),
    block=st.integers(1, 10),
)
def test_what_is_written_reads_the_same(tmp_path_factory, table, block):
    """Bit for bit, in the shortest texts, which are Python's."""
    path = tmp_path_factory.mktemp("rows") / "table.sto"
    time = np.arange(len(table)) * 0.1
    columns = [f"c{i}" for i in range(table.shape[1])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage_rows, "_BLOCK", block)
        write_storage(path, time, columns, table, name="x", units="N")
    found = read_storage(path)
    assert found.values.tobytes() == table.tobytes()
    assert found.time.tobytes() == time.tobytes()
    written = path.read_text(encoding="utf-8").split("endheader\n")[1].splitlines()[1:]
    for line, row in zip(written, table.tolist(), strict=True):
        for cell, number in zip(line.split("\t")[1:], row, strict=True):
            assert cell == repr(number)


def test_a_fault_far_down_is_named(tmp_path):
    """In a file of several blocks."""
    path = tmp_path / "long.sto"
    table = np.random.default_rng(0).normal(size=(30_000, 4))
    write_storage(path, np.arange(30_000) / 100, list("abcd"), table, name="x", units="")
    lines = path.read_text(encoding="utf-8").split("\n")
    cells = lines[25_000].split("\t")
    lines[25_000] = "\t".join([*cells[:3], "oops", *cells[4:]])
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(FileFormatError, match=r"long\.sto:25001: c: .*'oops'"):
        read_storage(path)
    assert path.stat().st_size > 2 * text_blocks._BLOCK
