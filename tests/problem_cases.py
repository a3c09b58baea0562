"""Calibration steps on the subjects of engine_cases.py, and what their problems have to do."""

import numpy as np
import pytest

import ceinms_torch as ct
from ceinms_torch import _kernel
from ceinms_torch.model.parameters import PARAMETER_KINDS

# Both engines and both ways of differentiating sum the same products in another order.
RTOL = 1e-11
GRADIENT_RTOL = 1e-9

# Some MTU passes every edge at some time.
NARROW = {
    "fibre_length_range": (0.97, 1.01),
    "fibre_length_weight": 90.0,
    "tendon_strain_range": (0.001, 0.012),
    "tendon_strain_weight": 3000.0,
}


# With |c1| or |c2| above 1 the activation filter is not stable, and rounding grows with it.
STABLE = (-0.96, 0.45)


def spec(kind, scope="single"):
    scope = "global" if kind == "percentageChange" else scope
    if kind in ("c1", "c2"):
        return ct.ParameterSpec(kind=kind, scope=scope, low=STABLE[0], high=STABLE[1])
    low, high = (0.98, 1.02) if kind == "tendonSlackLength" else (0.7, 1.4)
    return ct.ParameterSpec(
        kind=kind, scope=scope, range_type="relativeToSubjectValue", low=low, high=high
    )


def make_step(kinds=PARAMETER_KINDS, *, scope="single", dofs=("knee", "ankle"), **objective):
    return ct.CalibrationStep(
        dofs=dofs,
        objective=ct.Objective(**objective),
        parameters=tuple(spec(kind, scope) for kind in kinds),
    )


def space_of(subject, step):
    plan = ct.CalibrationPlan(algorithm=ct.AdamW(), tendon=ct.Tendon(kind="stiff"), steps=(step,))
    return ct.ParameterSpace.of(subject, step, plan)


def assert_same_points(got, expected):
    assert got.objective == pytest.approx(expected.objective, rel=RTOL)
    scale = expected.objective
    assert got.terms == pytest.approx(expected.terms, rel=RTOL, abs=RTOL * scale)
    assert got.rmse == pytest.approx(expected.rmse, rel=RTOL)


def check_against_tensor(subject, trials, step, tendon, filter_start, x):
    space = space_of(subject, step)
    options = {"tendon": tendon, "filter_start": filter_start}
    reference = ct.TensorProblem(subject, trials, step, space, **options)
    expected, slope = reference.gradient(x)
    for name in _kernel.instruction_sets():
        results = []
        for threads in (1, 2):
            problem = ct.FusedProblem(
                subject, trials, step, space, threads=threads, instruction_set=name, **options
            )
            assert problem.term_names == reference.term_names
            point, gradient = problem.gradient(x)
            assert_same_points(point, expected)
            assert np.abs(gradient - slope).max() <= GRADIENT_RTOL * np.abs(slope).max()
            assert problem.core.evaluate(x).objective == point.objective
            residual, jacobian = problem.residuals(x)
            other = 2.0 * jacobian.T @ residual
            assert np.abs(other - slope).max() <= GRADIENT_RTOL * np.abs(slope).max()
            results.append((point, gradient, residual, jacobian))
        assert results[0][0] == results[1][0]
        for one, two in zip(results[0][1:], results[1][1:], strict=True):
            np.testing.assert_array_equal(one, two)
    return expected
