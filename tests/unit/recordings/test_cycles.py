"""Cycles from contacts, events and peaks."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceinms_torch.errors import DataError, OptionError
from ceinms_torch.io.storage import read_storage
from ceinms_torch.recordings.c3d import Event
from ceinms_torch.recordings.contacts import find_contacts
from ceinms_torch.recordings.cycles import (
    PeakOptions,
    cycles_of_contacts,
    cycles_of_events,
    cycles_of_peaks,
)
from ceinms_torch.recordings.trc import read_trc
from gait_forces import walk


def test_cycles_and_stances_of_a_walk():
    forces, _, truth = walk(n_stride=4)
    found = find_contacts(forces)
    cycles = cycles_of_contacts(found, feet=("right",))
    assert [one.name for one in cycles] == ["r01", "r02", "r03"]
    assert [(one.start, one.stop) for one in cycles] == [
        (a[0], b[0]) for a, b in zip(truth["right"], truth["right"][1:], strict=False)
    ]
    assert [one.middle for one in cycles] == [one[1] for one in truth["right"][:3]]
    stances = cycles_of_contacts(found, "stance", ("left",))
    assert [(one.start, one.stop) for one in stances] == truth["left"]


@pytest.mark.parametrize("phase", ["up", "down"])
def test_gait_has_no_such_phase(phase):
    forces, _, _ = walk(n_stride=2)
    with pytest.raises(OptionError, match="of contacts with the ground, cycle or stance"):
        cycles_of_contacts(find_contacts(forces), phase)
    with pytest.raises(OptionError, match="of foot strikes and foot offs"):
        cycles_of_events([], phase)


def test_step_beside_the_plate_makes_no_cycle():
    events = [Event(time, "Foot Strike", "right") for time in (0.0, 1.1, 2.2, 4.4, 5.5)]
    events += [Event(time, "Foot Off", "right") for time in (0.7, 1.8, 2.9, 5.1)]
    cycles = cycles_of_events(events)
    assert [one.why[:11] for one in cycles] == ["", "", "takes 2.20 ", ""]


# ---- Events -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strike", "off"),
    [
        ("Foot Strike", "Foot Off"),
        ("Heel Strike", "Toe Off"),
        ("Initial Contact", "toe-off"),
        ("HS", "TO"),
        ("FS", "FO"),
    ],
)
def test_events_by_their_names(strike, off):
    events = [Event(0.2, strike, "left"), Event(0.9, off, "left"), Event(1.3, strike, "left")]
    (cycle,) = cycles_of_events(events)
    assert (cycle.name, cycle.start, cycle.middle, cycle.stop) == ("l01", 0.2, 0.9, 1.3)
    (stance,) = cycles_of_events(events, "stance")
    assert (stance.start, stance.stop, stance.why) == (0.2, 0.9, "")


def test_events_that_name_the_foot_themselves():
    events = [Event(0.2, "RHS"), Event(0.9, "RTO"), Event(1.3, "RHS"), Event(0.4, "Left Foot Off")]
    (cycle,) = cycles_of_events(events)
    assert cycle.foot == "right"


@pytest.mark.parametrize(("offs", "says"), [((), "no foot off"), ((0.5, 0.9), "2 foot off")])
def test_cycle_without_its_stance_is_left_out(offs, says):
    events = [Event(time, "Foot Strike", "right") for time in (0.2, 1.3)]
    events += [Event(time, "Foot Off", "right") for time in offs]
    (cycle,) = cycles_of_events(events)
    assert cycle.why.startswith(says)
    assert "an event is missing" in cycle.why
    assert math.isnan(cycle.middle) == (not offs)


# ---- Peaks ------------------------------------------------------------------------------


@given(
    n_peak=st.integers(1, 5),
    height=st.floats(0.01, 1000.0),
    rest=st.floats(0.5, 2.0),
    base=st.floats(-100.0, 100.0),
)
def test_movements_of_any_unit_are_found(n_peak, height, rest, base):
    """A movement of 2 s in which the arm goes up as a sine, with rests between."""
    rate, move = 100.0, 2.0
    time = np.arange(round((rest + n_peak * (move + rest)) * rate)) / rate
    values = np.full(len(time), base)
    for i in range(n_peak):
        t = time - rest - i * (move + rest)
        on = (t >= 0.0) & (t <= move)
        values[on] += height * np.sin(np.pi * t[on] / move) ** 2
    cycles = cycles_of_peaks(time, values)
    assert len(cycles) == n_peak
    # sin² is 5 % of its height at 0.072 of its length; the filter moves that by hundredths.
    early = move / np.pi * math.asin(math.sqrt(0.05))
    for i, one in enumerate(cycles):
        begin = rest + i * (move + rest)
        assert one.start == pytest.approx(begin + early, abs=0.04)
        assert one.stop == pytest.approx(begin + move - early, abs=0.04)
        assert one.middle == pytest.approx(begin + 0.5 * move, abs=0.0201)
        assert one.why == ""
    ups, downs = (cycles_of_peaks(time, values, phase) for phase in ("up", "down"))
    assert [(one.start, one.stop) for one in ups] == [(one.start, one.middle) for one in cycles]
    assert [(one.start, one.stop) for one in downs] == [(one.middle, one.stop) for one in cycles]
    turned = cycles_of_peaks(time, -values, options=PeakOptions(lowest=True))
    assert [(one.start, one.stop) for one in turned] == [(one.start, one.stop) for one in cycles]


def test_spikes_are_no_movements():
    time = np.arange(600) / 100.0
    values = np.sin(np.pi * np.clip(time - 2.0, 0.0, 2.0) / 2.0) ** 2
    values[[50, 450]] += 0.9
    assert len(cycles_of_peaks(time, values, options=PeakOptions(cutoff=0.0))) == 1


def test_movement_that_the_recording_cuts_off_is_left_out():
    time = np.arange(400) / 100.0
    values = np.cos(np.pi * time / 2.0)  # begins at its peak
    first, *_ = cycles_of_peaks(time, values)
    assert first.why == "the recording cuts it off"


@pytest.mark.parametrize("values", [np.zeros(100), np.linspace(0.0, 1.0, 100) * 0.0 + 3.0])
def test_no_peak(values):
    with pytest.raises(DataError, match="Choose the angle or moment"):
        cycles_of_peaks(np.arange(100) / 100.0, values)


@pytest.mark.parametrize("name", ["least_height", "onset", "cutoff"])
def test_options_have_ranges(name):
    with pytest.raises(OptionError, match=name):
        PeakOptions(**{name: -0.1})


@pytest.mark.parametrize("trial", ["ABD01", "ABD02", "FLX01", "FLX02"])
def test_one_movement_a_trial_of_the_shoulder(shared_dir, trial):
    """By the elevation of the arm, which is the angle between upper arm and the vertical."""
    markers = read_trc(shared_dir / "data" / "shoulder_raw" / f"{trial}.trc")
    arm = markers.position("centelbow") - markers.position("gu")
    elevation = np.degrees(np.arccos(-arm[:, 1] / np.linalg.norm(arm, axis=1)))
    (cycle,) = cycles_of_peaks(markers.time, elevation)
    assert cycle.why == ""
    assert elevation[round(cycle.middle * 100)] > 140.0
    assert max(elevation[round(time * 100)] for time in (cycle.start, cycle.stop)) < 30.0


def test_two_movements_in_a_moment_of_the_shoulder(shared_dir):
    torques = read_storage(shared_dir / "data" / "shoulder" / "trials" / "abd01" / "id.sto")
    assert len(cycles_of_peaks(torques.time, torques.column("shoulder_elv"))) == 2
