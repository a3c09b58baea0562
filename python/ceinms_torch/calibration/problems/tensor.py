"""A calibration step on the tensor engine: LibTorch autograd, the paper's formulation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ceinms_torch.calibration.optimisers.problem import Differentiable, Evaluation, FloatArray
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.problems.linear_terms import linear_terms
from ceinms_torch.model.calibration import CalibrationStep
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.batch import side_by_side, trial_batch
from ceinms_torch.simulation.curves import tensor_curves
from ceinms_torch.simulation.engine import tensor_device
from ceinms_torch.simulation.moments import measured_moments, moment_variance
from ceinms_torch.simulation.simulate import engine_tendon

if TYPE_CHECKING:
    import torch

    from ceinms_torch import _torch


class OnTensorEngine(Differentiable):
    """A problem whose `core` is a graph of LibTorch."""

    core: _torch.Problem | _torch.HybridProblem
    why_no_residuals = "Levenberg-Marquardt needs the fused engine"

    def gradient(self, x: FloatArray) -> tuple[Evaluation, FloatArray]:
        """Return the objective and its gradient (n,) at x (n,)."""
        import torch  # noqa: PLC0415  slow to load

        variable = torch.tensor(x, dtype=torch.float64, device=self.device, requires_grad=True)
        graph = self.core.evaluate(variable)
        objective = graph.objective()
        (gradient,) = torch.autograd.grad(objective, variable)
        evaluation = Evaluation(
            objective=float(objective.detach()),
            terms=term_values(graph),
            rmse=tuple(graph.rmse.mean(1).tolist()),
        )
        return evaluation, gradient.cpu().numpy()


class TensorProblem(OnTensorEngine):
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

        objective = step.objective
        linear = linear_terms(step, space, len(trials))
        dofs = [subject.dof_names.index(name) for name in step.dofs]
        place = tensor_device(device)
        measured = side_by_side([measured_moments(trial) for trial in trials])
        self.device = str(place)
        self.core = _torch.Problem(
            curves=tensor_curves(subject, place),
            batch=trial_batch(trials, self.device),
            target=_torch.Target(
                measured_moment=torch.from_numpy(measured).to(place),
                variance=torch.from_numpy(moment_variance(trials, step.dofs)).to(place),
                dofs=torch.tensor(dofs, device=place),
            ),
            map=_parameter_map(space, place),
            objective=_torch.ObjectiveOptions(
                normalisation=objective.normalisation,
                fibre_length=_torch.RangePenalty(
                    *objective.fibre_length_range, objective.fibre_length_weight
                ),
                tendon_strain=_torch.RangePenalty(
                    *objective.tendon_strain_range, objective.tendon_strain_weight
                ),
                peak_force_weight=objective.peak_force_weight,
            ),
            linear_terms=[
                _torch.LinearTerm(
                    name=one.name,
                    matrix=torch.from_numpy(one.matrix).to(place),
                    offset=torch.from_numpy(one.offset).to(place),
                )
                for one in linear
            ],
            tendon=engine_tendon(tendon),
            filter_start=filter_start,
        )
        # As the core declares its terms.
        self.term_names = (
            "moment",
            "fibre_length",
            *(["tendon_strain"] if engine_tendon(tendon) != "stiff" else []),
            *(["peak_force"] if objective.peak_force_weight > 0.0 else []),
            *(one.name for one in linear),
        )


def term_values(graph: _torch.Evaluation) -> tuple[float, ...]:
    """Return the terms of an objective as numbers."""
    return tuple(float(one.residuals.detach().square().sum()) for one in graph.terms)


def _parameter_map(space: ParameterSpace, device: torch.device) -> _torch.ParameterMap:
    import torch  # noqa: PLC0415  slow to load

    from ceinms_torch._backend import _torch  # noqa: PLC0415

    slots, component = space.slots()
    return _torch.ParameterMap(
        start=torch.from_numpy(space.subject.parameters()).to(device),
        lower=torch.from_numpy(space.lower).to(device),
        upper=torch.from_numpy(space.upper).to(device),
        slot=torch.from_numpy(slots).to(device),
        component=torch.from_numpy(component).to(device),
    )
