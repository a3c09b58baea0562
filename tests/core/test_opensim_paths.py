"""Polynomial paths against OpenSim, on the public walk of its example3DWalking."""

import re

import numpy as np
import pytest

import ceinms_torch as ct
from ceinms_torch.errors import OptionError
from ceinms_torch.geometry.poses import draw_poses
from ceinms_torch.io.storage import read_storage, write_storage
from ceinms_torch.osim.model_file import read_model
from ceinms_torch.osim.model_poses import coordinate_paths, own_coordinates, sample_model
from ceinms_torch.osim.process import OpenSim

# Toes, which stand still in this walk.
pytestmark = pytest.mark.filterwarnings("ignore:the motion has no column for mtp_angle")

# Of the right leg, of one to four coordinates.
MTUS = (
    "soleus_r",
    "tibant_r",
    "vaslat_r",
    "gasmed_r",
    "gaslat_r",
    "glmed1_r",
    "psoas_r",
    "semiten_r",
)
LEG = ("hip_flexion_r", "hip_adduction_r", "hip_rotation_r", "knee_angle_r", "ankle_angle_r")


@pytest.fixture(scope="module")
def walk(shared_dir):
    folder = shared_dir / "data" / "walking_opensim"
    if not folder.is_dir():
        pytest.skip(f"no recordings at {folder}")
    return folder


@pytest.fixture(scope="module")
def motion(walk, tmp_path_factory):
    """The distributed motion, at 50 Hz; its header says 40 columns, and there are 32."""
    text = (walk / "coordinates.sto").read_text(encoding="utf-8")
    file = tmp_path_factory.mktemp("motion") / "coordinates.sto"
    file.write_text(text.replace("nColumns=40", "nColumns=32"), encoding="utf-8")
    whole = read_storage(file)
    write_storage(
        file,
        whole.time[::20],
        [whole.paths[name] for name in whole.columns],
        whole.values[::20],
        name="Coordinates",
        units="",
    )
    return file


@pytest.fixture(scope="module")
def model(walk):
    return read_model(walk / "subject_walk_scaled.osim")


@pytest.fixture(scope="module")
def opensim():
    try:
        return OpenSim.find()
    except OptionError as error:
        pytest.skip(f"no interpreter with opensim ({error})")


@pytest.fixture(scope="module")
def truth(opensim, model, motion):
    """What OpenSim says of the walk."""
    moved = ct.read_coordinates(motion, among=own_coordinates(model))
    found = opensim.muscle_analysis(model.path, motion, dofs=LEG, mtus=MTUS)
    return ct.PoseSamples(
        coordinate_names=moved.names,
        coordinates=moved.values,
        mtu_names=found.length.columns,
        mtu_length=found.length.values,
        dof_names=LEG,
        moment_arm=np.stack([found.arms[dof].values for dof in LEG], axis=1),
    )


def test_the_distributed_paths_are_close(walk, truth):
    errors = ct.path_errors(ct.read_paths(walk / "walk_FunctionBasedPathSet.xml"), truth)
    assert np.median([one.length_rms for one in errors]) < 2e-4
    arms = [rms for one in errors for rms in one.arm_rms.values()]
    assert np.median(arms) < 5e-4
    assert max(arms) < 2e-3


def test_the_lateral_gastrocnemius_is_named_and_nothing_else(model, truth):
    crossed = {name: model.coordinates_of(name) for name in MTUS}
    (found,) = ct.check_moment_arms(truth, coordinates=crossed).contradictions
    assert (found.mtu, found.dof) == ("gaslat_r", "knee_angle_r")
    assert 0.008 < found.rms < 0.013
    assert found.given / found.derived > 1.8  # about twice below 40 degrees


def test_our_own_fit_is_closer(opensim, model, motion, truth, tmp_path):
    moved = ct.read_coordinates(motion, among=own_coordinates(model))
    samples = sample_model(opensim, model, moved, mtus=MTUS, n_pose=150)
    crossed = {name: model.coordinates_of(name) for name in MTUS}
    fit = ct.fit_paths(samples, coordinates=crossed, coordinate_paths=coordinate_paths(model))
    assert [(one.mtu, one.dof) for one in fit.contradictions] == [("gaslat_r", "knee_angle_r")]
    errors = {one.mtu: one for one in ct.path_errors(fit.paths, truth)}
    lengths = [one.length_rms for one in errors.values()]
    assert np.median(lengths) < 5e-5
    assert max(lengths) < 5e-4
    arms = {(mtu, dof): rms for mtu, one in errors.items() for dof, rms in one.arm_rms.items()}
    assert 0.008 < arms.pop(("gaslat_r", "knee_angle_r")) < 0.013
    assert np.median(list(arms.values())) < 2e-4
    assert max(arms.values()) < 2e-3
    # OpenSim reads the file and means the same by it.
    ct.write_paths(fit.paths, tmp_path / "paths.xml")
    text = (model.path).read_text(encoding="utf-8")
    for path in re.findall(
        r"<FunctionBasedPath .*?</FunctionBasedPath>",
        (tmp_path / "paths.xml").read_text(encoding="utf-8"),
        flags=re.DOTALL,
    ):
        name = re.search(r'name="/forceset/(\w+)"', path)[1]
        muscle = re.search(rf'<\w+Muscle name="{name}">.*?</\w+Muscle>', text, flags=re.DOTALL)[0]
        inside = path.replace(f'name="/forceset/{name}"', 'name="path"')
        other = re.sub(r"<GeometryPath .*?</GeometryPath>", inside, muscle, flags=re.DOTALL)
        text = text.replace(muscle, other)
    changed = tmp_path / "model.osim"
    changed.write_text(text, encoding="utf-8")
    found = opensim.muscle_analysis(changed, motion, dofs=LEG[3:], mtus=["gasmed_r", "gaslat_r"])
    paths = ct.read_paths(changed).select(["gasmed_r", "gaslat_r"])
    expected = paths.evaluate(truth.columns(paths.coordinate_names), LEG[3:])
    # Digits of the states that OpenSim assembles again.
    np.testing.assert_allclose(found.length.values, expected.mtu_length, atol=1e-8)
    for i, dof in enumerate(LEG[3:]):
        arms = found.arms[dof].values
        np.testing.assert_allclose(arms, expected.moment_arm[:, i], atol=1e-8)


def test_poses_are_drawn_around_the_walk(model, motion):
    moved = ct.read_coordinates(motion, among=own_coordinates(model))
    poses = draw_poses(moved, 90, vary=LEG, spread=0.2, ranges={"knee_angle_r": (0.0, 2.0)})
    assert len(poses.values) == 90
    assert (poses.values[0] == moved.values[0]).all()
    knee = poses.values[:, poses.names.index("knee_angle_r")]
    low = min(0.0, moved.values[:, moved.names.index("knee_angle_r")].min())
    assert low <= knee.min() < low + 0.05
    others = [i for i, name in enumerate(poses.names) if name not in LEG]
    frames = {tuple(row) for row in moved.values[:, others]}
    assert {tuple(row) for row in poses.values[:, others]} <= frames
