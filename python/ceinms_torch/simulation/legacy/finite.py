"""No file is written from a simulation with a number that is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import DataError, Place
from ceinms_torch.model.subject import Subject


def check_finite(
    subject: Subject, trial: str, time: FloatArray, arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Refuse a simulation with NaN or infinity.

    Parameters
    ----------
    subject : Subject
        Names of MTUs and DOFs.
    trial : str
        Name of the trial.
    time : ndarray (n_step,)
        Times [s].
    arrays : mapping of str to ndarray (n_step, n_mtu or n_dof)
        What the kernel returns; one-dimensional arrays are not looked at.

    Raises
    ------
    DataError
        At the first one, naming trial, MTU or DOF, and time.
    """
    for name, values in arrays.items():
        if values.ndim != 2 or np.isfinite(values).all():
            continue
        row, column = (int(i) for i in np.argwhere(~np.isfinite(values))[0])
        owners = subject.dof_names if name == "joint_moment" else subject.mtu_names
        raise DataError(
            where=Place(trial=trial, element=f"{name} of {owners[column]} at {time[row]:g} s"),
            expected="a finite number",
            got=str(values[row, column]),
            hint="check the MTU's parameters, lengths, moment arms and excitations at this time",
        )
