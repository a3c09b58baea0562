"""Autograd through the tensor engine and the objective against central differences.

Differences are taken on factors near 1 of every quantity, and forces are divided by their
peaks, so that one step size suits metres, newtons and pure numbers alike. The model is only
piecewise smooth: gradients jump where an excitation row begins (the delay), at the ends of the
force curves, at the velocity clamp of the stiff tendon, and curvature jumps at the edge of a
penalty. The data below keep away from those points by much more than the step, which
`test_data_are_away_from_kinks` checks.
"""

import dataclasses

import numpy as np
import pytest
import torch

from ceinms_torch._backend import _torch
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.problems.build import build_problem
from ceinms_torch.calibration.problems.objective import engine_objective
from ceinms_torch.model.nms_model import Tendon
from ceinms_torch.model.parameters import PARAMETER_KINDS
from ceinms_torch.plan.calibration import CalibrationPlan, CalibrationStep, ParameterSpec
from ceinms_torch.plan.objective import Objective
from ceinms_torch.plan.options import AdamW
from ceinms_torch.simulation.batch import batch_arrays
from engine_cases import SMOOTH_SUBJECT as SUBJECT
from engine_cases import SMOOTH_TRIALS as TRIALS
from engine_cases import make_subject, make_trial, run_kernel, torch_curves

TENDONS = ("stiff", "rosenbrock")
# A central difference with step 1e-6 on values near 1 is wrong by 1e-16 / 1e-6 = 1e-10 from
# rounding, which the elastic tendon's steep curve amplifies some tens of times, and by
# 1e-12 f''' / 6 from truncation. Both together stay below 1e-7 of the larger derivatives here.
CHECK = {"eps": 1e-6, "atol": 1e-7, "rtol": 1e-6}


def batch_with(trials, **changes):
    """A TrialBatch of which some tensors are replaced."""
    arrays = {name: torch.from_numpy(array) for name, array in batch_arrays(trials).items()}
    return _torch.TrialBatch(**{**arrays, **changes})


# A stiff tendon has no stiffness; everything else acts with both.
ACTING = [
    (tendon, kind)
    for tendon in TENDONS
    for kind in PARAMETER_KINDS
    if (tendon, kind) != ("stiff", "tendonStiffness")
]


def summaries(parameters, batch, subject, trials, tendon):
    """Weighted sums over time of every force and moment, without padding, all of order one.

    The weights are random, so that an error at any instant shows; one number per MTU (or DOF)
    and trial keeps the number of backward passes small.
    """
    result = _torch.simulate(
        torch_curves(subject), parameters, batch, tendon=tendon, filter_start="ceinms"
    )
    force = result.mtu_force / torch.from_numpy(subject.parameters()[6])[:, None]
    moment = result.joint_moment / 100.0
    random = np.random.default_rng(3)
    sums = []
    for i, trial in enumerate(trials):
        weights = torch.from_numpy(random.uniform(0.5, 1.5, size=(len(trial.time), 1)))
        valid = (values[: len(trial.time), :, i] for values in (force, moment))
        sums += [(weights * values).sum(0) for values in valid]
    return torch.cat(sums)


def ones(*shape):
    return torch.ones(shape, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize(("tendon", "kind"), ACTING)
def test_forces_and_moments_by_parameter(kind, tendon):
    matrix = torch.from_numpy(SUBJECT.parameters())
    row = PARAMETER_KINDS.index(kind)
    batch = batch_with(TRIALS)

    def outputs(factor):
        scaled = torch.cat([matrix[:row], (matrix[row] * factor)[None], matrix[row + 1 :]])
        return summaries(scaled, batch, SUBJECT, TRIALS, tendon)

    factor = ones(len(SUBJECT.mtus))
    # Damping acts on fibre velocity and nothing else, so nothing here has a gradient of zero.
    (slope,) = torch.autograd.grad(outputs(factor).sum(), factor)
    assert torch.all(slope != 0.0)
    assert torch.autograd.gradcheck(outputs, factor, **CHECK)


@pytest.mark.parametrize("curves", [True, False], ids=["ceinms", "default"])
@pytest.mark.parametrize("tendon", TENDONS)
def test_forces_and_moments_by_excitation(tendon, curves):
    # Few, slow samples: every one of them is an input of the check.
    subject = make_subject([{"em_delay": 0.0137}, {"shape_factor": -2.2}], curves=curves)
    trials = tuple(
        make_trial(subject, name, n_step=n_step, emg_rate=60.0, emg_start=-0.0371, phase=n_step)
        for name, n_step in (("short", 4), ("long", 6))
    )
    excitation = torch.from_numpy(batch_arrays(trials)["excitation"])
    matrix = torch.from_numpy(subject.parameters())

    def outputs(factor):
        batch = batch_with(trials, excitation=excitation * factor)
        return summaries(matrix, batch, subject, trials, tendon)

    factor = ones(*excitation.shape)
    (slope,) = torch.autograd.grad(outputs(factor).sum(), factor)
    assert torch.all(slope[:3] != 0.0)
    assert torch.autograd.gradcheck(outputs, factor, **CHECK)


@pytest.mark.parametrize("tendon", TENDONS)
def test_forces_and_moments_by_time_and_length(tendon):
    """MTU lengths, velocities and moment arms may come from a model with parameters, too."""
    arrays = {name: torch.from_numpy(array) for name, array in batch_arrays(TRIALS).items()}
    names = ("mtu_length", "mtu_velocity", "moment_arm")
    matrix = torch.from_numpy(SUBJECT.parameters())

    def outputs(length, velocity, arm):
        factors = zip(names, (length, velocity, arm), strict=True)
        batch = batch_with(TRIALS, **{name: arrays[name] * factor for name, factor in factors})
        return summaries(matrix, batch, SUBJECT, TRIALS, tendon)

    n_mtu = len(SUBJECT.mtus)
    inputs = (ones(n_mtu, 1), ones(n_mtu, 1), ones(n_mtu, 1))
    # A per mille of the MTU length is as much as 5 per cent of a short fibre.
    assert torch.autograd.gradcheck(outputs, inputs, eps=1e-7, atol=1e-5, rtol=1e-5)


def make_problem(kinds, *, tendon, penalties, normalisation="variance"):
    """All three MTUs share a value of each kind only where CEINMS demands it."""
    objective = Objective(
        normalisation=normalisation,
        fibre_length_range=(0.97, 1.01) if penalties else (0.1, 3.0),
        tendon_strain_range=(0.001, 0.012) if penalties else (-0.5, 0.5),
        fibre_length_weight=90.0,
        tendon_strain_weight=3000.0,
    )
    step = CalibrationStep(
        dofs=("knee", "ankle"),
        objective=objective,
        parameters=tuple(
            ParameterSpec(
                kind=kind,
                scope="global" if kind == "percentageChange" else "single",
                range_type="relativeToSubjectValue",
                # Forces must stay plausible in the whole range.
                low=0.98 if kind == "tendonSlackLength" else 0.6,
                high=1.02 if kind == "tendonSlackLength" else 1.5,
            )
            for kind in kinds
        ),
    )
    plan = CalibrationPlan(algorithm=AdamW(), tendon=Tendon(kind="stiff"), steps=(step,))
    space = ParameterSpace.of(SUBJECT, step, plan)
    name = "stiff" if tendon == "stiff" else "rosenbrockElastic"
    problem = build_problem(SUBJECT, TRIALS, step, space, tendon=name, engine="tensor")
    return problem.core, torch.from_numpy(space.start()).requires_grad_(True)


def check_problem(problem, x, *, penalties):
    evaluation = problem.evaluate(x)
    values = {term.name: float(term.value.detach()) for term in evaluation.terms}
    assert values.pop("moment") > 0.0
    assert all((value > 0.0) == penalties for value in values.values()), values
    scale = float(evaluation.objective().detach())

    def objective(point):
        return problem.evaluate(point).objective() / scale

    (slope,) = torch.autograd.grad(objective(x), x)
    assert torch.all(slope != 0.0)
    assert torch.autograd.gradcheck(objective, x, **CHECK)


@pytest.mark.parametrize("penalties", [False, True], ids=["penalties off", "penalties on"])
@pytest.mark.parametrize(("tendon", "kind"), ACTING)
def test_objective_by_parameter(kind, tendon, penalties):
    problem, x = make_problem([kind], tendon=tendon, penalties=penalties)
    check_problem(problem, x, penalties=penalties)


@pytest.mark.parametrize("penalties", [False, True], ids=["penalties off", "penalties on"])
@pytest.mark.parametrize("tendon", TENDONS)
@pytest.mark.parametrize("normalisation", ["variance", "meanSquare", "rmse"])
def test_objective_by_all_parameters(normalisation, tendon, penalties):
    problem, x = make_problem(
        [kind for one, kind in ACTING if one == tendon],
        tendon=tendon,
        penalties=penalties,
        normalisation=normalisation,
    )
    # percentageChange is one for all MTUs.
    n_kind = len(PARAMETER_KINDS) - (tendon == "stiff")
    assert len(x) == (n_kind - 1) * len(SUBJECT.mtus) + 1
    check_problem(problem, x, penalties=penalties)


@pytest.mark.parametrize("tendon", TENDONS)
@pytest.mark.parametrize("normalisation", ["variance", "meanSquare", "rmse"])
def test_objective_by_excitation(normalisation, tendon):
    subject = make_subject([{}, {"shape_factor": -2.2}])
    trials = tuple(
        make_trial(subject, name, n_step=n_step, emg_rate=60.0, emg_start=-0.0371)
        for name, n_step in (("short", 4), ("long", 6))
    )
    step = CalibrationStep(
        dofs=("knee",),
        objective=Objective(
            normalisation=normalisation,
            fibre_length_range=(0.97, 1.01),
            tendon_strain_range=(0.0, 0.01),
        ),
        parameters=(ParameterSpec(kind="strengthCoefficient", low=0.5, high=2.5),),
    )
    plan = CalibrationPlan(algorithm=AdamW(), tendon=Tendon(kind="stiff"), steps=(step,))
    space = ParameterSpace.of(subject, step, plan)
    arrays = {name: torch.from_numpy(array) for name, array in batch_arrays(trials).items()}
    moments = torch.zeros(6, 2, 2, dtype=torch.float64)
    for i, trial in enumerate(trials):
        moments[: len(trial.time), :, i] = torch.from_numpy(trial.measured_moment)

    def objective(factor):
        problem = _torch.Problem(
            curves=torch_curves(subject),
            batch=_torch.TrialBatch(**{**arrays, "excitation": arrays["excitation"] * factor}),
            target=_torch.Target(
                measured_moment=moments,
                variance=torch.full((2, 2), 400.0, dtype=torch.float64),
                dofs=torch.tensor([0]),
            ),
            map=space.map(),
            objective=engine_objective(step, subject),
            tendon=tendon,
            filter_start="zero",
        )
        return problem.evaluate(torch.from_numpy(space.start())).objective() / 100.0

    assert torch.autograd.gradcheck(objective, ones(*arrays["excitation"].shape), **CHECK)


def test_second_derivatives_of_the_stiff_tendon():
    """For users' own second-order methods.

    Not for the elastic tendon: its start, the static equilibrium, is differentiated once, by
    the implicit function theorem.
    """
    problem, x = make_problem(["c1", "tendonSlackLength"], tendon="stiff", penalties=True)
    scale = float(problem.evaluate(x).objective().detach())
    # Differences of first derivatives, as accurate as those of values.
    assert torch.autograd.gradgradcheck(
        lambda point: problem.evaluate(point).objective() / scale, x, atol=1e-6, rtol=1e-5
    )


def test_data_are_away_from_kinks():
    far = 1e-4  # a hundred times the step of the differences
    for trial in TRIALS:
        rate = (len(trial.excitation_time) - 1) / np.ptp(trial.excitation_time)
        delay = SUBJECT.parameters()[9]
        rows = (trial.time[:, None] - delay - trial.excitation_time[0]) * rate
        assert np.abs(rows - np.round(rows)).min() > far
        for tendon in TENDONS:
            out = run_kernel(SUBJECT, trial, tendon=tendon)
            peak = SUBJECT.parameters()[3] * SUBJECT.parameters()[7]
            assert np.abs(out["fibre_velocity"] / peak).max() < 1.0 - far
            norm = out["fibre_length"] / SUBJECT.parameters()[3]
            for edge in (0.97, 1.01):
                assert np.abs(norm - edge).min() > far
            if tendon == "rosenbrock":
                for edge in (0.001, 0.012):
                    assert np.abs(out["tendon_strain"] - edge).min() > far / 10.0


def test_best_fit_of_rmse_has_a_gradient():
    """The root mean square has none at zero error; the objective must still not return NaN."""
    exact = tuple(
        dataclasses.replace(
            trial, measured_moment=run_kernel(SUBJECT, trial, tendon="stiff")["joint_moment"]
        )
        for trial in TRIALS
    )
    objective = Objective(normalisation="rmse", fibre_length_range=(0.1, 3.0))
    step = CalibrationStep(
        dofs=("knee",),
        objective=objective,
        parameters=(ParameterSpec(kind="maxIsometricForce", low=1.0, high=9000.0),),
    )
    plan = CalibrationPlan(algorithm=AdamW(), tendon=Tendon(kind="stiff"), steps=(step,))
    space = ParameterSpace.of(SUBJECT, step, plan)
    problem = build_problem(SUBJECT, exact, step, space, tendon="stiff", engine="tensor").core
    x = torch.from_numpy(space.start()).requires_grad_(True)
    (slope,) = torch.autograd.grad(problem.evaluate(x).objective(), x)
    assert torch.all(torch.isfinite(slope))
