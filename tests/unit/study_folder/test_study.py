"""A study's folder from what a laboratory leaves, and what is said of faults in that."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

import ceinms_torch as ct
from ceinms_torch.errors import CeinmsTorchError, OptionError
from ceinms_torch.io.storage import read_storage, write_storage
from ceinms_torch.recordings.trc import write_trc
from ceinms_torch.study_folder.emg import EmgSettings
from ceinms_torch.study_folder.study import StudySettings, new_study
from helpers import edit
from small_lab import DOFS, MUSCLES, angles, geometry, markers, model_text, raw_emg, write_lab


def no_opensim():
    """Stand for an installation without OpenSim."""
    raise OptionError(
        where="opensim", expected="the package opensim", got="none", code="opensim-missing"
    )


@pytest.fixture
def lab(tmp_path):
    """Files of a laboratory, and the settings for them."""
    folder = tmp_path / "lab"
    return folder, StudySettings(**write_lab(folder))


def make(lab, **changes):
    folder, settings = lab
    settings = dataclasses.replace(settings, **changes)
    return new_study(folder / "study", settings, opensim=no_opensim)


def test_folder_is_complete_and_right(lab):
    study = make(lab)
    assert study.findings == ()
    assert [one.code for one in study.report.findings] == ["mtu-not-recorded"]  # which is true
    subject = ct.Subject.read(study.directory / "subjectUncalibrated.xml")
    assert subject.mtu_names == tuple(name for name in MUSCLES if name.endswith("_r"))
    for mtu in subject.mtus:
        read = (mtu.optimal_fibre_length, mtu.tendon_slack_length, mtu.pennation_angle)
        assert (*read, mtu.max_isometric_force) == MUSCLES[mtu.name][:4]
    assert {dof.name: dof.mtu_names for dof in subject.dofs} == {
        "knee_angle_r": ("vasint_r", "bfsh_r", "gasmed_r"),
        "ankle_angle_r": ("gasmed_r", "soleus_r", "tibant_r"),
    }
    generator = ct.ExcitationGenerator.read(study.directory / "excitationGenerator.xml")
    trial = ct.Trial.read(study.tests[0], subject, generator)
    assert (trial.name, trial.time[0], trial.time[-1]) == ("walk_2", 1.5, 2.5)
    lengths, arms = geometry(*angles(trial.time))
    for i, name in enumerate(subject.mtu_names):
        assert np.abs(trial.mtu_length[:, i] - lengths[name]).max() < 1e-12  # as written
        for j, dof in enumerate(DOFS):
            if name in subject.dofs[j].mtu_names:
                assert np.abs(trial.moment_arm[:, j, i] - arms[dof][name]).max() < 1e-12
    assert generator.recorded(subject.mtu_names) == (True, False, True, True, True)
    content = json.loads((study.directory / "study.json").read_text())
    assert set(content) >= {"versions", "settings", "inputs", "steps", "findings", "files"}
    listed = {path.relative_to(study.directory).as_posix() for path in study.directory.rglob("*.*")}
    assert set(content["files"]) == listed - {"study.json"}


def test_folder_can_be_calibrated(lab):
    study = make(lab)
    folder = ct.CalibrationFolder.read(study.setup)
    result = ct.calibrate(folder, starts=1)
    assert np.isfinite(result.objective)


def test_an_arm_that_contradicts_is_named_and_may_be_replaced(lab):
    path = lab[0] / "ma" / "walk_MuscleAnalysis_MomentArm_knee_angle_r.sto"
    table = read_storage(path)
    values = table.values.copy()
    column = table.columns.index("gasmed_r")
    right = values[:, column].copy()
    values[:, column] *= 2.0
    write_storage(path, table.time, table.columns, values, name="-", units="m")
    (finding,) = make(lab).findings
    assert (finding.code, finding.where.column) == ("arm-contradicts-length", "gasmed_r")
    assert "knee_angle_r" in finding.what
    study = make(lab, arms="derivative")
    written = read_storage(study.directory / "trials" / "walk_1" / "moment_arms_knee_angle_r.sto")
    rows = np.searchsorted(table.time, written.time - 1e-6)
    # A polynomial of fifth order is not the sine of the length.
    assert np.abs(written.column("gasmed_r") - right[rows]).max() < 1e-4


def test_a_muscle_without_tendon_gets_a_short_one(lab):
    edit(lab[1].model, "<tendon_slack_length>0.11<", "<tendon_slack_length>0<")
    study = make(lab)
    assert [one.code for one in study.findings] == ["model-changed"]
    assert "bfsh_r" in study.findings[0].what
    subject = ct.Subject.read(study.directory / "subjectUncalibrated.xml")
    assert subject["bfsh_r"].tendon_slack_length == 1e-3


# ---- Faults -----------------------------------------------------------------------------


def swap_plates(folder):
    """Let each plate act on the other foot."""
    text = (folder / "loads.xml").read_text()
    text = text.replace("calcn_r", "calcn_x").replace("calcn_l", "calcn_r")
    (folder / "loads.xml").write_text(text.replace("calcn_x", "calcn_l"))


def one_plate_on_the_other_foot(folder):
    """Let both plates act on the left foot."""
    edit(folder / "loads.xml", "<applied_to_body>calcn_r", "<applied_to_body>calcn_l")


def claim_metres(folder):
    """Say that millimetres are metres."""
    edit(folder / "walk.trc", "\tmm\t", "\tm\t")


def other_side(folder):
    """Let the channels drive the other leg."""
    (folder / "emg.toml").write_text('[channels]\nSOL = "soleus_l"\n')


def other_muscle(folder):
    """Let the soleus's channel drive the tibialis anterior."""
    edit(folder / "emg.toml", 'SOL = "soleus_r"', 'SOL = "tibant_r"')


def unscaled(folder):
    """Leave the model as it was published."""
    (folder / "model.osim").write_text(model_text(scale="1 1 1"))


def unknown_class(folder):
    """Let the model have a muscle of a plug-in."""
    text = (folder / "model.osim").read_text()
    text = text.replace("DeGrooteFregly2016Muscle", "HomemadeMuscle")
    (folder / "model.osim").write_text(text)


def degrees_as_radians(folder):
    """Say that degrees are radians."""
    edit(folder / "ik.mot", "inDegrees=yes", "inDegrees=no")


def radians_as_degrees(folder):
    """Say that radians are degrees."""
    table = read_storage(folder / "ik.mot")
    values = np.radians(table.values)
    write_storage(
        folder / "ik.mot", table.time, table.columns, values, name="-", units="-", in_degrees=True
    )


def without_arms(folder):
    """Lose the moment arms about a DOF."""
    (folder / "ma" / "walk_MuscleAnalysis_MomentArm_ankle_angle_r.sto").unlink()


def without_moment(folder):
    """Lose the moment of a DOF."""
    table = read_storage(folder / "id.sto")
    write_storage(
        folder / "id.sto", table.time, table.columns[:1], table.values[:, :1], name="-", units="-"
    )


def half_the_rate(folder):
    """Claim 1000 Hz for 500."""
    time, channels = raw_emg()
    values = np.stack(list(channels.values()), axis=1)[::2]
    write_storage(
        folder / "emg.sto", time[: len(values)], tuple(channels), values, name="-", units="V"
    )


def late_emg(folder):
    """Start the clock of the EMG 20 ms after that of the markers."""
    time, channels = raw_emg()
    values = np.stack(list(channels.values()), axis=1)
    write_storage(folder / "emg.sto", time + 0.02, tuple(channels), values, name="-", units="V")


def slow_emg(folder):
    """Record at 250 Hz."""
    time, channels = raw_emg(250.0)
    values = np.stack(list(channels.values()), axis=1)
    write_storage(folder / "emg.sto", time, tuple(channels), values, name="-", units="V")


def gap(folder):
    """Lose a tenth of a second of a channel."""
    path = folder / "emg.csv"
    time, channels = raw_emg()
    lines = ["time,VL,GM,SOL,TA"]
    for t, *row in zip(time, *channels.values(), strict=True):
        cells = ["" if i == 0 and 1.0 < t < 1.1 else repr(float(one)) for i, one in enumerate(row)]
        lines.append(",".join([repr(float(t)), *cells]))
    path.write_text("\n".join(lines) + "\n")
    text = (folder / "trials.csv").read_text()
    (folder / "trials.csv").write_text(text.replace("emg.sto", "emg.csv"))


def heavy(folder):
    """Give the model the mass of somebody else."""
    edit(folder / "model.osim", "<mass>50.0</mass>", "<mass>80.0</mass>")


def per_weight(folder):
    """Divide forces by the body weight."""
    table = read_storage(folder / "grf.mot")
    values = table.values / 600.0
    write_storage(folder / "grf.mot", table.time, table.columns, values, name="-", units="-")


def far_away(folder):
    """Give the markers another origin."""
    here = markers()
    write_trc(folder / "walk.trc", dataclasses.replace(here, positions=here.positions + 1.0))


def from_markers(folder):
    """Have only markers, which need OpenSim."""
    text = (folder / "trials.csv").read_text()
    (folder / "trials.csv").write_text(text.replace("walk.trc,ik.mot,ma,id.sto", "walk.trc,,,"))


def outside(folder):
    """Ask for a part that was not recorded."""
    text = (folder / "trials.csv").read_text()
    (folder / "trials.csv").write_text(text.replace("1.5,2.5,test", "2.5,3.5,test"))


def missing_file(folder):
    """Lose a file."""
    (folder / "grf.mot").unlink()


def without_plates(folder):
    """Have no ground forces of the trials, but a file that says where they act."""
    text = (folder / "trials.csv").read_text()
    (folder / "trials.csv").write_text(text.replace("grf.mot", ""))
    (folder / "grf.mot").unlink()


FAULTS = {
    claim_metres: "markers|mm",
    swap_plates: "'r' acts on calcn_l.*0.10 m from a marker of calcn_r.*Swap",
    one_plate_on_the_other_foot: "'r' acts on calcn_l.*0.10 m from a marker of calcn_r",
    other_side: "EMG of soleus_l, none of which does.*other side",
    other_muscle: "SOL.*soleus.*tibant_r",
    unscaled: "scaled to the person.*--model-is-scaled",
    unknown_class: "<HomemadeMuscle>, gasmed_r.*class that is known",
    degrees_as_radians: "angles in radians.*inDegrees=yes",
    radians_as_degrees: "angles in degrees.*inDegrees=no",
    without_arms: "moment arms about ankle_angle_r.*none.*There are arms about knee_angle_r",
    without_moment: "ankle_angle_r_moment",
    late_emg: "begins at 0.02 s, 0.02 s later.*--delay 0.02",
    half_the_rate: "EMG of 3 s, as long as .*got 1.5 s at 1000 Hz.*rate of 500 Hz",
    slow_emg: "500 Hz at least, got 250 Hz",
    gap: "VL.*gaps of 0.02 s at most.*from 1.0",
    heavy: "The ground carries 60.0 kg .* has 90.0 kg",
    per_weight: "0.981 N: no foot stands on that",
    far_away: "nearest marker of calcn_r.*same axes",
    from_markers: "opensim",
    outside: "trials.csv:3.*times within those.*2.5 to 3.5",
    missing_file: "grf.mot', which is missing",
    without_plates: "ground forces.*none.*column grf",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda one: one.__name__)
def test_each_fault_has_one_message_and_nothing_is_written(lab, fault):
    fault(lab[0])
    changes = {"tasks": lab[1].loads} if fault is from_markers else {}
    with pytest.raises(CeinmsTorchError, match=FAULTS[fault]) as found:
        make(lab, **changes)
    assert "expected" in str(found.value)
    assert not (lab[0] / "study").exists()


def test_late_envelopes_are_found_too(lab):
    folder, settings = lab
    time = 0.02 + np.arange(0.0, 3.0, 0.001)
    values = np.full((len(time), 4), 0.5)
    write_storage(folder / "env.sto", time, ("VL", "GM", "SOL", "TA"), values, name="-", units="-")
    text = settings.trials.read_text().replace(",emg,", ",envelopes,").replace("emg.sto", "env.sto")
    settings.trials.write_text(text)
    with pytest.raises(CeinmsTorchError, match=r"0\.02 s later.*--delay 0\.02"):
        make(lab)
    study = make(lab, emg=EmgSettings(processing=ct.EmgProcessing(delay=0.02)))
    assert study.report.findings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dofs": ("knee_angle_r", "ankle_angl_r")}, "Did you mean 'ankle_angle_r'"),
        ({"dofs": ("knee_angle_l",)}, "a coordinate that muscles of the model cross"),
        ({"dofs": ("ankle_angle_l",)}, "EMG of vasint_r, gasmed_r.*none of which does.*other side"),
    ],
)
def test_settings_that_do_not_fit(lab, changes, message):
    with pytest.raises(CeinmsTorchError, match=message):
        make(lab, **changes)
    assert not (lab[0] / "study").exists()


def test_a_channel_without_mvc_is_named(lab):
    path = lab[0] / "maxima.csv"
    path.write_text("channel,maximum\nVL,1\nGM,1\nTA,1\n")
    with pytest.raises(CeinmsTorchError, match="none for SOL"):
        make(lab, emg=EmgSettings(maxima=path))
    assert not (lab[0] / "study").exists()


def test_an_input_is_never_overwritten(lab):
    folder, settings = lab
    shutil.copytree(folder, folder.parent / "copy")
    target = folder / "trials" / "walk_1" / "emg.sto"
    target.parent.mkdir(parents=True)
    shutil.copy(folder / "emg.sto", target)
    text = settings.trials.read_text()
    settings.trials.write_text(text.replace("emg.sto", "trials/walk_1/emg.sto"))
    before = target.read_bytes()
    with pytest.raises(OptionError, match="the input"):
        new_study(folder, settings, opensim=no_opensim)
    assert target.read_bytes() == before
    assert not (folder / "calibrate.xml").exists()


def write_c3d(path):
    """Write the markers and the EMG of the laboratory into one file, without force plates."""
    ezc3d = pytest.importorskip("ezc3d", reason="needs ceinms-torch[c3d]")
    file, seen = ezc3d.c3d(), markers()
    time, channels = raw_emg()
    # The laboratory's z points up: OpenSim's x, y, z are its x, z and minus y.
    x, y, z = np.moveaxis(seen.positions, 2, 0)
    points = np.stack([x, -z, y, np.ones_like(x)]).transpose(0, 2, 1)
    file["data"]["points"] = 1000.0 * points
    file["data"]["points"][3] = 1.0
    file["parameters"]["POINT"]["LABELS"]["value"] = list(seen.names)
    file["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    file["parameters"]["POINT"]["RATE"]["value"] = [100.0]
    file["parameters"]["ANALOG"]["LABELS"]["value"] = list(channels)
    file["parameters"]["ANALOG"]["UNITS"]["value"] = ["V"] * len(channels)
    file["parameters"]["ANALOG"]["RATE"]["value"] = [1000.0]
    file["data"]["analogs"] = np.stack(list(channels.values()))[np.newaxis, :, : len(time)]
    file.write(str(path))


def test_c3d_has_markers_and_emg(lab):
    folder, settings = lab
    write_c3d(folder / "walk.c3d")
    text = settings.trials.read_text()
    text = text.replace("trial,trc,", "trial,c3d,").replace("walk.trc", "walk.c3d")
    settings.trials.write_text(text.replace(",emg.sto", ","))
    # The plates act on the feet whose markers are in the file.
    study = make(lab)
    assert [one.code for one in study.report.findings] == ["mtu-not-recorded"]
    swap_plates(folder)
    with pytest.raises(CeinmsTorchError, match="'r' acts on calcn_l"):
        make(lab)


def test_c3d_without_plates(lab):
    folder, settings = lab
    write_c3d(folder / "walk.c3d")
    without_plates(folder)
    text = settings.trials.read_text()
    settings.trials.write_text(text.replace("trial,trc,", "trial,c3d,").replace(".trc", ".c3d"))
    with pytest.raises(CeinmsTorchError, match=r"no force plate in '.*walk\.c3d'"):
        make(lab)
    assert not (folder / "study").exists()
