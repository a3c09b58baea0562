"""The checkpoint of a calibration: what it has found so far, on file every few seconds."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
import threading
import time
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ceinms_torch.errors import CeinmsTorchWarning, FileFormatError, OptionError
from ceinms_torch.io.paths import kind_of, write_atomically
from ceinms_torch.io.plain import read_json
from ceinms_torch.io.source import Source
from ceinms_torch.io.xml_document import XmlDocument
from ceinms_torch.optimisers.memory import SearchMemory
from ceinms_torch.optimisers.minimum import Iterate, Minimum

OF_ANOTHER = "checkpoint-of-another"  # code of the error
_FORMAT = 1
_SOON = 1.0  # s, until the first writing, and between two states of a search in memory
# Writing takes a share of the time, however much there is to write.
_SHARE = 0.05


class Checkpoint:
    """What the searches of a calibration have found, by the step and a name of each.

    Searches that ended are kept whole. Of one under way there is what it goes on from: the state of
    an annealing, the gradients of an L-BFGS-B; a Levenberg-Marquardt or an AdamW is begun again. As
    all of them are functions of their numbers, the result is that of a calibration without a break.

    Parameters
    ----------
    file : Path
        Where.
    calibration : str
        Fingerprint of the calibration, see `fingerprint`.
    resume : bool
        Whether to go on from the file, if there is one.
    interval : float
        Least time between two writings [s].

    Raises
    ------
    FileFormatError
        If the file is no checkpoint.
    OptionError
        If it is one of another calibration.
    """

    def __init__(
        self, file: Path, calibration: str, *, resume: bool, interval: float = 3.0
    ) -> None:
        self._file, self._calibration, self._interval = file, calibration, interval
        self._memories: dict[str, SearchMemory] = {}
        self._lock = threading.Lock()
        self._next = time.monotonic() + min(interval, _SOON)
        self._is_new = False  # there is something that is not on file
        self._known: dict[str, Any] = self._read() if resume and kind_of(file) != "nothing" else {}

    def _read(self) -> dict[str, Any]:
        what, hint = "a checkpoint of a calibration", "Delete it, and calibrate from the start"
        content = read_json(self._file, what, hint)
        if content.get("checkpoint") != _FORMAT or not isinstance(content.get("searches"), dict):
            got = "another file"
            raise FileFormatError(where=self._file, expected=what, got=got, hint=hint)
        if content.get("calibration") != self._calibration:
            raise OptionError(
                where=self._file,
                expected="the checkpoint of this calibration",
                got="that of one with other files, settings or versions",
                hint="give the same files and settings, or calibrate from the start, without "
                "--resume",
                code=OF_ANOTHER,
            )
        return dict(content["searches"])

    def memory(self, step: int, name: str) -> SearchMemory:
        """Return what is known of a search.

        Parameters
        ----------
        step : int
            Number of the calibration step.
        name : str
            Of the search in it.
        """
        key = f"{step} {name}"
        memory = SearchMemory(min(self._interval, _SOON), self._changed)
        known = self._known.get(key, {})
        try:
            if "minimum" in known:
                memory.minimum = _minimum(known["minimum"])
            memory.state = known.get("state")
        except (KeyError, TypeError, ValueError) as error:
            raise FileFormatError(
                where=self._file,
                expected="what a calibration keeps",
                got=repr(error),
                hint="Delete it, and calibrate from the start",
            ) from error
        with self._lock:
            self._memories[key] = memory
        return memory

    def _changed(self) -> None:
        self._is_new = True
        if time.monotonic() >= self._next:
            self.write()

    def write_if_long(self) -> None:
        """Write what is not on file yet, of a calibration that takes long enough for that."""
        if self._is_new and (time.monotonic() >= self._next or kind_of(self._file) == "file"):
            self.write()

    def write(self) -> None:
        """Write everything; if that fails, say so and go on."""
        with self._lock:
            begin = time.monotonic()
            self._is_new = False
            searches = {**self._known, **{key: _told(one) for key, one in self._memories.items()}}
            content = {
                "checkpoint": _FORMAT,
                "calibration": self._calibration,
                "searches": {key: one for key, one in searches.items() if one},
            }
            try:
                write_atomically(self._file, json.dumps(content).encode())
            except OSError as error:
                text = f"no checkpoint could be written ({error.strerror}); the calibration goes on"
                warnings.warn(CeinmsTorchWarning(text, "no-checkpoint", self._file), stacklevel=2)
            end = time.monotonic()
            self._next = end + max(self._interval, (end - begin) / _SHARE)


def _told(memory: SearchMemory) -> dict[str, Any]:
    if memory.minimum is not None:
        one = dataclasses.asdict(memory.minimum)
        return {"minimum": one | {"x": memory.minimum.x.tolist()}}
    state = memory.state if memory.describe is None else memory.describe()
    return {} if state is None else {"state": state}


def _minimum(known: Mapping[str, Any]) -> Minimum:
    return Minimum(
        **{
            **known,
            "x": np.array(known["x"], dtype=np.float64),
            "terms": tuple(known["terms"]),
            "history": tuple(Iterate.from_json(one) for one in known["history"]),
        }
    )


# ---- Which calibration it is ------------------------------------------------------------


def fingerprint(*values: object) -> str:
    """Return a digest of all that a calibration depends on, and of what computes it.

    Parameters
    ----------
    *values : object
        Made of dataclasses, mappings, sequences, arrays, numbers, texts and None. Names of files do
        not count.

    Returns
    -------
    str
    """
    digest = hashlib.sha256()
    _feed(digest, [version(name) for name in ("ceinms-torch", "numpy", "scipy")])
    _feed(digest, platform.machine())
    _feed(digest, values)
    return digest.hexdigest()


def _feed(digest: Any, value: object) -> None:
    if isinstance(value, (Path, Source, XmlDocument)):
        return
    digest.update(f"{type(value).__name__}(".encode())
    if dataclasses.is_dataclass(value):
        for one in dataclasses.fields(value):
            if one.name not in ("sources", "line"):
                digest.update(one.name.encode())
                _feed(digest, getattr(value, one.name))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _feed(digest, key)
            _feed(digest, item)
    elif isinstance(value, np.ndarray):
        digest.update(f"{value.shape}{value.dtype}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, (list, tuple, frozenset)):
        for item in sorted(value) if isinstance(value, frozenset) else value:
            _feed(digest, item)
    else:
        digest.update(repr(value).encode())
    digest.update(b")")
