"""``ceinms-torch compare``: several calibrations of one subject side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ceinms_torch.cli import options as opt
from ceinms_torch.cli.study import read_inputs, run_study, study_progress
from ceinms_torch.io.results import CHECKPOINT_FILE

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

The paper's comparison on both engines, with synergies for MTUs without a recording:
  ceinms-torch compare calibrate.xml --methods annealing,adamw,adamw-hybrid --engines fused,tensor

Tables and figure once more, from what an earlier comparison wrote:
  ceinms-torch compare --from calibrate_results/compare
"""

STUDY = "compare"


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
    """
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


def _finish(result: StudyResult, directory: Path) -> StudyResult:
    from ceinms_torch.io.plain import revived  # noqa: PLC0415
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
    from ceinms_torch.io.plain import plain  # noqa: PLC0415
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
