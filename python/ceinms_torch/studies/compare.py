"""Several calibrations of one subject side by side: same data, same objective, same seeds."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np

from ceinms_torch.blas import one_blas_thread
from ceinms_torch.calibration.checkpoint import OF_ANOTHER
from ceinms_torch.calibration.methods import METHODS, choose_method
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.problems.build import build_problem
from ceinms_torch.calibration.result import CalibrationResult, Iteration
from ceinms_torch.errors import OptionError
from ceinms_torch.inputs.calibrate import calibrate
from ceinms_torch.inputs.folder import CalibrationFolder
from ceinms_torch.io.interrupts import held, raise_if_stopped
from ceinms_torch.model.nms_model import SimulatedAnnealing, Tendon, TendonKind
from ceinms_torch.model.settings import check_choice
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.plan.calibration import CalibrationPlan
from ceinms_torch.plan.options import Optimiser
from ceinms_torch.plan.synergy_hybrid import PAPER_HYBRID, SynergyHybrid
from ceinms_torch.simulation.engine import EngineName
from ceinms_torch.simulation.fit import moment_fit
from ceinms_torch.simulation.simulate import engine_tendon, simulate
from ceinms_torch.studies.comparison import CONTROL, Candidate, Comparison, Run
from ceinms_torch.synergies.calibration import synergy_setting
from ceinms_torch.synergies.result import HybridResult

# What candidates call a tendon, and its XML names for the annealing and for gradients.
TENDONS: dict[str, tuple[TendonKind, TendonKind]] = {
    "stiff": ("stiff", "stiff"),
    "elastic": ("equilibriumElastic", "rosenbrockElastic"),
}
# Methods that search synergies, too, and those of which the tensor engine has the derivatives.
_HYBRID = {"adamw-hybrid": "adamw", "lbfgs-hybrid": "lbfgs"}
_OF_TENSOR = ("adamw", "lbfgs")
Progress = Callable[[Candidate, int, Iteration], None]


def usual_methods(plan: CalibrationPlan) -> list[str]:
    """Return the methods that are compared unless others are asked for.

    Parameters
    ----------
    plan : CalibrationPlan
        The plan.

    Returns
    -------
    list of str
        The annealing of CEINMS only where the plan has settings for it, and a synergy-hybrid only
        where it asks for one.
    """
    legacy = ["annealing"] if isinstance(plan.algorithm, SimulatedAnnealing) else []
    hybrid = [] if plan.synergy_hybrid is None else ["lbfgs-hybrid"]
    return [*legacy, "adamw", "lm", *hybrid]


def candidates_of(
    plan: CalibrationPlan,
    methods: Sequence[str],
    tendons: Sequence[str] = (),
    seeds: Sequence[int] = (),
    engines: Sequence[EngineName] = ("fused",),
) -> list[Candidate]:
    """Return what is to be run, in this order.

    Parameters
    ----------
    plan : CalibrationPlan
        The plan; without tendons, its tendon is used.
    methods : sequence of str
        Of `METHODS`, "adamw-hybrid" and "lbfgs-hybrid", which calibrate with synergies.
    tendons : sequence of str
        By their XML names, as `engine_tendon` takes them.
    seeds : sequence of int
        Every method and tendon is run with each of them; without any, once.
    engines : sequence of {"fused", "tensor"}
        Every method is run on each that has its derivatives: the tensor engine those of AdamW and
        L-BFGS-B, all others the fused one.

    Returns
    -------
    list of Candidate

    Raises
    ------
    OptionError
        If a method, tendon or engine does not exist or is named twice, there is no method or none
        that an engine can, or the plan has no settings for its annealing.
    """
    chosen = [_common_name(tendon) for tendon in tendons or [plan.tendon.kind]]
    if not methods:
        raise OptionError(where="methods", expected="at least one", got="none")
    several = {"methods": methods, "tendons": chosen, "seeds": seeds, "engines": engines}
    for name, values in several.items():
        _check_differ(name, values)
    for method in methods:
        check_choice("methods", method, (*METHODS, *_HYBRID))
    for engine in engines:
        check_choice("engines", engine, get_args(EngineName))
    found = [
        Candidate(
            method=_HYBRID.get(method, method),
            tendon=tendon,
            seed=seed,
            hybrid=method in _HYBRID,
            engine=engine,
        )
        for tendon in chosen
        for method in methods
        for engine in engines
        if engine == "fused" or _HYBRID.get(method, method) in _OF_TENSOR
        for seed in tuple(seeds) or (None,)
    ]
    for engine in engines:
        if all(one.engine != engine for one in found):
            expected = f"{' or '.join(_OF_TENSOR)} among the methods, for the {engine} engine"
            raise OptionError(where="methods", expected=expected, got=", ".join(methods))
    for one in found:
        choose_method(_plan_of(plan, one), one.method)
    return found


def check_candidates(folder: CalibrationFolder, candidates: Sequence[Candidate]) -> None:
    """Refuse synergies where there is nothing to synthesise, before anything is run.

    Parameters
    ----------
    folder : CalibrationFolder
        What is calibrated.
    candidates : sequence of Candidate
        How.

    Raises
    ------
    DataError
        As `calibrate` with synergies.
    """
    for one in candidates:
        hybrid = _plan_of(folder.plan, one).synergy_hybrid
        if hybrid is None:
            continue
        for step in folder.plan.steps:
            synergy_setting(folder.trials, folder.generator, hybrid, step)


def _common_name(tendon: str) -> str:
    """Return what candidates call a tendon, a key of `TENDONS`."""
    return "stiff" if engine_tendon(tendon) == "stiff" else "elastic"


def _check_differ(option: str, values: Sequence[object]) -> None:
    if len(set(values)) < len(values):
        raise OptionError(where=option, expected="different ones", got=", ".join(map(str, values)))


@one_blas_thread
def compare(
    folder: CalibrationFolder,
    candidates: Sequence[Candidate],
    *,
    tests: Mapping[str, Trial] | None = None,
    max_evaluations: int | None = None,
    threads: int = 1,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
) -> Comparison:
    """Calibrate one subject in several ways, and judge all alike.

    Parameters
    ----------
    folder : CalibrationFolder
        Subject, trials and plan.
    candidates : sequence of Candidate
        What to run, see `candidates_of`.
    tests : mapping of str to Trial, optional
        Test trials by name, with measured moments.
    max_evaluations : int, optional
        Instead of the annealing's maxNoEval: no temperature begins after so many evaluations.
    threads : int
        Threads of every calibration; results do not depend on it.
    progress : callable, optional
        Called with the candidate, its number from 0 and the `Iteration`. A KeyboardInterrupt, also
        one that it raises, ends the comparison; what is complete is kept.
    checkpoint : Path, optional
        Where long calibrations keep what they have found so far, and go on from: this file for the
        first, others beside it.

    Returns
    -------
    Comparison
        With a control for every tendon, the subject as it came.
    """
    tests = tests or {}
    check_candidates(folder, candidates)
    judge = _Judge(folder, TENDONS[_common_name(folder.plan.tendon.kind)][1], tests)
    tendons = dict.fromkeys(candidate.tendon for candidate in candidates)
    runs = [judge.control(Candidate(method=CONTROL, tendon=name)) for name in tendons]
    is_complete = True
    with held():  # until what is complete is judged
        try:
            for number, candidate in enumerate(candidates):
                raise_if_stopped()
                result = _calibrate(
                    folder,
                    candidate,
                    max_evaluations,
                    threads=threads,
                    callback=None if progress is None else partial(progress, candidate, number),
                    checkpoint=_numbered(checkpoint, number),
                )
                if result.status == "interrupted":
                    is_complete = False
                    break
                runs.append(judge.run(candidate, result))
        except KeyboardInterrupt:
            is_complete = False
    return Comparison(
        runs=tuple(runs),
        dofs=judge.dofs,
        parameters=tuple((one.kind, one.mtu_names) for one in judge.components),
        yardstick=judge.yardstick,
        unit=folder.plan.steps[-1].objective.unit,
        is_complete=is_complete,
        max_evaluations=max_evaluations if _is_cut(folder.plan, max_evaluations) else None,
    )


def _calibrate(
    folder: CalibrationFolder, candidate: Candidate, max_evaluations: int | None, **how: Any
) -> CalibrationResult:
    """Calibrate, from the checkpoint of an earlier comparison if it is one of the same."""
    plan = _plan_of(folder.plan, candidate)
    options = _options_of(plan, candidate, max_evaluations)
    how |= {"plan": plan, "options": options, "engine": candidate.engine, **_start_of(candidate)}
    try:
        return calibrate(folder, resume=True, **how)
    except OptionError as error:
        if error.code != OF_ANOTHER:
            raise
        return calibrate(folder, **how)


def _is_cut(plan: CalibrationPlan, max_evaluations: int | None) -> bool:
    """Tell whether a budget is below that of the plan's annealing."""
    settings = plan.algorithm
    return (
        max_evaluations is not None
        and isinstance(settings, SimulatedAnnealing)
        and max_evaluations < settings.max_no_eval
    )


def _numbered(checkpoint: Path | None, number: int) -> Path | None:
    if checkpoint is None or number == 0:
        return checkpoint
    return checkpoint.with_name(f"{checkpoint.name}{number + 1}")


def _plan_of(plan: CalibrationPlan, candidate: Candidate) -> CalibrationPlan:
    legacy, gradient = TENDONS[candidate.tendon]
    kind = legacy if candidate.method == "annealing" else gradient
    tendon = plan.tendon if plan.tendon.kind == kind else Tendon(kind=kind)
    own = PAPER_HYBRID if candidate.method == "adamw" else SynergyHybrid()
    hybrid = (plan.synergy_hybrid or own) if candidate.hybrid else None
    return dataclasses.replace(plan, tendon=tendon, synergy_hybrid=hybrid)


def _options_of(
    plan: CalibrationPlan, candidate: Candidate, max_evaluations: int | None
) -> Optimiser | SimulatedAnnealing:
    options = choose_method(plan, candidate.method)
    if isinstance(options, SimulatedAnnealing):
        if candidate.seed is not None:
            options = dataclasses.replace(options, variant="modern")
        if max_evaluations is not None:
            options = dataclasses.replace(options, max_no_eval=max_evaluations)
    return options


def _start_of(candidate: Candidate) -> dict[str, Any]:
    """Return the arguments of `calibrate` that say where it begins."""
    if candidate.seed is None:
        return {"starts": candidate.starts}
    start = "subject" if candidate.method == "annealing" else "random"
    return {"start": start, "seed": candidate.seed, "starts": candidate.starts}


class _Judge:
    """Measures every set of parameters with the same yardstick, and in its own model."""

    def __init__(
        self, folder: CalibrationFolder, tendon: TendonKind, tests: Mapping[str, Trial]
    ) -> None:
        self._folder = folder
        self._tendon = tendon
        self._tests = tests
        step = folder.plan.steps[-1]
        # Preferences are no part of how well a subject predicts.
        self._step = step.without_preferences()
        self._spaces = [
            ParameterSpace.of(folder.subject, step, folder.plan, check_start=False)
            for step in folder.plan.steps
        ]
        self.components = [one for space in self._spaces for one in space.components]
        self.dofs = tuple(dict.fromkeys(dof for step in folder.plan.steps for dof in step.dofs))
        self.yardstick = (
            f"{tendon} tendon, moment errors by {self._step.objective.normalisation}, continuous "
            f"penalties, {len(folder.trials)} calibration trials"
        )

    def control(self, candidate: Candidate) -> Run:
        """Return the subject as it came, simulated with a candidate's tendon."""
        subject = self._folder.subject
        tendon = TENDONS[candidate.tendon][1]
        trials = {trial.name: trial for trial in self._folder.trials}
        fits = [
            {
                name: moment_fit(trial, simulate(subject, trial, tendon=tendon))
                for name, trial in some.items()
            }
            for some in (trials, self._tests)
        ]
        return Run(
            candidate=candidate,
            model=tendon,
            objective=None,
            common=self._common(subject),
            fit=fits[0],
            test_fit=fits[1],
            parameters=self._normalised(subject),
        )

    def run(self, candidate: Candidate, result: CalibrationResult) -> Run:
        """Return a calibration, judged."""
        return Run(
            candidate=candidate,
            model=result.tendon,
            objective=result.objective,
            common=self._common(result.subject, result),
            seconds=result.seconds,
            evaluations=result.evaluations,
            status=result.status,
            history=tuple(
                (one.evaluations, one.seconds, one.objective) for one in result.through_steps()
            ),
            fit=result.fit,
            test_fit=result.with_tests(self._tests.values()).test_fit,
            parameters=self._normalised(result.subject),
        )

    def _common(self, subject: Subject, result: CalibrationResult | None = None) -> float:
        """Return the common objective, with excitations that synergies gave if there are any."""
        trials: Sequence[Trial] = self._folder.trials
        if isinstance(result, HybridResult):
            trials = [result.synergies[trial.name].drive(trial) for trial in trials]
        # A space without dimensions: its one point is the subject.
        space = ParameterSpace(subject=subject, components=())
        problem = build_problem(subject, trials, self._step, space, tendon=self._tendon)
        evaluation, _ = problem.gradient(np.zeros(0))
        return evaluation.objective

    def _normalised(self, subject: Subject) -> tuple[float, ...]:
        """Return where every parameter is within its range, 0 to 1."""
        shares = (space.shares(space.values_of(subject)).tolist() for space in self._spaces)
        return tuple(itertools.chain.from_iterable(shares))
