"""What joints bear and coordinates lack, as linear maps of the forces of actuators.

At a given motion, with given external loads, what a joint bears is linear in the forces of the
actuators, once reserves at the coordinates provide what moments these lack. So one pass over the
frames, with each actuator at 1 N in turn, answers for any forces.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import opensim as osim

from .model import Motion, Posed, load_model, matrix, names_in
from .protocol import Channel, Fault

_RESERVE = "ceinms_torch_reserve_"
_UNIT = 1000.0  # at which maps are taken, and divided by [N]: near what muscles bear
_NOTHING = 1e-7  # what 1 N adds to a reaction [N or N m]
_CROSSES = 1e-3  # moment arm of what acts on a coordinate [m]


def load_maps(job: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Write reactions of joints and moments of coordinates, of no force and of unit forces.

    The file has, for n frames, j joints, a actuators and c free coordinates:
    ``reaction`` (n, j, 1 + a, 6), moment [N m] and force [N] on the child at its frame's origin, in
    ground, of no actuator and of 1 N more of each; ``moment`` (n, c, 1 + a) likewise [N m or N],
    what reserves have to provide; ``parent`` and ``child`` (n, j, 3, 4), rotation of the bodies and
    origin [m] of the joint's frames in them, in ground; ``capacity`` (n, a), the active force at
    full activation with a rigid tendon [N], NaN of what is no muscle.
    """
    model, _ = load_model(job["model"])
    _add_reserves(model)
    if job["external_loads"]:
        loads = osim.ExternalLoads(job["external_loads"], True)
        model.addModelComponent(loads)
    try:
        state = model.initSystem()
    except RuntimeError as error:
        raise Fault(
            "external loads",
            "forces on bodies of the model",
            str(error).strip().split("\n\tThrown at")[0],
            code="external-loads",
            file=job["external_loads_file"],
        ) from error
    frames = _Frames(model, state, job)
    found: dict[str, list[np.ndarray]] = {}
    time = np.load(job["times"])["time"]
    frames.find_acting([float(time[i]) for i in {0, len(time) // 2, len(time) - 1}])
    for i, one in enumerate(time):
        channel.progress(i, len(time))
        for name, values in frames.at(float(one)).items():
            found.setdefault(name, []).append(values)
    channel.progress(len(time), len(time))
    np.savez(job["output"], **{name: np.stack(values) for name, values in found.items()})  # type: ignore[arg-type]  # numpy's stubs
    return {
        "actuators": frames.actuators,
        "coordinates": [frames.posed.names[i] for i in frames.free],
        "joints": frames.joint_names,
        "mass": model.getTotalMass(state),
        "gravity": float(np.linalg.norm(model.getGravity().to_numpy())),
        "acceleration_error": frames.acceleration_error,
        "acting": frames.acting,
        "base": _base(model),
        "locked": [bool(frames.posed.is_locked[i]) for i in frames.free],
        "controls": [
            [frames.known[name].getMinControl(), frames.known[name].getMaxControl()]
            for name in frames.actuators
        ],
        "rotational": [bool(frames.posed.is_rotational[i]) for i in frames.free],
    }


def _add_reserves(model: Any) -> None:
    coordinates = model.getCoordinateSet()
    for name in names_in(coordinates):
        reserve = osim.CoordinateActuator(name)
        reserve.setName(_RESERVE + name)
        model.addForce(reserve)


class _Frames:
    """A model with reserves at its coordinates, and what each frame says."""

    def __init__(self, model: Any, state: Any, job: dict[str, Any]) -> None:
        self.model, self.state = model, state
        self.posed = posed = Posed(model, state)
        self.motion = Motion(posed, job["motion"], job["lowpass"])
        self.motion.require_all()
        self.solver = osim.InverseDynamicsSolver(model)
        self.acceleration_error = 0.0
        forces = model.getForceSet()
        every = {}
        self.reserves = {}
        for i in range(forces.getSize()):
            actuator = osim.ScalarActuator.safeDownCast(forces.get(i))
            if actuator is None or not forces.get(i).get_appliesForce():
                continue
            actuator.overrideActuation(state, True)
            actuator.setOverrideActuation(state, 0.0)
            name = actuator.getName()
            if name.startswith(_RESERVE):
                self.reserves[name[len(_RESERVE) :]] = actuator
            elif osim.CoordinateActuator.safeDownCast(actuator) is None:
                every[name] = actuator
        for name in job["actuators"]:
            if name not in every:
                raise Fault(
                    name,
                    "the name of a muscle of the model that is not disabled",
                    repr(name),
                    "There are " + ", ".join(every),
                    code="actuator-unknown",
                )
        self.known = every
        self.actuators = list(job["actuators"])
        self.actuators += [
            name for name in job["also"] if name in every and name not in self.actuators
        ]
        self.and_others = job["and_others"]
        joints = model.getJointSet()
        self.joint_names = job["joints"]
        for name in self.joint_names:
            if name not in names_in(joints):
                raise Fault(
                    name,
                    "the name of a joint",
                    repr(name),
                    "There are " + ", ".join(names_in(joints)),
                    code="joint-unknown",
                )
        self.joints = [joints.get(name) for name in self.joint_names]
        self.acting: list[str] = []
        self.dependent: list[int] = []
        self.free: list[int] = []

    def at(self, time: float) -> dict[str, np.ndarray]:
        """Return what the file has of one frame."""
        reaction, moment = self._maps(self.actuators, *self._at(time))
        muscles = [osim.Muscle.safeDownCast(self.known[name]) for name in self.actuators]
        self.model.realizeVelocity(self.state)
        parents = [_transform(one.getParentFrame(), self.state) for one in self.joints]
        children = [_transform(one.getChildFrame(), self.state) for one in self.joints]
        capacity = [
            np.nan if one is None else one.calcInextensibleTendonActiveFiberForce(self.state, 1.0)
            for one in muscles
        ]
        return {
            "reaction": reaction,
            "moment": moment,
            "parent": np.array(parents),
            "child": np.array(children),
            "capacity": np.array(capacity),
        }

    def find_acting(self, times: list[float]) -> None:
        """Find the actuators on which the joints' loads depend, and turn off what does not count.

        With those that act on a joint at one of the times count those that share a coordinate with
        one of them, and so on: together they provide the moments.
        """
        names = list(self.known)
        maps = [self._maps(names, *self._at(time)) for time in times]
        acts = np.max([np.abs(one[:, 1:]).max(axis=(0, 2)) for one, _ in maps], axis=0) > _NOTHING
        self.acting = [name for name, one in zip(names, acts) if one]
        crosses = np.max([np.abs(one[:, 1:]) for _, one in maps], axis=0) > _CROSSES
        # No muscle moves the body as a whole, though paths that are not in equilibrium seem to; and
        # what is locked needs none.
        base = _base(self.model)
        held = [self.posed.is_locked[i] or self.posed.names[i] in base for i in self.free]
        crosses[held] = False
        while True:
            more = crosses[crosses[:, acts].any(axis=1)].any(axis=0) | acts
            if (more == acts).all():
                break
            acts = more
        counting = [name for name, one in zip(names, acts) if one]
        given = set(self.actuators)
        self.actuators = [name for name in counting if self.and_others or name in given]
        for name in names:
            if name not in self.actuators:
                # Their paths would be computed for every case, to be pulled with nothing.
                self.known[name].setAppliesForce(self.state, False)

    def _maps(
        self, names: list[str], acceleration: np.ndarray, jacobian: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return reactions (j, 1 + a, 6) and moments (c, 1 + a) of no force and of 1 N of each."""
        cases = [self._case(acceleration, jacobian)]
        for name in names:
            self.known[name].setOverrideActuation(self.state, _UNIT)
            cases.append(self._case(acceleration, jacobian))
            self.known[name].setOverrideActuation(self.state, 0.0)
        reaction = np.stack([one for one, _ in cases], axis=1)
        moment = np.stack([one for _, one in cases], axis=1)
        for values in (reaction, moment):
            values[:, 1:] = (values[:, 1:] - values[:, :1]) / _UNIT
        return reaction, moment

    def _case(
        self, acceleration: np.ndarray, jacobian: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return reactions (j, 6) and what coordinates lack (c,), of the forces as they are."""
        place = self.posed.u_index
        of_free = [place[i] for i in self.free]
        of_dependent = [place[i] for i in self.dependent]
        desired = osim.Vector(self.state.getNU(), 0.0)
        for index, one in zip(place, acceleration):
            desired[index] = float(one)
        self.model.realizeDynamics(self.state)
        lacking = self.solver.solve(self.state, desired).to_numpy()
        moment = lacking[of_free]
        if of_dependent:
            # Constraints hand on to free coordinates what dependent ones lack.
            multiplier = np.linalg.lstsq(
                jacobian[:, of_dependent].T, lacking[of_dependent], rcond=None
            )[0]
            moment = moment - jacobian[:, of_free].T @ multiplier
        reserves = [self.reserves[self.posed.names[i]] for i in self.free]
        for reserve, value in zip(reserves, moment):
            reserve.setOverrideActuation(self.state, float(value))
        self.model.realizeAcceleration(self.state)
        error = np.abs(self.state.getUDot().to_numpy()[place] - acceleration).max()
        self.acceleration_error = max(self.acceleration_error, float(error))
        reaction = [
            _spatial(one.calcReactionOnChildExpressedInGround(self.state)) for one in self.joints
        ]
        for reserve in reserves:
            reserve.setOverrideActuation(self.state, 0.0)
        return np.array(reaction), moment

    def _at(self, time: float) -> tuple[np.ndarray, np.ndarray]:
        """Set pose and speeds, and return accelerations (n_coordinate,) and what constraints say.

        Dependent coordinates follow from the constraints and their derivatives, exactly. Speeds of
        most joints are the derivatives of their coordinates, but not those of all.
        """
        posed, state, matter = self.posed, self.state, self.posed.matter
        state.setTime(time)
        posed.set_pose(self.motion.at(time, 0))
        self.model.realizePosition(state)
        jacobian = np.zeros((0, state.getNU()))
        if state.getNUErr():
            jacobian = matrix(matter.calcG, state)
        if not self.free:
            self.dependent = _dependent(jacobian[:, posed.u_index], posed.is_free)
            self.free = [i for i in range(len(posed.names)) if i not in self.dependent]
        rows = jacobian[:, posed.u_index]

        def follow(values: np.ndarray, bias: np.ndarray) -> np.ndarray:
            """Let dependent ones be what constraints ask for."""
            if len(rows):
                known = rows[:, self.free] @ values[self.free] + bias
                values[self.dependent] = np.linalg.lstsq(
                    rows[:, self.dependent], -known, rcond=None
                )[0]
            return values

        speed = follow(self._of_speeds(self.motion.at(time, 1)), np.zeros(len(rows)))
        u = state.updU()
        for index, one in zip(posed.u_index, speed):
            u[index] = float(one)
        self.model.realizeVelocity(state)
        turning = osim.Vector()
        matter.multiplyByNDot(state, False, state.getU(), turning)
        rate = self.motion.at(time, 2) - turning.to_numpy()[posed.q_index]
        bias = osim.Vector(0, 0.0)
        if len(rows):
            matter.calcBiasForAccelerationConstraints(state, bias)
        return follow(self._of_speeds(rate), bias.to_numpy()), jacobian

    def _of_speeds(self, rates: np.ndarray) -> np.ndarray:
        """Return what derivatives of coordinates are as derivatives of the speeds' kind."""
        of_q, of_u = osim.Vector(self.state.getNQ(), 0.0), osim.Vector()
        for index, one in zip(self.posed.q_index, rates):
            of_q[index] = float(one)
        self.posed.matter.multiplyByNInv(self.state, False, of_q, of_u)
        result: np.ndarray = of_u.to_numpy()[self.posed.u_index]
        return result


def _base(model: Any) -> list[str]:
    """Return the coordinates of joints with which the body floats: six, to the ground."""
    joints = model.getJointSet()
    return [
        joint.get_coordinates(k).getName()
        for joint in (joints.get(i) for i in range(joints.getSize()))
        if joint.numCoordinates() == 6
        and joint.getParentFrame().findBaseFrame().getName() == "ground"
        for k in range(6)
    ]


def _dependent(jacobian: np.ndarray, is_free: np.ndarray) -> list[int]:
    """Return coordinates that constraints decide: those that the model says, then the next best."""
    chosen: list[int] = []
    rest = jacobian.copy()
    for candidates in (np.flatnonzero(~is_free), np.flatnonzero(is_free)):
        while rest.size and len(candidates):
            size = np.linalg.norm(rest[:, candidates], axis=0)
            if size.max() < 1e-8:
                break
            best = int(candidates[size.argmax()])
            direction = rest[:, best] / np.linalg.norm(rest[:, best])
            rest = rest - np.outer(direction, direction @ rest)
            chosen.append(best)
    return sorted(chosen)


def _spatial(value: Any) -> list[float]:
    return [*value.get(0).to_numpy(), *value.get(1).to_numpy()]


def _transform(frame: Any, state: Any) -> np.ndarray:
    """Return the rotation of a frame's body and the frame's origin (3, 4), both in ground."""
    rotation = frame.findBaseFrame().getTransformInGround(state).R().asMat33()
    axes = [[rotation.get(i, j) for j in range(3)] for i in range(3)]
    return np.column_stack((axes, frame.getTransformInGround(state).p().to_numpy()))
