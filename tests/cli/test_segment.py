"""``ceinms-torch segment``, and ``convert`` of a C3D file, as users run them."""

import csv
import dataclasses
import json
import subprocess

import numpy as np
import pytest

from c3d_files import write_c3d
from ceinms_torch.io.storage import read_storage, write_storage
from ceinms_torch.model.input_data import InputData
from ceinms_torch.recordings.ground_force_files import read_ground_forces, write_ground_forces
from ceinms_torch.recordings.trc import read_trc, write_trc
from command_line import listing, run_command
from gait_forces import walk


@pytest.fixture(scope="module")
def walked():
    return walk(n_stride=3)


@pytest.fixture
def forces_file(walked, tmp_path):
    write_ground_forces(tmp_path / "grf.mot", walked[0])
    return tmp_path / "grf.mot"


@pytest.fixture
def trial_file(walked, tmp_path):
    """A trial as long as the recording, of made-up tables."""
    folder = tmp_path / "trial"
    time = walked[0].time[::2]
    wave = np.sin(time)[:, None]
    for name, columns in (("lmt", ["soleus_r"]), ("ma", ["soleus_r"]), ("id", ["ankle_angle_r"])):
        write_storage(folder / f"{name}.sto", time, columns, wave, name=name, units="m")
    fine = walked[0].time
    emg = np.sin(fine)[:, None]
    write_storage(folder / "emg.sto", fine, ["soleus"], emg, name="EMG", units="-")
    InputData(
        name="trial",
        muscle_tendon_length_file=folder / "lmt.sto",
        moment_arms_files={"ankle_angle_r": folder / "ma.sto"},
        excitations_file=folder / "emg.sto",
        external_torques_file=folder / "id.sto",
    ).write(folder / "inputData.xml")
    return folder / "inputData.xml"


def rows_of(folder):
    with (folder / "cycles.csv").open(encoding="utf-8") as table:
        return list(csv.DictReader(table))


def test_table_and_settings(walked, forces_file, tmp_path):
    done = run_command("segment", forces_file, without_torch=tmp_path / "poison")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "grf_results"
    rows = rows_of(folder)
    right = [row for row in rows if row["foot"] == "right"]
    times = walked[2]["right"]
    assert [float(row["start [s]"]) for row in right] == [on for on, _ in times[:-1]]
    assert [float(row["foot off [s]"]) for row in right] == [off for _, off in times[:-1]]
    assert [float(row["stop [s]"]) for row in right] == [on for on, _ in times[1:]]
    assert {row["used"] for row in rows} == {"yes"}
    study = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    assert study["settings"]["contacts"]["threshold"] == 20.0
    assert list(study["inputs"]) == [forces_file.resolve().as_posix()]
    assert study["versions"]["ceinms-torch"]
    assert "right: 3 complete contacts at 20 N, 0 of them doubtful" in done.stdout
    again = run_command("segment", forces_file, "--loaded", "25")
    assert f"earlier results are overwritten: {folder / 'cycles.csv'}" in again.stderr


def test_trials_with_start_and_stop(walked, forces_file, trial_file, tmp_path):
    out = tmp_path / "out"
    done = run_command(
        *("segment", forces_file, "--phase", "stance", "--foot", "right"),
        *("--trial", trial_file, "--out", out),
    )
    assert done.returncode == 0, done.stderr
    for i, times in enumerate(walked[2]["right"]):
        data = InputData.read(out / f"trial_r{i + 1:02d}.xml")
        assert data.start_stop_time == times
        assert data.muscle_tendon_length_file.resolve() == trial_file.parent / "lmt.sto"


def test_tables_that_are_cut(walked, forces_file, trial_file, tmp_path):
    write_trc(tmp_path / "markers.trc", walked[1])
    out = tmp_path / "out"
    done = run_command(
        *("segment", forces_file, "--foot", "right", "--trial", trial_file, "--cut"),
        *("--file", tmp_path / "markers.trc", "--before", "0.3", "--after", "0.1", "--out", out),
    )
    assert done.returncode == 0, done.stderr
    start, stop = walked[2]["right"][0][0], walked[2]["right"][1][0]
    data = InputData.read(out / "trial_r01" / "inputData.xml")
    assert data.start_stop_time is None
    for file in (data.muscle_tendon_length_file, data.external_torques_file):
        table = read_storage(file)
        assert (table.time[0], table.time[-1]) == (start, stop)
        np.testing.assert_array_equal(table.values[:, 0], np.sin(table.time))
    for time in (
        read_storage(data.excitations_file).time,
        read_trc(out / "trial_r01" / "markers.trc").time,
    ):
        np.testing.assert_allclose((time[0], time[-1]), (start - 0.3, stop + 0.1), atol=1e-9)


def test_tables_of_one_name_in_several_folders(forces_file, trial_file, tmp_path):
    data = InputData.read(trial_file)
    other = trial_file.parent / "other" / "lmt.sto"
    dense = np.arange(0.0, 4.0, 0.01)
    write_storage(other, dense, ["soleus_r"], 7.0 + 0.0 * dense[:, None], name="arms", units="m")
    dataclasses.replace(data, moment_arms_files={"ankle_angle_r": other}).write(trial_file)
    done = run_command(
        *("segment", forces_file, "--foot", "right", "--trial", trial_file, "--cut"),
    )
    assert done.returncode == 0, done.stderr
    cut = InputData.read(tmp_path / "grf_results" / "trial_r01" / "inputData.xml")
    assert cut.moment_arms_file("ankle_angle_r").name == "lmt_2.sto"
    assert (read_storage(cut.moment_arms_file("ankle_angle_r")).values == 7.0).all()
    assert (read_storage(cut.muscle_tendon_length_file).values < 1.1).all()


def test_cycle_without_its_padding_is_left_out(forces_file, trial_file, tmp_path):
    done = run_command(
        *("segment", forces_file, "--trial", trial_file, "--before", "0.5", "--foot", "right"),
    )
    assert done.returncode == 0, done.stderr
    first, second = rows_of(tmp_path / "grf_results")
    assert first["used"] == "no"
    assert first["why not"] == "'emg.sto' has 0 to 3.955 s, needed is -0.2 to 1.4 s"
    assert second["used"] == "yes"


def test_movements(tmp_path):
    time = np.arange(500) / 100.0
    angle = 90.0 * np.sin(np.pi * np.clip(time - 1.0, 0.0, 3.0) / 3.0) ** 2
    write_storage(tmp_path / "ik.sto", time, ["elv"], angle[:, None], name="IK", units="deg")
    done = run_command("segment", tmp_path / "ik.sto", "--of", "elv", "--phase", "up")
    assert done.returncode == 0, done.stderr
    (row,) = rows_of(tmp_path / "ik_results")
    assert (row["cycle"], row["phase"], row["stop [s]"]) == ("m01", "up", row["peak [s]"])


def test_c3d_by_plates_and_by_events(walked, tmp_path):
    pytest.importorskip("ezc3d", reason="C3D files are read by ezc3d, which is not installed")
    forces, markers, truth = walked
    events = [("Foot Strike", "Right", on) for on, _ in truth["right"]]
    events += [("Foot Off", "Right", off) for _, off in truth["right"][:-2]]
    path = write_c3d(tmp_path / "walk.c3d", forces, markers, events=events)
    for way in ("forces", "events"):
        done = run_command("segment", path, "--by", way, "--out", tmp_path / way)
        assert done.returncode == 0, done.stderr
    by_forces = [row for row in rows_of(tmp_path / "forces") if row["foot"] == "right"]
    by_events = rows_of(tmp_path / "events")
    assert [row["used"] for row in by_events] == ["yes", "no"]
    assert "no foot off" in by_events[1]["why not"]
    for one, other in zip(by_forces, by_events, strict=True):
        assert float(one["start [s]"]) == pytest.approx(float(other["start [s]"]), abs=0.0051)


def test_files_of_a_c3d(walked, tmp_path):
    pytest.importorskip("ezc3d", reason="C3D files are read by ezc3d, which is not installed")
    forces, markers, _ = walked
    events = [("Foot Strike", "Right", 0.3)]
    path = write_c3d(tmp_path / "walk.c3d", forces, markers, events=events, emg=True)
    done = run_command("convert", path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "walk_results"
    again = read_ground_forces(folder / "walk_external_loads.xml")
    for foot in ("right", "left"):
        np.testing.assert_allclose(
            again.vertical(foot)[::2], forces.vertical(foot), rtol=3e-7, atol=1e-4
        )
    np.testing.assert_allclose(
        read_trc(folder / "walk.trc").positions, markers.positions, rtol=0.0, atol=1e-6
    )
    assert read_storage(folder / "walk_analogs.sto").columns == ("R_Soleus",)
    assert (folder / "walk_events.csv").read_text(encoding="utf-8").splitlines() == [
        "time [s],event,foot",
        "0.3,Foot Strike,right",
    ]
    assert json.loads((folder / "study.json").read_text(encoding="utf-8"))["plates"] == {
        "1": "right",
        "2": "left",
    }


def test_opensim_reads_what_is_converted(opensim, walked, tmp_path):
    pytest.importorskip("ezc3d", reason="C3D files are read by ezc3d, which is not installed")
    forces, markers, _ = walked
    positions = markers.positions.copy()
    positions[3:6, -1] = np.nan  # the last marker: an empty cell at the end of a row
    path = write_c3d(
        tmp_path / "walk.c3d", forces, dataclasses.replace(markers, positions=positions)
    )
    assert run_command("convert", path, "--out", tmp_path).returncode == 0
    script = """
import opensim, sys
folder = sys.argv[1]
markers = opensim.TimeSeriesTableVec3(folder + "/walk.trc")
forces = opensim.TimeSeriesTable(folder + "/walk.mot")
loads = opensim.ExternalLoads(folder + "/walk_external_loads.xml", True)
bodies = [loads.get(i).get_applied_to_body() for i in range(loads.getSize())]
peak = max(forces.getDependentColumn("ground_force_r_vy").to_numpy())
print(markers.getNumRows(), markers.getNumColumns(), round(peak, 2), *bodies)
"""
    # OpenSim writes opensim.log where it is started.
    done = subprocess.run(
        [opensim.python, "-c", script, tmp_path],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    peak = forces.vertical("right").max()
    said = f"{len(markers.time)} {len(markers.names)} {peak:.2f} calcn_r calcn_l"
    assert done.stdout.splitlines()[-1] == said


def test_plates_that_are_not_zero(walked, tmp_path):
    pytest.importorskip("ezc3d", reason="C3D files are read by ezc3d, which is not installed")
    forces, markers, _ = walked
    plates = tuple(
        dataclasses.replace(one, force=one.force + np.array([0.0, 14.0, 0.0]))
        for one in forces.plates
    )
    path = write_c3d(tmp_path / "walk.c3d", dataclasses.replace(forces, plates=plates), markers)
    done = run_command("convert", path)
    assert "plate 1 reads 14.0 N, plate 2 reads 14.0 N, which is in the forces" in done.stderr
    done = run_command("convert", path, "--zero", "--out", tmp_path / "zero")
    assert "--zero" not in done.stderr
    again = read_ground_forces(tmp_path / "zero" / "walk.mot")
    np.testing.assert_allclose(again.vertical("left")[::2], forces.vertical("left"), atol=1e-3)
    assert (again.vertical("left") == 0.0).mean() > 0.3


# ---- Faults: one message, nothing written -----------------------------------------------


def refused(tmp_path, *arguments):
    before = listing(tmp_path)
    done = run_command(*arguments)
    assert done.returncode == 1
    assert done.stderr.count("error:") == 1
    assert "Traceback" not in done.stderr
    assert listing(tmp_path) == before
    return done.stderr


def test_plates_that_are_swapped(walked, tmp_path):
    forces, markers, _ = walked
    right, left = forces.plates
    swapped = (dataclasses.replace(right, foot="left"), dataclasses.replace(left, foot="right"))
    write_ground_forces(tmp_path / "grf.mot", dataclasses.replace(forces, plates=swapped))
    write_trc(tmp_path / "walk.trc", markers)
    said = refused(tmp_path, "segment", tmp_path / "grf.mot", "--markers", tmp_path / "walk.trc")
    assert "The plates are swapped" in said


def test_markers_in_mm_that_are_said_to_be_in_m(walked, forces_file, tmp_path):
    trc = tmp_path / "walk.trc"
    write_trc(trc, walked[1])
    trc.write_text(trc.read_text(encoding="utf-8").replace("\tmm\t", "\tm\t"), encoding="utf-8")
    said = refused(tmp_path, "segment", forces_file, "--markers", trc)
    assert f"{trc}:3: Units: expected markers that are" in said
    assert "The coordinates seem to be in mm" in said


def test_recording_without_a_cycle(tmp_path):
    forces, _, _ = walk(n_stride=1)
    write_ground_forces(tmp_path / "grf.mot", forces)
    said = refused(tmp_path, "segment", tmp_path / "grf.mot")
    assert "got complete contacts: 1 right, 1 left" in said
    assert "--phase stance" in said


def test_recording_without_a_stance(walked, tmp_path):
    still = tuple(dataclasses.replace(one, force=0.0 * one.force) for one in walked[0].plates)
    write_ground_forces(tmp_path / "grf.mot", dataclasses.replace(walked[0], plates=still))
    said = refused(tmp_path, "segment", tmp_path / "grf.mot", "--phase", "stance")
    assert "whose greatest force is 0 N" in said


@pytest.mark.parametrize("has_events", [True, False])
def test_c3d_without_plates(walked, tmp_path, has_events):
    pytest.importorskip("ezc3d", reason="C3D files are read by ezc3d, which is not installed")
    events = [("Foot Strike", "Right", 0.3)] if has_events else []
    path = write_c3d(tmp_path / "a.c3d", *walked[:2], plates=False, events=events)
    said = refused(tmp_path, "segment", path)
    assert "FORCE_PLATFORM: expected force plates, got a recording without any" in said
    assert ("--by events" in said) == has_events


def test_c3d_without_ezc3d(tmp_path, monkeypatch):
    (tmp_path / "poison").mkdir()
    (tmp_path / "poison" / "ezc3d.py").write_text("raise ImportError('no ezc3d here')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "poison"))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    header = bytearray(2048)
    header[:2], header[512:520] = b"\x02\x50", b"\x01\x50\x02\x54\x00\x00\x00\x00"
    (tmp_path / "a.c3d").write_bytes(header)
    for command in ("segment", "convert"):
        said = refused(tmp_path, command, tmp_path / "a.c3d")
        assert "pip install 'ceinms-torch[c3d]'" in said


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--by", "peaks"], "--of COLUMN"),
        (["--lowest"], "--of COLUMN"),
        (["--of", "knee", "--foot", "right"], "--foot"),
        (["--cut"], "with --trial"),
        (["--phase", "up"], "cycle or stance"),
        (["--feet", "3=right"], "a plate of"),
        (["--loaded", "0"], "threshold"),
        (["--before", "-1"], "0 s or more"),
        (["--by", "events"], "C3D"),
    ],
)
def test_options_that_do_not_fit(forces_file, tmp_path, options, says):
    assert says in refused(tmp_path, "segment", forces_file, *options)


def test_options_of_recordings_are_not_for_other_files(forces_file, tmp_path):
    said = refused(tmp_path, "convert", forces_file, "--zero")
    assert "--zero: expected a recording (.c3d)" in said
