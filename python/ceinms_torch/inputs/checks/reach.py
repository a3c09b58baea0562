"""What moments the MTUs make of the recorded EMG, whatever a calibration will do to them.

Strength is a factor on each MTU's moment, so that ranges of strength are bounds of a linear fit.
All else is guessed: how late and how steep activation is and how long tendons are, at some values.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ceinms_torch.arrays import FloatArray
from ceinms_torch.inputs.checks.files import Inputs
from ceinms_torch.model.parameters import parameter_row
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.moments import measured_moments
from ceinms_torch.simulation.stiff_forces import stiff_forces

# The guesses: activation this late [s], these shape factors (-), tendons so many times as long.
_DELAYS = (0.0, 0.05, 0.1, 0.15)
_SHAPE_FACTORS = (-0.01, -2.9)
_SLACK_LENGTHS = (0.93, 1.0, 1.07)
# Next to no filter: the delay is in emDelay.
_NO_FILTER = -0.05
# Rows of a trial, and of all, that are looked at: enough for every burst of a movement.
_ROWS_OF_TRIAL, _ROWS_OF_ALL = 120, 1500
# What calibrations let strength be as a rule, where a plan has no range of it or a narrower one:
# other parameters make an MTU weaker or stronger, too.
_USUAL_STRENGTH = (0.5, 2.5)
# Ranges beyond are faults of their own; with this factor, any moment is in reach.
_STRONGEST = 1e3


@dataclass(frozen=True, kw_only=True, eq=False)
class Reach:
    """Forces of all MTUs in some rows of each trial, under several guesses.

    Parameters
    ----------
    subject : Subject
        The subject.
    trials : tuple of Trial
        With measured moments; thinned.
    forces : tuple of ndarray (n_guess, n_row, n_mtu)
        Of each trial [N], at the subject's own strength.
    strength : ndarray (2, n_mtu)
        The lowest and the highest factor on these that a calibration may choose (-).
    """

    subject: Subject
    trials: tuple[Trial, ...]
    forces: tuple[FloatArray, ...]
    strength: FloatArray

    @classmethod
    def of(cls, inputs: Inputs, subject: Subject, trials: Sequence[Trial]) -> Reach:
        """Simulate trials under the guesses.

        Parameters
        ----------
        inputs : Inputs
            With the plan, if there is one.
        subject : Subject
            The subject.
        trials : sequence of Trial
            At least one; all with measured moments.

        Returns
        -------
        Reach
            Without guesses at which a force is not finite.
        """
        most = int(np.clip(_ROWS_OF_ALL // len(trials), 30, _ROWS_OF_TRIAL))
        guesses = _guesses(subject)
        rows = [evenly(len(trial.time), most) for trial in trials]
        forces = [
            stiff_forces(subject, trial, guesses, one)
            for trial, one in zip(trials, rows, strict=True)
        ]
        finite = np.all([np.isfinite(one).all(axis=(1, 2)) for one in forces], axis=0)
        usual = np.array(_USUAL_STRENGTH)[:, np.newaxis]
        strength = strength_range(inputs, subject)
        return cls(
            subject=subject,
            trials=tuple(thinned(trial, one) for trial, one in zip(trials, rows, strict=True)),
            forces=tuple(one[finite] for one in forces),
            strength=np.stack(
                [np.minimum(strength[0], usual[0]), np.maximum(strength[1], usual[1])]
            ),
        )

    def without(self, trials: Iterable[str]) -> Reach:
        """Return the same without some trials, by name."""
        left_out = set(trials)
        kept = [i for i, trial in enumerate(self.trials) if trial.name not in left_out]
        return replace(
            self,
            trials=tuple(self.trials[i] for i in kept),
            forces=tuple(self.forces[i] for i in kept),
        )

    def moments(self, dof: int) -> list[FloatArray]:
        """Return what every MTU adds to a DOF in each trial, (n_guess, n_row, n_mtu) [N m]."""
        return [
            trial.moment_arm[:, dof] * force
            for trial, force in zip(self.trials, self.forces, strict=True)
        ]

    def measured(self, dof: int) -> list[FloatArray]:
        """Return the measured moment of a DOF in each trial, (n_row,) [N m]."""
        return [measured_moments(trial)[:, dof] for trial in self.trials]


def strength_range(inputs: Inputs, subject: Subject) -> FloatArray:
    """Return by what factors a calibration may change the forces of every MTU.

    Parameters
    ----------
    inputs : Inputs
        With the plan, if there is one.
    subject : Subject
        The subject.

    Returns
    -------
    ndarray (2, n_mtu)
        Lowest (<= 1) and highest (>= 1), on the subject's own force and strength (-).
    """
    factors = np.ones((2, len(subject.mtus)))
    for step in inputs.plan.steps if inputs.plan else ():
        for spec in step.parameters:
            if spec.kind not in ("strengthCoefficient", "maxIsometricForce"):
                continue
            named = {name for group in spec.groups for name in group} or set(subject.mtu_names)
            own = np.array([name in named for name in subject.mtu_names])
            is_relative = spec.range_type == "relativeToSubjectValue"
            start = 1.0 if is_relative else subject.parameters()[parameter_row(spec.kind), own]
            factors[:, own] *= np.array([spec.low / start, spec.high / start]).reshape(2, -1)
    return np.stack([np.clip(factors[0], 0.0, 1.0), np.clip(factors[1], 1.0, _STRONGEST)])


def evenly(n: int, most: int) -> NDArray[np.intp]:
    """Return every k-th of n rows, at most so many."""
    return np.arange(0, n, max(1, -(-n // most)))


def thinned(trial: Trial, rows: NDArray[np.intp]) -> Trial:
    """Return a trial with some of its rows.

    Parameters
    ----------
    trial : Trial
        The trial.
    rows : ndarray (n_row,)
        Which rows.

    Returns
    -------
    Trial
        Its excitations are all there.
    """
    moment = trial.measured_moment
    return replace(
        trial,
        time=trial.time[rows],
        mtu_length=trial.mtu_length[rows],
        moment_arm=trial.moment_arm[rows],
        measured_moment=None if moment is None else moment[rows],
    )


def _guesses(subject: Subject) -> list[FloatArray]:
    row = {name: parameter_row(name) for name in ("c1", "c2", "emDelay", "shapeFactor")}
    slack = parameter_row("tendonSlackLength")
    guesses = []
    for delay, shape_factor, longer in itertools.product(_DELAYS, _SHAPE_FACTORS, _SLACK_LENGTHS):
        guess = subject.parameters()
        guess[[row["c1"], row["c2"]]] = _NO_FILTER
        guess[row["emDelay"]], guess[row["shapeFactor"]] = delay, shape_factor
        guess[slack] *= longer
        guesses.append(guess)
    return guesses
