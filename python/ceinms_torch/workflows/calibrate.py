"""Calibration by gradient: find the parameters whose moments match inverse dynamics."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ceinms_torch.errors import DataError, OptionError, wording
from ceinms_torch.model.calibration import CalibrationPlan, CalibrationStep
from ceinms_torch.model.options import AdamW, Objective
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.workflows.batch import side_by_side, trial_batch
from ceinms_torch.workflows.curves import curve_tables
from ceinms_torch.workflows.fit import Fit, moment_fit
from ceinms_torch.workflows.parameter_space import ParameterSpace
from ceinms_torch.workflows.simulate import Simulation, check_names, engine_tendon, simulate

if TYPE_CHECKING:
    from ceinms_torch import _torch

FloatArray = NDArray[np.float64]
Start = Literal["subject", "random"]

STATUS_SENTENCES = {
    "converged": "Converged: the objective no longer improves.",
    "max_iterations": (
        "Stopped at the largest number of iterations; more iterations may improve the fit."
    ),
    "interrupted": "Interrupted; the best parameters found so far are kept.",
    "not_finite": (
        "Stopped because the objective became NaN or infinite; the best parameters found before "
        "are kept. Check the ranges of the parameters."
    ),
}


@dataclass(frozen=True, kw_only=True)
class Iteration:
    """The objective at one iterate of one calibration step.

    Parameters
    ----------
    step : int
        Calibration step, from 0.
    iteration : int
        0 is the start.
    evaluations : int
        Evaluations of the objective (and its gradient) so far in this step.
    seconds : float
        Time inside the optimiser so far in this step [s].
    objective : float
        The objective, in the unit of its normalisation.
    terms : dict of str to float
        Share of each term in the objective.
    rmse : dict of str to float
        Root mean square moment error by DOF, averaged over trials [N m].
    """

    step: int
    iteration: int
    evaluations: int
    seconds: float
    objective: float
    terms: dict[str, float]
    rmse: dict[str, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class StepResult:
    """Outcome of one calibration step.

    Parameters
    ----------
    step : CalibrationStep
        What was asked for.
    space : ParameterSpace
        What could change, and from where.
    x : ndarray (n,)
        The best point in the unit box.
    objective : float
        The objective there.
    terms : dict of str to float
        Its terms there.
    iterations, evaluations : int
        How many were done.
    seconds : float
        Time inside the optimiser [s].
    status : {"converged", "max_iterations", "interrupted", "not_finite"}
        Why it stopped; `STATUS_SENTENCES` says it in words.
    """

    step: CalibrationStep
    space: ParameterSpace
    x: FloatArray
    objective: float
    terms: dict[str, float]
    iterations: int
    evaluations: int
    seconds: float
    status: str


@dataclass(frozen=True, kw_only=True, eq=False)
class CalibrationResult:
    """A calibrated subject and an account of how it came about.

    Parameters
    ----------
    subject : Subject
        The calibrated subject: the best one seen.
    method : str
        The optimiser.
    engine : str
        What evaluated the model.
    tendon : str
        The tendon model that was used, by its XML name.
    options : AdamW
        Settings of the optimiser.
    seed : int
        Seed of random start values.
    start : {"subject", "random"}
        Where the search began.
    steps : tuple of StepResult
        One per calibration step.
    history : tuple of Iteration
        Every iterate of every step.
    simulations : dict of str to Simulation
        Every calibration trial, simulated with the calibrated subject.
    fit : dict of str to dict of str to MomentFit
        Moment errors by calibration trial and DOF.
    """

    subject: Subject
    method: str
    engine: str
    tendon: str
    options: AdamW
    seed: int
    start: Start
    steps: tuple[StepResult, ...]
    history: tuple[Iteration, ...] = field(repr=False)
    simulations: dict[str, Simulation] = field(repr=False)
    fit: Fit

    @property
    def objective(self) -> float:
        """Objective of the last step."""
        return self.steps[-1].objective

    @property
    def terms(self) -> dict[str, float]:
        """Terms of the objective of the last step."""
        return self.steps[-1].terms

    @property
    def seconds(self) -> float:
        """Time inside the optimiser, all steps [s]."""
        return sum(step.seconds for step in self.steps)

    @property
    def iterations(self) -> int:
        """Iterations of all steps."""
        return sum(step.iterations for step in self.steps)

    @property
    def evaluations(self) -> int:
        """Evaluations of all steps."""
        return sum(step.evaluations for step in self.steps)

    @property
    def status(self) -> str:
        """Why the calibration ended: the status of its last step."""
        return self.steps[-1].status


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
    for trial in trials:
        check_names(subject, trial)
        if trial.measured_moment is None:
            raise DataError(wording(f"trial {trial.name}", "measured moments", "none"))


def _variance(trials: Sequence[Trial], dofs: tuple[str, ...]) -> FloatArray:
    """Return the sample variance (n_dof, n_trial) [N^2 m^2] of every measured moment."""
    moments = [trial.measured_moment for trial in trials if trial.measured_moment is not None]
    variance = np.stack([np.var(moment, axis=0, ddof=1) for moment in moments], axis=-1)
    for trial, column in zip(trials, variance.T, strict=True):
        for dof, value in zip(trial.dof_names, column.tolist(), strict=True):
            if dof in dofs and value <= 0.0:
                raise DataError(
                    wording(
                        f"trial {trial.name}",
                        f"a measured moment of {dof} that varies",
                        "a constant one",
                        f"take {dof} out of <dofs>, or check the file of measured moments",
                    )
                )
    return variance


def build_problem(
    subject: Subject,
    trials: Sequence[Trial],
    step: CalibrationStep,
    space: ParameterSpace,
    *,
    tendon: str,
    filter_start: str = "ceinms",
) -> _torch.Problem:
    """Return a calibration step as the optimisers of the core see it.

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
    filter_start : {"ceinms", "zero"}
        Start of the activation filter, see `simulate`.

    Returns
    -------
    Problem
        Its `evaluate` takes a point of the unit box as a float64 tensor (n,).

    Raises
    ------
    DataError
        If a measured moment that counts is constant.
    """
    import torch  # noqa: PLC0415  slow to load

    from ceinms_torch._backend import _torch  # noqa: PLC0415

    objective = step.objective
    moments = [trial.measured_moment for trial in trials if trial.measured_moment is not None]
    dofs = [subject.dof_names.index(name) for name in step.dofs]
    tables = [(torch.from_numpy(k), torch.from_numpy(p)) for k, p in curve_tables(subject)]
    return _torch.Problem(
        curves=_torch.Curves(tables),
        batch=trial_batch(trials),
        target=_torch.Target(
            measured_moment=torch.from_numpy(side_by_side(moments)),
            variance=torch.from_numpy(_variance(trials, step.dofs)),
            dofs=torch.tensor(dofs),
        ),
        map=space.parameter_map(),
        objective=_torch.ObjectiveOptions(
            normalisation=objective.normalisation,
            fibre_length=_torch.RangePenalty(
                *objective.fibre_length_range, objective.fibre_length_weight
            ),
            tendon_strain=_torch.RangePenalty(
                *objective.tendon_strain_range, objective.tendon_strain_weight
            ),
        ),
        tendon=engine_tendon(tendon),
        filter_start=filter_start,
    )


def _run_step(
    number: int,
    space: ParameterSpace,
    step: CalibrationStep,
    problem: _torch.Problem,
    x: FloatArray,
    options: AdamW,
    callback: Callable[[Iteration], None] | None,
) -> tuple[StepResult, list[Iteration]]:
    import torch  # noqa: PLC0415  slow to load

    from ceinms_torch._backend import _torch  # noqa: PLC0415

    # The first evaluation comes before its term names are known to Python.
    names = [term.name for term in problem.evaluate(torch.from_numpy(x)).terms]

    def named(item: _torch.Iteration) -> Iteration:
        return Iteration(
            step=number,
            iteration=item.iteration,
            evaluations=item.evaluations,
            seconds=item.seconds,
            objective=item.objective,
            terms=dict(zip(names, item.terms, strict=True)),
            rmse=dict(zip(step.dofs, item.rmse, strict=True)),
        )

    minimum = _torch.minimise_adamw(
        problem,
        torch.from_numpy(x),
        **dataclasses.asdict(options),
        callback=None if callback is None else lambda item: callback(named(item)),
    )
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
        x=minimum.x.numpy(),
        objective=minimum.objective,
        terms=dict(zip(names, minimum.terms, strict=True)),
        iterations=minimum.history[-1].iteration,
        evaluations=minimum.evaluations,
        seconds=minimum.seconds,
        status=minimum.status,
    )
    return result, [named(item) for item in minimum.history]


def calibrate(
    subject: Subject,
    trials: Sequence[Trial],
    plan: CalibrationPlan,
    *,
    options: AdamW | None = None,
    objective: Objective | None = None,
    start: Start = "subject",
    seed: int = 0,
    callback: Callable[[Iteration], None] | None = None,
) -> CalibrationResult:
    """Calibrate a subject by AdamW through the tensor engine (paper, section III-B).

    Parameters
    ----------
    subject : Subject
        The subject to start from.
    trials : sequence of Trial
        The trials to calibrate on, read with this subject, with measured moments.
    plan : CalibrationPlan
        Steps, parameters and ranges. An elastic tendon is the Rosenbrock tendon.
    options : AdamW, optional
        Settings of the optimiser; those of the plan, or the defaults when the plan asks for
        simulated annealing.
    objective : Objective, optional
        Replaces the objective of every step.
    start : {"subject", "random"}
        Begin at the subject's values or at a random point within the ranges.
    seed : int
        Seed of the random point, >= 0.
    callback : callable, optional
        Called with an `Iteration` after every evaluation. Ctrl-C (or a KeyboardInterrupt it
        raises) stops the calibration and keeps the best parameters.

    Returns
    -------
    CalibrationResult

    Raises
    ------
    DataError
        If trials lack moments, were read with another subject, have the same name, or a moment
        that counts is constant; if a start value is outside its range.
    OptionError
        If the plan asks for a model that has no gradient.
    """
    _check_inputs(subject, trials, plan)
    tendon = "stiff" if engine_tendon(plan.tendon) == "stiff" else "rosenbrockElastic"
    if options is None:
        options = plan.algorithm if isinstance(plan.algorithm, AdamW) else AdamW()
    steps: list[StepResult] = []
    history: list[Iteration] = []
    for number, planned in enumerate(plan.steps):
        step = planned if objective is None else dataclasses.replace(planned, objective=objective)
        space = ParameterSpace.of(subject, step, plan)
        problem = build_problem(subject, trials, step, space, tendon=tendon)
        x = space.start() if start == "subject" else space.random_start(seed + number)
        result, iterations = _run_step(number, space, step, problem, x, options, callback)
        steps.append(result)
        history += iterations
        subject = space.subject_at(result.x)
        if result.status == "interrupted":
            break
    simulations = {trial.name: simulate(subject, trial, tendon=tendon) for trial in trials}
    return CalibrationResult(
        subject=subject,
        method="adamw",
        engine="tensor",
        tendon=tendon,
        options=options,
        seed=seed,
        start=start,
        steps=tuple(steps),
        history=tuple(history),
        simulations=simulations,
        fit={trial.name: moment_fit(trial, simulations[trial.name]) for trial in trials},
    )
