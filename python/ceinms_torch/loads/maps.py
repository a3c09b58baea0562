"""Loads of joints as linear functions of muscle forces: what a motion and external loads make them.

For a given motion, Newton's laws leave no choice: reserves at the coordinates provide what moments
muscles lack, and with them what a joint bears is linear in the muscles' forces. OpenSim is asked
once for a trial; after that any forces, and any number of them, cost a product of matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from ceinms_torch.arrays import BoolArray, FloatArray, IndexArray
from ceinms_torch.errors import DataError, OptionError, unknown_name
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.storage import Storage
from ceinms_torch.osim.model_file import Joint, OsimModel, read_model
from ceinms_torch.osim.process import OpenSim, PathLike, Progress

# Accelerations that OpenSim finds from forces may differ from those of the motion by so much
# [rad/s^2 or m/s^2]: more means that reserves do not hold the motion.
LARGEST_ACCELERATION_ERROR = 1e-3
# Moment arm of what acts on a coordinate [m]; paths that are not in equilibrium have less.
_ACTS = 1e-3


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadMaps(OneLine):
    """What joints bear, and what moments coordinates lack, as functions of forces.

    Parameters
    ----------
    time : ndarray (n_step,)
        [s].
    joints : tuple of Joint
        Of the model.
    actuators : tuple of str
        Those asked for, muscles and others, that count: the loads depend on them, or they share a
        coordinate with one of those.
    acting : tuple of str
        All actuators of the model on which the loads of these joints depend.
    coordinates : tuple of str
        Coordinates that no constraint decides.
    is_rotational : ndarray of bool (n_coordinate,)
        Whether they are angles.
    is_held : ndarray of bool (n_coordinate,)
        Whether they are those with which the body as a whole moves, or locked: no muscle has to
        hold them.
    net_reaction : ndarray (n_step, n_joint, 6)
        Without any muscle force: moment [N m], then force [N] on the child, at the joint's frame in
        it, in ground.
    reaction : ndarray (n_step, n_joint, n_actuator, 6)
        What 1 N of an actuator adds to that.
    net_moment : ndarray (n_step, n_coordinate)
        Inverse dynamics [N m or N].
    moment_arm : ndarray (n_step, n_coordinate, n_actuator)
        What 1 N of an actuator provides of that [m].
    capacity : ndarray (n_step, n_actuator)
        Force of a fully active muscle with a rigid tendon [N]; NaN of what is no muscle.
    controls : ndarray (n_actuator, 2)
        Least and greatest activation that the model allows.
    parent, child : ndarray (n_step, n_joint, 3, 4)
        Rotation of the bodies, and origin [m] of the joint's frames in them, in ground.
    body_weight : float
        [N].
    residual : ndarray (n_step,)
        Force that holds the body besides the external loads [N]; 0 without any.
    acceleration_error : float
        Largest difference between accelerations by these forces and those of the motion
        [rad/s^2 or m/s^2].
    """

    time: FloatArray
    joints: tuple[Joint, ...]
    actuators: tuple[str, ...]
    acting: tuple[str, ...]
    coordinates: tuple[str, ...]
    is_rotational: BoolArray = field(repr=False)
    is_held: BoolArray = field(repr=False)
    net_reaction: FloatArray = field(repr=False)
    reaction: FloatArray = field(repr=False)
    net_moment: FloatArray = field(repr=False)
    moment_arm: FloatArray = field(repr=False)
    capacity: FloatArray = field(repr=False)
    controls: FloatArray = field(repr=False)
    parent: FloatArray = field(repr=False)
    child: FloatArray = field(repr=False)
    body_weight: float
    residual: FloatArray = field(repr=False)
    acceleration_error: float

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Names of the joints."""
        return tuple(one.name for one in self.joints)

    def acted_on(self) -> IndexArray:
        """Return the places of the coordinates on which an actuator acts and that it may hold."""
        acts = (np.abs(self.moment_arm) > _ACTS).any(axis=(0, 2))
        return np.flatnonzero(acts & ~self.is_held)

    def reactions(self, force: FloatArray) -> FloatArray:
        """Return what the joints bear under forces (n_step, n_actuator), as `net_reaction`."""
        result: FloatArray = self.net_reaction + np.einsum("tjak,ta->tjk", self.reaction, force)
        return result

    def reserves(self, force: FloatArray) -> FloatArray:
        """Return what coordinates lack under forces (n_step, n_actuator), as `net_moment`."""
        result: FloatArray = self.net_moment - np.einsum("tca,ta->tc", self.moment_arm, force)
        return result


def load_maps(
    opensim: OpenSim,
    model: PathLike | OsimModel,
    motion: PathLike | Storage,
    time: ArrayLike,
    *,
    actuators: Sequence[str] = (),
    also: Sequence[str] = (),
    joints: Sequence[str] | None = None,
    dofs: Sequence[str] = (),
    and_others: bool = False,
    external_loads: PathLike | None = None,
    ground_forces: PathLike | Storage | None = None,
    lowpass: float | None = 6.0,
    mass: float | None = None,
    progress: Progress | None = None,
) -> LoadMaps:
    """Ask OpenSim what joints bear, as a function of muscle forces.

    Parameters
    ----------
    opensim : OpenSim
        Who is asked.
    model : path-like or OsimModel
        The scaled model (.osim).
    motion : path-like or Storage
        Its coordinates over time, as from inverse kinematics.
    time : array_like (n_step,)
        When [s]; increasing, within the motion and the external loads.
    actuators : sequence of str
        Muscles whose forces will be given.
    also : sequence of str
        Columns of a file with forces, of which those count that are actuators of the model.
    joints : sequence of str, optional
        Joints, by their names in the model; by default those of `dofs`.
    dofs : sequence of str
        Coordinates whose joints are meant without `joints`.
    and_others : bool
        Whether other muscles will get forces, too, by static optimisation.
    external_loads : path-like, optional
        Which measured force acts on which body (.xml).
    ground_forces : path-like or Storage, optional
        The forces, instead of the file that `external_loads` names.
    lowpass : float, optional
        Cut-off frequency of OpenSim's filter of the coordinates [Hz]; None for none.
    mass : float, optional
        The person's mass [kg], for loads in body weights; by default the model's.
    progress : callable, optional
        Called with the number of frames done, and of all.

    Returns
    -------
    LoadMaps

    Raises
    ------
    FileFormatError
        If a file is missing or not what it should be.
    UnknownNameError
        If the model has no such joint, coordinate or muscle.
    DataError
        If motion or external loads do not cover the times, or accelerations are missed.
    """
    known = model if isinstance(model, OsimModel) else read_model(model)
    chosen = _joints(known, joints, dofs)
    times = np.asarray(time, dtype=np.float64)
    found = opensim.load_maps(
        known.path,
        motion,
        times,
        joints=[one.name for one in chosen],
        actuators=actuators,
        also=also,
        and_others=and_others,
        external_loads=external_loads,
        ground_forces=ground_forces,
        lowpass=lowpass,
        progress=progress,
    )
    error = found["acceleration_error"]
    if not error <= LARGEST_ACCELERATION_ERROR:
        raise DataError(
            where="accelerations",
            expected="those of the motion, by the forces",
            got=f"others, by up to {error:.3g} (rad or m)/s^2",
            hint="motion and constraints of the model contradict each other",
            code="accelerations-missed",
        )
    coordinates = tuple(found["coordinates"])
    rotational = np.array(found["rotational"])
    is_base = np.array([name in found["base"] for name in coordinates], dtype=np.bool_)
    residual = np.linalg.norm(found["moment"][:, is_base & ~rotational, 0], axis=1)
    return LoadMaps(
        time=times,
        joints=chosen,
        actuators=tuple(found["actuators"]),
        acting=tuple(found["acting"]),
        coordinates=coordinates,
        is_rotational=rotational,
        net_reaction=found["reaction"][:, :, 0],
        reaction=found["reaction"][:, :, 1:],
        net_moment=found["moment"][:, :, 0],
        moment_arm=-found["moment"][:, :, 1:],
        capacity=found["capacity"],
        controls=np.array(found["controls"]).reshape(-1, 2),
        parent=found["parent"],
        child=found["child"],
        is_held=is_base | np.array(found["locked"]),
        body_weight=(found["mass"] if mass is None else mass) * found["gravity"],
        residual=residual * (external_loads is not None),
        acceleration_error=error,
    )


def _joints(
    model: OsimModel, names: Sequence[str] | None, dofs: Sequence[str]
) -> tuple[Joint, ...]:
    by_name = {one.name: one for one in model.joints}
    if names is None:
        names = list(dict.fromkeys(model.coordinate(dof).joint for dof in dofs))
    if not names:
        raise OptionError(where="joints", expected="at least one joint", got="none")
    for name in names:
        if name not in by_name:
            raise unknown_name(model.path, "a joint of the model", name, by_name)
    return tuple(by_name[name] for name in names)
