"""``ceinms-torch study electrodes``: how few electrodes are enough."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ceinms_torch.cli.study import read_inputs, run_study, study_progress
from ceinms_torch.errors import OptionError
from ceinms_torch.terminal import options as opt

if TYPE_CHECKING:
    from ceinms_torch.studies.electrodes import ElectrodeOptions
    from ceinms_torch.studies.result_file import StudyResult

EXAMPLES = """
[bold]Examples[/]

On four cores, judged on test trials:
  ceinms-torch study electrodes calibrate.xml --test 'trials/run*/inputData.xml' --jobs 4

As the paper did it, and whether its conclusion holds:
  ceinms-torch study electrodes calibrate.xml --protocol paper --jobs 4

The smallest set of electrodes whose moments on test trials are within 10 % of those of all:
  ceinms-torch study electrodes calibrate.xml --test trials/walk5/inputData.xml --recommend 0.1

Three numbers of electrodes only, and the figure once more:
  ceinms-torch study electrodes calibrate.xml --counts 5,3,2 --out electrodes
  ceinms-torch study electrodes --from electrodes
"""

STUDY = "electrodes"


def command(
    setup: opt.SetupOfStudy = None,
    test: opt.Test = None,
    counts: Annotated[
        str, typer.Option(help="Numbers of electrodes to keep, such as 5,3,2; all by default.")
    ] = "",
    protocol: Annotated[
        Literal["multi-start", "paper"],
        typer.Option(
            help="Search from several random starts, the hybrid from where EMG-driven ends; or as "
            "the paper, by AdamW, both from the uncalibrated subject."
        ),
    ] = "multi-start",
    synergies: opt.Synergies = None,
    seeds: opt.Seeds = None,
    starts: opt.Starts = None,
    jobs: opt.Jobs = 2,
    recommend: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            metavar="MARGIN",
            help="Name the smallest set of electrodes whose moment RMSE on test trials is at "
            "most this share above that with all electrodes, such as 0.1.",
        ),
    ] = None,
    out: opt.Out = None,
    source: opt.Source = None,
    quiet: opt.Quiet = False,
) -> None:
    """Remove electrodes one after the other, and calibrate without and with synergies.

    Every electrode is dropped alone, and the one whose loss matters least is removed first. At
    every count the subject is calibrated EMG-driven and synergy-hybrid, by default with 4
    synergies (fewer where fewer electrodes are left), 5 seeds and 8 starts of each calibration.
    Writes result.json with all tables, the figure electrodes.png and .svg, and every calibration as
    it ends: after Ctrl-C the same command goes on where it was.
    """
    from ceinms_torch.studies.electrodes import ElectrodeOptions  # noqa: PLC0415  keeps --help fast

    if recommend is not None and source is None and not test:
        raise OptionError(where="--recommend", expected="test trials, with --test", got="none")
    options = ElectrodeOptions(
        counts=_counts(counts),
        jobs=jobs,
        protocol=protocol,
        **opt.given(
            seeds=seeds and tuple(range(seeds)),
            starts=1 if starts is None and protocol == "paper" else starts,
            n_synergy=opt.synergy_number(synergies),
        ),
    )
    run_study(
        STUDY,
        setup,
        out=out,
        source=source,
        compute=lambda setup, directory: _run(setup, test or (), directory, options, quiet=quiet),
        finish=lambda result, directory: _finish(result, directory, recommend),
        quiet=quiet,
    )


def _finish(result: StudyResult, directory: Path, margin: float | None) -> StudyResult:
    """Make tables and figure of what was calibrated."""
    from ceinms_torch.io.plain import revived  # noqa: PLC0415
    from ceinms_torch.plots.electrodes import electrodes_figure  # noqa: PLC0415  slow to load
    from ceinms_torch.plots.style import save_figure  # noqa: PLC0415
    from ceinms_torch.studies import electrode_tables as tables  # noqa: PLC0415
    from ceinms_torch.studies.electrodes import ElectrodeStudy  # noqa: PLC0415

    study = revived(ElectrodeStudy, result.data)
    found = None if margin is None else tables.recommend(study, margin)
    save_figure(electrodes_figure(study), directory, "electrodes")
    return dataclasses.replace(
        result,
        options={**result.options, "recommend": margin},
        tables=tables.tables_of(study),
        notes=tables.notes_of(study, found),
    )


def _run(
    setup: Path,
    test: Sequence[Path],
    directory: Path,
    options: ElectrodeOptions,
    *,
    quiet: bool,
) -> StudyResult:
    from ceinms_torch.io.plain import plain  # noqa: PLC0415
    from ceinms_torch.studies.electrodes import n_calibrations, study_electrodes  # noqa: PLC0415
    from ceinms_torch.studies.result_file import StudyResult  # noqa: PLC0415

    folder, _, inputs = read_inputs(setup, test)
    with study_progress("calibrating", n_calibrations(folder, options), quiet=quiet) as show:
        study = study_electrodes(folder, setup, test, directory, inputs, options, show)
    return StudyResult(
        study=STUDY,
        options=dataclasses.asdict(options) | {"test": list(map(str, test))},
        data=plain(study),
        inputs=inputs,
    )


def _counts(text: str) -> tuple[int, ...] | None:
    numbers = opt.words(text)
    if not all(number.isdecimal() for number in numbers):
        raise OptionError(where="--counts", expected="whole numbers, such as 5,3,2", got=repr(text))
    return tuple(map(int, numbers)) or None
