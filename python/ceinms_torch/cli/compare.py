"""``ceinms-torch compare``: several calibrations of one subject side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ceinms_torch.cli.calibrate import INTERRUPTED
from ceinms_torch.cli.display import shown_warnings
from ceinms_torch.cli.study_display import StudyProgress, show_study
from ceinms_torch.errors import OptionError, wording
from ceinms_torch.io.paths import check_writable

if TYPE_CHECKING:
    from ceinms_torch.calibration.result import Iteration
    from ceinms_torch.studies.comparison import Candidate
    from ceinms_torch.studies.result_file import StudyResult

EXAMPLES = """
[bold]Examples[/]

The annealing of CEINMS, the paper's optimiser and the default one, judged on two unseen trials:
  ceinms-torch compare calibrate.xml --methods annealing,adamw,lm --test trials/walk5/inputData.xml
    --test trials/walk6/inputData.xml --out comparison

Both tendons, and how much the result depends on where the search begins:
  ceinms-torch compare calibrate.xml --methods adamw,lm --tendons stiff,elastic --seeds 1,2,3,4,5

Tables and figure once more, from what an earlier comparison wrote:
  ceinms-torch compare --from comparison
"""

STUDY = "compare"


def compare_command(
    setup: Annotated[
        Path | None, typer.Argument(help="Calibration setup file, as for CEINMScalibrate -S.")
    ] = None,
    methods: Annotated[
        str,
        typer.Option(
            help="Of annealing, adamw, lbfgs and lm, with commas between; by default all but "
            "lbfgs, the annealing only where the calibration file has settings for it."
        ),
    ] = "",
    tendons: Annotated[
        str, typer.Option(help="Of stiff and elastic; the calibration file's by default.")
    ] = "",
    test: Annotated[
        list[Path] | None,
        typer.Option(help="inputData.xml of an unseen trial to judge on; may be repeated."),
    ] = None,
    seeds: Annotated[
        str,
        typer.Option(
            help="Repeat everything with these seeds, such as 1,2,3: gradient methods from random "
            "starts, the annealing in its modern variant. By default every method runs once, from "
            "the subject's values."
        ),
    ] = "",
    max_evaluations: Annotated[
        int | None,
        typer.Option(min=1, help="Largest budget of the annealing, instead of its maxNoEval."),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads; results do not depend on it.")] = 1,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; NAME_comparison by default.")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="Folder of an earlier comparison, to draw once more."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no tables.")] = False,
) -> None:
    """Calibrate a subject by several methods, and judge all alike.

    Same data, same objective, same seeds. Shows cost, objectives, accuracy on own and unseen
    trials beside the uncalibrated subject, and whether differences are significant; writes
    result.json with all of it and the figure comparison.png and .svg. Ctrl-C ends it and keeps
    what is complete.
    """
    from ceinms_torch.io.plain import revived  # noqa: PLC0415
    from ceinms_torch.plots.compare import comparison_figure  # noqa: PLC0415  keeps --help fast
    from ceinms_torch.plots.style import save_figure  # noqa: PLC0415
    from ceinms_torch.studies.comparison import Comparison  # noqa: PLC0415
    from ceinms_torch.studies.result_file import StudyResult  # noqa: PLC0415

    if setup is not None and source is not None:
        raise _wrong("both")
    if source is not None:
        result = StudyResult.read(source, STUDY)
        directory = out or (source if source.is_dir() else source.parent)
        check_writable(directory)
    elif setup is not None:
        directory = out or setup.parent / f"{setup.stem}_comparison"
        check_writable(directory)
        result = _run(
            setup,
            methods=_words(methods),
            tendons=_words(tendons),
            seeds=_seeds(seeds),
            tests=test or [],
            max_evaluations=max_evaluations,
            threads=threads,
            quiet=quiet,
        )
    else:
        raise _wrong("neither")
    if source is None or out is not None:
        result.write(directory)
    save_figure(comparison_figure(revived(Comparison, result.data)), directory, "comparison")
    if not quiet:
        # One row per parameter, of which there are many: in the figure and in the file.
        show_study(result, directory, leave_out=("Parameters within their ranges, 0 to 1",))
    if not result.is_complete:
        raise typer.Exit(INTERRUPTED)


def _wrong(got: str) -> OptionError:
    return OptionError(wording("compare", "a setup file, or --from with a folder", got))


def _words(text: str) -> list[str]:
    return [word for word in text.replace(",", " ").split() if word]


def _seeds(text: str) -> list[int]:
    words = _words(text)
    if not all(word.isdecimal() for word in words):
        raise OptionError(wording("--seeds", "whole numbers >= 0, such as 1,2,3", repr(text)))
    return [int(word) for word in words]


def _run(
    setup: Path,
    *,
    methods: list[str],
    tendons: list[str],
    seeds: list[int],
    tests: list[Path],
    max_evaluations: int | None,
    threads: int,
    quiet: bool,
) -> StudyResult:
    from ceinms_torch.inputs.folder import CalibrationFolder  # noqa: PLC0415
    from ceinms_torch.io.plain import plain  # noqa: PLC0415
    from ceinms_torch.results.provenance import file_hashes  # noqa: PLC0415
    from ceinms_torch.studies.compare import (  # noqa: PLC0415
        candidates_of,
        compare,
        usual_methods,
    )
    from ceinms_torch.studies.compare_tables import notes_of, tables_of  # noqa: PLC0415
    from ceinms_torch.studies.result_file import StudyResult  # noqa: PLC0415

    with shown_warnings() as warnings:
        folder = CalibrationFolder.read(setup)
        candidates = candidates_of(
            folder.plan, methods or usual_methods(folder.plan), tendons, seeds
        )
        trials = folder.read_tests(tests)
        with StudyProgress("comparing", len(candidates), quiet=quiet) as bar:

            def progress(candidate: Candidate, number: int, iteration: Iteration) -> None:
                state = f"{candidate.group}: objective {iteration.objective:.5g}"
                bar.show(number, state + (f", seed {candidate.seed}" if seeds else ""))

            comparison = compare(
                folder,
                candidates,
                tests=trials,
                max_evaluations=max_evaluations,
                threads=threads,
                progress=progress,
            )
            if comparison.is_complete:
                bar.show(len(candidates), "")
    files = [*folder.files(), *(file for trial in trials.values() for file in trial.files)]
    return StudyResult(
        study=STUDY,
        options={
            "setup": setup.name,
            "methods": list(dict.fromkeys(one.method for one in candidates)),
            "tendons": list(dict.fromkeys(one.tendon for one in candidates)),
            "seeds": seeds,
            "max_evaluations": max_evaluations,
            "threads": threads,
        },
        tables=tables_of(comparison),
        data=plain(comparison),
        notes=notes_of(comparison, max_evaluations),
        warnings=tuple(warnings),
        is_complete=comparison.is_complete,
        inputs=file_hashes(files, folder.setup.path),
    )
