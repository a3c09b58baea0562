"""What a laboratory leaves of one person: model, markers, ground forces, raw EMG, muscle analysis.

Two legs of shank and foot under a pelvis, walking on the spot: lengths of MTUs are known functions
of two angles, so that their moment arms are exact.
"""

import numpy as np

from ceinms_torch.io.storage import write_storage
from ceinms_torch.recordings.filters import butterworth
from ceinms_torch.recordings.ground_force_files import write_ground_forces
from ceinms_torch.recordings.ground_forces import GroundForces, PlateForces
from ceinms_torch.recordings.trc import Markers, write_trc

MASS = 60.0
DOFS = ("knee_angle_r", "ankle_angle_r")
SECONDS, STRIDE, STEP = 3.0, 1.0, 0.01
# Optimal fibre length, slack length [m], pennation [rad], force [N], class; bodies of the path.
MUSCLES = {
    "vasint_r": (0.10, 0.12, 0.05, 5000.0, "Thelen2003Muscle", ("pelvis", "tibia_r")),
    "bfsh_r": (0.11, 0.11, 0.40, 900.0, "Millard2012EquilibriumMuscle", ("pelvis", "tibia_r")),
    "gasmed_r": (0.06, 0.38, 0.17, 1500.0, "DeGrooteFregly2016Muscle", ("pelvis", "calcn_r")),
    "soleus_r": (0.05, 0.25, 0.44, 3500.0, "Schutte1993Muscle_Deprecated", ("tibia_r", "calcn_r")),
    "tibant_r": (0.10, 0.22, 0.09, 900.0, "Thelen2003Muscle", ("tibia_r", "calcn_r")),
    "soleus_l": (0.05, 0.25, 0.44, 3500.0, "Thelen2003Muscle", ("tibia_l", "calcn_l")),
}
EMG_MAP = """\
[channels]
VL = "vasint_r"
GM = "gasmed_r"
SOL = "soleus_r"
TA = "tibant_r"
"""
_LOADS = """\
<OpenSimDocument Version="30000"><ExternalLoads name="grf"><objects>
{forces}
</objects><datafile>grf.mot</datafile></ExternalLoads></OpenSimDocument>
"""
_FORCE = """\
<ExternalForce name="{side}"><applied_to_body>calcn_{side}</applied_to_body>
<force_identifier>ground_force_{side}_v</force_identifier>
<point_identifier>ground_force_{side}_p</point_identifier>
<torque_identifier>ground_torque_{side}_</torque_identifier></ExternalForce>"""


def angles(time):
    """Return knee and ankle angle [rad] at times [s]."""
    t = 2.0 * np.pi * time / STRIDE
    return 0.5 + 0.4 * np.sin(t) + 0.1 * np.sin(2 * t), 0.2 * np.sin(t + 1.0) + 0.1 * np.cos(2 * t)


def geometry(knee, ankle):
    """Return lengths [m] and moment arms [m] about both angles of all muscles on the right."""
    zero = np.zeros_like(knee)
    lengths = {
        "vasint_r": 0.19 + 0.04 * knee - 0.008 * knee**2,
        "bfsh_r": 0.22 - 0.03 * knee,
        "gasmed_r": 0.445 - 0.02 * np.sin(knee) + 0.045 * ankle,
        "soleus_r": 0.295 + 0.045 * ankle - 0.01 * ankle**2,
        "tibant_r": 0.315 - 0.035 * ankle,
        "soleus_l": 0.295 + zero,
    }
    arms = {
        "knee_angle_r": {
            "vasint_r": -0.04 + 0.016 * knee,
            "bfsh_r": 0.03 + zero,
            "gasmed_r": 0.02 * np.cos(knee),
        },
        "ankle_angle_r": {
            "gasmed_r": -0.045 + zero,
            "soleus_r": -0.045 + 0.02 * ankle,
            "tibant_r": 0.035 + zero,
        },
    }
    return lengths, {dof: {n: arms[dof].get(n, zero) for n in lengths} for dof in DOFS}


def model_text(version=40000, scale="1.1 1.1 1.1"):
    """Return the model as a file of OpenSim 4, or of 3 or 2."""
    return (_version_4 if version >= 40000 else _version_3)(version, scale)


def _muscles(point):
    lines = []
    for name, (fibre, tendon, angle, force, kind, bodies) in MUSCLES.items():
        points = "".join(point(name, i, body) for i, body in enumerate(bodies))
        # Older muscles have another name for the angle.
        tag = "pennation_angle" + ("" if kind.endswith("_Deprecated") else "_at_optimal")
        lines.append(
            f'<{kind} name="{name}"><GeometryPath><PathPointSet><objects>{points}</objects>'
            "</PathPointSet></GeometryPath>"
            f"<max_isometric_force>{force}</max_isometric_force>"
            f"<optimal_fiber_length>{fibre}</optimal_fiber_length>"
            f"<tendon_slack_length>{tendon}</tendon_slack_length><{tag}>{angle}</{tag}></{kind}>"
        )
    return "\n".join(lines)


def _bodies():
    legs = [(f"tibia_{side}", 4.0) for side in "rl"] + [(f"calcn_{side}", 1.0) for side in "rl"]
    return [("pelvis", MASS - sum(mass for _, mass in legs)), *legs]


def _joints():
    yield (
        "ground_pelvis",
        "ground",
        "pelvis",
        ("pelvis_tilt", "pelvis_tx", "pelvis_ty", "pelvis_tz"),
    )
    for side in "rl":
        yield f"knee_{side}", "pelvis", f"tibia_{side}", (f"knee_angle_{side}",)
        yield f"ankle_{side}", f"tibia_{side}", f"calcn_{side}", (f"ankle_angle_{side}",)


def _axes(names):
    kinds = ["translation" if name[-3:-1] == "_t" else "rotation" for name in names]
    axes = "".join(
        f'<TransformAxis name="{kind}{i + 1}"><coordinates>{name}</coordinates></TransformAxis>'
        for i, (kind, name) in enumerate(zip(kinds, names, strict=True))
    )
    return f"<SpatialTransform>{axes}</SpatialTransform>"


def _coordinates(names):
    return "".join(f'<Coordinate name="{name}"><range>-3 3</range></Coordinate>' for name in names)


def _version_4(version, scale):
    bodies = "".join(
        f'<Body name="{name}"><FrameGeometry><scale_factors>0.2 0.2 0.2</scale_factors>'
        f"</FrameGeometry><attached_geometry><Mesh><scale_factors>{scale}</scale_factors></Mesh>"
        f"</attached_geometry><mass>{mass}</mass></Body>"
        for name, mass in _bodies()
    )
    joints = "".join(
        f'<CustomJoint name="{name}"><socket_parent_frame>{parent}_offset</socket_parent_frame>'
        f"<socket_child_frame>{child}_offset</socket_child_frame>"
        f"<coordinates>{_coordinates(names)}</coordinates><frames>"
        f'<PhysicalOffsetFrame name="{parent}_offset"><socket_parent>'
        f"{'/ground' if parent == 'ground' else f'/bodyset/{parent}'}"
        "</socket_parent></PhysicalOffsetFrame>"
        f'<PhysicalOffsetFrame name="{child}_offset"><socket_parent>/bodyset/{child}'
        f"</socket_parent></PhysicalOffsetFrame></frames>{_axes(names)}</CustomJoint>"
        for name, parent, child, names in _joints()
    )

    def point(name, i, body):
        frame = f"<socket_parent_frame>/bodyset/{body}</socket_parent_frame>"
        return f'<PathPoint name="{name}-P{i}">{frame}</PathPoint>'

    markers = "".join(
        f'<Marker name="{name}"><socket_parent_frame>/bodyset/{body}</socket_parent_frame></Marker>'
        for name, body in MARKERS.items()
    )
    return _document(version, bodies, joints, _muscles(point), markers)


def _version_3(version, scale):
    joints = {child: (name, parent, names) for name, parent, child, names in _joints()}
    bodies = '<Body name="ground"><mass>0</mass><Joint/></Body>'
    for body, mass in _bodies():
        name, parent, names = joints[body]
        bodies += (
            f'<Body name="{body}"><mass>{mass}</mass><Joint><CustomJoint name="{name}">'
            f"<parent_body>{parent}</parent_body><CoordinateSet><objects>{_coordinates(names)}"
            f"</objects></CoordinateSet>{_axes(names)}</CustomJoint></Joint><VisibleObject>"
            f"<scale_factors>{scale}</scale_factors></VisibleObject></Body>"
        )

    def point(name, i, body):
        return f'<PathPoint name="{name}-P{i}"><body>{body}</body></PathPoint>'

    markers = "".join(
        f'<Marker name="{name}"><body>{body}</body></Marker>' for name, body in MARKERS.items()
    )
    return _document(version, bodies, "", _muscles(point), markers)


def _document(version, bodies, joints, muscles, markers):
    sets = {"BodySet": bodies, "JointSet": joints, "ForceSet": muscles, "MarkerSet": markers}
    text = "".join(
        f"<{name}><objects>\n{content}\n</objects><groups/></{name}>\n"
        for name, content in sets.items()
        if content
    )
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    return (
        f'{head}\n<OpenSimDocument Version="{version}">\n'
        f'<Model name="small">\n<gravity>0 -9.80665 0</gravity>\n{text}</Model>\n'
        "</OpenSimDocument>\n"
    )


MARKERS = {f"{side.upper()}.{place}": f"calcn_{side}" for side in "rl" for place in ("Heel", "Toe")}
# Feet are 0.2 m apart.
_PLACES = {
    "R.Heel": (0.0, 0.03, 0.1),
    "R.Toe": (0.2, 0.03, 0.1),
    "L.Heel": (0.0, 0.03, -0.1),
    "L.Toe": (0.2, 0.03, -0.1),
}


def ground(rate=1000.0):
    """Return forces of two plates: feet in turn, never both in the air, on average the weight."""
    time = np.arange(0.0, SECONDS, 1.0 / rate)
    share = np.clip(0.5 + 0.9 * np.sin(2.0 * np.pi * time / STRIDE), 0.0, 1.0)
    plates = []
    for side, foot, part in (("r", "right", share), ("l", "left", 1.0 - share)):
        zero = np.zeros_like(time)
        force = np.stack([zero, part * MASS * 9.80665, zero], axis=1)
        point = np.stack([0.1 + zero, zero, (0.1 if side == "r" else -0.1) + zero], axis=1)
        plates.append(
            PlateForces(
                name=side, foot=foot, force=force, point=point, torque=np.zeros((len(time), 3))
            )
        )
    return GroundForces(time=time, plates=tuple(plates))


def markers():
    """Return the markers of both feet."""
    time = np.arange(0.0, SECONDS, STEP)
    positions = np.repeat(np.array([list(_PLACES.values())]), len(time), axis=0)
    return Markers(time=time, names=tuple(_PLACES), positions=positions)


def raw_emg(rate=1000.0):
    """Return channels of noise [V], as fast as EMG is, that swells and falls once a stride."""
    random = np.random.default_rng(1)
    time = np.arange(0.0, SECONDS, 1.0 / rate)
    channels = {}
    for i, name in enumerate(("VL", "GM", "SOL", "TA")):
        strength = 0.1 + np.maximum(np.sin(2.0 * np.pi * time / STRIDE + i), 0.0)
        noise = random.standard_normal(len(time))
        band = (20.0, min(150.0, 0.4 * rate))
        noise = butterworth(noise, rate, band, kind="band-pass", order=2)
        channels[name] = 1e-4 * (i + 1) * strength * noise
    return time, channels


def write_lab(folder):
    """Write all files, and return the options that make a study of them.

    Parameters
    ----------
    folder : Path
        Where; it is made.

    Returns
    -------
    dict
        Keyword arguments of `StudySettings`.
    """
    (folder / "ma").mkdir(parents=True)
    (folder / "model.osim").write_text(model_text())
    (folder / "loads.xml").write_text(
        _LOADS.format(forces="\n".join(_FORCE.format(side=side) for side in "rl"))
    )
    write_ground_forces(folder / "grf.mot", ground())
    write_trc(folder / "walk.trc", markers())
    time = np.arange(0.0, SECONDS, STEP)
    knee, ankle = angles(time)
    degrees = np.degrees(np.stack([knee, ankle, np.zeros_like(knee)], axis=1))
    names = (*DOFS, "ankle_angle_l")
    write_storage(folder / "ik.mot", time, names, degrees, name="ik", units="deg", in_degrees=True)
    lengths, arms = geometry(knee, ankle)
    _write(folder / "ma" / "walk_MuscleAnalysis_Length.sto", time, lengths)
    for dof in DOFS:
        _write(folder / "ma" / f"walk_MuscleAnalysis_MomentArm_{dof}.sto", time, arms[dof])
    pull = {"vasint_r": 900.0, "gasmed_r": 300.0, "soleus_r": 900.0, "tibant_r": 200.0}
    swell = {n: np.maximum(np.sin(2 * np.pi * time + i), 0.0) for i, n in enumerate(pull)}
    moments = {
        f"{dof}_moment": sum(pull[n] * swell[n] * arms[dof][n] for n in pull) for dof in DOFS
    }
    _write(folder / "id.sto", time, moments)
    _write(folder / "emg.sto", *raw_emg())
    (folder / "emg.toml").write_text(EMG_MAP)
    (folder / "trials.csv").write_text(
        "trial,trc,motion,muscle_analysis,moments,grf,emg,start [s],stop [s],use\n"
        "walk_1,walk.trc,ik.mot,ma,id.sto,grf.mot,emg.sto,0.5,1.5,calibration\n"
        "walk_2,walk.trc,ik.mot,ma,id.sto,grf.mot,emg.sto,1.5,2.5,test\n"
    )
    return {
        "model": folder / "model.osim",
        "trials": folder / "trials.csv",
        "emg_map": folder / "emg.toml",
        "dofs": DOFS,
        "loads": folder / "loads.xml",
        "lowpass": None,
    }


def _write(path, time, columns):
    write_storage(
        path, time, tuple(columns), np.stack(list(columns.values()), axis=1), name="-", units="-"
    )
