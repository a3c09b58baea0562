"""Poses around a movement, to fit polynomial paths to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ceinms_torch.geometry.coordinates import Coordinates
from ceinms_torch.model.settings import check_number

# So many of the poses are frames of the movement itself.
_SHARE_OF_FRAMES = 1 / 3


def draw_poses(
    motion: Coordinates,
    n_pose: int,
    *,
    vary: Sequence[str],
    spread: float,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    seed: int = 0,
) -> Coordinates:
    """Return frames of a movement, and poses in which each angle differs from such a frame.

    Along one movement angles move together, so that it does not show what the length owes to which
    of them. Angles are drawn independently, evenly within the spread.

    Parameters
    ----------
    motion : Coordinates
        The movement.
    n_pose : int
        How many poses, >= 3.
    vary : sequence of str
        Coordinates that are drawn; the others are those of the frame.
    spread : float
        By how much they differ at most [rad], > 0.
    ranges : mapping of str to (float, float), optional
        Lowest and highest value of coordinates [rad], which drawn ones are kept within.
    seed : int
        Of the random numbers.

    Returns
    -------
    Coordinates
        The first third frames, evenly spread; `time` counts the poses.

    Raises
    ------
    OptionError
        If `n_pose` or `spread` is not one of these.
    """
    check_number("n_pose", n_pose, least=3)
    check_number("spread", spread, above=0.0)
    rng = np.random.default_rng(seed)
    last = len(motion.time) - 1
    n_frame = min(round(_SHARE_OF_FRAMES * n_pose), len(motion.time))
    frames = np.linspace(0, last, n_frame).round().astype(int)
    around = rng.integers(0, last + 1, n_pose - n_frame)
    values = motion.values[np.concatenate((frames, around))].copy()
    for name in vary:
        column = motion.names.index(name)
        drawn = values[n_frame:, column] + rng.uniform(-spread, spread, n_pose - n_frame)
        low, high = (ranges or {}).get(name, (-np.inf, np.inf))
        # A movement that is beyond the range of its model stays where it is.
        low, high = min(low, values[:, column].min()), max(high, values[:, column].max())
        values[n_frame:, column] = np.clip(drawn, low, high)
    return replace(motion, time=np.arange(float(n_pose)), values=values)
