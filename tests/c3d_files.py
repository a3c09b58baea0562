"""C3D files of a walk, written by ezc3d, for tests of what reads them."""

import numpy as np

# From y up to z up.
LAB = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


# What a plate of each type has for channels, of forces and moments in its own axes.
_GAINS = np.array([2.0, 2.0, 2.0, 3.0, 3.0, 3.0])
_UNITS = {1: ["N"] * 3 + ["mm", "mm", "Nmm"], 3: ["N"] * 8}


def _point(fx, fy, fz, mx, my, mz):
    up = np.where(np.abs(fz) > 1.0, fz, np.inf)
    x, y = -my / up, mx / up
    return fx, fy, fz, x, y, mz - (x * fy - y * fx)


def _corner_forces(fx, fy, fz, mx, my, mz, a=200.0, b=120.0):
    x, y, z = 0.25 * mz / b, 0.25 * mz / a, 0.25 * fz
    p, q = 0.25 * mx / b, 0.25 * my / a
    sides = (0.5 * fx - x, 0.5 * fx + x, 0.5 * fy + y, 0.5 * fy - y)
    return *sides, z + p - q, z + p + q, z - p + q, z - p - q


_AS = {
    1: _point,
    2: lambda *channels: channels,
    3: _corner_forces,
    4: lambda *channels: tuple(np.array(channels) / _GAINS[:, None]),
}


def write_c3d(
    path,
    forces,
    markers,
    *,
    subframes=2,
    events=(),
    unit="mm",
    extra=(),
    emg=False,
    moment_unit="Nmm",
    scale=1000.0,
    plates=True,
    kind=2,
):
    """Write forces (y up, of every row of the markers) and markers into a laboratory with z up.

    Two plates of type 2, 10 m by 0.4 m, whose own axes are -x, y and -z of the laboratory; between
    the samples of the markers forces go on in straight lines.

    Parameters
    ----------
    path : Path
    forces, markers
        As `gait_forces.walk` makes them.
    subframes : int
        Analog samples a frame.
    events : sequence of (label, context, time)
    unit : str
        What POINT:UNITS says; coordinates are written in mm whatever it says.
    extra : sequence of str
        Labels of more points, all of them at 1, 2, 3 m.
    emg : bool
        Whether there is a channel beside those of the plates.
    moment_unit : str
        What ANALOG:UNITS says of moments.
    scale : float
        Moments are written in N m times this.
    plates : bool
        Whether there are plates.
    kind : int
        FORCE_PLATFORM:TYPE, 1 to 4.
    """
    import ezc3d  # noqa: PLC0415  optional

    file = ezc3d.c3d()
    rate = markers.rate
    n_frame = len(markers.time)
    lab = markers.positions @ LAB.T
    points = np.ones((4, len(markers.names) + len(extra), n_frame))
    points[:3, : len(markers.names)] = np.where(np.isnan(lab), 0.0, lab * 1000.0).T
    points[:3, len(markers.names) :] = np.array([1000.0, 2000.0, 3000.0])[:, None, None]
    file["parameters"]["POINT"]["RATE"]["value"] = [rate]
    file["parameters"]["POINT"]["UNITS"]["value"] = [unit]
    file["parameters"]["POINT"]["LABELS"]["value"] = [*markers.names, *extra]
    file["data"]["points"] = points
    residuals = np.zeros((1, points.shape[1], n_frame))
    residuals[0, : len(markers.names)] = np.where(np.isnan(lab[:, :, 0]), -1.0, 0.0).T
    file["data"]["meta_points"]["residuals"] = residuals
    fine = np.arange(n_frame * subframes) / (rate * subframes)
    labels, units, channels, corners = [], [], [], []
    for i, one in enumerate(forces.plates if plates else ()):
        raw, corner = _plate(one, scale)
        raw = _AS[kind](*(np.interp(fine, markers.time, column) for column in raw.T))
        channels += list(raw)
        labels += [f"{name}_{i + 1}" for name in range(len(raw))]
        units += ["N"] * 3 + [moment_unit] * 3 if kind in (2, 4) else _UNITS[kind]
        corners.append(corner * 1000.0)
    if emg:
        channels.append(1e-3 * np.sin(2.0 * np.pi * 80.0 * fine))
        labels.append("R Soleus")
        units.append("V")
    if channels:
        file["parameters"]["ANALOG"]["RATE"]["value"] = [rate * subframes]
        file["parameters"]["ANALOG"]["LABELS"]["value"] = labels
        file["parameters"]["ANALOG"]["UNITS"]["value"] = units
        file["data"]["analogs"] = np.array(channels)[None]
    if corners:
        n_plate = len(corners)
        n_channel = 8 if kind == 3 else 6
        _add_whole(file, "USED", [n_plate], [1])
        _add_whole(file, "TYPE", [kind] * n_plate, [n_plate])
        _add_whole(file, "ZERO", [1, 0], [2])
        _add_whole(file, "CHANNEL", range(1, n_channel * n_plate + 1), [n_channel, n_plate])
        file.add_parameter("FORCE_PLATFORM", "CORNERS", np.stack(corners, axis=2))
        origin = np.array([[200.0], [120.0], [0.0]]) if kind == 3 else np.zeros((3, 1))
        file.add_parameter("FORCE_PLATFORM", "ORIGIN", np.repeat(origin, n_plate, axis=1))
        if kind == 4:
            matrix = np.repeat(np.diag(_GAINS)[:, :, None], n_plate, axis=2)
            file.add_parameter("FORCE_PLATFORM", "CAL_MATRIX", matrix)
    _add_events(file, events)
    file.write(str(path))
    return path


def _add_events(file, events):
    if events:
        file.add_parameter("EVENT", "USED", [len(events)])
        file.add_parameter("EVENT", "LABELS", [label for label, _, _ in events])
        file.add_parameter("EVENT", "CONTEXTS", [context for _, context, _ in events])
        times = np.array([[time // 60.0, time % 60.0] for _, _, time in events]).T
        file.add_parameter("EVENT", "TIMES", times)


def _plate(plate, scale):
    """Return what a plate measures, (n_row, 6), and its corners in the laboratory, (3, 4) [m]."""
    force, point, torque = (getattr(plate, key) @ LAB.T for key in ("force", "point", "torque"))
    y = float(np.median(point[force[:, 2] > 0.0, 1]))
    corners = np.array([[-2.0, 8.0, 8.0, -2.0], [y + 0.2, y + 0.2, y - 0.2, y - 0.2], [0.0] * 4])
    moment = torque + np.cross(point - corners.mean(axis=1), force)
    return np.hstack((force, moment * scale)) * [-1, 1, -1, -1, 1, -1], corners


def _add_whole(file, name, values, shape):
    """Add whole numbers, which ezc3d's own function would make others of."""
    import ezc3d  # noqa: PLC0415  optional

    parameter = ezc3d.ezc3d.Parameter(name, "")
    parameter.set(ezc3d.ezc3d.VecInt([int(value) for value in values]), shape)
    file["parameters"].add_parameter("FORCE_PLATFORM", parameter)
