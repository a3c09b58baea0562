"""What C1 and C2 of the activation filter mean at a sample rate: by how much activation is late."""

from __future__ import annotations

import math

# The filter runs from sample to sample and knows no time. Measured delays of activation behind EMG
# are 10 to 100 ms; a mean delay of less than a sample is no dynamics at all.
SHORTEST_ACTIVATION_DELAY, LONGEST_ACTIVATION_DELAY = 0.01, 0.1  # [s]


def activation_delay(c1: float, c2: float, step: float) -> float:
    """Return the mean delay of the activation filter, eq. (1).

    A pole a = -c delays by a / (1 - a) samples, the mean of its impulse response.

    Parameters
    ----------
    c1, c2 : float
        Coefficients of the filter (-).
    step : float
        Time from one step of a trial to the next [s].

    Returns
    -------
    float
        [s]; infinite where a pole is not stable. 0.38 at c1 = c2 = -0.95 and a step of 0.01.
    """
    if min(c1, c2) <= -1.0:
        return math.inf
    return step * sum(-c / (1.0 + c) for c in (c1, c2))


def coefficient(delay: float, step: float) -> float:
    """Return the coefficient of one pole of the activation filter: C1, or C2, at a sample rate.

    The inverse of `activation_delay` for a filter of this pole alone; a filter of two such poles is
    twice as late.

    Parameters
    ----------
    delay : float
        Mean delay of the pole, which is its time constant [s]; >= 0.
    step : float
        Time from one step of a trial to the next [s]; > 0.

    Returns
    -------
    float
        c = -t / (1 + t) with t = delay / step (-), above -1; 0 for no delay.
    """
    return -delay / (delay + step)


def is_plausible_delay(delay: float, step: float) -> bool:
    """Tell whether activation is late by at least one sample and at most 100 ms.

    Parameters
    ----------
    delay : float
        Mean delay [s].
    step : float
        Time from one step of a trial to the next [s].

    Returns
    -------
    bool
        What rounding adds or takes is forgiven.
    """
    least, most = min(step, LONGEST_ACTIVATION_DELAY), LONGEST_ACTIVATION_DELAY
    return (1.0 - 1e-9) * least <= delay <= (1.0 + 1e-9) * most
