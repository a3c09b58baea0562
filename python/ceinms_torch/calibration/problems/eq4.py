"""A calibration step on one of the engines, and its optimisers, behind one interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ceinms_torch import _kernel
from ceinms_torch.calibration.optimisers.minimum import (
    Callback,
    Minimum,
    Point,
    as_minimum,
    as_point,
    call_arguments,
)
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.problems.linear_terms import linear_terms
from ceinms_torch.calibration.problems.settings import problem_settings
from ceinms_torch.errors import OptionError
from ceinms_torch.model.calibration import CalibrationStep
from ceinms_torch.model.options import AdamW, Lbfgs, LevenbergMarquardt, Optimiser
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.batch import side_by_side, trial_batch
from ceinms_torch.simulation.curves import tensor_curves
from ceinms_torch.simulation.engine import tensor_device
from ceinms_torch.simulation.moments import measured_moments, moment_variance
from ceinms_torch.simulation.simulate import engine_tendon, excitation_rate, mtu_velocity

if TYPE_CHECKING:
    import torch

    from ceinms_torch import _torch

FloatArray = NDArray[np.float64]


class FusedProblem:
    """A calibration step on the fused engine (compiled loops, no torch).

    Not for several threads at a time: give each its own.

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
    threads : int
        Threads over which a simulation is spread; >= 1.
    instruction_set : str
        "auto", or one of `_kernel.instruction_sets()`.

    Raises
    ------
    DataError
        If a measured moment that counts is constant.
    """

    def __init__(
        self,
        subject: Subject,
        trials: Sequence[Trial],
        step: CalibrationStep,
        space: ParameterSpace,
        *,
        tendon: str,
        filter_start: str = "ceinms",
        threads: int = 1,
        instruction_set: str = "auto",
    ) -> None:
        self.device = "cpu"
        variance = moment_variance(trials, step.dofs)
        # Rows of the residuals of each DOF of each trial, in their order.
        self.moment_rows = tuple(len(trial.time) for trial in trials for _ in step.dofs)
        self.core = _kernel.Problem(
            trials=[
                _kernel.TrialArrays(
                    time=trial.time,
                    mtu_length=trial.mtu_length,
                    mtu_velocity=mtu_velocity(trial),
                    moment_arm=trial.moment_arm,
                    excitation=trial.excitation,
                    excitation_start=float(trial.excitation_time[0]),
                    excitation_rate=excitation_rate(trial),
                    measured_moment=measured_moments(trial),
                    variance=variance[:, i],
                )
                for i, trial in enumerate(trials)
            ],
            dofs=np.array([subject.dof_names.index(name) for name in step.dofs]),
            threads=threads,
            instruction_set=instruction_set,
            **problem_settings(
                subject,
                step,
                space,
                n_trial=len(trials),
                tendon=tendon,
                filter_start=filter_start,
            ),
        )

    @property
    def term_names(self) -> tuple[str, ...]:
        """Names of the objective's terms."""
        return tuple(self.core.term_names)

    def gradient(self, x: FloatArray) -> tuple[Point, FloatArray]:
        """Return the objective and its gradient (n,) at x (n,)."""
        evaluation, gradient = self.core.gradient(x)
        return as_point(evaluation.objective, evaluation.terms, evaluation.rmse), gradient

    def residuals(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return all residuals and their derivatives.

        Parameters
        ----------
        x : ndarray (n,)
            A point of the unit box.

        Returns
        -------
        residual : ndarray (n_row,)
            First the moments, trial by trial, DOF by DOF, step by step; then peak forces, trial by
            trial, step by step; a row for every penalty that is not zero; priors and coherence.
            Their squares sum to the objective; with "rmse", whose moment terms are roots, they are
            weighted so that ``2 jacobian.T @ residual`` is its gradient.
        jacobian : ndarray (n_row, n)
            Derivatives by x.
        """
        residual, jacobian = self.core.residuals(x)
        return residual, jacobian

    def minimise(
        self, start: FloatArray, options: Optimiser, callback: Callback | None = None
    ) -> Minimum:
        """Minimise by Levenberg-Marquardt, AdamW or L-BFGS-B, whichever the options belong to."""
        if isinstance(options, Lbfgs):
            from ceinms_torch.calibration.optimisers.lbfgs import minimise_lbfgs  # noqa: PLC0415  loads scipy

            return minimise_lbfgs(self, start, options, callback)
        arguments = call_arguments(start, options, callback)
        if isinstance(options, LevenbergMarquardt):
            return as_minimum(_kernel.minimise_levenberg_marquardt(self.core, **arguments))
        return as_minimum(_kernel.minimise_adamw(self.core, **arguments))


class TensorProblem:
    """A calibration step on the tensor engine (LibTorch autograd, the paper's formulation).

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

    def gradient(self, x: FloatArray) -> tuple[Point, FloatArray]:
        """Return the objective and its gradient (n,) at x (n,)."""
        return tensor_gradient(self.core, x, self.device)

    def minimise(
        self, start: FloatArray, options: Optimiser, callback: Callback | None = None
    ) -> Minimum:
        """Minimise by AdamW or L-BFGS-B, whichever the options belong to.

        Raises
        ------
        OptionError
            For Levenberg-Marquardt, which needs the residuals' derivatives.
        """
        import torch  # noqa: PLC0415  slow to load

        from ceinms_torch._backend import _torch  # noqa: PLC0415

        if isinstance(options, Lbfgs):
            from ceinms_torch.calibration.optimisers.lbfgs import minimise_lbfgs  # noqa: PLC0415  loads scipy

            return minimise_lbfgs(self, start, options, callback)
        if not isinstance(options, AdamW):
            hint = "Levenberg-Marquardt needs the fused engine"
            raise OptionError(
                where="method", expected="adamw or lbfgs on the tensor engine", got="lm", hint=hint
            )
        begin = torch.from_numpy(start).to(self.device)
        arguments = call_arguments(start, options, callback) | {"start": begin}
        return as_minimum(_torch.minimise_adamw(self.core, **arguments))


def tensor_gradient(
    core: _torch.Problem | _torch.HybridProblem, x: FloatArray, device: str
) -> tuple[Point, FloatArray]:
    """Return the objective of a problem on a device and its gradient (n,) at x (n,)."""
    import torch  # noqa: PLC0415  slow to load

    variable = torch.tensor(x, dtype=torch.float64, device=device, requires_grad=True)
    evaluation = core.evaluate(variable)
    objective = evaluation.objective()
    (gradient,) = torch.autograd.grad(objective, variable)
    terms = [float(term.residuals.detach().square().sum()) for term in evaluation.terms]
    rmse = evaluation.rmse.mean(1).tolist()
    return as_point(float(objective.detach()), terms, rmse), gradient.cpu().numpy()


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
