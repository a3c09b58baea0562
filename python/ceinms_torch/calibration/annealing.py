"""Calibration as CEINMS 0.9 does it: its model, its objective, its simulated annealing."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.calibration.loop import Calibration, check_trials
from ceinms_torch.calibration.multi_start import (
    MemoryOf,
    StartCallback,
    StartResult,
    minimise_from_all,
)
from ceinms_torch.calibration.parameter_space import ParameterSpace, groups_of
from ceinms_torch.calibration.problems.legacy import LegacyProblem
from ceinms_torch.errors import CeinmsTorchWarning, OptionError, Place
from ceinms_torch.model.nms_model import SimulatedAnnealing
from ceinms_torch.model.parameters import PARAMETERS
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.optimisers.minimum import Minimum
from ceinms_torch.optimisers.problem import Problem
from ceinms_torch.plan.calibration import CalibrationPlan, CalibrationStep
from ceinms_torch.plan.objective import Objective
from ceinms_torch.simulation.legacy.inputs import annealing_options, check_tendon
from ceinms_torch.simulation.legacy.run import simulate_legacy
from ceinms_torch.simulation.simulate import Simulation


def most_temperatures(subject: Subject, plan: CalibrationPlan, settings: SimulatedAnnealing) -> int:
    """Return how many temperatures a step can have before its evaluations are used up.

    Parameters
    ----------
    subject : Subject
        The subject.
    plan : CalibrationPlan
        Its steps name only MTUs and DOFs of the subject.
    settings : SimulatedAnnealing
        Settings of the annealing.

    Returns
    -------
    int
        Of the step with the fewest parameters, >= 1.
    """
    counts = [
        sum(len(groups_of(subject, step, spec)) for spec in step.parameters) for step in plan.steps
    ]
    return -(-settings.max_no_eval // (settings.ns * settings.nt * max(min(counts), 1)))


@dataclass(kw_only=True, eq=False)
class Annealing(Calibration):
    """A calibration as CEINMS 0.9 does it (reference D).

    The same files give the same parameters as the original program, on every platform: the start
    is not evaluated, start values may be outside their ranges, and of an MTU in two groups the
    later one counts. The modern variant evaluates the start, moved into its ranges, and never ends
    above it.

    Its tendon is "stiff" or "equilibriumElastic", its objective the one that CEINMS 0.9 has, or
    composites of later versions on the same model. It cannot be polished, because its model has no
    derivatives. And there is one start, at the subject's values: at the first temperatures the
    search is all over the ranges, wherever it began, and its numbers come from a seed of its own.
    """

    starts_by_itself: ClassVar[bool] = False
    is_least_squares: ClassVar[bool] = False  # it has no derivatives
    finite_where: ClassVar[str] = "somewhere within the ranges"

    @property
    def tendon(self) -> str:
        """The tendon model, by its XML name."""
        return self.plan.tendon.kind

    @property
    def _settings(self) -> SimulatedAnnealing:
        assert isinstance(self.options, SimulatedAnnealing)  # noqa: S101  for mypy
        return self.options

    def check(self) -> None:
        """Refuse what CEINMS does not have, rather than ignore it."""
        asked_for = {
            "objective": self.objective is not None,
            "engine": self.engine != "fused",
            "device": self.device not in (None, "cpu"),
            "polish": self.polish,
            "start": self.start != "subject",
            "starts": self.starts != 1,
            "begin_at": self.begin_at is not None,
            "validation": bool(self.validation),
            "seed": self.seed != 0 and self._settings.variant == "ceinms",
            "synergy_hybrid": self.plan.synergy_hybrid is not None,
        }
        for name, is_asked_for in asked_for.items():
            if is_asked_for:
                hint = (
                    "the annealing repeats what CEINMS does, on its model, objective and random "
                    "numbers"
                )
                if name == "seed":
                    hint += "; set its variant to modern for numbers by a seed"
                raise OptionError(
                    where=name,
                    expected="the default, with annealing",
                    got="another value",
                    hint=hint,
                )
        _check_plan(self.plan, self._settings)
        check_trials(self.subject, self.trials, self.plan)
        with warnings.catch_warnings():
            # NaN and infinity are found before minutes of searching, not after them. What else is
            # doubtful at the start may be mended by the calibration.
            warnings.simplefilter("ignore", CeinmsTorchWarning)
            for trial in self.trials:
                self.simulate(self.subject, trial)

    def sampled(self) -> Sequence[Trial]:
        """Return the trials: CEINMS takes excitations as they were recorded."""
        return self.trials

    def lay_out(self, subject: Subject, step: CalibrationStep) -> ParameterSpace:
        """Return what may change; CEINMS takes start values outside their ranges."""
        check_start = self._settings.variant == "modern"
        return ParameterSpace.of(subject, step, self.plan, check_start=check_start)

    def problem(self, step: CalibrationStep, space: ParameterSpace, threads: int) -> LegacyProblem:
        """Return a step on the model of CEINMS."""
        return LegacyProblem(space.subject, self.trials, step, space, self.plan, threads=threads)

    def search(
        self,
        number: int,
        space: ParameterSpace,
        problems: Sequence[Problem],
        report: StartCallback | None,
        memory: MemoryOf | None,
    ) -> tuple[Minimum, list[StartResult]]:
        """Search from the subject's values, in the units of the parameters."""
        start = np.array([[component.start for component in space.components]])
        options = annealing_options(self._settings, self.seed + number)
        found = minimise_from_all(problems, start, options, report, memory)
        if math.isfinite(found[0].objective):
            problems[0].core.evaluate(found[0].x)  # the search may have been known
            _warn_of_failures(space.subject, problems[0].core.failures)
        return found

    def settle(self, space: ParameterSpace, minimum: Minimum) -> tuple[FloatArray, Subject]:
        """Return the best point in the unit box, and the subject with exactly its values."""
        slot, taken = space.slots()
        matrix = space.subject.parameters()
        matrix.flat[slot] = minimum.x[taken]
        return space.shares(minimum.x), space.subject.with_parameters(matrix)

    def simulate(self, subject: Subject, trial: Trial) -> Simulation:
        """Simulate a trial on the model of CEINMS."""
        tendon, activation = self.plan.tendon, self.plan.activation
        return simulate_legacy(subject, trial, tendon=tendon, activation=activation).simulation

    def besides(self) -> dict[str, Any]:
        """Return the engine and the seed that were used."""
        is_modern = self._settings.variant == "modern"
        return {"engine": "legacy", "seed": self.seed if is_modern else 1}  # CEINMS: srand(1)


def _check_plan(plan: CalibrationPlan, settings: SimulatedAnnealing) -> None:
    check_tendon(plan.tendon, plan.path)
    for step in plan.steps:
        objective = step.objective
        if settings.variant == "modern":
            objective = dataclasses.replace(objective, variance_floor=0.0)  # that it has
        if objective.composites:
            _check_composites(objective, plan, step)
        elif objective != Objective():
            raise OptionError(
                where="objective",
                expected="<minimizeTorqueError/> as CEINMS has it",
                got="one with a normalisation, penalties or preferences of its own",
                hint="other methods than annealing take it; its modern variant a variance floor",
            )
        for spec in step.parameters:
            if spec.priors:
                raise OptionError(
                    where=Place(plan.path, spec.line, "<parameter>"),
                    expected="no <prior>, with annealing",
                    got="one",
                    hint="other methods than annealing take it",
                )
            if not PARAMETERS[spec.kind].in_annealing:
                raise OptionError(
                    where=Place(plan.path, spec.line, "<parameter>"),
                    expected="a parameter that CEINMS can calibrate",
                    got=spec.kind,
                    hint="other methods than annealing calibrate it",
                )


def _check_composites(objective: Objective, plan: CalibrationPlan, step: CalibrationStep) -> None:
    strains = any(one.quantity == "tendonStrain" for one in objective.penalties)
    if strains or objective != objective.without_preferences():
        raise OptionError(
            where=Place(plan.path, step.line, "<objectiveFunction>"),
            expected="moment errors, and penalties on fibre lengths and velocities",
            got="a penalty on tendon strain" if strains else "preferences",
            hint="other methods than annealing take it",
        )


def _warn_of_failures(subject: Subject, failures: Sequence[int]) -> None:
    failed = [f"{name} ({n})" for name, n in zip(subject.mtu_names, failures, strict=True) if n]
    if failed:
        warnings.warn(
            "With the calibrated parameters the elastic tendon finds no equilibrium at some "
            f"frames: {', '.join(failed)}. As in CEINMS, a stiff tendon takes its place there, "
            "with a penalty of 100 each.",
            CeinmsTorchWarning,
            stacklevel=4,
        )
