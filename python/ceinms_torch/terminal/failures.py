"""What goes wrong at the command line: every exception becomes one message and an exit status."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

from ceinms_torch.blas import one_blas_thread
from ceinms_torch.errors import CeinmsTorchError, Place
from ceinms_torch.io.interrupts import first_signal, ignore_signals, stop_on_signals
from ceinms_torch.terminal import streams

FAILURE = 1
INTERRUPTED = 130  # what shells report for Ctrl-C

_FULL = ("room for it on the disk", "free some, or name a folder on another disk, and try again")
# By errno: what was expected, and what to do.
_OF_ERRNO = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: (
        "a file no larger than this process may write",
        "raise the limit (ulimit -f), or name a folder on another disk",
    ),
    errno.EACCES: ("permission to use it", "change the permissions, or name another place"),
    errno.EPERM: ("permission to use it", "change the permissions, or name another place"),
    errno.EROFS: ("a disk that can be written to", "name a folder on another disk"),
    errno.ENAMETOOLONG: (
        "a name that the file system takes, which is 255 bytes at most",
        "choose a shorter name",
    ),
    errno.EMFILE: ("a file that can be opened", "raise the limit of open files (ulimit -n)"),
    errno.EIO: ("a disk that works", "look into the system's log, and name another disk"),
    errno.EAGAIN: ("one more process or thread", "raise the limit (ulimit -u), or use fewer"),
    errno.ENOMEM: ("enough memory", "use fewer threads, processes or trials"),
}
_OTHERWISE = ("a file or folder that can be used", "see whether it is there and in order")


def explained(error: BaseException) -> CeinmsTorchError | None:
    """Return the message of what the system refused: file, cause and cure.

    Parameters
    ----------
    error : BaseException
        What was raised.

    Returns
    -------
    CeinmsTorchError or None
        None if it is no failure of the system.
    """
    if isinstance(error, CeinmsTorchError):
        return error
    if isinstance(error, OSError):
        expected, hint = _OF_ERRNO.get(error.errno or 0, _OTHERWISE)
        name = error.filename if isinstance(error.filename, (str, os.PathLike)) else None
        where = Place(element="system") if name is None else Place(Path(name))
        got = f"'{error.strerror or error}'"
        return CeinmsTorchError(where=where, expected=expected, got=got, hint=hint)
    if isinstance(error, MemoryError):
        expected, hint = _OF_ERRNO[errno.ENOMEM]
        got = f"too little ({error})" if str(error) else "too little"
        return CeinmsTorchError(where="memory", expected=expected, got=got, hint=hint)
    if isinstance(error, ImportError):
        return CeinmsTorchError(
            where=error.name or "installation",
            expected="a package that can be loaded",
            got=f"'{error}'",
            hint="install ceinms-torch again, with the packages that it asks for",
        )
    return None


def status_of(work: Callable[[], int | None], tell: Callable[[str], None]) -> int:
    """Do the work of a command; whatever it raises is told in one message.

    Parameters
    ----------
    work : callable
        Returns an exit status, or None for 0, or raises `SystemExit`.
    tell : callable
        Called with the message.

    Returns
    -------
    int
        Exit status: 128 and its number after a signal.
    """
    try:
        status = work() or 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except KeyboardInterrupt:
        tell("interrupted before the results were complete")
        status = INTERRUPTED
    except BaseException as error:  # noqa: BLE001  nothing may end in a traceback
        # A library that is interrupted while it loads may complain of anything.
        if first_signal() is not None:
            tell("interrupted before the results were complete")
            status = INTERRUPTED
        else:
            tell(str(explained(error) or _unexpected(error)))
            status = FAILURE
    number = first_signal()
    return 128 + number if status == INTERRUPTED and number is not None else status


def _unexpected(error: BaseException) -> CeinmsTorchError:
    """Write the traceback of what nobody has foreseen, and return its message."""
    import tempfile  # noqa: PLC0415  slow to load
    import traceback  # noqa: PLC0415

    lines = traceback.format_exception(error)
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="ceinms-torch-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.writelines(lines)
        where = f"in '{file.name}'"
    except OSError:
        last = traceback.extract_tb(error.__traceback__)[-1:]
        where = f"lost, its last line was {last[0].filename}:{last[0].lineno}" if last else "lost"
    text = " ".join(str(error).split())
    return CeinmsTorchError(
        where="ceinms-torch",
        expected="no such fault",
        got=f"{type(error).__name__}" + (f" ({text})" if text else ""),
        hint=f"It is one of this program; please report it. The traceback is {where}",
    )


def as_process(work: Callable[[], int | None], tell: Callable[[str], None]) -> int:
    """Do the work of a command as a process of its own: signals, streams, exit status.

    Parameters
    ----------
    work : callable
        See `status_of`.
    tell : callable
        Shows an error on standard error.

    Returns
    -------
    int
        Exit status.
    """
    streams.open_closed_streams()
    streams.forgive_letters()
    out = streams.be_patient()
    stop_on_signals()
    with one_blas_thread:
        status = status_of(work, tell)
    ignore_signals()
    lost = streams.why_lost(out)
    if lost is not None:
        lost.filename = "standard output"
        tell(f"{explained(lost)} Results in files are complete.")
        status = status or FAILURE
    sys.stderr.flush()
    return status
