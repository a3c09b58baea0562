"""The table of a study."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceinms_torch import CohortStudy
from ceinms_torch.errors import FileFormatError


def read(folder, text):
    file = folder / "study.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return CohortStudy.read(file)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_rows_are_relative_to_the_table_and_keep_the_labs_columns(tmp_path, separator):
    text = "subject,condition,setup,tests,age,note\nAnna,walk,a/calibrate.xml,t1|t2,31,x\n"
    study = read(tmp_path, "\ufeff" + text.replace(",", separator) + "\n")
    (row,) = study.rows
    assert (row.subject, row.condition, row.number) == ("Anna", "walk", 1)
    assert row.setup == tmp_path / "a" / "calibrate.xml"
    assert row.tests == (str(tmp_path / "t1"), str(tmp_path / "t2"))
    assert row.others == {"age": "31", "note": "x"}
    assert study.other_columns == ("age", "note")
    assert row.folder.as_posix() == "subjects/Anna/walk"


def test_without_conditions(tmp_path):
    (row,) = read(tmp_path, "subject,setup\nAnna,a.xml\n").rows
    assert (row.condition, row.label, row.folder.as_posix()) == ("", "Anna", "subjects/Anna")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "study.csv:1: header: expected a column 'subject', got none"),
        ("subject,setup\n", "expected at least one row, got a header alone"),
        ("subject,setup_file\nA,b\n", "expected a column 'setup', got none. Columns are"),
        ("subjects,setup\nA,b\n", "Did you mean 'subjects'?"),
        ("subject,setup,age,age\nA,b,1,1\n", "got 'age' 2 times"),
        ("subject,setup,\nA,b,1\n", "got one without a name"),
        ("subject,setup,status\nA,b,1\n", "got 'status'. Rename it."),
        ("subject,setup\nA,b\n\nB\n", "study.csv:4: expected 2 cells, as in the header, got 1"),
        ("subject,setup\nA,\n", "study.csv:2: setup: expected a value, got an empty cell"),
        ("subject,setup\n,b\n", "study.csv:2: subject: expected a value, got an empty cell"),
        ("subject,condition,setup\nA,,b\n", "study.csv:2: condition: expected a value"),
        ("subject,setup\nA,b\nA,c\n", "study.csv:3: subject: expected one row of each"),
        ("subject,setup\nAnna,b\nanna,c\n", "got 'Anna' and 'anna'"),
        ('subject,setup\nA,"b\n', "study.csv:2: expected cells, quoted ones closed"),
        (b"subject,setup\nJ\xfcrg,b\n", "expected a table of a study, in UTF-8"),
    ],
)
def test_faults_name_line_and_column(tmp_path, text, message):
    with pytest.raises(FileFormatError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)


def test_missing_table(tmp_path):
    with pytest.raises(FileFormatError, match="No such file"):
        CohortStudy.read(tmp_path / "none.csv")


def test_pattern_without_a_file(tmp_path):
    (row,) = read(tmp_path, "subject,setup,tests\nA,b.xml,trials/*\n").rows
    with pytest.raises(FileFormatError, match=r"tests: expected at least one inputData\.xml"):
        row.test_files()


NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1).filter(str.strip)


@given(names=st.lists(NAMES.map(str.strip), min_size=2, unique_by=str.casefold))
def test_every_row_has_a_folder_of_its_own_below_subjects(names, tmp_path_factory):
    lines = ["subject\tsetup"] + [
        f'"{name.replace(chr(34), chr(34) * 2)}"\tx.xml' for name in names
    ]
    study = read(tmp_path_factory.mktemp("study"), "\n".join(lines))
    folders = [row.folder for row in study.rows]
    assert [row.subject for row in study.rows] == names
    assert len(set(folders)) == len(names)
    assert all(one.parts[0] == "subjects" and ".." not in one.parts[1:] for one in folders)
