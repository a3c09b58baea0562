"""Paths inside CEINMS files: how they are resolved, checked and replaced on disk."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ceinms_torch.errors import FileFormatError, OptionError, did_you_mean
from ceinms_torch.io.log import log

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
    if not folder.is_dir():
        return f"The folder '{folder}' does not exist either"
    similar = did_you_mean(path.name, sorted(entry.name for entry in folder.iterdir()))
    return similar or "Names are relative to the folder of the file they are written in"


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
    nearest = directory.absolute()
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    try:
        if not nearest.is_dir():
            raise NotADirectoryError(f"a file, '{nearest}'")
        probe = nearest / _temporary_name(directory)
        probe.open("xb").close()
        probe.unlink()
    except OSError as error:
        raise OptionError(
            where=directory,
            expected="a folder that can be written to",
            got=error.strerror or str(error),
            hint=hint,
        ) from error


def _temporary_name(target: Path) -> str:
    # Not with `secrets` or `tempfile`, whose imports take longer than many a run.
    return f".{target.name}.{os.urandom(6).hex()}.tmp"


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
    if file.is_dir():
        raise OptionError(
            where=file, expected="the name of a file to write", got="that of a folder"
        )


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Replace a file in one step, so that no reader ever sees half of it.

    Missing folders are created. On any failure an existing file stays as it was.

    Parameters
    ----------
    path : path-like
        The file to write.
    data : bytes
        Its new content.

    Raises
    ------
    OSError
        If the folder cannot be created or written to.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # A temporary file beside the target: replacing is only atomic within one file system. It is
    # opened the ordinary way, so that it gets the permissions the user's umask asks for.
    temporary = target.with_name(_temporary_name(target))
    try:
        with temporary.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(target)
        log("debug", "wrote %s", target)
    finally:
        temporary.unlink(missing_ok=True)
