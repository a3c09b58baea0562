"""``ceinms-torch study electrodes``: how few electrodes are enough."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ceinms_torch.cli.display import note, shown_warnings
from ceinms_torch.cli.study_display import StudyProgress, show_study, study_folder
from ceinms_torch.errors import OptionError, wording

if TYPE_CHECKING:
    from ceinms_torch.studies.electrodes import ElectrodeOptions
    from ceinms_torch.studies.result_file import StudyResult

EXAMPLES = """
[bold]Examples[/]

The paper's protocol on two cores, judged on two trials the calibrations have not seen:
  ceinms-torch study electrodes calibrate.xml --test trials/walk5/inputData.xml
    --test trials/walk6/inputData.xml --processes 2 --out electrodes

The smallest set of electrodes whose moments on unseen trials are within 10 % of those of all:
  ceinms-torch study electrodes calibrate.xml --test trials/walk5/inputData.xml --recommend 0.1
    --out electrodes

Three numbers of electrodes only, and the figure once more:
  ceinms-torch study electrodes calibrate.xml --counts 5,3,2 --out electrodes
  ceinms-torch study electrodes --from electrodes
"""

STUDY = "electrodes"
INTERRUPTED = 130  # what shells report for Ctrl-C


def electrodes_command(
    setup: Annotated[
        Path | None, typer.Argument(help="Calibration setup file, as for CEINMScalibrate -S.")
    ] = None,
    test: Annotated[
        list[Path] | None,
        typer.Option(help="inputData.xml of an unseen trial to judge on; may be repeated."),
    ] = None,
    counts: Annotated[
        str, typer.Option(help="Numbers of electrodes to keep, such as 5,3,2; all by default.")
    ] = "",
    synergies: Annotated[
        int, typer.Option(min=1, help="Synergies; fewer where fewer electrodes are left.")
    ] = 4,
    seeds: Annotated[int, typer.Option(min=1, help="Repetitions, each with its own starts.")] = 5,
    starts: Annotated[
        int, typer.Option(min=1, help="Starts of every calibration; the best is kept.")
    ] = 8,
    processes: Annotated[
        int, typer.Option(min=1, help="Processes side by side; results do not depend on it.")
    ] = 2,
    recommend: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            metavar="MARGIN",
            help="Name the smallest set of electrodes whose moment RMSE on unseen trials is at "
            "most this share above that with all electrodes, such as 0.1.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; NAME_electrodes by default.")
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="Folder of an earlier study, to draw once more.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no tables.")] = False,
) -> None:
    """Remove electrodes one after the other, and calibrate without and with synergies.

    Every electrode is dropped alone, and the one whose loss matters least is removed first. At
    every count the subject is calibrated EMG-driven and synergy-hybrid. Writes result.json with
    all tables, the figure electrodes.png and .svg, and every calibration as it ends: after Ctrl-C
    the same command goes on where it was.
    """
    from ceinms_torch.studies.electrodes import ElectrodeOptions  # noqa: PLC0415  keeps --help fast

    if recommend is not None and source is None and not test:
        hint = "Name trials that the calibration has not seen"
        raise OptionError(wording("--recommend", "unseen trials, with --test", "none", hint))
    options = ElectrodeOptions(
        counts=_counts(counts),
        seeds=tuple(range(seeds)),
        starts=starts,
        n_synergy=synergies,
        processes=processes,
    )
    directory, result = study_folder(STUDY, setup, source, out)
    if result is None:
        assert setup is not None  # noqa: S101  for mypy, checked by study_folder
        result = _run(setup, test or [], directory, options, quiet=quiet)
    result = _finish(result, directory, recommend)
    if not quiet:
        show_study(result, directory)


def _finish(result: StudyResult, directory: Path, margin: float | None) -> StudyResult:
    """Make tables and figure of what was calibrated, and write all."""
    from ceinms_torch.io.plain import revived  # noqa: PLC0415
    from ceinms_torch.plots.electrodes import electrodes_figure  # noqa: PLC0415  slow to load
    from ceinms_torch.plots.style import save_figure  # noqa: PLC0415
    from ceinms_torch.studies import electrode_tables as tables  # noqa: PLC0415
    from ceinms_torch.studies.electrodes import ElectrodeStudy  # noqa: PLC0415

    study = revived(ElectrodeStudy, result.data)
    found = None if margin is None else tables.recommend(study, margin)
    result = dataclasses.replace(
        result,
        options={**result.options, "recommend": margin},
        tables=tables.tables_of(study),
        notes=tables.notes_of(study, found),
    )
    save_figure(electrodes_figure(study), directory, "electrodes")
    result.write(directory)
    return result


def _run(
    setup: Path, test: list[Path], directory: Path, options: ElectrodeOptions, *, quiet: bool
) -> StudyResult:
    from ceinms_torch.inputs.folder import CalibrationFolder  # noqa: PLC0415
    from ceinms_torch.io.plain import plain  # noqa: PLC0415
    from ceinms_torch.results.provenance import file_hashes  # noqa: PLC0415
    from ceinms_torch.studies.electrodes import n_calibrations, study_electrodes  # noqa: PLC0415
    from ceinms_torch.studies.result_file import StudyResult  # noqa: PLC0415

    with shown_warnings() as warnings:
        folder = CalibrationFolder.read(setup)
        trials = folder.read_tests(test)
        files = [*folder.files(), *(file for trial in trials.values() for file in trial.files)]
        inputs = file_hashes(files, setup)
        n_part = n_calibrations(folder, options)
        with StudyProgress("calibrating", n_part, quiet=quiet) as bar:
            try:
                study = study_electrodes(folder, setup, test, directory, inputs, options, bar.show)
            except KeyboardInterrupt:
                note(f"interrupted; the same command goes on from {directory / 'cells'}")
                raise typer.Exit(INTERRUPTED) from None
    asked = dataclasses.asdict(options) | {"test": [str(path) for path in test]}
    return StudyResult(
        study=STUDY,
        options=asked,
        tables=(),
        data=plain(study),
        warnings=tuple(warnings),
        inputs=inputs,
    )


def _counts(text: str) -> tuple[int, ...] | None:
    words = text.replace(",", " ").split()
    if not all(word.isdecimal() for word in words):
        raise OptionError(wording("--counts", "whole numbers, such as 5,3,2", repr(text)))
    return tuple(int(word) for word in words) or None
