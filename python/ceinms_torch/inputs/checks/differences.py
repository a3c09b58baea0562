"""Where a plan departs from the calibration file that it was made of."""

from __future__ import annotations

from ceinms_torch.errors import Place
from ceinms_torch.inputs.checks.files import Inputs
from ceinms_torch.inputs.checks.findings import Finding


def check_differences(inputs: Inputs) -> list[Finding]:
    """Say what a file of the paper's calibrator means here.

    Parameters
    ----------
    inputs : Inputs
        What could be read.

    Returns
    -------
    list of Finding
        A note for every difference; none for files of CEINMS.
    """
    plan = inputs.plan
    if plan is None:
        return []
    return [
        Finding(
            severity="note",
            code="calibration-differs",
            where=Place(plan.path),
            what=f"{one}.",
            why="The file is one of the paper's calibrator; where this matters, results differ.",
            to_do="Write a calibration file of CEINMS to choose otherwise.",
        )
        for one in plan.differences
    ]
