"""How well polynomials predict poses that they were not fitted to."""

from __future__ import annotations

import functools
import operator

import numpy as np

from ceinms_torch.arrays import FloatArray, IndexArray
from ceinms_torch.geometry.polynomials import Basis, Equations

_N_FOLD = 5
_N_BLOCK = 15


def folds(n_pose: int) -> list[IndexArray]:
    """Return which poses are held out together.

    Neighbours of a motion are nearly the same pose, so whole blocks of it are held out.

    Parameters
    ----------
    n_pose : int
        Number of poses, >= 1.

    Returns
    -------
    list of ndarray of int
        Indices of poses; each is in one of them.
    """
    fold = np.arange(n_pose) * min(_N_BLOCK, n_pose) // n_pose % _N_FOLD
    return [np.flatnonzero(fold == i) for i in range(min(_N_FOLD, n_pose))]


def held_out_predictions(
    coordinates: FloatArray,
    length: FloatArray,
    moment_arm: FloatArray,
    is_known: FloatArray,
    *,
    order: int,
) -> tuple[FloatArray, FloatArray]:
    """Predict every pose by a polynomial that was fitted to others.

    Parameters
    ----------
    coordinates : ndarray (n_pose, n_coordinate)
        [rad or m].
    length : ndarray (n_pose,)
        [m].
    moment_arm : ndarray (n_coordinate, n_pose)
        [m].
    is_known : ndarray (n_coordinate,)
        1 where the moment arm is known, which is fitted then, too.
    order : int
        Largest sum of exponents.

    Returns
    -------
    length : ndarray (n_pose,)
        [m].
    moment_arm : ndarray (n_coordinate, n_pose)
        [m].
    """
    predicted_length, predicted_arm = np.zeros_like(length), np.zeros_like(moment_arm)
    basis = Basis.of(coordinates, order)

    def equations(poses: IndexArray) -> Equations:
        return Equations.of(
            basis, coordinates[poses], length[poses], moment_arm[:, poses], arm_weight=is_known
        )

    parts = [(poses, equations(poses)) for poses in folds(len(length))]
    whole = functools.reduce(operator.add, (part for _, part in parts))
    for poses, part in parts:
        at = (whole - part).solution(basis).at(coordinates[poses])
        predicted_length[poses], predicted_arm[:, poses] = at
    return predicted_length, predicted_arm


def root_mean_square(values: FloatArray) -> float:
    """Return the root of the mean of squares; 0 of nothing."""
    return float(np.sqrt(np.mean(np.square(values)))) if values.size else 0.0
