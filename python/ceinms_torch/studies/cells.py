"""The calibrations of a study: several at a time, each kept on file as it ends."""

from __future__ import annotations

import abc
import hashlib
import json
import multiprocessing
import os
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

from ceinms_torch.blas import one_blas_thread
from ceinms_torch.errors import CeinmsTorchWarning
from ceinms_torch.inputs.folder import CalibrationFolder
from ceinms_torch.io.interrupts import hold_from_now_on, stop_on_signals
from ceinms_torch.io.log import log
from ceinms_torch.io.paths import kind_of, write_atomically
from ceinms_torch.io.plain import plain
from ceinms_torch.model.trial import Trial

# What a cell that is done tells: how many are, and its name.
Progress = Callable[[int, str], None]


@dataclass(frozen=True, kw_only=True)
class StudyCell(abc.ABC):
    """A calibration of a study: hashable, and can be sent to a process.

    Parameters
    ----------
    setup : Path
        The calibration setup file.
    tests : tuple of Path
        ``inputData.xml`` of the trials that it does not name.
    """

    setup: Path
    tests: tuple[Path, ...]

    version: ClassVar[int]  # a file of an earlier version of a study has another one

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """What its file is called, for people."""

    @property
    @abc.abstractmethod
    def label(self) -> str:
        """What it is, for a progress bar."""

    @abc.abstractmethod
    def compute(self, checkpoint: Path | None = None) -> object:
        """Calibrate and judge, and return what came out, for `plain`.

        Parameters
        ----------
        checkpoint : Path, optional
            Where a long calibration keeps what it has found so far, and goes on from; of several,
            beside it.

        Raises
        ------
        KeyboardInterrupt
            If Ctrl-C ended it; its checkpoint is kept.
        """

    def inputs(self) -> tuple[CalibrationFolder, dict[str, Trial]]:
        """Return what the setup file points at, and the other trials by name."""
        return _inputs(self.setup, self.tests)

    def file(self, directory: Path, inputs: Mapping[str, str]) -> Path:
        """Return where the result is kept.

        Parameters
        ----------
        directory : Path
            Folder of the study.
        inputs : mapping of str to str
            Hashes of all input files: another input is another calibration.

        Returns
        -------
        Path
        """
        own = {"setup": "", "tests": len(self.tests), "format": self.version}
        key = {**asdict(self), **own, "inputs": sorted(inputs.values())}
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:10]
        return directory / "cells" / f"{self.name}_{digest}.json"

    @one_blas_thread
    def run(self, file: Path) -> dict[str, Any]:
        """Compute, keep what came out in a file, and return it as `read_cell` will."""
        checkpoint = file.with_suffix(".checkpoint")
        with warnings.catch_warnings():
            # What is doubtful in the input has been said when the study began.
            warnings.simplefilter("ignore", CeinmsTorchWarning)
            text = json.dumps(plain(self.compute(checkpoint)), allow_nan=False)
        known: dict[str, Any] = json.loads(text)
        known["sha256"] = _digest(known)
        write_atomically(file, json.dumps(known).encode())
        for done in file.parent.glob(f"{checkpoint.name}*"):
            done.unlink()
        return known


C = TypeVar("C", bound=StudyCell)


@lru_cache(maxsize=1)
def _inputs(setup: Path, tests: tuple[Path, ...]) -> tuple[CalibrationFolder, dict[str, Trial]]:
    folder = CalibrationFolder.read(setup)
    return folder, folder.read_tests(tests)


def _digest(found: Mapping[str, Any]) -> str:
    """Return a digest of a cell but for itself."""
    rest = {name: value for name, value in found.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


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
        found = json.loads(file.read_text(encoding="utf-8"))
        is_one = found["sha256"] == _digest(found)
    except (OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError):
        is_one = False
    if not is_one:
        log("info", "%s is no calibration of a study, and is computed again", file)
    return found if is_one else None


def _begin_process() -> None:
    """Let signals stop the calibration that is computed, and not the process between two."""
    one_blas_thread.for_good()
    stop_on_signals()
    hold_from_now_on()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the study is killed, which would otherwise wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class CellRunner(Generic[C]):
    """Computes cells that are not on file yet, several at a time; a context manager.

    Parameters
    ----------
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
        self, directory: Path, inputs: Mapping[str, str], jobs: int, progress: Progress
    ) -> None:
        self.known: dict[C, dict[str, Any]] = {}
        self._directory = directory
        self._inputs = inputs
        self._progress = progress
        self._n_done = 0
        self._pool: ProcessPoolExecutor | None = None
        if jobs > 1:
            # Not a fork: this process may have threads.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin_process)

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes."""
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
                self._done(one, one.run(file))
        else:
            futures: dict[Future[dict[str, Any]], C] = {
                self._pool.submit(one.run, file): one for one, file in waiting
            }
            try:
                for future in as_completed(futures):
                    self._done(futures[future], future.result())
            except BaseException:
                # What is being computed stops at its next iteration, and leaves a checkpoint.
                for process in multiprocessing.active_children():
                    process.terminate()
                raise
        return {one: self.known[one] for one in cells}

    def _done(self, cell: C, result: dict[str, Any]) -> None:
        self.known[cell] = {name: one for name, one in result.items() if name != "sha256"}
        self._n_done += 1
        log("info", "calibration %d of the study: %s", self._n_done, cell.label)
        self._progress(self._n_done, cell.label)
