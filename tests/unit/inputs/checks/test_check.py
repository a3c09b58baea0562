"""A check names the fault that was planted, first, and leaves good folders in peace."""

import random
import re
import shutil

import pytest

import ceinms_torch as ct
from ceinms_torch.inputs.checks.findings import SEVERITIES
from damages import DAMAGES, TRIALS
from shoulder import write_shoulder_folder


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


def test_group_whose_muscles_share_all_values(copy):
    """Their strength is one value; nothing else of theirs is calibrated."""
    path = copy / "calibration.xml"
    text = path.read_text(encoding="utf-8")
    group = "<weight>1</weight><muscles>gasmed_r gaslat_r</muscles>"
    xml = f"<minimizeTorqueError><groupCoherence>{group}</groupCoherence></minimizeTorqueError>"
    text = text.replace("<minimizeTorqueError />", xml)
    path.write_text(text, encoding="utf-8")
    codes = [finding.code for finding in ct.check_folder(copy / "calibrate.xml").findings]
    assert "group-without-values" not in codes
    parameter = r"<parameter>\s*<name>strengthCoefficient.*?</parameter>"
    (strength,) = re.findall(parameter, text, flags=re.DOTALL)
    alone = f"<parameterSet>{strength}</parameterSet>"
    text = re.sub(r"<parameterSet>.*</parameterSet>", alone, text, flags=re.DOTALL)
    path.write_text(text, encoding="utf-8")
    first = ct.check_folder(copy / "calibrate.xml").findings[0]
    assert (first.severity, first.code) == ("error", "group-without-values")
    assert "at least two muscles, each with a calibrated value of its own" in first.what


def test_test_trials_are_checked(copy, gait_folder):
    tests = [copy / "trials" / "no" / "inputData.xml"]
    report = ct.check_folder(copy / "calibrate.xml", tests=tests)
    assert [finding.code for finding in report.findings] == ["file-missing"]
    tests = [gait_folder / "trials" / "walk_115" / "inputData.xml"]
    assert ct.check_folder(copy / "calibrate.xml", tests=tests).findings == ()
    tests = [copy / "trials" / "walk_105" / "inputData.xml"]
    (seen,) = ct.check_folder(copy / "calibrate.xml", tests=tests).findings
    assert (seen.severity, seen.code) == ("warning", "test-is-calibrated-on")


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


def test_recorded_shoulder_is_good(shared_dir, tmp_path):
    """Eleven MTUs without EMG, moments near zero, angles of the scapula that are in no file."""
    source = shared_dir / "data" / "shoulder"
    if not source.is_dir():
        pytest.skip(f"no recordings at {source}")
    report = ct.check_folder(write_shoulder_folder(source, tmp_path))
    assert [finding.line() for finding in report.findings if finding.severity != "note"] == []
    assert "mtu-not-recorded" in [finding.code for finding in report.findings]


# ---- Against the readers ----------------------------------------------------------------


def mangle(path, rng):
    """Change one line of a file at random: drop, repeat, swap, cut off there, another value."""
    lines = path.read_text().split("\n")
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    cells = lines[i].split("\t")
    cells[rng.randrange(len(cells))] = rng.choice(["", "0", "-1", "1e9", "x", "nan"])
    lines = rng.choice(
        [
            lines[:i] + lines[i + 1 :],
            lines[:i] + lines[i : i + 1] + lines[i:],
            lines[:i],
            [*lines[:i], "\t".join(cells), *lines[i + 1 :]],
            [lines[j] if k == i else lines[i] if k == j else line for k, line in enumerate(lines)],
        ]
    )
    path.write_text("\n".join(lines))


@pytest.mark.filterwarnings("ignore::ceinms_torch.errors.CeinmsTorchWarning")
@pytest.mark.parametrize("seed", range(60))
def test_what_cannot_be_calibrated_is_an_error(tiny_folder, seed):
    """Whatever is done to a file: a check never breaks, and misses no error of the readers."""
    rng = random.Random(seed)  # noqa: S311  no secrets here
    files = sorted(path for path in tiny_folder.rglob("*") if path.is_file())
    mangle(rng.choice(files), rng)
    setup = tiny_folder / "calibrationSetup.xml"
    report = ct.check_folder(setup)
    refusal = ""
    try:
        folder = ct.CalibrationFolder.read(setup)
        for step in folder.plan.steps:
            ct.ParameterSpace.of(folder.subject, step, folder.plan)
    except ct.CeinmsTorchError as error:
        refusal = str(error)
    assert report.has_errors or not refusal, refusal
