"""Start values outside their ranges: the usual ones of converted subjects, on the command line."""

import json
import shutil

import pytest

import ceinms_torch as ct
from command_line import run_command, run_program


@pytest.fixture
def case(shared_dir, tmp_path):
    """Two MTUs whose shapeFactor (0.1) and c1 (-0.98) are outside; a perfect fit exists."""
    source = shared_dir / "cases" / "03-start-outside-range"
    if not source.is_dir():
        pytest.skip(f"no case at {source}")
    return shutil.copytree(source, tmp_path / "case")


def test_one_warning_per_parameter_names_all_mtus_and_the_calibration_begins_inside(case):
    report = ct.check_folder(case / "calibrate.xml")
    found = [one for one in report.findings if one.code == "start-outside-range"]
    assert [(one.severity, one.where.element, one.where.column) for one in found] == [
        ("warning", "<range> of c1", "back, front"),
        ("warning", "<range> of shapeFactor", "back, front"),
    ]
    assert not report.has_errors
    done = run_command("calibrate", case / "calibrate.xml", "--quiet")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("The calibration begins at the nearest value inside.") == 2
    result = json.loads((case / "calibrate_results" / "result.json").read_text())
    # The search ends where its steps are too small to matter, at the rounding of the moments.
    assert result["objective"] < 1e-12
    assert result["fit"]["trial"]["hinge"]["r2"] == pytest.approx(1.0, abs=1e-9)
    begun = {(one["name"], one["start"]) for one in result["steps"][0]["parameters"]}
    assert begun == {("c1", -0.95), ("shapeFactor", -0.001), ("strengthCoefficient", 1.0)}
    moved = [line for line in result["warnings"] if "Start values outside" in line]
    assert ["back, front (-0.98)" in moved[0], "back, front (0.1)" in moved[1]] == [True, True]


@pytest.mark.parametrize("method", ["lm", "adamw", "lbfgs"])
def test_the_same_from_python(case, tmp_path, method):
    folder = ct.CalibrationFolder.read(case / "calibrate.xml")
    with pytest.warns(ct.CeinmsTorchWarning, match="Start values outside") as warned:
        result = ct.calibrate(folder, method=method)
    said = [str(one.message) for one in warned]
    assert len(said) == 2
    assert result.parameters[2].start == -0.001
    # The same calibration of a subject that is inside from the beginning.
    text = (case / "model.xml").read_text()
    text = text.replace("<c1>-0.98", "<c1>-0.95").replace(">0.1</shape", ">-0.001</shape")
    (case / "model.xml").write_text(text)
    inside = ct.calibrate(case / "calibrate.xml", method=method)
    assert result.objective == inside.objective
    result.save(tmp_path / "saved")
    written = json.loads((tmp_path / "saved" / "result.json").read_text())
    assert written["warnings"] == said


def test_the_original_says_nothing_and_leaves_them_where_they_are(case):
    done = run_program("CEINMScalibrate", "-S", case / "calibrate.xml")
    assert (done.returncode, done.stderr) == (0, "")
