"""``ceinms-torch geometry fit``: polynomial paths from poses of a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from ceinms_torch.cli import options as opt
from ceinms_torch.cli.display import new_table, note, shown_warnings, stdout
from ceinms_torch.cli.outputs import claim, results_folder, say_overwriting, say_where

if TYPE_CHECKING:
    from rich.table import Table

    from ceinms_torch.geometry.fit import PathError, PathFit
    from ceinms_torch.geometry.samples import PoseSamples
    from ceinms_torch.osim.model_file import OsimModel

EXAMPLES = """
[bold]Examples[/]

From a movement and its muscle analysis; the model says which coordinates a path crosses:
  ceinms-torch geometry fit ik.mot --model scaled.osim --lengths walk_MuscleAnalysis_Length.sto
    --arms walk_MuscleAnalysis_MomentArm_knee_angle_r.sto
    --arms walk_MuscleAnalysis_MomentArm_ankle_angle_r.sto

Files whose names do not say the DOF, angles in a table without a header:
  ceinms-torch geometry fit angles.csv --angles degrees --lengths lengths.csv
    --arms knee_angle_r=arms_knee.csv --out geometry
"""


def command(
    motion: Annotated[
        Path, typer.Argument(help="Coordinates of the poses, as of inverse kinematics.")
    ],
    lengths: Annotated[
        Path, typer.Option(help="MTU lengths in these poses, in m: MuscleAnalysis's _Length.sto.")
    ],
    arms: Annotated[
        list[Path] | None,
        typer.Option(
            help="Moment arms in these poses, in m: MuscleAnalysis's _MomentArm_DOF.sto, or "
            "DOF=FILE; once for every DOF."
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            help="The model (.osim): which coordinates each path crosses, and where OpenSim finds "
            "them. Without it a path depends on those about which it has a moment arm."
        ),
    ] = None,
    mtus: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...", help="MTUs to fit; by default all that have a moment arm."
        ),
    ] = None,
    lengths_only: Annotated[
        bool, typer.Option("--lengths-only", help="Compare moment arms, do not fit them.")
    ] = False,
    highest_order: Annotated[
        int, typer.Option(min=1, max=12, help="Highest order of polynomials that is tried.")
    ] = 6,
    angles: opt.AngleUnit = None,
    out: opt.Out = None,
    quiet: opt.Quiet = False,
) -> None:
    """Fit the length of every MTU by a polynomial of joint angles; moment arms are -dL/dq.

    The order is the lowest that predicts poses best which were held out. Moment arms that
    contradict the lengths are named and left out. Writes paths.xml, which OpenSim reads as a
    FunctionBasedPathSet, path_errors.csv and study.json.
    """
    from ceinms_torch.geometry.coordinates import read_coordinates  # noqa: PLC0415  fast --help
    from ceinms_torch.geometry.fit import fit_paths  # noqa: PLC0415
    from ceinms_torch.geometry.pose_files import read_samples  # noqa: PLC0415
    from ceinms_torch.io.source import read_source  # noqa: PLC0415
    from ceinms_torch.results.geometry import (  # noqa: PLC0415
        ERRORS_FILE,
        PATHS_FILE,
        STUDY_FILE,
        save_path_fit,
    )

    directory = results_folder(motion, out)
    with shown_warnings():
        of_dof = opt.arms_by_dof(arms or [])
        osim = None if model is None else _read_model(model)
        translations = () if osim is None else _translations(osim)
        poses = read_coordinates(motion, angles=angles, translations=translations)
        samples = read_samples(
            poses, lengths, of_dof, mtu_names=None if mtus is None else opt.words(mtus)
        )
        crossed = None if osim is None else _crossed(osim, samples)
        fit = fit_paths(
            samples,
            coordinates=crossed,
            coordinate_paths=poses.paths if osim is None else _paths(osim),
            highest_order=highest_order,
            with_arms=not lengths_only,
        )
        files = [motion, lengths, *of_dof.values(), *([] if model is None else [model])]
        outputs = [directory / name for name in (PATHS_FILE, ERRORS_FILE, STUDY_FILE)]
        say_overwriting(*outputs, inputs=files)
        claim(directory)
        settings = {
            "model": model,
            "arms are fitted": bool(of_dof) and not lengths_only,
            "highest order": highest_order,
            "poses": samples.n_pose,
        }
        sources = [read_source(file, "a file")[1] for file in files]
        save_path_fit(fit, directory, settings, sources)
    for one in fit.contradictions:
        note(f"{one}; it is left out of the fit.", kind="warning")
    if osim is None and not poses.paths:
        note("without --model, paths.xml has names of coordinates; OpenSim asks for their paths")
    if not quiet:
        stdout.print(_table(fit))
        stdout.print(escape(summary(fit.errors)), soft_wrap=True)
    say_where(directory / PATHS_FILE)


def summary(errors: Sequence[PathError]) -> str:
    """Return a sentence about all errors, with the worst named."""
    import numpy as np  # noqa: PLC0415  keeps --help fast

    worst = max(errors, key=lambda one: one.length_rms)
    text = (
        f"Lengths: median RMS error {1e3 * np.median([one.length_rms for one in errors]):.3g} mm, "
        f"worst {worst.mtu} {1e3 * worst.length_rms:.3g} mm."
    )
    arms = [(rms, one.mtu, dof) for one in errors for dof, rms in one.arm_rms.items()]
    if arms:
        rms, mtu, dof = max(arms)
        text += (
            f" Moment arms: median {1e3 * np.median([arm[0] for arm in arms]):.3g} mm, worst "
            f"{mtu} about {dof} {1e3 * rms:.3g} mm."
        )
    return text


def _table(fit: PathFit) -> Table:
    header = ("order", "length RMS\n[mm]", "largest\n[mm]", "held out\n[mm]", ARM_HEADER)
    table = new_table("polynomial paths", ("MTU", "worst arm"), header)
    for path, error, held_out in zip(fit.paths.paths, fit.errors, fit.held_out, strict=True):
        dof, arm = worst_arm(error)
        lengths = (error.length_rms, error.length_largest, held_out.length_rms)
        numbers = (f"{1e3 * value:.3f}" for value in lengths)
        table.add_row(escape(path.mtu), escape(dof), str(path.order), *numbers, arm)
    return table


ARM_HEADER = "arm RMS\n[mm]"


def worst_arm(error: PathError) -> tuple[str, str]:
    """Return cells of a table: about what an MTU's moment arm is worst, and its error [mm]."""
    dof, rms = error.worst_arm
    return (dof, f"{1e3 * rms:.2f}") if dof else ("-", "-")


def _read_model(path: Path) -> OsimModel:
    from ceinms_torch.osim.model_file import read_model  # noqa: PLC0415  keeps --help fast

    return read_model(path)


def _translations(model: OsimModel) -> tuple[str, ...]:
    return tuple(one.name for one in model.coordinates if one.motion == "translational")


def _paths(model: OsimModel) -> dict[str, str]:
    return {one.name: f"/jointset/{one.joint}/{one.name}" for one in model.coordinates}


def _crossed(model: OsimModel, samples: PoseSamples) -> dict[str, tuple[str, ...]]:
    """Return what each MTU's path crosses, as far as the motion has it."""
    crossed = {mtu: model.coordinates_of(mtu) for mtu in samples.mtu_names}
    names = dict.fromkeys(name for one in crossed.values() for name in one)
    missing = [
        name
        for name in names
        if name not in samples.coordinate_names and not model.coordinate(name).is_locked
    ]
    if missing:
        note(f"not in the motion, and taken to be held still in it: {', '.join(missing)}")
    return crossed
