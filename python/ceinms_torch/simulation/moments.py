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


def moment_variance(trials: Sequence[Trial], step: CalibrationStep) -> FloatArray:
    """Return what the squared errors of every measured moment are divided by.

    Parameters
    ----------
    trials : sequence of Trial
        The trials.
    step : CalibrationStep
        DOFs and objective.

    Returns
    -------
    ndarray (n_dof, n_trial)
        Sample variances, none below `least_variance` [N^2 m^2]; 1 where a moment is constant, which
        those that count are not.

    Raises
    ------
    DataError
        As `check_moments`.
    """
    for trial in trials:
        check_moments(trial, varying_dofs(step))
    variance = np.maximum(_sample_variance(trials), least_variance(trials, step))
    return np.where(variance > 0.0, variance, 1.0)


def least_variance(trials: Sequence[Trial], step: CalibrationStep) -> FloatArray:
    """Return the floor of the variances of each trial's moments (n_trial,) [N^2 m^2].

    Parameters
    ----------
    trials, step
        As for `moment_variance`.

    Returns
    -------
    ndarray (n_trial,)
        The objective's `variance_floor` times the greatest variance among the step's DOFs; >= 0.
    """
    floor = step.objective.variance_floor
    if floor == 0.0:
        return np.zeros(len(trials))
    counted = [name in step.dofs for name in trials[0].dof_names]
    return floor * np.asarray(_sample_variance(trials)[counted].max(axis=0))


def _sample_variance(trials: Sequence[Trial]) -> FloatArray:
    """Return the variance of every measured moment (n_dof, n_trial) [N^2 m^2]."""
    moments = [measured_moments(trial) for trial in trials]
    return np.stack([np.var(moment, axis=0, ddof=1) for moment in moments], axis=-1)
