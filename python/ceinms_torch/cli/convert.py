"""``ceinms-torch convert``: a subject file of CEINMS-RT in, the files of CEINMS 0.9 out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ceinms_torch.cli import options as opt
from ceinms_torch.cli.display import note, shown_warnings
from ceinms_torch.cli.outputs import claim, results_folder, say_overwriting, say_where
from ceinms_torch.io.results import results_in

EXAMPLES = """
[bold]Examples[/]

A subject and its EMG map, side by side in the folder subjectRT_results:
  ceinms-torch convert subjectRT.xml

With a delay, which such files do not have:
  ceinms-torch convert subjectRT.xml --out converted --em-delay 0.035
"""


def command(
    old: Annotated[Path, typer.Argument(help="Subject file of CEINMS-RT (NMSmodel.xsd).")],
    out: opt.Out = None,
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

    directory = results_folder(old, out)
    subject_file, generator_file = directory / "subject.xml", directory / "excitationGenerator.xml"
    with shown_warnings():
        delay = DEFAULT_DELAY if em_delay is None else em_delay
        subject, generator = read_rt_subject(old, em_delay=delay)
        if em_delay is None:
            note(f"the file has no emDelay; {delay:g} s is written, --em-delay sets another")
        say_overwriting(subject_file, generator_file, inputs=[old])
        claim(directory)
        with results_in(directory):
            subject.write(subject_file)
            generator.write(generator_file)
    say_where(directory)
