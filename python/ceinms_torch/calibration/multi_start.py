"""Several searches from different starts, in parallel, the promising ones to the end."""

from __future__ import annotations

import dataclasses
import functools
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ceinms_torch.calibration.optimisers.minimum import Minimum, Point, Problem
from ceinms_torch.model.options import Optimiser

FloatArray = NDArray[np.float64]
StartCallback = Callable[[int, Point], None]

# Measured on the lower limb data: after 40 iterations of Levenberg-Marquardt the best quarter holds
# the start that wins in the end, and the time goes to that quarter.
_HEAT_ITERATIONS = 40
_KEPT_SHARE = 0.25


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


def minimise_from_all(
    problems: Sequence[Problem],
    starts: FloatArray,
    options: Optimiser,
    callback: StartCallback | None = None,
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
        Settings of every search.
    callback : callable, optional
        Called with the number of the start and a Point after every iteration, from the thread that
        searches. A KeyboardInterrupt stops all searches and keeps the best point.

    Returns
    -------
    minimum : Minimum
        The best point and the history of its start; time and evaluations of all starts together.
    results : list of StartResult
        One per start.
    """
    begin = time.perf_counter()
    if len(starts) == 1:
        report = None if callback is None else lambda point: callback(0, point)
        best = problems[0].minimise(starts[0], options, report)
        return best, [_result(best, finished=True)]
    heat = dataclasses.replace(
        options, max_iterations=min(_HEAT_ITERATIONS, options.max_iterations)
    )
    minima = _parallel(problems, dict(enumerate(starts)), heat, callback)
    order = sorted(minima, key=lambda i: (_rank(minima[i]), i))
    kept = order[: max(1, round(_KEPT_SHARE * len(starts)))]
    results = {i: _result(one, finished=False) for i, one in minima.items()}
    evaluations = sum(one.evaluations for one in minima.values())
    if all(one.status != "interrupted" for one in minima.values()):
        finals = _parallel(problems, {i: minima[i].x for i in kept}, options, callback)
        evaluations += sum(one.evaluations for one in finals.values())
        for i, final in finals.items():
            minima[i] = _joined(minima[i], final)
            results[i] = _result(minima[i], finished=True)
    winner = min(minima, key=lambda i: (_rank(minima[i]), i))
    best = dataclasses.replace(
        minima[winner], seconds=time.perf_counter() - begin, evaluations=evaluations
    )
    return best, [results[i] for i in sorted(results)]


def _rank(minimum: Minimum) -> float:
    return minimum.objective if minimum.history else float("inf")


def _result(minimum: Minimum, *, finished: bool) -> StartResult:
    return StartResult(
        objective=minimum.objective if minimum.history else float("nan"),
        iterations=minimum.history[-1].iteration if minimum.history else 0,
        status=minimum.status,
        finished=finished,
    )


def _joined(first: Minimum, second: Minimum) -> Minimum:
    """Return two searches, the second from the best point of the first, as one."""
    if not first.history or not second.history:
        return first
    last = first.history[-1]
    later = tuple(
        dataclasses.replace(
            point,
            iteration=point.iteration + last.iteration,
            evaluations=point.evaluations + first.evaluations,
            seconds=point.seconds + first.seconds,
        )
        for point in second.history[1:]
    )
    best = second if second.objective <= first.objective else first
    return dataclasses.replace(
        best,
        history=first.history + later,
        evaluations=first.evaluations + second.evaluations,
        seconds=first.seconds + second.seconds,
        status=second.status,
    )


class _Heat:
    """Searches that share a queue of starts, a stop signal and a callback."""

    def __init__(
        self, starts: dict[int, FloatArray], options: Optimiser, callback: StartCallback | None
    ) -> None:
        self.starts = starts
        self.options = options
        self.callback = callback
        self.stop = threading.Event()
        self.minima: dict[int, Minimum] = {}
        self._waiting = list(starts)[::-1]
        self._lock = threading.Lock()

    def _next(self) -> int | None:
        with self._lock:
            return self._waiting.pop() if self._waiting and not self.stop.is_set() else None

    def search(self, problem: Problem) -> None:
        """Take starts from the queue until there are none."""
        while (number := self._next()) is not None:
            minimum = problem.minimise(
                self.starts[number], self.options, functools.partial(self._report, number)
            )
            self.minima[number] = minimum
            if minimum.status == "interrupted":
                self.stop.set()

    def _report(self, number: int, point: Point) -> None:
        # Signals reach the main thread only; this is how Ctrl-C gets here.
        if self.stop.is_set():
            raise KeyboardInterrupt
        if self.callback is not None:
            self.callback(number, point)


def _parallel(
    problems: Sequence[Problem],
    starts: dict[int, FloatArray],
    options: Optimiser,
    callback: StartCallback | None,
) -> dict[int, Minimum]:
    """Minimise from all starts, each thread with a problem of its own."""
    heat = _Heat(starts, options, callback)
    with ThreadPoolExecutor(len(problems)) as executor:
        futures = [executor.submit(heat.search, problem) for problem in problems]
        try:
            for future in futures:
                future.result()
        except KeyboardInterrupt:
            heat.stop.set()
        except BaseException:
            heat.stop.set()
            raise
    if not heat.stop.is_set():
        return heat.minima
    # Those that had finished are part of an interrupted whole.
    return {
        i: dataclasses.replace(minimum, status="interrupted") for i, minimum in heat.minima.items()
    }
