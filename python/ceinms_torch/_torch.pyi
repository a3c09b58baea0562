"""
Tensor and calibration layers of ceinms_torch. Import through ceinms_torch._backend.
"""

from __future__ import annotations
import ceinms_torch._kernel
import collections.abc
import torch
import typing

__all__: list[str] = [
    "Curves",
    "Evaluation",
    "HybridOptions",
    "HybridProblem",
    "LinearTerm",
    "ObjectiveOptions",
    "ParameterMap",
    "Problem",
    "RangePenalty",
    "Simulation",
    "Target",
    "Term",
    "TrialBatch",
    "minimise_adamw",
    "simulate",
    "simulate_fused",
    "torch_version",
]

class Curves:
    """
    The four MTU curves as tensors.
    """
    def __init__(
        self,
        tables: typing.Annotated[
            collections.abc.Sequence[tuple[torch.Tensor, torch.Tensor]], "FixedSize(4)"
        ],
    ) -> None:
        """
        tables: four (knots, pieces): active, passive, force-velocity, tendon.
        """

class TrialBatch:
    """
    Padded trials side by side; see cpp/README.md for the axes.
    """
    def __init__(
        self,
        *,
        time: torch.Tensor,
        mtu_length: torch.Tensor,
        mtu_velocity: torch.Tensor,
        moment_arm: torch.Tensor,
        excitation: torch.Tensor,
        excitation_start: torch.Tensor,
        excitation_rate: torch.Tensor,
        is_valid: torch.Tensor,
    ) -> None: ...
    def with_excitation(self, excitation: torch.Tensor) -> TrialBatch:
        """
        The same trials with other excitations (n_row, n_mtu, n_trial), which may carry a graph.
        """
    @property
    def excitation(self) -> torch.Tensor: ...
    @property
    def is_valid(self) -> torch.Tensor: ...
    @property
    def moment_arm(self) -> torch.Tensor: ...
    @property
    def time(self) -> torch.Tensor: ...

class Simulation:
    """
    Trajectories of every MTU and the joint moments, with graph.
    """
    def with_joint_moment(self, joint_moment: torch.Tensor) -> Simulation:
        """
        The same with other joint moments (n_step, n_dof, n_trial) [N m], which may carry a graph.
        """
    @property
    def activation(self) -> torch.Tensor: ...
    @property
    def fibre_length(self) -> torch.Tensor: ...
    @property
    def fibre_velocity(self) -> torch.Tensor: ...
    @property
    def joint_moment(self) -> torch.Tensor: ...
    @property
    def mtu_force(self) -> torch.Tensor: ...
    @property
    def pennation_angle(self) -> torch.Tensor: ...
    @property
    def tendon_strain(self) -> torch.Tensor: ...

class RangePenalty:
    """
    weight * distance^2 outside a range.
    """
    def __init__(
        self,
        lowest: typing.SupportsFloat | typing.SupportsIndex,
        highest: typing.SupportsFloat | typing.SupportsIndex,
        weight: typing.SupportsFloat | typing.SupportsIndex,
    ) -> None: ...

class ObjectiveOptions:
    """
    Normalisation and penalties of eq. 4, weight of the peak force.
    """
    def __init__(
        self,
        *,
        normalisation: str,
        fibre_length: RangePenalty,
        tendon_strain: RangePenalty,
        peak_force_weight: typing.SupportsFloat | typing.SupportsIndex,
    ) -> None: ...

class LinearTerm:
    """
    A term |matrix x - offset|^2 of a point x.
    """
    def __init__(self, *, name: str, matrix: torch.Tensor, offset: torch.Tensor) -> None: ...

class Target:
    """
    Measured moments and which DOFs count.
    """
    def __init__(
        self, *, measured_moment: torch.Tensor, variance: torch.Tensor, dofs: torch.Tensor
    ) -> None: ...
    @property
    def measured_moment(self) -> torch.Tensor: ...

class ParameterMap:
    """
    From the unit box to MTU parameters.
    """
    def __init__(
        self,
        *,
        start: torch.Tensor,
        lower: torch.Tensor,
        upper: torch.Tensor,
        slot: torch.Tensor,
        component: torch.Tensor,
    ) -> None: ...
    def parameters(self, x: torch.Tensor) -> torch.Tensor:
        """
        x (n) in [0, 1] -> (n_kind, n_mtu); differentiable.
        """

class Term:
    """
    One term of the objective; its value is sum(residuals ** 2).
    """
    @property
    def name(self) -> str: ...
    @property
    def residuals(self) -> torch.Tensor: ...

class Evaluation:
    """
    The objective at one point, term by term.
    """
    def objective(self) -> torch.Tensor:
        """
        Sum of all squared residuals; differentiable.
        """
    @property
    def rmse(self) -> torch.Tensor: ...
    @property
    def terms(self) -> list[Term]: ...

class Problem:
    """
    A calibration step as an optimiser sees it.
    """
    def __init__(
        self,
        *,
        curves: Curves,
        batch: TrialBatch,
        target: Target,
        map: ParameterMap,
        objective: ObjectiveOptions,
        tendon: str,
        filter_start: str,
        linear_terms: collections.abc.Sequence[LinearTerm] = [],
    ) -> None: ...
    def evaluate(self, x: torch.Tensor) -> Evaluation:
        """
        Objective and its terms at x (n) in [0, 1]; differentiable.
        """
    def measure(self, x: torch.Tensor, simulation: Simulation) -> Evaluation:
        """
        The same for a simulation of batch with the parameters of x, by either engine.
        """
    @property
    def batch(self) -> TrialBatch: ...
    @property
    def map(self) -> ParameterMap: ...
    @property
    def target(self) -> Target: ...

class HybridOptions:
    """
    Weights of what eq. 5 adds.
    """
    def __init__(
        self,
        *,
        excitation_weight: typing.SupportsFloat | typing.SupportsIndex,
        synthesised_weight: typing.SupportsFloat | typing.SupportsIndex,
        bounds_weight: typing.SupportsFloat | typing.SupportsIndex,
        smoothness_weight: typing.SupportsFloat | typing.SupportsIndex,
    ) -> None: ...

class HybridProblem:
    """
    A calibration step whose unrecorded excitations are sums of synergies (eq. 5). A point is laid out as in _kernel.HybridProblem.
    """
    def __init__(
        self,
        *,
        problem: Problem,
        n_synergy: typing.SupportsInt | typing.SupportsIndex,
        synthesised: torch.Tensor,
        recorded: collections.abc.Sequence[torch.Tensor],
        interpolation: collections.abc.Sequence[torch.Tensor],
        interval: collections.abc.Sequence[torch.Tensor],
        shared_weightings: bool,
        exact_bounds: bool,
        options: HybridOptions,
    ) -> None: ...
    def evaluate(self, x: torch.Tensor) -> Evaluation:
        """
        Objective and its terms at x (n); differentiable.
        """
    @property
    def n_component(self) -> int: ...

@typing.overload
def minimise_adamw(
    problem: Problem,
    start: torch.Tensor,
    *,
    learning_rate: typing.SupportsFloat | typing.SupportsIndex,
    learning_rate_decay: typing.SupportsFloat | typing.SupportsIndex,
    min_learning_rate: typing.SupportsFloat | typing.SupportsIndex,
    max_iterations: typing.SupportsInt | typing.SupportsIndex,
    min_improvement: typing.SupportsFloat | typing.SupportsIndex,
    patience: typing.SupportsInt | typing.SupportsIndex,
    weight_decay: typing.SupportsFloat | typing.SupportsIndex,
    callback: typing.Any = None,
) -> ceinms_torch._kernel.Minimum:
    """
    Minimise from start (n); callback(Iteration) after every evaluation. Ctrl-C stops and keeps the best point.
    """

@typing.overload
def minimise_adamw(
    problem: HybridProblem,
    start: torch.Tensor,
    *,
    learning_rate: typing.SupportsFloat | typing.SupportsIndex,
    learning_rate_decay: typing.SupportsFloat | typing.SupportsIndex,
    min_learning_rate: typing.SupportsFloat | typing.SupportsIndex,
    max_iterations: typing.SupportsInt | typing.SupportsIndex,
    min_improvement: typing.SupportsFloat | typing.SupportsIndex,
    patience: typing.SupportsInt | typing.SupportsIndex,
    weight_decay: typing.SupportsFloat | typing.SupportsIndex,
    callback: typing.Any = None,
) -> ceinms_torch._kernel.Minimum:
    """
    Minimise from start (n); callback(Iteration) after every evaluation. Ctrl-C stops and keeps the best point.
    """

def simulate(
    curves: Curves, parameters: torch.Tensor, batch: TrialBatch, *, tendon: str, filter_start: str
) -> Simulation:
    """
    Simulate all trials at once; differentiable. parameters: (n_kind, n_mtu) float64.
    """

def simulate_fused(
    curves: Curves,
    parameters: torch.Tensor,
    batch: TrialBatch,
    *,
    tendon: str,
    filter_start: str,
    threads: typing.SupportsInt | typing.SupportsIndex = 1,
    instruction_set: str = "auto",
) -> Simulation:
    """
    What simulate gives, by the fused engine: one node of the graph, differentiable once, by parameters, excitation and moment_arm. In the padding the last step is repeated. What is laid out is kept with the batch for the next call.
    """

torch_version: str = "2.13.0"
