"""Hybrid calibration with primitives that are sums of Gaussians, a few variables each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.optimisers.problem import Differentiable, Evaluation
from ceinms_torch.synergies.gaussians import fit_gaussians, gaussian_bumps, gaussian_limits
from ceinms_torch.synergies.problem import SynergyProblem, SynergySetting
from ceinms_torch.synergies.space import SynergySpace


@dataclass(frozen=True, kw_only=True)
class GaussianSpace:
    """How a point of few variables is one of a hybrid problem.

    A point holds parameters and weightings as that of the problem does, then for every trial and
    synergy the amplitudes, centres and widths of its Gaussians, each within 0 to 1 of its range.

    Parameters
    ----------
    layout : SynergySpace
        Of the problem.
    phases : tuple of ndarray (n_node,)
        Times of each trial's nodes [s].
    n_bump : int
        Gaussians per primitive.
    """

    layout: SynergySpace
    phases: tuple[FloatArray, ...]
    n_bump: int

    @classmethod
    def of(cls, setting: SynergySetting, n_parameter: int, n_bump: int) -> GaussianSpace:
        """Lay out the Gaussians of a setting."""
        return cls(
            layout=setting.space(n_parameter),
            phases=tuple(np.asarray(one.rows * one.row_interval) for one in setting.nodes),
            n_bump=n_bump,
        )

    def reduced(self, point: FloatArray) -> FloatArray:
        """Return the nearest point of Gaussians, in the unit box."""
        parts = [point[: self.layout.first_primitive]]
        for phase, primitives in zip(self.phases, self.layout.primitives(point), strict=True):
            fitted = fit_gaussians(primitives, phase, self.n_bump)
            variables = np.concatenate([fitted.amplitude, fitted.centre, fitted.width], axis=1)
            lower, upper = gaussian_limits(phase, self.n_bump)
            parts.append(np.clip((variables - lower) / (upper - lower), 0.0, 1.0).ravel())
        return np.concatenate(parts)

    def full(self, point: FloatArray) -> FloatArray:
        """Return the point of the problem."""
        parts = [point[: self.layout.first_primitive]]
        for phase, variables in zip(self.phases, self._variables(point), strict=True):
            shapes = [gaussian_bumps(one, phase, None)[0] for one in variables]
            made = [np.split(one, 3)[0] @ two for one, two in zip(variables, shapes, strict=True)]
            parts.append(np.concatenate(made))
        return np.concatenate(parts)

    def pulled_back(self, point: FloatArray, gradient: FloatArray) -> FloatArray:
        """Return a gradient by the problem's point as one by the point of Gaussians."""
        parts = [gradient[: self.layout.first_primitive]]
        slopes = self.layout.primitives(gradient)
        for phase, variables, slope in zip(
            self.phases, self._variables(point), slopes, strict=True
        ):
            lower, upper = gaussian_limits(phase, self.n_bump)
            for one, by_primitive in zip(variables, slope, strict=True):
                amplitude = np.split(one, 3)[0]
                shape, by_centre, by_width = (
                    part @ by_primitive for part in gaussian_bumps(one, phase, None)
                )
                by_variable = [shape, amplitude * by_centre, amplitude * by_width]
                parts.append(np.concatenate(by_variable) * (upper - lower))
        return np.concatenate(parts)

    def _variables(self, point: FloatArray) -> list[FloatArray]:
        """Return amplitudes (-), centres and widths [s] of each trial, (n_synergy, 3 n_bump)."""
        sets = point[self.layout.first_primitive :].reshape(
            len(self.phases), self.layout.n_synergy, 3 * self.n_bump
        )
        result = []
        for phase, one in zip(self.phases, sets, strict=True):
            lower, upper = gaussian_limits(phase, self.n_bump)
            result.append(lower + one * (upper - lower))
        return result


class GaussianProblem(Differentiable):
    """A synergy-hybrid calibration step whose primitives are sums of Gaussians.

    Parameters
    ----------
    problem : SynergyProblem
        With a number per node; a penalty keeps what it makes within 0 to 1.
    space : GaussianSpace
        Its point made of few variables.
    """

    is_uneven = True

    def __init__(self, problem: SynergyProblem, space: GaussianSpace) -> None:
        self.problem, self.space = problem, space
        self.device, self.term_names = problem.device, problem.term_names

    def gradient(self, x: FloatArray) -> tuple[Evaluation, FloatArray]:
        """Return the objective and its gradient (n,) at x (n,)."""
        evaluation, gradient = self.problem.gradient(self.space.full(x))
        return evaluation, self.space.pulled_back(x, gradient)
