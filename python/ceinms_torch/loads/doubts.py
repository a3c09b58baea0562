"""What makes one doubt joint loads, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.calibration.uncertainty import Band
from ceinms_torch.io.display import OneLine
from ceinms_torch.loads.maps import LoadMaps

# Instrumented hips and knees bear less in walking, running and stairs, but for stumbling
# (Bergmann et al. 2001, 2014) [body weights].
DOUBTFUL_LOAD = 6.0
# Reserves below 10 % of a DOF's moment are what Hicks et al. (2015) call acceptable; what is
# smaller than half a newton metre is nothing, whatever the share.
DOUBTFUL_RESERVE = 0.1
# Hicks et al. ask for residuals of 5 % of the external force; models that were scaled by eye have
# more, and without external loads they are the body's weight [body weights].
DOUBTFUL_RESIDUAL = 0.25
_SMALL_RESERVE = 0.5  # [N m or N]
_OUTSIDE = 0.2  # share of the time, of a band that holds 19 of 20


@dataclass(frozen=True, kw_only=True)
class Peak(OneLine):
    """The largest resultant of a joint in a trial.

    Parameters
    ----------
    joint : str
        The joint.
    force : float
        [N].
    body_weights : float
        The same over body weight.
    time : float
        When [s].
    without_muscles : float
        The largest resultant if no muscle bore anything [body weights].
    ends : (float, float), optional
        Ends of the band of that peak [body weights].
    muscles : mapping of str to float
        What those muscles add to the resultant that add most, along it [body weights].
    """

    joint: str
    force: float
    body_weights: float
    time: float
    without_muscles: float
    ends: tuple[float, float] | None
    muscles: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Reserve(OneLine):
    """What muscles leave of a DOF's moment.

    Parameters
    ----------
    dof : str
        The coordinate.
    reserve, moment : float
        Largest of the reserve and of inverse dynamics [N m or N].
    """

    dof: str
    reserve: float
    moment: float

    @property
    def share(self) -> float:
        """The one over the other."""
        return self.reserve / self.moment if self.moment > 0.0 else np.inf


def outside_band(band: Band, force: FloatArray, maps: LoadMaps) -> str | None:
    """Say where a line leaves the band of other parameter sets.

    Parameters
    ----------
    band : Band
        Of the forces.
    force : ndarray (n_step, 4 n_joint)
        The line [N]: by joint three components and the resultant.
    maps : LoadMaps
        Of these joints.

    Returns
    -------
    str or None
        None where it hardly does.
    """
    lower, upper = band.lower.array[:, 3::4], band.upper.array[:, 3::4]
    line = force[:, 3::4]
    share = np.mean((line < lower) | (line > upper), axis=0)
    found = [
        f"{joint} {100 * one:.0f} %"
        for joint, one in zip(maps.joint_names, share, strict=True)
        if one > _OUTSIDE
    ]
    if not found:
        return None
    return (
        f"the loads leave the {band.percentage} band for much of the time ({', '.join(found)}): "
        "preferences of the calibration, such as parameterPrior, hold them where sets that fit "
        "alike without them hardly are."
    )


def doubts_about(
    maps: LoadMaps, peaks: Sequence[Peak], reserves: Sequence[Reserve]
) -> dict[str, str]:
    """Say what makes one doubt loads.

    Parameters
    ----------
    maps : LoadMaps
        What motion and external loads made them.
    peaks : sequence of Peak
        By joint.
    reserves : sequence of Reserve
        By DOF.

    Returns
    -------
    dict of str to str
        Sentences by the code of the warning.
    """
    found: dict[str, str] = {}
    residual = maps.residual / maps.body_weight
    held = maps.time[residual > DOUBTFUL_RESIDUAL]
    if len(held):
        found["residual-large"] = (
            f"between {held[0]:.2f} and {held[-1]:.2f} s up to {residual.max():.2f} body weights "
            "hold the body that no external load explains: a foot is on the ground beside the "
            "force plates, the model's mass is not the person's, or the loads are of another "
            "recording or act on other bodies. What joints above such a foot bear is wrong then."
        )
    high = [one for one in peaks if one.body_weights > DOUBTFUL_LOAD]
    if high:
        loads = ", ".join(f"{one.joint} {one.body_weights:.1f}" for one in high)
        muscles = ", ".join(f"{who} {what:.1f}" for who, what in high[0].muscles.items())
        found["load-implausible"] = (
            f"joints hardly ever bear more than {DOUBTFUL_LOAD:g} body weights, but here {loads}. "
            f"At {high[0].joint} most of it is by {muscles}. Muscles whose DOFs were not "
            "calibrated may pull against each other without a moment that tells."
        )
    large = [
        one for one in reserves if one.share > DOUBTFUL_RESERVE and one.reserve > _SMALL_RESERVE
    ]
    if large:
        shares = ", ".join(
            f"{one.dof} {100 * one.share:.0f} % ({one.reserve:.3g} of {one.moment:.3g})"
            for one in large
        )
        found["reserve-large"] = (
            f"muscles miss more than {100 * DOUBTFUL_RESERVE:g} % of inverse dynamics, which "
            f"reserves provide: {shares} N m. Loads lack what muscles would add for that."
        )
    return found
