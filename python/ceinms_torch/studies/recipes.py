"""Which recipe and which force curves predict best: calibrations judged on trials held out."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from ceinms_torch.blas import one_blas_thread
from ceinms_torch.errors import OptionError
from ceinms_torch.inputs.calibrate import calibrate
from ceinms_torch.inputs.folder import CalibrationFolder, check_trial_names
from ceinms_torch.io.plain import revived
from ceinms_torch.model.settings import check_choice
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.smooth_curves import CURVE_SETS, CurveSet
from ceinms_torch.studies.cells import CellRunner, Progress, StudyCell
from ceinms_torch.studies.folds import Fold, condition_folds, trial_folds
from ceinms_torch.studies.result_file import Cell as TableCell
from ceinms_torch.studies.result_file import Table, mean_and_spread
from ceinms_torch.studies.statistics import deviation

RecipeName = Literal["files", "recommended"]
RECIPES: tuple[RecipeName, ...] = get_args(RecipeName)
# Held-out errors that differ by less than this share, or by less than so many times the noise of
# seeds, are no reason to prefer anything.
_SHARE, _NOISES = 0.03, 2.0


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is compared: a recipe with force curves.

    Parameters
    ----------
    recipe : {"files", "recommended"}
        What the files say, or what `recommended_plan` overrides.
    curves : {"file", "degroote", "millard"}
        The force curves.
    """

    recipe: RecipeName
    curves: CurveSet

    def __str__(self) -> str:
        """Say it in words."""
        return f"{self.recipe} with curves of {CURVE_SETS[self.curves]}"

    def apply(self, folder: CalibrationFolder, others: Sequence[Trial]) -> CalibrationFolder:
        """Return a folder by this recipe, which other trials are simulated with, too."""
        if self.recipe == "recommended":
            return folder.recommended(curves=self.curves, tests=others)
        return folder.with_curves(self.curves)


def choices_of(recipes: Sequence[str], curves: Sequence[str]) -> list[Choice]:
    """Return every recipe with every set of curves.

    Parameters
    ----------
    recipes, curves : sequence of str
        Of `RECIPES` and `CURVE_SETS`; all recipes, or the file's curves and De Groote's, if empty.

    Returns
    -------
    list of Choice

    Raises
    ------
    OptionError
        If one does not exist or is named twice, or there is only one choice.
    """
    recipes = recipes or RECIPES
    curves = curves or ("file", "degroote")
    for name, values, known in (("recipes", recipes, RECIPES), ("curves", curves, CURVE_SETS)):
        for value in values:
            check_choice(name, value, known)
        if len(set(values)) < len(values):
            raise OptionError(where=name, expected="different ones", got=", ".join(values))
    if len(recipes) * len(curves) < 2:
        got = f"{recipes[0]} with {curves[0]}"
        raise OptionError(where="recipes and curves", expected="two or more choices", got=got)
    pairs: Any = itertools.product(recipes, curves)
    return [Choice(recipe=recipe, curves=one) for recipe, one in pairs]


@dataclass(frozen=True, kw_only=True)
class RecipeCell(StudyCell):
    """A calibration of the study.

    Parameters
    ----------
    setup, tests
        As for `StudyCell`.
    calibration, test : tuple of str
        Trials to calibrate on, and to judge on, by name.
    choice : Choice
        How it is calibrated.
    seed : int
        Of its starts.
    """

    calibration: tuple[str, ...]
    test: tuple[str, ...]
    choice: Choice
    seed: int

    version: ClassVar[int] = 1

    @property
    def name(self) -> str:
        """What its file is called, for people."""
        return f"{self.choice.recipe}_{self.choice.curves}_seed{self.seed}"

    @property
    def label(self) -> str:
        """What it is, for a progress bar."""
        return f"{self.choice}, seed {self.seed}, without {', '.join(self.test)}"

    def compute(self, checkpoint: Path | None = None) -> Held:
        """Calibrate, and predict the trials held out."""
        folder, others = self.inputs()
        trials = {trial.name: trial for trial in folder.trials} | others
        fitted = dataclasses.replace(
            folder, trials=tuple(trials[name] for name in self.calibration)
        )
        held_out = [trials[name] for name in self.test]
        result = calibrate(
            self.choice.apply(fitted, held_out), seed=self.seed, checkpoint=checkpoint, resume=True
        )
        if result.status == "interrupted":
            raise KeyboardInterrupt
        fit = result.with_tests(held_out).test_fit
        dofs = dict.fromkeys(dof for step in result.plan.steps for dof in step.dofs)
        return Held(
            rmse={name: {dof: one[dof].rmse for dof in dofs} for name, one in fit.items()},
            at_bound=float(np.mean([bool(one.at_bound) for one in result.parameters])),
            latest=max(result.activation_delays.values()),
            seconds=result.seconds,
        )


@dataclass(frozen=True, kw_only=True)
class Held:
    """What a calibration predicts.

    Parameters
    ----------
    rmse : dict of str to dict of str to float
        By trial held out and DOF [N m].
    at_bound : float
        Share of the parameters at a bound of their range.
    latest : float
        The longest mean delay of an activation filter [ms].
    seconds : float
        Time inside the optimiser [s].
    """

    rmse: dict[str, dict[str, float]]
    at_bound: float
    latest: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class RecipeStudy:
    """What the study found.

    Parameters
    ----------
    folds : tuple of Fold
        How trials were held out.
    seeds : tuple of int
        Repetitions.
    found : tuple of (Choice, int, tuple of Held)
        Every choice with every seed: its calibrations, one for each fold.
    """

    folds: tuple[Fold, ...]
    seeds: tuple[int, ...]
    found: tuple[tuple[Choice, int, tuple[Held, ...]], ...]

    @property
    def choices(self) -> list[Choice]:
        """What was compared."""
        return list(dict.fromkeys(choice for choice, _, _ in self.found))

    def held(self, choice: Choice) -> list[Held]:
        """Return all calibrations of a choice."""
        return [one for other, _, held in self.found if other == choice for one in held]

    def errors(self, choice: Choice, dof: str | None = None) -> list[float]:
        """Return the RMSE of all trials held out, one mean for each seed [N m].

        Parameters
        ----------
        choice : Choice
            One of `choices`.
        dof : str, optional
            A DOF; by default the mean of all.
        """
        return [
            float(
                np.mean(
                    [
                        value
                        for one in held
                        for dofs in one.rmse.values()
                        for name, value in dofs.items()
                        if dof in (None, name)
                    ]
                )
            )
            for other, _, held in self.found
            if other == choice
        ]

    @property
    def ranking(self) -> list[Choice]:
        """The choices, the one with the lowest error first."""
        return sorted(self.choices, key=lambda one: float(np.mean(self.errors(one))))

    @property
    def winner(self) -> Choice:
        """The choice with the lowest error on the trials held out."""
        return self.ranking[0]

    def verdict(self) -> str:
        """Say which choice won, and by how much against the noise of seeds."""
        first, second = self.ranking[:2]
        best, other = (float(np.mean(self.errors(one))) for one in (first, second))
        text = (
            f"Lowest error on trials held out: {first}, {best:.3g} N m; next {second}, "
            f"{other:.3g} N m ({100.0 * (other / best - 1.0):.2g} % more"
        )
        if len(self.seeds) < 2:
            text += "; how much seeds change that is not known: --seeds)."
            is_clear = other - best > _SHARE * best
        else:
            noise = math.hypot(*(deviation(self.errors(one)) for one in (first, second)))
            times = f"{(other - best) / noise:.2g} times" if noise > 0.0 else "beyond"
            text += f", {times} the noise of seeds, {noise:.2g} N m)."
            is_clear = other - best > max(_SHARE * best, _NOISES * noise)
        if not is_clear:
            text += " That is no reason to prefer either."
        return text


@one_blas_thread
def study_recipes(
    folder: CalibrationFolder,
    tests: Mapping[str, Trial],
    choices: Sequence[Choice],
    directory: Path,
    inputs: Mapping[str, str],
    *,
    setup: Path,
    files: Sequence[Path],
    seeds: Sequence[int] = (0,),
    folds: Sequence[Fold],
    jobs: int,
    progress: Progress,
) -> RecipeStudy:
    """Calibrate by every choice without each fold in turn, and predict it.

    Parameters
    ----------
    folder : CalibrationFolder
        What the setup file points at.
    tests : mapping of str to Trial
        More trials by name, held out and calibrated on like those of the folder.
    choices : sequence of Choice
        What to compare.
    directory : Path
        Where finished calibrations are kept, and looked for.
    inputs : mapping of str to str
        Hashes of all input files.
    setup : Path
        The setup file, for processes of their own.
    files : sequence of Path
        ``inputData.xml`` of the further trials.
    seeds : sequence of int
        Repetitions.
    folds : sequence of Fold
        See `folds_of`.
    jobs : int
        Processes side by side.
    progress : callable
        Called with the number of calibrations that are done, and the name of the last one.

    Returns
    -------
    RecipeStudy
    """
    check_trial_names([*folder.trials, *tests.values()])
    grid = {
        (choice, seed): [
            RecipeCell(
                setup=setup,
                tests=tuple(files),
                calibration=fold.calibration,
                test=fold.test,
                choice=choice,
                seed=seed,
            )
            for fold in folds
        ]
        for choice in choices
        for seed in seeds
    }
    with CellRunner[RecipeCell](directory, inputs, jobs, progress) as run:
        known = run.all([cell for cells in grid.values() for cell in cells])
    found = tuple(
        (choice, seed, tuple(revived(Held, known[cell]) for cell in cells))
        for (choice, seed), cells in grid.items()
    )
    return RecipeStudy(folds=tuple(folds), seeds=tuple(seeds), found=found)


def folds_of(
    trials: Sequence[str],
    n_fold: int | None = None,
    *,
    by_condition: bool = False,
    pattern: str | None = None,
) -> list[Fold]:
    """Return which trials are held out together.

    Parameters
    ----------
    trials : sequence of str
        Names of all trials.
    n_fold : int, optional
        Number of folds over trials; one trial is left out at a time by default.
    by_condition : bool
        Hold out conditions instead.
    pattern : str, optional
        What a condition is, see `conditions_of`.

    Returns
    -------
    list of Fold

    Raises
    ------
    DataError, OptionError
        As `trial_folds` and `condition_folds`, or if folds of both kinds are asked for, or all
        trials are of one condition.
    """
    if not by_condition:
        return trial_folds(trials, n_fold)
    if n_fold is not None:
        raise OptionError(where="folds", expected="folds or conditions", got="both")
    folds = condition_folds(trials, pattern)
    if not folds:
        raise OptionError(
            where="conditions",
            expected="trials of at least two conditions",
            got=", ".join(trials),
            hint="give a pattern, or hold out trials",
        )
    return folds


def tables_of(study: RecipeStudy) -> tuple[Table, ...]:
    """Return the tables: errors of trials held out, and what else tells choices apart."""
    dofs = next(iter(study.found[0][2][0].rmse.values()))

    def row(choice: Choice) -> dict[str, TableCell]:
        held = study.held(choice)
        error = study.errors(choice)
        return {
            "recipe": choice.recipe,
            "curves": choice.curves,
            "RMSE held out [N m]": mean_and_spread(error)
            if len(error) > 1
            else float(np.mean(error)),
            **{f"{dof} [N m]": float(np.mean(study.errors(choice, dof))) for dof in dofs},
            "at bounds [%]": 100.0 * float(np.mean([one.at_bound for one in held])),
            "longest filter delay [ms]": max(one.latest for one in held),
            "time [s]": float(np.mean([one.seconds for one in held])),
        }

    by_fold = Table.of(
        "RMSE of each fold, mean of seeds, trials and DOFs [N m]",
        (
            {
                "held out": fold.name,
                **{
                    f"{one.recipe}, {one.curves} curves": _of_fold(study, one, i)
                    for one in study.choices
                },
            }
            for i, fold in enumerate(study.folds)
        ),
    )
    return Table.of("Trials held out", map(row, study.ranking)), by_fold


def notes_of(study: RecipeStudy) -> tuple[str, ...]:
    """Return what a reader of the tables must know."""
    return (
        study.verdict(),
        "Every trial was held out once and predicted by a calibration on the others.",
        "What is chosen by them is not unseen by them any more.",
        "Files of the winner: winner/calibrate.xml.",
    )


def _of_fold(study: RecipeStudy, choice: Choice, number: int) -> float:
    held = [held[number] for other, _, held in study.found if other == choice]
    return float(np.mean([v for one in held for dofs in one.rmse.values() for v in dofs.values()]))


def write_choice(
    folder: CalibrationFolder, choice: Choice, others: Sequence[Trial], directory: Path
) -> Path:
    """Write a choice as files that ``ceinms-torch calibrate`` obeys to the letter.

    Parameters
    ----------
    folder : CalibrationFolder
        The subject, and the trials to calibrate on.
    choice : Choice
        The recipe and its curves.
    others : sequence of Trial
        Trials that the subject will be tested on.
    directory : Path
        Where: calibration.xml, subject.xml with its curves, and calibrate.xml, the setup file.

    Returns
    -------
    Path
        The setup file.
    """
    chosen = choice.apply(folder, others)
    subject, calibration = directory / "subject.xml", directory / "calibration.xml"
    chosen.subject.write(subject)
    chosen.plan.write(calibration)
    setup = dataclasses.replace(
        folder.setup,
        subject_file=subject,
        calibration_file=calibration,
        output_subject_file=directory / "subjectCalibrated.xml",
        document=None,
    )
    setup.write(directory / "calibrate.xml")
    return directory / "calibrate.xml"
