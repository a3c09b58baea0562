"""``ceinms-torch study muscle``: does the muscle model reproduce a measured muscle."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ceinms_torch.cli.display import note, shown_warnings
from ceinms_torch.cli.study_display import StudyProgress, show_study
from ceinms_torch.errors import OptionError, wording
from ceinms_torch.io.paths import check_writable

if TYPE_CHECKING:
    from ceinms_torch.studies.result_file import StudyResult

EXAMPLES = """
[bold]Examples[/]

The rat soleus, fitted to the largest displacement and tested on the others:
  ceinms-torch study muscle rat_soleus/trial*.csv --out muscle

A muscle of your own, its parameters in a subject file with one MTU:
  ceinms-torch study muscle slow.csv fast.csv --subject muscle.xml --out muscle

The tables and figures once more:
  ceinms-torch study muscle --from muscle
"""

STUDY = "muscle"
INTERRUPTED = 130  # what shells report for Ctrl-C


def muscle_command(
    recordings: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="DATA.csv...",
            help="At least two recordings of one muscle: columns time_s, length_m or "
            "displacement_mm, force_N and, unless it was excited fully from the first row on, "
            "activation.",
        ),
    ] = None,
    subject: Annotated[
        Path | None,
        typer.Option(help="subject.xml with one MTU, where fits begin; the rat soleus by default."),
    ] = None,
    offset: Annotated[
        float,
        typer.Option(
            help="MTU length at displacement_mm = 0, less tendonSlackLength and the projected "
            "optimalFibreLength, in mm."
        ),
    ] = -2.0,
    reference_force: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="Force that errors are divided by, in N; the subject's maxIsometricForce by "
            "default, measured 1.17 N for the rat soleus.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("muscle"),
    source: Annotated[
        Path | None, typer.Option("--from", help="Folder of an earlier study, to draw once more.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no tables.")] = False,
) -> None:
    """Fit a muscle with each of four tendons to one recording, and predict the others.

    Stiff, equilibrium elastic (CEINMS), damped equilibrium and Rosenbrock: maximum isometric
    force, tendon slack length and optimal fibre length are fitted to the recording of the largest
    displacement. Writes result.json, tables.md and the figures forces and errors as PNG and SVG.
    """
    from ceinms_torch.studies.result_file import StudyResult  # noqa: PLC0415  keeps --help fast

    if (not recordings) == (source is None):
        got = "neither" if not recordings else "both"
        raise OptionError(wording("muscle", "recordings, or --from with a folder", got))
    if reference_force == 0.0:
        raise OptionError(wording("--reference-force", "a force above zero [N]", "0"))
    if source is not None:
        out = source if source.is_dir() else source.parent
        result = StudyResult.read(source, STUDY)
        check_writable(out)
    else:
        check_writable(out)
        result = _run(recordings or [], subject, offset, reference_force, quiet=quiet)
    result = _finish(result, out)
    if not quiet:
        show_study(result, out)


def _run(
    recordings: list[Path],
    subject: Path | None,
    offset: float,
    reference_force: float | None,
    *,
    quiet: bool,
) -> StudyResult:
    from ceinms_torch.io.plain import plain  # noqa: PLC0415
    from ceinms_torch.results.provenance import file_hashes  # noqa: PLC0415
    from ceinms_torch.studies.muscle import study_muscle  # noqa: PLC0415  keeps --help fast
    from ceinms_torch.studies.muscle_models import MODELS  # noqa: PLC0415
    from ceinms_torch.studies.result_file import StudyResult  # noqa: PLC0415

    with shown_warnings() as warnings, StudyProgress("fitting", len(MODELS), quiet=quiet) as bar:
        try:
            study = study_muscle(
                recordings,
                subject,
                offset=offset,
                reference_force=reference_force,
                progress=bar.show,
            )
        except KeyboardInterrupt:
            note("interrupted; nothing was written")
            raise typer.Exit(INTERRUPTED) from None
        bar.show(len(MODELS), "")
    files = [*recordings, *([subject] if subject is not None else [])]
    return StudyResult(
        study=STUDY,
        options={
            "subject": None if subject is None else str(subject),
            "offset": offset,
            "reference_force": study.reference_force,
        },
        tables=(),
        data=plain(study),
        warnings=tuple(warnings),
        inputs=file_hashes(files, recordings[0]),
    )


def _finish(result: StudyResult, directory: Path) -> StudyResult:
    """Make tables and figures of what was simulated, and write all."""
    from ceinms_torch.io.paths import write_atomically  # noqa: PLC0415
    from ceinms_torch.io.plain import revived  # noqa: PLC0415
    from ceinms_torch.plots.muscle import (  # noqa: PLC0415  slow to load
        muscle_errors_figure,
        muscle_forces_figure,
    )
    from ceinms_torch.plots.style import save_figure  # noqa: PLC0415
    from ceinms_torch.studies import muscle_tables  # noqa: PLC0415
    from ceinms_torch.studies.muscle import MuscleStudy  # noqa: PLC0415

    study = revived(MuscleStudy, result.data)
    tables = muscle_tables.tables_of(study)
    notes = muscle_tables.notes_of(study)
    result = dataclasses.replace(result, tables=tables, notes=notes)
    save_figure(muscle_forces_figure(study), directory, "forces")
    save_figure(muscle_errors_figure(study), directory, "errors")
    text = muscle_tables.document(tables, notes)
    write_atomically(directory / "tables.md", text.encode())
    result.write(directory)
    return result
