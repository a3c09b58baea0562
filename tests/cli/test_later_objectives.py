"""Calibration files of later programs as users run them: composites, the paper's calibrator."""

import json
import shutil

import numpy as np
import pytest

import ceinms_torch as ct
from command_line import run_command, run_program
from helpers import DOF_NAMES, MTU_NAMES, edit, write_tiny_folder
from paper_files import write_paper_calibration


@pytest.fixture
def case(shared_dir, tmp_path):
    """Return a function that copies one of the reference cases."""

    def copy(name):
        folder = shared_dir / "cases" / name
        if not folder.is_dir():
            pytest.skip(f"no case at {folder}")
        target = tmp_path / name
        shutil.copytree(folder, target, copy_function=shutil.copyfile)
        for path in target.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        target.chmod(0o755)
        return target

    return copy


def start_and_end(folder):
    """Return the objective at the start and at the end of a calibration."""
    result = ct.calibrate(folder / "calibrate.xml", starts=1)
    return result.history[0].objective, result


def test_case_01_objective_of_0_21(case):
    folder = case("01-later-objectives")
    checked = run_command("check", folder / "calibrate.xml")
    assert checked.returncode == 0, checked.stdout
    start, result = start_and_end(folder)
    assert start == pytest.approx(15.4969, abs=5e-5)
    assert result.history[0].terms["fibre_length"] == 0.0
    assert result.objective == pytest.approx(0.0, abs=1e-6)
    assert result.fit["trial"]["hinge"].r2 == pytest.approx(1.0, abs=1e-9)
    old = run_program("CEINMScalibrate", "-S", folder / "calibrate.xml")
    assert old.returncode == 0, old.stderr
    # It searches the same objective: the calibrated subject has the value that it prints.
    last = float(old.stdout.split("fOpt_ = ")[-1].split()[0])
    calibrated = ct.Subject.read(folder / "calibrated.xml")
    trial = ct.CalibrationFolder.read(folder / "calibrate.xml").trials[0]
    error = (
        trial.measured_moment - ct.simulate(calibrated, trial, tendon="stiff").joint_moment.array
    )
    # The two models differentiate fibre lengths differently.
    assert np.sqrt(np.mean(error**2)) == pytest.approx(last, rel=0.05)
    assert last < start


def test_case_01_equals_its_native_equivalent(case):
    folder = case("01-later-objectives")
    _, later = start_and_end(folder)
    text = (folder / "calibration.xml").read_text()
    begin, end = text.index("<torqueErrorNormalised>"), text.index("</objectiveFunction>")
    native = (
        "<minimizeTorqueError><normalisation>rmse</normalisation><fibreLengthPenalty>"
        "<range>0.6 1.4</range><weight>100</weight></fibreLengthPenalty></minimizeTorqueError>"
    )
    (folder / "calibration.xml").write_text(text[:begin] + native + text[end:])
    _, ours = start_and_end(folder)
    np.testing.assert_allclose(
        [one.objective for one in later.history],
        [one.objective for one in ours.history],
        rtol=1e-9,
        atol=1e-9,
    )


def test_case_17_weight_without_range(case):
    folder = case("17-weight-without-range")
    checked = run_command("check", folder / "calibrate.xml")
    assert checked.returncode == 0, checked.stdout
    _, result = start_and_end(folder)
    assert result.objective == pytest.approx(0.0, abs=1e-9)
    assert result.fit["trial"]["hinge"].r2 == pytest.approx(1.0, abs=1e-9)
    assert result.plan.steps[0].objective.fibre_length_range == (0.5, 1.5)


def test_one_dof_is_calibrated_and_all_count(tiny_folder, tmp_path):
    """As in folders of 0.21: the objective is over all DOFs, whatever the step's are."""
    composites = (
        "<torqueErrorNormalised><targets>all</targets><weight>1</weight><exponent>1</exponent>"
        "</torqueErrorNormalised>"
    )
    edit(tiny_folder / "calibration.xml", "<minimizeTorqueError/>", composites)
    edit(tiny_folder / "calibration.xml", f"<dofs>{' '.join(DOF_NAMES)}<", f"<dofs>{DOF_NAMES[0]}<")
    edit(tiny_folder / "calibration.xml", " trial2/inputData.xml", "")
    out = tmp_path / "out"
    done = run_command("calibrate", tiny_folder / "calibrationSetup.xml", "--out", out)
    assert done.returncode == 0, done.stderr
    summary = json.loads((out / "result.json").read_text())
    fit = summary["fit"]["trial1"]
    assert summary["terms"]["moment"] == pytest.approx(
        sum(fit[dof]["rmse"] for dof in DOF_NAMES), rel=1e-6
    )
    again = ct.load_result(out)
    assert again.plan.steps[0].objective.composites == (ct.TorqueError(),)
    report = run_command("report", out)
    assert report.returncode == 0, report.stderr


def test_normalisation_beside_composites_is_refused(tiny_folder):
    edit(
        tiny_folder / "calibration.xml",
        "<minimizeTorqueError/>",
        "<torqueError><targets>all</targets><weight>1</weight><exponent>1</exponent></torqueError>",
    )
    setup = tiny_folder / "calibrationSetup.xml"
    done = run_command("calibrate", setup, "--normalisation", "variance")
    assert done.returncode == 1
    assert "normalisation: expected rmse, with composites, got 'variance'" in done.stderr


# ---- the paper's calibrator


def paper_folder(path, **changes):
    """Return the setup file of a small folder with such a calibration file."""
    unrecorded = (MTU_NAMES[-1],) if changes.get("hybrid") else ()
    folder = write_tiny_folder(path, unrecorded=unrecorded)
    trials = ["trial1/inputData.xml", "trial2/inputData.xml"]
    write_paper_calibration(folder / "calibration.xml", trials, **changes)
    return folder / "calibrationSetup.xml"


@pytest.mark.parametrize("hybrid", [False, True])
def test_paper_calibration_runs_on_both_engines(tmp_path, hybrid):
    setup = paper_folder(tmp_path / "data", hybrid=hybrid, synergies=2, iterations=25)
    objectives = []
    for engine in ("fused", "tensor"):
        out = tmp_path / engine
        done = run_command("calibrate", setup, "--engine", engine, "--starts", 1, "--out", out)
        assert done.returncode == 0, done.stderr
        plan = ct.CalibrationFolder.read(setup).plan
        assert len(plan.differences) > 4
        for difference in plan.differences:
            assert done.stderr.count(f"note: {difference}\n") == 1
        summary = json.loads((out / "result.json").read_text())
        assert summary["method"] == "adamw"
        assert summary["engine"] == engine
        wanted = {"learningRate": 0.02, "learningRateDecay": 0.99, "minLearningRate": 1e-4}
        assert wanted.items() <= summary["options"].items()
        assert (summary["options"]["minImprovement"], summary["options"]["patience"]) == (0.1, 20)
        assert ("hybrid" in summary) == hybrid
        codes = [one["code"] for one in summary["findings"]]
        assert codes.count("calibration-differs") == len(plan.differences)
        objectives.append(summary["objective"])
    assert objectives[0] == pytest.approx(objectives[1], rel=1e-6)


def test_paper_calibration_stops_by_its_own_rule(tmp_path):
    setup = paper_folder(tmp_path / "data")
    result = ct.calibrate(setup)
    assert result.status == "converged"
    best = np.minimum.accumulate([one.objective for one in result.history])
    assert best[-21] - best[-1] <= 0.1
    # Before, no 20 iterations gained less.
    falls = best[:-22] - best[20:-2]
    assert len(falls) == 0 or falls.min() > 0.0
    assert result.iterations < 1000


def test_differences_are_checked_and_the_annealing_says_what_it_needs(tmp_path):
    setup = paper_folder(tmp_path / "data")
    done = run_command("check", setup)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("note calibration-differs") == len(
        ct.CalibrationFolder.read(setup).plan.differences
    )
    old = run_program("CEINMScalibrate", "-S", setup)
    assert old.returncode == 1
    assert "expected <simulatedAnnealing>, whose settings have no defaults" in old.stderr
