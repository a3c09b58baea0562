"""A folder of results: one process writes it, result.json goes first and comes last."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from ceinms_torch.errors import FileFormatError, OptionError
from ceinms_torch.io.interrupts import held
from ceinms_torch.io.paths import (
    TEMPORARY,
    Staged,
    check_overwrites_none,
    kind_of,
    write_atomically,
    written_together,
)
from ceinms_torch.io.plain import plain

RESULT_FILE = "result.json"
CHECKPOINT_FILE = "checkpoint.json"
LOCK_FILE = ".ceinms-torch.lock"

# What is being written into a folder of results, and into which.
_current: ContextVar[tuple[Path, list[Staged]] | None] = ContextVar("current", default=None)


# ---- One process ------------------------------------------------------------------------


@contextlib.contextmanager
def claimed(directory: Path) -> Iterator[None]:
    """Keep other processes from writing into a folder.

    Parameters
    ----------
    directory : Path
        The folder; made if needed, and taken away again if nothing was written into it.

    Raises
    ------
    OptionError
        If another process is writing into it.
    """
    made = [one for one in (directory, *directory.parents) if kind_of(one) == "nothing"]
    directory.mkdir(parents=True, exist_ok=True)
    lock = directory / LOCK_FILE
    mine = _take(lock)
    try:
        yield
    finally:
        if mine:
            lock.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # not empty
                for one in made:
                    one.rmdir()


def _take(lock: Path) -> bool:
    """Make a lock file; False if this process has made it before."""
    me = {"pid": os.getpid(), "host": platform.node(), "started": _started(os.getpid())}
    for _ in range(2):
        try:
            with lock.open("x", encoding="utf-8") as file:
                json.dump(me, file)
        except FileExistsError:
            owner = _owner(lock)
            if owner == me:
                return False
            if _may_live(owner):
                break
            _set_aside(lock, owner)
        else:
            return True
    owner = _owner(lock)
    raise OptionError(
        where=lock.parent,
        expected="a folder that no other process writes into",
        got=f"one in use by process {owner.get('pid', '?')} on {owner.get('host', '?')}",
        hint=f"wait for that process, or choose another folder; if it no longer runs, delete "
        f"'{lock}'",
    )


def _owner(lock: Path) -> dict[str, Any]:
    try:
        content = json.loads(lock.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _may_live(owner: Mapping[str, Any]) -> bool:
    """Tell whether the process that made a lock may still run: on another host nobody knows."""
    pid = owner.get("pid")
    if owner.get("host") != platform.node() or not isinstance(pid, int) or os.name == "nt":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    # Another process may have its number by now.
    return owner.get("started") in (None, _started(pid))


def _started(pid: int) -> str | None:
    """Return when a process began, in ticks since the computer did, or None."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def _set_aside(lock: Path, owner: Mapping[str, Any]) -> None:
    """Remove a stale lock, but not one that another process has made in its place meanwhile."""
    aside = lock.with_name(f"{lock.name}.{os.urandom(6).hex()}")
    with contextlib.suppress(OSError):
        lock.rename(aside)
        if _owner(aside) != owner:
            aside.rename(lock)
            return
        aside.unlink(missing_ok=True)
        for left in lock.parent.rglob(TEMPORARY):
            left.unlink(missing_ok=True)


# ---- One result -------------------------------------------------------------------------


@contextlib.contextmanager
def results_in(directory: Path, inputs: Sequence[Path] = ()) -> Iterator[None]:
    """Write a folder of results as one: all files take effect at the end, or none does.

    An earlier result.json that speaks of one of them goes first. Signals wait until all is written.

    Parameters
    ----------
    directory : Path
        The folder; what is written below it is what `write_result_file` will list.
    inputs : sequence of Path
        Files that the results come from.

    Raises
    ------
    OptionError
        If another process is writing into it, or a file to write is an input.
    """
    summary = directory / RESULT_FILE

    def begin(staged: list[Staged]) -> None:
        hint = "choose another folder"
        check_overwrites_none([one.target for one in staged], inputs, hint)
        if _speaks_of(summary, [_name_in(directory, one.target) for one in staged]):
            summary.unlink(missing_ok=True)

    with held(), claimed(directory), written_together(begin) as staged:
        token = _current.set((directory, staged))
        try:
            yield
        finally:
            _current.reset(token)


def _name_in(directory: Path, file: Path) -> str | None:
    file, directory = file.absolute(), directory.absolute()
    return file.relative_to(directory).as_posix() if file.is_relative_to(directory) else None


def _speaks_of(summary: Path, names: Sequence[str | None]) -> bool:
    """Tell whether a result.json becomes false when files, None for one elsewhere, are written."""
    try:
        known = json.loads(summary.read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return bool(names) and kind_of(summary) == "file"
    return any(name is None or name in known for name in names)


def write_result_file(
    directory: Path, content: Mapping[str, Any], *, lists_files: bool = True
) -> Path:
    """Write result.json, with digests of the files that were written for it (``files``).

    Parameters
    ----------
    directory : Path
        The folder.
    content : mapping
        What it says, for `plain`.
    lists_files : bool
        False where all is in it, and files beside it are but drawings of that.

    Returns
    -------
    Path
        The file.
    """
    path = directory / RESULT_FILE
    whole = dict(content)
    if lists_files:
        home, staged = _current.get() or (directory, [])
        files = {_name_in(home, one.target): _digest(one.temporary) for one in staged}
        files.pop(None, None)
        whole["files"] = files
    text = json.dumps(plain(whole), indent=2, allow_nan=False)
    write_atomically(path, f"{text}\n".encode())
    return path


def _digest(file: Path) -> str:
    """Return the SHA-256 of a file; times of tables do not count, so that it can be repeated."""
    data = file.read_bytes()
    head, _, rest = data.partition(b"\n")
    names = head.split(b",")
    if b"seconds [s]" in names:
        place = names.index(b"seconds [s]")
        rows = [row.split(b",") for row in rest.splitlines()]
        data = b"\n".join([head, *(b",".join(row[:place] + row[place + 1 :]) for row in rows)])
    return hashlib.sha256(data).hexdigest()


def check_files(directory: Path, files: object) -> None:
    """Refuse a folder in which files are not those that its result.json speaks of.

    Parameters
    ----------
    directory : Path
        The folder.
    files : object
        What result.json says of them: digests by name.

    Raises
    ------
    FileFormatError
        At the first file that is another one. What is missing, its reader misses.
    """
    if not isinstance(files, dict):
        files = {}
    for name, digest in files.items():
        path = directory / name
        if kind_of(path) != "file" or _digest(path) == digest:
            continue
        raise FileFormatError(
            where=path,
            expected=f"the file that {RESULT_FILE} speaks of",
            got="another one",
            hint="A later command that did not end may have written it, or it was changed. Run "
            "ceinms-torch calibrate again",
            code="results-mixed",
        )
