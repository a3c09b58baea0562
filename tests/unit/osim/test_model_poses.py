"""Poses around a movement, and what OpenSim is asked about them."""

import types
from pathlib import Path

import numpy as np
import pytest

from ceinms_torch.errors import DataError, OptionError, UnknownNameError
from ceinms_torch.geometry.coordinates import Coordinates
from ceinms_torch.geometry.poses import draw_poses
from ceinms_torch.io.source import IN_MEMORY
from ceinms_torch.osim.model_file import Coordinate, Joint, Muscle, OsimModel
from ceinms_torch.osim.model_poses import (
    coordinate_paths,
    own_coordinates,
    sample_model,
    translations_of,
)

_SIZES = {
    "max_isometric_force": 1000.0,
    "optimal_fibre_length": 0.1,
    "tendon_slack_length": 0.2,
    "pennation_angle": 0.0,
    "max_contraction_velocity": 10.0,
}


def coordinate(name, joint, **more):
    return Coordinate(
        name=name, joint=joint, **{"motion": "rotational", "range": (-1.0, 1.0), **more}
    )


def muscle(name, *bodies):
    return Muscle(name=name, kind="Thelen2003Muscle", bodies=bodies, **_SIZES)


MODEL = OsimModel(
    path=Path("leg.osim"),
    name="leg",
    version=40000,
    muscles=(muscle("vasti", "femur", "tibia"), muscle("soleus", "tibia", "foot")),
    coordinates=(
        coordinate("height", "root", motion="translational"),
        coordinate("knee", "knee_joint"),
        coordinate("slide", "knee_joint", motion="translational", follows="knee"),
        coordinate("ankle", "ankle_joint"),
    ),
    joints=(
        Joint(name="root", parent="ground", child="femur", coordinate_names=("height",)),
        Joint(name="knee_joint", parent="femur", child="tibia", coordinate_names=("knee", "slide")),
        Joint(name="ankle_joint", parent="tibia", child="foot", coordinate_names=("ankle",)),
    ),
    masses={},
    markers={},
)
MOTION = Coordinates(
    time=0.01 * np.arange(30),
    names=("height", "knee", "ankle"),
    values=np.stack([np.full(30, 0.9), np.linspace(-0.9, 0.9, 30), np.zeros(30)], axis=1),
    paths={},
    source=IN_MEMORY,
)


class FakeOpenSim:
    """Answers as OpenSim does; lengths are the sum of the angles, moment arms -1."""

    def __init__(self, error=None):
        self.error = error
        self.asked = None

    def muscle_analysis(self, model, motion, *, dofs, mtus, progress):  # noqa: ARG002
        assert model == MODEL.path
        self.asked = motion
        if self.error is not None:
            raise self.error
        length = motion.select(dofs).sum(axis=1, keepdims=True).repeat(len(mtus), axis=1)
        table = types.SimpleNamespace(columns=tuple(mtus), values=length)
        arms = types.SimpleNamespace(values=np.full_like(length, -1.0))
        return types.SimpleNamespace(length=table, arms=dict.fromkeys(dofs, arms))


def test_what_a_model_says_of_its_coordinates():
    assert own_coordinates(MODEL) == ("height", "knee", "ankle")
    assert translations_of(MODEL) == ("height", "slide")
    assert coordinate_paths(MODEL)["knee"] == "/jointset/knee_joint/knee"


def test_a_third_of_the_poses_are_frames_and_the_others_around_them():
    poses = draw_poses(MOTION, 60, vary=["knee"], spread=0.3, ranges={"knee": (-0.95, 0.95)})
    assert len(poses.values) == 60
    np.testing.assert_array_equal(poses.values[[0, 19]], MOTION.values[[0, 29]])
    assert (poses.values[:, [0, 2]] == MOTION.values[0, [0, 2]]).all()
    assert np.abs(poses.values[:, 1]).max() == 0.95  # kept within the range
    again = draw_poses(MOTION, 60, vary=["knee"], spread=0.3, ranges={"knee": (-0.95, 0.95)})
    np.testing.assert_array_equal(again.values, poses.values)
    # A movement beyond the range of its model stays as it was.
    beyond = draw_poses(MOTION, 60, vary=["knee"], spread=0.3, ranges={"knee": (-0.5, 0.5)})
    np.testing.assert_array_equal(beyond.values[:20], poses.values[:20])
    for wrong in ({"n_pose": 2}, {"spread": 0.0}):
        with pytest.raises(OptionError):
            draw_poses(MOTION, **{"n_pose": 60, "vary": ["knee"], "spread": 0.3, **wrong})


def test_angles_that_a_muscle_crosses_are_drawn():
    opensim = FakeOpenSim()
    samples = sample_model(opensim, MODEL, MOTION, n_pose=60)
    assert samples.dof_names == ("knee", "ankle")
    assert samples.mtu_names == ("vasti", "soleus")
    assert not opensim.asked.in_degrees
    assert np.ptp(samples.columns(("height",))) == 0.0
    assert np.ptp(samples.columns(("ankle",))) > 0.3
    only = sample_model(FakeOpenSim(), MODEL, MOTION, mtus=["soleus"], n_pose=60)
    assert only.dof_names == ("ankle",)


def test_where_constraints_tie_coordinates_the_free_ones_are_named():
    error = DataError(where="motion", expected="x", got="y", code="constraints-open")
    with pytest.raises(DataError, match=r"leg.osim: expected poses .*--vary") as found:
        sample_model(FakeOpenSim(error), MODEL, MOTION, n_pose=60)
    assert found.value.code == "constraints-open"
    samples = sample_model(FakeOpenSim(), MODEL, MOTION, vary=["knee"], n_pose=60)
    assert samples.dof_names == ("knee",)
    assert np.ptp(samples.columns(("ankle",))) == 0.0
    with pytest.raises(UnknownNameError, match="vary: expected the name of an angle"):
        sample_model(FakeOpenSim(), MODEL, MOTION, vary=["height"], n_pose=60)
    other = DataError(where="muscles", expected="x", got="y")
    with pytest.raises(DataError, match="muscles: expected x"):
        sample_model(FakeOpenSim(other), MODEL, MOTION, n_pose=60)
