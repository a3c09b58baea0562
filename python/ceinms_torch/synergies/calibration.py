"""Synergy-hybrid calibration: muscles without electrodes calibrated with the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.calibration.loop import Calibration
from ceinms_torch.calibration.multi_start import (
    MemoryOf,
    StartCallback,
    StartResult,
    minimise_from_all,
)
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.problems.fused import FusedProblem
from ceinms_torch.calibration.result import CalibrationResult
from ceinms_torch.errors import OptionError
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.optimisers.memory import SearchMemory
from ceinms_torch.optimisers.minimum import Iterate, Minimum
from ceinms_torch.optimisers.problem import Problem
from ceinms_torch.plan.calibration import CalibrationStep
from ceinms_torch.plan.options import AdamW, LevenbergMarquardt
from ceinms_torch.plan.synergy_hybrid import SynergyHybrid
from ceinms_torch.simulation.trial_result import TrialResult
from ceinms_torch.synergies.channels import Channels
from ceinms_torch.synergies.gaussian_problem import GaussianProblem, GaussianSpace
from ceinms_torch.synergies.problem import SynergyProblem, SynergySetting
from ceinms_torch.synergies.result import (
    Begun,
    HybridResult,
    emg_driven_fit,
)
from ceinms_torch.synergies.start import choose_number, start_points
from ceinms_torch.synergies.ties import driven_by_ties
from ceinms_torch.synergies.trial_synergies import TrialSynergies, trial_synergies

# Objectives that differ by less say nothing about trials that were not seen: on a recorded leg one
# was 0.1 % lower from the subject's values, and moments of test strides 3 % worse.
_CLEARLY = 0.01


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

    Attributes
    ----------
    setting : SynergySetting
        Synergies of the last step.
    synergies : dict of str to TrialSynergies
        By trial.
    emg_driven : Subject or None
        Where the parameters of the last step end without synergies; None if that was not searched.
    begun_at : str
        Where the search began that was kept, a `Begun`.
    """

    generator: ExcitationGenerator
    setting: SynergySetting = field(init=False)
    synergies: dict[str, TrialSynergies] = field(init=False)
    emg_driven: Subject | None = field(init=False, default=None)
    begun_at: Begun = field(init=False, default="subject")

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

    def problem(self, step: CalibrationStep, space: ParameterSpace, threads: int) -> Problem:
        """Return a step with synergies. All but the paper's AdamW keep exact bounds."""
        recorded_only = self.recorded_only(step, space, threads)
        gaussians = self._gaussians(space)
        exact_bounds = gaussians is None and not isinstance(self.options, AdamW)
        problem = SynergyProblem(recorded_only, self.setting, exact_bounds=exact_bounds)
        return problem if gaussians is None else GaussianProblem(problem, gaussians)

    def _gaussians(self, space: ParameterSpace) -> GaussianSpace | None:
        n_bump = self.synergy_hybrid.n_gaussian
        return GaussianSpace.of(self.setting, len(space.components), n_bump) if n_bump else None

    def search(
        self,
        number: int,
        space: ParameterSpace,
        problems: Sequence[Problem],
        report: StartCallback | None,
        memory: MemoryOf | None,
    ) -> tuple[Minimum, list[StartResult]]:
        """Search a step from where the EMG-driven calibration ends, from the subject, or both."""
        begins, before = self._begins(number, space, len(problems), memory)
        is_interrupted = any(one.status == "interrupted" for one in before)
        options: Any = self.options
        if is_interrupted:  # evaluate where that ended, as a result
            options = dataclasses.replace(options, max_iterations=1)
        gaussians = self._gaussians(space)
        found: dict[Begun, Minimum] = {}
        results: list[StartResult] = []
        for name, places in begins.items():
            points = start_points(self.setting, places, self.seed + number)
            if gaussians is not None:
                points = np.array([gaussians.reduced(one) for one in points])
            found[name], of_each = minimise_from_all(
                problems,
                points,
                options,
                report and partial(_numbered_from, report, len(results)),
                memory and partial(_named, memory, name),
            )
            results += of_each
            is_interrupted = is_interrupted or found[name].status == "interrupted"
            if is_interrupted:
                break
        self.begun_at = _kept(found)
        best = found[self.begun_at]
        every = [*found.values(), *before]
        return dataclasses.replace(
            best,
            x=best.x if gaussians is None else gaussians.full(best.x),
            seconds=sum(one.seconds for one in every),
            evaluations=sum(one.evaluations for one in every),
            status="interrupted" if is_interrupted else best.status,
        ), results

    def _begins(
        self, number: int, space: ParameterSpace, threads: int, memory: MemoryOf | None
    ) -> tuple[dict[Begun, FloatArray], list[Minimum]]:
        """Return where parameters begin, (starts, n) each, and the EMG-driven searches before."""
        if self.begin_at is not None and not number:
            return {"begin_at": self._repeated(self.first_point(number, space))}, []
        own = self.points(number, space)
        at_subject = own if self.start == "random" else self._repeated(own[0])
        begins: dict[Begun, FloatArray] = {}
        searches: list[Minimum] = []
        kinds: list[Begun] = (
            ["EMG-driven", "neighbour-driven"] if self.setting.ties else ["EMG-driven"]
        )
        for kind in kinds if self.synergy_hybrid.begin != "subject" else ():
            minimum = self._recorded_end(kind, number, space, own, threads, memory)
            searches.append(minimum)
            if kind == "EMG-driven":
                self.emg_driven = space.subject_at(minimum.x)
            begins[kind] = self._repeated(minimum.x)
            if minimum.status == "interrupted":
                return begins, searches
        if self.synergy_hybrid.begin != "emgDriven":
            begins["subject"] = at_subject
        return begins, searches

    def _recorded_end(
        self,
        kind: Begun,
        number: int,
        space: ParameterSpace,
        points: FloatArray,
        threads: int,
        memory: MemoryOf | None,
    ) -> Minimum:
        """Calibrate without synergies: others silent, or driven by what they are tied to."""
        trials = self.trials
        if kind == "neighbour-driven":
            trials = [driven_by_ties(one, self.setting.ties) for one in trials]
        step = self.plan.steps[number]
        # Whatever the engine of the hybrid search, so that it does not depend on that.
        problems = [
            FusedProblem(space.subject, trials, step, space, tendon=self.tendon)
            for _ in range(threads)
        ]
        named = memory and partial(_named, memory, f"{kind} alone")
        return minimise_from_all(problems, points, LevenbergMarquardt(), None, named)[0]

    def _repeated(self, place: FloatArray) -> FloatArray:
        return np.tile(place, (self.most_starts, 1))

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
            "ties": self.setting.ties,
            "begun_at": self.begun_at,
            "emg_driven": self.emg_driven,
            "emg_driven_fit": emg_driven_fit(self.emg_driven, self.trials, self.tendon),
        }


def _kept(found: dict[Begun, Minimum]) -> Begun:
    """Return which search is kept: the lowest, but the subject's own values only if clearly so."""
    best = min(found, key=lambda name: found[name].rank)
    others = {name: one for name, one in found.items() if name != "subject"}
    if best != "subject" or not others:
        return best
    second = min(others, key=lambda name: others[name].rank)
    return best if found[best].rank < (1.0 - _CLEARLY) * others[second].rank else second


def _numbered_from(report: StartCallback, first: int, start: int, one: Iterate) -> None:
    report(first + start, one)


def _named(memory: MemoryOf, begin: str, search: str) -> SearchMemory:
    return memory(f"{begin} {search}")


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
