"""Standard output and standard error: they may lack letters, be full or be closed."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any, TextIO


class Patient:
    """A stream that goes on when its file is full, or nobody reads it any more.

    No text is worth a result: what is shown gets lost from there on, and `error` says why.

    Parameters
    ----------
    stream : TextIO
        Standard output or standard error.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        """Write a text, if that is possible."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        """Write what waits, if that is possible."""
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.error = self.error or error
        # What still waits, and comes later, goes nowhere.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def open_closed_streams() -> None:
    """Give 0, 1 and 2 something, where the caller closed them: a data file must not get one."""
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest that is free
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def be_patient() -> Patient:
    """Make standard output and standard error patient, and return the former."""
    out = Patient(sys.stdout)
    sys.stdout = out
    sys.stderr = Patient(sys.stderr)
    return out


def why_lost(out: Patient) -> OSError | None:
    """Return why standard output is not whole; None also if its reader wanted no more."""
    out.flush()
    return None if out.error is None or out.error.errno == errno.EPIPE else out.error


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
