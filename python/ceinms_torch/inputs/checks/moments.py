"""Measured moments: their sign, their size, and whether these MTUs can make them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ceinms_torch.errors import Place
from ceinms_torch.inputs.checks.attempts import Attempts
from ceinms_torch.inputs.checks.files import Inputs
from ceinms_torch.inputs.checks.findings import Finding, Severity, listed
from ceinms_torch.inputs.checks.units import capacity
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.moments import check_moments, measured_moments, varying_dofs

FloatArray = NDArray[np.float64]

# EMG leads the moment by something between these [s].
_LAGS = np.arange(0.0, 0.151, 0.03)
# Moments from EMG and measured ones are of opposite sign if they correlate below the first at
# some lag and above the second at none.
_OPPOSITE = (-0.5, 0.1)
# A share of frames beyond what MTUs can make that is more than outliers.
_MANY_FRAMES = 0.1
# Moments that change less than this [N m] are noise.
_NOISE = 0.5


def check_moment_data(inputs: Inputs) -> list[Finding]:
    """Check the measured moments of every DOF.

    Parameters
    ----------
    inputs : Inputs
        What could be read.

    Returns
    -------
    list of Finding
    """
    findings: list[Finding] = []
    subject, plan = inputs.subject, inputs.plan
    every = (*inputs.aligned, *inputs.tests)
    trials = [trial for trial in every if trial.measured_moment is not None]
    if subject is None or not trials:
        return findings
    attempt = Attempts(findings)
    steps = plan.steps if plan else ()
    wanted = tuple(dict.fromkeys(dof for step in steps for dof in step.dofs))
    varying = {dof for step in steps for dof in varying_dofs(step)}
    for trial in inputs.aligned:
        if trial.measured_moment is not None:
            attempt("moment-constant", trial.name, check_moments, trial, varying)
    strength = _strongest(inputs)
    for i, dof in enumerate(subject.dof_names):
        if plan is not None and dof not in wanted:
            continue
        opposite = list(_check_sign(subject, trials, i))
        # Without a calibration, forces are what they are: that is no fault of the input.
        rank: Severity = "note" if plan is None else "warning"
        findings += opposite or _check_capacity(subject, trials, i, strength, rank)
        findings += _check_size(trials, i)
    return findings


def _strongest(inputs: Inputs) -> float:
    """Return by what factor a calibration may raise forces at most."""
    factors = [1.0]
    subject, plan = inputs.subject, inputs.plan
    for step in plan.steps if plan and subject else ():
        for spec in step.parameters:
            if spec.kind in ("strengthCoefficient", "maxIsometricForce"):
                assert subject is not None  # noqa: S101  asked above
                start = min(
                    mtu.strength_coefficient
                    if spec.kind == "strengthCoefficient"
                    else mtu.max_isometric_force
                    for mtu in subject.mtus
                )
                relative = spec.range_type == "relativeToSubjectValue"
                factors.append(spec.high if relative else spec.high / start)
    return float(max(factors))


def _place(trials: list[Trial], dof: str) -> Place:
    return Place(
        file=trials[0].sources.torques.path,
        column=dof,
        trial=listed([trial.name for trial in trials]),
    )


def _moment_of(trials: list[Trial], i: int) -> FloatArray:
    return np.concatenate([measured_moments(trial)[:, i] for trial in trials])


def _check_sign(subject: Subject, trials: list[Trial], i: int) -> Iterator[Finding]:
    """Compare the moment with what the EMG lets expect: forces in proportion to excitations."""
    measured = _moment_of(trials, i)
    force = np.array([mtu.max_isometric_force * mtu.strength_coefficient for mtu in subject.mtus])
    correlations = [
        _correlation(
            np.concatenate([_expected(trial, i, force, lag) for trial in trials]), measured
        )
        for lag in _LAGS.tolist()
    ]
    lowest, highest = min(correlations), max(correlations)
    low, high = (np.concatenate(parts) for parts in zip(*_bounds(subject, trials, i), strict=True))
    beyond, flipped = _share_beyond(measured, low, high), _share_beyond(-measured, low, high)
    by_emg = lowest < _OPPOSITE[0] and highest < _OPPOSITE[1]
    by_size = beyond > 2.0 * _MANY_FRAMES and flipped < 0.25 * beyond and highest < _OPPOSITE[1]
    if by_emg or by_size:
        dof = subject.dof_names[i]
        yield Finding(
            severity="warning",
            code="moment-sign",
            where=_place(trials, dof),
            what=f"The measured moment of {dof} goes against the moment that EMG and moment arms "
            f"let expect (correlation {lowest:.2f}); with the other sign it would fit.",
            why="With moments or moment arms of the wrong sign, the wrong muscles are made strong.",
            to_do="Compare the sign convention of moments and moment arms of this DOF: a positive "
            "moment must come from MTUs with positive moment arms.",
        )


def _expected(trial: Trial, i: int, force: FloatArray, lag: float) -> FloatArray:
    columns = [
        np.interp(trial.time - lag, trial.excitation_time, column) for column in trial.excitation.T
    ]
    moment: FloatArray = (trial.moment_arm[:, i] * force * np.stack(columns, axis=1)).sum(axis=1)
    return moment


def _correlation(a: FloatArray, b: FloatArray) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size > 0.0 else 0.0


def _bounds(
    subject: Subject, trials: list[Trial], i: int, strength: float = 1.0
) -> list[tuple[FloatArray, FloatArray]]:
    """Return for each trial the lowest and highest moment (n_step,) of a DOF [N m]."""
    bounds = [capacity(subject, trial.moment_arm[:, [i]], strength) for trial in trials]
    return [(one[0, :, 0], one[1, :, 0]) for one in bounds]


def _share_beyond(moment: FloatArray, low: FloatArray, high: FloatArray) -> float:
    return float(np.mean((moment > high + _NOISE) | (moment < low - _NOISE)))


def _check_capacity(
    subject: Subject, trials: list[Trial], i: int, strength: float, rank: Severity
) -> Iterator[Finding]:
    measured = _moment_of(trials, i)
    bounds = _bounds(subject, trials, i, strength)
    low, high = (np.concatenate(parts) for parts in zip(*bounds, strict=True))
    share, dof = _share_beyond(measured, low, high), subject.dof_names[i]
    if share > 0.0:
        times = f" and {strength:.3g} times as strong" if strength > 1.0 else ""
        yield Finding(
            severity=rank if share > _MANY_FRAMES else "note",
            code="moment-capacity",
            where=_place(trials, dof),
            what=f"In {100 * share:.3g} % of the rows, the measured moment of {dof} is beyond what "
            f"its MTUs can make ({low.min():.4g} to {high.max():.4g} N m, all of one direction "
            f"fully active{times}).",
            why="No parameters within their ranges can fit these rows.",
            to_do="Check moments, forces and moment arms; add the MTUs that are missing, or raise "
            "the range of strengthCoefficient.",
        )


def _check_size(trials: list[Trial], i: int) -> Iterator[Finding]:
    measured = _moment_of(trials, i)
    if 0.0 < float(np.ptp(measured)) < _NOISE:
        dof = trials[0].dof_names[i]
        yield Finding(
            severity="note",
            code="moment-small",
            where=_place(trials, dof),
            what=f"The measured moment of {dof} changes by only {np.ptp(measured):.2g} N m.",
            why="Normalised by its variance, noise counts as much as the moments of other DOFs; R² "
            "means nothing.",
            to_do="Judge this DOF by its RMSE, or take it out of <dofs>.",
        )
