"""One trial against the others: signs and sizes that all trials of a person share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ceinms_torch.arrays import BoolArray, FloatArray
from ceinms_torch.errors import Place
from ceinms_torch.inputs.checks.findings import Finding, listed
from ceinms_torch.inputs.checks.reach import evenly, thinned
from ceinms_torch.model.trial import SAME_RATE, Trial
from ceinms_torch.simulation.moments import measured_moments

# Two trials are of opposite sign if they agree by less than minus this, -1 to 1: where others say
# which of the two is turned, and where nobody does.
_OPPOSITE, _OPPOSITE_ALONE = 0.4, 0.8
# Rows of a trial that are compared, and how many of another trial that are nearest to each.
_ROWS, _NEAREST = 60, 5
# Lengths and their rates are alike if they differ by less than this (mean square, in units of their
# standard deviations), and trials are if as many of the rows are.
_ALIKE, _LEAST_ALIKE = 0.5, 0.3
# Moments of one trial that are so many times smaller than those of others are in another unit.
_MUCH_SMALLER = 30.0
# A moment arm that counts [m].
_LEAST_ARM = 1e-3


@dataclass(frozen=True, kw_only=True)
class Turned:
    """Trials in which something of a DOF has another sign than in the others.

    Parameters
    ----------
    dof : int
        Position of the DOF.
    trials : tuple of str
        Their names.
    is_known : bool
        Whether it is these that are turned; else it may as well be those among them that are not.
    """

    dof: int
    trials: tuple[str, ...]
    is_known: bool


def turned_arms(trials: Sequence[Trial]) -> list[Turned]:
    """Find trials in which the moment arms of a DOF have another sign than in all others.

    Parameters
    ----------
    trials : sequence of Trial
        All trials.

    Returns
    -------
    list of Turned
    """
    found: list[Turned] = []
    for i in range(len(trials[0].dof_names)) if trials else ():
        arms = np.stack([trial.moment_arm[:, i].mean(axis=0) for trial in trials])
        size = np.linalg.norm(arms, axis=1)
        if size.min() > _LEAST_ARM:
            found += _odd_ones(i, trials, arms @ arms.T / np.outer(size, size))
    return found


def turned_moments(trials: Sequence[Trial], dofs: Sequence[int]) -> list[Turned]:
    """Find trials in which the measured moment of a DOF has another sign than in all others.

    Where lengths and rates are alike, moments of one person are, too, whatever makes them.

    Parameters
    ----------
    trials : sequence of Trial
        All with measured moments.
    dofs : sequence of int
        Positions of the DOFs that count.

    Returns
    -------
    list of Turned
    """
    found: list[Turned] = []
    if len(trials) < 2:
        return found
    short = [thinned(trial, evenly(len(trial.time), _ROWS)) for trial in trials]
    states = [
        np.hstack([one.mtu_length, np.gradient(one.mtu_length, one.time, axis=0)]) for one in short
    ]
    spread = np.concatenate(states).std(axis=0)
    used = spread > 1e-9
    states = [state[:, used] / spread[used] for state in states]
    agreement = np.zeros((len(dofs), len(trials), len(trials)))
    for t, state in enumerate(states):
        for u, other in enumerate(states):
            if t != u:
                distance = _mean_square(state, other)
                nearest = np.argsort(distance, axis=1)[:, :_NEAREST]
                alike = np.take_along_axis(distance, nearest[:, -1:], axis=1)[:, 0] < _ALIKE
                if alike.mean() >= _LEAST_ALIKE:
                    for d, dof in enumerate(dofs):
                        own = measured_moments(short[t])[alike, dof]
                        theirs = measured_moments(short[u])[nearest[alike], dof].mean(axis=1)
                        agreement[d, t, u] = _agreement(own, theirs)
    for d, dof in enumerate(dofs):
        found += _odd_ones(dof, trials, (agreement[d] + agreement[d].T) / 2.0)
    return found


def _mean_square(a: FloatArray, b: FloatArray) -> FloatArray:
    square = (a**2).sum(axis=1)[:, np.newaxis] - 2.0 * a @ b.T + (b**2).sum(axis=1)
    result: FloatArray = square / a.shape[1]
    return result


def _agreement(a: FloatArray, b: FloatArray) -> float:
    """Return the smaller of correlation and cosine in size, 0 if they contradict each other."""
    values = []
    for x, y in ((a, b), (a - a.mean(), b - b.mean())):
        size = float(np.linalg.norm(x) * np.linalg.norm(y))
        values.append(float(x @ y) / size if size > 0.0 else 0.0)
    return min(values, key=abs) if values[0] * values[1] > 0.0 else 0.0


def _odd_ones(dof: int, trials: Sequence[Trial], agreement: FloatArray) -> Iterator[Turned]:
    """Find the fewest trials that, turned round, agree with all others.

    Parameters
    ----------
    dof : int
        Position of the DOF.
    trials : sequence of Trial
        The trials.
    agreement : ndarray (n_trial, n_trial)
        Of every two, -1 to 1; 0 for no opinion.

    Yields
    ------
    Turned
    """
    agreement = agreement - np.diag(np.diag(agreement))
    for members in _groups(agreement != 0.0):
        n, own = len(members), agreement[np.ix_(members, members)]
        least = _OPPOSITE if n > 2 else _OPPOSITE_ALONE
        signs = np.ones(n)
        for _ in range(n // 2):
            mutual = signs * (own @ signs) / np.maximum((own != 0.0).sum(axis=1), 1)
            worst = int(np.argmin(mutual))
            if mutual[worst] > -least:
                break
            signs[worst] *= -1.0
        odd = [i for i, sign in zip(members, signs.tolist(), strict=True) if sign < 0.0]
        is_known = 2 * len(odd) < n
        if odd:
            names = tuple(trials[i].name for i in (odd if is_known else members))
            yield Turned(dof=dof, trials=names, is_known=is_known)


def _groups(linked: BoolArray) -> Iterator[list[int]]:
    """Return positions by groups that nothing links."""
    left = set(range(len(linked)))
    while left:
        group = {left.pop()}
        while grown := set(np.flatnonzero(linked[sorted(group)].any(axis=0)).tolist()) - group:
            group |= grown
        left -= group
        yield sorted(group)


def turned_finding(trials: Sequence[Trial], turned: Turned, what: str) -> Finding:
    """Say what `turned_arms` or `turned_moments` found.

    Parameters
    ----------
    trials : sequence of Trial
        All trials.
    turned : Turned
        What was found.
    what : {"moment arms", "measured moments"}
        In words.

    Returns
    -------
    Finding
    """
    name, names = trials[0].dof_names[turned.dof], turned.trials
    sources = next(trial for trial in trials if trial.name == names[0]).sources
    arms = what == "moment arms"
    here = f"The {what} of {name} in trial{'s' * (len(names) > 1)} {listed(names)}"
    return Finding(
        severity="warning",
        code="arms-turned" if arms else "moment-turned",
        where=Place(
            file=(sources.moment_arms[name] if arms else sources.torques).path,
            column=None if arms else name,
            trial=listed(names),
        ),
        what=f"{here} have the opposite sign of those in the other trials."
        if turned.is_known
        else f"{here} are of opposite signs where the movement is the same.",
        why="The muscles of a person pull the same way in every trial: no parameters fit both.",
        to_do=f"Export the {what} of all trials with one sign convention.",
    )


def check_sizes(trials: Sequence[Trial]) -> Iterator[Finding]:
    """Find trials whose moments are of another size than those of all others.

    Parameters
    ----------
    trials : sequence of Trial
        All with measured moments.

    Yields
    ------
    Finding
    """
    peaks = np.array([np.abs(measured_moments(trial)).max() for trial in trials])
    for trial, peak in zip(trials, peaks.tolist(), strict=True):
        usual = float(
            np.median(
                [p for t, p in zip(trials, peaks.tolist(), strict=True) if t is not trial] or [peak]
            )
        )
        if 0.0 < _MUCH_SMALLER * peak < usual:
            yield Finding(
                severity="warning",
                code="moment-unit-of-trial",
                where=Place(file=trial.sources.torques.path, trial=trial.name),
                what=f"The largest measured moment of trial {trial.name} is {peak:.3g} N m, "
                f"{usual / peak:.3g} times smaller than in the other trials.",
                why="It looks divided by body mass, or in another unit, in this trial alone.",
                to_do="Give its moments in N m, like those of the other trials.",
            )


def check_rates(trials: Sequence[Trial]) -> Iterator[Finding]:
    """Find trials at different rates, at which C1 and C2 mean different delays.

    Parameters
    ----------
    trials : sequence of Trial
        All trials.

    Yields
    ------
    Finding
    """
    steps = {trial.name: trial.time_step for trial in trials}
    if not steps:
        return
    slow, fast = max(steps, key=steps.__getitem__), min(steps, key=steps.__getitem__)
    if steps[slow] > SAME_RATE * steps[fast]:
        file: Path | None = next(t for t in trials if t.name == slow).sources.input_data.path
        yield Finding(
            severity="warning",
            code="rates-differ",
            where=Place(file=file, trial=f"{slow}, {fast}"),
            what=f"Rows of trial {slow} are {1e3 * steps[slow]:.4g} ms apart, those of {fast} "
            f"{1e3 * steps[fast]:.4g} ms.",
            why="The activation filter counts samples: the same c1 and c2 delay activation by "
            f"{steps[slow] / steps[fast]:.3g} times as much in the one as in the other.",
            to_do="Export all trials at one rate.",
        )
