"""Measured joint moments as an objective needs them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import DataError, Place
from ceinms_torch.model.trial import Trial

if TYPE_CHECKING:
    from ceinms_torch.plan.calibration import CalibrationStep


def measured_moments(trial: Trial) -> FloatArray:
    """Return the measured moments (n_step, n_dof) [N m] of a trial that must have them.

    Parameters
    ----------
    trial : Trial
        The trial.

    Returns
    -------
    ndarray (n_step, n_dof)

    Raises
    ------
    DataError
        If there are none.
    """
    if trial.measured_moment is None:
        raise DataError(where=Place(trial=trial.name), expected="measured moments", got="none")
    return trial.measured_moment


def varying_dofs(step: CalibrationStep) -> tuple[str, ...]:
    """Return the DOFs whose measured moments must vary, as their variance is a divisor.

    Parameters
    ----------
    step : CalibrationStep
        A calibration step.

    Returns
    -------
    tuple of str
        Its DOFs; none with composites, which divide by no variance and count all DOFs.
    """
    return () if step.objective.composites else step.dofs


def check_moments(trial: Trial, dofs: Iterable[str]) -> None:
    """Refuse a moment that counts and is constant: its variance, a divisor, would be zero.

    Parameters
    ----------
    trial : Trial
        The trial.
    dofs : iterable of str
        The DOFs that count.

    Raises
    ------
    DataError
        If there are no measured moments, or one of them is constant.
    """
    for dof, moment in zip(trial.dof_names, measured_moments(trial).T, strict=True):
        # Not the variance itself, which rounding leaves a little above zero.
        if dof in dofs and np.ptp(moment) == 0.0:
            raise DataError(
                where=Place(trial.sources.torques.path, element=f"trial {trial.name}"),
                expected=f"a measured moment of {dof} that varies",
                got=f"{moment[0]:g} N m at all times",
                hint=f"take {dof} out of <dofs>, or check the file of measured moments",
            )


def moment_variance(trials: Sequence[Trial], dofs: tuple[str, ...]) -> FloatArray:
    """Return the sample variance of every measured moment.

    Parameters
    ----------
    trials : sequence of Trial
        The trials.
    dofs : tuple of str
        The DOFs that count.

    Returns
    -------
    ndarray (n_dof, n_trial)
        [N^2 m^2]; 1 where a moment is constant, which those that count are not.

    Raises
    ------
    DataError
        As `check_moments`.
    """
    for trial in trials:
        check_moments(trial, dofs)
    moments = [measured_moments(trial) for trial in trials]
    variance = np.stack([np.var(moment, axis=0, ddof=1) for moment in moments], axis=-1)
    return np.where(variance > 0.0, variance, 1.0)
