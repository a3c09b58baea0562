"""What commands write is known before they run, and is nothing that they read."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ceinms_torch as ct
from ceinms_torch.inputs.outputs import calibration_outputs, run_outputs, trial_folder
from ceinms_torch.io.paths import check_overwrites_none
from helpers import around, edit, write_tiny_folder

NAMES = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=400),
    st.text("./\\ ~\0", max_size=12),
)


@given(first=NAMES, second=NAMES)
def test_a_trial_stays_in_its_folder(first, second):
    out = Path("/out")
    folder = trial_folder(out, "calibration", first)
    assert folder.parent == out / "trials"
    assert folder.name not in ("", ".", "..")
    assert len(folder.name.encode()) <= 255
    assert (folder == trial_folder(out, "calibration", second)) == (first == second)


# A trial of another condition: synergies do not help there, and say so.
@pytest.mark.filterwarnings("ignore:On test trials the synergy-hybrid")
@pytest.mark.parametrize(("hybrid", "bands"), [(False, False), (True, False), (False, True)])
def test_a_calibration_writes_what_was_known_before(tmp_path, hybrid, bands):
    unrecorded = ("soleus_r",) if hybrid else ()
    folder = write_tiny_folder(tmp_path / "in", tendon="<stiff/>", unrecorded=unrecorded)
    edit(folder / "calibration.xml", " trial2/inputData.xml", "")
    read = ct.CalibrationFolder.read(folder / "calibrationSetup.xml")
    options = {"options": ct.Lbfgs(max_iterations=1)}
    if hybrid:
        plan = ct.CalibrationPlan.read(folder / "calibration.xml")
        object.__setattr__(plan, "synergy_hybrid", ct.SynergyHybrid(n_synergy=1))
        options["plan"] = plan
    tests = read.read_tests([folder / "trial2" / "inputData.xml"])
    result = ct.calibrate(read, **options).with_tests(tests.values())
    if bands:
        found = around(result, (*result.trials, *result.tests))
        result = dataclasses.replace(result, uncertainty=found)
    out = tmp_path / "out"
    result.save(out)
    roles = [("calibration", "trial1"), ("test", "trial2")]
    known = set(calibration_outputs(out, [out / "subject.xml"], roles, hybrid=hybrid, bands=bands))
    assert {path for path in out.rglob("*") if path.is_file()} == known


def test_saving_over_an_input_is_refused(tmp_path):
    folder = write_tiny_folder(tmp_path / "in")
    result = ct.calibrate(folder / "calibrationSetup.xml", options=ct.AdamW(max_iterations=1))
    before = (folder / "subject.xml").read_bytes()
    with pytest.raises(ct.OptionError, match=r"subject\.xml: expected a file to write, got the in"):
        result.save(folder)
    assert (folder / "subject.xml").read_bytes() == before
    assert not (folder / "result.json").exists()


def test_one_file_has_many_names(tmp_path):
    (tmp_path / "a").mkdir()
    subject = tmp_path / "a" / "subject.xml"
    subject.touch()
    (tmp_path / "link.xml").symlink_to(subject)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "hard.xml").hardlink_to(subject)
    for name in ("a/subject.xml", "a/../a/subject.xml", "link.xml", "b/subject.xml", "hard.xml"):
        with pytest.raises(ct.OptionError, match="got the input"):
            check_overwrites_none([tmp_path / name], [subject], "x")
    for name in ("a/Subject.XML", "b/SUBJECT.xml"):
        with pytest.raises(ct.OptionError, match="got the input"):
            check_overwrites_none([tmp_path / name], [subject], "x")
    check_overwrites_none([tmp_path / "subject.xml"], [subject, tmp_path / "none.xml"], "x")


def test_a_run_knows_its_files(tmp_path):
    names = {path.name for path in run_outputs(tmp_path, legacy=False, hybrid=True)}
    assert {"Torques.sto", "AdjustedEmgs.sto", "weights.csv", "result.json"} <= names
    legacy = {path.name for path in run_outputs(tmp_path, legacy=True, hybrid=False)}
    assert {"Torques.sto", "FiberLenghts.sto", "FiberLengths.sto"} <= legacy
