"""Joint contact forces of muscle forces."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.calibration.uncertainty import Band, ends_of_band
from ceinms_torch.errors import CeinmsTorchWarning, OptionError
from ceinms_torch.io.display import OneLine
from ceinms_torch.loads.doubts import Peak, Reserve, doubts_about, outside_band
from ceinms_torch.loads.maps import LoadMaps
from ceinms_torch.loads.others import AllForces, Others, all_forces
from ceinms_torch.simulation.time_series import TimeSeries

Side = Literal["parent", "child"]
Frame = Literal["parent", "child", "ground"]

_MOST = 5  # muscles named at a peak


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


@one_blas_thread
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
    _check_options(on, frame, len(alike), level)
    every = all_forces(maps, forces, others)
    sides = _Sides(maps, on, frame)
    reaction = maps.reactions(every.array)
    force, moment = sides.force(reaction), sides.moment(reaction)
    drawn = [sides.force(maps.reactions(all_forces(maps, one, others).array)) for one in alike]
    band = sides.band(np.stack(drawn), level) if alike else None
    highest = [one[:, 3::4].max(axis=0) for one in drawn]
    ends = ends_of_band(np.stack(highest), level) if alike else None
    peaks = _peaks(maps, every, force, ends)
    reserves = _reserves(maps, every)
    shares = _shares(maps, reserves)
    doubts = doubts_about(maps, peaks, shares)
    if band is not None and (text := outside_band(band, force, maps)):
        doubts["outside-band"] = text
    doubts = {code: f"trial {name}: {text}" for code, text in doubts.items()}
    for code, doubt in doubts.items():
        warnings.warn(CeinmsTorchWarning(doubt, code), stacklevel=3)
    return JointLoads(
        name=name,
        on=on,
        frame=frame,
        others=every.in_words(given=isinstance(others, Mapping)),
        body_weight=maps.body_weight,
        force=sides.series("joint force", "N", "f", force),
        moment=sides.series("joint moment at the contact", "N m", "m", moment),
        net_force=TimeSeries(
            "joint force without muscles", "N", maps.time, maps.joint_names, _net(maps)
        ),
        muscle_force=TimeSeries("MTU force", "N", maps.time, maps.actuators, every.array),
        reserves=reserves,
        peaks=peaks,
        reserve_shares=shares,
        band=band,
        n_set=len(alike),
        doubts=tuple(doubts.values()),
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

    def band(self, drawn: FloatArray, level: float) -> Band:
        """Return the band of forces (n_set, n_step, 4 n_joint)."""
        lower, upper = ends_of_band(drawn, level)
        return Band(
            lower=self.series("lower end of joint force", "N", "f", lower),
            upper=self.series("upper end of joint force", "N", "f", upper),
            level=level,
        )

    def _turned(self, vector: FloatArray) -> FloatArray:
        if self._axes is None:
            return vector
        result: FloatArray = np.einsum("tjkl,tjk->tjl", self._axes, vector)
        return result


def _net(maps: LoadMaps) -> FloatArray:
    """Return the resultants without muscles (n_step, n_joint) [N]."""
    return np.asarray(np.linalg.norm(maps.net_reaction[:, :, 3:], axis=2))


def _check_options(on: str, frame: str, n_set: int, level: float) -> None:
    for option, value, known in (
        ("on", on, ("parent", "child")),
        ("frame", frame, ("parent", "child", "ground")),
    ):
        if value not in known:
            raise OptionError(where=option, expected=" or ".join(known), got=repr(value))
    if not 0.0 < level <= 1.0:
        raise OptionError(where="level", expected="a number > 0 and <= 1", got=f"{level:g}")
    least = 2 if level == 1.0 else int(np.ceil(2.0 / (1.0 - level) - 1.0 - 1e-9))
    if 0 < n_set < least:
        raise OptionError(
            where="alike", expected=f"at least {least} parameter sets", got=str(n_set)
        )


def _reserves(maps: LoadMaps, every: AllForces) -> TimeSeries:
    places = maps.acted_on()
    dofs = tuple(maps.coordinates[i] for i in places)
    array = np.ascontiguousarray(maps.reserves(every.array)[:, places])
    return TimeSeries("reserve", "N m or N", maps.time, dofs, array)


def _shares(maps: LoadMaps, reserves: TimeSeries) -> tuple[Reserve, ...]:
    net = maps.net_moment[:, maps.acted_on()]
    return tuple(
        Reserve(
            dof=dof,
            reserve=float(np.abs(reserves.array[:, i]).max()),
            moment=float(np.abs(net[:, i]).max()),
        )
        for i, dof in enumerate(reserves.columns)
    )


def _peaks(
    maps: LoadMaps,
    every: AllForces,
    force: FloatArray,
    ends: FloatArray | None,
) -> tuple[Peak, ...]:
    """Return peaks; `ends` (2, n_joint) are those of the peaks of other parameter sets [N]."""
    resultant, net = force[:, 3::4], _net(maps)
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
                ends=None
                if ends is None
                else (float(ends[0, j]) / maps.body_weight, float(ends[1, j]) / maps.body_weight),
                muscles={maps.actuators[i]: float(added[i]) for i in most if added[i] > 0.005},
            )
        )
    return tuple(result)
