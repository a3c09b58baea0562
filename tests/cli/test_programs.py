"""``CEINMS`` and ``CEINMScalibrate``: options, exit statuses, files and messages."""

import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from lxml import etree

from ceinms_torch.cli.programs import CEINMS, CEINMS_CALIBRATE
from ceinms_torch.inputs.calibrate import calibrate
from ceinms_torch.inputs.folder import CalibrationFolder
from ceinms_torch.io.storage import read_storage
from ceinms_torch.io.xml_document import read_document
from ceinms_torch.model.parameters import PARAMETER_KINDS
from ceinms_torch.model.subject import Subject
from ceinms_torch.simulation.legacy.run import LEGACY_FILES
from command_line import SCRIPTS, environment, listing, run_program
from helpers import ANNEALING, edit, write_tiny_folder

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
LATER = ("TendonLengths", "NormTendonLengths", "MusclesContribution")  # of CEINMS 0.21
CASE = "uncal_elastic_online_trial1"
PROGRAMS = [CEINMS, CEINMS_CALIBRATE]
HELP = ["-Help", "-help", "-H", "-h", "-Usage", "-usage", "-U", "-u"]
HYBRID = f"""<hybrid><alpha>1</alpha><beta>2</beta><gamma>3</gamma>
<synthMTUs>soleus_r</synthMTUs><adjustMTUs>gasmed_r</adjustMTUs>
<algorithm>{ANNEALING}</algorithm></hybrid>"""


@pytest.fixture(params=PROGRAMS, ids=lambda program: program.name)
def program(request):
    return request.param


def outcome(capsys, program, *arguments):
    """Run a program in this process; return status, standard output and standard error."""
    status = program.main([str(argument) for argument in arguments])
    return status, *capsys.readouterr()


def refusal(capsys, program, setup):
    """Run a setup file that must be refused; return the one message."""
    status, _, said = outcome(capsys, program, "-S", setup)
    assert status == 1, said
    (message,) = [line for line in said.splitlines() if not line.startswith("warning: ")]
    assert message.startswith("error: ")
    return message.removeprefix("error: ")


# ---- Options ----------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], *([option] for option in HELP)], ids=str)
def test_help(capsys, program, arguments):
    status, said, wrong = outcome(capsys, program, *arguments)
    assert (status, wrong) == (0, "")
    for option in ("-Help, -H", "-PrintSetup, -PS", "-Setup, -S", program.template):
        assert option in said


@pytest.mark.parametrize("arguments", [["-S"], ["-Setup"], ["-x"], ["setup.xml"], ["--help"]])
def test_wrong_usage(capsys, program, arguments):
    status, said, wrong = outcome(capsys, program, *arguments)
    assert status == 255
    assert "-Setup, -S" in said
    assert wrong in {
        "error: no setup file specified\n",
        f"error: unrecognized option {arguments[0]}\n",
    }


@pytest.mark.parametrize("option", ["-PS", "-PrintSetup"])
@pytest.mark.parametrize(
    ("program", "schema", "names"),
    [
        (CEINMS, "ceinmsSetup", ["subject", "inputData", "execution", "excitationGenerator"]),
        (CEINMS_CALIBRATE, "ceinmsCalibrationSetup", ["subjectUncalibrated", "calibration"]),
    ],
    ids=["CEINMS", "CEINMScalibrate"],
)
def test_template(capsys, tmp_path, monkeypatch, option, program, schema, names):
    monkeypatch.chdir(tmp_path)
    status, said, _ = outcome(capsys, program, option)
    assert status == 0
    assert program.template in said
    document = read_document(tmp_path / program.template, schema)
    texts = {node.text for node in document.root.element}
    assert texts >= {f"{name}.xml" for name in names}


def test_what_follows_the_setup_file_is_ignored(capsys, tmp_path):
    folder = write_tiny_folder(tmp_path / "subject")
    status, _, wrong = outcome(capsys, CEINMS, "-Setup", folder / "setup.xml", "-nonsense")
    assert (status, wrong) == (0, "")


# ---- CEINMS -----------------------------------------------------------------------------


def test_installed_program_writes_the_files_of_ceinms_byte_for_byte(tmp_path):
    folder = tmp_path / "subject"
    shutil.copytree(GOLDEN, folder)
    setup = folder / f"run_{CASE}.xml"
    edit(setup, f"expected/run_{CASE}<", "new/deep/folder<")
    done = run_program(
        "CEINMS",
        "-S",
        setup,
        without_torch=tmp_path / "poison",
        without=("typer", "rich", "scipy", "matplotlib", "pandas", "sklearn"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 2  # not a flood
    got = folder / "new" / "deep" / "folder"
    assert {path.stem for path in got.iterdir()} == {*LEGACY_FILES, "FiberLengths", *LATER}
    for name in LEGACY_FILES:
        expected = (GOLDEN / "expected" / f"run_{CASE}" / f"{name}.sto").read_bytes()
        assert (got / f"{name}.sto").read_bytes() == expected, name


def test_hybrid_writes_the_excitations_it_used(capsys, tmp_path):
    folder = write_tiny_folder(tmp_path / "subject", type_xml=HYBRID, mode="online")
    status, said, wrong = outcome(capsys, CEINMS, "-S", folder / "setup.xml")
    assert (status, wrong) == (0, "")
    assert "1 excitations adjusted, 1 synthesised" in said
    assert {path.stem for path in (folder / "output").iterdir()} == {
        *LEGACY_FILES,
        "FiberLengths",
        "AdjustedEmgs",
        *LATER,
        "ObjectiveFunctionComponentsAndWeightings",
    }
    used = read_storage(folder / "output" / "AdjustedEmgs.sto").values
    assert used.min() >= 0.0
    assert used.max() <= 1.0


def test_open_loop_offline_needs_no_moments(capsys, tmp_path):
    # The original waits for ever (quirk F18).
    folder = write_tiny_folder(tmp_path / "subject")
    edit(
        folder / "trial1" / "inputData.xml", "<externalTorquesFile>id.sto</externalTorquesFile>", ""
    )
    status, _, wrong = outcome(capsys, CEINMS, "-S", folder / "setup.xml")
    assert (status, wrong) == (0, "")
    assert len(read_storage(folder / "output" / "Torques.sto").time) == 30


# ---- CEINMScalibrate --------------------------------------------------------------------


@pytest.mark.parametrize("tendon", ["stiff", "equilibriumElastic"])
def test_calibration_writes_the_subject_and_nothing_else(capsys, tmp_path, tendon):
    folder = write_tiny_folder(tmp_path / "subject", tendon=f"<{tendon}/>")
    setup = folder / "calibrationSetup.xml"
    before = listing(folder)
    status, said, wrong = outcome(capsys, CEINMS_CALIBRATE, "-S", setup)
    assert (status, wrong) == (0, "")
    written = folder / "calibrated" / "subject.xml"
    assert set(listing(folder)) - set(before) == {written.parent, written}

    read = CalibrationFolder.read(setup, legacy=True)
    result = calibrate(read, method="annealing")
    np.testing.assert_array_equal(Subject.read(written).parameters(), result.subject.parameters())
    assert said.count("temperature") == result.iterations
    assert f"\nfOpt_ = {result.objective:g}\nCalibration time: " in said

    root = etree.parse(written).getroot()
    assert [node.get("unit") for node in root.iter("pennationAngle")] == ["rad"] * 3
    assert len(root.findall("mtuSet/mtu/maxContractionVelocity")) == 3
    assert root.findtext("calibrationInfo/calibrated/startSubjectFile") == "../subject.xml"
    assert root.findtext("calibrationInfo/calibrated/calibrationSequence") == "../calibration.xml"


def test_second_calibration_is_added_to_the_history(capsys, tmp_path):
    folder = write_tiny_folder(tmp_path / "subject")
    setup = folder / "calibrationSetup.xml"
    assert outcome(capsys, CEINMS_CALIBRATE, "-S", setup)[0] == 0
    edit(setup, "<subjectFile>subject.xml", "<subjectFile>calibrated/subject.xml")
    edit(setup, "calibrated/subject.xml</output", "again.xml</output")
    assert outcome(capsys, CEINMS_CALIBRATE, "-S", setup)[0] == 0
    root = etree.parse(folder / "again.xml").getroot()
    sequence = root.findtext("calibrationInfo/calibrated/calibrationSequence")
    assert sequence == "calibration.xml calibration.xml"


def test_interrupt_keeps_the_best_parameters(tmp_path):
    folder = write_tiny_folder(tmp_path / "subject")
    edit(folder / "calibration.xml", "<maxNoEval>100<", "<maxNoEval>100000000<")
    edit(folder / "calibration.xml", "<epsilon>1E-3<", "<epsilon>-1<")  # never agrees
    process = subprocess.Popen(
        [SCRIPTS / "CEINMScalibrate", "-S", folder / "calibrationSetup.xml"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    for line in process.stdout:
        if "temperature 1:" in line:
            break
    process.send_signal(signal.SIGINT)
    said, wrong = process.communicate(timeout=60.0)
    assert process.returncode == 130
    assert "best parameters found so far are in the calibrated subject" in wrong
    assert "Calibration time: " in said
    start, found = (
        Subject.read(file).parameters()
        for file in (folder / "subject.xml", folder / "calibrated" / "subject.xml")
    )
    row = PARAMETER_KINDS.index("strengthCoefficient")
    assert np.isfinite(found).all()
    assert not np.array_equal(start[row], found[row])


# ---- What is refused --------------------------------------------------------------------


def test_setup_file_that_is_not_there(capsys, program, tmp_path):
    message = refusal(capsys, program, tmp_path / "setup.xml")
    assert message.startswith(f"{tmp_path / 'setup.xml'}: expected an XML file, got no readable")


FAULTS = {
    "setup": (CEINMS, "setup.xml", "outputDirectory>", "output>", "<outputDirectory>"),
    "tendon": (CEINMS, "execution.xml", "<stiff/>", "<integrationElastic/>",
               "tendon: expected one of stiff, equilibriumElastic, got integrationElastic"),
    "mode": (CEINMS, "execution.xml", "<openLoop/>", HYBRID,
             "<hybrid>: expected <online/>, got <offline/>"),
    "subject": (CEINMS, "subject.xml", "c1>", "c3>", "expected <emDelay> or <c1>"),
    "moments": (CEINMS, "trial1/id.sto", "ankle_angle_r_moment", "ankle",
                "a column with the label 'ankle_angle_r_moment'"),
    "group": (CEINMS_CALIBRATE, "calibration.xml", "<single/>", "<simple/>",
              "expected <muscleGroups> or <global> or <single>"),
    "algorithm": (CEINMS_CALIBRATE, "calibration.xml", ANNEALING, "<levenbergMarquardt/>",
                  "expected <simulatedAnnealing>"),
    "calibrated tendon": (CEINMS_CALIBRATE, "calibration.xml", "<stiff/>", "<rosenbrockElastic/>",
                          "tendon: expected one of stiff, equilibriumElastic"),
}  # fmt: skip
SETUPS = {"CEINMS": "setup.xml", "CEINMScalibrate": "calibrationSetup.xml"}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_one_message_that_names_the_file(capsys, tmp_path, fault):
    program, file, old, new, message = FAULTS[fault]
    folder = write_tiny_folder(tmp_path / "subject")
    edit(folder / file, old, new, 2)
    before = listing(folder)
    said = refusal(capsys, program, folder / SETUPS[program.name])
    assert said.startswith(str(folder / file))
    assert message in said
    assert listing(folder) == before


def test_hybrid_needs_measured_moments(capsys, tmp_path):
    # The original says so, but writes nine empty files and reports success.
    folder = write_tiny_folder(tmp_path / "subject", type_xml=HYBRID, mode="online")
    edit(
        folder / "trial1" / "inputData.xml", "<externalTorquesFile>id.sto</externalTorquesFile>", ""
    )
    assert "trial trial1" in refusal(capsys, CEINMS, folder / "setup.xml")
    assert not (folder / "output").exists()


def test_output_where_nothing_can_be_written(capsys, tmp_path):
    folder = write_tiny_folder(tmp_path / "subject")
    (folder / "output").write_text("in the way")
    message = refusal(capsys, CEINMS, folder / "setup.xml")
    assert "name another <outputDirectory> in the setup file" in message.replace("Name", "name")
    edit(folder / "calibrationSetup.xml", "calibrated/subject.xml", "trial1")
    message = refusal(capsys, CEINMS_CALIBRATE, folder / "calibrationSetup.xml")
    assert "expected the name of a file to write, got that of a folder" in message
