"""A calibration step on the tensor engine: LibTorch autograd, the paper's formulation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ceinms_torch.arrays import FloatArray
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.problems.linear_terms import linear_terms
from ceinms_torch.calibration.problems.objective import engine_objective
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.optimisers.problem import Differentiable, Evaluation
from ceinms_torch.plan.calibration import CalibrationStep
from ceinms_torch.simulation.batch import side_by_side, trial_batch
from ceinms_torch.simulation.curves import tensor_curves
from ceinms_torch.simulation.engine import tensor_device
from ceinms_torch.simulation.moments import measured_moments, moment_variance
from ceinms_torch.simulation.simulate import engine_tendon

if TYPE_CHECKING:
    from ceinms_torch import _torch


class TensorProblem(Differentiable):
    """A calibration step on the tensor engine.

    Parameters
    ----------
    subject, trials, step, space, tendon, filter_start
        As for `FusedProblem`.
    device : str, optional
        Where it computes: "cpu", "cuda", ...; by default CUDA where there is one.

    Raises
    ------
    DataError
        If a measured moment that counts is constant.
    OptionError
        If there is no such device.
    """

    core: _torch.Problem
    why_no_residuals = "Levenberg-Marquardt needs the fused engine"

    def __init__(
        self,
        subject: Subject,
        trials: Sequence[Trial],
        step: CalibrationStep,
        space: ParameterSpace,
        *,
        tendon: str,
        filter_start: str = "ceinms",
        device: str | None = None,
    ) -> None:
        import torch  # noqa: PLC0415  slow to load

        from ceinms_torch._backend import _torch  # noqa: PLC0415

        counted = step.moment_dofs(subject.dof_names)
        dofs = [subject.dof_names.index(name) for name in counted]
        place = tensor_device(device)
        measured = side_by_side([measured_moments(trial) for trial in trials])
        self.module: Any = _torch
        self.device = str(place)
        self.core = _torch.Problem(
            curves=tensor_curves(subject, place),
            batch=trial_batch(trials, self.device),
            target=_torch.Target(
                measured_moment=torch.from_numpy(measured).to(place),
                variance=torch.from_numpy(moment_variance(trials, step)).to(place),
                dofs=torch.tensor(dofs, device=place),
            ),
            map=space.map(),
            objective=engine_objective(step, subject),
            linear_terms=linear_terms(step, space, len(trials)),
            tendon=engine_tendon(tendon),
            filter_start=filter_start,
        )
        self.term_names = tuple(self.core.term_names)

    def gradient(self, x: FloatArray) -> tuple[Evaluation, FloatArray]:
        """Return the objective and its gradient (n,) at x (n,)."""
        return self.gradient_of(self.core, x)

    def gradient_of(
        self, core: _torch.Problem | _torch.SynergyProblem, x: FloatArray
    ) -> tuple[Evaluation, FloatArray]:
        """Return the same of any graph of LibTorch."""
        import torch  # noqa: PLC0415  slow to load

        variable = torch.tensor(x, dtype=torch.float64, device=self.device, requires_grad=True)
        graph = core.evaluate(variable)
        objective = graph.objective()
        (gradient,) = torch.autograd.grad(objective, variable)
        evaluation = Evaluation(
            objective=float(objective.detach()),
            terms=term_values(graph),
            rmse=tuple(graph.rmse.mean(1).tolist()),
        )
        return evaluation, gradient.cpu().numpy()


def term_values(graph: _torch.Evaluation) -> tuple[float, ...]:
    """Return the terms of an objective as numbers."""
    return tuple(float(one.value.detach()) for one in graph.terms)
