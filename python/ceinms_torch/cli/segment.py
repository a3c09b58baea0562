"""``ceinms-torch segment``: cycles of a recording, and trials or files cut to them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ceinms_torch.errors import OptionError
from ceinms_torch.terminal import options as opt
from ceinms_torch.terminal.display import new_table, note, shown_warnings, stdout
from ceinms_torch.terminal.outputs import claim, results_folder, say_overwriting, say_where

if TYPE_CHECKING:
    from ceinms_torch.recordings.cycles import Cycle
    from ceinms_torch.recordings.ground_forces import Foot
    from ceinms_torch.recordings.segmentation import Segmentation

EXAMPLES = """
[bold]Examples[/]

Gait cycles of both feet by the ground forces, as a table in grf_walk_results:
  ceinms-torch segment grf_walk.mot

Stance of the right leg, as trials that begin and end with it:
  ceinms-torch segment grf_walk.mot --phase stance --foot right --trial walk/inputData.xml

The same, its tables cut, EMG with 0.3 s more before:
  ceinms-torch segment grf_walk.mot --trial walk/inputData.xml --cut --before 0.3

By the events marked in a C3D file; or by its plates, of which the feet are stated:
  ceinms-torch segment walk.c3d --by events
  ceinms-torch segment walk.c3d --feet 1=right --feet 2=left

Arm movements, up to their peak:
  ceinms-torch segment angles.sto --of shoulder_elv --phase up
"""
_Phase = Literal["cycle", "stance", "up", "down"]
_WhoseFoot = Literal["right", "left", "both"]
_Way = Literal["forces", "events", "peaks"]
_MOST_ROWS = 12


def command(
    recording: Annotated[
        Path,
        typer.Argument(
            help="Ground forces (.mot, .sto, .csv, or the .xml of ExternalLoads), a .c3d, or joint "
            "angles or moments with --of."
        ),
    ],
    phase: Annotated[_Phase, typer.Option(help="What of a cycle is wanted.")] = "cycle",
    by: Annotated[
        _Way | None,
        typer.Option("--by", help="What tells cycles; forces, unless --of is given."),
    ] = None,
    of: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="The angle or moment whose peaks are the movements."),
    ] = None,
    foot: Annotated[_WhoseFoot, typer.Option(help="Whose cycles are wanted.")] = "both",
    feet: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PLATE=FOOT",
            help=opt.FEET,
        ),
    ] = None,
    markers: Annotated[
        Path | None,
        typer.Option(help="Markers (.trc) to compare the ground forces with."),
    ] = None,
    threshold: Annotated[
        float,
        typer.Option(
            "--loaded", help="Vertical force of a foot on the ground [N]; more where noise is."
        ),
    ] = 20.0,
    least_contact: Annotated[float, typer.Option(help="Shorter contacts are none [s].")] = 0.15,
    least_swing: Annotated[
        float, typer.Option(help="Contacts with a shorter gap between them are one [s].")
    ] = 0.1,
    keep_drift: Annotated[
        bool, typer.Option("--keep-drift", help="Take plates as they are, offset and drift too.")
    ] = False,
    lowest: Annotated[
        bool, typer.Option("--lowest", help="With --of: movements are to a lowest value.")
    ] = False,
    trial: Annotated[
        Path | None,
        typer.Option(help="inputData.xml of the whole recording: one is written for each cycle."),
    ] = None,
    cut: Annotated[
        bool,
        typer.Option("--cut", help="Cut the tables of --trial in place of giving start and stop."),
    ] = False,
    file: Annotated[
        list[Path] | None,
        typer.Option(help="Storage or TRC file to cut to each cycle, too; may be repeated."),
    ] = None,
    before: Annotated[
        float,
        typer.Option(
            help="What excitations and --file must have before a cycle, for delay and filters [s]."
        ),
    ] = 0.2,
    after: Annotated[
        float, typer.Option(help="What they are to have behind it, for filters [s].")
    ] = 0.05,
    out: opt.Out = None,
) -> None:
    """Cut a recording into cycles.

    Gait cycles begin with the first sample of vertical force at the threshold; the foot is off at
    the first below it. Offset and drift of the plates are taken off before. Where both feet are on
    one plate the cycles of either are left out: a contact goes on while the other foot stands,
    takes too long, or its point of force goes back by half a foot. Every cycle left out is listed
    with its reason.
    """
    from ceinms_torch.model.input_data import InputData  # noqa: PLC0415  keeps --help fast
    from ceinms_torch.recordings.contacts import ContactOptions  # noqa: PLC0415
    from ceinms_torch.recordings.cycles import PeakOptions  # noqa: PLC0415
    from ceinms_torch.recordings.feet import named_feet  # noqa: PLC0415
    from ceinms_torch.recordings.segmentation import (  # noqa: PLC0415
        segment_events,
        segment_forces,
        segment_peaks,
    )
    from ceinms_torch.results.segments import Cut, Cutting, save_segmentation  # noqa: PLC0415

    way = by or ("peaks" if of else "forces")
    _refuse(way, of=of, foot=foot, plates=bool(feet or markers), lowest=lowest)
    if cut and trial is None:
        raise OptionError(where="--cut", expected="a trial to cut, with --trial", got="none")
    whose: tuple[Foot, ...] = ("right", "left") if foot == "both" else (foot,)
    with shown_warnings():
        directory = results_folder(recording, out)
        if way == "forces":
            found = segment_forces(
                recording,
                phase,
                feet=whose,
                plates=named_feet(feet or ()) or None,
                markers=markers,
                options=ContactOptions(
                    threshold=threshold,
                    least_contact=least_contact,
                    least_swing=least_swing,
                    remove_drift=not keep_drift,
                ),
            )
        elif way == "events":
            found = segment_events(recording, phase, feet=whose)
        else:
            found = segment_peaks(recording, of or "", phase, options=PeakOptions(lowest=lowest))
        cutting = Cutting(
            trial=None if trial is None else InputData.read(trial),
            cut_trial=cut,
            files=tuple(file or ()),
            before=before,
            after=after,
        )
        made = Cut.read(found, cutting)
        made.segmentation.check_used()
        first, *others = made.outputs(directory)
        say_overwriting(first, inputs=made.inputs(), others=others)
        claim(directory)
        save_segmentation(made, directory)
        _draw(made.segmentation, directory)
    _show(made.segmentation)
    say_where(directory)


def _refuse(way: str, *, of: str | None, foot: str, plates: bool, lowest: bool) -> None:
    """Refuse options that say nothing about what tells cycles."""
    for is_wrong, name, expected, got in (
        (way == "peaks" and not of, "--by", "--of COLUMN, too, with peaks", "none"),
        (way != "peaks" and of, "--of", f"no such option with --by {way}", of),
        (way != "peaks" and lowest, "--lowest", "--of COLUMN, too", "none"),
        (way == "peaks" and foot != "both", "--foot", "no such option with --of", foot),
        (way != "forces" and plates, "--feet or --markers", "ground forces", f"--by {way}"),
    ):
        if is_wrong:
            raise OptionError(where=name, expected=expected, got=str(got))


def _draw(found: Segmentation, directory: Path) -> None:
    from ceinms_torch.plots.cycles import plot_cycles  # noqa: PLC0415  keeps --help fast
    from ceinms_torch.plots.style import save_figure  # noqa: PLC0415

    if found.signals:
        save_figure(plot_cycles(found), directory, "cycles")


def _show(found: Segmentation) -> None:
    for remark in found.remarks:
        note(remark + ".")
    if found.contacts is not None:
        contacts = found.contacts
        for foot, (low, high) in contacts.drift.items():
            if max(abs(low), abs(high)) > 1.0:
                note(f"{foot} plate: {low:.1f} to {high:.1f} N with nobody on it are taken off.")
        for foot, threshold in contacts.thresholds.items():
            complete = contacts.complete(foot)
            doubtful = sum(bool(contacts.doubts_of(one.on, one.off)) for one in complete)
            stdout.print(
                f"{foot}: {len(complete)} complete contacts at {threshold:.3g} N, {doubtful} of "
                "them doubtful"
            )
        for doubt in contacts.doubts:
            note(f"doubtful from {doubt.start:.3f} to {doubt.stop:.3f} s: {doubt.why}.")
    table = new_table(
        f"{found.phase}: {len(found.used)} of {len(found.cycles)} used",
        ("name", "why left out"),
        ("start\n[s]", f"{found.middle}\n[s]", "stop\n[s]"),
    )
    for one in found.cycles[:_MOST_ROWS] if len(found.used) <= _MOST_ROWS else _left_out(found):
        times = (f"{value:.3f}" for value in (one.start, one.middle, one.stop))
        table.add_row(one.name, one.why, *times)
    if table.row_count:
        stdout.print(table)
    else:
        stdout.print(f"{found.phase}: {len(found.used)} of {len(found.cycles)} used")


def _left_out(found: Segmentation) -> list[Cycle]:
    return [one for one in found.cycles if one.why]
