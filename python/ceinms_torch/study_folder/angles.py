"""Joint angles of a recording, in radians, whatever their file has."""

from __future__ import annotations

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import FileFormatError, Place
from ceinms_torch.geometry.coordinates import coordinates_of
from ceinms_torch.io.storage import Storage
from ceinms_torch.osim.model_file import OsimModel

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
    turning = {one.name for one in model.coordinates if one.motion == "rotational"}
    known = {one.name for one in model.coordinates}
    found = coordinates_of(storage, among=known, translations=known - turning, doubt_small=False)
    if storage.in_degrees:
        angles = [name in turning for name in found.names]
        widest = np.rad2deg(np.ptp(found.values[:, angles], axis=0)).max(initial=0.0)
        if 0.0 < widest < _LEAST_TURN:
            raise FileFormatError(
                where=Place(storage.path, element="inDegrees"),
                expected="angles in degrees, as the header says",
                got=f"a motion in which no angle changes by more than {widest:.3g}",
                hint="These look like radians: write inDegrees=no into the header",
                code="angles-unit",
            )
    return dict(zip(found.names, found.values.T, strict=True))
