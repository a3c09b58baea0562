"""Parameter sets that fit alike, drawn by randomised maximum likelihood.

Every draw fits the moments once more, with other noise on top of them and pulled a little towards a
point of the parameters' box that was drawn evenly. Along what the moments know, the noise moves the
fit; along what they do not know, it goes to that point, anywhere in the box.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from ceinms_torch import _kernel
from ceinms_torch.arrays import FloatArray
from ceinms_torch.bands.noise import Block, Noise, noise_of
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.problems.fused import FusedProblem
from ceinms_torch.errors import DataError
from ceinms_torch.io.interrupts import raise_if_stopped
from ceinms_torch.model.trial import Trial
from ceinms_torch.optimisers.minimise import minimise
from ceinms_torch.optimisers.minimum import Minimum
from ceinms_torch.plan.calibration import CalibrationStep
from ceinms_torch.plan.objective import Objective
from ceinms_torch.plan.options import LevenbergMarquardt
from ceinms_torch.simulation.moments import measured_moments

# Inverse variance of a point evenly spread over its range.
_PRECISION = 12.0
# What improves a fit by less than this share is far below what noise explains.
_SEARCH = LevenbergMarquardt(min_improvement=1e-4)
# A draw begins at a minimum of the moments' own.
_REFIT = LevenbergMarquardt(min_improvement=1e-4, max_iterations=100)

Progress = Callable[[int, int], None]
Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True, eq=False)
class Ensemble:
    """Parameter sets that fit alike.

    Parameters
    ----------
    points : ndarray (n_draw, n)
        In the unit box.
    minima : int
        Number of the searches that ended within what noise explains of the best.
    noise : Noise
        Of the residuals.
    sizes : dict of str to float
        Standard deviation of the noise by DOF [N m].
    """

    points: FloatArray
    minima: int
    noise: Noise
    sizes: dict[str, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class Fitting:
    """A calibration step, to be fitted again and again.

    Parameters
    ----------
    trials : sequence of Trial
        Calibration trials.
    step : CalibrationStep
        DOFs and penalties; see `judged`.
    space : ParameterSpace
        What may change.
    tendon : str
        By its XML name.
    """

    trials: Sequence[Trial]
    step: CalibrationStep
    space: ParameterSpace
    tendon: str

    def problem(
        self,
        measured: Sequence[FloatArray] | None = None,
        preferences: Sequence[_kernel.LinearTerm] = (),
    ) -> FusedProblem:
        """Return the step with other moments and preferences, for one thread."""
        return FusedProblem(
            self.space.subject,
            self.trials,
            self.step,
            self.space,
            tendon=self.tendon,
            measured=measured,
            preferences=preferences,
        )

    @property
    def dofs(self) -> tuple[str, ...]:
        """Names of the DOFs whose moments count."""
        return self.step.moment_dofs(self.space.subject.dof_names)


def judged(step: CalibrationStep) -> CalibrationStep:
    """Return a step whose objective judges moments by squares, with penalties, but no preferences.

    Preferences choose among sets that fit alike; here all of them count. Errors that are no squares
    ("rmse", composites) become those over the variance.
    """
    objective = step.objective.without_preferences()
    if objective.composites:
        objective = Objective()
    elif objective.normalisation == "rmse":
        objective = dataclasses.replace(objective, normalisation="variance")
    return dataclasses.replace(step, objective=objective)


def draw_ensemble(
    fitting: Fitting,
    begin: FloatArray,
    *,
    draws: int,
    starts: int,
    seed: int,
    threads: int = 1,
    progress: Progress | None = None,
) -> Ensemble:
    """Draw parameter sets that fit alike.

    Parameters
    ----------
    fitting : Fitting
        What is fitted.
    begin : ndarray (n,)
        The calibration's result in the unit box, where the first search begins.
    draws, starts, seed, threads
        As for `uncertainty`.
    progress : callable, optional
        Called with the number of fits done, and of all, after each.

    Returns
    -------
    Ensemble
        The same for the same seed, whatever the threads.

    Raises
    ------
    DataError
        If no start fits, or residuals are too few to tell the noise.

    Notes
    -----
    For a model that is linear, normal noise and a normal prior the draws are those of the posterior
    distribution (Oliver et al. 1996; Bardsley et al. 2014); the prior here is even over the box, to
    which fits are clipped, with its own variance, 1/12. Minima of the moments tell the noise.
    Pulled to the middle of the box, each begins as many draws as its likelihood asks for.

    References
    ----------
    Oliver, He, Reynolds (1996) Conditioning permeability fields to pressure data. ECMOR V.
    Bardsley, Solonen, Haario, Laine (2014) Randomize-then-optimize. SIAM J Sci Comput 36:A1895.
    """
    points = fitting.space.starts(starts, seed)
    points[0] = begin
    n_fit = starts + draws
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, n_fit)

    def search(point: FloatArray) -> Minimum:
        return _uninterrupted(minimise(fitting.problem(), point, _SEARCH))

    minima = [one for one in _each(search, points, threads, count) if math.isfinite(one.objective)]
    if not minima:
        raise DataError(
            where="uncertainty", expected="a finite objective at some start", got="NaN or infinity"
        )
    best = min(minima, key=lambda one: one.objective)
    noise, per_newton_metre = _noise(fitting, best.x)
    weight = _PRECISION * noise.in_reach
    middle = [_pull(weight, np.full(best.x.size, 0.5))]

    def pulled(one: Minimum) -> Minimum:
        return _uninterrupted(minimise(fitting.problem(None, middle), one.x, _REFIT))

    minima = _each(pulled, minima, threads, lambda: None)
    least = min(one.objective for one in minima)
    excess = np.array([one.objective - least for one in minima])
    likelihood = np.exp(-excess / (2.0 * noise.in_reach))
    random = np.random.default_rng(seed)
    chosen = _evenly(likelihood, draws, random)
    seeds = np.random.SeedSequence(seed).spawn(draws)

    def draw(number: int) -> FloatArray:
        own = np.random.default_rng(seeds[number])
        centre = own.random(best.x.size)
        moved = _with_noise(fitting, noise.draw(own) / per_newton_metre)
        pull = [_pull(weight, centre)]
        problem = fitting.problem(moved, pull)
        return _uninterrupted(minimise(problem, minima[chosen[number]].x, _REFIT)).x

    return Ensemble(
        points=np.stack(_each(draw, range(draws), threads, count)),
        minima=int(np.sum(likelihood * draws >= 1.0)),
        noise=noise,
        sizes=_sizes(fitting, noise, per_newton_metre),
    )


def _noise(fitting: Fitting, x: FloatArray) -> tuple[Noise, FloatArray]:
    """Return the noise of the residuals, and what a Newton metre is in each of them (n_row,)."""
    problem = fitting.problem()
    residual, jacobian = problem.residuals(x)
    shifted = [measured_moments(trial) - 1.0 for trial in fitting.trials]
    n_row = sum(problem.moment_rows)
    # A moment that was measured lower by 1 N m is one that is missed by 1 N m more.
    per_newton_metre = fitting.problem(shifted).residuals(x)[0][:n_row] - residual[:n_row]
    blocks = [
        Block(
            dof=dof,
            n_step=len(trial.time),
            time_step=float(np.median(np.diff(trial.time))),
        )
        for trial in fitting.trials
        for dof in range(len(fitting.dofs))
    ]
    return noise_of(residual[:n_row], jacobian[:n_row], blocks), per_newton_metre


def _with_noise(fitting: Fitting, noise: FloatArray) -> list[FloatArray]:
    """Return the measured moments of every trial with noise (n_row,) [N m] on those that count."""
    dofs = [fitting.space.subject.dof_names.index(name) for name in fitting.dofs]
    result, first = [], 0
    for trial in fitting.trials:
        moment = measured_moments(trial).copy()
        size = moment[:, dofs].size
        moment[:, dofs] += noise[first : first + size].reshape(len(dofs), -1).T
        first += size
        result.append(moment)
    return result


def _sizes(fitting: Fitting, noise: Noise, per_newton_metre: FloatArray) -> dict[str, float]:
    ends = np.cumsum([one.n_step for one in noise.blocks])[:-1]
    squares = np.split(noise.power, ends), np.split(per_newton_metre**2, ends)
    result: dict[str, list[float]] = {name: [] for name in fitting.dofs}
    for block, power, unit in zip(noise.blocks, *squares, strict=True):
        result[fitting.dofs[block.dof]].append(float(power.mean() / unit.mean()))
    return {name: float(np.sqrt(np.mean(values))) for name, values in result.items()}


def _uninterrupted(minimum: Minimum) -> Minimum:
    if minimum.status == "interrupted":
        raise KeyboardInterrupt
    return minimum


def _pull(weight: float, centre: FloatArray) -> _kernel.LinearTerm:
    root = math.sqrt(weight)
    return _kernel.LinearTerm(name="pull", matrix=root * np.eye(centre.size), offset=root * centre)


def _evenly(weights: FloatArray, n: int, random: np.random.Generator) -> list[int]:
    """Return n indices, each as often as its weight asks for, but for one more or less."""
    edges = np.cumsum(weights / weights.sum())
    edges[-1] = 1.0
    places = (np.arange(n) + random.random()) / n
    return [int(one) for one in np.searchsorted(edges, places)]


def _each(
    do: Callable[[Any], Found],
    items: Iterable[Any],
    threads: int,
    count: Callable[[], None],
) -> list[Found]:
    """Return what is done with every item, in their order."""
    result = []
    with ThreadPoolExecutor(threads) as executor:
        try:
            for one in executor.map(do, items):
                result.append(one)
                count()
                raise_if_stopped()
        except BaseException:
            executor.shutdown(cancel_futures=True)
            raise
    return result
