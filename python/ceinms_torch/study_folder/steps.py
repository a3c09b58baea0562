"""Steps of OpenSim that a study has done before are not done again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ceinms_torch.io.paths import kind_of
from ceinms_torch.io.plain import plain
from ceinms_torch.io.source import read_source
from ceinms_torch.io.storage import Storage, read_storage, write_storage

STUDY_FILE = "study.json"
RECORDINGS = "recordings"


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return read_source(path, "a file")[1].sha256


class Steps:
    """What is computed of recordings, and what an earlier run left of it.

    Parameters
    ----------
    directory : Path
        The study.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._earlier = _earlier(directory / STUDY_FILE)
        self.done: dict[str, Any] = {}
        self.kept: list[Path] = []
        self._tables: dict[Path, Storage] = {}

    def tables(
        self,
        name: str,
        files: Sequence[str],
        settings: Mapping[str, Any],
        compute: Callable[[], Mapping[str, Storage]],
    ) -> dict[str, Storage]:
        """Return the tables of a step: those of an earlier run with the same settings and inputs.

        Parameters
        ----------
        name : str
            Of the recording and step, as in "walk/inverse_kinematics".
        files : sequence of str
            The tables by their names without ending.
        settings : mapping
            All that the result depends on; a `Path` stands for what is in the file.
        compute : callable
            What returns the tables anew.

        Returns
        -------
        dict of str to Storage
        """
        # As JSON has them, to compare with those of an earlier run.
        inputs = json.loads(json.dumps(plain({k: _identity(v) for k, v in settings.items()})))
        paths = {one: self._directory / RECORDINGS / name / f"{one}.sto" for one in files}
        self.done[name] = inputs
        is_same = self._earlier["steps"].get(name) == inputs
        if is_same and all(self._is_whole(path) for path in paths.values()):
            self.kept += paths.values()
            return {one: read_storage(path) for one, path in paths.items()}
        # Where they will be, not the temporary files of OpenSim.
        found = {one: replace(table, path=paths[one]) for one, table in compute().items()}
        self._tables |= {paths[one]: found[one] for one in files}
        return found

    def _is_whole(self, path: Path) -> bool:
        known = self._earlier["files"].get(path.relative_to(self._directory).as_posix())
        return known is not None and kind_of(path) == "file" and digest(path) == known

    def write(self) -> None:
        """Write the tables that are new."""
        for path, table in self._tables.items():
            write_storage(
                path,
                table.time,
                table.columns,
                table.values,
                name=table.name,
                units=table.units,
                in_degrees=table.in_degrees,
            )


def _identity(value: Any) -> Any:
    """Return what a setting is told apart by: a file by what is in it, a table by its numbers."""
    if isinstance(value, Path):
        return digest(value)
    if isinstance(value, Storage):
        table = hashlib.sha256(repr((value.columns, value.in_degrees)).encode())
        table.update(value.time.tobytes() + value.values.tobytes())
        return table.hexdigest()
    return value


def _earlier(file: Path) -> dict[str, dict[str, Any]]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        parts = {name: found[name] for name in ("steps", "files")}
    except (OSError, ValueError, KeyError, TypeError):
        parts = {}
    return {
        name: parts[name] if isinstance(parts.get(name), dict) else {}
        for name in ("steps", "files")
    }
