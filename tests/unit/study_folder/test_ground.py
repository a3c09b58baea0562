"""Ground forces against feet and masses."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceinms_torch.osim.model_file import read_model
from ceinms_torch.recordings.external_loads import read_external_loads
from ceinms_torch.recordings.ground_force_files import as_storage
from ceinms_torch.study_folder.ground import check_ground_forces, ground_forces
from small_lab import ground, markers, write_lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Model and external loads of a laboratory."""
    folder = tmp_path_factory.mktemp("lab") / "files"
    write_lab(folder)
    return read_model(folder / "model.osim"), read_external_loads(folder / "loads.xml")


def moved(forces, angle, shift):
    """Return forces in a laboratory whose floor is turned and shifted."""
    turn = np.array(
        [[np.cos(angle), 0.0, np.sin(angle)], [0.0, 1.0, 0.0], [-np.sin(angle), 0.0, np.cos(angle)]]
    )
    plates = [
        dataclasses.replace(one, force=one.force @ turn.T, point=one.point @ turn.T + shift)
        for one in forces.plates
    ]
    seen = markers()
    seen = dataclasses.replace(seen, positions=seen.positions @ turn.T + shift)
    return dataclasses.replace(forces, plates=tuple(plates)), seen


def codes(lab, forces, seen, *, swapped=False, scale=1.0):
    model, loads = lab
    storage = as_storage(forces)
    found = ground_forces(storage, loads)
    if swapped:
        right, left = (one.body for one in found)
        found = tuple(
            dataclasses.replace(one, body=body)
            for one, body in zip(found, (left, right), strict=True)
        )
    found = tuple(dataclasses.replace(one, force=scale * one.force) for one in found)
    return [one.code for one in check_ground_forces(found, storage, model, seen)]


@given(
    angle=st.floats(-3.0, 3.0),
    shift=st.tuples(st.floats(-5.0, 5.0), st.just(0.0), st.floats(-5.0, 5.0)),
    hidden=st.sampled_from(["", "R.Toe", "L.Heel"]),
)
def test_plates_are_told_apart_wherever_the_laboratory_is(lab, angle, shift, hidden):
    forces, seen = moved(ground(), angle, np.array(shift))
    if hidden:  # for a while
        positions = seen.positions.copy()
        positions[20:120, seen.names.index(hidden)] = np.nan
        seen = dataclasses.replace(seen, positions=positions)
    assert codes(lab, forces, seen) == []
    assert codes(lab, forces, seen, swapped=True) == ["plates-swapped"] * 2


@given(share=st.floats(0.5, 2.0))
def test_the_mass_that_the_ground_carries(lab, share):
    found = codes(lab, ground(), None, scale=share)
    # Forces of the laboratory are of the model's mass to 0.1 %.
    if abs(share - 1.0) < 0.049:
        assert found == []
    elif abs(share - 1.0) > 0.051:
        assert found == ["mass-differs"]


def test_without_markers_of_a_foot_nothing_is_said(lab):
    seen = markers()
    left = dataclasses.replace(seen, names=("a", "b", "c", "d"))
    assert codes(lab, ground(), left, swapped=True) == []


def test_a_laboratory_elsewhere(lab):
    seen = markers()
    away = dataclasses.replace(seen, positions=seen.positions + np.array([0.0, 0.0, 2.0]))
    assert codes(lab, ground(), away) == ["force-off-foot"] * 2
