"""Variance accounted for: how much of recorded excitations a reconstruction explains."""

from __future__ import annotations

import numpy as np

from ceinms_torch.arrays import FloatArray

# The paper's rule for the number of synergies (III-D): more than this share accounted for.
ENOUGH_VAF = 0.85


def vaf(recorded: FloatArray, reconstructed: FloatArray) -> float:
    """Return the variance that a reconstruction accounts for, over all channels together.

    Parameters
    ----------
    recorded, reconstructed : ndarray (n_sample, n_channel)
        Excitations (-).

    Returns
    -------
    float
        1 - SSE / SST [-], at most 1; NaN where nothing was recorded but zeros.

    Notes
    -----
    SST is the sum of squares about zero, not about the mean: a constant excitation counts as
    something to be explained (the uncentred coefficient of determination of Torres-Oviedo et al.
    2006, J Neurophysiol 96:1530, on which thresholds such as 85 % are based).
    """
    return float(vaf_by_channel(recorded.reshape(-1, 1), reconstructed.reshape(-1, 1))[0])


def vaf_by_channel(recorded: FloatArray, reconstructed: FloatArray) -> FloatArray:
    """Return the variance that a reconstruction accounts for, channel by channel.

    Parameters
    ----------
    recorded, reconstructed : ndarray (n_sample, n_channel)
        Excitations (-).

    Returns
    -------
    ndarray (n_channel,)
        As `vaf`; NaN for a channel that is zero throughout.
    """
    error = np.sum((recorded - reconstructed) ** 2, axis=0)
    total = np.sum(recorded**2, axis=0)
    known = np.where(total > 0.0, total, 1.0)
    return np.where(total > 0.0, 1.0 - error / known, np.nan)
