"""``ceinms-torch synergies``: few commands that explain what the electrodes recorded."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ceinms_torch.cli.display import shown_warnings
from ceinms_torch.cli.study_display import StudyProgress, show_study
from ceinms_torch.errors import OptionError, wording
from ceinms_torch.io.paths import check_writable

if TYPE_CHECKING:
    from ceinms_torch.studies.synergies import SynergyStudy

EXAMPLES = """
[bold]Examples[/]

Factorise the trials of a calibration, and choose the number of synergies:
  ceinms-torch synergies calibrate.xml --out synergies

By the joint moments that a calibrated subject predicts on trials left out:
  ceinms-torch synergies calibrate.xml --subject results/subjectCalibrated.xml --out synergies

As the paper does it, four synergies of every trial's own, over all signals of two trials:
  ceinms-torch synergies trials/walk1/inputData.xml trials/walk2/inputData.xml --number 4
    --weightings trial --out synergies

Primitives as sums of five Gaussians over a gait cycle:
  ceinms-torch synergies calibrate.xml --gaussian 5 --cyclic --out synergies
"""

STUDY = "synergies"


class Rule(StrEnum):
    """Rules for the number of synergies."""

    vaf = "vaf"
    held_out = "held-out"
    moments = "moments"


class Weightings(StrEnum):
    """Whose the weightings are."""

    shared = "shared"
    trial = "trial"


def synergies_command(
    inputs: Annotated[
        list[Path],
        typer.Argument(help="A calibration setup file, or the inputData.xml of one trial or more."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
    number: Annotated[
        str, typer.Option(help="Number of synergies, or auto to choose it.", metavar="N|auto")
    ] = "auto",
    threshold: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Variance to account for, by the rule vaf.")
    ] = 0.85,
    rule: Annotated[
        Rule | None,
        typer.Option(
            help="What decides: VAF over the threshold (the paper's), channels as if not recorded "
            "on trials left out, or moments on trials left out. By default the last of these that "
            "can be followed: moments with --subject, held-out with two trials."
        ),
    ] = None,
    subject: Annotated[
        Path | None,
        typer.Option(help="A calibrated subject, whose moments on trials left out are compared."),
    ] = None,
    weightings: Annotated[
        Weightings, typer.Option(help="One set for all trials, or one of every trial's own.")
    ] = Weightings.shared,
    gaussian: Annotated[
        int | None, typer.Option(min=1, help="Also fit so many Gaussians to each primitive.")
    ] = None,
    cyclic: Annotated[
        bool,
        typer.Option("--cyclic", help="Trials are whole cycles: Gaussians go on at the start."),
    ] = False,
    replicates: Annotated[int, typer.Option(min=1, help="Random starts; the best is kept.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the starts.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no tables.")] = False,
) -> None:
    """Extract muscle synergies from recorded excitations, and choose their number.

    Non-negative matrix factorisation of the signals that drive MTUs, each signal once. Writes
    primitives, weightings and rebuilt excitations of every trial, result.json, and the figures
    synergies, number and reliability as .png and .svg.
    """
    from ceinms_torch.model.subject import Subject  # noqa: PLC0415  keeps --help fast
    from ceinms_torch.results.provenance import file_hashes  # noqa: PLC0415
    from ceinms_torch.studies.result_file import StudyResult  # noqa: PLC0415
    from ceinms_torch.studies.synergies import read_inputs, study_synergies  # noqa: PLC0415
    from ceinms_torch.studies.synergy_tables import (  # noqa: PLC0415
        data_of,
        notes_of,
        tables_of,
        write_synergies,
    )
    from ceinms_torch.synergies.number import default_numbers  # noqa: PLC0415

    wanted = _number(number)
    check_writable(out)
    with shown_warnings() as warnings:
        read = read_inputs(inputs)
        numbers = default_numbers(len(read.recordings[0].channels))
        n_part = len(numbers) if wanted is None else 1
        with StudyProgress("extracting synergies", n_part, quiet=quiet) as bar:
            study = study_synergies(
                read,
                number=wanted,
                threshold=threshold,
                rule=None if rule is None else _RULES[rule],
                subject=None if subject is None else Subject.read(subject),
                shared=weightings is Weightings.shared,
                n_bump=gaussian,
                cyclic=cyclic,
                replicates=replicates,
                seed=seed,
                callback=lambda n: bar.show(n_part if wanted else n, ""),
            )
    files = [*read.files, *([] if subject is None else [subject])]
    result = StudyResult(
        study=STUDY,
        options={
            "number": number,
            "threshold": threshold,
            "rule": None if rule is None else rule.value,
            "subject": None if subject is None else str(subject),
            "weightings": weightings.value,
            "gaussian": gaussian,
            "cyclic": cyclic,
            "replicates": replicates,
            "seed": seed,
        },
        tables=tables_of(study),
        data=data_of(study),
        notes=notes_of(study),
        warnings=tuple(warnings),
        inputs=file_hashes(files, inputs[0]),
    )
    write_synergies(study, out)
    _draw(study, out)
    result.write(out)  # last: it says that everything beside it is complete
    if not quiet:
        show_study(result, out)


_RULES = {Rule.vaf: "vaf", Rule.held_out: "held-out", Rule.moments: "score"}


def _number(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) == 0:
        raise OptionError(wording("--number", "a whole number >= 1, or auto", repr(text)))
    return int(text)


def _draw(study: SynergyStudy, directory: Path) -> None:
    from ceinms_torch.plots.style import save_figure  # noqa: PLC0415  slow to load
    from ceinms_torch.plots.synergies import (  # noqa: PLC0415
        number_figure,
        reliability_figure,
        synergies_figure,
    )

    first = study.recordings[0].name
    figures = {
        "synergies": synergies_figure(study.recordings, study.synergies, first),
        "number": number_figure(study.choice, study.recorded_moment_error),
    }
    if study.reliability is not None:
        figures["reliability"] = reliability_figure(study.reliability)
    for name, figure in figures.items():
        save_figure(figure, directory, name)
