"""``ceinms-torch study calibration``: how well, how fast and how surely each method calibrates."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ceinms_torch.cli.study import read_inputs, run_study, study_progress
from ceinms_torch.terminal import options as opt

if TYPE_CHECKING:
    from ceinms_torch.studies.calibration import CalibrationOptions
    from ceinms_torch.studies.result_file import StudyResult

EXAMPLES = """
[bold]Examples[/]

Every method with ten seeds, judged on test trials; validation over all trials named:
  ceinms-torch study calibration calibrate.xml --test 'trials/run*/inputData.xml'

The annealing with the budget of its file, and conditions by what names begin with:
  ceinms-torch study calibration calibrate.xml --test 'trials/run*/inputData.xml' --full
    --conditions '^(walk|run)' --out study

The paper's comparison (Figs. 2, 3, S2 and S3), the annealing as long as its file says:
  ceinms-torch study calibration calibrate.xml --methods annealing,adamw,adamw-hybrid
    --engines fused,tensor --full --test 'trials/run*/inputData.xml'

Tables and figures once more:
  ceinms-torch study calibration --from study
"""

STUDY = "calibration"


def command(
    setup: opt.SetupOfStudy = None,
    test: opt.Test = None,
    methods: opt.Methods = "",
    engines: opt.Engines = "fused",
    seeds: opt.Seeds = None,
    lm_starts: Annotated[
        int, typer.Option(min=1, help="lm is run once more with so many starts; 1 for not.")
    ] = 32,
    full: Annotated[
        bool,
        typer.Option("--full", help="Give the annealing the budget of its file, which takes long."),
    ] = False,
    validation: Annotated[
        bool, typer.Option(help="Validate, and calibrate on fewer trials.")
    ] = True,
    folds: opt.Folds = None,
    conditions: opt.Conditions = None,
    jobs: opt.Jobs = 2,
    out: opt.Out = None,
    source: opt.Source = None,
    quiet: opt.Quiet = False,
) -> None:
    """Compare all methods over seeds, validate, and say how many trials are enough.

    Accuracy on calibration and test trials, time, spread of parameters between ten seeds, or as
    many as --seeds says; every trial and every condition predicted by a calibration on the others;
    error and cost over the number of trials. Writes result.json with all tables, the figures
    calibration and comparison as png and svg, and every calibration as it ends: after Ctrl-C the
    same command goes on where it was.
    """
    from ceinms_torch.studies.calibration import CalibrationOptions  # noqa: PLC0415  slow to load

    options = CalibrationOptions(
        methods=tuple(opt.words(methods)),
        engines=opt.engines(engines),
        lm_starts=lm_starts,
        full=full,
        validation=validation,
        folds=folds,
        conditions=conditions,
        jobs=jobs,
        **opt.given(seeds=seeds and tuple(range(seeds))),
    )
    run_study(
        STUDY,
        setup,
        out=out,
        source=source,
        compute=lambda setup, directory: _run(setup, test, directory, options, quiet=quiet),
        finish=_finish,
        quiet=quiet,
    )


def _finish(result: StudyResult, directory: Path) -> StudyResult:
    """Make tables and figures of what was calibrated."""
    from ceinms_torch.io.plain import revived  # noqa: PLC0415
    from ceinms_torch.plots.calibration import calibration_figure  # noqa: PLC0415  slow to load
    from ceinms_torch.plots.compare import comparison_figure  # noqa: PLC0415
    from ceinms_torch.plots.style import save_figure  # noqa: PLC0415
    from ceinms_torch.studies.calibration import CalibrationStudy  # noqa: PLC0415
    from ceinms_torch.studies.calibration_tables import all_notes, tables_of  # noqa: PLC0415

    study = revived(CalibrationStudy, result.data)
    save_figure(calibration_figure(study), directory, "calibration")
    save_figure(comparison_figure(study.comparison), directory, "comparison")
    return dataclasses.replace(result, tables=tables_of(study), notes=all_notes(study))


def _run(
    setup: Path,
    test: list[Path] | None,
    directory: Path,
    options: CalibrationOptions,
    *,
    quiet: bool,
) -> StudyResult:
    from ceinms_torch.io.plain import plain  # noqa: PLC0415
    from ceinms_torch.studies.calibration import (  # noqa: PLC0415
        annealing_budget,
        plan_study,
        study_calibration,
    )
    from ceinms_torch.studies.result_file import StudyResult  # noqa: PLC0415

    folder, tests, inputs = read_inputs(setup, test)
    plan = plan_study(folder, tests, options, setup=setup, files=test or ())
    with study_progress("calibrating", len({one.cell for one in plan}), quiet=quiet) as show:
        study = study_calibration(
            plan,
            directory,
            inputs,
            max_evaluations=annealing_budget(folder, options),
            conditions=options.conditions,
            jobs=options.jobs,
            progress=show,
        )
    return StudyResult(
        study=STUDY,
        options=dataclasses.asdict(options) | {"test": list(map(str, test or ()))},
        data=plain(study),
        is_complete=study.comparison.is_complete,
        inputs=inputs,
    )
