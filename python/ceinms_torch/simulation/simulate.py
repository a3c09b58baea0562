"""Open-loop execution: from excitations to forces and moments, without torch."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

import numpy as np

from ceinms_torch import _kernel
from ceinms_torch.arrays import FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.errors import CeinmsTorchWarning, DataError, OptionError, Place, did_you_mean
from ceinms_torch.io.display import OneLine
from ceinms_torch.model.nms_model import Tendon
from ceinms_torch.model.parameters import PARAMETER_KINDS
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.curves import curve_tables
from ceinms_torch.simulation.stability import warn_if_too_coarse
from ceinms_torch.simulation.time_series import TimeSeries
from ceinms_torch.simulation.trial_input import kernel_trial

# Tendons by their XML names, and what the engines call them. The equilibrium of an elastic tendon
# is followed by the Rosenbrock step: the same muscle and tendon, integrated another way.
ENGINE_TENDONS = {
    "stiff": "stiff",
    "rosenbrockElastic": "rosenbrock",
    "equilibriumElastic": "rosenbrock",
}
# Of this one there is a solution, but no derivative.
DAMPED_EQUILIBRIUM = "dampedEquilibrium"


@dataclass(frozen=True, kw_only=True, eq=False)
class Simulation(OneLine):
    """What every MTU did in a trial, and the joint moments; each (n_step, n_mtu or n_dof).

    Parameters
    ----------
    activation : TimeSeries
        Eq. (2) [-].
    fibre_length : TimeSeries
        [m].
    norm_fibre_length : TimeSeries
        Over the optimal fibre length [-].
    fibre_velocity : TimeSeries
        [m/s], lengthening positive.
    norm_fibre_velocity : TimeSeries
        Over optimal fibre length times maximum contraction velocity [-].
    pennation_angle : TimeSeries
        [rad].
    tendon_strain : TimeSeries
        [-].
    mtu_force : TimeSeries
        Along the tendon, eq. (3) [N].
    joint_moment : TimeSeries
        [N m].
    """

    activation: TimeSeries
    fibre_length: TimeSeries
    norm_fibre_length: TimeSeries
    fibre_velocity: TimeSeries
    norm_fibre_velocity: TimeSeries
    pennation_angle: TimeSeries
    tendon_strain: TimeSeries
    mtu_force: TimeSeries
    joint_moment: TimeSeries

    def series(self) -> Iterator[tuple[str, TimeSeries]]:
        """Iterate over all quantities with their attribute names."""
        for item in fields(self):
            yield item.name, getattr(self, item.name)


def engine_tendon(tendon: str | Tendon) -> str:
    """Return what the engines call a tendon model.

    Parameters
    ----------
    tendon : str or Tendon
        A tendon by its XML name.

    Returns
    -------
    {"stiff", "rosenbrock"}

    Raises
    ------
    OptionError
        For "integrationElastic", which CEINMS refuses, too, for "dampedEquilibrium", which has no
        derivatives, and for unknown names.
    """
    kind = tendon.kind if isinstance(tendon, Tendon) else tendon
    if kind not in ENGINE_TENDONS:
        hint = _WHY_NOT.get(kind) or did_you_mean(kind, tuple(ENGINE_TENDONS))
        raise OptionError(
            where="tendon",
            expected=f"one of {', '.join(ENGINE_TENDONS)}",
            got=repr(kind),
            hint=hint,
        )
    return ENGINE_TENDONS[kind]


def calibrated_tendon(tendon: str | Tendon) -> str:
    """Return the XML name of the tendon that a calibration by gradients runs in place of one.

    Parameters
    ----------
    tendon : str or Tendon
        A tendon by its XML name, as `engine_tendon` takes it.

    Returns
    -------
    {"stiff", "rosenbrockElastic"}
        The latter for every elastic tendon.
    """
    return "stiff" if engine_tendon(tendon) == "stiff" else "rosenbrockElastic"


_WHY_NOT = {
    "integrationElastic": (
        "CEINMS 0.9 has it in its grammar but does not run it either; rosenbrockElastic integrates "
        "the same elastic tendon"
    ),
    DAMPED_EQUILIBRIUM: (
        "it is solved without derivatives, for running a trial only; rosenbrockElastic follows the "
        "same equation with them"
    ),
}


def warn_if_slack(subject: Subject, trial: Trial) -> None:
    """Warn where the stiff tendon of CEINMS loses the sign of the fibre (quirk F9).

    Parameters
    ----------
    subject : Subject
        The subject.
    trial : Trial
        The trial, read with this subject.

    Warns
    -----
    CeinmsTorchWarning
        If an MTU is shorter than its slack tendon somewhere.
    """
    slack_length = [mtu.tendon_slack_length for mtu in subject.mtus]
    counts = (trial.mtu_length < slack_length).sum(axis=0).tolist()
    slack = [f"{name} ({n})" for name, n in zip(trial.mtu_names, counts, strict=True) if n]
    if slack:
        text = (
            f"Trial '{trial.name}': with a stiff tendon, MTUs are shorter than tendonSlackLength "
            f"at some of the {len(trial.time)} steps: {', '.join(slack)}. There the fibre gets "
            "longer, not shorter, as the MTU shortens, as in CEINMS. Shorten tendonSlackLength, or "
            "take an elastic tendon."
        )
        warnings.warn(CeinmsTorchWarning(text, "tendon-slack"), stacklevel=4)


@one_blas_thread
def simulate(
    subject: Subject,
    trial: Trial,
    *,
    tendon: str | Tendon = "rosenbrockElastic",
    filter_start: str = "ceinms",
) -> Simulation:
    """Predict forces and joint moments of a trial from its excitations.

    Parameters
    ----------
    subject : Subject
        The model.
    trial : Trial
        The data, read with this subject.
    tendon : {"rosenbrockElastic", "equilibriumElastic", "dampedEquilibrium", "stiff"} or Tendon
        Tendon model; the second is solved as the first, the third as Millard et al. (2013) do, to
        many digits, for comparison.
    filter_start : {"ceinms", "zero"}
        Whether the activation filter restarts at its third sample, as that of CEINMS does
        (reference C.1).

    Returns
    -------
    Simulation

    Raises
    ------
    DataError
        If the trial was read with another subject; if a damped equilibrium cannot be followed.
    OptionError
        If the tendon model is not one of these.

    Warns
    -----
    CeinmsTorchWarning
        Once per trial, if a stiff tendon is longer than its MTU somewhere, or the steps are too
        long for the Rosenbrock tendon, even in sub-steps.
    """
    kind = tendon.kind if isinstance(tendon, Tendon) else tendon
    engine = kind if kind == DAMPED_EQUILIBRIUM else engine_tendon(kind)
    taken = kernel_trial(subject, trial)
    if engine == "stiff":
        warn_if_slack(subject, trial)
    arrays = _kernel.simulate(
        tables=curve_tables(subject),
        parameters=subject.parameters(),
        trial=taken,
        tendon=engine,
        filter_start=filter_start,
    )
    if engine == DAMPED_EQUILIBRIUM:
        _check_is_solved(trial, arrays["fibre_length"])
    if engine == "rosenbrock":
        warn_if_too_coarse(subject, trial, arrays)
    return simulation_of(subject, trial, arrays)


def simulation_of(subject: Subject, trial: Trial, arrays: Mapping[str, FloatArray]) -> Simulation:
    """Label what the kernel simulated, normalised lengths and velocities added.

    Parameters
    ----------
    subject : Subject
        The model.
    trial : Trial
        The data.
    arrays : mapping of str to ndarray
        What the kernel returned.

    Returns
    -------
    Simulation
    """
    parameters = subject.parameters()
    optimal = parameters[PARAMETER_KINDS.index("optimalFibreLength")]
    peak_velocity = optimal * parameters[PARAMETER_KINDS.index("maxContractionVelocity")]
    normalised = {
        "norm_fibre_length": arrays["fibre_length"] / optimal,
        "norm_fibre_velocity": arrays["fibre_velocity"] / peak_velocity,
    }
    return labelled_simulation(subject, trial.time, {**arrays, **normalised})


def _check_is_solved(trial: Trial, fibre_length: FloatArray) -> None:
    unsolved = np.argwhere(~np.isfinite(fibre_length))
    if len(unsolved):
        step, mtu = unsolved[0]
        raise DataError(
            where=Place(trial=trial.name),
            expected=f"a fibre velocity at which {trial.mtu_names[mtu]} and its tendon balance",
            got=f"none that can be followed at {trial.time[step]:g} s",
            hint="a damped equilibrium needs damping above zero and a tendon that is not ten "
            "thousand times shorter than its fibre",
        )


# Names and units, by attribute of `Simulation` and key of what the kernel returns.
_LABELS = {
    "activation": ("activation", "-"),
    "fibre_length": ("fibre length", "m"),
    "norm_fibre_length": ("normalised fibre length", "-"),
    "fibre_velocity": ("fibre velocity", "m/s"),
    "norm_fibre_velocity": ("normalised fibre velocity", "-"),
    "pennation_angle": ("pennation angle", "rad"),
    "tendon_strain": ("tendon strain", "-"),
    "mtu_force": ("MTU force", "N"),
    "joint_moment": ("joint moment", "N m"),
}


def labelled_simulation(
    subject: Subject, time: FloatArray, arrays: Mapping[str, FloatArray]
) -> Simulation:
    """Give arrays names, units and columns.

    Parameters
    ----------
    subject : Subject
        Names of the columns.
    time : ndarray (n_step,)
        Times [s].
    arrays : mapping of str to ndarray
        By attribute of `Simulation`, (n_step, n_mtu or n_dof); others are left out.

    Returns
    -------
    Simulation
    """
    columns = {"joint_moment": subject.dof_names}
    return Simulation(
        **{
            key: TimeSeries(*label, time, columns.get(key, subject.mtu_names), arrays[key])
            for key, label in _LABELS.items()
        }
    )
