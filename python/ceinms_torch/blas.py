"""The BLAS of numpy and scipy, held to one thread while this package computes.

Our vectors and matrices are small. Every product that a BLAS divides among threads costs more than
it saves: they wait for the next one at full speed, for milliseconds, on cores that others need.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import ContextDecorator
from typing import Any

# What the libraries read when they are loaded: OpenBLAS, MKL, BLIS, Accelerate.
VARIABLES = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "MKL", "BLIS")} | {
    "VECLIB_MAXIMUM_THREADS": "1"
}
# Each brings a BLAS of its own.
_LIBRARIES = ("numpy", "scipy.linalg", "torch")


class _OneBlasThread(ContextDecorator):
    """Holds it to one thread from where it is entered first until all have left it.

    Threads may enter side by side. Libraries that are loaded inside are held from where it is
    entered next.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._held: set[str] = set()
        self._restore: list[Callable[[], None]] = []

    def __enter__(self) -> None:
        with self._lock:
            self._depth += 1
            loaded = {one for one in _LIBRARIES if one in sys.modules}
            if not loaded <= self._held:
                self._hold(loaded)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth == 0:
                while self._restore:  # the latest first
                    self._restore.pop()()
                self._held.clear()

    def _hold(self, loaded: set[str]) -> None:
        from threadpoolctl import (  # type: ignore[import-untyped]  # noqa: PLC0415  commands do without
            threadpool_limits,
        )

        limits: Any = threadpool_limits(1, user_api="blas")
        self._restore.append(limits.restore_original_limits)
        self._held = loaded

    def for_good(self) -> None:
        """Hold it to one thread as long as this process lives, which is one of ours.

        Where numpy waits to be loaded, its threads are not even started.
        """
        os.environ.update(VARIABLES)  # what is loaded from now on reads them
        self.__enter__()
        self._held.update(_LIBRARIES)


one_blas_thread = _OneBlasThread()
