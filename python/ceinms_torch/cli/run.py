"""``ceinms-torch run``: a CEINMS execution setup file in, forces and moments out."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from ceinms_torch.cli.display import fit_table, note, shown_warnings, stdout
from ceinms_torch.errors import OptionError, wording
from ceinms_torch.io.paths import check_writable

if TYPE_CHECKING:
    from ceinms_torch.workflows.folder import RunFolder
    from ceinms_torch.workflows.simulate import Simulation

EXAMPLES = """
[bold]Examples[/]

Run a trial, with results where the setup file says:
  ceinms-torch run run_walk5.xml

Elsewhere, with another tendon than the execution file asks for:
  ceinms-torch run run_walk5.xml --out forces --tendon stiff

As CEINMS does it, number for number, with its files (also EMG-assisted and hybrid):
  ceinms-torch run run_walk5.xml --legacy
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
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No table.")] = False,
) -> None:
    """Predict muscle forces and joint moments of one trial from its excitations.

    Writes activations, fibre lengths and velocities, pennation angles, tendon strains, MTU forces
    and joint moments as .sto; where the trial has measured moments, shows how well they match.
    """
    from ceinms_torch.workflows.fit import moment_fit  # noqa: PLC0415  keeps --help fast
    from ceinms_torch.workflows.folder import RunFolder  # noqa: PLC0415

    if legacy and tendon is not None:
        raise OptionError(wording("--tendon", "the execution file's, with --legacy", tendon.value))
    with shown_warnings():
        folder = RunFolder.read(setup, legacy=legacy)
        directory = folder.setup.output_directory if out is None else out
        check_writable(directory)
        simulation = _run_legacy(folder, directory) if legacy else _run(folder, tendon, directory)
    if not quiet and folder.trial.measured_moment is not None:
        fit = {folder.trial.name: moment_fit(folder.trial, simulation)}
        stdout.print(fit_table("measured and predicted moments", fit))
    stdout.print(f"results: {escape(str(directory))}", soft_wrap=True)


def _run(folder: RunFolder, tendon: TendonName | None, directory: Path) -> Simulation:
    from ceinms_torch.workflows.results import write_simulation  # noqa: PLC0415
    from ceinms_torch.workflows.simulate import simulate  # noqa: PLC0415

    kind = folder.execution.tendon.kind if tendon is None else tendon.value
    if kind == "equilibriumElastic":
        note(
            "equilibriumElastic is solved with the Rosenbrock elastic tendon; --legacy solves it "
            "as CEINMS does"
        )
    if folder.execution.online:
        note(_ONLINE["stiff" if kind == "stiff" else "elastic"])
    simulation = simulate(folder.subject, folder.trial, tendon=kind)
    write_simulation(simulation, directory)
    return simulation


def _run_legacy(folder: RunFolder, directory: Path) -> Simulation:
    from ceinms_torch.workflows.legacy.files import write_legacy  # noqa: PLC0415
    from ceinms_torch.workflows.legacy.run import run_legacy  # noqa: PLC0415

    result = run_legacy(folder)
    write_legacy(result, directory)
    return result.simulation
