"""What a calibrated subject did in one trial, beside what was measured."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.source import Source
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.fit import Fit, MomentFit, moment_fit
from ceinms_torch.simulation.moments import measured_moments
from ceinms_torch.simulation.simulate import Simulation
from ceinms_torch.simulation.time_series import TimeSeries, excitation_series, measured_series

Role = Literal["calibration", "test"]


@dataclass(frozen=True, kw_only=True, eq=False)
class TrialResult(OneLine):
    """One trial of a calibration, simulated with the calibrated subject.

    Parameters
    ----------
    name : str
        Its name.
    role : {"calibration", "test"}
        Whether it was calibrated on or is there to test.
    fit : dict of str to MomentFit
        By DOF.
    measured_moment : TimeSeries
        Of every DOF [N m], at the times of the simulation.
    excitation : TimeSeries
        Of every MTU [-], at the times of recording.
    simulation : Simulation
        What every MTU did, and the joint moments.
    synthesised : tuple of str
        MTUs whose excitation was not recorded.
    sources : tuple of Source
        All files the trial was read from; none after `load_result`.
    """

    name: str
    role: Role
    fit: dict[str, MomentFit]
    measured_moment: TimeSeries = field(repr=False)
    excitation: TimeSeries = field(repr=False)
    simulation: Simulation = field(repr=False)
    synthesised: tuple[str, ...] = ()
    sources: tuple[Source, ...] = field(default=(), repr=False)

    @classmethod
    def of(
        cls,
        trial: Trial,
        simulation: Simulation,
        *,
        role: Role = "calibration",
        synthesised: tuple[str, ...] = (),
    ) -> TrialResult:
        """Put a trial and its simulation side by side.

        Parameters
        ----------
        trial : Trial
            With measured moments.
        simulation : Simulation
            Of that trial.
        role : {"calibration", "test"}
            What the trial is there for.
        synthesised : tuple of str
            MTUs whose excitation was not recorded.

        Returns
        -------
        TrialResult

        Raises
        ------
        DataError
            If the trial has no measured moments.
        """
        return cls(
            name=trial.name,
            role=role,
            fit=moment_fit(trial, simulation),
            measured_moment=measured_series(trial, measured_moments(trial)),
            excitation=excitation_series(trial),
            simulation=simulation,
            synthesised=synthesised,
            sources=tuple(trial.sources),
        )

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
        time = self.measured_moment.time
        return np.asarray(100.0 * (series.time - time[0]) / (time[-1] - time[0]))

    def is_of_same_recording(self, other: TrialResult) -> bool:
        """Tell whether both have the same measured moments, whatever they are called."""
        one, two = self.measured_moment, other.measured_moment
        return np.array_equal(one.time, two.time) and np.array_equal(one.array, two.array)


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


def fit_of(trials: Iterable[TrialResult]) -> Fit:
    """Return the moment errors of trials by name and DOF."""
    return {trial.name: trial.fit for trial in trials}
