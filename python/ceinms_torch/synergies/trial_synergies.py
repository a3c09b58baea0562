"""The synergies of a trial, and the excitations that they give."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.io.display import OneLine
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.time_series import TimeSeries
from ceinms_torch.synergies.problem import SynergySetting
from ceinms_torch.synergies.space import SynergySpace
from ceinms_torch.synergies.weightings import Weightings


@dataclass(frozen=True, kw_only=True, eq=False)
class TrialSynergies(OneLine):
    """The synergies of one trial, and the excitations they gave.

    Parameters
    ----------
    excitations : TimeSeries
        What drove each MTU (-), at the times of the recorded excitations: those recorded, and
        synthesised ones, limited to 0 to 1.
    weightings : Weightings
        How strongly each synergy excites each MTU.
    primitives : TimeSeries
        Commands over time (-), one column per synergy, at the times of the recorded excitations.
        The largest value of each is 1 over all trials that share the weightings.
    reconstruction : TimeSeries
        What the synergies give for every MTU (-): for a recorded one a model of its recording.
    """

    excitations: TimeSeries
    weightings: Weightings
    primitives: TimeSeries
    reconstruction: TimeSeries

    def drive(self, trial: Trial) -> Trial:
        """Return the trial with these excitations, ready for `simulate`.

        Parameters
        ----------
        trial : Trial
            As recorded.

        Returns
        -------
        Trial
        """
        return dataclasses.replace(trial, excitation=self.excitations.array)

    @property
    def vaf(self) -> float:
        """Share of the squares of all recorded excitations that the synergies account for [-]."""
        recorded = [i for i, one in enumerate(self.weightings.origin) if one == "recorded"]
        measured = self.excitations.array[:, recorded]
        error = measured - self.reconstruction.array[:, recorded]
        return 1.0 - float(np.sum(error**2) / np.sum(measured**2))


def trial_synergies(
    trials: Sequence[Trial], setting: SynergySetting, space: SynergySpace, point: FloatArray
) -> dict[str, TrialSynergies]:
    """Return the synergies at a point, trial by trial.

    Parameters
    ----------
    trials : sequence of Trial
        As recorded.
    setting : SynergySetting
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
        return TimeSeries(name, "-", trial.excitation_time, columns, values)

    return TrialSynergies(
        excitations=series("excitation", trial.mtu_names, np.ascontiguousarray(excitation)),
        weightings=weightings,
        primitives=series("primitive", weightings.synergy_names, primitives.T),
        reconstruction=series("reconstructed excitation", trial.mtu_names, reconstruction),
    )
