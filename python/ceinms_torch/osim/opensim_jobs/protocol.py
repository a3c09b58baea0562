"""How a job speaks with who asked for it: JSON in, lines of JSON out, all else into the log."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, TextIO


class Fault(Exception):  # noqa: N818  it becomes one of the package's errors
    """What is wrong with the input, in the parts of the package's errors.

    Parameters
    ----------
    where, expected, got : str
        What is wrong, what should be there and what is there.
    hint : str
        What can be done about it.
    code : str
        A short stable name.
    file : str, optional
        The file that is wrong.
    """

    def __init__(
        self,
        where: str,
        expected: str,
        got: str,
        hint: str = "",
        *,
        code: str = "",
        file: str | None = None,
    ) -> None:
        super().__init__(f"{where}: expected {expected}, got {got}")
        self.parts = {
            "file": file,
            "element": where,
            "expected": expected,
            "got": got,
            "hint": hint,
            "code": code,
        }


class Channel:
    """The way back to who asked: one JSON object a line.

    OpenSim prints from C++ whatever it likes; all of that goes where standard error goes.
    """

    def __init__(self) -> None:
        self._out: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def send(self, kind: str, content: Any) -> None:
        """Send one message."""
        self._out.write(json.dumps({kind: content}) + "\n")
        self._out.flush()

    def progress(self, done: int, total: int) -> None:
        """Say how many frames are done, and of how many."""
        self.send("progress", [done, total])


def read_job() -> dict[str, Any]:
    """Return what is asked for."""
    job: dict[str, Any] = json.loads(sys.stdin.read())
    return job
