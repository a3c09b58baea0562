"""A map of EMG channels proposed from names, to be looked through by who placed the electrodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ceinms_torch.blas import one_blas_thread
from ceinms_torch.emg.channel_names import Muscle, muscles_of, side
from ceinms_torch.emg.emg_map import EmgMap
from ceinms_torch.errors import DataError, OptionError, Place
from ceinms_torch.io.display import OneLine


@dataclass(frozen=True, kw_only=True)
class SuggestedMap(OneLine):
    """A map that was proposed, and what it leaves open.

    Parameters
    ----------
    map : EmgMap
        Channels whose label means one muscle that the model has.
    muscles : dict of str to str
        Which muscle each of those is taken for.
    ambiguous : dict of str to tuple of str
        Channels whose label may mean several muscles of the model.
    unknown : tuple of str
        Channels of which nothing is known, or whose muscle the model lacks.
    silent : tuple of str
        MTUs without electrode.
    """

    map: EmgMap
    muscles: Mapping[str, str]
    ambiguous: Mapping[str, tuple[str, ...]]
    unknown: tuple[str, ...]
    silent: tuple[str, ...]

    def comments(self) -> tuple[str, ...]:
        """Return what to put in front of the map's file."""
        lines = [
            "Proposed from the names of channels and MTUs: compare it with the electrode list."
        ]
        lines += [f"{name}: {muscle}" for name, muscle in self.muscles.items()]
        lines += [
            f"{name}: {' or '.join(muscles)}? Not in the map"
            for name, muscles in self.ambiguous.items()
        ]
        lines += [f"{name}: no muscle of the model has that name" for name in self.unknown]
        return tuple(lines)


@one_blas_thread
def suggest_map(
    channels: Sequence[str], mtus: Sequence[str], *, body_side: str | None = None
) -> SuggestedMap:
    """Propose which channels drive which MTUs, by their names.

    Parameters
    ----------
    channels : sequence of str
        Labels of the electrodes.
    mtus : sequence of str
        The model's MTUs.
    body_side : {"r", "l"}, optional
        Side of electrodes whose label does not say one.

    Returns
    -------
    SuggestedMap
        An MTU without electrode of its own is driven by those of its neighbours that lend theirs,
        in equal parts: vastus intermedius by vasti lateralis and medialis.

    Raises
    ------
    OptionError
        If the model has two sides, and a label of a muscle it has does not say which.
    DataError
        If no channel's muscle is known.
    """
    candidates = {name: _in_model(name, mtus) for name in channels}
    _settle(candidates)
    chosen = {name: one[0] for name, one in candidates.items() if len(one) == 1}
    within = {name: _of_side(name, muscle, mtus, body_side) for name, muscle in chosen.items()}
    own = {
        name: [mtu for mtu in within[name] if muscle.has(mtu)] for name, muscle in chosen.items()
    }
    recorded = {mtu for one in own.values() for mtu in one}
    drives = {
        name: own[name]
        + [mtu for mtu in within[name] if muscle.lends_to(mtu) and mtu not in recorded]
        for name, muscle in chosen.items()
        if own[name]
    }
    shared = Counter(mtu for one in drives.values() for mtu in one)
    weights = {name: {mtu: 1.0 / shared[mtu] for mtu in one} for name, one in drives.items()}
    if not weights:
        raise DataError(
            where=Place(element="channels"),
            expected="labels that name muscles of the model",
            got=", ".join(channels),
            hint='Write the map by hand: [channels], and a line such as VL = "vaslat_r" each',
        )
    return SuggestedMap(
        map=EmgMap(channels=weights),
        muscles={name: chosen[name].name for name in weights},
        ambiguous={
            name: tuple(muscle.name for muscle in one)
            for name, one in candidates.items()
            if len(one) > 1
        },
        unknown=tuple(
            name for name in channels if len(candidates[name]) < 2 and name not in weights
        ),
        silent=tuple(mtu for mtu in mtus if mtu not in shared),
    )


def _of_side(
    name: str, muscle: Muscle, mtus: Sequence[str], body_side: str | None
) -> tuple[str, ...]:
    """Return the MTUs of the side that a channel is on."""
    beside = side(name) or body_side
    if beside is None and len({side(mtu) for mtu in mtus if muscle.has(mtu)} - {None}) > 1:
        raise OptionError(
            where="--side",
            expected="r or l, for electrodes whose label does not say it",
            got=f"none, and '{name}'",
            hint="The model has both sides",
        )
    return tuple(mtu for mtu in mtus if None in (beside, side(mtu)) or side(mtu) == beside)


def _in_model(name: str, mtus: Sequence[str]) -> tuple[Muscle, ...]:
    return tuple(muscle for muscle in muscles_of(name) if any(map(muscle.has, mtus)))


def _settle(candidates: dict[str, tuple[Muscle, ...]]) -> None:
    """Leave out, where labels may mean several muscles, those that others have for certain."""
    while True:
        taken = {(one[0], side(name)) for name, one in candidates.items() if len(one) == 1}
        changed = False
        for name, several in candidates.items():
            rest = tuple(one for one in several if (one, side(name)) not in taken)
            if len(several) > 1 and 0 < len(rest) < len(several):
                candidates[name], changed = rest, True
        if not changed:
            return
