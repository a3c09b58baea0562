"""The last instants of a stream, in one piece whenever somebody asks."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import DataError


@dataclass(frozen=True, kw_only=True, eq=False)
class Past:
    """Copies of the last instants, oldest first; n instants.

    Parameters
    ----------
    n_push : int
        How many instants had come by then.
    excitation : ndarray (n, n_mtu)
        0 to 1.
    mtu_length : ndarray (n, n_mtu)
        [m].
    moment_arm : ndarray (n, n_dof, n_mtu)
        [m].
    measured_moment : ndarray (n, n_dof)
        [N m].
    """

    n_push: int
    excitation: FloatArray
    mtu_length: FloatArray
    moment_arm: FloatArray
    measured_moment: FloatArray


class WindowHistory:
    """A ring of instants. One thread may push while another takes.

    Parameters
    ----------
    n_mtu, n_dof : int
        Sizes of every instant.
    n_instant : int
        How many are kept.
    """

    def __init__(self, *, n_mtu: int, n_dof: int, n_instant: int) -> None:
        self._shapes = ((n_mtu,), (n_mtu,), (n_dof, n_mtu), (n_dof,))
        self._names = ("excitation", "mtu_length", "moment_arm", "measured_moment")
        sizes = [int(np.prod(shape)) for shape in self._shapes]
        self._ends = np.cumsum(sizes)
        self._n_instant = n_instant
        # Every instant is written twice, so that the last n are always one slice.
        self._rows = np.zeros((2 * n_instant, int(self._ends[-1])))
        # The instant that is coming in, whole and piece by piece.
        self._row = np.zeros(int(self._ends[-1]))
        self._views = [
            piece.reshape(shape)
            for piece, shape in zip(np.split(self._row, self._ends[:-1]), self._shapes, strict=True)
        ]
        self._lock = threading.Lock()
        self.n_push = 0

    def push(self, *values: ArrayLike) -> None:
        """Remember an instant.

        Parameters
        ----------
        *values : array_like
            excitation, mtu_length, moment_arm, measured_moment.

        Raises
        ------
        DataError
            If a shape is wrong or a number not finite.
        """
        arrays = [np.asarray(value, dtype=np.float64) for value in values]
        for name, array, shape in zip(self._names, arrays, self._shapes, strict=True):
            if array.shape != shape:
                raise DataError(where=name, expected=f"shape {shape}", got=str(array.shape))
        for view, array in zip(self._views, arrays, strict=True):
            view[...] = array
        row, excitation = self._row, self._views[0]
        if not np.isfinite(row).all():
            finite = [bool(np.isfinite(array).all()) for array in arrays]
            name = self._names[finite.index(False)]
            raise DataError(where=name, expected="finite numbers", got="NaN or infinity")
        # As np.clip does, at a third of its cost.
        np.maximum(excitation, 0.0, out=excitation)
        np.minimum(excitation, 1.0, out=excitation)
        place = self.n_push % self._n_instant
        with self._lock:
            self._rows[place] = row
            self._rows[place + self._n_instant] = row
            self.n_push += 1

    def take(self) -> Past:
        """Return copies of the instants that are kept, oldest first."""
        with self._lock:
            n = min(self.n_push, self._n_instant)
            begin = self.n_push % self._n_instant if n == self._n_instant else 0
            rows = self._rows[begin : begin + n].copy()
            n_push = self.n_push
        pieces = np.split(rows, self._ends[:-1], axis=1)
        arrays = {
            name: np.ascontiguousarray(piece).reshape(n, *shape)
            for name, piece, shape in zip(self._names, pieces, self._shapes, strict=True)
        }
        return Past(n_push=n_push, **arrays)
