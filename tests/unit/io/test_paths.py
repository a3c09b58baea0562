"""How names inside files become paths, and how files are replaced."""

import os
from pathlib import Path

import pytest

from ceinms_torch.errors import FileFormatError, OptionError
from ceinms_torch.io import paths
from ceinms_torch.io.paths import (
    check_is_no_folder,
    check_writable,
    relative_text,
    resolve_path,
    write_atomically,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lmt.sto", "/lab/trial/lmt.sto"),
        ('  "lmt.sto"\n', "/lab/trial/lmt.sto"),
        ("sub\\lmt.sto", "/lab/trial/sub/lmt.sto"),
        ("..\\other\\lmt.sto", "/lab/trial/../other/lmt.sto"),
        ("./lmt.sto", "/lab/trial/lmt.sto"),
        ("my trial/l m t.sto", "/lab/trial/my trial/l m t.sto"),
        ("/data/lmt.sto", "/data/lmt.sto"),
        ("\\data\\lmt.sto", "/data/lmt.sto"),
        ("C:\\data\\lmt.sto", "C:/data/lmt.sto"),
    ],
)
def test_resolution(text, expected):
    assert resolve_path(text, "/lab/trial/inputData.xml") == Path(expected)


def test_relative_to_a_file_in_the_current_folder():
    assert resolve_path("lmt.sto", "inputData.xml") == Path("lmt.sto")


@pytest.mark.parametrize("text", ["", "  ", '""', ' " " '])
def test_empty_name(text):
    with pytest.raises(FileFormatError, match="expected a file name, got an empty text"):
        resolve_path(text, "/lab/inputData.xml")


def test_relative_text_is_found_again(tmp_path):
    file = tmp_path / "a" / "lmt.sto"
    base = tmp_path / "b" / "c" / "inputData.xml"
    text = relative_text(file, base)
    assert text == "../../a/lmt.sto"
    assert os.path.normpath(resolve_path(text, base)) == str(file)


def test_windows_drive_is_explained():
    if os.name == "nt":
        pytest.skip("drive letters are fine on Windows")
    assert "drive letter" in paths.missing_file_hint(Path("C:/data/lmt.sto"))


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    target = tmp_path / "file"
    target.write_text("old")

    def fail(self, other):
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(target, b"new")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_write_follows_the_umask(tmp_path):
    reference = tmp_path / "reference"
    reference.write_text("")
    write_atomically(tmp_path / "new" / "file", b"x")
    assert (tmp_path / "new" / "file").stat().st_mode == reference.stat().st_mode


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with a file in a folder."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "setup.xml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["lab/setup.xml", "lab/setup.xml/results"])
def test_file_where_results_should_go(folder, name):
    with pytest.raises(OptionError) as caught:
        check_writable(Path(name))
    assert str(caught.value) == (
        f"{name}: expected a folder that can be written to, got a file, "
        f"'{folder / 'lab' / 'setup.xml'}'. Choose another one with --out."
    )


def test_folder_that_is_not_there_yet(folder):
    check_writable(Path("new/deep"))
    assert not (folder / "new").exists()


def test_folder_where_the_subject_should_go(folder):
    check_is_no_folder(folder / "lab" / "setup.xml")
    check_is_no_folder(folder / "new.xml")
    with pytest.raises(OptionError, match="lab: expected the name of a file to write, got that"):
        check_is_no_folder(folder / "lab")
