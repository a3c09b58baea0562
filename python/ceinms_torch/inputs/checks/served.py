"""Moments in a direction, or at a time, in which no MTU that has EMG can make them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ceinms_torch.arrays import BoolArray
from ceinms_torch.errors import Place
from ceinms_torch.inputs.checks.files import Inputs
from ceinms_torch.inputs.checks.findings import Finding, listed
from ceinms_torch.inputs.checks.reach import Reach
from ceinms_torch.model.anatomy import serving_muscles

# A moment is out of reach if it is so by this share of the DOF's largest.
_FAR = 0.1
# Shares of a trial that are worth a word, and that doom the DOF's fit.
_SOME, _MUCH = 0.05, 0.25
# A moment arm that counts, mean over a trial [m].
_LEAST_ARM = 3e-3


def check_served(inputs: Inputs, reach: Reach, dof: int) -> Iterator[Finding]:
    """Find a direction of a DOF that MTUs with EMG do not serve, however strong they are made.

    Parameters
    ----------
    inputs : Inputs
        With the map.
    reach : Reach
        What the MTUs make.
    dof : int
        Position of the DOF.

    Yields
    ------
    Finding
    """
    if not len(reach.forces[0]):
        return
    driven = _driven(inputs)
    measured = reach.measured(dof)
    largest = max(float(np.abs(moment).max()) for moment in measured)
    # What the agonists make at their strongest while the antagonists are silent; synthesised MTUs
    # may do whatever they can.
    own = [moment[:, :, driven] * reach.strength[1, driven] for moment in reach.moments(dof)]
    free = _synthesised(inputs, reach)
    full = reach.strength[1] * [mtu.max_isometric_force for mtu in reach.subject.mtus] * free
    for sign in (1.0, -1.0):
        shares = {}
        for trial, moments, moment in zip(reach.trials, own, measured, strict=True):
            most = np.maximum(sign * moments, 0.0).sum(axis=2)
            most += np.maximum(sign * trial.moment_arm[:, dof] * full, 0.0).sum(axis=1)
            missing = np.mean(sign * moment > most + _FAR * largest, axis=1)
            shares[trial.name] = float(missing.min(initial=1.0))
        if shares and max(shares.values()) >= _SOME:
            yield _finding(inputs, reach, dof, sign, shares)


def _driven(inputs: Inputs) -> BoolArray:
    """Tell which MTUs have a signal."""
    assert inputs.subject is not None  # noqa: S101  it has been matched to trials
    assert inputs.generator is not None  # noqa: S101
    recorded = {
        one.id for one in inputs.generator.excitations if any(weight for _, weight in one.inputs)
    }
    return np.array([name in recorded for name in inputs.subject.mtu_names])


def _synthesised(inputs: Inputs, reach: Reach) -> BoolArray:
    """Tell which MTUs a hybrid calibration finds excitations for."""
    hybrid = inputs.plan.synergy_hybrid if inputs.plan else None
    names = reach.subject.mtu_names
    if hybrid is None:
        return np.zeros(len(names), dtype=bool)
    if hybrid.synthesise is None:
        return ~_driven(inputs)
    return np.array([name in hybrid.synthesise for name in names])


def _finding(
    inputs: Inputs, reach: Reach, dof: int, sign: float, shares: dict[str, float]
) -> Finding:
    name = reach.subject.dof_names[dof]
    trial = max(shares, key=shares.__getitem__)
    share = shares[trial]
    mean = np.mean([one.moment_arm[:, dof].mean(axis=0) for one in reach.trials], axis=0)
    arms = dict(zip(reach.subject.mtu_names, (sign * mean).tolist(), strict=True))
    known = serving_muscles(name, arms)
    silent = [
        mtu
        for mtu, driven in zip(reach.subject.mtu_names, _driven(inputs), strict=True)
        if not driven and arms[mtu] > _LEAST_ARM
    ]
    direction = f"{'positive' if sign > 0.0 else 'negative'}{f' ({known[0]})' if known else ''}"
    if silent:
        to_do = f"Synthesise {listed(silent)} (--hybrid), or give them a signal."
    elif known:
        to_do = f"Add muscles such as {known[1]} to the subject."
    else:
        to_do = f"Add muscles to the subject that make a {direction} moment."
    file = next(one for one in reach.trials if one.name == trial).sources.torques.path
    return Finding(
        # Without a calibration, strength is what it is: that is no fault of the input.
        severity="warning" if share >= _MUCH and inputs.plan else "note",
        code="moment-unserved",
        where=Place(
            file=file, column=name, trial=listed([t for t, s in shares.items() if s >= _SOME])
        ),
        what=f"{name}: in {100 * share:.2g} % of trial {trial}, no MTU that has EMG can make the "
        f"{direction} moment that was measured, at any strength within its range.",
        why="These rows cannot be fitted, and other parameters are bent to come near them.",
        to_do=to_do,
    )
