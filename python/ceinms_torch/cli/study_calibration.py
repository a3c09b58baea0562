"""``ceinms-torch study calibration``: how well, how fast and how surely each method calibrates."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ceinms_torch.cli.calibrate import INTERRUPTED
from ceinms_torch.cli.display import note, shown_warnings
from ceinms_torch.cli.study_display import StudyProgress, show_study, study_folder

if TYPE_CHECKING:
    from ceinms_torch.studies.calibration import CalibrationOptions
    from ceinms_torch.studies.result_file import StudyResult

EXAMPLES = """
[bold]Examples[/]

Every method with ten seeds, judged on two unseen trials; validation over all trials named:
  ceinms-torch study calibration calibrate.xml --test trials/walk5/inputData.xml
    --test trials/run2/inputData.xml --out study

The annealing with the budget of its file, and conditions by what names begin with:
  ceinms-torch study calibration calibrate.xml --test trials/run2/inputData.xml --full
    --conditions '^(walk|run)' --out study

Tables and figures once more:
  ceinms-torch study calibration --from study
"""

STUDY = "calibration"


def calibration_command(
    setup: Annotated[
        Path | None, typer.Argument(help="Calibration setup file, as for CEINMScalibrate -S.")
    ] = None,
    test: Annotated[
        list[Path] | None,
        typer.Option(help="inputData.xml of an unseen trial to judge on; may be repeated."),
    ] = None,
    methods: Annotated[
        str,
        typer.Option(
            help="Of annealing, adamw, lbfgs and lm, with commas between; by default all but "
            "lbfgs, the annealing only where the calibration file has settings for it."
        ),
    ] = "",
    seeds: Annotated[int, typer.Option(min=1, help="Repetitions, each with its own starts.")] = 10,
    starts: Annotated[
        int, typer.Option(min=1, help="lm is run once more with so many starts; 1 for not.")
    ] = 32,
    full: Annotated[
        bool,
        typer.Option("--full", help="Give the annealing the budget of its file, which takes long."),
    ] = False,
    validation: Annotated[
        bool, typer.Option(help="Validate, and calibrate on fewer trials.")
    ] = True,
    folds: Annotated[
        int | None,
        typer.Option(min=2, help="Folds over trials; one trial is left out at a time by default."),
    ] = None,
    conditions: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX",
            help="What in a trial's name is its condition (the first group, else the match); by "
            "default the name without its last part after an underscore, or its last digits.",
        ),
    ] = None,
    processes: Annotated[
        int, typer.Option(min=1, help="Processes side by side; only times depend on it.")
    ] = 2,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; NAME_calibration by default.")
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="Folder of an earlier study, to draw once more.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no tables.")] = False,
) -> None:
    """Compare all methods over seeds, validate, and say how many trials are enough.

    Accuracy on own and unseen trials, time, spread of parameters between seeds; every trial and
    every condition predicted by a calibration on the others; error and cost over the number of
    trials. Writes result.json with all tables, the figures calibration and comparison as png and
    svg, and every calibration as it ends: after Ctrl-C the same command goes on where it was.
    """
    from ceinms_torch.studies.calibration import CalibrationOptions  # noqa: PLC0415  slow to load

    options = CalibrationOptions(
        methods=tuple(methods.replace(",", " ").split()),
        seeds=tuple(range(seeds)),
        starts=starts,
        full=full,
        validation=validation,
        folds=folds,
        conditions=conditions,
        processes=processes,
    )
    directory, result = study_folder(STUDY, setup, source, out)
    if result is None:
        assert setup is not None  # noqa: S101  for mypy, checked by study_folder
        result = _run(setup, test or [], directory, options, quiet=quiet)
    result = _finish(result, directory)
    if not quiet:
        # One row per parameter, of which there are many: in the figure and in the file.
        show_study(result, directory, leave_out=("Parameters within their ranges, 0 to 1",))
    if not result.is_complete:
        raise typer.Exit(INTERRUPTED)


def _finish(result: StudyResult, directory: Path) -> StudyResult:
    """Make tables and figures of what was calibrated, and write all."""
    from ceinms_torch.io.plain import revived  # noqa: PLC0415
    from ceinms_torch.plots.calibration import calibration_figure  # noqa: PLC0415  slow to load
    from ceinms_torch.plots.compare import comparison_figure  # noqa: PLC0415
    from ceinms_torch.plots.style import save_figure  # noqa: PLC0415
    from ceinms_torch.studies.calibration import CalibrationStudy  # noqa: PLC0415
    from ceinms_torch.studies.calibration_tables import all_notes, tables_of  # noqa: PLC0415

    study = revived(CalibrationStudy, result.data)
    result = dataclasses.replace(result, tables=tables_of(study), notes=all_notes(study))
    save_figure(calibration_figure(study), directory, "calibration")
    save_figure(comparison_figure(study.comparison), directory, "comparison")
    result.write(directory)
    return result


def _run(
    setup: Path, test: list[Path], directory: Path, options: CalibrationOptions, *, quiet: bool
) -> StudyResult:
    from ceinms_torch.inputs.folder import CalibrationFolder  # noqa: PLC0415
    from ceinms_torch.io.plain import plain  # noqa: PLC0415
    from ceinms_torch.results.provenance import file_hashes  # noqa: PLC0415
    from ceinms_torch.studies.calibration import (  # noqa: PLC0415
        annealing_budget,
        plan_study,
        study_calibration,
    )
    from ceinms_torch.studies.result_file import StudyResult  # noqa: PLC0415

    with shown_warnings() as warnings:
        folder = CalibrationFolder.read(setup)
        trials = folder.read_tests(test)
        plan = plan_study(folder, trials, options, setup=setup, files=test)
        files = [*folder.files(), *(file for trial in trials.values() for file in trial.files)]
        inputs = file_hashes(files, setup)
        n_part = len({one.cell for one in plan})
        with StudyProgress("calibrating", n_part, quiet=quiet) as bar:
            study = study_calibration(
                plan,
                directory,
                inputs,
                max_evaluations=annealing_budget(folder, options),
                processes=options.processes,
                progress=bar.show,
            )
    if study is None:
        note(f"interrupted; the same command goes on from {directory / 'cells'}")
        raise typer.Exit(INTERRUPTED)
    return StudyResult(
        study=STUDY,
        options=dataclasses.asdict(options) | {"test": [str(path) for path in test]},
        tables=(),
        data=plain(study),
        warnings=tuple(warnings),
        is_complete=study.comparison.is_complete,
        inputs=inputs,
    )
