"""Settings of optimisers that CEINMS 0.9 does not have, with their defaults."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, Self, get_args

from ceinms_torch.errors import OptionError, did_you_mean

Improvement = Literal["relative", "absolute"]


class Settings:
    """What all settings of a calibration file have in common: their names there.

    An XML name is the Python name in camel case, ``max_iterations`` being ``maxIterations``.
    """

    @classmethod
    def _attributes(cls) -> dict[str, str]:
        """Return the Python name of every setting by its XML name."""
        names = [field.name for field in fields(cls)]  # type: ignore[arg-type]  # a dataclass below
        return {re.sub(r"_(.)", lambda match: match[1].upper(), name): name for name in names}

    def to_dict(self) -> dict[str, Any]:
        """Return the options under the names the calibration XML uses.

        Returns
        -------
        dict of str to float or int
        """
        return {name: getattr(self, attribute) for name, attribute in self._attributes().items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make the options from names the calibration XML uses; others keep their default.

        Parameters
        ----------
        values : mapping of str to number
            Any of the XML names.

        Returns
        -------
        Settings
            Of the same type.

        Raises
        ------
        OptionError
            If a name is unknown or a value outside its range.
        """
        attributes = cls._attributes()
        check_names(values, attributes)
        return cls(**{attributes[name]: value for name, value in values.items()})


class Optimiser(Settings):
    """Settings of a search from a start, see `calibration.optimisers.minimise`.

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
        Factor on the learning rate after every iteration; in (0, 1].
    min_learning_rate : float
        The learning rate never falls below this; >= 0.
    max_iterations : int
        Upper limit of iterations; >= 1.
    min_improvement : float
        Fall of the loss that counts as progress, as `improvement` says; >= 0.
    patience : int
        Stop after this many iterations without progress; >= 1.
    weight_decay : float
        Decoupled pull towards the start values per unit of learning rate; >= 0.
    improvement : {"relative", "absolute"}
        Whether `min_improvement` is a share of the loss, or in its unit.

    Raises
    ------
    OptionError
        If a value is outside its range.
    """

    method: ClassVar[str] = "adamw"
    learning_rate: float = 0.05
    learning_rate_decay: float = 0.99
    min_learning_rate: float = 1e-4
    max_iterations: int = 300
    min_improvement: float = 1e-4
    patience: int = 30
    weight_decay: float = 0.0
    improvement: Improvement = "relative"

    def __post_init__(self) -> None:
        """Check every value."""
        check_number("learningRate", self.learning_rate, above=0.0)
        check_number("learningRateDecay", self.learning_rate_decay, above=0.0, most=1.0)
        check_number("minLearningRate", self.min_learning_rate, least=0.0)
        check_whole("maxIterations", self.max_iterations, least=1)
        check_number("minImprovement", self.min_improvement, least=0.0)
        check_whole("patience", self.patience, least=1)
        check_number("weightDecay", self.weight_decay, least=0.0)
        if self.improvement not in get_args(Improvement):
            raise OptionError(
                where="improvement",
                expected=f"one of {', '.join(get_args(Improvement))}",
                got=repr(self.improvement),
            )


@dataclass(frozen=True, kw_only=True)
class LevenbergMarquardt(Optimiser):
    """Settings of the Levenberg-Marquardt optimiser and of its stopping rules.

    Parameters
    ----------
    max_iterations : int
        Upper limit of iterations; >= 1.
    min_improvement : float
        Relative fall of the loss that counts as progress; >= 0.
    patience : int
        Stop after this many iterations without progress; >= 1.
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
    max_iterations: int = 400
    min_improvement: float = 1e-5
    patience: int = 5
    min_gradient: float = 1e-10
    min_step: float = 1e-9
    damping: float = 1e-2

    def __post_init__(self) -> None:
        """Check every value."""
        check_whole("maxIterations", self.max_iterations, least=1)
        check_number("minImprovement", self.min_improvement, least=0.0)
        check_whole("patience", self.patience, least=1)
        check_number("minGradient", self.min_gradient, least=0.0)
        check_number("minStep", self.min_step, least=0.0)
        check_number("damping", self.damping, above=0.0)


@dataclass(frozen=True, kw_only=True)
class Lbfgs(Optimiser):
    """Settings of the L-BFGS-B optimiser (scipy's) and of its stopping rules.

    Parameters
    ----------
    max_iterations : int
        Upper limit of iterations; >= 1.
    min_improvement : float
        Stop when an iteration lowers the loss by less than this times the loss, or times 1 if the
        loss is smaller; >= 0.
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
    max_iterations: int = 1000
    min_improvement: float = 1e-7
    min_gradient: float = 1e-6
    memory: int = 20

    def __post_init__(self) -> None:
        """Check every value."""
        check_whole("maxIterations", self.max_iterations, least=1)
        check_number("minImprovement", self.min_improvement, least=0.0)
        check_number("minGradient", self.min_gradient, least=0.0)
        check_whole("memory", self.memory, least=1)


# Also "annealing", that of CEINMS.
MethodName = Literal["lm", "adamw", "lbfgs", "annealing"]
# By the element that asks for them in a calibration file; the first is the default.
OPTIMISERS: dict[str, type[Optimiser]] = {
    "levenbergMarquardt": LevenbergMarquardt,
    "adamW": AdamW,
    "lbfgs": Lbfgs,
}


def check_number(
    name: str,
    value: object,
    *,
    above: float | None = None,
    least: float | None = None,
    most: float | None = None,
) -> None:
    """Check that an option is a finite number within its range.

    Parameters
    ----------
    name : str
        Name of the option, for the message.
    value : float
        Its value.
    above : float, optional
        The value must be greater than this.
    least, most : float, optional
        The value must not be below, or above, this.

    Raises
    ------
    OptionError
        If it is not.
    """
    inside = (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
        and (above is None or value > above)
        and (least is None or value >= least)
        and (most is None or value <= most)
    )
    if not inside:
        limits = [
            f"{sign} {limit:g}"
            for sign, limit in ((">", above), (">=", least), ("<=", most))
            if limit is not None
        ]
        raise OptionError(
            where=name, expected=f"a number {' and '.join(limits)}".strip(), got=repr(value)
        )


def check_whole(name: str, value: object, *, least: int) -> None:
    """Check that an option is a whole number and large enough.

    Parameters
    ----------
    name : str
        Name of the option, for the message.
    value : int
        Its value.
    least : int
        Smallest allowed value.

    Raises
    ------
    OptionError
        If it is not.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise OptionError(where=name, expected=f"a whole number >= {least}", got=repr(value))


def check_names(values: Mapping[str, Any], known: Mapping[str, Any] | tuple[str, ...]) -> None:
    """Check that there are no options but those known.

    Parameters
    ----------
    values : mapping of str to object
        Options by their XML names.
    known : mapping or tuple of str
        All XML names that there are.

    Raises
    ------
    OptionError
        At the first that is not.
    """
    for name in values:
        if name not in known:
            listing = ", ".join(known)
            raise OptionError(
                where="option",
                expected=f"one of {listing}",
                got=repr(name),
                hint=did_you_mean(name, known),
            )
