"""Polynomial paths from poses in which a model's lengths, and perhaps moment arms, are known."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.errors import CeinmsTorchWarning, DataError, OptionError, unknown_name
from ceinms_torch.geometry.contradictions import Contradiction, check_moment_arms
from ceinms_torch.geometry.held_out import held_out_predictions, root_mean_square
from ceinms_torch.geometry.path_set import PathSet, PolynomialPath
from ceinms_torch.geometry.polynomials import Basis, Equations, n_term
from ceinms_torch.geometry.samples import PoseSamples
from ceinms_torch.io.display import OneLine

# Better than this in poses held out is better than anybody needs [m].
_GOOD_ENOUGH = 1e-5
# A higher order must bring the held-out error down to this share.
_WORTH_AN_ORDER = 0.95
# Poses held out of a fit of lengths alone decide among its terms only if there are more of them.
_POSES_PER_TERM = 2.0
_HIGHEST_ORDER = 12
# A coordinate that moves less is taken to be held [rad or m].
_LEAST_RANGE = 0.01
# A moment arm that is open by more is not determined [m].
_DETERMINED = 3e-3
# Few moment arms are larger [m].
_LARGE_ARM = 0.05


@dataclass(frozen=True, kw_only=True)
class PathError(OneLine):
    """How far a path is from the lengths and moment arms of a model.

    Parameters
    ----------
    mtu : str
        Name of the MTU.
    length_rms, length_largest : float
        Root mean square and largest error of the length in all poses [m].
    arm_rms : dict of str to float
        Root mean square error of the moment arm about each coordinate where it is known [m].
    """

    mtu: str
    length_rms: float
    length_largest: float
    arm_rms: Mapping[str, float]

    @property
    def worst_arm(self) -> tuple[str, float]:
        """The coordinate with the largest error, and that [m]; no name where none is known."""
        return max(self.arm_rms.items(), key=lambda item: item[1], default=("", 0.0))


@dataclass(frozen=True, kw_only=True)
class HeldOut(OneLine):
    """What polynomials say of poses that they were not fitted to.

    Parameters
    ----------
    mtu : str
        Name of the MTU.
    length_rms : float
        Root mean square error of the length [m].
    arm_doubt : dict of str to float
        How far the moment arm about each coordinate is open [m]: its change when poses are held
        out (root mean square), or 50 mm times what lengths and moment arms of all poses leave
        undecided, as of coordinates that only moved together, whichever is more.
    """

    mtu: str
    length_rms: float
    arm_doubt: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class PathFit(OneLine):
    """Fitted paths, and how good they are.

    Parameters
    ----------
    paths : PathSet
        The paths.
    errors : tuple of PathError
        Of each of them, in the poses that it was fitted to.
    held_out : tuple of HeldOut
        Of each of them.
    contradictions : tuple of Contradiction
        Moment arms that were left out of the fit: no length has them.
    """

    paths: PathSet
    errors: tuple[PathError, ...]
    held_out: tuple[HeldOut, ...]
    contradictions: tuple[Contradiction, ...] = ()


@one_blas_thread
def path_errors(paths: PathSet, samples: PoseSamples) -> tuple[PathError, ...]:
    """Compare paths with the lengths and moment arms of a model.

    Parameters
    ----------
    paths : PathSet
        Of at least the samples' MTUs.
    samples : PoseSamples
        Poses with at least the coordinates of these paths.

    Returns
    -------
    tuple of PathError
        Of every MTU of the samples; of moment arms about coordinates that its path does not depend
        on, which it says are zero, those that are no muscle's are left out.

    Raises
    ------
    UnknownNameError
        If an MTU has no path, or the samples lack a coordinate.
    """
    own = paths.select(samples.mtu_names)
    names = own.coordinate_names
    for name in names:
        if name not in samples.coordinate_names:
            raise unknown_name("paths", "a coordinate of the poses", name, samples.coordinate_names)
    dofs = tuple(name for name in samples.dof_names if name in names)
    found = own.evaluate(samples.columns(names), dofs)
    off = found.mtu_length - samples.mtu_length
    result = []
    for i, mtu in enumerate(samples.mtu_names):
        acted_on = {*own.paths[i].coordinate_names, *samples.acted_on(mtu)}
        arm_rms = {}
        for k, dof in enumerate(samples.dof_names):
            arm = samples.moment_arm[:, k, i]
            if dof in acted_on:
                of_path = found.moment_arm[:, dofs.index(dof), i] if dof in dofs else 0.0
                arm_rms[dof] = root_mean_square(of_path - arm)
        result.append(
            PathError(
                mtu=mtu,
                length_rms=root_mean_square(off[:, i]),
                length_largest=float(np.abs(off[:, i]).max()),
                arm_rms=arm_rms,
            )
        )
    return tuple(result)


@one_blas_thread
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
        which it has a moment arm; if no moment arms are known, all that the samples have. Paths do
        not depend on coordinates that do not move in these poses.
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

    Warns
    -----
    CeinmsTorchWarning
        If moment arms are not determined, as by lengths alone along one movement.
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
    paths = PathSet(paths=tuple(path for path, _ in fitted))
    held_out = tuple(one for _, one in fitted)
    _warn_of_arms(held_out)
    return PathFit(
        paths=paths,
        # Of the coefficients that are written, not of the fits.
        errors=path_errors(paths, samples),
        held_out=held_out,
        contradictions=found,
    )


def _warn_of_arms(held_out: Sequence[HeldOut]) -> None:
    """Say which moment arms the poses do not determine."""
    doubts = [(doubt, one.mtu, name) for one in held_out for name, doubt in one.arm_doubt.items()]
    doubtful = sorted((one for one in doubts if one[0] > _DETERMINED), reverse=True)
    if not doubtful:
        return
    worst = ", ".join(f"{mtu} about {name}" for _, mtu, name in doubtful[:3])
    text = (
        f"{len(doubtful)} moment arms are not determined by these poses, first of all {worst}. Add "
        "moment arms, or poses in which coordinates do not move together."
    )
    warnings.warn(CeinmsTorchWarning(text, "arms-not-determined"), stacklevel=4)


def _coordinates_of(
    samples: PoseSamples, mtu: str, coordinates: Mapping[str, Sequence[str]] | None
) -> tuple[str, ...]:
    """Return the coordinates that an MTU's length depends on, of those that move at all."""
    if coordinates is not None and mtu in coordinates:
        names = tuple(name for name in samples.coordinate_names if name in coordinates[mtu])
    elif samples.dof_names:
        names = samples.acted_on(mtu)
    else:
        names = samples.coordinate_names
    names = tuple(name for name in names if np.ptp(samples.columns((name,))) > _LEAST_RANGE)
    if not names:
        raise DataError(
            where=mtu,
            expected="an MTU whose length depends on a coordinate that moves, of "
            f"{', '.join(samples.dof_names or samples.coordinate_names)}",
            got="one that does not",
            hint="Leave it out, say which coordinates its path crosses, or give poses that move",
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
) -> tuple[PolynomialPath, HeldOut]:
    """Fit one path, of the order that poses held out choose."""
    q = samples.columns(names)
    length = samples.mtu_length[:, samples.mtu_names.index(mtu)]
    arm, is_known = samples.arms(mtu, names)
    is_fitted = is_known * [with_arms and name not in left_out for name in names]
    order, held_out, held_out_arm = _chosen_order(q, length, arm, is_fitted, mtu, highest_order)
    basis = Basis.of(q, order)
    equations = Equations.of(basis, q, length, arm, arm_weight=is_fitted)
    fit = equations.solution(basis)
    path = PolynomialPath(
        mtu=mtu,
        coordinate_paths=tuple(coordinate_paths.get(name, name) for name in names),
        order=order,
        coefficients=fit.coefficients,
        ranges=tuple(zip(q.min(axis=0).tolist(), q.max(axis=0).tolist(), strict=True)),
    )
    _, fitted_arm = fit.at(q)
    undecided = equations.undecided(basis, q)
    doubt = {
        name: max(root_mean_square(held_out_arm[i] - fitted_arm[i]), _LARGE_ARM * undecided[i])
        for i, name in enumerate(names)
    }
    return path, HeldOut(mtu=mtu, length_rms=held_out, arm_doubt=doubt)


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
        of_arms = [root_mean_square(predicted_arm[i] - arm[i]) for i in np.flatnonzero(is_fitted)]
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
