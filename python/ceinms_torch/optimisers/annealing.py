"""The simulated annealing of CEINMS, compiled."""

from __future__ import annotations

import dataclasses

from ceinms_torch import _kernel
from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import OptionError
from ceinms_torch.optimisers.compiled import run_compiled
from ceinms_torch.optimisers.memory import SearchMemory
from ceinms_torch.optimisers.minimum import Callback, Iterate, Minimum
from ceinms_torch.optimisers.problem import InOwnUnits, Problem

# Of `AnnealingState`: all that the search goes on from.
_FIELDS = (
    *("x", "best", "step", "n_accepted", "latest", "temperature", "f", "best_f", "evaluations"),
    *("n_temperature", "adjustment", "cycle", "next", "random"),
)


def minimise_annealing(
    problem: Problem,
    start: FloatArray,
    options: _kernel.AnnealingOptions,
    callback: Callback | None,
    memory: SearchMemory | None = None,
) -> Minimum:
    """Minimise by the annealing of CEINMS, see `minimise`; an iteration is a temperature.

    Start and minimum are in the units of the parameters: so are the numbers that CEINMS draws.

    Raises
    ------
    OptionError
        If the problem is not of CEINMS's own model.
    """
    if not isinstance(problem, InOwnUnits):
        raise OptionError(where="method", expected="another one for this problem", got="annealing")
    bounds = {"lower": problem.lower, "upper": problem.upper}
    search = _kernel.legacy_anneal
    if memory is None:
        return run_compiled(search, problem.core, start, callback, options=options, **bounds)
    past = _Past(memory, callback)
    found = run_compiled(
        search,
        problem.core,
        start,
        past.report,
        options=options,
        keep=past.keep,
        keep_interval=memory.interval,
        state=past.state,
        **bounds,
    )
    seconds = past.seconds + found.seconds
    return dataclasses.replace(found, history=tuple(past.history), seconds=seconds)


class _Past:
    """What was before: the state that the search goes on from, and the temperatures until then."""

    def __init__(self, memory: SearchMemory, callback: Callback | None) -> None:
        self.state: _kernel.AnnealingState | None = None
        self.history: list[Iterate] = []
        self.seconds = 0.0
        self._memory, self._callback = memory, callback
        if memory.state is not None:
            self.state = _kernel.AnnealingState()
            for name in _FIELDS:
                setattr(self.state, name, memory.state["state"][name])
            self.seconds = memory.state["seconds"]
            self.history = [Iterate.from_json(one) for one in memory.state["history"]]

    def report(self, one: Iterate) -> None:
        """Count a temperature."""
        one = dataclasses.replace(one, seconds=one.seconds + self.seconds)
        self.history.append(one)
        if self._callback is not None:
            self._callback(one)

    def keep(self, state: _kernel.AnnealingState) -> None:
        """Leave what the search would go on from."""
        self._memory.keep(
            {
                "state": {name: getattr(state, name) for name in _FIELDS},
                "seconds": self.history[-1].seconds if self.history else self.seconds,
                "history": [dataclasses.asdict(one) for one in self.history],
            }
        )
