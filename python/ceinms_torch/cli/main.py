"""The command ``ceinms-torch``: its subcommands, and how errors and warnings reach the user."""

from __future__ import annotations

import importlib
import sys
from typing import Annotated, Any, ClassVar

import typer
from rich.markup import escape

from ceinms_torch.terminal.display import stderr, stdout
from ceinms_torch.terminal.failures import as_process
from ceinms_torch.terminal.outputs import CLAIMS

# In the order in which --help shows them, with the modules that have them.
COMMANDS = {
    name: name
    for name in (
        "emg",
        "segment",
        "new",
        "check",
        "calibrate",
        "run",
        "loads",
        "cohort",
        "report",
        "compare",
        "synergies",
        "preoptimise",
        "convert",
    )
}
GEOMETRY = {name: f"geometry_{name}" for name in ("fit", "evaluate")}
STUDIES = {name: f"study_{name}" for name in ("calibration", "electrodes", "muscle")}


class _Lazy(typer.core.TyperGroup):
    """Subcommands whose modules are loaded when they are asked for.

    A run starts in a third of the time that all modules take to load.
    """

    modules: ClassVar[dict[str, str]]

    def __init__(self, **settings: Any) -> None:
        """Know the names, which is enough to list them and to find the one that was meant."""
        super().__init__(**settings)
        names: dict[str, Any] = dict.fromkeys(self.modules)
        self.commands = {**names, **self.commands}

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a subcommand, or None without one of the name."""
        if cmd_name not in self.modules:
            return super().get_command(ctx, cmd_name)
        module = importlib.import_module(f"ceinms_torch.cli.{self.modules[cmd_name]}")
        alone = typer.Typer(rich_markup_mode="rich", add_completion=False)
        alone.command(cmd_name, epilog=module.EXAMPLES)(module.command)
        return typer.main.get_command(alone)


class _Commands(_Lazy):
    modules = COMMANDS


class _Geometry(_Lazy):
    modules = GEOMETRY


class _Studies(_Lazy):
    modules = STUDIES


app = typer.Typer(
    name="ceinms-torch",
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Calibrate and run EMG-informed neuromusculoskeletal models from CEINMS's own files.",
)
geometry = typer.Typer(
    cls=_Geometry,
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="MTU lengths and moment arms as polynomials of joint angles.",
)
app.add_typer(geometry, name="geometry")
study = typer.Typer(
    cls=_Studies,
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Studies of a subject or a muscle: many calibrations.",
)
app.add_typer(study, name="study")


def _print_version(value: bool) -> None:
    if value:
        import importlib.metadata  # noqa: PLC0415  slow to load

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
