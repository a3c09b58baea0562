"""Dataclasses as JSON has them, and back by the types of their fields."""

from __future__ import annotations

import functools
import json
import math
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from ceinms_torch.errors import FileFormatError, Place
from ceinms_torch.io.paths import kind_of


def plain(value: Any) -> Any:
    """Return a value as JSON has it: lists, dicts and finite numbers; None for NaN and infinity.

    Parameters
    ----------
    value : object
        Made of dataclasses (those fields that compare), mappings, sequences, arrays, numbers,
        paths, strings and None.

    Returns
    -------
    object
    """
    if is_dataclass(value):
        value = {one.name: getattr(value, one.name) for one in fields(value) if one.compare}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Path):
        return value.as_posix()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def revived(kind: Any, value: Any) -> Any:
    """Return what `plain` was given, by its type.

    Parameters
    ----------
    kind : type
        A dataclass, or a tuple, list, dict or union of types; others are taken as they are.
    value : object
        What `plain` returned.

    Returns
    -------
    object
        NaN for None where there must be a float.

    Raises
    ------
    TypeError, ValueError, AttributeError
        If `plain` has never returned this for such a type.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        others = [one for one in arguments if one is not type(None)]
        return value if value is None or len(others) > 1 else revived(others[0], value)
    if kind is float:
        value = math.nan if value is None else float(_checked((int, float), value))
    elif kind in (str, int, bool):
        value = _checked((kind,), value)
    elif origin is Literal and value not in arguments:
        raise ValueError(f"{value!r} is none of {', '.join(map(repr, arguments))}")
    elif origin is tuple and arguments[-1] is not Ellipsis:
        items = _checked((list, tuple), value)
        value = tuple(revived(*pair) for pair in zip(arguments, items, strict=True))
    elif origin in (tuple, list):
        value = origin(revived(arguments[0], one) for one in _checked((list, tuple), value))
    elif origin in (dict, Mapping):
        key = int if arguments[0] is int else str
        value = {key(name): revived(arguments[1], one) for name, one in value.items()}
    elif is_dataclass(kind) and isinstance(kind, type):
        hints = _hints(kind)
        known = {name: revived(hints[name], one) for name, one in value.items() if name in hints}
        value = kind(**known)
    return value


def _checked(kinds: tuple[type, ...], value: Any) -> Any:
    """Return a value of one of these types; true and false are no numbers."""
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise TypeError(f"{value!r} is no {kinds[0].__name__}")
    return value


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def read_json(path: Path, what: str, hint: str) -> dict[str, Any]:
    """Read a file of results.

    Parameters
    ----------
    path : Path
        The file.
    what : str
        What it should be, for messages.
    hint : str
        What to do if it is not.

    Returns
    -------
    dict

    Raises
    ------
    FileFormatError
        If there is no such file, or no object in it.
    """
    if kind_of(path) == "pipe or device":  # which may be waited for in vain
        raise FileFormatError(where=path, expected=what, got="a pipe or a device", hint=hint)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        got = f"none that can be read ({error.strerror or error})"
        raise FileFormatError(where=path, expected=what, got=got, hint=hint) from error
    except RecursionError as error:
        got = "one that is nested too deeply"
        raise FileFormatError(where=path, expected=what, got=got, hint=hint) from error
    except ValueError as error:  # of the encoding, too
        line = getattr(error, "lineno", None)
        got = getattr(error, "msg", str(error))
        where = Place(path, line)
        raise FileFormatError(where=where, expected="JSON", got=got, hint=hint) from error
    if not isinstance(content, dict):
        raise FileFormatError(where=path, expected=what, got="no object", hint=hint)
    return content
