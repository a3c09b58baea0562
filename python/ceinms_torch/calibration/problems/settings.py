"""From the objects of a calibration step to what the fused engine's problem takes."""

from __future__ import annotations

from typing import Any

from ceinms_torch import _kernel
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.problems.linear_terms import linear_terms
from ceinms_torch.model.calibration import CalibrationStep
from ceinms_torch.model.subject import Subject
from ceinms_torch.simulation.curves import curve_tables
from ceinms_torch.simulation.simulate import engine_tendon


def problem_settings(
    subject: Subject,
    step: CalibrationStep,
    space: ParameterSpace,
    *,
    n_trial: int,
    tendon: str,
    filter_start: str,
) -> dict[str, Any]:
    """Return what a problem of the fused engine needs but trials, DOFs and threads.

    Parameters
    ----------
    subject : Subject
        The subject at the start.
    step : CalibrationStep
        DOFs and objective.
    space : ParameterSpace
        What may change.
    n_trial : int
        Number of trials.
    tendon : str
        Tendon by its XML name.
    filter_start : {"ceinms", "zero"}
        Start of the activation filter, see `simulate`.

    Returns
    -------
    dict of str to object
        Arguments of ``_kernel.Problem``.

    Raises
    ------
    OptionError
        If a muscle group has nothing to keep together.
    """
    return {
        "tables": curve_tables(subject),
        "map": space.map(),
        "objective": _kernel.Objective(step.objective),
        "linear_terms": linear_terms(step, space, n_trial),
        "tendon": engine_tendon(tendon),
        "filter_start": filter_start,
    }
