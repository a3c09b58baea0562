"""The model of CEINMS 0.9, number for number (reference C and E)."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ceinms_torch import _kernel
from ceinms_torch.arrays import FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.errors import CeinmsTorchWarning, OptionError, Place
from ceinms_torch.model.execution import Execution, Hybrid
from ceinms_torch.model.nms_model import Activation, Tendon
from ceinms_torch.model.settings import check_choice
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.excitation_targets import ExcitationTargets, counted_dofs
from ceinms_torch.simulation.later_outputs import (
    TERM_NAMES,
    later_outputs,
    objective_components,
)
from ceinms_torch.simulation.legacy.finite import check_finite
from ceinms_torch.simulation.legacy.inputs import (
    annealing_options,
    check_tendon,
    legacy_model,
    legacy_tables,
    legacy_trial,
)
from ceinms_torch.simulation.moments import measured_moments
from ceinms_torch.simulation.simulate import Simulation, labelled_simulation, warn_if_slack
from ceinms_torch.simulation.time_series import TimeSeries

Solver = Literal["annealing", "gradient"]
SOLVERS: tuple[str, ...] = get_args(Solver)

# Files of CEINMS, misspelt as there, and what they hold.
LEGACY_FILES = {
    "Activations": "activation",
    "FiberLenghts": "fibre_length",
    "NormFiberLengths": "norm_fibre_length",
    "FiberVelocities": "fibre_velocity",
    "NormFiberVelocities": "norm_fibre_velocity",
    "PennationAngles": "pennation_angle",
    "MuscleForces": "mtu_force",
    "Torques": "joint_moment",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class LegacyRun:
    """What the model of CEINMS 0.9 says about a trial.

    Parameters
    ----------
    simulation : Simulation
        All quantities; normalised velocities are limited to +-1, as CEINMS writes them.
    adjusted_excitation : TimeSeries or None
        The excitations that were used, where they were searched for [-].
    failed : dict of str to int
        By MTU, the number of frames at which the elastic tendon found no equilibrium, so that a
        stiff tendon took its place; MTUs without such frames are left out.
    objective : TimeSeries or None
        The objective of each frame and its weighted terms, where excitations were searched for.
    later : dict of str to TimeSeries
        What CEINMS 0.21 writes besides (`later_outputs`).
    """

    simulation: Simulation
    adjusted_excitation: TimeSeries | None
    failed: dict[str, int]
    objective: TimeSeries | None = None
    later: dict[str, TimeSeries] = field(default_factory=dict)

    def series(self) -> dict[str, TimeSeries]:
        """Return what CEINMS 0.9 writes, by the names of its files without ``.sto``.

        Returns
        -------
        dict of str to TimeSeries
        """
        result = {file: getattr(self.simulation, name) for file, name in LEGACY_FILES.items()}
        if self.adjusted_excitation is not None:
            result["AdjustedEmgs"] = self.adjusted_excitation
        return result


def simulate_legacy(
    subject: Subject,
    trial: Trial,
    *,
    tendon: Tendon,
    activation: Activation = "exponential",
    online: bool = False,
) -> LegacyRun:
    """Predict forces and joint moments as CEINMS 0.9 does, open loop.

    Parameters
    ----------
    subject : Subject
        The model.
    trial : Trial
        The data, read with this subject.
    tendon : Tendon
        "stiff" or "equilibriumElastic".
    activation : {"exponential", "piecewise"}
        The activation model.
    online : bool
        True for fibre velocities from past frames only.

    Returns
    -------
    LegacyRun

    Raises
    ------
    DataError
        If the trial does not suit CEINMS, or the subject has no curves.
    OptionError
        If the tendon is not one that CEINMS runs.

    Warns
    -----
    CeinmsTorchWarning
        If the elastic tendon found no equilibrium at some frames.
    """
    if tendon.kind == "stiff":
        warn_if_slack(subject, trial)
    arrays = _kernel.legacy_run(
        tables=legacy_tables(subject),
        parameters=subject.parameters(),
        trial=legacy_trial(subject, trial),
        model=legacy_model(tendon, activation, online=online),
    )
    run = _labelled(subject, trial.name, trial.time, arrays)
    return dataclasses.replace(run, later=later_outputs(subject, trial, run.simulation))


def optimise_legacy(
    subject: Subject,
    trial: Trial,
    hybrid: Hybrid,
    *,
    tendon: Tendon,
    activation: Activation = "exponential",
    solver: Solver = "annealing",
    dofs: Sequence[str] = (),
) -> LegacyRun:
    """Adjust and synthesise excitations as CEINMS 0.9 does: EMG-assisted, hybrid, or static.

    Every frame is searched on its own, and fibre velocities come from past frames (reference E).

    Parameters
    ----------
    subject : Subject
        The model.
    trial : Trial
        The data, read with this subject, with measured moments.
    hybrid : Hybrid
        Weights, MTUs and settings of the annealing.
    tendon : Tendon
        "stiff" or "equilibriumElastic".
    activation : {"exponential", "piecewise"}
        The activation model.
    solver : {"annealing", "gradient"}
        The search of CEINMS, number for number, or one by derivatives: the same model and
        objective, a lower minimum, sooner.
    dofs : sequence of str
        DOFs whose moment errors count; all if empty.

    Returns
    -------
    LegacyRun
        With ``AdjustedEmgs`` and the objective. Its times are those of the EMG rows plus the delay,
        as CEINMS prints them (quirk F27).

    Raises
    ------
    DataError
        If the trial does not suit CEINMS or lacks moments, an MTU or DOF is unknown or named twice,
        or the subject has no curves.
    OptionError
        If the tendon is not one that CEINMS runs.

    Warns
    -----
    CeinmsTorchWarning
        If the elastic tendon found no equilibrium at some frames.
    """
    check_choice("solver", solver, SOLVERS)
    searched = ExcitationTargets.of(subject, hybrid, dofs)
    arrays = _kernel.legacy_run_hybrid(
        tables=legacy_tables(subject),
        parameters=subject.parameters(),
        trial=legacy_trial(subject, trial),
        model=legacy_model(tendon, activation, online=True),
        measured=measured_moments(trial),
        alpha=hybrid.alpha,
        beta=hybrid.beta,
        gamma=hybrid.gamma,
        adjust=searched.adjust,
        synth=searched.synth,
        dofs=searched.dofs,
        annealing=annealing_options(hybrid.algorithm) if solver == "annealing" else None,
    )
    delay = subject.mtus[0].em_delay
    _, rows = _kernel.legacy_rows(trial.time, trial.excitation_time, delay)
    time = trial.excitation_time[rows] + delay
    terms = arrays["terms"] * (hybrid.alpha, hybrid.beta, hybrid.gamma)
    values = np.concatenate([terms.sum(axis=1, keepdims=True), terms], axis=1)
    objective = TimeSeries("objective", "-", time, ("objective", *TERM_NAMES), values)
    run = _labelled(subject, trial.name, time, arrays)
    components = objective_components(time, arrays["terms"], hybrid)
    later = later_outputs(subject, trial, run.simulation, dofs, components)
    return dataclasses.replace(run, objective=objective, later=later)


def _labelled(
    subject: Subject, trial: str, time: FloatArray, arrays: dict[str, NDArray[Any]]
) -> LegacyRun:
    """Label what the kernel returns, and say where the elastic tendon failed."""
    check_finite(subject, trial, time, arrays)
    counts = zip(subject.mtu_names, arrays["n_failed"].tolist(), strict=True)
    failed = {name: n for name, n in counts if n}
    _warn_of_failures(trial, len(time), failed)
    adjusted = None
    if "adjusted_excitation" in arrays:
        values = arrays["adjusted_excitation"]
        adjusted = TimeSeries("adjusted excitation", "-", time, subject.mtu_names, values)
    return LegacyRun(
        simulation=labelled_simulation(subject, time, arrays),
        adjusted_excitation=adjusted,
        failed=failed,
    )


def _warn_of_failures(trial: str, n_step: int, failed: dict[str, int]) -> None:
    """Say where a stiff tendon had to take the place of the elastic one, at how many frames."""
    if not failed:
        return
    counts = ", ".join(f"{name} ({n})" for name, n in failed.items())
    warnings.warn(
        f"Trial '{trial}': no equilibrium of fibre and tendon between 0.2 and 2 optimal fibre "
        f"lengths at some of the {n_step} frames: {counts}. As in CEINMS, a stiff tendon takes "
        "its place there. Check tendonSlackLength and optimalFibreLength.",
        CeinmsTorchWarning,
        stacklevel=4,
    )


@one_blas_thread
def run_legacy(
    subject: Subject, trial: Trial, execution: Execution, solver: Solver = "annealing"
) -> LegacyRun:
    """Run what an execution file asks for, as CEINMS 0.9 does.

    Parameters
    ----------
    subject : Subject
        The model, with curves of its own.
    trial : Trial
        The data, read with this subject.
    execution : Execution
        Open loop or hybrid, any activation.
    solver : {"annealing", "gradient"}
        How excitations are searched for, see `optimise_legacy`.

    Returns
    -------
    LegacyRun

    Raises
    ------
    DataError
        If the trial does not suit CEINMS.
    OptionError
        If the file asks for what CEINMS refuses: an integrated tendon, or excitations searched
        for offline.

    Warns
    -----
    CeinmsTorchWarning
        If annealing ignores ``elaboratedDoFs``, as that of CEINMS does (quirk F29).
    """
    check_tendon(execution.tendon, execution.path)
    if execution.hybrid is None:
        return simulate_legacy(
            subject,
            trial,
            tendon=execution.tendon,
            activation=execution.activation,
            online=execution.is_online,
        )
    if not execution.is_online:
        raise OptionError(
            where=Place(execution.path, element="<hybrid>"), expected="<online/>", got="<offline/>"
        )
    dofs = counted_dofs(execution)
    if solver == "annealing" and execution.elaborated_dofs and not execution.hybrid.dof_set:
        dofs = ()
        warnings.warn(
            "As in CEINMS, elaboratedDoFs is ignored: the annealing counts moment errors of all "
            "DOFs. The gradient solver counts those named.",
            CeinmsTorchWarning,
            stacklevel=2,
        )
    return optimise_legacy(
        subject,
        trial,
        execution.hybrid,
        tendon=execution.tendon,
        activation=execution.activation,
        solver=solver,
        dofs=dofs,
    )
