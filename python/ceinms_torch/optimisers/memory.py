"""What a search leaves for a search that goes on after the process was killed."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.optimisers.minimum import Minimum
from ceinms_torch.optimisers.problem import Evaluation

# Bytes of gradients that are kept of one search; what comes later is computed once more.
_MOST = 100_000_000


class SearchMemory:
    """What is known of one search: where it ended, or else where it was.

    Parameters
    ----------
    interval : float
        Seconds between two moments at which it is worth to say where it is.
    changed : callable
        Called when there is more to keep; it may write everything to a file.
    """

    def __init__(self, interval: float, changed: Callable[[], None]) -> None:
        self.interval = interval
        self.minimum: Minimum | None = None
        self.state: dict[str, Any] | None = None
        self.describe: Callable[[], dict[str, Any]] | None = None
        self._changed = changed

    def search(self, search: Callable[[], Minimum]) -> Minimum:
        """Return where the search ended, which is only done if that is not known."""
        if self.minimum is not None:
            return self.minimum
        found = search()
        if found.status != "interrupted":
            self.minimum, self.state, self.describe = found, None, None
            self._changed()
        return found

    def keep(self, state: dict[str, Any]) -> None:
        """Remember where the search is, ready for JSON."""
        self.state = state
        self._changed()

    def keep_later(self, describe: Callable[[], dict[str, Any]]) -> None:
        """Remember where the search is, to be asked for if it is written."""
        self.describe = describe
        self._changed()


class Gradients:
    """The gradients that a search asks for, in order: a search that is repeated gets them again.

    So a search by any library goes on exactly where it was, however it remembers where that is: it
    is the same function of the same numbers.

    Parameters
    ----------
    compute : callable
        Returns evaluation and gradient (n,) at a point (n,).
    memory : SearchMemory
        Has those of the search that is repeated, and is given all.
    """

    def __init__(
        self, compute: Callable[[FloatArray], tuple[Evaluation, FloatArray]], memory: SearchMemory
    ) -> None:
        self._compute, self._memory = compute, memory
        self._known = _known(memory.state)
        self._next = 0
        self._size = 0

    def __call__(self, x: FloatArray) -> tuple[Evaluation, FloatArray]:
        """Return evaluation and gradient at a point."""
        point = zlib.crc32(np.ascontiguousarray(x).tobytes())
        if self._next < len(self._known) and self._known[self._next][0] != point:
            del self._known[self._next :]  # another processor or library
        if self._next == len(self._known):
            evaluation, gradient = self._compute(x)
            if self._size > _MOST:
                return evaluation, gradient
            self._known.append((point, evaluation, gradient.copy()))
            self._memory.keep_later(self._describe)
        _, evaluation, gradient = self._known[self._next]
        self._next += 1
        self._size += gradient.nbytes
        return evaluation, gradient.copy()

    def _describe(self) -> dict[str, Any]:
        known = list(self._known)
        gradients = b"".join(gradient.tobytes() for _, _, gradient in known)
        return {
            "points": [point for point, _, _ in known],
            "evaluations": [
                [one.objective, list(one.terms), list(one.rmse)] for _, one, _ in known
            ],
            "gradients": base64.b64encode(gradients).decode(),
        }


def _known(state: dict[str, Any] | None) -> list[tuple[int, Evaluation, FloatArray]]:
    if state is None:
        return []
    numbers = np.frombuffer(base64.b64decode(state["gradients"]), dtype=np.float64)
    gradients = numbers.reshape(len(state["points"]), -1)
    return [
        (point, Evaluation(objective=one[0], terms=tuple(one[1]), rmse=tuple(one[2])), gradient)
        for point, one, gradient in zip(
            state["points"], state["evaluations"], gradients, strict=True
        )
    ]
