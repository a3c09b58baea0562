"""Ground forces and markers of a walk that nobody walked, whose events are known."""

import numpy as np

from ceinms_torch.recordings.ground_forces import GroundForces, PlateForces
from ceinms_torch.recordings.trc import Markers

STRIDE, STANCE, BODY_WEIGHT = 1.1, 0.7, 600.0


def walk(*, n_stride=6, rate=200.0, speed=1.2, treadmill=False):
    """Return forces and markers of a walk along x, right foot first, and its contacts by foot.

    Times of contacts are those of rows. A foot is 0.25 m long, has a marker at the heel and at the
    toe, and the point of force goes from one to the other; the left is at z = -0.1 m.
    """
    n_row = round((n_stride + 0.6) * STRIDE * rate)
    time = np.arange(n_row) / rate
    plates, names, positions, contacts = [], [], [], {}
    for foot, late, z in (("right", 0.3, 0.1), ("left", 0.3 + 0.5 * STRIDE, -0.1)):
        force, point = np.zeros((n_row, 3)), np.zeros((n_row, 3))
        heel = np.zeros((n_row, 3))
        contacts[foot] = []
        for i in range(n_stride):
            on, off = (round((late + i * STRIDE + part) * rate) for part in (0.0, STANCE))
            if off >= n_row:
                break
            share = np.linspace(0.0, 1.0, off - on)
            rise = np.minimum(1.0, 0.05 + np.minimum(share, 1.0 - share) / 0.1)
            force[on:off, 1] = BODY_WEIGHT * rise * (1.0 - 0.2 * np.sin(2.0 * np.pi * share) ** 2)
            force[on:off, 0] = 0.15 * BODY_WEIGHT * rise * (2.0 * share - 1.0)
            place = 0.3 - speed * STANCE * share if treadmill else speed * i * STRIDE + 0.0 * share
            if not treadmill and foot == "left":
                place = place + 0.5 * speed * STRIDE
            heel[on:off, 0] = place
            point[on:off, 0] = place + 0.02 + 0.2 * share
            point[on:off, 2] = z
            contacts[foot].append((time[on], time[off]))
        _swing(heel[:, 0], force[:, 1] == 0.0)
        heel[:, 1], heel[:, 2] = np.where(force[:, 1] == 0.0, 0.15, 0.03), z
        plates.append(
            PlateForces(name=foot[0], foot=foot, force=force, point=point, torque=0.0 * force)
        )
        toe = heel + np.array([0.25, -0.01, 0.0])
        names += [f"{foot[0].upper()}HEE", f"{foot[0].upper()}TOE"]
        positions += [heel, toe]
    names.append("C7")
    positions.append(np.column_stack((speed * time, np.full(n_row, 1.4), 0.0 * time)))
    markers = Markers(time=time, names=tuple(names), positions=np.stack(positions, axis=1))
    return GroundForces(time=time, plates=tuple(plates)), markers, contacts


def _swing(values, is_swing):
    """Move a foot from one place to the next while it is in the air."""
    rows = np.arange(len(values))
    values[is_swing] = np.interp(rows[is_swing], rows[~is_swing], values[~is_swing])
