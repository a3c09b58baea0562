"""Extract muscle synergies from recorded excitations (paper, section III-C)."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ceinms_torch.arrays import FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.errors import DataError, OptionError
from ceinms_torch.io.display import OneLine
from ceinms_torch.model.settings import check_whole
from ceinms_torch.synergies.recording import (
    Recording,
    check_same_channels,
    check_values,
)
from ceinms_torch.synergies.vaf import vaf, vaf_by_channel

REPLICATES = 20
# Iterations stop at a limit, or where the root of the squared error falls, in ten iterations, by
# less than a share of what it was at the start: early while starts compete, late for the best one.
COMPETING_ITERATIONS, _COMPETING_TOLERANCE = 300, 1e-5
MAX_ITERATIONS, _TOLERANCE = 3000, 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Synergies(OneLine):
    """Excitations as a product of a few primitives and the muscles' weightings.

    Parameters
    ----------
    names : tuple of str
        The muscles or channels.
    primitives : ndarray (n_synergy, n_sample)
        Commands over time (-), >= 0. The largest value of each is 1.
    weightings : ndarray (n_muscle, n_synergy)
        How strongly each synergy excites each muscle (-), >= 0.
    vaf : float
        Variance accounted for over all muscles [-], see `vaf`.
    vaf_by_muscle : ndarray (n_muscle,)
        And muscle by muscle [-].
    iterations : int
        Of the replicate that was kept.
    converged : bool
        Whether those ended before the limit.
    replicate_vaf : tuple of float
        What every replicate reached [-]: a wide spread says that there are several solutions.

    Notes
    -----
    Scale: primitives p and weightings w only matter as products, so a convention is needed. Here
    every primitive peaks at 1 and the weightings carry the amplitude. At a primitive's peak a
    muscle's reconstructed excitation is at least w, so for excitations between 0 and 1 both factors
    lie, up to the error of reconstruction, between 0 and 1 as eq. (5) of the paper wants them; and
    w reads as the excitation that the synergy alone gives the muscle at most. Trials with shared
    weightings share the scale, too: the peak of 1 is that over all of them.

    Order: by centre of activity, the mean of time weighted by the primitive, time running from 0
    to 1 in every trial. A synergy that is zero comes last.
    """

    names: tuple[str, ...]
    primitives: FloatArray
    weightings: FloatArray
    vaf: float
    vaf_by_muscle: FloatArray
    iterations: int
    converged: bool
    replicate_vaf: tuple[float, ...]

    @property
    def n_synergy(self) -> int:
        """Number of synergies."""
        return len(self.primitives)

    @property
    def reconstruction(self) -> FloatArray:
        """Excitations that the synergies give, (n_sample, n_muscle)."""
        return self.primitives.T @ self.weightings.T

    def reordered(self, order: Sequence[int] | NDArray[np.intp]) -> Self:
        """Return the same synergies in another order.

        Parameters
        ----------
        order : sequence of int
            Which synergy comes where, each once.

        Returns
        -------
        Synergies
        """
        wanted = np.asarray(order)
        return dataclasses.replace(
            self, primitives=self.primitives[wanted], weightings=self.weightings[:, wanted]
        )


@one_blas_thread
def extract_synergies(
    excitation: ArrayLike,
    n_synergy: int,
    *,
    names: Sequence[str] | None = None,
    phase: ArrayLike | None = None,
    replicates: int = REPLICATES,
    seed: int = 0,
    start_from: Synergies | None = None,
) -> Synergies:
    """Factorise excitations into primitives and weightings.

    Non-negative matrix factorisation with the multiplicative updates of Lee and Seung, the paper's
    choice, as scikit-learn has them; from several random starts, of which the best is followed to
    the end.

    Parameters
    ----------
    excitation : array_like (n_sample, n_muscle)
        Excitations (-), >= 0; no muscle zero throughout.
    n_synergy : int
        Number of synergies, 1 to the number of muscles.
    names : sequence of str, optional
        The muscles; numbers by default.
    phase : array_like (n_sample,), optional
        Time that the order of the synergies goes by, see `Synergies`; from first to last sample by
        default.
    replicates : int
        Number of random starts, >= 1.
    seed : int
        Seed of the starts, >= 0. The result depends on nothing else.
    start_from : Synergies, optional
        One more start: these, of the same excitations, with random synergies added. A sweep that
        passes on the solution with one synergy fewer never explains less with more of them.

    Returns
    -------
    Synergies

    Raises
    ------
    DataError
        If values are not finite or negative, a muscle is zero throughout, or shapes do not fit.
    OptionError
        If there are more synergies than muscles or samples, or an option is out of its range.

    References
    ----------
    Lee and Seung 2000, Adv. Neural Inf. Process. Syst. 13.
    """
    data = np.ascontiguousarray(excitation, dtype=np.float64)
    labels = _checked(data, n_synergy, names)
    check_whole("replicates", replicates, least=1)
    check_whole("seed", seed, least=0)
    time = np.linspace(0.0, 1.0, len(data)) if phase is None else np.asarray(phase, dtype=float)
    if time.shape != data.shape[:1]:
        raise DataError(where="phase", expected=f"the shape {data.shape[:1]}", got=str(time.shape))
    starts = _starts(data, n_synergy, replicates, seed, start_from)
    found = [
        _factorise(data, *start, COMPETING_ITERATIONS, _COMPETING_TOLERANCE) for start in starts
    ]
    reached = [vaf(data, p @ w) for p, w, _ in found]
    best = found[int(np.argmax(reached))]
    primitives, weightings, iterations = _factorise(
        data, best[0], best[1], MAX_ITERATIONS, _TOLERANCE
    )
    primitives, weightings = _canonical(primitives, weightings, time)
    reconstruction = primitives @ weightings
    return Synergies(
        names=labels,
        primitives=np.ascontiguousarray(primitives.T),
        weightings=np.ascontiguousarray(weightings.T),
        vaf=vaf(data, reconstruction),
        vaf_by_muscle=vaf_by_channel(data, reconstruction),
        iterations=best[2] + iterations,
        converged=iterations < MAX_ITERATIONS,
        replicate_vaf=tuple(reached),
    )


def extract_from_trials(
    recordings: Sequence[Recording],
    n_synergy: int,
    *,
    shared: bool = True,
    replicates: int = REPLICATES,
    seed: int = 0,
    start_from: dict[str, Synergies] | None = None,
) -> dict[str, Synergies]:
    """Extract the synergies of several trials.

    Parameters
    ----------
    recordings : sequence of Recording
        The trials, with the same channels.
    n_synergy : int
        Number of synergies, 1 to the number of channels.
    shared : bool
        Whether all trials share the weightings: they are factorised one after the other as a single
        recording, in which longer trials count more. Else every trial has its own, as in the paper.
    replicates, seed
        As in `extract_synergies`.
    start_from : dict of str to Synergies, optional
        What this function gave for fewer synergies, see `extract_synergies`.

    Returns
    -------
    dict of str to Synergies
        By trial; `vaf` is that of the trial alone, see `total_vaf` for all together.

    Raises
    ------
    DataError, OptionError
        As `extract_synergies`, naming the trial where it is about one.
    """
    check_same_channels(recordings)
    if not shared:
        return {
            one.name: _of_one(one, n_synergy, replicates, seed, start_from) for one in recordings
        }
    before = None
    if start_from is not None:
        parts = [one.primitives for one in start_from.values()]
        any_trial = next(iter(start_from.values()))
        before = dataclasses.replace(any_trial, primitives=np.concatenate(parts, axis=1))
    joined = extract_synergies(
        np.concatenate([one.excitation for one in recordings]),
        n_synergy,
        names=recordings[0].channels,
        phase=np.concatenate([one.phase for one in recordings]),
        replicates=replicates,
        seed=seed,
        start_from=before,
    )
    ends = np.cumsum([len(one.time) for one in recordings])[:-1]
    parts = np.split(joined.primitives, ends, axis=1)
    return {
        one.name: dataclasses.replace(
            joined,
            primitives=part,
            vaf=vaf(one.excitation, part.T @ joined.weightings.T),
            vaf_by_muscle=vaf_by_channel(one.excitation, part.T @ joined.weightings.T),
        )
        for one, part in zip(recordings, parts, strict=True)
    }


def total_vaf(
    recordings: Sequence[Recording], synergies: dict[str, Synergies]
) -> tuple[float, FloatArray]:
    """Return the variance accounted for over all trials, as if they were one recording.

    Parameters
    ----------
    recordings : sequence of Recording
        The trials.
    synergies : dict of str to Synergies
        What was extracted from them, by trial.

    Returns
    -------
    overall : float
        Over all channels [-].
    by_channel : ndarray (n_channel,)
        Channel by channel [-].
    """
    recorded = np.concatenate([one.excitation for one in recordings])
    rebuilt = np.concatenate([synergies[one.name].reconstruction for one in recordings])
    return vaf(recorded, rebuilt), vaf_by_channel(recorded, rebuilt)


def _of_one(
    one: Recording,
    n_synergy: int,
    replicates: int,
    seed: int,
    start_from: dict[str, Synergies] | None,
) -> Synergies:
    try:
        return extract_synergies(
            one.excitation,
            n_synergy,
            names=one.channels,
            replicates=replicates,
            seed=seed,
            start_from=None if start_from is None else start_from[one.name],
        )
    except DataError as error:
        raise error.within(trial=one.name) from error


def _checked(data: FloatArray, n_synergy: int, names: Sequence[str] | None) -> tuple[str, ...]:
    """Refuse what cannot be factorised, and return the names of the muscles."""
    if data.ndim != 2 or data.size == 0:
        raise DataError(
            where="excitation", expected="the shape (n_sample, n_muscle)", got=str(data.shape)
        )
    n_sample, n_muscle = data.shape
    labels = tuple(str(i + 1) for i in range(n_muscle)) if names is None else tuple(names)
    if len(labels) != n_muscle:
        raise DataError(
            where="names", expected=f"{n_muscle} names, one per column", got=str(len(labels))
        )
    check_whole("number of synergies", n_synergy, least=1)
    for limit, what in ((n_muscle, "recorded channels"), (n_sample, "samples")):
        if n_synergy > limit:
            hint = "More synergies than that explain nothing more" if limit == n_muscle else None
            expected = f"1 to {limit}, the number of {what}"
            raise OptionError(
                where="number of synergies", expected=expected, got=str(n_synergy), hint=hint
            )
    check_values(data, labels)
    return labels


def _starts(
    data: FloatArray, n_synergy: int, replicates: int, seed: int, start_from: Synergies | None
) -> list[tuple[FloatArray, FloatArray]]:
    """Return start values of (primitives, weightings), (n_sample, k) and (k, n_muscle)."""
    rng = np.random.default_rng([seed, n_synergy])
    size = np.sqrt(data.mean() / n_synergy)  # so that the product is as large as the data

    def random(n: int) -> tuple[FloatArray, FloatArray]:
        return (
            size * np.abs(rng.standard_normal((len(data), n))),
            size * np.abs(rng.standard_normal((n, data.shape[1]))),
        )

    starts = [random(n_synergy) for _ in range(replicates)]
    if start_from is not None:
        old = start_from.n_synergy
        if old > n_synergy or start_from.primitives.shape[1] != len(data):
            got = f"{old} synergies of {start_from.primitives.shape[1]} samples"
            expected = f"at most {n_synergy} synergies of {len(data)} samples"
            raise DataError(where="start_from", expected=expected, got=got)
        primitives, weightings = random(n_synergy - old)
        # Small, so that what is known already is not disturbed and the error cannot end higher.
        starts.append(
            (
                np.concatenate([start_from.primitives.T, 1e-3 * primitives], axis=1),
                np.concatenate([start_from.weightings.T, 1e-3 * weightings]),
            )
        )
    return starts


def _factorise(
    data: FloatArray,
    primitives: FloatArray,
    weightings: FloatArray,
    max_iterations: int,
    tolerance: float,
) -> tuple[FloatArray, FloatArray, int]:
    from sklearn.decomposition import (  # type: ignore[import-untyped]  # noqa: PLC0415  takes a second
        non_negative_factorization,
    )
    from sklearn.exceptions import ConvergenceWarning  # type: ignore[import-untyped]  # noqa: PLC0415

    with one_blas_thread, warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # reported as `converged`
        p, w, iterations = non_negative_factorization(
            data,
            W=primitives.copy(),
            H=weightings.copy(),
            n_components=len(weightings),
            init="custom",
            solver="mu",
            beta_loss="frobenius",
            tol=tolerance,
            max_iter=max_iterations,
        )
    return p, w, int(iterations)


def _canonical(
    primitives: FloatArray, weightings: FloatArray, phase: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Scale and order as `Synergies` says."""
    peak = primitives.max(axis=0)
    alive = (peak > 0.0) & (weightings.max(axis=1) > 0.0)
    scale = np.where(alive, peak, 1.0)
    primitives = np.where(alive, primitives / scale, 0.0)
    weightings = np.where(alive[:, None], weightings * scale[:, None], 0.0)
    mass = np.where(alive, primitives.sum(axis=0), 1.0)
    centre = np.where(alive, phase @ primitives / mass, np.inf)
    order = np.argsort(centre, kind="stable")
    return primitives[:, order], weightings[order]
