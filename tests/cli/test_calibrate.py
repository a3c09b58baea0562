"""``ceinms-torch calibrate`` as users run it."""

import csv
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from ceinms_torch.io.storage import read_storage
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.nms_model import Tendon
from ceinms_torch.model.parameters import PARAMETER_KINDS
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.results.read import load_result
from ceinms_torch.simulation.fit import moment_fit
from ceinms_torch.simulation.legacy.run import simulate_legacy
from ceinms_torch.simulation.simulate import simulate
from command_line import interrupt, listing, run_command
from helpers import DOF_NAMES, MTU_NAMES, edit, write_tiny_folder

STORAGES = {
    "Activations.sto",
    "FibreLengths.sto",
    "NormFibreLengths.sto",
    "FibreVelocities.sto",
    "NormFibreVelocities.sto",
    "PennationAngles.sto",
    "TendonStrains.sto",
    "MuscleForces.sto",
    "Torques.sto",
}
RECORDINGS = {"MeasuredTorques.sto", "Excitations.sto"}
RESULT_KEYS = {
    "format",
    "command",
    "mtus",
    "dofs",
    "subject",
    "start_parameters",
    "activation",
    "time_step",
    "start_activation_delays",
    "overrides",
    "activation_delays",
    "start",
    "polish",
    "method",
    "engine",
    "device",
    "tendon",
    "objective",
    "terms",
    "seconds",
    "iterations",
    "evaluations",
    "status",
    "status_message",
    "seed",
    "options",
    "findings",
    "fit",
    "test_fit",
    "identifiability",
    "steps",
    "warnings",
    "versions",
    "inputs",
    "files",
}


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    """One calibration with a test trial, that several tests look at."""
    path = tmp_path_factory.mktemp("calibrated")
    folder = write_tiny_folder(path / "subject", tendon="<rosenbrockElastic/>", n_trial=3)
    edit(folder / "calibration.xml", " trial3/inputData.xml", "")
    before = listing(folder)
    result = run_command(
        "calibrate",
        folder / "calibrationSetup.xml",
        "--out",
        path / "results",
        "--test",
        folder / "trial3" / "inputData.xml",
        "--max-iterations",
        "12",
        "--method",
        "adamw",
        "--engine",
        "tensor",
        "--seed",
        "5",
        "--normalisation",
        "rmse",
    )
    assert result.returncode == 0, result.stderr
    assert listing(folder) == before  # with --out nothing is written among the inputs
    summary = json.loads((path / "results" / "result.json").read_text())
    return folder, path / "results", result, summary


def test_bands(tmp_path):
    """Asked for, they are found, told, saved, and drawn by report; an annealing has none."""
    folder = write_tiny_folder(tmp_path / "subject", tendon="<rosenbrockElastic/>", n_trial=3)
    edit(folder / "calibration.xml", " trial3/inputData.xml", "")
    setup, out = folder / "calibrationSetup.xml", tmp_path / "out"
    test = ("--test", folder / "trial3" / "inputData.xml")
    result = run_command("calibrate", setup, "--out", out, "--bands", *test)
    assert result.returncode == 0, result.stderr
    assert "95 % bands over 79 parameter sets that fit alike" in result.stdout
    summary = json.loads((out / "result.json").read_text())["uncertainty"]
    assert [(one["name"], one["role"]) for one in summary["trials"]] == [
        ("trial1", "calibration"),
        ("trial2", "calibration"),
        ("trial3", "test"),
    ]
    assert set(summary["mean_width"]["mtu_force"]) == set(MTU_NAMES)
    for name, units in (("MuscleForces", "N"), ("Torques", "N m")):
        lower, upper = (
            read_storage(out / "test" / "trial3" / f"{name}{side}.sto")
            for side in ("Lower", "Upper")
        )
        assert lower.units == upper.units == units
        assert (lower.values <= upper.values).all()
    assert run_command("report", out).returncode == 0
    assert "95 % band" in (out / "report.html").read_text(encoding="utf-8")
    refused = run_command("calibrate", setup, "--out", out, "--bands", "--method", "annealing")
    assert refused.returncode == 1
    assert (
        "--bands: expected lm, adamw or lbfgs, without synergies, got annealing" in refused.stderr
    )


def read_trial(folder, name, subject):
    generator = ExcitationGenerator.read(folder / "excitationGenerator.xml")
    return Trial.read(folder / name / "inputData.xml", subject, generator)


def test_files_written(calibrated):
    _, directory, _, _ = calibrated
    files = {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}
    storages = {
        f"{group}/{name}"
        for group in ("trials/trial1", "trials/trial2", "test/trial3")
        for name in STORAGES | RECORDINGS
    }
    assert files == {"subject.xml", "result.json", "loss_history.csv"} | storages


def test_result_says_what_was_done(calibrated):
    _, _, _, summary = calibrated
    assert set(summary) == RESULT_KEYS
    assert (summary["method"], summary["engine"], summary["seed"]) == ("adamw", "tensor", 5)
    kind = "rosenbrockElastic"
    assert summary["tendon"] == {"requested": kind, "tolerance": None, "used": kind}
    assert summary["iterations"] == 12
    assert summary["evaluations"] == 13
    assert summary["status"] == "max_iterations"
    assert summary["objective"] == pytest.approx(sum(summary["terms"].values()), rel=1e-12)
    assert set(summary["terms"]) == {"moment", "fibre_length", "tendon_strain"}
    assert 0.0 < summary["seconds"] < 300.0
    assert summary["options"]["maxIterations"] == 12
    assert summary["start"] == "subject"
    assert {"ceinms-torch", "torch", "numpy", "python"} <= set(summary["versions"])
    (step,) = summary["steps"]
    assert step["objective_options"]["normalisation"] == "rmse"
    assert step["dofs"] == list(DOF_NAMES)


def test_result_names_every_input_with_its_hash(calibrated):
    folder, _, _, summary = calibrated
    got = {str((folder / path).resolve()): digest for path, digest in summary["inputs"].items()}
    assert not any(Path(path).is_absolute() for path in summary["inputs"])
    names = ["calibrationSetup.xml", "subject.xml", "excitationGenerator.xml", "calibration.xml"]
    files = ["inputData.xml", "lmt.sto", "emg.mot", "id.sto"]
    files += [f"ma_{dof}.sto" for dof in DOF_NAMES]
    names += [f"trial{i}/{file}" for i in (1, 2, 3) for file in files]
    expected = {
        str((folder / name).resolve()): hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in names
    }
    assert got == expected


def test_subject_is_valid_and_is_the_one_that_was_judged(calibrated):
    folder, directory, _, summary = calibrated
    subject = Subject.read(directory / "subject.xml")  # validates
    original = Subject.read(folder / "subject.xml")
    assert subject.mtu_names == MTU_NAMES
    for parameter in summary["steps"][0]["parameters"]:
        assert parameter["lower"] <= parameter["value"] <= parameter["upper"]
        row = subject.parameters()[PARAMETER_KINDS.index(parameter["name"])]
        assert {row[MTU_NAMES.index(name)] for name in parameter["mtus"]} == {parameter["value"]}
    assert np.any(subject.parameters() != original.parameters(), axis=1).sum() == 6
    for group, names in (("fit", ("trial1", "trial2")), ("test_fit", ("trial3",))):
        assert set(summary[group]) == set(names)
        for name in names:
            trial = read_trial(folder, name, subject)
            expected = moment_fit(trial, simulate(subject, trial, tendon="rosenbrockElastic"))
            assert set(summary[group][name]) == set(DOF_NAMES)
            for dof, fit in summary[group][name].items():
                # The subject in the file has all digits of the one in memory.
                assert fit["rmse"] == pytest.approx(expected[dof].rmse, rel=1e-12)
                assert fit["r2"] == pytest.approx(expected[dof].r2, rel=1e-9)


def test_storages_hold_the_simulations_of_the_written_subject(calibrated):
    folder, directory, _, _ = calibrated
    subject = Subject.read(directory / "subject.xml")
    for name, group in (("trial2", "trials"), ("trial3", "test")):
        trial = read_trial(folder, name, subject)
        simulation = simulate(subject, trial, tendon="rosenbrockElastic")
        moments = read_storage(directory / group / name / "Torques.sto")
        assert moments.columns == DOF_NAMES
        # Files hold at least ten digits.
        np.testing.assert_allclose(moments.values, simulation.joint_moment.array, rtol=1e-9)
        for file in STORAGES:
            storage = read_storage(directory / group / name / file)
            np.testing.assert_allclose(storage.time, trial.time, atol=1e-9)


def test_history_is_a_table_of_every_iterate(calibrated):
    _, directory, _, summary = calibrated
    with (directory / "loss_history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["iteration"]) for row in rows] == list(range(13))
    objectives = [float(row["objective [N m]"]) for row in rows]
    assert min(objectives) == summary["objective"]
    assert objectives[0] > min(objectives)
    for dof in DOF_NAMES:
        assert all(float(row[f"RMSE {dof} [N m]"]) > 0.0 for row in rows)


def test_result_says_what_is_identifiable(calibrated):
    _, _, _, summary = calibrated
    found = summary["identifiability"]
    expected = [(one["name"], one["mtus"]) for one in summary["steps"][0]["parameters"]]
    assert [(one["name"], one["mtus"]) for one in found["parameters"]] == expected
    assert len(found["singular_values"]) == len(expected)
    assert all(one["loadings"] for one in found["directions"])
    for one in found["parameters"]:
        assert (one["reason"] == "") == (one["standard_error"] is not None)


def test_tables_show_fit_terms_and_bounds(calibrated):
    _, directory, result, _ = calibrated
    shown = result.stdout
    for text in (
        "calibration trials",
        "test trials",
        "RMSE",
        "trial3",
        "moment",
        "bound",
        "are identifiable",
    ):
        assert text in shown
    for dof in DOF_NAMES:
        assert dof in shown
    assert f"calibrated subject: {directory / 'subject.xml'}" in shown
    assert "note: the calibration file asks for simulatedAnnealing" in result.stderr
    assert "Traceback" not in result.stderr


def test_without_out_the_setup_file_decides(tiny_folder):
    inputs = listing(tiny_folder)
    result = run_command(
        "calibrate", tiny_folder / "calibrationSetup.xml", "--max-iterations", "1", "--quiet"
    )
    assert result.returncode == 0, result.stderr
    after = listing(tiny_folder)
    assert {path: after[path] for path in inputs} == inputs
    new = {str(path.relative_to(tiny_folder)) for path in after if path not in inputs}
    assert {"calibrated/subject.xml", "calibrationSetup_results/result.json"} <= new
    assert all(name.startswith(("calibrated", "calibrationSetup_results")) for name in new)
    assert len(result.stdout.splitlines()) == 2  # quiet: where the results are, nothing else
    text = (tiny_folder / "calibrated" / "subject.xml").read_text()
    assert "<calibrated>" in text
    assert "calibration.xml" in text


def test_adamw_of_the_calibration_file_is_used(tmp_path):
    algorithm = "<adamW><learningRate>0.02</learningRate><maxIterations>2</maxIterations></adamW>"
    folder = write_tiny_folder(tmp_path / "subject", algorithm=algorithm)
    result = run_command(
        "calibrate", folder / "calibrationSetup.xml", "--out", tmp_path / "out", "--start", "random"
    )
    assert result.returncode == 0, result.stderr
    assert "note:" not in result.stderr
    summary = json.loads((tmp_path / "out" / "result.json").read_text())
    assert summary["iterations"] == 2
    assert summary["options"]["learningRate"] == 0.02
    assert summary["start"] == "random"


# A calibration far too long to end by itself that says when it is under way.
INTERRUPTIBLE = """
import sys
from ceinms_torch.cli import main
from ceinms_torch.terminal import display
shown = display.CalibrationProgress.__call__
def show(self, iteration):
    shown(self, iteration)
    if iteration.iteration == 3:
        print("under way", flush=True)
display.CalibrationProgress.__call__ = show
sys.argv = ["ceinms-torch", *sys.argv[1:]]
main.main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_interrupt_writes_the_best(tiny_folder):
    options = ["--method", "adamw", "--max-iterations", "100000000", "--set", "patience=100000000"]
    setup = tiny_folder / "calibrationSetup.xml"
    result = interrupt(INTERRUPTIBLE, "calibrate", setup, *options)
    assert result.returncode == 130, result.stderr
    assert "Traceback" not in result.stderr
    assert "Interrupted; the best parameters found so far are kept." in result.stdout
    directory = tiny_folder / "calibrationSetup_results"
    summary = json.loads((directory / "result.json").read_text())
    assert summary["status"] == "interrupted"
    assert summary["iterations"] >= 3
    Subject.read(tiny_folder / "calibrated" / "subject.xml")
    assert (directory / "trials" / "trial2" / "Torques.sto").is_file()


def test_broken_test_trial_is_found_before_calibrating(tiny_folder, tmp_path):
    path = tiny_folder / "trial2" / "id.sto"
    edit(path, "knee_angle_r_moment", "hip_flexion_r_moment")
    edit(tiny_folder / "calibration.xml", " trial2/inputData.xml", "")
    before = listing(tiny_folder)
    result = run_command(
        "calibrate",
        tiny_folder / "calibrationSetup.xml",
        "--test",
        tiny_folder / "trial2" / "inputData.xml",
        without_torch=tmp_path / "poison",
    )
    assert result.returncode == 1
    assert result.stderr.count("error:") == 1
    assert f"{path}:7: knee_angle_r_moment: expected a column" in result.stderr
    assert listing(tiny_folder) == before


def test_help_has_examples():
    result = run_command("calibrate", "--help")
    assert result.returncode == 0
    assert "Examples" in result.stdout
    assert "ceinms-torch calibrate calibrate.xml --starts 32 --threads 2" in result.stdout
    for option in ("--out", "--test", "--normalisation", "--start", "--seed", "--set", "--method"):
        assert option in result.stdout


def test_verify_in_ceinms_shows_both_errors(tmp_path):
    folder = write_tiny_folder(tmp_path / "subject", tendon="<rosenbrockElastic/>", n_trial=3)
    edit(folder / "calibration.xml", " trial3/inputData.xml", "")
    result = run_command(
        "calibrate",
        folder / "calibrationSetup.xml",
        "--test",
        folder / "trial3" / "inputData.xml",
        "--max-iterations",
        "5",
        "--verify-in",
        "ceinms",
        "--out",
        tmp_path / "results",
    )
    assert result.returncode == 0, result.stderr
    assert "calibration trials, equilibriumElastic in CEINMS" in result.stdout
    assert "test trials, equilibriumElastic in CEINMS" in result.stdout
    verification = json.loads((tmp_path / "results" / "result.json").read_text())["verification"]
    assert (verification["program"], verification["tendon"]) == ("ceinms", "equilibriumElastic")
    subject = Subject.read(tmp_path / "results" / "subject.xml")
    for name, role in {"trial1": "fit", "trial2": "fit", "trial3": "test_fit"}.items():
        generator = ExcitationGenerator.read(folder / "excitationGenerator.xml")
        trial = Trial.read(
            folder / name / "inputData.xml", subject, generator, require_moments=True
        )
        run = simulate_legacy(subject, trial, tendon=Tendon(kind="equilibriumElastic"))
        for dof, fit in moment_fit(trial, run.simulation).items():
            # Parameters are written with all digits; the tolerance is the equilibrium's.
            assert verification[role][name][dof]["rmse"] == pytest.approx(fit.rmse, rel=1e-9)
    again = load_result(tmp_path / "results")
    assert again.verification is not None
    assert again.verification.test_fit.keys() == {"trial3"}


def test_what_ceinms_cannot_run_is_said_before_calibrating(tmp_path):
    folder = write_tiny_folder(tmp_path / "subject", tendon="<rosenbrockElastic/>", curves=False)
    result = run_command("calibrate", folder / "calibrationSetup.xml", "--verify-in", "ceinms")
    assert result.returncode == 1
    assert "to verify in CEINMS" in " ".join(result.stderr.split())
    assert not list(folder.rglob("result.json"))
