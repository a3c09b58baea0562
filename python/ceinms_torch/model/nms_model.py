"""What calibration and execution files share: the tendon and the annealing settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, cast, get_args

from ceinms_torch.io.xml_node import XmlNode, number_text
from ceinms_torch.model.settings import (
    Count,
    Finite,
    Positive,
    Settings,
    check_choice,
    check_number,
)

TendonKind = Literal[
    "stiff", "equilibriumElastic", "integrationElastic", "rosenbrockElastic", "dampedEquilibrium"
]
Activation = Literal["exponential", "piecewise"]
TENDON_KINDS: tuple[str, ...] = get_args(TendonKind)
ACTIVATIONS: tuple[str, ...] = get_args(Activation)


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
class SimulatedAnnealing(Settings):
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
    xml_names: ClassVar[Mapping[str, str]] = {"temperature": "T", "ns": "NS", "nt": "NT"}
    no_epsilon: Count
    rt: Positive
    temperature: Positive
    ns: Count
    nt: Count
    epsilon: Finite
    max_no_eval: Count
    variant: Literal["ceinms", "modern"] = "ceinms"


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
    # Without what CEINMS does not know, wherever it can be, so that CEINMS itself reads the file.
    settings.write_to(parent.add("algorithm").add("simulatedAnnealing"), with_defaults=False)
