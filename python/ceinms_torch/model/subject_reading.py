"""Read a ``subject.xml`` into a `Subject`, with the checks CEINMS leaves out."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterable, Sequence

from ceinms_torch.errors import CeinmsTorchWarning, FileFormatError, OptionError, did_you_mean
from ceinms_torch.io.grammar import load_grammar
from ceinms_torch.io.xml_document import XmlDocument, checked, open_document
from ceinms_torch.io.xml_node import XmlNode
from ceinms_torch.model.parameters import PARAMETERS, ParameterKind
from ceinms_torch.model.subject import CURVE_NAMES, Curve, Dof, Mtu, Subject


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
        If the file does not follow the grammar or a value makes no sense, or is one of CEINMS-RT.
    """
    document = open_document(path, "subject", "NMSmodel")
    if document.schema == "NMSmodel":
        radians = angles_in_radians(document.root)
        angles = f"; its angles, {radians}, look like radians, add --angles rad" if radians else ""
        raise FileFormatError(
            where=document.root.place,
            expected="a subject of CEINMS (<mtuDefault>, <mtuSet>, <dofSet>)",
            got="one of CEINMS-RT (<muscleDefault>, <muscles>, <DoFs>)",
            hint=f"Make the files of CEINMS of it with `ceinms-torch convert {document.path}`"
            f"{angles}. Then name its subject.xml and excitationGenerator.xml in the setup file",
            code="subject-of-rt",
        )
    subject = subject_from(checked(document))
    _warn_if_doubtful(document.root, subject.mtus)
    return subject


def angles_in_radians(root: XmlNode) -> str | None:
    """Return the range of a CEINMS-RT subject's angles if they look like radians.

    Parameters
    ----------
    root : XmlNode
        The document, whose angles should be in degrees.

    Returns
    -------
    str or None
        None if an angle is above pi/2, or all are zero.
    """
    texts = (node.text for node in root.element.iter("pennationAngle"))
    try:
        angles = [float(text or "nan") for text in texts]
    except ValueError:
        return None
    if not angles or not 0.0 < max(angles) < math.pi / 2:
        return None
    return f"{min(angles):.4g} to {max(angles):.4g}"


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
    mtu_nodes = root.child("mtuSet").children("mtu")
    mtus = tuple(_read_mtu(node, default) for node in mtu_nodes)
    mtu_names = [mtu.name for mtu in mtus]
    refuse_repeats(mtu_nodes, mtu_names, "MTU")
    dof_nodes = root.child("dofSet").children("dof")
    dofs = tuple(_read_dof(node, mtu_names) for node in dof_nodes)
    refuse_repeats(dof_nodes, [dof.name for dof in dofs], "DOF")
    return Subject(
        mtus=mtus,
        dofs=dofs,
        curves=_read_curves(default),
        opensim_model_file=root.named_file("opensimModelFile"),
        contact_model_file=root.named_file("contactModelFile"),
        path=document.path,
        document=document,
    )


def parameter_value(node: XmlNode, kind: ParameterKind, *, unit: str | None = None) -> float:
    """Read one parameter, in SI units, and check its range.

    Parameters
    ----------
    node : XmlNode
        The element with the number.
    kind : ParameterKind
        Which parameter.
    unit : {"rad", "deg"}, optional
        Unit of angles; what the element says by default.

    Returns
    -------
    float

    Raises
    ------
    FileFormatError
        If it is not a finite number within its range.
    """
    value = node.number()
    if kind.unit == "rad" and (unit or node.attribute("unit", "rad")) == "deg":
        value = math.radians(value)
    if value not in kind.allowed:
        code = "pennation-unit" if kind.unit == "rad" else "parameter-value"
        raise node.error(str(kind.allowed), node.text(), kind.hint, code=code)
    return value


def _read_mtu(node: XmlNode, default: XmlNode) -> Mtu:
    _check_activation_scale(node.find("activationScale"))
    return Mtu(
        name=name_of(node),
        **{kind.attribute: _value_of(kind, node, default) for kind in PARAMETERS.values()},
    )


def _value_of(kind: ParameterKind, mtu: XmlNode, default: XmlNode) -> float:
    """Return an MTU's own value, or that of ``mtuDefault``, or that of the kind."""
    for parent in (mtu, default):
        # The same name elsewhere is an unknown element, which is ignored.
        known = kind.name in load_grammar("subject").content[parent.tag]
        child = parent.find(kind.name) if known else None
        if child is not None:
            return parameter_value(child, kind)
    assert kind.default is not None  # noqa: S101  else the grammar asks for it
    return kind.default


def _check_activation_scale(node: XmlNode | None) -> None:
    # Written by tools for later CEINMS versions, whose equations are not published.
    if node is not None and node.number() != 1.0:
        raise node.error(
            "1, a factor on activation that changes nothing",
            node.text(),
            "What later versions of CEINMS compute with another factor is not published, so that "
            "nothing is computed here: set it to 1, and let strengthCoefficient make the muscle "
            "weaker or stronger",
        )


def name_of(node: XmlNode) -> str:
    """Return the ``name`` of an element.

    Parameters
    ----------
    node : XmlNode
        The element.

    Returns
    -------
    str

    Raises
    ------
    FileFormatError
        If it is empty or has blanks, which separate names in lists.
    """
    name = node.child("name").text()
    if not name or " " in name:
        raise node.child("name").error("a name without blanks", f"'{name}'")
    return name


def refuse_repeats(nodes: Sequence[XmlNode], names: Sequence[str], what: str) -> None:
    """Check that every name occurs once.

    Parameters
    ----------
    nodes : sequence of XmlNode
        The elements.
    names : sequence of str
        Their names.
    what : str
        What they are, for the message.

    Raises
    ------
    FileFormatError
        At the first repeated name.
    """
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
    return Dof(name=name_of(node), mtu_names=names)


def _read_curves(default: XmlNode) -> dict[str, Curve]:
    curves: dict[str, Curve] = {}
    ignored: list[str] = []
    for node in default.children("curve"):
        curve = read_curve(node)
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


def read_curve(node: XmlNode) -> Curve:
    """Read the points of a force curve.

    Parameters
    ----------
    node : XmlNode
        An element with ``name``, ``xPoints`` and ``yPoints``.

    Returns
    -------
    Curve

    Raises
    ------
    FileFormatError
        If there are fewer than two points, x does not increase, or the numbers of x and y differ.
    """
    x_node, y_node = node.child("xPoints"), node.child("yPoints")
    try:
        return Curve(name=node.child("name").text(), x=x_node.numbers(), y=y_node.numbers())
    except OptionError as error:
        faulty = y_node if error.where.element == "yPoints" else x_node
        raise faulty.error(error.expected, error.got) from error


def _warn_if_doubtful(root: XmlNode, mtus: tuple[Mtu, ...]) -> None:
    names = [node.child("name").text() for node in root.child("mtuDefault").children("curve")]
    ignored = [name for name in names if name not in CURVE_NAMES]
    if ignored:
        text = f"curves that CEINMS does not use are ignored: {', '.join(ignored)}"
        _warn(root, text, "curve-ignored")
    for kind in PARAMETERS.values():
        sensible = kind.sensible or kind.allowed
        doubtful = [mtu.name for mtu in mtus if getattr(mtu, kind.attribute) not in sensible]
        if doubtful:
            text = f"{kind.name} should be {sensible} ({kind.doubt}); check {', '.join(doubtful)}"
            _warn(root, text, "parameter-doubtful")
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
    warnings.warn(CeinmsTorchWarning(f"{text}.", code, node.place), stacklevel=4)
