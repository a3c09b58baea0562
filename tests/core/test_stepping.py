"""Steps of the tensor engine: compiled or by operations; second derivatives right or refused."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ceinms_torch as ct
from ceinms_torch._backend import _torch
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.problems.build import build_problem
from ceinms_torch.calibration.problems.tensor import TensorProblem
from ceinms_torch.simulation.batch import batch_arrays, trial_batch
from ceinms_torch.simulation.curves import curve_tables
from engine_cases import (
    QUANTITIES,
    SMOOTH_SUBJECT,
    SMOOTH_TRIALS,
    make_subject,
    make_trial,
    torch_curves,
)
from engine_strategies import cases

STEPPINGS = ("compiled", "operations")
TENDONS = ("stiff", "rosenbrock")
# What is simulated is of order one over these.
UNITS = {
    "activation": 1.0,
    "fibre_length": 0.1,
    "fibre_velocity": 1.0,
    "tendon_strain": 0.05,
    "mtu_force": 1e3,
}
# Where a graph may begin.
LEAVES = ("parameters", "excitation", "mtu_length", "mtu_velocity", "moment_arm", "time")


def leaves_of(subject, trials):
    """What a simulation is made of, each a leaf that requires grad."""
    arrays = {name: torch.from_numpy(array) for name, array in batch_arrays(trials).items()}
    arrays["parameters"] = torch.from_numpy(subject.parameters())
    return arrays | {name: arrays[name].clone().requires_grad_(True) for name in LEAVES}


def simulate(subject, arrays, *, tendon, stepping="automatic", filter_start="ceinms"):
    inputs = dict(arrays)
    matrix = inputs.pop("parameters")
    return _torch.simulate(
        torch_curves(subject),
        matrix,
        _torch.TrialBatch(**inputs),
        tendon=tendon,
        filter_start=filter_start,
        stepping=stepping,
    )


def weigh(simulation, valid, seed=0):
    """A sum of squares of everything that was simulated, with random weights."""
    random = torch.Generator().manual_seed(seed)
    total = torch.zeros((), dtype=torch.float64)
    for name, unit in UNITS.items():
        values = getattr(simulation, name) / unit
        weights = torch.rand(values.shape, dtype=torch.float64, generator=random)
        total = total + torch.where(valid[:, None], weights * values, 0.0).square().sum()
    return total


# ---- two ways to take a step


@settings(max_examples=40)
@given(cases())
def test_operations_give_what_compiled_loops_give(case):
    subject, trials, options = case
    results = []
    for stepping in STEPPINGS:
        arrays = leaves_of(subject, trials)
        simulation = simulate(subject, arrays, stepping=stepping, **options)
        inputs = [arrays[name] for name in LEAVES]
        gradients = torch.autograd.grad(
            weigh(simulation, arrays["is_valid"]), inputs, allow_unused=True
        )
        values = [getattr(simulation, name).detach() for name in QUANTITIES]
        valid = arrays["is_valid"][:, None]
        results.append(([torch.where(valid, x, 0.0) for x in values], gradients))
    (values, gradients), (other_values, other_gradients) = results
    for name, here, there in zip(QUANTITIES, values, other_values, strict=True):
        # The rounding of exp and sqrt, which a steep tendon makes more of.
        assert (here - there).abs().max() <= 1e-12 * (there.abs().max() + 1e-6), name
    for name, here, there in zip(LEAVES, gradients, other_gradients, strict=True):
        assert (here is None) == (there is None), name
        if here is not None:
            size = (there.abs() * torch.ones_like(there)).amax()
            assert (here - there).abs().max() <= 1e-9 * size + 1e-300, name


@pytest.mark.parametrize("n_step", [1, 2])
@pytest.mark.parametrize("stepping", STEPPINGS)
@pytest.mark.parametrize("tendon", TENDONS)
def test_shortest_trials_have_gradients(tendon, stepping, n_step):
    subject = make_subject([{}, {"em_delay": 0.02}])
    arrays = leaves_of(subject, (make_trial(subject, "short", n_step=2),))
    short = {
        name: x[:n_step].detach().requires_grad_(x.requires_grad)
        if name in ("time", "mtu_length", "mtu_velocity", "moment_arm", "is_valid")
        else x
        for name, x in arrays.items()
    }
    force = simulate(subject, short, tendon=tendon, stepping=stepping).mtu_force
    (gradient,) = torch.autograd.grad(force.sum(), short["parameters"])
    assert gradient.isfinite().all()
    assert gradient.any()


@pytest.mark.parametrize("tendon", TENDONS)
def test_without_gradients_there_is_no_graph(tendon):
    arrays = leaves_of(SMOOTH_SUBJECT, SMOOTH_TRIALS)
    plain = {name: x.detach() for name, x in arrays.items()}
    with torch.no_grad():
        silent = simulate(SMOOTH_SUBJECT, arrays, tendon=tendon)
    for simulation in (silent, simulate(SMOOTH_SUBJECT, plain, tendon=tendon)):
        assert not any(getattr(simulation, name).requires_grad for name in QUANTITIES)
    with_graph = simulate(SMOOTH_SUBJECT, arrays, tendon=tendon)
    for name in QUANTITIES:
        assert torch.equal(getattr(silent, name), getattr(with_graph, name).detach()), name


@pytest.mark.parametrize("stepping", STEPPINGS)
@pytest.mark.parametrize("tendon", TENDONS)
def test_gradient_by_curves(tendon, stepping):
    """A curve times a factor, by the factor, for curves that somebody wants to find."""
    tables = [
        (torch.from_numpy(knots), torch.from_numpy(pieces))
        for knots, pieces in curve_tables(SMOOTH_SUBJECT)
    ]
    batch = trial_batch(SMOOTH_TRIALS)
    matrix = torch.from_numpy(SMOOTH_SUBJECT.parameters())

    def force(factors):
        scaled = [
            (knots, torch.cat([pieces[:, :1], factor * pieces[:, 1:]], 1))
            for (knots, pieces), factor in zip(tables, factors, strict=True)
        ]
        curves = _torch.Curves(scaled)
        options = {"tendon": tendon, "filter_start": "ceinms", "stepping": stepping}
        simulation = _torch.simulate(curves, matrix, batch, **options)
        return torch.where(batch.is_valid[:, None], simulation.mtu_force, 0.0).sum(0) / 1e4

    factors = torch.ones(4, dtype=torch.float64).requires_grad_(True)
    # As in test_gradients.py.
    assert torch.autograd.gradcheck(force, factors, eps=1e-6, atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize("stepping", STEPPINGS)
@pytest.mark.parametrize("tendon", TENDONS)
def test_several_gradients_at_once(tendon, stepping):
    arrays = leaves_of(SMOOTH_SUBJECT, SMOOTH_TRIALS)
    matrix = arrays["parameters"]
    forces = simulate(SMOOTH_SUBJECT, arrays, tendon=tendon, stepping=stepping).mtu_force[3, :, 0]
    seeds = torch.eye(len(forces), dtype=torch.float64)
    (together,) = torch.autograd.grad(
        forces, matrix, seeds, is_grads_batched=True, retain_graph=True
    )
    for seed, gradient in zip(seeds, together, strict=True):
        (alone,) = torch.autograd.grad(forces, matrix, seed, retain_graph=True)
        torch.testing.assert_close(gradient, alone, rtol=1e-12, atol=1e-12)


def test_unknown_steps_are_refused():
    arrays = leaves_of(SMOOTH_SUBJECT, SMOOTH_TRIALS)
    with pytest.raises(ValueError, match=r"^stepping: expected one of 'automatic', 'compiled'"):
        simulate(SMOOTH_SUBJECT, arrays, tendon="stiff", stepping="steam")


def test_threads_are_as_before():
    """Small tensors are computed on one thread, for as long as that takes."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        arrays = leaves_of(SMOOTH_SUBJECT, SMOOTH_TRIALS)
        simulate(SMOOTH_SUBJECT, arrays, tendon="rosenbrock")
        assert torch.get_num_threads() == 3
        # A signal that ends before the trial begins.
        early = arrays | {"excitation_start": arrays["excitation_start"] - 1e3}
        with pytest.raises(ValueError, match="excitation: expected rows up to the first step"):
            simulate(SMOOTH_SUBJECT, early, tendon="rosenbrock")
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("stepping", STEPPINGS)
def test_gradient_of_the_recorded_leg_is_that_of_the_fused_engine(shared_dir, stepping):
    """The whole objective: 1e-12 of its largest derivative."""
    setup = shared_dir / "data" / "lower_limb" / "ceinms" / "calibrate_elastic.xml"
    if not setup.is_file():
        pytest.skip(f"no {setup}")
    folder = ct.CalibrationFolder.read(setup)
    step = folder.plan.steps[0]
    space = ParameterSpace.of(folder.subject, step, folder.plan)
    arguments = (folder.subject, folder.trials, step, space)
    fused = build_problem(*arguments, tendon="rosenbrockElastic")
    tensor = TensorProblem(*arguments, tendon="rosenbrockElastic", stepping=stepping)
    random = np.random.default_rng(1)
    start = space.start()
    for share in (0.0, 0.05, 0.5):
        x = (1.0 - share) * start + share * random.random(len(start))
        here, by_here = tensor.gradient(x)
        there, by_there = fused.gradient(x)
        assert here.objective == pytest.approx(there.objective, rel=1e-13)
        assert np.abs(by_here - by_there).max() <= 1e-12 * np.abs(by_there).max()


# ---- second derivatives


def products(subject, arrays, direction, **options):
    """Product of the Hessian by all leaves with a direction, by autograd and by differences."""

    def gradient(step, *, create_graph):
        leaves = {
            name: (arrays[name].detach() + step * direction[name]).requires_grad_(True)
            for name in direction
        }
        loss = weigh(simulate(subject, arrays | leaves, **options), arrays["is_valid"])
        return torch.autograd.grad(
            loss, list(leaves.values()), create_graph=create_graph, allow_unused=True
        ), list(leaves.values())

    first, leaves = gradient(0.0, create_graph=True)
    along = sum(
        (by * direction[name]).sum()
        for name, by in zip(direction, first, strict=True)
        if by is not None
    )
    exact = torch.autograd.grad(along, leaves, allow_unused=True)
    step = 1e-6
    ahead, back = (gradient(sign * step, create_graph=False)[0] for sign in (1.0, -1.0))
    for name, by, a, b in zip(direction, exact, ahead, back, strict=True):
        if a is not None:
            yield name, by, (a - b) / (2.0 * step)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**31), filter_start=st.sampled_from(["ceinms", "zero"]))
@pytest.mark.parametrize("stepping", STEPPINGS)
def test_second_derivatives_of_the_stiff_tendon(stepping, seed, filter_start):
    """Against differences of gradients, by parameters, excitations and lengths together."""
    arrays = leaves_of(SMOOTH_SUBJECT, SMOOTH_TRIALS)
    random = torch.Generator().manual_seed(seed)
    names = ("parameters", "excitation", "mtu_length", "mtu_velocity")
    # In per cent of each number; of a length, which is many fibres long, in per mille.
    sizes = {"parameters": 1e-2, "excitation": 1e-2, "mtu_length": 1e-4, "mtu_velocity": 1e-2}
    direction = {
        name: sizes[name]
        * arrays[name].detach()
        * torch.randn(arrays[name].shape, dtype=torch.float64, generator=random)
        for name in names
    }
    options = {"tendon": "stiff", "stepping": stepping, "filter_start": filter_start}
    for name, by, expected in products(SMOOTH_SUBJECT, arrays, direction, **options):
        scale = arrays[name].detach().abs()
        size = (expected * scale).abs().max()
        assert ((by - expected) * scale).abs().max() <= 1e-5 * size, name


REFUSED = "expected .*to be differentiated once.*, got a second derivative"


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "with another path"])
@pytest.mark.parametrize(
    "quantity", ["fibre_length", "fibre_velocity", "mtu_force", "joint_moment"]
)
@pytest.mark.parametrize("name", ["parameters", "excitation", "mtu_length", "time"])
@pytest.mark.parametrize("stepping", STEPPINGS)
def test_those_of_the_elastic_tendon_are_refused(stepping, name, quantity, beside):
    """Also where something else of the loss would let the derivative through, and of sums alone."""
    arrays = leaves_of(SMOOTH_SUBJECT, SMOOTH_TRIALS)
    leaf = arrays[name]
    values = getattr(
        simulate(SMOOTH_SUBJECT, arrays, tendon="rosenbrock", stepping=stepping), quantity
    )
    loss = values.sum() + (leaf.square().sum() if beside else 0.0)
    # Keeping the graph is no fault, only using it.
    (first,) = torch.autograd.grad(loss, leaf, create_graph=True)
    with pytest.raises(NotImplementedError, match=REFUSED):
        torch.autograd.grad(first.sum(), leaf, retain_graph=True)
    with pytest.raises(NotImplementedError, match=REFUSED):
        first.sum().backward()


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "with another path"])
@pytest.mark.parametrize("name", ["parameters", "excitation"])
@pytest.mark.parametrize("tendon", TENDONS)
def test_those_of_the_fused_engine_are_refused(tendon, name, beside):
    arrays = leaves_of(SMOOTH_SUBJECT, SMOOTH_TRIALS)
    leaf = arrays[name]
    plain = {key: x if key == name else x.detach() for key, x in arrays.items()}
    matrix = plain.pop("parameters")
    force = _torch.simulate_fused(
        torch_curves(SMOOTH_SUBJECT),
        matrix,
        _torch.TrialBatch(**plain),
        tendon=tendon,
        filter_start="ceinms",
    ).mtu_force
    loss = force.sum() + (leaf.square().sum() if beside else 0.0)
    (first,) = torch.autograd.grad(loss, leaf, create_graph=True)
    with pytest.raises(NotImplementedError, match=REFUSED):
        torch.autograd.grad(first.sum(), leaf)


@pytest.mark.parametrize("stepping", STEPPINGS)
def test_gradient_by_what_only_weighs_the_elastic_tendon(stepping):
    """The derivative of a gradient by something else than what the fibre depends on is exact."""
    arrays = leaves_of(SMOOTH_SUBJECT, SMOOTH_TRIALS)
    length = simulate(SMOOTH_SUBJECT, arrays, tendon="rosenbrock", stepping=stepping).fibre_length
    weights = torch.rand(length.shape, dtype=torch.float64).requires_grad_(True)
    leaf = arrays["parameters"]
    (first,) = torch.autograd.grad((weights * length).sum(), leaf, create_graph=True)
    (by_weight,) = torch.autograd.grad(first[7].sum(), weights)
    # The gradient is linear in the weights.
    assert float((by_weight * weights).sum().detach()) == pytest.approx(
        float(first[7].sum().detach()), rel=1e-10
    )
