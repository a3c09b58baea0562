"""What a library must leave alone: rounding and denormal numbers of the process it is loaded into.

One source compiled or linked with -ffast-math would switch every number of the process below
2.2e-308 to zero, NumPy's and the user's too.
"""

import subprocess
import sys

import pytest

# MXCSR is read through a few bytes of machine code, so that every bit of it is compared: rounding,
# flush-to-zero, denormals-are-zero, exception masks. (Its lowest six bits say what has happened.)
PROBE = r"""
import ctypes, ctypes.util, mmap, platform, sys
import numpy as np

libm = ctypes.CDLL(ctypes.util.find_library("m"))

def mxcsr():
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return None
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\x0f\xae\x1f\xc3")  # stmxcsr [rdi]; ret
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    word = ctypes.c_uint32(0)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(address)(ctypes.addressof(word))
    return word.value & ~0x3F

def state():
    least = float("5e-324")
    third = np.array([1.0]) / np.array([3.0])
    return (
        libm.fegetround(),
        mxcsr(),
        least * 1.0 == least,
        bool((np.array([least]) * np.array([1.0]))[0] == least),
        bool((np.array([2.3e-308]) / np.array([4.0]))[0] > 0.0),
        float(third[0]).hex(),
    )
"""
COMPARE = """
before = state()
assert before[2] and before[3] and before[4], before
{work}
after = state()
assert after == before, (before, after)
print("same")
"""
CALIBRATION = """
sys.path.insert(0, {tests!r})
import threading
import ceinms_torch as ct
from engine_cases import make_subject, make_trial
subject = make_subject([{{}}, {{"pennation_angle": 0.1}}])
trials = [make_trial(subject, name, n_step=12, phase=i) for i, name in enumerate("ab")]
step = ct.CalibrationStep(
    dofs=("knee",), parameters=(ct.ParameterSpec(kind="strengthCoefficient", low=0.5, high=2.5),)
)
plan = ct.CalibrationPlan(
    algorithm=ct.AdamW(max_iterations=3), tendon=ct.Tendon(kind={tendon!r}), steps=(step,)
)
# In threads of the engine's own, and in one of ours.
options = {{"method": {method!r}, "engine": {engine!r}}}
ct.calibrate(subject, trials, plan, starts={starts}, threads=2, **options)
states = []
def work():
    ct.calibrate(subject, trials, plan, **options)
    states.append(state())
thread = threading.Thread(target=work)
thread.start()
thread.join()
assert states == [before], states
"""


def run(work):
    program = PROBE + COMPARE.format(work=work)
    result = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=120.0
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "same\n"


@pytest.mark.parametrize(
    "statement",
    [
        "import ceinms_torch",
        "import ceinms_torch._kernel",
        "from ceinms_torch._backend import _torch",
        "import ceinms_torch\nfor name in ceinms_torch.__all__: getattr(ceinms_torch, name)",
    ],
)
def test_import_changes_nothing(statement):
    run(statement)


@pytest.mark.parametrize("tendon", ["stiff", "rosenbrockElastic"])
@pytest.mark.parametrize(
    ("method", "engine", "starts"),
    [("lm", "fused", 1), ("lm", "fused", 4), ("adamw", "fused", 1), ("adamw", "tensor", 1)],
)
def test_calibration_changes_nothing(method, engine, starts, tendon, request):
    tests = str(request.config.rootpath / "tests")
    run(CALIBRATION.format(tests=tests, tendon=tendon, method=method, engine=engine, starts=starts))


def test_the_probe_sees_flush_to_zero():
    """Otherwise the tests above would check nothing."""
    work = """
import torch
if not torch.set_flush_denormal(True):
    sys.exit("this processor cannot")
"""
    program = PROBE + COMPARE.format(work=work)
    result = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=120.0
    )
    if "this processor cannot" in result.stderr:
        pytest.skip("no flush-to-zero on this processor")
    assert result.returncode == 1
    assert "AssertionError" in result.stderr
