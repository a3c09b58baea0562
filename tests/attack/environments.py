"""Environments that commands may meet: python tests/attack/environments.py."""

import argparse
import os
import resource
import signal
import sys
import tempfile
from pathlib import Path

from judge import faults_of, finish, hashes, report, start

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ceinms_torch.results.read import load_result
from command_line import environment
from helpers import write_tiny_folder

SETUP, LIMIT = "calibrationSetup.xml", 120.0
WORDS = ("calibrate", SETUP, "--max-iterations", "3", "--starts", "2", "--threads", "2")


def limit(name, value):
    """Return what limits a process before it begins."""
    kind = getattr(resource, name)
    return {"preexec_fn": lambda: resource.setrlimit(kind, (value, value))}


def without(*descriptors):
    """Return what closes streams."""
    return {"preexec_fn": lambda: [os.close(one) for one in descriptors]}


def ignoring(number):
    """Return what has a signal ignored."""
    return {"preexec_fn": lambda: signal.signal(number, signal.SIG_IGN)}


def variables(**changes):
    """Return an environment with some variables; those that are None are taken out."""
    whole = environment(**{key: one for key, one in changes.items() if one is not None})
    return {"env": {key: one for key, one in whole.items() if changes.get(key, "") is not None}}


# What is started, and whether it must succeed: a limit may be too small.
ENVIRONMENTS = {
    "no variables": ({"env": {"PATH": "/usr/bin:/bin"}}, True),
    "LANG=C": (variables(LANG="C", LC_ALL="C"), True),
    "POSIX, ASCII": (variables(LC_ALL="POSIX", PYTHONIOENCODING="ascii", PYTHONUTF8="0"), True),
    "LANG of nowhere": (variables(LANG="xx_YY.UTF-99", LC_ALL="xx_YY"), True),
    "UTF-16": (variables(PYTHONIOENCODING="utf-16"), True),
    "no HOME": (variables(HOME=None), True),
    "HOME that is not there": (variables(HOME="/nowhere"), True),
    "TMPDIR that is not there": (variables(TMPDIR="/nowhere"), True),
    "MPLCONFIGDIR": (variables(MPLCONFIGDIR="/dev/null"), True),
    "MPLBACKEND": (variables(MPLBACKEND="nonsense"), True),
    "one column": (variables(COLUMNS="1", LINES="1"), True),
    "no columns": (variables(COLUMNS="none"), True),
    "many columns": (variables(COLUMNS="100000"), True),
    "colours": (variables(FORCE_COLOR="1", NO_COLOR=None, TERM="xterm-256color"), True),
    "no TERM": (variables(TERM=None), True),
    "OMP_NUM_THREADS": (variables(OMP_NUM_THREADS="many"), True),
    "zero threads": (variables(OMP_NUM_THREADS="0", MKL_NUM_THREADS="-1"), True),
    "TZ": (variables(TZ="Nowhere/Nothing"), True),
    "no asserts": (variables(PYTHONOPTIMIZE="2"), True),
    "hash seed": (variables(PYTHONHASHSEED="4294967295"), True),
    "no byte code": (variables(PYTHONDONTWRITEBYTECODE="1", PYTHONPYCACHEPREFIX="/nowhere"), True),
    "unbuffered": (variables(PYTHONUNBUFFERED="1"), True),
    "fault handler": (variables(PYTHONFAULTHANDLER="1"), True),
    "no input": (without(0), True),
    "no output": (without(1), True),
    "no errors": (without(2), True),
    "no streams": (without(0, 1, 2), True),
    "SIGINT ignored": (ignoring(signal.SIGINT), True),
    "SIGHUP ignored": (ignoring(signal.SIGHUP), True),
    "few files": (limit("RLIMIT_NOFILE", 24), False),
    "very few files": (limit("RLIMIT_NOFILE", 7), False),
    "small stack": (limit("RLIMIT_STACK", 1 << 20), False),
    "small address space": (limit("RLIMIT_AS", 1_000_000_000), True),
    "tiny address space": (limit("RLIMIT_AS", 300_000_000), False),
    "no core": (limit("RLIMIT_CORE", 0), True),
    "umask 077": ({"preexec_fn": lambda: os.umask(0o077) and None}, True),
    "umask 777": ({"preexec_fn": lambda: os.umask(0o777) and None}, False),
    "session of its own": ({"start_new_session": True}, True),
}


def attack(folder, out, options, *, must_succeed):
    """Calibrate in an environment, and return faults."""
    inputs = hashes(folder)
    process = start(*WORDS, "--out", out, cwd=folder, **options)
    output = finish(process, LIMIT)
    # Before Python runs anything of ours it may give up by itself.
    if process.returncode not in (0, 1) and not must_succeed and output is not None:
        return [] if "ceinms_torch" not in output[1] else [output[1][-300:]]
    found = faults_of(process, output, inputs, out if must_succeed else None)
    if must_succeed and not found:
        if process.returncode:
            return [f"exit status {process.returncode}: {output[1][-200:]}"]
        load_result(out)
    return found


def main():
    """Attack, and return an exit status."""
    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = write_tiny_folder(Path(name) / "in")
        for i, (what, (options, must_succeed)) in enumerate(ENVIRONMENTS.items()):
            out = Path(name) / f"out{i}"
            faults = attack(folder, out, options, must_succeed=must_succeed)
            found += [f"{what}: {one}" for one in faults]
    return report("environments", len(ENVIRONMENTS), found)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    sys.exit(main())
