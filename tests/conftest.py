"""Fixtures for all tests."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from ceinms_torch.blas import one_blas_thread
from ceinms_torch.errors import OptionError
from ceinms_torch.osim.process import VARIABLE, OpenSim
from command_line import run_command
from helpers import edit, write_tiny_folder

# Timing is no property under test, and shared machines make single examples slow at random.
settings.register_profile("default", deadline=None, max_examples=50)
settings.load_profile("default")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def one_thread_for_tests():
    """Hold the tests' own linear algebra as the package holds its own."""
    with one_blas_thread:
        yield


@pytest.fixture(scope="session")
def shared_dir():
    """Folder with reference data that is not part of the repository."""
    named = os.environ.get("CEINMS_TORCH_SHARED")
    folder = Path(named) if named else REPOSITORY.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"no reference data at {folder} (set CEINMS_TORCH_SHARED)")
    return folder


@pytest.fixture(scope="session")
def golden_dir(shared_dir):
    """Inputs and outputs of the CEINMS 0.9 programs."""
    folder = shared_dir / "golden"
    if not folder.is_dir():
        pytest.skip(f"no golden files at {folder}")
    return folder


@pytest.fixture(scope="session")
def gait_folder():
    """The shipped subject."""
    return REPOSITORY / "subjects" / "gait"


@pytest.fixture(scope="session")
def opensim():
    """An interpreter with OpenSim: the one that is named, or this one."""
    try:
        return OpenSim.find()
    except OptionError:
        pytest.skip(f"no interpreter with opensim (install it, or name one with {VARIABLE})")


@pytest.fixture
def tiny_folder(tmp_path):
    """A small, complete and valid CEINMS folder."""
    return write_tiny_folder(tmp_path / "tiny")


@pytest.fixture(scope="session")
def saved_folder(tmp_path_factory):
    """A short calibration by gradient with a test trial; not to be changed."""
    path = tmp_path_factory.mktemp("saved")
    folder = write_tiny_folder(path / "subject", tendon="<rosenbrockElastic/>", n_trial=3)
    edit(folder / "calibration.xml", " trial3/inputData.xml", "")
    test = ("--test", folder / "trial3" / "inputData.xml")
    _calibrate(folder, path / "gradient", *test, "--max-iterations", "25")
    return path / "gradient"


@pytest.fixture(scope="session")
def annealed_folder(tmp_path_factory):
    """A short annealing on one trial, without derivatives and without test trials."""
    path = tmp_path_factory.mktemp("annealed")
    folder = write_tiny_folder(path / "subject", n_trial=1)
    _calibrate(folder, path / "annealing", "--method", "annealing")
    return path / "annealing"


def _calibrate(folder, out, *options):
    setup = folder / "calibrationSetup.xml"
    result = run_command("calibrate", setup, "--out", out, "--quiet", *options)
    assert result.returncode == 0, result.stderr
