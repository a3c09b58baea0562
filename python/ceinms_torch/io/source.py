"""Read a file once: what is in it, and a digest of the very bytes that were read."""

from __future__ import annotations

import codecs
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ceinms_torch.errors import FileFormatError, Place
from ceinms_torch.io.log import log
from ceinms_torch.io.paths import kind_of, missing_file_hint


@dataclass(frozen=True)
class Source:
    """A file as it was when it was read.

    Parameters
    ----------
    path : Path, optional
        The file; None for what was made in memory.
    sha256 : str
        Digest of its bytes; empty for what was made in memory.
    """

    path: Path | None = None
    sha256: str = ""


IN_MEMORY = Source()


def open_source(path: Path, expected: str) -> BinaryIO:
    """Open a file to read its bytes.

    Parameters
    ----------
    path : Path
        The file.
    expected : str
        What it should be, for messages: "an XML file".

    Returns
    -------
    binary file
        For the caller to close.

    Raises
    ------
    FileFormatError
        If it is missing, unreadable, a folder, or no file at all.
    """
    kind = kind_of(path)
    if kind == "folder":
        hint = "Name the file inside it"
        raise FileFormatError(where=path, expected=expected, got="a folder", hint=hint)
    if kind == "pipe or device":  # which may be waited for in vain
        hint = "Write what comes out of it into a file"
        raise FileFormatError(where=path, expected=expected, got="a pipe or a device", hint=hint)
    try:
        return path.open("rb")
    except (OSError, ValueError) as error:
        is_missing = isinstance(error, FileNotFoundError)
        raise FileFormatError(
            where=path,
            expected=expected,
            got=f"no readable file ({getattr(error, 'strerror', error)})",
            hint=missing_file_hint(path) if is_missing else None,
            code="file-missing" if is_missing else None,
        ) from error


def read_source(path: Path, expected: str) -> tuple[bytes, Source]:
    """Read a file.

    Parameters
    ----------
    path, expected
        As for `open_source`.

    Returns
    -------
    bytes
        Its content.
    Source
        What to remember of it.

    Raises
    ------
    FileFormatError
        As `open_source`.
    """
    with open_source(path, expected) as stream:
        data = stream.read()
    log("debug", "read %s", path)
    return data, Source(path, hashlib.sha256(data).hexdigest())


def read_text(path: Path, expected: str) -> tuple[str, Source]:
    """Read a text file.

    Parameters
    ----------
    path : Path
        The file.
    expected : str
        What it should be, for messages: "a CSV file".

    Returns
    -------
    str
        Its text, with line ends as they are.
    Source
        What to remember of it.

    Raises
    ------
    FileFormatError
        If it is missing, unreadable, a folder or no text.
    """
    raw, source = read_source(path, expected)
    return text_of(path, raw), source


def text_of(path: Path, raw: bytes) -> str:
    """Return the text of a file; that it has none is a `FileFormatError` with the line."""
    try:
        return decode(raw)
    except UnicodeDecodeError as error:
        raise FileFormatError(
            where=Place(path, raw.count(b"\n", 0, error.start) + 1),
            expected="plain text (UTF-8)",
            got=f"the byte 0x{raw[error.start]:02x}",
            hint="Export the table as text, not as a spreadsheet",
        ) from error


_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# What no text has: control characters other than tab, line ends, form feed and end of file.
_NO_TEXT = re.compile(rb"[\x00-\x08\x0b\x0e-\x19\x1b-\x1f]")


def decode(raw: bytes) -> str:
    """Return the text that bytes stand for: UTF-8, UTF-16 that says so, or Windows' code page 1252.

    Parameters
    ----------
    raw : bytes
        A whole file.

    Returns
    -------
    str
        Without the byte order mark.

    Raises
    ------
    UnicodeDecodeError
        If it is no text.
    """
    if raw.startswith(_UTF_16):
        return raw.decode("utf-16")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # Older programs write names and titles as Windows has them; numbers are the same in both.
        if _NO_TEXT.search(raw):
            raise
        try:
            return raw.decode("cp1252")
        except UnicodeDecodeError:
            raise error from None
