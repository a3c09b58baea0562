"""What is thought of a parameter before its trials are seen (``prior`` of ``calibration.xml``)."""

from __future__ import annotations

from dataclasses import dataclass

from ceinms_torch.io.display import OneLine
from ceinms_torch.model.settings import Finite, NotNegative, Settings


@dataclass(frozen=True, kw_only=True)
class Prior(OneLine, Settings):
    """Where a parameter is pulled to, and how strongly.

    Parameters
    ----------
    weight : float, optional
        In place of the objective's `parameter_prior_weight`; >= 0.
    centre : float, optional
        In place of the value at the start of the step; within the range of the parameter, and as
        that is given: a value in its unit, or a factor on the value at the start of the step.
    muscles : tuple of str
        The MTUs it is about; by default all that no other prior of the parameter names.

    Raises
    ------
    OptionError
        If a value is outside its range.
    """

    weight: NotNegative | None = None
    centre: Finite | None = None
    muscles: tuple[str, ...] = ()

    def filled(self, other: Prior) -> Prior:
        """Return the prior with what it leaves open from another one."""
        return Prior(
            weight=other.weight if self.weight is None else self.weight,
            centre=other.centre if self.centre is None else self.centre,
            muscles=self.muscles,
        )
