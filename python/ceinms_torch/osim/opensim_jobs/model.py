"""A model with the motion it makes: every pose exact, constraints included."""

from __future__ import annotations

from typing import Any

import numpy as np
import opensim as osim

from .protocol import Fault

# Newton's method for what constraints ask of dependent coordinates; quadratic, so few steps do.
_MOST_STEPS = 20
# Errors of constraints [rad or m]: none, and what a motion by inverse kinematics may have.
_CLOSED, _OPEN = 1e-12, 1e-6
# What filtering such a motion leaves at most; more is a motion of another model.
_ALMOST = 5e-3


def load_model(path: str) -> Any:
    """Return a model, initialised, with its state."""
    try:
        model = osim.Model(path)
        state = model.initSystem()
    except RuntimeError as error:
        text = str(error).strip().split("\n\tThrown at")[0]
        raise Fault(
            "model", "a model that OpenSim reads", text, code="model-unreadable", file=path
        ) from error
    return model, state


def names_in(collection: Any) -> list[str]:
    """Return the names in a set of OpenSim."""
    return [collection.get(i).getName() for i in range(collection.getSize())]


class Posed:
    """A model that is put into poses.

    Parameters
    ----------
    model, state : Model, State
        The model.

    Attributes
    ----------
    names : list of str
        Coordinates, as in the model.
    is_locked : ndarray of bool
        Those that the model holds at their default value, whatever the motion says.
    is_free : ndarray of bool
        Those that no constraint or prescribed function decides.
    u_index : list of int
        Place of each in the speeds of the state.
    """

    def __init__(self, model: Any, state: Any) -> None:
        self.model, self.state = model, state
        self.matter = model.getMatterSubsystem()
        coordinates = model.getCoordinateSet()
        self.coordinates = [coordinates.get(i) for i in range(coordinates.getSize())]
        self.names = [one.getName() for one in self.coordinates]
        self.is_locked = np.array([one.getLocked(state) for one in self.coordinates])
        for one in self.coordinates:
            one.setLocked(state, False)  # a locked one takes no value, not even its own
        self.is_free = np.array([not one.isConstrained(state) for one in self.coordinates])
        self.is_rotational = np.array(
            [one.getMotionType() == osim.Coordinate.Rotational for one in self.coordinates]
        )
        self.q_index, self.u_index = self._places()

    def _places(self) -> tuple[list[int], list[int]]:
        """Find where each coordinate is in the state, which no name tells."""
        state = osim.State(self.state)
        q: list[int] = []
        u: list[int] = []
        for one in self.coordinates:
            for vector, index in ((state.getQ(), q), (state.getU(), u)):
                before = vector.to_numpy()
                if index is q:
                    one.setValue(state, one.getValue(state) + 0.125, False)
                    after = state.getQ().to_numpy()
                else:
                    one.setSpeedValue(state, one.getSpeedValue(state) + 0.125)
                    after = state.getU().to_numpy()
                changed = np.flatnonzero(after != before)
                if len(changed) != 1:
                    raise Fault(
                        f"coordinate {one.getName()}",
                        "one generalised coordinate of the joint",
                        f"{len(changed)} that change with it",
                        "Joints whose coordinates are quaternions are not supported",
                        code="coordinate-coupled",
                    )
                index.append(int(changed[0]))
        return q, u

    def set_pose(self, value: np.ndarray) -> None:
        """Take a pose, with the coordinates that constraints decide as they ask.

        Parameters
        ----------
        value : ndarray (n_coordinate,)
            Rotations in rad, translations in m; of constrained coordinates a guess.
        """
        state = self.state
        q = state.updQ()
        for place, one in zip(self.q_index, value):
            q[place] = float(one)
        self.model.realizePosition(state)
        if state.getNQErr() == 0:
            return
        dependent = [self.q_index[i] for i in np.flatnonzero(~self.is_free)]
        error = self._close(dependent)
        if _OPEN < error < _ALMOST:
            # Loops of bodies, such as clavicle and scapula, leave no coordinate to the constraints:
            # filtered motions miss them by a little, and the nearest pose that does not is taken.
            error = self._close(self.q_index)
        if error > _OPEN:
            raise Fault(
                "motion",
                "poses that the model's constraints allow",
                f"one that misses them by {error:.3g} (rad or m) at best",
                "Compute the motion by inverse kinematics with this model",
                code="constraints-open",
            )

    def _close(self, movable: list[int]) -> float:
        """Move generalised coordinates until constraints hold; return by how much they do not."""
        state = self.state
        error = state.getQErr().to_numpy()
        for _ in range(_MOST_STEPS):
            if not movable or np.abs(error).max() <= _CLOSED:
                break
            jacobian = matrix(self.matter.calcPq, state)[: len(error), movable]
            step = np.linalg.lstsq(jacobian, -error, rcond=None)[0]
            q = state.updQ()
            for place, one in zip(movable, step):
                q[place] = float(q[place] + one)
            self.model.realizePosition(state)
            error = state.getQErr().to_numpy()
        return float(np.abs(error).max())


def matrix(calculate: Any, state: Any) -> np.ndarray:
    """Return a matrix that a method of Simbody fills."""
    found = osim.Matrix()
    calculate(state, found)
    result: np.ndarray = found.to_numpy()
    return result


class Motion:
    """Coordinates over time, read from a storage file whose columns are their names.

    Parameters
    ----------
    posed : Posed
        The model.
    path : str
        The file: plain names, times that increase.
    lowpass : float or None
        Cut-off frequency [Hz] of OpenSim's filter, padded as its tools pad; None for none.

    Attributes
    ----------
    time : ndarray (n,)
        [s].
    value : ndarray (n, n_coordinate)
        Before the filter [rad or m]; those that the file lacks at their defaults.
    missing : list of str
        Free coordinates that the file lacks.
    """

    def __init__(self, posed: Posed, path: str, lowpass: float | None) -> None:
        storage = osim.Storage(path)
        if storage.isInDegrees():
            posed.model.getSimbodyEngine().convertDegreesToRadians(storage)
        labels = storage.getColumnLabels()
        names = [labels.get(i) for i in range(1, labels.getSize())]
        self.time = _column(storage.getTimeColumn)
        table = {
            name: _column(lambda array, name=name: storage.getDataColumn(name, array))
            for name in names
        }
        if lowpass is not None:
            storage.pad(storage.getSize() // 2)
            storage.lowpassIIR(lowpass)
        self._splines = osim.GCVSplineSet(5, storage)
        defaults = [one.getDefaultValue() for one in posed.coordinates]
        self._names = names
        self._posed = posed
        self._defaults = np.array(defaults)
        self.value = np.column_stack(
            [
                table.get(name, np.full(len(self.time), default))
                for name, default in zip(posed.names, defaults)
            ]
        )
        self.value[:, posed.is_locked] = self._defaults[posed.is_locked]
        lacking = np.array([name not in table for name in posed.names])
        lacking &= posed.is_free & ~posed.is_locked
        self.missing = [name for name, lacks in zip(posed.names, lacking) if lacks]
        self._refuse_degrees()

    def require_all(self) -> None:
        """Refuse a motion without one of the free coordinates: dynamics would be another body's."""
        if self.missing:
            raise Fault(
                "motion",
                "a column for every coordinate that is free to move",
                f"none for {', '.join(self.missing)}",
                "Compute the motion by inverse kinematics with this model, or lock coordinates in "
                "the model that do not move",
                code="motion-lacks-coordinate",
            )

    def _refuse_degrees(self) -> None:
        """Refuse rotations beyond a turn of joints within the body: degrees read as radians."""
        for i, one in enumerate(self._posed.coordinates):
            within = one.getJoint().getParentFrame().findBaseFrame().getName() != "ground"
            largest = np.abs(self.value[:, i]).max()
            if within and self._posed.is_rotational[i] and largest > 2.0 * np.pi:
                raise Fault(
                    one.getName(),
                    "rotations of less than a turn",
                    f"up to {largest:.4g} rad",
                    "If the motion is in degrees, its header must say inDegrees=yes",
                    code="angles-in-degrees",
                )

    def at(self, time: float, order: int) -> np.ndarray:
        """Return the values, or their derivative of an order, at a time [s]."""
        result = self._defaults.copy() if order == 0 else np.zeros(len(self._defaults))
        for i, name in enumerate(self._posed.names):
            if name in self._names and not self._posed.is_locked[i]:
                result[i] = self._splines.evaluate(self._names.index(name), order, time)
        return result


def _column(read: Any) -> np.ndarray:
    """Return an array that a method of OpenSim fills."""
    found = osim.ArrayDouble()
    read(found)
    return np.array([found.get(i) for i in range(found.getSize())])
