"""Muscle synergies of the synthetic subject: primitives by stride phase, and weightings.

Every excitation is a sum of the four synergies, so that what was not recorded is known as well.
"""

from __future__ import annotations

import numpy as np
from anatomy import MUSCLES, Array
from signals import AMPLITUDE_VARIATION, TIMING_VARIATION, Burst, Walk

# Four bursts of the stride as they are found in walking (weight acceptance, push-off, start of the
# swing, end of the swing); heights are drawn up by hand.
PRIMITIVES = (
    (Burst(10.0, 7.0, 0.55, 0.95), Burst(97.0, 5.0, 0.10, 0.20)),
    (Burst(46.0, 8.0, 0.60, 0.95), Burst(28.0, 9.0, 0.15, 0.20)),
    (Burst(64.0, 7.0, 0.55, 0.95), Burst(80.0, 7.0, 0.25, 0.35)),
    (Burst(92.0, 7.0, 0.55, 0.95), Burst(4.0, 5.0, 0.25, 0.40)),
)
RESTING_LEVEL = 0.04  # of every primitive

# Excitation of each muscle per unit of each primitive.
WEIGHTINGS = {
    "glmax_r": (0.16, 0.02, 0.01, 0.12),
    "iliopsoas_r": (0.02, 0.20, 0.42, 0.02),
    "tfl_r": (0.12, 0.14, 0.26, 0.03),
    "recfem_r": (0.12, 0.04, 0.28, 0.20),
    "vaslat_r": (0.44, 0.03, 0.02, 0.14),
    "vasmed_r": (0.52, 0.04, 0.02, 0.20),
    "vasint_r": (0.38, 0.02, 0.05, 0.12),
    "bflh_r": (0.20, 0.12, 0.02, 0.38),
    "semimem_r": (0.14, 0.09, 0.04, 0.34),
    "bfsh_r": (0.06, 0.12, 0.18, 0.26),
    "gasmed_r": (0.08, 0.46, 0.02, 0.04),
    "gaslat_r": (0.06, 0.36, 0.05, 0.03),
    "soleus_r": (0.14, 0.40, 0.02, 0.02),
    "tibant_r": (0.26, 0.02, 0.34, 0.24),
}

# One electrode for each; the other seven of the fourteen muscles have none.
RECORDED = ("glmax_r", "tfl_r", "recfem_r", "vaslat_r", "bflh_r", "gasmed_r", "tibant_r")


def primitives(walk: Walk, time: Array) -> Array:
    """Primitives of a trial.

    Parameters
    ----------
    walk : Walk
    time : array (n_row,)
        s.

    Returns
    -------
    array (n_row, n_synergy)
        Within 0 and 1.
    """
    phase = walk.phase(time)
    random = walk.random("synergies")
    columns = []
    for bursts in PRIMITIVES:
        primitive = np.full_like(phase, RESTING_LEVEL)
        for burst in bursts:
            height = (1.0 - walk.speed_share) * burst.at_slow + walk.speed_share * burst.at_fast
            height *= 1.0 + AMPLITUDE_VARIATION * random.standard_normal()
            centre = burst.centre + TIMING_VARIATION * random.standard_normal()
            # Distance to the burst's nearest repetition, -50 to 50 % of the stride.
            distance = (100.0 * phase - centre + 50.0) % 100.0 - 50.0
            primitive = primitive + height * np.exp(-0.5 * (distance / burst.width) ** 2)
        columns.append(primitive)
    return np.column_stack(columns)


def excitations(walk: Walk, time: Array) -> Array:
    """Excitations of all muscles, in the order of ``MUSCLES``.

    Parameters
    ----------
    walk : Walk
    time : array (n_row,)
        s.

    Returns
    -------
    array (n_row, n_muscle)
        Within 0 and 1.
    """
    weightings = np.array([WEIGHTINGS[muscle.name] for muscle in MUSCLES])
    return primitives(walk, time) @ weightings.T
