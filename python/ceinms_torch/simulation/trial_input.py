"""Trials as the engines take them: one place for all of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ceinms_torch import _kernel
from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import DataError, Place
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial


def mtu_velocity(trial: Trial) -> FloatArray:
    """Return the slope of the spline through each MTU's length.

    Parameters
    ----------
    trial : Trial
        The trial.

    Returns
    -------
    ndarray (n_step, n_mtu)
        [m/s], lengthening positive.
    """
    columns = [
        _kernel.spline_derivative(trial.time, length, trial.time) for length in trial.mtu_length.T
    ]
    return np.stack(columns, axis=1)


def excitation_rate(trial: Trial) -> float:
    """Return the sampling rate of a trial's excitations [Hz]."""
    time = trial.excitation_time
    return float((len(time) - 1) / (time[-1] - time[0]))


def check_names(subject: Subject, trial: Trial) -> None:
    """Check that a trial's columns are the subject's.

    Parameters
    ----------
    subject : Subject
        The subject.
    trial : Trial
        The trial.

    Raises
    ------
    DataError
        If MTUs or DOFs differ in name or order.
    """
    pairs = (
        ("MTUs", subject.mtu_names, trial.mtu_names),
        ("DOFs", subject.dof_names, trial.dof_names),
    )
    for what, expected, got in pairs:
        if expected != got:
            raise DataError(
                where=Place(trial=trial.name),
                expected=f"{what} {list(expected)}",
                got=str(list(got)),
                hint="read the trial with this subject",
            )


def trial_arrays(trial: Trial) -> dict[str, Any]:
    """Return what the engines take of a trial, by the names they have for it.

    Parameters
    ----------
    trial : Trial
        The trial.

    Returns
    -------
    dict of str to ndarray or float
        time (n_step,) [s]; mtu_length, mtu_velocity (n_step, n_mtu) [m], [m/s]; moment_arm
        (n_step, n_dof, n_mtu) [m]; excitation (n_row, n_mtu), without delay; excitation_start [s];
        excitation_rate [Hz].
    """
    return {
        "time": trial.time,
        "mtu_length": trial.mtu_length,
        "mtu_velocity": mtu_velocity(trial),
        "moment_arm": trial.moment_arm,
        "excitation": trial.excitation,
        "excitation_start": float(trial.excitation_time[0]),
        "excitation_rate": excitation_rate(trial),
    }


def kernel_trial(subject: Subject, trial: Trial) -> _kernel.Trial:
    """Return a trial as the kernel takes it.

    Parameters
    ----------
    subject : Subject
        The subject.
    trial : Trial
        The data, read with this subject.

    Returns
    -------
    Trial
        For every problem and simulation of `_kernel`.

    Raises
    ------
    DataError
        If MTUs or DOFs of subject and trial differ in name or order, or an array has another shape
        than it should have, or a number is not finite.
    """
    check_names(subject, trial)
    return _kernel.Trial(**trial_arrays(trial))
