"""Full disks: python tests/attack/disks.py. With the right to mount, also small disks of memory."""

import argparse
import contextlib
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from judge import faults_of, finish, hashes, report, start

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ceinms_torch.results.read import load_result
from helpers import write_tiny_folder
from rt_files import write_rt_subject

SETUP, LIMIT = "calibrationSetup.xml", 120.0
QUICK = ("--max-iterations", "2")
ONE = ("--methods", "lm", "--seeds", "1")
# Every command that writes, with the results of an earlier one in the way; {out} is on the disk.
COMMANDS = {
    "calibrate": ("calibrate", SETUP, *QUICK, "--out", "{out}"),
    "annealing": ("calibrate", SETUP, "--method", "annealing", "--out", "{out}"),
    "run": ("run", "setup.xml", "--out", "{out}"),
    "run --legacy": ("run", "setup.xml", "--legacy", "--out", "{out}"),
    "compare": ("compare", SETUP, *ONE, "--out", "{out}"),
    "study": (
        *("study", "calibration", SETUP, *ONE, "--no-validation", "--lm-starts", "1"),
        *("--jobs", "1", "--out", "{out}"),
    ),
    "synergies": ("synergies", SETUP, "--synergies", "1", "--out", "{out}"),
    "report": ("report", "saved", "--out", "{out}"),
    "preoptimise": (
        *("preoptimise", "subject.xml", "--height", "1.7", "--mass", "70", "--out", "{out}"),
    ),
    "convert": ("convert", "subjectRT.xml", "--out", "{out}"),
}


def folder_of_all(path):
    """Write all that the commands work on."""
    folder = write_tiny_folder(path)
    write_rt_subject(folder / "subjectRT.xml")
    process = start("calibrate", SETUP, *QUICK, "--out", "saved", cwd=folder)
    finish(process, LIMIT)
    return folder


@contextlib.contextmanager
def small_disk(path, size):
    """Mount a disk of memory; None if that is not allowed."""
    path.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path]
    if (
        shutil.which("mount") is None
        or subprocess.run(words, check=False, capture_output=True).returncode
    ):
        yield None
        return
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


def attack(folder, name, out, **options):
    """Run a command with a full disk, and return faults."""
    words = [word.format(out=out) for word in COMMANDS[name]]
    before, inputs = hashes(out), hashes(folder)
    process = start(*words, cwd=folder, **options)
    output = finish(process, LIMIT)
    found = faults_of(process, output, inputs, out)
    if output is not None and process.returncode == 0 and not {"stdout", "stderr"} & set(options):
        found.append("says that all is well")
    # An earlier result is whole, or gone.
    if process.returncode == 1 and (out / "result.json") in before and hashes(out) != before:
        found.append("changed an earlier result")
    return found


def limited(size):
    """Return what lets a process write files no larger than this."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def main():
    """Attack, and return an exit status."""
    found, n_run = [], 0
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        folder = folder_of_all(place / "subject")

        def take(what, faults):
            nonlocal n_run
            n_run += 1
            found.extend(f"{what}: {one}" for one in faults)

        for i, command in enumerate(COMMANDS):
            out = place / f"limited{i}"
            take(f"ulimit -f, {command}", attack(folder, command, out, preexec_fn=limited(512)))
            with small_disk(place / f"disk{i}", "8k") as disk:
                if disk is not None:
                    (disk / "filler").write_bytes(b"\0" * 3500)
                    take(f"full disk, {command}", attack(folder, command, disk))
        for size in (1500, 5000, 20_000):
            shutil.copytree(folder / "saved", place / f"again{size}")
            faults = attack(folder, "calibrate", place / f"again{size}", preexec_fn=limited(size))
            take(f"ulimit -f {size} over earlier results", faults)
            load_result(place / f"again{size}")
        for command in ("calibrate", "run", "synergies"):
            with Path("/dev/full").open("w") as full:
                out = place / f"shown {command}"
                take(f"/dev/full, {command}", attack(folder, command, out, stdout=full))
                if not any(out.iterdir()):
                    found.append(f"/dev/full, {command}: no results")
                out = place / f"told {command}"
                take(f"/dev/full as 2, {command}", attack(folder, command, out, stderr=full))
    return report("full disks", n_run, found)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    sys.exit(main())
