"""Read a ``subject.xml`` into a `Subject`, with the checks CEINMS leaves out."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterable
from itertools import pairwise

from ceinms_torch.errors import CeinmsTorchWarning, did_you_mean, location
from ceinms_torch.io.xml_document import XmlDocument, read_document
from ceinms_torch.io.xml_node import XmlNode
from ceinms_torch.model.parameters import PARAMETER_ATTRIBUTES
from ceinms_torch.model.subject import CURVE_NAMES, Curve, Dof, Mtu, Subject

# An electromechanical delay outside this range [s] is most probably given in other units.
_PLAUSIBLE_DELAY = (0.0, 0.2)

_Check = tuple[Callable[[float], bool], str, str | None]  # test, what is expected, hint
_POSITIVE: _Check = (lambda value: value > 0.0, "a number > 0", None)
_NOT_NEGATIVE: _Check = (lambda value: value >= 0.0, "a number >= 0", None)
_ANGLE: _Check = (
    lambda value: 0.0 <= value < math.pi / 2,
    "an angle from 0 to below pi/2 rad",
    'Angles in degrees need unit="deg"',
)
_CHECKS = {
    "optimalFibreLength": _POSITIVE,
    "pennationAngle": _ANGLE,
    "tendonSlackLength": _POSITIVE,
    "maxIsometricForce": _POSITIVE,
    "maxContractionVelocity": _POSITIVE,
    "strengthCoefficient": _POSITIVE,
    "damping": _NOT_NEGATIVE,
    "percentageChange": _NOT_NEGATIVE,
}


def read_subject(path: str | os.PathLike[str]) -> Subject:
    """Read a ``subject.xml``; see `Subject.read`.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    Subject

    Raises
    ------
    FileFormatError
        If the file does not follow the grammar or a value makes no sense.
    """
    document = read_document(path, "subject")
    subject = subject_from(document)
    _warn_if_doubtful(document.root, subject.mtus)
    return subject


def subject_from(document: XmlDocument) -> Subject:
    """Take the values out of a document that follows the grammar.

    Parameters
    ----------
    document : XmlDocument
        The document.

    Returns
    -------
    Subject

    Raises
    ------
    FileFormatError
        If a value makes no sense.
    """
    root = document.root
    default = root.child("mtuDefault")
    defaults = {
        name: _value(default.child(name)) for name in ("emDelay", "damping", "percentageChange")
    }
    # CEINMS has no element for this default: it is in the program.
    defaults["maxContractionVelocity"] = 10.0
    mtu_nodes = root.child("mtuSet").children("mtu")
    mtus = tuple(_read_mtu(node, defaults) for node in mtu_nodes)
    mtu_names = [mtu.name for mtu in mtus]
    _refuse_repeats(mtu_nodes, mtu_names, "MTU")
    dof_nodes = root.child("dofSet").children("dof")
    dofs = tuple(_read_dof(node, mtu_names) for node in dof_nodes)
    _refuse_repeats(dof_nodes, [dof.name for dof in dofs], "DOF")
    return Subject(
        mtus=mtus,
        dofs=dofs,
        curves=_read_curves(default),
        path=document.path,
        document=document,
    )


def _value(node: XmlNode) -> float:
    """Read one parameter, in SI units, and check its range."""
    value = node.number()
    if node.tag == "pennationAngle" and node.attribute("unit", "rad") == "deg":
        value = math.radians(value)
    passes, expected, hint = _CHECKS.get(node.tag, (None, "", None))
    if passes is not None and not passes(value):
        code = "pennation-unit" if node.tag == "pennationAngle" else "parameter-value"
        raise node.error(expected, node.text(), hint, code=code)
    return value


def _read_mtu(node: XmlNode, defaults: dict[str, float]) -> Mtu:
    values = {}
    for kind, attribute in PARAMETER_ATTRIBUTES.items():
        if kind == "percentageChange":  # only in mtuDefault
            values[attribute] = defaults[kind]
            continue
        child = node.find(kind) if kind in defaults else node.child(kind)
        values[attribute] = defaults[kind] if child is None else _value(child)
    return Mtu(name=_name(node), **values)


def _name(node: XmlNode) -> str:
    name = node.child("name").text()
    if not name or " " in name:
        raise node.child("name").error("a name without blanks", f"'{name}'")
    return name


def _refuse_repeats(nodes: list[XmlNode], names: list[str], what: str) -> None:
    for i, name in enumerate(names):
        if name in names[:i]:
            first = nodes[names.index(name)].line
            raise nodes[i].error(f"every {what} name once", f"'{name}', as in line {first}")


def _read_dof(node: XmlNode, mtu_names: list[str]) -> Dof:
    listing = node.child("mtuNameSet")
    names = listing.names()
    for i, name in enumerate(names):
        if name not in mtu_names:
            raise listing.error(
                "names of MTUs in mtuSet", f"'{name}'", did_you_mean(name, mtu_names)
            )
        if name in names[:i]:
            raise listing.error("every MTU once", f"'{name}' twice")
    return Dof(name=_name(node), mtu_names=names)


def _read_curves(default: XmlNode) -> dict[str, Curve]:
    curves: dict[str, Curve] = {}
    ignored: list[str] = []
    for node in default.children("curve"):
        curve = _read_curve(node)
        if curve.name in curves:
            raise node.error("every curve once", f"'{curve.name}' twice")
        if curve.name in CURVE_NAMES:
            curves[curve.name] = curve
        else:
            ignored.append(curve.name)
    missing = [name for name in CURVE_NAMES if name not in curves]
    if missing and (curves or ignored):
        hint = _first(did_you_mean(name, missing) for name in ignored)
        raise default.error(
            f"all four curves or none ({', '.join(CURVE_NAMES)})",
            f"no {', no '.join(missing)}",
            hint or "Without any curve, smooth standard curves are used",
        )
    return {name: curves[name] for name in CURVE_NAMES if name in curves}


def _read_curve(node: XmlNode) -> Curve:
    x_node, y_node = node.child("xPoints"), node.child("yPoints")
    x, y = x_node.numbers(), y_node.numbers()
    if len(x) < 2:
        raise x_node.error("at least two points", str(len(x)))
    if len(x) != len(y):
        raise y_node.error(f"{len(x)} numbers, one per xPoint", str(len(y)))
    for before, after in pairwise(x):
        if after <= before:
            raise x_node.error("strictly increasing numbers", f"{after:g} after {before:g}")
    return Curve(name=node.child("name").text(), x=x, y=y)


def _warn_if_doubtful(root: XmlNode, mtus: tuple[Mtu, ...]) -> None:
    names = [node.child("name").text() for node in root.child("mtuDefault").children("curve")]
    ignored = [name for name in names if name not in CURVE_NAMES]
    if ignored:
        text = f"curves that CEINMS does not use are ignored: {', '.join(ignored)}"
        _warn(root, text, "curve-ignored")
    unstable = [m.name for m in mtus if abs(m.c1) >= 1.0 or abs(m.c2) >= 1.0]
    if unstable:
        _warn(
            root,
            f"|c1| and |c2| should be below 1, else the activation filter is unstable: "
            f"{', '.join(unstable)}",
            "unstable-filter",
        )
    low, high = _PLAUSIBLE_DELAY
    delayed = [m.name for m in mtus if not low <= m.em_delay <= high]
    if delayed:
        _warn(
            root,
            f"emDelay should be {low:g} to {high:g} s; check the unit (seconds) of: "
            f"{', '.join(delayed)}",
            "delay-implausible",
        )
    if len({mtu.em_delay for mtu in mtus}) > 1:
        _warn(
            root,
            f"emDelay differs between MTUs. Here every MTU has its own; CEINMS 0.9 gives all of "
            f"them that of the first, {mtus[0].name} ({mtus[0].em_delay:g} s)",
            "delays-differ",
        )


def _first(hints: Iterable[str | None]) -> str | None:
    return next((hint for hint in hints if hint), None)


def _warn(node: XmlNode, text: str, code: str) -> None:
    where = location(node.path, node.line, f"<{node.tag}>")
    warnings.warn(CeinmsTorchWarning(f"{where}: {text}.", code), stacklevel=4)
