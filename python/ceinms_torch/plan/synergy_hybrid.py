"""Options of the synergy-hybrid calibration, eq. (5) (``synergyHybrid`` of ``calibration.xml``)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from ceinms_torch.errors import OptionError
from ceinms_torch.io.display import OneLine
from ceinms_torch.model.parameters import Interval
from ceinms_torch.model.settings import Count, NotNegative, Positive, Settings

_TIE = re.compile(r"[^:+\s]+:[^:+\s]+(\+[^:+\s]+)*")


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
    begin : {"both", "emgDriven", "subject"}
        Where parameters begin: where those of an EMG-driven calibration end, with the same starts,
        in which MTUs without a recording are silent, and one in which their ties drive them; at the
        subject's values; or at both. Of several, the one that ends lowest is kept, that from the
        subject's values only if it ends lower by more than 1 %.
    ties : tuple of str, "neighbours" or "none"
        Patterns that synthesised excitations are held to, softly: "neighbours" for that of the
        recorded MTUs whose moment arms are most alike, where any are (see `find_ties`); or texts
        such as ``psoas_r:tfl_r+rect_fem_r``, the mean of these MTUs' recordings, and
        ``psoas_r:mean``, the mean of all recordings.
    tie_weight : float
        Weight of the squared difference between tied excitations and their patterns, each times
        the factor that comes nearest to it; >= 0.
    tie_amplitude : float
        How much that factor counts, too, which would be 1: 0 for the shape of the pattern alone,
        to 1 for the pattern as it is.
    n_gaussian : int
        Primitives are sums of so many Gaussians each, which are smooth; 0 for one number per node;
        >= 0. With L-BFGS-B only.

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
    begin: Literal["both", "emgDriven", "subject"] = "both"
    ties: tuple[str, ...] | Literal["neighbours", "none"] = "neighbours"
    tie_weight: NotNegative = 10.0
    tie_amplitude: Annotated[float, Interval(low=0.0, high=1.0)] = 0.1
    n_gaussian: Annotated[int, Interval(low=0)] = 0

    def __post_init__(self) -> None:
        """Check every value, and take names as JSON has them."""
        names: object = self.synthesise
        if isinstance(names, str):
            expected = "a tuple of names of MTUs, or None for all"
            raise OptionError(where="synthesise", expected=expected, got=repr(names))
        if isinstance(names, list):  # as result.json has it
            object.__setattr__(self, "synthesise", tuple(names))
        ties: object = self.ties
        if isinstance(ties, list):
            object.__setattr__(self, "ties", tuple(ties))
        words = ("neighbours", "none")
        texts = self.ties if isinstance(self.ties, tuple) else ()
        if (not texts and self.ties not in words) or not all(map(_TIE.fullmatch, texts)):
            expected = "neighbours, none, or texts such as psoas_r:tfl_r+rect_fem_r or psoas_r:mean"
            raise OptionError(where="ties", expected=expected, got=repr(self.ties))
        super().__post_init__()


# As the paper has it: from the uncalibrated subject, excitations held to nothing.
PAPER_HYBRID = SynergyHybrid(begin="subject", ties="none")
