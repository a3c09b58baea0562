"""How well, how fast and how surely each method calibrates, and on how many trials."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ceinms_torch.blas import one_blas_thread
from ceinms_torch.errors import OptionError
from ceinms_torch.inputs.folder import CalibrationFolder, check_trial_names
from ceinms_torch.io.plain import revived
from ceinms_torch.model.nms_model import SimulatedAnnealing
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.engine import EngineName
from ceinms_torch.studies.calibration_cells import CalibrationCell
from ceinms_torch.studies.cells import CellRunner, Progress
from ceinms_torch.studies.compare import candidates_of, check_candidates, usual_methods
from ceinms_torch.studies.comparison import (
    CONTROL,
    Candidate,
    Comparison,
    Run,
    parameter_spread,
)
from ceinms_torch.studies.folds import Fold, condition_folds, drawn_folds, trial_folds

# A few temperatures of some 20 parameters: far from enough for the annealing, but quick.
CAPPED_EVALUATIONS = 5_000
# Of the calibrations that validate and of those on fewer trials, which are many.
_VALIDATION_STARTS = 4
# Repetitions of what measures cost: the least time is the one with the least beside it.
_COST_SEEDS = 2
# Draws of the learning curve, each of as many calibrations as there are trials but one.
_DRAWS = 5
SEEDS, TRIAL, CONDITION, DRAWN, COST = "seeds", "trial", "condition", "drawn", "cost"


@dataclass(frozen=True, kw_only=True)
class CalibrationOptions:
    """What the study does.

    Parameters
    ----------
    methods : tuple of str
        As for `candidates_of`; the usual ones if empty.
    engines : tuple of {"fused", "tensor"}
        As for `candidates_of`.
    seeds : tuple of int
        Repetitions.
    lm_starts : int
        Levenberg-Marquardt is also run with so many starts; 1 for no such runs.
    full : bool
        Whether the annealing gets the budget of its file, rather than `CAPPED_EVALUATIONS`.
    validation : bool
        Whether to validate, and to calibrate on fewer trials.
    folds : int or None
        Folds over trials; None to leave out one trial at a time.
    conditions : str or None
        Pattern of conditions, see `conditions_of`.
    jobs : int
        Processes side by side; results other than times do not depend on it.
    """

    methods: tuple[str, ...] = ()
    engines: tuple[EngineName, ...] = ("fused",)
    seeds: tuple[int, ...] = tuple(range(10))
    lm_starts: int = 32
    full: bool = False
    validation: bool = True
    folds: int | None = None
    conditions: str | None = None
    jobs: int = 1


@dataclass(frozen=True, kw_only=True)
class Part:
    """One calibration on some of the trials, beside the uncalibrated subject.

    Parameters
    ----------
    kind : {"trial", "condition", "drawn", "cost"}
        What for: validation over trials or conditions, the learning curve, the cost.
    fold : Fold
        Its trials.
    control, run : Run
        What was found; without histories.
    iterations : int
        How many it took; evaluations of an annealing.
    """

    kind: str
    fold: Fold
    control: Run
    run: Run
    iterations: int


@dataclass(frozen=True, kw_only=True)
class CalibrationStudy:
    """What the study found.

    Parameters
    ----------
    comparison : Comparison
        Every method with every seed on the calibration trials, and the control.
    parts : tuple of Part
        Validation, learning curve and cost.
    conditions : str or None
        Pattern of conditions, see `conditions_of`.
    """

    comparison: Comparison
    parts: tuple[Part, ...]
    conditions: str | None = None

    def of_kind(self, kind: str) -> list[Part]:
        """Return the parts of one kind."""
        return [part for part in self.parts if part.kind == kind]

    def spread_by_kind(self) -> dict[str, dict[str, list[float]]]:
        """Return `parameter_spread` by kind of parameter and method; empty with a single seed."""
        by_kind: dict[str, dict[str, list[float]]] = {}
        for name, runs in self.comparison.calibrated().items():
            spreads = parameter_spread(runs) if len(runs) > 1 else ()
            for (kind, _), spread in zip(self.comparison.parameters, spreads, strict=False):
                by_kind.setdefault(kind, {}).setdefault(name, []).append(spread)
        return by_kind

    def learning_curve(self) -> dict[int, list[Part]]:
        """Return the calibrations on drawn trials, one per draw, by the number of trials."""
        curve: dict[int, list[Part]] = {}
        for part in self.of_kind(DRAWN):
            curve.setdefault(len(part.fold.calibration), []).append(part)
        return dict(sorted(curve.items()))

    def enough_trials(self) -> int | None:
        """Return the smallest number of trials within a standard error of the best.

        Returns
        -------
        int or None
            By R² on the trials that were not drawn, which, other than RMSE, hardly depends on how
            large their moments are; None with fewer than two draws.
        """
        found = {
            n: [part.run.mean("test", "r2", self.comparison.dofs) for part in parts]
            for n, parts in self.learning_curve().items()
            if len(parts) > 1
        }
        if not found:
            return None
        best = max(found.values(), key=lambda values: float(np.mean(values)))
        limit = np.mean(best) - np.std(best, ddof=1) / np.sqrt(len(best))
        return min(n for n, values in found.items() if np.mean(values) >= limit)

    def cost_curves(self) -> dict[str, dict[int, float]]:
        """Return the time of an iteration [s] by method and number of trials.

        Returns
        -------
        dict of str to dict of int to float
            The least of all seeds; an iteration of the annealing is an evaluation.
        """
        curves: dict[str, dict[int, float]] = {}
        for part in self.of_kind(COST):
            curve = curves.setdefault(part.run.candidate.label, {})
            n_trial = len(part.fold.calibration)
            curve[n_trial] = min(curve.get(n_trial, np.inf), part.run.seconds / part.iterations)
        return curves


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A calibration that the study needs, and what for."""

    kind: str
    fold: Fold
    cell: CalibrationCell


def plan_study(
    folder: CalibrationFolder,
    tests: Mapping[str, Trial],
    options: CalibrationOptions,
    *,
    setup: Path,
    files: Sequence[Path],
) -> list[Planned]:
    """Return every calibration that the study needs; one may serve several ends.

    Parameters
    ----------
    folder : CalibrationFolder
        What the setup file points at.
    tests : mapping of str to Trial
        Test trials by name.
    options : CalibrationOptions
        What to do.
    setup : Path
        The setup file, for processes of their own.
    files : sequence of Path
        ``inputData.xml`` of the test trials.

    Returns
    -------
    list of Planned

    Raises
    ------
    DataError
        If two trials have the same name, or there is only one to validate with.
    OptionError
        If a method, a number of folds or a pattern of conditions is impossible.
    """
    check_trial_names([*folder.trials, *tests.values()])
    known = tuple(trial.name for trial in folder.trials)
    pool = (*known, *tests)
    methods = options.methods or tuple(usual_methods(folder.plan))
    budget = annealing_budget(folder, options)

    def planned(kind: str, fold: Fold, one: Candidate, cap: int | None = budget) -> Planned:
        cell = CalibrationCell(
            setup=setup,
            tests=tuple(files),
            calibration=fold.calibration,
            test=fold.test,
            candidate=one,
            # Only an annealing has a budget, and others are the same calibration whatever it is.
            max_evaluations=cap if one.method == "annealing" else None,
        )
        return Planned(kind=kind, fold=fold, cell=cell)

    candidates = candidates_of(folder.plan, methods, seeds=options.seeds, engines=options.engines)
    check_candidates(folder, candidates)
    if options.lm_starts > 1:
        several = [one for one in candidates if one.method == "lm"]
        candidates += [dataclasses.replace(one, starts=options.lm_starts) for one in several]
    whole = Fold(name="all", calibration=known, test=tuple(tests))
    plan = [planned(SEEDS, whole, one) for one in candidates]
    if not options.validation:
        return plan
    judge = dataclasses.replace(_validator(candidates), starts=_VALIDATION_STARTS)
    plan += [planned(TRIAL, fold, judge) for fold in trial_folds(pool, options.folds)]
    plan += [planned(CONDITION, fold, judge) for fold in condition_folds(pool, options.conditions)]
    for seed in options.seeds[:_DRAWS]:
        one = dataclasses.replace(judge, seed=seed)
        plan += [planned(DRAWN, fold, one) for fold in drawn_folds(pool, seed)]
    for seed in options.seeds[:_COST_SEEDS]:
        # One temperature of one annealing is enough to know what its evaluations cost.
        measured = [
            one
            for one in candidates
            if one.seed == seed
            and one.starts == 1
            and (one.method != "annealing" or seed == options.seeds[0])
        ]
        for n in _spread_counts(len(pool)):
            fold = Fold(name=f"{n}", calibration=pool[:n], test=())
            # A budget of one evaluation would be spent before the first temperature.
            plan += [planned(COST, fold, one, cap=2) for one in measured]
    return plan


def _spread_counts(most: int) -> list[int]:
    """Return up to five numbers of trials from one to all."""
    return sorted({round(1 + (most - 1) * i / 4) for i in range(5)})


def _validator(candidates: Sequence[Candidate]) -> Candidate:
    """Return what validates: Levenberg-Marquardt, or else the last gradient method."""
    gradient = [one for one in candidates if one.method != "annealing" and not one.hybrid]
    if not gradient:
        hint = "Add lm, or leave validation out"
        raise OptionError(
            where="validation", expected="a method with gradients", got="annealing", hint=hint
        )
    return next((one for one in gradient if one.method == "lm"), gradient[-1])


def annealing_budget(folder: CalibrationFolder, options: CalibrationOptions) -> int | None:
    """Return where the annealing is capped; None if its file decides."""
    settings = folder.plan.algorithm
    if options.full or not isinstance(settings, SimulatedAnnealing):
        return None
    return CAPPED_EVALUATIONS if settings.max_no_eval > CAPPED_EVALUATIONS else None


@one_blas_thread
def study_calibration(
    plan: Sequence[Planned],
    directory: Path,
    inputs: Mapping[str, str],
    *,
    max_evaluations: int | None,
    conditions: str | None = None,
    jobs: int,
    progress: Progress,
) -> CalibrationStudy:
    """Run every calibration of a plan, or read it from an earlier run that was interrupted.

    Parameters
    ----------
    plan : sequence of Planned
        See `plan_study`.
    directory : Path
        Where finished calibrations are kept, and looked for.
    inputs : mapping of str to str
        Hashes of all input files.
    max_evaluations : int or None
        See `annealing_budget`.
    conditions : str or None
        See `CalibrationStudy`.
    jobs : int
        Processes side by side.
    progress : callable
        Called with the number of calibrations that are done, and the name of the last one.

    Returns
    -------
    CalibrationStudy
        After Ctrl-C incomplete, with what is complete.

    Raises
    ------
    KeyboardInterrupt
        If nothing is.
    """
    is_complete = True
    with CellRunner[CalibrationCell](directory, inputs, jobs, progress) as run:
        try:
            run.all([one.cell for one in plan])
        except KeyboardInterrupt:
            is_complete = False
    found = {cell: revived(Comparison, result) for cell, result in run.known.items()}
    done = [(one, found[one.cell]) for one in plan if one.cell in found]
    main = [comparison for one, comparison in done if one.kind == SEEDS]
    if not main:
        raise KeyboardInterrupt
    controls = [run for run in main[0].runs if run.candidate.method == CONTROL]
    runs = [run for comparison in main for run in comparison.runs[len(controls) :]]
    return CalibrationStudy(
        comparison=dataclasses.replace(
            main[0],
            runs=(*controls, *runs),
            is_complete=is_complete,
            max_evaluations=max_evaluations,
        ),
        parts=tuple(_part(one, comparison) for one, comparison in done if one.kind != SEEDS),
        conditions=conditions,
    )


def _part(one: Planned, comparison: Comparison) -> Part:
    control, run = comparison.runs
    is_annealing = run.candidate.method == "annealing"
    return Part(
        kind=one.kind,
        fold=one.fold,
        control=control,
        run=dataclasses.replace(run, history=()),
        # Temperatures of an annealing are no iterations; the first point is the start.
        iterations=run.evaluations if is_annealing else max(len(run.history) - 1, 1),
    )
