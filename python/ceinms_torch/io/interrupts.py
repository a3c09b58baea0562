"""Signals that ask a program to stop: all mean what Ctrl-C means, and wait where they must.

Nothing else handles signals. Where nothing is lost, they raise KeyboardInterrupt, wherever the
program is. Where something is found and not yet kept, they wait: a search asks at every iteration,
and what it has found is written before the program stops.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

# Ctrl-C; the time limit of a batch system, `timeout`, the end of a container; a closed terminal.
_STOPPING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class _State:
    """What this process has been asked: the first signal, one that waits, who holds them."""

    first: int | None = None
    waiting: bool = False
    holders: int = 0


_state = _State()


def _stop(number: int, _: FrameType | None) -> None:
    _state.first = _state.first or number
    if _state.holders:
        _state.waiting = True
    else:
        raise KeyboardInterrupt


def stop_on_signals() -> None:
    """Let SIGTERM and SIGHUP stop this process as Ctrl-C does.

    What was to be ignored from the start, as `nohup` asks for, still is.
    """
    for number in _STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def ignore_signals() -> None:
    """Let signals pass: the work is done, and only the process is left to end."""
    for number in _STOPPING:
        signal.signal(number, signal.SIG_IGN)


def first_signal() -> int | None:
    """Return the number of the signal that asked this process to stop, or None."""
    return _state.first


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Let signals wait, so that what is found is not lost and what is written is whole.

    Raises
    ------
    KeyboardInterrupt
        At the end, if one came and `raise_if_stopped` has not raised it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread only
        return
    before = None
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # no command line
        before = signal.signal(signal.SIGINT, _stop)
    _state.holders += 1
    try:
        yield
    finally:
        _state.holders -= 1
        if before is not None:
            signal.signal(signal.SIGINT, before)
    if not _state.holders:
        raise_if_stopped()


def hold_from_now_on() -> None:
    """Let signals wait for good: in processes that another one ends when their work is done."""
    _state.holders += 1


def raise_if_stopped() -> None:
    """Raise the KeyboardInterrupt that waits, if there is one; of any thread."""
    if _state.waiting:
        _state.waiting = False
        raise KeyboardInterrupt
