"""A text file block by block, so that a large one never stands in memory as text."""

from __future__ import annotations

import codecs
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from ceinms_torch.io.log import log
from ceinms_torch.io.source import Source, open_source, text_of

_BLOCK = 1 << 20  # bytes


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, without their ends, whatever those are.

    CR LF, CR alone, or CR CR LF, which a text of Windows written as text has; not the form feeds
    and other separators of `splitlines`, which editors do not count.
    """
    return _with_plain_ends(text).split("\n")


def _with_plain_ends(text: str) -> str:
    return re.sub(r"\r*\n|\r", "\n", text) if "\r" in text else text


class TextBlocks:
    """A file that is opened once; a context manager.

    Parameters
    ----------
    path : Path
        The file.
    expected : str
        What it should be, for messages: "a storage file".

    Raises
    ------
    FileFormatError
        If it is missing, unreadable, or no file at all.
    """

    def __init__(self, path: Path, expected: str) -> None:
        self._path = path
        self._stream = open_source(path, expected)
        self._digest = hashlib.sha256()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._stream.close()

    @property
    def n_read(self) -> int:
        """Number of bytes read so far."""
        return self._stream.tell()

    @property
    def n_byte(self) -> int:
        """Number of bytes in all, as far as the file system knows."""
        return os.fstat(self._stream.fileno()).st_size

    @property
    def source(self) -> Source:
        """The file as it was read, when all is."""
        return Source(self._path, self._digest.hexdigest())

    def __iter__(self) -> Iterator[list[str]]:
        """Iterate over blocks of lines, all together those of the file.

        Raises
        ------
        UnicodeDecodeError
            If it is not in UTF-8: `lines` knows more encodings.
        """
        decoder = codecs.getincrementaldecoder("utf-8-sig")()
        rest = ""
        while data := self._stream.read(_BLOCK):
            self._digest.update(data)
            text = rest + decoder.decode(data)
            behind = text[len(text.rstrip("\r")) :]  # half an end of a line, perhaps
            text = _with_plain_ends(text.removesuffix(behind) if behind else text)
            whole, end, rest = text.rpartition("\n")
            rest += behind
            if end:
                yield whole.split("\n")
        rest += decoder.decode(b"", final=True)
        log("debug", "read %s", self._path)
        yield lines_of(rest)

    def lines(self) -> list[str]:
        """Return all lines, whatever has been read before.

        Raises
        ------
        FileFormatError
            If it is no text.
        """
        self._stream.seek(0)
        data = self._stream.read()
        self._digest = hashlib.sha256(data)
        return lines_of(text_of(self._path, data))
