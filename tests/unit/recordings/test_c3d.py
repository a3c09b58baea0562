"""C3D files: numbers, units, axes, what is refused. Files are written by ezc3d itself."""

import dataclasses
import shutil
import sys

import numpy as np
import pytest

from c3d_files import write_c3d
from ceinms_torch.errors import FileFormatError, OptionError
from ceinms_torch.recordings.c3d import opensim_axes, read_c3d
from ceinms_torch.recordings.contacts import find_contacts
from ceinms_torch.recordings.cycles import cycles_of_events
from ceinms_torch.recordings.feet import of_feet
from gait_forces import walk

ezc3d = pytest.importorskip("ezc3d", reason="C3D files are read by ezc3d, which is not installed")

FLOAT = 3e-7  # numbers of a C3D file have 24 bits


@pytest.fixture(scope="module")
def walked():
    return walk(n_stride=2)


@pytest.fixture(scope="module")
def recording(walked, tmp_path_factory):
    forces, markers, _ = walked
    positions = markers.positions.copy()
    positions[5:9, 1] = np.nan
    events = [("Foot Strike", "Right", 0.3), ("Foot Off", "Right", 1.0)]
    events += [("Foot Strike", "Right", 1.4), ("Foot Strike", "Left", 61.5)]
    return write_c3d(
        tmp_path_factory.mktemp("c3d") / "walk.c3d",
        forces,
        dataclasses.replace(markers, positions=positions),
        events=events,
        extra=("RKneeAngles", "*12"),
        emg=True,
    )


def test_forces_and_markers_come_back_in_si_units(walked, recording):
    forces, markers, truth = walked
    file = read_c3d(recording)
    assert file.up == "z"
    turned = file.in_opensim_axes()
    np.testing.assert_array_equal(turned.markers.time, markers.time)
    gap = np.isnan(turned.markers.positions).any(axis=2)
    assert gap[5:9, 1].all()
    assert gap.sum() == 4
    seen = ~gap
    np.testing.assert_allclose(
        turned.markers.positions[:, : len(markers.names)][seen[:, : len(markers.names)]],
        markers.positions[seen[:, : len(markers.names)]],
        rtol=FLOAT,
        atol=3e-7,
    )
    for plate, true in zip(turned.forces.plates, forces.plates, strict=True):
        np.testing.assert_allclose(plate.force[::2], true.force, rtol=FLOAT, atol=3e-5)
        on = true.force[:, 1] >= 20.0
        # Of a moment of 24 bits about a point 3 m away, over a force of 20 N and more.
        np.testing.assert_allclose(plate.point[::2][on], true.point[on], rtol=0.0, atol=1e-5)
        np.testing.assert_allclose(plate.torque[::2][on], 0.0, rtol=0.0, atol=1e-3)
    found = find_contacts(of_feet(turned.forces, turned.markers)[0])
    for foot, times in truth.items():
        events = [(one.on, one.off) for one in found.complete(foot)]
        # Between two rows of the markers forces rise in a straight line: half a row.
        np.testing.assert_allclose(events, times, rtol=0.0, atol=0.0051)


def test_names_rates_and_channels(recording):
    file = read_c3d(recording)
    assert "*12" not in file.markers.names
    assert file.markers.rate == pytest.approx(200.0)
    assert file.analogs.rate == pytest.approx(400.0)
    assert file.analogs.names[-1] == "R_Soleus"
    assert file.plate_channels == file.analogs.names[:-1]
    assert file.analogs.units[-1] == "V"
    assert np.abs(file.analogs.channel("R_Soleus")).max() == pytest.approx(1e-3, rel=0.1)


def test_computed_angles_are_no_markers(walked, tmp_path):
    forces, markers, _ = walked
    path = write_c3d(tmp_path / "a.c3d", forces, markers, extra=("RKneeAngles",))
    file = ezc3d.c3d(str(path))
    file.add_parameter("POINT", "ANGLES", ["RKneeAngles"])
    file.write(str(path))
    assert "RKneeAngles" not in read_c3d(path).markers.names


def test_events(recording):
    events = read_c3d(recording).events
    assert [(one.time, one.foot) for one in events] == [
        (pytest.approx(0.3), "right"),
        (pytest.approx(1.0), "right"),
        (pytest.approx(1.4), "right"),
        (pytest.approx(61.5), "left"),
    ]
    (cycle,) = cycles_of_events(events)
    assert cycle.why == ""


@pytest.mark.parametrize("up", "xyz")
def test_axes_are_a_rotation(up):
    for axis in "xyz":
        for sign in ("", "+", "-"):
            if axis == up:
                with pytest.raises(OptionError, match="--forward"):
                    opensim_axes(up, sign + axis)
                continue
            rotation = opensim_axes(up, sign + axis)
            assert np.linalg.det(rotation) == pytest.approx(1.0)
            np.testing.assert_array_equal(rotation[1], np.eye(3)["xyz".index(up)])
            value = rotation[0]["xyz".index(axis)]
            assert value == (-1.0 if sign == "-" else 1.0)


# ---- Refused ----------------------------------------------------------------------------


def test_file_that_was_cut_off(recording, tmp_path):
    raw = recording.read_bytes()
    path = tmp_path / "a.c3d"
    for length in (0, 100, 600, 2000, len(raw) // 2):
        path.write_bytes(raw[:length])
        with pytest.raises(FileFormatError, match="Export the recording again"):
            read_c3d(path)


def test_parameters_that_lead_nowhere(recording, tmp_path):
    """Where ezc3d would read on for ever."""
    raw = bytearray(recording.read_bytes())
    start = (raw[0] - 1) * 512
    raw[start + 4 : start + 512] = b"\xff" * 508
    (tmp_path / "a.c3d").write_bytes(raw)
    with pytest.raises(FileFormatError, match="damaged or cut off"):
        read_c3d(tmp_path / "a.c3d")


@pytest.mark.parametrize("name", [b"ANALOG", b"GEN_SCALE", b"OFFSET", b"USED", b"CHANNEL"])
def test_parameters_that_ezc3d_does_not_survive_without(recording, tmp_path, name):
    raw = recording.read_bytes()
    place = raw.index(name, 512)
    (tmp_path / "a.c3d").write_bytes(raw[:place] + b"?" + raw[place + 1 :])
    with pytest.raises(FileFormatError):
        read_c3d(tmp_path / "a.c3d")


@pytest.mark.parametrize(("unit", "says"), [("m", "seem to be in mm"), ("furlong", "one of m, cm")])
def test_markers_in_mm_that_are_said_to_be_in_m(walked, tmp_path, unit, says):
    forces, markers, _ = walked
    path = write_c3d(tmp_path / "a.c3d", forces, markers, unit=unit, plates=False)
    with pytest.raises(FileFormatError, match=says) as caught:
        read_c3d(path)
    assert caught.value.where.element == "POINT:UNITS"


def test_moments_have_the_unit_that_is_stated(walked, tmp_path):
    forces, markers, _ = walked
    read = [
        read_c3d(
            write_c3d(tmp_path / f"{unit}.c3d", forces, markers, moment_unit=unit, scale=scale)
        )
        for unit, scale in (("Nmm", 1000.0), ("N.m", 1.0), ("N cm", 100.0))
    ]
    for one in read[1:]:
        for plate, true in zip(one.forces.plates, read[0].forces.plates, strict=True):
            np.testing.assert_allclose(plate.point, true.point, rtol=0.0, atol=1e-5)
            np.testing.assert_allclose(plate.torque, true.torque, rtol=0.0, atol=1e-3)


@pytest.mark.parametrize("kind", [1, 3, 4])
@pytest.mark.parametrize("n_plate", [1, 2])
def test_plates_of_every_type_agree(walked, tmp_path, kind, n_plate):
    forces, markers, _ = walked
    twisted = tuple(
        dataclasses.replace(one, torque=0.01 * one.force[:, [0, 1, 0]] * [0.0, 1.0, 0.0])
        for one in forces.plates[:n_plate]
    )
    forces = dataclasses.replace(forces, plates=twisted)
    file = read_c3d(write_c3d(tmp_path / "a.c3d", forces, markers, kind=kind)).in_opensim_axes()
    assert len(file.forces.plates) == n_plate
    for plate, true in zip(file.forces.plates, forces.plates, strict=True):
        on = true.force[:, 1] >= 20.0
        # Of type 3, the sum of four forces of 24 bits, up to ten times as great here.
        np.testing.assert_allclose(plate.force[::2], true.force, rtol=FLOAT, atol=2e-3)
        np.testing.assert_allclose(plate.point[::2][on], true.point[on], rtol=0.0, atol=2e-4)
        np.testing.assert_allclose(plate.torque[::2][on], true.torque[on], rtol=0.0, atol=2e-2)


@pytest.mark.parametrize(
    ("unit", "scale", "says"),
    [("Nm", 1000.0, "beside it"), ("Nmm", 0.1, "of its centre"), ("", 0.1, "of its centre")],
)
def test_moments_of_another_unit_than_stated(walked, tmp_path, unit, scale, says):
    forces, markers, _ = walked
    path = write_c3d(tmp_path / "a.c3d", forces, markers, moment_unit=unit, scale=scale)
    with pytest.raises(FileFormatError, match=says) as caught:
        read_c3d(path)
    assert caught.value.where.element == "force plate 1"
    assert "ANALOG:UNITS" in caught.value.hint


def test_without_plates(walked, tmp_path):
    forces, markers, _ = walked
    file = read_c3d(write_c3d(tmp_path / "a.c3d", forces, markers, plates=False, emg=True))
    assert file.forces.plates == ()
    assert file.analogs.names == ("R_Soleus",)
    assert file.plate_channels == ()


def test_without_ezc3d(recording, monkeypatch):
    monkeypatch.setitem(sys.modules, "ezc3d", None)
    with pytest.raises(OptionError, match=r"pip install 'ceinms-torch\[c3d\]'") as caught:
        read_c3d(recording)
    assert caught.value.code == "ezc3d-missing"


# ---- Recorded ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["walking2", "walking5"])
def test_recordings_agree_with_ezc3d(shared_dir, tmp_path, name):
    path = shutil.copy(shared_dir / "data" / "walking_opensim" / f"{name}.c3d", tmp_path)
    file, plain = read_c3d(path), ezc3d.c3d(str(path), extract_forceplat_data=True)
    np.testing.assert_allclose(
        file.markers.positions.T, plain["data"]["points"][:3] / 1000.0, rtol=1e-15, equal_nan=True
    )
    for plate, true in zip(file.forces.plates, plain["data"]["platform"], strict=True):
        np.testing.assert_array_equal(plate.force.T, true["force"])
        on = plate.force[:, 2] >= 20.0
        for mine, theirs in (("point", "center_of_pressure"), ("torque", "Tz")):
            np.testing.assert_allclose(
                getattr(plate, mine)[on].T, true[theirs][:, on] / 1000.0, rtol=0.0, atol=1e-12
            )
    np.testing.assert_array_equal(file.analogs.values.T, plain["data"]["analogs"][0])
