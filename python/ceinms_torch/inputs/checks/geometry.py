"""Whether moment arms and MTU lengths belong together, without knowing the joint angles.

A moment arm is minus the derivative of the MTU length by the angle, so at every instant the rates
of all lengths are -R' times the rates of the few angles. Angles are in none of the files, but with
more MTUs than DOFs their rates follow from all MTUs but one, and predict the rate of that one.
With recorded data of a leg, prediction and slope correlate by 0.98 to 1, with those of a
shoulder, whose scapula has angles that are in no file, by 0.51 to 1; a wrong sign gives nearly -1.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import Place
from ceinms_torch.inputs.checks.files import Inputs
from ceinms_torch.inputs.checks.findings import Finding, listed
from ceinms_torch.model.trial import Trial

# Below this correlation, lengths and moment arms of an MTU contradict each other.
_LEAST_CORRELATION = -0.6
# An MTU whose length changes less than this, root mean square, tells nothing [m/s].
_LEAST_RATE = 5e-3
# A moment arm that counts [m].
_LEAST_ARM = 1e-3
# A prediction is bad if its error has more than the first share of the power of the slope, good if
# it has less than the second.
_BAD, _GOOD = 0.3, 0.1
# How many single culprits are looked for before all suspects are named.
_MOST_CULPRITS = 3
# Keeps the angles' rates finite where hardly an MTU moves with an angle, relative.
_RIDGE = 1e-9


def check_geometry(inputs: Inputs) -> list[Finding]:
    """Find MTUs whose lengths and moment arms contradict each other.

    Parameters
    ----------
    inputs : Inputs
        What could be read.

    Returns
    -------
    list of Finding
    """
    suspects: dict[tuple[str, ...], list[Trial]] = {}
    for trial in (*inputs.aligned, *inputs.tests):
        names = disagreeing(trial)
        if names:
            suspects.setdefault(names, []).append(trial)
    return list(_findings(suspects))


def _findings(suspects: dict[tuple[str, ...], list[Trial]]) -> Iterator[Finding]:
    for names, trials in suspects.items():
        mtus = listed(list(names))
        yield Finding(
            severity="warning",
            code="arms-contradict-lengths",
            where=Place(
                file=trials[0].sources.muscle_tendon_length.path,
                column=mtus,
                trial=listed([trial.name for trial in trials]),
            ),
            what=f"Lengths and moment arms of {mtus} contradict each other and the other MTUs.",
            why="A moment arm is -d(length)/d(angle). A wrong sign, a swapped column or a file of "
            "another trial turns the moment of the MTU round.",
            to_do="Export lengths and moment arms again, of one motion; compare their signs.",
        )


def disagreeing(trial: Trial) -> tuple[str, ...]:
    """Return the MTUs whose length does not change as the moment arms say.

    Parameters
    ----------
    trial : Trial
        The trial.

    Returns
    -------
    tuple of str
        The fewest names that, left out, let all others agree; all suspects if they are too many.
    """
    rate = np.gradient(trial.mtu_length, trial.time, axis=0)
    arms = trial.moment_arm
    kept = np.flatnonzero(np.abs(arms).max(axis=(0, 1)) > _LEAST_ARM).tolist()
    first = suspects = _suspects(rate, arms, kept)
    culprits: list[int] = []
    while suspects and len(culprits) < _MOST_CULPRITS:
        rest = {i: _suspects(rate, arms, [j for j in kept if j != i]) for i in suspects}
        worst = min(rest, key=lambda i: len(rest[i]))
        culprits.append(worst)
        kept.remove(worst)
        suspects = rest[worst]
        if len(kept) <= arms.shape[1] + 1:
            break
    found = first if suspects else culprits
    return tuple(trial.mtu_names[i] for i in sorted(found))


def _suspects(rate: FloatArray, arms: FloatArray, kept: list[int]) -> list[int]:
    """Return those MTUs of which the others predict another rate of the length.

    Parameters
    ----------
    rate : ndarray (n_step, n_mtu)
        Slopes of the lengths [m/s].
    arms : ndarray (n_step, n_dof, n_mtu)
        Moment arms [m].
    kept : list of int
        The MTUs that count.

    Returns
    -------
    list of int
        The worst first.
    """
    # Sums over all kept MTUs, from which each MTU's own share is taken away.
    square = np.einsum("tdm,tem->tde", arms[:, :, kept], arms[:, :, kept])
    mixed = np.einsum("tdm,tm->td", arms[:, :, kept], rate[:, kept])
    agreement: dict[int, float] = {}
    for i in kept:
        own = arms[:, :, i]
        others = square - own[:, :, np.newaxis] * own[:, np.newaxis, :]
        used = np.abs(own).max(axis=0) > _LEAST_ARM
        alone = others.diagonal(axis1=1, axis2=2)[:, used] < _LEAST_ARM**2
        if float(np.sqrt(np.mean(rate[:, i] ** 2))) < _LEAST_RATE or alone.any():
            continue  # it does not move, or nobody else moves with one of its angles
        ridge = _RIDGE * others.trace(axis1=1, axis2=2)[:, np.newaxis, np.newaxis]
        right = mixed - own * rate[:, [i]]
        angle_rate = -np.linalg.solve(others + ridge * np.eye(arms.shape[1]), right[:, :, None])
        agreement[i] = _agreement(rate[:, i], -own * angle_rate[:, :, 0])
    low = [i for i, value in agreement.items() if value < _LEAST_CORRELATION]
    return sorted(low, key=agreement.__getitem__)


def _agreement(rate: FloatArray, parts: FloatArray) -> float:
    """Return how well a length's slope agrees with what its moment arms predict, -1 to 1.

    Parameters
    ----------
    rate : ndarray (n_step,)
        Slope of the length [m/s].
    parts : ndarray (n_step, n_dof)
        What each angle adds to the prediction [m/s].

    Returns
    -------
    float
        Their correlation, means kept; -1 if turning one of the parts round makes a bad prediction
        a good one, as it does when an MTU of several joints has one wrong sign.
    """
    predicted = parts.sum(axis=1)
    power = float(rate @ rate)
    if float(np.sum((rate - predicted) ** 2)) > _BAD * power:
        turned = rate[:, np.newaxis] - (predicted[:, np.newaxis] - 2.0 * parts)
        if float(np.sum(turned**2, axis=0).min()) < _GOOD * power:
            return -1.0
    size = float(np.linalg.norm(predicted)) * power**0.5
    return float(predicted @ rate) / size if size > 0.0 else 1.0
