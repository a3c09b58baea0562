"""``ceinms-torch study muscle``: does the muscle model reproduce a measured muscle."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ceinms_torch.cli.study import run_study, study_progress
from ceinms_torch.errors import OptionError
from ceinms_torch.terminal import options as opt

if TYPE_CHECKING:
    from ceinms_torch.studies.result_file import StudyResult

EXAMPLES = """
[bold]Examples[/]

The rat soleus, fitted to the largest displacement and tested on the others:
  ceinms-torch study muscle rat_soleus/trial*.csv --out muscle

A muscle of your own, its parameters in a subject file with one MTU, into slow_results/muscle:
  ceinms-torch study muscle slow.csv fast.csv --subject muscle.xml

The tables and figures once more:
  ceinms-torch study muscle --from muscle
"""

STUDY = "muscle"


def command(
    recordings: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="DATA.csv...",
            help="At least two recordings of one muscle: columns time_s, length_m or "
            "displacement_mm, force_N and, unless it was excited fully from the first row on, "
            "activation.",
        ),
    ] = None,
    subject: opt.SubjectFile = None,
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
    out: opt.Out = None,
    source: opt.Source = None,
    quiet: opt.Quiet = False,
) -> None:
    """Fit a muscle with each of four tendons to one recording, and predict the others.

    Stiff, equilibrium elastic (CEINMS), damped equilibrium and Rosenbrock: maximum isometric
    force, tendon slack length and optimal fibre length are fitted to the recording of the largest
    displacement, from those of the one MTU in --subject or else of the rat soleus. Writes
    result.json, tables.md and the figures forces and errors as PNG and SVG.
    """
    if reference_force == 0.0:
        raise OptionError(where="--reference-force", expected="a force above zero [N]", got="0")
    files = recordings or []
    run_study(
        STUDY,
        files[0] if files else None,
        out=out,
        source=source,
        compute=lambda *_: _run(files, subject, offset, reference_force, quiet=quiet),
        finish=_finish,
        quiet=quiet,
    )


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

    with study_progress("fitting", len(MODELS), quiet=quiet) as show:
        study = study_muscle(
            recordings, subject, offset=offset, reference_force=reference_force, progress=show
        )
        show(len(MODELS), "")
    return StudyResult(
        study=STUDY,
        options={
            "subject": None if subject is None else str(subject),
            "offset": offset,
            "reference_force": study.reference_force,
        },
        data=plain(study),
        inputs=file_hashes(study.sources, recordings[0]),
    )


def _finish(result: StudyResult, directory: Path) -> StudyResult:
    """Make tables and figures of what was simulated."""
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
    save_figure(muscle_forces_figure(study), directory, "forces")
    save_figure(muscle_errors_figure(study), directory, "errors")
    text = muscle_tables.document(tables, notes)
    write_atomically(directory / "tables.md", text.encode())
    return dataclasses.replace(result, tables=tables, notes=notes)
