"""The command ``ceinms-torch``: its subcommands, and how errors and warnings reach the user."""

from __future__ import annotations

import importlib.metadata
import sys
from typing import Annotated

import typer
from rich.markup import escape

from ceinms_torch.cli import (
    calibrate,
    check,
    compare,
    convert,
    preoptimise,
    report,
    run,
    study_calibration,
    study_electrodes,
    study_muscle,
    synergies,
)
from ceinms_torch.cli.display import stderr, stdout
from ceinms_torch.cli.failures import as_process
from ceinms_torch.cli.outputs import CLAIMS

app = typer.Typer(
    name="ceinms-torch",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Calibrate and run EMG-informed neuromusculoskeletal models from CEINMS's own files.",
)
study = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Studies of a subject or a muscle: many calibrations.",
)
for module in (check, calibrate, run, report, compare, synergies, preoptimise, convert):
    app.command(module.__name__.rpartition(".")[2], epilog=module.EXAMPLES)(module.command)
for module in (study_calibration, study_electrodes, study_muscle):
    study.command(module.STUDY, epilog=module.EXAMPLES)(module.command)
app.add_typer(study, name="study")


def _print_version(value: bool) -> None:
    if value:
        stdout.print(f"ceinms-torch {importlib.metadata.version('ceinms-torch')}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Options before the subcommand."""


def run_as_process() -> int:
    """Run the command line, and return its exit status: 1 for an error, which is one message."""
    return as_process(_obey, _tell)


def _obey() -> None:
    with CLAIMS:
        app()


def _tell(message: str) -> None:
    stderr.print(f"[bold red]error:[/] {escape(message)}", soft_wrap=True)


def main() -> None:
    """Run the command line and end the process."""
    sys.exit(run_as_process())


if __name__ == "__main__":
    main()
