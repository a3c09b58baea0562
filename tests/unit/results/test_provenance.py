"""Names of hashed files."""

import hashlib
from pathlib import Path

import pytest

from ceinms_torch.io.source import IN_MEMORY, read_source
from ceinms_torch.results.provenance import file_hashes


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


def sources(*files):
    return [read_source(file, "a file")[1] for file in files]


def test_names_are_relative_to_the_setup_file_where_they_can_be(folder):
    lab = folder / "lab"
    files = [lab / "setup.xml", lab / "trial" / "emg.mot", folder / "other" / "lmt.sto"]
    read = sources(*files, folder / "lab_2" / "lmt.sto")
    assert file_hashes([*read, IN_MEMORY], lab / "setup.xml") == {
        "setup.xml": digest("lab/setup.xml"),
        "trial/emg.mot": digest("lab/trial/emg.mot"),
        (folder / "other" / "lmt.sto").as_posix(): digest("other/lmt.sto"),
        (folder / "lab_2" / "lmt.sto").as_posix(): digest("lab_2/lmt.sto"),
    }


def test_names_do_not_depend_on_the_current_folder(folder, monkeypatch):
    above = file_hashes(
        sources(Path("lab/setup.xml"), Path("lab/trial/emg.mot"), Path("lab/../other/lmt.sto")),
        Path("lab/setup.xml"),
    )
    monkeypatch.chdir(folder / "lab")
    inside = file_hashes(
        sources(Path("setup.xml"), Path("trial/emg.mot"), Path("../other/lmt.sto")),
        Path("setup.xml"),
    )
    assert above == inside
    assert list(above) == ["setup.xml", "trial/emg.mot", (folder / "other/lmt.sto").as_posix()]


def test_every_file_is_named_once(folder):
    files = [Path("lab/trial/emg.mot"), Path("lab/../lab/trial/emg.mot"), folder / "other/lmt.sto"]
    assert list(file_hashes(sources(*files, Path("other/lmt.sto")), Path("lab/setup.xml"))) == [
        "trial/emg.mot",
        (folder / "other" / "lmt.sto").as_posix(),
    ]


def test_without_a_setup_file_names_are_absolute(folder):
    absolute = (folder / "other" / "lmt.sto").as_posix()
    assert list(file_hashes(sources(Path("other/lmt.sto")), None)) == [absolute]
