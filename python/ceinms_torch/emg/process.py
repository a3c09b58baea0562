"""Normalised envelopes of all trials of a session, what is 1 in them, and how good they are."""

from __future__ import annotations

import csv
import math
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ceinms_torch.blas import one_blas_thread
from ceinms_torch.emg.emg_map import EmgMap
from ceinms_torch.emg.emg_quality import EmgQuality, emg_quality
from ceinms_torch.emg.envelopes import (
    EmgProcessing,
    Envelopes,
    envelopes,
    greatest_of,
    normalised,
)
from ceinms_torch.emg.raw_emg import RawEmg
from ceinms_torch.errors import CeinmsTorchWarning, DataError, FileFormatError, OptionError, Place
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.source import Source, read_text

Normalisation = Literal["mvc", "trials", "given", "each", "none"]

NORMALISATIONS: dict[Normalisation, str] = {
    "mvc": "the greatest envelope of the channel in MVC trials",
    "trials": "the greatest envelope of the channel in all trials, MVC trials included",
    "given": "given numbers",
    "each": "the greatest envelope of the channel in the same recording",
    "none": "nothing: recorder units",
}
_MAXIMUM = ("maximum", "mvc", "normalised_by", "value")  # what a column of maxima may be called


@dataclass(frozen=True, kw_only=True, eq=False)
class EmgResult(OneLine):
    """Envelopes of trials that were recorded with the same electrodes.

    Parameters
    ----------
    recordings : tuple of RawEmg
        The trials, of the channels that are used.
    envelopes : tuple of Envelopes
        Of each trial.
    qualities : tuple of EmgQuality
        Of each trial, then of MVC trials.
    processing : EmgProcessing
        What was done.
    normalisation : {"mvc", "trials", "given", "each", "none"}
        By what envelopes were divided.
    maxima : dict of str to float
        What is 1, by channel, in the recorder's unit; empty for "each" and "none".
    emg_map : EmgMap, optional
        Which channels drive which MTUs.
    sources : tuple of Source
        Files that were read.
    """

    recordings: tuple[RawEmg, ...]
    envelopes: tuple[Envelopes, ...]
    qualities: tuple[EmgQuality, ...]
    processing: EmgProcessing
    normalisation: Normalisation
    maxima: Mapping[str, float]
    emg_map: EmgMap | None = None
    sources: tuple[Source, ...] = field(default=(), repr=False)

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels, in the order of the columns."""
        return self.envelopes[0].channels


@one_blas_thread
def process_emg(
    recordings: Sequence[RawEmg],
    *,
    processing: EmgProcessing | None = None,
    normalise: Normalisation | None = None,
    mvc: Sequence[RawEmg] = (),
    maxima: Mapping[str, float] | None = None,
    emg_map: EmgMap | None = None,
    channels: Sequence[str] | None = None,
) -> EmgResult:
    """Make envelopes of raw EMG.

    Parameters
    ----------
    recordings : sequence of RawEmg
        The trials, as `read_raw_emg` returns them; with the same electrodes.
    processing : EmgProcessing, optional
        Filters and rates; by default band-pass 30 to 300 Hz, low-pass 5 Hz, 100 Hz.
    normalise : {"mvc", "trials", "given", "each", "none"}, optional
        By what envelopes are divided: MVC trials; the greatest of all trials, MVC trials included;
        `maxima`; each recording by its own greatest, which makes trials incomparable; or nothing.
        By default `maxima` where there are any, else `mvc`, else all trials.
    mvc : sequence of RawEmg
        Recordings of maximal voluntary contractions; each may lack channels.
    maxima : mapping of str to float, optional
        What is 1, by channel, in the recorder's unit.
    emg_map : EmgMap, optional
        Which channels drive which MTUs: those in it are used, all others left out.
    channels : sequence of str, optional
        Those that are used, without a map; by default all of the first trial.

    Returns
    -------
    EmgResult

    Raises
    ------
    UnknownNameError
        If a trial lacks a channel.
    DataError
        If a gap is too long, a channel has no maximum, or one that drives MTUs is dead.
    OptionError
        If there is no trial, two have one name, or `normalise` lacks what it needs.

    Warns
    -----
    CeinmsTorchWarning
        If a dead channel is left out, or a trial exceeds MVC trials or given numbers.
    """
    processing = processing or EmgProcessing()
    names = [one.name for one in recordings]
    if not names or len(set(names)) < len(names):
        got = ", ".join(names) or "none"
        raise OptionError(where="recordings", expected="one at least, of different names", got=got)
    by = _chosen(normalise, has_mvc=bool(mvc), has_maxima=maxima is not None)
    wanted = tuple(emg_map.channels if emg_map else channels or recordings[0].channels)
    trials = [one.select(wanted) for one in recordings]
    contractions = [
        one.select([name for name in wanted if name in one.channels])
        for one in mvc
        if set(wanted) & set(one.channels)
    ]
    qualities = [emg_quality(one, processing) for one in (*trials, *contractions)]
    alive = _alive(wanted, qualities[: len(trials)], emg_map)
    trials = [one.select(alive) for one in trials]
    found = [envelopes(one, processing) for one in trials]
    of_mvc = [envelopes(one, processing) for one in contractions]
    if by == "each":
        scale: Mapping[str, float] = {}
        done = [normalised(one, one.greatest) for one in found]
    elif by == "none":
        scale, done = {}, found
    else:
        if by == "given":
            scale = maxima or {}
        else:
            scale = greatest_of(of_mvc if by == "mvc" else [*of_mvc, *found])
        done = [normalised(one, scale) for one in found]
        scale = {name: scale[name] for name in alive}
        _warn_of_excess(done, by)
    sources = [one.source for one in (*recordings, *mvc)]
    return EmgResult(
        recordings=tuple(trials),
        envelopes=tuple(done),
        qualities=tuple(qualities),
        processing=processing,
        normalisation=by,
        maxima=scale,
        emg_map=emg_map,
        sources=tuple(sources) + ((emg_map.source,) if emg_map and emg_map.source.path else ()),
    )


def _chosen(asked: Normalisation | None, *, has_mvc: bool, has_maxima: bool) -> Normalisation:
    by: Normalisation = asked or ("given" if has_maxima else "mvc" if has_mvc else "trials")
    if by not in NORMALISATIONS:
        expected = ", ".join(NORMALISATIONS)
        raise OptionError(where="normalise", expected=f"one of {expected}", got=repr(by))
    if by == "mvc" and not has_mvc:
        raise OptionError(
            where="normalise",
            expected="MVC trials to normalise by",
            got="none",
            hint="Give them with --mvc, numbers with --maxima, or normalise by trials",
            code="mvc-missing",
        )
    if has_maxima != (by == "given"):
        got = f"maxima, and {by}" if has_maxima else "none"
        raise OptionError(where="maxima", expected="numbers for 'given', and only then", got=got)
    return by


def _alive(
    wanted: Sequence[str], qualities: Sequence[EmgQuality], emg_map: EmgMap | None
) -> tuple[str, ...]:
    """Return the channels that have a signal in every trial."""
    dead = {name: one.name for one in reversed(qualities) for name in one.dead}
    for name, trial in dead.items():
        where = Place(element="EMG", column=name, trial=trial)
        if emg_map is not None or len(dead) == len(wanted):
            mtus = ", ".join(emg_map.channels[name]) if emg_map else "all"
            raise DataError(
                where=where,
                expected="a signal",
                got="a dead channel",
                hint=f"Take it out of the map, which leaves {mtus} without this electrode, or take "
                "the trial out",
                code="emg-dead",
            )
        text = "dead: it has no signal. It is left out of the envelopes of all trials."
        warnings.warn(CeinmsTorchWarning(text, "emg-dead", where), stacklevel=4)
    return tuple(name for name in wanted if name not in dead)


def _warn_of_excess(trials: Sequence[Envelopes], by: Normalisation) -> None:
    greatest = {name: (value, "") for name, value in dict.fromkeys(trials[0].channels, 0.0).items()}
    for trial in trials:
        for name, value in trial.greatest.items():
            greatest[name] = max(greatest[name], (value, trial.name))
    beyond = [
        f"{name} {value:.3g} in {trial}"
        for name, (value, trial) in greatest.items()
        if value > 1.0 + 1e-9
    ]
    if beyond:
        text = (
            f"excitations above 1: {', '.join(beyond)}. {NORMALISATIONS[by].capitalize()} "
            "were not maximal, and CEINMS takes what is above 1 for 1; normalise by 'trials' to "
            "take the greatest of all."
        )
        warnings.warn(CeinmsTorchWarning(text, "emg-above-mvc"), stacklevel=4)


def read_maxima(path: str | os.PathLike[str]) -> tuple[dict[str, float], Source]:
    """Read what is 1 in normalised envelopes.

    Parameters
    ----------
    path : path-like
        A CSV file: a column ``channel``, and one ``maximum``, ``mvc``, ``normalised_by`` or
        ``value``, units in brackets behind it or not, in the recorder's unit. Other columns are
        left alone.

    Returns
    -------
    dict of str to float
        By channel, above 0.
    Source
        The file.

    Raises
    ------
    FileFormatError
        If the file is missing or lacks a column, a channel is there twice, or a value is no number
        above 0.
    """
    path = Path(path)
    text, source = read_text(path, "a CSV file of maxima")
    rows = list(csv.reader(text.splitlines()))
    head = [re.sub(r"\s*[(\[].*", "", one).strip().casefold() for one in rows[0]] if rows else []
    column = next((head.index(name) for name in _MAXIMUM if name in head), None)
    if "channel" not in head or column is None:
        raise FileFormatError(
            where=Place(path, 1, "labels"),
            expected="the columns 'channel' and 'maximum'",
            got=", ".join(head) or "an empty file",
            code="column-missing",
        )
    found: dict[str, float] = {}
    for line, row in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in row):
            continue
        name, value = (
            row[i].strip() if i < len(row) else "" for i in (head.index("channel"), column)
        )
        place = Place(path, line, name or "channel")
        if not name or name in found:
            got = f"'{name}' again" if name else "an empty cell"
            raise FileFormatError(where=place, expected="every channel once", got=got)
        try:
            found[name] = float(value)
        except ValueError:
            found[name] = math.nan
        if not 0.0 < found[name] < math.inf:
            raise FileFormatError(where=place, expected="a number above 0", got=repr(value))
    return found, source
