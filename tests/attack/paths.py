"""Names and places that are no good: python tests/attack/paths.py."""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from judge import faults_of, finish, hashes, report, start

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers import edit, write_tiny_folder

SETUP, LIMIT = "calibrationSetup.xml", 120.0
CALIBRATE = ("calibrate", SETUP, "--max-iterations", "1")
LONG = "n" * 300
# Where results shall go. Whatever comes of it, nothing that is read changes.
PLACES = (
    *(".", "..", "./.", "trial1", "trial1/../trial2", "a/b/c/d", LONG, f"{LONG}/x", "x" * 255),
    *(" ", "a b", "-", "--", "ü/ö", "e\u0301", "\N{SNOWMAN}", "a\nb", "a\tb", "*", "[b]x[/b]"),
    *("subject.xml", "subject.xml/x", SETUP, "/dev/null", "/dev/full", "/proc/nothing", "/sys/x"),
    *("loop", "link", "link/x", "pipe", "con", "a:b", "a\\b", "'", '"', "$HOME", "~", "%s"),
)
# Where the calibrated subject shall go.
SUBJECTS = (
    *("subject.xml", "calibration.xml", "excitationGenerator.xml", SETUP, "trial1/lmt.sto"),
    *("trial1/inputData.xml", "trial2/emg.mot", "./subject.xml", "link/subject.xml", "soft.xml"),
    *("hard.xml", "SUBJECT.XML", "trial1", "pipe", f"{LONG}.xml", "/dev/null", "loop/subject.xml"),
)


def folder_with_traps(path):
    """Write a small folder with links, a circle of links and a pipe."""
    folder = write_tiny_folder(path)
    (folder / "link").symlink_to(".", target_is_directory=True)
    (folder / "loop").symlink_to("loop")
    (folder / "soft.xml").symlink_to("subject.xml")
    (folder / "hard.xml").hardlink_to(folder / "subject.xml")
    os.mkfifo(folder / "pipe")
    return folder


def attack(folder, words):
    """Run a command, and return faults; what it wrote goes again."""
    inputs = hashes(folder)
    process = start(*words, cwd=folder)
    found = faults_of(process, finish(process, LIMIT), inputs)
    for path in sorted(hashes(folder).keys() - inputs.keys()):
        path.unlink()
    return found


def main():
    """Attack, and return an exit status."""
    found, n_run = [], 0
    with tempfile.TemporaryDirectory() as name:
        for i, place in enumerate(PLACES):
            folder = folder_with_traps(Path(name) / f"out{i}" / "in")
            kind = (CALIBRATE, ("run", "setup.xml"))[i % 2]
            found += [f"--out {place!r}: {one}" for one in attack(folder, (*kind, "--out", place))]
            n_run += 1
            shutil.rmtree(folder.parent)
        for i, subject in enumerate(SUBJECTS):
            folder = folder_with_traps(Path(name) / f"subject{i}")
            edit(folder / SETUP, "calibrated/subject.xml", subject)
            found += [f"subject {subject!r}: {one}" for one in attack(folder, CALIBRATE)]
            words = ("-S", SETUP)
            inputs = hashes(folder)
            process = start(*words, program="CEINMScalibrate", cwd=folder)
            faults = faults_of(process, finish(process, LIMIT), inputs)
            found += [f"CEINMScalibrate, subject {subject!r}: {one}" for one in faults]
            n_run += 2
    return report("paths", n_run, found)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    sys.exit(main())
