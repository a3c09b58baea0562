"""Right calls into the compiled modules: what `wrong_calls.py` makes wrong ones of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

import ceinms_torch as ct
from ceinms_torch import _kernel
from ceinms_torch._backend import _torch
from ceinms_torch.calibration.problems.objective import engine_objective
from ceinms_torch.simulation.batch import trial_batch
from ceinms_torch.simulation.curves import curve_tables
from ceinms_torch.simulation.trial_input import trial_arrays
from engine_cases import make_subject, make_trial, torch_curves
from problem_cases import make_step, space_of

X, Y = np.linspace(0.4, 1.6, 9), np.array([0.0, 0.1, 0.3, 0.8, 1.0, 0.8, 0.3, 0.1, 0.0])


def stop_soon(count: int = 3) -> Callable[[object], None]:
    """Return a callback that stops a search after some iterations."""
    left = iter(range(count))

    def callback(_: object) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    return callback


class Case:
    """A subject with two trials, and what the modules make of them, anew whenever asked."""

    def __init__(self) -> None:
        self.subject = make_subject([{}, {"shape_factor": -2.2}, {"c1": -0.2}])
        # Two lengths; the legacy model needs an EMG row of its own for every step.
        self.trials = [
            make_trial(self.subject, "long", n_step=12, emg_rate=200.0),
            make_trial(self.subject, "short", n_step=9, emg_rate=200.0, phase=1.0),
        ]
        self.step = make_step(["c1", "optimalFibreLength", "strengthCoefficient"])
        self.space = space_of(self.subject, self.step)
        self.n = len(self.space.components)
        self.tables = curve_tables(self.subject)
        self.parameters = self.subject.parameters()
        self.measured = [np.ascontiguousarray(trial.measured_moment) for trial in self.trials]
        self.x = np.full(self.n, 0.5)
        self.options = {"tendon": "rosenbrock", "filter_start": "zero"}

    def trial(self, number: int = 0) -> _kernel.Trial:
        """Return a trial of the kernel."""
        return _kernel.Trial(**trial_arrays(self.trials[number]))

    def legacy_trial(self, number: int = 0) -> _kernel.LegacyTrial:
        """Return a trial of the legacy model."""
        times = np.asarray(self.trials[number].excitation_time, dtype=float)
        return _kernel.LegacyTrial(trial=self.trial(number), excitation_time=times, em_delay=0.0)

    def problem_arguments(self) -> dict[str, Any]:
        """Return the arguments of a calibration step."""
        return {
            "tables": self.tables,
            "trials": [self.trial(0), self.trial(1)],
            "measured": list(self.measured),
            "variance": np.full((2, 2), 100.0),
            "map": self.space.map(),
            "dofs": np.array([0, 1]),
            "objective": engine_objective(self.step, self.subject),
            "threads": 2,
            "instruction_set": "auto",
            "linear_terms": [self.linear_term()],
            **self.options,
        }

    def linear_term(self) -> _kernel.LinearTerm:
        """Return a term of two rows."""
        return _kernel.LinearTerm(name="prior", matrix=np.eye(2, self.n), offset=np.zeros(2))

    def problem(self) -> _kernel.Problem:
        """Return a calibration step."""
        return _kernel.Problem(**self.problem_arguments())

    def synergy_arguments(self) -> dict[str, Any]:
        """Return the arguments of synergies for both trials."""
        n_row = [len(trial.excitation) for trial in self.trials]
        return {
            "n_synergy": 2,
            "synthesised": np.array([1]),
            "tied": np.array([0]),
            "recorded": [np.full((2, (n - 2) // 4 + 2), 0.3) for n in n_row],
            "expected": [np.full((1, (n - 2) // 4 + 2), 0.3) for n in n_row],
            "n_row": n_row,
            "rows_per_node": [4, 4],
            "row_interval": [0.005, 0.005],
            "shared_weightings": True,
            "exact_bounds": False,
            "objective": _kernel.SynergyObjective(ct.SynergyHybrid(n_synergy=2)),
        }

    def synergies(self) -> _kernel.Synergies:
        """Return synergies for both trials."""
        return _kernel.Synergies(**self.synergy_arguments())

    def excitation_arguments(self) -> dict[str, Any]:
        """Return the arguments of a search for excitations."""
        return {
            "tables": self.tables,
            "parameters": self.parameters,
            "trial": self.trial(),
            "measured": self.measured[0],
            "searched": np.array([0, 2]),
            "dofs": np.array([0]),
            "threads": 2,
            **self.options,
        }

    def stream_arguments(self) -> dict[str, Any]:
        """Return the arguments of a stream."""
        return {
            "tables": self.tables,
            "parameters": self.parameters,
            "acts": np.array([[True, True, True], [True, False, True]]),
            "rate": 100.0,
            "longest_delay": 0.2,
            "instruction_set": "auto",
            **self.options,
        }

    def path_arguments(self) -> dict[str, Any]:
        """Return the arguments of the paths of three MTUs, which act on two DOFs."""
        return {
            "n_coordinate": 2,
            "coordinates": [np.array([0]), np.array([0, 1]), np.array([1])],
            "orders": np.array([1, 2, 3]),
            "coefficients": [np.full(n, 0.1) for n in (2, 6, 4)],
            "dofs": np.array([1, 0]),
            "instruction_set": "auto",
        }

    def legacy_arguments(self) -> dict[str, Any]:
        """Return the arguments of a calibration step of CEINMS."""
        return {
            "tables": self.tables,
            "model": self.legacy_model(),
            "trials": [self.legacy_trial(0), self.legacy_trial(1)],
            "measured": list(self.measured),
            "dofs": np.array([0, 1]),
            "map": self.space.map(),
            "objective": engine_objective(self.step, self.subject),
            "threads": 2,
        }

    @staticmethod
    def legacy_model(*, online: bool = False) -> _kernel.LegacyModel:
        """Return the model with an elastic tendon."""
        return _kernel.LegacyModel(
            tendon="equilibriumElastic", activation="exponential", online=online, tolerance=1e-9
        )

    @staticmethod
    def annealing_arguments() -> dict[str, Any]:
        """Return the settings of a short annealing."""
        return {
            "no_epsilon": 2,
            "rt": 0.3,
            "temperature": 10.0,
            "ns": 2,
            "nt": 2,
            "epsilon": 1e-3,
            "max_no_eval": 30,
            "variant": "ceinms",
            "seed": 1,
        }

    def batch_arguments(self) -> dict[str, Any]:
        """Return the tensors of both trials."""
        return trial_tensors(self.trials)

    def batch(self) -> _torch.TrialBatch:
        """Return both trials side by side."""
        return trial_batch(self.trials)

    def target_arguments(self) -> dict[str, Any]:
        """Return what both trials were measured to do."""
        measured = torch.zeros(12, 2, 2, dtype=torch.float64)
        for i, one in enumerate(self.measured):
            measured[: len(one), :, i] = torch.from_numpy(one)
        return {
            "measured_moment": measured,
            "variance": torch.full((2, 2), 100.0, dtype=torch.float64),
            "dofs": torch.tensor([0, 1]),
        }

    def tensor_problem_arguments(self) -> dict[str, Any]:
        """Return the arguments of a calibration step of the tensor engine."""
        return {
            "curves": torch_curves(self.subject),
            "batch": self.batch(),
            "target": _torch.Target(**self.target_arguments()),
            "map": self.space.map(),
            "objective": engine_objective(self.step, self.subject),
            "linear_terms": [self.linear_term()],
            **self.options,
        }

    def tensor_problem(self) -> _torch.Problem:
        """Return a calibration step of the tensor engine."""
        return _torch.Problem(**self.tensor_problem_arguments())

    def tensor_point(self) -> torch.Tensor:
        """Return a point in the middle of the box."""
        return torch.from_numpy(self.x.copy())


def trial_tensors(trials: list[ct.Trial]) -> dict[str, Any]:
    """Return the arguments of a batch of trials, taken from one."""
    batch = trial_batch(trials)
    n = len(trials)
    return {
        "time": batch.time,
        "mtu_length": torch.stack([pad(trial.mtu_length, 12) for trial in trials], 2),
        "mtu_velocity": torch.zeros(12, 3, n, dtype=torch.float64),
        "moment_arm": batch.moment_arm,
        "excitation": batch.excitation,
        "excitation_start": torch.tensor([trial.excitation_time[0] for trial in trials]),
        "excitation_rate": torch.full((n,), 200.0, dtype=torch.float64),
        "is_valid": batch.is_valid,
    }


def pad(values: np.ndarray, n_row: int) -> torch.Tensor:
    """Repeat the last row."""
    rows = np.minimum(np.arange(n_row), len(values) - 1)
    return torch.from_numpy(np.asarray(values)[rows].copy())


@dataclass(frozen=True)
class Right:
    """A call that is right: its function and arguments, made anew from a case."""

    module: str
    name: str
    valid: Callable[[Case], tuple[Callable[..., Any], dict[str, Any]]]


CALLS: list[Right] = []


def right(module: str, name: str) -> Callable[[Any], Any]:
    """Add a call to the list."""

    def add(valid: Any) -> Any:
        CALLS.append(Right(module, name, valid))
        return valid

    return add


def kernel(name: str) -> Callable[[Any], Any]:
    """Add a call of ``_kernel``."""
    return right("_kernel", name)


def tensor(name: str) -> Callable[[Any], Any]:
    """Add a call of ``_torch``."""
    return right("_torch", name)


def of_name(function: str, valid: Callable[[Case, str], Any]) -> None:
    """Add a call of a function, or of a method behind its class, that is like that of others."""
    CALLS.append(
        Right("_kernel", function, lambda case: valid(case, function.rsplit(".", maxsplit=1)[-1]))
    )


AT = np.array([0.3, 1.0, 2.0])
for _name in ("spline_value", "spline_derivative"):
    of_name(_name, lambda _, name: (getattr(_kernel, name), {"x": X, "y": Y, "at": AT}))
for _name in ("spline_table", "tendon_table"):
    of_name(_name, lambda _, name: (getattr(_kernel, name), {"x": X - 0.4, "y": Y}))
kernel("table_value")(lambda case: (_kernel.table_value, {"table": case.tables[0], "at": X}))
kernel("Trial")(lambda case: (_kernel.Trial, trial_arrays(case.trials[0])))
kernel("LinearTerm")(
    lambda case: (
        _kernel.LinearTerm,
        {"name": "prior", "matrix": np.eye(2, case.n), "offset": np.zeros(2)},
    )
)


@kernel("Trial, simulate")
def _(case: Case) -> Any:
    def run(trial: dict[str, Any], **rest: Any) -> None:
        _kernel.simulate(trial=_kernel.Trial(**trial), **rest)

    def flat(tables: Any, parameters: Any, tendon: Any, filter_start: Any, **trial: Any) -> None:
        run(trial, tables=tables, parameters=parameters, tendon=tendon, filter_start=filter_start)

    return flat, {
        "tables": case.tables,
        "parameters": case.parameters,
        **trial_arrays(case.trials[0]),
        **case.options,
    }


@kernel("simulate")
def _(case: Case) -> Any:
    rest = {"tables": case.tables, "parameters": case.parameters, "trial": case.trial()}
    return _kernel.simulate, {**rest, **case.options, "tendon": "dampedEquilibrium"}


@kernel("ParameterMap")
def _(case: Case) -> Any:
    def run(x: Any, values: Any, **rest: Any) -> None:
        made = _kernel.ParameterMap(**rest)
        made.values(x=x)
        made.parameters(values=values)

    return run, {
        "start": case.parameters,
        "lower": np.zeros(2),
        "upper": np.ones(2),
        "slot": np.array([0, 1, 5]),
        "component": np.array([0, 0, 1]),
        "x": np.full(2, 0.5),
        "values": np.full(2, 0.5),
    }


@kernel("Objective")
def _(case: Case) -> Any:
    def run(**options: Any) -> None:
        _kernel.Objective(options=SimpleNamespace(**options))

    penalty = ((0.9, 1.1), 1.0, 2.0, [0])
    return run, {
        "normalisation": "rmse",
        "peak_force_weight": 0.1,
        "moment_powers": [(1.0, 2.0, False, [0])],
        "fibre_length_penalties": [penalty],
        "fibre_velocity_penalties": [penalty, penalty],
        "tendon_strain_penalties": [],
    }


@kernel("SynergyObjective")
def _(case: Case) -> Any:
    def run(**options: Any) -> None:
        _kernel.SynergyObjective(options=SimpleNamespace(**options))

    return run, dataclasses.asdict(ct.SynergyHybrid(n_synergy=2))


@kernel("Problem")
def _(case: Case) -> Any:
    def run(x: Any, **rest: Any) -> None:
        problem = _kernel.Problem(**rest)
        problem.gradient(x=x)

    return run, {"x": case.x, **case.problem_arguments()}


for _name in ("evaluate", "gradient", "residuals", "normal_equations"):
    of_name(f"Problem.{_name}", lambda case, name: (getattr(case.problem(), name), {"x": case.x}))


def searching(function: Any, problem: Any, start: Any, settings: Any) -> Any:
    """Return a search and its arguments, the settings among them."""

    def run(problem: Any, start: Any, callback: Any, **options: Any) -> None:
        function(problem, start, options=SimpleNamespace(**options), callback=callback)

    arguments = {"problem": problem, "start": start, "callback": stop_soon()}
    return run, {**arguments, **dataclasses.asdict(settings)}


@kernel("minimise_levenberg_marquardt")
def _(case: Case) -> Any:
    settings = ct.LevenbergMarquardt(max_iterations=5)
    return searching(_kernel.minimise_levenberg_marquardt, case.problem(), case.x, settings)


@kernel("minimise_adamw")
def _(case: Case) -> Any:
    settings = ct.AdamW(max_iterations=5)
    return searching(_kernel.minimise_adamw, case.problem(), case.x, settings)


@kernel("ExcitationProblem")
def _(case: Case) -> Any:
    def run(x: Any, **rest: Any) -> None:
        problem = _kernel.ExcitationProblem(**rest)
        problem.square_errors(x=x)
        problem.simulate(x=x)
        _ = problem.recorded

    return run, {"x": np.full((12, 2), 0.4), **case.excitation_arguments()}


@kernel("ExcitationProblem.square_errors")
def _(case: Case) -> Any:
    problem = _kernel.ExcitationProblem(**case.excitation_arguments())
    return problem.square_errors, {"x": np.full((12, 2), 0.4)}


@kernel("ExcitationProblem.minimise")
def _(case: Case) -> Any:
    problem = _kernel.ExcitationProblem(**case.excitation_arguments())
    settings = {"beta": 1.0, "gamma": 1.0, "n_adjusted": 1, "effort_of_others": 0.0}
    return problem.minimise, {
        "start": np.full((12, 2), 0.4),
        "recorded": np.full((12, 2), 0.3),
        "tolerance": 1e-3,
        "max_iterations": 5,
        "callback": None,
        **settings,
    }


@kernel("Synergies")
def _(case: Case) -> Any:
    def run(**arguments: Any) -> None:
        made = _kernel.SynergyProblem(
            problem=case.problem(), synergies=_kernel.Synergies(**arguments)
        )
        made.gradient(x=np.full(made.n_component, 0.5))

    return run, case.synergy_arguments()


@kernel("SynergyProblem")
def _(case: Case) -> Any:
    return _kernel.SynergyProblem, {"problem": case.problem(), "synergies": case.synergies()}


@kernel("SynergyProblem.gradient")
def _(case: Case) -> Any:
    problem = _kernel.SynergyProblem(problem=case.problem(), synergies=case.synergies())
    return problem.gradient, {"x": np.full(problem.n_component, 0.5)}


@kernel("Stream")
def _(case: Case) -> Any:
    def run(excitation: Any, mtu_length: Any, moment_arm: Any, **rest: Any) -> None:
        stream = _kernel.Stream(**rest)
        for _ in range(3):
            stream.step(excitation, mtu_length, moment_arm)
        stream.reset()

    trial = case.trials[0]
    return run, {
        **case.stream_arguments(),
        "excitation": trial.excitation[0],
        "mtu_length": trial.mtu_length[0],
        "moment_arm": trial.moment_arm[0],
    }


@kernel("Stream.step")
def _(case: Case) -> Any:
    trial = case.trials[0]
    return _kernel.Stream(**case.stream_arguments()).step, {
        "excitation": trial.excitation[0],
        "mtu_length": trial.mtu_length[0],
        "moment_arm": trial.moment_arm[0],
    }


@kernel("Stream.run_in")
def _(case: Case) -> Any:
    stream = _kernel.Stream(**case.stream_arguments())
    return stream.run_in, {"excitation": case.trials[0].excitation}


@kernel("Stream.set_parameters")
def _(case: Case) -> Any:
    stream = _kernel.Stream(**case.stream_arguments())
    return stream.set_parameters, {"parameters": case.parameters}


@kernel("Stream.step_at")
def _(case: Case) -> Any:
    stream = _kernel.Stream(**case.stream_arguments())
    return stream.step_at, {
        "paths": _kernel.PathSet(**case.path_arguments()),
        "excitation": case.trials[0].excitation[0],
        "coordinates": np.array([0.1, -0.2]),
    }


@kernel("PathSet")
def _(case: Case) -> Any:
    def run(q: Any, **rest: Any) -> None:
        _kernel.PathSet(**rest).evaluate(q)

    return run, {**case.path_arguments(), "q": np.array([[0.1, -0.2], [0.3, 0.4]])}


@kernel("PathSet.evaluate")
def _(case: Case) -> Any:
    paths = _kernel.PathSet(**case.path_arguments())
    return paths.evaluate, {"coordinates": np.array([[0.1, -0.2], [0.3, 0.4]])}


@kernel("LegacyModel")
def _(case: Case) -> Any:
    return _kernel.LegacyModel, {
        "tendon": "stiff",
        "activation": "piecewise",
        "online": False,
        "tolerance": 1e-9,
    }


@kernel("LegacyTrial")
def _(case: Case) -> Any:
    times = np.asarray(case.trials[0].excitation_time, dtype=float)

    def run(**arguments: Any) -> None:
        _kernel.legacy_run(
            tables=case.tables,
            parameters=case.parameters,
            trial=_kernel.LegacyTrial(**arguments),
            model=case.legacy_model(),
        )

    return run, {"trial": case.trial(), "excitation_time": times, "em_delay": 0.0}


@kernel("legacy_rows")
def _(case: Case) -> Any:
    times = np.asarray(case.trials[0].excitation_time, dtype=float)
    return _kernel.legacy_rows, {
        "time": case.trials[0].time,
        "excitation_time": times,
        "em_delay": 0.01,
    }


@kernel("legacy_run")
def _(case: Case) -> Any:
    return _kernel.legacy_run, {
        "tables": case.tables,
        "parameters": case.parameters,
        "trial": case.legacy_trial(),
        "model": case.legacy_model(),
    }


@kernel("legacy_run_hybrid")
def _(case: Case) -> Any:
    return _kernel.legacy_run_hybrid, {
        "tables": case.tables,
        "parameters": case.parameters,
        "trial": case.legacy_trial(),
        "model": case.legacy_model(online=True),
        "measured": case.measured[0],
        "alpha": 1.0,
        "beta": 1.0,
        "gamma": 1.0,
        "adjust": np.array([0]),
        "synth": np.array([2]),
        "dofs": np.array([0]),
        "annealing": _kernel.AnnealingOptions(**case.annealing_arguments()),
    }


@kernel("AnnealingOptions")
def _(case: Case) -> Any:
    def run(**arguments: Any) -> None:
        _kernel.legacy_anneal(
            _kernel.LegacyProblem(**case.legacy_arguments()),
            start=case.space.lower,
            lower=case.space.lower,
            upper=case.space.upper,
            options=_kernel.AnnealingOptions(**arguments),
            callback=stop_soon(),
        )

    return run, case.annealing_arguments()


@kernel("LegacyProblem")
def _(case: Case) -> Any:
    def run(x: Any, **rest: Any) -> None:
        problem = _kernel.LegacyProblem(**rest)
        problem.evaluate(x=x)
        _ = problem.failures

    return run, {"x": case.space.lower, **case.legacy_arguments()}


@kernel("LegacyProblem.evaluate")
def _(case: Case) -> Any:
    return _kernel.LegacyProblem(**case.legacy_arguments()).evaluate, {"x": case.space.lower}


@kernel("legacy_anneal")
def _(case: Case) -> Any:
    return _kernel.legacy_anneal, {
        "problem": _kernel.LegacyProblem(**case.legacy_arguments()),
        "start": case.space.lower,
        "lower": case.space.lower,
        "upper": case.space.upper,
        "options": _kernel.AnnealingOptions(**case.annealing_arguments()),
        "callback": stop_soon(),
    }


@kernel("AnnealingState")
def _(case: Case) -> Any:
    names = ("x", "best", "step", "n_accepted", "latest", "temperature", "f", "best_f")
    names += ("evaluations", "n_temperature", "adjustment", "cycle", "next", "random")
    box = {"start": case.space.lower, "lower": case.space.lower, "upper": case.space.upper}
    options = _kernel.AnnealingOptions(**case.annealing_arguments())
    kept: list[dict[str, Any]] = []

    def keep(state: _kernel.AnnealingState) -> None:
        kept.append({name: getattr(state, name) for name in names})

    problem = _kernel.LegacyProblem(**case.legacy_arguments())
    _kernel.legacy_anneal(problem, **box, options=options, keep=keep, keep_interval=0.0)

    def run(**fields: Any) -> None:
        state = _kernel.AnnealingState()
        for name, value in fields.items():
            setattr(state, name, value)
        _kernel.legacy_anneal(problem, **box, options=options, callback=stop_soon(), state=state)

    return run, kept[3]


@tensor("Curves")
def _(case: Case) -> Any:
    tables = [(torch.from_numpy(k), torch.from_numpy(p)) for k, p in case.tables]
    return _torch.Curves, {"tables": tables}


@tensor("TrialBatch")
def _(case: Case) -> Any:
    def run(**arguments: Any) -> None:
        batch = _torch.TrialBatch(**arguments)
        parameters = torch.from_numpy(case.parameters)
        _torch.simulate(torch_curves(case.subject), parameters, batch, **case.options)

    return run, case.batch_arguments()


@tensor("TrialBatch.with_excitation")
def _(case: Case) -> Any:
    batch = case.batch()
    return batch.with_excitation, {"excitation": batch.excitation}


@tensor("simulate")
def _(case: Case) -> Any:
    return _torch.simulate, {
        "curves": torch_curves(case.subject),
        "parameters": torch.from_numpy(case.parameters.copy()),
        "batch": case.batch(),
        **case.options,
    }


@tensor("simulate_fused")
def _(case: Case) -> Any:
    return _torch.simulate_fused, {
        "curves": torch_curves(case.subject),
        "parameters": torch.from_numpy(case.parameters.copy()),
        "batch": case.batch(),
        "threads": 2,
        "instruction_set": "auto",
        **case.options,
    }


@tensor("Simulation.with_joint_moment")
def _(case: Case) -> Any:
    made = _torch.simulate(
        torch_curves(case.subject), torch.from_numpy(case.parameters), case.batch(), **case.options
    )
    return made.with_joint_moment, {"joint_moment": made.joint_moment}


@tensor("Target")
def _(case: Case) -> Any:
    def run(**arguments: Any) -> None:
        rest = {**case.tensor_problem_arguments(), "target": _torch.Target(**arguments)}
        _torch.Problem(**rest).evaluate(case.tensor_point())

    return run, case.target_arguments()


@tensor("Problem")
def _(case: Case) -> Any:
    def run(x: Any, **rest: Any) -> None:
        problem = _torch.Problem(**rest)
        problem.evaluate(x=x)
        problem.parameters(x=x)

    return run, {"x": case.tensor_point(), **case.tensor_problem_arguments()}


@tensor("Problem.measure")
def _(case: Case) -> Any:
    problem = case.tensor_problem()
    simulation = _torch.simulate(
        torch_curves(case.subject), torch.from_numpy(case.parameters), case.batch(), **case.options
    )
    return problem.measure, {"x": case.tensor_point(), "simulation": simulation}


@tensor("SynergyProblem")
def _(case: Case) -> Any:
    def run(**arguments: Any) -> None:
        made = _torch.SynergyProblem(
            problem=case.tensor_problem(), synergies=_kernel.Synergies(**arguments)
        )
        made.evaluate(x=torch.full((made.n_component,), 0.5, dtype=torch.float64))

    return run, case.synergy_arguments()


@tensor("minimise_adamw")
def _(case: Case) -> Any:
    settings = ct.AdamW(max_iterations=5)
    problem, start = case.tensor_problem(), case.tensor_point()
    return searching(_torch.minimise_adamw, problem, start, settings)
