"""OpenSim in a process of its own: what it computes, and what becomes of what goes wrong."""

import ast
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import planar_leg
from ceinms_torch.errors import CeinmsTorchWarning, DataError, FileFormatError, OptionError
from ceinms_torch.io.storage import read_storage, write_storage
from ceinms_torch.osim import process
from ceinms_torch.osim.process import VARIABLE, OpenSim

TIME = np.arange(121) / 100.0
JOBS = Path(process.__file__).parent / "opensim_jobs"


@pytest.fixture(scope="module")
def leg(tmp_path_factory):
    """A folder with the planar leg, its motion, markers and tasks."""
    folder = tmp_path_factory.mktemp("leg")
    motion = planar_leg.Motion(TIME)
    planar_leg.write_model(folder / "leg.osim")
    motion.storage(folder / "motion.sto")
    motion.storage(folder / "degrees.mot", degrees=True)
    motion.markers(folder / "markers.trc")
    planar_leg.write_tasks(folder / "tasks.xml")
    return folder


@pytest.mark.parametrize("file", ["motion.sto", "degrees.mot"])
def test_muscle_analysis_is_geometry(opensim, leg, file):
    found = opensim.muscle_analysis(leg / "leg.osim", leg / file, dofs=planar_leg.DOFS)
    motion = planar_leg.Motion(TIME)
    np.testing.assert_allclose(found.length.time, TIME, atol=1e-12)
    for mtu in planar_leg.MUSCLES:
        np.testing.assert_allclose(found.length.column(mtu), motion.length(mtu), atol=1e-9)
        for dof in planar_leg.DOFS:
            arm = found.arms[dof].column(mtu)
            np.testing.assert_allclose(arm, motion.arm(mtu, dof), atol=1e-9)


def test_muscles_that_do_not_act_are_left_out(opensim, leg):
    found = opensim.muscle_analysis(
        leg / "leg.osim", leg / "motion.sto", dofs=["ankle_angle_r"], least_arm=1e-3
    )
    assert found.length.columns == ("soleus_r", "gasmed_r")


def test_inverse_kinematics_finds_the_angles(opensim, leg, monkeypatch):
    monkeypatch.chdir(leg)  # names are relative to it, and stay so
    found = opensim.inverse_kinematics("leg.osim", "markers.trc", "tasks.xml")
    angles = np.degrees(planar_leg.Motion(TIME).angle())
    np.testing.assert_allclose(found.motion.select(planar_leg.DOFS), angles, atol=0.02)
    assert found.motion.in_degrees
    assert found.frame_largest.max() < 1e-4  # the accuracy that the tool aims at is as coarse
    assert set(found.marker_rms) == set(planar_leg.MARKERS)
    assert Path.cwd().samefile(leg)
    assert {one.name for one in leg.iterdir()} == {
        "leg.osim",
        "motion.sto",
        "degrees.mot",
        "markers.trc",
        "tasks.xml",
    }


def test_markers_that_do_not_count_are_named(opensim, leg, tmp_path):
    tasks = planar_leg.write_tasks(tmp_path / "tasks.xml", ["K1", "K2", "A1", "X9"])
    found = opensim.inverse_kinematics(leg / "leg.osim", leg / "markers.trc", tasks)
    assert found.lacking == {"X9": "model"}
    tasks = planar_leg.write_tasks(tmp_path / "tasks.xml", ["X9"])
    with pytest.raises(FileFormatError, match=r"markers that the model, its tasks and the rec"):
        opensim.inverse_kinematics(leg / "leg.osim", leg / "markers.trc", tasks)


def test_inverse_dynamics_is_newtons(opensim, leg):
    found = opensim.inverse_dynamics(leg / "leg.osim", leg / "motion.sto", lowpass=None)
    motion = planar_leg.Motion(TIME)
    # About the ankle: the foot's weight and inertia.
    mass, depth, inertia = planar_leg.BODIES["foot"]
    arm = motion.turned("foot", (0.0, -depth, 0.0)) - motion.turned("foot", (0.0, 0.0, 0.0))
    moment = np.cross(arm, motion.reaction({})[:, 1])[:, 2]
    moment += inertia * motion.angle(2).sum(axis=1)
    inside = slice(10, -10)  # splines are worst at the ends
    ankle = found.column("ankle_angle_r_moment")
    np.testing.assert_allclose(ankle[inside], moment[inside], atol=1e-4)
    assert mass * depth > 0.0


def test_motion_without_a_coordinate_is_refused(opensim, leg, tmp_path):
    angles = planar_leg.Motion(TIME).angle()
    file = tmp_path / "half.sto"
    write_storage(file, TIME, ["knee_angle_r"], angles[:, :1], name="half", units="rad")
    with pytest.raises(DataError, match="none for ankle_angle_r") as error:
        opensim.inverse_dynamics(leg / "leg.osim", file)
    assert error.value.code == "motion-lacks-coordinate"
    with pytest.raises(DataError, match="ankle_angle_r: expected a column for every DOF"):
        opensim.muscle_analysis(leg / "leg.osim", file, dofs=["ankle_angle_r"])
    with pytest.warns(CeinmsTorchWarning, match="no column for ankle_angle_r"):
        opensim.muscle_analysis(leg / "leg.osim", file, dofs=["knee_angle_r"])


def test_degrees_called_radians_are_refused(opensim, leg, tmp_path):
    file = tmp_path / "degrees.sto"
    angles = np.degrees(planar_leg.Motion(TIME).angle())
    write_storage(file, TIME, planar_leg.DOFS, angles, name="degrees", units="rad")
    with pytest.raises(DataError, match="ankle_angle_r: expected rotations of less than a turn"):
        opensim.inverse_dynamics(leg / "leg.osim", file)


def test_a_motion_of_opensim_4_may_have_speeds_beside_values(opensim, leg, tmp_path):
    file = tmp_path / "states.sto"
    motion = planar_leg.Motion(TIME)
    paths = ["/jointset/knee_r/knee_angle_r", "/jointset/ankle_r/ankle_angle_r"]
    labels = [f"{path}/{what}" for path in paths for what in ("value", "speed")]
    table = np.stack((motion.angle(), motion.angle(1)), axis=2).reshape(len(TIME), -1)
    write_storage(file, TIME, labels, table, name="states", units="rad")
    found = opensim.muscle_analysis(leg / "leg.osim", file, dofs=planar_leg.DOFS)
    np.testing.assert_allclose(
        found.length.column("gasmed_r"), motion.length("gasmed_r"), atol=1e-9
    )


def test_external_loads_must_cover_the_times(opensim, leg, tmp_path):
    names = [f"plate_{what}{axis}" for what in "vp" for axis in "xyz"]
    forces = np.zeros((61, 6))
    write_storage(tmp_path / "forces.sto", TIME[:61], names, forces, name="forces", units="N")
    loads = tmp_path / "loads.xml"
    loads.write_text("""<?xml version="1.0" encoding="UTF-8" ?>
<OpenSimDocument Version="40000"><ExternalLoads name="loads"><objects><ExternalForce name="plate">
<applied_to_body>foot</applied_to_body><force_expressed_in_body>ground</force_expressed_in_body>
<point_expressed_in_body>ground</point_expressed_in_body><force_identifier>plate_v
</force_identifier><point_identifier>plate_p</point_identifier></ExternalForce></objects>
<datafile>forces.sto</datafile></ExternalLoads></OpenSimDocument>
""")
    with pytest.raises(DataError, match=r"expected forces from 0 to 1.2 s, got 0 to 0.6 s"):
        opensim.inverse_dynamics(leg / "leg.osim", leg / "motion.sto", external_loads=loads)
    loads.write_text(loads.read_text().replace("plate_v", "nothing_v"))
    with pytest.raises(FileFormatError, match="three columns whose labels begin with 'nothing_v'"):
        opensim.inverse_dynamics(leg / "leg.osim", leg / "motion.sto", external_loads=loads)


def test_what_opensim_refuses_is_one_error(opensim, tmp_path, leg):
    broken = tmp_path / "broken.osim"
    broken.write_text((leg / "leg.osim").read_text().replace("/bodyset/foot<", "/bodyset/foal<"))
    with pytest.raises(FileFormatError, match="expected a model that OpenSim reads") as error:
        opensim.muscle_analysis(broken, leg / "motion.sto", dofs=planar_leg.DOFS)
    assert error.value.where.file == broken.resolve()


# ---- Without OpenSim --------------------------------------------------------------------


def test_without_opensim_there_is_one_message(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(OptionError, match=r"pip install 'ceinms-torch\[opensim\]'") as error:
        OpenSim.find()
    assert error.value.code == "opensim-missing"


def test_an_interpreter_that_is_none_is_named(tmp_path):
    with pytest.raises(OptionError, match="nowhere"):
        OpenSim.find(tmp_path / "nowhere")


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Make `import opensim` of another interpreter do something."""

    def install(code):
        (tmp_path / "opensim.py").write_text(
            "class Logger:\n    setLevelString = staticmethod(lambda _: None)\n"
            f"def GetVersion():\n{textwrap.indent(code, '    ')}\n"
        )
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return install


def test_what_opensim_prints_does_not_disturb(stand_in):
    stand_in("import os\nprint('{}')\nos.write(1, b'[error] mess\\n')\nreturn '4.6'")
    opensim = OpenSim.find(sys.executable)
    assert opensim.version == "4.6"
    assert "mess" in opensim.log


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise RuntimeError('no licence')", "got no licence"),
        ("import os\nos.write(2, b'bad news\\n')\nos.abort()", "bad news"),
        ("import os\nos._exit(3)", "exit status 3"),
    ],
)
def test_a_process_that_fails_says_why(stand_in, code, message):
    stand_in(code)
    with pytest.raises(DataError, match=message) as error:
        OpenSim.find(sys.executable)
    assert error.value.code == "opensim-failed"


def test_an_interpreter_without_opensim_is_named(tmp_path, monkeypatch):
    (tmp_path / "opensim.py").write_text("raise ImportError('no module of that kind')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(OptionError, match="no module of that kind"):
        OpenSim.find(sys.executable)


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c_ends_the_other_process(stand_in, tmp_path):
    mark = tmp_path / "pid"
    stand_in(
        f"import os, pathlib, time\npathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\n"
        "time.sleep(60)"
    )
    stopper = threading.Thread(target=_interrupt_when_there, args=(mark,))
    stopper.start()
    with pytest.raises(KeyboardInterrupt):
        OpenSim.find(sys.executable)
    stopper.join()
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


def _interrupt_when_there(mark):
    while not (mark.exists() and mark.read_text()):
        time.sleep(0.01)
    signal.raise_signal(signal.SIGINT) if os.name == "nt" else os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("file", sorted(JOBS.glob("*.py")), ids=lambda file: file.stem)
def test_jobs_are_for_older_interpreters_too(file):
    tree = ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 9))
    modules = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and not node.level
    }
    assert not any("ceinms_torch" in name for name in modules), "there is no such package there"


def test_the_package_never_imports_opensim():
    code = (
        "import sys, ceinms_torch.osim.process, ceinms_torch.loads; print('opensim' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout.strip() == "False"


def test_storage_is_written_as_it_was_read(tmp_path):
    write_storage(
        tmp_path / "a.sto",
        [0.0, 0.5],
        ["x"],
        [[1.0], [2.0]],
        name="a",
        units="deg",
        in_degrees=True,
    )
    one = read_storage(tmp_path / "a.sto")
    one.write(tmp_path / "b.sto")
    assert (tmp_path / "a.sto").read_bytes() == (tmp_path / "b.sto").read_bytes()
