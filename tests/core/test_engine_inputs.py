"""What the engines refuse: NaN, infinity, wrong shapes and types, nothing at all."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import ceinms_torch as ct
from ceinms_torch import _kernel
from ceinms_torch._backend import _torch
from ceinms_torch.calibration.problems.objective import engine_objective
from ceinms_torch.errors import DataError
from ceinms_torch.model.parameters import PARAMETER_KINDS
from ceinms_torch.simulation.batch import batch_arrays
from ceinms_torch.simulation.trial_input import trial_arrays
from engine_cases import kernel_arguments, make_subject, make_trial, run_arrays, torch_curves
from problem_cases import make_step

SUBJECT = make_subject([{}, {"pennation_angle": 0.1}])
TRIAL = make_trial(SUBJECT, "trial", n_step=6)
NUMBERS = ("time", "mtu_length", "mtu_velocity", "moment_arm", "excitation")
PER_TRIAL = ("excitation_start", "excitation_rate")


def kernel(**changes):
    return run_arrays(**{**kernel_arguments(SUBJECT, TRIAL), **changes})


def tensors():
    arrays = batch_arrays([TRIAL, TRIAL])
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def batch(**changes):
    return _torch.TrialBatch(**{**tensors(), **changes})


def simulate(**changes):
    arguments = {
        "curves": torch_curves(SUBJECT),
        "parameters": torch.from_numpy(SUBJECT.parameters()),
        "batch": batch(),
        "tendon": "rosenbrock",
        "filter_start": "ceinms",
    }
    return _torch.simulate(**{**arguments, **changes})


def parameter_map(**changes):
    parts = {
        "start": SUBJECT.parameters(),
        "lower": np.array([0.5, 0.05]),
        "upper": np.array([2.5, 0.15]),
        "slot": np.array([16, 17, 20]),  # strength of both MTUs, damping of the first
        "component": np.array([0, 0, 1]),
    }
    return _kernel.ParameterMap(**{**parts, **changes})


def problem(*, target=None, map=None, **changes):  # noqa: A002  as the module spells it
    targets = {
        "measured_moment": torch.zeros(6, 2, 2, dtype=torch.float64),
        "variance": torch.ones(2, 2, dtype=torch.float64),
        "dofs": torch.tensor([0, 1]),
    }
    return _torch.Problem(
        curves=torch_curves(SUBJECT),
        batch=batch(**changes),
        target=_torch.Target(**{**targets, **(target or {})}),
        map=map or parameter_map(),
        objective=engine_objective(make_step(()), SUBJECT),
        tendon="stiff",
        filter_start="ceinms",
    )


def spoilt(array, value):
    array = array.clone() if isinstance(array, torch.Tensor) else array.copy()
    array.reshape(-1)[-1] = value
    return array


# ---- the tensor engine


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", NUMBERS + PER_TRIAL)
def test_batch_refuses_what_is_not_finite(name, value):
    with pytest.raises(ValueError, match=rf"^{name}: expected finite numbers, got NaN or infinity"):
        batch(**{name: spoilt(tensors()[name], value)})


@pytest.mark.parametrize("name", NUMBERS + PER_TRIAL)
def test_batch_refuses_single_precision(name):
    with pytest.raises(TypeError, match=rf"^{name}: expected dtype float64, got Float"):
        batch(**{name: tensors()[name].float()})


@pytest.mark.parametrize("name", ["time", "mtu_velocity", "moment_arm", *PER_TRIAL, "is_valid"])
def test_batch_refuses_another_number_of_rows(name):
    with pytest.raises(ValueError, match=rf"^{name}: expected shape \[.*\], got \["):
        batch(**{name: tensors()[name][:-1]})


@pytest.mark.parametrize("name", ["mtu_length", "moment_arm", "excitation"])
def test_batch_refuses_another_number_of_dimensions(name):
    with pytest.raises(ValueError, match=rf"^{name}: expected (3|4) dimensions"):
        batch(**{name: tensors()[name][0]})


def test_batch_refuses_another_number_of_mtus():
    with pytest.raises(ValueError, match=r"^excitation: expected shape \[\d+, 2, 2\], got"):
        batch(excitation=tensors()["excitation"][:, :1])


@pytest.mark.parametrize("axis", [0, 1, 2], ids=["steps", "MTUs", "trials"])
def test_batch_refuses_nothing(axis):
    length = tensors()["mtu_length"]
    with pytest.raises(ValueError, match=r"^mtu_length: expected at least one step, MTU and trial"):
        batch(mtu_length=length.narrow(axis, 0, 0))


def test_batch_refuses_excitations_without_rows():
    with pytest.raises(ValueError, match=r"^excitation: expected .* at least one row"):
        batch(excitation=tensors()["excitation"][:0])


@pytest.mark.parametrize("change", [lambda t: t.flip(0), lambda t: t * 0.0], ids=["back", "still"])
def test_batch_refuses_time_that_does_not_increase(change):
    with pytest.raises(ValueError, match=r"^time: expected to increase strictly"):
        batch(time=change(tensors()["time"]))


@pytest.mark.parametrize("name", [*NUMBERS, "is_valid"])
def test_batch_takes_tensors_only(name):
    with pytest.raises(TypeError, match=rf"{name}: torch\.Tensor"):
        batch(**{name: tensors()[name].numpy()})


def test_simulate_refuses_a_matrix_of_another_shape():
    matrix = torch.from_numpy(SUBJECT.parameters())
    n = len(matrix)
    with pytest.raises(ValueError, match=rf"^parameters: expected shape \[{n}, 2\], got \[12, 2\]"):
        simulate(parameters=matrix[:12])
    with pytest.raises(
        ValueError, match=rf"^parameters: expected shape \[{n}, 2\], got \[{n}, 1\]"
    ):
        simulate(parameters=matrix[:, :1])


@pytest.mark.parametrize(
    ("option", "words"),
    [("tendon", "'stiff', 'rosenbrock'"), ("filter_start", "'zero', 'ceinms'")],
)
@pytest.mark.parametrize("engine", [kernel, simulate], ids=["kernel", "tensor"])
def test_engines_list_the_words_they_know(engine, option, words):
    with pytest.raises(ValueError, match=rf"^{option}: expected one of {words}, got 'magic'"):
        engine(**{option: "magic"})


# ---- the kernel


@pytest.mark.parametrize("name", ["parameters", "time", "mtu_velocity", "moment_arm"])
def test_kernel_refuses_another_number_of_rows(name):
    with pytest.raises(ValueError, match=rf"^{name}: expected shape \(.*\), got \("):
        kernel(**{name: kernel_arguments(SUBJECT, TRIAL)[name][:-1]})


@pytest.mark.parametrize("name", ["mtu_length", "moment_arm", "excitation"])
def test_kernel_refuses_another_number_of_dimensions(name):
    with pytest.raises(ValueError, match=rf"^{name}: expected shape \(n_"):
        kernel(**{name: np.zeros(6)})


@pytest.mark.parametrize("name", ["mtu_length", "excitation"])
def test_kernel_refuses_nothing(name):
    with pytest.raises(ValueError, match=rf"^{name}: expected .*not empty"):
        kernel(**{name: kernel_arguments(SUBJECT, TRIAL)[name][:0]})


def options_of_no_normalisation():
    _kernel.Objective(SimpleNamespace(normalisation="mean"))


@pytest.mark.parametrize(
    ("call", "parts"),
    [
        (
            lambda: kernel(moment_arm=TRIAL.moment_arm[:-1]),
            ("moment_arm", "shape (6, 2, 2)", "(5, 2, 2)"),
        ),
        (
            options_of_no_normalisation,
            ("normalisation", "one of 'variance', 'meanSquare', 'rmse'", "'mean'"),
        ),
    ],
    ids=["_kernel", "_torch"],
)
def test_errors_of_the_core_have_fields(call, parts):
    with pytest.raises(DataError) as caught:
        call()
    error = caught.value
    assert (error.where.element, error.expected, error.got) == parts


def test_kernel_refuses_another_number_of_curves():
    with pytest.raises(TypeError, match="incompatible function arguments"):
        kernel(tables=kernel_arguments(SUBJECT, TRIAL)["tables"][:3])


def test_kernel_refuses_pieces_that_do_not_fit_the_knots():
    tables = kernel_arguments(SUBJECT, TRIAL)["tables"]
    tables[1] = (tables[1][0], tables[1][1][:-1])
    with pytest.raises(ValueError, match=r"^pieces: expected shape"):
        kernel(tables=tables)


def test_kernel_widens_single_precision():
    """Arrays of numbers are numbers to the kernel; only the numbers count."""
    length = TRIAL.mtu_length.astype(np.float32)
    expected = kernel(mtu_length=length.astype(np.float64))
    np.testing.assert_array_equal(kernel(mtu_length=length)["mtu_force"], expected["mtu_force"])


@pytest.mark.parametrize("x", [[0.0, 0.0, 1.0], [1.0, 0.0], [0.0, np.nan]])
def test_splines_refuse_knots_that_do_not_increase(x):
    for function in (_kernel.spline_table, _kernel.tendon_table):
        with pytest.raises(ValueError, match=r"^x: expected to increase strictly"):
            function(np.array(x), np.ones(len(x)))


# ---- the calibration problem


def test_problem_refuses_moments_of_another_shape():
    with pytest.raises(ValueError, match=r"^measured_moment: expected shape"):
        problem(target={"measured_moment": torch.zeros(5, 2, 2, dtype=torch.float64)})


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan])
def test_problem_refuses_variance_that_is_not_positive(value):
    variance = spoilt(torch.ones(2, 2, dtype=torch.float64), value)
    with pytest.raises(ValueError, match=r"^variance: expected positive numbers"):
        problem(target={"variance": variance})


def test_problem_ignores_the_variance_of_a_dof_that_does_not_count():
    variance = torch.tensor([[1.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
    problem(target={"variance": variance, "dofs": torch.tensor([0])})


def test_map_refuses_inverted_bounds():
    with pytest.raises(ValueError, match=r"^upper: expected to be at or above lower, got less"):
        parameter_map(upper=np.array([0.4, 0.15]))


def test_map_refuses_slots_without_component():
    with pytest.raises(ValueError, match=r"^component: expected one per slot, got 2 for 3"):
        parameter_map(component=np.array([0, 1]))


def test_problem_refuses_a_map_of_other_mtus():
    other = parameter_map(start=SUBJECT.parameters()[:, :1], slot=np.array([3, 4, 5]))
    with pytest.raises(ValueError, match=r"^map: expected parameters of .* MTUs, got"):
        problem(map=other)
    with pytest.raises(ValueError, match=r"^trials: expected the same MTUs and DOFs in all"):
        fused_problem(map=other)


# ---- numbers of the right kind at the right place, and still wrong


def minimise(start):
    options = ct.AdamW(learning_rate=0.1, max_iterations=1, patience=1)
    return _torch.minimise_adamw(problem(), start, options=options)


def faulty_cases():
    matrix = torch.from_numpy(SUBJECT.parameters())
    arguments = kernel_arguments(SUBJECT, TRIAL)
    half = torch.full((2,), 0.5, dtype=torch.float64)
    for name in (*NUMBERS, "parameters"):
        yield (
            f"kernel: NaN in {name}",
            lambda name=name: kernel(**{name: spoilt(arguments[name], np.nan)}),
        )
    yield "kernel: infinite start", lambda: kernel(excitation_start=-np.inf)
    for rate in (0.0, -100.0, np.nan, np.inf):
        yield f"kernel: rate {rate}", lambda rate=rate: kernel(excitation_rate=rate)
    yield "kernel: time goes back", lambda: kernel(time=arguments["time"][::-1])
    yield "batch: no rate", lambda: batch(excitation_rate=0.0 * tensors()["excitation_rate"])
    yield "batch: numbers for is_valid", lambda: batch(is_valid=tensors()["is_valid"].double())
    yield "tensor: NaN in parameters", lambda: simulate(parameters=spoilt(matrix, np.nan))
    yield "tensor: single precision parameters", lambda: simulate(parameters=matrix.float())
    yield "curves: single precision", lambda: _torch.Curves([(half.float(), half.float())] * 4)
    yield "curves: shape of pieces", lambda: _torch.Curves([(half, half)] * 4)
    pieces = torch.ones(3, 5, dtype=torch.float64)
    yield "curves: same knot twice", lambda: _torch.Curves([(half, pieces)] * 4)
    never = torch.zeros(6, 2, dtype=torch.bool)
    yield "batch: trial without a step", lambda: batch(is_valid=never)
    moments = torch.zeros(6, 2, 2, dtype=torch.float64)
    yield (
        "problem: NaN moment",
        lambda: problem(target={"measured_moment": spoilt(moments, np.nan)}),
    )
    yield "problem: single precision", lambda: problem(target={"measured_moment": moments.float()})
    yield "problem: variance of one DOF", lambda: problem(target={"variance": half[None]})
    yield "problem: DOF twice", lambda: problem(target={"dofs": torch.tensor([1, 1])})
    yield "problem: dof", lambda: problem(target={"dofs": torch.tensor([0, 2])})
    yield "problem: no dof", lambda: problem(target={"dofs": torch.tensor([], dtype=torch.int64)})
    yield "evaluate: single number", lambda: problem().evaluate(half[:1])
    yield "evaluate: single precision", lambda: problem().evaluate(half.float())
    yield "evaluate: outside the box", lambda: problem().evaluate(half - 0.6)
    yield "evaluate: NaN", lambda: problem().evaluate(spoilt(half, np.nan))
    yield "minimise: single number", lambda: minimise(half[:1])
    yield "minimise: outside the box", lambda: minimise(half + 1.0)


FAULTY_CASES = dict(faulty_cases())


@pytest.mark.parametrize("case", FAULTY_CASES)
def test_faulty_numbers_are_refused(case):
    with pytest.raises((ValueError, TypeError), match=r"^\w+: expected .*, got "):
        FAULTY_CASES[case]()


# ---- the calibration problem on the fused engine


def fused_problem(*, trial=None, **changes):
    arguments = kernel_arguments(SUBJECT, TRIAL)
    names = (*NUMBERS, "excitation_start", "excitation_rate")
    arrays = {name: arguments[name] for name in names}
    parts = {
        "tables": arguments["tables"],
        "trials": [_kernel.Trial(**{**arrays, **(trial or {})})],
        "measured": [TRIAL.measured_moment],
        "variance": np.ones((1, 2)),
        "map": parameter_map(),
        "dofs": np.array([0, 1]),
        "objective": engine_objective(make_step(()), SUBJECT),
        "tendon": "rosenbrock",
        "filter_start": "ceinms",
        "threads": 1,
    }
    return _kernel.Problem(**{**parts, **changes})


def test_fused_problem_of_sound_numbers_is_taken():
    assert np.isfinite(fused_problem().evaluate(np.array([0.5, 0.5])).objective)


def faulty_problems():
    arguments = kernel_arguments(SUBJECT, TRIAL)
    for name in NUMBERS:
        yield f"NaN in {name}", {"trial": {name: spoilt(arguments[name], np.nan)}}
    yield "NaN moment", {"measured": [spoilt(TRIAL.measured_moment, np.nan)]}
    yield "no variance", {"variance": np.array([[1.0, 0.0]])}
    yield "variance of another trial", {"variance": np.ones((2, 2))}
    yield "moments of one DOF", {"measured": [TRIAL.measured_moment[:, :1]]}
    yield "moments of no trial", {"measured": []}
    every = trial_arrays(TRIAL)
    one_dof = {**every, "moment_arm": TRIAL.moment_arm[:, :1]}
    yield (
        "trials of other DOFs",
        {
            "trials": [_kernel.Trial(**every), _kernel.Trial(**one_dof)],
            "measured": [TRIAL.measured_moment] * 2,
            "variance": np.ones((2, 2)),
        },
    )
    yield "time goes back", {"trial": {"time": arguments["time"][::-1]}}
    yield "infinite start", {"trial": {"excitation_start": np.inf}}
    yield "no rate", {"trial": {"excitation_rate": 0.0}}
    yield "no rows", {"trial": {"excitation": TRIAL.excitation[:0]}}
    yield "no trial", {"trials": []}
    yield "no thread", {"threads": 0}
    yield "no DOF", {"dofs": np.array([], dtype=np.int64)}
    yield "DOF", {"dofs": np.array([2])}
    yield "DOF twice", {"dofs": np.array([1, 1])}
    yield "instruction set", {"instruction_set": "abacus"}
    yield "tendon", {"tendon": "rope"}


FAULTY_PROBLEMS = dict(faulty_problems())


@pytest.mark.parametrize("case", FAULTY_PROBLEMS)
def test_faulty_fused_problems_are_refused(case):
    with pytest.raises(ValueError, match=r"^\w+: expected .*, got "):
        fused_problem(**FAULTY_PROBLEMS[case])


FAULTY_MAPS = {
    "no MTU": {"start": np.zeros((len(PARAMETER_KINDS), 0))},
    "NaN parameter": {"start": spoilt(SUBJECT.parameters(), np.nan)},
    "infinite bound": {"upper": np.array([2.5, np.inf])},
    "bounds in rows": {"lower": np.array([[0.5, 0.05]])},
    "slot": {"slot": np.array([16, 17, SUBJECT.parameters().size])},
    "slot twice": {"slot": np.array([16, 17, 16])},
    "component": {"component": np.array([0, 0, -1])},
}


@pytest.mark.parametrize("case", FAULTY_MAPS)
def test_faulty_maps_are_refused(case):
    with pytest.raises(ValueError, match=r"^\w+: expected .*, got "):
        parameter_map(**FAULTY_MAPS[case])


@pytest.mark.parametrize("x", [[0.5], [0.5, np.nan], [0.5, 1.1], [-0.1, 0.5], [[0.5, 0.5]]])
def test_fused_problem_refuses_points_outside_the_box(x):
    one = fused_problem()
    for method in (one.evaluate, one.gradient, one.residuals):
        with pytest.raises(ValueError, match=r"^x: expected .*, got "):
            method(np.array(x))


def test_padding_of_measured_moments_may_be_nan():
    """Whatever stands after the end of a trial, the objective and its gradient stay."""
    valid = tensors()["is_valid"].clone()
    valid[4:, 1] = False
    moments = torch.rand(6, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    spoilt_moments = torch.where(valid[:, None], moments, torch.nan)
    results = []
    for values in (moments, spoilt_moments):
        one = problem(target={"measured_moment": values}, is_valid=valid)
        x = torch.tensor([0.3, 0.6], dtype=torch.float64, requires_grad=True)
        objective = one.evaluate(x).objective()
        results.append((objective, *torch.autograd.grad(objective, x)))
    assert torch.isfinite(results[0][0])
    for first, second in zip(*results, strict=True):
        assert torch.equal(first, second)


def test_refusals_are_errors_of_the_package():
    for refused, name in (
        (lambda: kernel(tendon="steel"), "tendon"),
        (lambda: kernel(time=np.zeros(2)), "time"),
        (lambda: simulate(tendon="steel"), "tendon"),
        (lambda: simulate(parameters=torch.zeros(3, 2, dtype=torch.float64)), "parameters"),
    ):
        with pytest.raises(ct.DataError) as caught:
            refused()
        error = caught.value
        assert isinstance(error, ValueError)
        assert str(error.where).startswith(name)
        assert str(error) == f"{error.where}: expected {error.expected}, got {error.got}."
