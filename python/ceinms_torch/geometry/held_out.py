"""How well polynomials predict poses that they were not fitted to."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ceinms_torch.arrays import FloatArray, IndexArray
from ceinms_torch.geometry.polynomials import fit_length

_N_FOLD = 5
_N_BLOCK = 15


def folds(n_pose: int) -> Iterator[tuple[IndexArray, IndexArray]]:
    """Iterate over poses to fit and poses held out.

    Neighbours of a motion are nearly the same pose, so whole blocks of it are held out together.

    Parameters
    ----------
    n_pose : int
        Number of poses, >= 2.

    Yields
    ------
    fitted, held_out : ndarray of int
        Indices of poses; each is held out once.
    """
    of_block = np.arange(n_pose) * min(_N_BLOCK, n_pose) // n_pose
    for fold in range(min(_N_FOLD, n_pose)):
        is_held_out = of_block % _N_FOLD == fold
        yield np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)


def held_out_errors(
    coordinates: FloatArray,
    length: FloatArray,
    moment_arm: FloatArray,
    is_known: FloatArray,
    *,
    order: int,
) -> tuple[FloatArray, FloatArray]:
    """Return errors in poses that a polynomial was not fitted to.

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
    of_length : ndarray (n_pose,)
        [m].
    of_arm : ndarray (n_coordinate, n_pose)
        [m]; zeros where it is not known.
    """
    of_length, of_arm = np.zeros_like(length), np.zeros_like(moment_arm)
    for fitted, held_out in folds(len(length)):
        fit = fit_length(
            coordinates[fitted],
            length[fitted],
            moment_arm[:, fitted],
            order=order,
            arm_weight=is_known,
        )
        found, arms = fit.at(coordinates[held_out])
        of_length[held_out] = found - length[held_out]
        of_arm[:, held_out] = (arms - moment_arm[:, held_out]) * is_known[:, np.newaxis]
    return of_length, of_arm


def root_mean_square(values: FloatArray) -> float:
    """Return the root of the mean of squares; 0 of nothing."""
    return float(np.sqrt(np.mean(np.square(values)))) if values.size else 0.0
