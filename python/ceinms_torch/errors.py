"""Exceptions and the warning of the package, all with one wording.

Every message reads ``<name>: expected <what>, got <what>. <Hint>.``; for files the name is
``<path>:<line>: <element>``. It is made from the parts, which programs read instead of it.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True)
class Place:
    """Where in the input something is.

    Parameters
    ----------
    file : Path, optional
        The file; None for options and for objects made in memory.
    line : int, optional
        Line in it, from 1.
    element : str, optional
        XML element, header key, option, quantity or what else is concerned.
    column : str, optional
        Label of a column, or names of MTUs or DOFs.
    trial : str, optional
        The trial, or several separated by commas.
    """

    file: Path | None = None
    line: int | None = None
    element: str | None = None
    column: str | None = None
    trial: str | None = None

    def __str__(self) -> str:
        """Join what is known of ``<path>:<line>: <element>``, or the trial and the element."""
        head = "" if self.file is None else os.fspath(self.file)
        if head and self.line is not None:
            head += f":{self.line}"
        elif not head and self.trial is not None:
            head = f"trial{'s' if ',' in self.trial else ''} {self.trial}"
        # A list of columns is in the finding's own words, too.
        column = None if self.column is None or ", " in self.column else self.column
        return ": ".join(filter(None, (head, ", ".join(filter(None, (self.element, column))))))


def _place(where: Place | Path | str | None) -> Place:
    if where is None or isinstance(where, Place):
        return where or Place()
    return Place(where) if isinstance(where, Path) else Place(element=where)


class CeinmsTorchError(Exception):
    """Base class of every error this package raises on purpose.

    Its text is made from its parts: ``<where>: expected <what>, got <what>. <Hint>.``

    Parameters
    ----------
    where : Place, Path or str
        What is wrong: a place in the input, a file, or the name of an option or a quantity.
    expected, got : str
        What should be there and what is there, without a full stop.
    hint : str, optional
        What the user can do about it: one or more sentences.
    code : str, optional
        A short stable name for the kind of fault, for programs that sort findings.
    """

    def __init__(
        self,
        *,
        where: Place | Path | str,
        expected: str,
        got: str,
        hint: str | None = None,
        code: str | None = None,
    ) -> None:
        self.where = _place(where)
        self.expected = expected
        self.got = got
        self.hint = _sentence(hint)
        self.code = code
        super().__init__(" ".join(filter(None, (f"{self.where}:", self.what, self.hint))))

    @property
    def what(self) -> str:
        """What was expected and what was got, as a sentence."""
        return f"expected {self.expected}, got {self.got}."

    def within(self, *, file: Path | None = None, trial: str | None = None) -> Self:
        """Return the error at a place of which the caller knows more.

        Parameters
        ----------
        file : Path, optional
            The file it is in.
        trial : str, optional
            The trial it is about.

        Returns
        -------
        CeinmsTorchError
            Of the same kind.
        """
        where = replace(self.where, file=file or self.where.file, trial=trial or self.where.trial)
        return type(self)(
            where=where, expected=self.expected, got=self.got, hint=self.hint, code=self.code
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would call the class with the message alone, which it does not accept; errors
        # must survive the trip between the processes of a batch.
        return _unpickled, (type(self), self.args), self.__dict__


def _unpickled(kind: type[CeinmsTorchError], args: tuple[str, ...]) -> CeinmsTorchError:
    return kind.__new__(kind, *args)


def _sentence(text: str | None) -> str | None:
    text = (text or "").strip()
    if not text:
        return None
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


class DataError(CeinmsTorchError, ValueError):
    """Files or arrays that are fine one by one but do not fit together."""


class UnknownNameError(DataError, KeyError):
    """There is no MTU, DOF or column of that name."""

    __str__ = Exception.__str__  # that of KeyError quotes the message


class OptionError(CeinmsTorchError, ValueError):
    """An option has a value outside its allowed range."""


class FileFormatError(CeinmsTorchError, ValueError):
    """A file is missing, unreadable, or does not hold what its format asks for."""


class CeinmsTorchWarning(UserWarning):
    """Something in the input is doubtful and the user can act on it.

    Parameters
    ----------
    what : str
        The doubt: whole sentences.
    code : str
        A short stable name for the kind of doubt, for programs that sort findings.
    where : Place, Path or str, optional
        Where it is, if that is not in the sentences; its text goes in front of them.
    """

    def __init__(
        self, what: str, code: str = "doubtful", where: Place | Path | str | None = None
    ) -> None:
        self.what = what
        self.code = code
        self.where = _place(where)
        super().__init__(f"{self.where}: {what}" if where else what)


def warn_of_threads(asked: int, started: int, *, has_work: bool) -> None:
    """Say that there are fewer threads than were asked for.

    Parameters
    ----------
    asked : int
        How many were asked for.
    started : int
        How many there are.
    has_work : bool
        Whether there was work for more, and the system let no more start.

    Warns
    -----
    CeinmsTorchWarning
    """
    why = "there is no work for more."
    if has_work:
        why = (
            "the system lets no more start. Results are the same, and come later. Ask for fewer "
            "threads, or allow the process more of them or more memory."
        )
    text = f"{started} of {asked} threads: {why}"
    warnings.warn(CeinmsTorchWarning(text, "threads"), stacklevel=3)


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


def unknown_name(
    where: Place | Path | str, what: str, name: str, known: Iterable[str]
) -> UnknownNameError:
    """Make the error that a name is not one of those known.

    Parameters
    ----------
    where : Place, Path or str
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
    return UnknownNameError(where=where, expected=f"the name of {what}", got=repr(name), hint=hint)


def engine_error(message: str) -> DataError:
    """Make the error that LibTorch's engine refuses what it was given; its module calls it.

    Parameters
    ----------
    message : str
        ``<name>: expected <what>, got <what>.``

    Returns
    -------
    DataError
        To be raised.
    """
    where, _, what = message.strip().removesuffix(".").partition(": expected ")
    expected, _, got = what.partition(", got ")
    if not expected:
        return DataError(where="engine", expected="what it can compute", got=where)
    return DataError(where=where, expected=expected, got=got or "something else")


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
