"""Contacts by the vertical force: exact on clean data, the same under drift and noise."""

import csv
import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ceinms_torch.errors import DataError, OptionError
from ceinms_torch.recordings.contacts import ContactOptions, find_contacts
from ceinms_torch.recordings.cycles import cycles_of_contacts
from ceinms_torch.recordings.ground_force_files import read_ground_forces
from ceinms_torch.recordings.unloaded import unloaded_readings
from gait_forces import walk


def disturbed(forces, drift, noise, seed=0):
    """Return forces with something added to what plates read vertically [N]."""
    random = np.random.default_rng(seed)
    plates = []
    for one in forces.plates:
        force = one.force.copy()
        force[:, 1] += drift + noise * random.standard_normal(len(force))
        plates.append(dataclasses.replace(one, force=force))
    return dataclasses.replace(forces, plates=tuple(plates))


@pytest.mark.parametrize("treadmill", [False, True])
def test_contacts_of_a_walk_are_exact(treadmill):
    forces, _, truth = walk(treadmill=treadmill)
    found = find_contacts(forces)
    for foot, times in truth.items():
        assert [(one.on, one.off) for one in found.complete(foot)] == times
    assert found.doubts == ()


@settings(max_examples=25)
@given(
    offset=st.floats(-40.0, 40.0),
    slope=st.floats(-40.0, 40.0),
    noise=st.floats(0.0, 5.0),
    rate=st.sampled_from([100.0, 200.0, 1000.0]),
    seed=st.integers(0, 99),
)
def test_drift_and_noise_change_nothing(offset, slope, noise, rate, seed):
    forces, _, truth = walk(rate=rate)
    drift = offset + slope * forces.time / forces.time[-1]
    found = find_contacts(disturbed(forces, drift, noise, seed))
    for foot, times in truth.items():
        events = [(one.on, one.off) for one in found.complete(foot)]
        # A row at 30 N, the first of a contact here, is below the threshold now and then.
        np.testing.assert_allclose(events, times, rtol=0.0, atol=0.0101)


def test_drift_that_is_kept_hides_contacts():
    forces, _, truth = walk()
    raised = disturbed(forces, 40.0, 0.0)
    assert len(find_contacts(raised).complete("right")) == len(truth["right"])
    kept = find_contacts(raised, ContactOptions(remove_drift=False))
    assert kept.complete("right") == []


def test_somebody_who_stands_all_the_time_is_no_drift():
    time = np.arange(1000) / 100.0
    vertical = 400.0 + 15.0 * np.sin(time)
    assert (unloaded_readings(time, vertical, vertical[:, None]) == 0.0).all()


def test_dips_and_blips_are_no_events():
    forces, _, truth = walk()
    right = forces.plates[0]
    force = right.force.copy()
    on, off = (round(200 * one) for one in truth["right"][1])
    force[(on + off) // 2, 1] = 0.0  # a sample that was lost
    force[off + 40, 1] = 300.0  # and one that is none
    plates = (dataclasses.replace(right, force=force), forces.plates[1])
    found = find_contacts(dataclasses.replace(forces, plates=plates))
    assert [(one.on, one.off) for one in found.complete("right")] == truth["right"]


# ---- Both feet on one plate -------------------------------------------------------------


def trodden(forces, start, stop, share=0.1):
    """Return forces of which a share of the left foot's is on the right plate for some time [s]."""
    right, left = forces.plates
    rows = (forces.time >= start) & (forces.time < stop)
    moved = share * left.force * rows[:, None]
    force = right.force + moved
    moment = np.cross(right.point, right.force) + np.cross(left.point, moved)
    point = right.point.copy()
    on = force[:, 1] > 0.0
    point[on, 0] = moment[on, 2] / force[on, 1]
    point[on, 2] = -moment[on, 0] / force[on, 1]
    other = dataclasses.replace(left, force=left.force - moved)
    plates = (dataclasses.replace(right, force=force, point=point), other)
    return dataclasses.replace(forces, plates=plates)


@pytest.mark.parametrize("has_points", [True, False])
@pytest.mark.parametrize("share", [0.1, 0.2, 0.3])  # the left foot stays above the threshold
def test_other_foot_between_two_contacts_is_found(share, has_points):
    forces, _, truth = walk(treadmill=True)
    on, off = truth["left"][2]
    mixed = trodden(forces, on, off, share)
    if not has_points:
        plates = tuple(dataclasses.replace(one, point=0.0 * one.point) for one in mixed.plates)
        mixed = dataclasses.replace(mixed, plates=plates)
    found = find_contacts(mixed)
    assert len(found.complete("right")) == len(truth["right"])
    (doubt,) = found.doubts
    assert on < doubt.start <= on + 0.0151
    assert off - 0.0101 < doubt.stop <= off
    assert "both feet on the right plate" in doubt.why
    cycles = cycles_of_contacts(found)
    used = [(one.foot, one.start, one.stop) for one in cycles if not one.why]
    clean = [(one.foot, one.start, one.stop) for one in cycles_of_contacts(find_contacts(forces))]
    # Nothing is used that is not a cycle; nothing is left out that the doubt does not touch.
    assert set(used) <= set(clean)
    assert {one for one in clean if one[2] < on or one[1] > off} <= set(used)
    assert not any(start < off and stop > on + 0.015 for _, start, stop in used)


def test_other_foot_at_the_beginning_of_a_contact_is_told_by_the_point_of_force():
    forces, _, truth = walk(treadmill=True)
    on, off = truth["left"][2]
    # Its end lies in the right foot's contact, its beginning in the swing before.
    mixed = trodden(forces, 0.5 * (on + off), off, 0.15)
    found = find_contacts(mixed)
    assert any("goes" in one.why and "cm back" in one.why for one in found.doubts)


def test_something_on_the_plate_while_its_foot_swings():
    forces, _, truth = walk()
    right, left = forces.plates
    off = truth["right"][1][1]
    force = right.force.copy()
    force[(forces.time >= off + 0.15) & (forces.time < off + 0.25), 1] = 80.0
    plates = (dataclasses.replace(right, force=force), left)
    found = find_contacts(dataclasses.replace(forces, plates=plates))
    assert [(one.on, one.off) for one in found.complete("right")] == truth["right"]
    (doubt,) = found.doubts
    assert (doubt.start, doubt.stop) == (pytest.approx(off + 0.15), pytest.approx(off + 0.25))
    left_out = [one for one in cycles_of_contacts(found) if one.why]
    assert {one.foot for one in left_out} == {"right", "left"}
    assert all(one.start <= doubt.stop and one.stop >= doubt.start for one in left_out)


def test_plate_alone_is_judged_by_the_usual_duration():
    forces, _, truth = walk(treadmill=True)
    on, off = truth["left"][2]
    alone = dataclasses.replace(
        trodden(forces, on, off), plates=trodden(forces, on, off).plates[:1]
    )
    alone = dataclasses.replace(
        alone, plates=(dataclasses.replace(alone.plates[0], point=0.0 * alone.plates[0].point),)
    )
    found = find_contacts(alone)
    assert len(found.complete("right")) == len(truth["right"])
    assert len(found.doubts) == 1


# ---- Refused ----------------------------------------------------------------------------


def test_plate_that_nobody_steps_on():
    forces, _, _ = walk()
    plates = tuple(dataclasses.replace(one, force=0.0 * one.force) for one in forces.plates)
    with pytest.raises(DataError, match="greatest force is 0 N"):
        find_contacts(disturbed(dataclasses.replace(forces, plates=plates), 0.0, 0.0))


def test_sprint_needs_another_least_contact():
    forces, _, truth = walk()
    plates = []
    for plate in forces.plates:
        force = plate.force.copy()
        for on, off in truth[plate.foot]:
            force[(forces.time >= on + 0.1) & (forces.time < off)] = 0.0
        plates.append(dataclasses.replace(plate, force=force))
    sprint = dataclasses.replace(forces, plates=tuple(plates))
    with pytest.raises(DataError, match="--least-contact"):
        find_contacts(sprint)
    found = find_contacts(sprint, ContactOptions(least_contact=0.06))
    assert [one.on for one in found.complete("right")] == [on for on, _ in truth["right"]]
    assert found.doubts == ()


def test_plates_without_feet():
    forces, _, _ = walk()
    plates = tuple(dataclasses.replace(one, foot=None, name="1") for one in forces.plates)
    with pytest.raises(DataError, match="--feet PLATE=right"):
        find_contacts(dataclasses.replace(forces, plates=plates))


@pytest.mark.parametrize("name", ["threshold", "least_share", "least_contact"])
def test_options_have_ranges(name):
    with pytest.raises(OptionError, match=name):
        ContactOptions(**{name: -1.0})


# ---- Recorded ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def treadmill(shared_dir):
    return read_ground_forces(shared_dir / "data" / "treadmill_full" / "walk36_XLD.mot")


def test_walk_of_opensim(shared_dir):
    forces = read_ground_forces(shared_dir / "data" / "walking_opensim" / "grf_walk.mot")
    times = [time for one in find_contacts(forces).complete("right") for time in (one.on, one.off)]
    np.testing.assert_allclose(times, [0.266, 1.024, 1.411, 2.168], rtol=0.0, atol=0.005)


def test_strides_on_the_treadmill_are_those_that_were_cut_from_it(treadmill, shared_dir):
    cycles = {one.start: one for one in cycles_of_contacts(find_contacts(treadmill)) if not one.why}
    with (shared_dir / "data" / "lower_limb" / "cycles.csv").open(encoding="utf-8") as table:
        rows = [row for row in csv.DictReader(table) if row["condition"] == "walk36"]
    assert len(rows) == 10
    for row in rows:
        cycle = cycles[float(row["t_heel_strike"])]
        assert cycle.foot == "right"
        assert cycle.middle == float(row["t_toe_off"])
        assert cycle.stop == float(row["t_next_heel_strike"])


def test_left_foot_on_the_right_plate(treadmill):
    found = find_contacts(treadmill)
    assert len(found.complete("right")) == 52
    # Three times between two contacts; at 6.06 s it is still there when the right foot comes.
    long = [one for one in found.doubts if "a contact of" in one.why]
    assert [round(one.start, 1) for one in long] == [33.2, 40.1, 55.1]
    assert [one.start for one in found.doubts if one not in long] == [6.06]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("way", [1.0, -1.0])
def test_recorded_contacts_with_drift_and_noise(treadmill, way, seed):
    clean = find_contacts(treadmill)
    drift = way * 40.0 * treadmill.time / treadmill.time[-1]
    found = find_contacts(disturbed(treadmill, drift, 5.0, seed))
    assert len(found.complete("right")) == 52
    for foot in ("right", "left"):
        sure = [one for one in clean.complete(foot) if not clean.doubts_of(one.on, one.off)]
        for one in sure:
            nearest = min(found.of(foot), key=lambda other: abs(other.on - one.on))
            assert abs(nearest.on - one.on) < 0.0101
            assert abs(nearest.off - one.off) < 0.0101
