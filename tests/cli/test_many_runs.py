"""``CEINMS -S`` on several setup files: or ``ceinms-torch run``: as if each had a process."""

import re
import shutil

import pytest

from command_line import run_program
from helpers import edit


@pytest.fixture
def setups(tiny_folder):
    """Two runs into folders of their own, and between them one whose trial is missing."""
    text = (tiny_folder / "setup.xml").read_text(encoding="utf-8")
    files = []
    for name in ("first", "broken", "last"):
        own = re.sub(r"(<outputDirectory>).*(</)", rf"\1out_{name}\2", text)
        files.append(tiny_folder / f"run_{name}.xml")
        files[-1].write_text(own, encoding="utf-8")
    edit(files[1], "trial1", "no_trial")
    return files


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*.sto")}


@pytest.mark.parametrize("words", [("CEINMS", "-S"), ("ceinms-torch", "run")])
def test_outputs_are_those_of_one_by_one(tiny_folder, setups, words):
    together = run_program(*words, *setups)
    found = {path: contents(path) for path in sorted(tiny_folder.glob("out_*"))}
    assert [path.name for path in found] == ["out_first", "out_last"]
    for path in found:
        shutil.rmtree(path)
    alone = [run_program(*words, one) for one in setups]
    assert found == {path: contents(path) for path in found}
    assert all(found.values())
    assert together.stdout == "".join(one.stdout for one in alone)
    assert together.stderr == "".join(one.stderr for one in alone)
    assert [one.returncode for one in alone] == [0, 1, 0]
    assert together.returncode == 1


def test_several_cannot_share_a_folder(tiny_folder, setups):
    refused = run_program("ceinms-torch", "run", *setups, "--out", tiny_folder / "all")
    assert refused.returncode == 1
    assert "--out: expected one setup file with it, got 3" in refused.stderr
    assert not (tiny_folder / "all").exists()
