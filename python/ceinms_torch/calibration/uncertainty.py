"""How far forces and moments of a calibration may be off: what `ceinms_torch.uncertainty` finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ceinms_torch.arrays import BoolArray, FloatArray
from ceinms_torch.errors import unknown_name
from ceinms_torch.io.display import OneLine
from ceinms_torch.simulation.time_series import TimeSeries
from ceinms_torch.simulation.trial_result import Role

# Quantities of `Simulation` that have bands.
BANDED = ("mtu_force", "joint_moment")


@dataclass(frozen=True, kw_only=True, eq=False)
class Band(OneLine):
    """Lower and upper end of a quantity at every instant, by MTU or DOF.

    Parameters
    ----------
    lower, upper : TimeSeries
        Same times, columns and unit.
    level : float
        Pointwise probability.
    """

    lower: TimeSeries
    upper: TimeSeries
    level: float

    @property
    def percentage(self) -> str:
        """The probability as text."""
        return f"{100 * self.level:g} %"

    @property
    def width(self) -> FloatArray:
        """Upper less lower end, (n_step, n_column)."""
        return self.upper.array - self.lower.array

    def covers(self, series: TimeSeries) -> BoolArray:
        """Return where the band holds a series of the same columns, (n_step, n_column)."""
        values = series.array
        return (self.lower.array <= values) & (values <= self.upper.array)


def ends_of_band(values: FloatArray, level: float) -> FloatArray:
    """Return the ends between which another draw lies with a probability.

    Parameters
    ----------
    values : ndarray (n_draw, ...)
        Draws.
    level : float
        The probability.

    Returns
    -------
    ndarray (2, ...)
        Lower and upper end.
    """
    tail = (1.0 - level) / 2.0
    return np.asarray(np.quantile(values, [tail, 1.0 - tail], axis=0, method="weibull"))


@dataclass(frozen=True, kw_only=True, eq=False)
class TrialBands(OneLine):
    """Bands of one trial.

    Parameters
    ----------
    name : str
        The trial.
    role : {"calibration", "test"}
        Whether it was calibrated on.
    mtu_force : Band
        Of every MTU [N].
    joint_moment : Band
        Of every DOF, of the moment without noise [N m].
    """

    name: str
    role: Role
    mtu_force: Band = field(repr=False, compare=False)
    joint_moment: Band = field(repr=False, compare=False)


@dataclass(frozen=True, kw_only=True, eq=False)
class Uncertainty(OneLine):
    """Bands of muscle forces and joint moments, and how they came about.

    Parameters
    ----------
    level : float
        Pointwise probability; at each instant, a band covers the true force or moment with it if
        the model is right.
    draws : int
        Parameter sets that fit alike, from which bands are taken.
    starts : int
        Searches for minima.
    minima : int
        Of those searches, how many ended at an objective within what noise explains of the best.
    seed : int
        Of starts and draws.
    observations : float
        Independent moment errors; smooth ones count for few.
    fitted : float
        Degrees of freedom that the fit has taken of them.
    noise : dict of str to float
        Standard deviation of the measured moments' noise by DOF, as the residuals tell it [N m].
    mean_width : dict of str to dict of str to float
        Mean width of the bands over calibration trials: "mtu_force" by MTU [N] and "joint_moment"
        by DOF [N m].
    trials : tuple of TrialBands
        Of calibration trials, then of test trials.
    """

    level: float
    draws: int
    starts: int
    minima: int
    seed: int
    observations: float
    fitted: float
    noise: Mapping[str, float]
    mean_width: Mapping[str, Mapping[str, float]]
    trials: tuple[TrialBands, ...] = field(repr=False)

    def __getitem__(self, trial: str) -> TrialBands:
        """Return the bands of a trial, of the calibration trial if there are two of that name."""
        found = self.of(trial)
        if found is None:
            raise unknown_name("uncertainty", "a trial", trial, [one.name for one in self.trials])
        return found

    def of_calibration_trials(self) -> Uncertainty:
        """Return it without the bands of test trials."""
        return replace(self, trials=tuple(o for o in self.trials if o.role == "calibration"))

    def of(self, trial: str, role: Role | None = None) -> TrialBands | None:
        """Return the bands of a trial of some role, or of any; None without."""
        return next(
            (one for one in self.trials if one.name == trial and role in (None, one.role)), None
        )
