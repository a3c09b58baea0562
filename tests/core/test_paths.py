"""Lengths and moment arms from joint angles, and simulations and streams on them."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ceinms_torch as ct
from ceinms_torch import _kernel
from ceinms_torch.geometry.polynomials import derivative_coefficients, exponents, n_term
from ceinms_torch.simulation.stream import acting_mtus
from engine_cases import make_subject, make_trial

COORDINATES = ("knee", "hip", "ankle")
RATE = 128.0  # [Hz]: time steps without rounding


def value(coefficients, order, q):
    """Return a polynomial of poses (n_pose, n), term by term."""
    return np.prod(q[:, np.newaxis] ** exponents(q.shape[1], order), axis=2) @ coefficients


def path(mtu, coordinates, order, coefficients):
    return ct.PolynomialPath(
        mtu=mtu,
        coordinate_paths=coordinates,
        order=order,
        coefficients=np.asarray(coefficients, dtype=float),
    )


def random_path(mtu, seed):
    rng = np.random.default_rng(seed)
    names = tuple(rng.permutation(COORDINATES)[: rng.integers(1, 4)].tolist())
    order = int(rng.integers(0, 6))
    return path(mtu, names, order, rng.normal(size=n_term(len(names), order)))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=25))
def test_lengths_are_polynomials_and_arms_their_negative_derivatives(seeds):
    paths = ct.PathSet(paths=tuple(random_path(f"m{i}", seed) for i, seed in enumerate(seeds)))
    names = paths.coordinate_names
    q = np.random.default_rng(1).uniform(-1.2, 1.2, (4, len(names)))
    found = paths.evaluate(q, names[::-1])
    for i, one in enumerate(paths.paths):
        own = q[:, [names.index(name) for name in one.coordinate_names]]
        np.testing.assert_allclose(
            found.mtu_length[:, i], value(one.coefficients, one.order, own), atol=1e-12
        )
        for k, dof in enumerate(names[::-1]):
            arm = np.zeros(4)
            if dof in one.coordinate_names:
                by = one.coordinate_names.index(dof)
                n = len(one.coordinate_names)
                slope = derivative_coefficients(one.coefficients, n, one.order, by)
                arm = -value(slope, max(one.order - 1, 0), own)
            np.testing.assert_allclose(found.moment_arm[:, k, i], arm, atol=1e-11)


@pytest.mark.parametrize("instruction_set", _kernel.instruction_sets())
def test_every_instruction_set_agrees(instruction_set):
    paths = ct.PathSet(paths=tuple(random_path(f"m{i}", i) for i in range(40)))
    names = paths.coordinate_names
    compiled = _kernel.PathSet(
        n_coordinate=len(names),
        coordinates=[
            np.array([names.index(name) for name in one.coordinate_names]) for one in paths.paths
        ],
        orders=np.array([one.order for one in paths.paths]),
        coefficients=[one.coefficients for one in paths.paths],
        dofs=np.arange(len(names)),
        instruction_set=instruction_set,
    )
    q = np.random.default_rng(1).uniform(-1.2, 1.2, (4, len(names)))
    for found, expected in zip(compiled.evaluate(q), paths.evaluate(q), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-12)  # of sums of numbers about one


# ---- a stream from angles

SUBJECT = make_subject([{"em_delay": 0.0}, {"em_delay": 0.0437}, {"tendon_slack_length": 0.24}])
# Of the lengths that a soleus works at; every other MTU acts on the ankle, too.
PATHS = ct.PathSet(
    paths=tuple(
        path(name, ("/jointset/k/knee", "ankle"), 2, [0.297, 0.01, 0.004, -0.02, 0.003, 0.006])
        for name in reversed(SUBJECT.mtu_names)
    )
)
TRIAL = make_trial(SUBJECT, "trial", n_step=80, step=1.0 / RATE, emg_rate=RATE, emg_start=0.0)


def angles():
    t = TRIAL.time
    return np.stack([0.3 * np.sin(5 * t), 0.2 * np.cos(4 * t)], axis=1)


@pytest.mark.parametrize("tendon", ["rosenbrockElastic", "stiff"])
def test_a_stream_from_angles_equals_a_run_on_the_polynomial_lengths(tendon):
    stream = ct.Stream(SUBJECT, rate=RATE, tendon=tendon, paths=PATHS)
    assert stream.coordinate_names == ("knee", "ankle")
    geometry = PATHS.select(SUBJECT.mtu_names).evaluate(angles(), SUBJECT.dof_names)
    from_lengths = ct.Stream(SUBJECT, rate=RATE, tendon=tendon)
    forces, moments = [], []
    for k, q in enumerate(angles()):
        step = stream.step_at(TRIAL.excitation[k], q)
        forces.append(step.mtu_force)
        moments.append(step.joint_moment)
        same = from_lengths.step(
            TRIAL.excitation[k], geometry.mtu_length[k], geometry.moment_arm[k]
        )
        np.testing.assert_array_equal(step.mtu_force, same.mtu_force)
        np.testing.assert_array_equal(step.joint_moment, same.joint_moment)
    if tendon == "stiff":  # its velocity is that of a spline in a run
        return
    # A trial has the moment arms of the MTUs that act on a DOF.
    arms = geometry.moment_arm * acting_mtus(SUBJECT, SUBJECT.dof_names)
    run = ct.simulate(
        SUBJECT,
        dataclasses.replace(TRIAL, mtu_length=geometry.mtu_length, moment_arm=arms),
        filter_start="zero",
    )
    for found, expected in ((forces, run.mtu_force.array), (moments, run.joint_moment.array)):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(np.stack(found) / scale, expected / scale, rtol=0, atol=1e-12)


def test_what_a_stream_refuses():
    with pytest.raises(ct.DataError, match=r"step_at: expected a stream with polynomial paths"):
        ct.Stream(SUBJECT, rate=RATE).step_at(np.zeros(3), np.zeros(2))
    with pytest.raises(ct.UnknownNameError, match=r"an MTU with a path"):
        ct.Stream(SUBJECT, rate=RATE, paths=PATHS.select(SUBJECT.mtu_names[:2]))
    knee = ct.PathSet(
        paths=tuple(path(name, ("knee",), 1, [0.3, 0.01]) for name in SUBJECT.mtu_names)
    )
    with pytest.raises(ct.DataError, match=r"depends on ankle, as the subject says.*depends on k"):
        ct.Stream(SUBJECT, rate=RATE, paths=knee)
    stream = ct.Stream(SUBJECT, rate=RATE, paths=PATHS)
    for q, message in (([0.1], r"coordinates: expected shape \(2\)"), ([0.1, np.nan], "finite")):
        with pytest.raises(ct.DataError, match=message):
            stream.step_at(np.zeros(3), q)
    assert stream.n_step == 0


def test_what_paths_refuse():
    with pytest.raises(ct.DataError, match=r"3 coefficients, as 1 coordinates and order 2 have"):
        path("m", ("knee",), 2, [0.1, 0.2])
    with pytest.raises(ct.DataError, match="finite coefficients"):
        path("m", ("knee",), 1, [0.1, np.nan])
    with pytest.raises(ct.DataError, match="one path of every MTU, got m0 twice"):
        ct.PathSet(paths=(random_path("m0", 1), random_path("m0", 2)))
    with pytest.raises(ct.DataError, match=r"coordinates that a path depends on: knee, ankle, got"):
        PATHS.evaluate([[0.1, 0.2]], ["hip"])
    with pytest.raises(ct.DataError, match=r"coordinates: expected shape \(1, 2\)"):
        PATHS.evaluate([[0.1, 0.2, 0.3]])
