"""Subjects of CEINMS-RT (``NMSmodel.xsd``), read as subjects of CEINMS 0.9 (reference G.3)."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Literal

from ceinms_torch.errors import CeinmsTorchWarning, did_you_mean
from ceinms_torch.io.xml_document import read_document
from ceinms_torch.io.xml_node import XmlNode
from ceinms_torch.model.excitation_generator import Excitation, ExcitationGenerator
from ceinms_torch.model.parameters import PARAMETERS
from ceinms_torch.model.settings import check_number
from ceinms_torch.model.subject import CURVE_NAMES, Curve, Dof, Mtu, Subject
from ceinms_torch.model.subject_reading import (
    angles_in_radians,
    name_of,
    parameter_value,
    read_curve,
    refuse_repeats,
)

Angles = Literal["degrees", "radians"]

# The names of CEINMS-RT for parameters of CEINMS 0.9; the other names are the same.
_RENAMED = {"c1": "C1", "c2": "C2", "optimalFibreLength": "optimalFiberLength"}
# What CEINMS-RT has in its program instead of in its files. The curve's points are those of the
# manual of CEINMS 0.9.
MAX_CONTRACTION_VELOCITY = 10.0  # [optimal fibre lengths/s]
_TENDON_X = (
    "-10 -0.002 -0.001 0 0.00131 0.00281 0.00431 0.00581 0.00731 0.00881 0.0103 0.0118 0.0123 9.2 "
    "9.201 9.202 20"
)
_TENDON_Y = "0 0 0 0 0.0108 0.0257 0.0435 0.0652 0.0915 0.123 0.161 0.208 0.227 345 345 345 345"
TENDON_CURVE = Curve(
    name="tendonForceStrain",
    x=tuple(map(float, _TENDON_X.split())),
    y=tuple(map(float, _TENDON_Y.split())),
)
# Nor have the files a delay; this is the one of the manual of CEINMS 0.9 [s].
DEFAULT_DELAY = 0.015


def read_rt_subject(
    path: str | os.PathLike[str],
    *,
    em_delay: float = DEFAULT_DELAY,
    angles: Angles | None = None,
) -> tuple[Subject, ExcitationGenerator]:
    """Read a subject of CEINMS-RT as a subject and an excitation generator of CEINMS 0.9.

    Parameters
    ----------
    path : path-like
        The file, with ``<muscles>``, ``<DoFs>`` and ``<Channels>``.
    em_delay : float
        Electromechanical delay of all MTUs [s], which such files lack.
    angles : {"degrees", "radians"}, optional
        Unit of the file's angles; by default degrees, as CEINMS-RT has them, unless they look like
        radians.

    Returns
    -------
    Subject
        The muscles that act on a DOF, the only ones that CEINMS-RT uses; angles in radians, the
        tendon curve and the maximum contraction velocity that CEINMS-RT has in its program.
    ExcitationGenerator
        The channels; the excitation of a muscle is the mean of its channels.

    Raises
    ------
    OptionError
        If the delay is not a finite number.
    FileFormatError
        If the file does not follow the grammar, has an element that CEINMS 0.9 has no place for, a
        value is outside its range, a name is unknown or occurs twice, a curve is missing, or no
        angle is above pi/2 and `angles` does not say what they are.

    Warns
    -----
    CeinmsTorchWarning
        If muscles are left out because they act on no DOF.
    """
    check_number("emDelay", em_delay)
    document = read_document(path, "NMSmodel", strict=True)
    root = document.root
    radians = angles_in_radians(root)
    if radians and angles is None:
        raise root.child("muscles").error(
            "pennation angles in degrees, as CEINMS-RT has them",
            f"{radians}, which look like radians",
            "Say which they are with --angles radians or --angles degrees",
            code="pennation-unit",
        )
    nodes = root.child("muscles").children("muscle")
    names = [name_of(node) for node in nodes]
    refuse_repeats(nodes, names, "muscle")
    dofs = _read_dofs(root.child("DoFs").children("DoF"), names)
    acting = {name for dof in dofs for name in dof.mtu_names}
    unused = [name for name in names if name not in acting]
    if unused:
        text = f"muscles that act on no DOF are left out, as CEINMS-RT does: {', '.join(unused)}."
        where = root.child("muscles").place
        warnings.warn(CeinmsTorchWarning(text, where=where), stacklevel=2)
    default = root.child("muscleDefault")
    mtus = tuple(
        _read_muscle(node, default, em_delay, "rad" if angles == "radians" else "deg")
        for node, name in zip(nodes, names, strict=True)
        if name in acting
    )
    subject = Subject(mtus=mtus, dofs=dofs, curves=_read_curves(default))
    channels = root.child("Channels").children("Channel")
    return subject, _read_channels(channels, names, subject.mtu_names)


def _read_muscle(node: XmlNode, default: XmlNode, em_delay: float, unit: str) -> Mtu:
    values = {"em_delay": em_delay, "max_contraction_velocity": MAX_CONTRACTION_VELOCITY}
    for kind in PARAMETERS.values():
        if kind.in_ceinms and kind.attribute not in values:
            parent = default if kind.name in ("percentageChange", "damping") else node
            child = parent.child(_RENAMED.get(kind.name, kind.name))
            values[kind.attribute] = parameter_value(child, kind, unit=unit)
    return Mtu(name=name_of(node), **values)


def _read_dofs(nodes: Sequence[XmlNode], muscles: Sequence[str]) -> tuple[Dof, ...]:
    dofs = tuple(
        Dof(name=name_of(node), mtu_names=_known(node.child("muscleSequence"), muscles))
        for node in nodes
    )
    refuse_repeats(nodes, [dof.name for dof in dofs], "DoF")
    return dofs


def _known(listing: XmlNode, muscles: Sequence[str]) -> tuple[str, ...]:
    """Return the muscles of a list, each known and named once."""
    names = listing.names()
    for i, name in enumerate(names):
        if name not in muscles:
            raise listing.error(
                "names of muscles in <muscles>", f"'{name}'", did_you_mean(name, muscles)
            )
        if name in names[:i]:
            raise listing.error("every muscle once", f"'{name}' twice")
    return names


def _read_curves(default: XmlNode) -> dict[str, Curve]:
    curves = {curve.name: curve for curve in map(read_curve, default.children("Curve"))}
    curves[TENDON_CURVE.name] = TENDON_CURVE
    missing = [name for name in CURVE_NAMES if name not in curves]
    if missing:
        raise default.error(
            f"<Curve>s named {', '.join(CURVE_NAMES[:3])}", f"none named {', '.join(missing)}"
        )
    return {name: curves[name] for name in CURVE_NAMES}


def _read_channels(
    nodes: Sequence[XmlNode], muscles: Sequence[str], mtu_names: Sequence[str]
) -> ExcitationGenerator:
    signals = [name_of(node) for node in nodes]
    refuse_repeats(nodes, signals, "channel")
    driven = {
        signal: _known(node.child("muscleSequence"), muscles)
        for signal, node in zip(signals, nodes, strict=True)
    }
    excitations = []
    for mtu in mtu_names:
        own = [signal for signal in signals if mtu in driven[signal]]
        inputs = tuple((signal, 1.0 / len(own)) for signal in own)
        excitations.append(Excitation(id=mtu, inputs=inputs))
    return ExcitationGenerator(input_signals=tuple(signals), excitations=tuple(excitations))
