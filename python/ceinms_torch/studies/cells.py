"""The calibrations of a study: several at a time, each kept on file as it ends."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import signal
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from ceinms_torch.io.log import log
from ceinms_torch.io.paths import kind_of, write_atomically
from ceinms_torch.io.plain import plain

# What a cell that is done tells: how many are, and its name.
Progress = Callable[[int, str], None]


class StudyCell(Protocol):
    """A calibration of a study: hashable, and can be sent to a process."""

    def __hash__(self) -> int:
        """Return a number that equal cells share."""
        ...

    @property
    def label(self) -> str:
        """What it is, for a progress bar."""
        ...

    def file(self, directory: Path, inputs: Mapping[str, str]) -> Path:
        """Return where its result is kept, given the hashes of all input files."""
        ...


C = TypeVar("C", bound=StudyCell)


def cell_file(
    directory: Path, name: str, key: Mapping[str, Any], inputs: Mapping[str, str]
) -> Path:
    """Return where the result of a calibration is kept.

    Parameters
    ----------
    directory : Path
        Folder of the study.
    name : str
        What it is, for people.
    key : mapping
        All that it depends on beside the input files, ready for JSON.
    inputs : mapping of str to str
        Hashes of all input files: another input is another calibration.

    Returns
    -------
    Path
    """
    whole = {**key, "inputs": sorted(inputs.values())}
    digest = hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:10]
    return directory / "cells" / f"{name}_{digest}.json"


def write_cell(file: Path, result: object) -> dict[str, Any]:
    """Keep what a calibration found, and return it as `read_cell` will.

    Parameters
    ----------
    file : Path
        Where.
    result : object
        What it found, for `plain`.

    Returns
    -------
    dict
    """
    text = json.dumps(plain(result), allow_nan=False)
    known: dict[str, Any] = json.loads(text)
    whole = json.dumps({"sha256": _digest(known), "result": known})
    write_atomically(file, whole.encode())
    return known


def _digest(result: object) -> str:
    text = json.dumps(result, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read_cell(file: Path) -> dict[str, Any] | None:
    """Return what an earlier run found, or None.

    Parameters
    ----------
    file : Path
        Of the calibration.

    Returns
    -------
    dict or None
        None also if the file holds anything else, which is then computed again.
    """
    if kind_of(file) != "file":
        return None
    try:
        whole = json.loads(file.read_text(encoding="utf-8"))
        found: dict[str, Any] = whole["result"]
        is_one = isinstance(found, dict) and whole["sha256"] == _digest(found)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        is_one = False
    if not is_one:
        log("info", "%s is no calibration of a study, and is computed again", file)
    return found if is_one else None


def _begin_process() -> None:
    """Leave Ctrl-C to the process that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class CellRunner(Generic[C]):
    """Computes cells that are not on file yet, several at a time; a context manager.

    Parameters
    ----------
    compute : callable
        Computes a cell, keeps it in a file and returns it; a function of a module.
    directory : Path
        Folder of the study.
    inputs : mapping of str to str
        Hashes of all input files.
    jobs : int
        Processes side by side; results do not depend on it.
    progress : callable
        Called with the number of cells that are done, and the label of the last one.

    Attributes
    ----------
    known : dict
        Every cell that is done, also after Ctrl-C.
    """

    def __init__(
        self,
        compute: Callable[[C, Path], dict[str, Any]],
        directory: Path,
        inputs: Mapping[str, str],
        jobs: int,
        progress: Progress,
    ) -> None:
        self.known: dict[C, dict[str, Any]] = {}
        self._compute = compute
        self._directory = directory
        self._inputs = inputs
        self._progress = progress
        self._n_done = 0
        self._pool: ProcessPoolExecutor | None = None
        if jobs > 1:
            # Not a fork: this process may have threads.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin_process)

    def __enter__(self) -> CellRunner[C]:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes; what is being computed is finished and kept, also after Ctrl-C."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def all(self, cells: Sequence[C]) -> dict[C, dict[str, Any]]:
        """Return the results of cells, from file where they are known.

        Parameters
        ----------
        cells : sequence
            What is wanted; what occurs twice is computed once.

        Returns
        -------
        dict
            By cell.
        """
        waiting: list[tuple[C, Path]] = []
        for one in dict.fromkeys(cells):
            file = one.file(self._directory, self._inputs)
            known = read_cell(file)
            if known is None:
                waiting.append((one, file))
            else:
                self._done(one, known)
        if self._pool is None:
            for one, file in waiting:
                self._done(one, self._compute(one, file))
        else:
            futures: dict[Future[dict[str, Any]], C] = {
                self._pool.submit(self._compute, one, file): one for one, file in waiting
            }
            for future in as_completed(futures):
                self._done(futures[future], future.result())
        return {one: self.known[one] for one in cells}

    def _done(self, cell: C, result: dict[str, Any]) -> None:
        self.known[cell] = result
        self._n_done += 1
        log("info", "calibration %d of the study: %s", self._n_done, cell.label)
        self._progress(self._n_done, cell.label)
