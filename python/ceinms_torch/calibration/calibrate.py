"""Calibration by gradient: find the parameters whose moments match inverse dynamics."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ceinms_torch.calibration.annealing import calibrate_legacy
from ceinms_torch.calibration.identifiability import Identifiability, identifiability
from ceinms_torch.calibration.methods import MethodName, choose_method, refuse_for_annealing
from ceinms_torch.calibration.optimisers.minimum import Problem
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.problems.eq4 import FusedProblem, TensorProblem
from ceinms_torch.calibration.result import (
    CalibrationResult,
    Iteration,
    Start,
    StepResult,
)
from ceinms_torch.calibration.search import run_step
from ceinms_torch.errors import DataError, OptionError
from ceinms_torch.model.calibration import CalibrationPlan, CalibrationStep
from ceinms_torch.model.nms_model import SimulatedAnnealing
from ceinms_torch.model.objective import Objective
from ceinms_torch.model.options import Optimiser, check_whole
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.engine import EngineName, check_fused
from ceinms_torch.simulation.moments import check_moments
from ceinms_torch.simulation.simulate import calibrated_tendon, check_names, simulate
from ceinms_torch.simulation.trial_result import TrialResult


def check_inputs(subject: Subject, trials: Sequence[Trial], plan: CalibrationPlan) -> None:
    """Refuse data or a plan that cannot be calibrated by gradient.

    Parameters
    ----------
    subject : Subject
        The subject to start from.
    trials : sequence of Trial
        The trials to calibrate on.
    plan : CalibrationPlan
        What to calibrate.

    Raises
    ------
    DataError
        If trials lack moments, were read with another subject, have the same name, or a moment
        that counts is constant.
    OptionError
        If the plan asks for an activation that is not smooth.
    """
    if not trials:
        raise DataError(where="calibration", expected="at least one trial", got="none")
    names = [trial.name for trial in trials]
    if len(set(names)) < len(names):
        raise DataError(
            where="calibration", expected="trials with different names", got=", ".join(names)
        )
    if plan.activation != "exponential":
        raise OptionError(
            where="activation",
            expected="exponential",
            got=plan.activation,
            hint="calibration by gradient needs an activation that is smooth",
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
    check_fused(engine, device)
    return FusedProblem(
        subject, trials, step, space, tendon=tendon, filter_start=filter_start, threads=threads
    )


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
        If the plan asks for synergies or for a model that has no gradient, or options do not fit
        together.
    """
    check_whole("starts", starts, least=1)
    check_whole("threads", threads, least=1)
    check_whole("seed", seed, least=0)
    if plan.hybrid is not None:
        hint = "call calibrate_hybrid, or replace the plan's hybrid by None"
        raise OptionError(
            where="plan", expected="recorded excitations only", got="<synergyHybrid>", hint=hint
        )
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
    check_inputs(subject, trials, plan)
    plan = plan.with_settings(options, objective)
    tendon = calibrated_tendon(plan.tendon)
    if engine == "tensor" and (name == "lm" or polish):
        hint = "Levenberg-Marquardt needs the fused engine"
        raise OptionError(
            where="method", expected="adamw or lbfgs on the tensor engine", got=name, hint=hint
        )
    steps: list[StepResult] = []
    history: list[Iteration] = []
    for number, step in enumerate(plan.steps):
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
        points = space.starts(starts, seed + number, random=start == "random")
        result, iterations, _ = run_step(
            number, step, space, problems, points, options, polish=polish, callback=callback
        )
        steps.append(result)
        history += iterations
        subject = space.subject_at(result.x)
        if result.status == "interrupted":
            break
    return CalibrationResult(
        subject=subject,
        method=name,
        engine=engine,
        device=problems[0].device,
        tendon=tendon,
        plan=plan,
        polished=polish,
        seed=seed,
        start=start,
        steps=tuple(steps),
        history=tuple(history),
        trials=tuple(TrialResult.of(one, simulate(subject, one, tendon=tendon)) for one in trials),
        identifiability=_identifiability(problems[0], trials, steps[-1], tendon),
    )
