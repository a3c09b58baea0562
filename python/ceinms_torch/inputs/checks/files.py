"""Read all that can be read of a folder, past whatever fails."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ceinms_torch.calibration.loop import check_model
from ceinms_torch.errors import Place
from ceinms_torch.inputs.checks.attempts import Attempts
from ceinms_torch.inputs.checks.findings import Finding
from ceinms_torch.inputs.dialect import Dialect, dialect_of
from ceinms_torch.inputs.folder import CalibrationFolder, check_execution
from ceinms_torch.io.storage import Storage, StorageReader
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.execution import Execution
from ceinms_torch.model.input_data import InputData
from ceinms_torch.model.setup import CalibrationSetup, RunSetup, read_setup
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.model.trial_files import TrialFiles, ends, read_lengths
from ceinms_torch.plan.calibration import CalibrationPlan, read_trial_files
from ceinms_torch.simulation.trial_result import Role


@dataclass(frozen=True, kw_only=True, eq=False)
class TrialInputs:
    """What could be read of a trial.

    Parameters
    ----------
    data : InputData
        Where its files are.
    lengths, signals, torques : Storage or None
        Its files; None if missing, unreadable or not named.
    arms : dict of str to Storage
        Moment arms by DOF, as far as they could be read.
    is_test : bool
        Whether it is there to test on, not to calibrate on.
    """

    data: InputData
    lengths: Storage | None
    signals: Storage | None
    torques: Storage | None
    arms: dict[str, Storage]
    is_test: bool = False

    @property
    def name(self) -> str:
        """Name of the trial."""
        return self.data.name

    def place(self, storage: Storage | None = None, column: str | None = None) -> Place:
        """Return a place in one of its files, or in its inputData.xml."""
        file = self.data.path if storage is None else storage.path
        return Place(file=file, column=column, trial=self.name)

    def complete(self, subject: Subject) -> TrialFiles | None:
        """Return its files if none is missing that the subject needs."""
        if self.lengths is None or self.signals is None:
            return None
        if self.torques is None and self.data.external_torques_file is not None:
            return None
        if any(dof not in self.arms for dof in subject.dof_names):
            return None
        return TrialFiles(
            data=self.data,
            lengths=self.lengths,
            arms={dof: self.arms[dof] for dof in subject.dof_names},
            signals=self.signals,
            torques=self.torques,
        )


@dataclass(kw_only=True, eq=False)
class Inputs:
    """What could be read of a folder.

    Parameters
    ----------
    file : Path
        The setup file.
    setup, subject, generator, plan, execution : optional
        Its documents; None if missing, faulty or not part of such a setup.
    trials : list of TrialInputs
        Its trials, as far as they could be read; those to test on are last.
    aligned, tests : list of Trial
        The same, matched to the subject, as far as they fit together: those to calibrate on or to
        run, and those to test on.
    legacy : bool
        Whether the model of CEINMS 0.9 is going to be run.
    """

    file: Path
    setup: CalibrationSetup | RunSetup | None = None
    subject: Subject | None = None
    generator: ExcitationGenerator | None = None
    plan: CalibrationPlan | None = None
    execution: Execution | None = None
    trials: list[TrialInputs] = field(default_factory=list)
    aligned: list[Trial] = field(default_factory=list)
    tests: list[Trial] = field(default_factory=list)
    legacy: bool = False

    @property
    def tendon(self) -> str | None:
        """The tendon model that is asked for, by its XML name."""
        document = self.plan or self.execution
        return None if document is None else document.tendon.kind

    def roles(self) -> list[tuple[Role, str]]:
        """Return what every trial is for, and its name."""
        return [("test" if one.is_test else "calibration", one.name) for one in self.trials]

    def files(self) -> list[Path]:
        """Return every file that is read, also those that could not be."""
        setup, files = self.setup, [self.file]
        if setup is not None:
            files += [setup.subject_file, setup.excitation_generator_file]
        if isinstance(setup, CalibrationSetup):
            files.append(setup.calibration_file)
        elif setup is not None:
            files.append(setup.execution_file)
        for data in (trial.data for trial in self.trials):
            files += [data.muscle_tendon_length_file, data.excitations_file]
            files += data.moment_arms_files.values()
            files += filter(None, (data.path, data.external_torques_file))
        return files

    @property
    def dialect(self) -> Dialect:
        """Which versions of CEINMS the files are of, as far as they could be read."""
        read = [self.subject, self.generator, self.plan, self.execution]
        documents = [one.document for one in read if one is not None]
        return dialect_of([*documents, *(trial.data.document for trial in self.trials)])

    def folder(self) -> CalibrationFolder:
        """Return what is calibrated, of inputs without errors.

        Returns
        -------
        CalibrationFolder

        Raises
        ------
        FileFormatError
            If they are those of a run.
        """
        setup, subject, generator, plan = self.setup, self.subject, self.generator, self.plan
        if not isinstance(setup, CalibrationSetup):
            setup = CalibrationSetup.read(self.file)  # which says what is wrong
        assert subject is not None  # noqa: S101  that would be an error
        assert generator is not None  # noqa: S101
        assert plan is not None  # noqa: S101
        return CalibrationFolder(
            setup=setup,
            subject=subject,
            generator=generator,
            plan=plan.of_trials(self.aligned),
            trials=tuple(self.aligned),
            dialect=self.dialect,
        )


def read_inputs(
    setup: Path, tests: Iterable[Path], *, legacy: bool
) -> tuple[Inputs, list[Finding]]:
    """Read a setup file and all it points at, past whatever fails.

    Parameters
    ----------
    setup : Path
        A calibration or execution setup file.
    tests : iterable of Path
        ``inputData.xml`` of trials to test on.
    legacy : bool
        Whether the model of CEINMS 0.9 is going to be run, which knows more activations.

    Returns
    -------
    Inputs
        What could be read.
    list of Finding
        What could not, and what is doubtful about what could.
    """
    findings: list[Finding] = []
    attempt = Attempts(findings)
    inputs = Inputs(file=setup, legacy=legacy)
    inputs.setup = attempt("setup-file", None, read_setup, setup, must_exist=False)
    if inputs.setup is None:
        return inputs, findings
    files = _read_documents(attempt, inputs, inputs.setup)
    read_data, read = functools.cache(InputData.read), StorageReader()
    for path, is_test in [*((path, False) for path in files), *((path, True) for path in tests)]:
        data = attempt("trial-file", None, read_data, path, must_exist=False)
        if data is not None:
            trial = _read_trial(attempt, data, inputs.subject, read, is_test=is_test)
            inputs.trials.append(trial)
    return inputs, findings


def _read_documents(
    attempt: Attempts, inputs: Inputs, setup: CalibrationSetup | RunSetup
) -> tuple[Path, ...]:
    """Read what the setup file points at, and return the trials."""
    inputs.subject = attempt("subject-file", None, Subject.read, setup.subject_file)
    inputs.generator = attempt(
        "excitation-map-file", None, ExcitationGenerator.read, setup.excitation_generator_file
    )
    if isinstance(setup, RunSetup):
        execution = attempt("execution-file", None, Execution.read, setup.execution_file)
        inputs.execution = execution
        if execution is not None and not inputs.legacy:
            attempt("model-not-supported", None, check_execution, execution)
        return (setup.input_data_file,)
    plan = attempt(
        "calibration-file", None, CalibrationPlan.read, setup.calibration_file, must_exist=False
    )
    if plan is None:  # the trials can be looked at all the same
        return Attempts([])("trial-set", None, read_trial_files, setup.calibration_file) or ()
    inputs.plan = plan if inputs.subject is None else plan.of_subject(inputs.subject)
    if not inputs.legacy:
        attempt("model-not-supported", None, check_model, plan)
    return plan.trial_files


def _read_trial(
    attempt: Attempts,
    data: InputData,
    subject: Subject | None,
    read: Callable[[Path], Storage],
    *,
    is_test: bool,
) -> TrialInputs:
    def read_file(code: str, file: Path | None) -> Storage | None:
        return None if file is None else attempt(code, data.name, read, file)

    arms: dict[str, Storage] = {}
    for dof in data.moment_arms_files if subject is None else subject.dof_names:
        if dof not in data.moment_arms_files:
            attempt("moment-arm-file-missing", data.name, data.moment_arms_file, dof)
            continue
        storage = read_file("moment-arm-file", data.moment_arms_files[dof])
        if storage is not None:
            arms[dof] = storage
    signals = read_file("emg-file", data.excitations_file)
    torques = read_file("moments-file", data.external_torques_file)
    others = None if subject is None else ends(arms, signals, torques, subject)
    return TrialInputs(
        data=data,
        lengths=attempt("lengths-file", data.name, read_lengths, data, read, others),
        arms=arms,
        signals=signals,
        torques=torques,
        is_test=is_test,
    )
