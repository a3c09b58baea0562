"""Whether the calibration trials cover the conditions of the test trials."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import Place
from ceinms_torch.inputs.checks.findings import Finding, listed
from ceinms_torch.model.trial import Trial

# So many times as fast as the fastest calibration trial, or as slow as the slowest, is another
# movement: walking at 3.6 and at 4.5 km/h differ by 1.2, walking and running by 1.7 to 2.
_FASTER, _SLOWER = 1.4, 1.5
# So many times the largest moment of a DOF.
_LARGER = 1.5
# MTU lengths count as new beyond the calibration trials' by this share of their range, and as many
# of them make another movement.
_BEYOND, _MANY = 0.1, 0.3
# An MTU whose length changes by less than this hardly moves [m/s].
_LEAST_RATE = 5e-3
# A DOF whose moment reaches less than this share of the largest tells nothing.
_SMALL = 0.1


def check_coverage(calibration: Sequence[Trial], tests: Sequence[Trial]) -> Iterator[Finding]:
    """Find test trials under conditions that no calibration trial has.

    Parameters
    ----------
    calibration, tests : sequence of Trial
        The trials.

    Yields
    ------
    Finding
    """
    new = {trial.name: _news(calibration, trial) for trial in tests} if calibration else {}
    concerned = [trial for trial in tests if new.get(trial.name)]
    if concerned:
        said = "; ".join(f"{trial.name}: {', '.join(new[trial.name])}" for trial in concerned[:3])
        more = f"; and {len(concerned) - 3} more" if len(concerned) > 3 else ""
        yield Finding(
            severity="warning",
            code="condition-not-covered",
            where=Place(
                file=concerned[0].sources.input_data.path,
                trial=listed([trial.name for trial in concerned]),
            ),
            what=f"No calibration trial is like these test trials ({said}{more}).",
            why="A calibration fits what it has seen: calibrated on walking, running is predicted "
            "badly whatever the fit was.",
            to_do="Add a trial of this condition to <trialSet>, or draw no conclusions about it.",
        )


def _news(calibration: Sequence[Trial], test: Trial) -> list[str]:
    """Say what a test trial has and no calibration trial has."""
    news = []
    rates = np.stack([_rate(trial) for trial in calibration])
    moving = rates.max(axis=0) > _LEAST_RATE
    if moving.any():
        own = _rate(test)[moving]
        most = float(np.median(own / rates.max(axis=0)[moving]))
        least = float(np.median(own / np.maximum(rates.min(axis=0)[moving], _LEAST_RATE)))
        if most > _FASTER:
            news.append(f"MTU lengths change {most:.2g} times as fast as in the fastest of them")
        elif least < 1.0 / _SLOWER:
            news.append(f"MTU lengths change {least:.2g} times as fast as in the slowest of them")
    low = np.min([trial.mtu_length.min(axis=0) for trial in calibration], axis=0)
    high = np.max([trial.mtu_length.max(axis=0) for trial in calibration], axis=0)
    margin = _BEYOND * (high - low)
    beyond = (test.mtu_length < low - margin) | (test.mtu_length > high + margin)
    if float(beyond.mean()) > _MANY:
        news.append(f"{100 * beyond.mean():.2g} % of the MTU lengths are outside theirs")
    news += _moments(calibration, test)
    return news


def _rate(trial: Trial) -> FloatArray:
    """Return how fast every MTU's length changes where it is fast (n_mtu,) [m/s]."""
    rate = np.abs(np.gradient(trial.mtu_length, trial.time, axis=0))
    result: FloatArray = np.percentile(rate, 95.0, axis=0)
    return result


def _moments(calibration: Sequence[Trial], test: Trial) -> Iterator[str]:
    known = [trial.measured_moment for trial in calibration if trial.measured_moment is not None]
    if test.measured_moment is None or not known:
        return
    peak = np.max([np.abs(moment).max(axis=0) for moment in known], axis=0)
    own = np.abs(test.measured_moment).max(axis=0)
    for dof, one, most in zip(test.dof_names, own.tolist(), peak.tolist(), strict=True):
        if one > _LARGER * most and one > _SMALL * own.max():
            yield f"the moment of {dof} reaches {one:.3g} N m, theirs {most:.3g}"
