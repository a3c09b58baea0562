"""What a search asks of a problem."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import OptionError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The objective at one point.

    Parameters
    ----------
    objective : float
        The objective, in the unit of its normalisation.
    terms : tuple of float
        Its terms, in the order of `Problem.term_names`.
    rmse : tuple of float
        Root mean square moment error of each DOF that counts, averaged over trials [N m].
    """

    objective: float
    terms: tuple[float, ...]
    rmse: tuple[float, ...]

    @classmethod
    def of(cls, item: Any, **besides: Any) -> Self:
        """Return what a compiled evaluation or iteration says."""
        values = {"objective": item.objective, "terms": tuple(item.terms), "rmse": tuple(item.rmse)}
        return cls(**values, **besides)


class Problem:
    """A calibration step as a search sees it.

    Attributes
    ----------
    core : object
        What compiled searches take, of `_kernel` or `_torch`; None if there is nothing.
    device : str
        Where it is evaluated, as torch spells it.
    term_names : tuple of str
        Names of the objective's terms.
    why_no_residuals : str
        Why it has no residuals with derivatives, for a search that needs them.
    """

    core: Any = None
    device: str = "cpu"
    term_names: tuple[str, ...] = ()
    why_no_residuals: ClassVar[str] = "it has gradients only"


class Differentiable(Problem, abc.ABC):
    """A problem with a gradient.

    Attributes
    ----------
    is_uneven : bool
        Whether its variables differ so much in what they do that scaling them helps.
    is_in_own_unit : bool
        Whether its objective may be of any size, not around 1.
    """

    is_uneven: ClassVar[bool] = False
    is_in_own_unit: ClassVar[bool] = False

    @abc.abstractmethod
    def gradient(self, x: FloatArray) -> tuple[Evaluation, FloatArray]:
        """Return the objective and its gradient (n,) at a point (n,) of the unit box."""


class LeastSquares(Protocol):
    """A problem whose objective is a sum of squares."""

    def residuals(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return all residuals (n_row,), moments first, and their derivatives (n_row, n)."""


class LossWithVariables(Differentiable):
    """A loss as a graph of torch, with variables beside the parameters.

    Attributes
    ----------
    variables : list of dict
        Groups of leaf tensors ("params") with settings, as ``torch.optim.AdamW`` takes them.
    """

    variables: list[dict[str, Any]]

    @abc.abstractmethod
    def evaluate(self, x: torch.Tensor) -> tuple[torch.Tensor, Evaluation]:
        """Return the loss at a point (n,), with its graph, and all that is known of it."""

    @abc.abstractmethod
    def validate(self, x: torch.Tensor) -> float | None:
        """Return the loss of the validation trials at a point (n,); None without such trials."""


class InOwnUnits(Problem):
    """A problem of CEINMS's model, whose points are in the units of the parameters.

    Attributes
    ----------
    lower, upper : ndarray (n,)
        Bounds.
    """

    lower: FloatArray
    upper: FloatArray


def independent_loss() -> OptionError:
    """Return the error of a loss that depends on nothing that is optimised."""
    hint = (
        "compute it from the state by torch, without detach, item or numpy, and name everything "
        "else that is to be optimised in variables"
    )
    expected = "a tensor that depends on what is optimised"
    return OptionError(where="loss", expected=expected, got="one that does not", hint=hint)
