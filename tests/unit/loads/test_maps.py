"""What OpenSim says of a leg whose loads can be written down."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ceinms_torch as ct
import planar_leg
from ceinms_torch.errors import CeinmsTorchWarning, DataError, UnknownNameError
from ceinms_torch.io.storage import write_storage
from ceinms_torch.loads.maps import load_maps

# Away from the ends of the motion, where splines are worst.
TIME = np.arange(31) / 30.0 + 0.2
REPOSITORY = Path(__file__).resolve().parents[3]
RECORDED = np.arange(151) / 100.0


@pytest.fixture(scope="module")
def leg(tmp_path_factory):
    folder = tmp_path_factory.mktemp("leg")
    planar_leg.write_model(folder / "leg.osim")
    planar_leg.write_model(folder / "coupled.osim", coupled=True)
    motion = planar_leg.Motion(RECORDED)
    motion.storage(folder / "motion.sto")
    motion.storage(folder / "coupled.sto", coupled=True)
    return folder


@pytest.fixture(scope="module")
def maps(opensim, leg):
    return load_maps(
        opensim,
        leg / "leg.osim",
        leg / "motion.sto",
        TIME,
        actuators=tuple(planar_leg.MUSCLES),
        dofs=planar_leg.DOFS,
        lowpass=None,
    )


@given(forces=st.tuples(*[st.floats(0.0, 3000.0)] * 3))
def test_reactions_are_newtons(maps, forces):
    given_ones = {
        name: np.full(len(TIME), force)
        for name, force in zip(planar_leg.MUSCLES, forces, strict=True)
    }
    reaction = maps.reactions(np.stack([given_ones[name] for name in maps.actuators], axis=1))
    expected = planar_leg.Motion(TIME).reaction(given_ones)
    np.testing.assert_allclose(reaction[:, :, 3:], expected, atol=1e-3)  # of the splines, N


LOADS = """<?xml version="1.0" encoding="UTF-8" ?>
<OpenSimDocument Version="40000"><ExternalLoads name="loads"><objects><ExternalForce name="plate">
<applied_to_body>foot</applied_to_body><force_expressed_in_body>ground</force_expressed_in_body>
<point_expressed_in_body>ground</point_expressed_in_body>
<force_identifier>plate_v</force_identifier><point_identifier>plate_p</point_identifier>
</ExternalForce></objects>{}</ExternalLoads></OpenSimDocument>
"""


@pytest.mark.parametrize("named", [True, False])
def test_external_loads_are_borne(opensim, leg, tmp_path, maps, named):
    plate = np.tile([20.0, 70.0, 0.0, 0.1, 0.0, 0.0], (len(RECORDED), 1))
    names = [f"plate_{what}{axis}" for what in "vp" for axis in "xyz"]
    write_storage(tmp_path / "plate.sto", RECORDED, names, plate, name="plate", units="N and m")
    loads = tmp_path / "loads.xml"
    loads.write_text(LOADS.format("<datafile>plate.sto</datafile>" if named else ""))
    loaded = load_maps(
        opensim,
        leg / "leg.osim",
        leg / "motion.sto",
        TIME,
        dofs=planar_leg.DOFS,
        external_loads=loads,
        ground_forces=None if named else tmp_path / "plate.sto",
        lowpass=None,
    )
    added = (loaded.net_reaction - maps.net_reaction)[:, :, 3:]
    np.testing.assert_allclose(added, np.tile([-20.0, -70.0, 0.0], (len(TIME), 2, 1)), atol=1e-6)
    knee = loaded.coordinates.index("knee_angle_r")
    lever = np.array([0.1, 0.0, 0.0]) - planar_leg.KNEE
    about = -np.cross(lever, [20.0, 70.0, 0.0])[2]
    difference = (loaded.net_moment - maps.net_moment)[:, knee]
    np.testing.assert_allclose(difference, about, atol=1e-6)


def test_arms_are_those_of_the_geometry(maps):
    motion = planar_leg.Motion(TIME)
    for mtu in planar_leg.MUSCLES:
        for dof in planar_leg.DOFS:
            arm = maps.moment_arm[:, maps.coordinates.index(dof), maps.actuators.index(mtu)]
            np.testing.assert_allclose(arm, motion.arm(mtu, dof), atol=1e-7)


def test_accelerations_are_those_of_the_motion(maps):
    assert maps.acceleration_error < 1e-6
    assert maps.body_weight == pytest.approx(4.0 * planar_leg.GRAVITY)
    assert set(maps.acting) == set(planar_leg.MUSCLES)


def test_muscles_that_no_wanted_joint_depends_on_are_not_acting(opensim, leg):
    maps = load_maps(
        opensim, leg / "leg.osim", leg / "motion.sto", TIME[:2], joints=["ankle_r"], lowpass=None
    )
    # The rectus femoris ends at the shank, so that no moment and no force of it is in the ankle.
    assert set(maps.acting) == {"soleus_r", "gasmed_r"}
    assert maps.actuators == ()


def test_what_constraints_hand_on_is_in_the_moments(opensim, leg):
    def of(model, motion):
        return load_maps(
            opensim, leg / model, leg / motion, TIME, dofs=planar_leg.DOFS, lowpass=None
        )

    plain, coupled = of("leg.osim", "motion.sto"), of("coupled.osim", "coupled.sto")
    assert coupled.coordinates == plain.coordinates
    assert coupled.acceleration_error < 1e-6
    mass, depth, inertia = 0.5, 0.05, 0.001
    motion = planar_leg.Motion(TIME)
    angle, acceleration = 0.5 * motion.angle()[:, 0], 0.5 * motion.angle(2)[:, 0]
    patella = (inertia + mass * depth**2) * acceleration
    patella += mass * planar_leg.GRAVITY * depth * np.sin(angle)
    added = coupled.net_moment - plain.net_moment
    np.testing.assert_allclose(added[:, 0], 0.5 * patella, atol=1e-5)
    np.testing.assert_allclose(added[:, 1], 0.0, atol=1e-5)


def test_a_dependent_coordinate_need_not_be_recorded(opensim, leg):
    maps = load_maps(
        opensim, leg / "coupled.osim", leg / "motion.sto", TIME, dofs=planar_leg.DOFS, lowpass=None
    )
    assert maps.acceleration_error < 1e-6


def test_locked_coordinates_are_where_the_model_holds_them(opensim, tmp_path):
    def still(time):
        return planar_leg.Motion(
            time, size=(0.6, 0.3), frequency=(1.0, 0.0), phase=(0.3, np.pi / 2)
        )

    model = planar_leg.write_model(tmp_path / "leg.osim")
    name = '<Coordinate name="ankle_angle_r">'
    locked = "<default_value>0.3</default_value><locked>true</locked>"
    model.write_text(model.read_text().replace(name, name + locked))
    knee = still(RECORDED).angle()[:, :1]
    write_storage(tmp_path / "knee.sto", RECORDED, ["knee_angle_r"], knee, name="", units="rad")
    maps = load_maps(
        opensim,
        model,
        tmp_path / "knee.sto",
        TIME,
        joints=planar_leg.JOINTS,
        actuators=tuple(planar_leg.MUSCLES),
        lowpass=None,
    )
    forces = dict.fromkeys(maps.actuators, np.full(len(TIME), 400.0))
    loads = maps.reactions(np.full((len(TIME), 3), 400.0))[:, :, 3:]
    np.testing.assert_allclose(loads, still(TIME).reaction(forces), atol=1e-3)
    assert [maps.coordinates[i] for i in maps.acted_on()] == ["knee_angle_r"]


def test_times_beyond_the_motion_are_refused(opensim, leg):
    with pytest.raises(DataError, match=r"expected motion from 1 to 1.6 s, got 0 to 1.5 s"):
        load_maps(opensim, leg / "leg.osim", leg / "motion.sto", [1.0, 1.6], dofs=planar_leg.DOFS)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"joints": ["ancle_r"]}, "Did you mean 'ankle_r'"),
        ({"dofs": ["knee_angle_l"]}, "knee_angle_r"),
        ({"joints": ["knee_r"], "actuators": ["soleus_l"]}, "soleus_l"),
    ],
)
def test_unknown_names_are_refused(opensim, leg, names, message):
    with pytest.raises((UnknownNameError, DataError), match=message):
        load_maps(opensim, leg / "leg.osim", leg / "motion.sto", TIME, **names)


def test_the_example_of_the_page_runs(opensim, leg, monkeypatch):
    page = (REPOSITORY / "python" / "RECORDINGS.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```py\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    forces = np.full((len(TIME), 3), 300.0)
    write_storage(
        leg / "forces.sto", TIME, tuple(planar_leg.MUSCLES), forces, name="forces", units="N"
    )
    monkeypatch.chdir(leg)
    names = {"ct": ct}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CeinmsTorchWarning)
        exec(example, names)  # noqa: S102  our own page
    net = names["maps"].net_reaction
    both = [names[one].force.array[:, 0] - net[:, 0, 3] for one in ("loads", "half")]
    assert names["loads"].frame == "ground"
    assert names["half"].frame == "child"
    assert np.abs(both[0]).max() > 0.0
    assert (leg / "loads.pdf").stat().st_size > 0
