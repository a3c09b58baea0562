"""How much synergies repeat themselves from trial to trial (paper, Figs S4 and S5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import DataError
from ceinms_torch.synergies.extraction import Synergies

_N_POINT = 101  # of a primitive on normalised time: 0 to 100 %


@dataclass(frozen=True, kw_only=True, eq=False)
class Reliability:
    """Agreement between repetitions, synergy by synergy, over all pairs of repetitions.

    Parameters
    ----------
    weighting_similarity : ndarray (n_pair, n_synergy)
        Cosine between the weightings of two repetitions [-], 0 to 1.
    primitive_correlation : ndarray (n_pair, n_synergy)
        Pearson correlation between their primitives [-], after both were put on 0 to 100 % of
        their time; NaN where one is constant.
    matched : tuple of Synergies
        The repetitions, each with its synergies in the order of the reference.
    """

    weighting_similarity: FloatArray
    primitive_correlation: FloatArray
    matched: tuple[Synergies, ...]


def match_synergies(synergies: Synergies, reference: Synergies) -> Synergies:
    """Put synergies in the order of others that they resemble.

    Parameters
    ----------
    synergies : Synergies
        To be put in order.
    reference : Synergies
        Of the same muscles and as many.

    Returns
    -------
    Synergies
        In the order for which the sum of the cosines between weightings is largest.

    Raises
    ------
    DataError
        If muscles or numbers differ.
    """
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415

    for what, expected, got in (
        ("muscles", reference.names, synergies.names),
        ("number of synergies", reference.n_synergy, synergies.n_synergy),
    ):
        if expected != got:
            raise DataError(where=f"{what} to match", expected=f"{expected}", got=f"{got}")
    similarity = _cosines(reference.weightings, synergies.weightings)
    _, order = linear_sum_assignment(similarity, maximize=True)
    return synergies.reordered(order)


def reliability(repetitions: Sequence[Synergies], reference: Synergies) -> Reliability:
    """Compare synergies extracted from several repetitions of a movement.

    Parameters
    ----------
    repetitions : sequence of Synergies
        At least two, of the same muscles and number; each is one movement from start to end.
    reference : Synergies
        Whose order the synergies take, say those of all repetitions together.

    Returns
    -------
    Reliability

    Raises
    ------
    DataError
        If there are fewer than two, or they do not match.
    """
    if len(repetitions) < 2:
        raise DataError(where="repetitions", expected="at least two", got=str(len(repetitions)))
    matched = tuple(match_synergies(one, reference) for one in repetitions)
    curves = [time_normalised(one.primitives) for one in matched]
    pairs = list(combinations(range(len(matched)), 2))
    weightings = [
        np.diagonal(_cosines(matched[i].weightings, matched[j].weightings)) for i, j in pairs
    ]
    primitives = [_correlation(curves[i], curves[j]) for i, j in pairs]
    return Reliability(
        weighting_similarity=np.array(weightings),
        primitive_correlation=np.array(primitives),
        matched=matched,
    )


def time_normalised(primitives: FloatArray, n_point: int = _N_POINT) -> FloatArray:
    """Put primitives on 0 to 100 % of their time.

    Parameters
    ----------
    primitives : ndarray (n_synergy, n_sample)
        Evenly sampled.
    n_point : int
        Points wanted.

    Returns
    -------
    ndarray (n_synergy, n_point)
        Interpolated linearly.
    """
    old = np.linspace(0.0, 1.0, primitives.shape[1])
    new = np.linspace(0.0, 1.0, n_point)
    return np.stack([np.interp(new, old, one) for one in primitives])


def _cosines(one: FloatArray, other: FloatArray) -> FloatArray:
    """Return the cosines between the columns of two matrices; 0 where one is zero throughout."""
    norms = np.outer(np.linalg.norm(one, axis=0), np.linalg.norm(other, axis=0))
    return (one.T @ other) / np.where(norms > 0.0, norms, 1.0)


def _correlation(one: FloatArray, other: FloatArray) -> FloatArray:
    a = one - one.mean(axis=1, keepdims=True)
    b = other - other.mean(axis=1, keepdims=True)
    size = np.sqrt(np.sum(a * a, axis=1) * np.sum(b * b, axis=1))
    return np.where(size > 0.0, np.sum(a * b, axis=1) / np.where(size > 0.0, size, 1.0), np.nan)
