"""Whether moment arms are minus the derivative of the MTU lengths by the joint angles.

The lengths of an MTU are fitted by a polynomial in the coordinates that its path crosses, with its
given arms as what is believed where lengths do not say: a recording runs along one curve, so that
lengths alone leave derivatives across it open. Lengths count to 0.1 mm, arms to 10 mm. Where the
derivative of the polynomial then differs from the arms, these contradict the lengths: in the walk
of OpenSim's Moco example by 10 mm for one gastrocnemius, by less than 1.5 mm for all others.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.io.display import OneLine

# What lengths and arms are believed to [m].
_LENGTH, _ARM = 1e-4, 1e-2
# Total power of the polynomial by the number of coordinates; above, the last.
_ORDERS = (5, 5, 4, 3, 2)
# Arms that differ by less, root mean square, are those of other wrapping [m]; and as a share.
_LEAST, _LEAST_SHARE = 3e-3, 0.15
# A polynomial further from the lengths than this says nothing [m].
_MISFIT = 1e-3
# A coordinate that moves less than this is constant [rad or m].
_STILL = 1e-3
# Frames that are fitted at most: a recording hardly says more.
_MOST_FRAMES = 400


@dataclass(frozen=True, kw_only=True)
class Contradiction(OneLine):
    """An MTU whose moment arm about a DOF is not minus the derivative of its length.

    Parameters
    ----------
    mtu, dof : str
        Which.
    rms, largest : float
        Root mean square and largest difference along the recording [m].
    ratio : float
        Median of the arm over minus the derivative (-).
    derivative : ndarray (n_frame,)
        Minus the derivative [m].
    """

    mtu: str
    dof: str
    rms: float
    largest: float
    ratio: float
    derivative: FloatArray = field(repr=False, compare=False)


def contradictions(
    angles: Mapping[str, FloatArray],
    lengths: Mapping[str, FloatArray],
    arms: Mapping[str, Mapping[str, FloatArray]],
    crossed: Mapping[str, Sequence[str]],
) -> tuple[Contradiction, ...]:
    """Find moment arms that the lengths contradict.

    Parameters
    ----------
    angles : mapping of str to ndarray (n_frame,)
        Coordinates [rad or m].
    lengths : mapping of str to ndarray (n_frame,)
        MTU lengths [m].
    arms : mapping of str to mapping of str to ndarray (n_frame,)
        Moment arms [m] by DOF and MTU.
    crossed : mapping of str to sequence of str
        The coordinates that each MTU's length depends on.

    Returns
    -------
    tuple of Contradiction
        The largest first.
    """
    found = []
    for mtu, length in lengths.items():
        moving = [name for name in crossed[mtu] if np.ptp(angles[name]) > _STILL]
        given = {i: arms[name][mtu] for i, name in enumerate(moving) if name in arms}
        if not given:
            continue
        q = np.stack([angles[name] for name in moving], axis=1)
        misfit, derivatives = _derivatives(q, length, given)
        if misfit > _MISFIT:
            continue
        for i, arm in given.items():
            difference = arm - derivatives[:, i]
            rms = float(np.sqrt(np.mean(difference**2)))
            size = float(np.sqrt(np.mean(np.maximum(np.abs(arm), np.abs(derivatives[:, i])) ** 2)))
            if rms > max(_LEAST, _LEAST_SHARE * size):
                found.append(
                    Contradiction(
                        mtu=mtu,
                        dof=moving[i],
                        rms=rms,
                        largest=float(np.abs(difference).max()),
                        ratio=float(np.median(arm / _away_from_zero(derivatives[:, i]))),
                        derivative=derivatives[:, i],
                    )
                )
    return tuple(sorted(found, key=lambda one: -one.rms))


def _away_from_zero(values: FloatArray) -> FloatArray:
    return np.where(np.abs(values) < 1e-6, 1e-6, values)


def _derivatives(
    angles: FloatArray, length: FloatArray, arms: Mapping[int, FloatArray]
) -> tuple[float, FloatArray]:
    """Fit a polynomial to the lengths of an MTU, and softly to its arms.

    Parameters
    ----------
    angles : ndarray (n_frame, n_coordinate)
        Coordinates [rad or m].
    length : ndarray (n_frame,)
        [m].
    arms : mapping of int to ndarray (n_frame,)
        Moment arms [m] by coordinate.

    Returns
    -------
    float
        Root mean square distance of the polynomial from the lengths [m].
    ndarray (n_frame, n_coordinate)
        Minus its derivatives [m/rad or -].
    """
    n_coordinate = angles.shape[1]
    centre, half = angles.mean(axis=0), np.ptp(angles, axis=0) / 2.0
    order = _ORDERS[min(n_coordinate, len(_ORDERS)) - 1]
    exponents = np.array(
        [e for e in itertools.product(range(order + 1), repeat=n_coordinate) if sum(e) <= order]
    )
    powers = ((angles - centre) / half)[:, :, np.newaxis] ** np.arange(order + 1)

    def term(exponent: np.ndarray) -> FloatArray:
        return np.asarray(np.prod(powers[:, range(n_coordinate), exponent], axis=1))

    value = np.stack([term(e) for e in exponents], axis=1)
    slopes = np.zeros((n_coordinate, *value.shape))
    for i, k in itertools.product(range(n_coordinate), range(len(exponents))):
        if exponents[k, i]:
            lower = exponents[k] - np.eye(n_coordinate, dtype=int)[i]
            slopes[i, :, k] = -exponents[k, i] / half[i] * term(lower)
    chosen = np.unique(np.linspace(0, len(length) - 1, _MOST_FRAMES).astype(int))
    rows = [value[chosen] / _LENGTH, *(slopes[i][chosen] / _ARM for i in arms)]
    right = [length[chosen] / _LENGTH, *(arm[chosen] / _ARM for arm in arms.values())]
    coefficients = np.linalg.lstsq(np.concatenate(rows), np.concatenate(right), rcond=None)[0]
    misfit = float(np.sqrt(np.mean((value @ coefficients - length) ** 2)))
    return misfit, np.asarray((slopes @ coefficients).T)
