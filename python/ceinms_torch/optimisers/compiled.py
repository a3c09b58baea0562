"""Searches that the extension modules run, called alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ceinms_torch.optimisers.minimum import Callback, Iterate, Minimum


def run_compiled(
    search: Callable[..., Any], core: Any, start: Any, callback: Callback | None, **settings: Any
) -> Minimum:
    """Run a compiled search.

    Parameters
    ----------
    search : callable
        Of `_kernel` or `_torch`.
    core : object
        The problem, as it takes it.
    start : ndarray or Tensor (n,)
        In the unit box.
    callback : callable, optional
        Called with an Iterate after every iteration.
    **settings
        Its other arguments.

    Returns
    -------
    Minimum
        With its history and all, copied from the module's.
    """
    report = None if callback is None else lambda item: callback(_iterate(item))
    found = search(core, start=start, callback=report, **settings)
    return Minimum(
        x=np.asarray(found.x),
        objective=found.objective,
        terms=tuple(found.terms),
        history=tuple(_iterate(one) for one in found.history),
        evaluations=found.evaluations,
        seconds=found.seconds,
        status=found.status,
    )


def _iterate(item: Any) -> Iterate:
    names = ("iteration", "evaluations", "seconds")
    return Iterate.of(item, **{name: getattr(item, name) for name in names})
