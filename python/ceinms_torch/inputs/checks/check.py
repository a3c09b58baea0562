"""All checks of a setup file and what it points at, the most fundamental first."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ceinms_torch.blas import one_blas_thread
from ceinms_torch.inputs.checks.among import check_rates
from ceinms_torch.inputs.checks.coverage import check_coverage
from ceinms_torch.inputs.checks.differences import check_differences
from ceinms_torch.inputs.checks.emg import check_emg
from ceinms_torch.inputs.checks.files import Inputs, read_inputs
from ceinms_torch.inputs.checks.findings import CheckReport, Finding
from ceinms_torch.inputs.checks.geometry import check_geometry
from ceinms_torch.inputs.checks.mapping import check_mapping
from ceinms_torch.inputs.checks.matching import (
    check_delay_ranges,
    check_names,
    match_trials,
)
from ceinms_torch.inputs.checks.moments import check_moment_data
from ceinms_torch.inputs.checks.muscles import check_muscles
from ceinms_torch.inputs.checks.outputs import check_outputs
from ceinms_torch.inputs.checks.parameters import check_parameters
from ceinms_torch.inputs.checks.timing import check_calibrated_rate, check_timing
from ceinms_torch.inputs.checks.units import check_units


@one_blas_thread
def check_folder(
    setup: str | os.PathLike[str],
    *,
    tests: Iterable[str | os.PathLike[str]] = (),
    legacy: bool = False,
) -> CheckReport:
    """Check a CEINMS folder before anything is run: files, maps, times, units, signals, ranges.

    Reads all that can be read, past whatever fails, and writes nothing. An error would stop a
    calculation or make its result meaningless; a warning may do so; a note says what limits a
    result.

    Parameters
    ----------
    setup : path-like
        A calibration or an execution setup file.
    tests : iterable of path-like
        ``inputData.xml`` of trials that a calibration will be tested on.
    legacy : bool
        Whether the model of CEINMS 0.9 is going to be run (``--method annealing``, ``run
        --legacy``), which knows more activations and takes start values outside their ranges.

    Returns
    -------
    CheckReport
        What is wrong or doubtful is in it, never raised.
    """
    inputs, findings = read_inputs(Path(setup), [Path(test) for test in tests], legacy=legacy)
    return check_inputs(inputs, findings + check_outputs(inputs))


def check_inputs(inputs: Inputs, findings: list[Finding]) -> CheckReport:
    """Check what was read, and match it: `inputs` gets its aligned trials.

    Parameters
    ----------
    inputs : Inputs
        What could be read.
    findings : list of Finding
        What could not.

    Returns
    -------
    CheckReport
        These and all others.
    """
    names = check_names(inputs)
    matched = match_trials(inputs)
    units = check_units(inputs)
    findings += [*check_mapping(inputs), *units, *matched, *names]
    findings += check_differences(inputs)
    findings += check_timing(inputs)
    findings += check_rates((*inputs.aligned, *inputs.tests))
    findings += check_calibrated_rate(inputs)
    findings += check_emg(inputs)
    if not _has_errors(names):
        findings += check_delay_ranges(inputs)
        findings += check_parameters(inputs)
    # Numbers in the wrong unit would only be reported over and over.
    if not _has_errors(units):
        findings += check_geometry(inputs)
        findings += check_moment_data(inputs)
        findings += check_muscles(inputs)
        findings += check_coverage(inputs.aligned, inputs.tests)
    return CheckReport.of(inputs.file, findings, inputs.dialect)


def _has_errors(findings: Iterable[Finding]) -> bool:
    return any(finding.severity == "error" for finding in findings)
