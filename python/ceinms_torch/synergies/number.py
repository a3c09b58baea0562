"""Choose the number of synergies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.errors import OptionError
from ceinms_torch.model.settings import check_number
from ceinms_torch.synergies.extraction import (
    REPLICATES,
    Synergies,
    extract_from_trials,
    total_vaf,
)
from ceinms_torch.synergies.held_out import HeldOut
from ceinms_torch.synergies.recording import Recording, check_same_channels
from ceinms_torch.synergies.vaf import ENOUGH_VAF

# The largest number tried by default: nobody reports more for one limb.
_LARGEST = 8

# What users call the rules: the score that the commands have is that of joint moments.
RULE_NAMES = {"vaf": "vaf", "held-out": "held-out", "score": "moments", "given": "given"}

Score = Callable[[int], Sequence[float]]


@dataclass(frozen=True, kw_only=True, eq=False)
class NumberRow:
    """What a number of synergies explains.

    Parameters
    ----------
    n_synergy : int
        The number.
    vaf : float
        Variance accounted for in the trials it was extracted from [-].
    vaf_by_channel : ndarray (n_channel,)
        And channel by channel [-].
    held_out_vaf : float or None
        Of trials with weightings from the others [-]; None with a single trial.
    channel_error : tuple of float or None
        By trial, 1 - VAF of channels as if not recorded [-]; see `HeldOut.channel_error`.
    score : tuple of float or None
        By trial, what a score of one's own says; lower is better.
    """

    n_synergy: int
    vaf: float
    vaf_by_channel: FloatArray
    held_out_vaf: float | None
    channel_error: tuple[float, ...] | None
    score: tuple[float, ...] | None


@dataclass(frozen=True, kw_only=True, eq=False)
class NumberChoice:
    """Numbers of synergies side by side, and the one to take.

    Parameters
    ----------
    channels : tuple of str
        What was recorded.
    rows : tuple of NumberRow
        By number, increasing.
    synergies : dict of int to dict of str to Synergies
        What was extracted: by number and trial.
    threshold : float
        Of the rule "vaf" [-].
    choices : dict of str to int
        What each rule says: "vaf", "held-out" and "score", without those that could not be
        followed; "given" where a single number was compared.
    rule : str
        The one that decided.
    """

    channels: tuple[str, ...]
    rows: tuple[NumberRow, ...]
    synergies: dict[int, dict[str, Synergies]]
    threshold: float
    choices: dict[str, int]
    rule: str

    @property
    def n_synergy(self) -> int:
        """The number to take."""
        return self.choices[self.rule]


@one_blas_thread
def choose_n_synergies(
    recordings: Sequence[Recording],
    *,
    numbers: Sequence[int] | None = None,
    shared: bool = True,
    threshold: float = ENOUGH_VAF,
    score: Score | None = None,
    rule: str | None = None,
    held_out: HeldOut | None = None,
    replicates: int = REPLICATES,
    seed: int = 0,
    callback: Callable[[int], None] | None = None,
) -> NumberChoice:
    """Compare numbers of synergies and choose one.

    Three rules, of which the last that can be followed decides unless `rule` names one (a single
    number is taken as it is, rule "given"):

    - "vaf": the smallest number that accounts for more than `threshold` of the variance, the
      paper's rule. It asks how well synergies repeat what was recorded, and more always do better.
    - "held-out": the smallest number whose error in channels that were not recorded, on trials not
      seen (`HeldOut.channel_error`), is no worse than the best by more than a standard error.
    - "score": the same with a score of one's own, say the error of joint moments on trials not
      seen (`held_out_moment_error`, or a calibration with so many synergies).

    Parameters
    ----------
    recordings : sequence of Recording
        The trials.
    numbers : sequence of int, optional
        The numbers to compare; `default_numbers` by default.
    shared : bool
        Whether trials share the weightings, see `extract_from_trials`.
    threshold : float
        Variance accounted for [-], 0 to 1.
    score : callable, optional
        Number of synergies -> errors, one for each trial left out; lower is better.
    rule : {"vaf", "held-out", "score"}, optional
        The rule that decides.
    held_out : HeldOut, optional
        Held-out weightings that the score has, to be computed once; made here by default.
    replicates, seed
        As in `extract_synergies`.
    callback : callable, optional
        Called with every number once it is done.

    Returns
    -------
    NumberChoice

    Raises
    ------
    OptionError
        If the rule cannot be followed with these data, or an option is out of its range.
    DataError
        As `extract_synergies`.
    """
    check_same_channels(recordings)
    check_number("threshold", threshold, least=0.0, most=1.0)
    _check_rule(rule, several=len(recordings) > 1, scored=score is not None)
    n_channel = len(recordings[0].channels)
    wanted = sorted(set(numbers or default_numbers(n_channel)))
    if held_out is None and len(recordings) > 1:
        held_out = HeldOut(recordings, seed=seed)
    rows: list[NumberRow] = []
    synergies: dict[int, dict[str, Synergies]] = {}
    for number in wanted:
        found = extract_from_trials(
            recordings,
            number,
            shared=shared,
            replicates=replicates,
            seed=seed,
            start_from=synergies[rows[-1].n_synergy] if rows else None,
        )
        synergies[number] = found
        overall, by_channel = total_vaf(recordings, found)
        tried = held_out if number < n_channel else None
        rows.append(
            NumberRow(
                n_synergy=number,
                vaf=overall,
                vaf_by_channel=by_channel,
                held_out_vaf=None if held_out is None else held_out.vaf(number),
                channel_error=None if tried is None else tried.channel_error(number),
                score=None if score is None else tuple(score(number)),
            )
        )
        if callback is not None:
            callback(number)
    choices = _choices(rows, threshold)
    if len(rows) == 1 and rule is None:
        choices["given"] = rows[0].n_synergy
    return NumberChoice(
        channels=recordings[0].channels,
        rows=tuple(rows),
        synergies=synergies,
        threshold=threshold,
        choices=choices,
        rule=_deciding(choices, rule, rows),
    )


def default_numbers(n_channel: int) -> range:
    """Return the numbers of synergies that are compared unless others are asked for.

    Parameters
    ----------
    n_channel : int
        Number of recorded channels.

    Returns
    -------
    range
        From 1 to one less than there are channels, at most 8.
    """
    return range(1, max(2, min(n_channel, _LARGEST + 1)))


def smallest_as_good(numbers: Sequence[int], errors: Sequence[Sequence[float]]) -> int:
    """Return the smallest number that is as good as the best, up to a standard error.

    Parameters
    ----------
    numbers : sequence of int
        Increasing.
    errors : sequence (n_number) of sequence (n_trial)
        Lower is better.

    Returns
    -------
    int
        The first whose errors exceed those of the best number, trial by trial, by no more on
        average than the standard error of that difference. Differences are taken within trials
        because trials differ from each other more than numbers do.
    """
    table = np.asarray(errors, dtype=float)
    best = int(np.argmin(table.mean(axis=1)))
    excess = table - table[best]
    n_trial = table.shape[1]
    error = excess.std(axis=1, ddof=1) / np.sqrt(n_trial) if n_trial > 1 else np.zeros(len(table))
    return numbers[int(np.argmax(excess.mean(axis=1) <= error))]


def _choices(rows: Sequence[NumberRow], threshold: float) -> dict[str, int]:
    choices = {}
    above = [row.n_synergy for row in rows if row.vaf > threshold]
    if above:
        choices["vaf"] = above[0]
    for name, errors in (
        ("held-out", [(row.n_synergy, row.channel_error) for row in rows]),
        ("score", [(row.n_synergy, row.score) for row in rows]),
    ):
        known = [(number, error) for number, error in errors if error is not None]
        if known:
            numbers, values = zip(*known, strict=True)
            choices[name] = smallest_as_good(numbers, values)
    return choices


def _check_rule(rule: str | None, *, several: bool, scored: bool) -> None:
    """Refuse a rule that cannot be followed, before anything is computed."""
    allowed = ["vaf", *["held-out"] * several, *["score"] * scored]
    if rule is not None and rule not in allowed:
        hints = {
            "held-out": "It needs two trials or more",
            "score": "It needs two trials or more, and a score: that of a calibrated subject's "
            "moments, for example",
        }
        expected = " or ".join(f"'{RULE_NAMES[name]}'" for name in allowed) + " with these data"
        got = f"'{RULE_NAMES.get(rule, rule)}'"
        raise OptionError(where="rule", expected=expected, got=got, hint=hints.get(rule))


def _deciding(choices: dict[str, int], rule: str | None, rows: Sequence[NumberRow]) -> str:
    """Return the rule that decides: the one asked for, or the last that says something."""
    if choices and (rule is None or rule in choices):
        return rule or list(choices)[-1]
    most = 100.0 * max(row.vaf for row in rows)
    raise OptionError(
        where="number of synergies",
        expected="a number with VAF above the threshold",
        got=f"{most:.1f} % at most",
        hint="Lower the threshold, or try larger numbers",
    )
