"""What a study writes is what is read again, and what is not is said."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceinms_torch.errors import FileFormatError
from ceinms_torch.io.plain import plain
from ceinms_torch.studies.result_file import StudyResult, Table

TABLE = Table(
    title="Errors", columns=("method", "RMSE [N m]", "runs"), rows=(("lm", 1.25, 3), ("", None, 1))
)


def result(**changes):
    values = {
        "study": "compare",
        "options": {"methods": ["lm"], "cap": None},
        "tables": (TABLE,),
        "data": {"runs": [1.0, 2.0]},
        "notes": ("a note",),
        "warnings": ("a warning",),
        "is_complete": False,
        "inputs": {"subject.xml": "0" * 64},
    }
    return StudyResult(**(values | changes))


def test_round_trip(tmp_path):
    written = result()
    path = written.write(tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "result.json"
    for source in (path, path.parent):
        assert StudyResult.read(source, "compare") == written
    assert written.versions["ceinms-torch"]


def test_numbers_that_json_lacks_are_none(tmp_path):
    data = {"nan": np.nan, "array": np.array([1.0, np.inf]), "n": np.int64(3), "t": (1, "a")}
    result(data=data).write(tmp_path)
    read = StudyResult.read(tmp_path, "compare").data
    assert read == {"nan": None, "array": [1.0, None], "n": 3, "t": [1, "a"]}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(JSON)
def test_plain_values_can_be_written_and_stay_as_they_are(value):
    once = plain(value)
    assert plain(json.loads(json.dumps(once, allow_nan=False))) == once


def test_no_file(tmp_path):
    with pytest.raises(
        FileFormatError,
        match=r"expected a result file, got none .*No such file.*--out folder",
    ):
        StudyResult.read(tmp_path, "compare")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected JSON, got"),
        ("[1]", "expected a result file, got no object"),
        ('{"study": "muscle"}', "expected a result of 'compare', got one of 'muscle'"),
        ('{"study": "compare", "format": 99}', "format: expected 2, got 99"),
        ('{"study": "compare", "format": 2}', "expected all of a result of 'compare'"),
    ],
)
def test_other_files(tmp_path, text, message):
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(FileFormatError, match=message):
        StudyResult.read(tmp_path, "compare")
