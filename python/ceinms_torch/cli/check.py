"""``ceinms-torch check``: what is wrong or doubtful in a folder, before anything is run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from ceinms_torch.terminal import options as opt
from ceinms_torch.terminal.display import note, stderr, stdout

if TYPE_CHECKING:
    from ceinms_torch.inputs.checks.findings import CheckReport, Finding

EXAMPLES = """
[bold]Examples[/]

What is wrong or doubtful, most severe first:
  ceinms-torch check calibrate.xml

With the trials that the calibration will be tested on:
  ceinms-torch check calibrate.xml --test 'trials/run*/inputData.xml'

For calibrate --method annealing, and for run --legacy:
  ceinms-torch check calibrate.xml --legacy

For a program, warnings counting as errors:
  ceinms-torch check calibrate.xml --json --strict
"""

_STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}


def command(
    setup: Annotated[
        Path, typer.Argument(help="Calibration or execution setup file, as for CEINMS -S.")
    ],
    test: opt.Test = None,
    legacy: opt.Legacy = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 for warnings, too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """List everything that is wrong or doubtful in a setup file and what it points at.

    Files, names and columns, EMG map, times and rates, units, EMG signals, moment arms against
    lengths, sign and size of moments, one trial against the others, start values and ranges: each
    finding with its place, why it matters and what to do. Nothing is written. Exit status: 0
    without errors, 1 with errors, 2 for wrong use of the command.
    """
    from ceinms_torch.inputs.checks.check import check_folder  # noqa: PLC0415  fast --help

    report = check_folder(setup, tests=test or (), legacy=legacy)
    if as_json:
        typer.echo(json.dumps(report.to_dict(), indent=2))
    else:
        for finding in report.findings:
            stdout.print(_block(finding), soft_wrap=True)
        stdout.print(f"Files of {escape(str(report.dialect))}.", soft_wrap=True)
        stdout.print(summary(report))
    if report.has_errors or (strict and report.of_severity("warning")):
        raise typer.Exit(1)


def _block(finding: Finding) -> str:
    """Return a finding as lines: severity and code, where, what, why, what to do."""
    style = _STYLES[finding.severity]
    rows = (
        ("", str(finding.where)),
        ("", finding.what),
        ("why: ", finding.why),
        ("do:  ", finding.to_do),
    )
    lines = [f"[{style}]{finding.severity}[/] [bold]{escape(finding.code)}[/]"]
    lines += [f"  [dim]{label}[/]{escape(text)}" for label, text in rows if text]
    return "\n".join(lines) + "\n"


def summary(report: CheckReport) -> str:
    """Return how many findings there are, in words.

    Parameters
    ----------
    report : CheckReport
        What was found.

    Returns
    -------
    str
    """
    counts = report.to_dict()["counts"]
    words = [f"{n} {name}{'' if n == 1 else 's'}" for name, n in counts.items() if n]
    if not words:
        return "Nothing to report."
    ending = " Errors must be mended before anything is run." if counts["error"] else ""
    return f"{', '.join(words)}.{ending}"


def show_findings(report: CheckReport) -> None:
    """Print errors and warnings as single lines on standard error.

    Parameters
    ----------
    report : CheckReport
        What was found.
    """
    for finding in report.of_severity("error"):
        stderr.print(f"[bold red]error:[/] {escape(finding.line())}", soft_wrap=True)
    for finding in report.of_severity("warning"):
        note(finding.source or finding.line(), kind="warning")
    for finding in report.of_severity("note"):
        if finding.source is not None:  # what the readers warn about
            note(finding.source, kind="warning")
