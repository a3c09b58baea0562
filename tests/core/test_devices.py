"""The tensor engine on another device than the CPU: CUDA where there is one, else a stand-in."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import ceinms_torch as ct
from ceinms_torch.errors import OptionError
from ceinms_torch.simulation.engine import tensor_device
from helpers import write_tiny_folder

# The stand-in is for a whole process, so every test has one of its own.
PRELUDE = f"""
import sys
import numpy as np
import torch
import ceinms_torch as ct

sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import second_device

DEVICE = "cuda" if torch.cuda.is_available() else second_device.switch_on()
folder = ct.CalibrationFolder.read(sys.argv[1])
"""


# The backward thread of the stand-in is torch's own, and now and then is not through when torch
# ends: what the test is about is over by then.
EPILOGUE = """
import os
sys.stdout.flush()
os._exit(0)
"""


def run_elsewhere(code, folder):
    result = subprocess.run(
        [
            *(sys.executable, "-W", "error", "-c", PRELUDE + code + EPILOGUE),
            str(folder / "calibrationSetup.xml"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture
def folder(tmp_path):
    write_tiny_folder(tmp_path, tendon="<rosenbrockElastic/>", n_step=8)
    return tmp_path


@pytest.mark.parametrize("tendon", ["rosenbrockElastic", "stiff"])
def test_forces_and_gradients_are_those_of_the_cpu(folder, tendon):
    out = run_elsewhere(
        f"""
def force_and_gradients(device):
    batch = ct.trial_batch(folder.trials, device)
    parameters = torch.from_numpy(folder.subject.parameters()).to(device).requires_grad_()
    excitation = batch.excitation.clone().requires_grad_()
    now = ct.simulate_tensors(
        folder.subject, batch, parameters, excitation, tendon="{tendon}", engine="tensor"
    )
    assert now.joint_moment.device.type == torch.device(device).type
    now.joint_moment.square().sum().backward()
    return [x.detach().cpu() for x in (now.mtu_force, parameters.grad, excitation.grad)]

for here, there in zip(force_and_gradients("cpu"), force_and_gradients(DEVICE), strict=True):
    # Sums may be taken in another order: rounding of numbers up to the largest.
    torch.testing.assert_close(there, here, rtol=1e-12, atol=1e-12 * float(here.abs().max()))
print("equal")
""",
        folder,
    )
    assert out.strip() == "equal"


def test_calibration_takes_the_same_path(folder):
    out = run_elsewhere(
        """
objective = ct.Objective(
    peak_force_weight=0.1,
    parameter_prior_weight=0.1,
    group_coherence_weight=0.1,
    group_coherence_muscles=(("soleus_r", "gasmed_r"),),
)
results = [
    ct.calibrate(
        folder.subject, folder.trials, folder.plan, engine="tensor", device=device,
        options=ct.AdamW(max_iterations=3), objective=objective,
    )
    for device in ("cpu", DEVICE)
]
here, there = ([item.objective for item in result.history] for result in results)
np.testing.assert_allclose(there, here, rtol=1e-10)
print(results[1].device)
""",
        folder,
    )
    assert out.split(":")[0].strip() in {"cuda", "elsewhere"}


def test_tensors_of_two_devices_are_refused(folder):
    out = run_elsewhere(
        """
batch = ct.trial_batch(folder.trials, DEVICE)
on_cpu = torch.from_numpy(folder.subject.parameters())
for engine, parameters in (("tensor", on_cpu), ("fused", None)):
    try:
        ct.simulate_tensors(folder.subject, batch, parameters, engine=engine)
    except ValueError as error:
        print(error)
""",
        folder,
    ).splitlines()
    assert "parameters: expected on" in out[0]
    assert "got on cpu" in out[0]
    assert "simulate_fused: expected tensors on the CPU" in out[1]


def test_unknown_devices_are_refused(folder):
    with pytest.raises(OptionError, match="device: expected cpu, or a device of torch"):
        tensor_device("abacus")
    read = ct.CalibrationFolder.read(folder / "calibrationSetup.xml")
    with pytest.raises(OptionError, match="device: expected cpu, with the fused engine"):
        ct.calibrate(read.subject, read.trials, read.plan, method="lm", device="cuda")


def test_the_cpu_is_taken_unless_asked(monkeypatch):
    """Also where there is a GPU, which would be slower on a few trials."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert tensor_device().type == "cpu"


def test_compiled_loops_are_refused_elsewhere(folder):
    out = run_elsewhere(
        """
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.problems.tensor import TensorProblem

step = folder.plan.steps[0]
space = ParameterSpace.of(folder.subject, step, folder.plan)
problem = TensorProblem(
    folder.subject, folder.trials, step, space,
    tendon="rosenbrockElastic", device=DEVICE, stepping="compiled",
)
try:
    problem.gradient(space.start())
except ValueError as error:
    print(error)
""",
        folder,
    )
    assert out.startswith("stepping: expected operations or automatic on ")
    assert "got compiled, which needs the CPU" in out
