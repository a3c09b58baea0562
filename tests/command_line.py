"""The installed command as users run it: a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

COMMAND = Path(sys.executable).parent / "ceinms-torch"

_POISON = "raise RuntimeError('torch was loaded')\n"


def environment(**changes):
    """Return the environment for a subprocess: wide lines, no colours, one thread."""
    plain = {"COLUMNS": "250", "NO_COLOR": "1", "TERM": "dumb", "OMP_NUM_THREADS": "1"}
    return {**os.environ, **plain, **changes}


def run_command(*arguments, without_torch=None):
    """Run ``ceinms-torch`` to its end.

    Parameters
    ----------
    *arguments : str or path-like
        Its arguments.
    without_torch : path-like, optional
        A folder in which a module named torch is put that fails to import: a command that loads
        torch ends in a traceback.

    Returns
    -------
    subprocess.CompletedProcess
        With its output as text.
    """
    changes = {}
    if without_torch is not None:
        folder = Path(without_torch)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "torch.py").write_text(_POISON)
        changes["PYTHONPATH"] = str(folder)
    return subprocess.run(
        [COMMAND, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=300.0,
        env=environment(**changes),
    )


def listing(folder):
    """Return size and time of every file and folder below a folder, by path."""
    return {
        path: (path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(Path(folder).rglob("*"))
    }
