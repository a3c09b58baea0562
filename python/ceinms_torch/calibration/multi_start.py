"""Several searches from different starts, in parallel, the promising ones to the end."""

from __future__ import annotations

import dataclasses
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import warn_of_threads
from ceinms_torch.optimisers.memory import SearchMemory
from ceinms_torch.optimisers.minimise import minimise
from ceinms_torch.optimisers.minimum import Iterate, Minimum
from ceinms_torch.optimisers.problem import Problem

StartCallback = Callable[[int, Iterate], None]
MemoryOf = Callable[[str], SearchMemory]

# Measured on the lower limb data: after 40 iterations of Levenberg-Marquardt the best quarter holds
# the start that wins in the end, and the time goes to that quarter.
_FIRST_ITERATIONS = 40
_KEPT_SHARE = 0.25
# Address space of a thread [bytes]: its stack, and what glibc sets aside where it allocates.
_PER_THREAD = (8 + 128) << 20


@dataclass(frozen=True, kw_only=True)
class StartResult:
    """Outcome of the search from one start.

    Parameters
    ----------
    objective : float
        The lowest objective it reached; NaN if it was not finite at the start.
    iterations : int
        How many it took.
    status : str
        Why it stopped, a key of `STATUS_SENTENCES`.
    finished : bool
        Whether it was among those that were followed to the end.
    """

    objective: float
    iterations: int
    status: str
    finished: bool


def affordable_threads(wanted: int) -> int:
    """Find out how many threads may search side by side where address space is limited.

    Parameters
    ----------
    wanted : int
        How many there are searches for, >= 1.

    Returns
    -------
    int
        Fewer where a limit, such as that of a batch system, would leave too little to compute in.

    Warns
    -----
    CeinmsTorchWarning
        If it is fewer.
    """
    if wanted == 1 or sys.platform != "linux":
        return wanted
    import resource  # noqa: PLC0415  not everywhere

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return wanted
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    possible = max(1, min(wanted, (limit - used) // (2 * _PER_THREAD)))
    if possible < wanted:
        warn_of_threads(wanted, possible, has_work=True)
    return possible


def minimise_from_all(
    problems: Sequence[Problem],
    starts: FloatArray,
    options: Any,
    callback: StartCallback | None = None,
    memory: MemoryOf | None = None,
) -> tuple[Minimum, list[StartResult]]:
    """Minimise from every start and return the best.

    A single start is followed to the end. Several get some iterations each; then the best quarter
    goes on. The result depends on the starts only, not on the number of threads.

    Parameters
    ----------
    problems : sequence of Problem
        The same problem once for every thread.
    starts : ndarray (n_start, n)
        Points of the unit box.
    options : Optimiser
        Settings of every search, as `minimise` takes them.
    callback : callable, optional
        Called with the number of the start and an Iterate after every iteration, from the thread
        that searches. A KeyboardInterrupt stops all searches and keeps the best point.
    memory : callable, optional
        Returns what is known of a search, by its name: one of each start, and of each that goes on.

    Returns
    -------
    minimum : Minimum
        The best point and the history of its start; time and evaluations of all starts together.
    results : list of StartResult
        One per start.
    """
    begin = time.perf_counter()

    def known(name: str, start: int) -> SearchMemory | None:
        return None if memory is None else memory(f"{name} {start}")

    if len(starts) == 1:
        best = minimise(problems[0], starts[0], options, _of_start(0, callback), known("start", 0))
        return best, [_result(best, finished=True)]
    first = dataclasses.replace(
        options, max_iterations=min(_FIRST_ITERATIONS, options.max_iterations)
    )
    minima = _parallel(
        problems,
        range(len(starts)),
        lambda problem, i, report: minimise(
            problem, starts[i], first, _of_start(i, report), known("start", i)
        ),
        callback,
    )
    if not minima:
        raise KeyboardInterrupt
    order = sorted(minima, key=lambda i: (minima[i].rank, i))
    kept = order[: max(1, round(_KEPT_SHARE * len(starts)))]
    finals: dict[int, Minimum] = {}
    if all(one.status != "interrupted" for one in minima.values()):
        finals = _parallel(
            problems,
            kept,
            lambda problem, i, report: go_on(
                problem, minima[i], options, i, report, known("end", i)
            ),
            callback,
        )
        minima |= finals
    is_whole = len(finals) == len(kept) and minima[kept[0]].status != "interrupted"
    winner = min(minima, key=lambda i: (minima[i].rank, i))
    best = dataclasses.replace(
        minima[winner],
        seconds=time.perf_counter() - begin,
        evaluations=sum(one.evaluations for one in minima.values()),
        status=minima[winner].status if is_whole else "interrupted",
    )
    return best, [_result(minima[i], finished=i in finals) for i in sorted(minima)]


def go_on(
    problem: Problem,
    first: Minimum,
    options: Any,
    start: int,
    callback: StartCallback | None,
    memory: SearchMemory | None = None,
) -> Minimum:
    """Search on from the best point of another search, and return both as one.

    Parameters
    ----------
    problem : Problem
        The same problem.
    first : Minimum
        The search.
    options : Optimiser
        Settings of the second, as `minimise` takes them.
    start : int
        Number of the start, for the callback.
    callback : callable, optional
        As for `minimise_from_all`; iterations are counted on.
    memory : SearchMemory, optional
        Of the second search.

    Returns
    -------
    Minimum
    """
    if not first.history:
        return first
    report = None if callback is None else lambda one: callback(start, first.later(one))
    return first.then(minimise(problem, first.x, options, report, memory))


def _of_start(start: int, callback: StartCallback | None) -> Callable[[Iterate], None] | None:
    return None if callback is None else lambda one: callback(start, one)


def _result(minimum: Minimum, *, finished: bool) -> StartResult:
    return StartResult(
        objective=minimum.objective,
        iterations=minimum.iterations,
        status=minimum.status,
        finished=finished,
    )


class _Searches:
    """Searches that share a queue of starts, a stop signal and a callback."""

    def __init__(self, numbers: Iterable[int], callback: StartCallback | None) -> None:
        self.stop = threading.Event()
        self.minima: dict[int, Minimum] = {}
        self._waiting = list(numbers)[::-1]
        self._lock = threading.Lock()
        self._callback = callback

    def _next(self) -> int | None:
        with self._lock:
            return self._waiting.pop() if self._waiting and not self.stop.is_set() else None

    def work(
        self, problem: Problem, search: Callable[[Problem, int, StartCallback], Minimum]
    ) -> None:
        """Take starts from the queue until there are none."""
        while (number := self._next()) is not None:
            self.minima[number] = search(problem, number, self._report)
            if self.minima[number].status == "interrupted":
                self.stop.set()

    def _report(self, number: int, one: Iterate) -> None:
        # Signals reach the main thread only; this is how Ctrl-C gets here.
        if self.stop.is_set():
            raise KeyboardInterrupt
        if self._callback is not None:
            self._callback(number, one)


def _parallel(
    problems: Sequence[Problem],
    numbers: Iterable[int],
    search: Callable[[Problem, int, StartCallback], Minimum],
    callback: StartCallback | None,
) -> dict[int, Minimum]:
    """Search from all starts, each thread with a problem of its own."""
    searches = _Searches(numbers, callback)
    with ThreadPoolExecutor(len(problems)) as executor:
        futures: list[Future[None]] = []
        try:
            for problem in problems:
                futures += [executor.submit(searches.work, problem, search)]
        except RuntimeError:  # no more threads; without any, this one searches
            warn_of_threads(len(problems), max(1, len(futures)), has_work=True)
            if not futures:
                searches.work(problems[0], search)
        try:
            for future in futures:
                future.result()
        except KeyboardInterrupt:
            searches.stop.set()
        except BaseException:
            searches.stop.set()
            raise
    if not searches.stop.is_set():
        return searches.minima
    # Those that had finished are part of an interrupted whole.
    return {i: dataclasses.replace(one, status="interrupted") for i, one in searches.minima.items()}
