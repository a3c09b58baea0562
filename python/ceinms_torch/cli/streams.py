"""Plain text to standard output and standard error, for programs that start without rich."""

from __future__ import annotations

import io
import sys


def forgive_letters() -> None:
    """Let letters that a stream cannot write come out as question marks.

    Windows and old terminals cannot print every letter, and no message is worth an error.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def say(text: str) -> None:
    """Write one line to standard output, at once even into a pipe.

    Parameters
    ----------
    text : str
        The line.
    """
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def complain(text: str, kind: str = "error") -> None:
    """Write one line to standard error.

    Parameters
    ----------
    text : str
        The line.
    kind : {"error", "warning"}
        What it is.
    """
    sys.stderr.write(f"{kind}: {text}\n")
