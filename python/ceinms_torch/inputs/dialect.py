"""Which programs files were written for, by what is in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ceinms_torch.io.grammar import load_grammar
from ceinms_torch.io.xml_document import XmlDocument
from ceinms_torch.io.xml_node import XmlNode

# Versions of CEINMS that files are written for.
Version = Literal["0.9", "0.21"]


@dataclass(frozen=True)
class Dialect:
    """What files have that those of CEINMS 0.9 do not.

    Parameters
    ----------
    later : tuple of str
        What CEINMS 0.10 and later versions brought.
    own : tuple of str
        What this package brought.
    is_rt : bool
        Whether they are of CEINMS-RT.
    is_paper : bool
        Whether the calibration file is one of the paper's calibrator.
    """

    later: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    is_rt: bool = False
    is_paper: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether they are of CEINMS 0.9, but for what this package brought."""
        return not (self.later or self.is_rt or self.is_paper)

    def __str__(self) -> str:
        """Return the dialect in one line."""
        if self.is_rt:
            return "CEINMS-RT"
        version = f"CEINMS 0.10 or later ({', '.join(self.later)})" if self.later else "CEINMS 0.9"
        version += ", with a calibration file of the paper's calibrator" if self.is_paper else ""
        return version + (f", with {', '.join(self.own)} of ceinms-torch" if self.own else "")


def dialect_of(documents: Iterable[XmlDocument | None]) -> Dialect:
    """Find out which versions files were written for.

    Parameters
    ----------
    documents : iterable of XmlDocument or None
        The files as read.

    Returns
    -------
    Dialect
    """
    later: list[str] = []
    own: list[str] = []
    known = [document for document in documents if document is not None]
    for document in known:
        later += [f"<{name}>" for name in document.since("0.10")]
        own += [f"<{name}>" for name in document.since("ceinms-torch")]
        if document.schema == "execution":
            later += _of_execution(document.root)
    is_rt = any(document.schema == "NMSmodel" for document in known)
    is_paper = any(document.schema == "paperCalibration" for document in known)
    return Dialect(tuple(dict.fromkeys(later)), tuple(dict.fromkeys(own)), is_rt, is_paper)


def _of_execution(root: XmlNode) -> list[str]:
    """Return what a later execution file lacks, or has in another order."""
    found = [] if root.find("online", "offline") else ["neither <online/> nor <offline/>"]
    hybrid = root.child("NMSmodel").child("type").find("hybrid")
    if hybrid is not None:
        order = load_grammar("execution").content["hybrid"]
        places = [order.index(str(child.tag)) for child in hybrid.element if child.tag in order]
        found += ["the order inside <hybrid>"] if places != sorted(places) else []
    return found
