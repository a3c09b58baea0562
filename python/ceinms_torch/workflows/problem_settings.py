"""From the objects of a calibration step to what the fused engine's problem takes."""

from __future__ import annotations

from typing import Any

from ceinms_torch import _kernel
from ceinms_torch.model.options import Objective
from ceinms_torch.model.subject import Subject
from ceinms_torch.workflows.curves import curve_tables
from ceinms_torch.workflows.parameter_space import ParameterSpace
from ceinms_torch.workflows.simulate import engine_tendon


def problem_settings(
    subject: Subject,
    objective: Objective,
    space: ParameterSpace,
    *,
    tendon: str,
    filter_start: str,
) -> dict[str, Any]:
    """Return what a problem of the fused engine needs but trials, DOFs and threads.

    Parameters
    ----------
    subject : Subject
        The subject at the start.
    objective : Objective
        Normalisation and penalties.
    space : ParameterSpace
        What may change.
    tendon : str
        Tendon by its XML name.
    filter_start : {"ceinms", "zero"}
        Start of the activation filter, see `simulate`.

    Returns
    -------
    dict of str to object
        Arguments of ``_kernel.Problem``.
    """
    slot, component = space.slots()
    return {
        "tables": curve_tables(subject),
        "start": subject.parameters(),
        "lower": space.lower,
        "upper": space.upper,
        "slot": slot,
        "component": component,
        "objective": _kernel.ObjectiveOptions(
            normalisation=objective.normalisation,
            fibre_length=_kernel.RangePenalty(
                *objective.fibre_length_range, objective.fibre_length_weight
            ),
            tendon_strain=_kernel.RangePenalty(
                *objective.tendon_strain_range, objective.tendon_strain_weight
            ),
        ),
        "tendon": engine_tendon(tendon),
        "filter_start": filter_start,
    }
