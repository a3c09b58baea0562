"""The objective of a step as the engines know it: places in arrays instead of names."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ceinms_torch import _kernel
from ceinms_torch.model.subject import Subject
from ceinms_torch.plan.calibration import CalibrationStep
from ceinms_torch.plan.composites import TorqueError

_TERMS = {
    "normalisedFibreLength": "fibre_length_penalties",
    "normalisedFibreVelocity": "fibre_velocity_penalties",
    "tendonStrain": "tendon_strain_penalties",
}


def engine_objective(step: CalibrationStep, subject: Subject) -> _kernel.Objective:
    """Return a step's moment errors, penalties and low peak as the engines take them.

    Parameters
    ----------
    step : CalibrationStep
        Whose objective it is.
    subject : Subject
        Whose DOFs and MTUs the objective names.

    Returns
    -------
    _kernel.Objective
    """
    objective = step.objective
    dofs = step.moment_dofs(subject.dof_names)
    options: dict[str, Any] = {name: [] for name in _TERMS.values()}
    for one in objective.penalties:
        mtus = [subject.mtu_index(name) for name in one.targets]
        options[_TERMS[one.quantity]].append((one.range, one.weight, one.exponent, mtus))
    options["moment_powers"] = [
        (one.weight, one.exponent, not one.normalised, [dofs.index(name) for name in one.targets])
        for one in objective.torque_errors or (TorqueError(),)
    ]
    return _kernel.Objective(
        SimpleNamespace(
            normalisation=objective.normalisation,
            peak_force_weight=objective.peak_force_weight,
            **options,
        )
    )
