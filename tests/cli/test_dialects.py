"""Folders that labs really have: the small ones with right values, and one of CEINMS 0.21."""

import json
import re
import shutil

import numpy as np
import pytest

from ceinms_torch.io.storage import read_storage
from command_line import run_command, run_program
from helpers import edit

NEITHER = "CEINMS 0.10 or later (neither <online/> nor <offline/>)"


@pytest.fixture
def case(shared_dir, tmp_path):
    """A function that copies a small folder of the reference data."""

    def copy(name):
        return shutil.copytree(shared_dir / "cases" / name, tmp_path / name)

    return copy


def succeed(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def findings(setup, *options):
    done = run_command("check", setup, "--json", *options)
    return {one["code"]: one for one in json.loads(done.stdout)["findings"]}


def torques(folder):
    storage = read_storage(folder / "Torques.sto")
    return storage.column(storage.columns[0])


# ---- Cases ------------------------------------------------------------------------------


def test_execution_without_online(case):
    """Case 02."""
    folder = case("02-execution-without-online")
    done = succeed(run_command("run", folder / "run.xml"))
    assert f"note: files of {NEITHER}\n" in done.stderr
    moments = torques(folder / "out")
    # Printed with six digits there.
    figures = [moments.min(), moments.max(), moments[0]]
    np.testing.assert_allclose(figures, [-51.983, 0.992722, -31.4832], rtol=2e-6)
    error = moments - read_storage(folder / "trial" / "id.sto").column("hinge_moment")
    assert np.sqrt(np.mean(error**2)) == pytest.approx(15.4969, abs=5e-5)
    for mode in ("<online/>", "<offline/>"):
        edit(folder / "solver.xml", "</NMSmodel>", f"</NMSmodel>{mode}")
        succeed(run_command("run", folder / "run.xml", "--out", folder / "said"))
        np.testing.assert_array_equal(torques(folder / "said"), moments)
        edit(folder / "solver.xml", mode, "")


def test_hybrid_without_online(case):
    """Case 02."""
    folder = case("02-execution-without-online")
    done = succeed(run_command("run", folder / "run_hybrid.xml", "--quiet"))
    found = json.loads((folder / "out" / "result.json").read_text())
    assert found["objective"] == pytest.approx(357.2, abs=0.05)
    done = succeed(run_program("CEINMS", "-S", folder / "run_hybrid.xml"))
    assert done.stdout.startswith(f"Files of {NEITHER}\n")
    assert done.stdout.count("online\n") == 1
    written = (folder / "out" / "Torques.sto").read_bytes()
    edit(folder / "solver_hybrid.xml", "</NMSmodel>", "</NMSmodel><online/>")
    done = succeed(run_program("CEINMS", "-S", folder / "run_hybrid.xml"))
    assert (folder / "out" / "Torques.sto").read_bytes() == written
    assert "Files of" not in done.stdout


def test_names_of_the_manual(case):
    """Case 05."""
    folder = case("05-names-of-the-manual")
    cure = (
        "Line 4 has <trackedMuscles>, as the manual of CEINMS: write <adjustMTUs>. "
        "Line 4 has <predictedMuscles>, as the manual of CEINMS: write <synthMTUs>."
    )
    assert findings(folder / "run.xml")["execution-file"]["to_do"] == cure
    done = run_program("CEINMS", "-S", folder / "run.xml")
    assert (done.returncode, cure in done.stderr) == (1, True)
    for old, new in (("trackedMuscles", "adjustMTUs"), ("predictedMuscles", "synthMTUs")):
        edit(folder / "solver.xml", old, new, 2)
    succeed(run_program("CEINMS", "-S", folder / "run.xml"))


@pytest.mark.parametrize(
    "name",
    ["07-channel-names-with-blanks", "09-opensim4-path-labels", "15-blanks-in-trial-names"],
)
def test_names_are_those_of_the_plain_folder(case, name):
    """Cases 07, 09, 15: what comes out is what the same data with plain names give."""
    folder, plain = case(name), case("02-execution-without-online")
    done = succeed(run_command("check", folder / "calibrate.xml", "--strict"))
    assert done.stdout.endswith("Nothing to report.\n")
    objectives = []
    for one in (folder, plain):
        out = one / "results"
        succeed(run_command("calibrate", one / "calibrate.xml", "--out", out, "--quiet"))
        objectives.append(json.loads((out / "result.json").read_text())["objective"])
        succeed(run_program("CEINMScalibrate", "-S", one / "calibrate.xml"))
    assert objectives[0] == objectives[1] < 1e-9
    subjects = [(one / "calibrated.xml").read_bytes() for one in (folder, plain)]
    assert subjects[0] == subjects[1]


def test_emg_on_another_clock(case):
    """Case 14."""
    found = findings(case("14-emg-on-another-clock") / "calibrate.xml")
    assert list(found) == ["other-clock"]
    assert "not one in common" in found["other-clock"]["what"]
    assert "begins 26.32 s from where it should" in found["other-clock"]["to_do"]
    assert "short" not in str(found)


def test_trial_names_with_blanks_that_are_missing(case):
    """Case 15, with the folder renamed: one name, not its pieces."""
    folder = case("15-blanks-in-trial-names")
    (folder / "my trials").rename(folder / "our trials")
    done = run_command("check", folder / "calibrate.xml", "--json")
    (finding,) = json.loads(done.stdout)["findings"]
    assert finding["code"] == "file-missing"
    assert finding["where"]["file"].endswith("my trials/walk 1/inputData.xml")


# ---- What to do -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("map.xml", ">eb<", ">x<"),
        ("map.xml", 'weight="1"', 'weight="one"'),
        ("model.xml", "<c1>-0.5</c1>", "<c1>x</c1>"),
        ("model.xml", "<name>front</name>", "<name>back</name>"),
        ("model.xml", "<mtuNameSet>back front", "<mtuNameSet>back back"),
        ("model.xml", "<name>back</name>", "<name></name>"),
        ("model.xml", "0.4 0.7 1 1.3", "0.4 0.7 0.5 1.3"),
        ("calibration.xml", "<dofs>hinge</dofs>", "<dofs/>"),
        ("calibration.xml", "<NS>3</NS>", "<NS>0</NS>"),
        ("calibration.xml", "-2.999 -0.001", "-2.999"),
        ("calibration.xml", "trial/inputData.xml", ""),
        ("trial/inputData.xml", "lmt.sto", ""),
        ("trial/lmt.sto", "nRows=80", "nRows=many"),
        ("trial/lmt.sto", "nRows=80", "nRows=81"),
        ("trial/lmt.sto", "\tback\t", "\tBack\t"),
        ("trial/lmt.sto", "0.28398092", "x"),
        ("trial/id.sto", "1.01\t", "1\t"),
        ("trial/id.sto", "hinge_moment", "knee"),
        ("trial/emg.mot", "endheader", "end"),
    ],
)
def test_every_fault_has_a_cure_of_its_own(case, file, old, new):
    folder = case("02-execution-without-online")
    edit(folder / file, old, new)
    found = findings(folder / "calibrate.xml")
    assert found
    for one in found.values():
        assert one["to_do"].endswith((".", "?")), one
        assert len(one["to_do"].split()) > 3, one
        assert not re.search("correct the file and check|if this is not meant", one["to_do"], re.I)
