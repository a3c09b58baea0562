"""A leg whose MTU lengths are known functions of its angles, with their exact derivatives."""

import numpy as np

from ceinms_torch.geometry.samples import PoseSamples
from ceinms_torch.io.storage import write_storage

COORDINATES = ("hip_flexion", "hip_adduction", "knee_angle", "ankle_angle")
CROSSED = {
    "glutmed": ("hip_flexion", "hip_adduction"),
    "semiten": ("hip_flexion", "hip_adduction", "knee_angle"),
    "vaslat": ("knee_angle",),
    "gaslat": ("knee_angle", "ankle_angle"),
    "soleus": ("ankle_angle",),
}


def gait(n_pose=120):
    """Return angles of a cycle (n_pose, 4) [rad], each with its own harmonics."""
    t = np.linspace(0.0, 2.0 * np.pi, n_pose)
    return np.stack(
        [
            0.4 * np.cos(t) + 0.05 * np.sin(2 * t),
            0.12 * np.sin(t + 0.4) + 0.05 * np.cos(3 * t),
            0.5 + 0.35 * np.sin(2 * t) - 0.2 * np.cos(t),
            0.2 * np.sin(t - 1.0) + 0.15 * np.cos(2 * t + 0.3),
        ],
        axis=1,
    )


def geometry(q):
    """Return lengths (n_pose, 5) [m] and their derivatives (n_pose, 5, 4) [m/rad] at angles."""
    flexion, adduction, knee, ankle = q.T
    zero = np.zeros_like(knee)
    # A straight line between two points that turn around a joint: sqrt(a^2 + b^2 + 2ab cos).
    glutmed = np.sqrt(0.012 + 0.006 * np.cos(adduction + 0.9) + 0.003 * np.sin(flexion))
    semiten = 0.4 - 0.05 * np.sin(flexion) + 0.01 * adduction * np.cos(flexion)
    semiten += 0.04 * np.cos(knee) - 0.02 * knee
    vaslat = 0.2 + 0.04 * knee - 0.01 * knee**3
    gaslat = 0.42 - 0.02 * np.sin(knee) - 0.045 * np.sin(ankle + 0.1)
    soleus = 0.3 - 0.045 * np.sin(ankle)
    by = {
        "glutmed": (
            0.5 * 0.003 * np.cos(flexion) / glutmed,
            -0.5 * 0.006 * np.sin(adduction + 0.9) / glutmed,
            zero,
            zero,
        ),
        "semiten": (
            -0.05 * np.cos(flexion) - 0.01 * adduction * np.sin(flexion),
            0.01 * np.cos(flexion),
            -0.04 * np.sin(knee) - 0.02,
            zero,
        ),
        "vaslat": (zero, zero, 0.04 - 0.03 * knee**2, zero),
        "gaslat": (zero, zero, -0.02 * np.cos(knee), -0.045 * np.cos(ankle + 0.1)),
        "soleus": (zero, zero, zero, -0.045 * np.cos(ankle)),
    }
    length = np.stack([glutmed, semiten, vaslat, gaslat, soleus], axis=1)
    return length, np.stack([np.stack(by[name], axis=1) for name in CROSSED], axis=1)


def samples(q=None, dofs=COORDINATES):
    """Return the leg in some poses, those of a cycle by default."""
    q = gait() if q is None else q
    length, slope = geometry(q)
    of_dof = [COORDINATES.index(dof) for dof in dofs]
    return PoseSamples(
        coordinate_names=COORDINATES,
        coordinates=q,
        mtu_names=tuple(CROSSED),
        mtu_length=length,
        dof_names=tuple(dofs),
        moment_arm=-slope[:, :, of_dof].swapaxes(1, 2),
    )


def write_files(folder, q=None, *, in_degrees=True):
    """Write a motion, MTU lengths and moment arms as OpenSim does; return their paths."""
    given = samples(q)
    time = 0.01 * np.arange(given.n_pose)
    angles = np.rad2deg(given.coordinates) if in_degrees else given.coordinates
    files = {"motion": folder / "ik.mot", "lengths": folder / "walk_MuscleAnalysis_Length.sto"}
    write_storage(
        files["motion"], time, COORDINATES, angles, name="ik", units="", in_degrees=in_degrees
    )
    write_storage(
        files["lengths"], time, given.mtu_names, given.mtu_length, name="Length", units="m"
    )
    for i, dof in enumerate(COORDINATES):
        files[dof] = folder / f"walk_MuscleAnalysis_MomentArm_{dof}.sto"
        write_storage(
            files[dof], time, given.mtu_names, given.moment_arm[:, i], name="Arm", units="m"
        )
    return files
