"""Numbers in the wrong unit: millimetres, degrees, milliseconds, per kilogram, percent."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import Place
from ceinms_torch.inputs.checks.files import Inputs, TrialInputs
from ceinms_torch.inputs.checks.findings import Finding, listed
from ceinms_torch.inputs.checks.matching import LONGEST_DELAY
from ceinms_torch.io.storage import Storage
from ceinms_torch.model.subject import Mtu, Subject

# MTU length over tendon slack plus optimal fibre length is near 1; a unit is off by 100 or 1000.
_LENGTH_RATIO = 20.0
# No muscle of a human has a moment arm like this [m].
_LONGEST_ARM = 0.5
# Pennation angles above this [rad], 45 degrees, are rare.
_STEEPEST = 0.8
# Largest measured moment over what all MTUs together could make: moments per kilogram are 50 to
# 100 times too small, those in N mm 1000 times too large.
_MOMENT_RATIOS = (0.02, 50.0)
# Samples further apart than this [s] are in milliseconds.
_LONGEST_STEP = 0.5


def check_units(inputs: Inputs) -> list[Finding]:
    """Check lengths, moment arms, angles, times and moments for wrong units.

    Parameters
    ----------
    inputs : Inputs
        What could be read.

    Returns
    -------
    list of Finding
    """
    findings: list[Finding] = []
    for trial in inputs.trials:
        findings += _check_times(trial)
    subject = inputs.subject
    if subject is None:
        return findings
    findings += _check_subject(subject)
    for trial in inputs.trials:
        findings += _check_lengths(trial, subject)
        findings += _check_arms(trial, subject)
    if not findings:
        findings += _check_moments(inputs, subject)
    return findings


def capacity(subject: Subject, moment_arm: FloatArray, strength: ArrayLike = 1.0) -> FloatArray:
    """Return the moments that all MTUs make when those of one direction pull with full force.

    Parameters
    ----------
    subject : Subject
        The subject.
    moment_arm : ndarray (n_step, n_dof, n_mtu)
        Moment arms [m].
    strength : array_like, scalar or (n_mtu,)
        Factor on the maximum isometric forces (-).

    Returns
    -------
    ndarray (2, n_step, n_dof)
        The lowest (<= 0) and the highest (>= 0) moment [N m].
    """
    force = [mtu.max_isometric_force * mtu.strength_coefficient for mtu in subject.mtus]
    moments = moment_arm * (np.asarray(strength) * force)
    return np.stack([np.minimum(moments, 0.0).sum(axis=-1), np.maximum(moments, 0.0).sum(axis=-1)])


def _check_times(trial: TrialInputs) -> Iterator[Finding]:
    arms = trial.arms.values()
    for storage in (trial.lengths, *arms, trial.signals, trial.torques):
        if storage is None or len(storage.time) < 2:
            continue
        step = float(np.median(np.diff(storage.time)))
        if step > _LONGEST_STEP:
            yield Finding(
                severity="error",
                code="time-unit",
                where=trial.place(storage, "time"),
                what=f"Rows are {step:.4g} s apart: the times look like milliseconds.",
                why="Velocities and activation depend on time in seconds.",
                to_do="Divide the times by 1000.",
            )


def _check_subject(subject: Subject) -> Iterator[Finding]:
    late = [mtu.name for mtu in subject.mtus if abs(mtu.em_delay) > LONGEST_DELAY]
    if late:
        longest = max(abs(mtu.em_delay) for mtu in subject.mtus)
        yield Finding(
            severity="error",
            code="delay-unit",
            where=Place(file=subject.path, element="<emDelay>", column=listed(late)),
            what=f"A delay of {longest:g} s looks like milliseconds.",
            why="EMG is looked up that far before every instant.",
            to_do="Write emDelay in seconds.",
        )
    steep = [mtu.name for mtu in subject.mtus if mtu.pennation_angle > _STEEPEST]
    if steep:
        largest = max(mtu.pennation_angle for mtu in subject.mtus)
        yield Finding(
            severity="warning",
            code="pennation-large",
            where=Place(file=subject.path, element="<pennationAngle>", column=listed(steep)),
            what=f"Pennation angles up to {largest:.3g} rad ({np.degrees(largest):.0f}°): "
            f"{listed(steep)}.",
            why="Fibres that steep hardly pull on the tendon; the angle may be in degrees.",
            to_do='Write the angle in radians, or with unit="deg".',
        )


def _reference(mtu: Mtu) -> float:
    """Return the length of an MTU whose fibre is optimal and whose tendon just taut [m]."""
    return mtu.tendon_slack_length + mtu.optimal_fibre_length * float(np.cos(mtu.pennation_angle))


def _check_lengths(trial: TrialInputs, subject: Subject) -> Iterator[Finding]:
    lengths = trial.lengths
    if lengths is None:
        return
    known = [mtu for mtu in subject.mtus if mtu.name in lengths.columns]
    if not known:
        return
    references = np.array([_reference(mtu) for mtu in known])
    ratios = lengths.select([mtu.name for mtu in known]) / references
    ratio = float(np.median(ratios.mean(axis=0)))
    if 1.0 / _LENGTH_RATIO < ratio < _LENGTH_RATIO:
        yield from _check_instants(trial, lengths, [mtu.name for mtu in known], ratios)
        return
    if ratio > 1.0:
        unit = "millimetres" if ratio > 300.0 else "centimetres"
        what, where = f"The MTU lengths look like {unit}", trial.place(lengths)
    else:
        where = Place(file=subject.path, element="<mtuSet>", trial=trial.name)
        what = "Tendon slack and optimal fibre lengths look like millimetres or centimetres"
    yield Finding(
        severity="error",
        code="length-unit",
        where=where,
        what=f"{what}: half of the MTUs in the trial are more than {ratio:.3g} times as long as "
        "their tendonSlackLength and optimalFibreLength together.",
        why="Fibres would be stretched or slack beyond all measure.",
        to_do="Give all lengths in metres.",
    )


def _check_instants(
    trial: TrialInputs, lengths: Storage, names: list[str], ratios: FloatArray
) -> Iterator[Finding]:
    """Find lengths, over the references (n_row, n_mtu), that no MTU has at any instant."""
    impossible = ~((ratios > 1.0 / _LENGTH_RATIO) & (ratios < _LENGTH_RATIO))
    for column in np.flatnonzero(impossible.any(axis=0)):
        row = int(np.argmax(impossible[:, column]))
        value = float(lengths.column(names[column])[row])
        yield Finding(
            severity="error",
            code="length-impossible",
            where=trial.place(lengths, column=names[column]),
            what=f"At {lengths.time[row]:g} s the MTU is {value:.4g} m long, "
            f"{ratios[row, column]:.3g} times its tendonSlackLength and optimalFibreLength "
            "together.",
            why="No muscle is; one such row makes every force and moment after it worthless.",
            to_do="Export the lengths again: coordinates or markers may be lost at that time.",
        )


def _check_arms(trial: TrialInputs, subject: Subject) -> Iterator[Finding]:
    for dof in subject.dofs:
        storage = trial.arms.get(dof.name)
        names = [name for name in dof.mtu_names if storage and name in storage.columns]
        if storage is None or not names:
            continue
        largest = float(np.abs(storage.select(names)).max())
        if largest > _LONGEST_ARM:
            unit = "millimetres" if largest > 15.0 else "centimetres"
            yield Finding(
                severity="error",
                code="moment-arm-unit",
                where=trial.place(storage),
                what=f"Moment arms of up to {largest:.4g} m look like {unit}.",
                why="Moments would be as many times too large.",
                to_do="Give moment arms in metres.",
            )


def _check_moments(inputs: Inputs, subject: Subject) -> Iterator[Finding]:
    """Compare the largest moment of all DOFs and trials with what the MTUs could make."""
    measured = [
        trial for trial in (*inputs.aligned, *inputs.tests) if trial.measured_moment is not None
    ]
    if not measured:
        return
    # One trial alone may be a quiet one: the largest ratio of all decides.
    ratios = []
    for trial in measured:
        assert trial.measured_moment is not None  # noqa: S101  chosen so
        possible = np.abs(capacity(subject, trial.moment_arm)).max(axis=(0, 1))
        largest = np.abs(trial.measured_moment).max(axis=0)
        ratios += (largest / np.where(possible > 0.0, possible, np.inf)).tolist()
    ratio, (low, high) = max(ratios), _MOMENT_RATIOS
    if low <= ratio <= high or ratio == 0.0:
        return
    small = ratio < low
    yield Finding(
        severity="warning" if small else "error",
        code="moment-unit",
        where=Place(
            file=measured[0].sources.torques.path,
            trial=listed([trial.name for trial in measured]),
        ),
        what=f"The largest measured moment is {ratio:.3g} times what the MTUs could make: "
        + ("moments look divided by body mass." if small else "moments look like N mm."),
        why="Parameters would be driven to their bounds to make moments of another size.",
        to_do="Give moments in N m" + (", multiplied by body mass." if small else "."),
    )
