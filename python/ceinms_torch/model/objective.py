"""What a calibration minimises (``minimizeTorqueError`` of ``calibration.xml``)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ceinms_torch.errors import OptionError, did_you_mean
from ceinms_torch.io.display import one_line
from ceinms_torch.io.xml_node import XmlNode, number_text
from ceinms_torch.model.settings import check_names, check_number

Normalisation = Literal["variance", "meanSquare", "rmse"]

# Beginning of the attributes of each element, and what the element may hold.
_ELEMENTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "fibreLengthPenalty": ("fibre_length", ("range", "weight")),
    "tendonStrainPenalty": ("tendon_strain", ("range", "weight")),
    "peakForce": ("peak_force", ("weight",)),
    "parameterPrior": ("parameter_prior", ("weight",)),
    "groupCoherence": ("group_coherence", ("weight", "muscles")),
}

# Least numbers that ranges may hold, where a quantity has one.
_LEAST = {"fibre_length": 0.0, "tendon_strain": -1.0}


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What a calibration minimises: moment errors, penalties, and preferences among good fits.

    Preferences are off by default. Their weights are on one scale: with "variance", a weight of 1
    lets a preference of 1 cost as much as R² lower by 1 for every DOF of every trial; with the
    other normalisations as much as a moment term of 1 (N² m², or N m).

    Parameters
    ----------
    normalisation : {"variance", "meanSquare", "rmse"}
        How squared moment errors of a trial and DOF are made dimensionless. The mean square over
        the "variance" is 1 - R², but for n - 1 in place of n steps: this one finds maximum R².
    fibre_length_range : (float, float)
        Normalised fibre length outside which a penalty sets in; increasing, >= 0.
    fibre_length_weight : float
        Factor on the squared excess over that range; >= 0.
    tendon_strain_range : (float, float)
        Tendon strain outside which a penalty sets in; increasing, > -1.
    tendon_strain_weight : float
        Factor on the squared excess over that range; >= 0.
    peak_force_weight : float
        Preference for a low peak: factor on the square of the greatest summed force of all MTUs in
        a trial, over the sum of their maximum isometric forces at the start; >= 0. The peak is the
        mean over steps of the 8th power, to the power of 1/8.
    parameter_prior_weight : float
        Preference for the start: factor on the square of every parameter's distance from the
        subject's value at the start of the step, in units of its range; >= 0.
    group_coherence_weight : float
        Preference for muscles of a group to change alike: factor on the squares of every
        parameter's change less the mean change in the group; >= 0. The change is relative to the
        start value for lengths, forces, velocities and strength coefficients, and in units of the
        range for others.
    group_coherence_muscles : tuple of tuple of str
        The groups, of at least two MTUs each; at least one group if there is a weight.

    Raises
    ------
    OptionError
        If a value is outside its range.
    """

    normalisation: Normalisation = "variance"
    fibre_length_range: tuple[float, float] = (0.5, 1.5)
    fibre_length_weight: float = 100.0
    tendon_strain_range: tuple[float, float] = (0.0, 0.5)
    tendon_strain_weight: float = 100.0
    peak_force_weight: float = 0.0
    parameter_prior_weight: float = 0.0
    group_coherence_weight: float = 0.0
    group_coherence_muscles: tuple[tuple[str, ...], ...] = ()

    __repr__ = one_line

    def __post_init__(self) -> None:
        """Check every value."""
        allowed = get_args(Normalisation)
        if self.normalisation not in allowed:
            raise OptionError(
                where="normalisation",
                expected=f"one of {', '.join(allowed)}",
                got=repr(self.normalisation),
                hint=did_you_mean(str(self.normalisation), allowed),
            )
        for name, (prefix, parts) in _ELEMENTS.items():
            check_number(f"{name} weight", getattr(self, f"{prefix}_weight"), least=0.0)
            if "range" in parts:
                value = getattr(self, f"{prefix}_range")
                _check_range(f"{name} range", value, least=_LEAST.get(prefix, -math.inf))
        _check_groups(self.group_coherence_muscles, self.group_coherence_weight)

    @property
    def unit(self) -> str:
        """Unit of the objective and its terms."""
        return {"variance": "-", "meanSquare": "N^2 m^2", "rmse": "N m"}[self.normalisation]

    def without_preferences(self) -> Objective:
        """Return moment errors and penalties alone."""
        weights: dict[str, Any] = {f"{name}_weight": 0.0 for name in preferences(Objective)}
        return dataclasses.replace(self, group_coherence_muscles=(), **weights)

    def to_dict(self) -> dict[str, Any]:
        """Return the options under the names the calibration XML uses.

        Returns
        -------
        dict
            As `from_dict` takes it.
        """
        values: dict[str, Any] = {"normalisation": self.normalisation}
        for name, (prefix, parts) in _ELEMENTS.items():
            values[name] = {part: _plain(getattr(self, f"{prefix}_{part}")) for part in parts}
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Objective:
        """Make the options from names the calibration XML uses; others keep their default.

        Parameters
        ----------
        values : mapping
            Any of "normalisation", "fibreLengthPenalty", "tendonStrainPenalty", "peakForce",
            "parameterPrior" and "groupCoherence". All but the first are mappings with any of what
            `to_dict` has there.

        Returns
        -------
        Objective

        Raises
        ------
        OptionError
            If a name is unknown or a value outside its range.
        """
        check_names(values, ("normalisation", *_ELEMENTS))
        chosen: dict[str, Any] = {}
        for name, value in values.items():
            if name == "normalisation":
                chosen[name] = value
                continue
            prefix, parts = _ELEMENTS[name]
            if not isinstance(value, Mapping):
                raise OptionError(
                    where=name, expected=f"a mapping with {', '.join(parts)}", got=repr(value)
                )
            check_names(value, parts)
            for part, one in value.items():
                chosen[f"{prefix}_{part}"] = _groups(one) if part == "muscles" else _frozen(one)
        return cls(**chosen)


def preferences(options: type[Any]) -> tuple[str, ...]:
    """Return the names of the terms that have no weight by default, of a class of options."""
    weights = [one for one in dataclasses.fields(options) if one.name.endswith("_weight")]
    return tuple(one.name.removesuffix("_weight") for one in weights if one.default == 0.0)


def read_objective(node: XmlNode) -> Objective:
    """Read a ``minimizeTorqueError`` element.

    Parameters
    ----------
    node : XmlNode
        The element; what it does not hold keeps its default.

    Returns
    -------
    Objective

    Raises
    ------
    FileFormatError
        If a value is outside its range.
    """
    values: dict[str, Any] = {}
    normalisation = node.find("normalisation")
    if normalisation is not None:
        values["normalisation"] = normalisation.text()
    for name, (_, parts) in _ELEMENTS.items():
        element = node.find(name)
        if element is None:
            continue
        values[name] = {"weight": element.child("weight").number()}
        if "range" in parts:
            values[name]["range"] = read_range(element.child("range"))
        if "muscles" in parts:
            values[name]["muscles"] = [child.names() for child in element.children("muscles")]
    try:
        return Objective.from_dict(values)
    except OptionError as error:
        raise node.error("settings within their ranges", f"'{error}'") from error


def write_objective(parent: XmlNode, objective: Objective) -> None:
    """Append a ``minimizeTorqueError`` element.

    Parameters
    ----------
    parent : XmlNode
        The parent, an ``objectiveFunction`` element.
    objective : Objective
        Defaults are left out, so that CEINMS itself reads the file wherever it can.
    """
    node = parent.add("minimizeTorqueError")
    defaults = Objective().to_dict()
    for name, value in objective.to_dict().items():
        if value == defaults[name]:
            continue
        if name == "normalisation":
            node.add(name, value)
            continue
        element = node.add(name)
        if "range" in value:
            element.add("range", " ".join(map(number_text, value["range"])))
        element.add("weight", number_text(value["weight"]))
        for names in value.get("muscles", ()):
            element.add("muscles", " ".join(names))


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


def _plain(value: Any) -> Any:
    """Return tuples as lists, as JSON has them."""
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _frozen(value: Any) -> Any:
    """Return lists as tuples."""
    return tuple(_frozen(one) for one in value) if isinstance(value, (list, tuple)) else value


def _groups(value: Any) -> tuple[tuple[str, ...], ...]:
    """Return groups of names, each given as a list or, as in the XML, with blanks between."""
    return tuple(tuple(one.split() if isinstance(one, str) else one) for one in value)


def _check_range(name: str, value: tuple[float, float], *, least: float) -> None:
    if len(value) != 2:
        raise OptionError(where=name, expected="two numbers, low and high", got=f"{len(value)}")
    for number in value:
        check_number(name, number, least=least)
    if value[0] >= value[1]:
        raise OptionError(
            where=name, expected="low below high", got=f"{value[0]:g} and {value[1]:g}"
        )


def _check_groups(groups: tuple[tuple[str, ...], ...], weight: float) -> None:
    if weight > 0.0 and not groups:
        raise OptionError(where="groupCoherence muscles", expected="at least one group", got="none")
    for group in groups:
        if len(group) < 2 or len(set(group)) < len(group):
            expected = "at least two different MTUs in every group"
            raise OptionError(
                where="groupCoherence muscles", expected=expected, got=f"'{' '.join(group)}'"
            )
