"""Joint angles from motion files, and their unit."""

import numpy as np
import pytest

from ceinms_torch.errors import CeinmsTorchWarning, FileFormatError
from ceinms_torch.geometry.coordinates import read_coordinates
from ceinms_torch.io.storage import write_storage

DEGREES = np.array([[10.0, 60.0, 0.9], [12.0, 40.0, 0.91]])


def motion(tmp_path, values=DEGREES, *, in_degrees=True, header=True):
    file = tmp_path / "ik.mot"
    names = ("hip_flexion_r", "knee_angle_r", "pelvis_ty")
    write_storage(file, [0.0, 0.01], names, values, name="c", units="", in_degrees=in_degrees)
    if not header:
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("inDegrees=yes\n", "").replace("inDegrees=no\n", ""))
    return file


def test_degrees_become_radians_and_translations_stay(tmp_path):
    found = read_coordinates(motion(tmp_path))
    np.testing.assert_allclose(found.values[:, :2], np.deg2rad(DEGREES[:, :2]), rtol=1e-15)
    np.testing.assert_array_equal(found.values[:, 2], DEGREES[:, 2])
    named = read_coordinates(motion(tmp_path), ["knee_angle_r"], translations=["knee_angle_r"])
    np.testing.assert_array_equal(named.values[:, 0], DEGREES[:, 1])


def test_radians_stay(tmp_path):
    radians = DEGREES * [np.pi / 180, np.pi / 180, 1.0]
    found = read_coordinates(motion(tmp_path, radians, in_degrees=False))
    np.testing.assert_array_equal(found.values, radians)


def test_the_unit_is_never_guessed(tmp_path):
    file = motion(tmp_path, header=False)
    with pytest.raises(FileFormatError, match=r"inDegrees=yes or inDegrees=no, got none.*--angles"):
        read_coordinates(file)
    assert read_coordinates(file, angles="degrees").values[0, 1] == pytest.approx(np.pi / 3)


def test_what_is_said_must_not_contradict_the_header(tmp_path):
    with pytest.raises(FileFormatError, match="radians, as was said, got a header that says deg"):
        read_coordinates(motion(tmp_path), angles="radians")


def test_degrees_called_radians_are_refused(tmp_path):
    with pytest.raises(FileFormatError, match=r"knee_angle_r: expected angles in radians.*got 60"):
        read_coordinates(motion(tmp_path, in_degrees=False))


def test_radians_called_degrees_are_doubted(tmp_path):
    with pytest.warns(CeinmsTorchWarning, match="no angle is greater than 1.05: are they radians"):
        read_coordinates(motion(tmp_path, DEGREES * [np.pi / 180, np.pi / 180, 1.0]))


def test_a_missing_coordinate_is_named(tmp_path):
    with pytest.raises(FileFormatError, match=r"a column of the coord.*'ankle_angle_r'.*hip_fl"):
        read_coordinates(motion(tmp_path), ["knee_angle_r", "ankle_angle_r"])


def test_paths_of_opensim_4_are_known_and_speeds_left_out(tmp_path):
    file = tmp_path / "states.sto"
    knee = "/jointset/walker_knee_r/knee_angle_r"
    write_storage(
        file,
        [0.0, 0.1],
        (f"{knee}/value", f"{knee}/speed", "/jointset/ankle_r/ankle_angle_r/value"),
        [[0.2, 90.0, 0.1], [0.3, 91.0, 0.2]],
        name="states",
        units="",
    )
    found = read_coordinates(file)
    assert found.names == ("knee_angle_r", "ankle_angle_r")
    assert found.paths["knee_angle_r"] == knee
    np.testing.assert_array_equal(found.values[:, 0], [0.2, 0.3])
