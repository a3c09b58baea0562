"""Calibrations and studies killed at random and resumed: python tests/attack/resume.py --kills 5.

Each ends with the same result.json as one without a break, but for times.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from judge import finish, report, start

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers import edit, write_tiny_folder

SETUP, LIMIT = "calibrationSetup.xml", 900.0
MADE = "recfem_r"
# What differs from one run to the next without being a result.
TIMES = {"seconds", "sha256", "total_seconds", "command"}


def annealing(folder):
    """Return the words of an annealing of some seconds."""
    write_tiny_folder(folder, n_step=200)
    edit(folder / "calibration.xml", "<maxNoEval>100<", "<maxNoEval>300000<")
    edit(folder / "calibration.xml", "<epsilon>1E-3<", "<epsilon>-1<")
    edit(folder / "calibration.xml", "<NS>2<", "<NS>10<")
    return ("calibrate", SETUP, "--method", "annealing")


def many_starts(folder):
    """Return those of a Levenberg-Marquardt from 32 starts."""
    write_tiny_folder(folder, tendon="<rosenbrockElastic/>", n_step=800, n_trial=3)
    settings = ("--set", "minImprovement=1e-12", "--set", "patience=50")
    return ("calibrate", SETUP, "--starts", "32", "--threads", "2", *settings)


def hybrid(folder):
    """Return those of a synergy-hybrid calibration."""
    write_tiny_folder(folder, unrecorded=(MADE,), n_step=600)
    settings = ("--set", "minImprovement=1e-12", "--max-iterations", "1200")
    return ("calibrate", SETUP, "--synergies", "2", "--starts", "2", *settings)


def study(folder):
    """Return those of a study."""
    annealing(folder)
    words = ("--methods", "annealing,lm", "--seeds", "2", "--no-validation", "--full")
    return ("study", "calibration", SETUP, *words, "--lm-starts", "1", "--jobs", "2")


def comparison(folder):
    """Return those of a comparison."""
    annealing(folder)
    return ("compare", SETUP, "--methods", "annealing,adamw,lm")


KINDS = {one.__name__: one for one in (annealing, many_starts, hybrid, study, comparison)}


def without_times(value):
    """Return a result but for times."""
    if isinstance(value, dict):
        return {key: without_times(one) for key, one in value.items() if key not in TIMES}
    if isinstance(value, list):
        return [without_times(one) for one in value]
    return value


def result_in(out):
    """Return the text of a result but for times: of histories, which are rows, too."""
    content = without_times(json.loads((out / "result.json").read_text()))
    data = content.get("data", {})
    for run in data.get("runs", data.get("comparison", {}).get("runs", [])):
        run["history"] = [[row[0], row[2]] for row in run["history"]]
    for part in content.get("data", {}).get("parts", []):
        part["run"].pop("history", None)
    for table in content.get("tables", []):
        table["rows"] = [
            [
                None if "[s]" in header else cell
                for header, cell in zip(table["columns"], row, strict=True)
            ]
            for row in table["rows"]
        ]
    return json.dumps(content)


def attack(kind, place, kills):
    """Kill and resume; return faults, and how often it was killed."""
    folder, found, n_kill = place / "subject", [], 0
    words = KINDS[kind](folder)
    begin = time.monotonic()
    process = start(*words, "--out", place / "whole", "-q", cwd=folder)
    finish(process, LIMIT)
    if process.returncode:
        return [f"{kind}: exit status {process.returncode}"], 0
    duration = time.monotonic() - begin
    out = place / "broken"
    while n_kill < kills:
        for _ in range(50):
            again = ("--resume",) if out.exists() and words[0] == "calibrate" else ()
            process = start(*words, *again, "--out", out, "-q", cwd=folder)
            n = kills - n_kill
            limit = random.uniform(1.5, max(2.0, 0.8 * duration)) if n > 0 else LIMIT
            if finish(process, limit) is not None:
                break
            n_kill += 1
        if process.returncode:
            return [*found, f"{kind}: exit status {process.returncode}"], n_kill
        if result_in(out) != result_in(place / "whole"):
            found.append(f"{kind}: another result")
        if list(out.rglob("*checkpoint*")) or list(out.rglob(".ceinms*")):
            found.append(f"{kind}: left behind")
        if n_kill == 0:
            duration *= 0.7  # it was never killed
        shutil.rmtree(out)
    return found, n_kill


def main(kills, kinds, seed):
    """Attack, and return an exit status."""
    random.seed(seed)
    found, n_run = [], 0
    for kind in kinds:
        with tempfile.TemporaryDirectory() as name:
            faults, n_kill = attack(kind, Path(name), kills)
        print(f"{kind}: killed {n_kill} times, {len(faults)} faults", flush=True)
        found += faults
        n_run += n_kill
    return report("killed and resumed", n_run, found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    sys.exit(main(chosen.kills, chosen.kinds, chosen.seed))
