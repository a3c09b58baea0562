"""``ceinms-torch run``: a CEINMS execution setup file in, forces and moments out."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from ceinms_torch.cli.display import fit_table, note, shown_warnings, stdout
from ceinms_torch.cli.excitations import search_excitations
from ceinms_torch.errors import OptionError, wording
from ceinms_torch.io.paths import check_writable

if TYPE_CHECKING:
    from ceinms_torch.inputs.folder import RunFolder
    from ceinms_torch.simulation.simulate import Simulation

EXAMPLES = """
[bold]Examples[/]

Run a trial, with results where the setup file says:
  ceinms-torch run run_walk5.xml

Elsewhere, with another tendon than the execution file asks for:
  ceinms-torch run run_walk5.xml --out forces --tendon stiff

With excitations synthesised by the synergies of a calibration, where nothing was recorded:
  ceinms-torch run run_walk5.xml --synergies results/Weightings.csv

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


class TendonName(StrEnum):
    """Tendon models, by their XML names."""

    stiff = "stiff"
    rosenbrockElastic = "rosenbrockElastic"  # noqa: N815  as in the XML
    dampedEquilibrium = "dampedEquilibrium"  # noqa: N815


class SolverName(StrEnum):
    """How excitations are searched for."""

    gradient = "gradient"
    annealing = "annealing"


class WeightsFrom(StrEnum):
    """Where the weights of a search for excitations come from."""

    file = "file"
    auto = "auto"


def run_command(
    setup: Annotated[Path, typer.Argument(help="Execution setup file, as for CEINMS -S.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the results, instead of the setup file's outputDirectory."),
    ] = None,
    tendon: Annotated[
        TendonName | None, typer.Option(help="Tendon model, instead of the execution file's.")
    ] = None,
    legacy: Annotated[
        bool,
        typer.Option(
            "--legacy",
            help="Run the model of CEINMS 0.9, of any type and activation, and write its files.",
        ),
    ] = False,
    solver: Annotated[
        SolverName | None,
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
    ] = WeightsFrom.file,
    synergies: Annotated[
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
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No table.")] = False,
) -> None:
    """Predict muscle forces and joint moments of one trial from its excitations.

    Where the execution file says <hybrid>, the excitations that it names are searched for, so that
    the moments match those measured. Writes activations, fibre lengths and velocities, pennation
    angles, tendon strains, MTU forces and joint moments as .sto; where the trial has measured
    moments, shows how well they match.
    """
    from ceinms_torch.inputs.folder import RunFolder  # noqa: PLC0415
    from ceinms_torch.simulation.fit import moment_fit  # noqa: PLC0415  keeps --help fast

    _check_options(legacy, tendon, solver, weights, synergies, refine=refine)
    with shown_warnings():
        folder = RunFolder.read(setup, legacy=legacy)
        directory = folder.setup.output_directory if out is None else out
        check_writable(directory)
        _check_type(folder, solver, weights, synergies)
        hybrid = folder.execution.hybrid
        if legacy:
            simulation = _run_legacy(folder, solver, directory)
        elif hybrid is not None:
            kind = _engine_kind(folder, tendon)
            search_excitations(
                folder, hybrid, kind, directory, auto=weights is WeightsFrom.auto, quiet=quiet
            )
            return
        else:
            kind = _engine_kind(folder, tendon)
            if synergies is not None:
                folder = _synthesised(folder, synergies, kind, directory, refine=refine)
            simulation = _run(folder, kind, directory)
    if not quiet and folder.trial.measured_moment is not None:
        fit = {folder.trial.name: moment_fit(folder.trial, simulation)}
        stdout.print(fit_table("measured and predicted moments", fit))
    stdout.print(f"results: {escape(str(directory))}", soft_wrap=True)


def _check_options(
    legacy: bool,
    tendon: TendonName | None,
    solver: SolverName | None,
    weights: WeightsFrom,
    synergies: Path | None,
    *,
    refine: bool,
) -> None:
    """Refuse options that do not fit together, whatever the files say."""
    if legacy and tendon is not None:
        raise OptionError(wording("--tendon", "the execution file's, with --legacy", tendon.value))
    if not legacy and solver is SolverName.annealing:
        raise OptionError(wording("--solver", "gradient, without --legacy", solver.value))
    if legacy and weights is WeightsFrom.auto:
        raise OptionError(wording("--weights", "file, with --legacy", weights.value))
    if legacy and synergies is not None:
        raise OptionError(wording("--synergies", "no such option with --legacy", f"'{synergies}'"))
    if refine and synergies is None:
        raise OptionError(wording("--refine", "--synergies WEIGHTINGS.csv, too", "none"))


def _check_type(
    folder: RunFolder, solver: SolverName | None, weights: WeightsFrom, synergies: Path | None
) -> None:
    """Refuse options that the type of model in the execution file has no use for."""
    hybrid = folder.execution.hybrid
    if hybrid is None and (solver is not None or weights is WeightsFrom.auto):
        expected = "an execution file with <hybrid>"
        raise OptionError(wording("--solver and --weights", expected, "<openLoop/>"))
    if hybrid is not None and synergies is not None:
        expected = "an execution file with <openLoop/>"
        raise OptionError(wording("--synergies", expected, "<hybrid>"))


def _engine_kind(folder: RunFolder, tendon: TendonName | None) -> str:
    """Return the tendon to run, and say what becomes of what CEINMS would do otherwise."""
    kind = folder.execution.tendon.kind if tendon is None else tendon.value
    if kind == "equilibriumElastic":
        note(
            "equilibriumElastic is solved with the Rosenbrock elastic tendon; --legacy solves it "
            "as CEINMS does"
        )
    if folder.execution.online:
        note(_ONLINE["stiff" if kind == "stiff" else "elastic"])
    return kind


def _synthesised(
    folder: RunFolder, file: Path, tendon: str, directory: Path, *, refine: bool
) -> RunFolder:
    """Let synergies drive what was not recorded, and write them."""
    from ceinms_torch.results.trials import write_trial_synergies  # noqa: PLC0415
    from ceinms_torch.synergies.synthesise import synthesise_excitations  # noqa: PLC0415
    from ceinms_torch.synergies.weightings import Weightings  # noqa: PLC0415

    synergies = synthesise_excitations(
        folder.subject,
        folder.trial,
        folder.generator,
        Weightings.read(file, folder.subject.mtu_names),
        refine=refine,
        tendon=tendon,
    )
    write_trial_synergies(synergies, directory)
    return dataclasses.replace(folder, trial=synergies.drive(folder.trial))


def _run(folder: RunFolder, tendon: str, directory: Path) -> Simulation:
    from ceinms_torch.results.trials import write_simulation  # noqa: PLC0415
    from ceinms_torch.simulation.simulate import simulate  # noqa: PLC0415

    simulation = simulate(folder.subject, folder.trial, tendon=tendon)
    write_simulation(simulation, directory)
    return simulation


def _run_legacy(folder: RunFolder, solver: SolverName | None, directory: Path) -> Simulation:
    from ceinms_torch.results.legacy import write_legacy  # noqa: PLC0415
    from ceinms_torch.simulation.legacy.run import Solver, run_legacy  # noqa: PLC0415

    name: Solver = "gradient" if solver is SolverName.gradient else "annealing"
    result = run_legacy(folder.subject, folder.trial, folder.execution, name)
    write_legacy(result, directory)
    return result.simulation
