"""The geometry of a model in poses around a movement, by OpenSim."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ceinms_torch.errors import DataError, unknown_name
from ceinms_torch.geometry.coordinates import Coordinates
from ceinms_torch.geometry.poses import draw_poses
from ceinms_torch.geometry.samples import PoseSamples
from ceinms_torch.io.storage import Storage
from ceinms_torch.osim.model_file import OsimModel
from ceinms_torch.osim.process import OpenSim


def sample_model(
    opensim: OpenSim,
    model: OsimModel,
    motion: Coordinates,
    *,
    mtus: Sequence[str] | None = None,
    vary: Sequence[str] | None = None,
    n_pose: int = 300,
    spread: float = 0.25,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> PoseSamples:
    """Return lengths and moment arms of a model in poses around a movement.

    Parameters
    ----------
    opensim : OpenSim
        The interpreter.
    model : OsimModel
        The scaled model.
    motion : Coordinates
        The movement, by `own_coordinates` of the model.
    mtus : sequence of str, optional
        Muscles; by default all that cross a coordinate of the movement.
    vary : sequence of str, optional
        Coordinates that are drawn, the others being those of a frame: those that no constraint of
        the model ties to each other, as the scapula's are. Moment arms are about them only. By
        default all angles that one of these muscles crosses.
    n_pose : int
        How many poses: a third are frames of the movement.
    spread : float
        By how much angles of the others differ from a frame at most [rad].
    seed : int
        Of the random numbers.
    progress : callable, optional
        Called with the number of poses done, and of all.

    Returns
    -------
    PoseSamples
        With moment arms about `vary`, or all coordinates of the movement that one of these muscles
        crosses.

    Raises
    ------
    DataError
        If no muscle crosses a coordinate of the movement, `vary` names another one, or the model's
        constraints do not allow a pose.
    FileFormatError, OptionError
        As `OpenSim.muscle_analysis` and `draw_poses`.
    """
    crossed = {
        name: [one for one in model.coordinates_of(name) if one in motion.names]
        for name in (mtus or [one.name for one in model.muscles])
    }
    names = [name for name, own in crossed.items() if own]
    dofs = [one for one in motion.names if any(one in crossed[name] for name in names)]
    if not dofs:
        raise DataError(
            where=model.path,
            expected=f"muscles that cross a coordinate of '{motion.source.path}'",
            got="none",
            hint="Take a motion of this model",
        )
    turning = [name for name in dofs if model.coordinate(name).motion == "rotational"]
    for name in vary or ():
        if name not in turning:
            raise unknown_name("vary", "an angle that a muscle crosses", name, turning)
    if vary is not None:
        # About coordinates that constraints tie, OpenSim's moment arm is no partial derivative: it
        # moves the others, too.
        dofs = turning = list(vary)
    ranges = {name: model.coordinate(name).range for name in turning}
    poses = draw_poses(motion, n_pose, vary=turning, spread=spread, ranges=ranges, seed=seed)
    storage = Storage(
        path=motion.source.path or model.path,
        name="poses",
        time=poses.time,
        columns=poses.names,
        values=poses.values,
        header={"inDegrees": "no"},
    )
    try:
        found = opensim.muscle_analysis(
            model.path, storage, dofs=dofs, mtus=names, progress=progress
        )
    except DataError as error:
        if error.code != "constraints-open":
            raise
        raise DataError(
            where=model.path,
            expected="poses that its constraints allow",
            got=f"angles drawn of {', '.join(turning)}, some of which they tie to each other",
            hint="Name those that are free: --vary, such as plane_elv,shoulder_elv,axial_rot of a "
            "shoulder; vary= in Python",
            code=error.code,
        ) from error
    return PoseSamples(
        coordinate_names=poses.names,
        coordinates=poses.values,
        mtu_names=found.length.columns,
        mtu_length=found.length.values,
        dof_names=tuple(dofs),
        moment_arm=np.stack([found.arms[dof].values for dof in dofs], axis=1),
    )


def own_coordinates(model: OsimModel) -> tuple[str, ...]:
    """Return the coordinates of a model that follow no other: what makes a pose.

    Parameters
    ----------
    model : OsimModel
        The model.

    Returns
    -------
    tuple of str
    """
    return tuple(one.name for one in model.coordinates if not one.follows)


def coordinate_paths(model: OsimModel) -> dict[str, str]:
    """Return the path in the model of every coordinate, as OpenSim's path sets name them.

    Parameters
    ----------
    model : OsimModel
        The model.

    Returns
    -------
    dict of str to str
        Such as ``/jointset/hip_r/hip_flexion_r``.
    """
    return {one.name: f"/jointset/{one.joint}/{one.name}" for one in model.coordinates}


def translations_of(model: OsimModel) -> tuple[str, ...]:
    """Return the coordinates of a model that are distances.

    Parameters
    ----------
    model : OsimModel
        The model.

    Returns
    -------
    tuple of str
    """
    return tuple(one.name for one in model.coordinates if one.motion == "translational")
