"""The grammars of the seven CEINMS documents, and plain words for what breaks them.

The grammars are XML schemas in ``schemas/``, one per document. They describe CEINMS 0.9 plus what
later versions and this package add to it: such elements have an attribute ``ct:since`` there. Every
file that CEINMS 0.9 accepts is valid.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from lxml import etree

from ceinms_torch.errors import FileFormatError, Place, did_you_mean, nearest

SCHEMAS = Path(__file__).parent / "schemas"
_XS = "{http://www.w3.org/2001/XMLSchema}"
_SINCE = "{ceinms-torch}since"
# CEINMS's manual has these names for what its programs call otherwise.
_OF_THE_MANUAL = {"trackedMuscles": "adjustMTUs", "predictedMuscles": "synthMTUs"}

Element = etree._Element  # noqa: SLF001  lxml's own name for the type it hands out


def line_of(node: Element) -> int | None:
    """Return the line of an element's start tag.

    Parameters
    ----------
    node : Element
        Any element.

    Returns
    -------
    int or None
        From 1; None for elements made in memory.
    """
    return cast("int | None", node.sourceline)


def is_element(node: Element) -> bool:
    """Tell an element from a comment or processing instruction, whose tag is a function.

    Parameters
    ----------
    node : Element
        A child of an element.

    Returns
    -------
    bool
    """
    return isinstance(cast("object", node.tag), str)


_VALUE_WORDS = {
    "xs:double": "a number",
    "xs:int": "a whole number",
    "numberList": "numbers separated by blanks",
    "nameList": "names separated by blanks",
    "numberOfSynergies": "a whole number or auto",
}
_PREFIX = re.compile(r"^Element '[^']*'(?:, attribute '[^']*')?: ")
_UNEXPECTED = re.compile(
    r"This element is not expected\.(?: Expected is (?:one of )?\( (.*) \)\.)?"
)
_MISSING = re.compile(r"Missing child element\(s\)\. Expected is (?:one of )?\( (.*) \)\.")
_ENUMERATION = re.compile(r"The value '(.*)' is not an element of the set \{(.*)\}\.", re.S)
_VALUE = re.compile(r"'(.*)' is not a valid value of the .*type '(.*?)'\.", re.S)
_EXTRA_ATTRIBUTE = re.compile(r"The attribute '(.*)' is not allowed\.")
_NO_ATTRIBUTE = re.compile(r"The attribute '(.*)' is required but missing\.")


@dataclass(frozen=True, eq=False)
class Grammar:
    """One schema, ready to validate, and what messages need to know about it.

    Parameters
    ----------
    root : str
        Name of the document's root element.
    names : frozenset of str
        Names of all elements that occur anywhere in the grammar.
    content : dict of str to list of str
        For each element with children: their names in the order of the grammar.
    outline : dict of str to str
        For each element with children: the same as a sentence.
    attributes : dict of str to list of str
        For each element with attributes: their names.
    since : dict of str to str
        For elements that CEINMS 0.9 does not have: the version that brought them, "0.10" or
        "ceinms-torch".
    optional : frozenset of str
        Names of elements that may be left out wherever they may be.
    schema : etree.XMLSchema
        The compiled schema.
    """

    root: str
    names: frozenset[str]
    content: dict[str, list[str]]
    outline: dict[str, str]
    attributes: dict[str, list[str]]
    since: dict[str, str]
    optional: frozenset[str]
    schema: etree.XMLSchema


@functools.cache
def load_grammar(name: str) -> Grammar:
    """Load one of the grammars.

    Parameters
    ----------
    name : str
        Stem of a file in ``schemas/``, e.g. "subject".

    Returns
    -------
    Grammar
    """
    tree = etree.parse(SCHEMAS / f"{name}.xsd")
    top = tree.getroot()
    types = {str(node.get("name")): node for node in top.findall(f"{_XS}complexType")}
    content: dict[str, list[str]] = {}
    outline: dict[str, str] = {}
    attributes: dict[str, list[str]] = {}
    declarations = list(top.iter(f"{_XS}element"))
    for node in declarations:
        kind = node.find(f"{_XS}complexType")
        if kind is None:
            kind = types.get(str(node.get("type")))
        if kind is None:
            continue
        tag = str(node.get("name"))
        attributes[tag] = [str(attribute.get("name")) for attribute in kind.iter(f"{_XS}attribute")]
        particle = next((child for child in kind if child.tag in _PARTICLES), None)
        if particle is not None:
            content[tag] = _names_in(particle)
            outline[tag] = _sentence(tag, particle)
    root = top.find(f"{_XS}element")
    assert root is not None  # noqa: S101  a broken installation, not a user's file
    needed = {str(node.get("name")) for node in declarations if node.get("minOccurs") != "0"}
    return Grammar(
        root=str(root.get("name")),
        names=frozenset(str(node.get("name")) for node in declarations),
        content=content,
        outline=outline,
        attributes=attributes,
        since={
            str(node.get("name")): str(node.get(_SINCE)) for node in top.iter() if node.get(_SINCE)
        },
        optional=frozenset(str(node.get("name")) for node in declarations) - needed,
        schema=etree.XMLSchema(tree),
    )


_PARTICLES = (f"{_XS}sequence", f"{_XS}choice", f"{_XS}all")


def _names_in(particle: Element) -> list[str]:
    names: list[str] = []
    for child in particle:
        if child.tag in _PARTICLES:
            names += _names_in(child)
        elif child.tag == f"{_XS}element":
            names.append(str(child.get("name")))
    return names


def _sentence(tag: str, particle: Element) -> str:
    words = _words(particle)
    if particle.tag == f"{_XS}choice":
        any_order = particle.get("maxOccurs") == "unbounded"
        return f"Inside <{tag}>, in any order: {words}" if any_order else f"Inside <{tag}>: {words}"
    if particle.tag == f"{_XS}all":
        return f"Inside <{tag}>, in any order, each once: {words}"
    return f"The order inside <{tag}> is {words}"


def _words(particle: Element) -> str:
    parts = []
    for child in particle:
        if child.tag in _PARTICLES:
            parts.append(_words(child) + (" (optional)" if child.get("minOccurs") == "0" else ""))
        elif child.tag == f"{_XS}element":
            optional = " (optional)" if child.get("minOccurs") == "0" else ""
            parts.append(f"{child.get('name')}{optional}")
    one_of = particle.tag == f"{_XS}choice" and particle.get("maxOccurs") != "unbounded"
    return (" or " if one_of else ", ").join(parts)


PassedOver = Mapping[Element, Sequence[Element]]


def validate(root: Element, grammar: Grammar, path: Path, passed_over: PassedOver) -> None:
    """Check a document against its grammar.

    Parameters
    ----------
    root : Element
        Root of a copy of the document without its unknown elements.
    grammar : Grammar
        The grammar to follow.
    path : Path
        The file, for messages.
    passed_over : mapping of Element to sequence of Element
        The unknown elements by the element of the copy that they were in, for hints.

    Raises
    ------
    FileFormatError
        At the first departure, naming line, element, what was expected and what is there.
    """
    if root.tag != grammar.root:
        raise FileFormatError(
            where=Place(path, line_of(root), "root element"),
            expected=f"<{grammar.root}>",
            got=f"<{root.tag}>",
            hint=did_you_mean(str(root.tag), [grammar.root])
            or "This may be another document than the one asked for",
        )
    if grammar.schema.validate(root):
        return
    # The log is in document order except that a parent's missing child comes after its children.
    entry = cast("Any", grammar.schema.error_log)[0]  # the stubs know nothing of the log
    found = root.getroottree().xpath(entry.path) if entry.path else []
    node = found[0] if isinstance(found, list) and found else root
    assert isinstance(node, Element)  # noqa: S101  the path was made by the validator
    raise _explain(entry.message, node, grammar, path, passed_over)


def _explain(
    message: str, node: Element, grammar: Grammar, path: Path, passed_over: PassedOver
) -> FileFormatError:
    tag = str(node.tag)
    message = _PREFIX.sub("", message)
    if match := _UNEXPECTED.search(message):
        return _explain_unexpected(match[1], node, grammar, path, passed_over)
    if match := _MISSING.search(message):
        listed = match[1].split(", ")
        expected = [name for name in listed if name not in grammar.optional] or listed
        hint = _hint(grammar, node, passed_over, grammar.outline.get(tag))
        expected_text = f"{_one_of(expected)} inside <{tag}>"
        return _error(path, node, expected_text, "no such element", hint)
    for pattern, explain in _EXPLAIN_VALUE.items():
        if match := pattern.search(message):
            expected_text, got, hint = explain(match, grammar.attributes.get(tag, []))
            return _error(path, node, expected_text, got, hint)
    if "Character content" in message:
        return _error(path, node, "no text between the tags", "text", grammar.outline.get(tag))
    return _error(path, node, "what the grammar asks for", message.rstrip("."))


_Explained = tuple[str, str, str | None]  # expected, got, hint


def _explain_enumeration(match: re.Match[str], _attributes: list[str]) -> _Explained:
    allowed = [value.strip(" '") for value in match[2].split(",")]
    return f"one of {', '.join(allowed)}", f"'{match[1]}'", did_you_mean(match[1], allowed)


def _explain_value(match: re.Match[str], _attributes: list[str]) -> _Explained:
    return _VALUE_WORDS.get(match[2], match[2]), f"'{match[1]}'", None


def _explain_no_attribute(match: re.Match[str], _attributes: list[str]) -> _Explained:
    return f"the attribute '{match[1]}'", "no such attribute", None


def _explain_extra_attribute(match: re.Match[str], attributes: list[str]) -> _Explained:
    allowed = " or ".join(map(repr, attributes))
    expected = f"the attribute {allowed}" if allowed else "no attribute"
    return expected, f"the attribute '{match[1]}'", did_you_mean(match[1], attributes)


_EXPLAIN_VALUE: dict[re.Pattern[str], Callable[[re.Match[str], list[str]], _Explained]] = {
    _ENUMERATION: _explain_enumeration,
    _VALUE: _explain_value,
    _NO_ATTRIBUTE: _explain_no_attribute,
    _EXTRA_ATTRIBUTE: _explain_extra_attribute,
}


def _explain_unexpected(
    listed: str | None, node: Element, grammar: Grammar, path: Path, passed_over: PassedOver
) -> FileFormatError:
    tag = str(node.tag)
    parent = node.getparent()
    assert parent is not None  # noqa: S101  the root has been checked before
    inside = str(parent.tag)
    expected = listed.split(", ") if listed else []
    words = _one_of(expected) if expected else f"</{inside}>"
    hint = grammar.outline.get(inside)
    if tag not in grammar.content.get(inside, []):
        hint = did_you_mean(tag, grammar.content.get(inside, [])) or hint
    hint = _hint(grammar, parent, passed_over, hint)
    return _error(path, node, f"{words} at this place", f"<{tag}>", hint)


def _hint(
    grammar: Grammar, parent: Element, passed_over: PassedOver, otherwise: str | None
) -> str | None:
    """Name the unknown elements that were passed over in an element: one may be what is missing."""
    sentences, is_found = [], False
    for other in passed_over.get(parent, ()):
        tag, there = str(other.tag), f"Line {other.sourceline} has <{other.tag}>"
        match = nearest(tag, grammar.content.get(str(parent.tag), []))
        if tag in _OF_THE_MANUAL:
            sentences.append(f"{there}, as the manual of CEINMS: write <{_OF_THE_MANUAL[tag]}>.")
        elif match:
            sentences.append(f"{there}: did you mean <{match}>?")
        else:
            sentences.append(f"{there}, which is not known and was passed over.")
        is_found |= match is not None or tag in _OF_THE_MANUAL
    return " ".join(sentences + ([] if is_found or not otherwise else [otherwise])) or None


def _one_of(names: list[str]) -> str:
    return " or ".join(f"<{name}>" for name in names)


def _error(
    path: Path, node: Element, expected: str, got: str, hint: str | None = None
) -> FileFormatError:
    return FileFormatError(
        where=Place(path, line_of(node), f"<{node.tag}>"), expected=expected, got=got, hint=hint
    )
