"""The fused engine as a node of torch's graph: the tensor engine's numbers and gradients."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings

import ceinms_torch as ct
from ceinms_torch import _kernel
from ceinms_torch._backend import _torch
from ceinms_torch.model.parameters import PARAMETER_KINDS
from ceinms_torch.model.subject import CURVE_NAMES, Curve
from ceinms_torch.simulation.batch import batch_arrays
from engine_cases import (
    QUANTITIES,
    SMOOTH_SUBJECT,
    SMOOTH_TRIALS,
    make_subject,
    make_trial,
    torch_curves,
)
from engine_strategies import RTOL, TENDONS, assert_same, cases, scales

STARTS = ("ceinms", "zero")
SETS = _kernel.instruction_sets()
# The adjoint sums the same products in another order than the graph; a steep tendon makes some
# 1e-12 of them.
GRADIENT_RTOL = 1e-9
# Sizes of the parameters, so that derivatives by metres and by newtons can be compared.
SIZES = {
    "optimalFibreLength": 0.1,
    "pennationAngle": 0.3,
    "tendonSlackLength": 0.2,
    "maxIsometricForce": 1e3,
    "maxContractionVelocity": 10.0,
    "emDelay": 0.1,
    "damping": 0.1,
    "percentageChange": 0.1,
}


def fused(curves, parameters, batch, **options):
    return _torch.simulate_fused(curves, parameters, batch, **options)


def tensor(curves, parameters, batch, *, threads=1, instruction_set="auto", **options):
    return _torch.simulate(curves, parameters, batch, **options)


def loss_of(result, batch, subject, trials):
    """A sum over all quantities, DOFs, MTUs, trials and valid steps with random weights."""
    random = torch.Generator().manual_seed(5)
    scale = scales(subject, trials[0])
    loss = 0.0
    for name in QUANTITIES:
        values = getattr(result, name) / torch.from_numpy(scale[name] + 1e-300)[:, None]
        weights = torch.rand(values.shape, generator=random, dtype=torch.float64) + 0.5
        loss = loss + torch.where(batch.is_valid[:, None], weights * values, 0.0).sum()
    return loss


def run(engine, subject, trials, **options):
    """Return the simulation and the loss's gradients to parameters, excitations, moment arms."""
    arrays = {name: torch.from_numpy(a.copy()) for name, a in batch_arrays(trials).items()}
    inputs = [torch.from_numpy(subject.parameters()), arrays["excitation"], arrays["moment_arm"]]
    for one in inputs:
        one.requires_grad_(True)
    batch = _torch.TrialBatch(**arrays)
    result = engine(torch_curves(subject), inputs[0], batch, **options)
    gradients = torch.autograd.grad(loss_of(result, batch, subject, trials), inputs)
    return result, gradients


def assert_same_simulation(subject, trials, got, expected):
    for i, trial in enumerate(trials):
        a, b = (
            {
                name: getattr(r, name).detach().numpy()[: len(trial.time), :, i]
                for name in QUANTITIES
            }
            for r in (got, expected)
        )
        assert_same(subject, trial, a, b, RTOL)


def assert_same_gradients(got, expected):
    """Relative to the largest derivative of the MTU, or by the excitations of the MTU."""
    sizes = torch.tensor([[SIZES.get(kind, 1.0)] for kind in PARAMETER_KINDS])
    by_parameter = [gradient[0] * sizes for gradient in (got, expected)]
    error = (by_parameter[0] - by_parameter[1]).abs() / by_parameter[1].abs().amax(0)
    assert error.max() <= GRADIENT_RTOL, error.max()
    for a, b in zip(got[1:], expected[1:], strict=True):
        assert (a - b).abs().max() <= GRADIENT_RTOL * b.abs().max()


def check_against_tensor(subject, trials, **options):
    expected, expected_gradients = run(tensor, subject, trials, **options)
    for name in SETS:
        results = [
            run(fused, subject, trials, instruction_set=name, threads=threads, **options)
            for threads in (1, 2)
        ]
        for result, gradients in results[:1]:
            assert_same_simulation(subject, trials, result, expected)
            assert_same_gradients(gradients, expected_gradients)
        for quantity in QUANTITIES:
            assert torch.equal(*(getattr(result, quantity) for result, _ in results))
        for a, b in zip(results[0][1], results[1][1], strict=True):
            assert torch.equal(a, b)


@settings(max_examples=60)
@given(cases())
def test_fused_equals_tensor_on_random_models(case):
    subject, trials, options = case
    check_against_tensor(subject, trials, **options)


def lower_limb(shared_dir):
    setup = shared_dir / "data" / "lower_limb" / "ceinms" / "calibrate_elastic.xml"
    if not setup.is_file():
        pytest.skip(f"no {setup}")
    return ct.CalibrationFolder.read(setup)


@pytest.mark.parametrize("filter_start", STARTS)
@pytest.mark.parametrize("tendon", TENDONS)
def test_fused_equals_tensor_on_recorded_data(shared_dir, tendon, filter_start):
    folder = lower_limb(shared_dir)
    check_against_tensor(folder.subject, folder.trials, tendon=tendon, filter_start=filter_start)


@pytest.mark.parametrize("tendon", TENDONS)
def test_fused_equals_tensor_on_the_gait_subject(gait_folder, tendon):
    folder = ct.CalibrationFolder.read(gait_folder / "calibrate.xml")
    check_against_tensor(folder.subject, folder.trials, tendon=tendon, filter_start="ceinms")


# ---- other curves


def curves_with(n_knot):
    """Four curves through n_knot uneven points each."""
    t = np.linspace(0.0, 1.0, n_knot) ** 1.3
    x = {
        "activeForceLength": 0.3 + 1.5 * t,
        "passiveForceLength": 0.5 + 1.3 * t,
        "forceVelocity": -1.2 + 2.4 * t,
        "tendonForceStrain": 0.1 * t,
    }
    y = {
        "activeForceLength": 0.2 + 0.8 * np.sin(np.pi * t) ** 2 + 0.1 * t,
        "passiveForceLength": 0.6 * t**2,
        "forceVelocity": 0.02 + 1.6 * t,
        "tendonForceStrain": 3.0 * t,
    }
    return {
        name: Curve(name=name, x=tuple(x[name].tolist()), y=tuple(y[name].tolist()))
        for name in CURVE_NAMES
    }


@pytest.mark.parametrize("n_knot", [2, 3, 32, 33, 40, 117])
@pytest.mark.parametrize("tendon", TENDONS)
def test_any_number_of_knots(tendon, n_knot):
    """Tables are counted, searched or calculated, depending on their size and evenness."""
    subject = make_subject([{}, {"pennation_angle": 0.1}, {"em_delay": 0.05}])
    subject = dataclasses.replace(subject, curves=curves_with(n_knot))
    trials = [make_trial(subject, "a", n_step=12), make_trial(subject, "b", n_step=7, phase=2.0)]
    check_against_tensor(subject, trials, tendon=tendon, filter_start="ceinms")


@pytest.mark.parametrize("norm_length", [0.15, 0.3, 1.9, 2.2, 3.0])
@pytest.mark.parametrize("curves", [True, False], ids=["ceinms", "default"])
@pytest.mark.parametrize("tendon", TENDONS)
def test_beyond_the_ends_of_the_curves(tendon, curves, norm_length):
    """The smooth curves' tables end at 0.2 and 2 optimal lengths."""
    subject = make_subject([{"pennation_angle": 0.1}, {"pennation_angle": 0.0}], curves=curves)
    options = {"norm_length": norm_length, "swing": 0.1, "frequency": 3.0, "level": 0.1}
    trials = [make_trial(subject, "a", n_step=12, **options)]
    check_against_tensor(subject, trials, tendon=tendon, filter_start="ceinms")


# ---- as autograd sees it


def smooth_inputs():
    arrays = {name: torch.from_numpy(a) for name, a in batch_arrays(SMOOTH_TRIALS).items()}
    return arrays, torch.from_numpy(SMOOTH_SUBJECT.parameters())


@pytest.mark.parametrize("filter_start", STARTS)
@pytest.mark.parametrize("tendon", TENDONS)
def test_gradients_equal_central_differences(tendon, filter_start):
    """Of every quantity in the padding, too, where the last step is repeated."""
    arrays, matrix = smooth_inputs()
    scale = scales(SMOOTH_SUBJECT, SMOOTH_TRIALS[0])

    def outputs(parameter_factor, excitation_factor, arm_factor):
        batch = _torch.TrialBatch(
            **{
                **arrays,
                "excitation": arrays["excitation"] * excitation_factor,
                "moment_arm": arrays["moment_arm"] * arm_factor,
            }
        )
        result = fused(
            torch_curves(SMOOTH_SUBJECT),
            matrix * parameter_factor,
            batch,
            tendon=tendon,
            filter_start=filter_start,
        )
        random = torch.Generator().manual_seed(5)
        sums = []
        for name in QUANTITIES:
            values = getattr(result, name) / torch.from_numpy(scale[name])[:, None]
            weights = torch.rand(values.shape, generator=random, dtype=torch.float64) + 0.5
            sums.append((weights * values).sum((0, 2)))
        return torch.cat(sums)

    def ones(*shape):
        return torch.ones(shape, dtype=torch.float64, requires_grad=True)

    inputs = (ones(*matrix.shape), ones(12, 3, 2), ones(1, 2, 3, 2))
    # Every twelfth of the signal has a factor: few passes, every sample in one of them.
    n_row = len(arrays["excitation"])
    spread = torch.arange(n_row) * 12 // n_row
    # Truncation and rounding as in test_gradients.py.
    assert torch.autograd.gradcheck(
        lambda p, e, m: outputs(p, e[spread], m), inputs, eps=1e-6, atol=1e-6, rtol=1e-6
    )


def test_second_derivatives_are_refused():
    arrays, matrix = smooth_inputs()
    matrix.requires_grad_(True)
    result = fused(
        torch_curves(SMOOTH_SUBJECT),
        matrix,
        _torch.TrialBatch(**arrays),
        tendon="stiff",
        filter_start="zero",
    )
    loss = result.joint_moment.square().sum()
    # Keeping the graph is no fault, only using it.
    (first,) = torch.autograd.grad(loss, matrix, create_graph=True)
    with pytest.raises(NotImplementedError, match=r"expected to be differentiated once, got a sec"):
        first.sum().backward()


@pytest.mark.parametrize("tendon", TENDONS)
def test_backward_after_another_forward(tendon):
    """The engine's memory is shared by all calls on a batch; their gradients are their own."""
    arrays, matrix = smooth_inputs()
    curves, batch = torch_curves(SMOOTH_SUBJECT), _torch.TrialBatch(**arrays)
    options = {"tendon": tendon, "filter_start": "ceinms"}
    points = [
        (matrix * factor, arrays["excitation"] * (2.0 - factor)) for factor in (1.0, 1.01, 0.98)
    ]
    for point in points:
        for one in point:
            one.requires_grad_(True)
    losses = [
        fused(curves, p, batch.with_excitation(e), **options).mtu_force.sum() for p, e in points
    ]
    together = [
        torch.autograd.grad(loss, point) for loss, point in zip(losses, points, strict=True)
    ]
    for (p, e), gradients in zip(points, together, strict=True):
        fresh = _torch.TrialBatch(**{**arrays, "excitation": e})
        alone = torch.autograd.grad(fused(curves, p, fresh, **options).mtu_force.sum(), (p, e))
        for a, b in zip(gradients, alone, strict=True):
            assert torch.equal(a, b)


def test_only_what_requires_grad_gets_one():
    arrays, matrix = smooth_inputs()
    curves, batch = torch_curves(SMOOTH_SUBJECT), _torch.TrialBatch(**arrays)
    options = {"tendon": "stiff", "filter_start": "zero"}
    assert not fused(curves, matrix, batch, **options).joint_moment.requires_grad
    excitation = arrays["excitation"].clone().requires_grad_(True)
    result = fused(curves, matrix, batch.with_excitation(excitation), **options)
    result.activation.sum().backward()
    assert excitation.grad.any()
    assert matrix.grad is None
    with torch.no_grad():
        again = fused(curves, matrix.requires_grad_(True), batch, **options)
    assert not again.mtu_force.requires_grad


def test_layout_in_memory_does_not_matter():
    arrays, matrix = smooth_inputs()

    def strided(values):
        spread = torch.stack([values, values], dim=-1)[..., 0]
        assert not spread.is_contiguous()
        return spread

    results = []
    for change in (lambda values: values, strided):
        p = change(matrix).requires_grad_(True)
        batch = _torch.TrialBatch(**{name: change(a) for name, a in arrays.items()})
        result = fused(
            torch_curves(SMOOTH_SUBJECT), p, batch, tendon="rosenbrock", filter_start="ceinms"
        )
        # The permuted weights make the incoming gradient strided.
        weights = torch.rand(
            2, 3, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(2)
        )
        (gradient,) = torch.autograd.grad((result.mtu_force * weights.permute(2, 1, 0)).sum(), p)
        results.append((*(getattr(result, name) for name in QUANTITIES), gradient))
    for a, b in zip(*results, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("n_step", [1, 2])
@pytest.mark.parametrize("tendon", TENDONS)
def test_single_mtu_and_single_step(tendon, n_step):
    subject = make_subject([{}])
    arrays = {
        name: torch.from_numpy(array)
        for name, array in batch_arrays([make_trial(subject, "one", n_step=4)]).items()
    }
    for name in ("time", "mtu_length", "mtu_velocity", "moment_arm", "is_valid"):
        arrays[name] = arrays[name][:n_step]
    batch = _torch.TrialBatch(**arrays)
    gradients = []
    for engine in (fused, tensor):
        p = torch.from_numpy(subject.parameters()).requires_grad_(True)
        result = engine(torch_curves(subject), p, batch, tendon=tendon, filter_start="ceinms")
        gradients.append(torch.autograd.grad(result.mtu_force.sum(), p))
    torch.testing.assert_close(*gradients, rtol=GRADIENT_RTOL, atol=0.0)
