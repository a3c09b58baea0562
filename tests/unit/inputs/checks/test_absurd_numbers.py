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
    """Whatever is found, nothing overflows on the way."""
    assert all(one.code != "not-a-number" for one in damaged(folder, name, value).findings)
