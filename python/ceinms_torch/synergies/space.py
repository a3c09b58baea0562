"""The point that a synergy-hybrid calibration searches: parameters, weightings and primitives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from ceinms_torch.arrays import FloatArray, IndexArray
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.trial_input import excitation_rate


@dataclass(frozen=True, kw_only=True)
class Nodes:
    """Where a trial's primitives have a number: some rows of its excitations, and the last one.

    Parameters
    ----------
    n_row : int
        Rows of the trial's excitations, at least two.
    rows_per_node : int
        Rows from one node to the next.
    row_interval : float
        Time from one row to the next [s].
    """

    n_row: int
    rows_per_node: int
    row_interval: float

    @classmethod
    def of(cls, trial: Trial, rate: float) -> Self:
        """Return the nodes of a trial at a rate [Hz], as nearly as its rows allow."""
        n_row = len(trial.excitation_time)
        own = excitation_rate(trial)
        step = min(max(round(own / rate), 1), n_row - 1)
        return cls(n_row=n_row, rows_per_node=step, row_interval=1.0 / own)

    @property
    def rows(self) -> IndexArray:
        """The row of every node, (n_node,)."""
        return np.append(np.arange(0, self.n_row - 1, self.rows_per_node), self.n_row - 1)

    def __len__(self) -> int:
        """Return the number of nodes."""
        return len(self.rows)

    def to_rows(self, values: FloatArray) -> FloatArray:
        """Interpolate linearly from nodes to rows, (n, n_node) to (n, n_row)."""
        rows = np.arange(self.n_row)
        return np.stack([np.interp(rows, self.rows, one) for one in values])


@dataclass(frozen=True, kw_only=True)
class SynergySpace:
    """How a point is made of parameters, weightings and primitives.

    Parameters
    ----------
    n_parameter : int
        Components of the parameter space, which come first.
    n_synergy : int
        Number of synergies.
    n_weighted : int
        Channels and synthesised MTUs: rows of the weightings.
    n_set : int
        Sets of weightings: 1, or one per trial.
    n_node : tuple of int
        Nodes of each trial.
    """

    n_parameter: int
    n_synergy: int
    n_weighted: int
    n_set: int
    n_node: tuple[int, ...]

    @property
    def first_primitive(self) -> int:
        """Where the primitives begin."""
        return self.n_parameter + self.n_set * self.n_weighted * self.n_synergy

    def parameters(self, point: FloatArray) -> FloatArray:
        """Return the place in the parameter space, (n_parameter,)."""
        return point[: self.n_parameter]

    def weightings(self, point: FloatArray) -> FloatArray:
        """Return the weightings of every trial, (n_trial, n_weighted, n_synergy)."""
        sets = point[self.n_parameter : self.first_primitive]
        sets = sets.reshape(self.n_set, self.n_weighted, self.n_synergy)
        return np.broadcast_to(sets, (len(self.n_node), *sets.shape[1:]))

    def primitives(self, point: FloatArray) -> list[FloatArray]:
        """Return the primitives of every trial, (n_synergy, n_node)."""
        ends = self.first_primitive + self.n_synergy * np.cumsum(self.n_node)
        parts = np.split(point, [self.first_primitive, *ends])[1:-1]
        return [part.reshape(self.n_synergy, -1) for part in parts]

    def join(
        self, parameters: FloatArray, weightings: FloatArray, primitives: Sequence[FloatArray]
    ) -> FloatArray:
        """Return the point of these parts, weightings being (n_set, n_weighted, n_synergy)."""
        parts = [parameters, np.ravel(weightings), *(np.ravel(one) for one in primitives)]
        return np.concatenate(parts)

    def scaled(self, point: FloatArray) -> FloatArray:
        """Return the same excitations with primitives whose maximum over their trials is 1.

        A synergy may be large in its weightings or in its primitives; no excitation tells.
        """
        sets = self.weightings(point)[: self.n_set]
        primitives = self.primitives(point)
        peaks = np.array([one.max(axis=1) for one in primitives])
        if self.n_set == 1:
            peaks[:] = peaks.max(axis=0)
        peaks[peaks <= 0.0] = 1.0
        sets = sets * peaks[: self.n_set, np.newaxis]
        primitives = [one / peak for one, peak in zip(primitives, peaks[..., None], strict=True)]
        return self.join(self.parameters(point), sets, primitives)
