"""How well synergies explain trials that they were not extracted from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import DataError
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.nms_model import Tendon
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.fit import moment_fit
from ceinms_torch.simulation.simulate import simulate
from ceinms_torch.synergies.extraction import (
    Synergies,
    extract_from_trials,
)
from ceinms_torch.synergies.recording import Recording, check_same_channels
from ceinms_torch.synergies.synthesise import least_squares_primitives
from ceinms_torch.synergies.vaf import vaf

# At most so many groups of trials are left out in turn: more cost more and tell nothing else.
_MAX_FOLDS = 10
# Fewer starts than for the synergies that are shown: there are as many extractions as folds.
_REPLICATES = 5


class HeldOut:
    """Weightings extracted without the trials they are tried on.

    Every trial is left out once; with more than ten trials, a tenth of them at a time.

    Parameters
    ----------
    recordings : sequence of Recording
        At least two trials, with the same channels.
    replicates, seed
        As in `extract_synergies`.

    Raises
    ------
    DataError
        If there are fewer than two trials.
    """

    def __init__(
        self, recordings: Sequence[Recording], *, replicates: int = _REPLICATES, seed: int = 0
    ) -> None:
        check_same_channels(recordings)
        if len(recordings) < 2:
            raise DataError(
                where="held-out error",
                expected="at least two trials",
                got="one",
                hint="give more trials",
            )
        self.recordings = tuple(recordings)
        self._replicates = replicates
        self._seed = seed
        n_fold = min(len(recordings), _MAX_FOLDS)
        self._folds = [tuple(range(i, len(recordings), n_fold)) for i in range(n_fold)]
        self._known: dict[int, list[dict[str, Synergies]]] = {}

    def weightings(self, n_synergy: int) -> dict[str, FloatArray]:
        """Return, for every trial, weightings extracted from the others.

        Parameters
        ----------
        n_synergy : int
            Number of synergies.

        Returns
        -------
        dict of str to ndarray (n_channel, n_synergy)
            By trial.
        """
        if n_synergy not in self._known:
            fewer = self._known.get(n_synergy - 1, [None] * len(self._folds))
            self._known[n_synergy] = [
                extract_from_trials(
                    [one for i, one in enumerate(self.recordings) if i not in fold],
                    n_synergy,
                    replicates=self._replicates,
                    seed=self._seed,
                    start_from=before,
                )
                for fold, before in zip(self._folds, fewer, strict=True)
            ]
        return {
            self.recordings[i].name: next(iter(found.values())).weightings
            for fold, found in zip(self._folds, self._known[n_synergy], strict=True)
            for i in fold
        }

    def vaf(self, n_synergy: int) -> float:
        """Return the variance of all trials accounted for by weightings from the others.

        The primitives of a trial are fitted to all its channels, so that this grows with the
        number of synergies, up to 1 with as many as there are channels.

        Parameters
        ----------
        n_synergy : int
            Number of synergies.

        Returns
        -------
        float
            [-]
        """
        weightings = self.weightings(n_synergy)
        rebuilt = [_rebuilt(one.excitation, weightings[one.name]) for one in self.recordings]
        recorded = np.concatenate([one.excitation for one in self.recordings])
        return vaf(recorded, np.concatenate(rebuilt))

    def channel_error(self, n_synergy: int) -> tuple[float, ...]:
        """Return how wrong a channel is that the trial's primitives have not seen.

        Each channel of each trial in turn is treated as not recorded: its excitation is synthesised
        from primitives fitted to the other channels, with weightings from the other trials. This is
        what synergies are for, and has an optimum: too many synergies fit noise.

        Parameters
        ----------
        n_synergy : int
            Number of synergies, fewer than channels.

        Returns
        -------
        tuple of float
            By trial, 1 - VAF [-]; 0 is perfect.

        References
        ----------
        Owen and Perry 2009, Ann. Appl. Stat. 3:564, bi-cross-validation.
        """
        weightings = self.weightings(n_synergy)
        errors = []
        for one in self.recordings:
            known = weightings[one.name]
            synthesised = np.empty_like(one.excitation)
            for i in range(len(one.channels)):
                others = np.arange(len(one.channels)) != i
                primitives = least_squares_primitives(known[others], one.excitation[:, others].T)
                synthesised[:, i] = known[i] @ primitives
            errors.append(1.0 - vaf(one.excitation, synthesised))
        return tuple(errors)


def held_out_moment_error(
    subject: Subject,
    trials: Sequence[Trial],
    recordings: Sequence[Recording],
    generator: ExcitationGenerator,
    held_out: HeldOut,
    *,
    tendon: str | Tendon = "rosenbrockElastic",
) -> Callable[[int], tuple[float, ...]]:
    """Return a function that scores numbers of synergies by the joint moments they lead to.

    Every trial's excitations are rebuilt from synergies, with weightings from the other trials; the
    moments of the model driven by them are compared with inverse dynamics. The subject stays as it
    is: calibrate it first, or errors of its parameters hide those of the excitations.

    Parameters
    ----------
    subject : Subject
        The model.
    trials : sequence of Trial
        With measured moments, read with this subject.
    recordings : sequence of Recording
        The same trials in the same order, all rows; the channels of `held_out`.
    generator : ExcitationGenerator
        Which channels drive which MTU.
    held_out : HeldOut
        Where the weightings come from.
    tendon : str or Tendon
        As in `simulate`.

    Returns
    -------
    callable
        Number of synergies -> RMSE by trial, averaged over DOFs [N m]. With 0 synergies the
        excitations are those recorded: what reconstruction cannot beat, but by luck.
    """

    def score(n_synergy: int) -> tuple[float, ...]:
        weightings = held_out.weightings(n_synergy) if n_synergy else {}
        errors = []
        for trial, recording in zip(trials, recordings, strict=True):
            driven = trial
            if n_synergy:
                rebuilt = _rebuilt(recording.excitation, weightings[trial.name])
                driven = _driven_by(trial, recording, rebuilt, generator)
            fit = moment_fit(driven, simulate(subject, driven, tendon=tendon))
            errors.append(float(np.mean([one.rmse for one in fit.values()])))
        return tuple(errors)

    return score


def _rebuilt(excitation: FloatArray, weightings: FloatArray) -> FloatArray:
    """Return the nearest excitations (n_sample, n_channel) that synergies give."""
    return (weightings @ least_squares_primitives(weightings, excitation.T)).T


def _driven_by(
    trial: Trial, recording: Recording, signals: FloatArray, generator: ExcitationGenerator
) -> Trial:
    """Return the trial with other signals in place of those recorded."""
    excitation = signals @ generator.weights(trial.mtu_names, recording.channels).T
    columns = [np.interp(trial.excitation_time, recording.time, one) for one in excitation.T]
    limited = np.clip(np.stack(columns, axis=1), 0.0, 1.0)
    return dataclasses.replace(trial, excitation=limited)
