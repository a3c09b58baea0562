"""Files of ground forces: storage files, whose labels say what is whose, and ExternalLoads.

Of every plate (or foot) nine columns: the force on the body [N], the point it acts at [m] and the
free moment about that point [N m], y up: ``ground_force_r_vx``, ``..._px``, ``ground_torque_r_x``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lxml import etree

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import FileFormatError, OptionError, Place
from ceinms_torch.io.storage import Storage, read_storage, write_storage
from ceinms_torch.recordings.external_loads import read_external_loads
from ceinms_torch.recordings.ground_forces import (
    AXES,
    Foot,
    GroundForces,
    PlateForces,
    check_plausible,
    foot_in,
)

# ---- Reading ----------------------------------------------------------------------------


def read_ground_forces(
    path: str | os.PathLike[str], feet: Mapping[str, Foot] | None = None
) -> GroundForces:
    """Read ground forces from a storage file, or from that of an ExternalLoads file.

    Parameters
    ----------
    path : path-like
        A ``.mot``, ``.sto`` or ``.csv``, whose labels say what is force, point and torque; or the
        ``.xml`` of OpenSim's ExternalLoads, which says it by its identifiers, and the feet by the
        bodies that the forces are applied to.
    feet : mapping of str to {"right", "left"}, optional
        The foot of a plate by the plate's name, for labels that do not say it.

    Returns
    -------
    GroundForces

    Raises
    ------
    FileFormatError
        If a file is missing or faulty, has no forces, or they are not plausible: points in mm,
        forces that point down, another axis than y up.
    OptionError
        If `feet` names a plate that there is not.
    """
    path = Path(path)
    if path.suffix.casefold() == ".xml":
        storage, groups = _of_external_loads(path)
    else:
        storage = read_storage(path)
        groups = _groups(storage)
    if not groups:
        raise FileFormatError(
            where=Place(storage.path, storage.label_line, "labels"),
            expected="three columns of force of each plate, such as ground_force_r_vx, _vy, _vz",
            got=", ".join(storage.columns[:9]) + (" ..." if len(storage.columns) > 9 else ""),
            hint="Name the file of the ground forces, or the .xml of the ExternalLoads",
            code="no-ground-forces",
        )
    for name in feet or {}:
        if name not in groups:
            got = f"'{name}'"
            expected = f"a plate of '{storage.path}': {', '.join(groups)}"
            raise OptionError(where="--feet", expected=expected, got=got)
    plates = tuple(
        PlateForces(name=name, foot=(feet or {}).get(name, one.foot), **one.arrays(storage))
        for name, one in groups.items()
    )
    forces = GroundForces(
        time=storage.time, plates=plates, path=storage.path, sha256=storage.sha256
    )
    check_plausible(forces)
    return forces


@dataclass
class _Columns:
    """Labels of one plate, less their axis."""

    force: str
    point: str | None = None
    torque: str | None = None
    foot: Foot | None = None

    def arrays(self, storage: Storage) -> dict[str, FloatArray]:
        zeros = np.zeros((len(storage.time), 3))
        parts = {"force": self.force, "point": self.point, "torque": self.torque}
        return {
            key: zeros if stem is None else storage.select([stem + axis for axis in AXES])
            for key, stem in parts.items()
        }


def _groups(storage: Storage) -> dict[str, _Columns]:
    """Find the columns of each plate by their labels."""
    labels = set(storage.columns)
    stems = [
        label[:-1]
        for label in storage.columns
        if label[-1:] == "x" and {label[:-1] + axis for axis in AXES} <= labels
    ]
    found: dict[str, dict[str, str]] = {}
    for stem in stems:
        kind = _kind(stem)
        if kind is not None:
            found.setdefault(_plate(stem), {})[kind] = stem
    groups = {
        name: _Columns(parts["force"], parts.get("point"), parts.get("torque"))
        for name, parts in found.items()
        if "force" in parts
    }
    for name, one in groups.items():
        one.foot = foot_in(name)
    # gait2392's own files: 'ground_force' is the right foot's where 'l_ground_force' is the left's.
    others = [one for name, one in groups.items() if name]
    if "" in groups and len(others) == 1 and others[0].foot == "left":
        groups[""].foot = "right"
    return {name or "ground_force": one for name, one in groups.items()}


def _kind(stem: str) -> str | None:
    lowered = stem.casefold()
    if re.search(r"torque|moment|(^|[_.])[mt]\d*[_.]?$", lowered):
        return "torque"
    if re.search(r"p$|point|cop|(^|[_.])p\d*[_.]?$", lowered):
        return "point"
    return "force" if re.search(r"force|grf|(^|[_.])f\d*[_.]?v?$", lowered) else None


def _plate(stem: str) -> str:
    """Return what names the plate in a label: the label without what says force or torque."""
    text = re.sub(r"(?<=[_.])[vpm]$", "", stem.strip("_.") if stem[-1] in "_." else stem)
    text = re.sub(r"ground|forces?|torques?|moments?|points?|cop|grf", "", text, flags=re.I)
    text = re.sub(r"^[fpmt](?=\d|$)", "", text)
    return re.sub(r"[_.]+", "_", text).strip("_")


def _of_external_loads(path: Path) -> tuple[Storage, dict[str, _Columns]]:
    loads = read_external_loads(path)
    if loads.data_file is None:
        raise FileFormatError(
            where=Place(path, element="<datafile>"),
            expected="the file of the forces",
            got="none that is there",
            hint="Name the file of the forces itself, or correct the name",
        )
    storage = read_storage(loads.data_file)
    groups: dict[str, _Columns] = {}
    for one in loads.forces:
        for stem in filter(None, (one.force, one.point, one.torque)):
            missing = [stem + axis for axis in AXES if stem + axis not in storage.columns]
            if missing:
                raise FileFormatError(
                    where=Place(path, one.line, one.name),
                    expected=f"the columns {stem}x, {stem}y, {stem}z in '{storage.path}'",
                    got=f"no '{missing[0]}'",
                )
        if one.force:
            columns = _Columns(one.force, one.point or None, one.torque or None, foot_in(one.body))
            groups[one.name or one.force] = columns
    return storage, groups


# ---- Writing ----------------------------------------------------------------------------


def column_stems(plate: PlateForces) -> dict[str, str]:
    """Return what the labels of a plate begin with, as ExternalLoads identify them."""
    name = plate.name if plate.foot is None else plate.foot[0]
    return {
        "force": f"ground_force_{name}_v",
        "point": f"ground_force_{name}_p",
        "torque": f"ground_torque_{name}_",
    }


def as_storage(forces: GroundForces) -> Storage:
    """Return ground forces as a table with the labels that OpenSim's ExternalLoads identify.

    Parameters
    ----------
    forces : GroundForces
        Each plate of another foot, or of none.

    Returns
    -------
    Storage
        In N, m and N m.
    """
    columns: list[str] = []
    values: list[FloatArray] = []
    for plate in forces.plates:
        for key, stem in column_stems(plate).items():
            columns += [stem + axis for axis in AXES]
            values.append(getattr(plate, key))
    table = np.concatenate(values, axis=1) if values else np.empty((len(forces.time), 0))
    return Storage(
        path=forces.path or Path("ground forces"),
        name="ground forces",
        time=forces.time,
        columns=tuple(columns),
        values=table,
        units="N, m and N m",
        sha256=forces.sha256,
    )


def write_ground_forces(path: str | os.PathLike[str], forces: GroundForces) -> None:
    """Write ground forces as a motion file that OpenSim's ExternalLoads read.

    Parameters
    ----------
    path : path-like
        The file to write, ``.mot``.
    forces : GroundForces
        Each plate of another foot, or of none.

    Raises
    ------
    DataError
        If two plates are of one foot, or there is something that cannot be written.
    """
    table = as_storage(forces)
    write_storage(
        path, table.time, table.columns, table.values, name=Path(path).stem, units=table.units
    )


def external_loads(forces: GroundForces, datafile: str, bodies: Mapping[Foot, str]) -> bytes:
    """Return an ExternalLoads file of OpenSim.

    Parameters
    ----------
    forces : GroundForces
        The forces; those without a foot are left out.
    datafile : str
        The file they were written to, as seen from the ExternalLoads file.
    bodies : mapping of {"right", "left"} to str
        The body of the model that each foot is, such as calcn_r.

    Returns
    -------
    bytes
    """
    root = etree.Element("OpenSimDocument", Version="30000")
    loads = etree.SubElement(root, "ExternalLoads", name=Path(datafile).stem)
    objects = etree.SubElement(loads, "objects")
    for plate in forces.plates:
        if plate.foot is None:
            continue
        one = etree.SubElement(objects, "ExternalForce", name=f"{plate.foot}_ground_force")
        stems = column_stems(plate)
        for key, text in {
            "applied_to_body": bodies[plate.foot],
            "force_expressed_in_body": "ground",
            "point_expressed_in_body": "ground",
            **{f"{key}_identifier": stem for key, stem in stems.items()},
        }.items():
            etree.SubElement(one, key).text = text
    etree.SubElement(loads, "datafile").text = datafile
    etree.indent(root, "\t")
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))
