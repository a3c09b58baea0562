"""``ceinms-torch convert``: a subject file of CEINMS-RT in, the files of CEINMS 0.9 out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from ceinms_torch.cli.display import note, shown_warnings, stdout
from ceinms_torch.errors import OptionError
from ceinms_torch.io.paths import check_writable

EXAMPLES = """
[bold]Examples[/]

A subject and its EMG map, side by side in a folder of their own:
  ceinms-torch convert subjectRT.xml --out converted/subject.xml

With a delay, which such files do not have:
  ceinms-torch convert subjectRT.xml --out converted/subject.xml --em-delay 0.035
"""

GENERATOR = "excitationGenerator.xml"


def convert_command(
    old: Annotated[Path, typer.Argument(help="Subject file of CEINMS-RT (NMSmodel.xsd).")],
    out: Annotated[
        Path,
        typer.Option(
            help=f"Subject file to write; {GENERATOR}, made of the channels, goes beside it."
        ),
    ],
    em_delay: Annotated[
        float | None,
        typer.Option(help="Electromechanical delay of all MTUs [s]; by default CEINMS's 0.015."),
    ] = None,
) -> None:
    """Convert a subject of CEINMS-RT to CEINMS 0.9's subject.xml and excitationGenerator.xml.

    Angles become radians; the tendon curve and the maximum contraction velocity that CEINMS-RT has
    in its program are written down; the excitation of a muscle is the mean of its channels. What
    cannot be converted is an error. CEINMS-RT has no activation filter: c1 and c2 are kept as they
    are in the file, and take effect.
    """
    from ceinms_torch.model.rt_subject import (  # noqa: PLC0415  keeps --help fast
        DEFAULT_DELAY,
        read_rt_subject,
    )

    generator_file = out.parent / GENERATOR
    with shown_warnings():
        for file in (out, generator_file):
            if file.exists():
                raise OptionError(
                    where=file,
                    expected="a new file",
                    got="one that exists",
                    hint="choose another --out",
                )
        check_writable(out.parent)
        delay = DEFAULT_DELAY if em_delay is None else em_delay
        subject, generator = read_rt_subject(old, em_delay=delay)
        if em_delay is None:
            note(f"the file has no emDelay; {delay:g} s is written, --em-delay sets another")
        subject.write(out)
        generator.write(generator_file)
    stdout.print(f"subject:              {escape(str(out))}", soft_wrap=True)
    stdout.print(f"excitation generator: {escape(str(generator_file))}", soft_wrap=True)
