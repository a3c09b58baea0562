"""The setup files that the command line takes: which files belong together."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from ceinms_torch.io.paths import relative_text
from ceinms_torch.io.xml_document import XmlDocument, new_document, read_document, write_new


@dataclass(frozen=True, kw_only=True)
class RunSetup:
    """Files for running one trial (root element ``ceinms``).

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

    subject_file: Path
    input_data_file: Path
    execution_file: Path
    excitation_generator_file: Path
    output_directory: Path
    path: Path | None = None
    document: XmlDocument | None = field(default=None, repr=False, compare=False)

    @classmethod
    def read(cls, path: str | os.PathLike[str], *, must_exist: bool = True) -> RunSetup:
        """Read the argument of ``CEINMS -S``.

        Parameters
        ----------
        path : path-like
            The file. Its elements may be in any order; of repeated ones the first counts.
        must_exist : bool
            Whether a document that it points at and that does not exist is an error.

        Returns
        -------
        RunSetup

        Raises
        ------
        FileFormatError
            If the file does not follow the grammar, lacks an element, or points at a file that
            does not exist.
        """
        return cls.of(read_document(path, "ceinmsSetup"), must_exist=must_exist)

    @classmethod
    def of(cls, document: XmlDocument, *, must_exist: bool = True) -> RunSetup:
        """Take a document that was read; see `read`."""
        root = document.root
        return cls(
            subject_file=root.child("subjectFile").file(must_exist=must_exist),
            input_data_file=root.child("inputDataFile").file(must_exist=must_exist),
            execution_file=root.child("executionFile").file(must_exist=must_exist),
            excitation_generator_file=root.child("excitationGeneratorFile").file(
                must_exist=must_exist
            ),
            output_directory=root.child("outputDirectory").file(must_exist=False),
            path=document.path,
            document=document,
        )

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a setup file, with file names relative to it.

        Parameters
        ----------
        path : path-like
            The file to write; its folder is created if needed.
        """
        document = new_document("ceinmsSetup", path)
        document.root.add("subjectFile", relative_text(self.subject_file, path))
        document.root.add("inputDataFile", relative_text(self.input_data_file, path))
        document.root.add("executionFile", relative_text(self.execution_file, path))
        generator = relative_text(self.excitation_generator_file, path)
        document.root.add("excitationGeneratorFile", generator)
        document.root.add("outputDirectory", relative_text(self.output_directory, path))
        write_new(document, self.document)


@dataclass(frozen=True, kw_only=True)
class CalibrationSetup:
    """Files for a calibration (root element ``ceinmsCalibration``).

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

    subject_file: Path
    excitation_generator_file: Path
    calibration_file: Path
    output_subject_file: Path
    path: Path | None = None
    document: XmlDocument | None = field(default=None, repr=False, compare=False)

    @classmethod
    def read(cls, path: str | os.PathLike[str], *, must_exist: bool = True) -> CalibrationSetup:
        """Read the argument of ``CEINMScalibrate -S``.

        Parameters
        ----------
        path : path-like
            The file. Its elements may be in any order; of repeated ones the first counts.
        must_exist : bool
            Whether a document that it points at and that does not exist is an error.

        Returns
        -------
        CalibrationSetup

        Raises
        ------
        FileFormatError
            If the file does not follow the grammar, lacks an element, or points at a file that
            does not exist.
        """
        return cls.of(read_document(path, "ceinmsCalibrationSetup"), must_exist=must_exist)

    @classmethod
    def of(cls, document: XmlDocument, *, must_exist: bool = True) -> CalibrationSetup:
        """Take a document that was read; see `read`."""
        root = document.root
        return cls(
            subject_file=root.child("subjectFile").file(must_exist=must_exist),
            excitation_generator_file=root.child("excitationGeneratorFile").file(
                must_exist=must_exist
            ),
            calibration_file=root.child("calibrationFile").file(must_exist=must_exist),
            output_subject_file=root.child("outputSubjectFile").file(must_exist=False),
            path=document.path,
            document=document,
        )

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a setup file, with file names relative to it.

        Parameters
        ----------
        path : path-like
            The file to write; its folder is created if needed.
        """
        document = new_document("ceinmsCalibrationSetup", path)
        document.root.add("subjectFile", relative_text(self.subject_file, path))
        generator = relative_text(self.excitation_generator_file, path)
        document.root.add("excitationGeneratorFile", generator)
        document.root.add("calibrationFile", relative_text(self.calibration_file, path))
        document.root.add("outputSubjectFile", relative_text(self.output_subject_file, path))
        write_new(document, self.document)


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
