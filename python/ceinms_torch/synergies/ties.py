"""Patterns that synthesised excitations are held to: a neighbour's recording, or a stated one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import OptionError, did_you_mean
from ceinms_torch.model.trial import Trial
from ceinms_torch.plan.synergy_hybrid import SynergyHybrid
from ceinms_torch.synergies.channels import Channels

# Cosine between the moment arms of neighbours, and how much less than the most alike is as good.
# Measured on nine channels of a recorded leg: the recording of the neighbour found so is nearer to
# the one withheld than silence is in all of eight, r 0.66 to 0.97; the ninth muscle has none.
ALIKE = 0.7
_AS_ALIKE = 0.02
_MEAN = "mean"


@dataclass(frozen=True, kw_only=True)
class Tie:
    """What a synthesised excitation is held to.

    Parameters
    ----------
    mtu : str
        The synthesised MTU.
    to : tuple of str
        The MTUs whose recordings it should resemble in the mean.
    likeness : float or None
        Cosine between their moment arms, over all DOFs and frames [-]; None where the user said so.
    """

    mtu: str
    to: tuple[str, ...]
    likeness: float | None = None


def find_ties(
    trials: Sequence[Trial], channels: Channels, synergy_hybrid: SynergyHybrid
) -> tuple[Tie, ...]:
    """Find what synthesised excitations are held to.

    Parameters
    ----------
    trials : sequence of Trial
        The trials to calibrate on.
    channels : Channels
        Recorded and synthesised MTUs.
    synergy_hybrid : SynergyHybrid
        What was asked for.

    Returns
    -------
    tuple of Tie
        In the order of the synthesised MTUs; those that nothing is like are left out.

    Raises
    ------
    OptionError
        If a tie names an MTU that is not synthesised, twice the same one, or as its pattern one
        that is not recorded.
    """
    if synergy_hybrid.ties == "none" or synergy_hybrid.tie_weight == 0.0:
        return ()
    recorded = [channels.mtu_names[i] for i in np.flatnonzero(np.any(channels.mixing, axis=1))]
    if synergy_hybrid.ties == "neighbours":
        return _neighbours(trials, channels, recorded)
    stated: dict[str, Tie] = {}
    for text in synergy_hybrid.ties:
        mtu, _, pattern = text.partition(":")
        to = tuple(recorded) if pattern == _MEAN else tuple(pattern.split("+"))
        _check_known("synthesised", mtu, [n for n in channels.synthesised_names if n not in stated])
        for name in to:
            _check_known("recorded", name, recorded)
        stated[mtu] = Tie(mtu=mtu, to=to)
    return tuple(stated[name] for name in channels.synthesised_names if name in stated)


def expected_excitations(
    ties: Sequence[Tie], mtu_names: tuple[str, ...], excitation: FloatArray
) -> FloatArray:
    """Return the patterns of tied MTUs.

    Parameters
    ----------
    ties : sequence of Tie
        What is held to what.
    mtu_names : tuple of str
        Of all MTUs.
    excitation : ndarray (n_sample, n_mtu)
        As recorded (-).

    Returns
    -------
    ndarray (n_tied, n_sample)
        (-).
    """
    columns = [[mtu_names.index(name) for name in tie.to] for tie in ties]
    patterns = [excitation[:, one].mean(axis=1) for one in columns]
    return np.reshape(patterns, (len(ties), len(excitation)))


def driven_by_ties(trial: Trial, ties: Sequence[Tie]) -> Trial:
    """Return a trial in which patterns drive the MTUs that are tied to them."""
    excitation = trial.excitation.copy()
    columns = [trial.mtu_names.index(tie.mtu) for tie in ties]
    excitation[:, columns] = expected_excitations(ties, trial.mtu_names, trial.excitation).T
    return dataclasses.replace(trial, excitation=excitation)


def _neighbours(
    trials: Sequence[Trial], channels: Channels, recorded: Sequence[str]
) -> tuple[Tie, ...]:
    frames = np.concatenate([one.moment_arm for one in trials])
    # About a single DOF all agonists are alike, which says nothing.
    if np.count_nonzero(np.any(frames, axis=(0, 2))) < 2:
        return ()
    arms = frames.reshape(-1, frames.shape[2])
    size = np.linalg.norm(arms, axis=0)
    sizes = np.outer(size, size)
    likeness = arms.T @ arms / np.where(sizes > 0.0, sizes, 1.0)
    ties = []
    for mtu in channels.synthesised:
        of = {name: float(likeness[mtu, channels.mtu_names.index(name)]) for name in recorded}
        most = max(of.values())
        if most >= ALIKE:
            to = tuple(name for name, one in of.items() if one >= most - _AS_ALIKE)
            ties.append(Tie(mtu=channels.mtu_names[mtu], to=to, likeness=most))
    return tuple(ties)


def _check_known(what: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise OptionError(
            where="ties",
            expected=f"MTUs that are {what}, each tied once",
            got=f"'{name}'",
            hint=did_you_mean(name, known),
        )
