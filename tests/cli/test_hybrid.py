"""``ceinms-torch calibrate --hybrid`` and ``run --weightings`` as users run them."""

import csv
import dataclasses
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

import ceinms_torch as ct
from ceinms_torch.plan.synergy_hybrid import PAPER_HYBRID
from command_line import environment, run_command
from helpers import MTU_NAMES, edit, write_tiny_folder

MADE = "gasmed_r"  # the one MTU without a recording; it acts on both DOFs
FILES = {"Excitations.sto", "Primitives.sto", "ReconstructedExcitations.sto", "Weightings.csv"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Calibrated with two synergies on trial1, tested on trial2."""
    folder = write_tiny_folder(tmp_path_factory.mktemp("tiny") / "data", unrecorded=(MADE,))
    edit(
        folder / "calibration.xml",
        "trial1/inputData.xml trial2/inputData.xml",
        "trial1/inputData.xml",
    )
    result = run_command(
        "calibrate",
        folder / "calibrationSetup.xml",
        "--synergies",
        "2",
        "--starts",
        "3",
        "--threads",
        "2",
        "--out",
        folder / "out",
        "--test",
        folder / "trial2" / "inputData.xml",
    )
    assert result.returncode == 0, result.stderr
    assert "2 synergies drive gasmed_r." in result.stdout
    assert "synthesised" in result.stdout
    return folder


def test_files_of_synergies(folder):
    for part, trial in (("trials", "trial1"), ("test", "trial2")):
        names = {path.name for path in (folder / "out" / part / trial).iterdir()}
        assert names >= FILES
        recorded = ct.read_storage(folder / trial / "emg.mot")
        excitations = ct.read_storage(folder / "out" / part / trial / "Excitations.sto")
        assert excitations.columns == MTU_NAMES
        np.testing.assert_allclose(excitations.time, recorded.time, rtol=1e-12)
        for name in MTU_NAMES:
            same = np.allclose(
                excitations.select((name,)), recorded.select((f"{name}_emg",)), atol=1e-9
            )
            assert same == (name != MADE)
        primitives = ct.read_storage(folder / "out" / part / trial / "Primitives.sto")
        assert primitives.columns == ("synergy_1", "synergy_2")
    with (folder / "out" / "Weightings.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["muscle", "origin", "synergy_1 [-]", "synergy_2 [-]"]
    assert {row[0]: row[1] for row in rows[1:]} == {
        name: "synthesised" if name == MADE else "recorded" for name in MTU_NAMES
    }


def test_result_says_how(folder):
    result = json.loads((folder / "out" / "result.json").read_text())
    assert result["method"] == "lbfgs"
    assert set(result["terms"]) >= {"moment", "excitation", "synthesised", "bounds"}
    # Three from where each calibration without synergies ended, three from the subject's values.
    assert len(result["steps"][0]["starts"]) == (9 if result["hybrid"]["ties"] else 6)
    assert result["hybrid"]["begun_at"] in {"EMG-driven", "neighbour-driven", "subject"}
    assert result["hybrid"]["emg_driven_test_fit"].keys() == {"trial2"}
    hybrid = result["hybrid"]
    assert hybrid["options"]["nSynergy"] == hybrid["n_synergy"] == 2
    assert hybrid["synthesised"] == [MADE]
    assert hybrid["vaf"]["trial1"] > 0.99  # two synergies, two recordings
    with (folder / "out" / "loss_history.csv").open() as file:
        header = next(csv.reader(file))
    assert {"excitation [-]", "synthesised [-]", "bounds [-]"} <= set(header)


def run(folder, *arguments, generator="excitationGenerator.xml", excitations=None):
    """Run trial2 with the calibrated subject and return its moments."""
    if excitations is not None:
        text = (folder / "trial2" / "inputData.xml").read_text()
        changed = text.replace("emg.mot", str(excitations))
        (folder / "trial2" / "again.xml").write_text(changed)
    trial = "inputData.xml" if excitations is None else "again.xml"
    text = (folder / "setup.xml").read_text()
    for old, new in (
        ("subject.xml", "out/subject.xml"),
        ("trial1/inputData.xml", f"trial2/{trial}"),
        ("excitationGenerator.xml", generator),
    ):
        text = text.replace(old, new)
    setup = folder / "again.xml"
    setup.write_text(text)
    shutil.rmtree(folder / "forces", ignore_errors=True)
    result = run_command("run", setup, "--out", folder / "forces", *arguments)
    assert result.returncode == 0, result.stderr
    return ct.read_storage(folder / "forces" / "Torques.sto").values


def test_synergies_drive_later_runs(folder):
    expected = ct.read_storage(folder / "out" / "test" / "trial2" / "Torques.sto").values
    weightings = folder / "out" / "Weightings.csv"
    synthesised = run(folder, "--weightings", weightings)
    np.testing.assert_allclose(synthesised, expected, rtol=1e-9, atol=1e-9)
    assert {path.name for path in (folder / "forces").iterdir()} >= FILES
    # So does the file of excitations, with the generator that comes with it.
    again = run(
        folder,
        generator="out/excitationGenerator.xml",
        excitations=folder / "out" / "test" / "trial2" / "Excitations.sto",
    )
    np.testing.assert_allclose(again, expected, rtol=1e-6, atol=1e-6)  # printed digits
    assert np.abs(run(folder) - expected).max() > 0.5
    measured = ct.read_storage(folder / "trial2" / "id.sto").values
    refined = run(folder, "--weightings", weightings, "--refine")
    assert np.mean((refined - measured) ** 2) < np.mean((synthesised - measured) ** 2)


def test_more_synergies_than_recordings(folder):
    result = run_command(
        "calibrate",
        folder / "calibrationSetup.xml",
        "--out",
        folder / "refused",
        "--synergies",
        "3",
    )
    assert result.returncode == 1
    assert "number of synergies: expected at most 2, one per independent" in result.stderr
    assert not (folder / "refused").exists()


def test_a_dead_electrode(tmp_path):
    folder = write_tiny_folder(tmp_path / "dead", unrecorded=(MADE,))
    emg = folder / "trial2" / "emg.mot"
    lines = emg.read_text().splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("time")) + 1
    for i in range(first, len(lines)):
        cells = lines[i].split("\t")
        cells[1] = "0"
        lines[i] = "\t".join(cells)
    emg.write_text("\n".join(lines) + "\n")
    result = run_command("calibrate", folder / "calibrationSetup.xml", "--hybrid")
    assert result.returncode != 0
    assert (
        "trial trial2: expected a recorded excitation of soleus_r that is not zero" in result.stderr
    )


def test_nothing_to_synthesise(tmp_path):
    folder = write_tiny_folder(tmp_path / "idle", unrecorded=(MADE,))
    text = (folder / "subject.xml").read_text()
    (folder / "subject.xml").write_text(
        text.replace("gasmed_r recfem_r<", "recfem_r<").replace("soleus_r gasmed_r<", "soleus_r<")
    )
    result = run_command("calibrate", folder / "calibrationSetup.xml", "--hybrid")
    assert result.returncode != 0
    assert "got none that acts on the step's DOFs" in result.stderr


@pytest.fixture
def two_legs(shared_dir, tmp_path):
    """`deep` acts on the hinge, `otherside` on nothing; neither has an electrode."""
    source = shared_dir / "cases" / "04-hybrid-other-leg"
    if not source.is_dir():
        pytest.skip(f"no case at {source}")
    return shutil.copytree(source, tmp_path / "case")


def calibrated(folder, *options):
    """Calibrate with one synergy and return result.json and what was said."""
    setup = folder / "calibrate.xml"
    done = run_command("calibrate", setup, "-q", "--synergies", "1", "--out", folder, *options)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "result.json").read_text()), done.stderr


def test_mtus_on_no_dof_stay_undriven(two_legs):
    result, said = calibrated(two_legs)
    # As the paper searches, from the subject's values; to the digits that were printed.
    folder = ct.CalibrationFolder.read(two_legs / "calibrate.xml")
    paper = dataclasses.replace(PAPER_HYBRID, n_synergy=1)
    from_subject = ct.calibrate(folder, plan=dataclasses.replace(folder.plan, synergy_hybrid=paper))
    assert from_subject.objective == pytest.approx(8.12633, abs=5e-6)
    assert from_subject.fit["trial"]["hinge"].rmse == pytest.approx(0.17, abs=5e-3)
    # The better of that start and the EMG-driven result's is kept.
    assert result["objective"] <= 8.12633 + 5e-6
    assert result["fit"]["trial"]["hinge"]["rmse"] < 0.175
    assert result["hybrid"]["synthesised"] == ["deep"]
    assert result["hybrid"]["undriven"] == ["otherside"]
    assert "note: left undriven, as they act on no DOF of the calibration: otherside" in said
    excitation = ct.read_storage(two_legs / "trials" / "trial" / "Excitations.sto")
    assert not excitation.select(("otherside",)).any()
    # As without that MTU.
    for name in ("model.xml", "map.xml"):
        lines = (two_legs / name).read_text().splitlines()
        (two_legs / name).write_text("\n".join(one for one in lines if "otherside" not in one))
    alone, said = calibrated(two_legs)
    assert alone["objective"] == result["objective"]
    assert "undriven" not in said


def test_the_user_chooses_what_synergies_drive(two_legs):
    everything, _ = calibrated(two_legs, "--synthesise", "all")
    assert everything["hybrid"]["synthesised"] == ["deep"]
    named, said = calibrated(two_legs, "--synthesise", "front")
    assert named["hybrid"]["synthesised"] == ["front"]
    assert named["hybrid"]["undriven"] == ["deep", "otherside"]
    assert "neither electrode nor synergy drives deep: kept, with passive force only" in said
    read = ct.load_result(two_legs)
    assert read.undriven == ("deep", "otherside")
    assert read.synergy_hybrid.synthesise == ("front",)
    refused = run_command("calibrate", two_legs / "calibrate.xml", "--synthesise", "deep,otherside")
    assert refused.returncode == 1
    assert "excitation to synthesise of otherside: expected a moment arm" in refused.stderr


def test_mtus_without_electrode_are_said_without_synergies(two_legs):
    done = run_command("calibrate", two_legs / "calibrate.xml", "-q")
    assert done.returncode == 0, done.stderr
    assert "note: no electrode drives deep: kept, with passive force only; --hybrid" in done.stderr
    assert "otherside" not in done.stderr


def test_the_file_may_ask_for_it_and_the_paper_method_does_it(tmp_path):
    folder = write_tiny_folder(
        tmp_path / "file",
        unrecorded=(MADE,),
        algorithm="<adamW><maxIterations>5</maxIterations></adamW>",
    )
    edit(
        folder / "calibration.xml",
        "<openLoop/>",
        "<synergyHybrid><nSynergy>1</nSynergy></synergyHybrid>",
    )
    for engine in ("fused", "tensor"):
        out = folder / engine
        result = run_command(
            "calibrate", folder / "calibrationSetup.xml", "--engine", engine, "--out", out, "-q"
        )
        assert result.returncode == 0, result.stderr
    fused, tensor = (
        json.loads((folder / engine / "result.json").read_text()) for engine in ("fused", "tensor")
    )
    assert (fused["method"], fused["iterations"]) == ("adamw", 5)
    assert fused["objective"] == pytest.approx(tensor["objective"], rel=1e-6)
    read = ct.CalibrationFolder.read(folder / "calibrationSetup.xml")
    again = ct.calibrate(read)
    assert isinstance(again, ct.HybridResult)
    assert again.objective == fused["objective"]
    with pytest.raises(ct.OptionError, match="generator: expected one, with <synergyHybrid>"):
        ct.calibrate(read.subject, read.trials, read.plan)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_keeps_the_best(tmp_path):
    folder = write_tiny_folder(tmp_path / "long", unrecorded=(MADE,), n_step=400)
    code = (
        "import dataclasses, os, signal, ceinms_torch as ct\n"
        "folder = ct.CalibrationFolder.read('calibrationSetup.xml')\n"
        "def stop(iteration):\n"
        "    if iteration.iteration == 3:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "plan = dataclasses.replace(folder.plan, synergy_hybrid=ct.SynergyHybrid(n_synergy=2))\n"
        "result = ct.calibrate(folder, plan=plan, callback=stop)\n"
        "print(result.status, result.objective < result.history[0].objective)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
        env=environment(),
    )
    assert done.stdout.split() == ["interrupted", "True"]


def test_dofs_that_nobody_calibrates_are_named_everywhere(tmp_path):
    folder = write_tiny_folder(tmp_path / "one", unrecorded=(MADE,))
    setup, plan = folder / "calibrationSetup.xml", folder / "calibration.xml"
    edit(plan, "knee_angle_r ankle_angle_r", "ankle_angle_r")
    out = folder / "out"
    done = run_command("calibrate", setup, "--synergies", "1", "--out", out)
    assert done.returncode == 0, done.stderr
    named = "Synthesised MTUs (gasmed_r) act about knee_angle_r, which no step calibrates"
    said = " ".join(done.stderr.split())
    assert f"note: {named}" in said
    assert "EMG-driven" in done.stdout
    result = json.loads((out / "result.json").read_text())
    assert result["hybrid"]["uncalibrated"] == {"knee_angle_r": [MADE]}
    read = ct.load_result(out)
    assert read.uncalibrated == {"knee_angle_r": (MADE,)}
    assert read.emg_driven_fit.keys() == {"trial1", "trial2"}
    assert run_command("report", out, "--out", folder / "page").returncode == 0
    (page,) = (folder / "page").glob("*.html")
    assert "which no step calibrates" in page.read_text()
    # And the check, where the file asks for synergies.
    codes = [one.code for one in ct.check_folder(setup).findings]
    assert "synthesised-uncalibrated" not in codes
    edit(plan, "<openLoop/>", "<synergyHybrid/>")
    (finding,) = [
        one for one in ct.check_folder(setup).findings if one.code == "synthesised-uncalibrated"
    ]
    assert (finding.severity, finding.where.column) == ("warning", "knee_angle_r")
    assert MADE in finding.what
