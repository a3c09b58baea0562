"""``ceinms-torch run``: a CEINMS execution setup file in, forces and moments out."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ceinms_torch.cli.excitations import search_excitations
from ceinms_torch.errors import OptionError
from ceinms_torch.inputs.outputs import run_outputs
from ceinms_torch.model.nms_model import TendonKind
from ceinms_torch.simulation.legacy.run import Solver
from ceinms_torch.terminal import options as opt
from ceinms_torch.terminal.claims import CLAIMS
from ceinms_torch.terminal.display import (
    fit_table,
    note,
    note_dialect,
    shown_warnings,
    stdout,
    tell_error,
)
from ceinms_torch.terminal.failures import INTERRUPTED, status_of
from ceinms_torch.terminal.outputs import claim, results_folder, say_overwriting, say_where

if TYPE_CHECKING:
    from ceinms_torch.inputs.folder import RunFolder
    from ceinms_torch.simulation.simulate import Simulation
    from ceinms_torch.synergies.trial_synergies import TrialSynergies

EXAMPLES = """
[bold]Examples[/]

Run a trial, with results where the setup file says:
  ceinms-torch run run_walk5.xml

Many trials in one process:
  ceinms-torch run run_*.xml

Elsewhere, with another tendon than the execution file asks for:
  ceinms-torch run run_walk5.xml --out forces --tendon stiff

With excitations synthesised by the synergies of a calibration, where nothing was recorded:
  ceinms-torch run run_walk5.xml --weightings results/Weightings.csv

As CEINMS does it, number for number, with its files:
  ceinms-torch run run_walk5.xml --legacy

EMG-assisted, hybrid or static optimisation, with weights that the moments allow:
  ceinms-torch run run_assisted_walk5.xml --weights auto
"""


# What becomes of <online/>, which asks for fibre velocities from past frames only.
_ONLINE = {
    "stiff": "<online/> is run as <offline/>: with a stiff tendon, fibre velocities are the slope "
    "of a spline through the whole trial",
    "elastic": "<online/> makes no difference: the elastic tendon is integrated step by step, so "
    "that fibre velocities never come from later frames",
}


WeightsFrom = Literal["file", "auto"]


def command(
    setups: Annotated[
        list[Path],
        typer.Argument(
            metavar="SETUP...",
            help="Execution setup file, as for CEINMS -S; of several each is run as if by itself.",
        ),
    ],
    out: opt.Out = None,
    tendon: Annotated[TendonKind | None, typer.Option(help=opt.TENDON)] = None,
    legacy: opt.Legacy = False,
    solver: Annotated[
        Solver | None,
        typer.Option(
            help="How <hybrid> searches for excitations: by derivatives, all frames at once (the "
            "default; frame by frame with --legacy), or, with --legacy, by CEINMS's annealing "
            "(the default there)."
        ),
    ] = None,
    weights: Annotated[
        WeightsFrom,
        typer.Option(
            help="Weights of <hybrid>: the file's, or gamma (beta where no EMG is adjusted) as "
            "large as the moments tolerate."
        ),
    ] = "file",
    weightings: Annotated[
        Path | None,
        typer.Option(
            help="Weightings.csv of a synergy-hybrid calibration: MTUs that it synthesised are "
            "driven by the primitives that reconstruct the recorded excitations best."
        ),
    ] = None,
    refine: Annotated[
        bool,
        typer.Option(
            "--refine", help="Let the trial's measured moments help to find these primitives."
        ),
    ] = False,
    quiet: opt.Quiet = False,
) -> None:
    """Predict muscle forces and joint moments of one trial from its excitations.

    Where the execution file says <hybrid>, the excitations that it names are searched for, so that
    the moments match those measured. Writes activations, fibre lengths and velocities, pennation
    angles, tendon strains and lengths, MTU forces, joint moments and what each MTU contributes to
    them as .sto into the setup file's outputDirectory (with --legacy under the names of CEINMS);
    where the trial has measured moments, shows how well they match.
    """
    if out is not None and len(setups) > 1:
        raise OptionError(
            where="--out",
            expected="one setup file with it",
            got=str(len(setups)),
            hint="Several write where their setup files say",
        )
    one = partial(
        _run_setup,
        out=out,
        tendon=tendon,
        legacy=legacy,
        solver=solver,
        weights=weights,
        weightings=weightings,
        refine=refine,
        quiet=quiet,
    )
    if len(setups) == 1:
        one(setups[0])
        return
    failed = 0
    for setup in setups:
        with CLAIMS:
            status = status_of(partial(one, setup), tell_error)
        failed = failed or status
        if status >= INTERRUPTED:
            break
    raise typer.Exit(failed)


def _run_setup(
    setup: Path,
    *,
    out: Path | None,
    tendon: TendonKind | None,
    legacy: bool,
    solver: Solver | None,
    weights: WeightsFrom,
    weightings: Path | None,
    refine: bool,
    quiet: bool,
) -> None:
    from ceinms_torch.inputs.folder import RunFolder  # noqa: PLC0415
    from ceinms_torch.simulation.fit import moment_fit  # noqa: PLC0415  keeps --help fast

    with shown_warnings():
        folder = RunFolder.read(setup, legacy=legacy)
        note_dialect(folder.dialect)
        directory = results_folder(setup, out or folder.setup.output_directory)
        _refuse(folder, legacy, tendon, solver, weights, weightings, refine)
        kind = "" if legacy else _engine_kind(folder, tendon)
        hybrid, simulation = folder.execution.hybrid, None
        say_overwriting(
            directory / "Torques.sto",
            inputs=[*folder.files(), *([weightings] if weightings else [])],
            others=run_outputs(
                directory,
                legacy=legacy,
                hybrid=hybrid is not None,
                synthesised=weightings is not None,
            ),
        )
        claim(directory)
        if legacy:
            simulation = _run_legacy(folder, solver, directory)
        elif hybrid is not None:
            search_excitations(folder, hybrid, kind, directory, auto=weights == "auto", quiet=quiet)
        else:
            synergies = None
            if weightings is not None:
                synergies = _synthesised(folder, weightings, kind, refine=refine)
            simulation = _run(folder, kind, directory, synergies)
    if simulation and not quiet and folder.trial.measured_moment is not None:
        fit = {folder.trial.name: moment_fit(folder.trial, simulation)}
        stdout.print(fit_table("measured and predicted moments", fit))
    say_where(directory)


def _refuse(
    folder: RunFolder,
    legacy: bool,
    tendon: TendonKind | None,
    solver: Solver | None,
    weights: WeightsFrom,
    weightings: Path | None,
    refine: bool,
) -> None:
    """Refuse options that do not fit together, or to the type of model in the execution file."""
    auto, hybrid = weights == "auto", folder.execution.hybrid is not None
    for is_wrong, name, expected, got in (
        (legacy and tendon, "--tendon", "the execution file's, with --legacy", tendon),
        (solver == "annealing" and not legacy, "--solver", "gradient, without --legacy", solver),
        (legacy and auto, "--weights", "file, with --legacy", weights),
        (legacy and weightings, "--weightings", "no such option with --legacy", weightings),
        (refine and not weightings, "--refine", "--weightings FILE, too", "none"),
        (solver and not hybrid, "--solver", "an execution file with <hybrid>", "<openLoop/>"),
        (auto and not hybrid, "--weights", "an execution file with <hybrid>", "<openLoop/>"),
        (weightings and hybrid, "--weightings", "an execution file with <openLoop/>", "<hybrid>"),
    ):
        if is_wrong:
            raise OptionError(where=name, expected=expected, got=str(got))


def _engine_kind(folder: RunFolder, tendon: TendonKind | None) -> str:
    """Return the tendon to run, and say what becomes of what CEINMS would do otherwise."""
    kind = tendon or folder.execution.tendon.kind
    if kind == "equilibriumElastic":
        note(
            "equilibriumElastic is solved with the Rosenbrock elastic tendon; --legacy solves it "
            "as CEINMS does"
        )
    if folder.execution.online:
        note(_ONLINE["stiff" if kind == "stiff" else "elastic"])
    return kind


def _synthesised(folder: RunFolder, file: Path, tendon: str, *, refine: bool) -> TrialSynergies:
    """Let synergies drive what was not recorded."""
    from ceinms_torch.synergies.beyond import beyond_weightings  # noqa: PLC0415
    from ceinms_torch.synergies.synthesise import synthesise_excitations  # noqa: PLC0415
    from ceinms_torch.synergies.weightings import Weightings  # noqa: PLC0415

    found = synthesise_excitations(
        folder.subject,
        folder.trial,
        folder.generator,
        Weightings.read(file, folder.subject.mtu_names),
        refine=refine,
        tendon=tendon,
    )
    for one in beyond_weightings(found, folder.trial):
        warnings.warn(one, stacklevel=2)
    return found


def _run(
    folder: RunFolder, tendon: str, directory: Path, synergies: TrialSynergies | None
) -> Simulation:
    from ceinms_torch.io.results import results_in  # noqa: PLC0415
    from ceinms_torch.results.trials import (  # noqa: PLC0415
        write_series,
        write_simulation,
        write_trial_synergies,
    )
    from ceinms_torch.simulation.later_outputs import later_outputs  # noqa: PLC0415
    from ceinms_torch.simulation.simulate import simulate  # noqa: PLC0415

    trial = folder.trial if synergies is None else synergies.drive(folder.trial)
    simulation = simulate(folder.subject, trial, tendon=tendon)
    with results_in(directory):
        if synergies is not None:
            write_trial_synergies(synergies, directory)
        write_simulation(simulation, directory)
        write_series(later_outputs(folder.subject, trial, simulation), directory)
    return simulation


def _run_legacy(folder: RunFolder, solver: Solver | None, directory: Path) -> Simulation:
    from ceinms_torch.results.legacy import write_legacy  # noqa: PLC0415
    from ceinms_torch.simulation.legacy.run import run_legacy  # noqa: PLC0415

    result = run_legacy(folder.subject, folder.trial, folder.execution, solver or "annealing")
    write_legacy(result, directory)
    return result.simulation
