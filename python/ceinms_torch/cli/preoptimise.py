"""``ceinms-torch preoptimise``: start values for a calibration from a generic model."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from ceinms_torch.errors import OptionError
from ceinms_torch.terminal import options as opt
from ceinms_torch.terminal.display import new_table, shown_warnings, stdout
from ceinms_torch.terminal.outputs import claim, results_folder, say_overwriting, say_where

if TYPE_CHECKING:
    from rich.table import Table

    from ceinms_torch.model.subject import Subject
    from ceinms_torch.preoptimisation.operating_range import OperatingRange

EXAMPLES = """
[bold]Examples[/]

Fibres and tendons that work in the subject as they do in the generic model:
  ceinms-torch preoptimise generic.xml --reference-lengths generic_Length.sto
    --target-lengths scaled_Length.sto

Forces from muscle volumes, too; the peroneus tertius, which was not measured, keeps its own:
  ceinms-torch preoptimise generic.xml --reference-lengths generic_Length.sto
    --target-lengths scaled_Length.sto --height 1.70 --mass 65 --keep-force per_tert_r
    --out preoptimised
"""


def command(
    reference: Annotated[Path, typer.Argument(help="Subject file of the generic model.")],
    out: opt.Out = None,
    reference_lengths: Annotated[
        Path | None,
        typer.Option(help="Storage file: MTU lengths of the generic model in m, one row per pose."),
    ] = None,
    target_lengths: Annotated[
        Path | None,
        typer.Option(help="Storage file: those of the subject's model, in the same poses."),
    ] = None,
    height: Annotated[float | None, typer.Option(help="Of the subject, in m.")] = None,
    mass: Annotated[float | None, typer.Option(help=opt.MASS)] = None,
    specific_tension: Annotated[
        float | None, typer.Option(help="Of muscle, in N/cm²; by default 60.")
    ] = None,
    keep_force: Annotated[
        list[str] | None,
        typer.Option(help="MTU that keeps its maximum isometric force; may be repeated."),
    ] = None,
    quiet: opt.Quiet = False,
) -> None:
    """Make start values for a calibration, subject.xml, from a generic model.

    With MTU lengths of both models, optimal fibre and tendon slack lengths become such that every
    muscle works where it works in the generic model (Modenese et al. 2016). With height and mass,
    maximum isometric forces follow from muscle volumes (Handsfield et al. 2014). All else stays.
    """
    ranges = _both(reference_lengths, target_lengths, ("--reference-lengths", "--target-lengths"))
    volumes = _both(height, mass, ("--height", "--mass"))
    if not (ranges or volumes):
        raise OptionError(
            where="preoptimise",
            expected="lengths of both models, or height and mass, or all",
            got="neither",
        )
    if not volumes and (specific_tension is not None or keep_force):
        expected = "--height and --mass, too"
        raise OptionError(
            where="--specific-tension, --keep-force", expected=expected, got="neither"
        )
    directory = results_folder(reference, out)
    file = directory / "subject.xml"

    from ceinms_torch.model.subject import Subject  # noqa: PLC0415  keeps --help fast

    with shown_warnings():
        generic = subject = Subject.read(reference)
        found = None
        if reference_lengths is not None and target_lengths is not None:
            found = _with_ranges(generic, reference_lengths, target_lengths)
            subject = found.subject
        if height is not None and mass is not None:
            options = {} if specific_tension is None else {"specific_tension": specific_tension}
            subject = _with_forces(
                generic, subject, keep_force or (), height=height, mass=mass, **options
            )
        lengths = filter(None, (reference_lengths, target_lengths))
        say_overwriting(file, inputs=[reference, *lengths])
        claim(directory)
        subject.write(file)
    if not quiet:
        stdout.print(_table(generic, subject, found, forces=volumes))
    say_where(file)


def _with_ranges(generic: Subject, reference: Path, target: Path) -> OperatingRange:
    from ceinms_torch.preoptimisation.operating_range import (  # noqa: PLC0415  slow
        preserve_operating_range,
        read_pose_lengths,
    )

    return preserve_operating_range(
        generic, *read_pose_lengths(reference, target, generic.mtu_names)
    )


def _with_forces(
    generic: Subject, subject: Subject, keep: Collection[str], **options: float
) -> Subject:
    from ceinms_torch.preoptimisation.muscle_volume import (  # noqa: PLC0415  slow
        scale_max_isometric_force,
    )

    return scale_max_isometric_force(subject, reference=generic, keep=keep, **options)


def _both(first: object, second: object, names: tuple[str, str]) -> bool:
    """Tell whether both options were given; one without the other is an error."""
    if (first is None) != (second is None):
        given, lacking = names if second is None else names[::-1]
        raise OptionError(where=lacking, expected=f"a value, as {given} has", got="none")
    return first is not None


def _table(generic: Subject, subject: Subject, found: OperatingRange | None, forces: bool) -> Table:
    """Return what became of every MTU; columns of what was not asked for are left out."""
    pairs = list(zip(generic.mtus, subject.mtus, strict=True))

    def changes(attribute: str, unit: float = 1.0) -> list[str]:
        return [
            _change(getattr(a, attribute) / unit, getattr(b, attribute) / unit) for a, b in pairs
        ]

    columns = {}
    if found is not None:
        columns["optimal fibre\nlength [mm]"] = changes("optimal_fibre_length", 1e-3)
        columns["tendon slack\nlength [mm]"] = changes("tendon_slack_length", 1e-3)
    if forces:
        columns["maximum isometric\nforce [N]"] = changes("max_isometric_force")
    if found is not None:
        columns[f"poses used\nof {found.n_pose}"] = [str(fit.n_pose) for fit in found.fits]
        columns["RMS error\n[mm]"] = [f"{1e3 * fit.rms:.2f}" for fit in found.fits]
        columns["RMS error [% opt.\nfibre length]"] = [
            f"{100.0 * fit.norm_rms:.2f}" for fit in found.fits
        ]
    table = new_table("before and after", ("MTU",), tuple(columns))
    for name, *cells in zip(subject.mtu_names, *columns.values(), strict=True):
        table.add_row(escape(name), *cells)
    return table


def _change(before: float, after: float) -> str:
    percent = round(100.0 * (after / before - 1.0), 1) + 0.0  # zero has no sign
    return f"{before:.1f} → {after:.1f} ({percent:+.1f} %)"
