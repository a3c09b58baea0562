"""Which trials a model is calibrated on and which it must predict: folds and draws of trials."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ceinms_torch.errors import DataError, OptionError


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One division of all trials.

    Parameters
    ----------
    name : str
        What is held out.
    calibration, test : tuple of str
        Trials to calibrate on, and to predict; together all, none in both.
    """

    name: str
    calibration: tuple[str, ...]
    test: tuple[str, ...]


def _without(trials: Sequence[str], test: Sequence[str], name: str) -> Fold:
    calibration = tuple(trial for trial in trials if trial not in test)
    return Fold(name=name, calibration=calibration, test=tuple(test))


def trial_folds(trials: Sequence[str], n_fold: int | None = None, seed: int = 0) -> list[Fold]:
    """Divide trials so that each is held out once.

    Parameters
    ----------
    trials : sequence of str
        Names of all trials.
    n_fold : int, optional
        Number of folds, whose sizes differ by one at most; one trial is left out at a time by
        default.
    seed : int
        Decides which trials share a fold.

    Returns
    -------
    list of Fold

    Raises
    ------
    DataError
        If there is only one trial.
    OptionError
        If there are fewer than two folds, or more than trials.
    """
    if len(trials) < 2:
        hint = "Name more with --test, or leave validation out"
        raise DataError(
            where="validation", expected="at least two trials", got=str(len(trials)), hint=hint
        )
    if n_fold is None:
        return [_without(trials, (trial,), trial) for trial in trials]
    if not 2 <= n_fold <= len(trials):
        expected = f"2 to {len(trials)}, the number of trials"
        raise OptionError(where="folds", expected=expected, got=str(n_fold))
    order = np.random.default_rng(seed).permutation(len(trials))
    return [
        _without(trials, [trials[i] for i in sorted(part)], f"fold {number}")
        for number, part in enumerate(np.array_split(order, n_fold), start=1)
    ]


def conditions_of(trials: Sequence[str], pattern: str | None = None) -> dict[str, tuple[str, ...]]:
    """Group trials by condition.

    Parameters
    ----------
    trials : sequence of str
        Names of all trials.
    pattern : str, optional
        Regular expression that is searched in every name; the condition is its first group, or
        all it matches if it has none. By default the name without its last part after an
        underscore or hyphen, or without the digits at its end: ``walk36_c02`` is of ``walk36``,
        ``run3`` of ``run``.

    Returns
    -------
    dict of str to tuple of str
        Trials by condition, in their order.

    Raises
    ------
    OptionError
        If the pattern is no regular expression, or a name has no match.
    """
    conditions: dict[str, tuple[str, ...]] = {}
    try:
        expression = None if pattern is None else re.compile(pattern)
    except re.error as error:
        expected = "a regular expression"
        raise OptionError(
            where="conditions", expected=expected, got=repr(pattern), hint=str(error)
        ) from error
    for trial in trials:
        if expression is None:
            name = re.sub(r"(?<=.)([_-][^_-]*|\d+)$", "", trial)
        else:
            match = expression.search(trial)
            name = "" if match is None else match[1 if expression.groups else 0] or ""
            if not name:
                expected = "a pattern with a match in the name of every trial"
                raise OptionError(where="conditions", expected=expected, got=f"none in '{trial}'")
        conditions[name] = (*conditions.get(name, ()), trial)
    return conditions


def condition_folds(trials: Sequence[str], pattern: str | None = None) -> list[Fold]:
    """Divide trials so that each condition is held out once.

    Parameters
    ----------
    trials, pattern
        As for `conditions_of`.

    Returns
    -------
    list of Fold
        Empty where all trials are of one condition and no pattern was given.

    Raises
    ------
    OptionError
        As `conditions_of`, or if a pattern finds only one condition.
    """
    conditions = conditions_of(trials, pattern)
    if len(conditions) < 2:
        if pattern is not None:
            got = f"only '{next(iter(conditions))}'"
            raise OptionError(where="conditions", expected="at least two conditions", got=got)
        return []
    return [_without(trials, names, condition) for condition, names in conditions.items()]


def drawn_folds(trials: Sequence[str], seed: int) -> list[Fold]:
    """Draw trials one after the other: 1, 2, ... to calibrate on, the rest to predict.

    Parameters
    ----------
    trials : sequence of str
        Names of all trials.
    seed : int
        Decides the order.

    Returns
    -------
    list of Fold
        One fewer than trials.
    """
    order = [trials[i] for i in np.random.default_rng(seed).permutation(len(trials))]
    folds = []
    for n_trial in range(1, len(order)):
        # In the order of all trials: the sum over trials would differ by rounding otherwise.
        left_out = [trial for trial in trials if trial in order[n_trial:]]
        folds.append(_without(trials, left_out, f"{n_trial}"))
    return folds
