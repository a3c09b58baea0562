"""``ceinms-torch run``: a CEINMS execution setup file in, forces and moments out."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from ceinms_torch.cli.display import fit_table, note, shown_warnings, stdout

EXAMPLES = """
[bold]Examples[/]

Run a trial, with results where the setup file says:
  ceinms-torch run run_walk5.xml

Elsewhere, with another tendon than the execution file asks for:
  ceinms-torch run run_walk5.xml --out forces --tendon stiff
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


def run_command(
    setup: Annotated[Path, typer.Argument(help="Execution setup file, as for CEINMS -S.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the results, instead of the setup file's outputDirectory."),
    ] = None,
    tendon: Annotated[
        TendonName | None, typer.Option(help="Tendon model, instead of the execution file's.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No table.")] = False,
) -> None:
    """Predict muscle forces and joint moments of one trial from its excitations (open loop).

    Writes activations, fibre lengths and velocities, pennation angles, tendon strains, MTU forces
    and joint moments as .sto; where the trial has measured moments, shows how well they match.
    """
    from ceinms_torch.workflows.fit import moment_fit  # noqa: PLC0415  keeps --help fast
    from ceinms_torch.workflows.folder import RunFolder  # noqa: PLC0415
    from ceinms_torch.workflows.results import check_writable, write_simulation  # noqa: PLC0415
    from ceinms_torch.workflows.simulate import simulate  # noqa: PLC0415

    with shown_warnings():
        folder = RunFolder.read(setup)
        directory = folder.setup.output_directory if out is None else out
        check_writable(directory)
        kind = folder.execution.tendon.kind if tendon is None else tendon.value
        if kind == "equilibriumElastic":
            note("equilibriumElastic is solved with the Rosenbrock elastic tendon")
        if folder.execution.online:
            note(_ONLINE["stiff" if kind == "stiff" else "elastic"])
        simulation = simulate(folder.subject, folder.trial, tendon=kind)
        write_simulation(simulation, directory)
    if not quiet and folder.trial.measured_moment is not None:
        fit = {folder.trial.name: moment_fit(folder.trial, simulation)}
        stdout.print(fit_table("measured and predicted moments", fit))
    stdout.print(f"results: {escape(str(directory))}", soft_wrap=True)
