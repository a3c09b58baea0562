"""Where a synergy-hybrid calibration starts: synergies of what was recorded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import OptionError
from ceinms_torch.plan.synergy_hybrid import SynergyHybrid
from ceinms_torch.synergies.channels import Channels
from ceinms_torch.synergies.extraction import Synergies, extract_synergies
from ceinms_torch.synergies.problem import SynergySetting
from ceinms_torch.synergies.reliability import match_synergies
from ceinms_torch.synergies.vaf import ENOUGH_VAF

# The search goes on from what is extracted, so that more starts than this would only cost time.
_REPLICATES = 5


def choose_number(
    channels: Channels, synergy_hybrid: SynergyHybrid, recorded: Sequence[FloatArray]
) -> int:
    """Return the number of synergies that was asked for, or the fewest that suffice.

    Parameters
    ----------
    channels : Channels
        Recorded excitations.
    synergy_hybrid : SynergyHybrid
        What was asked for.
    recorded : sequence of ndarray (n_channel, n_node)
        The recorded excitations of every trial.

    Returns
    -------
    int

    Raises
    ------
    OptionError
        If there would be more synergies than recorded excitations.
    """
    n_channel = channels.n_channel
    if synergy_hybrid.n_synergy == "auto":
        for n_synergy in range(1, n_channel):
            if _extract(recorded, n_synergy, seed=0).vaf > ENOUGH_VAF:
                return n_synergy
        return n_channel
    if synergy_hybrid.n_synergy > n_channel:
        names = ", ".join(channels.mtu_names[i] for i in channels.tracked)
        raise OptionError(
            where="number of synergies",
            expected=f"at most {n_channel}, one per independent recorded excitation ({names})",
            got=str(synergy_hybrid.n_synergy),
            hint="more than that no recording can tell apart",
        )
    return synergy_hybrid.n_synergy


def start_points(setting: SynergySetting, parameters: FloatArray, seed: int) -> FloatArray:
    """Return start points: synergies of the recorded excitations, and weightings of others.

    Parameters
    ----------
    setting : SynergySetting
        What synergies reconstruct and synthesise. Where every trial has its own weightings, the
        synergies are those of each trial alone, in the order of those of all trials.
    parameters : ndarray (n_start, n_parameter)
        Where the searches start in the parameter space.
    seed : int
        Of the weightings of synthesised MTUs, which differ from start to start: at random between
        zero and the largest one of a recorded excitation; but in the first start, where an MTU is
        tied, those that come nearest to its pattern.

    Returns
    -------
    ndarray (n_start, n)
    """
    space = setting.space(parameters.shape[1])
    sets = _extract_sets(setting, seed)
    random = np.random.default_rng(seed)
    n_made = len(setting.channels.synthesised)
    points = []
    for number, place in enumerate(parameters):
        weightings = []
        for synergies, expected in sets:
            own = synergies.weightings
            made = random.uniform(size=(n_made, setting.n_synergy)) * own.max(axis=0)
            if number == 0:
                made[list(setting.tied)] = _nearest(synergies.primitives, expected)
            weightings.append(np.concatenate([own, made]))
        primitives = np.concatenate([one.primitives for one, _ in sets], axis=1)
        parts = np.split(primitives, np.cumsum(space.n_node)[:-1], axis=1)
        points.append(space.join(place, np.array(weightings), parts))
    return np.clip(points, 0.0, 1.0)


def _nearest(primitives: FloatArray, expected: FloatArray) -> FloatArray:
    """Return weightings that make patterns (n, n_node) of primitives, (n, n_synergy), >= 0."""
    from scipy.optimize import nnls  # noqa: PLC0415  slow to load

    found = [nnls(primitives.T, pattern)[0] for pattern in expected]
    return np.reshape(found, (len(expected), len(primitives)))


def _extract_sets(setting: SynergySetting, seed: int) -> list[tuple[Synergies, FloatArray]]:
    """Return synergies of every set of weightings, and patterns of the MTUs that are tied."""
    together = _extract(setting.recorded, setting.n_synergy, seed)
    if setting.synergy_hybrid.weightings == "shared":
        return [(together, np.concatenate(setting.expected, axis=1))]
    return [
        (match_synergies(_extract([recorded], setting.n_synergy, seed), together), expected)
        for recorded, expected in zip(setting.recorded, setting.expected, strict=True)
    ]


def _extract(recorded: Sequence[FloatArray], n_synergy: int, seed: int) -> Synergies:
    """Return synergies of some trials together, from channels (n_channel, n_node) of each."""
    together = np.concatenate(recorded, axis=1).T
    return extract_synergies(together, n_synergy, replicates=_REPLICATES, seed=seed)
