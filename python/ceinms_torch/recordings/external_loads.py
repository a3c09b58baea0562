"""An OpenSim file of external loads: which measured force acts on which body."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ceinms_torch.io.display import OneLine
from ceinms_torch.io.paths import kind_of
from ceinms_torch.io.xml_document import read_root


@dataclass(frozen=True, kw_only=True)
class ExternalForce(OneLine):
    """A measured force and the body it acts on.

    Parameters
    ----------
    name : str
        Its name.
    body : str
        The body.
    force, point, torque : str
        What the labels of its three columns begin with; empty where there are none.
    line : int, optional
        Where it is in the file.
    """

    name: str
    body: str
    force: str
    point: str
    torque: str
    line: int | None = None


@dataclass(frozen=True, kw_only=True)
class ExternalLoads(OneLine):
    """All measured forces of a recording.

    Parameters
    ----------
    path : Path
        The file.
    forces : tuple of ExternalForce
        In the order of the file.
    data_file : Path or None
        The storage file that it names, if it exists.
    """

    path: Path
    forces: tuple[ExternalForce, ...]
    data_file: Path | None


def read_external_loads(path: str | os.PathLike[str]) -> ExternalLoads:
    """Read a file of external loads without OpenSim.

    Parameters
    ----------
    path : path-like
        The XML file.

    Returns
    -------
    ExternalLoads

    Raises
    ------
    FileFormatError
        If the file is missing, not well-formed, or has no external force.
    """
    path = Path(path)
    root = read_root(path)
    forces = []
    for node in (*root.descendants("ExternalForce"), *root.descendants("PrescribedForce")):
        texts = {
            key: "" if (one := node.find(f"{key}_identifier")) is None else one.text()
            for key in ("force", "point", "torque")
        }
        forces.append(
            ExternalForce(
                name=node.attribute("name", ""),
                body=node.child("applied_to_body").text(),
                line=node.line,
                **texts,
            )
        )
    if not forces:
        raise root.error(
            "external loads, with an <ExternalForce> for every plate", f"<{root.tag}> without"
        )
    named = next((file for one in root.descendants("datafile") if (file := one.text())), None)
    data_file = None if named is None else root.file(named, must_exist=False)
    if data_file is not None and kind_of(data_file) != "file":
        data_file = None
    return ExternalLoads(path=path, forces=tuple(forces), data_file=data_file)
