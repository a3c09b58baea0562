"""The loop of every calibration: its steps, their starts, the search, and what comes out."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from ceinms_torch.arrays import FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.calibration.checkpoint import Checkpoint, fingerprint
from ceinms_torch.calibration.identifiability import Identifiability, identifiability
from ceinms_torch.calibration.methods import Options
from ceinms_torch.calibration.multi_start import (
    Judge,
    MemoryOf,
    Rounds,
    StartCallback,
    StartResult,
    affordable_threads,
    go_on,
    minimise_from_all,
)
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.problems.build import build_problem
from ceinms_torch.calibration.problems.fused import FusedProblem
from ceinms_torch.calibration.problems.tensor import TensorProblem
from ceinms_torch.calibration.result import CalibrationResult, Iteration, Start, StepResult
from ceinms_torch.errors import CeinmsTorchWarning, DataError, OptionError, Place
from ceinms_torch.io.interrupts import held
from ceinms_torch.io.log import log
from ceinms_torch.model.settings import check_whole
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.optimisers.levenberg_marquardt import least_squares_core
from ceinms_torch.optimisers.minimum import Iterate, Minimum
from ceinms_torch.optimisers.problem import Problem
from ceinms_torch.plan.calibration import CalibrationPlan, CalibrationStep
from ceinms_torch.plan.objective import Objective
from ceinms_torch.plan.options import LevenbergMarquardt, Optimiser
from ceinms_torch.simulation.engine import EngineName
from ceinms_torch.simulation.moments import check_moments, varying_dofs
from ceinms_torch.simulation.simulate import (
    Simulation,
    calibrated_tendon,
    engine_tendon,
    simulate,
)
from ceinms_torch.simulation.trial_input import check_names
from ceinms_torch.simulation.trial_result import TrialResult

_WITHOUT_INFLUENCE = {"threads", "callback", "checkpoint", "resume"}  # on the result


@dataclass(kw_only=True, eq=False)
class Calibration:
    """A calibration of recorded excitations by gradient, to be run once.

    Other kinds (losses of one's own, synergies, annealing) are subclasses that say how the problem
    of a step is built, where its searches start, what its best point means, and what the result
    carries besides; steps, starts, polish, interruption and the result are here.

    Parameters
    ----------
    subject, trials, plan, options, objective, engine, device, polish, start, starts, threads, seed
        As for `calibrate`; the options are those of `choose_method`.
    begin_at, validation, callback, checkpoint, resume
        Likewise.
    """

    subject: Subject
    trials: Sequence[Trial]
    plan: CalibrationPlan
    options: Options
    objective: Objective | None = None
    engine: EngineName = "fused"
    device: str | None = None
    polish: bool = False
    start: Start = "subject"
    starts: int | None = None
    threads: int = 1
    seed: int = 0
    begin_at: Subject | None = None
    validation: Sequence[Trial] = ()
    callback: Callable[[Iteration], None] | None = None
    checkpoint: Path | None = None
    resume: bool = False

    # What a kind says of itself: its result, whether several threads may search, whether it has
    # several starts where nobody asks for a number, whether it is a sum of squares, and where an
    # objective must be finite.
    result_kind: ClassVar[type[CalibrationResult]] = CalibrationResult
    searches_in_parallel: ClassVar[bool] = True
    starts_by_itself: ClassVar[bool] = True
    is_least_squares: ClassVar[bool] = True
    finite_where: ClassVar[str] = "at the start values"

    @property
    def tendon(self) -> str:
        """The tendon model that is used, by its XML name."""
        return calibrated_tendon(self.plan.tendon)

    # ---- What kinds do differently

    def check(self) -> None:
        """Refuse data, a plan or options that cannot be calibrated."""
        # Before anything of torch is loaded, which takes a second.
        if self.engine == "tensor" and (
            self.polish or isinstance(self.options, LevenbergMarquardt)
        ):
            raise OptionError(
                where="method",
                expected="adamw or lbfgs on the tensor engine",
                got="lm",
                hint="Levenberg-Marquardt needs the fused engine",
            )
        check_inputs(self.subject, self.trials, self.plan)
        if self.validation:
            check_validation(self.subject, self.trials, self.validation, self.plan)

    def sampled(self) -> Sequence[Trial]:
        """Return the trials with excitations at the rate that delays ask for."""
        if not self.plan.time_constants:
            return self.trials
        return [trial.at_step_rate() for trial in self.trials]

    def lay_out(self, subject: Subject, step: CalibrationStep) -> ParameterSpace:
        """Return what may change in a step, which begins with this subject."""
        return ParameterSpace.of(subject, step, self.plan)

    def problem(self, step: CalibrationStep, space: ParameterSpace, threads: int) -> Problem:
        """Return a step as a search sees it."""
        return self.recorded_only(step, space, threads)

    def recorded_only(
        self, step: CalibrationStep, space: ParameterSpace, threads: int
    ) -> FusedProblem | TensorProblem:
        """Return a step of recorded excitations and eq. (4)."""
        return build_problem(
            space.subject,
            self.trials,
            step,
            space,
            tendon=self.tendon,
            engine=self.engine,
            threads=threads,
            device=self.device,
        )

    def first_point(self, number: int, space: ParameterSpace) -> FloatArray:
        """Return where the first search of a step starts, (n,), unless at random."""
        if self.begin_at is None or number:
            return space.start()
        return space.point_of(self.begin_at)

    @property
    def rounds(self) -> Rounds | None:
        """How starts go on where nobody says how many; None where somebody does."""
        return self._rounds() if self.starts is None else None

    def _rounds(self) -> Rounds:
        assert isinstance(self.options, Optimiser)  # noqa: S101  an annealing has one start
        n_row = sum(len(trial.time) for trial in self.trials)
        return Rounds.within_budget(len(self.subject.mtus), n_row, self.options.max_iterations)

    @property
    def most_starts(self) -> int:
        """Number of starts that there are, or at most."""
        return self._rounds().most_starts if self.starts is None else self.starts

    def points(self, number: int, space: ParameterSpace) -> FloatArray:
        """Return where the searches of a step start, (starts, n)."""
        is_random = self.start == "random"
        points = space.starts(self.most_starts, self.seed + number, random=is_random)
        if not is_random:
            points[0] = self.first_point(number, space)
        return points

    def search(
        self,
        number: int,
        space: ParameterSpace,
        problems: Sequence[Problem],
        report: StartCallback | None,
        memory: MemoryOf | None,
    ) -> tuple[Minimum, list[StartResult]]:
        """Search a step from all its starts, with the same problem for every thread."""
        points = self.points(number, space)
        return minimise_from_all(
            problems,
            points,
            self.options,
            report,
            memory,
            rounds=self.rounds,
            judge=self.judge(number, space),
        )

    def judge(self, number: int, space: ParameterSpace) -> Judge | None:
        """Return what tells how well validation trials are predicted; None without any."""
        if not self.validation:
            return None
        step = self.plan.steps[number]
        # Nothing is fitted to them, so that preferences have no say.
        step = dataclasses.replace(step, objective=step.objective.without_preferences())
        problem = build_problem(space.subject, self.validation, step, space, tendon=self.tendon)
        return lambda x: problem.gradient(x)[0].objective

    def settle(self, space: ParameterSpace, minimum: Minimum) -> tuple[FloatArray, Subject]:
        """Return the place in the parameter space, (n,), and the subject of the best point."""
        x = minimum.x[: len(space.components)]
        return x, space.subject_at(x)

    def driven_trials(self) -> Sequence[Trial]:
        """Return the trials as the calibrated subject is simulated on them."""
        return self.trials

    def tried(self, subject: Subject, trial: Trial) -> TrialResult:
        """Return what the calibrated subject does in a trial."""
        return TrialResult.of(trial, self.simulate(subject, trial))

    def simulate(self, subject: Subject, trial: Trial) -> Simulation:
        """Simulate a trial as the calibration did."""
        return simulate(subject, trial, tendon=self.tendon)

    def besides(self) -> dict[str, Any]:
        """Return what the result carries besides, or otherwise."""
        return {}

    # ---- What all do alike

    @one_blas_thread
    def run(self) -> CalibrationResult:
        """Calibrate.

        Returns
        -------
        CalibrationResult

        Raises
        ------
        DataError, OptionError
            As `calibrate`.
        """
        if self.starts is None and not self._has_several_starts:
            self.starts = 1
        if self.starts is not None:
            check_whole("starts", self.starts, least=1)
        check_whole("threads", self.threads, least=1)
        check_whole("seed", self.seed, least=0, most=2**64 - 1)
        if self.begin_at is not None and self.start == "random":
            raise OptionError(where="start", expected="subject, with begin_at", got="random")
        self.plan = self.plan.of_subject(self.subject)
        self.check()
        self.plan = self.plan.of_trials(self.trials)
        self.trials = self.sampled()
        self.plan = self.plan.with_settings(self.options, self.objective)
        # From here on there is something to lose: signals wait, and searches ask for them.
        with held():
            checkpoint = None
            if self.checkpoint is not None:
                known = fingerprint(type(self).__name__, *self._identity())
                checkpoint = Checkpoint(self.checkpoint, known, resume=self.resume)
            return self._run(checkpoint)

    @property
    def _has_several_starts(self) -> bool:
        """Whether there are several starts where nobody asks for a number.

        One is enough where the search is told where to begin; and the tensor engine is there for
        the paper's formulation, of which it takes a hundred times as long.
        """
        return self.starts_by_itself and self.engine == "fused" and self.begin_at is None

    def _identity(self) -> Iterator[object]:
        """Iterate over all that the result depends on."""
        for one in dataclasses.fields(self):
            if one.init and one.name not in _WITHOUT_INFLUENCE:
                yield getattr(self, one.name)

    def _run(self, checkpoint: Checkpoint | None) -> CalibrationResult:
        subject = self.subject
        steps: list[StepResult] = []
        history: list[Iteration] = []
        for number, step in enumerate(self.plan.steps):
            space = self.lay_out(subject, step)
            memory = None if checkpoint is None else partial(checkpoint.memory, number)
            problem, minimum, result, subject = self._run_step(number, step, space, memory)
            if checkpoint is not None and result.status == "interrupted":
                checkpoint.write()
            elif checkpoint is not None:
                checkpoint.write_if_long()
            steps.append(result)
            history += [self._named(number, 0, step, problem, one) for one in minimum.history]
            if result.status == "interrupted":
                break
        common: dict[str, Any] = {
            "subject": subject,
            "method": self.options.method,
            "engine": self.engine,
            "device": problem.device,
            "tendon": self.tendon,
            "plan": self.plan,
            "polished": self.polish,
            "seed": self.seed,
            "start": self.start,
            "steps": tuple(steps),
            "history": tuple(history),
            "trials": tuple(self.tried(subject, one) for one in self.driven_trials()),
            "identifiability": self._identifiability(problem, steps[-1]),
        }
        return self.result_kind(**common | self.besides())

    def _run_step(
        self, number: int, step: CalibrationStep, space: ParameterSpace, memory: MemoryOf | None
    ) -> tuple[Problem, Minimum, StepResult, Subject]:
        text = "step %d: %d parameters, %d starts at most, %r"
        log("info", text, number + 1, len(space.components), self.most_starts, self.options)
        n = min(self.threads, self.most_starts) if self.searches_in_parallel else 1
        of_each = self.threads if n == 1 else 1
        problems = [self.problem(step, space, of_each) for _ in range(affordable_threads(n))]
        problem = problems[0]
        if self.polish:
            least_squares_core(problem)

        def report(start: int, one: Iterate) -> None:
            if self.callback is not None:
                self.callback(self._named(number, start, step, problem, one))

        report_to = None if self.callback is None else report
        minimum, starts = self.search(number, space, problems, report_to, memory)
        if not math.isfinite(minimum.objective):
            raise DataError(
                where=Place(
                    trial=", ".join(trial.name for trial in self.trials),
                    element=f"calibration step {number + 1}",
                ),
                expected=f"a finite objective {self.finite_where}",
                got="NaN or infinity",
                hint="check lengths, moment arms and start values of all MTUs",
            )
        if self.polish and minimum.status != "interrupted":
            minimum = go_on(problem, minimum, LevenbergMarquardt(), 0, report_to)
        text = "step %d: objective %.6g after %d iterations and %.3g s, %s"
        log(
            "info",
            text,
            number + 1,
            minimum.objective,
            minimum.iterations,
            minimum.seconds,
            minimum.status,
        )
        x, subject = self.settle(space, minimum)
        result = StepResult(
            step=step,
            space=space,
            x=x,
            objective=minimum.objective,
            terms=dict(zip(problem.term_names, minimum.terms, strict=True)),
            iterations=minimum.iterations,
            evaluations=minimum.evaluations,
            seconds=minimum.seconds,
            status=minimum.status,
            starts=tuple(starts),
        )
        return problem, minimum, result, subject

    def _named(
        self, number: int, start: int, step: CalibrationStep, problem: Problem, one: Iterate
    ) -> Iteration:
        """Return an iterate of a search as one of the calibration."""
        dofs = step.moment_dofs(self.subject.dof_names)
        return Iteration(
            step=number,
            start=start,
            iteration=one.iteration,
            evaluations=one.evaluations,
            seconds=one.seconds,
            objective=one.objective,
            terms=dict(zip(problem.term_names, one.terms, strict=True)),
            rmse=dict(zip(dofs, one.rmse, strict=True)),
        )

    def _identifiability(self, problem: Problem, last: StepResult) -> Identifiability | None:
        """Return which parameters are identifiable, taking excitations as given."""
        if not self.is_least_squares:
            return None
        if not isinstance(problem, FusedProblem):
            problem = FusedProblem(
                last.space.subject, self.driven_trials(), last.step, last.space, tendon=self.tendon
            )
        try:
            return identifiability(problem, last.space, last.x)
        except DataError as error:  # what was found is no less true
            warnings.warn(CeinmsTorchWarning(error.what, where=error.where), stacklevel=4)
            return None


def check_inputs(subject: Subject, trials: Sequence[Trial], plan: CalibrationPlan) -> None:
    """Refuse data or a plan that cannot be calibrated by gradient; as `check_trials` otherwise."""
    check_model(plan)
    check_trials(subject, trials, plan)


def check_validation(
    subject: Subject, trials: Sequence[Trial], validation: Sequence[Trial], plan: CalibrationPlan
) -> None:
    """Refuse validation trials that do not fit a subject, or that are fitted, too.

    Parameters
    ----------
    subject, trials, plan
        As for `calibrate`.
    validation : sequence of Trial
        Trials that nothing is fitted to.

    Raises
    ------
    DataError
        As `check_trials`, or if a trial is one of both.
    """
    check_trials(subject, validation, plan)
    both = {one.name for one in trials} & {one.name for one in validation}
    if both:
        raise DataError(
            where="validation",
            expected="trials that are not fitted",
            got=", ".join(sorted(both)),
            hint="validation trials judge what the others are fitted to",
        )


def check_model(plan: CalibrationPlan) -> None:
    """Refuse a tendon or an activation that cannot be calibrated by gradient.

    Parameters
    ----------
    plan : CalibrationPlan
        What shall be calibrated.

    Raises
    ------
    OptionError
        If the tendon is not one of the engines, or the activation has no derivative.
    """
    try:
        engine_tendon(plan.tendon)
    except OptionError as error:
        raise error.within(file=plan.path) from error
    if plan.activation != "exponential":
        raise OptionError(
            where=Place(plan.path, element="activation"),
            expected="<exponential/>",
            got=f"<{plan.activation}/>",
            hint="calibration by gradient needs an activation that is smooth",
        )


def check_trials(subject: Subject, trials: Sequence[Trial], plan: CalibrationPlan) -> None:
    """Refuse trials that do not fit a subject or cannot be calibrated on.

    Parameters
    ----------
    subject, trials, plan
        As for `calibrate`.

    Raises
    ------
    DataError
        If trials lack moments, were read with another subject, have the same name, or a moment
        that counts is constant.
    """
    if not trials:
        raise DataError(where="calibration", expected="at least one trial", got="none")
    names = [trial.name for trial in trials]
    if len(set(names)) < len(names):
        raise DataError(
            where="calibration", expected="trials with different names", got=", ".join(names)
        )
    plan.check_names(subject)
    for trial in trials:
        check_names(subject, trial)
        check_moments(trial, {dof for step in plan.steps for dof in varying_dofs(step)})
