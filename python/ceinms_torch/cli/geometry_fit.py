"""``ceinms-torch geometry fit``: polynomial paths from poses of a model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from ceinms_torch.errors import OptionError
from ceinms_torch.terminal import options as opt
from ceinms_torch.terminal.display import counted, new_table, note, shown_warnings, stdout
from ceinms_torch.terminal.outputs import claim, results_folder, say_overwriting, say_where

if TYPE_CHECKING:
    from rich.table import Table

    from ceinms_torch.geometry.coordinates import Coordinates
    from ceinms_torch.geometry.fit import PathError, PathFit
    from ceinms_torch.geometry.samples import PoseSamples

EXAMPLES = """
[bold]Examples[/]

Around a movement, lengths and moment arms by OpenSim (pip install 'ceinms-torch\\[opensim]'):
  ceinms-torch geometry fit ik.mot --model scaled.osim --poses 300 --out geometry

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
        Path, typer.Argument(help="Coordinates of a movement, as of inverse kinematics.")
    ],
    model: Annotated[
        Path | None,
        typer.Option(help=opt.MODEL),
    ] = None,
    lengths: Annotated[
        Path | None,
        typer.Option(help=opt.LENGTHS),
    ] = None,
    arms: Annotated[
        list[Path] | None,
        typer.Option(help=opt.ARMS),
    ] = None,
    mtus: Annotated[
        str | None,
        typer.Option(metavar="NAME,...", help=opt.MTUS),
    ] = None,
    poses: Annotated[
        int, typer.Option(min=20, help="Poses that OpenSim is asked for; a third are frames.")
    ] = 300,
    spread: Annotated[
        float,
        typer.Option(help="By how much the others' angles differ from a frame, in degrees."),
    ] = 15.0,
    vary: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="Angles that differ, where constraints of the model tie others to each other; by "
            "default all that a path crosses.",
        ),
    ] = None,
    seed: opt.Seed = 0,
    opensim_python: opt.OpenSimPython = None,
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

    Without --lengths, OpenSim is asked for those of poses around the movement. Without --model, a
    path depends on the coordinates about which it has a moment arm.

    The order is the lowest that predicts poses best which were held out. Moment arms that
    contradict the lengths are named and left out. Writes paths.xml, which OpenSim reads as a
    FunctionBasedPathSet, path_errors.csv and study.json.
    """
    from ceinms_torch.geometry.coordinates import read_coordinates  # noqa: PLC0415  fast --help
    from ceinms_torch.geometry.fit import fit_paths  # noqa: PLC0415
    from ceinms_torch.geometry.pose_files import read_samples  # noqa: PLC0415
    from ceinms_torch.io.source import read_source  # noqa: PLC0415
    from ceinms_torch.results.geometry import fit_outputs, save_path_fit  # noqa: PLC0415

    directory = results_folder(motion, out)
    of_dof = opt.arms_by_dof(arms or [])
    if lengths is None and (model is None or of_dof):
        expected = "with moment arms" if of_dof else "or a model to ask OpenSim for them"
        raise OptionError(where="--lengths", expected=f"MTU lengths, {expected}", got="none")
    files = [motion, *filter(None, (lengths, model)), *of_dof.values()]
    with shown_warnings():
        say_overwriting(*fit_outputs(directory), inputs=files)
        claim(directory)
        osim = None if model is None else _Model(model)
        moved = read_coordinates(
            motion,
            among=None if osim is None else osim.coordinates,
            angles=angles,
            translations=() if osim is None else osim.translations,
        )
        names = None if mtus is None else opt.words(mtus)
        settings: dict[str, Any] = {"model": model, "highest order": highest_order}
        if lengths is not None:
            samples = read_samples(moved, lengths, of_dof, mtu_names=names)
        else:
            assert osim is not None  # noqa: S101  said above
            drawn: dict[str, Any] = {
                "n_pose": poses,
                "spread": math.radians(spread),
                "vary": None if vary is None else opt.words(vary),
                "seed": seed,
            }
            settings |= {"spread [deg]": spread, "vary": vary, "seed": seed}
            samples = osim.samples(moved, opensim_python, quiet=quiet, mtus=names, **drawn)
        settings |= {"poses": samples.n_pose, "moment arms are fitted": not lengths_only}
        fit = fit_paths(
            samples,
            coordinates=None if osim is None else osim.crossed(samples),
            coordinate_paths=moved.paths if osim is None else osim.coordinate_paths,
            highest_order=highest_order,
            with_arms=not lengths_only,
        )
        sources = [read_source(file, "a file")[1] for file in files]
        save_path_fit(fit, directory, settings, sources)
    for one in fit.contradictions:
        note(f"{one}; it is left out of the fit.", kind="warning")
    if osim is None and not moved.paths:
        note("without --model, paths.xml has names of coordinates; OpenSim asks for their paths")
    if not quiet:
        stdout.print(_table(fit))
        stdout.print(escape(summary(fit.errors)), soft_wrap=True)
    say_where(directory)


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
    header = ("order", "RMS\n[mm]", "largest\n[mm]", "held out\n[mm]", ARM_HEADER)
    table = new_table("errors of lengths, and of the worst moment arm", ("MTU", "about"), header)
    for path, error, held_out in zip(fit.paths.paths, fit.errors, fit.held_out, strict=True):
        dof, arm = worst_arm(error)
        lengths = (error.length_rms, error.length_largest, held_out.length_rms)
        numbers = (f"{1e3 * value:.3f}" for value in lengths)
        table.add_row(escape(path.mtu), escape(dof), str(path.order), *numbers, arm)
    return table


ARM_HEADER = "arm\n[mm]"


def worst_arm(error: PathError) -> tuple[str, str]:
    """Return cells of a table: about what an MTU's moment arm is worst, and its error [mm]."""
    dof, rms = error.worst_arm
    return (dof, f"{1e3 * rms:.2f}") if dof else ("-", "-")


class _Model:
    """What the model's file says, and OpenSim of it."""

    def __init__(self, path: Path) -> None:
        from ceinms_torch.osim import model_poses  # noqa: PLC0415  keeps --help fast
        from ceinms_torch.osim.model_file import read_model  # noqa: PLC0415

        self._poses = model_poses
        self._model = read_model(path)
        self.coordinates = model_poses.own_coordinates(self._model)
        self.translations = model_poses.translations_of(self._model)
        self.coordinate_paths = model_poses.coordinate_paths(self._model)

    def crossed(self, samples: PoseSamples) -> dict[str, tuple[str, ...]]:
        """Return the coordinates that each path crosses, and say which the motion lacks."""
        crossed = {mtu: self._model.coordinates_of(mtu) for mtu in samples.mtu_names}
        names = dict.fromkeys(name for one in crossed.values() for name in one)
        missing = [
            name
            for name in names
            if name not in samples.coordinate_names and not self._model.coordinate(name).is_locked
        ]
        if missing:
            note(f"not in the motion, and taken to be held still in it: {', '.join(missing)}")
        return crossed

    def samples(
        self,
        motion: Coordinates,
        python: Path | None,
        *,
        quiet: bool,
        **drawn: Any,
    ) -> PoseSamples:
        """Ask OpenSim for poses around a movement."""
        from ceinms_torch.osim.process import OpenSim  # noqa: PLC0415  most commands do without

        with counted("poses", quiet=quiet) as progress:
            return self._poses.sample_model(
                OpenSim.find(python),
                self._model,
                motion,
                progress=progress,
                **drawn,
            )
