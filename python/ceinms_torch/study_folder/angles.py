"""Joint angles of a recording, in radians, whatever their file has."""

from __future__ import annotations

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import FileFormatError, Place
from ceinms_torch.io.storage import Storage
from ceinms_torch.osim.model_file import OsimModel

# No joint turns further [rad]: more than once round.
_FURTHEST = 2.5 * np.pi
# In a movement worth recording some joint turns by more than this [degrees].
_LEAST_TURN = 4.0


def angles_of(storage: Storage, model: OsimModel) -> dict[str, FloatArray]:
    """Return the coordinates of a model in radians and metres.

    Parameters
    ----------
    storage : Storage
        A motion of OpenSim, in degrees or radians as its header says.
    model : OsimModel
        What is an angle.

    Returns
    -------
    dict of str to ndarray (n_row,)
        [rad or m], those that the file has.

    Raises
    ------
    FileFormatError
        If the file has no coordinate of the model, or its header cannot be right about the unit.
    """
    known = [one for one in model.coordinates if one.name in storage.columns]
    if not known:
        raise FileFormatError(
            where=Place(storage.path, storage.label_line),
            expected=f"coordinates of '{model.path}', such as {model.coordinates[0].name}",
            got=", ".join(storage.columns[:6]),
            hint="Name the motion of this model, as inverse kinematics writes it",
        )
    turning = [one.name for one in known if one.motion == "rotational"]
    if turning:
        _check_unit(storage, turning)
    factor = np.pi / 180.0 if storage.in_degrees else 1.0
    return {
        one.name: storage.column(one.name) * (factor if one.motion == "rotational" else 1.0)
        for one in known
    }


def _check_unit(storage: Storage, turning: list[str]) -> None:
    values = storage.select(turning)
    says = f"inDegrees={'yes' if storage.in_degrees else 'no'}"
    if not storage.in_degrees and float(np.abs(values).max()) > _FURTHEST:
        row, column = np.unravel_index(int(np.abs(values).argmax()), values.shape)
        raise FileFormatError(
            where=Place(storage.path, element=turning[int(column)]),
            expected=f"angles in radians, as the header says ({says})",
            got=f"{values[row, column]:.4g} at {storage.time[row]:g} s",
            hint="These look like degrees: write inDegrees=yes into the header",
            code="angle-unit",
        )
    widest = float(np.ptp(values, axis=0).max())
    if storage.in_degrees and 0.0 < widest < _LEAST_TURN:
        widest_one = turning[int(np.ptp(values, axis=0).argmax())]
        raise FileFormatError(
            where=Place(storage.path, element=widest_one),
            expected=f"angles in degrees, as the header says ({says})",
            got=f"a motion in which no angle changes by more than {widest:.3g}",
            hint="These look like radians: write inDegrees=no into the header",
            code="angle-unit",
        )
