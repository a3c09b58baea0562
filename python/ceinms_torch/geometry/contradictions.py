"""Moment arms that cannot belong to the MTU lengths they come with.

A moment arm is how the length changes with the angle, arm = -dL/dq (principle of virtual work; An
et al. 1984, J Biomech Eng 106:280-282). Wrapping surfaces that a path jumps off, a muscle of the
other side, degrees taken for radians or another sign break that. Whether they do can be told from
a motion alone: no polynomial that has these lengths then has derivatives near these moment arms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.geometry.held_out import held_out_predictions, root_mean_square
from ceinms_torch.geometry.polynomials import LengthFit, fit_length, n_term
from ceinms_torch.geometry.samples import PoseSamples
from ceinms_torch.io.display import OneLine
from ceinms_torch.model.settings import check_number

# Lengths count so much more than moment arms: these are in question.
_LENGTH_WEIGHT = 10.0
# What an arm in question still weighs, so that it is kept where lengths do not decide.
_IN_QUESTION = 0.01
# No polynomial that goes through the lengths is nearer to all arms than this share of what counts.
_UNRECONCILED = 0.1
_MOST_POSES = 200
_FEWEST_POSES = 20
_ORDER = 5
_MOST_TERMS = 150
# Lengths with a smaller held-out error, by polynomials of this order, follow from the angles [m].
_FOLLOWS = 3e-4
_ORDER_HELD_OUT = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Contradiction(OneLine):
    """A moment arm that is not the derivative of its MTU's length.

    Parameters
    ----------
    mtu, dof : str
        Whose moment arm about what.
    rms : float
        Root mean square difference of the given moment arm and the derivative [m].
    pose : int
        Index of the pose where they differ most.
    coordinate : float
        The DOF's value there [rad].
    given, derived : float
        The moment arm given there, and minus the derivative of the length [m].
    moment_arm : ndarray (n_pose,)
        Minus the derivative of the length in every pose [m]: what can be taken instead.
    """

    mtu: str
    dof: str
    rms: float
    pose: int
    coordinate: float
    given: float
    derived: float
    moment_arm: FloatArray

    def __str__(self) -> str:
        """Say it in one sentence."""
        return (
            f"the moment arm of {self.mtu} about {self.dof} is not -dL/dq of its length: "
            f"{1e3 * self.rms:.1f} mm apart (root mean square), at "
            f"{math.degrees(self.coordinate):.1f} degrees {1e3 * self.given:.1f} mm given and "
            f"{1e3 * self.derived:.1f} mm by the length"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class GeometryCheck:
    """Whether lengths and moment arms belong together.

    Parameters
    ----------
    contradictions : tuple of Contradiction
        The worst first.
    not_judged : dict of str to str
        By MTU, why its moment arms were not judged.
    """

    contradictions: tuple[Contradiction, ...]
    not_judged: Mapping[str, str]


@one_blas_thread
def check_moment_arms(
    samples: PoseSamples,
    *,
    tolerance: float = 0.005,
    coordinates: Mapping[str, Sequence[str]] | None = None,
) -> GeometryCheck:
    """Compare moment arms with what the lengths say they are.

    Lengths are fitted by polynomials whose derivatives come as near to the moment arms as the
    lengths allow. Where that is not near, each moment arm of the MTU is left out in turn: the one
    without which the others fit is the one to blame.

    Parameters
    ----------
    samples : PoseSamples
        Such as the frames of a movement, in their order: angles, lengths, moment arms.
    tolerance : float
        Root mean square difference above which a moment arm contradicts [m], > 0.
    coordinates : mapping of str to sequence of str, optional
        By MTU: the coordinates that its path crosses, as the model says, those left out that
        follow others. Moment arms need not be known about all of them. Without it, those about
        which the MTU has a moment arm are taken for all: it is judged only if its length follows
        from them, since what it owes to others would be taken for a contradiction. Along one
        movement a length may follow from too few, so say what the model says where there is one.

    Returns
    -------
    GeometryCheck

    Raises
    ------
    OptionError
        If `tolerance` is not above 0.
    """
    check_number("tolerance", tolerance, above=0.0)
    some = samples.at(np.linspace(0, samples.n_pose - 1, min(_MOST_POSES, samples.n_pose)))
    found: list[Contradiction] = []
    not_judged: dict[str, str] = {}
    for mtu in samples.mtu_names:
        crossed = {*(coordinates or {}).get(mtu, ()), *samples.acted_on(mtu)}
        names = tuple(name for name in samples.coordinate_names if name in crossed)
        if not crossed.intersection(samples.dof_names):
            continue  # no moment arm that could be judged
        reason = _why_not_judged(some, mtu, names)
        if reason:
            not_judged[mtu] = reason
        else:
            found += _Judged(samples, some, mtu, names).contradictions(tolerance)
    found.sort(key=lambda one: -one.rms)
    return GeometryCheck(contradictions=tuple(found), not_judged=not_judged)


def _why_not_judged(samples: PoseSamples, mtu: str, names: tuple[str, ...]) -> str:
    """Return a sentence; empty if an MTU's length follows from these coordinates."""
    if samples.n_pose < _FEWEST_POSES:
        return f"{samples.n_pose} poses are too few, {_FEWEST_POSES} are needed"
    length = samples.mtu_length[:, samples.mtu_names.index(mtu)]
    nothing = np.zeros((len(names), samples.n_pose))
    predicted, _ = held_out_predictions(
        samples.columns(names), length, nothing, np.zeros(len(names)), order=_ORDER_HELD_OUT
    )
    rms = root_mean_square(predicted - length)
    if rms <= _FOLLOWS:
        return ""
    return f"its length does not follow from {', '.join(names)} alone ({1e3 * rms:.2g} mm held out)"


class _Judged:
    """One MTU: fits of its lengths with some of its moment arms in question."""

    def __init__(
        self, samples: PoseSamples, some: PoseSamples, mtu: str, names: tuple[str, ...]
    ) -> None:
        self._samples, self._mtu, self._names = samples, mtu, names
        self._coordinates = some.columns(names)
        self._length = some.mtu_length[:, some.mtu_names.index(mtu)]
        self._arm, self._is_known = some.arms(mtu, names)
        self._order = _ORDER
        while n_term(len(names), self._order) > _MOST_TERMS and self._order > 1:
            self._order -= 1

    def _fit(self, in_question: Sequence[int]) -> tuple[LengthFit, FloatArray]:
        """Return a fit, and by how much each arm is off (n_coordinate,); 0 where none is known."""
        weight = self._is_known.copy()
        weight[list(in_question)] *= _IN_QUESTION
        fit = fit_length(
            self._coordinates,
            self._length,
            self._arm,
            order=self._order,
            length_weight=_LENGTH_WEIGHT,
            arm_weight=weight,
        )
        _, arm = fit.at(self._coordinates)
        off = [root_mean_square(one) for one in (arm - self._arm)]
        return fit, np.array(off) * self._is_known

    def contradictions(self, tolerance: float) -> list[Contradiction]:
        nothing_to_say = _UNRECONCILED * tolerance
        _, off = self._fit(())
        if off.max() <= nothing_to_say:
            return []
        known = [int(i) for i in np.flatnonzero(self._is_known)]
        trials = {i: self._fit((i,)) for i in known}
        others = {i: np.delete(off, i).max(initial=0.0) for i, (_, off) in trials.items()}
        blamed = min(others, key=lambda i: (others[i], -trials[i][1][i]))
        fit, off = trials[blamed]
        if others[blamed] > tolerance:  # it is not one alone
            fit, off = self._fit(known)
        return [self._contradiction(fit, i) for i in known if off[i] > tolerance]

    def _contradiction(self, fit: LengthFit, i: int) -> Contradiction:
        name = self._names[i]
        _, arms = fit.at(self._samples.columns(self._names))
        given, _ = self._samples.arms(self._mtu, (name,))
        difference = arms[i] - given[0]
        pose = int(np.abs(difference).argmax())
        return Contradiction(
            mtu=self._mtu,
            dof=name,
            rms=root_mean_square(difference),
            pose=pose,
            coordinate=float(self._samples.columns((name,))[pose, 0]),
            given=float(given[0, pose]),
            derived=float(arms[i, pose]),
            moment_arm=arms[i],
        )
