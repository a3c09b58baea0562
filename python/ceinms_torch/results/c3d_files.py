"""A C3D file as the files that OpenSim and CEINMS have: markers, ground forces, analog channels."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ceinms_torch.io.paths import write_atomically
from ceinms_torch.io.plain import plain
from ceinms_torch.io.results import results_in
from ceinms_torch.io.storage import write_storage
from ceinms_torch.recordings.c3d import C3d, read_c3d
from ceinms_torch.recordings.feet import of_feet, one_a_foot, with_feet, zeroed
from ceinms_torch.recordings.ground_force_files import external_loads, write_ground_forces
from ceinms_torch.recordings.ground_forces import Foot, GroundForces
from ceinms_torch.recordings.trc import write_trc
from ceinms_torch.results.provenance import file_hashes, versions
from ceinms_torch.results.segments import STUDY_FILE

_BODIES: dict[Foot, str] = {"right": "calcn_r", "left": "calcn_l"}


@dataclass(frozen=True, kw_only=True, eq=False)
class C3dFiles:
    """What is written of a C3D file.

    Parameters
    ----------
    file : C3d
        The recording, y up.
    forces : GroundForces
        Its ground forces, of feet where those are known.
    settings : mapping
        Everything that was chosen.
    remarks : tuple of str
        What was decided: sentences without a full stop.
    """

    file: C3d
    forces: GroundForces
    settings: Mapping[str, object]
    remarks: tuple[str, ...]

    @classmethod
    def read(
        cls,
        path: str | os.PathLike[str],
        *,
        forward: str = "",
        plates: Mapping[str, Foot] | None = None,
        zero: bool = False,
    ) -> C3dFiles:
        """Read a C3D file.

        Parameters
        ----------
        path : path-like
            The file.
        forward : str
            The axis of the laboratory that becomes x, such as ``-y``; by default its first
            horizontal one.
        plates : mapping of str to {"right", "left"}, optional
            The foot on each plate; by default what the markers nearest to the forces say, and the
            plates as they are where these say nothing.
        zero : bool
            Whether offset and drift are taken off the plates, and whatever they say while nobody
            is on them; by default forces are as recorded.

        Returns
        -------
        C3dFiles

        Raises
        ------
        FileFormatError, OptionError
            As `read_c3d`, `C3d.in_opensim_axes` and `with_feet`.
        """
        file = read_c3d(path).in_opensim_axes(forward)
        forces = with_feet(file.forces, plates)
        remarks: list[str] = []
        if forces.plates and not plates:
            forces, remarks = of_feet(forces, file.markers, must=False)
        forces, combined = one_a_foot(forces)
        remarks += combined
        offsets = _offsets(forces)
        if zero:
            forces = zeroed(forces)
        elif offsets:
            remarks.append(
                f"with nobody on it {offsets}, which is in the forces; take it off with --zero"
            )
        settings = {"forward": forward, "feet": dict(plates or {}), "zero": zero}
        return cls(file=file, forces=forces, settings=settings, remarks=tuple(remarks))

    @property
    def stem(self) -> str:
        """What the files' names begin with."""
        return self.file.path.stem

    def outputs(self, directory: Path) -> Iterator[Path]:
        """Iterate over the files that `write` writes."""
        if self.file.markers.names:
            yield directory / f"{self.stem}.trc"
        if self.forces.plates:
            yield directory / f"{self.stem}.mot"
        if any(one.foot for one in self.forces.plates):
            yield directory / f"{self.stem}_external_loads.xml"
        if self._channels():
            yield directory / f"{self.stem}_analogs.sto"
        if self.file.events:
            yield directory / f"{self.stem}_events.csv"
        yield directory / STUDY_FILE

    def _channels(self) -> list[int]:
        names = self.file.analogs.names
        return [i for i, name in enumerate(names) if name not in self.file.plate_channels]

    def write(self, directory: str | os.PathLike[str]) -> None:
        """Write all files, or none.

        Parameters
        ----------
        directory : path-like
            The folder: ``NAME.trc`` with markers in mm; ``NAME.mot`` with ground forces, and
            ``NAME_external_loads.xml`` for them where the feet are known; ``NAME_analogs.sto`` with
            all channels that are not those of the plates; ``NAME_events.csv``; ``study.json`` with
            every setting, the hash of the file and versions.

        Raises
        ------
        OptionError
            If a file to write is the one that was read, or another process writes into the folder.
        """
        folder, file = Path(directory), self.file
        with results_in(folder, [file.path]):
            for path in self.outputs(folder):
                match path.name.removeprefix(self.stem):
                    case ".trc":
                        write_trc(path, file.markers)
                    case ".mot":
                        write_ground_forces(path, self.forces)
                    case "_external_loads.xml":
                        data = external_loads(self.forces, f"{self.stem}.mot", _BODIES)
                        write_atomically(path, data)
                    case "_analogs.sto":
                        self._write_analogs(path)
                    case "_events.csv":
                        write_atomically(path, self._events().encode())
                    case _:
                        text = json.dumps(plain(self._study()), indent=2, ensure_ascii=False)
                        write_atomically(path, f"{text}\n".encode())

    def _write_analogs(self, path: Path) -> None:
        analogs, places = self.file.analogs, self._channels()
        units = dict.fromkeys(analogs.units[i] or "as recorded" for i in places)
        write_storage(
            path,
            analogs.time,
            [analogs.names[i] for i in places],
            analogs.values[:, places],
            name=f"Analog channels of {self.file.path.name}",
            units=", ".join(units),
        )

    def _events(self) -> str:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("time [s]", "event", "foot"))
        writer.writerows((f"{one.time:.6g}", one.label, one.foot or "") for one in self.file.events)
        return text.getvalue()

    def _study(self) -> dict[str, object]:
        analogs = self.file.analogs
        return {
            "made_by": "ceinms-torch convert",
            "settings": self.settings,
            "markers": self.file.markers.names,
            "plates": {one.name: one.foot for one in self.forces.plates},
            "analog channels": dict(zip(analogs.names, analogs.units, strict=True)),
            "rates [Hz]": {"markers": self.file.markers.rate, "analogs": analogs.rate},
            "remarks": self.remarks,
            "inputs": file_hashes([self.file.source], None),
            "versions": versions(),
        }


def _offsets(forces: GroundForces) -> str:
    """Say by how much plates are not zero with nobody on them; empty if all are."""
    clean = zeroed(forces)
    parts = []
    for raw, plate in zip(forces.plates, clean.plates, strict=True):
        nobody = plate.force[:, 1] == 0.0
        offset = float(np.median(raw.force[nobody, 1])) if nobody.any() else 0.0
        if abs(offset) > 1.0:
            parts.append(f"plate {raw.name} reads {offset:.1f} N")
    return ", ".join(parts)
