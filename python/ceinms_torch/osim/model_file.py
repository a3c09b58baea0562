"""An OpenSim model (``.osim``) read from its XML: muscles, coordinates, masses, markers.

OpenSim itself is not needed. Files of versions 2 to 4 have the same things in other places: joints
inside bodies or in a set of their own, sockets by paths or by names, sets with their elements in
``<objects>``. What a muscle leaves out is what ``<defaults>`` of the file says of its class, or
else OpenSim's own default.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from ceinms_torch.errors import CeinmsTorchWarning, FileFormatError, Place, unknown_name
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.xml_document import read_root
from ceinms_torch.io.xml_node import XmlNode

Motion = Literal["rotational", "translational"]

# Muscles of which CEINMS's parameters are known, as their elements are called.
MUSCLE_CLASSES = (
    "Thelen2003Muscle",
    "Thelen2003MuscleV1",
    "Millard2012EquilibriumMuscle",
    "Millard2012AccelerationMuscle",
    "DeGrooteFregly2016Muscle",
    "RigidTendonMuscle",
    "Schutte1993Muscle",
    "Delp1990Muscle",
    "ContDerivMuscle",
)
_DEPRECATED = "_Deprecated"
# Have a path and are no muscles.
_NO_MUSCLES = (
    "PathActuator",
    "PathSpring",
    "Ligament",
    "Blankevoort1991Ligament",
    "ClutchedPathSpring",
    "Smith2018ArticularContactForce",
)
_PATHS = ("GeometryPath", "FunctionBasedPath", "path")
# Parameters by our names: elements that have them, the value in OpenSim where no file has one, and
# whether a muscle that does not say is worth a warning.
_PARAMETERS: dict[str, tuple[tuple[str, ...], float, bool]] = {
    "max_isometric_force": (("max_isometric_force",), 1000.0, True),
    "optimal_fibre_length": (("optimal_fiber_length",), 0.1, True),
    "tendon_slack_length": (("tendon_slack_length",), 0.2, True),
    "pennation_angle": (("pennation_angle_at_optimal", "pennation_angle"), 0.0, False),
    "max_contraction_velocity": (("max_contraction_velocity", "Vmax"), 10.0, False),
}
_TRANSLATIONAL_JOINTS = ("SliderJoint",)


@dataclass(frozen=True, kw_only=True)
class Muscle(OneLine):
    """A muscle-tendon actuator of a model.

    Parameters
    ----------
    name : str
        Its name in the model, in the files of MuscleAnalysis and in CEINMS.
    kind : str
        Its class, as the element is called.
    max_isometric_force : float
        [N].
    optimal_fibre_length : float
        [m].
    tendon_slack_length : float
        [m]; 0 for a muscle without tendon.
    pennation_angle : float
        At optimal fibre length [rad].
    max_contraction_velocity : float
        [optimal fibre lengths/s].
    has_stiff_tendon : bool
        Whether the model ignores the compliance of its tendon.
    is_disabled : bool
        Whether the model switches it off.
    bodies : tuple of str
        The bodies that its path is fixed to, in order.
    driven_by : tuple of str
        Coordinates that its path is a function of, where the model has that in place of points.
    line : int, optional
        Line of its element.
    """

    name: str
    kind: str
    max_isometric_force: float
    optimal_fibre_length: float
    tendon_slack_length: float
    pennation_angle: float
    max_contraction_velocity: float
    has_stiff_tendon: bool = False
    is_disabled: bool = False
    bodies: tuple[str, ...] = ()
    driven_by: tuple[str, ...] = ()
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True)
class Coordinate(OneLine):
    """A coordinate of a joint.

    Parameters
    ----------
    name : str
        Its name.
    joint : str
        The joint it belongs to.
    motion : {"rotational", "translational"}
        Whether it is an angle [rad] or a distance [m].
    range : (float, float)
        Lowest and highest value [rad or m].
    is_locked : bool
        Whether the model holds it.
    follows : str, optional
        The coordinate that a coupler constraint makes it a function of.
    """

    name: str
    joint: str
    motion: Motion
    range: tuple[float, float]
    is_locked: bool = False
    follows: str | None = None


@dataclass(frozen=True, kw_only=True)
class Joint(OneLine):
    """A joint between two bodies.

    Parameters
    ----------
    name : str
        Its name.
    parent, child : str
        The bodies; "ground" is one.
    coordinate_names : tuple of str
        Its coordinates, in order.
    """

    name: str
    parent: str
    child: str
    coordinate_names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class OsimModel(OneLine):
    """What of an OpenSim model is in its file.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        Name of the model.
    version : int
        Of the file: 20302 is OpenSim 2, 30000 OpenSim 3, 40500 OpenSim 4.5.
    muscles : tuple of Muscle
        In the order of the file.
    coordinates : tuple of Coordinate
        In the order of the file.
    joints : tuple of Joint
        In the order of the file.
    masses : mapping of str to float
        Masses of bodies [kg].
    markers : mapping of str to str
        The bodies that markers are fixed to.
    gravity : (float, float, float)
        [m/s^2].
    has_loops : bool
        Whether constraints, other than of one coordinate that follows another, tie coordinates.
    is_scaled : bool, optional
        Whether at least one of the bones it is drawn with has another size than in its own file;
        None for a model without such drawings.
    """

    path: Path
    name: str
    version: int
    muscles: tuple[Muscle, ...]
    coordinates: tuple[Coordinate, ...]
    joints: tuple[Joint, ...]
    masses: Mapping[str, float]
    markers: Mapping[str, str]
    gravity: tuple[float, ...] = (0.0, -9.80665, 0.0)
    has_loops: bool = False
    is_scaled: bool | None = None

    @property
    def mass(self) -> float:
        """Mass of all bodies [kg]."""
        return sum(self.masses.values())

    @cached_property
    def _muscles(self) -> dict[str, Muscle]:
        return {muscle.name: muscle for muscle in self.muscles}

    @cached_property
    def _coordinates(self) -> dict[str, Coordinate]:
        return {coordinate.name: coordinate for coordinate in self.coordinates}

    def muscle(self, name: str) -> Muscle:
        """Return a muscle by its name.

        Raises
        ------
        UnknownNameError
            If the model has none of that name.
        """
        if name not in self._muscles:
            raise unknown_name(self.path, "a muscle of the model", name, self._muscles)
        return self._muscles[name]

    def coordinate(self, name: str) -> Coordinate:
        """Return a coordinate by its name.

        Raises
        ------
        UnknownNameError
            If the model has none of that name.
        """
        if name not in self._coordinates:
            raise unknown_name(self.path, "a coordinate of the model", name, self._coordinates)
        return self._coordinates[name]

    def bodies_before(self, body: str) -> tuple[str, ...]:
        """Return the bodies that a body hangs on: of a calcaneus the shank, up to the ground.

        Parameters
        ----------
        body : str
            Its name.

        Returns
        -------
        tuple of str
        """
        parents = {joint.name: joint.parent for joint in self.joints}
        return tuple(parents[name] for name in self._chain(body))

    def coordinates_of(self, muscle: str) -> tuple[str, ...]:
        """Return the coordinates that change the length of a muscle.

        Parameters
        ----------
        muscle : str
            Its name.

        Returns
        -------
        tuple of str
            Those of all joints between the bodies it is fixed to, in the order of the file; of
            coordinates that follow another, that one in their place.

        Raises
        ------
        UnknownNameError
            If the model has no such muscle.
        """
        found = set(self.muscle(muscle).driven_by)
        if not found:
            chains = [set(self._chain(body)) for body in self.muscle(muscle).bodies]
            between = {name for one in chains for name in one if not all(name in c for c in chains)}
            joints = [one for one in self.joints if one.name in between]
            found = {name for one in joints for name in one.coordinate_names}
        led = {self.coordinate(name).follows or name for name in found}
        return tuple(one.name for one in self.coordinates if one.name in led)

    def muscles_across(self, dofs: Iterable[str]) -> tuple[str, ...]:
        """Return the muscles that may have a moment arm about one of these coordinates.

        Parameters
        ----------
        dofs : iterable of str
            Names of coordinates.

        Returns
        -------
        tuple of str
            Those whose length they change; all where constraints close loops.
        """
        wanted = set(dofs)
        return tuple(
            one.name
            for one in self.muscles
            if self.has_loops or wanted & set(self.coordinates_of(one.name))
        )

    def _chain(self, body: str) -> Iterator[str]:
        """Iterate over the joints from a body to the ground."""
        known = {joint.child: joint for joint in self.joints}
        while body in known:
            joint = known.pop(body)
            yield joint.name
            body = joint.parent

    def bodies_beyond(self, body: str) -> tuple[str, ...]:
        """Return a body and all that hang on it: of a calcaneus the toes, too.

        Parameters
        ----------
        body : str
            Its name.

        Returns
        -------
        tuple of str
        """
        found = [body]
        for one in found:
            found += [j.child for j in self.joints if j.parent == one and j.child not in found]
        return tuple(found)


def read_model(path: str | os.PathLike[str]) -> OsimModel:
    """Read an OpenSim model without OpenSim.

    Parameters
    ----------
    path : path-like
        A ``.osim`` file of version 2 to 4.

    Returns
    -------
    OsimModel

    Raises
    ------
    FileFormatError
        If the file is missing, not well-formed or no model, a name occurs twice, a parameter is no
        number or one that no muscle has, or a muscle is of a class that is not known.

    Warns
    -----
    CeinmsTorchWarning
        If muscles leave out a parameter that OpenSim takes a default for.
    """
    path = Path(path)
    document = read_root(path)
    root = document if document.tag == "Model" else document.find("Model")
    if root is None:
        raise document.error(
            "an OpenSim model, <OpenSimDocument> with <Model> in it",
            f"<{document.tag}>" if document.tag != "OpenSimDocument" else "no <Model>",
            "Name the .osim file of the scaled model",
            code="no-model",
        )
    defaults = {
        node.tag: node
        for parent in (document, root)
        for one in parent.children("defaults")
        for node in one.elements()
    }
    coordinates, joints = _joints(root)
    gravity = root.find("gravity")
    return OsimModel(
        path=path,
        name=root.attribute("name", path.stem),
        version=int(document.attribute("Version", "0") or 0),
        muscles=_muscles(root, defaults),
        coordinates=coordinates,
        joints=joints,
        masses=_masses(root),
        markers=_markers(root),
        gravity=OsimModel.gravity if gravity is None else gravity.numbers(),
        has_loops=any(
            one.find("dependent_coordinate_name") is None and not _is_off(one)
            for one in _set(root, "ConstraintSet")
        ),
        is_scaled=_is_scaled(root),
    )


def _set(root: XmlNode, name: str) -> list[XmlNode]:
    """Return the elements of a set: what is in its <objects>, however deep these are wrapped."""
    found: list[XmlNode] = []
    waiting = root.children(name)
    while waiting:
        node = waiting.pop(0)
        inside = [one for one in node.elements() if one.tag in ("objects", name)]
        if node.tag == "objects" or not inside:
            found += [one for one in node.elements() if one.element.get("name") is not None]
        waiting += inside
    return found


def _unique(nodes: list[XmlNode], what: str) -> list[XmlNode]:
    seen: dict[str, XmlNode] = {}
    for node in nodes:
        name = node.attribute("name")
        if name in seen:
            raise node.error(f"every {what} once", f"'{name}', as in line {seen[name].line}")
        seen[name] = node
    return nodes


# ---- Muscles ----------------------------------------------------------------------------


def _muscles(root: XmlNode, defaults: Mapping[str, XmlNode]) -> tuple[Muscle, ...]:
    nodes = [node for node in _set(root, "ForceSet") if _is_muscle(node)]
    missing: dict[str, list[str]] = {}
    muscles = tuple(
        _muscle(node, defaults.get(node.tag), missing) for node in _unique(nodes, "muscle")
    )
    for element, names in missing.items():
        value = next(one[1] for one in _PARAMETERS.values() if element in one[0])
        text = (
            f"{len(names)} of {len(muscles)} muscles have no <{element}>, for which OpenSim takes "
            f"{value:g}: {', '.join(names[:6])}{' ...' if len(names) > 6 else ''}. Write it into "
            "the model if that is not meant."
        )
        warnings.warn(CeinmsTorchWarning(text, "model-default", root.path), stacklevel=3)
    return muscles


def _is_muscle(node: XmlNode) -> bool:
    """Tell muscles from other forces; one of a class that nobody knows is an error."""
    kind = node.tag.removesuffix(_DEPRECATED)
    if kind in MUSCLE_CLASSES:
        return True
    looks_like_one = kind.endswith("Muscle") or node.find("optimal_fiber_length") is not None
    if kind in _NO_MUSCLES or not (looks_like_one or node.find(*_PATHS) is not None):
        return False
    raise FileFormatError(
        where=Place(node.path, node.line, f"<{node.tag}>", node.attribute("name")),
        expected=f"a muscle of a class that is known ({', '.join(MUSCLE_CLASSES)})",
        got=f"the class {node.tag}",
        hint="Replace it, say by a Millard2012EquilibriumMuscle with the same parameters, or "
        "delete it from a copy of the model",
        code="muscle-class",
    )


def _muscle(node: XmlNode, default: XmlNode | None, missing: dict[str, list[str]]) -> Muscle:
    name = node.attribute("name")
    values: dict[str, float] = {}
    for parameter, (elements, usual, is_needed) in _PARAMETERS.items():
        found = node.find(*elements) or (default and default.find(*elements))
        values[parameter] = _number(found, parameter, name) if found else usual
        if found is None and is_needed:
            missing.setdefault(elements[0], []).append(name)
    slow = node.find("time_scale")  # Schutte's and Delp's: of the velocity, in seconds
    if slow is not None and slow.number() > 0.0 and node.find("max_contraction_velocity") is None:
        values["max_contraction_velocity"] = 1.0 / slow.number()
    return Muscle(
        name=name,
        kind=node.tag,
        **values,
        has_stiff_tendon=node.tag == "RigidTendonMuscle" or _says(node, "ignore_tendon_compliance"),
        is_disabled=_says(node, "isDisabled") or _says(node, "appliesForce", "false"),
        bodies=_bodies(node),
        driven_by=tuple(
            path.rpartition("/")[2]
            for one in node.descendants("FunctionBasedPath")
            for listing in (one.find("coordinate_paths", "coordinates"),)
            if listing is not None
            for path in listing.names()
        ),
        line=node.line,
    )


def _bodies(node: XmlNode) -> tuple[str, ...]:
    bodies: dict[str, None] = {}
    for points in node.descendants("PathPointSet"):
        for point in (one for wrapper in points.children("objects") for one in wrapper.elements()):
            body = point.find("body")
            bodies[_body(_socket(point, "parent_frame"), {}) if body is None else body.text()] = (
                None
            )
    return tuple(bodies)


def _number(node: XmlNode, parameter: str, muscle: str) -> float:
    value = node.number()
    may_be_zero = parameter in ("tendon_slack_length", "pennation_angle")
    if value < 0.0 or (value == 0.0 and not may_be_zero):
        raise FileFormatError(
            where=Place(node.path, node.line, f"<{node.tag}>", muscle),
            expected=f"a number {'>=' if may_be_zero else '>'} 0",
            got=f"{value:g}",
        )
    return value


def _is_off(constraint: XmlNode) -> bool:
    return _says(constraint, "isDisabled") or _says(constraint, "isEnforced", "false")


def _says(node: XmlNode, name: str, text: str = "true") -> bool:
    found = node.find(name)
    return found is not None and found.text().casefold() == text


# ---- Joints, bodies, markers ------------------------------------------------------------


def _joints(root: XmlNode) -> tuple[tuple[Coordinate, ...], tuple[Joint, ...]]:
    follows = {
        one.child("dependent_coordinate_name").text(): one
        for one in _set(root, "ConstraintSet")
        if one.find("dependent_coordinate_name") is not None and not _is_off(one)
    }
    leaders = {
        name: (one.child("independent_coordinate_names").names() or ("",))[0]
        for name, one in follows.items()
    }
    coordinates: dict[str, Coordinate] = {}
    joints = []
    for joint, parent, child in _joint_nodes(root):
        nodes = list(_coordinate_nodes(joint))
        for node in nodes:
            name = node.attribute("name")
            if name in coordinates:
                raise node.error("every coordinate once", f"'{name}' twice")
            coordinates[name] = _coordinate(node, joint, leaders.get(name))
        joints.append(
            Joint(
                name=joint.attribute("name"),
                parent=parent,
                child=child,
                coordinate_names=tuple(node.attribute("name") for node in nodes),
            )
        )
    return tuple(coordinates.values()), tuple(joints)


def _joint_nodes(root: XmlNode) -> Iterator[tuple[XmlNode, str, str]]:
    """Iterate over joints with the bodies that they connect."""
    for joint in _set(root, "JointSet"):
        frames = {one.attribute("name"): one for one in joint.descendants("PhysicalOffsetFrame")}
        parent, child = (
            _body(_socket(joint, f"{end}_frame"), frames) for end in ("parent", "child")
        )
        yield joint, parent, child
    for body in _set(root, "BodySet"):  # versions 2 and 3 have the joint in the child
        for holder in body.children("Joint"):
            for joint in holder.elements():
                found = joint.find("parent_body")
                yield joint, "ground" if found is None else found.text(), body.attribute("name")


def _socket(node: XmlNode, name: str) -> str:
    found = node.find(f"socket_{name}", f"socket_{name}_connectee_name")
    return "" if found is None else found.text()


def _body(socket: str, frames: Mapping[str, XmlNode]) -> str:
    """Return the body that a socket leads to, through the frames of its joint."""
    parts = socket.strip("/").split("/")
    if "bodyset" in parts[:-1]:
        return parts[parts.index("bodyset") + 1]
    frame = frames.get(parts[-1])
    return parts[-1] if frame is None else _body(_socket(frame, "parent"), {})


def _coordinate_nodes(joint: XmlNode) -> Iterator[XmlNode]:
    for holder in joint.children("coordinates"):
        yield from holder.children("Coordinate")
    yield from _set(joint, "CoordinateSet")


def _coordinate(node: XmlNode, joint: XmlNode, leader: str | None) -> Coordinate:
    name, bounds = node.attribute("name"), node.find("range")
    numbers = () if bounds is None else bounds.numbers()
    return Coordinate(
        name=name,
        joint=joint.attribute("name"),
        motion=_motion(node, joint),
        range=(numbers[0], numbers[1]) if len(numbers) == 2 else (-float("inf"), float("inf")),
        is_locked=_says(node, "locked"),
        follows=leader,
    )


def _motion(node: XmlNode, joint: XmlNode) -> Motion:
    """Tell angles from distances: what turns an axis is an angle, whatever else it moves."""
    said = node.find("motion_type")
    if said is not None and said.text() in ("rotational", "translational"):
        return "translational" if said.text() == "translational" else "rotational"
    name = node.attribute("name")
    axes = {
        axis.attribute("name", "")
        for axis in joint.descendants("TransformAxis")
        if any(name in one.names() for one in axis.children("coordinates"))
    }
    if axes:
        return "rotational" if any(a.startswith("rotation") for a in axes) else "translational"
    # Free, planar and other joints without axes of their own: three angles come before distances.
    if joint.tag in _TRANSLATIONAL_JOINTS:
        return "translational"
    order = [one.attribute("name") for one in _coordinate_nodes(joint)]
    n_angle = {"FreeJoint": 3, "PlanarJoint": 1, "EllipsoidJoint": 3}.get(joint.tag, len(order))
    return "rotational" if order.index(name) < n_angle else "translational"


def _masses(root: XmlNode) -> dict[str, float]:
    masses = {}
    for body in _unique(_set(root, "BodySet"), "body"):
        mass = body.find("mass")
        masses[body.attribute("name")] = 0.0 if mass is None else mass.number()
    return masses


def _markers(root: XmlNode) -> dict[str, str]:
    markers = {}
    for marker in _set(root, "MarkerSet"):
        body = marker.find("body")
        frame = _socket(marker, "parent_frame")
        markers[marker.attribute("name")] = _body(frame, {}) if body is None else body.text()
    return markers


def _is_scaled(root: XmlNode) -> bool | None:
    factors = [
        one.numbers()
        for drawing in ("Mesh", "DisplayGeometry", "VisibleObject")
        for node in root.descendants(drawing)
        for one in node.children("scale_factors")
    ]
    return any(value != 1.0 for one in factors for value in one) if factors else None
