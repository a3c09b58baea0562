"""CEINMS XML documents: reading with a check against the grammar, and writing back.

Elements that occur nowhere in the grammar (say ``labNotes``) are reported once, left out
of the check, and kept on writing. Errors name the file, the line and the element.
"""

from __future__ import annotations

import copy
import io
import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import etree

from ceinms_torch.errors import CeinmsTorchWarning, FileFormatError, Place, did_you_mean
from ceinms_torch.io.grammar import Element, Grammar, is_element, line_of, load_grammar, validate
from ceinms_torch.io.paths import write_atomically
from ceinms_torch.io.source import Source, decode, read_source
from ceinms_torch.io.xml_node import XmlNode

_DECLARATION = re.compile(r"<\?xml\s[^>]*\?>")


@dataclass(frozen=True, eq=False)
class XmlDocument:
    """A parsed XML file that can be written back.

    Parameters
    ----------
    path : Path
        The file it was read from or is meant for.
    schema : str
        Name of its grammar, a file stem in ``schemas/``.
    root : XmlNode
        The root element, unknown elements and comments included.
    sha256 : str
        Digest of the bytes that were read; empty for a document made in memory.
    """

    path: Path
    schema: str
    root: XmlNode
    sha256: str = ""

    @property
    def source(self) -> Source:
        """The file as it was read."""
        return Source(self.path, self.sha256)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Check the document against its grammar and write it in one step.

        Parameters
        ----------
        path : path-like
            The file to write; its folder is created if needed.

        Raises
        ------
        FileFormatError
            If the document does not follow its grammar; nothing is written then.
        """
        _validate_known(self.root.element, load_grammar(self.schema), Path(path))
        tree = self.root.element.getroottree()
        body = io.BytesIO()
        tree.write(body, xml_declaration=False, encoding="UTF-8")
        declaration = b'<?xml version="1.0" encoding="UTF-8"?>\n'
        write_atomically(path, declaration + body.getvalue().rstrip(b"\n") + b"\n")

    def since(self, version: str) -> tuple[str, ...]:
        """Return the names of its elements that a version brought.

        Parameters
        ----------
        version : str
            "0.10" for CEINMS 0.10, or "ceinms-torch" for this package.

        Returns
        -------
        tuple of str
            In the order of the file, each once.
        """
        brought = load_grammar(self.schema).since
        tags = (str(node.tag) for node in self.root.element.iter() if is_element(node))
        return tuple(dict.fromkeys(tag for tag in tags if brought.get(tag) == version))

    def remove(self, *versions: str) -> tuple[str, ...]:
        """Remove the elements that versions brought, and unknown ones.

        Parameters
        ----------
        *versions : str
            As in `since`.

        Returns
        -------
        tuple of str
            Names of what was removed, each once.
        """
        grammar = load_grammar(self.schema)
        names: dict[str, None] = {}
        root = self.root.element
        nodes = _unknown_elements(root, grammar)
        nodes += [node for node in root.iter() if grammar.since.get(str(node.tag)) in versions]
        for node in nodes:
            names[str(node.tag)] = None
            _remove(node)
        return tuple(names)

    def indent(self) -> None:
        """Lay the whole document out, two blanks a level."""
        etree.indent(self.root.element, space="  ")

    def __reduce__(self) -> tuple[Any, ...]:
        # Elements of lxml belong to a tree in memory: copies and pickles are made of its text.
        root = self.root.element
        lines = [line_of(node) or 0 for node in root.iter()]
        text = etree.tostring(root.getroottree())
        return _restored, (self.path, self.schema, self.sha256, text, lines)


def _restored(path: Path, schema: str, sha256: str, text: bytes, lines: list[int]) -> XmlDocument:
    root = etree.fromstring(text, _parser())
    for node, line in zip(root.iter(), lines, strict=True):
        node.sourceline = line
    return XmlDocument(path, schema, XmlNode(root, path), sha256)


def open_document(path: str | os.PathLike[str], *schemas: str) -> XmlDocument:
    """Read an XML file, whatever is in it.

    Parameters
    ----------
    path : path-like
        The file.
    *schemas : str
        As in `read_document`.

    Returns
    -------
    XmlDocument
        Not yet checked against its grammar.

    Raises
    ------
    FileFormatError
        If the file is missing or not well-formed.
    """
    path = Path(path)
    root, source = _parse(path)
    # Subjects of CEINMS and of CEINMS-RT have the same root: what is in it tells them apart.
    inside = {str(child.tag) for child in root if is_element(child)}

    def fit(schema: str) -> tuple[bool, int]:
        grammar = load_grammar(schema)
        is_root = grammar.root == root.tag
        return is_root, len(inside & set(grammar.content[grammar.root])) if is_root else 0

    return XmlDocument(path, max(schemas, key=fit), XmlNode(root, path), source.sha256)


def read_document(path: str | os.PathLike[str], *schemas: str, strict: bool = False) -> XmlDocument:
    """Read an XML file and check it against its grammar.

    Parameters
    ----------
    path : path-like
        The file.
    *schemas : str
        Name of the grammar, a file stem in ``schemas/``. Of several, the one with the file's root
        element and most of what is in it is taken, or else the first.
    strict : bool
        Whether elements that occur nowhere in the grammar are errors, too.

    Returns
    -------
    XmlDocument

    Raises
    ------
    FileFormatError
        If the file is missing, not well-formed, or does not follow the grammar.

    Warns
    -----
    CeinmsTorchWarning
        Once per file, if it has elements that occur nowhere in the grammar.
    """
    return checked(open_document(path, *schemas), strict=strict)


def checked(document: XmlDocument, *, strict: bool = False) -> XmlDocument:
    """Check a document against its grammar and return it; see `read_document`."""
    path, root, grammar = document.path, document.root.element, load_grammar(document.schema)
    if strict:
        validate(root, grammar, path, {})
    unknown = _validate_known(root, grammar, path)
    if unknown:
        named = ", ".join(f"<{node.tag}> (line {node.sourceline})" for node in unknown)
        hints = (did_you_mean(str(node.tag), grammar.names) for node in unknown)
        advice = next(filter(None, hints), "They are kept on writing.")
        text = f"elements that CEINMS does not know are ignored: {named}. {advice}"
        warnings.warn(CeinmsTorchWarning(text, "unknown-element", path), stacklevel=4)
    return document


def read_root(path: str | os.PathLike[str]) -> XmlNode:
    """Return an XML file's root element, whatever the document is and however faulty.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    XmlNode

    Raises
    ------
    FileFormatError
        If the file is missing or not well-formed.
    """
    return XmlNode(_parse(Path(path))[0], Path(path))


def _parse(path: Path) -> tuple[Element, Source]:
    """Parse a file, without reaching for any other."""
    data, source = read_source(path, "an XML file")
    try:
        root = etree.fromstring(data, _parser())
    except etree.XMLSyntaxError as error:
        root = _parse_otherwise_encoded(data)
        if root is None:
            raise FileFormatError(
                where=Place(path, error.lineno, "XML"),
                expected="a well-formed XML document",
                got=f"'{error.msg}'",
                hint="Check the tags around this line",
            ) from error
    if root.getroottree().docinfo.internalDTD is not None:
        before, found, _ = data.partition(b"<!DOCTYPE")
        raise FileFormatError(
            where=Place(path, before.count(b"\n") + 1 if found else None, "<!DOCTYPE>"),
            expected="elements and attributes in plain sight",
            got="a document type, which can add attributes to elements that have none",
            hint="Delete everything from <!DOCTYPE to the > that closes it",
        )
    return root, source


def _parse_otherwise_encoded(data: bytes) -> Element | None:
    """Parse a document whose declaration is wrong: of its encoding, or behind an empty line."""
    try:
        text = _DECLARATION.sub("", decode(data), count=1)
        return etree.fromstring(text.encode(), _parser(encoding="utf-8"))
    except (UnicodeDecodeError, etree.XMLSyntaxError):
        return None


def _parser(encoding: str | None = None) -> etree.XMLParser:
    # Files come from other people: no entity of theirs may read from disk or network.
    return etree.XMLParser(
        encoding=encoding, resolve_entities=False, no_network=True, load_dtd=False
    )


def _validate_known(root: Element, grammar: Grammar, path: Path) -> list[Element]:
    """Validate without the unknown elements; return them."""
    unknown = _unknown_elements(root, grammar)
    stripped = copy.deepcopy(root)
    passed_over: dict[Element, list[Element]] = {}
    for node, original in zip(_unknown_elements(stripped, grammar), unknown, strict=True):
        passed_over.setdefault(_remove(node), []).append(original)
    _put_in_place(stripped, grammar)
    validate(stripped, grammar, path, passed_over)
    return unknown


def _put_in_place(root: Element, grammar: Grammar) -> None:
    """Move what later versions of CEINMS brought to the place that the grammar has for it."""

    # Nobody has their grammars: files show these elements in one place or another.
    def has_place(node: Element) -> bool:
        parent = node.getparent()
        known = parent is not None and node.tag in grammar.content.get(str(parent.tag), [])
        return known and grammar.since.get(str(node.tag)) == "0.10"

    nodes = [node for node in root.iter() if has_place(node)]
    for node, parent in [(node, _remove(node)) for node in nodes]:
        order = grammar.content[str(parent.tag)]
        behind = order[order.index(str(node.tag)) + 1 :]
        place = next((i for i, child in enumerate(parent) if child.tag in behind), len(parent))
        parent.insert(place, node)


def _unknown_elements(root: Element, grammar: Grammar) -> list[Element]:
    """Return the topmost elements below the root whose name the grammar does not have."""
    found: list[Element] = []
    for child in root:
        if not is_element(child):
            continue
        if child.tag in grammar.names:
            found += _unknown_elements(child, grammar)
        else:
            found.append(child)
    return found


def _remove(node: Element) -> Element:
    """Remove an element but not the text behind it, and return what it was in."""
    parent = node.getparent()
    assert parent is not None  # noqa: S101  roots are never unknown here
    previous = node.getprevious()
    if node.tail and previous is not None:
        previous.tail = (previous.tail or "") + node.tail
    elif node.tail:
        parent.text = (parent.text or "") + node.tail
    parent.remove(node)
    return parent


def new_document(schema: str, path: str | os.PathLike[str]) -> XmlDocument:
    """Start an empty document.

    Parameters
    ----------
    schema : str
        Name of its grammar, a file stem in ``schemas/``.
    path : path-like
        The file it is meant for.

    Returns
    -------
    XmlDocument
        With the root element only.
    """
    root = etree.Element(load_grammar(schema).root)
    return XmlDocument(Path(path), schema, XmlNode(root, Path(path)))


def write_new(document: XmlDocument, original: XmlDocument | None) -> None:
    """Indent and write a document made in memory.

    Parameters
    ----------
    document : XmlDocument
        The document, with the path to write to.
    original : XmlDocument, optional
        The document it replaces: unknown elements are taken over from there.

    Raises
    ------
    FileFormatError
        If the document does not follow its grammar.
    """
    if original is not None:
        _graft_unknown(original, document)
    document.indent()
    document.write(document.path)


def _graft_unknown(source: XmlDocument, target: XmlDocument) -> None:
    """Copy unknown elements to the same place: same ancestors, behind the same known sibling."""
    for node in _unknown_elements(source.root.element, load_grammar(source.schema)):
        parent = node.getparent()
        assert parent is not None  # noqa: S101  roots are never unknown here
        new_parent = _counterpart(parent, target.root.element)
        if new_parent is None:
            new_parent = target.root.element
        previous = node.getprevious()
        known = None if previous is None else _counterpart(previous, target.root.element)
        index = 0 if previous is None else len(new_parent)
        if known is not None and known.getparent() is new_parent:
            index = new_parent.index(known) + 1
        clone = copy.deepcopy(node)
        clone.tail = None
        new_parent.insert(index, clone)


def _counterpart(node: Element, root: Element) -> Element | None:
    """Find the element at the same place of another document."""
    parent = node.getparent()
    if parent is None:
        return root
    holder = _counterpart(parent, root)
    if holder is None or not is_element(node):
        return None
    order = [child for child in parent if child.tag == node.tag].index(node)
    same = [child for child in holder if child.tag == node.tag]
    return same[order] if order < len(same) else None
