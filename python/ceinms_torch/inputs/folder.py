"""Everything a setup file points at, read and checked before anything is computed."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ceinms_torch.blas import one_blas_thread
from ceinms_torch.errors import CeinmsTorchWarning, DataError, OptionError, Place
from ceinms_torch.inputs.dialect import Dialect, dialect_of
from ceinms_torch.inputs.rates import warn_of_another_rate
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.source import Source
from ceinms_torch.io.storage import StorageReader
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.execution import Execution
from ceinms_torch.model.input_data import InputData
from ceinms_torch.model.setup import CalibrationSetup, RunSetup
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.model.trial_files import TrialFiles

if TYPE_CHECKING:  # loaded where a calibration is read: a run does without, in half the time
    from ceinms_torch.plan.calibration import CalibrationPlan
    from ceinms_torch.simulation.smooth_curves import CurveSet


@dataclass(frozen=True, kw_only=True, eq=False)
class CalibrationFolder(OneLine):
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
    dialect : Dialect
        Which versions of CEINMS the files are of.
    """

    setup: CalibrationSetup
    subject: Subject
    generator: ExcitationGenerator
    plan: CalibrationPlan
    trials: tuple[Trial, ...]
    dialect: Dialect = Dialect()  # noqa: RUF009  frozen

    @classmethod
    @one_blas_thread
    def read(cls, path: str | os.PathLike[str], *, legacy: bool = False) -> Self:
        """Read a calibration setup file and all it points at.

        Parameters
        ----------
        path : path-like
            The argument of ``CEINMScalibrate -S``.
        legacy : bool
            Whether it is for the legacy annealing, which needs no gradient.

        Returns
        -------
        CalibrationFolder

        Raises
        ------
        FileFormatError, DataError
            If anything is missing, faulty, or does not fit together.
        OptionError
            If it asks for a tendon or an activation that cannot be calibrated.
        """
        from ceinms_torch.calibration.delays import check_delays  # noqa: PLC0415
        from ceinms_torch.calibration.loop import check_model  # noqa: PLC0415
        from ceinms_torch.plan.calibration import CalibrationPlan  # noqa: PLC0415

        setup = CalibrationSetup.read(path)
        plan = CalibrationPlan.read(setup.calibration_file)
        if not legacy:
            check_model(plan)
        subject = Subject.read(setup.subject_file)
        generator = ExcitationGenerator.read(setup.excitation_generator_file)
        plan = plan.of_subject(subject)
        plan.check_names(subject)
        read = StorageReader()
        data = [InputData.read(file) for file in plan.trial_files]
        files = (TrialFiles.read(one, subject, read) for one in data)
        trials = tuple(Trial.of(one, subject, generator, require_moments=True) for one in files)
        check_trial_names(trials)
        check_delays(subject, plan, trials)
        plan = plan.of_trials(trials)
        warn_of_another_rate(subject, trials)
        documents = [one.document for one in data]
        return cls(
            setup=setup,
            subject=subject,
            generator=generator,
            plan=plan,
            trials=trials,
            dialect=dialect_of([subject.document, generator.document, plan.document, *documents]),
        )

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

    def read_tests(self, paths: Iterable[str | os.PathLike[str]]) -> dict[str, Trial]:
        """Read the trials that a calibrated subject is tested on.

        Parameters
        ----------
        paths : iterable of path-like
            Their ``inputData.xml`` files.

        Returns
        -------
        dict of str to Trial
            By name.

        Raises
        ------
        FileFormatError, DataError
            If anything is missing, faulty, or does not fit together, or two trials have the same
            name.

        Warns
        -----
        CeinmsTorchWarning
            If a trial is one of those to calibrate on.
        """
        from ceinms_torch.calibration.delays import check_delays  # noqa: PLC0415

        tests = [self.read_trial(path) for path in paths]
        check_trial_names(tests)
        check_delays(self.subject, self.plan, tests)
        warn_if_calibrated_on(tests, self.trials)
        return {trial.name: trial for trial in tests}

    def with_curves(self, curves: CurveSet) -> Self:
        """Return the folder with other force curves of the subject.

        Parameters
        ----------
        curves : {"file", "degroote", "millard"}
            As for `with_curves`.

        Returns
        -------
        CalibrationFolder
            Its plan's `overrides` say so.
        """
        from ceinms_torch.plan.override import Override  # noqa: PLC0415
        from ceinms_torch.simulation.smooth_curves import (  # noqa: PLC0415
            CURVE_SETS,
            with_curves,
        )

        subject = with_curves(self.subject, curves)
        if subject is self.subject:
            return self
        override = Override(
            what="curves",
            file="the subject's own" if self.subject.curves else "none in the subject's file",
            recipe=CURVE_SETS[curves],
            why="smooth curves have fewer false minima; on most recordings they predict better",
        )
        plan = replace(self.plan, overrides=(*self.plan.overrides, override))
        return replace(self, subject=subject, plan=plan)

    def recommended(self, *, curves: CurveSet = "degroote", tests: Iterable[Trial] = ()) -> Self:
        """Return the folder by the recommended recipe: smooth curves, and `recommended_plan`.

            result = ct.calibrate(folder.recommended())

        Parameters
        ----------
        curves : {"degroote", "millard", "file"}
            Force curves; "file" for the subject's own.
        tests : iterable of Trial
            Trials that the subject will be tested on, whose EMG limits emDelay, too.

        Returns
        -------
        CalibrationFolder
            Its plan's `overrides` say what of the files does not count.
        """
        folder = self.with_curves(curves)
        plan = folder.plan.recommended(folder.subject, (*self.trials, *tests))
        return replace(folder, plan=plan)

    def sources(self, tests: Iterable[Trial] = ()) -> list[Source]:
        """Return every input file as it was read, also those of trials to test on; each once."""
        read = (self.setup, self.subject, self.generator, self.plan)
        documents = [one.document.source for one in read if one.document is not None]
        trials = (file for trial in (*self.trials, *tests) for file in trial.sources)
        return list(dict.fromkeys([*documents, *trials]))


def check_trial_names(trials: Iterable[Trial]) -> None:
    """Refuse two trials of one name: their results would overwrite each other.

    Parameters
    ----------
    trials : iterable of Trial
        The trials, read from files.

    Raises
    ------
    DataError
        At the first name that occurs again.
    """
    files: dict[str, Path | None] = {}
    for trial in trials:
        file = trial.sources.input_data.path
        if trial.name in files:
            raise DataError(
                where=Place(file, trial=trial.name),
                expected="trials with different names",
                got=f"'{trial.name}', as '{files[trial.name]}' has it",
                hint="Trials are named after their file, or after its folder if that is called "
                "inputData.xml; name each trial once and give it a name of its own",
            )
        files[trial.name] = file


def warn_if_calibrated_on(tests: Iterable[Trial], trials: Iterable[Trial]) -> None:
    """Warn about trials to test on that are calibrated on, whatever they are called.

    Parameters
    ----------
    tests, trials : iterable of Trial
        The trials to test on, and those to calibrate on.

    Warns
    -----
    CeinmsTorchWarning
        For each of them.
    """
    seen = {_data_files(trial): trial.name for trial in trials}
    for trial in tests:
        if _data_files(trial) in seen:
            text = (
                f"Test trial '{trial.name}' is calibration trial '{seen[_data_files(trial)]}': how "
                "well it fits says nothing about other trials."
            )
            warnings.warn(CeinmsTorchWarning(text, "test-is-calibrated-on"), stacklevel=3)


def _data_files(trial: Trial) -> frozenset[Path]:
    # Two inputData.xml may point at the same recording.
    return frozenset(file.path.resolve() for file in trial.sources.data() if file.path)


@dataclass(frozen=True, kw_only=True, eq=False)
class RunFolder(OneLine):
    """What ``ceinms-torch run SETUP.xml`` works on.

    Parameters
    ----------
    setup : RunSetup
        The setup file.
    subject : Subject
        The model.
    execution : Execution
        How to run it.
    generator : ExcitationGenerator
        Which signals drive which MTU.
    trial : Trial
        The trial to run it on.
    dialect : Dialect
        Which versions of CEINMS the files are of.
    """

    setup: RunSetup
    subject: Subject
    execution: Execution
    generator: ExcitationGenerator
    trial: Trial
    dialect: Dialect = Dialect()  # noqa: RUF009  frozen

    @classmethod
    @one_blas_thread
    def read(cls, path: str | os.PathLike[str], *, legacy: bool = False) -> Self:
        """Read an execution setup file and all it points at.

        Parameters
        ----------
        path : path-like
            The argument of ``CEINMS -S``.
        legacy : bool
            Whether it is for the model of CEINMS 0.9, which runs every type and activation.

        Returns
        -------
        RunFolder

        Raises
        ------
        FileFormatError, DataError
            If anything is missing, faulty, or does not fit together.
        OptionError
            If it asks for another activation than the exponential one, and `legacy` is not set.
        """
        setup = RunSetup.read(path)
        execution = Execution.read(setup.execution_file)
        if not legacy:
            check_execution(execution)
        subject = Subject.read(setup.subject_file)
        generator = ExcitationGenerator.read(setup.excitation_generator_file)
        data = InputData.read(setup.input_data_file)
        documents = (subject.document, execution.document, generator.document, data.document)
        trial = Trial.read(data, subject, generator)
        warn_of_another_rate(subject, [trial])
        return cls(
            setup=setup,
            subject=subject,
            execution=execution,
            generator=generator,
            trial=trial,
            dialect=dialect_of(documents),
        )

    def files(self) -> list[Path]:
        """Return every file that was read."""
        setup = self.setup
        documents = (setup.path, setup.subject_file, setup.execution_file)
        trial = (file.path for file in self.trial.sources)
        return [*filter(None, (*documents, setup.excitation_generator_file, *trial))]


def check_execution(execution: Execution) -> None:
    """Refuse what only the model of CEINMS 0.9 runs.

    Parameters
    ----------
    execution : Execution
        How to run a trial.

    Raises
    ------
    OptionError
        If its activation is not exponential.
    """
    if execution.activation != "exponential":
        where = Place(execution.path, element="activation")
        hint = "run it with --legacy, the model of CEINMS 0.9"
        raise OptionError(
            where=where, expected="<exponential/>", got=f"<{execution.activation}/>", hint=hint
        )
