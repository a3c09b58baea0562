"""The installed command as users run it: a process of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(sys.executable).parent
COMMAND = SCRIPTS / "ceinms-torch"


def environment(**changes):
    """Return the environment for a subprocess: wide lines, no colours."""
    plain = {"COLUMNS": "250", "NO_COLOR": "1", "TERM": "dumb"}
    return {**os.environ, **plain, **changes}


def run_command(*arguments, without_torch=None, cwd=None):
    """Run ``ceinms-torch`` to its end; see `run_program`."""
    return run_program(COMMAND.name, *arguments, without_torch=without_torch, cwd=cwd)


def run_program(program, *arguments, without_torch=None, without=(), cwd=None):
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
    cwd : path-like, optional
        Where it runs.

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
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300.0,
        env=environment(**changes),
    )


def interrupt(program, *arguments, number=signal.SIGINT):
    """Run a Python program until it prints "under way", press Ctrl-C, and wait for its end.

    Parameters
    ----------
    program : str
        The program's text.
    *arguments : str or path-like
        Its arguments.
    number : int
        Another signal.

    Returns
    -------
    subprocess.CompletedProcess
        With what it printed afterwards as text.
    """
    command = [sys.executable, "-c", program, *map(str, arguments)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        try:
            first = process.stdout.readline()
            assert first == "under way\n", first + process.stderr.read()
            process.send_signal(number)
            stdout, stderr = process.communicate(timeout=120.0)
        finally:
            process.kill()
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def listing(folder):
    """Return size and time of every file and folder below a folder, by path."""
    return {
        path: (path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(Path(folder).rglob("*"))
    }
