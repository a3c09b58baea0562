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
    """Return start points: synergies of the recorded excitations, and random weightings.

    Parameters
    ----------
    setting : SynergySetting
        What synergies reconstruct and synthesise.
    parameters : ndarray (n_start, n_parameter)
        Where the searches start in the parameter space.
    seed : int
        Of the weightings of synthesised MTUs, which differ from start to start: between zero and
        the largest one of a recorded excitation.

    Returns
    -------
    ndarray (n_start, n)
    """
    space = setting.space(parameters.shape[1])
    synergies = _extract(setting.recorded, setting.n_synergy, seed)
    own = synergies.weightings
    primitives = np.split(synergies.primitives, np.cumsum(space.n_node)[:-1], axis=1)
    random = np.random.default_rng(seed)
    points = []
    for place in parameters:
        shares = random.uniform(size=(space.n_set, space.n_weighted - len(own), len(own.T)))
        sets = [np.concatenate([own, share * own.max(axis=0)]) for share in shares]
        points.append(space.join(place, np.array(sets), primitives))
    return np.clip(points, 0.0, 1.0)


def _extract(recorded: Sequence[FloatArray], n_synergy: int, seed: int) -> Synergies:
    """Return synergies of all trials together, from channels (n_channel, n_node) of each."""
    together = np.concatenate(recorded, axis=1).T
    return extract_synergies(together, n_synergy, replicates=_REPLICATES, seed=seed)
