"""``run --legacy`` and ``calibrate --method annealing`` as users run them, without torch."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ceinms_torch.inputs.calibrate import calibrate
from ceinms_torch.inputs.folder import CalibrationFolder
from ceinms_torch.io.storage import read_storage
from ceinms_torch.model.subject import Subject
from ceinms_torch.simulation.legacy.run import LEGACY_FILES
from command_line import run_command
from helpers import write_tiny_folder

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
CASE = "uncal_elastic_online_trial1"
HYBRID = """<hybrid><alpha>1</alpha><beta>2</beta><gamma>3</gamma><synthMTUs>soleus_r</synthMTUs>
<adjustMTUs>gasmed_r</adjustMTUs><algorithm><simulatedAnnealing><noEpsilon>2</noEpsilon><rt>0.3</rt>
<T>20</T><NS>2</NS><NT>2</NT><epsilon>1</epsilon><maxNoEval>50</maxNoEval></simulatedAnnealing>
</algorithm></hybrid>"""


def test_files_are_those_of_ceinms_byte_for_byte(tmp_path):
    folder = tmp_path / "subject"
    shutil.copytree(GOLDEN, folder)
    done = run_command(
        "run",
        folder / f"run_{CASE}.xml",
        "--legacy",
        "--out",
        tmp_path / "out",
        without_torch=tmp_path / "poison",
    )
    assert (done.returncode, done.stderr) == (0, "")
    names = {path.stem for path in (tmp_path / "out").iterdir()}
    later = {"TendonLengths", "NormTendonLengths", "MusclesContribution"}
    assert names == {*LEGACY_FILES, "FiberLengths", *later}
    for name in LEGACY_FILES:
        expected = (GOLDEN / "expected" / f"run_{CASE}" / f"{name}.sto").read_bytes()
        assert (tmp_path / "out" / f"{name}.sto").read_bytes() == expected, name


@pytest.mark.parametrize("activation", ["exponential", "piecewise"])
def test_hybrid(tmp_path, activation):
    folder = write_tiny_folder(
        tmp_path / "subject", type_xml=HYBRID, mode="online", activation=activation
    )
    done = run_command("run", folder / "setup.xml", "--legacy")
    assert done.returncode == 0, done.stderr
    used = read_storage(folder / "output" / "AdjustedEmgs.sto")
    assert used.values.min() >= 0.0
    assert used.values.max() <= 1.0
    assert len(used.time) == 30


def test_tendon_of_our_own_is_refused(tmp_path):
    folder = write_tiny_folder(tmp_path / "subject")
    done = run_command("run", folder / "setup.xml", "--legacy", "--tendon", "rosenbrockElastic")
    assert done.returncode != 0
    assert "--tendon: expected the execution file's, with --legacy" in done.stderr
    assert not (folder / "output").exists()


@pytest.mark.parametrize("tendon", ["stiff", "equilibriumElastic"])
def test_annealing(tmp_path, tendon):
    folder = write_tiny_folder(tmp_path / "subject", tendon=f"<{tendon}/>", activation="piecewise")
    setup = folder / "calibrationSetup.xml"
    done = run_command(
        "calibrate",
        setup,
        "--method",
        "annealing",
        "--set",
        "NS=1",
        "--test",
        folder / "trial2" / "inputData.xml",
        "--out",
        tmp_path / "out",
        without_torch=tmp_path / "poison",
    )
    assert done.returncode == 0, done.stderr
    said = json.loads((tmp_path / "out" / "result.json").read_text())
    assert (said["method"], said["engine"]) == ("annealing", "legacy")
    assert (said["tendon"]["requested"], said["tendon"]["used"]) == (tendon, tendon)
    assert said["options"]["NS"] == 1
    assert said["fit"]["trial2"] == said["test_fit"]["trial2"]
    assert said["identifiability"] is None

    read = CalibrationFolder.read(setup, legacy=True)
    options = type(read.plan.algorithm).from_dict({**read.plan.algorithm.to_dict(), "NS": 1})
    result = calibrate(read, options=options)
    assert said["objective"] == result.objective
    assert said["evaluations"] == result.evaluations
    written = Subject.read(tmp_path / "out" / "subject.xml").parameters()
    np.testing.assert_array_equal(written, result.subject.parameters())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--starts", "2"), "starts: expected the default, with annealing"),
        (("--max-iterations", "5"), "option: expected one of noEpsilon, rt, T,"),
        (("--normalisation", "rmse"), "objective: expected <minimizeTorqueError/> as CEINMS"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_annealing_cannot_do_is_refused(tmp_path, arguments, message):
    folder = write_tiny_folder(tmp_path / "subject")
    done = run_command(
        "calibrate", folder / "calibrationSetup.xml", "--method", "annealing", *arguments
    )
    assert done.returncode == 1
    assert message in done.stderr
    assert not (folder / "calibrated").exists()


def test_modern_annealing_has_a_seed(tmp_path):
    folder = write_tiny_folder(tmp_path / "subject")
    summaries = []
    for seed in ("1", "2"):
        done = run_command(
            *("calibrate", folder / "calibrationSetup.xml", "--method", "annealing"),
            *("--set", "variant=modern", "--seed", seed, "--out", tmp_path / seed),
            without_torch=tmp_path / "poison",
        )
        assert done.returncode == 0, done.stderr
        summaries.append(json.loads((tmp_path / seed / "result.json").read_text()))
    for seed, summary in zip((1, 2), summaries, strict=True):
        assert summary["seed"] == seed
        assert summary["options"]["variant"] == "modern"
        rows = (tmp_path / str(seed) / "loss_history.csv").read_text().splitlines()
        # The start is the first row, and the result is not above it.
        assert rows[1].startswith("1,0,1,")
        assert summary["objective"] <= float(rows[1].split(",")[4])
    assert summaries[0]["objective"] != summaries[1]["objective"]


def test_seed_of_ceinmss_own_annealing_is_refused(tmp_path):
    folder = write_tiny_folder(tmp_path / "subject")
    setup = folder / "calibrationSetup.xml"
    done = run_command("calibrate", setup, "--method", "annealing", "--seed", "1")
    assert done.returncode == 1
    assert "seed: expected the default, with annealing" in done.stderr
    assert "set its variant to modern" in done.stderr
    done = run_command("calibrate", setup, "--method", "annealing", "--set", "variant=newer")
    assert "variant: expected one of ceinms, modern, got 'newer'" in done.stderr
