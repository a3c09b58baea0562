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
    "Problem",
    "Simulation",
    "SynergyProblem",
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

class Target:
    """
    Measured moments and which DOFs count.
    """
    def __init__(
        self, *, measured_moment: torch.Tensor, variance: torch.Tensor, dofs: torch.Tensor
    ) -> None: ...
    @property
    def measured_moment(self) -> torch.Tensor: ...

class Term:
    """
    One term of the objective, a scalar with a graph.
    """
    @property
    def name(self) -> str: ...
    @property
    def value(self) -> torch.Tensor: ...

class Evaluation:
    """
    The objective at one point, term by term.
    """
    def objective(self) -> torch.Tensor:
        """
        Sum of all terms; differentiable.
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
        map: ceinms_torch._kernel.ParameterMap,
        objective: ceinms_torch._kernel.Objective,
        tendon: str,
        filter_start: str,
        linear_terms: collections.abc.Sequence[ceinms_torch._kernel.LinearTerm] = [],
        stepping: str = "automatic",
    ) -> None: ...
    def evaluate(self, x: torch.Tensor) -> Evaluation:
        """
        Objective and its terms at x (n) in [0, 1]; differentiable.
        """
    def measure(self, x: torch.Tensor, simulation: Simulation) -> Evaluation:
        """
        The same for a simulation of batch with the parameters of x, by either engine.
        """
    def parameters(self, x: torch.Tensor) -> torch.Tensor:
        """
        x (n) in [0, 1] -> (12, n_mtu); differentiable.
        """
    @property
    def batch(self) -> TrialBatch: ...
    @property
    def target(self) -> Target: ...
    @property
    def term_names(self) -> list[str]: ...

class SynergyProblem:
    """
    A calibration step whose unrecorded excitations are sums of synergies (eq. 5). A point is laid out as in _kernel.SynergyProblem.
    """
    def __init__(self, *, problem: Problem, synergies: ceinms_torch._kernel.Synergies) -> None: ...
    def evaluate(self, x: torch.Tensor) -> Evaluation:
        """
        Objective and its terms at x (n); differentiable.
        """
    @property
    def n_component(self) -> int: ...
    @property
    def term_names(self) -> list[str]: ...

@typing.overload
def minimise_adamw(
    problem: Problem, start: torch.Tensor, *, options: typing.Any, callback: typing.Any = None
) -> ceinms_torch._kernel.Minimum:
    """
    Minimise from start (n); callback(Iteration) after every evaluation. Ctrl-C stops and keeps the best point.
    """

@typing.overload
def minimise_adamw(
    problem: SynergyProblem,
    start: torch.Tensor,
    *,
    options: typing.Any,
    callback: typing.Any = None,
) -> ceinms_torch._kernel.Minimum:
    """
    Minimise from start (n); callback(Iteration) after every evaluation. Ctrl-C stops and keeps the best point.
    """

def simulate(
    curves: Curves,
    parameters: torch.Tensor,
    batch: TrialBatch,
    *,
    tendon: str,
    filter_start: str,
    stepping: str = "automatic",
) -> Simulation:
    """
    Simulate all trials at once; differentiable. parameters: (n_kind, n_mtu) float64. stepping: 'compiled' loops over double, on the CPU alone, or 'operations' of LibTorch, step after step, on any device; by default the faster one.
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
