"""Maps of joint loads that are made up: two joints and four muscles, no OpenSim needed."""

import numpy as np

from ceinms_torch.loads.maps import LoadMaps
from ceinms_torch.osim.model_file import Joint

TIME = np.arange(7) / 10.0
JOINTS = tuple(
    Joint(name=name, parent=parent, child=child, coordinate_names=(dof,))
    for name, parent, child, dof in (
        ("hip", "pelvis", "femur", "flexion"),
        ("knee", "femur", "tibia", "bend"),
    )
)
MUSCLES = ("glute", "vastus", "gastroc", "soleus")


def rotations(random, *shape):
    """Return random rotations."""
    return np.linalg.qr(random.normal(size=(*shape, 3, 3)))[0]


def made_up(seed=0, **changes):
    """Return maps with everything in them."""
    random = np.random.default_rng(seed)
    n, j, a = len(TIME), len(JOINTS), len(MUSCLES)
    frames = {
        side: np.concatenate((rotations(random, n, j), random.normal(size=(n, j, 3, 1))), axis=3)
        for side in ("parent", "child")
    }
    whole = {
        "time": TIME,
        "joints": JOINTS,
        "actuators": MUSCLES,
        "acting": MUSCLES,
        "coordinates": ("flexion", "bend"),
        "is_rotational": np.array([True, True]),
        "is_held": np.array([False, False]),
        "net_reaction": 300.0 * random.normal(size=(n, j, 6)),
        "reaction": random.normal(size=(n, j, a, 6)),
        "net_moment": 30.0 * random.normal(size=(n, 2)),
        "moment_arm": random.uniform(0.02, 0.06, size=(n, 2, a))
        * random.choice([-1, 1], (1, 2, a)),
        "capacity": np.full((n, a), 3000.0),
        "controls": np.tile([0.0, 1.0], (a, 1)),
        "body_weight": 700.0,
        "residual": np.zeros(n),
        "acceleration_error": 0.0,
        **frames,
        **changes,
    }
    return LoadMaps(**whole)


def forces_of(seed):
    random = np.random.default_rng(seed)
    return {name: random.uniform(0.0, 800.0, len(TIME)) for name in MUSCLES}
