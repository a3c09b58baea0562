"""L-BFGS-B on the unit box, by scipy."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.errors import OptionError
from ceinms_torch.optimisers.memory import Gradients, SearchMemory
from ceinms_torch.optimisers.minimum import Callback, Minimum
from ceinms_torch.optimisers.problem import Differentiable, Evaluation, Problem
from ceinms_torch.optimisers.run import NotFiniteError, Run
from ceinms_torch.plan.options import Lbfgs

# Measured (cpp/EQUATIONS.md, "The search of eq. (5)"). Where a search starts, curvatures say little
# about those at the minimum. With an exponent of 1/2 all variables would be curved about alike, but
# only for a while; less is better. A variable without curvature still has a twentieth of the width.
_N_BEFORE_WIDTHS = 50
_N_PROBE = 10
_PROBE = 1e-4  # in ranges
_LEAST_SIZE = 1e-4  # in mean sizes
_EXPONENT = 1.0 / 3.0
# One iteration that gains little proves nothing where the objective has kinks; a search with other
# widths that gains less than as many such iterations does.
_ENOUGH = 100


def minimise_lbfgs(
    problem: Problem,
    start: FloatArray,
    options: Lbfgs,
    callback: Callback | None,
    memory: SearchMemory | None = None,
) -> Minimum:
    """Minimise by scipy's L-BFGS-B, see `minimise`.

    A problem whose variables are uneven is searched, after some iterations, with variables that are
    scaled to be curved more alike.

    Raises
    ------
    OptionError
        If the problem has no gradient.
    """
    if not isinstance(problem, Differentiable):
        raise OptionError(where="method", expected="another one for this problem", got="lbfgs")
    search = _Search(problem, start, options, callback)
    if memory is not None:
        search.gradient = Gradients(search.gradient, memory)
    return search.run.finish(start, search)


def _unit(problem: Differentiable, start: FloatArray) -> float:
    """Return what counts as an objective of 1 in scipy's rules of stopping, > 0."""
    if not problem.is_in_own_unit:
        return 1.0
    size = abs(problem.gradient(start)[0].objective)
    return size if math.isfinite(size) and size > 0.0 else 1.0


class _Search:
    """One search, in one box or several."""

    def __init__(
        self,
        problem: Differentiable,
        start: FloatArray,
        options: Lbfgs,
        callback: Callback | None,
    ) -> None:
        import scipy.optimize  # noqa: PLC0415  slow to load

        self._scipy = scipy.optimize
        self._problem, self._start, self._options = problem, start, options
        self.gradient: Callable[[FloatArray], tuple[Evaluation, FloatArray]] = problem.gradient
        self._unit = _unit(problem, start)
        self.run = Run(callback, problem.term_names)  # the clock starts here

    def evaluate(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Return objective and gradient at x (n,); the first evaluation is the first iterate."""
        evaluation, gradient = self.gradient(x)
        self.run.take(x, evaluation)
        if not self.run.history:
            self._record()
        return evaluation.objective, gradient

    def _record(self) -> bool:
        """Make the latest evaluation the next iterate, and tell whether the search stalls."""
        self.run.record()
        return self.run.stalls(self._options.min_improvement, 1, least=self._unit)

    @one_blas_thread
    def __call__(self) -> str:
        """Search, and say why it stopped."""
        start, n_iteration = self._start, self._options.max_iterations
        if len(start) == 0:  # nothing to change
            self.evaluate(start)
            return "converged"
        unscaled = np.ones(len(start))
        if not self._problem.is_uneven:
            return self._in_box(start, unscaled, n_iteration)
        status = self._in_box(start, unscaled, min(_N_BEFORE_WIDTHS, n_iteration))
        return status if status == "converged" else self._in_other_boxes()

    def _in_box(self, start: FloatArray, widths: FloatArray, n_iteration: int) -> str:
        """Search in a box of other widths, and say why it stopped."""

        def evaluate(scaled: FloatArray) -> tuple[float, FloatArray]:
            # A width over itself is exactly 1: what is on a bound there is on it here.
            objective, gradient = self.evaluate(scaled / widths)
            return objective / self._unit, gradient / (self._unit * widths)

        def record() -> None:
            if self._record():
                raise StopIteration

        result = self._scipy.minimize(
            evaluate,
            start * widths,
            jac=True,
            method="L-BFGS-B",
            bounds=self._scipy.Bounds(np.zeros(len(widths)), widths),
            callback=lambda _: record(),
            options={
                "maxiter": n_iteration,
                "maxfun": 20 * n_iteration,
                "ftol": 0.0,  # knows the objective alone
                "gtol": self._options.min_gradient,
                "maxcor": self._options.memory,
            },
        )
        # scipy's 1 is a limit reached; 2 a line search that found nothing better; 99 our own rule.
        return {0: "converged", 1: "max_iterations", 99: "converged"}.get(
            result.status, "converged_step"
        )

    def _in_other_boxes(self) -> str:
        """Search in an equilibrated box, and again from where that ended, until it hardly helps."""
        status = "max_iterations"
        while (n_left := self._options.max_iterations - self.run.history[-1].iteration) > 0:
            x, widths = self._equilibrated()
            before = self.run.lowest
            status = self._in_box(x, widths, n_left)
            # What scipy's rule is relative to.
            size = max(abs(before), self._unit)
            if before - self.run.lowest <= _ENOUGH * self._options.min_improvement * size:
                break
        return status

    def _equilibrated(self) -> tuple[FloatArray, FloatArray]:
        """Return the best point so far and widths that make the Hessian's rows there more alike.

        The mean square of H v over vectors v of random signs is the squared norm of every row of H
        (Dauphin et al. 2015, equilibration); H v is a difference of two gradients.
        """
        if self.run.best is None:
            raise NotFiniteError
        x = self.run.best[0]
        _, gradient = self.evaluate(x)
        random = np.random.default_rng(0)
        squares = np.zeros(len(x))
        for _ in range(_N_PROBE):
            step = random.choice((-_PROBE, _PROBE), size=len(x))
            ahead = x + step
            step = np.where((ahead < 0.0) | (ahead > 1.0), -step, step)
            squares += (self.evaluate(x + step)[1] - gradient) ** 2
        sizes = np.sqrt(squares)
        if not np.any(sizes):  # a plane
            return x, np.ones(len(x))
        sizes /= sizes.mean()
        return x, np.maximum(sizes, _LEAST_SIZE) ** _EXPONENT
