"""Tensors in, tensors out: losses and optimisers of the user's own on either engine."""

import threading

import numpy as np
import pytest
import torch

import ceinms_torch as ct
from ceinms_torch._backend import _torch
from ceinms_torch.errors import DataError, OptionError
from ceinms_torch.simulation.batch import batch_arrays
from engine_cases import QUANTITIES, make_subject, make_trial, run_kernel, torch_curves
from engine_strategies import assert_same

SUBJECT = make_subject([{}, {"pennation_angle": 0.1, "em_delay": 0.03}, {"shape_factor": -2.0}])
TRIALS = (
    make_trial(SUBJECT, "short", n_step=9),
    make_trial(SUBJECT, "long", n_step=14, phase=1.0, emg_rate=140.0),
)
ENGINES = ("fused", "tensor")
STRENGTH = ct.PARAMETER_KINDS.index("strengthCoefficient")
OPTIONS = {"tendon": "rosenbrock", "filter_start": "ceinms"}


def parameters():
    return torch.from_numpy(SUBJECT.parameters())


@pytest.mark.parametrize("tendon", ["stiff", "rosenbrockElastic", "equilibriumElastic"])
@pytest.mark.parametrize("engine", ENGINES)
def test_without_arguments_it_is_simulate(engine, tendon):
    result = ct.simulate_tensors(SUBJECT, TRIALS, tendon=tendon, engine=engine)
    name = "stiff" if tendon == "stiff" else "rosenbrock"
    for i, trial in enumerate(TRIALS):
        got = {q: getattr(result, q).numpy()[: len(trial.time), :, i] for q in QUANTITIES}
        assert_same(SUBJECT, trial, got, run_kernel(SUBJECT, trial, tendon=name))


def test_batch_and_trials_mean_the_same():
    batch = ct.trial_batch(TRIALS)
    first, second = (ct.simulate_tensors(SUBJECT, trials) for trials in (TRIALS, batch))
    for name in QUANTITIES:
        assert torch.equal(getattr(first, name), getattr(second, name))


@pytest.mark.parametrize("engine", ENGINES)
def test_values_given_replace_those_of_subject_and_batch(engine):
    strong = parameters()
    strong[STRENGTH] *= 2.0
    batch = ct.trial_batch(TRIALS)
    usual = ct.simulate_tensors(SUBJECT, batch, engine=engine)
    doubled = ct.simulate_tensors(SUBJECT, batch, strong, engine=engine)
    # A factor of two is exact in binary.
    assert torch.equal(doubled.mtu_force, 2.0 * usual.mtu_force)
    silent = torch.zeros_like(batch.excitation)
    assert not ct.simulate_tensors(SUBJECT, batch, None, silent, engine=engine).activation.any()
    again = ct.simulate_tensors(SUBJECT, batch, engine=engine)
    assert torch.equal(again.mtu_force, usual.mtu_force)


@pytest.mark.parametrize("method", [torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD])
def test_optimisers_of_torch_walk_alike_on_both_engines(method):
    batch = ct.trial_batch(TRIALS)
    start = parameters()
    with torch.no_grad():
        weak = start.clone()
        weak[STRENGTH] *= 0.6
        target = ct.simulate_tensors(SUBJECT, batch, weak).joint_moment[:, 0]
    paths = []
    for engine in ENGINES:
        strength = start[STRENGTH].clone().requires_grad_(True)
        excitation = batch.excitation.clone().requires_grad_(True)
        optimiser = method([strength, excitation], lr=0.02)
        losses = []
        for _ in range(20):
            optimiser.zero_grad()
            matrix = torch.cat([start[:STRENGTH], strength[None], start[STRENGTH + 1 :]])
            moment = ct.simulate_tensors(
                SUBJECT, batch, matrix, excitation, engine=engine
            ).joint_moment
            error = (moment[:, 0] - target)[batch.is_valid] / 100.0
            loss = error.square().mean()
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
        paths.append((losses, strength.detach(), excitation.detach()))
    first, second = paths
    assert first[0][-1] < 0.5 * first[0][0]
    assert first[0] == pytest.approx(second[0], rel=1e-8)
    for a, b in zip(first[1:], second[1:], strict=True):
        # Adam divides by the gradient's size, which blows up the rounding of gradients near zero.
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)


# ---- what is kept with a batch


def test_changes_in_place_are_seen():
    """By torch or through the NumPy array behind a tensor."""
    arrays = batch_arrays(TRIALS)
    batch = _torch.TrialBatch(**{name: torch.from_numpy(array) for name, array in arrays.items()})
    curves = torch_curves(SUBJECT)

    def force():
        return _torch.simulate_fused(curves, parameters(), batch, **OPTIONS).mtu_force

    def fresh():
        other = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
        return _torch.simulate_fused(
            curves, parameters(), _torch.TrialBatch(**other), **OPTIONS
        ).mtu_force

    seen = [force()]
    for name, factor in (
        ("excitation", 0.5),
        ("mtu_length", 1.001),
        ("time", 1.1),
        ("excitation_rate", 1.01),
    ):
        arrays[name] *= factor
        seen.append(force())
        assert torch.equal(seen[-1], fresh()), name
        assert not torch.equal(seen[-1], seen[-2]), name
    arrays["is_valid"][6:, 0] = False
    assert torch.equal(force()[-1, :, 0], seen[-1][5, :, 0])
    arrays["mtu_length"][3, 1, 0] = np.nan
    with pytest.raises(ValueError, match=r"^mtu_length: expected finite numbers, got NaN"):
        force()


def test_changed_options_are_seen():
    batch, curves = ct.trial_batch(TRIALS), torch_curves(SUBJECT)
    smooth = torch_curves(make_subject([{}, {}, {}], curves=False))
    calls = [
        {"curves": c, "tendon": tendon, "filter_start": start, "threads": threads}
        for c in (curves, smooth)
        for tendon in ("stiff", "rosenbrock")
        for start in ("ceinms", "zero")
        for threads in (1, 2)
    ]
    for call in calls + calls[::-1]:
        arguments = {"parameters": parameters(), **call}
        got = _torch.simulate_fused(batch=batch, **arguments).mtu_force
        expected = _torch.simulate_fused(batch=ct.trial_batch(TRIALS), **arguments).mtu_force
        assert torch.equal(got, expected), call


def test_change_between_forward_and_backward_is_refused():
    batch = ct.trial_batch(TRIALS)
    matrix = parameters().requires_grad_(True)
    result = ct.simulate_tensors(SUBJECT, batch, matrix)
    batch.excitation.mul_(0.5)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        result.mtu_force.sum().backward()


def test_threads_may_share_a_batch():
    batch = ct.trial_batch(TRIALS)
    got = {}

    def force_and_gradient(number, i, batch):
        matrix = (parameters() * (1.0 + 1e-3 * i)).requires_grad_(True)
        excitation = batch.excitation * (1.0 - 0.1 * number)
        force = ct.simulate_tensors(SUBJECT, batch, matrix, excitation, threads=2).mtu_force
        return force.detach(), *torch.autograd.grad(force.sum(), matrix)

    def work(number):
        for i in range(30):
            got[number, i] = force_and_gradient(number, i, batch)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120.0)
    assert len(got) == 90
    for case, mine in got.items():
        for a, b in zip(mine, force_and_gradient(*case, ct.trial_batch(TRIALS)), strict=True):
            assert torch.equal(a, b), case


# ---- what is refused


def test_names_of_another_subject_are_refused():
    other = make_subject([{}, {}])
    with pytest.raises(DataError, match=r"^trial short: expected MTUs"):
        ct.simulate_tensors(other, TRIALS)
    with pytest.raises(DataError, match=r"^trials: expected at least one trial, got none"):
        ct.simulate_tensors(SUBJECT, ())


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"engine": "steam"}, r"^engine: expected fused or tensor, got 'steam'"),
        ({"tendon": "rope"}, r"^tendon: expected one of .*, got 'rope'"),
        ({"threads": 0}, r"^threads: expected a whole number >= 1, got 0"),
    ],
)
def test_options_are_checked(option, message):
    with pytest.raises(OptionError, match=message):
        ct.simulate_tensors(SUBJECT, TRIALS, **option)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_not_finite_is_refused(engine, value):
    batch = ct.trial_batch(TRIALS)
    spoilt = parameters()
    spoilt[3, 1] = value
    with pytest.raises(ValueError, match=r"^parameters: expected finite numbers, got NaN"):
        ct.simulate_tensors(SUBJECT, batch, spoilt, engine=engine)
    excitation = batch.excitation.clone()
    excitation[4, 0, 1] = value
    with pytest.raises(ValueError, match=r"^excitation: expected finite numbers, got NaN"):
        ct.simulate_tensors(SUBJECT, batch, None, excitation, engine=engine)
    # In place, behind the back of the batch.
    batch.excitation[4, 0, 1] = value
    if engine == "fused":
        with pytest.raises(ValueError, match=r"^excitation: expected finite numbers, got NaN"):
            ct.simulate_tensors(SUBJECT, batch, engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_other_shapes_and_dtypes_are_refused(engine):
    batch = ct.trial_batch(TRIALS)
    n = len(parameters())
    with pytest.raises(TypeError, match=r"^parameters: expected dtype float64, got Float"):
        ct.simulate_tensors(SUBJECT, batch, parameters().float(), engine=engine)
    with pytest.raises(
        ValueError, match=rf"^parameters: expected shape \[{n}, 3\], got \[{n}, 2\]"
    ):
        ct.simulate_tensors(SUBJECT, batch, parameters()[:, :2], engine=engine)
    with pytest.raises(ValueError, match=r"^excitation: expected shape \[\d+, 3, 2\], got"):
        ct.simulate_tensors(SUBJECT, batch, None, batch.excitation[1:], engine=engine)
    with pytest.raises(TypeError, match=r"^excitation: expected dtype float64, got Float"):
        ct.simulate_tensors(SUBJECT, batch, None, batch.excitation.float(), engine=engine)


@pytest.mark.parametrize("name", ["mtu_length", "mtu_velocity", "time"])
def test_gradients_that_the_fused_engine_lacks_are_refused(name):
    arrays = {key: torch.from_numpy(array) for key, array in batch_arrays(TRIALS).items()}
    arrays[name] = arrays[name].clone().requires_grad_(True)
    batch = _torch.TrialBatch(**arrays)
    with pytest.raises(ValueError, match="The tensor engine differentiates by lengths"):
        ct.simulate_tensors(SUBJECT, batch)
    with torch.no_grad():
        ct.simulate_tensors(SUBJECT, batch)
    # Velocities act on the stiff tendon, time steps on the elastic one.
    tendon = "rosenbrockElastic" if name == "time" else "stiff"
    result = ct.simulate_tensors(SUBJECT, batch, tendon=tendon, engine="tensor")
    (gradient,) = torch.autograd.grad(result.mtu_force.sum(), arrays[name])
    assert gradient.any()
