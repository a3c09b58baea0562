"""What a synergy-hybrid calibration gives back beside a calibrated subject."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ceinms_torch.calibration.result import CalibrationResult
from ceinms_torch.model.synergy_hybrid import SynergyHybrid
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.time_series import TimeSeries, excitation_series
from ceinms_torch.synergies.problem import HybridSetting
from ceinms_torch.synergies.space import SynergySpace
from ceinms_torch.synergies.weightings import Weightings

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class TrialSynergies:
    """The synergies of one trial, and the excitations they gave.

    Parameters
    ----------
    trial : Trial
        The trial as it was simulated: recorded excitations, and synthesised ones, limited to 0
        to 1.
    weightings : Weightings
        How strongly each synergy excites each MTU.
    primitives : TimeSeries
        Commands over time (-), one column per synergy, at the times of the recorded excitations.
        The largest value of each is 1 over all trials that share the weightings.
    reconstruction : TimeSeries
        What the synergies give for every MTU (-): for a recorded one a model of its recording.
    """

    trial: Trial
    weightings: Weightings
    primitives: TimeSeries
    reconstruction: TimeSeries

    @property
    def excitations(self) -> TimeSeries:
        """What drove each MTU (-), at the times of the recorded excitations."""
        return excitation_series(self.trial)

    @property
    def vaf(self) -> float:
        """Share of the squares of all recorded excitations that the synergies account for [-]."""
        recorded = [i for i, one in enumerate(self.weightings.origin) if one == "recorded"]
        measured = self.trial.excitation[:, recorded]
        error = measured - self.reconstruction.values[:, recorded]
        return 1.0 - float(np.sum(error**2) / np.sum(measured**2))


@dataclass(frozen=True, kw_only=True, eq=False)
class HybridResult(CalibrationResult):
    """A calibrated subject with the synergies that were calibrated with it.

    Parameters
    ----------
    subject, method, engine, device, tendon, options, polished, seed, start, steps, history
        As for `CalibrationResult`.
    simulations, fit
        The same, with what the synergies drove.
    identifiability
        The same, taking the excitations as given.
    hybrid : SynergyHybrid
        What was asked for.
    n_synergy : int
        Number of synergies.
    synthesised : tuple of str
        MTUs that synergies drove.
    synergies : dict of str to TrialSynergies
        By calibration trial.
    """

    hybrid: SynergyHybrid
    n_synergy: int
    synthesised: tuple[str, ...]
    synergies: dict[str, TrialSynergies] = field(repr=False)

    @property
    def weightings(self) -> Weightings:
        """Weightings for new trials: the shared ones, or the mean of those of all trials."""
        tables = [one.weightings for one in self.synergies.values()]
        mean = np.mean([table.values for table in tables], axis=0)
        return dataclasses.replace(tables[0], values=mean)


def trial_synergies(
    trials: Sequence[Trial], setting: HybridSetting, space: SynergySpace, point: FloatArray
) -> dict[str, TrialSynergies]:
    """Return the synergies at a point, trial by trial.

    Parameters
    ----------
    trials : sequence of Trial
        As recorded.
    setting : HybridSetting
        What synergies reconstruct and synthesise.
    space : SynergySpace
        How the point is made.
    point : ndarray (n,)
        The point.

    Returns
    -------
    dict of str to TrialSynergies
        By name of the trial.
    """
    point = space.scaled(point)
    result = {}
    for trial, nodes, own, primitives in zip(
        trials, setting.nodes, space.weightings(point), space.primitives(point), strict=True
    ):
        weightings = Weightings.of(setting.channels, own)
        result[trial.name] = synthesised_trial(trial, weightings, nodes.to_rows(primitives))
    return result


def synthesised_trial(
    trial: Trial, weightings: Weightings, primitives: FloatArray
) -> TrialSynergies:
    """Let synergies drive the synthesised MTUs of a trial.

    Parameters
    ----------
    trial : Trial
        As recorded.
    weightings : Weightings
        Of every MTU.
    primitives : ndarray (n_synergy, n_row)
        At the rows of the trial's excitations.

    Returns
    -------
    TrialSynergies
    """
    reconstruction = primitives.T @ weightings.values.T
    is_made = np.array([one == "synthesised" for one in weightings.origin])
    excitation = np.where(is_made, np.clip(reconstruction, 0.0, 1.0), trial.excitation)

    def series(name: str, columns: tuple[str, ...], values: FloatArray) -> TimeSeries:
        return TimeSeries(
            name=name, units="-", time=trial.excitation_time, columns=columns, values=values
        )

    return TrialSynergies(
        trial=dataclasses.replace(trial, excitation=np.ascontiguousarray(excitation)),
        weightings=weightings,
        primitives=series("primitive", weightings.synergy_names, primitives.T),
        reconstruction=series("reconstructed excitation", trial.mtu_names, reconstruction),
    )
