"""``ceinms-torch synergies``: few commands that explain what the electrodes recorded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ceinms_torch.cli.study import run_study, study_progress
from ceinms_torch.io.paths import check_overwrites_none
from ceinms_torch.terminal import options as opt

if TYPE_CHECKING:
    from ceinms_torch.studies.result_file import StudyResult
    from ceinms_torch.studies.synergies import SynergyStudy

EXAMPLES = """
[bold]Examples[/]

Factorise the trials of a calibration, and choose the number of synergies:
  ceinms-torch synergies calibrate.xml

By the joint moments that a calibrated subject predicts on trials left out:
  ceinms-torch synergies calibrate.xml --subject results/subjectCalibrated.xml

As the paper does it, four synergies of every trial's own, over all signals of two trials:
  ceinms-torch synergies trials/walk1/inputData.xml trials/walk2/inputData.xml
    --synergies 4 --per-trial --out synergies

Primitives as sums of five Gaussians over a gait cycle:
  ceinms-torch synergies calibrate.xml --gaussian 5 --cyclic
"""

STUDY = "synergies"


def command(
    inputs: Annotated[
        list[Path],
        typer.Argument(help="A calibration setup file, or the inputData.xml of one trial or more."),
    ],
    out: opt.Out = None,
    synergies: opt.Synergies = None,
    threshold: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Variance to account for, by the rule vaf.")
    ] = 0.85,
    rule: Annotated[
        Literal["vaf", "held-out", "moments"] | None,
        typer.Option(
            help="What decides: VAF over the threshold (the paper's), channels as if not recorded "
            "on trials left out, or moments on trials left out. By default the last of these that "
            "can be followed: moments with --subject, held-out with two trials."
        ),
    ] = None,
    subject: opt.SubjectFile = None,
    per_trial: Annotated[
        bool,
        typer.Option("--per-trial", help="Weightings of each trial, not one set for all of them."),
    ] = False,
    gaussian: Annotated[
        int | None, typer.Option(min=1, help="Also fit so many Gaussians to each primitive.")
    ] = None,
    cyclic: Annotated[
        bool,
        typer.Option("--cyclic", help="Trials are whole cycles: Gaussians go on at the start."),
    ] = False,
    starts: opt.Starts = None,
    seed: opt.Seed = 0,
    quiet: opt.Quiet = False,
) -> None:
    """Extract muscle synergies from recorded excitations, and choose their number.

    Non-negative matrix factorisation of the signals that drive MTUs, each signal once, by default
    from 20 random starts. The number is chosen unless --synergies gives it; --subject, a
    calibrated one, lets moments on trials left out choose. Writes primitives, weightings and
    rebuilt excitations of every trial, result.json, and the figures synergies, number and
    reliability as .png and .svg.
    """
    options = {
        "synergies": opt.synergy_number(synergies) or "auto",
        "threshold": threshold,
        "rule": rule,
        "subject": None if subject is None else str(subject),
        "per_trial": per_trial,
        "gaussian": gaussian,
        "cyclic": cyclic,
        "starts": starts,
        "seed": seed,
    }
    found: list[SynergyStudy] = []

    def compute(_: Path, directory: Path) -> StudyResult:
        result, study = _run(inputs, options, directory, quiet=quiet)
        found.append(study)
        return result

    def finish(result: StudyResult, directory: Path) -> StudyResult:
        _write(found[0], directory)
        return result

    run_study(STUDY, inputs[0], out=out, compute=compute, finish=finish, quiet=quiet)


def _run(
    inputs: list[Path], options: dict[str, Any], directory: Path, *, quiet: bool
) -> tuple[StudyResult, SynergyStudy]:
    from ceinms_torch.model.subject import Subject  # noqa: PLC0415  keeps --help fast
    from ceinms_torch.results.provenance import file_hashes  # noqa: PLC0415
    from ceinms_torch.studies.result_file import StudyResult  # noqa: PLC0415
    from ceinms_torch.studies.synergies import read_inputs, study_synergies  # noqa: PLC0415
    from ceinms_torch.studies.synergy_tables import (  # noqa: PLC0415
        data_of,
        notes_of,
        tables_of,
        written_files,
    )
    from ceinms_torch.synergies.extraction import REPLICATES  # noqa: PLC0415
    from ceinms_torch.synergies.number import default_numbers  # noqa: PLC0415

    read = read_inputs(inputs)
    names = [one.name for one in read.recordings]
    files = [one.path for one in read.sources if one.path]
    check_overwrites_none(written_files(names, directory), files, "choose another --out")
    number = None if options["synergies"] == "auto" else options["synergies"]
    n_part = 1 if number else len(default_numbers(len(read.recordings[0].channels)))
    model = options["subject"] and Subject.read(options["subject"])
    with study_progress("extracting synergies", n_part, quiet=quiet) as show:
        study = study_synergies(
            read,
            number=number,
            threshold=options["threshold"],
            rule="score" if options["rule"] == "moments" else options["rule"],
            subject=model,
            shared=not options["per_trial"],
            n_bump=options["gaussian"],
            cyclic=options["cyclic"],
            replicates=options["starts"] or REPLICATES,
            seed=options["seed"],
            callback=lambda n: show(n_part if number else n, ""),
        )
    sources = [*read.sources, *([model.document.source] if model and model.document else [])]
    result = StudyResult(
        study=STUDY,
        options=options,
        tables=tables_of(study),
        data=data_of(study),
        notes=notes_of(study),
        inputs=file_hashes(sources, inputs[0]),
    )
    return result, study


def _write(study: SynergyStudy, directory: Path) -> None:
    """Write synergies and draw them."""
    from ceinms_torch.plots.style import save_figure  # noqa: PLC0415  slow to load
    from ceinms_torch.plots.synergies import (  # noqa: PLC0415
        number_figure,
        reliability_figure,
        synergies_figure,
    )
    from ceinms_torch.studies.synergy_tables import write_synergies  # noqa: PLC0415

    write_synergies(study, directory)
    first = study.recordings[0].name
    figures = {
        "synergies": synergies_figure(study.recordings, study.synergies, first),
        "number": number_figure(study.choice, study.recorded_moment_error),
    }
    if study.reliability is not None:
        figures["reliability"] = reliability_figure(study.reliability)
    for name, figure in figures.items():
        save_figure(figure, directory, name)
