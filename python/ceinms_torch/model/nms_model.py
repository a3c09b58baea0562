"""What calibration and execution files share: the tendon and the annealing settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, cast, get_args

from ceinms_torch.errors import OptionError, did_you_mean
from ceinms_torch.io.xml_node import XmlNode, number_text
from ceinms_torch.model.options import check_number, check_whole

TendonKind = Literal[
    "stiff", "equilibriumElastic", "integrationElastic", "rosenbrockElastic", "dampedEquilibrium"
]
Activation = Literal["exponential", "piecewise"]
TENDON_KINDS: tuple[str, ...] = get_args(TendonKind)
ACTIVATIONS: tuple[str, ...] = get_args(Activation)

AnnealingVariant = Literal["ceinms", "modern"]
ANNEALING_VARIANTS: tuple[str, ...] = get_args(AnnealingVariant)
ANNEALING_NAMES = {
    "noEpsilon": "no_epsilon",
    "rt": "rt",
    "T": "temperature",
    "NS": "ns",
    "NT": "nt",
    "epsilon": "epsilon",
    "maxNoEval": "max_no_eval",
    "variant": "variant",
}


@dataclass(frozen=True, kw_only=True)
class Tendon:
    """How fibre and tendon share the length of an MTU.

    Parameters
    ----------
    kind : str
        The model, by its XML name, one of `TENDON_KINDS`. "integrationElastic" is in the grammar of
        CEINMS 0.9, which itself refuses to run it; "rosenbrockElastic" and "dampedEquilibrium" are
        this package's own.
    tolerance : float, optional
        Absolute tolerance of the equilibrium fibre length [m]; only "equilibriumElastic" uses it.
        None or a value <= 0 stands for the default of CEINMS, 1e-6 m.

    Raises
    ------
    OptionError
        If the kind is not one of those.
    """

    kind: TendonKind
    tolerance: float | None = None

    def __post_init__(self) -> None:
        """Check every value."""
        check_choice("tendon", self.kind, TENDON_KINDS)
        if self.tolerance is not None:
            check_number("tolerance", self.tolerance)


@dataclass(frozen=True, kw_only=True)
class SimulatedAnnealing:
    """Settings of the simulated annealing of CEINMS.

    Parameters
    ----------
    no_epsilon : int
        XML ``noEpsilon``: number of latest temperatures that must agree to stop; >= 1.
    rt : float
        XML ``rt``: factor on the temperature after each of them; > 0.
    temperature : float
        XML ``T``: temperature at the start, in units of the objective; > 0.
    ns : int
        XML ``NS``: cycles before the step lengths are adjusted; >= 1.
    nt : int
        XML ``NT``: adjustments before the temperature falls; >= 1.
    epsilon : float
        XML ``epsilon``: largest absolute difference of the objective that counts as none.
    max_no_eval : int
        XML ``maxNoEval``: evaluations after which no new temperature is begun; >= 1.
    variant : {"ceinms", "modern"}
        XML ``variant``, not in CEINMS 0.9. "ceinms" draws the random numbers of CEINMS, whose
        search never evaluates its start; "modern" draws others, by a seed, and counts the start as
        seen, so that the result is never worse.

    Raises
    ------
    OptionError
        If a value is outside its range.
    """

    method: ClassVar[str] = "annealing"
    no_epsilon: int
    rt: float
    temperature: float
    ns: int
    nt: int
    epsilon: float
    max_no_eval: int
    variant: AnnealingVariant = "ceinms"

    def __post_init__(self) -> None:
        """Check every value."""
        check_whole("noEpsilon", self.no_epsilon, least=1)
        check_number("rt", self.rt, above=0.0)
        check_number("T", self.temperature, above=0.0)
        check_whole("NS", self.ns, least=1)
        check_whole("NT", self.nt, least=1)
        check_number("epsilon", self.epsilon)
        check_whole("maxNoEval", self.max_no_eval, least=1)
        check_choice("variant", self.variant, ANNEALING_VARIANTS)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings under their XML names.

        Returns
        -------
        dict of str to float, int or str
        """
        return {name: getattr(self, attribute) for name, attribute in ANNEALING_NAMES.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SimulatedAnnealing:
        """Make the settings from their XML names.

        Parameters
        ----------
        values : mapping of str to number or str
            All of the XML names; "variant" may be missing.

        Returns
        -------
        SimulatedAnnealing

        Raises
        ------
        OptionError
            If a name is unknown or a value outside its range.
        """
        for name in values:
            check_choice("setting of simulatedAnnealing", name, tuple(ANNEALING_NAMES))
        return cls(**{ANNEALING_NAMES[name]: value for name, value in values.items()})


def check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Check that an option is one of the allowed words.

    Parameters
    ----------
    name : str
        Name of the option, for the message.
    value : str
        Its value.
    allowed : tuple of str
        The words.

    Raises
    ------
    OptionError
        If it is not.
    """
    if value not in allowed:
        hint = did_you_mean(str(value), allowed)
        raise OptionError(
            where=name, expected=f"one of {', '.join(allowed)}", got=repr(value), hint=hint
        )


def read_tendon(model: XmlNode) -> Tendon:
    """Read the tendon of an ``NMSmodel`` element.

    Parameters
    ----------
    model : XmlNode
        The element.

    Returns
    -------
    Tendon

    Raises
    ------
    FileFormatError
        If the tolerance is not finite.
    """
    node = model.child("tendon").child(*TENDON_KINDS)
    tolerance = node.find("tolerance")
    return Tendon(
        kind=cast("TendonKind", node.tag),
        tolerance=None if tolerance is None else tolerance.number(),
    )


def read_activation(model: XmlNode) -> Activation:
    """Read the activation model of an ``NMSmodel`` element.

    Parameters
    ----------
    model : XmlNode
        The element.

    Returns
    -------
    {"exponential", "piecewise"}
    """
    return cast("Activation", model.child("activation").child(*ACTIVATIONS).tag)


def read_annealing(node: XmlNode) -> SimulatedAnnealing:
    """Read a ``simulatedAnnealing`` element.

    Parameters
    ----------
    node : XmlNode
        The element.

    Returns
    -------
    SimulatedAnnealing

    Raises
    ------
    FileFormatError
        If a value is outside its range.
    """
    whole = {"noEpsilon", "NS", "NT", "maxNoEval"}
    values: dict[str, Any] = {}
    for name, attribute in ANNEALING_NAMES.items():
        if name == "variant":
            variant = node.find(name)
            values |= {} if variant is None else {attribute: variant.text()}
            continue
        child = node.child(name)
        values[attribute] = child.integer() if name in whole else child.number()
    try:
        return SimulatedAnnealing(**values)
    except OptionError as error:
        raise node.error("settings within their ranges", f"'{error}'") from error


def write_model(root: XmlNode, tendon: Tendon, activation: Activation) -> XmlNode:
    """Append an ``NMSmodel`` element with tendon and activation, and an empty ``type``.

    Parameters
    ----------
    root : XmlNode
        The parent.
    tendon : Tendon
        The tendon.
    activation : {"exponential", "piecewise"}
        The activation model.

    Returns
    -------
    XmlNode
        The ``type`` element, to be filled.
    """
    model = root.add("NMSmodel")
    kind = model.add("type")
    node = model.add("tendon").add(tendon.kind)
    if tendon.tolerance is not None:
        node.add("tolerance", number_text(tendon.tolerance))
    model.add("activation").add(activation)
    return kind


def write_annealing(parent: XmlNode, settings: SimulatedAnnealing) -> None:
    """Append an ``algorithm`` element with annealing settings.

    Parameters
    ----------
    parent : XmlNode
        The parent.
    settings : SimulatedAnnealing
        The settings.
    """
    node = parent.add("algorithm").add("simulatedAnnealing")
    for name, value in settings.to_dict().items():
        if name != "variant":
            node.add(name, number_text(value))
        elif value != "ceinms":  # left out, so that CEINMS itself reads the file
            node.add(name, value)
