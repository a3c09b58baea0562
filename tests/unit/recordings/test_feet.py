"""Which foot is on which plate."""

import dataclasses

import numpy as np
import pytest

from ceinms_torch.errors import DataError, OptionError
from ceinms_torch.recordings.contacts import find_contacts
from ceinms_torch.recordings.feet import (
    check_feet,
    marker_feet,
    named_feet,
    of_feet,
    one_a_foot,
    with_feet,
    zeroed,
)
from ceinms_torch.recordings.ground_force_files import read_ground_forces
from ceinms_torch.recordings.trc import read_trc
from gait_forces import walk


@pytest.mark.parametrize(
    ("right", "left"),
    [
        ("RHEE", "LHEE"),
        ("R.Heel", "L.Heel"),
        ("heel_r", "heel_l"),
        ("RightHeel", "LeftHeel"),
        ("heel right", "heel left"),
        ("rknee", "lknee"),
    ],
)
def test_sides_of_markers(right, left):
    assert marker_feet([right, left, "C7", "LUMBAR"]) == {right: "right", left: "left"}


def unnamed(forces):
    plates = tuple(
        dataclasses.replace(one, foot=None, name=str(i + 1)) for i, one in enumerate(forces.plates)
    )
    return dataclasses.replace(forces, plates=plates)


@pytest.mark.parametrize("turn", [False, True])
def test_plates_get_the_feet_that_trod_on_them(turn):
    forces, markers, truth = walk(treadmill=True)
    plates = unnamed(forces)
    if turn:
        plates = dataclasses.replace(plates, plates=plates.plates[::-1])
    found, remarks = of_feet(plates, markers)
    assert found.feet == ("right", "left")
    assert any("contacts of the left foot" in one for one in remarks)
    contacts = find_contacts(found)
    for foot, times in truth.items():
        assert [(one.on, one.off) for one in contacts.complete(foot)] == times
        np.testing.assert_array_equal(found.vertical(foot), forces.vertical(foot))


def test_one_plate_that_both_feet_step_on_in_turn():
    """As on a walkway: each foot has its own contacts and nothing else."""
    forces, markers, truth = walk(n_stride=2)
    (first, _), (_, second) = truth["right"], truth["left"]
    parts = []
    for plate, (on, off) in zip(forces.plates, (first, second), strict=True):
        inside = ((forces.time >= on) & (forces.time < off))[:, None]
        parts.append(dataclasses.replace(plate, force=plate.force * inside))
    right, left = parts
    trod = np.where(left.force[:, 1:2] > 0.0, left.point, right.point)
    force, torque = right.force + left.force, right.torque
    both = dataclasses.replace(right, foot=None, name="1", force=force, point=trod, torque=torque)
    found, remarks = of_feet(dataclasses.replace(forces, plates=(both,)), markers)
    contacts = find_contacts(found)
    for foot, plate, times in (("right", right, first), ("left", left, second)):
        assert [(one.on, one.off) for one in contacts.of(foot)] == [times]
        np.testing.assert_array_equal(found.vertical(foot), plate.force[:, 1])
        assert f"plate 1: 1 contacts of the {foot} foot" in remarks


def test_one_foot_on_two_plates_is_one_resultant():
    forces, _, _ = walk(treadmill=True)
    right, left = forces.plates
    half = [
        dataclasses.replace(right, name=name, force=0.5 * right.force, torque=0.5 * right.torque)
        for name in "ab"
    ]
    parts = dataclasses.replace(forces, plates=(*half, left))
    whole, remarks = one_a_foot(parts)
    assert remarks == ["right foot: resultant of contacts with the plates a, b"]
    (plate,) = [one for one in whole.plates if one.foot == "right"]
    np.testing.assert_allclose(plate.force, right.force, rtol=0.0, atol=1e-12)
    on = right.force[:, 1] > 0.0
    np.testing.assert_allclose(plate.point[on], right.point[on], rtol=0.0, atol=1e-12)
    assert one_a_foot(forces)[1] == []


def test_swapped_plates_are_refused():
    forces, markers, _ = walk()
    check_feet(forces, markers)
    right, left = forces.plates
    swapped = (dataclasses.replace(right, foot="left"), dataclasses.replace(left, foot="right"))
    with pytest.raises(DataError, match="The plates are swapped") as caught:
        check_feet(dataclasses.replace(forces, plates=swapped), markers)
    assert caught.value.code == "plates-swapped"


def test_markers_of_another_place_or_unit_are_refused():
    forces, markers, _ = walk()
    far = dataclasses.replace(markers, positions=1000.0 * markers.positions)
    with pytest.raises(DataError, match="is in mm, in other axes, or from another clock"):
        check_feet(forces, far)


def test_without_markers_that_have_a_side():
    forces, markers, _ = walk()
    blind = dataclasses.replace(markers, names=("A", "B", "C", "D", "E"))
    with pytest.raises(DataError, match="--feet PLATE=right"):
        of_feet(unnamed(forces), blind)
    same, remarks = of_feet(unnamed(forces), blind, must=False)
    assert same.plates[0].foot is None
    assert "named by their numbers" in remarks[-1]


def test_what_drifts_in_all_channels_is_taken_off():
    forces, _, _ = walk(treadmill=True)
    right, left = forces.plates
    drift = np.linspace(0.0, 1.0, len(forces.time))[:, None]
    offset = np.array([3.0, -15.0, 2.0]) * (1.0 + drift)
    force = right.force + offset
    moment = np.cross(right.point, right.force) + np.array([1.0, 0.5, -2.0])
    point = np.where(right.force[:, 1:2] > 0.0, right.point, [0.1, 0.0, 0.1])
    torque = moment - np.cross(point, force)
    plates = (dataclasses.replace(right, force=force, point=point, torque=torque), left)
    clean = zeroed(dataclasses.replace(forces, plates=plates)).plates[0]
    np.testing.assert_allclose(clean.force, right.force, rtol=0.0, atol=1e-9)
    on = right.force[:, 1] > 0.0
    np.testing.assert_allclose(clean.point[on], right.point[on], rtol=0.0, atol=1e-9)
    np.testing.assert_allclose(clean.torque, 0.0, rtol=0.0, atol=1e-9)


def test_feet_that_are_stated():
    forces, _, _ = walk()
    assert named_feet(["1=right", "2=L"]) == {"1": "right", "2": "left"}
    assert with_feet(unnamed(forces), {"2": "left"}).feet == ("left",)
    with pytest.raises(OptionError, match="PLATE=right or PLATE=left"):
        named_feet(["1=both"])
    with pytest.raises(OptionError, match=r"a plate of 'None': 1, 2, got '3'"):
        with_feet(unnamed(forces), {"3": "left"})


def test_recorded_feet_and_forces_belong_together(shared_dir):
    folder = shared_dir / "data" / "walking_opensim"
    forces = read_ground_forces(folder / "grf_walk.xml")
    markers = read_trc(folder / "markers_walk.trc")
    check_feet(forces, markers)
    other = {"right": "left", "left": "right"}
    plates = tuple(dataclasses.replace(one, foot=other[one.foot]) for one in forces.plates)
    with pytest.raises(DataError, match="swapped"):
        check_feet(dataclasses.replace(forces, plates=plates), markers)
