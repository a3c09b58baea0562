"""Exceptions and the warning of the package, all with one wording.

Every message reads ``<name>: expected <what>, got <what>. <Hint>.``; for files the name is
``<path>:<line>: <element>``.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any


class CeinmsTorchError(Exception):
    """Base class of every error this package raises on purpose."""


class CeinmsTorchWarning(UserWarning):
    """Something in the input is doubtful and the user can act on it.

    Parameters
    ----------
    message : str
        What, and where.
    code : str
        A short stable name for the kind of doubt, for programs that sort findings.
    """

    def __init__(self, message: str, code: str = "doubtful") -> None:
        self.code = code
        super().__init__(message)


class DataError(CeinmsTorchError, ValueError):
    """Files or arrays that are fine one by one but do not fit together."""


class UnknownNameError(DataError, KeyError):
    """There is no MTU, DOF or column of that name."""

    __str__ = Exception.__str__  # that of KeyError quotes the message


class OptionError(CeinmsTorchError, ValueError):
    """An option has a value outside its allowed range."""


class FileFormatError(CeinmsTorchError, ValueError):
    """A file is missing, unreadable, or does not hold what its format asks for.

    Parameters
    ----------
    path : path-like
        The file to blame.
    line : int, optional
        Line in that file, counted from 1.
    element : str, optional
        XML element, header key or column concerned.
    expected, got : str
        What should be there and what is there.
    hint : str, optional
        What the user can do about it.
    code : str, optional
        A short stable name for the kind of fault, for programs that sort findings.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        line: int | None = None,
        element: str | None = None,
        expected: str,
        got: str,
        hint: str | None = None,
        code: str | None = None,
    ) -> None:
        self.path = Path(path)
        self.line = line
        self.element = element
        self.expected = expected
        self.got = got
        self.hint = hint
        self.code = code
        super().__init__(wording(location(path, line, element), expected, got, hint))

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would call the class with the message alone, which it does not accept; errors
        # must survive the trip between the processes of a batch.
        parts = {
            "line": self.line,
            "element": self.element,
            "expected": self.expected,
            "got": self.got,
            "hint": self.hint,
            "code": self.code,
        }
        return _rebuild, (self.path, parts)


def _rebuild(path: Path, parts: dict[str, Any]) -> FileFormatError:
    return FileFormatError(path, **parts)


def location(
    path: str | os.PathLike[str] | None, line: int | None = None, element: str | None = None
) -> str:
    """Join the known parts of ``<path>:<line>: <element>``.

    Parameters
    ----------
    path : path-like, optional
        File; left out when None (objects made in memory).
    line : int, optional
        Line in the file, from 1.
    element : str, optional
        Name of the XML element, header key or column.

    Returns
    -------
    str
    """
    where = "" if path is None else os.fspath(path)
    if where and line is not None:
        where += f":{line}"
    return ": ".join(part for part in (where, element) if part)


def wording(name: str, expected: str, got: str, hint: str | None = None) -> str:
    """Phrase a message the way every error of the package does.

    Parameters
    ----------
    name : str
        What is wrong: a location, an option or a quantity.
    expected, got : str
        What should be there and what is there, without a full stop.
    hint : str, optional
        One or more sentences of advice.

    Returns
    -------
    str
        ``<name>: expected <what>, got <what>. <Hint>.``
    """
    message = f"{name}: expected {expected}, got {got}."
    if hint:
        hint = hint.strip()
        message += f" {hint[0].upper()}{hint[1:]}"
        if not message.endswith((".", "?", "!")):
            message += "."
    return message


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Find the known name that a misspelt one most probably stands for.

    Parameters
    ----------
    name : str
        The name as given.
    known : iterable of str
        Names that would be right.

    Returns
    -------
    str or None
        The closest known name, case ignored, or None when nothing is close.
    """
    folded: dict[str, str] = {}
    for candidate in known:
        folded.setdefault(candidate.casefold(), candidate)
    matches = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.7)
    return folded[matches[0]] if matches else None


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Phrase the nearest known name as a hint, or return None when nothing is close.

    Parameters
    ----------
    name : str
        The name as given.
    known : iterable of str
        Names that would be right.

    Returns
    -------
    str or None
    """
    match = nearest(name, known)
    return None if match is None else f"Did you mean '{match}'?"


def unknown_name(where: str, what: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """Make the error that a name is not one of those known.

    Parameters
    ----------
    where : str
        Where it was looked up.
    what : str
        What it should be the name of, such as "an MTU".
    name : str
        The name as given.
    known : iterable of str
        Names that would be right.

    Returns
    -------
    UnknownNameError
        For the caller to raise.
    """
    known = list(known)
    hint = did_you_mean(str(name), known) or f"There are {', '.join(known) or 'none'}"
    return UnknownNameError(wording(where, f"the name of {what}", repr(name), hint))


@contextlib.contextmanager
def told_warnings(tell: Callable[[str], None], already: Iterable[str] = ()) -> Iterator[list[str]]:
    """Hand the package's warnings to a function instead of Python's own display.

    Parameters
    ----------
    tell : callable
        Called with each message, once.
    already : iterable of str
        Messages that have been told.

    Yields
    ------
    list of str
        Filled as warnings come; each message once.
    """
    messages = list(dict.fromkeys(already))
    with warnings.catch_warnings():
        warnings.simplefilter("always", CeinmsTorchWarning)
        previous = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *args: object) -> None:
            if not issubclass(category, CeinmsTorchWarning):
                previous(message, category, *args)  # type: ignore[arg-type]  # passed through
            elif str(message) not in messages:
                messages.append(str(message))
                tell(str(message))

        warnings.showwarning = show  # type: ignore[assignment]  # narrower than typeshed's
        yield messages
