"""The kinds of parameters of an MTU, one entry each: what reading, writing and checks know of them.

`PARAMETERS` has the order of CEINMS's enumeration, which is that of the rows of every parameter
matrix; kinds that CEINMS lacks come last. The core has the same list (``kernel/parameters.hpp``).
"""

from __future__ import annotations

import functools
import math
import re
import sys
from dataclasses import KW_ONLY, dataclass

from ceinms_torch.errors import OptionError, unknown_name


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Numbers from one end to another.

    Parameters
    ----------
    low, high : float
        The ends.
    without_low, without_high : bool
        Whether an end is not part of it.
    """

    low: float = -math.inf
    high: float = math.inf
    without_low: bool = False
    without_high: bool = False

    def __contains__(self, value: float) -> bool:
        """Tell whether a number is within; NaN and infinity never are."""
        return (
            abs(value) <= sys.float_info.max  # whole numbers may be larger than any other
            and (value > self.low if self.without_low else value >= self.low)
            and (value < self.high if self.without_high else value <= self.high)
        )

    def __str__(self) -> str:
        """Return what a number must be, as in "a number from 0 to below 1"."""
        low, high = f"{self.low:.4g}", f"{self.high:.4g}"
        if math.isinf(self.high):
            sign = ">" if self.without_low else ">="
            return "a finite number" if math.isinf(self.low) else f"a number {sign} {low}"
        begin, end = "above" if self.without_low else "from", "below " * self.without_high
        return f"a number {begin} {low} to {end}{high}"


_POSITIVE = Interval(low=0.0, without_low=True)
_NOT_NEGATIVE = Interval(low=0.0)


@dataclass(frozen=True)
class ParameterKind:
    """A kind of parameter.

    Parameters
    ----------
    name : str
        In files, and wherever a kind is named. Where files have it is in ``subject.xsd``.
    meaning : str
        In a few words.
    unit : str
        "-" for pure numbers.
    allowed : Interval
        Values outside are refused.
    sensible : Interval, optional
        Values outside can be computed but make results doubtful; as `allowed` by default.
    doubt : str
        Why.
    default : float, optional
        Its value where no file has one; none if a file must.
    hint : str, optional
        What may be wrong with a value that is refused.
    in_ceinms : bool
        Whether CEINMS 0.9 has it. One that it lacks is written only where it is not at its default.
    in_annealing : bool
        Whether CEINMS's annealing can calibrate it.
    """

    name: str
    meaning: str
    unit: str
    allowed: Interval
    _: KW_ONLY
    sensible: Interval | None = None
    doubt: str = ""
    default: float | None = None
    hint: str | None = None
    in_ceinms: bool = True
    in_annealing: bool = True

    @functools.cached_property
    def attribute(self) -> str:
        """Name of the attribute of `Mtu`."""
        return re.sub(r"[A-Z]", lambda match: f"_{match[0].lower()}", self.name)

    @property
    def is_ratio(self) -> bool:
        """Whether it is always above zero, so that a change is a share of the value."""
        return self.allowed == _POSITIVE


def check_value(kind: ParameterKind, value: float, where: str) -> None:
    """Check a value of a parameter.

    Parameters
    ----------
    kind : ParameterKind
        Its kind.
    value : float
        The value, in the unit of the kind.
    where : str
        What it belongs to, for the message.

    Raises
    ------
    OptionError
        If it is not one that is allowed.
    """
    if value not in kind.allowed:
        raise OptionError(
            where=f"{kind.name} of {where}",
            expected=str(kind.allowed),
            got=f"{value:g}",
            hint=kind.hint,
        )


_KINDS = (
    *(
        ParameterKind(
            name,
            "coefficient of the activation filter",
            "-",
            Interval(low=-1.0, high=1.0),
            sensible=Interval(low=-1.0, high=1.0, without_low=True, without_high=True),
            doubt="the activation filter is unstable elsewhere",
        )
        for name in ("c1", "c2")
    ),
    ParameterKind("shapeFactor", "non-linearity of activation", "-", Interval()),
    ParameterKind(
        "optimalFibreLength",
        "length of greatest active force",
        "m",
        _POSITIVE,
        sensible=Interval(low=0.0, high=1.0, without_low=True),
        doubt="metres; the longest fibres are 0.6",
    ),
    ParameterKind(
        "pennationAngle",
        "pennation angle at optimal fibre length",
        "rad",
        Interval(low=0.0, high=math.pi / 2, without_high=True),
        hint='Angles in degrees need unit="deg"',
    ),
    ParameterKind(
        "tendonSlackLength",
        "length from which on the tendon pulls",
        "m",
        _POSITIVE,
        sensible=Interval(low=0.0, high=2.0, without_low=True),
        doubt="metres; the longest tendons are 0.5",
    ),
    ParameterKind(
        "maxIsometricForce",
        "greatest active force at rest",
        "N",
        _POSITIVE,
        sensible=Interval(low=0.0, high=2e4, without_low=True),
        doubt="newtons; a soleus has 3500 to 8000, a whole quadriceps 15000",
    ),
    ParameterKind(
        "maxContractionVelocity",
        "optimal fibre lengths per second at which no active force is left",
        "1/s",
        _POSITIVE,
        sensible=Interval(low=0.5, high=100.0),
        doubt="human muscles have 5 to 15",
        default=10.0,
    ),
    ParameterKind(
        "strengthCoefficient",
        "factor on maxIsometricForce",
        "-",
        _POSITIVE,
        sensible=Interval(low=0.0, high=10.0, without_low=True),
        doubt="0.5 to 2.5 are usual; no muscle is so much stronger than its model",
    ),
    ParameterKind(
        "emDelay",
        "electromechanical delay",
        "s",
        Interval(),
        sensible=Interval(low=0.0, high=0.2),
        doubt="seconds; measured delays are 0.01 to 0.1",
        in_annealing=False,
    ),
    ParameterKind(
        "damping",
        "force per normalised fibre velocity",
        "-",
        _NOT_NEGATIVE,
        sensible=Interval(low=0.0, high=1.0),
        doubt="0.1 is usual; at 1 it is the force of the whole muscle at its greatest velocity",
    ),
    ParameterKind(
        "percentageChange",
        "relative lengthening of the optimal fibre length at zero activation",
        "-",
        _NOT_NEGATIVE,
        sensible=Interval(low=0.0, high=1.0),
        doubt="0.15 is usual",
    ),
    ParameterKind(
        "tendonStiffness",
        "factor on the tendon's force at a strain",
        "-",
        _POSITIVE,
        sensible=Interval(low=0.01, high=100.0),
        doubt="a tendon is neither a rubber band nor a rod",
        default=1.0,
        in_ceinms=False,
        in_annealing=False,
    ),
    ParameterKind(
        "passiveStiffness",
        "factor on the fibre's passive force at a length",
        "-",
        _NOT_NEGATIVE,
        sensible=Interval(low=0.0, high=10.0),
        doubt="0.5 to 2 is a wide range; 0 is a muscle without connective tissue",
        default=1.0,
        in_ceinms=False,
        in_annealing=False,
    ),
    ParameterKind(
        "emgGain",
        "factor on the excitation, before the activation",
        "-",
        _POSITIVE,
        sensible=Interval(low=0.1, high=10.0),
        doubt="0.5 to 2 is a wide range; more says that the EMG was not normalised",
        default=1.0,
        in_ceinms=False,
        in_annealing=False,
    ),
)
PARAMETERS = {kind.name: kind for kind in _KINDS}
PARAMETER_KINDS: tuple[str, ...] = tuple(PARAMETERS)


def parameter_row(name: str) -> int:
    """Return the row of a kind of parameter in every matrix of parameters.

    Parameters
    ----------
    name : str
        One of `PARAMETER_KINDS`.

    Returns
    -------
    int

    Raises
    ------
    UnknownNameError
        If there is no such kind.
    """
    if name not in PARAMETER_KINDS:
        raise unknown_name("parameters", "a parameter", name, PARAMETER_KINDS)
    return PARAMETER_KINDS.index(name)
