"""Write a `Subject` as a ``subject.xml`` that CEINMS 0.9 reads."""

from __future__ import annotations

import copy
import os
import re
from pathlib import Path

from ceinms_torch.errors import OptionError
from ceinms_torch.io.grammar import load_grammar
from ceinms_torch.io.paths import kind_of, relative_text, resolve_path
from ceinms_torch.io.xml_document import XmlDocument, new_document
from ceinms_torch.io.xml_node import XmlNode, number_text
from ceinms_torch.model.parameters import PARAMETERS
from ceinms_torch.model.subject import Mtu, Subject
from ceinms_torch.model.subject_reading import subject_from

_FILES = {"opensimModelFile": "opensim_model_file", "contactModelFile": "contact_model_file"}
# A name in calibrationSequence, in double quotes where it has blanks.
_LISTED = re.compile(r'"[^"]*"|\S+')


def write_subject(
    subject: Subject,
    path: str | os.PathLike[str],
    calibrated_from: str | os.PathLike[str] | None,
    calibration_file: str | os.PathLike[str] | None,
) -> None:
    """Write a ``subject.xml``; see `Subject.write`.

    Parameters
    ----------
    subject : Subject
        The subject.
    path : path-like
        The file to write.
    calibrated_from, calibration_file : path-like, optional
        For the history in the file.

    Raises
    ------
    OptionError
        If MTUs differ in percentageChange.
    """
    _check_percentage_change(subject)
    if subject.document is not None and _same_structure(subject, subject.document):
        document = copy.deepcopy(subject.document)
    else:
        document = _skeleton(subject, path)
    root = document.root
    _update_defaults(root.child("mtuDefault"), subject)
    nodes = root.child("mtuSet").children("mtu")
    for node, mtu in zip(nodes, subject.mtus, strict=True):
        _update_mtu(node, mtu, root.child("mtuDefault"))
    _update_files(root, subject, path)
    if calibrated_from is not None or calibration_file is not None:
        _update_history(root.child("calibrationInfo"), path, calibrated_from, calibration_file)
    document.write(path)


def _check_percentage_change(subject: Subject) -> None:
    values = sorted({mtu.percentage_change for mtu in subject.mtus})
    if len(values) > 1:
        raise OptionError(
            where="percentageChange",
            expected="one value for all MTUs, since CEINMS has it only in mtuDefault",
            got=f"values from {values[0]:g} to {values[-1]:g}",
            hint="Calibrate it with the scope global",
        )


def _same_structure(subject: Subject, document: XmlDocument) -> bool:
    """Tell whether names, DOFs and curves are still those of the document."""
    read = subject_from(document)
    return (read.mtu_names, read.dofs, dict(read.curves)) == (
        subject.mtu_names,
        subject.dofs,
        dict(subject.curves),
    )


def _skeleton(subject: Subject, path: str | os.PathLike[str]) -> XmlDocument:
    """Build a document with everything but the values of the MTUs' parameters."""
    document = new_document("subject", path)
    default = document.root.add("mtuDefault")
    first = subject.mtus[0]
    content = load_grammar("subject").content
    for name in content["mtuDefault"]:
        if name in PARAMETERS:
            default.add(name, number_text(getattr(first, PARAMETERS[name].attribute)))
    for curve in subject.curves.values():
        node = default.add("curve")
        node.add("name", curve.name)
        node.add("xPoints", " ".join(map(number_text, curve.x)))
        node.add("yPoints", " ".join(map(number_text, curve.y)))
    mtu_set = document.root.add("mtuSet")
    for mtu in subject.mtus:
        node = mtu_set.add("mtu")
        node.add("name", mtu.name)
        for name in content["mtu"]:
            if name in PARAMETERS and _is_needed(name, mtu, default):
                node.add(name, number_text(getattr(mtu, PARAMETERS[name].attribute)))
    dof_set = document.root.add("dofSet")
    for dof in subject.dofs:
        node = dof_set.add("dof")
        node.add("name", dof.name)
        node.add("mtuNameSet", " ".join(dof.mtu_names))
    history = document.root.add("calibrationInfo").add("uncalibrated")
    history.add("subjectID", Path(path).stem)
    history.add("additionalInfo", "")
    document.indent()
    return document


def _update_defaults(default: XmlNode, subject: Subject) -> None:
    _set_number(default.child("percentageChange"), subject.mtus[0].percentage_change)


def _update_mtu(node: XmlNode, mtu: Mtu, default: XmlNode) -> None:
    order = load_grammar("subject").content["mtu"]
    for name in order:
        if name not in PARAMETERS:
            continue
        value = getattr(mtu, PARAMETERS[name].attribute)
        child = node.find(name)
        if child is None:
            if not _is_needed(name, mtu, default):
                continue
            child = node.insert(name, number_text(value), order)
        if PARAMETERS[name].unit == "rad":
            in_degrees = child.attribute("unit", "rad") == "deg"
            child.element.set("unit", "rad")
            if in_degrees:
                child.set_text(number_text(value))
        _set_number(child, value)


def _is_needed(name: str, mtu: Mtu, default: XmlNode) -> bool:
    """Tell whether an MTU needs an element of its own for a parameter."""
    kind = PARAMETERS[name]
    value = getattr(mtu, kind.attribute)
    if name in load_grammar("subject").content["mtuDefault"]:
        return bool(default.child(name).number() != value)
    # CEINMS writes what it knows (quirk F33), and refuses a file with anything else.
    return kind.in_ceinms or value != kind.default


def _update_files(root: XmlNode, subject: Subject, path: str | os.PathLike[str]) -> None:
    """Let the names of other files lead to the same files from the new place."""
    for name, attribute in _FILES.items():
        file: Path | None = getattr(subject, attribute)
        node = root.find(name)
        if file is None:
            continue
        if node is None:
            root.add(name, relative_text(file, path))
        elif not node.text() or resolve_path(node.text(), path) != file:
            node.set_text(relative_text(file, path))


def _set_number(node: XmlNode, value: float) -> None:
    """Write a number, but leave the text alone where it already says so."""
    if node.number() != value:
        node.set_text(number_text(value))


def _update_history(
    info: XmlNode,
    path: str | os.PathLike[str],
    calibrated_from: str | os.PathLike[str] | None,
    calibration_file: str | os.PathLike[str] | None,
) -> None:
    """Tell in the file at `path` what it came from, by names relative to it."""
    added = [] if calibration_file is None else [_listed(relative_text(calibration_file, path))]
    calibrated = info.find("calibrated")
    if calibrated is not None:
        before = calibrated.child("startSubjectFile")
        if before.text():
            before.set_text(_moved(before.text(), info.path, path))
        sequence = calibrated.child("calibrationSequence")
        earlier = [
            _listed(_moved(name.strip('"'), info.path, path))
            for name in _LISTED.findall(sequence.text())
        ]
        sequence.set_text(" ".join((*earlier, *added)))
        return
    start = "" if calibrated_from is None else relative_text(calibrated_from, path)
    info.element.remove(info.child("uncalibrated").element)
    calibrated = info.add("calibrated")
    calibrated.add("startSubjectFile", start)
    calibrated.add("calibrationSequence", " ".join(added))
    calibrated.indent(level=2)


def _moved(text: str, old: Path, new: str | os.PathLike[str]) -> str:
    """Return a name written in one file the way it is to be written in another."""
    # The programs of CEINMS write names relative to the folder they were started in, which is not
    # known here: such a name stays as it is, unless it leads somewhere from the old file, too.
    file = resolve_path(text, old)
    return relative_text(file, new) if kind_of(file) == "file" else text


def _listed(name: str) -> str:
    """Return a file name as one item of a list that is separated by blanks."""
    # CEINMS itself writes blanks as they are, so that nobody can tell where a name ends. It drops
    # double quotes around file names everywhere, never opens those of the history, and its grammar
    # takes any text here: quoted names tell items apart and are still read by the original.
    return f'"{name}"' if " " in name else name
