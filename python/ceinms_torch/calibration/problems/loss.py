"""A calibration step whose loss is a function of the user's, as an optimiser sees it."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ceinms_torch.arrays import FloatArray
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.problems.tensor import TensorProblem, evaluation_of
from ceinms_torch.errors import OptionError
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.optimisers.problem import (
    Evaluation,
    LossWithVariables,
    independent_loss,
)
from ceinms_torch.plan.calibration import CalibrationStep
from ceinms_torch.simulation.engine import EngineName, check_fused
from ceinms_torch.simulation.tensors import simulate_tensors

if TYPE_CHECKING:
    import torch

    from ceinms_torch import _torch

Loss = Callable[["ModelState"], "torch.Tensor"]
# As torch.optim takes them: tensors, or groups of them with settings.
Variables = Iterable["torch.Tensor"] | Iterable[Mapping[str, Any]]


@dataclasses.dataclass(kw_only=True, eq=False)
class ModelState:
    """What a loss of one's own sees: the model at one point, as torch tensors with a graph.

    Parameters
    ----------
    trials : tuple of Trial
        The trials, in the order of the last axis of all tensors but `parameters`.
    batch : TrialBatch
        Their data: time (n_step, n_trial) [s], moment_arm (n_step, n_dof, n_mtu, n_trial) [m],
        excitation, and is_valid (n_step, n_trial), False after the end of a shorter trial.
    measured_moment : Tensor (n_step, n_dof, n_trial)
        [N m], all DOFs of the subject.
    parameters : Tensor (n_kind, n_mtu)
        Rows as `parameter_row` says, SI units.
    simulation : Simulation
        As `simulate_tensors` gives it: activation, fibre_length, ..., joint_moment.
    measure : callable
        Eq. (4) of a simulation, term by term; `objective` calls it.
    """

    trials: tuple[Trial, ...]
    batch: _torch.TrialBatch
    measured_moment: torch.Tensor
    parameters: torch.Tensor
    simulation: _torch.Simulation
    measure: Callable[[_torch.Simulation], _torch.Evaluation]
    evaluation: _torch.Evaluation | None = dataclasses.field(init=False, default=None)

    def objective(self, joint_moment: torch.Tensor | None = None) -> torch.Tensor:
        """Return the objective that the calibration step asks for, eq. (4).

        Parameters
        ----------
        joint_moment : Tensor (n_step, n_dof, n_trial), optional
            Moments to compare with the measured ones [N m], float64; by default the model's.

        Returns
        -------
        Tensor ()
            Moment errors and penalties together, differentiable.

        Raises
        ------
        ValueError, TypeError
            If the moments have the wrong shape, device or dtype.
        """
        simulation = self.simulation
        if joint_moment is not None:
            simulation = simulation.with_joint_moment(joint_moment)
        self.evaluation = self.measure(simulation)
        return self.evaluation.objective()


class LossProblem(LossWithVariables):
    """A calibration step whose loss is a function of the user's.

    Not for several threads at a time.

    Parameters
    ----------
    subject, trials, step, space
        As for `FusedProblem`; the step's objective is what `ModelState.objective` returns.
    loss : callable
        Takes a `ModelState`, returns the scalar to minimise.
    tendon : str
        Tendon by its XML name.
    variables : iterable of Tensor or of dict
        Tensors to optimise beside the parameters, such as the weights of a network, as
        ``torch.optim`` takes them; they are changed in place and left at their best values.
    validation : sequence of Trial
        Trials whose loss decides which point is kept and when to stop; by default those that are
        calibrated on.
    engine : {"fused", "tensor"}
        Compiled loops as one node of the graph, or LibTorch operations.
    device : str, optional
        Where the tensor engine computes: "cpu" (the default), "cuda", ...
    threads : int
        Threads of the fused engine, >= 1.

    Attributes
    ----------
    device : str
        Where it computes.
    term_names : tuple of str
        The terms of eq. (4), and "own", what the loss adds to them.
    variables : list of dict
        Groups of variables.

    Raises
    ------
    DataError
        If a measured moment that counts is constant.
    OptionError
        If there is no such engine or device.
    """

    is_in_own_unit = True
    why_no_residuals = "a loss of your own is no sum of squares"

    def __init__(
        self,
        subject: Subject,
        trials: Sequence[Trial],
        step: CalibrationStep,
        space: ParameterSpace,
        loss: Loss,
        *,
        tendon: str,
        variables: Variables = (),
        validation: Sequence[Trial] = (),
        engine: EngineName = "fused",
        device: str | None = None,
        threads: int = 1,
    ) -> None:
        if engine != "tensor":
            check_fused(engine, device)
            device = "cpu"

        def problem(of: Sequence[Trial]) -> TensorProblem:
            return TensorProblem(subject, of, step, space, tendon=tendon, device=device)

        calibrated = problem(trials)
        self.device = calibrated.device
        self.term_names = (*calibrated.term_names, "own")
        self.variables = variable_groups(variables)
        self._subject = subject
        self._loss = loss
        self._settings: dict[str, Any] = {"tendon": tendon, "engine": engine, "threads": threads}
        self._trials = (tuple(trials), calibrated.core)
        self._validation = (tuple(validation), problem(validation).core) if validation else None

    def evaluate(self, x: torch.Tensor) -> tuple[torch.Tensor, Evaluation]:
        """Return the loss, with its graph, and all that is known of it.

        Parameters
        ----------
        x : Tensor (n,)
            A point of the unit box.

        Raises
        ------
        OptionError
            If the loss is no scalar tensor, or has no graph.
        """
        state = self._state(x, *self._trials)
        loss = self._value(state)
        if not loss.requires_grad:
            raise independent_loss()
        seen = evaluation_of(loss, state.evaluation or state.measure(state.simulation))
        terms = seen.terms
        if state.evaluation is None:  # a loss that has nothing to do with them
            terms = (0.0,) * len(terms)
        own = seen.objective - sum(terms)
        return loss, dataclasses.replace(seen, terms=(*terms, own))

    def validate(self, x: torch.Tensor) -> float | None:
        """Return the loss of the validation trials at a point (n,); None without such trials."""
        import torch  # noqa: PLC0415  slow to load

        if self._validation is None:
            return None
        with torch.no_grad():
            return float(self._value(self._state(x, *self._validation)))

    def gradient(self, x: FloatArray) -> tuple[Evaluation, FloatArray]:
        """Return the loss and its gradient (n,) by the parameters at x (n,).

        Where the gradient is not finite, the objective is NaN, which ends a search.

        Raises
        ------
        OptionError
            If the parameters are not all that counts.
        """
        import torch  # noqa: PLC0415  slow to load

        if self.variables or self._validation is not None:
            got = "another method with variables or validation trials"
            hint = "others change parameters only, and judge them by the calibration trials"
            raise OptionError(where="options", expected="AdamW", got=got, hint=hint)
        at = torch.tensor(x, dtype=torch.float64, device=self.device, requires_grad=True)
        loss, evaluation = self.evaluate(at)
        (gradient,) = torch.autograd.grad(loss, at, allow_unused=True)
        if gradient is None:
            raise independent_loss()
        if not gradient.isfinite().all():
            evaluation = dataclasses.replace(evaluation, objective=math.nan)
        return evaluation, gradient.cpu().numpy()

    def _state(
        self, x: torch.Tensor, trials: tuple[Trial, ...], core: _torch.Problem
    ) -> ModelState:
        parameters = core.parameters(x)
        simulation = simulate_tensors(self._subject, core.batch, parameters, **self._settings)
        return ModelState(
            trials=trials,
            batch=core.batch,
            measured_moment=core.target.measured_moment,
            parameters=parameters,
            simulation=simulation,
            measure=functools.partial(core.measure, x),
        )

    def _value(self, state: ModelState) -> torch.Tensor:
        import torch  # noqa: PLC0415  slow to load

        loss: Any = self._loss(state)
        if not isinstance(loss, torch.Tensor):
            raise OptionError(where="loss", expected="a scalar tensor", got=type(loss).__name__)
        if loss.numel() != 1:
            raise OptionError(
                where="loss", expected="a scalar tensor", got=f"shape {tuple(loss.shape)}"
            )
        return loss.reshape(())


def variable_groups(variables: Variables) -> list[dict[str, Any]]:
    """Return variables as groups of leaf tensors, whichever way ``torch.optim`` takes them.

    Parameters
    ----------
    variables : iterable of Tensor or of dict
        Tensors, or groups with "params" and settings of AdamW.

    Returns
    -------
    list of dict
        Each with a list of tensors as "params".

    Raises
    ------
    OptionError
        If one of them is no leaf tensor that requires grad.
    """
    import torch  # noqa: PLC0415  slow to load

    given = list(variables)
    groups = [dict(one) for one in given if isinstance(one, Mapping)]
    tensors = [one for one in given if not isinstance(one, Mapping)]
    if tensors:
        groups.append({"params": tensors})
    for group in groups:
        if "params" not in group:
            got = f"one with {', '.join(group) or 'nothing'}"
            raise OptionError(
                where="variables", expected="groups with tensors as 'params'", got=got
            )
        params = group["params"]
        group["params"] = [params] if isinstance(params, torch.Tensor) else list(params)
        for one in group["params"]:
            if not isinstance(one, torch.Tensor) or not (one.is_leaf and one.requires_grad):
                hint = "give the parameters() of a module, or tensors made with requires_grad=True"
                expected = "leaf tensors that require grad"
                raise OptionError(
                    where="variables", expected=expected, got=type(one).__name__, hint=hint
                )
    return groups
