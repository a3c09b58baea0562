"""Levenberg-Marquardt, compiled."""

from __future__ import annotations

from ceinms_torch import _kernel
from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import OptionError
from ceinms_torch.optimisers.compiled import run_compiled
from ceinms_torch.optimisers.minimum import Callback, Minimum
from ceinms_torch.optimisers.problem import Problem
from ceinms_torch.plan.options import LevenbergMarquardt


def minimise_lm(
    problem: Problem, start: FloatArray, options: LevenbergMarquardt, callback: Callback | None
) -> Minimum:
    """Minimise a sum of squares, see `minimise`.

    Raises
    ------
    OptionError
        As `least_squares_core`.
    """
    core = least_squares_core(problem)
    search = _kernel.minimise_levenberg_marquardt
    return run_compiled(search, core, start, callback, options=options)


def least_squares_core(problem: Problem) -> _kernel.Problem:
    """Return what the search takes of a problem: its residuals' normal equations, compiled.

    Raises
    ------
    OptionError
        If the problem has none.
    """
    if not isinstance(problem.core, _kernel.Problem):
        raise OptionError(
            where="method", expected="adamw or lbfgs", got="lm", hint=problem.why_no_residuals
        )
    return problem.core
