"""Optimal fibre and tendon slack lengths that keep a generic model's operating ranges.

Modenese L, Ceseracciu E, Reggiani M, Lloyd DG (2016). Estimation of musculotendon parameters for
scaled and subject specific musculoskeletal models using an optimization technique. J Biomech 49,
141-148.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ceinms_torch.arrays import BoolArray, FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.errors import CeinmsTorchWarning, DataError
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.storage import read_storage
from ceinms_torch.model.parameters import PARAMETER_KINDS
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial_files import TIME_TOLERANCE
from ceinms_torch.preoptimisation.equilibrium import Equilibria, equilibria

# Of normalised fibre lengths, where a muscle is active (Modenese et al., step 2).
FIBRE_RANGE = (0.5, 1.5)
# Along the tendon a fibre keeps at least this share of its length (cos of 84 degrees), as there.
_LEAST_COSINE = 0.1
# With fewer poses, a fibre that moves less or a residual that is larger (both in optimal fibre
# lengths), the two lengths of an MTU are doubtful.
FEW_POSES = 10
SHORT_TRAVEL = 0.1
POOR_FIT = 0.05
IN_PROPORTION, FEW, STILL, POOR = (
    "tendon and fibre kept in proportion",
    "few poses",
    "fibre hardly moves",
    "poor fit",
)
_ADVICE = {
    IN_PROPORTION: "The poses determine one length, not two: let all joints move that it crosses.",
    FEW: "Add poses, over the whole ranges of the joints.",
    STILL: "Let all joints move that it crosses.",
    POOR: "The subject's MTU changes its length in another way; compare both models' paths.",
}
# Fibres that move less than this say nothing about the second length.
_NO_TRAVEL = 0.01
# Of target over reference length, median of an MTU; beyond, units differ.
_SIZES = (0.3, 3.0)


@dataclass(frozen=True, kw_only=True)
class RangeFit:
    """Two lengths of an MTU, and what they rest on.

    Parameters
    ----------
    mtu : str
        Its name.
    optimal_fibre_length, tendon_slack_length : float
        New values [m].
    n_pose : int
        Poses that were used.
    rms : float
        Root mean square of the target's MTU lengths less those fitted [m].
    fibre_travel : float
        Range of the normalised fibre length along the tendon, over the poses used [-].
    in_proportion : bool
        Whether the poses do not determine two positive lengths, and tendon and fibre keep their
        shares of the MTU (step 5 of the paper) instead.
    """

    mtu: str
    optimal_fibre_length: float
    tendon_slack_length: float
    n_pose: int
    rms: float
    fibre_travel: float
    in_proportion: bool

    @property
    def norm_rms(self) -> float:
        """`rms` over the optimal fibre length [-]."""
        return self.rms / self.optimal_fibre_length

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why not to rely on it; empty if there is no reason."""
        reasons = {
            IN_PROPORTION: self.in_proportion,
            FEW: self.n_pose < FEW_POSES,
            STILL: self.fibre_travel < SHORT_TRAVEL,
            POOR: self.norm_rms > POOR_FIT,
        }
        return tuple(reason for reason, holds in reasons.items() if holds)


@dataclass(frozen=True, kw_only=True)
class OperatingRange(OneLine):
    """A subject with the operating ranges of a generic model.

    Parameters
    ----------
    subject : Subject
        The generic one with new optimal fibre and tendon slack lengths.
    fits : tuple of RangeFit
        One per MTU, in the subject's order.
    n_pose : int
        Poses that were given.
    """

    subject: Subject
    fits: tuple[RangeFit, ...]
    n_pose: int


def read_pose_lengths(
    reference_file: str | os.PathLike[str],
    target_file: str | os.PathLike[str],
    mtu_names: Iterable[str],
) -> tuple[FloatArray, FloatArray]:
    """Read the MTU lengths of two models in the same poses.

    Parameters
    ----------
    reference_file, target_file : path-like
        Storage files with MTU lengths [m], of the generic and of the subject's model: OpenSim's
        muscle analysis of one motion with both. Other columns are ignored.
    mtu_names : iterable of str
        The columns wanted.

    Returns
    -------
    reference_lengths, target_lengths : ndarray (n_pose, n_mtu)
        [m].

    Raises
    ------
    FileFormatError
        If a file is missing or faulty, or lacks an MTU.
    DataError
        If the files differ in their number of rows or times.
    """
    names = tuple(mtu_names)
    reference, target = read_storage(reference_file), read_storage(target_file)
    where, hint = Path(target_file), "Analyse the same motion with both models"
    if len(target.time) != len(reference.time):
        expected = f"{len(reference.time)} rows, one per pose, as '{reference_file}' has"
        raise DataError(where=where, expected=expected, got=f"{len(target.time)} rows", hint=hint)
    apart = np.abs(target.time - reference.time) > TIME_TOLERANCE
    if apart.any():
        row = int(np.argmax(apart))
        expected = f"time {reference.time[row]:g} s in row {row + 1}, as '{reference_file}' has"
        raise DataError(where=where, expected=expected, got=f"{target.time[row]:g} s", hint=hint)
    return reference.select(names), target.select(names)


@one_blas_thread
def preserve_operating_range(
    reference: Subject, reference_lengths: ArrayLike, target_lengths: ArrayLike
) -> OperatingRange:
    """Fit both lengths of every MTU so that its fibres work where those of the reference work.

    In every pose the reference's MTU is in equilibrium at full activation, at rest. Its normalised
    fibre length, pennation and normalised tendon length are to be the target's, too, so that

        lmt = lmo (l~ cos(alpha)) + lts lt~,  lt~ = 1 + tendon strain

    is one linear equation per pose for the two lengths of the target. Poses in which the
    reference's fibre is outside 0.5 to 1.5 or its tendon slack are left out. Pennation and force
    stay.

    Parameters
    ----------
    reference : Subject
        The generic model.
    reference_lengths : array_like (n_pose, n_mtu)
        Its MTU lengths [m], over the ranges of the joints that the MTUs cross.
    target_lengths : array_like (n_pose, n_mtu)
        Those of the subject's model, in the same poses [m].

    Returns
    -------
    OperatingRange

    Raises
    ------
    DataError
        If shapes do not fit, lengths are not positive or in another unit, or an MTU has no pose
        that can be used.

    Warns
    -----
    CeinmsTorchWarning
        By reason, about MTUs whose lengths are doubtful.

    References
    ----------
    Modenese et al. (2016), see the module.
    """
    before = _checked("reference lengths", reference_lengths, reference)
    after = _checked("target lengths", target_lengths, reference)
    if before.shape != after.shape:
        expected = f"{len(before)} poses, as the reference has"
        raise DataError(where="target lengths", expected=expected, got=str(len(after)))
    _check_sizes(reference, before, after)
    found = equilibria(reference, before)
    usable = _usable(reference, found)
    fibre, tendon = found.norm_fibre_along, 1.0 + found.tendon_strain
    share = tendon * [mtu.tendon_slack_length for mtu in reference.mtus] / before
    fits = tuple(
        _fit(name, *(one[use, i] for one in (fibre, tendon, share, after)))
        for i, (name, use) in enumerate(zip(reference.mtu_names, usable.T, strict=True))
    )
    _warn_about_doubts(fits, len(before))
    values = reference.parameters()
    values[PARAMETER_KINDS.index("optimalFibreLength")] = [fit.optimal_fibre_length for fit in fits]
    values[PARAMETER_KINDS.index("tendonSlackLength")] = [fit.tendon_slack_length for fit in fits]
    return OperatingRange(subject=reference.with_parameters(values), fits=fits, n_pose=len(before))


def _checked(name: str, lengths: ArrayLike, subject: Subject) -> FloatArray:
    values = np.asarray(lengths, dtype=np.float64)
    n_mtu = len(subject.mtus)
    if values.ndim != 2 or values.shape[1] != n_mtu or len(values) == 0:
        raise DataError(where=name, expected=f"the shape (n_pose, {n_mtu})", got=str(values.shape))
    bad = ~(np.isfinite(values) & (values > 0.0))
    if bad.any():
        pose, mtu = (int(i) for i in np.argwhere(bad)[0])
        where = f"{name}: {subject.mtu_names[mtu]}, pose {pose + 1}"
        raise DataError(where=where, expected="a positive length [m]", got=f"{values[pose, mtu]:g}")
    return values


def _check_sizes(subject: Subject, before: FloatArray, after: FloatArray) -> None:
    sizes = np.median(after / before, axis=0)
    odd = (sizes < _SIZES[0]) | (sizes > _SIZES[1])
    if odd.any():
        i = int(np.argmax(odd))
        raise DataError(
            where=f"target lengths: {subject.mtu_names[i]}",
            expected=f"{_SIZES[0]:g} to {_SIZES[1]:g} times the reference's",
            got=f"{sizes[i]:g} times",
            hint="Give both in m",
        )


def _usable(subject: Subject, found: Equilibria) -> BoolArray:
    """Return which poses tell where a muscle works (n_pose, n_mtu); an MTU without any is fatal."""
    slack = found.tendon_strain <= 0.0
    short = found.norm_fibre_length <= FIBRE_RANGE[0]
    short |= np.cos(found.pennation_angle) <= _LEAST_COSINE
    long = found.norm_fibre_length >= FIBRE_RANGE[1]
    usable = ~(slack | short | long)
    none = [
        f"{name} ({slack[:, i].sum()} with a slack tendon, {short[:, i].sum()} with a short fibre, "
        f"{long[:, i].sum()} with a long one)"
        for i, name in enumerate(subject.mtu_names)
        if not usable[:, i].any()
    ]
    if none:
        raise DataError(
            where="reference lengths",
            expected="poses in which the generic muscle is taut and its fibre between "
            f"{FIBRE_RANGE[0]:g} and {FIBRE_RANGE[1]:g} optimal lengths",
            got=f"none among {len(usable)} for {'; '.join(none)}",
            hint="Lengths [m] and parameters have to be those of one model, and the poses have to "
            "cover the ranges of the joints",
        )
    return usable


def _fit(
    name: str, fibre: FloatArray, tendon: FloatArray, share: FloatArray, length: FloatArray
) -> RangeFit:
    """Solve the equations of an MTU's poses, fibre lmo + tendon lts = length.

    The reference's tendon makes up a share of the MTU, which is kept where the equations cannot be
    solved. All arrays are (n_pose,).
    """
    travel = float(np.ptp(fibre))
    equations = np.stack([fibre, tendon], axis=1)
    solution = np.linalg.lstsq(equations, length, rcond=None)[0]
    # Of two unknowns, the best that are not negative would leave one at zero.
    in_proportion = travel < _NO_TRAVEL or bool(solution.min() <= 0.0)
    if in_proportion:
        optimal = fibre @ (length * (1.0 - share)) / (fibre @ fibre)
        solution = np.array([optimal, tendon @ (length - optimal * fibre) / (tendon @ tendon)])
    residual = equations @ solution - length
    return RangeFit(
        mtu=name,
        optimal_fibre_length=float(solution[0]),
        tendon_slack_length=float(solution[1]),
        n_pose=len(length),
        rms=math.sqrt(float(np.mean(residual**2))),
        fibre_travel=travel,
        in_proportion=in_proportion,
    )


def _warn_about_doubts(fits: Iterable[RangeFit], n_pose: int) -> None:
    mtus: dict[str, list[str]] = {}
    for fit in fits:
        figures = (
            f"{fit.mtu} ({fit.n_pose} of {n_pose} poses, fibre travel {fit.fibre_travel:.2f}, RMS "
            f"{100.0 * fit.norm_rms:.1f} % of its optimal fibre length)"
        )
        for doubt in fit.doubts:
            mtus.setdefault(doubt, []).append(figures)
    for doubt, named in mtus.items():
        text = f"Lengths that keep the operating range are doubtful, {doubt}: {', '.join(named)}."
        warnings.warn(CeinmsTorchWarning(f"{text} {_ADVICE[doubt]}"), stacklevel=4)
