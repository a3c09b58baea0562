"""A folder of results: one writer, all files or none, and result.json goes first and comes last."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceinms_torch.errors import FileFormatError, OptionError
from ceinms_torch.io import paths
from ceinms_torch.io.paths import write_atomically
from ceinms_torch.io.results import (
    LOCK_FILE,
    RESULT_FILE,
    check_files,
    claimed,
    results_in,
    write_result_file,
)


def write_all(folder, content, *, fails_after=None):
    """Write a result of three files, the last of a folder in it; stop after some of them."""
    names = ("subject.xml", "history.csv", "trials/walk/Torques.sto")
    with results_in(folder):
        for i, name in enumerate(names):
            if i == fails_after:
                raise OSError(28, "No space left on device")
            write_atomically(folder / name, content)
        write_result_file(folder, {"of": content.decode()})


def state(folder):
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


@pytest.mark.parametrize("fails_after", [0, 1, 2])
def test_all_or_nothing(tmp_path, fails_after):
    write_all(tmp_path, b"old")
    before = state(tmp_path)
    with pytest.raises(OSError, match="No space"):
        write_all(tmp_path, b"new", fails_after=fails_after)
    assert state(tmp_path) == before


@pytest.mark.parametrize("is_there", [True, False])
def test_no_folder_is_left(tmp_path, is_there):
    folder = tmp_path / "out"
    if is_there:
        folder.mkdir()

    def fail(content):
        with results_in(folder):
            write_atomically(folder / "trials" / "walk" / "Torques.sto", content)
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        fail(b"new")
    assert list(tmp_path.rglob("*")) == ([folder] if is_there else [])


@given(n_replaced=st.integers(0, 3))
def test_killed_between_two_files(tmp_path_factory, n_replaced):
    """Whenever the process dies, nobody takes a mixture for a result."""
    folder = tmp_path_factory.mktemp("killed")
    write_all(folder, b"old")
    code = (
        "import os, sys; from pathlib import Path\n"
        "sys.path[:0] = sys.argv[3:]\n"
        "from test_results import write_all\n"
        "left, replace = [int(sys.argv[2])], Path.replace\n"
        "def stop(self, other):\n"
        "    if not left[0]: os.kill(os.getpid(), 9)\n"
        "    left[0] -= 1\n"
        "    return replace(self, other)\n"
        "Path.replace = stop\n"
        "write_all(Path(sys.argv[1]), b'new')\n"
    )
    words = [sys.executable, "-c", code, folder, str(n_replaced), Path(__file__).parent]
    done = subprocess.run(words, check=False, capture_output=True)
    assert done.returncode == -9, done.stderr
    assert not (folder / RESULT_FILE).exists()
    write_all(folder, b"again")  # the lock is stale, and what was left behind goes with it
    assert not list(folder.rglob(".ceinms-torch*"))
    check_files(folder, json.loads((folder / RESULT_FILE).read_text())["files"])


def test_a_mixture_is_named(tmp_path):
    write_all(tmp_path, b"old")
    files = json.loads((tmp_path / RESULT_FILE).read_text())["files"]
    assert set(files) == {"subject.xml", "history.csv", "trials/walk/Torques.sto"}
    check_files(tmp_path, files)
    (tmp_path / "history.csv").write_text("new")
    with pytest.raises(FileFormatError, match=r"history\.csv: expected the file that result\.json"):
        check_files(tmp_path, files)


def test_a_result_of_other_files_stays(tmp_path):
    write_all(tmp_path, b"old")
    with results_in(tmp_path):
        write_atomically(tmp_path / "Torques.sto", b"of another command")
    assert (tmp_path / RESULT_FILE).exists()
    with results_in(tmp_path):
        write_atomically(tmp_path / "subject.xml", b"of another command")
    assert not (tmp_path / RESULT_FILE).exists()


# ---- One writer -------------------------------------------------------------------------

HOLDER = (
    "import sys, time; from pathlib import Path; from ceinms_torch.io.results import claimed\n"
    "with claimed(Path(sys.argv[1])):\n"
    "    print('mine', flush=True)\n"
    "    sys.stdin.read()\n"
)


@pytest.fixture
def holder(tmp_path):
    """Another process that writes into a folder."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path / "out"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline() == b"mine\n"
        yield process
        process.kill()


def test_the_second_process_is_refused(holder, tmp_path):
    with pytest.raises(OptionError) as caught, claimed(tmp_path / "out"):
        pass
    text = str(caught.value)
    assert f"process {holder.pid} on " in text
    assert LOCK_FILE in text
    holder.stdin.close()
    holder.wait(timeout=30.0)
    with claimed(tmp_path / "out"), claimed(tmp_path / "out"):
        assert (tmp_path / "out" / LOCK_FILE).exists()
    assert not (tmp_path / "out").exists()


def test_a_stale_lock_is_recognised(holder, tmp_path):
    holder.kill()
    holder.wait(timeout=30.0)
    assert (tmp_path / "out" / LOCK_FILE).exists()
    with claimed(tmp_path / "out"):
        assert json.loads((tmp_path / "out" / LOCK_FILE).read_text())["pid"] == os.getpid()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc")
def test_a_number_that_another_process_has_by_now(tmp_path):
    lock = tmp_path / LOCK_FILE
    with claimed(tmp_path):
        mine = json.loads(lock.read_text())
    lock.write_text(json.dumps({**mine, "pid": os.getppid(), "started": "1"}))
    with claimed(tmp_path):
        pass
    lock.write_text(json.dumps({**mine, "host": "elsewhere"}))
    with pytest.raises(OptionError, match="on elsewhere"), claimed(tmp_path):
        pass


def test_files_that_are_written_name_themselves(tmp_path, monkeypatch):
    def fail(self, other):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(paths.Path, "replace", fail)
    with pytest.raises(OSError, match=r"No space left on device: '.*name\.sto'"):
        write_atomically(tmp_path / "name.sto", b"new")
