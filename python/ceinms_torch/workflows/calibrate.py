"""Calibration by gradient: find the parameters whose moments match inverse dynamics."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ceinms_torch.errors import DataError, OptionError, wording
from ceinms_torch.model.calibration import CalibrationPlan, CalibrationStep
from ceinms_torch.model.nms_model import SimulatedAnnealing
from ceinms_torch.model.options import LevenbergMarquardt, Objective, Optimiser, check_whole
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.workflows.calibration_result import (
    CalibrationResult,
    Iteration,
    Start,
    StepResult,
)
from ceinms_torch.workflows.engines import (
    EngineName,
    FusedProblem,
    Minimum,
    Point,
    Problem,
    TensorProblem,
)
from ceinms_torch.workflows.fit import moment_fit
from ceinms_torch.workflows.identifiability import Identifiability, identifiability
from ceinms_torch.workflows.legacy.calibration import calibrate_legacy
from ceinms_torch.workflows.methods import MethodName, choose_method, refuse_for_annealing
from ceinms_torch.workflows.moments import check_moments
from ceinms_torch.workflows.multi_start import StartResult, minimise_from_all
from ceinms_torch.workflows.parameter_space import ParameterSpace
from ceinms_torch.workflows.simulate import check_names, engine_tendon, simulate

FloatArray = NDArray[np.float64]


def _check_inputs(subject: Subject, trials: Sequence[Trial], plan: CalibrationPlan) -> None:
    if not trials:
        raise DataError(wording("calibration", "at least one trial", "none"))
    names = [trial.name for trial in trials]
    if len(set(names)) < len(names):
        raise DataError(wording("calibration", "trials with different names", ", ".join(names)))
    if plan.activation != "exponential":
        raise OptionError(
            wording(
                "activation",
                "exponential",
                plan.activation,
                "calibration by gradient needs an activation that is smooth",
            )
        )
    plan.check_names(subject)
    for trial in trials:
        check_names(subject, trial)
        check_moments(trial, {dof for step in plan.steps for dof in step.dofs})


def build_problem(
    subject: Subject,
    trials: Sequence[Trial],
    step: CalibrationStep,
    space: ParameterSpace,
    *,
    tendon: str,
    engine: EngineName = "fused",
    filter_start: str = "ceinms",
    threads: int = 1,
    device: str | None = None,
) -> FusedProblem | TensorProblem:
    """Return a calibration step as an optimiser sees it, for methods of your own.

    Parameters
    ----------
    subject : Subject
        The subject at the start of the step.
    trials : sequence of Trial
        With measured moments; all with the subject's MTUs and DOFs.
    step : CalibrationStep
        DOFs and objective.
    space : ParameterSpace
        What may change.
    tendon : str
        Tendon by its XML name.
    engine : {"fused", "tensor"}
        Compiled loops, or LibTorch autograd.
    filter_start : {"ceinms", "zero"}
        Start of the activation filter, see `simulate`.
    threads : int
        Threads over which the fused engine spreads a simulation.
    device : str, optional
        Where the tensor engine computes: "cpu", "cuda", ...; by default CUDA where there is one.

    Returns
    -------
    FusedProblem or TensorProblem

    Raises
    ------
    DataError
        If a measured moment that counts is constant.
    OptionError
        If there is no such engine or device.
    """
    if engine == "tensor":
        return TensorProblem(
            subject, trials, step, space, tendon=tendon, filter_start=filter_start, device=device
        )
    if engine != "fused":
        raise OptionError(wording("engine", "fused or tensor", repr(engine)))
    if device not in (None, "cpu"):
        hint = "the tensor engine runs elsewhere"
        raise OptionError(wording("device", "cpu, with the fused engine", repr(device), hint))
    return FusedProblem(
        subject, trials, step, space, tendon=tendon, filter_start=filter_start, threads=threads
    )


@dataclass(frozen=True, kw_only=True)
class _Search:
    """How every step of a calibration is searched."""

    options: Optimiser
    polish: bool
    engine: EngineName
    start: Start
    starts: int
    threads: int
    seed: int


def _search(
    problems: Sequence[Problem],
    starts: FloatArray,
    search: _Search,
    report: Callable[[int, Point], None] | None,
) -> tuple[Minimum, list[StartResult]]:
    minimum, results = minimise_from_all(problems, starts, search.options, report)
    if not search.polish or not minimum.history or minimum.status == "interrupted":
        return minimum, results
    # From the best point only; the history goes on where the first method stopped.
    last = minimum.history[-1]
    offset = (last.iteration, minimum.evaluations, minimum.seconds)
    polished = problems[0].minimise(
        minimum.x,
        LevenbergMarquardt(),
        None if report is None else lambda point: report(0, _shifted(point, *offset)),
    )
    joined = dataclasses.replace(
        polished if polished.objective <= minimum.objective else minimum,
        history=minimum.history + tuple(_shifted(p, *offset) for p in polished.history[1:]),
        evaluations=minimum.evaluations + polished.evaluations,
        seconds=minimum.seconds + polished.seconds,
        status=polished.status,
    )
    return joined, results


def _shifted(point: Point, iteration: int, evaluations: int, seconds: float) -> Point:
    return dataclasses.replace(
        point,
        iteration=point.iteration + iteration,
        evaluations=point.evaluations + evaluations,
        seconds=point.seconds + seconds,
    )


def _run_step(
    number: int,
    space: ParameterSpace,
    step: CalibrationStep,
    problems: Sequence[Problem],
    search: _Search,
    callback: Callable[[Iteration], None] | None,
) -> tuple[StepResult, list[Iteration]]:
    names = problems[0].term_names

    def named(start: int, point: Point) -> Iteration:
        return Iteration(
            step=number,
            start=start,
            iteration=point.iteration,
            evaluations=point.evaluations,
            seconds=point.seconds,
            objective=point.objective,
            terms=dict(zip(names, point.terms, strict=True)),
            rmse=dict(zip(step.dofs, point.rmse, strict=True)),
        )

    def report(start: int, point: Point) -> None:
        if callback is not None:
            callback(named(start, point))

    starts = space.starts(search.starts, search.seed + number, random=search.start == "random")
    minimum, results = _search(problems, starts, search, None if callback is None else report)
    if not minimum.history:
        raise DataError(
            wording(
                f"calibration step {number + 1}",
                "a finite objective at the start values",
                "NaN or infinity",
                "check lengths, moment arms and start values of all MTUs",
            )
        )
    result = StepResult(
        step=step,
        space=space,
        x=minimum.x,
        objective=minimum.objective,
        terms=dict(zip(names, minimum.terms, strict=True)),
        iterations=minimum.history[-1].iteration,
        evaluations=minimum.evaluations,
        seconds=minimum.seconds,
        status=minimum.status,
        starts=tuple(results),
    )
    return result, [named(0, point) for point in minimum.history]


def _identifiability(
    problem: Problem, trials: Sequence[Trial], result: StepResult, tendon: str
) -> Identifiability:
    space = result.space
    if not isinstance(problem, FusedProblem):
        problem = FusedProblem(space.subject, trials, result.step, space, tendon=tendon)
    return identifiability(problem, space, result.x)


def calibrate(
    subject: Subject,
    trials: Sequence[Trial],
    plan: CalibrationPlan,
    *,
    method: MethodName | None = None,
    options: Optimiser | SimulatedAnnealing | None = None,
    objective: Objective | None = None,
    engine: EngineName = "fused",
    device: str | None = None,
    polish: bool = False,
    start: Start = "subject",
    starts: int = 1,
    threads: int = 1,
    seed: int = 0,
    callback: Callable[[Iteration], None] | None = None,
) -> CalibrationResult:
    """Calibrate a subject by gradient (paper, section III-B), or as CEINMS does.

    Parameters
    ----------
    subject : Subject
        The subject to start from.
    trials : sequence of Trial
        The trials to calibrate on, read with this subject, with measured moments.
    plan : CalibrationPlan
        Steps, parameters and ranges. An elastic tendon is the Rosenbrock tendon.
    method : {"lm", "adamw", "lbfgs", "annealing"}, optional
        Levenberg-Marquardt, AdamW (the paper's), L-BFGS-B, or the annealing of CEINMS on the
        model of CEINMS (`calibrate_legacy`); that of the options or of the plan, or
        Levenberg-Marquardt when the plan asks for simulated annealing.
    options : AdamW, LevenbergMarquardt, Lbfgs or SimulatedAnnealing, optional
        Settings of the optimiser; those of the plan, or the defaults.
    objective : Objective, optional
        Replaces the objective of every step.
    engine : {"fused", "tensor"}
        Compiled loops, or LibTorch autograd (AdamW and L-BFGS-B only).
    device : str, optional
        Where the tensor engine computes: "cpu", "cuda", ...; by default CUDA where there is one.
    polish : bool
        Let Levenberg-Marquardt go on from the best point of the other method.
    start : {"subject", "random"}
        Whether the first start is at the subject's values or at a random point.
    starts : int
        Number of starts, >= 1; all but the first are spread over the ranges by `seed`.
    threads : int
        Threads, >= 1: over starts if there are several, else over MTUs and trials.
    seed : int
        Seed of the start points, or of the modern variant of the annealing, >= 0. Results depend on
        it, not on the number of threads.
    callback : callable, optional
        Called with an `Iteration` after every iteration, from the thread that searches. Ctrl-C (or
        a KeyboardInterrupt it raises) stops the calibration and keeps the best parameters.

    Returns
    -------
    CalibrationResult

    Raises
    ------
    DataError
        If trials lack moments, were read with another subject, have the same name, or a moment
        that counts is constant; if a start value is outside its range.
    OptionError
        If the plan asks for a model that has no gradient, or options do not fit together.
    """
    check_whole("starts", starts, least=1)
    check_whole("threads", threads, least=1)
    check_whole("seed", seed, least=0)
    name, options = choose_method(plan, method, options)
    if isinstance(options, SimulatedAnnealing):
        refuse_for_annealing(
            options,
            objective=objective,
            engine=engine,
            device=device,
            polish=polish,
            start=start,
            starts=starts,
            seed=seed,
        )
        return calibrate_legacy(
            subject, trials, plan, options=options, threads=threads, seed=seed, callback=callback
        )
    _check_inputs(subject, trials, plan)
    tendon = "stiff" if engine_tendon(plan.tendon) == "stiff" else "rosenbrockElastic"
    if engine == "tensor" and (name == "lm" or polish):
        hint = "Levenberg-Marquardt needs the fused engine"
        raise OptionError(wording("method", "adamw or lbfgs on the tensor engine", name, hint))
    search = _Search(
        options=options,
        polish=polish,
        engine=engine,
        start=start,
        starts=starts,
        threads=threads,
        seed=seed,
    )
    steps: list[StepResult] = []
    history: list[Iteration] = []
    for number, planned in enumerate(plan.steps):
        step = planned if objective is None else dataclasses.replace(planned, objective=objective)
        space = ParameterSpace.of(subject, step, plan)
        n_problem = min(threads, starts)
        problems = [
            build_problem(
                subject,
                trials,
                step,
                space,
                tendon=tendon,
                engine=engine,
                threads=threads if starts == 1 else 1,
                device=device,
            )
            for _ in range(n_problem)
        ]
        result, iterations = _run_step(number, space, step, problems, search, callback)
        steps.append(result)
        history += iterations
        subject = space.subject_at(result.x)
        if result.status == "interrupted":
            break
    simulations = {trial.name: simulate(subject, trial, tendon=tendon) for trial in trials}
    return CalibrationResult(
        subject=subject,
        method=name,
        engine=engine,
        device=problems[0].device,
        tendon=tendon,
        options=options,
        polished=polish,
        seed=seed,
        start=start,
        steps=tuple(steps),
        history=tuple(history),
        simulations=simulations,
        fit={trial.name: moment_fit(trial, simulations[trial.name]) for trial in trials},
        identifiability=_identifiability(problems[0], trials, steps[-1], tendon),
    )
