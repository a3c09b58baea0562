"""Files of ground forces: labels of many programs, units and axes, round trips."""

import dataclasses

import numpy as np
import pytest

from ceinms_torch.errors import DataError, FileFormatError, OptionError
from ceinms_torch.io.storage import write_storage
from ceinms_torch.recordings.ground_force_files import (
    external_loads,
    read_ground_forces,
    write_ground_forces,
)
from gait_forces import walk

LOADS_WITHOUT_FILE = """<ExternalLoads>
  <ExternalForce><applied_to_body>calcn_r</applied_to_body></ExternalForce>
  <datafile>a.mot</datafile>
</ExternalLoads>"""


def columns_of(force, point, torque):
    return [stem + axis for stem in (force, point, torque) for axis in "xyz"]


def written(path, forces, stems):
    values = [getattr(one, key) for one in forces.plates for key in ("force", "point", "torque")]
    columns = [label for names in stems for label in columns_of(*names)]
    write_storage(path, forces.time, columns, np.hstack(values), name="forces", units="")
    return path


LABELS = {
    "opensim": [
        ("ground_force_r_v", "ground_force_r_p", "ground_torque_r_"),
        ("ground_force_l_v", "ground_force_l_p", "ground_torque_l_"),
    ],
    "gait2392": [
        ("ground_force_v", "ground_force_p", "ground_torque_"),
        ("l_ground_force_v", "l_ground_force_p", "l_ground_torque_"),
    ],
    "bodies": [
        ("ground_force_calcn_r_v", "ground_force_calcn_r_p", "ground_torque_calcn_r_"),
        ("ground_force_calcn_l_v", "ground_force_calcn_l_p", "ground_torque_calcn_l_"),
    ],
    "words": [
        ("Right_force_v", "Right_force_p", "Right_moment_"),
        ("Left_force_v", "Left_force_p", "Left_moment_"),
    ],
}


@pytest.mark.parametrize("stems", LABELS.values(), ids=LABELS)
def test_labels_say_whose_forces_are(tmp_path, stems):
    forces, _, _ = walk(n_stride=1)
    again = read_ground_forces(written(tmp_path / "a.mot", forces, stems))
    assert [one.foot for one in again.plates] == ["right", "left"]
    for one, true in zip(again.plates, forces.plates, strict=True):
        for key in ("force", "point", "torque"):
            np.testing.assert_array_equal(getattr(one, key), getattr(true, key))


@pytest.mark.parametrize(
    "stems",
    [
        [
            ("1_ground_force_v", "1_ground_force_p", "1_ground_torque_"),
            ("2_ground_force_v", "2_ground_force_p", "2_ground_torque_"),
        ],
        [("f1_", "p1_", "m1_"), ("f2_", "p2_", "m2_")],
        [
            ("ground_force1_v", "ground_force1_p", "ground_torque1_"),
            ("ground_force2_v", "ground_force2_p", "ground_torque2_"),
        ],
    ],
)
def test_numbers_do_not_say_it(tmp_path, stems):
    forces, _, _ = walk(n_stride=1)
    path = written(tmp_path / "a.mot", forces, stems)
    again = read_ground_forces(path)
    assert [(one.name, one.foot) for one in again.plates] == [("1", None), ("2", None)]
    assert read_ground_forces(path, {"1": "right"}).plates[0].foot == "right"
    with pytest.raises(OptionError, match="--feet"):
        read_ground_forces(path, {"3": "right"})


def test_what_is_written_is_read_again(tmp_path):
    forces, _, _ = walk(n_stride=1)
    write_ground_forces(tmp_path / "a.mot", forces)
    data = external_loads(forces, "a.mot", {"right": "foot_r", "left": "foot_l"})
    (tmp_path / "loads.xml").write_bytes(data)
    for name in ("a.mot", "loads.xml"):
        again = read_ground_forces(tmp_path / name)
        assert again.feet == ("right", "left")
        for foot in again.feet:
            np.testing.assert_array_equal(again.vertical(foot), forces.vertical(foot))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda one: {"point": 1000.0 * one.point + 500.0}, "ground-forces-unit"),
        (lambda one: {"torque": one.torque + 20_000.0}, "ground-forces-unit"),
        (lambda one: {"force": -one.force}, "ground-forces-axes"),
        (lambda one: {"force": one.force[:, [0, 2, 1]]}, "ground-forces-axes"),
    ],
    ids=["points in mm", "moments in N mm", "action on the plate", "z up"],
)
def test_other_units_and_axes_are_refused(tmp_path, change, code):
    forces, _, _ = walk(n_stride=1)
    plates = tuple(dataclasses.replace(one, **change(one)) for one in forces.plates)
    path = written(
        tmp_path / "a.mot", dataclasses.replace(forces, plates=plates), LABELS["opensim"]
    )
    with pytest.raises(FileFormatError) as caught:
        read_ground_forces(path)
    assert caught.value.code == code
    assert caught.value.where.file == path


def test_file_without_forces(tmp_path):
    path = tmp_path / "angles.mot"
    write_storage(path, [0.0, 0.1], ["knee_angle_r"], [[1.0], [2.0]], name="angles", units="")
    with pytest.raises(FileFormatError, match="got knee_angle_r"):
        read_ground_forces(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<Model/>", "an <ExternalForce> for every plate"),
        ("<ExternalLoads>", "a well-formed XML document"),
        (
            LOADS_WITHOUT_FILE,
            "the file of the forces, got none that is there",
        ),
    ],
)
def test_faulty_external_loads(tmp_path, text, says):
    (tmp_path / "loads.xml").write_text(text, encoding="utf-8")
    with pytest.raises(FileFormatError, match=says):
        read_ground_forces(tmp_path / "loads.xml")


def test_external_loads_that_name_no_column(tmp_path):
    forces, _, _ = walk(n_stride=1)
    write_ground_forces(tmp_path / "a.mot", forces)
    data = external_loads(forces, "a.mot", {"right": "foot_r", "left": "foot_l"})
    (tmp_path / "loads.xml").write_bytes(data.replace(b"ground_force_l_v<", b"ground_force_v<"))
    with pytest.raises(FileFormatError, match="no 'ground_force_vx'") as caught:
        read_ground_forces(tmp_path / "loads.xml")
    assert caught.value.where.line is not None


def test_foot_without_a_plate():
    forces, _, _ = walk(n_stride=1)
    right = dataclasses.replace(forces, plates=forces.plates[:1])
    assert (right.vertical("left") == 0.0).all()
    with pytest.raises(DataError, match="force plate of the left foot"):
        right.of_foot("left")
