"""Trials of unequal length side by side, as the tensor engine takes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.engine import tensor_device
from ceinms_torch.simulation.simulate import excitation_rate, mtu_velocity

if TYPE_CHECKING:
    from ceinms_torch import _torch

FloatArray = NDArray[np.float64]


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


def batch_arrays(trials: Sequence[Trial]) -> dict[str, NDArray[np.float64] | NDArray[np.bool_]]:
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
    n_step = max(len(trial.time) for trial in trials)

    def stacked(get: Callable[[Trial], FloatArray]) -> FloatArray:
        return side_by_side([get(trial) for trial in trials])

    lengths = np.array([len(trial.time) for trial in trials])
    return {
        "time": stacked(lambda trial: _continued(trial.time, n_step)),
        "mtu_length": stacked(lambda trial: trial.mtu_length),
        "mtu_velocity": stacked(mtu_velocity),
        "moment_arm": stacked(lambda trial: trial.moment_arm),
        "excitation": stacked(lambda trial: trial.excitation),
        "excitation_start": np.array([trial.excitation_time[0] for trial in trials]),
        "excitation_rate": np.array([excitation_rate(trial) for trial in trials]),
        "is_valid": np.arange(n_step)[:, np.newaxis] < lengths,
    }


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
