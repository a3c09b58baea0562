"""Composite objectives of CEINMS 0.10 to 0.30: what ``objectiveFunction`` holds there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, cast, get_args

from ceinms_torch.errors import FileFormatError, OptionError, did_you_mean
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.xml_node import XmlNode, number_text
from ceinms_torch.model.settings import check_choice, check_names, check_number

Quantity = Literal["normalisedFibreLength", "normalisedFibreVelocity", "tendonStrain"]
QUANTITIES: tuple[str, ...] = get_args(Quantity)
TORQUE_ERRORS = ("torqueErrorNormalised", "torqueError")
ALL = "all"

# Least numbers that ranges may hold, where a quantity has one.
_LEAST = {"normalisedFibreLength": 0.0, "tendonStrain": -1.0}
_NOT_SEEN = "which changelogs of CEINMS 0.10 to 0.30 name; what it computes is published nowhere"
# Elements and targetsTypes that cannot be computed, and why.
_REFUSED = {
    "maxPeak": _NOT_SEEN,
    "SumExcitation": _NOT_SEEN,
    "ExcitationTrackingError": _NOT_SEEN,
    "MaxSumPeak": _NOT_SEEN,
}
_REFUSED_TYPES = {
    "torque": "which would bound moments; no published file shows how",
    "scalarContactForce": "which needs joint contact forces; this model has none",
}


@dataclass(frozen=True, kw_only=True)
class TorqueError(OneLine):
    """Moment errors (``torqueErrorNormalised``, ``torqueError``).

    Weight times the sum over DOFs of the root mean square error, to the power of the exponent,
    averaged over trials. Five published logs of CEINMS 0.21 (one trial, exponent 1) have this value
    to all digits; other exponents, and the root of the sum of ``torqueError``, are inferred.

    Parameters
    ----------
    targets : tuple of str
        DOFs; none for all of the subject, whatever those of the step are.
    weight : float
        Factor; >= 0.
    exponent : float
        Power of each root mean square error; >= 1.
    normalised : bool
        Whether squared errors are averaged over frames, or summed (``torqueError``).

    Raises
    ------
    OptionError
        If a value is outside its range.
    """

    targets: tuple[str, ...] = ()
    weight: float = 1.0
    exponent: float = 1.0
    normalised: bool = True

    parts: ClassVar[tuple[str, ...]] = ("targets", "weight", "exponent")

    def __post_init__(self) -> None:
        """Check every value."""
        _check(self.tag, self.weight, self.exponent)

    @property
    def tag(self) -> str:
        """Name of the XML element."""
        return TORQUE_ERRORS[0 if self.normalised else 1]


@dataclass(frozen=True, kw_only=True)
class RangePenalty(OneLine):
    """Penalty on a quantity of MTUs outside a range (``penalty``).

    Weight times the sum over MTUs of the mean over frames of the distance outside the range, to the
    power of the exponent; over trials and DOFs as the objective's normalisation says.

    Parameters
    ----------
    quantity : {"normalisedFibreLength", "normalisedFibreVelocity", "tendonStrain"}
        XML ``targetsType``: fibre length over optimal length, fibre velocity over the greatest one,
        or tendon strain, of elastic tendons only, which CEINMS itself does not have (-).
    targets : tuple of str
        MTUs; none for all.
    range : (float, float)
        Increasing; fibre lengths >= 0, strains > -1.
    weight : float
        Factor; >= 0.
    exponent : float
        Power of the distance; >= 1.

    Raises
    ------
    OptionError
        If a value is outside its range.
    """

    quantity: Quantity
    targets: tuple[str, ...] = ()
    range: tuple[float, float]
    weight: float = 1.0
    exponent: float = 2.0

    tag: ClassVar[str] = "penalty"
    parts: ClassVar[tuple[str, ...]] = ("targets", "targetsType", "weight", "exponent", "range")

    def __post_init__(self) -> None:
        """Check every value."""
        check_choice("penalty targetsType", self.quantity, QUANTITIES)
        check_range(f"penalty on {self.quantity}", self.range, least=_LEAST.get(self.quantity))
        _check(self.tag, self.weight, self.exponent)


Composite = TorqueError | RangePenalty
COMPOSITES = (*TORQUE_ERRORS, RangePenalty.tag)


def _check(tag: str, weight: float, exponent: float) -> None:
    check_number(f"{tag} weight", weight, least=0.0)
    # Below 1 there is no derivative where errors vanish.
    check_number(f"{tag} exponent", exponent, least=1.0)


def check_range(name: str, value: tuple[float, float], *, least: float | None) -> None:
    """Check that a range is two finite numbers, low below high.

    Parameters
    ----------
    name : str
        What it is the range of, for the message.
    value : (float, float)
        The range.
    least : float, optional
        Neither may be below this.

    Raises
    ------
    OptionError
        If it is not.
    """
    where = f"{name} range"
    if len(value) != 2:
        raise OptionError(where=where, expected="two numbers, low and high", got=f"{len(value)}")
    for number in value:
        check_number(where, number, least=-math.inf if least is None else least)
    if value[0] >= value[1]:
        raise OptionError(
            where=where, expected="low below high", got=f"{value[0]:g} and {value[1]:g}"
        )


def composite_to_dict(one: Composite) -> dict[str, Any]:
    """Return a composite under the names that the calibration XML uses.

    Parameters
    ----------
    one : TorqueError or RangePenalty
        The composite.

    Returns
    -------
    dict
        As `composite_from_dict` takes it: the element's name, and what the element holds.
    """
    values: dict[str, Any] = {"element": one.tag, "targets": list(one.targets) or ALL}
    if isinstance(one, RangePenalty):
        values |= {"targetsType": one.quantity, "range": list(one.range)}
    return values | {"weight": one.weight, "exponent": one.exponent}


def composite_from_dict(values: Mapping[str, Any]) -> Composite:
    """Make a composite from names that the calibration XML uses.

    Parameters
    ----------
    values : mapping
        What `composite_to_dict` returns.

    Returns
    -------
    TorqueError or RangePenalty

    Raises
    ------
    OptionError
        If a name is unknown or a value outside its range.
    """
    element = values.get("element", "")
    check_choice("composite", element, COMPOSITES)
    kind = TorqueError if element in TORQUE_ERRORS else RangePenalty
    check_names(values, ("element", *kind.parts))
    targets = values.get("targets", ALL)
    chosen: dict[str, Any] = {
        name: values[name] for name in ("weight", "exponent") if name in values
    }
    chosen["targets"] = () if targets == ALL else tuple(targets)
    if kind is TorqueError:
        return TorqueError(**chosen, normalised=element == TORQUE_ERRORS[0])
    quantity, bounds = values.get("targetsType", ""), tuple(values.get("range", ()))
    return RangePenalty(**chosen, quantity=quantity, range=cast("tuple[float, float]", bounds))


def read_composites(parent: XmlNode) -> tuple[Composite, ...]:
    """Read the composites of an ``objectiveFunction`` element.

    Parameters
    ----------
    parent : XmlNode
        The element, which follows the grammar.

    Returns
    -------
    tuple of TorqueError and RangePenalty
        In their order; none in a file of CEINMS 0.9.

    Raises
    ------
    FileFormatError
        If a value is outside its range, nothing counts, or a composite cannot be computed.
    """
    if parent.find("minimizeTorqueError") is not None:
        return ()
    composites: list[Composite] = []
    for node in parent.elements():
        if node.tag not in COMPOSITES:
            # Left out, it would change what is minimised.
            reason = _REFUSED.get(node.tag, "which this package does not know")
            raise _refused(node, COMPOSITES, f"<{node.tag}>, {reason}")
        composites.append(_read_composite(node))
    if not any(isinstance(one, TorqueError) for one in composites):
        expected = " or ".join(f"<{tag}>" for tag in TORQUE_ERRORS)
        raise parent.error(f"{expected} inside <{parent.tag}>", "penalties alone")
    return tuple(composites)


def _read_composite(node: XmlNode) -> Composite:
    values: dict[str, Any] = {
        "element": node.tag,
        "targets": node.child("targets").names(),
        "weight": node.child("weight").number(),
        "exponent": node.child("exponent").number(),
    }
    if not values["targets"]:
        raise node.child("targets").error(f"'{ALL}' or names", "none")
    if values["targets"] == (ALL,):
        values["targets"] = ALL
    if node.tag == RangePenalty.tag:
        kind = node.child("targetsType")
        if kind.text() in _REFUSED_TYPES:
            got = f"'{kind.text()}', {_REFUSED_TYPES[kind.text()]}"
            raise _refused(kind, QUANTITIES[:2], got)
        values |= {"targetsType": kind.text(), "range": read_range(node.child("range"))}
    try:
        return composite_from_dict(values)
    except OptionError as error:
        raise node.error("settings within their ranges", f"'{error}'") from error


def _refused(node: XmlNode, known: tuple[str, ...], got: str) -> FileFormatError:
    hint = did_you_mean(node.tag, known) or "Take it out to calibrate without it"
    if "peak" in node.tag.lower():
        hint += "; a low peak of the summed force is <peakForce> of <minimizeTorqueError>"
    return node.error(f"one of {', '.join(known)}", got, hint, code="objective-unknown")


def write_composites(parent: XmlNode, composites: tuple[Composite, ...]) -> None:
    """Append composites to an ``objectiveFunction`` element.

    Parameters
    ----------
    parent : XmlNode
        The element.
    composites : tuple of TorqueError and RangePenalty
        The composites.
    """
    for one in composites:
        node = parent.add(one.tag)
        values = composite_to_dict(one)
        for name in one.parts:
            value = values[name]
            if isinstance(value, list):
                value = " ".join(
                    item if isinstance(item, str) else number_text(item) for item in value
                )
            node.add(name, value if isinstance(value, str) else number_text(value))


def read_range(node: XmlNode) -> tuple[float, float]:
    """Read two numbers, low and high.

    Parameters
    ----------
    node : XmlNode
        The element.

    Returns
    -------
    low, high : float
        low <= high.

    Raises
    ------
    FileFormatError
        If it is anything else.
    """
    numbers = node.numbers()
    if len(numbers) != 2:
        raise node.error("two numbers, low and high", f"{len(numbers)}")
    low, high = numbers
    if low > high:
        raise node.error(
            "a low and a higher bound", f"{low:g} and {high:g}", "The bounds are inverted"
        )
    return low, high
