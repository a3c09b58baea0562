"""Paths inside CEINMS files: how they are resolved, checked and replaced on disk."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from ceinms_torch.errors import FileFormatError, OptionError, did_you_mean
from ceinms_torch.io.log import log

# What write_atomically leaves of a file when its process is killed.
TEMPORARY = ".ceinms-torch.*.tmp"
_DRIVE = re.compile(r"^.:")


def resolve_path(text: str, base_file: str | os.PathLike[str]) -> Path:
    r"""Turn a file name written in an XML file into a path.

    White space and double quotes around the name are dropped. A name is absolute if it starts with
    ``/`` or ``\`` or has ``:`` as its second character; any other is relative to the folder of the
    file it is written in. Backslashes, as Windows writes them, count as separators.

    Parameters
    ----------
    text : str
        The name as written.
    base_file : path-like
        The file it is written in.

    Returns
    -------
    Path
        Not necessarily existing; symbolic links and ``..`` are left alone.

    Raises
    ------
    FileFormatError
        If nothing is left of the name after trimming.
    """
    name = text.strip().strip('"').strip()
    if not name:
        raise FileFormatError(where=Path(base_file), expected="a file name", got="an empty text")
    slashed = name.replace("\\", "/")
    if slashed.startswith("/") or _DRIVE.match(slashed):
        return Path(slashed)
    return Path(base_file).parent / slashed


def relative_text(path: str | os.PathLike[str], base_file: str | os.PathLike[str]) -> str:
    """Write a path the way `resolve_path` will find it again from `base_file`.

    Parameters
    ----------
    path : path-like
        The file to point at.
    base_file : path-like
        The file the text will be written in.

    Returns
    -------
    str
        Relative with forward slashes; absolute where no relative path exists (another drive, also
        one of Windows named on another system).
    """
    if os.name != "nt" and _DRIVE.match(os.fspath(path)):
        return os.fspath(path)
    try:
        relative = os.path.relpath(path, Path(base_file).parent)
    except ValueError:
        relative = Path(path).absolute().as_posix()
    return Path(relative).as_posix()


def missing_file_hint(path: Path) -> str:
    """Say what may have gone wrong with a file that is not there.

    Parameters
    ----------
    path : Path
        The file that was looked for.

    Returns
    -------
    str
        A similar name in the same folder if there is one, else what to check.
    """
    if os.name != "nt" and _DRIVE.match(path.as_posix()):
        return "This is a Windows path with a drive letter: make it relative to the file it is in"
    folder = path.parent
    if kind_of(folder) != "folder":
        return f"The folder '{folder}' does not exist either"
    names: list[str] = []
    with contextlib.suppress(OSError):  # it may not be read
        names = sorted(entry.name for entry in folder.iterdir())
    similar = did_you_mean(path.name, names)
    return similar or "Names are relative to the folder of the file they are written in"


def kind_of(path: Path) -> Literal["file", "folder", "pipe or device", "nothing"]:
    """Tell what is at a path; what cannot be looked at, or has an impossible name, is nothing.

    Parameters
    ----------
    path : Path
        Links are followed.

    Returns
    -------
    str
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return "nothing"
    if stat.S_ISDIR(mode):
        return "folder"
    return "file" if stat.S_ISREG(mode) else "pipe or device"


def check_writable(directory: Path, hint: str = "choose another one with --out") -> None:
    """Make sure that results can be written, before computing them.

    Parameters
    ----------
    directory : Path
        The folder; it need not exist. Nothing is left behind.
    hint : str
        What the user can do about it.

    Raises
    ------
    OptionError
        If it cannot be made or written to.
    """
    try:
        _probe(directory.absolute())
    except (OSError, ValueError) as error:
        raise OptionError(
            where=directory,
            expected="a folder that can be written to",
            got=getattr(error, "strerror", None) or str(error),
            hint=hint,
        ) from error


def _probe(directory: Path) -> None:
    nearest = directory
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        raise NotADirectoryError(f"a file, '{nearest}'")
    probe = nearest / _temporary_name()
    probe.open("xb").close()
    probe.unlink()


def _temporary_name() -> str:
    # Short, whatever the name of the file that it will be. Not with `secrets` or `tempfile`, whose
    # imports take longer than many a run.
    return TEMPORARY.replace("*", os.urandom(6).hex())


def check_is_no_folder(file: Path) -> None:
    """Make sure that a file can take a name, before computing what goes into it.

    Parameters
    ----------
    file : Path
        The file; it need not exist.

    Raises
    ------
    OptionError
        If there is a folder of that name.
    """
    if kind_of(file) == "folder":
        raise OptionError(
            where=file, expected="the name of a file to write", got="that of a folder"
        )


def check_overwrites_none(outputs: Iterable[Path], inputs: Iterable[Path], hint: str) -> None:
    """Refuse to write over what is read, before anything is computed.

    Parameters
    ----------
    outputs : iterable of Path
        Files that will be written; they need not exist.
    inputs : iterable of Path
        Files that are read.
    hint : str
        What the user can do about it.

    Raises
    ------
    OptionError
        At the first output that is an input: by links, or by a name that differs only in capitals
        or in how its accents are composed, which is the same file on Windows and macOS.
    """
    known: dict[object, Path] = {}
    for file in inputs:
        known |= dict.fromkeys(_identities(file), file)
    for file in outputs:
        for identity in _identities(file):
            if identity in known:
                raise OptionError(
                    where=file,
                    expected="a file to write",
                    got=f"the input '{known[identity]}'",
                    hint=hint,
                    code="output-over-input",
                )


def _identities(file: Path) -> Iterator[object]:
    """Iterate over what two names of one file share, one of them at least."""
    try:
        yield unicodedata.normalize("NFC", os.fspath(file.resolve())).casefold()
        state = file.stat()
        yield state.st_dev, state.st_ino
    except (OSError, ValueError, RuntimeError):  # not there; a circle of links
        return


@dataclass(frozen=True)
class Staged:
    """A file that is on disk beside the one it will replace.

    Parameters
    ----------
    temporary, target : Path
        Where it is, and where it belongs.
    """

    temporary: Path
    target: Path


_together: ContextVar[list[Staged] | None] = ContextVar("together", default=None)


@contextlib.contextmanager
def written_together(begin: Callable[[list[Staged]], None]) -> Iterator[list[Staged]]:
    """Let what `write_atomically` writes in this thread take effect at the end, all or nothing.

    A full disk, which shows while files are written, leaves everything as it was.

    Parameters
    ----------
    begin : callable
        Called with all files when all are on disk, before the first one is replaced.

    Yields
    ------
    list of Staged
        The files so far, in the order in which they will be replaced.
    """
    staged: list[Staged] = []
    token = _together.set(staged)
    try:
        yield staged
        begin(staged)
        for one in staged:
            with _naming(one.target):
                one.temporary.replace(one.target)
    finally:
        _together.reset(token)
        for one in staged:
            one.temporary.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # up to where there is something in it
                for folder in one.target.parents:
                    folder.rmdir()


def write_atomically(path: str | os.PathLike[str], data: bytes | Iterable[bytes]) -> None:
    """Replace a file in one step, so that no reader ever sees half of it.

    Missing folders are created. On any failure an existing file stays as it was.

    Parameters
    ----------
    path : path-like
        The file to write.
    data : bytes, or iterable of bytes
        Its new content; of a large file, part by part.

    Raises
    ------
    OSError
        If the folder cannot be created or written to; it names the file.
    """
    target, together = Path(path), _together.get()
    # A temporary file beside the target: replacing is only atomic within one file system. It is
    # opened the ordinary way, so that it gets the permissions the user's umask asks for.
    temporary = target.with_name(_temporary_name())
    with _naming(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as stream:
                stream.writelines((data,) if isinstance(data, bytes) else data)
                stream.flush()
                os.fsync(stream.fileno())
            if together is None:
                temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    if together is not None:
        together.append(Staged(temporary, target))
    log("debug", "wrote %s", target)


@contextlib.contextmanager
def written_in_pieces(path: Path) -> Iterator[IO[bytes]]:
    """Replace a file in one step by one that is larger than memory should be.

    Parameters
    ----------
    path : Path
        The file to write; its folder is created if needed.

    Yields
    ------
    binary file
        To write to. On any failure an existing file stays as it was.
    """
    temporary = path.with_name(_temporary_name())
    with _naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as stream:
                yield stream
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    log("debug", "wrote %s", path)


@contextlib.contextmanager
def _naming(target: Path) -> Iterator[None]:
    """Let an OSError name a file: a full disk does not say where the last bytes were lost."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise type(error)(error.errno, error.strerror, os.fspath(target)) from error
