"""Files of muscle analysis by the names that programs give them."""

import numpy as np
import pytest

from ceinms_torch.errors import FileFormatError
from ceinms_torch.io.storage import write_storage
from ceinms_torch.study_folder.muscle_analysis import find_muscle_analysis, read_muscle_analysis


@pytest.mark.parametrize(
    ("length", "arm"),
    [
        ("walk_MuscleAnalysis_Length.sto", "walk_MuscleAnalysis_MomentArm_{}.sto"),
        ("_MuscleAnalysis_Length.sto", "_MuscleAnalysis_MomentArm_{}.sto"),
        ("walk_MA_Length.sto", "walk_MA_MomentArm_{}.sto"),
        ("lmt.sto", "ma_{}.sto"),
        ("lengths.sto", "moment_arms_{}.sto"),
    ],
)
def test_names(tmp_path, length, arm):
    dofs = ("hip_flexion_r", "knee_angle_r")
    others = ("FiberLength", "TendonLength", "NormalizedFiberLength", "Moment_knee_angle_r")
    for name in others:
        (tmp_path / f"walk_MuscleAnalysis_{name}.sto").touch()
    for name in (length, *(arm.format(dof) for dof in (*dofs, "knee_angle_r_beta"))):
        (tmp_path / name).touch()
    found, arms = find_muscle_analysis(tmp_path, dofs)
    assert found.name == length
    assert {dof: path.name for dof, path in arms.items()} == {dof: arm.format(dof) for dof in dofs}


def test_two_runs_in_one_folder_are_refused(tmp_path):
    for name in ("a_Length.sto", "b_Length.sto"):
        (tmp_path / name).touch()
    with pytest.raises(FileFormatError, match=r"a_Length\.sto, b_Length\.sto"):
        find_muscle_analysis(tmp_path, ())


def test_arms_of_another_run_are_refused(tmp_path):
    time = np.arange(5) / 100.0
    write_storage(tmp_path / "lmt.sto", time, ["a"], np.ones((5, 1)), name="-", units="m")
    write_storage(tmp_path / "ma_k.sto", time[:-1], ["a"], np.ones((4, 1)), name="-", units="m")
    with pytest.raises(FileFormatError, match="belong to another run of MuscleAnalysis"):
        read_muscle_analysis(tmp_path, ("k",))
