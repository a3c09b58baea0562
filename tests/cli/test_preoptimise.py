"""``ceinms-torch preoptimise`` as users run it."""

import numpy as np
import pytest

from ceinms_torch.io.storage import write_storage
from ceinms_torch.model.subject import Subject
from command_line import run_command
from helpers import MTU_NAMES, write_tiny_folder

N_POSE = 40


@pytest.fixture
def models(tmp_path):
    """A generic subject, and its MTU lengths and those of one 10 % bigger in the same poses."""
    folder = write_tiny_folder(tmp_path / "tiny")
    subject = Subject.read(folder / "subject.xml")
    along = np.linspace(0.6, 1.1, N_POSE)[:, None]
    fibre = np.array([mtu.optimal_fibre_length for mtu in subject.mtus])
    tendon = np.array([mtu.tendon_slack_length for mtu in subject.mtus])
    lengths = along * fibre + 1.01 * tendon
    for name, values in (("generic", lengths), ("scaled", 1.1 * lengths)):
        time = np.arange(N_POSE) / 100.0
        write_storage(tmp_path / f"{name}.sto", time, MTU_NAMES, values, name="Length", units="m")
    return folder / "subject.xml"


def test_lengths_and_forces(models, tmp_path):
    out = tmp_path / "new"
    files = ("--reference-lengths", tmp_path / "generic.sto", "--target-lengths")
    options = (*files, tmp_path / "scaled.sto", "--height", "1.7", "--mass", "70")
    done = run_command(
        "preoptimise", models, *options, "--out", out, without_torch=tmp_path / "poison"
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    before, after = Subject.read(models), Subject.read(out / "subject.xml")
    for old, new in zip(before.mtus, after.mtus, strict=True):
        assert new.optimal_fibre_length == pytest.approx(1.1 * old.optimal_fibre_length, rel=1e-9)
        assert new.tendon_slack_length == pytest.approx(1.1 * old.tendon_slack_length, rel=1e-9)
    # 0.0621 (47 * 1.7 * 70 + 1285) cm^3 over 5.5 cm times 60 N/cm^2
    assert after.mtus[0].max_isometric_force == pytest.approx(4659.53, abs=0.01)
    row = next(line for line in done.stdout.splitlines() if "soleus_r" in line)
    for shown in ("50.0 → 55.0 (+10.0 %)", "250.0 → 275.0 (+10.0 %)", "3549.0 → 4659.5"):
        assert shown in row
    assert [cell.strip() for cell in row.split("│")[-4:-1]] == ["40", "0.00", "0.00"]

    # Read and written again it is the same, byte by byte.
    after.write(tmp_path / "again.xml")
    assert (tmp_path / "again.xml").read_bytes() == (out / "subject.xml").read_bytes()
    onto_itself = run_command("preoptimise", models, *options, "--out", models.parent)
    assert onto_itself.returncode == 1
    assert f"{models}: expected a file to write, got the input" in onto_itself.stderr
    assert Subject.read(models).mtus == before.mtus


def test_forces_alone(models, tmp_path):
    out = tmp_path / "new"
    options = ("--height", "1.7", "--mass", "70", "--keep-force", "gasmed_r", "--out", out)
    done = run_command("preoptimise", models, *options, "--specific-tension", "61")
    assert done.returncode == 0, done.stderr
    assert "poses" not in done.stdout
    before, after = Subject.read(models), Subject.read(out / "subject.xml")
    assert after.mtus[0].max_isometric_force == pytest.approx(5125.4856 * 61 / 60, rel=1e-9)
    assert after.mtus[1] == before.mtus[1]
    assert after.mtus[0].optimal_fibre_length == before.mtus[0].optimal_fibre_length


def test_doubts_are_shown(models, tmp_path):
    lengths = ("--reference-lengths", models.parent / "trial1" / "lmt.sto", "--target-lengths")
    other = models.parent / "trial2" / "lmt.sto"
    done = run_command("preoptimise", models, *lengths, other)
    assert done.returncode == 0, done.stderr
    assert "warning: Lengths that keep the operating range are doubtful, poor fit" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "preoptimise: expected lengths of both models, or height and mass"),
        (("--height", "1.7"), "--mass: expected a value, as --height has, got none"),
        (("--height", "170", "--mass", "70"), "height: expected 0.5 to 2.5 m, got 170"),
        (("--reference-lengths", "generic.sto", "--target-lengths", "no.sto"), "no.sto: expected"),
    ],
)
def test_faults_write_nothing(models, tmp_path, options, message):
    given = [tmp_path / word if word.endswith(".sto") else word for word in options]
    done = run_command("preoptimise", models, *given, "--out", tmp_path / "new")
    assert done.returncode == 1
    assert message in done.stderr
    assert not (tmp_path / "new").exists()
