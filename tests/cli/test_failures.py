"""What the system refuses is one message with file, cause and cure; nothing is a traceback."""

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import ceinms_torch as ct
from ceinms_torch.terminal.failures import explained, status_of
from command_line import COMMAND, SCRIPTS, environment, run_command
from helpers import edit, write_tiny_folder

SETUP = "calibrationSetup.xml"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")


def run(*words, program=COMMAND, **options):
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    done = subprocess.run(
        [program, *map(str, words)],
        check=False,
        text=True,
        timeout=120.0,
        env=environment(),
        **options,
    )
    assert "Traceback" not in (done.stderr or "")
    assert "Exception ignored" not in (done.stderr or "")
    return done


def limited(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


COMMANDS = {
    "calibrate": ("calibrate", SETUP, "--max-iterations", "2"),
    "run": ("run", "setup.xml"),
    "run --legacy": ("run", "setup.xml", "--legacy"),
    "synergies": ("synergies", SETUP, "--synergies", "1"),
    "preoptimise": ("preoptimise", "subject.xml", "--height", "1.7", "--mass", "70"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk(tiny_folder, command):
    out = tiny_folder / "out"
    done = run(*COMMANDS[command], "--out", out, cwd=tiny_folder, preexec_fn=limited(600))
    assert done.returncode == 1
    message = done.stderr.splitlines()[-1]
    assert re.match(rf"error: {out}/\S+: expected a file no larger .*got 'File too", message)
    assert not [path for path in out.rglob("*") if path.is_file()]


def test_a_full_disk_leaves_earlier_results(tiny_folder):
    assert run(*COMMANDS["calibrate"], cwd=tiny_folder).returncode == 0
    saved = tiny_folder / "calibrationSetup_results"
    before = {path: path.read_bytes() for path in saved.rglob("*") if path.is_file()}
    words = ("calibrate", SETUP, "--max-iterations", "9")
    assert run(*words, cwd=tiny_folder, preexec_fn=limited(3000)).returncode == 1
    assert before == {path: path.read_bytes() for path in saved.rglob("*") if path.is_file()}
    assert ct.load_result(saved).iterations == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_standard_output_that_is_full(tiny_folder):
    with Path("/dev/full").open("w") as full:
        done = run(*COMMANDS["calibrate"], cwd=tiny_folder, stdout=full)
        assert done.returncode == 1
        assert "error: standard output: expected room for it on the disk" in done.stderr
        ct.load_result(tiny_folder / "calibrationSetup_results")
        done = run("-H", program=SCRIPTS / "CEINMS", stdout=full)
        assert done.returncode == 1
        assert done.stderr.startswith("error: standard output: ")
        assert run("check", SETUP, cwd=tiny_folder, stderr=full).returncode == 0


@pytest.mark.parametrize("closed", ["1", "2", "0", "1 2"])
def test_streams_that_are_closed(tiny_folder, closed):
    def close():
        for descriptor in closed.split():
            os.close(int(descriptor))

    done = run(*COMMANDS["calibrate"], cwd=tiny_folder, preexec_fn=close, stdin=subprocess.PIPE)
    assert done.returncode == 0
    ct.load_result(tiny_folder / "calibrationSetup_results")


def test_a_reader_that_wants_no_more(tiny_folder):
    edit(tiny_folder / "trial1" / "emg.mot", "soleus_r_emg", "other")
    read, write = os.pipe()
    os.close(read)
    done = run("check", SETUP, cwd=tiny_folder, stdout=write)
    os.close(write)
    assert done.returncode == 1
    assert done.stderr == ""


LONG = "n" * 300


@pytest.mark.parametrize(
    "words",
    [
        ("calibrate", LONG),
        ("calibrate", SETUP, "--out", LONG),
        ("run", "setup.xml", "--out", f"{LONG}/{LONG}"),
        ("check", f"{LONG}.xml"),
        ("report", LONG),
        ("synergies", LONG),
        ("convert", LONG),
        ("compare", "--from", LONG),
        ("calibrate", SETUP, "--test", LONG),
    ],
)
def test_names_that_are_too_long(tiny_folder, words):
    done = run(*words, cwd=tiny_folder)
    assert done.returncode == 1
    assert "error: " in done.stderr or "error " in done.stdout
    assert "no such fault" not in done.stderr


def test_an_output_with_a_name_that_is_too_long(tiny_folder):
    edit(tiny_folder / SETUP, "calibrated/subject.xml", f"{LONG}.xml")
    done = run(*COMMANDS["calibrate"], cwd=tiny_folder)
    assert done.returncode == 1
    assert "255 bytes" in done.stderr
    name = "n" * 250 + ".xml"
    edit(tiny_folder / SETUP, f"{LONG}.xml", name)
    assert run(*COMMANDS["calibrate"], cwd=tiny_folder).returncode == 0
    assert (tiny_folder / name).exists()


@pytest.mark.parametrize("file", [SETUP, "subject.xml", "trial1/lmt.sto", "trial2/emg.mot"])
def test_a_pipe_is_no_input(tiny_folder, file):
    (tiny_folder / file).unlink()
    os.mkfifo(tiny_folder / file)
    for words in (("calibrate", SETUP), ("check", SETUP)):
        done = run(*words, cwd=tiny_folder)
        assert done.returncode == 1
        assert "pipe or" in done.stderr + done.stdout


def test_another_torch(tiny_folder, tmp_path):
    """A module built for one does not load with another."""
    fake = tmp_path / "fake"
    (fake / "torch").mkdir(parents=True)
    (fake / "torch" / "__init__.py").write_text("__version__ = '1.0'\n")
    done = subprocess.run(
        [COMMAND, "calibrate", SETUP, "--engine", "tensor", "--method", "adamw"],
        check=False,
        capture_output=True,
        text=True,
        cwd=tiny_folder,
        env=environment(PYTHONPATH=str(fake)),
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert re.search(r"error: \S+: expected a package that can be loaded, got ", done.stderr)
    assert "torch 1.0" in done.stderr


def test_what_nobody_foresaw(tiny_folder, tmp_path):
    done = run_command(
        "calibrate",
        tiny_folder / SETUP,
        without_torch=tmp_path / "poison",
    ).returncode
    assert done == 0  # no torch is needed, but:
    words = ("calibrate", tiny_folder / SETUP, "--engine", "tensor", "--method", "adamw")
    done = run_command(*words, without_torch=tmp_path / "poison")
    assert done.returncode == 1
    message = done.stderr.splitlines()[-1]
    assert "ceinms-torch: expected no such fault, got RuntimeError (torch was loaded)" in message
    file = Path(re.search(r"The traceback is in '([^']+)'", message)[1])
    assert "Traceback (most recent call last)" in file.read_text()
    file.unlink()


def test_every_kind_has_a_cause_and_a_cure():
    told = []
    for error in (
        OSError(28, "No space left on device", "a.sto"),
        PermissionError(13, "Permission denied", "a.sto"),
        OSError("strange"),
        MemoryError(),
        MemoryError("1 TiB"),
        ModuleNotFoundError("No module named 'torch'", name="torch"),
    ):

        def fail(error=error):
            raise error

        assert explained(error) is not None
        assert status_of(fail, told.append) == 1
    assert all(re.match(r"\S+: expected .+, got .+\. [A-Z].+\.$", text) for text in told), told
    assert status_of(lambda: None, told.append) == 0


@pytest.mark.parametrize("tendon", ["<stiff/>", "<rosenbrockElastic/>"])
def test_ranges_beyond_all_numbers(tmp_path, tendon):
    folder = write_tiny_folder(tmp_path / "in", tendon=tendon)
    edit(folder / "calibration.xml", "0.5 2.5", "0 1e308")
    with pytest.warns(ct.CeinmsTorchWarning, match="identifiability: expected moment errors"):
        result = ct.calibrate(folder / SETUP)
    assert result.identifiability is None
    result.save(tmp_path / "out")
    ct.load_result(tmp_path / "out").report(tmp_path / "report.html")
