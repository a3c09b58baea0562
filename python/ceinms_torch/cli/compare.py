"""``ceinms-torch compare``: several calibrations of one subject side by side."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ceinms_torch.cli.study import read_inputs, run_study, study_progress
from ceinms_torch.errors import OptionError
from ceinms_torch.io.plain import plain, read_json, revived
from ceinms_torch.io.results import CHECKPOINT_FILE, RESULT_FILE
from ceinms_torch.terminal import options as opt

if TYPE_CHECKING:
    from ceinms_torch.calibration.result import Iteration
    from ceinms_torch.simulation.engine import EngineName
    from ceinms_torch.studies.comparison import Candidate
    from ceinms_torch.studies.result_file import StudyResult

EXAMPLES = """
[bold]Examples[/]

The annealing of CEINMS, the paper's optimiser and the default one, judged on test trials:
  ceinms-torch compare calibrate.xml --methods annealing,adamw,lm --test 'trials/run*/inputData.xml'

Both tendons, and how much the result depends on where the search begins:
  ceinms-torch compare calibrate.xml --methods adamw,lm --tendons stiff,equilibriumElastic --seeds 5

Which recipe and which force curves predict best, on trials held out in turn:
  ceinms-torch compare calibrate.xml --recipes files,recommended --curves file,degroote,millard
    --test 'trials/walk*/inputData.xml' --seeds 3

The paper's comparison on both engines, with synergies for MTUs without a recording:
  ceinms-torch compare calibrate.xml --methods annealing,adamw,adamw-hybrid --engines fused,tensor

Tables and figure once more, from what an earlier comparison wrote:
  ceinms-torch compare --from calibrate_results/compare
"""

STUDY = "compare"
RECIPE_STUDY = "recipes"


def command(
    setup: opt.SetupOfStudy = None,
    methods: opt.Methods = "",
    engines: opt.Engines = "fused",
    tendons: Annotated[
        str,
        typer.Option(
            help="Of stiff, equilibriumElastic and rosenbrockElastic, with commas between; of the "
            "two elastic ones CEINMS's annealing always takes the former, all else the latter. The "
            "calibration file's by default."
        ),
    ] = "",
    test: opt.Test = None,
    seeds: opt.Seeds = None,
    recipes: Annotated[
        str,
        typer.Option(
            help="Of files and recommended, with commas between: compare what the files say with "
            "the recommended recipe, on trials held out. With --curves alone, both."
        ),
    ] = "",
    curves: Annotated[
        str,
        typer.Option(
            help="Of file, degroote and millard, with commas between: force curves to compare on "
            "trials held out. With --recipes alone, file and degroote."
        ),
    ] = "",
    by_condition: Annotated[
        bool,
        typer.Option("--by-condition", help="Recipes: hold out conditions in turn, not trials."),
    ] = False,
    folds: opt.Folds = None,
    conditions: opt.Conditions = None,
    jobs: opt.Jobs = 2,
    max_evaluations: Annotated[
        int | None,
        typer.Option(min=1, help="Largest budget of the annealing, instead of its maxNoEval."),
    ] = None,
    threads: opt.Threads = 1,
    out: opt.Out = None,
    source: opt.Source = None,
    quiet: opt.Quiet = False,
) -> None:
    """Calibrate a subject by several methods, and judge all alike.

    Same data, same objective, same seeds. Every method runs once, from the subject's values; with
    --seeds gradient methods begin at random points and the annealing is its modern variant. Shows
    cost, objectives, accuracy on calibration and test trials beside the uncalibrated subject, and
    whether differences are significant; writes result.json with all of it and the figure
    comparison.png and .svg. Ctrl-C ends it and keeps what is complete.

    With --recipes or --curves it compares these instead, each trial of the setup file and of --test
    held out in turn; says which predicts best and by how much against the noise of seeds, and
    writes the winner as files to calibrate by, into winner/.
    """
    if recipes or curves or (setup is None and source is not None and _is_of_recipes(source)):
        for name, value in {
            "--methods": methods,
            "--tendons": tendons,
            "--max-evaluations": max_evaluations,
        }.items():
            if value:
                raise OptionError(
                    where=name, expected="none, with --recipes or --curves", got=str(value)
                )
        run_study(
            RECIPE_STUDY,
            setup,
            out=out,
            source=source,
            compute=lambda setup, directory: _run_recipes(
                setup,
                directory,
                opt.words(recipes),
                opt.words(curves),
                list(range(seeds or 1)),
                test,
                folds=folds,
                by_condition=by_condition or conditions is not None,
                conditions=conditions,
                jobs=jobs,
                quiet=quiet,
            ),
            finish=_finish_recipes,
            quiet=quiet,
        )
        return
    for name, one in {
        "--folds": folds,
        "--conditions": conditions,
        "--by-condition": by_condition,
    }.items():
        if one:
            raise OptionError(where=name, expected="none, without --recipes", got=str(one))
    run_study(
        STUDY,
        setup,
        out=out,
        source=source,
        compute=lambda setup, directory: _run(
            setup,
            directory / CHECKPOINT_FILE,
            opt.words(methods),
            opt.engines(engines),
            opt.words(tendons),
            list(range(seeds or 0)),
            test,
            max_evaluations=max_evaluations,
            threads=threads,
            quiet=quiet,
        ),
        finish=_finish,
        quiet=quiet,
    )


def _is_of_recipes(source: Path) -> bool:
    """Tell whether earlier results are those of a comparison of recipes."""
    file = source / RESULT_FILE if source.is_dir() else source
    content = read_json(file, "a result file", "Name the --out folder of an earlier comparison")
    return content.get("study") == RECIPE_STUDY


def _finish_recipes(result: StudyResult, _: Path) -> StudyResult:
    """Make the tables of what was calibrated."""
    from ceinms_torch.studies.recipes import RecipeStudy, notes_of, tables_of  # noqa: PLC0415

    study = revived(RecipeStudy, result.data)
    return dataclasses.replace(result, tables=tables_of(study), notes=notes_of(study))


def _run_recipes(
    setup: Path,
    directory: Path,
    recipes: list[str],
    curves: list[str],
    seeds: list[int],
    test: list[Path] | None,
    *,
    folds: int | None,
    by_condition: bool,
    conditions: str | None,
    jobs: int,
    quiet: bool,
) -> StudyResult:
    from ceinms_torch.studies.recipes import (  # noqa: PLC0415
        choices_of,
        folds_of,
        study_recipes,
        write_choice,
    )
    from ceinms_torch.studies.result_file import StudyResult  # noqa: PLC0415

    folder, tests, inputs = read_inputs(setup, test)
    choices = choices_of(recipes, curves)
    names = [trial.name for trial in (*folder.trials, *tests.values())]
    parts = folds_of(names, folds, by_condition=by_condition, pattern=conditions)
    n_cell = len(choices) * len(seeds) * len(parts)
    with study_progress("comparing", n_cell, quiet=quiet) as show:
        study = study_recipes(
            folder,
            tests,
            choices,
            directory,
            inputs,
            setup=setup,
            files=test or (),
            seeds=seeds,
            folds=parts,
            jobs=jobs,
            progress=show,
        )
    write_choice(folder, study.winner, list(tests.values()), directory / "winner")
    return StudyResult(
        study=RECIPE_STUDY,
        options={
            "setup": setup.name,
            "recipes": recipes,
            "curves": curves,
            "seeds": seeds,
            "folds": folds,
            "by_condition": by_condition,
            "conditions": conditions,
            "test": list(map(str, test or ())),
        },
        data=plain(study),
        inputs=inputs,
    )


def _finish(result: StudyResult, directory: Path) -> StudyResult:
    from ceinms_torch.plots.compare import comparison_figure  # noqa: PLC0415  slow to load
    from ceinms_torch.plots.style import save_figure  # noqa: PLC0415
    from ceinms_torch.studies.comparison import Comparison  # noqa: PLC0415

    save_figure(comparison_figure(revived(Comparison, result.data)), directory, "comparison")
    return result


def _run(
    setup: Path,
    checkpoint: Path,
    methods: list[str],
    engines: tuple[EngineName, ...],
    tendons: list[str],
    seeds: list[int],
    test: list[Path] | None,
    *,
    max_evaluations: int | None,
    threads: int,
    quiet: bool,
) -> StudyResult:
    from ceinms_torch.studies.compare import (  # noqa: PLC0415
        candidates_of,
        compare,
        usual_methods,
    )
    from ceinms_torch.studies.compare_tables import notes_of, tables_of  # noqa: PLC0415
    from ceinms_torch.studies.result_file import StudyResult  # noqa: PLC0415

    folder, tests, inputs = read_inputs(setup, test)
    methods = methods or usual_methods(folder.plan)
    candidates = candidates_of(folder.plan, methods, tendons, seeds, engines)
    with study_progress("comparing", len(candidates), quiet=quiet) as show:

        def progress(candidate: Candidate, number: int, iteration: Iteration) -> None:
            state = f"{candidate.group}: objective {iteration.objective:.5g}"
            show(number, state + (f", seed {candidate.seed}" if seeds else ""))

        comparison = compare(
            folder,
            candidates,
            tests=tests,
            max_evaluations=max_evaluations,
            threads=threads,
            progress=progress,
            checkpoint=checkpoint,
        )
        if comparison.is_complete:
            show(len(candidates), "")
    return StudyResult(
        study=STUDY,
        options={
            "setup": setup.name,
            "methods": methods,
            "engines": engines,
            "tendons": list(dict.fromkeys(one.tendon for one in candidates)),
            "seeds": seeds,
            "max_evaluations": max_evaluations,
            "threads": threads,
        },
        tables=tables_of(comparison),
        data=plain(comparison),
        notes=notes_of(comparison),
        is_complete=comparison.is_complete,
        inputs=inputs,
    )
