"""Calibration by a loss of the user's own, with networks trained beside the parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ceinms_torch.arrays import FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.calibration.loop import Calibration
from ceinms_torch.calibration.methods import choose_method
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.problems.loss import Loss, LossProblem, Variables, variable_groups
from ceinms_torch.calibration.result import CalibrationResult, Iteration, Start
from ceinms_torch.errors import OptionError
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.optimisers.minimum import Minimum
from ceinms_torch.plan.calibration import CalibrationPlan, CalibrationStep
from ceinms_torch.plan.objective import Objective
from ceinms_torch.plan.options import AdamW, Lbfgs, Optimiser
from ceinms_torch.simulation.engine import EngineName

# The first is the usual one.
_METHODS: dict[str, Optimiser] = {"adamw": AdamW(), "lbfgs": Lbfgs()}


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
        None: which parameters are identifiable follows from eq. (4), not from any loss.
    uncertainty, label, provenance, verification
        As for `CalibrationResult`.
    validation_losses : tuple of float
        Loss of the validation trials at every entry of `history`; empty without such trials.
    """

    validation_losses: tuple[float, ...] = ()


@one_blas_thread
def calibrate_with_loss(
    subject: Subject,
    trials: Sequence[Trial],
    plan: CalibrationPlan,
    loss: Loss,
    *,
    variables: Variables = (),
    validation: Sequence[Trial] = (),
    options: Optimiser | None = None,
    objective: Objective | None = None,
    engine: EngineName = "fused",
    device: str | None = None,
    start: Start = "subject",
    starts: int = 1,
    threads: int = 1,
    seed: int = 0,
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
        L-BFGS-B takes neither variables nor validation trials, and Levenberg-Marquardt, alone or
        to polish, needs a sum of squares.
    objective : Objective, optional
        Replaces the objective of every step.
    engine : {"fused", "tensor"}
        Compiled loops, differentiable once, or LibTorch operations, some tens of times slower.
    device : str, optional
        Where the tensor engine computes: "cpu" (the default), "cuda", ...
    start, starts, seed
        As for `calibrate`; searches follow each other. Variables are one set of tensors, changed in
        place, so that there is one start with them.
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
    result = _LossCalibration(
        subject=subject,
        trials=trials,
        plan=plan,
        loss=loss,
        variables=variable_groups(variables),
        validation=validation,
        options=choose_method(plan, options=options, defaults=_METHODS),
        objective=objective,
        engine=engine,
        device=device,
        start=start,
        starts=starts,
        threads=threads,
        seed=seed,
        begin_at=begin_at,
        callback=callback,
    ).run()
    assert isinstance(result, LossResult)  # noqa: S101  for mypy
    return result


@dataclass(kw_only=True, eq=False)
class _LossCalibration(Calibration):
    """A calibration by a loss of the user's, which one thread calls at a time."""

    loss: Loss
    variables: list[dict[str, Any]]
    validation_losses: list[float] = field(init=False, default_factory=list)

    result_kind: ClassVar[type[CalibrationResult]] = LossResult
    searches_in_parallel: ClassVar[bool] = False
    starts_by_itself: ClassVar[bool] = False
    is_least_squares: ClassVar[bool] = False

    def check(self) -> None:
        """Refuse what `calibrate` refuses, and trials that both fit and judge."""
        if self.plan.synergy_hybrid is not None:
            hint = "replace the plan's hybrid by None"
            raise OptionError(
                where="plan", expected="recorded excitations only", got="<synergyHybrid>", hint=hint
            )
        if self.variables and self.most_starts > 1:
            hint = "variables are changed in place, so that searches cannot share them"
            raise OptionError(
                where="starts", expected="1, with variables", got=str(self.starts), hint=hint
            )
        super().check()

    def problem(self, step: CalibrationStep, space: ParameterSpace, threads: int) -> LossProblem:
        """Return a step with the user's loss."""
        return LossProblem(
            space.subject,
            self.trials,
            step,
            space,
            self.loss,
            tendon=self.tendon,
            variables=self.variables,
            validation=self.validation,
            engine=self.engine,
            device=self.device,
            threads=threads,
        )

    def judge(self, number: int, space: ParameterSpace) -> None:
        """Return None: searches know the losses of the validation trials themselves."""

    def settle(self, space: ParameterSpace, minimum: Minimum) -> tuple[FloatArray, Subject]:
        """Keep the losses of the validation trials, too."""
        losses = [one.validation for one in minimum.history]
        self.validation_losses += [one for one in losses if one is not None]
        return super().settle(space, minimum)

    def besides(self) -> dict[str, Any]:
        """Return the losses of the validation trials."""
        return {"validation_losses": tuple(self.validation_losses)}
