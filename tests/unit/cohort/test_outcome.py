"""What became of a row: published once, relied on only while nothing has changed."""

import contextlib

import pytest

from ceinms_torch.cohort.outcome import (
    OUTCOME_FILE,
    Outcome,
    digests_of,
    known_outcome,
    publish,
    read_outcome,
    remove_working_folders,
    working_folder,
)


@pytest.fixture
def source(tmp_path):
    file = tmp_path / "source.xml"
    file.write_text("one")
    return file


def put(target, source, text="result", **changes):
    values = {"status": "done", "key": "k", "inputs": digests_of([source])} | changes
    with working_folder(target) as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "result.json").write_text(text)
        return publish(Outcome(**values), folder, target)


def test_is_known_until_input_request_or_result_changes(tmp_path, source):
    target = tmp_path / "subjects" / "A" / "walk"
    outcome = put(target, source, seconds=1.5, warnings=("w",))
    assert known_outcome(target, "k") == outcome == read_outcome(target)
    assert known_outcome(target, "another") is None
    for file, text in ((source, "two"), (target / "sub" / "result.json", "other")):
        before = file.read_text()
        file.write_text(text)
        assert known_outcome(target, "k") is None
        file.write_text(before)
        assert known_outcome(target, "k") == outcome
    (target / "report.html").write_text("the lab's own file beside it does not matter")
    assert known_outcome(target, "k") == outcome
    source.unlink()
    assert known_outcome(target, "k") is None
    (target / OUTCOME_FILE).write_text("{")
    assert known_outcome(target, "k") is None


def test_file_that_was_missing_and_has_come(tmp_path):
    missing = tmp_path / "missing.xml"
    target = tmp_path / "A"
    put(target, missing, status="failed")
    assert known_outcome(target, "k").message == ""
    missing.write_text("here I am")
    assert known_outcome(target, "k") is None


def test_first_one_stays_and_out_of_date_ones_go(tmp_path, source):
    target = tmp_path / "subjects" / "A"
    first = put(target, source)
    assert put(target, source, "second") == first
    assert (target / "sub" / "result.json").read_text() == "result"
    newer = put(target, source, "newer", key="another")
    assert (target / "sub" / "result.json").read_text() == "newer"
    assert known_outcome(target, "another") == newer
    assert [one.name for one in target.parent.iterdir()] == ["A"]


def test_nothing_is_left_of_one_that_was_stopped(tmp_path):
    target = tmp_path / "subjects" / "A"
    with contextlib.suppress(KeyboardInterrupt), working_folder(target) as folder:
        (folder / "half").write_text("half")
        raise KeyboardInterrupt
    assert [*target.parent.iterdir()] == []


def test_working_folders_of_dead_workers_are_removed_and_nothing_else(tmp_path, source):
    put(tmp_path / "subjects" / "A" / "walk", source)
    put(tmp_path / "subjects" / "B", source)
    kept = sorted(tmp_path.rglob("*"))
    killed = [  # which never end
        working_folder(target)
        for target in (tmp_path / "subjects" / "A" / "run", tmp_path / "subjects" / "B")
    ]
    for one in killed:
        one.__enter__()
    assert len(sorted(tmp_path.rglob("*"))) == len(kept) + 2
    remove_working_folders(tmp_path)
    assert sorted(tmp_path.rglob("*")) == kept
