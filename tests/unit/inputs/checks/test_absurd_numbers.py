"""Numbers that no recording has: an error of their own, and no warning of NumPy's."""

import shutil

import pytest

import ceinms_torch as ct
from damages import FIRST, change, one_channel

FILES = ("lmt.sto", "ma_hip_flexion_r.sto", "emg.mot", "id.sto")


@pytest.fixture
def folder(gait_folder, tmp_path):
    return shutil.copytree(gait_folder, tmp_path / "gait")


def damaged(folder, name, value):
    def put(values):
        values[20] = value
        return values

    column = ct.read_storage(folder / FIRST / name).columns[1]
    change(folder, name, one_channel(column, put), trials=("walk_105",))
    return ct.check_folder(folder / "calibrate.xml")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("value", [3.5e38, -1e308])
def test_numbers_that_no_recording_has(folder, name, value):
    report = damaged(folder, name, value)
    assert report.findings[0].code == "not-a-number"
    assert report.findings[0].where.file.name == name


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("value", [1e29, -1e15])
def test_large_numbers(folder, name, value):
    """Nothing overflows on the way, and what is found first is the file with the number."""
    first = damaged(folder, name, value).findings[0]
    assert first.severity == "error"
    assert first.code != "not-a-number"
    assert first.where.file.name == name


@pytest.mark.parametrize("factor", [0.01, 25.0])
def test_one_length_that_no_muscle_has(folder, factor):
    length = ct.read_storage(folder / FIRST / "lmt.sto").values[20, 1]
    first = damaged(folder, "lmt.sto", factor * length).findings[0]
    assert (first.code, first.where.trial) == ("length-impossible", "walk_105")
    assert f"the MTU is {factor * length:.4g} m long" in first.what
