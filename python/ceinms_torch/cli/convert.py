"""``ceinms-torch convert``: files of any dialect in, those of CEINMS 0.9 or 0.21 out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ceinms_torch.conversion.rt_subject import DEFAULT_DELAY
from ceinms_torch.errors import OptionError
from ceinms_torch.inputs.dialect import Version
from ceinms_torch.terminal import options as opt
from ceinms_torch.terminal.display import note, shown_warnings, stdout
from ceinms_torch.terminal.outputs import claim, results_folder, say_overwriting, say_where

EXAMPLES = """
[bold]Examples[/]

A subject of CEINMS-RT and its EMG map, side by side in the folder subjectRT_results:
  ceinms-torch convert subjectRT.xml

With a delay, which such files do not have:
  ceinms-torch convert subjectRT.xml --out converted --em-delay 0.035

A whole folder of a later CEINMS, trials cut to their start and stop, for CEINMS 0.9:
  ceinms-torch convert calibrate.xml --out for_0.9

One file, for CEINMS 0.21:
  ceinms-torch convert execution.xml --to 0.21

Markers (.trc), ground forces (.mot) and analog channels (.sto) of a C3D file:
  ceinms-torch convert walk.c3d
  ceinms-torch convert walk.c3d --zero --forward y --feet 1=right --feet 2=left

A calibrated subject for trials at 1000 Hz: c1 and c2 count samples:
  ceinms-torch convert results/subjectCalibrated.xml --rate 1000
"""


def command(
    old: Annotated[
        Path,
        typer.Argument(
            help="Setup file, or a subject (of CEINMS or CEINMS-RT), calibration, execution, "
            "excitation generator or inputData file; or a recording (.c3d)."
        ),
    ],
    to: Annotated[Version, typer.Option(help="Version of CEINMS to write the files of.")] = "0.9",
    out: opt.Out = None,
    em_delay: Annotated[
        float | None,
        typer.Option(
            help="Electromechanical delay of all MTUs of a CEINMS-RT subject [s]; by default "
            "CEINMS's 0.015."
        ),
    ] = None,
    angles: opt.AngleUnit = None,
    rate: Annotated[
        float | None,
        typer.Option(
            help="Rate of the trials that a subject shall run [Hz]: c1 and c2 become those of the "
            "same time constants."
        ),
    ] = None,
    from_rate: Annotated[
        float | None,
        typer.Option(
            help="Rate of the trials that it was calibrated on [Hz]; by default what the "
            "result.json beside it says."
        ),
    ] = None,
    forward: Annotated[
        str,
        typer.Option(metavar="AXIS", help=opt.FORWARD),
    ] = "",
    feet: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PLATE=FOOT",
            help=opt.FEET,
        ),
    ] = None,
    zero: Annotated[
        bool,
        typer.Option(
            "--zero",
            help="Take offset and drift off the plates of a C3D file, and what they say with "
            "nobody on them.",
        ),
    ] = False,
) -> None:
    """Convert files of any CEINMS to those of CEINMS 0.9 or 0.21, or a C3D file to OpenSim's.

    Says which dialect was found and what the new files cannot hold. Of a setup file, all that it
    points at is written, tables included, in the order and with the labels that CEINMS asks for.
    Of a CEINMS-RT subject, angles become radians; the tendon curve and the maximum contraction
    velocity that CEINMS-RT has in its program are written down; the excitation of a muscle is the
    mean of its channels; c1 and c2 are kept as they are in the file, and take effect. What cannot
    be converted is an error.

    Of a C3D file, markers are written in mm, ground forces in N, m and N m, y up; as recorded,
    unless --zero is given.
    """
    if old.suffix.casefold() == ".c3d":
        _convert_recording(old, out, forward, feet or [], zero=zero)
        return
    if forward or feet or zero:
        name = "--forward" if forward else "--feet" if feet else "--zero"
        raise OptionError(where=name, expected="a recording (.c3d)", got=f"'{old}'")
    from ceinms_torch.conversion.files import read_conversion  # noqa: PLC0415  keeps --help fast

    directory = results_folder(old, out)
    with shown_warnings():
        delay = DEFAULT_DELAY if em_delay is None else em_delay
        conversion = read_conversion(
            old, directory, to, em_delay=delay, angles=angles, rate=rate, from_rate=from_rate
        )
        for name, value in (("--em-delay", em_delay), ("--angles", angles)):
            if value is not None and not conversion.dialect.is_rt:
                expected = "a subject of CEINMS-RT"
                raise OptionError(where=name, expected=expected, got=str(conversion.dialect))
        if conversion.dialect.is_rt and em_delay is None:
            note(f"the file has no emDelay; {delay:g} s is written, --em-delay sets another")
        say_overwriting(*conversion.outputs, inputs=conversion.inputs)
        claim(directory)
        conversion.write()
    for sentence in conversion.lost:
        note(f"{sentence}.")
    stdout.print(f"Files of {conversion.dialect} as those of CEINMS {to}.", soft_wrap=True)
    say_where(directory)


def _convert_recording(
    old: Path, out: Path | None, forward: str, feet: list[str], *, zero: bool
) -> None:
    from ceinms_torch.recordings.feet import named_feet  # noqa: PLC0415  keeps --help fast
    from ceinms_torch.results.c3d_files import C3dFiles  # noqa: PLC0415

    directory = results_folder(old, out)
    with shown_warnings():
        plates = named_feet(feet)
        files = C3dFiles.read(old, forward=forward, plates=plates, zero=zero)
        outputs = list(files.outputs(directory))
        say_overwriting(*outputs, inputs=[old])
        claim(directory)
        files.write(directory)
    for remark in files.remarks:
        note(f"{remark}.")
    for path in outputs:
        stdout.print(path.name, soft_wrap=True)
    say_where(directory)
