"""``ceinms-torch geometry evaluate``: MTU lengths and moment arms from joint angles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from ceinms_torch.cli.geometry_fit import ARM_HEADER, summary, worst_arm
from ceinms_torch.errors import OptionError
from ceinms_torch.terminal import options as opt
from ceinms_torch.terminal.display import new_table, shown_warnings, stdout
from ceinms_torch.terminal.outputs import claim, results_folder, say_overwriting, say_where

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from ceinms_torch.geometry.fit import PathError

EXAMPLES = """
[bold]Examples[/]

Lengths and moment arms of a movement, for a trial of CEINMS:
  ceinms-torch geometry evaluate paths.xml ik.mot --dofs hip_flexion_r,knee_angle_r,ankle_angle_r
    --out trials/walk

The same, and how far they are from those of the model:
  ceinms-torch geometry evaluate paths.xml ik.mot --lengths walk_MuscleAnalysis_Length.sto
    --arms walk_MuscleAnalysis_MomentArm_knee_angle_r.sto
"""


def command(
    paths: Annotated[
        Path,
        typer.Argument(
            help="OpenSim's FunctionBasedPathSet, or a model with such paths; radians and metres."
        ),
    ],
    motion: Annotated[Path, typer.Argument(help="Coordinates, as of inverse kinematics.")],
    dofs: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help=opt.DOFS,
        ),
    ] = None,
    mtus: Annotated[
        str | None,
        typer.Option(metavar="NAME,...", help=opt.MTUS),
    ] = None,
    lengths: Annotated[
        Path | None,
        typer.Option(help=opt.LENGTHS),
    ] = None,
    arms: Annotated[
        list[Path] | None,
        typer.Option(help=opt.ARMS),
    ] = None,
    angles: opt.AngleUnit = None,
    out: opt.Out = None,
    quiet: opt.Quiet = False,
) -> None:
    """Write MTU lengths (lmt.sto) and moment arms (ma_DOF.sto) in the poses of a movement.

    By default about all coordinates that a path depends on. With --lengths and --arms, paths are
    compared with their model in these poses.

    Lengths are the polynomials of a path set, moment arms minus their derivatives. The unit of
    the angles is what the header of the movement says.
    """
    from ceinms_torch.geometry.coordinates import read_coordinates  # noqa: PLC0415  fast --help
    from ceinms_torch.geometry.fit import path_errors  # noqa: PLC0415
    from ceinms_torch.geometry.path_files import read_paths  # noqa: PLC0415
    from ceinms_torch.geometry.pose_files import read_samples  # noqa: PLC0415
    from ceinms_torch.io.source import read_source  # noqa: PLC0415
    from ceinms_torch.results.geometry import geometry_outputs, save_geometry  # noqa: PLC0415

    directory = results_folder(motion, out)
    of_dof = opt.arms_by_dof(arms or [])
    if of_dof and lengths is None:
        raise OptionError(where="--arms", expected="--lengths, too", got="none")
    with shown_warnings():
        chosen = read_paths(paths)
        if mtus is not None:
            chosen = chosen.select(opt.words(mtus))
        poses = read_coordinates(motion, chosen.coordinate_names, angles=angles)
        about = chosen.coordinate_names if dofs is None else tuple(opt.words(dofs))
        geometry = chosen.evaluate(poses.values, about)
        errors: Sequence[PathError] = ()
        if lengths is not None:
            samples = read_samples(poses, lengths, of_dof, mtu_names=chosen.mtu_names)
            errors = path_errors(chosen, samples)
        files = [paths, motion, *([] if lengths is None else [lengths]), *of_dof.values()]
        say_overwriting(*geometry_outputs(directory, about), inputs=files)
        claim(directory)
        save_geometry(
            geometry,
            directory,
            time=poses.time,
            mtu_names=chosen.mtu_names,
            dofs=about,
            settings={"paths": paths, "motion": motion},
            sources=[read_source(file, "a file")[1] for file in files],
        )
    if errors and not quiet:
        stdout.print(_table(errors))
    if errors:
        stdout.print(escape(summary(errors)), soft_wrap=True)
    say_where(directory)


def _table(errors: Sequence[PathError]) -> Table:
    header = ("RMS\n[mm]", "largest\n[mm]", ARM_HEADER)
    table = new_table("errors of lengths, and of the worst moment arm", ("MTU", "about"), header)
    for error in errors:
        dof, arm = worst_arm(error)
        lengths = (error.length_rms, error.length_largest)
        table.add_row(
            escape(error.mtu), escape(dof), *(f"{1e3 * value:.3f}" for value in lengths), arm
        )
    return table
