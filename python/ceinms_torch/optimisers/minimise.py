"""One way to search: which function runs the search that options belong to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ceinms_torch import _kernel
from ceinms_torch.arrays import FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.errors import OptionError
from ceinms_torch.optimisers.adamw import minimise_adamw
from ceinms_torch.optimisers.annealing import minimise_annealing
from ceinms_torch.optimisers.lbfgs import minimise_lbfgs
from ceinms_torch.optimisers.levenberg_marquardt import minimise_lm
from ceinms_torch.optimisers.memory import SearchMemory
from ceinms_torch.optimisers.minimum import Callback, Minimum
from ceinms_torch.optimisers.problem import Problem
from ceinms_torch.plan.options import AdamW, Lbfgs, LevenbergMarquardt

# By type of options. Each takes problem, start, options and callback, asks the problem for what it
# needs, and refuses one that lacks it.
SEARCHES: dict[type, Callable[[Any, FloatArray, Any, Callback | None], Minimum]] = {
    LevenbergMarquardt: minimise_lm,
    AdamW: minimise_adamw,
    Lbfgs: minimise_lbfgs,
    _kernel.AnnealingOptions: minimise_annealing,
}
# Those that, given a memory, go on from where an earlier search was; others begin again.
RESUMABLE: dict[type, Callable[[Any, FloatArray, Any, Callback | None, SearchMemory], Minimum]] = {
    Lbfgs: minimise_lbfgs,
    _kernel.AnnealingOptions: minimise_annealing,
}


@one_blas_thread
def minimise(
    problem: Problem,
    start: FloatArray,
    options: Any,
    callback: Callback | None = None,
    memory: SearchMemory | None = None,
) -> Minimum:
    """Minimise a problem from a start, by the search that the options belong to.

    Parameters
    ----------
    problem : Problem
        A calibration step on either engine, or anything else on the unit box.
    start : ndarray (n,)
        In the unit box.
    options : AdamW, LevenbergMarquardt, Lbfgs, ...
        Settings; their type is a key of `SEARCHES`.
    callback : callable, optional
        Called with an Iterate after every iteration. Ctrl-C (or a KeyboardInterrupt it raises)
        stops the search, which keeps the best point.
    memory : SearchMemory, optional
        What an earlier search with the same arguments left, and where this one leaves it.

    Returns
    -------
    Minimum
        The best point seen.

    Raises
    ------
    OptionError
        If there is no such search, or it cannot minimise this problem.
    """
    if type(options) not in SEARCHES:
        names = ", ".join(kind.__name__ for kind in SEARCHES)
        raise OptionError(where="options", expected=f"one of {names}", got=type(options).__name__)
    if memory is None:
        return SEARCHES[type(options)](problem, start, options, callback)
    known = memory

    def search() -> Minimum:
        if type(options) in RESUMABLE:
            return RESUMABLE[type(options)](problem, start, options, callback, known)
        return SEARCHES[type(options)](problem, start, options, callback)

    return known.search(search)
