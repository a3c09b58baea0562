"""Trials of unequal length side by side, as the tensor engine takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ceinms_torch.arrays import BoolArray, FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.engine import tensor_device
from ceinms_torch.simulation.trial_input import trial_arrays

if TYPE_CHECKING:
    from ceinms_torch import _torch


def side_by_side(arrays: Sequence[FloatArray]) -> FloatArray:
    """Stack arrays of unequal length along a new last axis.

    Parameters
    ----------
    arrays : sequence of ndarray (n_i, ...)
        At least one; the other axes agree. Shorter ones are padded by repeating their last row.

    Returns
    -------
    ndarray (max n_i, ..., n)
        C-contiguous.
    """
    longest = max(len(array) for array in arrays)
    padded = [
        np.concatenate([array, np.repeat(array[-1:], longest - len(array), axis=0)])
        for array in arrays
    ]
    return np.ascontiguousarray(np.stack(padded, axis=-1))


def _continued(time: FloatArray, n_step: int) -> FloatArray:
    # In the padding time must go on, because the tendon divides by the time step.
    extra = np.arange(1, n_step - len(time) + 1) * (time[-1] - time[-2])
    return np.concatenate([time, time[-1] + extra])


def batch_arrays(trials: Sequence[Trial]) -> dict[str, FloatArray | BoolArray]:
    """Return the arrays of a batch, padded to the longest trial.

    Parameters
    ----------
    trials : sequence of Trial
        At least one; all with the same MTUs and DOFs.

    Returns
    -------
    dict of str to ndarray
        time (n_step, n_trial) [s]; mtu_length, mtu_velocity (n_step, n_mtu, n_trial) [m], [m/s];
        moment_arm (n_step, n_dof, n_mtu, n_trial) [m]; excitation (n_row, n_mtu, n_trial);
        excitation_start (n_trial,) [s]; excitation_rate (n_trial,) [Hz]; is_valid
        (n_step, n_trial), False in the padding.
    """
    lengths = np.array([len(trial.time) for trial in trials])
    n_step = int(lengths.max())
    every = [trial_arrays(trial) | {"time": _continued(trial.time, n_step)} for trial in trials]
    batch = {}
    for name, first in every[0].items():
        values = [arrays[name] for arrays in every]
        batch[name] = np.array(values) if np.ndim(first) == 0 else side_by_side(values)
    return {**batch, "is_valid": np.arange(n_step)[:, np.newaxis] < lengths}


@one_blas_thread
def trial_batch(trials: Sequence[Trial], device: str = "cpu") -> _torch.TrialBatch:
    """Return the trials as the tensor engine takes them (see `batch_arrays`).

    Parameters
    ----------
    trials : sequence of Trial
        At least one; all with the same MTUs and DOFs.
    device : str
        Where the tensor engine is to compute: "cpu", "cuda", ...

    Returns
    -------
    TrialBatch

    Raises
    ------
    OptionError
        If there is no such device.
    """
    import torch  # noqa: PLC0415  slow to load

    from ceinms_torch._backend import _torch  # noqa: PLC0415

    place = tensor_device(device)
    return _torch.TrialBatch(
        **{name: torch.from_numpy(array).to(place) for name, array in batch_arrays(trials).items()}
    )
