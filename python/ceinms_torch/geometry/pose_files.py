"""Poses of a model from files: a motion, and the lengths and moment arms of MuscleAnalysis."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import DataError, FileFormatError, Place
from ceinms_torch.geometry.coordinates import Coordinates
from ceinms_torch.geometry.samples import LEAST_ARM, PoseSamples
from ceinms_torch.io.storage import Storage, read_storage
from ceinms_torch.model.trial_files import TIME_TOLERANCE, check_quantity

# What MuscleAnalysis and the folders of CEINMS call files of moment arms.
_ARMS = re.compile(r"(?:.*_)?MomentArm_(?P<dof>.+)|ma_(?P<short>.+)", re.I)


def dof_of_file(path: Path) -> str | None:
    """Return the DOF that a file of moment arms is about, by its name.

    Parameters
    ----------
    path : Path
        Such as ``walk_MomentArm_knee_angle_r.sto`` or ``ma_knee_angle_r.sto``.

    Returns
    -------
    str or None
        None where its name does not say.
    """
    match = _ARMS.fullmatch(path.stem)
    return None if match is None else match["dof"] or match["short"]


def read_samples(
    motion: Coordinates,
    lengths: str | os.PathLike[str],
    arms: Mapping[str, str | os.PathLike[str]],
    *,
    mtu_names: Sequence[str] | None = None,
) -> PoseSamples:
    """Read MTU lengths and moment arms at the poses of a motion.

    Parameters
    ----------
    motion : Coordinates
        The motion that they are of.
    lengths : path-like
        Storage file of MTU lengths [m].
    arms : mapping of str to path-like
        Storage files of moment arms [m] by DOF; may be empty.
    mtu_names : sequence of str, optional
        The MTUs wanted. Unless given, those of `lengths` that have a moment arm, where moment arms
        are known, and else all.

    Returns
    -------
    PoseSamples
        At the times that all files have.

    Raises
    ------
    FileFormatError
        If a file is faulty, lacks an MTU or has another quantity.
    DataError
        If a DOF is no coordinate of the motion, or the files have no time in common.
    """
    storage = read_storage(lengths)
    arm_storages = {dof: read_storage(path) for dof, path in arms.items()}
    files = [storage, *arm_storages.values()]
    time = _common_times(motion, files)
    if mtu_names is None:
        mtu_names = storage.columns
        if arm_storages:
            mtu_names = _acting(storage.columns, arm_storages.values())
    for one, quantity in zip(files, ["MTU length", *["moment arm"] * len(arms)], strict=True):
        check_quantity(one, [name for name in mtu_names if name in one.columns], quantity)
    moment_arm = np.zeros((len(time), len(arms), len(mtu_names)))
    for i, one in enumerate(arm_storages.values()):
        moment_arm[:, i] = _rows(one.time, one.select(mtu_names), time)
    return PoseSamples(
        coordinate_names=motion.names,
        coordinates=_rows(motion.time, motion.values, time),
        mtu_names=tuple(mtu_names),
        mtu_length=_rows(storage.time, storage.select(mtu_names), time),
        dof_names=tuple(arms),
        moment_arm=moment_arm,
    )


def _common_times(motion: Coordinates, files: Iterable[Storage]) -> FloatArray:
    """Return the times that a motion and all files have."""
    time = motion.time
    for one in files:
        distance = np.abs(one.time[_nearest(one.time, time)] - time)
        time = time[distance <= TIME_TOLERANCE]
        if len(time) == 0:
            raise DataError(
                where=one.path,
                expected=f"times of the motion '{motion.source.path}'",
                got=f"{one.time[0]:g} to {one.time[-1]:g} s, none of them in common",
                hint="Lengths and moment arms are those of poses: take the motion that the muscle "
                "analysis was made of",
            )
    return time


def _nearest(times: FloatArray, wanted: FloatArray) -> np.ndarray:
    """Return the index of the time that is nearest to each one wanted."""
    above = np.clip(np.searchsorted(times, wanted), 1, max(len(times) - 1, 1))
    above = np.minimum(above, len(times) - 1)
    below = np.maximum(above - 1, 0)
    return np.where(wanted - times[below] <= times[above] - wanted, below, above)


def _rows(times: FloatArray, values: FloatArray, wanted: FloatArray) -> FloatArray:
    return np.ascontiguousarray(values[_nearest(times, wanted)])


def _acting(names: Sequence[str], arms: Iterable[Storage]) -> tuple[str, ...]:
    """Return the MTUs that have a moment arm in one of the files."""
    arms = list(arms)
    acting = {
        name for one in arms for name in one.columns if np.abs(one.column(name)).max() > LEAST_ARM
    }
    found = tuple(name for name in names if name in acting)
    if not found:
        raise FileFormatError(
            where=Place(arms[0].path),
            expected="moment arms of the MTUs that have lengths",
            got="none above 1 mm",
            hint="Name the files of one muscle analysis",
        )
    return found
