"""What a synergy-hybrid calibration gives back beside a calibrated subject."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.calibration.result import CalibrationResult
from ceinms_torch.io.display import OneLine
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.trial import Trial
from ceinms_torch.plan.synergy_hybrid import SynergyHybrid
from ceinms_torch.simulation.time_series import TimeSeries
from ceinms_torch.simulation.trial_result import TrialResult
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


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class HybridResult(CalibrationResult):
    """A calibrated subject with the synergies that were calibrated with it.

    Parameters
    ----------
    subject, method, engine, device, tendon, plan, polished, seed, start, steps, history
        As for `CalibrationResult`.
    trials, tests
        The same, with what the synergies drove.
    identifiability
        The same, taking the excitations as given.
    label, provenance, verification
        As for `CalibrationResult`.
    generator : ExcitationGenerator
        Which MTUs were recorded.
    n_synergy : int
        Number of synergies.
    synthesised : tuple of str
        MTUs that synergies drove.
    synergies : dict of str to TrialSynergies
        By calibration trial.
    test_synergies : dict of str to TrialSynergies
        By test trial, from its recording alone.
    """

    generator: ExcitationGenerator
    n_synergy: int
    synthesised: tuple[str, ...]
    synergies: dict[str, TrialSynergies]
    test_synergies: dict[str, TrialSynergies] = field(default_factory=dict)

    @property
    def synergy_hybrid(self) -> SynergyHybrid:
        """What was asked of the synergies."""
        return self.plan.synergy_hybrid or SynergyHybrid()

    @property
    def undriven(self) -> tuple[str, ...]:
        """MTUs that neither a recording nor a synergy drives."""
        table = self.weightings
        pairs = zip(table.mtu_names, table.origin, strict=True)
        return tuple(name for name, origin in pairs if origin == "silent")

    @property
    def weightings(self) -> Weightings:
        """Weightings for new trials: the shared ones, or the mean of those of all trials."""
        tables = [one.weightings for one in self.synergies.values()]
        mean = np.mean([table.values for table in tables], axis=0)
        return dataclasses.replace(tables[0], values=mean)

    def driven(self, trial: Trial) -> Trial:
        """Return a trial of this result, synergies driving what was not recorded."""
        return {**self.test_synergies, **self.synergies}[trial.name].drive(trial)

    def with_tests(self, trials: Iterable[Trial]) -> Self:
        """Return the result with test trials, what was not recorded in them synthesised."""
        import ceinms_torch as ct  # noqa: PLC0415  a module that needs this one

        synergies, tests = {}, []
        for trial in trials:
            found = ct.synthesise_excitations(
                self.subject,
                trial,
                self.generator,
                self.weightings,
                synergy_hybrid=self.synergy_hybrid,
                dofs=self.steps[-1].step.dofs,
            )
            driven, synergies[trial.name] = found.drive(trial), found
            tests.append(
                TrialResult.of(
                    driven, self.simulate(driven), role="test", synthesised=self.synthesised
                )
            )
        return dataclasses.replace(self, tests=tuple(tests), test_synergies=synergies)


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
