"""Whether the steps of the Rosenbrock tendon were short enough."""

from __future__ import annotations

import warnings

import numpy as np

from ceinms_torch.arrays import FloatArray, IndexArray
from ceinms_torch.errors import CeinmsTorchWarning
from ceinms_torch.model.trial import Trial

# One swing may follow a jump in the data; more of them are the step's own.
_FEWEST_SWINGS = 3


def swings(norm_velocity: FloatArray) -> IndexArray:
    """Count the steps at which a fibre turns round at more than its greatest velocity.

    A fibre cannot shorten faster than maxContractionVelocity at one step and lengthen faster at the
    next. The Rosenbrock step, of first order and with one linearisation a step, does so where the
    step is long for a stiff fibre, and does not recover.

    Parameters
    ----------
    norm_velocity : ndarray (n_step, n_mtu)
        Fibre velocities over optimal fibre length times maximum contraction velocity [-].

    Returns
    -------
    ndarray (n_mtu,)
    """
    before, after = norm_velocity[:-1], norm_velocity[1:]
    is_fast = np.minimum(np.abs(before), np.abs(after)) > 1.0
    turns = is_fast & (before * after < 0.0)
    result: IndexArray = turns.sum(axis=0)
    return result


def warn_if_unstable(trial: Trial, norm_velocity: FloatArray) -> None:
    """Warn where forces of the Rosenbrock tendon mean nothing.

    Parameters
    ----------
    trial : Trial
        The trial that was simulated.
    norm_velocity : ndarray (n_step, n_mtu)
        Its fibre velocities, see `swings`.

    Warns
    -----
    CeinmsTorchWarning
        If a fibre swings back and forth.
    """
    counts = zip(trial.mtu_names, swings(norm_velocity).tolist(), strict=True)
    unstable = [f"{name} ({n})" for name, n in counts if n >= _FEWEST_SWINGS]
    if unstable:
        step = 1e3 * float(np.max(np.diff(trial.time)))
        warnings.warn(
            CeinmsTorchWarning(
                f"Trial '{trial.name}': the elastic tendon is unstable; at some of the "
                f"{len(trial.time)} steps fibres turn round at more than maxContractionVelocity: "
                f"{', '.join(unstable)}. Their forces mean nothing. Steps of {step:g} ms are too "
                "long for such stiff fibres: give lengths and moment arms at a higher rate, or "
                "take the tendon dampedEquilibrium.",
                "unstable-tendon",
            ),
            stacklevel=4,
        )
