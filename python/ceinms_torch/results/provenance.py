"""Where results come from: hashes of the input, versions of what computed them."""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path

from ceinms_torch.calibration.result import CalibrationResult, Provenance
from ceinms_torch.inputs.checks.findings import CheckReport
from ceinms_torch.inputs.folder import CalibrationFolder
from ceinms_torch.io.paths import relative_text
from ceinms_torch.io.plain import plain
from ceinms_torch.io.source import Source


def with_provenance(
    result: CalibrationResult,
    folder: CalibrationFolder | None = None,
    *,
    findings: CheckReport | None = None,
    warnings: Sequence[str] = (),
    command: str = "",
) -> CalibrationResult:
    """Return a result that knows where it comes from; one that knows already, as it is.

    Parameters
    ----------
    result : CalibrationResult
        The calibration.
    folder : CalibrationFolder, optional
        What it worked on; without it, input files are those that the result itself names.
    findings : CheckReport, optional
        What a check of the folder found before.
    warnings : sequence of str
        What was doubtful in the input, besides start values outside their ranges.
    command : str
        The command line that did it.

    Returns
    -------
    CalibrationResult
    """
    if result.provenance.versions:
        return result
    doubts = [doubt for step in result.steps for doubt in step.space.doubts]
    sources = sources_of(result) if folder is None else [*folder.sources(), *sources_of(result)]
    return dataclasses.replace(
        result,
        provenance=Provenance(
            command=command,
            findings=tuple(plain(findings.findings)) if findings else (),
            warnings=tuple(dict.fromkeys([*warnings, *doubts])),
            inputs=file_hashes(sources, None if folder is None else folder.setup.path),
            versions=versions(),
        ),
    )


def sources_of(result: CalibrationResult) -> list[Source]:
    """Return the input files that a result itself names; none after `load_result`."""
    read = (result.steps[0].space.subject, result.plan)
    documents = [one.document.source for one in read if one.document is not None]
    return documents + [file for one in (*result.trials, *result.tests) for file in one.sources]


def file_hashes(sources: Iterable[Source], setup: Path | None) -> dict[str, str]:
    """Return the SHA-256 of every file as it was read, by a name that does not depend on the cwd.

    Parameters
    ----------
    sources : iterable of Source
        The files.
    setup : Path or None
        The setup file. Files below its folder are named relative to it, all others absolutely.

    Returns
    -------
    dict of str to str
        Names have forward slashes.
    """
    return {_stable_name(file.path, setup): file.sha256 for file in sources if file.path}


def _stable_name(file: Path, setup: Path | None) -> str:
    relative = None if setup is None else Path(relative_text(file, setup))
    if relative is None or relative.is_absolute() or ".." in relative.parts:
        return file.resolve().as_posix()
    return relative.as_posix()


def versions() -> dict[str, str]:
    """Return the versions of what computed the result."""
    return dict(_versions())


@functools.cache  # looking them up takes a tenth of a short calibration
def _versions() -> tuple[tuple[str, str], ...]:
    packages = ("ceinms-torch", "torch", "numpy", "scipy", "lxml")
    return (
        ("python", platform.python_version()),
        ("platform", platform.platform()),
        *((name, importlib.metadata.version(name)) for name in packages),
    )
