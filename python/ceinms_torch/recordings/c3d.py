"""C3D files: markers, force plates, analog channels and events, in SI units and the lab's axes.

Read by ezc3d, which is an optional package (``pip install 'ceinms-torch[c3d]'``) and imported only
here. Whether the file is whole is checked before.

References
----------
The C3D File Format: A Technical User Guide, Motion Lab Systems 2021: header, parameter section,
FORCE_PLATFORM, EVENT.
"""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.errors import FileFormatError, OptionError, Place, unknown_name
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.source import Source, read_source
from ceinms_torch.recordings.c3d_integrity import EXPORT_AGAIN, check_whole
from ceinms_torch.recordings.c3d_plates import parameter, parameter_texts, plate_forces
from ceinms_torch.recordings.ground_forces import (
    Foot,
    GroundForces,
    check_plausible,
)
from ceinms_torch.recordings.trc import METRES, Markers, check_span

# Of POINT, what Vicon's models compute: neither markers nor in units of length.
_COMPUTED = ("ANGLES", "FORCES", "MOMENTS", "POWERS", "SCALARS", "REACTIONS")


@dataclass(frozen=True)
class Event:
    """An event that somebody marked.

    Parameters
    ----------
    time : float
        On the clock of the recording [s].
    label : str
        What happens, as the file says it: "Foot Strike".
    foot : {"right", "left"}, optional
        Whose event it is.
    """

    time: float
    label: str
    foot: Foot | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Analogs(OneLine):
    """Analog channels.

    Parameters
    ----------
    time : ndarray (n_sample,)
        Times [s], those of the markers continued.
    rate : float
        Samples a second [Hz].
    names : tuple of str
        Names of the channels, all different.
    units : tuple of str
        What the file says about their units; empty where it says nothing.
    values : ndarray (n_sample, n_channel)
        Scaled as the file asks for.
    """

    time: FloatArray
    rate: float
    names: tuple[str, ...]
    units: tuple[str, ...]
    values: FloatArray

    def channel(self, name: str) -> FloatArray:
        """Return one channel, (n_sample,), or raise an `UnknownNameError`."""
        if name not in self.names:
            raise unknown_name("analog channels", "a channel", name, self.names)
        return self.values[:, self.names.index(name)]


@dataclass(frozen=True, kw_only=True, eq=False)
class C3d(OneLine):
    """What a C3D file holds, in the axes of the laboratory.

    Parameters
    ----------
    markers : Markers
        Trajectories [m]; without computed angles, moments and the like.
    forces : GroundForces
        Of each plate, named "1", "2", ...: force on the body [N], point [m] and free moment [N m].
        The vertical is `up`; no foot is known yet. Where nobody stands on a plate the point is its
        centre, and the torque all that it feels about that.
    corners : tuple of ndarray (4, 3)
        Corners of the plates [m].
    analogs : Analogs
        All analog channels, those of the plates included.
    plate_channels : tuple of str
        Names of the analog channels that are the plates'.
    events : tuple of Event
        In the order of their times.
    up : {"x", "y", "z"}
        The vertical axis of the laboratory.
    path : Path
        The file.
    sha256 : str
        Digest of its bytes.
    """

    markers: Markers
    forces: GroundForces
    corners: tuple[FloatArray, ...]
    analogs: Analogs
    plate_channels: tuple[str, ...]
    events: tuple[Event, ...]
    up: Literal["x", "y", "z"]
    path: Path
    sha256: str = field(default="")

    @property
    def source(self) -> Source:
        """The file as it was read."""
        return Source(self.path, self.sha256)

    def in_opensim_axes(self, forward: str = "") -> C3d:
        """Return markers, forces and plates as OpenSim has them: y up.

        Parameters
        ----------
        forward : str
            The axis of the laboratory that becomes x, such as ``+x`` or ``-y``; by default the
            first horizontal one.

        Returns
        -------
        C3d

        Raises
        ------
        OptionError
            If that is no horizontal axis.
        FileFormatError
            If the forces on a plate do not point up then.
        """
        rotation = opensim_axes(self.up, forward)
        turned = replace(
            self,
            markers=self.markers.turned(rotation),
            forces=self.forces.turned(rotation),
            corners=tuple(corners @ rotation.T for corners in self.corners),
            up="y",
        )
        check_plausible(turned.forces)
        return turned


def opensim_axes(up: str, forward: str = "") -> FloatArray:
    """Return the rotation to OpenSim's axes: x forward, y up, z to the right.

    Parameters
    ----------
    up : {"x", "y", "z"}
        The vertical axis of the laboratory.
    forward : str
        The axis that becomes x, such as ``+x`` or ``-y``; by default the first horizontal one.

    Returns
    -------
    ndarray (3, 3)
        Its rows are the new axes in terms of the old.

    Raises
    ------
    OptionError
        If `forward` is no horizontal axis.
    """
    axes = dict(zip("xyz", np.eye(3), strict=True))
    text = forward or ("+y" if up == "x" else "+x")
    match = re.fullmatch(r"([+-]?)([xyz])", text.casefold())
    if match is None or match[2] == up:
        horizontal = ", ".join(f"+{axis}, -{axis}" for axis in "xyz" if axis != up)
        raise OptionError(
            where="--forward",
            expected=f"a horizontal axis of the laboratory: {horizontal}",
            got=repr(forward),
        )
    x = axes[match[2]] * (-1.0 if match[1] == "-" else 1.0)
    return np.array([x, axes[up], np.cross(x, axes[up])])


# ---- Reading ----------------------------------------------------------------------------


@one_blas_thread
def read_c3d(path: str | os.PathLike[str]) -> C3d:
    """Read a C3D file.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    C3d

    Raises
    ------
    FileFormatError
        If it is missing, cut off or damaged; if a unit is not known or contradicts the numbers; if
        a plate is of a kind that ezc3d cannot read, or its forces act beside it.
    OptionError
        If ezc3d is not installed.
    """
    path = Path(path)
    raw, source = read_source(path, "a C3D file")
    reader = _reader(path)
    check_whole(path, raw)
    file = _parsed(path, reader)
    parameters = file["parameters"]
    first, rate = file["header"]["points"]["first_frame"], _rate(file, "points")
    points = file["data"]["points"]
    time = (first + np.arange(points.shape[2])) / rate
    names, keep = _marker_names(parameters)
    markers = Markers(
        time=time,
        names=names,
        positions=np.ascontiguousarray(points[:3, keep].T),
        path=path,
        sha256=source.sha256,
    )
    unit = _text(parameters, "POINT", "UNITS") or "mm"
    markers = _in_metres(markers, unit)
    analogs = _analogs(file, first / rate)
    forces, corners = plate_forces(file, path, analogs.time)
    return C3d(
        markers=markers,
        forces=replace(forces, sha256=source.sha256),
        corners=corners,
        analogs=analogs,
        plate_channels=_plate_channels(parameters, analogs.names),
        events=_events(parameters),
        up=_up(parameters, corners),
        path=path,
        sha256=source.sha256,
    )


def _reader(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its wrapper, about itself
            import ezc3d  # type: ignore[import-untyped]  # noqa: PLC0415  optional
    except ImportError as error:
        raise OptionError(
            where=path,
            expected="the package ezc3d, which reads C3D files",
            got=f"an installation without it ({error})",
            hint="Install it: pip install 'ceinms-torch[c3d]'; or export .trc and .mot files",
            code="ezc3d-missing",
        ) from error
    return ezc3d.c3d


def _parsed(path: Path, reader: Any) -> Any:
    try:
        return reader(str(path), extract_forceplat_data=True)
    except (OSError, RuntimeError, ValueError, IndexError, KeyError) as error:
        where = Place(path, element="force plates" if "orce" in str(error) else None)
        expected = "a C3D file that ezc3d can read"
        raise FileFormatError(
            where=where, expected=expected, got=f"'{error}'", hint=EXPORT_AGAIN
        ) from error


def _text(parameters: Any, group: str, name: str) -> str:
    values = parameter(parameters, group, name)
    return str(values[0]).strip() if len(values) else ""


def _rate(file: Any, kind: str) -> float:
    return float(file["header"][kind]["frame_rate"]) or 1.0


def _unique(names: list[str]) -> tuple[str, ...]:
    """Return names of which none is empty and none is another's."""
    result: list[str] = []
    for i, name in enumerate(names):
        plain = re.sub(r"[\s,]+", "_", name) or f"channel{i + 1}"
        same, new = 2, plain
        while new in result:
            new, same = f"{plain}_{same}", same + 1
        result.append(new)
    return tuple(result)


def _marker_names(parameters: Any) -> tuple[tuple[str, ...], list[int]]:
    """Return names of markers and their places: no angles, no points without a name."""
    labels = parameter_texts(parameters, "POINT", "LABELS")
    computed = {label for kind in _COMPUTED for label in parameter_texts(parameters, "POINT", kind)}
    keep = [i for i, label in enumerate(labels) if label and label not in computed]
    keep = [i for i in keep if not re.fullmatch(r"(.*:)?\*\d+", labels[i])]  # not identified
    names = [labels[i] for i in keep]
    prefixes = {name.partition(":")[0] for name in names if ":" in name}
    if len(prefixes) == 1:  # the one person who was recorded
        names = [name.rpartition(":")[2] for name in names]
    return _unique(names), keep


def _in_metres(markers: Markers, unit: str) -> Markers:
    where = Place(markers.path, element="POINT:UNITS")
    if unit.casefold() not in METRES:
        raise FileFormatError(
            where=where, expected="one of m, cm, mm", got=f"'{unit}'", hint=EXPORT_AGAIN
        )
    scaled = replace(markers, positions=markers.positions * METRES[unit.casefold()])
    check_span(scaled, where, unit)
    return scaled


def _analogs(file: Any, start: float) -> Analogs:
    values = file["data"]["analogs"][0].T
    rate = _rate(file, "analogs")
    parameters = file["parameters"]
    names = _unique(parameter_texts(parameters, "ANALOG", "LABELS")[: values.shape[1]])
    units = [*parameter_texts(parameters, "ANALOG", "UNITS"), *[""] * values.shape[1]]
    return Analogs(
        time=start + np.arange(len(values)) / rate,
        rate=rate,
        names=names,
        units=tuple(units[: len(names)]),
        values=np.ascontiguousarray(values),
    )


def _plate_channels(parameters: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    used = int(np.sum(parameter(parameters, "FORCE_PLATFORM", "USED")))
    channels = np.atleast_2d(np.asarray(parameter(parameters, "FORCE_PLATFORM", "CHANNEL")))
    places = {int(one) - 1 for one in channels[:, :used].ravel()} if used else set()
    return tuple(name for i, name in enumerate(names) if i in places)


def _events(parameters: Any) -> tuple[Event, ...]:
    times = np.asarray(parameter(parameters, "EVENT", "TIMES"), dtype=np.float64)
    if times.size == 0:
        return ()
    times = times.reshape(2, -1)  # minutes and seconds
    contexts = parameter_texts(parameters, "EVENT", "CONTEXTS")
    labels = parameter_texts(parameters, "EVENT", "LABELS")
    feet: dict[str, Foot] = {"right": "right", "left": "left"}
    events = [
        Event(60.0 * minutes + seconds, label, feet.get(context.casefold()))
        for minutes, seconds, label, context in zip(*times.tolist(), labels, contexts, strict=False)
    ]
    return tuple(sorted(events, key=lambda event: event.time))


def _up(parameters: Any, corners: tuple[FloatArray, ...]) -> Literal["x", "y", "z"]:
    """Return the vertical axis: plates lie on the floor, or else what the screen shows as up."""
    axes: tuple[Literal["x", "y", "z"], ...] = ("x", "y", "z")
    normals = [np.cross(one[1] - one[0], one[3] - one[0]) for one in corners]
    if normals and np.linalg.norm(normals[0]) > 0.0:
        return axes[int(np.abs(normals[0]).argmax())]
    screen = _text(parameters, "POINT", "Y_SCREEN").casefold()
    return next((axis for axis in axes if axis in screen), "z")
