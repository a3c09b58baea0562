"""What must hold whatever is done to a command: the same verdict for every attack."""

import hashlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ceinms_torch.errors import CeinmsTorchError
from ceinms_torch.results.read import load_result
from command_line import SCRIPTS, environment

HANG = 5.0  # s that a command may go on after it was asked to stop
# A shell's job in the background ignores Ctrl-C, and so would every command that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
# A command that is refused, or ends early by a signal, says so with one of these.
STATUSES = {0, 1, 2, 128 + signal.SIGINT, 128 + signal.SIGTERM, 128 + signal.SIGHUP}


def hashes(folder):
    """Return the SHA-256 of every file below a folder, by its path."""
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }


# The command, which says when the first iteration of a calibration is done.
_TELLING = """
import sys
from ceinms_torch.terminal import display, entry
shown = display.CalibrationProgress.__call__
told = []
def show(self, iteration):
    shown(self, iteration)
    if not told:
        told.append(print("under way", flush=True))
display.CalibrationProgress.__call__ = show
sys.argv = ["ceinms-torch", *sys.argv[1:]]
sys.exit(entry.ceinms_torch())
"""


def start(*words, program="ceinms-torch", telling=False, **options):
    """Start a command with its output in pipes; one that tells says when it is under way."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    options.setdefault("env", environment())
    begin = [sys.executable, "-c", _TELLING] if telling else [SCRIPTS / program]
    command = [*begin, *map(str, words)]
    process = subprocess.Popen(command, text=True, errors="replace", **options)
    if telling:
        process.stdout.readline()
    return process


def finish(process, limit):
    """Wait for a command; return its output, or None if it hangs, which ends it."""
    begin = time.monotonic()
    try:
        out, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None
    return out or "", err or "", time.monotonic() - begin


def faults_of(process, output, inputs, results=None):
    """Return what is wrong with how a command ended.

    Parameters
    ----------
    process : subprocess.Popen
        The command, at its end.
    output : tuple or None
        What `finish` returned.
    inputs : dict
        `hashes` of all that it reads, before it began.
    results : Path, optional
        Its folder of results.

    Returns
    -------
    list of str
    """
    if output is None:
        return ["hangs"]
    _, err, _ = output
    found = []
    # By a signal of its own before anything is loaded, as any other program.
    early = {-signal.SIGINT, -signal.SIGTERM, -signal.SIGHUP}
    if process.returncode not in STATUSES | early:
        found.append(f"exit status {process.returncode}: {err[-300:]}")
    if "Traceback" in err or "Exception ignored" in err:
        found.append(f"traceback: {err[-300:]}")
    if "expected no such fault" in err:
        found.append(f"foreign exception: {err[-300:]}")
    for path, digest in inputs.items():
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            found.append(f"input changed: {path.name}")
    if results is not None:
        found += faults_in(results)
    return found


def faults_in(results):
    """Return what is wrong with a folder of results, which may be missing."""
    left = [path.name for path in results.rglob(".ceinms-torch*")] if results.is_dir() else []
    found = [f"left behind: {left}"] if left else []
    summary = results / "result.json"
    if summary.is_file():
        try:
            if "study" not in json.loads(summary.read_text()):
                load_result(results)
        except (CeinmsTorchError, ValueError) as error:
            found.append(f"half a result: {error}")
    return found


def report(name, n_run, found):
    """Print a line of the table, and the faults; return an exit status."""
    print(f"{name}: {n_run} runs, {len(found)} faults")
    for one in found:
        print(f"  {one}")
    return bool(found)
