"""An XML element that knows its file: values out of it, values into it, errors that name it."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
            hint = hint or f"There are {', '.join(f'<{tag}>' for tag in given) or 'none'}"
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

    def elements(self) -> list[XmlNode]:
        """Return all child elements, in document order.

        Returns
        -------
        list of XmlNode
        """
        return [XmlNode(child, self.path) for child in self.element if is_element(child)]

    def descendants(self, name: str) -> list[XmlNode]:
        """Return all elements of one name inside this one, in document order.

        Parameters
        ----------
        name : str
            Element name.

        Returns
        -------
        list of XmlNode
        """
        return [XmlNode(found, self.path) for found in self.element.iter(name)]

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

    def named_file(self, name: str) -> Path | None:
        """Return a file that is only named, not used, so that it need not exist.

        Parameters
        ----------
        name : str
            Name of the child element with its name.

        Returns
        -------
        Path or None
            None without the element, and where it is empty.
        """
        node = self.find(name)
        return None if node is None or not node.text() else node.file(must_exist=False)

    def files(self, *, must_exist: bool = True) -> tuple[Path, ...]:
        """Return the files of a list that is separated by blanks.

        A name with blanks is in pieces then: they are taken together where they name a file, and
        else up to the next that ends with ``.xml``.

        Parameters
        ----------
        must_exist : bool
            Whether a missing file is an error.

        Returns
        -------
        tuple of Path

        Raises
        ------
        FileFormatError
            If a file is missing and must exist.
        """
        words, files = list(self.names()), []
        while words:
            n_word = self._words_of_file(words)
            files.append(self.file(" ".join(words[:n_word]), must_exist=must_exist))
            del words[:n_word]
        return tuple(files)

    def _words_of_file(self, words: list[str]) -> int:
        """Return how many words at the beginning of a list are one name."""
        lengths = range(1, len(words) + 1)
        names = [" ".join(words[:n]) for n in lengths]
        for n, name in zip(lengths, names, strict=True):
            if name.strip('" ') and resolve_path(name, self.path).is_file():
                return n
        ends = (n for n in lengths if words[n - 1].strip('"').casefold().endswith(".xml"))
        return next(ends, 1)

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

    def insert(self, name: str, text: str, order: Sequence[str]) -> XmlNode:
        """Insert a child in front of those that come behind it in the grammar.

        Parameters
        ----------
        name : str
            Name of the new element.
        text : str
            Its text.
        order : sequence of str
            Names of all elements that may be in this one, in order; `name` among them.

        Returns
        -------
        XmlNode
            The new child.
        """
        behind = order[order.index(name) + 1 :]
        place = next((i for i, child in enumerate(self.element) if child.tag in behind), None)
        child = etree.Element(name)
        child.text = text
        if place is None:
            place = len(self.element)
        child.tail = self.element[place - 1].tail if place else self.element.text
        self.element.insert(place, child)
        return XmlNode(child, self.path)
