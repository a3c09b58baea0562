"""What settings have in common: their names in files, and checks of their values."""

from __future__ import annotations

import functools
import math
import re
import types
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    Self,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from ceinms_torch.errors import OptionError, did_you_mean
from ceinms_torch.io.xml_node import XmlNode, number_text
from ceinms_torch.model.parameters import Interval

# What a setting may be is said by its type.
Finite = Annotated[float, Interval()]
Positive = Annotated[float, Interval(low=0.0, without_low=True)]
NotNegative = Annotated[float, Interval(low=0.0)]
Count = Annotated[int, Interval(low=1)]
# As far as the compiled modules count.
_LARGEST = 2**31 - 1


class Settings:
    """What all settings of a file have in common: their names there, and checks of their values.

    An XML name is the Python name in camel case, ``max_iterations`` being ``maxIterations``, unless
    `xml_names` has another one. A value is checked by the type of its field.
    """

    xml_names: ClassVar[Mapping[str, str]] = {}

    def __post_init__(self) -> None:
        """Check every value."""
        types_of = self._types()
        for name, attribute in self._attributes().items():
            check_setting(name, getattr(self, attribute), types_of[attribute])

    @classmethod
    @functools.cache
    def _types(cls) -> dict[str, Any]:
        return get_type_hints(cls, include_extras=True)

    @classmethod
    @functools.cache
    def _attributes(cls) -> dict[str, str]:
        """Return the Python name of every setting by its XML name."""
        names = [field.name for field in fields(cls)]  # type: ignore[arg-type]  # a dataclass below
        return {
            cls.xml_names.get(name, re.sub(r"_(.)", lambda match: match[1].upper(), name)): name
            for name in names
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the settings under their XML names.

        Returns
        -------
        dict of str to float, int, str or tuple of str
        """
        return {name: getattr(self, attribute) for name, attribute in self._attributes().items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make the settings from their XML names; others keep their default.

        Parameters
        ----------
        values : mapping of str to object
            Any of the XML names.

        Returns
        -------
        Settings
            Of the same type.

        Raises
        ------
        OptionError
            If a name is unknown or a value outside its range.
        """
        attributes = cls._attributes()
        check_names(values, attributes)
        return cls(**{attributes[name]: value for name, value in values.items()})

    @classmethod
    def read_from(cls, node: XmlNode) -> Self:
        """Read an element that holds the settings; one without a default must be there.

        Parameters
        ----------
        node : XmlNode
            The element.

        Returns
        -------
        Settings
            Of the same type.

        Raises
        ------
        FileFormatError
            If a setting is missing or outside its range.
        """
        values: dict[str, Any] = {}
        for name, attribute in cls._attributes().items():
            # A dataclass leaves a default, and nothing else, as an attribute of the class.
            child = node.find(name) if hasattr(cls, attribute) else node.child(name)
            if child is not None:
                values[attribute] = _read_setting(child, cls._types()[attribute])
        try:
            return cls(**values)
        except OptionError as error:
            raise node.error("settings within their ranges", f"'{error}'") from error

    def write_to(self, node: XmlNode, *, with_defaults: bool = True) -> None:
        """Write the settings into an element.

        Parameters
        ----------
        node : XmlNode
            The element.
        with_defaults : bool
            Whether to write those, too, that are at a default.
        """
        for name, attribute in self._attributes().items():
            value = getattr(self, attribute)
            if value is None or (
                not with_defaults and value == getattr(type(self), attribute, None)
            ):
                continue
            texts = value if isinstance(value, tuple) else (value,)
            node.add(
                name, " ".join(one if isinstance(one, str) else number_text(one) for one in texts)
            )


def check_setting(name: str, value: object, kind: Any) -> None:
    """Check that a setting is what its type says.

    Parameters
    ----------
    name : str
        Name of the setting, for the message.
    value : object
        Its value.
    kind : type
        A number ``Annotated`` with an `Interval`, a ``Literal`` of words, or a union of both; all
        else is taken as it is.

    Raises
    ------
    OptionError
        If it is not.
    """
    if value is None and type(None) in _alternatives(kind):
        return
    for one in _alternatives(kind):
        if get_origin(one) is Literal:
            if one is kind:
                check_choice(name, value, get_args(one))
            elif value in get_args(one):
                return
    for one in _alternatives(kind):
        if get_origin(one) is Annotated:
            number, limits = get_args(one)
            _check_within(name, value, limits, whole=number is int)


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def _read_setting(node: XmlNode, kind: Any) -> Any:
    for one in _alternatives(kind):
        if get_origin(one) is Literal and (one is kind or node.text() in get_args(one)):
            return node.text()
    first = _alternatives(kind)[0]
    if get_origin(first) is tuple:
        return node.names()
    return node.integer() if get_args(first)[0] is int else node.number()


def _check_within(
    name: str, value: object, limits: Interval, *, whole: bool = False, most: int = _LARGEST
) -> None:
    if whole and isinstance(value, int) and value > most:
        raise OptionError(where=name, expected=f"at most {most}", got="more")
    kinds = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or value not in limits:
        expected = str(limits).replace("a number", "a whole number") if whole else str(limits)
        raise OptionError(where=name, expected=expected, got=repr(value))


def check_number(
    name: str,
    value: object,
    *,
    above: float | None = None,
    least: float = -math.inf,
    most: float = math.inf,
) -> None:
    """Check that an option is a finite number within its range.

    Parameters
    ----------
    name : str
        Name of the option, for the message.
    value : float
        Its value.
    above : float, optional
        The value must be greater than this.
    least, most : float
        The value must not be below, or above, this.

    Raises
    ------
    OptionError
        If it is not.
    """
    low, without_low = (least, False) if above is None else (above, True)
    _check_within(name, value, Interval(low=low, high=most, without_low=without_low))


def check_whole(name: str, value: object, *, least: int, most: int = _LARGEST) -> None:
    """Check that an option is a whole number within its range.

    Parameters
    ----------
    name : str
        Name of the option, for the message.
    value : int
        Its value.
    least : int
        Smallest allowed value.
    most : int
        Largest allowed value.

    Raises
    ------
    OptionError
        If it is not.
    """
    _check_within(name, value, Interval(low=least), whole=True, most=most)


def check_choice(name: str, value: object, allowed: Iterable[str]) -> None:
    """Check that an option is one of the allowed words.

    Parameters
    ----------
    name : str
        Name of the option, for the message.
    value : str
        Its value.
    allowed : iterable of str
        The words.

    Raises
    ------
    OptionError
        If it is not.
    """
    words = tuple(allowed)
    if value not in words:
        hint = did_you_mean(str(value), words)
        raise OptionError(
            where=name, expected=f"one of {', '.join(words)}", got=repr(value), hint=hint
        )


def check_names(values: Iterable[str], known: Iterable[str]) -> None:
    """Check that there are no options but those known.

    Parameters
    ----------
    values : iterable of str
        XML names of options.
    known : iterable of str
        All that there are.

    Raises
    ------
    OptionError
        At the first that is not.
    """
    for name in values:
        check_choice("option", name, known)
