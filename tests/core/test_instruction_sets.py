"""The same calibration by every instruction set that this machine has.

Each set sums the same products in another order, with or without fused multiply-add: values at a
point differ by rounding, and a search that has converged ends at the same place but for what its
stopping rule leaves open.
"""

from pathlib import Path

import numpy as np
import pytest

import ceinms_torch as ct
from ceinms_torch import _kernel
from ceinms_torch.calibration.problems.fused import FusedProblem

SUBJECTS = Path(__file__).resolve().parents[2] / "subjects"
SETS = _kernel.instruction_sets()
# What python/CALIBRATION.md promises.
POINT_RTOL = 1e-11
GRADIENT_RTOL = 1e-9
END_SHARE = 1e-5  # of the objective at the start
END_MOMENT = 0.01  # RMSE of a DOF [N m]


@pytest.fixture(scope="module")
def folder():
    return ct.CalibrationFolder.read(SUBJECTS / "gait" / "calibrate.xml")


@pytest.fixture(scope="module")
def start(folder):
    return ct.ParameterSpace.of(folder.subject, *folder.plan.steps, folder.plan).start()


@pytest.fixture(scope="module")
def problems(folder):
    (step,) = folder.plan.steps
    space = ct.ParameterSpace.of(folder.subject, step, folder.plan)
    return {
        name: FusedProblem(
            folder.subject,
            folder.trials[:2],
            step,
            space,
            tendon="rosenbrockElastic",
            instruction_set=name,
        )
        for name in SETS
    }


def test_machine_has_the_baseline():
    assert SETS[-1] == "baseline"
    assert set(SETS) <= {"x86_64_v4", "x86_64_v3", "baseline"}


def test_values_and_gradients(problems):
    for seed in range(5):
        n = problems["baseline"].core.n_component
        x = np.random.default_rng(seed).uniform(0.1, 0.9, size=n)
        expected, slope = problems["baseline"].gradient(x)
        for name in SETS[:-1]:
            point, gradient = problems[name].gradient(x)
            assert point.objective == pytest.approx(expected.objective, rel=POINT_RTOL), name
            assert np.abs(gradient - slope).max() <= GRADIENT_RTOL * np.abs(slope).max(), name


def test_the_same_set_gives_the_same_bits(problems):
    x = np.full(problems["baseline"].core.n_component, 0.4)
    for name in SETS:
        first, second = (problems[name].gradient(x)[1].tobytes() for _ in range(2))
        assert first == second


def test_ends_of_searches(problems, start):
    ends = {
        name: ct.minimise(problem, start, ct.LevenbergMarquardt())
        for name, problem in problems.items()
    }
    expected = ends["baseline"]
    begin = problems["baseline"].gradient(start)[0].objective
    for name in SETS[:-1]:
        assert abs(ends[name].objective - expected.objective) <= END_SHARE * begin, name
        errors = [np.array(one.history[-1].rmse) for one in (ends[name], expected)]
        np.testing.assert_allclose(*errors, rtol=0.0, atol=END_MOMENT, err_msg=name)
