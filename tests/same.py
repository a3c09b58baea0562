"""Whether two objects of the package hold the same numbers, whatever is inside."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from lxml import etree

from ceinms_torch.io.xml_document import XmlDocument


def assert_same(one, other, *, without=(), where="it"):
    """Compare field by field, number for number.

    Parameters
    ----------
    one, other : object
        Of one type.
    without : collection of str
        Names of fields that may differ.
    where : str
        What is compared, for messages.
    """
    assert type(one) is type(other), where
    if isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other, err_msg=where, strict=True)
    elif isinstance(one, XmlDocument):
        assert text_of(one) == text_of(other), where
    elif dataclasses.is_dataclass(one):
        for item in dataclasses.fields(one):
            if item.name not in without:
                values = (getattr(part, item.name) for part in (one, other))
                assert_same(*values, without=without, where=f"{where}.{item.name}")
    elif isinstance(one, Mapping):
        assert list(one) == list(other), where
        for key in one:
            assert_same(one[key], other[key], without=without, where=f"{where}[{key!r}]")
    elif isinstance(one, Sequence) and not isinstance(one, str):
        assert len(one) == len(other), where
        for i, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, without=without, where=f"{where}[{i}]")
    else:
        assert one == other or (one != one and other != other), where  # noqa: PLR0124  NaN


def text_of(document):
    """Return an XML document as text, with the lines of its elements."""
    root = document.root.element
    return etree.tostring(root.getroottree()), [node.sourceline for node in root.iter()]
