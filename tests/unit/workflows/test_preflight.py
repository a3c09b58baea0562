"""A check names the fault that was planted, first, and leaves good folders in peace."""

import shutil

import pytest

import ceinms_torch as ct
from ceinms_torch.workflows.preflight.findings import SEVERITIES
from damages import DAMAGES, TRIALS


@pytest.fixture
def copy(gait_folder, tmp_path):
    """A copy of the shipped subject, its calibration trials only."""
    folder = tmp_path / "gait"
    folder.mkdir()
    for path in gait_folder.glob("*.xml"):
        shutil.copy(path, folder)
    for trial in TRIALS:
        shutil.copytree(gait_folder / "trials" / trial, folder / "trials" / trial)
    return folder


@pytest.mark.parametrize(
    ("damage", "code", "file"), DAMAGES, ids=[damage.__name__ for damage, _, _ in DAMAGES]
)
def test_planted_fault_comes_first(copy, damage, code, file):
    damage(copy)
    report = ct.check_folder(copy / "calibrate.xml")
    assert report.findings, "nothing was found"
    first = report.findings[0]
    assert first.code == code, [finding.line() for finding in report.findings]
    assert first.severity in ("error", "warning")
    assert first.where.file == copy / file
    for finding in report.findings:
        assert finding.what
        assert finding.why
        assert finding.to_do


def test_enough_kinds_of_damage():
    assert len(DAMAGES) >= 25
    assert len({code for _, code, _ in DAMAGES}) >= 25


def test_several_faults_are_all_found(copy):
    for damage, _, _ in DAMAGES:
        if damage.__name__ in ("missing_file", "raw_emg", "start_outside_range"):
            damage(copy)
    codes = [finding.code for finding in ct.check_folder(copy / "calibrate.xml").findings]
    assert codes[:3] == ["file-missing", "emg-raw", "start-outside-range"]


def test_test_trials_are_checked(copy, gait_folder):
    tests = [copy / "trials" / "no" / "inputData.xml"]
    report = ct.check_folder(copy / "calibrate.xml", tests=tests)
    assert [finding.code for finding in report.findings] == ["file-missing"]
    tests = [gait_folder / "trials" / "walk_115" / "inputData.xml"]
    assert ct.check_folder(copy / "calibrate.xml", tests=tests).findings == ()
    tests = [copy / "trials" / "walk_105" / "inputData.xml"]
    (seen,) = ct.check_folder(copy / "calibrate.xml", tests=tests).findings
    assert (seen.severity, seen.code) == ("warning", "test-not-unseen")


def test_errors_come_before_warnings_and_those_before_notes(copy):
    for damage, _, _ in DAMAGES[6:12]:
        damage(copy)
    ranks = [
        SEVERITIES.index(finding.severity)
        for finding in ct.check_folder(copy / "calibrate.xml").findings
    ]
    assert ranks == sorted(ranks)


def above_note(setup, **options):
    report = ct.check_folder(setup, **options)
    return [finding.line() for finding in report.findings if finding.severity != "note"]


def test_shipped_subject_is_good(gait_folder):
    assert ct.check_folder(gait_folder / "calibrate.xml").findings == ()


@pytest.mark.parametrize("setup", ["calibrationSetup.xml", "setup.xml"])
def test_small_folder_is_good(tiny_folder, setup):
    assert above_note(tiny_folder / setup) == []


def test_golden_folders_are_good(golden_dir):
    for setup in sorted(golden_dir.glob("calibrate_*.xml")):
        assert above_note(setup) == []
    for setup in sorted(golden_dir.glob("run_*.xml")):
        assert above_note(setup, legacy=True) == []


def test_recorded_leg_is_good(shared_dir):
    folder = shared_dir / "data" / "lower_limb" / "ceinms"
    setups = [*folder.glob("calibrate_*.xml"), *folder.glob("run_*.xml")]
    if not setups:
        pytest.skip(f"no recordings at {folder}")
    tests = sorted(folder.glob("trials/*_c0[28]/inputData.xml"))
    for setup in setups:
        assert above_note(setup, tests=tests if "calibrate" in setup.name else ()) == []
