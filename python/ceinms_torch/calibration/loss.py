"""Calibration by a loss of the user's own, with networks trained beside the parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ceinms_torch.calibration.calibrate import check_inputs
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.problems.loss import Loss, LossProblem, Variables, variable_groups
from ceinms_torch.calibration.result import CalibrationResult, Iteration, StepResult
from ceinms_torch.calibration.search import run_step
from ceinms_torch.errors import DataError, OptionError
from ceinms_torch.model.calibration import CalibrationPlan
from ceinms_torch.model.options import AdamW, Lbfgs, check_whole
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.engine import EngineName
from ceinms_torch.simulation.simulate import calibrated_tendon, simulate
from ceinms_torch.simulation.trial_result import TrialResult


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class LossResult(CalibrationResult):
    """A subject calibrated by a loss of one's own.

    Parameters
    ----------
    subject, method, engine, device, tendon, plan, polished, seed, start, steps, history
        As for `CalibrationResult`; `history` and the objective of `steps` are the loss of the
        trials that were calibrated on. The subject is that of the lowest loss on the validation
        trials, if there were any.
    trials, tests
        What the calibrated subject gives by itself, without anything that the loss adds to it.
    identifiability
        None: what the data determine follows from eq. (4), not from any loss.
    label, provenance
        As for `CalibrationResult`.
    validation_losses : tuple of float
        Loss of the validation trials at every entry of `history`; empty without such trials.
    """

    validation_losses: tuple[float, ...] = ()


def calibrate_with_loss(
    subject: Subject,
    trials: Sequence[Trial],
    plan: CalibrationPlan,
    loss: Loss,
    *,
    variables: Variables = (),
    validation: Sequence[Trial] = (),
    options: AdamW | Lbfgs | None = None,
    engine: EngineName = "fused",
    device: str | None = None,
    threads: int = 1,
    begin_at: Subject | None = None,
    callback: Callable[[Iteration], None] | None = None,
) -> LossResult:
    """Calibrate a subject by a loss of your own, within the ranges of its plan.

    Parameters
    ----------
    subject : Subject
        The subject to start from.
    trials : sequence of Trial
        The trials to calibrate on, read with this subject, with measured moments.
    plan : CalibrationPlan
        Steps, parameters, ranges, and the objective that `ModelState.objective` returns. An
        elastic tendon is the Rosenbrock tendon.
    loss : callable
        Takes a `ModelState`, returns a scalar tensor to minimise.
    variables : iterable of Tensor or of dict
        What is optimised beside the parameters, such as ``network.parameters()`` (float64), or
        groups with a learning rate and weight decay of their own, as ``torch.optim.AdamW`` takes
        them. They are changed in place and left at the values that belong to the subject returned.
    validation : sequence of Trial
        Trials that nothing is fitted to: their loss, by the same function, decides which point is
        kept and when to stop. Without a graph (`torch.is_grad_enabled` tells the loss), but in
        the mode that networks are in: dropout and batch normalisation are the loss's to switch.
    options : AdamW or Lbfgs, optional
        Settings of the optimiser; those of the plan if it names one of these, or of AdamW.
        L-BFGS-B takes neither variables nor validation trials.
    engine : {"fused", "tensor"}
        Compiled loops, differentiable once, or LibTorch operations, some hundred times slower.
    device : str, optional
        Where the tensor engine computes: "cpu", "cuda", ...; by default CUDA where there is one.
    threads : int
        Threads of the fused engine, >= 1.
    begin_at : Subject, optional
        Where the parameters start, within the ranges about `subject`: say what `calibrate` found
        on the same trials, without those of `validation`.
    callback : callable, optional
        Called with an `Iteration` after every iteration. Ctrl-C (or a KeyboardInterrupt it raises)
        stops the calibration and keeps the best.

    Returns
    -------
    LossResult

    Raises
    ------
    DataError
        As `calibrate`; if a validation trial is among the trials, or the loss is not finite at the
        start.
    OptionError
        If the loss is no scalar tensor with a graph, a variable is no leaf tensor, or options do
        not fit together.

    Examples
    --------
    Errors that count as they are, not squared, beside the objective of the plan::

        def loss(state):
            error = state.simulation.joint_moment - state.measured_moment
            absolute = error.abs().movedim(1, 2)[state.batch.is_valid].mean()
            return state.objective() + 0.01 * absolute


        result = ct.calibrate_with_loss(folder.subject, folder.trials, folder.plan, loss)
    """
    check_whole("threads", threads, least=1)
    _check_trials(subject, trials, plan, validation)
    groups = variable_groups(variables)
    if options is None:
        options = plan.algorithm if isinstance(plan.algorithm, (AdamW, Lbfgs)) else AdamW()
    tendon = calibrated_tendon(plan.tendon)
    steps: list[StepResult] = []
    history: list[Iteration] = []
    validation_losses: list[float] = []
    for number, step in enumerate(plan.steps):
        space = ParameterSpace.of(subject, step, plan)
        problem = LossProblem(
            subject,
            trials,
            step,
            space,
            loss,
            tendon=tendon,
            variables=groups,
            validation=validation,
            engine=engine,
            device=device,
            threads=threads,
        )
        begin = space.start() if begin_at is None or number else space.point_of(begin_at)
        result, iterations, _ = run_step(
            number, step, space, [problem], begin[None], options, callback=callback
        )
        steps.append(result)
        history += iterations
        validation_losses += problem.validation_losses
        subject = space.subject_at(result.x)
        if result.status == "interrupted":
            break
    return LossResult(
        subject=subject,
        method="adamw" if isinstance(options, AdamW) else "lbfgs",
        engine=engine,
        device=problem.device,
        tendon=tendon,
        plan=plan.with_settings(options),
        polished=False,
        seed=0,
        start="subject",
        steps=tuple(steps),
        history=tuple(history),
        trials=tuple(TrialResult.of(one, simulate(subject, one, tendon=tendon)) for one in trials),
        identifiability=None,
        validation_losses=tuple(validation_losses),
    )


def _check_trials(
    subject: Subject, trials: Sequence[Trial], plan: CalibrationPlan, validation: Sequence[Trial]
) -> None:
    if plan.hybrid is not None:
        hint = "replace the plan's hybrid by None"
        raise OptionError(
            where="plan", expected="recorded excitations only", got="<synergyHybrid>", hint=hint
        )
    check_inputs(subject, trials, plan)
    if validation:
        check_inputs(subject, validation, plan)
    seen = {trial.name for trial in trials} & {trial.name for trial in validation}
    if seen:
        hint = "validation trials judge what the others are fitted to"
        raise DataError(
            where="validation",
            expected="trials that are not fitted",
            got=", ".join(sorted(seen)),
            hint=hint,
        )
