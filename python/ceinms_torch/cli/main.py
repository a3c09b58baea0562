"""The command ``ceinms-torch``: its subcommands, and how errors and warnings reach the user."""

from __future__ import annotations

import importlib
import sys
from typing import Annotated, Any, ClassVar

import typer

from ceinms_torch.terminal.claims import CLAIMS
from ceinms_torch.terminal.failures import as_process
from ceinms_torch.terminal.streams import say

# In the order in which --help shows them, each with the first sentence of its help: the modules of
# the same names, which have all of it, take longer to load than all else.
COMMANDS = {
    "emg": "Make normalised linear envelopes of raw EMG, and measure how good the recordings are.",
    "segment": "Cut a recording into cycles.",
    "new": "Write a complete CEINMS folder from a scaled model, recordings and an EMG map.",
    "check": "List everything that is wrong or doubtful in a setup file and what it points at.",
    "calibrate": "Calibrate a subject so that its moments match inverse dynamics.",
    "run": "Predict muscle forces and joint moments of one trial from its excitations.",
    "loads": "Compute joint contact forces from muscle forces, by OpenSim's dynamics of the "
    "skeleton.",
    "cohort": "Calibrate or run everyone of a study, and put all numbers into long tables.",
    "report": "Explain calibrations in report.html, one file that needs nothing else.",
    "compare": "Calibrate a subject by several methods, and judge all alike.",
    "synergies": "Extract muscle synergies from recorded excitations, and choose their number.",
    "preoptimise": "Make start values for a calibration, subject.xml, from a generic model.",
    "convert": "Convert files of any CEINMS to those of CEINMS 0.9 or 0.21, or a C3D file to "
    "OpenSim's.",
}
GEOMETRY = {
    "fit": "Fit the length of every MTU by a polynomial of joint angles; moment arms are -dL/dq.",
    "evaluate": "Write MTU lengths (lmt.sto) and moment arms (ma_DOF.sto) in the poses of a "
    "movement.",
}
STUDIES = {
    "calibration": "Compare all methods over seeds, validate, and say how many trials are enough.",
    "electrodes": "Remove electrodes one after the other, and calibrate without and with "
    "synergies.",
    "muscle": "Fit a muscle with each of four tendons to one recording, and predict the others.",
}


class _Lazy(typer.core.TyperGroup):
    """Subcommands whose modules are loaded when they are asked for.

    A run starts in a third of the time that all modules take to load.
    """

    prefix: ClassVar[str] = ""
    summaries: ClassVar[dict[str, str]]
    _is_listed: bool = False

    def __init__(self, **settings: Any) -> None:
        """Know the names, which is enough to list them and to find the one that was meant."""
        super().__init__(**settings)
        names: dict[str, Any] = dict.fromkeys(self.summaries)
        self.commands = {**names, **self.commands}

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help as plain text, from summaries: what draws boxes takes longer to load."""
        mode = self.rich_markup_mode
        self._is_listed, self.rich_markup_mode = True, None
        try:
            super().format_help(ctx, formatter)
        finally:
            self._is_listed, self.rich_markup_mode = False, mode

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the command line apart; without anything in it, show the help."""
        if not args and self.no_args_is_help and not ctx.resilient_parsing:
            say(ctx.get_help())
            raise typer.Exit(2)
        return super().parse_args(ctx, args)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a subcommand, or None without one of the name."""
        if cmd_name not in self.summaries:
            return super().get_command(ctx, cmd_name)
        if self._is_listed:
            return typer.core.TyperCommand(cmd_name, short_help=self.summaries[cmd_name])
        module = importlib.import_module(f"ceinms_torch.cli.{self.prefix}{cmd_name}")
        alone = typer.Typer(rich_markup_mode="rich", add_completion=False)
        alone.command(cmd_name, epilog=module.EXAMPLES)(module.command)
        return typer.main.get_command(alone)


class _Commands(_Lazy):
    summaries = COMMANDS


class _Geometry(_Lazy):
    prefix = "geometry_"
    summaries = GEOMETRY


class _Studies(_Lazy):
    prefix = "study_"
    summaries = STUDIES


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

        say(f"ceinms-torch {importlib.metadata.version('ceinms-torch')}")
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
    from ceinms_torch.terminal.display import tell_error  # noqa: PLC0415  as above

    tell_error(message)


def main() -> None:
    """Run the command line and end the process."""
    sys.exit(run_as_process())


if __name__ == "__main__":
    main()
