"""The synergy-hybrid objective, eq. (5), on either engine."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from ceinms_torch import _kernel
from ceinms_torch.arrays import FloatArray
from ceinms_torch.calibration.problems.fused import FusedProblem
from ceinms_torch.calibration.problems.tensor import TensorProblem
from ceinms_torch.model.trial import Trial
from ceinms_torch.optimisers.problem import Differentiable, Evaluation
from ceinms_torch.plan.synergy_hybrid import SynergyHybrid
from ceinms_torch.synergies.channels import Channels
from ceinms_torch.synergies.space import Nodes, SynergySpace
from ceinms_torch.synergies.ties import Tie, expected_excitations, find_ties


@dataclass(frozen=True, kw_only=True, eq=False)
class SynergySetting:
    """What a hybrid problem needs beside a calibration step.

    Parameters
    ----------
    channels : Channels
        Recorded and synthesised excitations.
    synergy_hybrid : SynergyHybrid
        Weights.
    n_synergy : int
        Number of synergies.
    nodes : tuple of Nodes
        Of each trial's primitives.
    recorded : tuple of ndarray (n_channel, n_node)
        Each trial's channels at its nodes.
    ties : tuple of Tie
        What synthesised excitations are held to.
    expected : tuple of ndarray (n_tied, n_node)
        The patterns of these in each trial, at its nodes.
    """

    channels: Channels
    synergy_hybrid: SynergyHybrid
    n_synergy: int
    nodes: tuple[Nodes, ...]
    recorded: tuple[FloatArray, ...]
    ties: tuple[Tie, ...]
    expected: tuple[FloatArray, ...]

    @classmethod
    def of(
        cls,
        trials: Sequence[Trial],
        channels: Channels,
        synergy_hybrid: SynergyHybrid,
        n_synergy: int,
    ) -> Self:
        """Lay out the primitives of trials."""
        nodes = tuple(Nodes.of(trial, synergy_hybrid.primitive_rate) for trial in trials)
        excitations = [trial.excitation[one.rows] for trial, one in zip(trials, nodes, strict=True)]
        ties = find_ties(trials, channels, synergy_hybrid)
        return cls(
            channels=channels,
            synergy_hybrid=synergy_hybrid,
            n_synergy=n_synergy,
            nodes=nodes,
            recorded=tuple(np.ascontiguousarray(one[:, channels.tracked].T) for one in excitations),
            ties=ties,
            expected=tuple(
                expected_excitations(ties, channels.mtu_names, one) for one in excitations
            ),
        )

    @property
    def tied(self) -> tuple[int, ...]:
        """Which synthesised MTUs are tied, by their place among them."""
        made = self.channels.synthesised_names
        return tuple(made.index(one.mtu) for one in self.ties)

    def space(self, n_parameter: int) -> SynergySpace:
        """Return how a point is made of parameters, weightings and primitives."""
        return SynergySpace(
            n_parameter=n_parameter,
            n_synergy=self.n_synergy,
            n_weighted=self.channels.n_channel + len(self.channels.synthesised),
            n_set=1 if self.synergy_hybrid.weightings == "shared" else len(self.nodes),
            n_node=tuple(len(one) for one in self.nodes),
        )

    def core(self, *, exact_bounds: bool) -> _kernel.Synergies:
        """Return the same for either engine."""
        # A preference that prefers nothing is not among the terms.
        weights = self.synergy_hybrid
        if not self.ties:
            weights = dataclasses.replace(weights, tie_weight=0.0)
        return _kernel.Synergies(
            n_synergy=self.n_synergy,
            synthesised=np.array(self.channels.synthesised),
            tied=np.array(self.tied, dtype=np.intp),
            recorded=list(self.recorded),
            expected=list(self.expected),
            n_row=[one.n_row for one in self.nodes],
            rows_per_node=[one.rows_per_node for one in self.nodes],
            row_interval=[one.row_interval for one in self.nodes],
            shared_weightings=self.synergy_hybrid.weightings == "shared",
            exact_bounds=exact_bounds,
            objective=_kernel.SynergyObjective(weights),
        )


class SynergyProblem(Differentiable):
    """A synergy-hybrid calibration step, on the engine of the step without synergies.

    Parameters
    ----------
    recorded_only : FusedProblem or TensorProblem
        The step without synergies.
    setting : SynergySetting
        What synergies reconstruct and synthesise.
    exact_bounds : bool
        Whether weightings and primitives stay in 0 to 1, or only a penalty keeps them there.
    """

    is_uneven = True
    why_no_residuals = "primitives are searched, too, too many numbers for the matrix of lm"

    def __init__(
        self,
        recorded_only: FusedProblem | TensorProblem,
        setting: SynergySetting,
        *,
        exact_bounds: bool = True,
    ) -> None:
        self._recorded_only = recorded_only
        self.device = recorded_only.device
        self.core = recorded_only.module.SynergyProblem(
            problem=recorded_only.core, synergies=setting.core(exact_bounds=exact_bounds)
        )
        self.term_names = tuple(self.core.term_names)

    def gradient(self, x: FloatArray) -> tuple[Evaluation, FloatArray]:
        """Return the objective and its gradient (n,) at x (n,)."""
        return self._recorded_only.gradient_of(self.core, x)
