"""An XML element that knows its file: values out of it, values into it, errors that name it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from ceinms_torch.errors import FileFormatError, Place, did_you_mean
from ceinms_torch.io.grammar import Element, is_element, line_of
from ceinms_torch.io.paths import kind_of, missing_file_hint, resolve_path


def number_text(value: float) -> str:
    """Write a number with as many digits as it takes to read the same value back.

    Parameters
    ----------
    value : float
        The number; NumPy's scalars are fine.

    Returns
    -------
    str
    """
    return repr(int(value)) if isinstance(value, int) else repr(float(value))


@dataclass(frozen=True)
class XmlNode:
    """An element together with the file it is in, so that errors can name both.

    Parameters
    ----------
    element : Element
        The lxml element.
    path : Path
        The file it belongs to.
    """

    element: Element
    path: Path

    @property
    def tag(self) -> str:
        """Name of the element."""
        return str(self.element.tag)

    @property
    def line(self) -> int | None:
        """Line of the start tag, from 1; None for elements made in memory."""
        return line_of(self.element)

    @property
    def place(self) -> Place:
        """File, line and name of the element."""
        return Place(self.path, self.line, f"<{self.tag}>")

    def error(
        self, expected: str, got: str, hint: str | None = None, *, code: str | None = None
    ) -> FileFormatError:
        """Make the error that blames this element.

        Parameters
        ----------
        expected, got : str
            What should be there and what is there.
        hint : str, optional
            What the user can do about it.
        code : str, optional
            A short stable name for the kind of fault.

        Returns
        -------
        FileFormatError
            For the caller to raise.
        """
        return FileFormatError(
            where=self.place,
            expected=expected,
            got=got,
            hint=hint,
            code=code,
        )

    def find(self, *names: str) -> XmlNode | None:
        """Return the first child that has one of these names.

        Parameters
        ----------
        *names : str
            Element names.

        Returns
        -------
        XmlNode or None
        """
        found = next((child for child in self.element if child.tag in names), None)
        return None if found is None else XmlNode(found, self.path)

    def child(self, *names: str) -> XmlNode:
        """Return the first child that has one of these names; there must be one.

        Parameters
        ----------
        *names : str
            Element names.

        Returns
        -------
        XmlNode

        Raises
        ------
        FileFormatError
            If there is no such child.
        """
        found = self.find(*names)
        if found is None:
            wanted = " or ".join(f"<{name}>" for name in names)
            given = [str(child.tag) for child in self.element if is_element(child)]
            hint = next(filter(None, (did_you_mean(name, given) for name in names)), None)
            raise self.error(f"{wanted} inside <{self.tag}>", "no such element", hint)
        return found

    def children(self, name: str) -> list[XmlNode]:
        """Return all children of one name, in document order.

        Parameters
        ----------
        name : str
            Element name.

        Returns
        -------
        list of XmlNode
        """
        return [XmlNode(child, self.path) for child in self.element if child.tag == name]

    def text(self) -> str:
        """Return the text with white space collapsed, comments and child elements left out."""
        parts = [self.element.text or "", *(child.tail or "" for child in self.element)]
        return " ".join("".join(parts).split())

    def names(self) -> tuple[str, ...]:
        """Return the text as a list of names separated by white space."""
        return tuple(self.text().split())

    def number(self) -> float:
        """Return the text as a finite number.

        Raises
        ------
        FileFormatError
            If it is anything else.
        """
        return self._finite(self.text())

    def numbers(self) -> tuple[float, ...]:
        """Return the text as finite numbers separated by white space.

        Raises
        ------
        FileFormatError
            If one of them is not.
        """
        return tuple(self._finite(part) for part in self.names())

    def attribute_number(self, name: str) -> float:
        """Return an attribute as a finite number.

        Parameters
        ----------
        name : str
            Name of the attribute.

        Returns
        -------
        float

        Raises
        ------
        FileFormatError
            If it is absent or not a finite number.
        """
        return self._finite(self.attribute(name))

    def _finite(self, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.error("a finite number", f"'{text}'")
        return value

    def integer(self) -> int:
        """Return the text as a whole number.

        Raises
        ------
        FileFormatError
            If it is anything else.
        """
        try:
            return int(self.text())
        except ValueError:
            raise self.error("a whole number", f"'{self.text()}'") from None

    def attribute(self, name: str, default: str | None = None) -> str:
        """Return an attribute with white space collapsed.

        Parameters
        ----------
        name : str
            Name of the attribute.
        default : str, optional
            Value if the attribute is absent.

        Returns
        -------
        str

        Raises
        ------
        FileFormatError
            If it is absent and there is no default.
        """
        value = self.element.get(name, default)
        if value is None:
            raise self.error(f"the attribute '{name}'", "no such attribute")
        return " ".join(str(value).split())

    def file(self, text: str | None = None, *, must_exist: bool = True) -> Path:
        """Return the file this element points at, by the rules of CEINMS.

        Parameters
        ----------
        text : str, optional
            The name as written; the text of the element if None.
        must_exist : bool
            Whether a missing file is an error.

        Returns
        -------
        Path

        Raises
        ------
        FileFormatError
            If the name is empty, or the file is missing and must exist.
        """
        name = self.text() if text is None else text
        if not name.strip('" '):
            raise self.error("a file name", "an empty text")
        path = resolve_path(name, self.path)
        if must_exist and (kind := kind_of(path)) != "file":
            what = "missing" if kind == "nothing" else f"a {kind}"
            got = f"'{path}', which is {what}"
            raise self.error("the name of a file that exists", got, missing_file_hint(path))
        return path

    def set_text(self, text: str) -> None:
        """Replace the text; child elements and comments stay.

        Parameters
        ----------
        text : str
            The new text.
        """
        self.element.text = text
        for child in self.element:
            child.tail = None

    def add(self, name: str, text: str | None = None, **attributes: str) -> XmlNode:
        """Append a child element.

        Parameters
        ----------
        name : str
            Element name.
        text : str, optional
            Its text.
        **attributes : str
            Its attributes.

        Returns
        -------
        XmlNode
            The new child.
        """
        child = etree.SubElement(self.element, name, attributes)
        child.text = text
        return XmlNode(child, self.path)

    def indent(self, level: int) -> None:
        """Lay out this element and what is inside, where the elements around it are laid out.

        Parameters
        ----------
        level : int
            Number of ancestors.
        """
        parent = self.element.getparent()
        if parent is not None and "\n" in (parent.text or ""):
            etree.indent(self.element, space="  ", level=level)
            self.element.tail = "\n" + "  " * (level - 1)

    def insert_after(self, names: Iterable[str], name: str, text: str) -> XmlNode:
        """Insert a child behind the last child that has one of the given names.

        Parameters
        ----------
        names : iterable of str
            Names of elements that come before it in the grammar.
        name : str
            Name of the new element.
        text : str
            Its text.

        Returns
        -------
        XmlNode
            The new child.
        """
        before = set(names)
        after = [child for child in self.element if child.tag in before]
        child = etree.Element(name)
        child.text = text
        if after:
            child.tail = after[-1].tail
            self.element.insert(self.element.index(after[-1]) + 1, child)
        else:
            child.tail = self.element.text
            self.element.insert(0, child)
        return XmlNode(child, self.path)
