"""The BLAS of numpy and scipy has one thread while this package computes, and its own after."""

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ceinms_torch as ct
from ceinms_torch.blas import one_blas_thread
from command_line import environment

REPOSITORY = Path(__file__).resolve().parents[2]
# What reads and writes, looks up and puts together; nothing of it multiplies matrices.
WITHOUT_LINEAR_ALGEBRA = {
    *("activation_delay_parameters", "build_problem", "case_of_files", "case_of_run"),
    *("cases_of_calibration", "check_timing", "greatest_of", "load_results", "mean_fit"),
    *(
        "normalised",
        "parameter_row",
        "read_cohort",
        "read_coordinates",
        "read_ground_forces",
        "read_maxima",
    ),
    *(
        "read_maxima",
        "read_model",
        "read_paths",
        "read_pose_lengths",
        "read_raw_emg",
        "read_rt_subject",
    ),
    *("read_samples", "read_storage", "save_emg", "save_loads", "save_result"),
    *("scale_max_isometric_force", "segment_events", "with_curves", "write_ground_forces"),
    *("write_paths", "write_storage", "write_trc"),
}
# More threads than this machine may have: what is restored is what was there, not a default.
PROGRAM = """
import json, sys
import numpy
from threadpoolctl import threadpool_info, threadpool_limits
def threads():
    return sorted({one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"})
found = {}
"""


def found_by(code, *arguments):
    """Run a program that fills `found`, as a user's own that knows nothing of threads."""
    clean = {name: one for name, one in environment().items() if "_NUM_THREADS" not in name}
    program = f"{PROGRAM}{code}\nprint(json.dumps(found))"
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=clean)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("method", ["lm", "lbfgs", "adamw"])
def test_a_calibration_holds_it_and_gives_it_back(tiny_folder, method):
    found = found_by(
        """
import scipy.linalg
threadpool_limits(3, user_api="blas")
import ceinms_torch as ct
def inside(iteration):
    found.setdefault("inside", threads())
folder = ct.CalibrationFolder.read(sys.argv[1])
found["read"] = threads()
ct.calibrate(folder, method=sys.argv[2], starts=1, callback=inside)
found["after"] = threads()
""",
        tiny_folder / "calibrationSetup.xml",
        method,
    )
    assert found == {"read": [3], "inside": [1], "after": [3]}


def test_what_a_search_loads_itself_is_held_too(tiny_folder):
    found = found_by(
        """
import ceinms_torch as ct
def inside(iteration):
    found["loaded"] = "scipy.linalg" in sys.modules
    found["inside"] = threads()
ct.calibrate(sys.argv[1], method="lbfgs", starts=1, callback=inside)
""",
        tiny_folder / "calibrationSetup.xml",
    )
    assert found == {"loaded": True, "inside": [1]}


def test_a_command_never_starts_more(tiny_folder):
    """Nor does one that loads scipy for its search, and finds numpy already there."""
    setup = tiny_folder / "calibrationSetup.xml"
    found = found_by(
        """
from ceinms_torch.cli.entry import ceinms_torch
sys.argv[1:] = ["calibrate", sys.argv[1], "--method", "lbfgs", "--quiet", "--out", sys.argv[2]]
found["status"] = ceinms_torch()
found["threads"] = threads()
""",
        setup,
        tiny_folder / "results",
    )
    assert found == {"status": 0, "threads": [1]}


def test_a_process_of_a_study_has_one():
    found = found_by(
        """
from ceinms_torch.studies.cells import _begin_process
_begin_process()
import scipy.linalg
found["threads"] = threads()
"""
    )
    assert found == {"threads": [1]}


def test_public_functions_that_compute_hold_it():
    public = (getattr(ct, name) for name in ct.__all__)
    functions = {one.__name__: one for one in public if inspect.isfunction(one)}
    free = {name for name, one in functions.items() if not hasattr(one, "__wrapped__")}
    assert free == WITHOUT_LINEAR_ALGEBRA


@given(st.lists(st.booleans(), max_size=12))
def test_it_is_held_until_all_have_left(turns):
    """Entering and leaving in any order: held from the first in to the last out, and no longer."""
    gate = type(one_blas_thread)()
    depth = 0
    for enters in turns:
        if enters:
            gate.__enter__()
            depth += 1
        elif depth:
            gate.__exit__(None, None, None)
            depth -= 1
        assert bool(gate._restore) == (depth > 0)


def test_no_figure_is_taken_with_thread_variables():
    pages = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("python/*.md")]
    programs = REPOSITORY.glob("tests/benchmarks/*.py")
    said = [path for path in (*pages, *programs) if "_NUM_THREADS" in path.read_text("utf-8")]
    assert not said
