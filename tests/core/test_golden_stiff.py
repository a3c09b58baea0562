"""The stiff tendon against what the CEINMS 0.9 program printed."""

from pathlib import Path

import numpy as np
import pytest

from ceinms_torch.inputs.folder import RunFolder
from ceinms_torch.io.storage import read_storage
from ceinms_torch.model.parameters import PARAMETER_KINDS
from ceinms_torch.simulation.simulate import simulate

COMMITTED = Path(__file__).resolve().parent.parent / "golden"
SUBJECTS = ("true", "uncal")
MODES = ("offline", "online")

# Files of CEINMS, misspelt as there, and our names.
EXACT = {
    "Activations": "activation",
    "FiberLenghts": "fibre_length",
    "NormFiberLengths": "norm_fibre_length",
    "PennationAngles": "pennation_angle",
}
# CEINMS differentiates a spline through the fibre lengths, we differentiate the formula of the
# fibre length with the spline through the MTU lengths; online, CEINMS knows no future lengths.
OFFLINE_ONLY = {
    "FiberVelocities": "fibre_velocity",
    "MuscleForces": "mtu_force",
    "Torques": "joint_moment",
}

# CEINMS prints six significant digits: half a unit of the sixth is at most 5e-6 of the value
# (for 1.00000, where a unit of the sixth digit is 1e-5 of the value).
RTOL = 5e-6
# For values that print as 0 and for the rounding of our own sums; a thousandth of half a unit in
# the last printed digit of the smallest value in these files that is not 0 (0.0264..).
ATOL = 5e-11


def run(folder, case):
    read = RunFolder.read(folder / f"run_{case}.xml")
    return simulate(read.subject, read.trial, tendon=read.execution.tendon)


def printed(folder, case, name):
    return read_storage(folder / "expected" / f"run_{case}" / f"{name}.sto")


def assert_equals_printed(simulation, folder, case):
    for name, quantity in EXACT.items():
        expected = printed(folder, case, name)
        got = getattr(simulation, quantity)
        np.testing.assert_allclose(got.time, expected.time, rtol=RTOL, atol=ATOL)
        assert set(got.columns) == set(expected.columns)
        values = expected.select(got.columns)
        assert np.abs(values).max() > 0.1  # the file is not all zeros
        np.testing.assert_allclose(got.array, values, rtol=RTOL, atol=ATOL, err_msg=name)


@pytest.mark.parametrize("trial", ["trial1", "trial2"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("subject", SUBJECTS)
def test_all_frames(golden_dir, subject, mode, trial):
    case = f"{subject}_stiff_{mode}_{trial}"
    simulation = run(golden_dir, case)
    assert len(simulation.activation.time) == 200
    assert_equals_printed(simulation, golden_dir, case)


@pytest.mark.parametrize("trial", ["trial1", "trial2"])
@pytest.mark.parametrize("subject", SUBJECTS)
def test_velocities_forces_and_moments_offline(golden_dir, subject, trial):
    case = f"{subject}_stiff_offline_{trial}"
    simulation = run(golden_dir, case)
    for name, quantity in OFFLINE_ONLY.items():
        got = getattr(simulation, quantity)
        expected = printed(golden_dir, case, name).select(got.columns)
        # Two splines through 200 smooth points differ by their fourth-order error: most in
        # velocity, near the ends, by 1e-5 of its peak, and less in force.
        error = np.abs(got.array - expected).max(axis=0) / np.abs(expected).max(axis=0)
        assert error.max() < 3e-5, name


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("subject", SUBJECTS)
def test_first_frames(subject, mode):
    case = f"{subject}_stiff_{mode}_trial1"
    simulation = run(COMMITTED, case)
    assert len(simulation.activation.time) == 60
    assert_equals_printed(simulation, COMMITTED, case)


def test_comparison_sees_a_change_of_a_ten_thousandth():
    read = RunFolder.read(COMMITTED / "run_true_stiff_offline_trial1.xml")
    matrix = read.subject.parameters()
    matrix[PARAMETER_KINDS.index("optimalFibreLength")] *= 1.0 + 1e-4
    simulation = simulate(read.subject.with_parameters(matrix), read.trial, tendon="stiff")
    with pytest.raises(AssertionError, match="FiberLenghts"):
        assert_equals_printed(simulation, COMMITTED, "true_stiff_offline_trial1")
