"""Everything a setup file points at, read and checked before anything is computed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ceinms_torch.errors import OptionError, location, wording
from ceinms_torch.model.calibration import CalibrationPlan
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.execution import Execution
from ceinms_torch.model.setup import CalibrationSetup, RunSetup
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial


@dataclass(frozen=True, kw_only=True, eq=False)
class CalibrationFolder:
    """What ``ceinms-torch calibrate SETUP.xml`` works on.

    Parameters
    ----------
    setup : CalibrationSetup
        The setup file.
    subject : Subject
        The subject to calibrate.
    generator : ExcitationGenerator
        Which signals drive which MTU.
    plan : CalibrationPlan
        What to calibrate.
    trials : tuple of Trial
        The trials to calibrate on.
    """

    setup: CalibrationSetup
    subject: Subject
    generator: ExcitationGenerator
    plan: CalibrationPlan
    trials: tuple[Trial, ...]

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> CalibrationFolder:
        """Read a calibration setup file and all it points at.

        Parameters
        ----------
        path : path-like
            The argument of ``CEINMScalibrate -S``.

        Returns
        -------
        CalibrationFolder

        Raises
        ------
        FileFormatError, DataError
            If anything is missing, faulty, or does not fit together.
        """
        setup = CalibrationSetup.read(path)
        subject = Subject.read(setup.subject_file)
        generator = ExcitationGenerator.read(setup.excitation_generator_file)
        plan = CalibrationPlan.read(setup.calibration_file)
        plan.check_names(subject)
        trials = tuple(
            Trial.read(file, subject, generator, require_moments=True) for file in plan.trial_files
        )
        return cls(setup=setup, subject=subject, generator=generator, plan=plan, trials=trials)

    def read_trial(self, path: str | os.PathLike[str]) -> Trial:
        """Read another trial of the same subject, with measured moments.

        Parameters
        ----------
        path : path-like
            Its ``inputData.xml``.

        Returns
        -------
        Trial
        """
        return Trial.read(path, self.subject, self.generator, require_moments=True)

    def files(self) -> list[Path]:
        """Return every input file, in the order they were read."""
        documents = [self.setup.path, self.subject.path, self.generator.path, self.plan.path]
        files = [path for path in documents if path is not None]
        for input_data, trial in zip(self.plan.trial_files, self.trials, strict=True):
            files += [input_data, *trial.files]
        return files


@dataclass(frozen=True, kw_only=True, eq=False)
class RunFolder:
    """What ``ceinms-torch run SETUP.xml`` works on.

    Parameters
    ----------
    setup : RunSetup
        The setup file.
    subject : Subject
        The model.
    execution : Execution
        How to run it.
    trial : Trial
        The trial to run it on.
    """

    setup: RunSetup
    subject: Subject
    execution: Execution
    trial: Trial

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> RunFolder:
        """Read an execution setup file and all it points at.

        Parameters
        ----------
        path : path-like
            The argument of ``CEINMS -S``.

        Returns
        -------
        RunFolder

        Raises
        ------
        FileFormatError, DataError
            If anything is missing, faulty, or does not fit together.
        OptionError
            If it asks for something other than an open loop with exponential activation.
        """
        setup = RunSetup.read(path)
        execution = Execution.read(setup.execution_file)
        where = location(setup.execution_file)
        if execution.type != "openLoop":
            raise OptionError(wording(f"{where}: type", "<openLoop/>", f"<{execution.type}>"))
        if execution.activation != "exponential":
            raise OptionError(
                wording(f"{where}: activation", "<exponential/>", f"<{execution.activation}/>")
            )
        subject = Subject.read(setup.subject_file)
        generator = ExcitationGenerator.read(setup.excitation_generator_file)
        trial = Trial.read(setup.input_data_file, subject, generator)
        return cls(setup=setup, subject=subject, execution=execution, trial=trial)
