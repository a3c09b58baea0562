"""Polynomial paths from poses in which a model's lengths, and perhaps moment arms, are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import DataError, OptionError
from ceinms_torch.geometry.contradictions import Contradiction, check_moment_arms
from ceinms_torch.geometry.held_out import held_out_predictions, root_mean_square
from ceinms_torch.geometry.path_set import PathSet, PolynomialPath
from ceinms_torch.geometry.polynomials import fit_length, n_term
from ceinms_torch.geometry.samples import PoseSamples
from ceinms_torch.io.display import OneLine

# Better than this in poses held out is better than anybody needs [m].
_GOOD_ENOUGH = 1e-5
# A higher order must bring the held-out error down to this share.
_WORTH_AN_ORDER = 0.95
# Poses held out of a fit of lengths alone decide among its terms only if there are more of them.
_POSES_PER_TERM = 2.0
_HIGHEST_ORDER = 12


@dataclass(frozen=True, kw_only=True)
class PathError(OneLine):
    """How well a fitted path gives back what it was fitted to.

    Parameters
    ----------
    mtu : str
        Name of the MTU.
    coordinate_names : tuple of str
        The coordinates that it depends on.
    order : int
        Largest sum of exponents, as poses held out chose it.
    length_rms, length_largest : float
        Root mean square and largest error of the lengths in all poses [m].
    length_held_out : float
        Root mean square error in poses held out, each of polynomials fitted to the others [m].
    arm_rms : dict of str to float
        Root mean square error of the moment arm about each coordinate where it is known [m];
        of those that contradict the lengths, by how much they do.
    arm_held_out : dict of str to float
        By how much the moment arm about each coordinate changes in poses that are held out (root
        mean square) [m]: much, where poses do not determine it.
    """

    mtu: str
    coordinate_names: tuple[str, ...]
    order: int
    length_rms: float
    length_largest: float
    length_held_out: float
    arm_rms: Mapping[str, float]
    arm_held_out: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class PathFit(OneLine):
    """Fitted paths, and how good they are.

    Parameters
    ----------
    paths : PathSet
        The paths.
    errors : tuple of PathError
        Of each of them.
    contradictions : tuple of Contradiction
        Moment arms that were left out of the fit: no length has them.
    """

    paths: PathSet
    errors: tuple[PathError, ...]
    contradictions: tuple[Contradiction, ...] = ()


def fit_paths(
    samples: PoseSamples,
    *,
    coordinates: Mapping[str, Sequence[str]] | None = None,
    coordinate_paths: Mapping[str, str] | None = None,
    highest_order: int = 6,
    with_arms: bool = True,
) -> PathFit:
    """Fit a polynomial to the length of every MTU, and its derivatives to its moment arms.

    The order is the one that predicts poses best which were held out, in blocks of neighbouring
    ones; a higher one has to be worth it. Moment arms that contradict the lengths
    (`check_moment_arms`) are left out.

    Parameters
    ----------
    samples : PoseSamples
        Poses that cover the movements to come: frames of a recording, or poses drawn around them.
    coordinates : mapping of str to sequence of str, optional
        By MTU: the coordinates that its path crosses, as the model says. Without it, those about
        which it has a moment arm; if no moment arms are known, all that the samples have.
    coordinate_paths : mapping of str to str, optional
        By coordinate: its path in the model, such as ``/jointset/hip_r/hip_flexion_r``, which
        OpenSim asks for.
    highest_order : int
        Highest order that is tried, 1 to 12.
    with_arms : bool
        Whether moment arms are fitted, too, where they are known.

    Returns
    -------
    PathFit

    Raises
    ------
    OptionError
        If `highest_order` is not one of these.
    DataError
        If an MTU depends on no coordinate, or there are too few poses for a first order.
    """
    if not 1 <= highest_order <= _HIGHEST_ORDER:
        raise OptionError(
            where="highest_order", expected=f"1 to {_HIGHEST_ORDER}", got=str(highest_order)
        )
    found: tuple[Contradiction, ...] = ()
    if with_arms and samples.dof_names:
        found = check_moment_arms(samples, coordinates=coordinates).contradictions
    fitted = [
        _fit_path(
            samples,
            mtu,
            names=_coordinates_of(samples, mtu, coordinates),
            left_out={one.dof for one in found if one.mtu == mtu},
            coordinate_paths=coordinate_paths or {},
            highest_order=highest_order,
            with_arms=with_arms,
        )
        for mtu in samples.mtu_names
    ]
    return PathFit(
        paths=PathSet(paths=tuple(path for path, _ in fitted)),
        errors=tuple(error for _, error in fitted),
        contradictions=found,
    )


def _coordinates_of(
    samples: PoseSamples, mtu: str, coordinates: Mapping[str, Sequence[str]] | None
) -> tuple[str, ...]:
    """Return the coordinates that an MTU's length depends on."""
    if coordinates is not None and mtu in coordinates:
        names = tuple(name for name in samples.coordinate_names if name in coordinates[mtu])
    elif samples.dof_names:
        names = samples.acted_on(mtu)
    else:
        names = samples.coordinate_names
    if not names:
        raise DataError(
            where=mtu,
            expected="an MTU with a moment arm about one of "
            f"{', '.join(samples.dof_names or samples.coordinate_names)}",
            got="none",
            hint="Leave it out, or say which coordinates its path crosses",
        )
    return names


def _fit_path(
    samples: PoseSamples,
    mtu: str,
    *,
    names: tuple[str, ...],
    left_out: set[str],
    coordinate_paths: Mapping[str, str],
    highest_order: int,
    with_arms: bool,
) -> tuple[PolynomialPath, PathError]:
    """Fit one path, of the order that poses held out choose."""
    q = samples.columns(names)
    length = samples.mtu_length[:, samples.mtu_names.index(mtu)]
    arm, is_known = samples.arms(mtu, names)
    is_fitted = is_known * [with_arms and name not in left_out for name in names]
    order, held_out, held_out_arm = _chosen_order(q, length, arm, is_fitted, mtu, highest_order)
    fit = fit_length(q, length, arm, order=order, arm_weight=is_fitted)
    path = PolynomialPath(
        mtu=mtu,
        coordinate_paths=tuple(coordinate_paths.get(name, name) for name in names),
        order=order,
        coefficients=fit.coefficients,
        ranges=tuple(zip(q.min(axis=0).tolist(), q.max(axis=0).tolist(), strict=True)),
    )
    # Of the coefficients that are written, not of the fit.
    found = PathSet(paths=(path,)).evaluate(q)
    off = found.mtu_length[:, 0] - length
    error = PathError(
        mtu=mtu,
        coordinate_names=names,
        order=order,
        length_rms=root_mean_square(off),
        length_largest=float(np.abs(off).max()),
        length_held_out=held_out,
        arm_rms={
            name: root_mean_square(found.moment_arm[:, i, 0] - arm[i])
            for i, name in enumerate(names)
            if is_known[i]
        },
        arm_held_out={
            name: root_mean_square(found.moment_arm[:, i, 0] - held_out_arm[i])
            for i, name in enumerate(names)
        },
    )
    return path, error


def _chosen_order(
    q: FloatArray,
    length: FloatArray,
    arm: FloatArray,
    is_fitted: FloatArray,
    mtu: str,
    highest_order: int,
) -> tuple[int, float, FloatArray]:
    """Return the lowest order that is worth it, with what it predicts of poses held out.

    That is the error of lengths [m], and moment arms (n_coordinate, n_pose) [m].
    """
    n_row = len(length) * (1.0 + is_fitted.sum())
    best: tuple[float, int, float, FloatArray] | None = None
    for order in range(1, highest_order + 1):
        if _POSES_PER_TERM * n_term(q.shape[1], order) > n_row:
            break
        predicted, predicted_arm = held_out_predictions(q, length, arm, is_fitted, order=order)
        of_length = root_mean_square(predicted - length)
        of_arms = [
            root_mean_square(predicted_arm[i] - arm[i]) for i in np.flatnonzero(is_fitted)
        ]
        score = root_mean_square(np.array([of_length, *of_arms]))
        if best is None or score < _WORTH_AN_ORDER * best[0]:
            best = (score, order, of_length, predicted_arm)
        if score < _GOOD_ENOUGH:
            break
    if best is None:
        needed = int(_POSES_PER_TERM * n_term(q.shape[1], 1) / (1.0 + is_fitted.sum()) + 1)
        raise DataError(
            where=mtu,
            expected=f"at least {needed} poses for {q.shape[1]} coordinates",
            got=str(len(length)),
            hint="Add frames or poses",
        )
    return best[1:]
