"""One muscle with each tendon: simulated, and fitted to a recording."""

from __future__ import annotations

import dataclasses
import math
import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import CeinmsTorchWarning, DataError, Place
from ceinms_torch.inputs.calibrate import calibrate
from ceinms_torch.model.nms_model import Tendon
from ceinms_torch.model.parameters import PARAMETERS
from ceinms_torch.model.subject import Dof, Mtu, Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.model.trial_files import Sources
from ceinms_torch.plan.calibration import CalibrationPlan, CalibrationStep, ParameterSpec
from ceinms_torch.plan.objective import Objective
from ceinms_torch.plan.options import LevenbergMarquardt
from ceinms_torch.simulation.legacy.run import simulate_legacy
from ceinms_torch.simulation.simulate import DAMPED_EQUILIBRIUM, Simulation, simulate
from ceinms_torch.simulation.smooth_curves import millard_curves
from ceinms_torch.studies.muscle_data import MuscleRecording, full_activation

STIFF, EQUILIBRIUM, ROSENBROCK = "stiff", "equilibriumElastic", "rosenbrockElastic"
# By XML name, in the order of all tables and figures.
MODELS = {
    STIFF: "stiff",
    EQUILIBRIUM: "equilibrium elastic",
    DAMPED_EQUILIBRIUM: "damped equilibrium",
    ROSENBROCK: "Rosenbrock elastic",
}
# What is fitted, and its range as factors on the start. Force is what a recording is of; the two
# lengths are measured, to a few percent.
RANGES = {
    "maxIsometricForce": (0.5, 2.0),
    "tendonSlackLength": (0.9, 1.1),
    "optimalFibreLength": (0.9, 1.1),
}
# Of every fit, the first at the subject's values and the others spread over the ranges: the error
# has a minimum for a long and one for a short fibre.
N_START = 6
# Of the simulations [1/s]; from here on results change by less than 0.1 %.
RATE = 2000.0
# With a moment arm of 1 m about it, a force [N] is a moment [N m].
DOF, MOMENT_ARM = "tendon", 1.0
# The activation of CEINMS's own model is 0/0 at 0; here u and a differ by less than 2e-7.
_LINEAR = -1e-6
# [m]; that of CEINMS, 1e-6, is a step in the force too high to differentiate across.
_TOLERANCE = 1e-10
_OBJECTIVE = Objective()


def rat_soleus() -> Mtu:
    """Return the rat soleus of Krylow and Sandercock (1997), as Millard et al. (2013) have it."""
    return Mtu(
        name="soleus",
        c1=0.0,
        c2=0.0,
        shape_factor=_LINEAR,
        optimal_fibre_length=0.0171,
        pennation_angle=math.radians(6.0),
        tendon_slack_length=0.0171,
        max_isometric_force=1.2759,
        max_contraction_velocity=5.316,
        em_delay=0.0,
        damping=0.1,
        percentage_change=0.0,
    )


def muscle_subject(mtu: Mtu, source: Subject | None = None) -> Subject:
    """Return a subject whose only MTU pulls with a moment arm of 1 m, activation being excitation.

    Parameters
    ----------
    mtu : Mtu
        The muscle; its activation dynamics are left out.
    source : Subject, optional
        Where curves come from; without them, those of Millard et al.

    Returns
    -------
    Subject
    """
    direct = dataclasses.replace(
        mtu, c1=0.0, c2=0.0, shape_factor=_LINEAR, em_delay=0.0, percentage_change=0.0
    )
    curves = dict(source.curves) if source is not None and source.curves else millard_curves()
    dof = Dof(name=DOF, mtu_names=(mtu.name,))
    return Subject(mtus=(direct,), dofs=(dof,), curves=curves)


def muscle_trial(recording: MuscleRecording, subject: Subject) -> Trial:
    """Return a recording as a trial on an even grid of 0.5 ms.

    Lengths and forces are interpolated by monotone cubics (PCHIP): smooth, so that there is a
    velocity, and without the overshoot that other splines make between rows tens of ms apart.

    Parameters
    ----------
    recording : MuscleRecording
        The recording.
    subject : Subject
        One MTU, one DOF.

    Returns
    -------
    Trial

    Raises
    ------
    DataError
        If the recording is shorter than ten steps.
    """
    from scipy.interpolate import PchipInterpolator  # noqa: PLC0415  slow to load

    duration = float(recording.time[-1] - recording.time[0])
    n_step = math.floor(duration * RATE + 1e-6) + 1
    if n_step < 10:
        raise DataError(
            where=Place(recording.source.path), expected="at least 0.01 s", got=f"{duration:g} s"
        )
    # The last row is one of the grid, so that nothing has to be extrapolated.
    grid = np.linspace(recording.time[0], recording.time[-1], n_step)

    def on_grid(values: FloatArray) -> FloatArray:
        return np.asarray(PchipInterpolator(recording.time, values)(grid))[:, None]

    if recording.activation is None:
        activation = full_activation(grid)[:, None]
    else:
        activation = np.clip(on_grid(recording.activation), 0.0, 1.0)
    return Trial(
        name=recording.name,
        mtu_names=subject.mtu_names,
        dof_names=subject.dof_names,
        time=grid,
        mtu_length=on_grid(recording.length),
        moment_arm=np.full((n_step, 1, 1), MOMENT_ARM),
        excitation_time=grid,
        excitation=activation,
        measured_moment=on_grid(recording.force),
        sources=Sources(muscle_tendon_length=recording.source, torques=recording.source),
    )


def run_muscle(subject: Subject, trial: Trial, model: str) -> tuple[Simulation, int]:
    """Simulate a trial with one of the tendons.

    Parameters
    ----------
    subject : Subject
        One MTU, with curves.
    trial : Trial
        The data.
    model : str
        One of `MODELS`.

    Returns
    -------
    Simulation
        What the muscle does.
    int
        Steps at which CEINMS's equilibrium was not found, and a stiff tendon took its place.

    Raises
    ------
    DataError
        If a damped equilibrium cannot be followed.
    """
    with warnings.catch_warnings():  # told by the counts
        warnings.simplefilter("ignore", CeinmsTorchWarning)
        if model == EQUILIBRIUM:
            run = simulate_legacy(
                subject, trial, tendon=Tendon(kind="equilibriumElastic", tolerance=_TOLERANCE)
            )
            return run.simulation, sum(run.failed.values())
        return simulate(subject, trial, tendon=model, filter_start="zero"), 0


@dataclass(frozen=True, kw_only=True)
class MuscleFit:
    """A muscle fitted with one tendon.

    Parameters
    ----------
    subject : Subject
        With the fitted parameters.
    at_bound : tuple of str
        Parameters that ended at an end of their range.
    cpu_time : float
        CPU time of the fit [s].
    """

    subject: Subject
    at_bound: tuple[str, ...]
    cpu_time: float


def fit_muscle(subject: Subject, trial: Trial, model: str) -> MuscleFit:
    """Fit force and lengths to one trial, with penalties on tendon strain and fibre length.

    Tendons with derivatives are calibrated by the package's Levenberg-Marquardt, the others by
    scipy's least squares with differences: the same parameters, ranges, errors and penalties.

    Parameters
    ----------
    subject : Subject
        Where to start.
    trial : Trial
        With the measured force.
    model : str
        One of `MODELS`.

    Returns
    -------
    MuscleFit
    """
    started = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CeinmsTorchWarning)
        fit = _calibrated if model in (STIFF, ROSENBROCK) else _least_squares
        fitted = fit(subject, trial, model)
    start, end = (
        [getattr(one.mtus[0], PARAMETERS[kind].attribute) for kind in RANGES]
        for one in (subject, fitted)
    )
    at_bound = tuple(
        kind
        for (kind, bounds), before, after in zip(RANGES.items(), start, end, strict=True)
        if min(abs(after / before - bound) for bound in bounds) < 1e-3 * (bounds[1] - bounds[0])
    )
    return MuscleFit(subject=fitted, at_bound=at_bound, cpu_time=time.process_time() - started)


def _calibrated(subject: Subject, trial: Trial, model: str) -> Subject:
    specs = tuple(
        ParameterSpec(kind=kind, range_type="relativeToSubjectValue", low=low, high=high)
        for kind, (low, high) in RANGES.items()
    )
    plan = CalibrationPlan(
        algorithm=LevenbergMarquardt(),
        tendon=Tendon(kind="stiff" if model == STIFF else "rosenbrockElastic"),
        steps=(CalibrationStep(dofs=(DOF,), objective=_OBJECTIVE, parameters=specs),),
    )
    return calibrate(subject, [trial], plan, starts=N_START).subject


def scaled(subject: Subject, factors: FloatArray) -> Subject:
    """Return a subject with the fitted parameters multiplied.

    Parameters
    ----------
    subject : Subject
        One MTU.
    factors : ndarray (3,)
        In the order of `RANGES` [-].

    Returns
    -------
    Subject
    """
    mtu = subject.mtus[0]
    names = (PARAMETERS[kind].attribute for kind in RANGES)
    values: dict[str, Any] = {
        name: float(getattr(mtu, name) * factor)
        for name, factor in zip(names, factors, strict=True)
    }
    return dataclasses.replace(subject, mtus=(dataclasses.replace(mtu, **values),))


def _least_squares(subject: Subject, trial: Trial, model: str) -> Subject:
    from scipy.optimize import least_squares  # noqa: PLC0415  slow to load

    assert trial.measured_moment is not None  # noqa: S101  for mypy, every recording has a force
    force = trial.measured_moment[:, 0]
    spread = float(np.std(force))
    low, high = np.array(list(RANGES.values())).T

    def residuals(factors: FloatArray) -> FloatArray:
        run, _ = run_muscle(scaled(subject, factors), trial, model)
        parts = (
            (run.mtu_force.array[:, 0] - force) / spread,
            math.sqrt(_OBJECTIVE.fibre_length_weight)
            * _outside(run.norm_fibre_length.array, _OBJECTIVE.fibre_length_range),
            math.sqrt(_OBJECTIVE.tendon_strain_weight)
            * _outside(run.tendon_strain.array, _OBJECTIVE.tendon_strain_range),
        )
        return np.concatenate([part.ravel() for part in parts]) / math.sqrt(len(force))

    others = np.random.default_rng(0).uniform(low, high, (N_START - 1, len(RANGES)))
    steps = [1e-4] * len(RANGES)
    fits = [
        least_squares(residuals, start, bounds=(low, high), x_scale=high - low, diff_step=steps)
        for start in (np.ones(len(RANGES)), *others)
    ]
    return scaled(subject, min(fits, key=lambda fit: float(fit.cost)).x)


def _outside(values: FloatArray, limits: tuple[float, float]) -> FloatArray:
    return np.asarray(values - np.clip(values, *limits))
