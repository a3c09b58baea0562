"""The synergy-hybrid objective, eq. (5), on either engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
from ceinms_torch.calibration.problems.eq4 import FusedProblem, TensorProblem, tensor_gradient
from ceinms_torch.errors import OptionError
from ceinms_torch.model.calibration import CalibrationStep
from ceinms_torch.model.options import AdamW, Lbfgs, LevenbergMarquardt, Optimiser
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.synergy_hybrid import SynergyHybrid
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.batch import side_by_side
from ceinms_torch.simulation.engine import EngineName, check_fused
from ceinms_torch.synergies.channels import Channels
from ceinms_torch.synergies.space import Nodes, SynergySpace

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class HybridSetting:
    """What a hybrid problem needs beside a calibration step.

    Parameters
    ----------
    channels : Channels
        Recorded and synthesised excitations.
    hybrid : SynergyHybrid
        Weights.
    n_synergy : int
        Number of synergies.
    nodes : tuple of Nodes
        Of each trial's primitives.
    recorded : tuple of ndarray (n_channel, n_node)
        Each trial's channels at its nodes.
    """

    channels: Channels
    hybrid: SynergyHybrid
    n_synergy: int
    nodes: tuple[Nodes, ...]
    recorded: tuple[FloatArray, ...]

    @classmethod
    def of(
        cls, trials: Sequence[Trial], channels: Channels, hybrid: SynergyHybrid, n_synergy: int
    ) -> HybridSetting:
        """Lay out the primitives of trials."""
        nodes = tuple(Nodes.of(trial, hybrid.primitive_rate) for trial in trials)
        return cls(
            channels=channels,
            hybrid=hybrid,
            n_synergy=n_synergy,
            nodes=nodes,
            recorded=tuple(
                np.ascontiguousarray(trial.excitation[one.rows][:, channels.tracked].T)
                for trial, one in zip(trials, nodes, strict=True)
            ),
        )

    def space(self, n_parameter: int) -> SynergySpace:
        """Return how a point is made of parameters, weightings and primitives."""
        return SynergySpace(
            n_parameter=n_parameter,
            n_synergy=self.n_synergy,
            n_weighted=self.channels.n_channel + len(self.channels.synthesised),
            n_set=1 if self.hybrid.weightings == "shared" else len(self.nodes),
            n_node=tuple(len(one) for one in self.nodes),
        )

    def weights(self) -> dict[str, float]:
        """Return the arguments of the engines' HybridOptions."""
        return {
            "excitation_weight": self.hybrid.excitation_weight,
            "synthesised_weight": self.hybrid.synthesised_weight,
            "bounds_weight": self.hybrid.bounds_weight,
            "smoothness_weight": self.hybrid.smoothness_weight,
        }


class FusedHybridProblem:
    """A synergy-hybrid calibration step on the fused engine.

    Parameters
    ----------
    subject, trials, step, space, tendon, filter_start, threads
        As for `FusedProblem`.
    setting : HybridSetting
        What synergies reconstruct and synthesise.
    exact_bounds : bool
        Whether weightings and primitives stay in 0 to 1, or only a penalty keeps them there.
    """

    def __init__(
        self,
        subject: Subject,
        trials: Sequence[Trial],
        step: CalibrationStep,
        space: ParameterSpace,
        setting: HybridSetting,
        *,
        tendon: str,
        filter_start: str = "ceinms",
        exact_bounds: bool = True,
        threads: int = 1,
    ) -> None:
        recorded_only = FusedProblem(
            subject, trials, step, space, tendon=tendon, filter_start=filter_start, threads=threads
        )
        self.device = recorded_only.device
        self.core = _kernel.HybridProblem(
            problem=recorded_only.core,
            n_synergy=setting.n_synergy,
            synthesised=np.array(setting.channels.synthesised),
            recorded=list(setting.recorded),
            rows_per_node=[one.rows_per_node for one in setting.nodes],
            row_interval=[one.row_interval for one in setting.nodes],
            shared_weightings=setting.hybrid.weightings == "shared",
            exact_bounds=exact_bounds,
            options=_kernel.HybridOptions(**setting.weights()),
        )
        self.term_names = tuple(self.core.term_names)

    def gradient(self, x: FloatArray) -> tuple[Point, FloatArray]:
        """Return the objective and its gradient (n,) at x (n,)."""
        evaluation, gradient = self.core.gradient(x)
        return as_point(evaluation.objective, evaluation.terms, evaluation.rmse), gradient

    def minimise(
        self, start: FloatArray, options: Optimiser, callback: Callback | None = None
    ) -> Minimum:
        """Minimise by AdamW or L-BFGS-B, whichever the options belong to."""
        options = smooth(options)
        if isinstance(options, Lbfgs):
            from ceinms_torch.calibration.optimisers.lbfgs import minimise_lbfgs  # noqa: PLC0415  loads scipy

            return minimise_lbfgs(self, start, options, callback, equilibrate=True)
        arguments = call_arguments(start, options, callback)
        return as_minimum(_kernel.minimise_adamw(self.core, **arguments))


class TensorHybridProblem:
    """The same on the tensor engine (LibTorch autograd).

    Parameters
    ----------
    subject, trials, step, space, setting, tendon, filter_start, exact_bounds
        As for `FusedHybridProblem`.
    device : str, optional
        As for `TensorProblem`.
    """

    def __init__(
        self,
        subject: Subject,
        trials: Sequence[Trial],
        step: CalibrationStep,
        space: ParameterSpace,
        setting: HybridSetting,
        *,
        tendon: str,
        filter_start: str = "ceinms",
        exact_bounds: bool = True,
        device: str | None = None,
    ) -> None:
        import torch  # noqa: PLC0415  slow to load

        from ceinms_torch._backend import _torch  # noqa: PLC0415

        recorded_only = TensorProblem(
            subject, trials, step, space, tendon=tendon, filter_start=filter_start, device=device
        )
        self.device = recorded_only.device
        longest = max(one.n_row for one in setting.nodes)
        # Rows beyond a trial's end repeat its last one, as in the batch of the trials.
        matrices = [
            side_by_side([one.to_rows(np.eye(len(one))).T, np.zeros((longest, len(one)))])[..., 0]
            for one in setting.nodes
        ]

        def there(array: FloatArray) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

        self.core = _torch.HybridProblem(
            problem=recorded_only.core,
            n_synergy=setting.n_synergy,
            synthesised=torch.tensor(setting.channels.synthesised, device=self.device),
            recorded=[there(one) for one in setting.recorded],
            interpolation=[there(one) for one in matrices],
            interval=[there(np.diff(one.rows) * one.row_interval) for one in setting.nodes],
            shared_weightings=setting.hybrid.weightings == "shared",
            exact_bounds=exact_bounds,
            options=_torch.HybridOptions(**setting.weights()),
        )
        # As the core declares its terms.
        smooth_ones = ["smoothness"] if setting.hybrid.smoothness_weight > 0.0 else []
        own = ("excitation", "synthesised", "bounds", *smooth_ones)
        self.term_names = (*recorded_only.term_names, *own)

    def gradient(self, x: FloatArray) -> tuple[Point, FloatArray]:
        """Return the objective and its gradient (n,) at x (n,)."""
        return tensor_gradient(self.core, x, self.device)

    def minimise(
        self, start: FloatArray, options: Optimiser, callback: Callback | None = None
    ) -> Minimum:
        """Minimise by AdamW or L-BFGS-B, whichever the options belong to."""
        import torch  # noqa: PLC0415  slow to load

        from ceinms_torch._backend import _torch  # noqa: PLC0415

        options = smooth(options)
        if isinstance(options, Lbfgs):
            from ceinms_torch.calibration.optimisers.lbfgs import minimise_lbfgs  # noqa: PLC0415  loads scipy

            return minimise_lbfgs(self, start, options, callback, equilibrate=True)
        begin = torch.from_numpy(start).to(self.device)
        arguments = call_arguments(start, options, callback) | {"start": begin}
        return as_minimum(_torch.minimise_adamw(self.core, **arguments))


def smooth(options: Optimiser) -> AdamW | Lbfgs:
    """Refuse Levenberg-Marquardt, whose matrix would hold all primitives.

    Parameters
    ----------
    options : Optimiser
        Settings of any optimiser.

    Returns
    -------
    AdamW or Lbfgs

    Raises
    ------
    OptionError
        If they are those of Levenberg-Marquardt.
    """
    if isinstance(options, LevenbergMarquardt):
        hint = "primitives are searched, too, too many numbers for the matrix of lm"
        raise OptionError(
            where="method", expected="lbfgs or adamw with synergies", got="lm", hint=hint
        )
    return options


def build_hybrid_problem(
    subject: Subject,
    trials: Sequence[Trial],
    step: CalibrationStep,
    space: ParameterSpace,
    setting: HybridSetting,
    *,
    tendon: str,
    engine: EngineName = "fused",
    options: Optimiser,
    threads: int = 1,
    device: str | None = None,
) -> FusedHybridProblem | TensorHybridProblem:
    """Return a synergy-hybrid step as an optimiser sees it.

    Parameters
    ----------
    subject, trials, step, space, tendon, engine, threads, device
        As for `build_problem`.
    setting : HybridSetting
        What synergies reconstruct and synthesise.
    options : AdamW or Lbfgs
        The optimiser: L-BFGS-B keeps weightings and primitives within exact bounds, with the
        paper's AdamW a penalty does.

    Returns
    -------
    FusedHybridProblem or TensorHybridProblem
    """
    exact = isinstance(options, Lbfgs)
    if engine == "tensor":
        return TensorHybridProblem(
            subject,
            trials,
            step,
            space,
            setting,
            tendon=tendon,
            exact_bounds=exact,
            device=device,
        )
    check_fused(engine, device)
    return FusedHybridProblem(
        subject, trials, step, space, setting, tendon=tendon, exact_bounds=exact, threads=threads
    )
