"""The files of one trial (``inputData.xml``)."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ceinms_torch.errors import CeinmsTorchWarning, DataError, Place, did_you_mean
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.paths import relative_text
from ceinms_torch.io.xml_document import XmlDocument, new_document, read_document, write_new
from ceinms_torch.io.xml_node import XmlNode, number_text


@dataclass(frozen=True, kw_only=True)
class InputData(OneLine):
    """Where the data of a trial are.

    Parameters
    ----------
    name : str
        Name of the trial: the file's stem, or its folder's name where the stem is "inputData".
    muscle_tendon_length_file : Path
        MTU lengths [m].
    moment_arms_files : mapping of str to Path
        Moment arms [m], one file per DOF.
    excitations_file : Path
        Normalised EMG envelopes (-), 0 to 1.
    external_torques_file : Path, optional
        Measured joint moments [N m].
    start_stop_time : (float, float), optional
        First and last time [s] of the part to use; all of it by default. Not in CEINMS 0.9, but in
        later versions, as are the next two.
    motion_file, external_loads_file : Path, optional
        What the other files were computed from; kept on writing, not used.
    path : Path, optional
        The file it was read from.
    document : XmlDocument, optional
        What was read, kept to write unknown elements back.
    """

    name: str
    muscle_tendon_length_file: Path
    moment_arms_files: Mapping[str, Path]
    excitations_file: Path
    external_torques_file: Path | None = None
    start_stop_time: tuple[float, float] | None = None
    motion_file: Path | None = None
    external_loads_file: Path | None = None
    path: Path | None = None
    document: XmlDocument | None = field(default=None, repr=False, compare=False)

    @classmethod
    def read(cls, path: str | os.PathLike[str], *, must_exist: bool = True) -> InputData:
        """Read an ``inputData.xml``.

        Parameters
        ----------
        path : path-like
            The file.
        must_exist : bool
            Whether a file that it points at and that does not exist is an error.

        Returns
        -------
        InputData

        Raises
        ------
        FileFormatError
            If the file does not follow the grammar, lacks an element, points at a file that does
            not exist, or its start is not before its stop. Moment-arm files are looked for when
            they are needed, since CEINMS ignores those of DOFs that the subject lacks.
        """
        document = read_document(path, "inputData")
        root = document.root
        arms: dict[str, Path] = {}
        for node in root.child("momentArmsFiles").children("momentArmsFile"):
            dof = node.attribute("dofName")
            if dof in arms:
                text = f"there is a file for '{dof}' already; as in CEINMS, this one is ignored."
                warnings.warn(
                    CeinmsTorchWarning(text, "moment-arm-file-repeated", node.place), stacklevel=2
                )
                continue
            arms[dof] = node.file(must_exist=False)
        torques = root.find("externalTorquesFile")
        return cls(
            name=_trial_name(document.path),
            muscle_tendon_length_file=root.child("muscleTendonLengthFile").file(
                must_exist=must_exist
            ),
            moment_arms_files=arms,
            excitations_file=root.child("excitationsFile").file(must_exist=must_exist),
            external_torques_file=None if torques is None else torques.file(must_exist=must_exist),
            start_stop_time=_start_stop(root.find("startStopTime")),
            motion_file=root.named_file("motionFile"),
            external_loads_file=root.named_file("externalLoadsFile"),
            path=document.path,
            document=document,
        )

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write an ``inputData.xml``, with file names relative to it.

        Parameters
        ----------
        path : path-like
            The file to write; its folder is created if needed.
        """
        document = new_document("inputData", path)
        root = document.root
        root.add("muscleTendonLengthFile", relative_text(self.muscle_tendon_length_file, path))
        root.add("excitationsFile", relative_text(self.excitations_file, path))
        arms = root.add("momentArmsFiles")
        for dof, file in self.moment_arms_files.items():
            arms.add("momentArmsFile", relative_text(file, path), dofName=dof)
        if self.external_torques_file is not None:
            root.add("externalTorquesFile", relative_text(self.external_torques_file, path))
        if self.start_stop_time is not None:
            root.add("startStopTime", " ".join(map(number_text, self.start_stop_time)))
        if self.motion_file is not None:
            root.add("motionFile", relative_text(self.motion_file, path))
        if self.external_loads_file is not None:
            root.add("externalLoadsFile", relative_text(self.external_loads_file, path))
        write_new(document, self.document)

    def place(self, element: str | None = None) -> Place:
        """Return a place in its file; without one, the trial's name says what is meant."""
        return Place(self.path, element=element, trial=self.name)

    def moment_arms_file(self, dof_name: str) -> Path:
        """Return the moment-arm file of a DOF.

        Parameters
        ----------
        dof_name : str
            Name of the DOF.

        Returns
        -------
        Path

        Raises
        ------
        DataError
            If the trial has none for this DOF.
        FileFormatError
            If the file does not exist.
        """
        listing = None if self.document is None else self.document.root.child("momentArmsFiles")
        if dof_name not in self.moment_arms_files:
            raise DataError(
                where=self.place("<momentArmsFiles>") if listing is None else listing.place,
                expected=f"a <momentArmsFile> with dofName '{dof_name}', a DOF of the subject",
                got="files for " + (", ".join(self.moment_arms_files) or "no DOF"),
                hint=did_you_mean(dof_name, self.moment_arms_files),
            )
        file = self.moment_arms_files[dof_name]
        for node in () if listing is None else listing.children("momentArmsFile"):
            if node.attribute("dofName") == dof_name and node.file(must_exist=False) == file:
                return node.file()
        return file


def _start_stop(node: XmlNode | None) -> tuple[float, float] | None:
    if node is None:
        return None
    times = node.numbers()
    if len(times) != 2 or times[0] >= times[1]:
        raise node.error(
            "two times in seconds, the start before the stop",
            f"'{node.text()}'",
            "Write start and stop, as in 0.5 1.7, or leave the element out to use the whole trial",
        )
    return times[0], times[1]


def _trial_name(path: Path) -> str:
    if path.stem.casefold() == "inputdata":
        return path.absolute().parent.name
    return path.stem
