"""Walking trials of the synthetic gait subject: joint angles and EMG envelopes by time.

Everything is a function of the stride phase (0 at right heel strike, 1 at the next) and of the
walking speed. Each trial has its own small random variation, drawn from ``SEED`` and its name.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from anatomy import ANKLE, HIP, KNEE, Array

SEED = 20150806

KINEMATICS_RATE = 100.0  # Hz
EMG_RATE = 500.0  # Hz
EMG_LEAD = 0.25  # s of EMG before the first kinematics frame
EMG_TAIL = 0.05  # s of EMG after the last one

SLOW_SPEED, FAST_SPEED = 1.0, 1.7  # m/s, where the tables below hold


@dataclass(frozen=True, kw_only=True)
class Walk:
    """One trial: a name, its speed in m/s, and times in s on the recording's clock."""

    name: str
    speed: float
    stride_time: float
    heel_strike: float
    n_step: int

    @property
    def time(self) -> Array:
        """Kinematics time, array (n_step,), s."""
        first_frame = round(self.heel_strike * KINEMATICS_RATE)
        return (first_frame + np.arange(self.n_step)) / KINEMATICS_RATE

    @property
    def emg_time(self) -> Array:
        """EMG time, array (n_row,), s; wider than ``time`` on both sides."""
        first = round((self.time[0] - EMG_LEAD) * EMG_RATE)
        last = round((self.time[-1] + EMG_TAIL) * EMG_RATE)
        return np.arange(first, last + 1) / EMG_RATE

    def phase(self, time: Array) -> Array:
        """Stride phase of each instant; below 0 in the stride before, above 1 in the next."""
        return (time - self.heel_strike) / self.stride_time

    @property
    def speed_share(self) -> float:
        """0 at ``SLOW_SPEED``, 1 at ``FAST_SPEED``."""
        return (self.speed - SLOW_SPEED) / (FAST_SPEED - SLOW_SPEED)

    def random(self, purpose: str) -> np.random.RandomState:
        """Start a random stream of this trial that no other purpose draws from."""
        # The old class, because NumPy promises never to change its streams.
        seed = zlib.crc32(f"{SEED} {self.name} {purpose}".encode())
        return np.random.RandomState(seed)


CALIBRATION_WALKS = (
    Walk(name="walk_105", speed=1.05, stride_time=1.09, heel_strike=0.62, n_step=110),
    Walk(name="walk_130", speed=1.30, stride_time=1.02, heel_strike=0.41, n_step=103),
    Walk(name="walk_150", speed=1.50, stride_time=0.96, heel_strike=0.35, n_step=97),
)
# The second one is a stance phase, the others are whole strides.
TEST_WALKS = (
    Walk(name="walk_115", speed=1.15, stride_time=1.06, heel_strike=0.53, n_step=107),
    Walk(name="walk_140_stance", speed=1.40, stride_time=0.99, heel_strike=0.77, n_step=64),
    Walk(name="walk_145", speed=1.45, stride_time=0.97, heel_strike=0.29, n_step=98),
)
WALKS = CALIBRATION_WALKS + TEST_WALKS

# Mean, cosine and sine coefficients of the stride phase, deg, at the slow and the fast speed:
# fits to hand-drawn curves with textbook ranges, not to a recording.
ANGLE_HARMONICS = {
    HIP: (
        (9.66, (18.51, -3.38, -0.21, -0.18, -0.18, -0.06), (-3.01, -1.44, 1.02, -0.02, 0.14, 0.02)),
        (10.55, (23.99, -5.04, 0.27, -0.06, -0.09, -0.04), (-4.25, -0.92, 1.38, -0.06, 0.07, 0.04)),
    ),
    KNEE: (
        (20.07, (-3.24, -12.85, 0.10, -0.38, 0.0, 0.08), (-20.51, 6.75, 3.63, 0.27, 0.22, 0.14)),
        (24.26, (-5.85, -12.6, -0.18, -0.78, -0.13, 0.11), (-20.37, 12.03, 3.23, 0.68, 0.13, 0.22)),
    ),
    ANKLE: (
        (0.60, (-1.50, 1.39, -3.07, 1.80, 0.02, 0.25), (5.53, -6.20, 0.48, -0.56, -1.15, 0.13)),
        (0.18, (0.98, -0.26, -2.75, 1.71, -0.12, 0.58), (6.23, -7.84, 1.63, -1.84, -1.0, -0.21)),
    ),
}
ANGLE_VARIATION = 0.02  # relative standard deviation of each harmonic between trials


def joint_angles(walk: Walk) -> dict[str, Array]:
    """Joint angles of a trial.

    Parameters
    ----------
    walk : Walk

    Returns
    -------
    dict of array (n_step,)
        rad, by DOF name.
    """
    phase = walk.phase(walk.time)
    random = walk.random("angles")
    angles = {}
    for dof_name, (slow, fast) in ANGLE_HARMONICS.items():
        share = walk.speed_share
        degrees = np.full_like(phase, (1.0 - share) * slow[0] + share * fast[0])
        for wave, slow_part, fast_part in ((np.cos, slow[1], fast[1]), (np.sin, slow[2], fast[2])):
            for order, (at_slow, at_fast) in enumerate(zip(slow_part, fast_part, strict=True), 1):
                amplitude = (1.0 - share) * at_slow + share * at_fast
                amplitude *= 1.0 + ANGLE_VARIATION * random.standard_normal()
                degrees = degrees + amplitude * wave(2.0 * np.pi * order * phase)
        angles[dof_name] = np.deg2rad(degrees)
    return angles


@dataclass(frozen=True)
class Burst:
    """One Gaussian burst of an envelope.

    Parameters
    ----------
    centre, width : float
        Stride phase of its peak, and its standard deviation, both in % of the stride.
    at_slow, at_fast : float
        Height at ``SLOW_SPEED`` and ``FAST_SPEED``, share of the maximum contraction.
    """

    centre: float
    width: float
    at_slow: float
    at_fast: float


# Level between bursts. A muscle at rest shows some EMG, and needs some force for a taut tendon.
RESTING_LEVEL = {
    "glmax": 0.020,
    "iliopsoas": 0.020,
    "tfl": 0.020,
    "recfem": 0.025,
    "vaslat": 0.030,
    "vasmed": 0.035,
    "bflh": 0.025,
    "semimem": 0.030,
    "gasmed": 0.025,
    "soleus": 0.020,
    "tibant": 0.020,
}

# Centres follow what is known of muscle activity in walking; heights were tuned so that the true
# subject's moments look like a walking adult's.
BURSTS = {
    "glmax": (Burst(8.0, 6.0, 0.07, 0.16), Burst(94.5, 5.0, 0.02, 0.03)),
    "iliopsoas": (Burst(51.0, 8.0, 0.11, 0.25), Burst(66.5, 7.0, 0.19, 0.40)),
    "tfl": (
        Burst(5.0, 8.0, 0.11, 0.15),
        Burst(43.0, 9.0, 0.12, 0.14),
        Burst(66.5, 5.0, 0.13, 0.31),
    ),
    "recfem": (
        Burst(4.5, 6.0, 0.08, 0.11),
        Burst(58.5, 6.0, 0.07, 0.29),
        Burst(86.5, 6.0, 0.28, 0.37),
    ),
    "vaslat": (Burst(14.0, 6.0, 0.19, 0.46), Burst(86.5, 6.5, 0.10, 0.18)),
    "vasmed": (Burst(13.5, 6.0, 0.24, 0.56), Burst(86.0, 6.5, 0.14, 0.25)),
    "bflh": (
        Burst(94.5, 6.0, 0.05, 0.15),
        Burst(4.5, 5.0, 0.14, 0.46),
        Burst(54.0, 8.0, 0.08, 0.15),
    ),
    "semimem": (
        Burst(92.0, 6.0, 0.05, 0.08),
        Burst(8.0, 6.0, 0.14, 0.35),
        Burst(55.0, 7.0, 0.08, 0.16),
    ),
    "gasmed": (
        Burst(29.5, 9.0, 0.04, 0.05),
        Burst(48.5, 6.0, 0.14, 0.43),
        Burst(56.0, 5.0, 0.20, 0.14),
    ),
    "soleus": (Burst(23.5, 9.0, 0.02, 0.03), Burst(47.0, 7.0, 0.12, 0.23)),
    "tibant": (
        Burst(4.5, 5.0, 0.26, 0.32),
        Burst(67.0, 6.0, 0.14, 0.38),
        Burst(78.0, 8.0, 0.28, 0.36),
        Burst(91.0, 5.0, 0.13, 0.20),
    ),
}

AMPLITUDE_VARIATION = 0.07  # relative standard deviation of a burst's height between trials
TIMING_VARIATION = 0.8  # standard deviation of a burst's centre between trials, % of the stride
RIPPLE = 0.04  # relative height of the slow ripple that a low-pass filtered EMG keeps
RIPPLE_ORDERS = (5, 7, 9)  # cycles per stride


def emg_envelopes(walk: Walk) -> dict[str, Array]:
    """EMG envelopes of a trial, normalised to the maximum contraction.

    Parameters
    ----------
    walk : Walk

    Returns
    -------
    dict of array (n_row,)
        Within 0 and 1, at ``walk.emg_time``, by electrode name.
    """
    phase = walk.phase(walk.emg_time)
    random = walk.random("emg")
    envelopes = {}
    for electrode, bursts in BURSTS.items():
        envelope = np.full_like(phase, RESTING_LEVEL[electrode])
        for burst in bursts:
            height = (1.0 - walk.speed_share) * burst.at_slow + walk.speed_share * burst.at_fast
            height *= 1.0 + AMPLITUDE_VARIATION * random.standard_normal()
            centre = burst.centre + TIMING_VARIATION * random.standard_normal()
            # Distance to the burst's nearest repetition, -50 to 50 % of the stride.
            distance = (100.0 * phase - centre + 50.0) % 100.0 - 50.0
            envelope = envelope + height * np.exp(-0.5 * (distance / burst.width) ** 2)
        for order in RIPPLE_ORDERS:
            shift = random.uniform(0.0, 2.0 * np.pi)
            envelope = envelope * (1.0 + RIPPLE * np.sin(2.0 * np.pi * order * phase + shift))
        if not (envelope.min() >= 0.0 and envelope.max() <= 1.0):
            raise ValueError(f"{walk.name}, {electrode}: the envelope leaves 0 to 1")
        envelopes[electrode] = envelope
    return envelopes
