"""Several searches from different starts, in parallel, the promising ones to the end."""

from __future__ import annotations

import dataclasses
import math
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import warn_of_threads
from ceinms_torch.optimisers.memory import SearchMemory
from ceinms_torch.optimisers.minimise import minimise
from ceinms_torch.optimisers.minimum import Iterate, Minimum
from ceinms_torch.optimisers.problem import Problem

StartCallback = Callable[[int, Iterate], None]
MemoryOf = Callable[[str], SearchMemory]
Judge = Callable[[FloatArray], float]

# Measured on the lower limb data: after 40 iterations of Levenberg-Marquardt the best quarter holds
# the start that wins in the end, and the time goes to that quarter.
_FIRST_ITERATIONS = 40
_KEPT_SHARE = 0.25
# How automatic starts go on: in rounds, until a round lowers the best objective by less than this
# share. Between calibrations of the lower limb that differ by less, test errors do not.
_ROUND = 16
_NOISE = 0.01
_MOST_STARTS = 128
# What they may cost: iterations times MTUs times rows of all trials. An iteration of
# Levenberg-Marquardt takes 0.2 microseconds of processor time for each, so 8 s.
_BUDGET = 40_000_000
# Starts whose objectives differ by less than this share fit alike: validation trials choose.
_ALIKE = 0.03
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
    validation : float, optional
        The objective of validation trials there, of a start that was followed to the end.
    """

    objective: float
    iterations: int
    status: str
    finished: bool
    validation: float | None = None


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """How many starts there are where nobody says it: round after round, within a budget.

    A round is a number of starts of which the best quarter is followed to the end. There is another
    one until a round improves the best objective no more than the noise, or until the budget would
    be exceeded. It is one of iterations, so that results depend neither on the machine nor on
    threads.

    Parameters
    ----------
    size : int
        Starts of a round; 1 for a single start, where no more can be afforded.
    budget : int
        Most iterations of all starts together.
    max_iterations : int
        Most iterations of one.
    """

    size: int
    budget: int
    max_iterations: int

    @classmethod
    def within_budget(cls, n_mtu: int, n_row: int, max_iterations: int) -> Self:
        """Return as large rounds as the budget allows.

        Parameters
        ----------
        n_mtu, n_row : int
            MTUs, and rows of all trials: what an iteration costs.
        max_iterations : int
            Most iterations of one start.
        """
        budget = _BUDGET // (n_mtu * n_row)
        sizes = (n for n in range(_ROUND, 1, -1) if _most_iterations(n, max_iterations) <= budget)
        return cls(size=next(sizes, 1), budget=budget, max_iterations=max_iterations)

    @property
    def most_starts(self) -> int:
        """Number of starts that there will not be more of."""
        return 1 if self.size == 1 else _MOST_STARTS

    def go_on(self, before: float, best: float, spent: int) -> bool:
        """Tell whether there is another round.

        Parameters
        ----------
        before, best : float
            The best objective before and after the last round; infinite before the first.
        spent : int
            Iterations so far.
        """
        is_settled = before - best <= _NOISE * abs(before) if math.isfinite(before) else False
        cost = _most_iterations(self.size, self.max_iterations)
        return not is_settled and spent + cost <= self.budget


def _n_kept(n_start: int) -> int:
    return max(1, round(_KEPT_SHARE * n_start))


def _most_iterations(n_start: int, max_iterations: int) -> int:
    if max_iterations <= _FIRST_ITERATIONS:  # no start goes on
        return n_start * max_iterations
    return n_start * _FIRST_ITERATIONS + _n_kept(n_start) * max_iterations


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
    *,
    rounds: Rounds | None = None,
    judge: Judge | None = None,
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
    rounds : Rounds, optional
        Take the starts in rounds, as many as it asks for; by default all at once.
    judge : callable, optional
        Returns the objective of validation trials at a point: it chooses among the starts that fit
        alike.

    Returns
    -------
    minimum : Minimum
        The best point and the history of its start; time and evaluations of all starts together.
    results : list of StartResult
        One per start.
    """
    begin = time.perf_counter()
    if len(starts) == 1:
        known = None if memory is None else memory("start 0")
        best = minimise(problems[0], starts[0], options, _of_start(0, callback), known)
        judged = None if judge is None or not best.history else judge(best.x)
        return best, [_result(best, finished=True, validation=judged)]
    several = _Several(problems, starts, options, callback, memory)
    size = len(starts) if rounds is None else rounds.size
    first, before = 0, math.inf
    while True:
        several.follow(range(first, min(first + size, len(starts))))
        first += size
        best_rank, spent = several.best_rank, several.iterations
        if not several.is_whole or rounds is None or first >= len(starts):
            break
        if not rounds.go_on(before, best_rank, spent):
            break
        before = best_rank
    minima, finished = several.minima, several.finished
    winner = min(minima, key=lambda i: (minima[i].rank, i))
    judged_of: dict[int, float] = {}
    if judge is not None and math.isfinite(minima[winner].rank):
        limit = minima[winner].rank * (1.0 + _ALIKE)
        judged_of = {i: judge(minima[i].x) for i in sorted(finished) if minima[i].rank <= limit}
        winner = min(judged_of, key=lambda i: (judged_of[i], i), default=winner)
    best = dataclasses.replace(
        minima[winner],
        seconds=time.perf_counter() - begin,
        evaluations=sum(one.evaluations for one in minima.values()),
        status=minima[winner].status if several.is_whole else "interrupted",
    )
    return best, [
        _result(minima[i], finished=i in finished, validation=judged_of.get(i))
        for i in sorted(minima)
    ]


class _Several:
    """Searches from several starts: some iterations each, then the best quarter to the end."""

    def __init__(
        self,
        problems: Sequence[Problem],
        starts: FloatArray,
        options: Any,
        callback: StartCallback | None,
        memory: MemoryOf | None,
    ) -> None:
        self._problems, self._starts, self._options = problems, starts, options
        self._callback, self._memory = callback, memory
        most = min(_FIRST_ITERATIONS, options.max_iterations)
        self._first = dataclasses.replace(options, max_iterations=most)
        self.minima: dict[int, Minimum] = {}
        self.finished: set[int] = set()
        self.is_whole = True

    @property
    def best_rank(self) -> float:
        """The best objective so far."""
        return min(one.rank for one in self.minima.values())

    @property
    def iterations(self) -> int:
        """Iterations of all searches so far."""
        return sum(one.iterations for one in self.minima.values())

    def _known(self, name: str, start: int) -> SearchMemory | None:
        return None if self._memory is None else self._memory(f"{name} {start}")

    def follow(self, numbers: Sequence[int]) -> None:
        """Search from these starts."""
        minima = _parallel(
            self._problems,
            numbers,
            lambda problem, i, report: minimise(
                problem,
                self._starts[i],
                self._first,
                _of_start(i, report),
                self._known("start", i),
            ),
            self._callback,
        )
        if not minima and not self.minima:
            raise KeyboardInterrupt
        self.minima |= minima
        self.is_whole = len(minima) == len(numbers) and not _is_interrupted(minima)
        if not self.is_whole:
            return
        if self._first == self._options:  # they have had all iterations that there are
            self.finished |= set(minima)
            return
        order = sorted(minima, key=lambda i: (minima[i].rank, i))
        kept = order[: _n_kept(len(numbers))]
        finals = _parallel(
            self._problems,
            kept,
            lambda problem, i, report: go_on(
                problem, minima[i], self._options, i, report, self._known("end", i)
            ),
            self._callback,
        )
        self.minima |= finals
        self.finished |= set(finals)
        self.is_whole = len(finals) == len(kept) and not _is_interrupted(finals)


def _is_interrupted(minima: Mapping[int, Minimum]) -> bool:
    return any(one.status == "interrupted" for one in minima.values())


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


def _result(minimum: Minimum, *, finished: bool, validation: float | None = None) -> StartResult:
    return StartResult(
        objective=minimum.objective,
        iterations=minimum.iterations,
        status=minimum.status,
        finished=finished,
        validation=validation,
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
