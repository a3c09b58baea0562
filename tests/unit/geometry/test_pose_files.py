"""Poses from the files of inverse kinematics and muscle analysis."""

from pathlib import Path

import numpy as np
import pytest

from ceinms_torch.errors import DataError, FileFormatError
from ceinms_torch.geometry.coordinates import read_coordinates
from ceinms_torch.geometry.pose_files import dof_of_file, read_samples
from ceinms_torch.io.storage import write_storage
from smooth_leg import write_files


@pytest.mark.parametrize(
    ("name", "dof"),
    [
        ("walk_MuscleAnalysis_MomentArm_knee_angle_r.sto", "knee_angle_r"),
        ("MomentArm_knee_angle_r.sto", "knee_angle_r"),
        ("ma_hip_flexion_r.sto", "hip_flexion_r"),
        ("arms.csv", None),
    ],
)
def test_the_dof_is_in_the_name(name, dof):
    assert dof_of_file(Path("folder") / name) == dof


def test_poses_are_those_of_common_times(tmp_path):
    files = write_files(tmp_path)
    motion = read_coordinates(files["motion"])
    arms = {"knee_angle": files["knee_angle"]}
    whole = read_samples(motion, files["lengths"], arms)
    assert whole.n_pose == 120
    assert whole.mtu_names == ("semiten", "vaslat", "gaslat")  # those with an arm about the knee
    named = read_samples(motion, files["lengths"], arms, mtu_names=["soleus", "gaslat"])
    assert named.mtu_names == ("soleus", "gaslat")
    assert np.abs(named.moment_arm[:, 0, 0]).max() == 0.0
    time = motion.time[10:50:2] + 2e-5  # another rate and digits
    write_storage(
        tmp_path / "part.sto", time, ["soleus"], np.ones((len(time), 1)), name="L", units="m"
    )
    part = read_samples(motion, tmp_path / "part.sto", {})
    np.testing.assert_array_equal(part.coordinates, motion.values[10:50:2])


def test_other_times_and_quantities_are_refused(tmp_path):
    files = write_files(tmp_path)
    motion = read_coordinates(files["motion"])
    late = tmp_path / "late.sto"
    write_storage(late, motion.time + 100.0, ["soleus"], np.ones((120, 1)), name="L", units="m")
    with pytest.raises(DataError, match=r"late.sto: expected times of the motion.*none of them"):
        read_samples(motion, late, {})
    write_storage(late, motion.time, ["x"], np.ones((120, 1)), name="L", units="m")
    with pytest.raises(FileFormatError, match="moment arms of the MTUs that have lengths"):
        read_samples(motion, files["lengths"], {"knee_angle": late})
    force = tmp_path / "force.sto"
    label = "/forceset/soleus|tendon_force"
    write_storage(force, motion.time, [label], np.ones((120, 1)), name="F", units="N")
    with pytest.raises(FileFormatError, match="a MTU length of 'soleus', got '/forceset/soleus"):
        read_samples(motion, force, {})
