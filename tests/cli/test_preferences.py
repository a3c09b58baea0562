"""Preferences of the objective from the calibration file to the report, as users run it."""

import csv
import json

import pytest

from command_line import run_command
from helpers import MTU_NAMES, edit

GROUP = " ".join(MTU_NAMES[:2])
PREFERENCES = f"""<minimizeTorqueError>
  <peakForce><weight>0.2</weight></peakForce>
  <parameterPrior><weight>0.05</weight></parameterPrior>
  <groupCoherence><weight>0.1</weight><muscles>{GROUP}</muscles></groupCoherence>
</minimizeTorqueError>"""


@pytest.fixture
def with_objective(tiny_folder):
    """Return a function that gives the small folder another objective, and its setup file."""

    def give(xml):
        edit(tiny_folder / "calibration.xml", "<minimizeTorqueError/>", xml)
        return tiny_folder / "calibrationSetup.xml"

    return give


def test_preferences_are_in_every_result(with_objective, tmp_path):
    out = tmp_path / "out"
    result = run_command("calibrate", with_objective(PREFERENCES), "--out", out)
    assert result.returncode == 0, result.stderr
    summary = json.loads((out / "result.json").read_text())
    names = {"peak_force", "parameter_prior", "group_coherence"}
    assert names < set(summary["terms"])
    assert all(summary["terms"][name] > 0.0 for name in ("peak_force", "parameter_prior"))
    assert sum(summary["terms"].values()) == pytest.approx(summary["objective"], rel=1e-12)
    options = summary["steps"][0]["objective_options"]
    assert options["parameterPrior"] == {"weight": 0.05}
    assert options["groupCoherence"] == {"weight": 0.1, "muscles": [GROUP.split()]}
    with (out / "loss_history.csv").open(encoding="utf-8") as file:
        header = next(csv.reader(file))
    assert {f"{name} [-]" for name in names} < set(header)
    assert "peak_force" in result.stdout
    report = run_command("report", out)
    assert report.returncode == 0, report.stderr
    text = (out / "report.html").read_text(encoding="utf-8")
    assert f"weight 0.1, muscles {GROUP}" in text
    assert "parameter_prior" in text


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (
            f"<muscles>{MTU_NAMES[0]} {MTU_NAMES[1][:-1]}</muscles>",
            f"Did you mean '{MTU_NAMES[1]}'",
        ),
        (f"<muscles>{MTU_NAMES[0]}</muscles>", "at least two different MTUs in every group"),
        ("", "at least one group"),
    ],
)
def test_faulty_groups_stop_it_before_it_begins(with_objective, groups, message):
    xml = f"<groupCoherence><weight>1</weight>{groups}</groupCoherence>"
    setup = with_objective(f"<minimizeTorqueError>{xml}</minimizeTorqueError>")
    result = run_command("calibrate", setup)
    assert result.returncode == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_annealing_refuses_preferences(with_objective):
    result = run_command("calibrate", with_objective(PREFERENCES), "--method", "annealing")
    assert result.returncode == 1
    assert "Other methods than annealing take it" in result.stderr
