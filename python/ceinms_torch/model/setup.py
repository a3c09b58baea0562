"""The setup files that the command line takes: which files belong together."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from ceinms_torch.io.display import OneLine
from ceinms_torch.io.paths import relative_text
from ceinms_torch.io.xml_document import XmlDocument, new_document, read_document, write_new


@dataclass(frozen=True, kw_only=True)
class _Setup(OneLine):
    """What both setup files are: names of files by their XML elements, results last."""

    subject_file: Path
    excitation_generator_file: Path
    path: Path | None = None
    document: XmlDocument | None = field(default=None, repr=False, compare=False)

    _schema: ClassVar[str]
    _elements: ClassVar[dict[str, str]]  # by attribute, in the order of the file

    @classmethod
    def read(cls, path: str | os.PathLike[str], *, must_exist: bool = True) -> Self:
        """Read a setup file.

        Parameters
        ----------
        path : path-like
            The file. Its elements may be in any order; of repeated ones the first counts.
        must_exist : bool
            Whether a document that it points at and that does not exist is an error.

        Returns
        -------
        RunSetup or CalibrationSetup

        Raises
        ------
        FileFormatError
            If the file does not follow the grammar, lacks an element, or points at a file that
            does not exist.
        """
        return cls.of(read_document(path, cls._schema), must_exist=must_exist)

    @classmethod
    def of(cls, document: XmlDocument, *, must_exist: bool = True) -> Self:
        """Take a document that was read; see `read`."""
        files: dict[str, Any] = {}
        for name, element in cls._elements.items():
            is_input = not name.startswith("output")
            files[name] = document.root.child(element).file(must_exist=must_exist and is_input)
        return cls(**files, path=document.path, document=document)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a setup file, with file names relative to it.

        Parameters
        ----------
        path : path-like
            The file to write; its folder is created if needed.
        """
        document = new_document(self._schema, path)
        for name, element in self._elements.items():
            document.root.add(element, relative_text(getattr(self, name), path))
        write_new(document, self.document)


@dataclass(frozen=True, kw_only=True)
class RunSetup(_Setup):
    """Files for running one trial (root element ``ceinms``), the argument of ``CEINMS -S``.

    Parameters
    ----------
    subject_file, input_data_file, execution_file, excitation_generator_file : Path
        The documents.
    output_directory : Path
        Folder for the results; need not exist.
    path : Path, optional
        The file it was read from.
    document : XmlDocument, optional
        What was read, kept to write unknown elements back.
    """

    input_data_file: Path
    execution_file: Path
    output_directory: Path

    _schema = "ceinmsSetup"
    _elements: ClassVar = {
        "subject_file": "subjectFile",
        "input_data_file": "inputDataFile",
        "execution_file": "executionFile",
        "excitation_generator_file": "excitationGeneratorFile",
        "output_directory": "outputDirectory",
    }


@dataclass(frozen=True, kw_only=True)
class CalibrationSetup(_Setup):
    """Files for a calibration (root element ``ceinmsCalibration``), for ``CEINMScalibrate -S``.

    Parameters
    ----------
    subject_file, excitation_generator_file, calibration_file : Path
        The documents.
    output_subject_file : Path
        The calibrated subject; need not exist.
    path : Path, optional
        The file it was read from.
    document : XmlDocument, optional
        What was read, kept to write unknown elements back.
    """

    calibration_file: Path
    output_subject_file: Path

    _schema = "ceinmsCalibrationSetup"
    _elements: ClassVar = {
        "subject_file": "subjectFile",
        "excitation_generator_file": "excitationGeneratorFile",
        "calibration_file": "calibrationFile",
        "output_subject_file": "outputSubjectFile",
    }


def read_setup(
    path: str | os.PathLike[str], *, must_exist: bool = True
) -> CalibrationSetup | RunSetup:
    """Read a setup file of either kind, told apart by its root element.

    Parameters
    ----------
    path : path-like
        The file; one with neither root element is blamed for not being a calibration's.
    must_exist : bool
        Whether a document that it points at and that does not exist is an error.

    Returns
    -------
    CalibrationSetup or RunSetup

    Raises
    ------
    FileFormatError
        As the `read` of either raises it.
    """
    document = read_document(path, "ceinmsCalibrationSetup", "ceinmsSetup")
    kind = RunSetup if document.schema == "ceinmsSetup" else CalibrationSetup
    return kind.of(document, must_exist=must_exist)
