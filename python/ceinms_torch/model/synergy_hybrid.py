"""Options of the synergy-hybrid calibration, eq. (5) (``synergyHybrid`` of ``calibration.xml``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ceinms_torch.errors import OptionError
from ceinms_torch.io.display import one_line
from ceinms_torch.io.xml_node import XmlNode, number_text
from ceinms_torch.model.nms_model import check_choice
from ceinms_torch.model.options import Settings, check_number, check_whole

Weightings = Literal["shared", "trial"]


@dataclass(frozen=True, kw_only=True)
class SynergyHybrid(Settings):
    """How synergies make the excitations that were not recorded (paper, III-C).

    Parameters
    ----------
    n_synergy : int or "auto"
        XML ``nSynergy``: number of synergies, >= 1, at most that of recorded excitations; "auto"
        for the fewest that account for more than 85 % of the recorded excitations.
    excitation_weight : float
        Weight w^e of the squared error of recorded excitations as the synergies reconstruct them;
        > 0.
    synthesised_weight : float
        Weight w^s of the squared synthesised excitations; >= 0.
    bounds_weight : float
        Factor on the squared excess of synthesised excitations, primitives and weightings over
        0 to 1; >= 0.
    smoothness_weight : float
        Preference for smooth synthesised excitations: weight of their squared time derivatives,
        averaged over time [s^2]; >= 0.
    weightings : {"shared", "trial"}
        Whether all trials have the same muscle weightings, or each its own.
    primitive_rate : float
        Primitives are numbers at this rate, linear in between [Hz]; > 0. At most one per row of
        the excitations.
    synthesise : tuple of str or None
        MTUs that synergies drive: None for all without a recording that act on the step's DOFs.
        Others without a recording stay in the model with passive force only; a recorded MTU that is
        named is driven by synergies instead.

    Raises
    ------
    OptionError
        If a value is outside its range.
    """

    n_synergy: int | Literal["auto"] = "auto"
    excitation_weight: float = 1000.0
    synthesised_weight: float = 1.0
    bounds_weight: float = 100.0
    smoothness_weight: float = 0.0
    weightings: Weightings = "shared"
    primitive_rate: float = 50.0
    synthesise: tuple[str, ...] | None = None

    __repr__ = one_line

    def __post_init__(self) -> None:
        """Check every value."""
        if self.n_synergy != "auto":
            check_whole("nSynergy", self.n_synergy, least=1)
        check_number("excitationWeight", self.excitation_weight, above=0.0)
        check_number("synthesisedWeight", self.synthesised_weight, least=0.0)
        check_number("boundsWeight", self.bounds_weight, least=0.0)
        check_number("smoothnessWeight", self.smoothness_weight, least=0.0)
        check_choice("weightings", self.weightings, ("shared", "trial"))
        check_number("primitiveRate", self.primitive_rate, above=0.0)
        names: object = self.synthesise
        if isinstance(names, str):
            expected = "a tuple of names of MTUs, or None for all"
            raise OptionError(where="synthesise", expected=expected, got=repr(names))
        if isinstance(names, list):  # as result.json has it
            object.__setattr__(self, "synthesise", tuple(names))


def read_synergy_hybrid(node: XmlNode) -> SynergyHybrid:
    """Read a ``synergyHybrid`` element.

    Parameters
    ----------
    node : XmlNode
        The element; what it does not hold keeps its default.

    Returns
    -------
    SynergyHybrid

    Raises
    ------
    FileFormatError
        If a value is outside its range.
    """
    values: dict[str, Any] = {}
    for name, default in SynergyHybrid().to_dict().items():
        child = node.find(name)
        if child is None:
            continue
        if name == "nSynergy":
            values[name] = "auto" if child.text() == "auto" else child.integer()
        elif name == "synthesise":
            values[name] = child.names()
        else:
            values[name] = child.text() if isinstance(default, str) else child.number()
    try:
        return SynergyHybrid.from_dict(values)
    except OptionError as error:
        raise node.error("settings within their ranges", f"'{error}'") from error


def write_synergy_hybrid(parent: XmlNode, options: SynergyHybrid) -> None:
    """Append a ``synergyHybrid`` element.

    Parameters
    ----------
    parent : XmlNode
        The parent, a ``type`` element.
    options : SynergyHybrid
        The options.
    """
    node = parent.add("synergyHybrid")
    for name, value in options.to_dict().items():
        if isinstance(value, tuple):
            node.add(name, " ".join(value))
        elif value is not None:
            node.add(name, value if isinstance(value, str) else number_text(value))
