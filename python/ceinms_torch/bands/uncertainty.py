"""Bands of muscle forces and joint moments over parameter sets that fit alike."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.bands.ensemble import Ensemble, Fitting, draw_ensemble, judged
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.calibration.result import CalibrationResult
from ceinms_torch.calibration.uncertainty import (
    BANDED,
    Band,
    TrialBands,
    Uncertainty,
    ends_of_band,
)
from ceinms_torch.errors import CeinmsTorchWarning, DataError, OptionError, Place
from ceinms_torch.model.settings import check_whole
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.simulate import Simulation, simulate
from ceinms_torch.simulation.time_series import TimeSeries
from ceinms_torch.simulation.trial_result import Role


@one_blas_thread
def uncertainty(
    result: CalibrationResult,
    trials: Sequence[Trial],
    *,
    tests: Sequence[Trial] = (),
    level: float = 0.95,
    draws: int = 79,
    starts: int = 8,
    seed: int = 0,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Uncertainty:
    """Return bands of muscle forces and joint moments over parameter sets that fit alike.

    **What a band means.** At each instant, and for each MTU or DOF by itself, the band covers the
    true force, or the true moment without noise, with the probability `level`, *given that the
    model is right*: that some subject within the parameters' ranges, driven by these excitations,
    lengths and moment arms, produced the moments, to which stationary noise was added. It is
    pointwise: a whole curve leaves its band somewhere much more often. It says nothing of errors of
    EMG, of geometry, of force curves or of parameters that were not calibrated; where these make
    the residuals, they count as noise and widen the band, but nothing makes it cover then.

    Parameters
    ----------
    result : CalibrationResult
        A calibration by gradients, in memory or loaded. What its last step calibrated is uncertain;
        all else is taken as known.
    trials : sequence of Trial
        The trials it was calibrated on, read with this subject.
    tests : sequence of Trial
        Trials to give bands of besides; their moments, if measured, are not used.
    level : float
        Probability, > 0 and < 1.
    draws : int
        Parameter sets that the bands are taken from, >= 2 / (1 - level) - 1: 39 for 95 %.
    starts : int
        Searches for other minima that fit alike, >= 1; the first begins at the result.
    seed : int
        Of starts and draws, >= 0.
    threads : int
        Threads, >= 1; the bands do not depend on it.
    progress : callable, optional
        Called with the number of fits done, and of all, after each.

    Returns
    -------
    Uncertainty
        With a band of every MTU force [N] and DOF moment [N m] of every trial.

    Raises
    ------
    DataError
        If trials are not those of the result, or residuals are too few to tell the noise.
    OptionError
        If the result is of a kind that has no bands (annealing, synergies, a loss of one's own), or
        an option is outside its range.

    Notes
    -----
    1. `starts` searches, of the moments and penalties alone; those whose objective is within what
       noise explains count, each by its likelihood.
    2. The noise is told from the residuals, smooth as it is (`noise_of`).
    3. Draws (`draw_ensemble`): the moments, with further noise, are fitted once more, pulled to a
       point evenly drawn from the box. Parameters that moments do not determine end anywhere in
       their ranges, and bands are as wide as the ranges allow; ends at bounds are clipped there.
    4. Every draw is run through the model, with its kinks. The ends of the band are the order
       statistics number (1 - level) / 2 (n + 1) of n draws, and as many from above: another draw,
       such as the truth is one, lies between them with the probability `level` for any n.

    Penalties hold draws where they held the calibration. Preferences (parameterPrior, peakForce,
    groupCoherence) choose among sets that fit alike and do not count: they are no data. A prior may
    therefore hold the calibration's curve at the edge of the band.
    """
    _check_options(level, draws)
    found = _ensemble(result, trials, draws, starts, seed, threads, progress)
    subjects = _subjects(result, found)
    roles: list[tuple[Role, Trial]] = [("calibration", trial) for trial in trials]
    roles += [("test", trial) for trial in tests]
    bands = tuple(_bands(subjects, trial, role, result.tendon, level) for role, trial in roles)
    return Uncertainty(
        level=level,
        draws=draws,
        starts=starts,
        minima=found.minima,
        seed=seed,
        observations=found.noise.observations,
        fitted=found.noise.fitted,
        noise=found.sizes,
        mean_width=_mean_width(bands[: len(trials)]),
        trials=bands,
    )


@one_blas_thread
def subjects_that_fit_alike(
    result: CalibrationResult,
    trials: Sequence[Trial],
    *,
    draws: int = 79,
    starts: int = 8,
    seed: int = 0,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Subject, ...]:
    """Return the subjects over which `uncertainty` takes its bands, to take others over them.

    Parameters
    ----------
    result, trials, draws, starts, seed, threads, progress
        As for `uncertainty`.

    Returns
    -------
    tuple of Subject
        As many as there are draws.
    """
    return _subjects(result, _ensemble(result, trials, draws, starts, seed, threads, progress))


def _ensemble(
    result: CalibrationResult,
    trials: Sequence[Trial],
    draws: int,
    starts: int,
    seed: int,
    threads: int,
    progress: Callable[[int, int], None] | None,
) -> Ensemble:
    for name, value, least in (("starts", starts, 1), ("threads", threads, 1), ("seed", seed, 0)):
        check_whole(name, value, least=least)
    _check_kind(result)
    _check_trials(result, trials)
    last = result.steps[-1]
    fitting = Fitting(trials=trials, step=judged(last.step), space=last.space, tendon=result.tendon)
    return draw_ensemble(
        fitting,
        last.x,
        draws=draws,
        starts=starts,
        seed=seed,
        threads=threads,
        progress=progress,
    )


def _subjects(result: CalibrationResult, found: Ensemble) -> tuple[Subject, ...]:
    return tuple(result.steps[-1].space.subject_at(point) for point in found.points)


def _check_options(level: float, draws: int) -> None:
    if not 0.0 < level < 1.0:
        raise OptionError(where="level", expected="a number > 0 and < 1", got=f"{level:g}")
    least = int(np.ceil(2.0 / (1.0 - level) - 1.0 - 1e-9))
    if draws < least:
        raise OptionError(
            where="draws",
            expected=f">= {least}, to tell the ends of {100 * level:g} %",
            got=str(draws),
        )


def _check_kind(result: CalibrationResult) -> None:
    if type(result) is not CalibrationResult or result.engine == "legacy":
        kinds = {"HybridResult": "synergies, whose excitations are calibrated, too"}
        kinds["LossResult"] = "a loss of its own, which is no sum of squares"
        got = kinds.get(type(result).__name__, f"the {result.engine} engine and {result.method}")
        raise OptionError(
            where="result",
            expected="a calibration by lm, adamw or lbfgs of recorded excitations",
            got=f"one with {got}",
            hint="bands follow from refits by Levenberg-Marquardt",
        )


def _check_trials(result: CalibrationResult, trials: Sequence[Trial]) -> None:
    """Refuse trials that are not those which were calibrated on."""
    names = [trial.name for trial in trials]
    known = [one.name for one in result.trials]
    if names != known:
        raise DataError(
            where="uncertainty",
            expected=f"the calibration trials, {', '.join(known)}",
            got=", ".join(names) or "none",
        )
    for trial, one in zip(trials, result.trials, strict=True):
        measured = one.measured_moment
        if trial.measured_moment is None or not np.array_equal(
            trial.measured_moment, measured.array
        ):
            raise DataError(
                where=Place(trial=trial.name),
                expected="the moments that were calibrated on",
                got="others",
                hint="calibrate again on these trials",
            )


def _bands(
    subjects: Sequence[Subject], trial: Trial, role: Role, tendon: str, level: float
) -> TrialBands:
    with warnings.catch_warnings():
        # Of the result itself, they have been told.
        warnings.simplefilter("ignore", CeinmsTorchWarning)
        runs = [simulate(subject, trial, tendon=tendon) for subject in subjects]
    return TrialBands(
        name=trial.name, role=role, **{name: _band(runs, trial, name, level) for name in BANDED}
    )


def _band(runs: Sequence[Simulation], trial: Trial, name: str, level: float) -> Band:
    first: TimeSeries = getattr(runs[0], name)
    values = np.stack([getattr(run, name).array for run in runs])
    if not np.isfinite(values).all():
        raise DataError(
            where=Place(trial=trial.name),
            expected=f"a finite {first.name} of every parameter set that fits",
            got="NaN or infinity",
            hint="narrow the ranges of the parameters",
        )
    ends = ends_of_band(values, level)

    def series(side: str, array: FloatArray) -> TimeSeries:
        label = f"{first.name}, {side} end of the {100 * level:g} % band"
        return TimeSeries(label, first.units, first.time, first.columns, array)

    return Band(lower=series("lower", ends[0]), upper=series("upper", ends[1]), level=level)


def _mean_width(trials: Sequence[TrialBands]) -> dict[str, dict[str, float]]:
    result = {}
    for name in BANDED:
        bands: list[Band] = [getattr(trial, name) for trial in trials]
        mean = np.concatenate([band.width for band in bands]).mean(axis=0)
        result[name] = dict(zip(bands[0].lower.columns, mean.tolist(), strict=True))
    return result
