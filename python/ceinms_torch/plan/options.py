"""Settings of optimisers that CEINMS 0.9 does not have, with their defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from ceinms_torch.model.parameters import Interval
from ceinms_torch.model.settings import Count, NotNegative, Positive, Settings

Improvement = Literal["relative", "absolute"]
DecayWhen = Literal["stalled", "always"]


class Optimiser(Settings):
    """Settings of a search from a start, see `optimisers.minimise`.

    Attributes
    ----------
    method : str
        Name of the method, in `calibrate` and in results.
    max_iterations : int
        Upper limit of iterations; >= 1.
    """

    method: ClassVar[str]
    max_iterations: int


@dataclass(frozen=True, kw_only=True)
class AdamW(Optimiser):
    """Settings of the AdamW optimiser and of its stopping rule.

    Parameters
    ----------
    learning_rate : float
        Step size at the start, in units of the parameters' ranges; > 0.
    learning_rate_decay : float
        Factor on the learning rate; in (0, 1].
    decay_when : {"stalled", "always"}
        Whether the learning rate decays after iterations that end above the best point so far, or
        after every iteration, as in the paper. Steps that still lead down stay long.
    min_learning_rate : float
        The learning rate never falls below this; >= 0.
    max_iterations : int
        Upper limit of iterations; >= 1.
    min_improvement : float
        Fall of the loss that counts as progress, as `improvement` says; >= 0.
    patience : int
        Stop after this many iterations without progress, see `optimisers.run.EarlyStopping`; >= 1.
    weight_decay : float
        Decoupled pull towards the start values per unit of learning rate; >= 0.
    improvement : {"relative", "absolute"}
        Whether `min_improvement` is a share of the loss, or of the moment errors in it, or else a
        number in the unit of the loss.

    Raises
    ------
    OptionError
        If a value is outside its range.
    """

    method: ClassVar[str] = "adamw"
    learning_rate: Positive = 0.05
    learning_rate_decay: Annotated[float, Interval(low=0.0, high=1.0, without_low=True)] = 0.99
    min_learning_rate: NotNegative = 1e-4
    max_iterations: Count = 3000
    min_improvement: NotNegative = 1e-3
    patience: Count = 30
    weight_decay: NotNegative = 0.0
    improvement: Improvement = "relative"
    decay_when: DecayWhen = "stalled"

    def next_learning_rate(self, now: float, *, is_best: bool) -> float:
        """Return what follows an iterate, which is the best so far or not."""
        if is_best and self.decay_when == "stalled":
            return now
        return max(self.min_learning_rate, now * self.learning_rate_decay)


@dataclass(frozen=True, kw_only=True)
class LevenbergMarquardt(Optimiser):
    """Settings of the Levenberg-Marquardt optimiser and of its stopping rules.

    Parameters
    ----------
    max_iterations : int
        Upper limit of iterations; >= 1.
    min_improvement : float
        Relative fall of the loss, or of the moment errors in it, that counts as progress; >= 0.
    patience : int
        Stop after this many iterations without progress, see `optimisers.run.EarlyStopping`; >= 1.
    min_gradient : float
        Stop when no component of the projected gradient exceeds this share of the loss; >= 0.
    min_step : float
        Stop when no parameter moves by more than this share of its range; >= 0.
    damping : float
        Damping at the start, relative to the diagonal of the Gauss-Newton matrix; > 0.

    Raises
    ------
    OptionError
        If a value is outside its range.
    """

    method: ClassVar[str] = "lm"
    max_iterations: Count = 400
    min_improvement: NotNegative = 1e-5
    patience: Count = 5
    min_gradient: NotNegative = 1e-10
    min_step: NotNegative = 1e-9
    damping: Positive = 1e-2


@dataclass(frozen=True, kw_only=True)
class Lbfgs(Optimiser):
    """Settings of the L-BFGS-B optimiser (scipy's) and of its stopping rules.

    Parameters
    ----------
    max_iterations : int
        Upper limit of iterations; >= 1.
    min_improvement : float
        Stop when an iteration lowers the loss by less than this times the loss, or times 1 if the
        loss is smaller, and the moment errors in it by less than this times themselves; >= 0.
    min_gradient : float
        Stop when no component of the projected gradient, by variables as they are scaled in the
        search, exceeds this; >= 0.
    memory : int
        Number of past steps from which curvature is estimated; >= 1.

    Raises
    ------
    OptionError
        If a value is outside its range.
    """

    method: ClassVar[str] = "lbfgs"
    max_iterations: Count = 1000
    min_improvement: NotNegative = 1e-7
    min_gradient: NotNegative = 1e-6
    memory: Count = 20


# Also "annealing", that of CEINMS.
MethodName = Literal["lm", "adamw", "lbfgs", "annealing"]
# By the element that asks for them in a calibration file; the first is the default.
OPTIMISERS: dict[str, type[Optimiser]] = {
    "levenbergMarquardt": LevenbergMarquardt,
    "adamW": AdamW,
    "lbfgs": Lbfgs,
}
