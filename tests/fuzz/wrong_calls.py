"""Wrong calls into the compiled modules, in child processes that may die of them.

    python tests/fuzz/wrong_calls.py --calls 2000

makes every call with one or two arguments replaced by wrong ones and prints a table: what returned,
what was refused by an error of the package or a TypeError, and what must not be: other exceptions,
crashes, and hangs (over five seconds of CPU time after a request to stop). Its exit status is 1
where there is one of these. Calls follow from the seed and their number: ``--only 1234`` makes one
again, in this process.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import random
import resource
import signal
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from calls import CALLS, Case

from ceinms_torch.errors import CeinmsTorchError, CeinmsTorchWarning

# Long searches are asked to stop after this much CPU time, and killed after that [s].
STOP_AFTER, HANG_AFTER = 1.0, 6.0
# A child that waits for something uses no CPU time [s]: as long as many calls take.
WAIT_FOR = 300.0
MEMORY = 8 << 30  # [bytes] of address space: what is beyond must be refused, not tried
OUTCOMES = ("returned", "refused", "interrupted", "foreign", "crash", "hang")
BAD = ("foreign", "crash", "hang")

FLOATS = (
    *(math.nan, math.inf, -math.inf, 0.0, -0.0, -1.0, 1e308, -1e308, 5e-324, 1e17, 1e-17),
    *(10**400, "1", None, 1j, True, [1.0], object()),
)
INTEGERS = (
    0,
    -1,
    2,
    1 << 20,
    2**31 - 1,
    2**31,
    2**63 - 1,
    2**63,
    2**64 - 1,
    10**400,
    1.5,
    "1",
    None,
)
TEXTS = ("", "auto", "no such word", "a" * 100_000, "\0", "\udc80", "é", b"bytes", 3, None)
OTHERS = (None, 0, "text", [], {}, (), object(), int, math.nan)


def wrong(value: Any, rng: random.Random) -> Any:
    """Return something else than a value, of its type more often than not."""
    if rng.random() < 0.1:
        return rng.choice(OTHERS)
    for kind, make in WRONG:
        if isinstance(value, kind):
            return make(value, rng)
    return rng.choice(OTHERS)


def wrong_list(value: list[Any], rng: random.Random) -> Any:
    """Return a list that is too short, too long, or has something wrong in it."""
    kind = rng.randrange(5)
    if kind == 0 or not value:
        return []
    if kind == 1:
        return value[:-1]
    if kind == 2:
        return value * rng.choice((2, 1000))
    at = rng.randrange(len(value))
    return [*value[:at], wrong(value[at], rng), *value[at + 1 :]]


def cast(value: np.ndarray, dtype: Any) -> np.ndarray:
    """Return the same in another type; times of whole numbers only."""
    return value.astype("i8").astype(dtype) if dtype == "M8[s]" else value.astype(dtype)


def wrong_array(value: np.ndarray, rng: random.Random) -> Any:
    """Return an array of another shape, type or content."""
    edited = np.array(value, copy=True)
    kind = rng.randrange(20)
    if kind < 6:  # one number
        if edited.size == 0:
            return None
        numbers = [-1, 0, 1, 10**6, np.iinfo(np.int64).max, np.iinfo(np.int64).min]
        if edited.dtype.kind == "f":
            numbers = [x for x in FLOATS if isinstance(x, float)]
        if edited.dtype.kind == "b":
            numbers = [False, True]
        edited[tuple(rng.randrange(n) for n in edited.shape)] = rng.choice(numbers)
        return edited
    changes: tuple[Callable[[np.ndarray], Any], ...] = (
        lambda a: a[:0],
        lambda a: a[..., :0],
        lambda a: a[:-1],
        lambda a: a[..., :-1],
        lambda a: a[None],
        lambda a: a[::-1],
        lambda a: a.T,
        np.ravel,
        lambda a: np.concatenate([a, a]),
        *(
            functools.partial(cast, dtype=one)
            for one in (complex, str, object, "f4", "i4", "M8[s]")
        ),
        lambda a: np.full_like(a, rng.choice((-1, 0, 1))),
        lambda _: np.zeros((1 << 40, 0)),
        lambda _: np.float64(1.0),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return rng.choice(changes)(edited)


def wrong_tensor(value: torch.Tensor, rng: random.Random) -> Any:
    """Return a tensor of another shape, type, place or content."""
    edited = value.detach().clone()
    if rng.random() < 0.3 and edited.numel():
        numbers = (
            [math.nan, math.inf, -math.inf, 0.0, -1.0, 1e308]
            if edited.is_floating_point()
            else [0, -1, 10**9]
        )
        edited.view(-1)[rng.randrange(edited.numel())] = rng.choice(numbers)
        return edited
    changes: tuple[Callable[[torch.Tensor], Any], ...] = (
        lambda t: t[:0],
        lambda t: t[..., :0],
        lambda t: t[:-1],
        lambda t: t[..., :-1],
        lambda t: t[None],
        lambda t: t.flip(0),
        lambda t: t.expand(2, *t.shape),
        lambda t: torch.cat([t, t]),
        lambda t: t.to("meta"),
        lambda t: t.to(torch.complex128),
        lambda t: t.double().requires_grad_(),
        torch.flatten,
        torch.Tensor.float,
        torch.Tensor.long,
        torch.Tensor.to_sparse,
        torch.Tensor.numpy,
        lambda _: torch.empty(0),
        lambda _: torch.tensor(1.0),
    )
    return rng.choice(changes)(edited)


# By type, the first that fits.
WRONG: tuple[tuple[Any, Callable[[Any, random.Random], Any]], ...] = (
    (np.ndarray, wrong_array),
    (torch.Tensor, wrong_tensor),
    (bool, lambda value, rng: rng.choice((not value, None, 2, "x"))),
    (float, lambda value, rng: rng.choice((*FLOATS, -value, value * 1e6))),
    (int, lambda _, rng: rng.choice(INTEGERS)),
    (str, lambda _, rng: rng.choice(TEXTS)),
    ((list, tuple), lambda value, rng: wrong_list(list(value), rng)),
)


@dataclass
class Call:
    """One wrong call."""

    module: str
    name: str
    make: Callable[[], Any]
    changed: list[str] = field(default_factory=list)


def call_number(number: int, seed: int, case: Case) -> Call:
    """Return a call by its number."""
    rng = random.Random(f"{seed}/{number}")
    one = CALLS[number % len(CALLS)]
    function, arguments = one.valid(case)
    names = rng.sample(sorted(arguments), min(len(arguments), rng.choice((1, 1, 1, 2, 3))))
    for name in names:
        if rng.random() < 0.02:
            del arguments[name]
        else:
            arguments[name] = wrong(arguments[name], rng)
    return Call(one.module, one.name, lambda: function(**arguments), names)


def outcome_of(call: Call) -> tuple[str, str]:
    """Make a call; how it ended, and what to know of that."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", CeinmsTorchWarning)
            call.make()
    except (CeinmsTorchError, TypeError) as error:
        return "refused", repr(error)[:200]
    except KeyboardInterrupt:
        return "interrupted", ""
    except BaseException as error:
        return "foreign", f"{type(error).__name__}: {error}"[:500]
    return "returned", ""


def work(seed: int, first: int, end: int) -> None:
    """Make some calls in this process, and say so before and after each."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGVTALRM, stop)
    case = Case()
    for number in range(first, end):
        call = call_number(number, seed, case)
        print(json.dumps([number, call.module, call.name, call.changed]), flush=True)
        signal.setitimer(signal.ITIMER_PROF, HANG_AFTER)  # ends the process
        signal.setitimer(signal.ITIMER_VIRTUAL, STOP_AFTER)
        try:
            outcome = outcome_of(call)
        except KeyboardInterrupt:
            outcome = "interrupted", ""
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        print(json.dumps(outcome), flush=True)


def results(seed: int, calls: int, batch: int) -> Iterator[tuple[list[Any], str, str]]:
    """Make all calls in children; what was called, how it ended, and what to know of that."""
    number = 0
    while number < calls:
        end = min(number + batch, calls)
        child = subprocess.Popen(
            [sys.executable, __file__, "--seed", str(seed), "--work", str(number), str(end)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            out, err = child.communicate(timeout=WAIT_FOR)
        except subprocess.TimeoutExpired:
            child.kill()
            out, err = child.communicate()
        lines = [json.loads(line) for line in out.splitlines()]
        for what, (outcome, note) in zip(lines[::2], lines[1::2], strict=False):
            yield what, outcome, note
        number = end
        if len(lines) % 2:  # it died of the last one
            what = lines[-1]
            is_hang = -child.returncode in (signal.SIGPROF, signal.SIGKILL)
            yield what, "hang" if is_hang else "crash", f"{child.returncode}: {err[-300:]}"
            number = what[0] + 1
        elif not lines:
            raise RuntimeError(f"the child made no call: {err}")


def main(arguments: list[str] | None = None) -> int:
    """Make wrong calls and print the table; 1 where something must not be."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=200, help="calls a child makes")
    parser.add_argument("--only", type=int, help="make the call of this number here")
    parser.add_argument("--work", type=int, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.work:
        work(given.seed, *given.work)
        return 0
    if given.only is not None:
        call = call_number(given.only, given.seed, Case())
        print(call.module, call.name, call.changed)
        call.make()
        return 0
    counts: Counter[tuple[str, str]] = Counter()
    for what, outcome, note in results(given.seed, given.calls, given.batch):
        counts[what[1], outcome] += 1
        if outcome in BAD:
            print(f"{outcome}: call {what[0]}, {what[1]}.{what[2]}, wrong {what[3]}: {note}")
    modules = sorted({module for module, _ in counts})
    print(f"{'':12}{'calls':>8}" + "".join(f"{name:>13}" for name in OUTCOMES))
    for module in modules:
        row = [counts[module, outcome] for outcome in OUTCOMES]
        print(f"{module:12}{sum(row):8}" + "".join(f"{n:13}" for n in row))
    return int(any(counts[module, bad] for module in modules for bad in BAD))


if __name__ == "__main__":
    sys.exit(main())
