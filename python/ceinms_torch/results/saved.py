"""A calibration as its result folder tells it, for figures, reports and comparisons."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ceinms_torch.simulation.fit import MomentFit
from ceinms_torch.simulation.time_series import TimeSeries

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class SavedTrial:
    """One trial of a saved calibration.

    Parameters
    ----------
    name : str
        Its name.
    is_own : bool
        Whether it was calibrated on, rather than tested on.
    fit : dict of str to MomentFit
        By DOF.
    measured_moment, joint_moment : TimeSeries
        Measured and predicted moments of every DOF [N m], at the same times.
    excitation : TimeSeries
        Of every MTU [-], at the times of recording.
    activation, norm_fibre_length, tendon_strain : TimeSeries
        Of every MTU [-].
    synthesised : frozenset of str
        MTUs whose excitation was not recorded.
    """

    name: str
    is_own: bool
    fit: dict[str, MomentFit]
    measured_moment: TimeSeries
    joint_moment: TimeSeries
    excitation: TimeSeries
    activation: TimeSeries
    norm_fibre_length: TimeSeries
    tendon_strain: TimeSeries
    synthesised: frozenset[str] = frozenset()

    @property
    def kind(self) -> str:
        """What it is a repetition of: its name up to the last number, see `trial_kind`."""
        return trial_kind(self.name)

    def percent(self, series: TimeSeries) -> FloatArray:
        """Return times of a series as shares of the trial, 0 to 100 % from first to last frame.

        Parameters
        ----------
        series : TimeSeries
            One of this trial's.

        Returns
        -------
        ndarray (n,)
            [%]; below 0 and above 100 before and after the trial.
        """
        time = self.joint_moment.time
        return np.asarray(100.0 * (series.time - time[0]) / (time[-1] - time[0]))


def trial_kind(name: str) -> str:
    """Return the part of a trial's name that its repetitions share.

    Parameters
    ----------
    name : str
        Such as "walk36_c05", "walk_115" or "squat3".

    Returns
    -------
    str
        The name without its last part, if that is a number or ends in one: "walk36", "walk",
        "squat"; the name itself where nothing would be left.
    """
    return re.sub(r"([\W_]+[A-Za-z]*|)\d+$", "", name) or name


@dataclass(frozen=True, kw_only=True)
class SavedParameter:
    """A calibrated parameter.

    Parameters
    ----------
    step : int
        The calibration step, from 0.
    name : str
        One of `PARAMETER_KINDS`.
    mtus : tuple of str
        The MTUs that share the value.
    start, value, lower, upper : float
        Where it started, where it ended, and its range, in the parameter's unit.
    at_bound : str
        "lower" or "upper" if it ended there; else "".
    interval : tuple of float or None
        Where the value lies with 95 %; None unless the data determine it.
    reason : str
        Why the data do not determine it; "" if they do, or if nobody asked.
    """

    step: int
    name: str
    mtus: tuple[str, ...]
    start: float
    value: float
    lower: float
    upper: float
    at_bound: str
    interval: tuple[float, float] | None
    reason: str

    @property
    def label(self) -> str:
        """The MTUs in few words."""
        if len(self.mtus) <= 2:
            return " + ".join(self.mtus)
        return f"{self.mtus[0]} + {len(self.mtus) - 1} more"

    def share(self, value: float) -> float:
        """Return a value as a share of the range [%], 0 at the lower bound, 100 at the upper."""
        return 100.0 * (value - self.lower) / (self.upper - self.lower)


@dataclass(frozen=True, kw_only=True, eq=False)
class SavedHistory:
    """The objective over the iterations.

    Parameters
    ----------
    step : ndarray (n,) of int
        Calibration step, from 1.
    iteration, seconds : ndarray (n,)
        Over all steps together; seconds inside the optimiser [s].
    objective : ndarray (n,)
        The objective, in `unit`.
    terms : dict of str to ndarray (n,)
        Its terms, in `unit`; NaN where a step has no such term.
    rmse : dict of str to ndarray (n,)
        By DOF [N m]; NaN where a step does not calibrate it.
    unit : str
        Unit of objective and terms.
    """

    step: NDArray[np.int64]
    iteration: FloatArray
    seconds: FloatArray
    objective: FloatArray
    terms: dict[str, FloatArray]
    rmse: dict[str, FloatArray]
    unit: str


@dataclass(frozen=True, kw_only=True, eq=False)
class SavedResult:
    """Everything that a result folder tells.

    Parameters
    ----------
    label : str
        A short name, different for every result that is read with it.
    directory : Path
        The folder.
    summary : mapping
        Content of ``result.json``.
    trials : tuple of SavedTrial
        Calibration trials, then the trials of ``--test``.
    parameters : tuple of SavedParameter
        Of every calibration step.
    history : SavedHistory
        The objective over the iterations.
    """

    label: str
    directory: Path
    summary: Mapping[str, Any] = field(repr=False)
    trials: tuple[SavedTrial, ...] = field(repr=False)
    parameters: tuple[SavedParameter, ...] = field(repr=False)
    history: SavedHistory = field(repr=False)

    @property
    def dofs(self) -> tuple[str, ...]:
        """DOFs of the subject."""
        return tuple(self.summary["dofs"])

    @property
    def mtus(self) -> tuple[str, ...]:
        """MTUs of the subject."""
        return tuple(self.summary["mtus"])

    @property
    def own(self) -> tuple[SavedTrial, ...]:
        """Trials that were calibrated on."""
        return tuple(trial for trial in self.trials if trial.is_own)

    @property
    def unseen(self) -> tuple[SavedTrial, ...]:
        """Trials to test on, without those that are calibration trials all the same."""
        return tuple(
            trial
            for trial in self.trials
            if not trial.is_own and not any(_same_recording(trial, own) for own in self.own)
        )

    @property
    def last_parameters(self) -> tuple[SavedParameter, ...]:
        """Parameters of the last step, those that identifiability speaks of."""
        last = len(self.summary["steps"]) - 1
        return tuple(one for one in self.parameters if one.step == last)


def _same_recording(one: SavedTrial, other: SavedTrial) -> bool:
    return np.array_equal(one.measured_moment.time, other.measured_moment.time) and np.array_equal(
        one.measured_moment.values, other.measured_moment.values
    )
