"""Joint loads of a real walk, beside OpenSim's own tools."""

import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest

from ceinms_torch.errors import CeinmsTorchWarning, DataError
from ceinms_torch.io.storage import read_storage
from ceinms_torch.loads.joint_loads import joint_loads
from ceinms_torch.loads.maps import load_maps

JOINTS = ("hip_r", "walker_knee_r", "ankle_r")
DOFS = ("hip_flexion_r", "knee_angle_r", "ankle_angle_r")
# The peaks of all three joints are in it.
TIMES = (0.80, 0.86)


@pytest.fixture(scope="module")
def walk(opensim, shared_dir, tmp_path_factory):
    """Model, motion and external loads, and what OpenSim makes of them."""
    data = shared_dir / "data" / "walking_opensim"
    if not data.is_dir():
        pytest.skip(f"no recording in {data}")
    folder = tmp_path_factory.mktemp("walk")
    model = data / "subject_walk_scaled.osim"
    found = opensim.inverse_kinematics(model, data / "markers_walk.trc", data / "ik_tasks_walk.xml")
    motion = folder / "motion.sto"
    found.motion.write(motion)
    loads = folder / "loads.xml"
    text = (data / "grf_walk.xml").read_text(encoding="utf-8")
    loads.write_text(text.replace(">grf_walk.mot<", f">{data / 'grf_walk.mot'}<"))
    script = Path(__file__).parent.parent / "opensim_reference.py"
    subprocess.run(
        [opensim.python, script, model, motion, loads, folder, *map(str, TIMES)],
        check=True,
        capture_output=True,
        cwd=folder,
    )
    return model, motion, loads, folder


@pytest.fixture(scope="module")
def forces(walk):
    """Forces of static optimisation."""
    return read_storage(walk[3] / "reference_StaticOptimization_force.sto")


@pytest.fixture(scope="module")
def maps(opensim, walk, forces):
    model, motion, loads, _ = walk
    return load_maps(
        opensim,
        model,
        motion,
        forces.time,
        also=forces.columns,
        joints=JOINTS,
        external_loads=loads,
    )


def of_muscles(maps, forces):
    return {name: forces.column(name) for name in maps.actuators}


def test_peaks_of_static_optimisation(maps, forces):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing about them is doubtful
        loads = joint_loads(maps, of_muscles(maps, forces))
    peaks = [one.body_weights for one in loads.peaks]
    np.testing.assert_allclose(peaks, [4.37, 4.19, 5.31], atol=0.05)
    without = [one.without_muscles for one in loads.peaks]
    np.testing.assert_allclose(without, [0.91, 1.05, 1.11], atol=0.01)


@pytest.mark.parametrize(
    ("on", "frame"), [("child", "ground"), ("child", "child"), ("parent", "parent")]
)
def test_loads_are_those_of_opensims_tool(walk, maps, forces, on, frame):
    loads = joint_loads(maps, of_muscles(maps, forces), on=on, frame=frame)
    file = next(walk[3].glob(f"reference_{on}_in_{frame}_ReactionLoads*"))
    reference = read_storage(file)
    np.testing.assert_allclose(reference.time, forces.time, atol=1e-9)
    found = [name for name in loads.force.columns if not name.endswith("_f")]
    difference = reference.select(found) - np.stack([loads.force[one] for one in found], axis=1)
    assert np.abs(difference).max() / loads.body_weight < 0.002
    moments = reference.select(loads.moment.columns) - loads.moment.array
    assert np.abs(moments).max() < 0.1


def test_accelerations_are_those_of_the_motion(maps):
    assert maps.acceleration_error < 1e-3


def test_order_does_not_matter_and_a_missing_muscle_is_an_error(maps, forces):
    known = of_muscles(maps, forces)
    shuffled = dict(sorted(known.items(), key=lambda one: one[0][::-1]))
    first, second = (joint_loads(maps, one).force.array for one in (known, shuffled))
    np.testing.assert_array_equal(first, second)
    del shuffled["piri_r"]
    with pytest.raises(DataError, match="piri_r: expected forces of all 40 muscles"):
        joint_loads(maps, shuffled)
    assert len(maps.acting) == 40  # of 80: the other leg's are in no joint of this one


def test_our_static_optimisation_is_opensims(maps, forces):
    theirs = joint_loads(maps, of_muscles(maps, forces))
    ours = joint_loads(maps, {}, others="optimise")
    difference = ours.force.array - theirs.force.array
    assert np.abs(difference).max() / maps.body_weight < 0.02  # theirs stops at 1e-4


def test_what_is_doubtful_is_said(maps, forces):
    def doubts(*arguments, **options):
        with pytest.warns(CeinmsTorchWarning) as told:
            loads = joint_loads(*arguments, **options)
        assert [str(one.message) for one in told] == list(loads.doubts)
        return " ".join(loads.doubts)

    assert "reserves provide: hip_flexion_r 100 %" in doubts(maps, {}, others="silent")
    strong = {name: 2.0 * one for name, one in of_muscles(maps, forces).items()}
    assert "more than 6 body weights, but here hip_r 8." in doubts(maps, strong)


def test_lengths_and_arms_are_those_of_muscle_analysis(opensim, walk):
    model, motion, _, folder = walk
    begin = TIMES[0]
    found = opensim.muscle_analysis(
        model, motion, dofs=DOFS, least_arm=1e-3, start_stop_time=(begin, begin + 0.02)
    )
    assert 35 < len(found.length.columns) < 45  # of 80, those of this leg
    tables = {"Length": found.length}
    tables |= {f"MomentArm_{dof}": arm for dof, arm in found.arms.items()}
    for name, one in tables.items():
        reference = read_storage(folder / f"reference_MuscleAnalysis_{name}.sto")
        np.testing.assert_allclose(one.values, reference.select(one.columns), atol=1e-7)
