"""Options of the synergy-hybrid calibration, eq. (5) (``synergyHybrid`` of ``calibration.xml``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ceinms_torch.errors import OptionError
from ceinms_torch.io.display import OneLine
from ceinms_torch.model.settings import Count, NotNegative, Positive, Settings


@dataclass(frozen=True, kw_only=True)
class SynergyHybrid(OneLine, Settings):
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

    n_synergy: Count | Literal["auto"] = "auto"
    excitation_weight: Positive = 1000.0
    synthesised_weight: NotNegative = 1.0
    bounds_weight: NotNegative = 100.0
    smoothness_weight: NotNegative = 0.0
    weightings: Literal["shared", "trial"] = "shared"
    primitive_rate: Positive = 50.0
    synthesise: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Check every value, and take names as JSON has them."""
        names: object = self.synthesise
        if isinstance(names, str):
            expected = "a tuple of names of MTUs, or None for all"
            raise OptionError(where="synthesise", expected=expected, got=repr(names))
        if isinstance(names, list):  # as result.json has it
            object.__setattr__(self, "synthesise", tuple(names))
        super().__post_init__()
