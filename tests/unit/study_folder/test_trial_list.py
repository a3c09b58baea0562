"""The list of a study's trials."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceinms_torch.errors import CeinmsTorchError, FileFormatError
from ceinms_torch.study_folder.trial_list import COLUMNS, FILES, read_trial_list


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the files that rows name."""
    path = tmp_path_factory.mktemp("trials")
    for name in FILES:
        (path / f"{name}.x").touch()
    (path / "ma").mkdir()
    return path


def written(folder, text):
    path = folder / "trials.csv"
    path.write_text(text)
    return path


@given(
    columns=st.permutations(COLUMNS),
    units=st.booleans(),
    separator=st.sampled_from([",", ";", " , "]),
    capitals=st.booleans(),
)
def test_columns_may_be_in_any_order(folder, columns, units, separator, capitals):
    cells = {name: f"{name}.x" for name in FILES}
    cells |= {"trial": "walk_1", "start": "0.25", "stop": "1.5", "muscle_analysis": "ma"}
    cells |= {"condition": "slow", "use": "Test"}
    head = [f"{name} [s]" if units and name in ("start", "stop") else name for name in columns]
    head = [name.upper() if capitals and "[" not in name else name for name in head]
    row = separator.join(cells[name] for name in columns)
    others = separator.join("other" if name == "trial" else "" for name in columns)
    rows = read_trial_list(written(folder, f"{separator.join(head)}\n\n{row}\n# no\n{others}\n"))
    one, other = rows
    assert (one.name, one.start, one.stop, one.condition) == ("walk_1", 0.25, 1.5, "slow")
    assert (one.use, other.use, dict(other.files)) == ("test", "calibration", {})
    assert one.place.line == 3
    assert {name: path.name for name, path in one.files.items()} == {
        name: cells[name] for name in FILES
    }


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_with_its_file(folder, text):
    path = folder / "trials.csv"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        read_trial_list(path)
    except CeinmsTorchError as error:
        message = str(error)
    else:
        message = str(path)
    assert str(path) in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a header and a row for each trial, got nothing"),
        ("trial,motions\na,b\n", r"trials.csv:1: motions: .*Did you mean 'motion'"),
        ("trial,trc,trc\na,b,c\n", "each once"),
        ("trc\ntrc.x\n", "a column 'trial'"),
        ("trial,trc\na,none.trc\n", r":2: trc: expected markers: a file that exists.*missing"),
        ("trial,trc\na,ma\n", "which is a folder"),
        ("trial,muscle_analysis\na,trc.x\n", "a folder that exists.*a file"),
        ("trial\na\na\n", "every trial once, got 'a' twice"),
        ("trial\na/b\n", "name that a folder can have, got 'a/b'"),
        ("trial,start\na,soon\n", "a time .s., got 'soon'"),
        ("trial,start,stop\na,2,1\n", "a start before the stop, got 2 and 1 s"),
        ("trial,use\na,calibrate\n", "Did you mean 'calibration'"),
        ("trial,use\na,test\n", "at least one trial with the use 'calibration', got none"),
        ("trial\na,b\n", "1 cells, as in the header, got 2"),
    ],
)
def test_faults_name_line_and_cure(folder, text, message):
    with pytest.raises(FileFormatError, match=message):
        read_trial_list(written(folder, text))
