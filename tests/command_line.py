"""The installed command as users run it: a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(sys.executable).parent
COMMAND = SCRIPTS / "ceinms-torch"


def environment(**changes):
    """Return the environment for a subprocess: wide lines, no colours, one thread."""
    plain = {"COLUMNS": "250", "NO_COLOR": "1", "TERM": "dumb", "OMP_NUM_THREADS": "1"}
    return {**os.environ, **plain, **changes}


def run_command(*arguments, without_torch=None):
    """Run ``ceinms-torch`` to its end; see `run_program`."""
    return run_program(COMMAND.name, *arguments, without_torch=without_torch)


def run_program(program, *arguments, without_torch=None, without=()):
    """Run an installed program to its end.

    Parameters
    ----------
    program : str
        Its name.
    *arguments : str or path-like
        Its arguments.
    without_torch : path-like, optional
        A folder in which a module named torch is put that fails to import: a command that loads
        torch ends in a traceback.
    without : tuple of str
        More modules to treat like that.

    Returns
    -------
    subprocess.CompletedProcess
        With its output as text.
    """
    changes = {}
    if without_torch is not None:
        folder = Path(without_torch)
        folder.mkdir(parents=True, exist_ok=True)
        for module in {"torch", *without}:
            (folder / f"{module}.py").write_text(f"raise RuntimeError('{module} was loaded')\n")
        changes["PYTHONPATH"] = str(folder)
    return subprocess.run(
        [SCRIPTS / program, *map(str, arguments)],
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
