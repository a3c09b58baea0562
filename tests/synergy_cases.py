"""Excitations whose synergies are known."""

import numpy as np

from ceinms_torch.synergies.recording import Recording

CHANNELS = ("tib", "sol", "gas", "vast", "ham", "glu")
# Two or three muscles each; every synergy has one of its own, so that the truth is unique.
WEIGHTINGS = np.array(
    [
        [0.8, 0.0, 0.0],
        [0.0, 0.9, 0.0],
        [0.1, 0.6, 0.0],
        [0.0, 0.0, 0.7],
        [0.3, 0.0, 0.2],
        [0.0, 0.2, 0.5],
    ]
)
CENTRES = np.array([0.1, 0.5, 0.85])
WIDTHS = np.array([0.06, 0.08, 0.05])


def primitives(n_sample, shift=0.0):
    """Three bumps at different times, with gaps in which only one is active."""
    phase = np.linspace(0.0, 1.0, n_sample)
    return np.exp(-0.5 * ((phase - CENTRES[:, None] - shift) / WIDTHS[:, None]) ** 2)


def planted(n_sample=90, shift=0.0, scale=1.0):
    """Excitations (n_sample, 6) of the three synergies."""
    return scale * primitives(n_sample, shift).T @ WEIGHTINGS.T


def recordings(n_trial=3, noise=0.0):
    """Trials of different lengths, speeds and sizes."""
    rng = np.random.default_rng(3)
    trials = []
    for i in range(n_trial):
        n_sample = 70 + 20 * i
        data = planted(n_sample, 0.01 * i, 1.0 - 0.2 * i)
        data = np.clip(data + noise * rng.standard_normal(data.shape), 0.0, 1.0)
        time = 2.0 + np.arange(n_sample) / 100.0
        trials.append(Recording(name=f"walk{i}", channels=CHANNELS, time=time, excitation=data))
    return trials
