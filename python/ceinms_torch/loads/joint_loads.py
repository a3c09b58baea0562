"""Joint contact forces of muscle forces, and what makes one doubt them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.calibration.uncertainty import Band, ends_of_band
from ceinms_torch.errors import CeinmsTorchWarning, OptionError
from ceinms_torch.io.display import OneLine
from ceinms_torch.loads.maps import LoadMaps
from ceinms_torch.loads.others import AllForces, Others, all_forces
from ceinms_torch.simulation.time_series import TimeSeries

Side = Literal["parent", "child"]
Frame = Literal["parent", "child", "ground"]

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
_MOST = 5  # muscles named at a peak


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


@dataclass(frozen=True, kw_only=True, eq=False)
class JointLoads(OneLine):
    """What joints bear in a trial.

    Parameters
    ----------
    name : str
        The trial.
    on, frame : str
        The side that bears ("parent" or "child"), and whose axes components are along ("parent",
        "child" or "ground").
    others : str
        What muscles did whose forces were not calculated, in words.
    body_weight : float
        [N].
    force : TimeSeries
        Of every joint fx, fy, fz and the resultant, f [N].
    moment : TimeSeries
        Of every joint mx, my, mz about the joint's origin on that side [N m].
    net_force : TimeSeries
        The resultant of every joint without any muscle force [N].
    muscle_force : TimeSeries
        Forces of all muscles that count [N].
    reserves : TimeSeries
        What coordinates lack that muscles act on [N m or N].
    peaks : tuple of Peak
        By joint.
    reserve_shares : tuple of Reserve
        By coordinate.
    band : Band, optional
        Of `force`, over parameter sets that fit alike; a level of 1 is their whole range.
    n_set : int
        Number of these sets; 0 without a band.
    doubts : tuple of str
        What makes one doubt them: sentences.
    """

    name: str
    on: Side
    frame: Frame
    others: str
    body_weight: float
    force: TimeSeries = field(repr=False)
    moment: TimeSeries = field(repr=False)
    net_force: TimeSeries = field(repr=False)
    muscle_force: TimeSeries = field(repr=False)
    reserves: TimeSeries = field(repr=False)
    peaks: tuple[Peak, ...]
    reserve_shares: tuple[Reserve, ...] = field(repr=False)
    band: Band | None = field(default=None, repr=False)
    n_set: int = 0
    doubts: tuple[str, ...] = ()

    def resultant(self, joint: str) -> FloatArray:
        """Return the resultant of a joint (n_step,) [N]."""
        return self.force[self.column(joint)]

    def column(self, joint: str) -> str:
        """Return the label of a joint's resultant in `force` and its band."""
        place = self.net_force.columns.index(joint)
        return self.force.columns[4 * place + 3]

    def in_body_weights(self, series: TimeSeries) -> TimeSeries:
        """Return forces [N] in body weights."""
        return TimeSeries(
            series.name,
            "body weights",
            series.time,
            series.columns,
            series.array / self.body_weight,
        )


def joint_loads(
    maps: LoadMaps,
    forces: Mapping[str, FloatArray],
    *,
    name: str = "trial",
    others: Others | None = None,
    alike: Sequence[Mapping[str, FloatArray]] = (),
    level: float = 1.0,
    on: Side = "child",
    frame: Frame = "child",
) -> JointLoads:
    """Return what joints bear under muscle forces.

    Parameters
    ----------
    maps : LoadMaps
        What motion and external loads make them depend on.
    forces : mapping of str to ndarray (n_step,)
        Forces along the tendon [N] by muscle, in any order, at the times of `maps`: a `TimeSeries`
        of MTU forces is one.
    name : str
        The trial.
    others : "silent", "optimise" or mapping, optional
        What all other muscles do on which these joints depend: nothing, static optimisation of what
        moments are left, or forces by name. Without it there must be none.
    alike : sequence of mapping
        Forces of other parameter sets that fit alike, for a band.
    level : float
        Pointwise probability of the band, > 0; 1 for the range of the sets.
    on : {"child", "parent"}
        The side of the joint that bears.
    frame : {"child", "parent", "ground"}
        Whose axes the components are along.

    Returns
    -------
    JointLoads

    Raises
    ------
    DataError
        If a muscle that matters has no force and nothing says what it does.
    OptionError
        If the sets are too few for the level.

    Warns
    -----
    CeinmsTorchWarning
        Of resultants above 6 body weights and of reserves above 10 % of a DOF's moment.

    Notes
    -----
    Forces at contact, of cartilage or prosthesis; ligaments that the model lacks are in them, too.
    """
    for option, value, known in (
        ("on", on, ("parent", "child")),
        ("frame", frame, ("parent", "child", "ground")),
    ):
        if value not in known:
            raise OptionError(where=option, expected=" or ".join(known), got=repr(value))
    every = all_forces(maps, forces, others)
    sides = _Sides(maps, on, frame)
    reaction = maps.reactions(every.array)
    force, moment = sides.force(reaction), sides.moment(reaction)
    net = np.linalg.norm(maps.net_reaction[:, :, 3:], axis=2)
    band, peaks_alike = None, None
    if alike:
        least = 2 if level == 1.0 else int(np.ceil(2.0 / (1.0 - level) - 1.0 - 1e-9))
        if not 0.0 < level <= 1.0 or len(alike) < least:
            raise OptionError(
                where="alike", expected=f"at least {least} parameter sets", got=str(len(alike))
            )
        drawn = np.stack(
            [sides.force(maps.reactions(all_forces(maps, one, others).array)) for one in alike]
        )
        lower, upper = ends_of_band(drawn, level)
        band = Band(
            lower=sides.series("lower end of joint force", "N", "f", lower),
            upper=sides.series("upper end of joint force", "N", "f", upper),
            level=level,
        )
        peaks_alike = ends_of_band(drawn[:, :, 3::4].max(axis=1), level) / maps.body_weight
    acted_on = maps.acted_on()
    reserves = maps.reserves(every.array)[:, acted_on]
    dofs = tuple(maps.coordinates[i] for i in acted_on)
    shares = tuple(
        Reserve(
            dof=dof,
            reserve=float(np.abs(reserves[:, i]).max()),
            moment=float(np.abs(maps.net_moment[:, place]).max()),
        )
        for i, (dof, place) in enumerate(zip(dofs, acted_on, strict=True))
    )
    peaks = _peaks(maps, every, force, net, peaks_alike)
    doubts = _doubts(name, maps, peaks, shares)
    if band is not None and (text := _outside(band, force, maps)):
        doubts.append(("outside-band", f"trial {name}: {text}"))
    for code, doubt in doubts:
        warnings.warn(CeinmsTorchWarning(doubt, code), stacklevel=2)
    return JointLoads(
        name=name,
        on=on,
        frame=frame,
        others=every.in_words(given=isinstance(others, Mapping)),
        body_weight=maps.body_weight,
        force=sides.series("joint force", "N", "f", force),
        moment=sides.series("joint moment at the contact", "N m", "m", moment),
        net_force=TimeSeries("joint force without muscles", "N", maps.time, maps.joint_names, net),
        muscle_force=TimeSeries("MTU force", "N", maps.time, maps.actuators, every.array),
        reserves=TimeSeries("reserve", "N m or N", maps.time, dofs, reserves),
        peaks=peaks,
        reserve_shares=shares,
        band=band,
        n_set=len(alike),
        doubts=tuple(doubt for _, doubt in doubts),
    )


class _Sides:
    """Reactions on the child in ground, as they are on one side and along some axes."""

    def __init__(self, maps: LoadMaps, on: Side, frame: Frame) -> None:
        self._maps, self._on = maps, on
        self._axes = None if frame == "ground" else getattr(maps, frame)[..., :3]
        self._labels = [
            f"{joint.name}_on_{getattr(joint, on)}_in_"
            f"{'ground' if frame == 'ground' else getattr(joint, frame)}_"
            for joint in maps.joints
        ]

    def force(self, reaction: FloatArray) -> FloatArray:
        """Return fx, fy, fz and the resultant of every joint, (n_step, 4 n_joint)."""
        vector = self._turned(reaction[:, :, 3:] * (1.0 if self._on == "child" else -1.0))
        resultant = np.linalg.norm(vector, axis=2, keepdims=True)
        return np.concatenate((vector, resultant), axis=2).reshape(len(vector), -1)

    def moment(self, reaction: FloatArray) -> FloatArray:
        """Return mx, my, mz of every joint, (n_step, 3 n_joint)."""
        vector = reaction[:, :, :3]
        if self._on == "parent":
            lever = self._maps.child[..., 3] - self._maps.parent[..., 3]
            vector = -(vector + np.cross(lever, reaction[:, :, 3:]))
        return self._turned(vector).reshape(len(vector), -1)

    def series(self, name: str, units: str, letter: str, array: FloatArray) -> TimeSeries:
        """Return values with names and times."""
        ends = [f"{letter}{axis}" for axis in "xyz"] + (["f"] if letter == "f" else [])
        columns = tuple(f"{label}{end}" for label in self._labels for end in ends)
        return TimeSeries(name, units, self._maps.time, columns, array)

    def _turned(self, vector: FloatArray) -> FloatArray:
        if self._axes is None:
            return vector
        result: FloatArray = np.einsum("tjkl,tjk->tjl", self._axes, vector)
        return result


def _peaks(
    maps: LoadMaps,
    every: AllForces,
    force: FloatArray,
    net: FloatArray,
    alike: FloatArray | None,
) -> tuple[Peak, ...]:
    resultant = force[:, 3::4]
    result = []
    for j, joint in enumerate(maps.joint_names):
        step = int(resultant[:, j].argmax())
        vector = maps.reactions(every.array)[step, j, 3:]
        direction = vector / max(float(np.linalg.norm(vector)), 1e-9)
        added = maps.reaction[step, j, :, 3:] @ direction * every.array[step] / maps.body_weight
        most = np.argsort(-added)[:_MOST]
        peak = float(resultant[step, j])
        result.append(
            Peak(
                joint=joint,
                force=peak,
                body_weights=peak / maps.body_weight,
                time=float(maps.time[step]),
                without_muscles=float(net[:, j].max()) / maps.body_weight,
                ends=None if alike is None else (float(alike[0, j]), float(alike[1, j])),
                muscles={maps.actuators[i]: float(added[i]) for i in most if added[i] > 0.005},
            )
        )
    return tuple(result)


def _outside(band: Band, force: FloatArray, maps: LoadMaps) -> str | None:
    """Say where a line leaves the band of other parameter sets."""
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


def _doubts(
    name: str, maps: LoadMaps, peaks: Sequence[Peak], shares: Sequence[Reserve]
) -> list[tuple[str, str]]:
    """Return codes and sentences."""
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
    large = [one for one in shares if one.share > DOUBTFUL_RESERVE and one.reserve > _SMALL_RESERVE]
    if large:
        reserves = ", ".join(
            f"{one.dof} {100 * one.share:.0f} % ({one.reserve:.3g} of {one.moment:.3g})"
            for one in large
        )
        found["reserve-large"] = (
            f"muscles miss more than {100 * DOUBTFUL_RESERVE:g} % of inverse dynamics, which "
            f"reserves provide: {reserves} N m. Loads lack what muscles would add for that."
        )
    return [(code, f"trial {name}: {text}") for code, text in found.items()]
