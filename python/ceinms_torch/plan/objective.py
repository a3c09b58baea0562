"""What a calibration minimises (``objectiveFunction`` of ``calibration.xml``)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ceinms_torch.errors import OptionError, did_you_mean
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.xml_node import XmlNode, number_text
from ceinms_torch.model.settings import check_names, check_number
from ceinms_torch.plan.composites import (
    Composite,
    RangePenalty,
    TorqueError,
    check_range,
    composite_from_dict,
    composite_to_dict,
    read_composites,
    read_range,
    write_composites,
)

Normalisation = Literal["variance", "meanSquare", "rmse"]

# What composites take the place of: attributes, and the element of each.
_NATIVE = {
    "fibre_length_range": "fibreLengthPenalty",
    "fibre_length_weight": "fibreLengthPenalty",
    "tendon_strain_range": "tendonStrainPenalty",
    "tendon_strain_weight": "tendonStrainPenalty",
}

# Elements without others in them, and their attributes.
_PLAIN = {"normalisation": "normalisation", "varianceFloor": "variance_floor"}

# Beginning of the attributes of each element, and what the element may hold.
_ELEMENTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "fibreLengthPenalty": ("fibre_length", ("range", "weight")),
    "tendonStrainPenalty": ("tendon_strain", ("range", "weight")),
    "peakForce": ("peak_force", ("weight",)),
    "parameterPrior": ("parameter_prior", ("weight",)),
    "groupCoherence": ("group_coherence", ("weight", "muscles")),
}


@dataclass(frozen=True, kw_only=True)
class Objective(OneLine):
    """What a calibration minimises: moment errors, penalties, and preferences among good fits.

    Preferences are off by default. Their weights are on one scale: with "variance", a weight of 1
    lets a preference of 1 cost as much as R² lower by 1 for every DOF of every trial; with the
    other normalisations as much as a moment term of 1 (N² m², or N m).

    Parameters
    ----------
    normalisation : {"variance", "meanSquare", "rmse"}
        How squared moment errors of a trial and DOF are made dimensionless. The mean square over
        the "variance" is 1 - R², but for n - 1 in place of n steps: this one finds maximum R².
    variance_floor : float
        With "variance": the least variance that errors are divided by, as a share of the greatest
        variance among the step's DOFs in the same trial; 0 to 1. At 0 a DOF whose moment hardly
        changes counts as much as the largest, noise included; at 1 all errors of a trial are
        divided alike.
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
        Preference for the start: factor on the mean, over the parameters of the step, of their
        squared distance from the subject's value at the start of the step, or another centre
        (`Prior`); a distance of 1 is that of the farther bound; >= 0. It weighs as much whatever
        the number of parameters.
    group_coherence_weight : float
        Preference for muscles of a group to change alike: factor on the squares of every
        parameter's change less the mean change in the group; >= 0. The change is relative to the
        start value for lengths, forces, velocities and strength coefficients, and in units of the
        range for others.
    group_coherence_muscles : tuple of tuple of str
        The groups, of at least two MTUs each; at least one group if there is a weight.
    composites : tuple of TorqueError and RangePenalty
        Moment errors and penalties of CEINMS 0.10 to 0.30, which take the place of those above,
        left at their defaults; averaged over trials, so that the normalisation is "rmse".

    Raises
    ------
    OptionError
        If a value is outside its range.
    """

    normalisation: Normalisation = "variance"
    variance_floor: float = 0.0
    fibre_length_range: tuple[float, float] = (0.5, 1.5)
    fibre_length_weight: float = 100.0
    tendon_strain_range: tuple[float, float] = (0.0, 0.5)
    tendon_strain_weight: float = 100.0
    peak_force_weight: float = 0.0
    parameter_prior_weight: float = 0.0
    group_coherence_weight: float = 0.0
    group_coherence_muscles: tuple[tuple[str, ...], ...] = ()
    composites: tuple[Composite, ...] = ()

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
        check_number("varianceFloor", self.variance_floor, least=0.0, most=1.0)
        if self.variance_floor > 0.0 and self.normalisation != "variance":
            raise OptionError(
                where="varianceFloor",
                expected=f"none, or 0, with the normalisation {self.normalisation}",
                got=f"{self.variance_floor:g}",
                hint="only the normalisation variance divides by variances",
            )
        for name, (prefix, parts) in _ELEMENTS.items():
            check_number(f"{name} weight", getattr(self, f"{prefix}_weight"), least=0.0)
            if "range" in parts:
                least = {"fibre_length": 0.0, "tendon_strain": -1.0}[prefix]
                check_range(name, getattr(self, f"{prefix}_range"), least=least)
        if self.composites:
            self._check_composites()
        _check_groups(self.group_coherence_muscles, self.group_coherence_weight)

    def _check_composites(self) -> None:
        plain = Objective(normalisation="rmse")
        for name in ("normalisation", *_NATIVE):
            if getattr(self, name) != getattr(plain, name):
                raise OptionError(
                    where=name,
                    expected=f"{getattr(plain, name)}, with composites",
                    got=repr(getattr(self, name)),
                    hint="the composites say how moment errors and penalties count",
                )
        if not self.torque_errors:
            raise OptionError(where="composites", expected="a torque error", got="penalties alone")

    @property
    def torque_errors(self) -> tuple[TorqueError, ...]:
        """Moment errors of CEINMS 0.10 to 0.30; none where the normalisation says it all."""
        return tuple(one for one in self.composites if isinstance(one, TorqueError))

    @property
    def penalties(self) -> tuple[RangePenalty, ...]:
        """All penalties on quantities of MTUs."""
        if self.composites:
            return tuple(one for one in self.composites if isinstance(one, RangePenalty))
        return (
            RangePenalty(
                quantity="normalisedFibreLength",
                range=self.fibre_length_range,
                weight=self.fibre_length_weight,
            ),
            RangePenalty(
                quantity="tendonStrain",
                range=self.tendon_strain_range,
                weight=self.tendon_strain_weight,
            ),
        )

    @property
    def unit(self) -> str:
        """Unit of the objective and its terms."""
        powers = {one.exponent for one in self.torque_errors}
        if powers - {1.0}:
            return " + ".join(f"(N m)^{power:g}" for power in sorted(powers))
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
        values: dict[str, Any] = {
            "normalisation": self.normalisation,
            "varianceFloor": self.variance_floor,
        }
        for name, (prefix, parts) in _ELEMENTS.items():
            values[name] = {part: _plain(getattr(self, f"{prefix}_{part}")) for part in parts}
        if self.composites:
            values = {name: values[name] for name in values if name not in _NATIVE.values()}
            values["composites"] = [composite_to_dict(one) for one in self.composites]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Objective:
        """Make the options from names the calibration XML uses; others keep their default.

        Parameters
        ----------
        values : mapping
            Any of "normalisation", "varianceFloor", "fibreLengthPenalty", "tendonStrainPenalty",
            "peakForce", "parameterPrior" and "groupCoherence", all but the first two mappings with
            any of what `to_dict` has there, and "composites", a list of mappings.

        Returns
        -------
        Objective

        Raises
        ------
        OptionError
            If a name is unknown or a value outside its range.
        """
        check_names(values, (*_PLAIN, *_ELEMENTS, "composites"))
        chosen: dict[str, Any] = {}
        for name, value in values.items():
            if name in _PLAIN:
                chosen[_PLAIN[name]] = value
                continue
            if name == "composites":
                chosen[name] = tuple(composite_from_dict(one) for one in value)
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
    """Read an ``objectiveFunction`` element.

    Parameters
    ----------
    node : XmlNode
        The element, with composites or ``minimizeTorqueError``; what that does not hold keeps its
        default.

    Returns
    -------
    Objective

    Raises
    ------
    FileFormatError
        If a value is outside its range, or a composite cannot be computed.
    """
    composites = read_composites(node)
    if composites:
        return Objective(normalisation="rmse", composites=composites)
    node = node.child("minimizeTorqueError")
    values: dict[str, Any] = {}
    normalisation = node.find("normalisation")
    if normalisation is not None:
        values["normalisation"] = normalisation.text()
    floor = node.find("varianceFloor")
    if floor is not None:
        values["varianceFloor"] = floor.number()
    for name, (_, parts) in _ELEMENTS.items():
        element = node.find(name)
        if element is None:
            continue
        weight, bounds = element.find("weight"), element.find("range")
        values[name] = {} if weight is None else {"weight": weight.number()}
        if bounds is not None:
            values[name]["range"] = read_range(bounds)
        if "muscles" in parts:
            values[name]["muscles"] = [child.names() for child in element.children("muscles")]
    try:
        return Objective.from_dict(values)
    except OptionError as error:
        raise node.error("settings within their ranges", f"'{error}'") from error


def write_objective(parent: XmlNode, objective: Objective) -> None:
    """Append a ``minimizeTorqueError`` element, or composites.

    Parameters
    ----------
    parent : XmlNode
        The parent, an ``objectiveFunction`` element.
    objective : Objective
        Defaults are left out, so that CEINMS itself reads the file wherever it can.

    Raises
    ------
    OptionError
        If it has preferences beside composites, which no file can have.
    """
    if objective.composites:
        if objective != objective.without_preferences():
            raise OptionError(
                where="objectiveFunction",
                expected="composites without preferences in a file",
                got="both",
                hint="preferences belong to <minimizeTorqueError>",
            )
        write_composites(parent, objective.composites)
        return
    node = parent.add("minimizeTorqueError")
    defaults = Objective().to_dict()
    for name, value in objective.to_dict().items():
        if value == defaults[name]:
            continue
        if name in _PLAIN:
            node.add(name, value if isinstance(value, str) else number_text(value))
            continue
        element = node.add(name)
        if "range" in value:
            element.add("range", " ".join(map(number_text, value["range"])))
        element.add("weight", number_text(value["weight"]))
        for names in value.get("muscles", ()):
            element.add("muscles", " ".join(names))


def _plain(value: Any) -> Any:
    """Return tuples as lists, as JSON has them."""
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _frozen(value: Any) -> Any:
    """Return lists as tuples."""
    return tuple(_frozen(one) for one in value) if isinstance(value, (list, tuple)) else value


def _groups(value: Any) -> tuple[tuple[str, ...], ...]:
    """Return groups of names, each given as a list or, as in the XML, with blanks between."""
    return tuple(tuple(one.split() if isinstance(one, str) else one) for one in value)


def _check_groups(groups: tuple[tuple[str, ...], ...], weight: float) -> None:
    if weight > 0.0 and not groups:
        raise OptionError(where="groupCoherence muscles", expected="at least one group", got="none")
    for group in groups:
        if len(group) < 2 or len(set(group)) < len(group):
            expected = "at least two different MTUs in every group"
            raise OptionError(
                where="groupCoherence muscles", expected=expected, got=f"'{' '.join(group)}'"
            )
