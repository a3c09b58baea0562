"""``ceinms-torch new``: from a laboratory's files to a folder, and on to a calibrated subject."""

import json
import shutil

import numpy as np
import pytest

import ceinms_torch as ct
from command_line import listing, run_command
from helpers import edit
from small_lab import write_lab

DOFS = "knee_angle_r,ankle_angle_r"
WALK_DOFS = "hip_flexion_r,knee_angle_r,ankle_angle_r"
# Which electrode drives what, in the walk of OpenSim's Moco example.
WALK_MAP = """\
[channels]
soleus = "soleus_r"
gastrocnemius = ["gasmed_r", "gaslat_r"]
tibialis_anterior = "tibant_r"
medial_hamstrings = ["semimem_r", "semiten_r"]
biceps_femoris = ["bflh_r", "bfsh_r"]
vastus_lateralis = { vaslat_r = 1.0, vasint_r = 0.5 }
vastus_medius = { vasmed_r = 1.0, vasint_r = 0.5 }
rectus_femoris = "recfem_r"
gluteus_maximus = ["glmax1_r", "glmax2_r", "glmax3_r"]
gluteus_medius = ["glmed1_r", "glmed2_r", "glmed3_r"]
"""


def new(folder, *options):
    """Run the command in a laboratory's folder."""
    named = ("--model", "model.osim", "--trials", "trials.csv", "--map", "emg.toml")
    rest = ("--dofs", DOFS, "--loads", "loads.xml", "--angle-cutoff", "0")
    return run_command("new", "study", *named, *rest, *options, cwd=folder)


@pytest.fixture
def lab(tmp_path):
    """Files of a laboratory."""
    write_lab(tmp_path / "lab")
    return tmp_path / "lab"


def test_folder_is_written_and_checked(lab):
    result = new(lab)
    assert (result.returncode, result.stdout) == (0, "1 note.\nresults: study\n"), result.stderr
    assert run_command("check", "calibrate.xml", "--strict", cwd=lab / "study").returncode == 0
    again = new(lab)
    assert "earlier results are overwritten: study/calibrate.xml" in again.stderr


def test_a_fault_is_one_message_and_nothing_is_written(lab):
    edit(lab / "loads.xml", "<applied_to_body>calcn_r", "<applied_to_body>calcn_l")
    before = listing(lab)
    result = new(lab)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.count("error:") == 1
    assert "from a marker of calcn_r" in result.stderr
    assert listing(lab) == before


def test_without_opensim_what_it_is_needed_for_is_said(lab, monkeypatch):
    monkeypatch.delenv("CEINMS_TORCH_OPENSIM_PYTHON", raising=False)
    text = (lab / "trials.csv").read_text()
    (lab / "trials.csv").write_text(text.replace("walk.trc,ik.mot,ma,id.sto", "walk.trc,,,"))
    result = new(lab, "--tasks", "loads.xml", "--opensim-python", lab / "no" / "python")
    assert result.returncode == 1
    assert "opensim" in result.stderr
    assert "python" in result.stderr
    assert not (lab / "study").exists()


def test_all_the_way_to_a_calibrated_subject(lab):
    result = new(lab, "--calibrate", "--quiet")
    assert result.returncode == 0, result.stderr
    content = json.loads((lab / "study" / "calibrate_results" / "result.json").read_text())
    assert list(content["test_fit"]) == ["walk_2"]
    assert (lab / "study" / "subjectCalibrated.xml").exists()


@pytest.fixture(scope="module")
def walk(tmp_path_factory, shared_dir, opensim):
    """A study of the walk of OpenSim's Moco example, from markers, forces and EMG."""
    data = shared_dir / "data" / "walking_opensim"
    folder = tmp_path_factory.mktemp("walk")
    files = f"{data / 'markers_walk.trc'},{data / 'electromyography.sto'},{data / 'grf_walk.mot'}"
    (folder / "trials.csv").write_text(
        "trial,trc,envelopes,grf,start [s],stop [s],use\n"
        f"stride_1,{files},0.266,1.411,calibration\nstance_2,{files},1.411,2.168,test\n"
    )
    (folder / "emg.toml").write_text(WALK_MAP)

    def run(python=opensim.python):
        return run_command(
            "new",
            "study",
            *("--model", data / "subject_walk_scaled.osim", "--trials", "trials.csv"),
            *("--map", "emg.toml", "--dofs", WALK_DOFS, "--tasks", data / "ik_tasks_walk.xml"),
            *("--loads", data / "grf_walk.xml", "--opensim-python", python, "--quiet"),
            cwd=folder,
        )

    return folder, run, run()


def test_walk_from_markers(walk, shared_dir):
    folder, run, result = walk
    assert result.returncode == 0, result.stderr
    assert "The moment arm of gaslat_r about knee_angle_r is not -dL/dq" in result.stderr
    assert result.stderr.count("-dL/dq") == 1
    # What the check of the folder finds are notes.
    study = folder / "study"
    assert run_command("check", "calibrate.xml", "--strict", cwd=study).returncode == 0
    model = ct.read_model(shared_dir / "data" / "walking_opensim" / "subject_walk_scaled.osim")
    subject = ct.Subject.read(study / "subjectUncalibrated.xml")
    assert len(subject.mtus) == 40
    for mtu in subject.mtus:
        muscle = model.muscle(mtu.name)
        assert mtu.optimal_fibre_length == muscle.optimal_fibre_length
        assert mtu.tendon_slack_length == muscle.tendon_slack_length
        assert mtu.pennation_angle == muscle.pennation_angle
        assert mtu.max_isometric_force == muscle.max_isometric_force
    before = {path: path.read_bytes() for path in (study / "recordings").rglob("*.sto")}
    # All is there: no interpreter is needed.
    assert run(folder / "no_python").returncode == 0
    assert {path: path.read_bytes() for path in (study / "recordings").rglob("*.sto")} == before


@pytest.mark.parametrize(
    ("options", "least"),
    [
        (("--recommended",), (0.7, 0.4, 0.9)),
        (("--hybrid", "--synergies", "4"), (0.7, 0.4, 0.9)),
    ],
)
def test_walk_predicts_the_next_stance(walk, tmp_path, options, least):
    folder, _, result = walk
    assert result.returncode == 0, result.stderr
    shutil.copytree(folder / "study", tmp_path / "study")
    done = run_command(
        "calibrate",
        "calibrate.xml",
        *options,
        *("--test", "trials/stance_2/inputData.xml", "--out", "results", "--quiet"),
        cwd=tmp_path / "study",
    )
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "study" / "results" / "result.json").read_text())
    found = [content["test_fit"]["stance_2"][dof]["r2"] for dof in WALK_DOFS.split(",")]
    assert (np.array(found) > least).all(), found


SHOULDER_MAP = """\
[channels]
AD = "DeltoideusClavicle_A"
MD = "DeltoideusScapula_M"
Infra = ["Infraspinatus_S", "Infraspinatus_I"]
Bic = ["BIC_long", "BIC_brevis"]
"""


def test_shoulder_equals_what_was_published(tmp_path, shared_dir, opensim):
    raw, published = shared_dir / "data" / "shoulder_raw", shared_dir / "data" / "shoulder"
    files = f"{raw / 'ABD01.trc'},{raw / 'abd01_emg_raw.sto'}"
    (tmp_path / "trials.csv").write_text(
        f"trial,trc,emg,start [s],stop [s]\nabd01,{files},3.0,5.0\n"
    )
    (tmp_path / "emg.toml").write_text(SHOULDER_MAP)
    result = run_command(
        "new",
        "study",
        *("--model", raw / "TSM_subject_noWeight.osim", "--trials", "trials.csv"),
        *("--map", "emg.toml", "--dofs", "plane_elv,shoulder_elv"),
        *("--tasks", raw / "IKSetup_2019.xml", "--angle-cutoff", "3", "--low-pass", "4"),
        *("--maxima", published / "emg_normalisation.csv", "--opensim-python", opensim.python),
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    trial = tmp_path / "study" / "trials" / "abd01"

    def compared(mine, theirs, labels=None):
        one, other = ct.read_storage(trial / mine), ct.read_storage(theirs)
        names = labels or {name: name for name in one.columns}
        rows = slice(5, -5)  # of the angles' filter, the ends
        for name, its in names.items():
            yield one.column(name)[rows], np.interp(one.time, other.time, other.column(its))[rows]

    home = published / "trials" / "abd01"
    for one, other in compared("lengths.sto", home / "lmt.sto"):
        assert np.abs(one - other).max() < 1e-3  # of another filter of the angles
    for one, other in compared("moment_arms_shoulder_elv.sto", home / "ma_shoulder_elv.sto"):
        assert np.abs(one - other).max() < 1e-3
    columns = ct.read_storage(home / "id.sto").columns
    label = next(name for name in columns if name.startswith("shoulder_elv"))
    for one, other in compared("moments.sto", home / "id.sto", {"shoulder_elv_moment": label}):
        assert np.abs(one - other).max() < 0.3  # of 5 N m
    for one, other in compared("emg.sto", home / "emg.sto"):
        assert np.corrcoef(one, other)[0, 1] > 0.98  # of 2 s out of 11
