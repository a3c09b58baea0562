"""Synergy-hybrid calibration: muscles without electrodes calibrated with the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.calibration.loop import Calibration
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.result import CalibrationResult
from ceinms_torch.errors import OptionError
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.optimisers.minimum import Minimum
from ceinms_torch.plan.calibration import CalibrationStep
from ceinms_torch.plan.options import AdamW
from ceinms_torch.plan.synergy_hybrid import SynergyHybrid
from ceinms_torch.simulation.trial_result import TrialResult
from ceinms_torch.synergies.channels import Channels
from ceinms_torch.synergies.problem import SynergyProblem, SynergySetting
from ceinms_torch.synergies.result import HybridResult, TrialSynergies, trial_synergies
from ceinms_torch.synergies.start import choose_number, start_points


@dataclass(kw_only=True, eq=False)
class SynergyCalibration(Calibration):
    """A calibration of a subject and, at once, of the excitations that nobody recorded (III-C).

    Recordings drive their MTUs, sums of synergies all others. Parameters, primitives and muscle
    weightings minimise eq. (5) together: moment errors and penalties as without synergies, the
    error of the recorded excitations as the same synergies reconstruct them, and the size of those
    that are synthesised. Primitives are too many numbers for the matrix of Levenberg-Marquardt,
    which can neither search nor polish.

    Parameters
    ----------
    generator : ExcitationGenerator
        Which MTUs were recorded, and by which electrodes.
    """

    generator: ExcitationGenerator
    setting: SynergySetting = field(init=False)
    synergies: dict[str, TrialSynergies] = field(init=False)

    result_kind: ClassVar[type[CalibrationResult]] = HybridResult
    starts_by_itself: ClassVar[bool] = False

    @property
    def synergy_hybrid(self) -> SynergyHybrid:
        """Synergies and weights."""
        return self.plan.synergy_hybrid or SynergyHybrid()

    @property
    def synthesised(self) -> tuple[str, ...]:
        """MTUs that synergies drive."""
        return self.setting.channels.synthesised_names

    def check(self) -> None:
        """Refuse validation trials, which have primitives of their own."""
        if self.validation:
            raise OptionError(
                where="validation",
                expected="none, with synergies",
                got=", ".join(one.name for one in self.validation),
                hint="what synergies make of a trial is fitted to it",
            )
        super().check()

    def lay_out(self, subject: Subject, step: CalibrationStep) -> ParameterSpace:
        """Lay out synergies and primitives, too."""
        self.setting = synergy_setting(self.trials, self.generator, self.synergy_hybrid, step)
        return super().lay_out(subject, step)

    def problem(self, step: CalibrationStep, space: ParameterSpace, threads: int) -> SynergyProblem:
        """Return a step with synergies. All but the paper's AdamW keep exact bounds."""
        recorded_only = self.recorded_only(step, space, threads)
        exact_bounds = not isinstance(self.options, AdamW)
        return SynergyProblem(recorded_only, self.setting, exact_bounds=exact_bounds)

    def points(self, number: int, space: ParameterSpace) -> FloatArray:
        """Return starts with different random weightings of MTUs that were not recorded."""
        if self.start == "random":
            parameters = super().points(number, space)
        else:
            parameters = np.tile(self.first_point(number, space), (self.most_starts, 1))
        return start_points(self.setting, parameters, self.seed + number)

    def settle(self, space: ParameterSpace, minimum: Minimum) -> tuple[FloatArray, Subject]:
        """Keep the synergies of the best point, too."""
        layout = self.setting.space(len(space.components))
        self.synergies = trial_synergies(self.trials, self.setting, layout, minimum.x)
        return super().settle(space, minimum)

    def driven_trials(self) -> Sequence[Trial]:
        """Return the trials with the excitations that were synthesised."""
        return [self.synergies[one.name].drive(one) for one in self.trials]

    def tried(self, subject: Subject, trial: Trial) -> TrialResult:
        """Say which excitations were synthesised, too."""
        return dataclasses.replace(super().tried(subject, trial), synthesised=self.synthesised)

    def besides(self) -> dict[str, Any]:
        """Return the synergies."""
        return {
            "generator": self.generator,
            "n_synergy": self.setting.n_synergy,
            "synthesised": self.synthesised,
            "synergies": self.synergies,
        }


def synergy_setting(
    trials: Sequence[Trial],
    generator: ExcitationGenerator,
    synergy_hybrid: SynergyHybrid,
    step: CalibrationStep,
) -> SynergySetting:
    """Tell recorded from synthesised excitations and lay out the primitives.

    Parameters
    ----------
    trials : sequence of Trial
        The trials to calibrate on.
    generator : ExcitationGenerator
        Which MTUs were recorded.
    synergy_hybrid : SynergyHybrid
        Synergies and weights.
    step : CalibrationStep
        DOFs that count.

    Returns
    -------
    SynergySetting

    Raises
    ------
    DataError, OptionError
        As `calibrate` with synergies.
    """
    channels = Channels.of(trials, generator, synergy_hybrid, step.dofs)
    setting = SynergySetting.of(trials, channels, synergy_hybrid, n_synergy=1)
    n_synergy = choose_number(channels, synergy_hybrid, setting.recorded)
    return dataclasses.replace(setting, n_synergy=n_synergy)
