"""Whether what a setup file asks to write is something that is read."""

from __future__ import annotations

from ceinms_torch.inputs.checks.attempts import Attempts
from ceinms_torch.inputs.checks.files import Inputs
from ceinms_torch.inputs.checks.findings import Finding
from ceinms_torch.inputs.outputs import calibration_outputs, results_beside, run_outputs
from ceinms_torch.io.paths import check_overwrites_none
from ceinms_torch.model.setup import CalibrationSetup, RunSetup


def check_outputs(inputs: Inputs) -> list[Finding]:
    """Check that what a setup file asks to write is nothing that is read.

    Parameters
    ----------
    inputs : Inputs
        What could be read.

    Returns
    -------
    list of Finding
        One error, or none.
    """
    findings: list[Finding] = []
    setup = inputs.setup
    if isinstance(setup, CalibrationSetup):
        hybrid = inputs.plan is not None and inputs.plan.synergy_hybrid is not None
        directory, subject = results_beside(inputs.file), setup.output_subject_file
        outputs = calibration_outputs(directory, [subject], inputs.roles(), hybrid=hybrid)
        element = "<outputSubjectFile>"
    elif isinstance(setup, RunSetup):
        hybrid = inputs.execution is not None and inputs.execution.hybrid is not None
        outputs = run_outputs(setup.output_directory, legacy=inputs.legacy, hybrid=hybrid)
        element = "<outputDirectory>"
    else:
        return findings
    hint = f"Name another {element} in '{inputs.file}'"
    Attempts(findings)(
        "output-over-input", None, check_overwrites_none, outputs, inputs.files(), hint
    )
    return findings
