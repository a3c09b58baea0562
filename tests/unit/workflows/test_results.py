"""Names of hashed files, and whether results can be written at all."""

import hashlib
from pathlib import Path

import pytest

from ceinms_torch.errors import OptionError
from ceinms_torch.workflows.results import check_is_no_folder, check_writable, file_hashes


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with files in and around it; the current folder is above."""
    for name in ("lab/setup.xml", "lab/trial/emg.mot", "other/lmt.sto", "lab_2/lmt.sto"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def test_names_are_relative_to_the_setup_file_where_they_can_be(folder):
    lab = folder / "lab"
    files = [lab / "setup.xml", lab / "trial" / "emg.mot", folder / "other" / "lmt.sto"]
    assert file_hashes([*files, folder / "lab_2" / "lmt.sto"], lab / "setup.xml") == {
        "setup.xml": digest("lab/setup.xml"),
        "trial/emg.mot": digest("lab/trial/emg.mot"),
        (folder / "other" / "lmt.sto").as_posix(): digest("other/lmt.sto"),
        (folder / "lab_2" / "lmt.sto").as_posix(): digest("lab_2/lmt.sto"),
    }


def test_names_do_not_depend_on_the_current_folder(folder, monkeypatch):
    above = file_hashes(
        [Path("lab/setup.xml"), Path("lab/trial/emg.mot"), Path("lab/../other/lmt.sto")],
        Path("lab/setup.xml"),
    )
    monkeypatch.chdir(folder / "lab")
    inside = file_hashes(
        [Path("setup.xml"), Path("trial/emg.mot"), Path("../other/lmt.sto")], Path("setup.xml")
    )
    assert above == inside
    assert list(above) == ["setup.xml", "trial/emg.mot", (folder / "other/lmt.sto").as_posix()]


def test_every_file_is_named_once(folder):
    files = [Path("lab/trial/emg.mot"), Path("lab/../lab/trial/emg.mot"), folder / "other/lmt.sto"]
    assert list(file_hashes([*files, Path("other/lmt.sto")], Path("lab/setup.xml"))) == [
        "trial/emg.mot",
        (folder / "other" / "lmt.sto").as_posix(),
    ]


def test_without_a_setup_file_names_are_absolute(folder):
    absolute = (folder / "other" / "lmt.sto").as_posix()
    assert list(file_hashes([Path("other/lmt.sto")], None)) == [absolute]


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
