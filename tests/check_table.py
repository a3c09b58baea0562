"""Print what `ceinms-torch check` finds in damaged folders, and says of good ones.

    python tests/check_table.py            # with the recordings, CEINMS_TORCH_SHARED=FOLDER

Each damage of `damages.py` is planted in a copy of subjects/gait; it is found if it is the first of
all findings. A false alarm is a finding above a note in a folder of `good_folders.py`, but for
those that are true of it.
"""

import collections
import contextlib
import os
import sys
import tempfile
from pathlib import Path

import ceinms_torch as ct
from damages import DAMAGES, TRIALS
from good_folders import (
    N_SYNTHETIC,
    TRUE_OF,
    copy_of_gait,
    recorded_folders,
    repository_folders,
    synthetic_folders,
    write_hinge_folder,
)


def above_notes(setup, tests=()):
    """Return the findings of a folder above notes."""
    report = ct.check_folder(setup, tests=tests)
    return [finding for finding in report.findings if finding.severity != "note"]


def is_found(scratch, damage, code):
    """Plant a damage, and tell whether the first finding has its code."""
    folder = copy_of_gait(scratch / damage.__name__, TRIALS)
    tests = damage(folder) or ()
    found = above_notes(folder / "calibrate.xml", tests)
    return bool(found) and found[0].code == code


def is_turn_found(scratch, seed):
    """Turn the moments of a hinge, and tell whether that is all that is found."""
    setup = write_hinge_folder(scratch / f"turned{seed}", seed, turned=True)
    return [finding.code for finding in above_notes(setup)] == ["moment-sign"]


def main():
    """Print the table; the exit status is 1 if anything was missed or a false alarm."""
    shared = Path(os.environ.get("CEINMS_TORCH_SHARED", Path(__file__).parents[2] / "shared"))
    rows = []
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for kind, code in sorted({(code.split("-")[0], code) for _, code, _ in DAMAGES}):
            damages = [damage for damage, one, _ in DAMAGES if one == code]
            n = sum(is_found(scratch, damage, code) for damage in damages)
            rows.append((f"damaged: {code}", len(damages), n, kind))
        n = sum(is_turn_found(scratch, seed) for seed in range(N_SYNTHETIC))
        rows.append(("damaged: moments of a hinge turned", N_SYNTHETIC, n, ""))
        alarms = collections.defaultdict(list)
        for name, setup, tests in (
            *repository_folders(),
            *recorded_folders(shared, scratch),
            *synthetic_folders(scratch),
        ):
            found = above_notes(setup, tests)
            alarms[name].append([f.line() for f in found if f.code not in TRUE_OF.get(name, ())])
    write = sys.stdout.write
    write(f"{'folders':44} {'n':>4} {'found first':>12} {'false alarms':>13}\n")
    for name, n, found, _ in rows:
        write(f"{name:44} {n:4} {found:12}\n")
    total, found = sum(row[1] for row in rows), sum(row[2] for row in rows)
    write(f"{'damaged, all':44} {total:4} {found:12}\n")
    for name, lines in alarms.items():
        write(f"{'good: ' + name:44} {len(lines):4} {'':12} {sum(map(bool, lines)):13}\n")
    for line in (line for lines in alarms.values() for one in lines for line in one):
        write(f"  {line}\n")
    return int(found < total or any(any(lines) for lines in alarms.values()))


if __name__ == "__main__":
    sys.exit(main())
