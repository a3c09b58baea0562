"""How well predicted joint moments match measured ones."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.moments import measured_moments
from ceinms_torch.simulation.simulate import Simulation


@dataclass(frozen=True, kw_only=True)
class MomentFit:
    """Agreement of one DOF's moment in one trial.

    Parameters
    ----------
    rmse : float
        Root mean square error [N m].
    r2 : float
        Coefficient of determination, 1 - SSE / SST [-]; at most 1, negative for a prediction
        worse than the mean. NaN when the measured moment is constant.
    r2_correlation : float
        Squared correlation coefficient [-], 0 to 1: the shape alone. NaN when one is constant.
    """

    rmse: float
    r2: float
    r2_correlation: float

    @classmethod
    def of(cls, measured: FloatArray, predicted: FloatArray) -> Self:
        """Compare two moments.

        Parameters
        ----------
        measured, predicted : ndarray (n_step,)
            Joint moments [N m].

        Returns
        -------
        MomentFit
        """
        error = predicted - measured
        deviation = measured - measured.mean()
        spread = predicted - predicted.mean()
        total = float(deviation @ deviation)
        both = float(np.sqrt(total * (spread @ spread)))
        return cls(
            rmse=float(np.sqrt(np.mean(error**2))),
            r2=1.0 - float(error @ error) / total if total > 0.0 else float("nan"),
            r2_correlation=(float(deviation @ spread) / both) ** 2 if both > 0.0 else float("nan"),
        )


Fit = dict[str, dict[str, MomentFit]]


@one_blas_thread
def moment_fit(trial: Trial, simulation: Simulation) -> dict[str, MomentFit]:
    """Judge the predicted moments of one trial.

    Parameters
    ----------
    trial : Trial
        With measured moments.
    simulation : Simulation
        Of that trial.

    Returns
    -------
    dict of str to MomentFit
        By DOF.

    Raises
    ------
    DataError
        If the trial has no measured moments.
    """
    measured = measured_moments(trial)
    return {
        dof: MomentFit.of(measured[:, i], simulation.joint_moment[dof])
        for i, dof in enumerate(trial.dof_names)
    }


def mean_fit(fit: Fit) -> dict[str, MomentFit]:
    """Average each figure over trials.

    Parameters
    ----------
    fit : dict of str to dict of str to MomentFit
        By trial and DOF. What a trial does not have, R² of a constant moment, does not count.

    Returns
    -------
    dict of str to MomentFit
        By DOF; empty without trials.
    """

    def mean(dof: str, name: str) -> float:
        values = [getattr(dofs[dof], name) for dofs in fit.values() if dof in dofs]
        known = [value for value in values if math.isfinite(value)]
        return float(np.mean(known)) if known else math.nan

    names = [one.name for one in fields(MomentFit)]
    every = dict.fromkeys(dof for dofs in fit.values() for dof in dofs)
    return {dof: MomentFit(**{name: mean(dof, name) for name in names}) for dof in every}
