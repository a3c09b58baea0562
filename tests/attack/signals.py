"""Signals at random times: python tests/attack/signals.py --runs 100 [--seed 0]."""

import argparse
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from judge import HANG, faults_of, finish, hashes, report, start

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ceinms_torch.results.read import load_result
from helpers import edit, write_tiny_folder

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ENDLESS = ("--max-iterations", "100000000", "--set", "patience=100000000")
# Calibrations that would not end by themselves, and one that soon does.
KINDS = {
    "adamw": ("--method", "adamw", *ENDLESS),
    "starts": ("--method", "adamw", "--starts", "4", "--threads", "2", *ENDLESS),
    "annealing": ("--method", "annealing"),
    "lm": ("--max-iterations", "400"),
}


def endless_folder(path):
    """Write a small folder whose annealing does not end."""
    folder = write_tiny_folder(path, tendon="<stiff/>")
    edit(folder / "calibration.xml", "<maxNoEval>100<", "<maxNoEval>100000000<")
    edit(folder / "calibration.xml", "<epsilon>1E-3<", "<epsilon>-1<")
    return folder


def attack(folder, out, kind, number, delay, *, under_way):
    """Send a signal after a while, from the start or from the first iteration; return faults."""
    inputs = hashes(folder)
    words = ("calibrate", folder / "calibrationSetup.xml", "--out", out, *KINDS[kind])
    process = start(*words, telling=under_way)
    time.sleep(delay)
    process.send_signal(number)
    output = finish(process, HANG + 10.0)
    found = faults_of(process, output, inputs, out)
    if output is not None and output[2] > HANG:
        found.append(f"went on for {output[2]:.1f} s")
    is_whole = (out / "result.json").is_file()
    if under_way and not found and not is_whole:
        found.append("lost the best state")
    if under_way and not found and process.returncode not in (0, 128 + number):
        found.append(f"exit status {process.returncode}")
    if is_whole and not found:
        load_result(out)
    return [f"{kind}, {signal.Signals(number).name} after {delay:.3f} s: {one}" for one in found]


def main(runs, seed):
    """Attack, and return an exit status."""
    random.seed(seed)
    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = endless_folder(Path(name) / "subject")
        for i in range(runs):
            under_way = i % 2 == 0
            delay = random.uniform(0.0, 1.0 if under_way else 2.0)
            kind = random.choice(list(KINDS))
            number = SIGNALS[i % 3]
            found += attack(
                folder, Path(name) / f"out{i}", kind, number, delay, under_way=under_way
            )
    return report("signals", runs, found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    sys.exit(main(chosen.runs, chosen.seed))
