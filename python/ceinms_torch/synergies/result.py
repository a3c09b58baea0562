"""What a synergy-hybrid calibration gives back beside a calibrated subject."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, Self

import numpy as np

from ceinms_torch.calibration.result import CalibrationResult
from ceinms_torch.errors import CeinmsTorchWarning
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.plan.synergy_hybrid import SynergyHybrid
from ceinms_torch.simulation.fit import Fit, moment_fit
from ceinms_torch.simulation.simulate import simulate
from ceinms_torch.simulation.trial_result import TrialResult
from ceinms_torch.synergies.beyond import beyond_calibration
from ceinms_torch.synergies.channels import uncalibrated_dofs
from ceinms_torch.synergies.ties import Tie
from ceinms_torch.synergies.trial_synergies import TrialSynergies
from ceinms_torch.synergies.weightings import Weightings

_WORSE = 1.03  # differences between methods of less than 3 % mean nothing
# Where the parameters of a hybrid search begin: where a calibration without synergies ended, MTUs
# without a recording silent or driven by what they are tied to; at the subject's values (or at
# random); at a subject that was given.
Begun = Literal["EMG-driven", "neighbour-driven", "subject", "begin_at"]


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
    uncertainty, label, provenance, verification
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
    ties : tuple of Tie
        What synthesised excitations were held to.
    begun_at : {"EMG-driven", "neighbour-driven", "subject", "begin_at"}
        Where the search began that was kept.
    emg_driven : Subject or None
        The EMG-driven calibration that came first; None without one.
    emg_driven_fit, emg_driven_test_fit : Fit
        What it makes of the trials, MTUs without a recording being silent; empty without one.
    """

    generator: ExcitationGenerator
    n_synergy: int
    synthesised: tuple[str, ...]
    synergies: dict[str, TrialSynergies]
    test_synergies: dict[str, TrialSynergies] = field(default_factory=dict)
    ties: tuple[Tie, ...] = ()
    begun_at: Begun = "subject"
    emg_driven: Subject | None = None
    emg_driven_fit: Fit = field(default_factory=dict)
    emg_driven_test_fit: Fit = field(default_factory=dict)

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
    def uncalibrated(self) -> dict[str, tuple[str, ...]]:
        """DOFs that synthesised MTUs act on although no moment of theirs was calibrated."""
        dofs = {name for step in self.steps for name in step.step.dofs}
        return uncalibrated_dofs(self.subject, self.synthesised, dofs)

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
        trials = list(trials)
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
        result = dataclasses.replace(
            self,
            tests=tuple(tests),
            test_synergies=synergies,
            emg_driven_test_fit=emg_driven_fit(self.emg_driven, trials, self.tendon),
        )
        for one in (*beyond_calibration(self.trials, tests, trials), *_no_better(result)):
            warnings.warn(one, stacklevel=2)
        return result


def _no_better(result: HybridResult) -> Iterator[CeinmsTorchWarning]:
    """Say where synergies make the moments of test trials worse than silence does."""
    hybrid, driven = mean_rmse(result.test_fit), mean_rmse(result.emg_driven_test_fit)
    if hybrid > _WORSE * driven:
        yield CeinmsTorchWarning(
            f"On test trials the synergy-hybrid calibration is worse ({hybrid:.2f} N m, mean RMSE) "
            f"than the EMG-driven one ({driven:.2f} N m): prefer the latter (--no-hybrid).",
            "hybrid-worse",
        )


def mean_rmse(fit: Fit) -> float:
    """Return the mean over trials and DOFs of a fit [N m]; NaN without any."""
    values = [one.rmse for dofs in fit.values() for one in dofs.values()]
    return float(np.mean(values)) if values else math.nan


def emg_driven_fit(subject: Subject | None, trials: Iterable[Trial], tendon: str) -> Fit:
    """Return what an EMG-driven calibration makes of trials; nothing without one."""
    if subject is None:
        return {}
    return {one.name: moment_fit(one, simulate(subject, one, tendon=tendon)) for one in trials}
