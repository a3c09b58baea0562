"""The tensor engine against the double-precision kernel, and what both must obey."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ceinms_torch._backend import _torch
from ceinms_torch.model.parameters import PARAMETER_KINDS
from ceinms_torch.simulation.batch import batch_arrays
from engine_cases import (
    QUANTITIES,
    kernel_arguments,
    make_subject,
    make_trial,
    run_arrays,
    run_kernel,
    run_tensor,
    torch_curves,
)
from engine_strategies import RTOL, TENDONS, assert_same, cases, scales


@given(cases())
def test_tensor_engine_equals_kernel(case):
    subject, trials, options = case
    results = run_tensor(subject, trials, **options)
    for trial, result in zip(trials, results, strict=True):
        assert_same(subject, trial, result, run_kernel(subject, trial, **options))


def test_engines_agree_on_a_sample_just_before_the_signal():
    """Two delays, so that one MTU has an instant of the filter at row -0.85 and no other does."""
    subject = make_subject([{"em_delay": 0.0}, {"em_delay": 10.0 / 1926.0}])
    trial = make_trial(subject, "trial", n_step=3, emg_rate=1926.0, emg_start=-11.15 / 1926.0)
    (result,) = run_tensor(subject, [trial], filter_start="zero")
    assert_same(subject, trial, result, run_kernel(subject, trial, filter_start="zero"))


@given(cases())
def test_trials_side_by_side_do_not_see_each_other(case):
    subject, trials, options = case
    together = run_tensor(subject, trials, **options)
    for trial, result in zip(trials, together, strict=True):
        (alone,) = run_tensor(subject, [trial], **options)
        assert_same(subject, trial, result, alone)


@given(cases(), st.randoms(use_true_random=False))
def test_permuting_mtus_permutes_outputs(case, random):
    subject, trials, options = case
    order = list(range(len(subject.mtus)))
    random.shuffle(order)
    for trial in trials:
        arguments = kernel_arguments(subject, trial, **options)
        shuffled = {
            name: array[..., order] if isinstance(array, np.ndarray) and array.ndim > 1 else array
            for name, array in arguments.items()
        }
        expected = run_arrays(**arguments)
        got = run_arrays(**shuffled)
        for name in QUANTITIES[:-1]:
            np.testing.assert_array_equal(got[name], expected[name][:, order])
        # Moments are sums in another order.
        moment_scale = scales(subject, trial)["joint_moment"]
        error = np.abs(got["joint_moment"] - expected["joint_moment"]) / moment_scale
        assert error.max() < 1e-14


@given(cases())
def test_doubling_strength_doubles_forces(case):
    """Nothing else changes: the tendon's force scales with the strength, too."""
    subject, trials, options = case
    matrix = subject.parameters()
    matrix[PARAMETER_KINDS.index("strengthCoefficient")] *= 2.0
    strong = subject.with_parameters(matrix)
    for trial in trials:
        expected, got = (run_kernel(one, trial, **options) for one in (subject, strong))
        for name in QUANTITIES:
            factor = 2.0 if name in ("mtu_force", "joint_moment") else 1.0
            # A factor of two is exact in binary.
            np.testing.assert_array_equal(got[name], factor * expected[name])


@given(cases())
def test_zero_excitation_gives_zero_activation(case):
    subject, trials, options = case
    for trial in trials:
        silent = dataclasses.replace(trial, excitation=np.zeros_like(trial.excitation))
        assert not run_kernel(subject, silent, **options)["activation"].any()
        (result,) = run_tensor(subject, [silent], **options)
        assert not result["activation"].any()


@given(cases())
def test_full_excitation_tends_to_full_activation(case):
    """The gain of the filter is one (eq. 1), and a(1) = 1 (eq. 2)."""
    subject, trials, options = case
    matrix = subject.parameters()
    matrix[:2] = -0.5  # fast enough to settle: 0.5 ** 49 < 1e-12, twice over
    matrix[PARAMETER_KINDS.index("emgGain")] = 1.0
    subject = subject.with_parameters(matrix)
    emg_time = np.arange(-60, 400) / 100.0
    full = dataclasses.replace(
        trials[0], excitation_time=emg_time, excitation=np.ones((460, len(subject.mtus)))
    )
    assert np.abs(run_kernel(subject, full, **options)["activation"] - 1.0).max() < RTOL


@given(cases(), st.integers(0, 2**32 - 1))
def test_padding_means_nothing(case, seed):
    """Whatever stands after the last step of a trial, its results stay bit for bit."""
    subject, trials, options = case
    arrays = batch_arrays(trials)
    random = np.random.default_rng(seed)
    changed = {name: array.copy() for name, array in arrays.items()}
    for i, trial in enumerate(trials):
        n = len(trial.time)
        for name in ("mtu_length", "mtu_velocity", "moment_arm"):
            padding = changed[name][n:, ..., i]
            padding *= random.uniform(0.9, 1.1, size=padding.shape)
    curves, matrix = torch_curves(subject), torch.from_numpy(subject.parameters())
    first, second = (
        _torch.simulate(
            curves,
            matrix,
            _torch.TrialBatch(**{k: torch.from_numpy(v) for k, v in each.items()}),
            **options,
        )
        for each in (arrays, changed)
    )
    valid = torch.from_numpy(arrays["is_valid"])
    for name in QUANTITIES:
        values = [getattr(result, name).transpose(1, 2)[valid] for result in (first, second)]
        assert torch.equal(*values), name


@pytest.mark.parametrize("n_run_in", [0, 1, 2, 7])
@pytest.mark.parametrize("filter_start", ["ceinms", "zero"])
def test_activation_equals_equations_1_and_2(filter_start, n_run_in):
    """Written out for signals sampled at the instants of the simulation, without delay."""
    subject = make_subject([{"em_delay": 0.0, "c1": -0.7, "c2": 0.3, "shape_factor": -1.7}])
    trial = make_trial(
        subject, "trial", n_step=8, step=0.01, emg_rate=100.0, emg_start=-0.01 * n_run_in
    )
    e = trial.excitation[:, 0]
    u, u1, u2 = [], 0.0, 0.0
    for n in range(n_run_in + 8):
        if n == 2 and filter_start == "ceinms":
            u1 = u2 = (e[0] + e[1]) / 2.0
        gain = (1.0 - 0.7) * (1.0 + 0.3)
        u1, u2 = gain * e[n] - (-0.7 + 0.3) * u1 - (-0.7 * 0.3) * u2, u1
        u.append(u1)
    expected = (np.exp(-1.7 * np.array(u[n_run_in:])) - 1.0) / (np.exp(-1.7) - 1.0)
    got = run_kernel(subject, trial, filter_start=filter_start)["activation"][:, 0]
    # The row of a time is found by a division, which shifts excitations by 1e-13 of a row.
    np.testing.assert_allclose(got, expected, rtol=RTOL)


@pytest.mark.parametrize("filter_start", ["ceinms", "zero"])
@pytest.mark.parametrize("tendon", TENDONS)
@pytest.mark.parametrize("n_step", [1, 2])
def test_single_mtu_and_single_step(n_step, tendon, filter_start):
    subject = make_subject([{}])
    longer = make_trial(subject, "longer", n_step=4)
    options = {"tendon": tendon, "filter_start": filter_start}
    arguments = kernel_arguments(subject, longer, **options)
    short = {
        name: arguments[name][:n_step]
        for name in ("time", "mtu_length", "mtu_velocity", "moment_arm")
    }
    got = run_arrays(**{**arguments, **short})
    expected = run_kernel(subject, longer, **options)
    batch = {name: torch.from_numpy(array[..., None].copy()) for name, array in short.items()}
    result = _torch.simulate(
        torch_curves(subject),
        torch.from_numpy(subject.parameters()),
        _torch.TrialBatch(
            **batch,
            excitation=torch.from_numpy(longer.excitation[..., None].copy()),
            excitation_start=torch.tensor([arguments["excitation_start"]], dtype=torch.float64),
            excitation_rate=torch.tensor([arguments["excitation_rate"]], dtype=torch.float64),
            is_valid=torch.ones(n_step, 1, dtype=torch.bool),
        ),
        **options,
    )
    scale = scales(subject, longer)
    for name in QUANTITIES:
        # The future does not act on the past: the first steps of a longer trial are the same.
        np.testing.assert_array_equal(got[name], expected[name][:n_step])
        error = np.abs(getattr(result, name).numpy()[..., 0] - got[name]) / scale[name]
        assert error.max() <= RTOL, name


def reversed_twice(array):
    """The same numbers with negative strides."""
    return array[::-1].copy()[::-1]


@pytest.mark.parametrize("tendon", TENDONS)
@pytest.mark.parametrize("layout", [np.asfortranarray, reversed_twice], ids=["F order", "reversed"])
def test_layout_in_memory_does_not_matter_to_the_kernel(layout, tendon):
    subject = make_subject([{}, {"em_delay": 0.03}, {"pennation_angle": 0.0}])
    trial = make_trial(subject, "trial", n_step=9)
    arguments = kernel_arguments(subject, trial, tendon=tendon)
    other = {
        name: layout(array) if isinstance(array, np.ndarray) else array
        for name, array in arguments.items()
    }
    assert not other["moment_arm"].flags.c_contiguous
    expected, got = run_arrays(**arguments), run_arrays(**other)
    for name in QUANTITIES:
        np.testing.assert_array_equal(got[name], expected[name])


@pytest.mark.parametrize("tendon", TENDONS)
def test_layout_in_memory_does_not_matter_to_the_tensor_engine(tendon):
    subject = make_subject([{}, {"em_delay": 0.03}, {"pennation_angle": 0.0}])
    trials = [make_trial(subject, "a", n_step=9), make_trial(subject, "b", n_step=6)]
    arrays = {name: torch.from_numpy(array) for name, array in batch_arrays(trials).items()}
    matrix = torch.from_numpy(subject.parameters())

    def strided(tensor):
        spread = torch.stack([tensor, tensor], dim=-1)[..., 0]
        assert not spread.is_contiguous()
        return spread

    results = [
        _torch.simulate(
            torch_curves(subject), m, _torch.TrialBatch(**a), tendon=tendon, filter_start="ceinms"
        )
        for m, a in (
            (matrix, arrays),
            (strided(matrix), {name: strided(tensor) for name, tensor in arrays.items()}),
        )
    ]
    scale = scales(subject, trials[0])
    for name in QUANTITIES:
        first, second = (getattr(result, name).numpy() for result in results)
        assert (np.abs(first - second) / scale[name][:, None]).max() <= RTOL, name
