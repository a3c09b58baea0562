"""``ceinms-torch new``: from a scaled model and a lab's recordings to a complete CEINMS folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ceinms_torch.cli.check import show_findings, summary
from ceinms_torch.cli.emg import band
from ceinms_torch.errors import OptionError
from ceinms_torch.io.paths import check_writable
from ceinms_torch.model.nms_model import TendonKind
from ceinms_torch.terminal import options as opt
from ceinms_torch.terminal.display import note, progress_bar, shown_warnings, stdout
from ceinms_torch.terminal.outputs import claim, say_overwriting, say_where

if TYPE_CHECKING:
    from rich.progress import TaskID

    from ceinms_torch.osim.process import OpenSim

EXAMPLES = """
[bold]Examples[/]

From markers, ground forces and EMG, with OpenSim (pip install 'ceinms-torch\\[opensim]'):
  ceinms-torch new study --model scaled.osim --trials trials.csv --map emg.toml
    --dofs hip_flexion_r,knee_angle_r,ankle_angle_r --tasks ik_tasks.xml --loads grf.xml

From files of MuscleAnalysis and inverse dynamics that trials.csv names, without OpenSim:
  ceinms-torch new study --model scaled.osim --trials trials.csv --map emg.toml --dofs knee_angle_r

The whole way, to a calibrated subject:
  ceinms-torch new study ... --calibrate
"""

_TENDONS: tuple[TendonKind, ...] = ("stiff", "equilibriumElastic", "rosenbrockElastic")


def command(
    study: Annotated[Path, typer.Argument(help="Folder to write.")],
    model: Annotated[Path, typer.Option(help=opt.MODEL)],
    trials: Annotated[
        Path,
        typer.Option(
            help="List of trials (CSV): trial; trc, motion or c3d; emg or envelopes; grf; moments; "
            "muscle_analysis; start \\[s]; stop \\[s]; condition; use (calibration or test)."
        ),
    ],
    emg_map: Annotated[Path, typer.Option("--map", help=opt.EMG_MAP)],
    dofs: Annotated[str, typer.Option(metavar="NAME,...", help=opt.DOFS)],
    tasks: Annotated[
        Path | None, typer.Option(help="Weights of markers for inverse kinematics (IKTaskSet).")
    ] = None,
    loads: Annotated[
        Path | None,
        typer.Option(help="External loads (XML): which ground force acts on which foot."),
    ] = None,
    paths: Annotated[
        Path | None,
        typer.Option(
            help="Polynomials of MTU lengths (FunctionBasedPathSet, of geometry fit) in place of "
            "OpenSim's muscle analysis."
        ),
    ] = None,
    forward: Annotated[str, typer.Option(metavar="AXIS", help=opt.FORWARD)] = "",
    angle_cutoff: Annotated[
        float,
        typer.Option(
            help="Low-pass of the joint angles, before moments, lengths and arms are computed "
            "\\[Hz]: -3 dB of both passes together, fourth order each; 0 for none."
        ),
    ] = 6.0,
    mvc: Annotated[
        list[Path] | None,
        typer.Option(help="Recording of maximal voluntary contractions; may be repeated."),
    ] = None,
    maxima: opt.MaximaFile = None,
    band_pass: opt.BandPass = "30,300",  # noqa: S107  no password
    low_pass: opt.LowPass = 5.0,
    notch: opt.Notch = None,
    delay: Annotated[
        float, typer.Option(help="By how much the recorder's EMG is late, in s.")
    ] = 0.0,
    curves: Annotated[
        Literal["degroote", "millard"],
        typer.Option("--force-curves", help="Force curves of the subject."),
    ] = "degroote",
    tendon: Annotated[TendonKind | None, typer.Option(help=opt.TENDON)] = None,
    contradictions: Annotated[
        Literal["given", "derivative"],
        typer.Option(
            help="Of moment arms that contradict the lengths: keep them, or take minus the "
            "derivative of the length."
        ),
    ] = "given",
    model_is_scaled: Annotated[
        bool,
        typer.Option(
            "--model-is-scaled",
            help="The model is this person's, although none of its bones was scaled.",
        ),
    ] = False,
    opensim_python: opt.OpenSimPython = None,
    calibrate: Annotated[
        bool,
        typer.Option("--calibrate", help="Then calibrate --recommended, and test on test trials."),
    ] = False,
    quiet: opt.Quiet = False,
) -> None:
    """Write a complete CEINMS folder from a scaled model, recordings and an EMG map.

    Subject (parameters of the model; MTUs with a moment arm above 1 mm, those without electrode
    kept, silent), excitation generator, calibration and execution files, setup files and trials.
    What is in no file, OpenSim computes; what it computed for an earlier run is not computed again.
    Checks the model, ground forces against feet and mass, moment arms against lengths, marker
    errors and residuals, and ends with ceinms-torch check. All is written, or nothing. Exit status:
    1 if the check finds errors.
    """
    from ceinms_torch.emg.envelopes import EmgProcessing  # noqa: PLC0415  fast --help
    from ceinms_torch.study_folder.emg import EmgSettings  # noqa: PLC0415
    from ceinms_torch.study_folder.study import StudySettings, new_study  # noqa: PLC0415

    settings = StudySettings(
        model=model,
        trials=trials,
        emg_map=emg_map,
        dofs=_dofs(dofs),
        tasks=tasks,
        loads=loads,
        paths=paths,
        forward=forward,
        lowpass=_cutoff(angle_cutoff),
        emg=EmgSettings(
            processing=EmgProcessing(
                band_pass=band(band_pass), low_pass=low_pass, notch=notch, delay=delay
            ),
            mvc=tuple(mvc or ()),
            maxima=maxima,
        ),
        curves=curves,
        tendon=_tendon(tendon),
        arms=contradictions,
        is_scaled=model_is_scaled,
    )
    check_writable(study, "choose another folder")
    say_overwriting(study / "calibrate.xml")
    claim(study)
    with shown_warnings(), progress_bar(quiet=quiet) as bar:
        tasks_shown: dict[str, TaskID] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks_shown:
                tasks_shown[what] = bar.add_task(what, total=total, state="")
            bar.update(tasks_shown[what], completed=done, total=total)

        made = new_study(study, settings, opensim=lambda: _opensim(opensim_python), tell=tell)
    for finding in made.findings:
        note(finding.line(), kind="note" if finding.severity == "note" else "warning")
    show_findings(made.report)
    stdout.print(summary(made.report))
    say_where(study)
    if made.report.has_errors:
        raise typer.Exit(1)
    if calibrate:
        from ceinms_torch.cli.calibrate import command as calibrated  # noqa: PLC0415

        calibrated(made.setup, recommended=True, test=list(made.tests), quiet=quiet)


def _dofs(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(opt.words(text)))
    if not names:
        raise OptionError(where="--dofs", expected="names of coordinates", got=repr(text))
    return names


def _tendon(kind: TendonKind | None) -> TendonKind:
    if kind is None:
        return "equilibriumElastic"
    if kind not in _TENDONS:
        expected = f"one that calibrations have: {', '.join(_TENDONS)}"
        raise OptionError(where="--tendon", expected=expected, got=kind)
    return kind


def _cutoff(value: float) -> float | None:
    if not 0.0 <= value < float("inf"):
        raise OptionError(where="--angle-cutoff", expected="a frequency, or 0", got=f"{value:g} Hz")
    return value or None


def _opensim(python: Path | None) -> OpenSim:
    from ceinms_torch.osim.process import OpenSim  # noqa: PLC0415  most commands do without

    return OpenSim.find(python)
