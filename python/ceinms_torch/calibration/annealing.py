"""Calibration as CEINMS 0.9 does it: its model, its objective, its simulated annealing."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ceinms_torch import _kernel
from ceinms_torch.calibration.multi_start import StartResult
from ceinms_torch.calibration.parameter_space import ParameterSpace, groups_of
from ceinms_torch.calibration.result import CalibrationResult, Iteration, StepResult
from ceinms_torch.errors import CeinmsTorchWarning, DataError, OptionError, location, wording
from ceinms_torch.model.calibration import CalibrationPlan, CalibrationStep
from ceinms_torch.model.nms_model import SimulatedAnnealing
from ceinms_torch.model.objective import Objective
from ceinms_torch.model.parameters import PARAMETERS
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.fit import moment_fit
from ceinms_torch.simulation.legacy.inputs import (
    annealing_options,
    check_tendon,
    legacy_model,
    legacy_tables,
    legacy_trial,
)
from ceinms_torch.simulation.legacy.run import simulate_legacy
from ceinms_torch.simulation.moments import check_moments, measured_moments
from ceinms_torch.simulation.simulate import Simulation, check_names, simulate

FloatArray = NDArray[np.float64]


def annealing_settings(
    plan: CalibrationPlan, options: SimulatedAnnealing | None = None
) -> SimulatedAnnealing:
    """Return the settings of the annealing: those asked for, else the plan's.

    Parameters
    ----------
    plan : CalibrationPlan
        The plan.
    options : SimulatedAnnealing, optional
        The settings asked for.

    Returns
    -------
    SimulatedAnnealing

    Raises
    ------
    OptionError
        If nobody says; there are no defaults, as in CEINMS.
    """
    if options is not None:
        return options
    if not isinstance(plan.algorithm, SimulatedAnnealing):
        raise OptionError(
            wording(
                f"{location(plan.path)}: <algorithm>",
                "<simulatedAnnealing>, whose settings have no defaults",
                "another algorithm",
            )
        )
    return plan.algorithm


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


def calibrate_legacy(
    subject: Subject,
    trials: Sequence[Trial],
    plan: CalibrationPlan,
    *,
    options: SimulatedAnnealing | None = None,
    threads: int = 1,
    seed: int = 0,
    callback: Callable[[Iteration], None] | None = None,
) -> CalibrationResult:
    """Calibrate a subject as CEINMS 0.9 does (reference D).

    The same files give the same parameters as the original program, on every platform: the start
    is not evaluated, start values may be outside their ranges, and of an MTU in two groups the
    later one counts. The modern variant evaluates the start, which must be within its ranges, and
    never ends above it.

    Parameters
    ----------
    subject : Subject
        The subject to start from, with curves of its own.
    trials : sequence of Trial
        The trials to calibrate on, read with this subject, with measured moments.
    plan : CalibrationPlan
        Steps, parameters and ranges; tendon "stiff" or "equilibriumElastic", either activation.
    options : SimulatedAnnealing, optional
        Settings of the annealing; those of the plan by default.
    threads : int
        Threads over which trials are spread, >= 1; results do not depend on it.
    seed : int
        Seed of the modern variant, >= 0.
    callback : callable, optional
        Called with an `Iteration` after every temperature. Ctrl-C (or a KeyboardInterrupt it
        raises) stops the calibration and keeps the best parameters.

    Returns
    -------
    CalibrationResult
        Of the method "annealing" on the engine "legacy".

    Raises
    ------
    DataError
        If trials lack moments, do not suit CEINMS, or a moment that counts is constant; if the
        objective is finite nowhere.
    OptionError
        If the plan asks for what CEINMS does not have, or there are no settings.

    Warns
    -----
    CeinmsTorchWarning
        If the elastic tendon finds no equilibrium at some frames with the result.
    """
    settings = annealing_settings(plan, options)
    _check(subject, trials, plan)
    steps: list[StepResult] = []
    history: list[Iteration] = []
    for number, step in enumerate(plan.steps):
        result, iterations, subject = _run_step(
            number, subject, trials, step, plan, settings, threads, seed, callback
        )
        steps.append(result)
        history += iterations
        if result.status == "interrupted":
            break
    simulations = {trial.name: simulate_like(plan, subject, trial) for trial in trials}
    return CalibrationResult(
        subject=subject,
        method="annealing",
        engine="legacy",
        tendon=plan.tendon.kind,
        options=settings,
        polished=False,
        seed=seed if settings.variant == "modern" else 1,  # CEINMS: srand(1)
        start="subject",
        steps=tuple(steps),
        history=tuple(history),
        simulations=simulations,
        fit={trial.name: moment_fit(trial, simulations[trial.name]) for trial in trials},
        identifiability=None,
    )


def simulate_like(plan: CalibrationPlan, subject: Subject, trial: Trial) -> Simulation:
    """Simulate a trial with the model that a legacy calibration used.

    Parameters
    ----------
    plan : CalibrationPlan
        Tendon and activation.
    subject : Subject
        The calibrated subject.
    trial : Trial
        The trial, read with this subject.

    Returns
    -------
    Simulation
    """
    return simulate_legacy(
        subject, trial, tendon=plan.tendon, activation=plan.activation
    ).simulation


def simulate_result(result: CalibrationResult, plan: CalibrationPlan, trial: Trial) -> Simulation:
    """Simulate a trial with a calibrated subject and the model it was calibrated with.

    Parameters
    ----------
    result : CalibrationResult
        The calibration.
    plan : CalibrationPlan
        Its plan.
    trial : Trial
        The trial, read with this subject.

    Returns
    -------
    Simulation
    """
    if result.engine == "legacy":
        return simulate_like(plan, result.subject, trial)
    return simulate(result.subject, trial, tendon=result.tendon)


def _check(subject: Subject, trials: Sequence[Trial], plan: CalibrationPlan) -> None:
    if not trials:
        raise DataError(wording("calibration", "at least one trial", "none"))
    check_tendon(plan.tendon, plan.path)
    plan.check_names(subject)
    for trial in trials:
        check_names(subject, trial)
        check_moments(trial, {dof for step in plan.steps for dof in step.dofs})
        _check_start(subject, trial, plan)
    for step in plan.steps:
        if step.objective != Objective():
            raise OptionError(
                wording(
                    "objective",
                    "<minimizeTorqueError/> as CEINMS has it",
                    "one with a normalisation, penalties or preferences of its own",
                    "other methods than annealing take it",
                )
            )
        for spec in step.parameters:
            if not PARAMETERS[spec.kind].in_annealing:
                raise OptionError(
                    wording(
                        location(plan.path, spec.line, "<parameter>"),
                        "a parameter that CEINMS can calibrate",
                        spec.kind,
                        "other methods than annealing calibrate it",
                    )
                )


def _check_start(subject: Subject, trial: Trial, plan: CalibrationPlan) -> None:
    """Find NaN and infinity before minutes of searching, not after them."""
    with warnings.catch_warnings():
        # What is doubtful at the start may be mended by the calibration.
        warnings.simplefilter("ignore", CeinmsTorchWarning)
        simulate_like(plan, subject, trial)


def _problem(
    subject: Subject,
    trials: Sequence[Trial],
    step: CalibrationStep,
    space: ParameterSpace,
    plan: CalibrationPlan,
    threads: int,
) -> _kernel.LegacyProblem:
    slot, component = space.slots()
    return _kernel.LegacyProblem(
        tables=legacy_tables(subject),
        model=legacy_model(plan.tendon, plan.activation, online=False),
        trials=[legacy_trial(subject, trial) for trial in trials],
        measured=[measured_moments(trial) for trial in trials],
        dofs=np.array([subject.dof_names.index(name) for name in step.dofs], dtype=np.int64),
        start=subject.parameters(),
        slot=slot,
        component=component,
        threads=min(threads, len(trials)),
    )


def _terms(best: _kernel.LegacyEvaluation) -> dict[str, float]:
    return {"moment": best.moment, "fibre_length": best.penalty}


def _iteration(number: int, step: CalibrationStep, item: _kernel.LegacyIteration) -> Iteration:
    return Iteration(
        step=number,
        start=0,
        iteration=item.iteration,
        evaluations=item.evaluations,
        seconds=item.seconds,
        objective=item.best.objective,
        terms=_terms(item.best),
        rmse=dict(zip(step.dofs, item.best.rmse, strict=True)),
    )


def _step_result(
    step: CalibrationStep, space: ParameterSpace, found: _kernel.LegacyMinimum
) -> StepResult:
    width = np.where(space.upper > space.lower, space.upper - space.lower, 1.0)
    iterations = found.history[-1].iteration if found.history else 0
    only = StartResult(
        objective=found.best.objective,
        iterations=iterations,
        status=found.status,
        finished=found.status != "interrupted",
    )
    return StepResult(
        step=step,
        space=space,
        x=(found.x - space.lower) / width,
        objective=found.best.objective,
        terms=_terms(found.best),
        iterations=iterations,
        evaluations=found.evaluations,
        seconds=found.seconds,
        status=found.status,
        starts=(only,),
    )


def _run_step(
    number: int,
    subject: Subject,
    trials: Sequence[Trial],
    step: CalibrationStep,
    plan: CalibrationPlan,
    settings: SimulatedAnnealing,
    threads: int,
    seed: int,
    callback: Callable[[Iteration], None] | None,
) -> tuple[StepResult, list[Iteration], Subject]:
    space = ParameterSpace.of(subject, step, plan, check_start=settings.variant == "modern")
    problem = _problem(subject, trials, step, space, plan, threads)
    found = _kernel.legacy_anneal(
        problem,
        start=np.array([component.start for component in space.components]),
        lower=space.lower,
        upper=space.upper,
        options=annealing_options(settings, seed + number),
        callback=None
        if callback is None
        else lambda item: callback(_iteration(number, step, item)),
    )
    if not np.isfinite(found.best.objective):
        raise DataError(
            wording(
                f"calibration step {number + 1}, trials {', '.join(t.name for t in trials)}",
                "a finite objective somewhere within the ranges",
                "NaN or infinity",
                "check lengths, moment arms and start values of all MTUs",
            )
        )
    _warn_of_failures(subject, problem.failures)
    slot, taken = space.slots()
    matrix = subject.parameters()
    matrix.flat[slot] = found.x[taken]
    iterations = [_iteration(number, step, item) for item in found.history]
    return _step_result(step, space, found), iterations, subject.with_parameters(matrix)


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
