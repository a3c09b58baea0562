"""A leg in a plane, whose loads can be written down: OpenSim model, motion and what must come out.

The thigh is the ground. The shank hangs from the knee, the foot from the ankle; angles are about z
and add up. Three muscles are straight lines between two points.
"""

import dataclasses
from pathlib import Path

import numpy as np

from ceinms_torch.io.storage import write_storage

GRAVITY = 9.81
KNEE = np.array([0.0, 1.0, 0.0])  # in ground [m]
SHANK = 0.4  # from knee to ankle [m]
# Mass [kg], centre of mass below the joint [m], moment of inertia about z there [kg m^2].
BODIES = {"shank": (3.0, 0.18, 0.05), "foot": (1.0, 0.07, 0.004)}
# From which point of which body to which point of which.
MUSCLES = {
    "soleus_r": (("shank", (-0.02, -0.10, 0.0)), ("foot", (-0.05, -0.03, 0.0))),
    "gasmed_r": (("ground", (-0.02, 1.02, 0.01)), ("foot", (-0.05, -0.03, 0.0))),
    "recfem_r": (("ground", (0.04, 1.30, 0.0)), ("shank", (0.04, -0.05, 0.0))),
}
DOFS = ("knee_angle_r", "ankle_angle_r")
JOINTS = ("knee_r", "ankle_r")
MARKERS = {
    "K1": ("shank", (0.05, -0.1, 0.05)),
    "K2": ("shank", (-0.05, -0.3, 0.0)),
    "A1": ("foot", (0.1, -0.05, 0.0)),
    "A2": ("foot", (0.0, -0.1, 0.05)),
}


def write_model(path, *, coupled=False, extra=()):
    """Write the model; coupled, a patella turns half as far as the knee, by a constraint."""
    bodies, joints = (
        dict(BODIES),
        [
            ("knee_r", "ground", KNEE, "shank", "knee_angle_r"),
            ("ankle_r", "shank", (0.0, -SHANK, 0.0), "foot", "ankle_angle_r"),
        ],
    )
    constraints = ""
    if coupled:
        bodies["patella"] = (0.5, 0.05, 0.001)
        joints.append(("patella_r", "ground", KNEE, "patella", "patella_angle_r"))
        constraints = """<ConstraintSet><objects><CoordinateCouplerConstraint name="coupler">
<coupled_coordinates_function><LinearFunction><coefficients>0.5 0</coefficients></LinearFunction>
</coupled_coordinates_function>
<independent_coordinate_names>knee_angle_r</independent_coordinate_names>
<dependent_coordinate_name>patella_angle_r</dependent_coordinate_name>
</CoordinateCouplerConstraint></objects></ConstraintSet>"""
    text = f"""<?xml version="1.0" encoding="UTF-8" ?>
<OpenSimDocument Version="40000"><Model name="planar_leg"><gravity>0 -{GRAVITY} 0</gravity>
<BodySet><objects>{"".join(_body(name, *values) for name, values in bodies.items())}</objects>
</BodySet><JointSet><objects>{"".join(_joint(*one) for one in joints)}</objects></JointSet>
<ForceSet><objects>{"".join(_muscle(n, *ends) for n, ends in (MUSCLES | dict(extra)).items())}
</objects></ForceSet><MarkerSet><objects>{"".join(_marker(n, *one) for n, one in MARKERS.items())}
</objects></MarkerSet>{constraints}</Model></OpenSimDocument>
"""
    Path(path).write_text(text, encoding="utf-8")
    return Path(path)


def _body(name, mass, depth, inertia):
    return f"""<Body name="{name}"><mass>{mass}</mass><mass_center>0 -{depth} 0</mass_center>
<inertia>{inertia} {inertia} {inertia} 0 0 0</inertia></Body>"""


def _joint(name, parent, at, child, coordinate):
    where = "/ground" if parent == "ground" else f"/bodyset/{parent}"
    return f"""<PinJoint name="{name}"><socket_parent_frame>{name}_p</socket_parent_frame>
<socket_child_frame>{name}_c</socket_child_frame><coordinates><Coordinate name="{coordinate}">
<range>-3 3</range></Coordinate></coordinates><frames><PhysicalOffsetFrame name="{name}_p">
<socket_parent>{where}</socket_parent><translation>{_words(at)}</translation>
<orientation>0 0 0</orientation></PhysicalOffsetFrame><PhysicalOffsetFrame name="{name}_c">
<socket_parent>/bodyset/{child}</socket_parent><translation>0 0 0</translation>
<orientation>0 0 0</orientation></PhysicalOffsetFrame></frames></PinJoint>"""


def _muscle(name, *ends):
    points = "".join(
        f"""<PathPoint name="{name}-P{i}"><socket_parent_frame>{_frame(body)}</socket_parent_frame>
<location>{_words(place)}</location></PathPoint>"""
        for i, (body, place) in enumerate(ends)
    )
    return f"""<Thelen2003Muscle name="{name}"><GeometryPath name="geometrypath"><PathPointSet>
<objects>{points}</objects></PathPointSet></GeometryPath>
<max_isometric_force>2000</max_isometric_force><optimal_fiber_length>0.1</optimal_fiber_length>
<tendon_slack_length>0.2</tendon_slack_length></Thelen2003Muscle>"""


def _marker(name, body, place):
    return f"""<Marker name="{name}"><socket_parent_frame>{_frame(body)}</socket_parent_frame>
<location>{_words(place)}</location><fixed>true</fixed></Marker>"""


def _frame(body):
    return "/ground" if body == "ground" else f"/bodyset/{body}"


def _words(numbers):
    return " ".join(map(str, numbers))


@dataclasses.dataclass(frozen=True)
class Motion:
    """Angles of knee and ankle [rad] at times [s]: sums of sines."""

    time: np.ndarray
    size: tuple = (0.6, 0.4)
    frequency: tuple = (1.0, 1.7)
    phase: tuple = (0.3, 1.1)

    def angle(self, order=0):
        """Return angles (n, 2), or their derivatives."""
        omega = 2.0 * np.pi * np.array(self.frequency)
        turns = self.time[:, None] * omega + np.array(self.phase) + order * np.pi / 2.0
        return np.array(self.size) * omega**order * np.sin(turns)

    def turned(self, body, place):
        """Return a point of a body in ground (n, 3)."""
        place = np.asarray(place, dtype=float)
        if body == "ground":
            return np.tile(place, (len(self.time), 1))
        knee, ankle = self.angle().T
        if body == "shank":
            return KNEE + turn(knee) @ place
        ankle_at = KNEE + turn(knee) @ np.array([0.0, -SHANK, 0.0])
        return ankle_at + turn(knee + ankle) @ place

    def length(self, muscle):
        """Return the length of a muscle (n,) [m]."""
        (body, place), (other, there) = MUSCLES[muscle]
        return np.linalg.norm(self.turned(body, place) - self.turned(other, there), axis=1)

    def arm(self, muscle, dof):
        """Return minus the derivative of the length by an angle (n,) [m]."""
        (body, place), (other, there) = MUSCLES[muscle]
        at, end = self.turned(body, place), self.turned(other, there)
        centre = KNEE if dof == "knee_angle_r" else self.turned("foot", (0.0, 0.0, 0.0))
        moved = {"knee_angle_r": ("shank", "foot"), "ankle_angle_r": ("foot",)}[dof]
        axis = np.array([0.0, 0.0, 1.0])
        rate = np.zeros_like(at)
        if body in moved:
            rate = rate + np.cross(axis, at - centre)
        if other in moved:
            rate = rate - np.cross(axis, end - centre)
        return -np.sum((at - end) * rate, axis=1) / self.length(muscle)

    def reaction(self, forces):
        """Return the force on the child of knee and ankle (n, 2, 3) in ground [N], by Newton."""
        n = len(self.time)
        weight = {}
        for body, (mass, depth, _) in BODIES.items():
            centre = self._acceleration(body, depth)
            weight[body] = mass * (centre - np.array([0.0, -GRAVITY, 0.0]))
        result = np.zeros((n, 2, 3))
        for j, beyond in enumerate((("shank", "foot"), ("foot",))):
            result[:, j] = sum(weight[body] for body in beyond)
            for muscle, force in forces.items():
                (body, place), (other, there) = MUSCLES[muscle]
                at, end = self.turned(body, place), self.turned(other, there)
                along = (end - at) / np.linalg.norm(end - at, axis=1, keepdims=True)
                for which, sign in ((body, 1.0), (other, -1.0)):
                    if which in beyond:
                        result[:, j] -= sign * np.asarray(force)[:, None] * along
        return result

    def _acceleration(self, body, depth):
        """Return the acceleration of a body's centre of mass (n, 3)."""
        q, u, a = (self.angle(order) for order in range(3))

        def swung(angle, speed, rate, length):
            radial = turn(angle) @ np.array([0.0, -length, 0.0])
            return np.cross(np.array([0.0, 0.0, 1.0]), radial) * rate[:, None] - (
                radial * speed[:, None] ** 2
            )

        if body == "shank":
            return swung(q[:, 0], u[:, 0], a[:, 0], depth)
        ankle = swung(q[:, 0], u[:, 0], a[:, 0], SHANK)
        return ankle + swung(q.sum(axis=1), u.sum(axis=1), a.sum(axis=1), depth)

    def storage(self, path, *, degrees=False, coupled=False):
        """Write the angles as a storage file."""
        table = self.angle()
        names = list(DOFS)
        if coupled:
            table, names = np.column_stack((table, 0.5 * table[:, 0])), [*DOFS, "patella_angle_r"]
        scale = 180.0 / np.pi if degrees else 1.0
        write_storage(
            path, self.time, names, table * scale, name="motion", units="", in_degrees=degrees
        )
        return Path(path)

    def markers(self, path):
        """Write the markers as a .trc in mm."""
        names = list(MARKERS)
        n = len(self.time)
        rate = 1.0 / (self.time[1] - self.time[0])
        lines = [
            f"PathFileType\t4\t(X/Y/Z)\t{Path(path).name}",
            (
                "DataRate CameraRate NumFrames NumMarkers Units OrigDataRate OrigDataStartFrame "
                "OrigNumFrames"
            ).replace(" ", "\t"),
            f"{rate:g}\t{rate:g}\t{n}\t{len(names)}\tmm\t{rate:g}\t1\t{n}",
            "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t",
            "\t\t" + "\t".join(f"{a}{i + 1}" for i in range(len(names)) for a in "XYZ"),
            "",
        ]
        places = np.concatenate([self.turned(*MARKERS[name]) for name in names], axis=1) * 1e3
        for i in range(n):
            numbers = "\t".join(f"{value:.6f}" for value in places[i])
            lines.append(f"{i + 1}\t{self.time[i]:.6f}\t{numbers}")
        Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
        return Path(path)


def turn(angle):
    """Return rotations about z (n, 3, 3)."""
    zero, one = np.zeros_like(angle), np.ones_like(angle)
    rows = (
        (np.cos(angle), -np.sin(angle), zero),
        (np.sin(angle), np.cos(angle), zero),
        (zero, zero, one),
    )
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


TASKS = """<?xml version="1.0" encoding="UTF-8" ?>
<OpenSimDocument Version="40000"><IKTaskSet name="tasks"><objects>{}</objects></IKTaskSet>
</OpenSimDocument>
"""


def write_tasks(path, names=tuple(MARKERS)):
    """Write weights of markers."""
    tasks = "".join(
        f'<IKMarkerTask name="{name}"><apply>true</apply><weight>1</weight></IKMarkerTask>'
        for name in names
    )
    Path(path).write_text(TASKS.format(tasks), encoding="utf-8")
    return Path(path)
