"""What CEINMS 0.21 writes of a run and 0.9 does not, under its file names."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.model.execution import Hybrid
from ceinms_torch.model.parameters import parameter_row
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.simulate import Simulation
from ceinms_torch.simulation.time_series import TimeSeries

# Of the objective of a search for excitations; alpha, beta and gamma weigh them in this order.
TERM_NAMES = ("moment", "effort", "tracking")


def later_outputs(
    subject: Subject,
    trial: Trial,
    simulation: Simulation,
    dofs: Sequence[str] = (),
    components: TimeSeries | None = None,
) -> dict[str, TimeSeries]:
    """Return the outputs of CEINMS 0.21 that 0.9 does not have.

    Parameters
    ----------
    subject : Subject
        The model.
    trial : Trial
        The data.
    simulation : Simulation
        Of all frames of the trial.
    dofs : sequence of str
        DOFs whose moments were tracked; all if empty.
    components : TimeSeries, optional
        Those of the objective, where excitations were searched for (`objective_components`).

    Returns
    -------
    dict of str to TimeSeries
        By the names of the files without ``.sto``: tendon lengths [m] and over slack length [-],
        what each MTU contributes to each moment [N m], and the components.
    """
    strain = simulation.tendon_strain
    stretch = 1.0 + strain.array
    length = subject.parameters()[parameter_row("tendonSlackLength")] * stretch
    result = {
        "TendonLengths": dataclasses.replace(strain, name="tendon length", units="m", array=length),
        "NormTendonLengths": dataclasses.replace(
            strain, name="normalised tendon length", array=stretch
        ),
        "MusclesContribution": _contributions(
            subject, trial, simulation, dofs or subject.dof_names
        ),
    }
    if components is not None:
        result["ObjectiveFunctionComponentsAndWeightings"] = components
    return result


def _contributions(
    subject: Subject, trial: Trial, simulation: Simulation, dofs: Sequence[str]
) -> TimeSeries:
    """Return force times moment arm of every MTU of these DOFs; MTUs of a DOF sum to its moment."""
    pairs = [(dof.name, mtu) for dof in subject.dofs if dof.name in dofs for mtu in dof.mtu_names]
    mtus = [subject.mtu_index(mtu) for _, mtu in pairs]
    arms = trial.moment_arm[:, [subject.dof_names.index(dof) for dof, _ in pairs], mtus]
    return TimeSeries(
        name="contribution of MTUs to joint moments",
        units="N m",
        time=simulation.joint_moment.time,
        columns=tuple(f"{mtu}_{dof}" for dof, mtu in pairs),
        array=simulation.mtu_force.array[:, mtus] * arms,
    )


def objective_components(time: FloatArray, terms: FloatArray, hybrid: Hybrid) -> TimeSeries:
    """Return the terms of the objective of a search at every frame, and what weighs them.

    Parameters
    ----------
    time : ndarray (n_step,)
        Times [s].
    terms : ndarray (n_step, 3)
        Squared moment errors [N^2 m^2], squared excitations of all MTUs [-] and absolute changes
        of the adjusted excitations [-], without their weights.
    hybrid : Hybrid
        The weights.

    Returns
    -------
    TimeSeries
        Each term times its weight, summed over terms and frames, is the objective.
    """
    weights = {name: getattr(hybrid, name) for name in ("alpha", "beta", "gamma")}
    return TimeSeries(
        name="components of the objective and their weights",
        units="N^2 m^2 (moment), - (all others)",
        time=time,
        columns=(*TERM_NAMES, *weights),
        array=np.concatenate([terms, np.tile([*weights.values()], (len(terms), 1))], axis=1),
    )
