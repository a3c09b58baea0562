"""``ceinms-torch run`` as users run it."""

import shutil

import numpy as np
import pytest

from ceinms_torch.inputs.folder import RunFolder
from ceinms_torch.io.storage import read_storage
from ceinms_torch.simulation.simulate import simulate
from command_line import listing, run_command
from helpers import DOF_NAMES, MTU_NAMES, edit, write_tiny_folder

# File, attribute of a Simulation, columns.
FILES = {
    "Activations.sto": ("activation", MTU_NAMES),
    "FibreLengths.sto": ("fibre_length", MTU_NAMES),
    "NormFibreLengths.sto": ("norm_fibre_length", MTU_NAMES),
    "FibreVelocities.sto": ("fibre_velocity", MTU_NAMES),
    "NormFibreVelocities.sto": ("norm_fibre_velocity", MTU_NAMES),
    "PennationAngles.sto": ("pennation_angle", MTU_NAMES),
    "TendonStrains.sto": ("tendon_strain", MTU_NAMES),
    "MuscleForces.sto": ("mtu_force", MTU_NAMES),
    "Torques.sto": ("joint_moment", DOF_NAMES),
}
LATER = {"TendonLengths.sto", "NormTendonLengths.sto", "MusclesContribution.sto"}


def assert_written(folder, directory, *, tendon):
    """Every file holds what the library computes, in numbers as exact as they are printed."""
    read = RunFolder.read(folder / "setup.xml")
    simulation = simulate(read.subject, read.trial, tendon=tendon)
    assert {path.name for path in directory.iterdir()} == {*FILES, *LATER}
    for name, (quantity, columns) in FILES.items():
        storage = read_storage(directory / name)
        assert storage.columns == columns
        np.testing.assert_allclose(storage.time, read.trial.time, atol=1e-9)
        expected = getattr(simulation, quantity).array
        # Files hold at least ten digits.
        np.testing.assert_allclose(storage.values, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("tendon", ["stiff", "rosenbrockElastic", "equilibriumElastic"])
def test_run_does_what_the_execution_file_asks_for(tmp_path, tendon):
    xml = {
        "equilibriumElastic": "<equilibriumElastic><tolerance>1e-9</tolerance></equilibriumElastic>"
    }
    folder = write_tiny_folder(tmp_path / "subject", tendon=xml.get(tendon, f"<{tendon}/>"))
    result = run_command("run", folder / "setup.xml", without_torch=tmp_path / "poison")
    assert result.returncode == 0, result.stderr
    assert_written(folder, folder / "output", tendon=tendon)
    assert "Traceback" not in result.stderr
    # That another solver is used than was asked for is said, and only then.
    assert ("note: equilibriumElastic" in result.stderr) == (tendon == "equilibriumElastic")
    for dof in DOF_NAMES:
        assert dof in result.stdout
    assert str(folder / "output") in result.stdout


def test_options_override_the_files(tiny_folder, tmp_path):
    before = listing(tiny_folder)
    result = run_command(
        "run",
        tiny_folder / "setup.xml",
        "--out",
        tmp_path / "elsewhere" / "deep",
        "--tendon",
        "rosenbrockElastic",
        "--quiet",
    )
    assert result.returncode == 0, result.stderr
    assert_written(tiny_folder, tmp_path / "elsewhere" / "deep", tendon="rosenbrockElastic")
    assert listing(tiny_folder) == before
    assert result.stdout.splitlines() == [f"results: {tmp_path / 'elsewhere' / 'deep'}"]


def test_run_needs_no_measured_moments(tiny_folder):
    edit(
        tiny_folder / "trial1" / "inputData.xml",
        "  <externalTorquesFile>id.sto</externalTorquesFile>\n",
        "",
    )
    (tiny_folder / "trial1" / "id.sto").unlink()
    result = run_command("run", tiny_folder / "setup.xml")
    assert result.returncode == 0, result.stderr
    assert "RMSE" not in result.stdout
    assert (tiny_folder / "output" / "Torques.sto").is_file()


def test_run_works_from_any_folder_and_overwrites(tiny_folder, tmp_path, monkeypatch):
    moved = shutil.move(tiny_folder, tmp_path / "a folder with blanks")
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        result = run_command("run", "a folder with blanks/setup.xml")
        assert result.returncode == 0, result.stderr
    assert_written(moved, moved / "output", tendon="stiff")


def test_doubtful_input_is_one_warning(tiny_folder):
    path = tiny_folder / "trial1" / "emg.mot"
    lines = path.read_text().split("\n")
    cells = lines[60].split("\t")
    lines[60] = "\t".join([cells[0], "1.7", *cells[2:]])
    path.write_text("\n".join(lines))
    result = run_command("run", tiny_folder / "setup.xml")
    assert result.returncode == 0
    (warning,) = [line for line in result.stderr.splitlines() if line.startswith("warning:")]
    assert "1.7" in warning
    assert MTU_NAMES[0] in warning


@pytest.mark.parametrize(
    ("settings", "thing"),
    [
        ({"type_xml": "<staticOptimisation/>"}, "type"),
        ({"activation": "piecewise"}, "<piecewise/>"),
        ({"tendon": "<integrationElastic/>"}, "integrationElastic"),
    ],
    ids=["type", "activation", "tendon"],
)
def test_what_is_not_supported_is_refused(tmp_path, settings, thing):
    folder = write_tiny_folder(tmp_path / "subject", **settings)
    before = listing(folder)
    result = run_command("run", folder / "setup.xml", without_torch=tmp_path / "poison")
    assert result.returncode == 1
    assert result.stderr.count("error:") == 1
    assert thing in result.stderr
    assert "Traceback" not in result.stderr
    assert listing(folder) == before


def test_help_has_examples():
    result = run_command("run", "--help")
    assert result.returncode == 0
    assert "Examples" in result.stdout
    assert "ceinms-torch run run_walk5.xml --out forces --tendon stiff" in result.stdout
    for option in ("--out", "--tendon", "--quiet"):
        assert option in result.stdout


def test_command_without_arguments_shows_its_subcommands():
    result = run_command()
    assert "calibrate" in result.stdout + result.stderr
    assert "run" in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
