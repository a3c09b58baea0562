"""A check names the fault that was planted, first, and leaves good folders in peace."""

import random
import re

import pytest

import ceinms_torch as ct
from ceinms_torch.inputs.checks.files import read_inputs
from ceinms_torch.inputs.checks.findings import SEVERITIES
from ceinms_torch.inputs.checks.matching import match_trials
from ceinms_torch.inputs.checks.reach import Reach
from ceinms_torch.inputs.checks.signs import sign_fits
from damages import DAMAGES, TRIALS, change, scaled
from good_folders import (
    N_SYNTHETIC,
    TRUE_OF,
    copy_of,
    copy_of_gait,
    recorded_folders,
    repository_folders,
    write_hinge_folder,
)
from helpers import edit


@pytest.fixture
def copy(tmp_path):
    """A copy of the shipped subject, its calibration trials only."""
    return copy_of_gait(tmp_path / "gait", TRIALS)


@pytest.mark.parametrize(
    ("damage", "code", "file"), DAMAGES, ids=[damage.__name__ for damage, _, _ in DAMAGES]
)
def test_planted_fault_comes_first(copy, damage, code, file):
    tests = damage(copy) or ()
    report = ct.check_folder(copy / "calibrate.xml", tests=tests)
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
    assert len(DAMAGES) >= 80
    assert len({code for _, code, _ in DAMAGES}) >= 50


def test_silent_muscles_that_would_serve_are_named(copy):
    next(damage for damage, code, _ in DAMAGES if code == "moment-unserved")(copy)
    finding = said(copy / "calibrate.xml")["moment-unserved"]
    assert "positive (flexion) moment" in finding.what
    assert finding.to_do.startswith("Synthesise iliopsoas_r, tfl_r, recfem_r")


@pytest.mark.parametrize(
    ("c", "severity", "text"),
    [
        ("-0.95 -0.05", "note", "At 100 Hz, the ranges of c1 and c2 let activation follow "),
        ("-0.995 -0.05", "warning", "by 1.1 to 3.98e+03 ms"),
        ("-0.833 -0.334", None, ""),
    ],
)
def test_delays_that_the_ranges_allow(copy, c, severity, text):
    edit(copy / "calibration.xml", "-0.95 -0.05", c, count=2)
    found = said(copy / "calibrate.xml").get("activation-delay")
    if severity is None:
        assert found is None
    else:
        assert found.severity == severity
        assert text in found.what
        assert "activationDelay" in found.to_do
        assert "<range>10 100</range>" in found.to_do
        assert "-0.833 to -0.333" in found.to_do


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
    assert [finding.code for finding in report.of_severity("error")] == ["file-missing"]
    tests = [gait_folder / "trials" / "walk_115" / "inputData.xml"]
    assert above_note(copy / "calibrate.xml", tests=tests) == []
    tests = [copy / "trials" / "walk_105" / "inputData.xml"]
    seen = ct.check_folder(copy / "calibrate.xml", tests=tests).findings[0]
    assert (seen.severity, seen.code) == ("warning", "test-is-calibrated-on")


def test_errors_come_before_warnings_and_those_before_notes(copy):
    for damage, _, _ in DAMAGES[6:12]:
        damage(copy)
    ranks = [
        SEVERITIES.index(finding.severity)
        for finding in ct.check_folder(copy / "calibrate.xml").findings
    ]
    assert ranks == sorted(ranks)


def above_note(setup, name="", **options):
    report = ct.check_folder(setup, **options)
    findings = [finding for finding in report.findings if finding.severity != "note"]
    return [finding.line() for finding in findings if finding.code not in TRUE_OF.get(name, ())]


def test_folders_of_the_repository_are_good():
    for name, setup, tests in repository_folders():
        assert above_note(setup, name, tests=tests) == []


@pytest.mark.parametrize("setup", ["calibrationSetup.xml", "setup.xml"])
def test_small_folder_is_good(tiny_folder, setup):
    assert above_note(tiny_folder / setup) == []


def test_golden_folders_are_good(golden_dir):
    for setup in sorted(golden_dir.glob("run_*.xml")):
        assert above_note(setup, legacy=True) == []


def test_recorded_folders_are_good(shared_dir, tmp_path):
    """A leg without hip flexors; a shoulder with eleven MTUs without EMG and a moment near zero."""
    folders = list(recorded_folders(shared_dir, tmp_path))
    if not folders:
        pytest.skip(f"no recordings at {shared_dir}")
    for name, setup, tests in folders:
        assert above_note(setup, name, tests=tests) == []
    codes = {name: said(setup, tests) for name, setup, tests in folders}
    assert {"mtu-not-recorded", "moment-small"} <= set(codes["shoulder"])
    assert "meanSquare" in codes["shoulder"]["moment-small"].to_do
    unserved = said(*next((s, t) for n, s, t in folders if "calibrate" in s.name))[
        "moment-unserved"
    ]
    assert re.search(r"hip_flexion_r: in 1\d % of trial walk45_c0\d", unserved.what)
    assert "positive (flexion)" in unserved.what
    assert "psoas" in unserved.to_do


def said(setup, tests=()):
    """Return the findings of a folder by their codes."""
    return {one.code: one for one in ct.check_folder(setup, tests=tests).findings[::-1]}


@pytest.mark.parametrize("seed", range(N_SYNTHETIC))
def test_unusual_strength_is_no_wrong_sign(tmp_path, seed):
    assert above_note(write_hinge_folder(tmp_path / "good", seed)) == []
    turned = write_hinge_folder(tmp_path / "turned", seed, turned=True)
    first = ct.check_folder(turned).findings[0]
    assert (first.severity, first.code) == ("warning", "moment-sign")


DOFS = ("hip_flexion_r", "knee_angle_r", "ankle_angle_r")


@pytest.mark.parametrize("dof", DOFS)
@pytest.mark.parametrize("what", ["ma", "id"])
def test_turned_dof_of_a_recorded_leg_is_found(shared_dir, tmp_path, dof, what):
    folder = recorded_leg(shared_dir, tmp_path)
    turn(folder, what, dof, *(path.name for path in folder.glob("trials/*")))
    findings = ct.check_folder(folder / "calibrate_stiff.xml").findings
    assert (findings[0].severity, findings[0].code) == ("warning", "moment-sign")
    assert findings[0].where.column == dof
    as_it_is, turned = map(float, re.findall(r"(-?\d+\.\d\d)(?: as it is| with)", findings[0].what))
    assert as_it_is < 0.1
    assert turned > 0.4


@pytest.mark.parametrize("trial", TRIALS)
@pytest.mark.parametrize("dof", DOFS)
@pytest.mark.parametrize("what", ["ma", "id"])
def test_turned_dof_of_one_trial_is_found(copy, trial, dof, what):
    turn(copy, what, dof, trial)
    first = ct.check_folder(copy / "calibrate.xml").findings[0]
    assert (first.severity, first.where.trial) == ("warning", trial)
    assert first.code == {"ma": "arms-turned", "id": "moment-turned"}[what]
    assert dof in first.what


@pytest.mark.parametrize("trial", ["walk36_c05", "walk45_c05", "run81_c05"])
@pytest.mark.parametrize("dof", DOFS)
@pytest.mark.parametrize("what", ["ma", "id"])
def test_turned_dof_of_one_recorded_trial_is_found(shared_dir, tmp_path, trial, dof, what):
    """Two speeds of walking, one of running: nothing but EMG says which of two is turned."""
    folder = recorded_leg(shared_dir, tmp_path)
    turn(folder, what, dof, trial)
    if (trial, dof, what) == ("run81_c05", "hip_flexion_r", "id"):
        pytest.xfail("no hip flexor has EMG, and no other trial runs: neither sign fits")
    first = ct.check_folder(folder / "calibrate_stiff.xml").findings[0]
    assert first.severity == "warning"
    assert first.code in ("arms-turned", "moment-turned", "moment-sign")
    assert trial in first.where.trial
    assert dof in first.what


def turn(folder, what, dof, *trials):
    """Negate moment arms or measured moments of a DOF."""
    name, column = ("id.sto", f"{dof}_moment") if what == "id" else (f"ma_{dof}.sto", None)
    change(folder, name, scaled(-1.0, column), trials)


def recorded_leg(shared_dir, tmp_path):
    """Copy the recorded leg with its calibration trials."""
    source = shared_dir / "data" / "lower_limb" / "ceinms"
    if not source.is_dir():
        pytest.skip(f"no recordings at {source}")
    return copy_of(source, tmp_path / "leg", "*_c05")


def test_running_after_calibrating_on_walking(shared_dir, tmp_path):
    folder = recorded_leg(shared_dir, tmp_path)
    edit(folder / "calibration_stiff.xml", "trials/run81_c05/inputData.xml", "")
    trials = shared_dir / "data" / "lower_limb" / "ceinms" / "trials"
    tests = [trials / name / "inputData.xml" for name in ("walk36_c02", "run81_c02")]
    (finding,) = ct.check_folder(folder / "calibrate_stiff.xml", tests=tests).of_severity("warning")
    assert finding.code == "condition-not-covered"
    assert finding.where.trial == "run81_c02"
    assert "MTU lengths change 1." in finding.what


def test_moment_sign_false(shared_dir):
    """Case 06: two MTUs of unusual strength. A fit is perfect as it is, and hopeless turned."""
    setup = case(shared_dir, "06-moment-sign-false")
    assert above_note(setup) == []
    inputs, _ = read_inputs(setup, [], legacy=False)
    match_trials(inputs)
    (fit,) = sign_fits(Reach.of(inputs, inputs.subject, inputs.aligned), [0])
    assert fit.as_it_is > 0.99  # calibrated: 1.000
    assert fit.turned < -1.0  # calibrated: -1.78
    assert not fit.is_wrong


def test_check_goes_on_after_the_calibration_file(shared_dir):
    """Case 08."""
    setup = case(shared_dir, "08-check-stops-at-calibration-file")
    errors = ct.check_folder(setup).of_severity("error")
    assert [error.code for error in errors] == ["calibration-file", "not-a-number"]
    assert errors[1].where.file == setup.parent / "trial" / "lmt.sto"
    assert errors[1].where.line == 9


def case(shared_dir, name):
    setup = shared_dir / "cases" / name / "calibrate.xml"
    if not setup.is_file():
        pytest.skip(f"no case at {setup}")
    return setup


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<minimizeTorqueError />", "<minimiseTorqueError />"),
        ("<name>shapeFactor", "<name>shapeFacto"),
        ("-2.999 -0.001", "-0.001 -2.999"),
        ("<levenbergMarquardt />", ""),
        ("<NMSmodel>", "<model>"),
    ],
)
def test_trials_are_looked_at_after_any_fault_of_the_plan(copy, old, new):
    edit(copy / "calibration.xml", old, new)
    if new == "<model>":
        edit(copy / "calibration.xml", "</NMSmodel>", "</model>")
    damage = next(damage for damage, _, _ in DAMAGES if damage.__name__ == "raw_emg")
    damage(copy)
    codes = [finding.code for finding in ct.check_folder(copy / "calibrate.xml").findings]
    assert codes[:2] == ["calibration-file", "emg-raw"]


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
