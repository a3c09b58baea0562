"""One row of a study, done by whoever has it: by paths, in this process, on one thread."""

from __future__ import annotations

import dataclasses
import errno
import functools
import importlib.metadata
import os
import time
import traceback
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ceinms_torch.cohort.outcome import (
    Kind,
    Outcome,
    digests_of,
    key_of,
    known_outcome,
    publish,
    working_folder,
)
from ceinms_torch.cohort.study import StudyRow
from ceinms_torch.errors import (
    CeinmsTorchError,
    CeinmsTorchWarning,
    DataError,
    OptionError,
    Place,
    told_warnings,
)
from ceinms_torch.plan.options import MethodName

if TYPE_CHECKING:  # loaded by the first task, so that a worker begins at once
    from ceinms_torch.calibration.result import CalibrationResult, Iteration
    from ceinms_torch.inputs.checks.files import Inputs
    from ceinms_torch.inputs.checks.findings import CheckReport

TABLES_FOLDER = "tables"
# What ends a study, because it is no fault of one person's files: disk, memory, open files.
_OF_THE_COMPUTER = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOMEM, errno.EMFILE}


@dataclass(frozen=True, kw_only=True)
class CohortOptions:
    """How every row of a study is done.

    Parameters
    ----------
    method : {"lm", "adamw", "lbfgs", "annealing"}, optional
        As for `calibrate`.
    recommended : bool
        Calibrate by the recommended recipe.
    starts : int, optional
        Number of starts; as for `calibrate`.
    seed : int
        Seed of the random numbers, the same for all.
    time_limit : float, optional
        Longest time of one calibration [s], > 0; one that takes longer fails. None for no limit.

    Raises
    ------
    OptionError
        If a value is outside its range, or the annealing is to be done by the recipe.
    """

    method: MethodName | None = None
    recommended: bool = False
    starts: int | None = None
    seed: int = 0
    time_limit: float | None = None

    def __post_init__(self) -> None:
        """Check what no row could be done with."""
        if self.time_limit is not None and not self.time_limit > 0.0:
            got = repr(self.time_limit)
            raise OptionError(where="time limit", expected="a time above 0 s", got=got)
        if self.recommended and self.method == "annealing":
            raise OptionError(
                where="recommended",
                expected="another method than annealing",
                got="annealing",
                hint="the annealing repeats what CEINMS does",
            )


class _TooLongError(DataError):
    """A calibration that has reached its time limit."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A row of a study, and where its results belong; can be sent to another process or computer.

    Parameters
    ----------
    row : StudyRow
        What to do.
    directory : Path
        Folder of the study's results, absolute.
    options : CohortOptions
        How.
    command : str
        The command line that asks for it, which results know.
    """

    row: StudyRow
    directory: Path
    options: CohortOptions = field(default_factory=CohortOptions)
    command: str = ""

    @property
    def folder(self) -> Path:
        """Folder of its results."""
        return self.directory / self.row.folder

    @property
    def key(self) -> str:
        """Digest of what is asked for, besides the content of files."""
        row = self.row
        # A limit that was not reached has no influence.
        options = dataclasses.replace(self.options, time_limit=None)
        return key_of(_version(), row.subject, row.condition, row.setup, row.tests, options)

    def known(self) -> Outcome | None:
        """Return what an earlier command has found, if nothing has changed since.

        Returns
        -------
        Outcome or None
            None also if it failed for another time limit than there is now.
        """
        found = known_outcome(self.folder, self.key)
        return found or known_outcome(self.folder, self.key_of_failure(too_long=True))

    def key_of_failure(self, *, too_long: bool) -> str:
        """Return the digest that a failure is kept under."""
        return key_of(self.key, self.options.time_limit) if too_long else self.key

    def failed(self, message: str) -> Outcome:
        """Publish that it failed where nobody could say so: its worker died.

        Parameters
        ----------
        message : str
            Why.

        Returns
        -------
        Outcome
        """
        outcome = Outcome(
            status="failed",
            message=message,
            key=self.key,
            inputs=digests_of([self.row.setup]),
        )
        with working_folder(self.folder) as folder:
            return publish(outcome, folder, self.folder)

    def compute(self) -> Outcome:
        """Do it and publish what came out; what fails is published with its message, not raised.

        Returns
        -------
        Outcome

        Raises
        ------
        KeyboardInterrupt
            If a signal stopped it: nothing is published.
        OSError
            If the folder of the study cannot be written to.
        """
        with working_folder(self.folder) as folder:
            return publish(_Attempt(self, folder).outcome(), folder, self.folder)


@functools.cache
def _version() -> str:
    return importlib.metadata.version("ceinms-torch")


class _Attempt:
    """One try: what is known so far, so that a failure can say it."""

    def __init__(self, task: Task, folder: Path) -> None:
        self._task, self._folder = task, folder
        self._files: list[Path] = [task.row.setup]
        self._kind: Kind = ""
        self._objective: float | None = None

    def outcome(self) -> Outcome:
        """Calibrate or run, and write the results into the working folder."""
        began = time.monotonic()
        failure: Exception | None = None
        trace = ""
        with told_warnings(_nobody) as messages:
            try:
                self._do()
            except (CeinmsTorchError, _FaultyError, OSError) as error:
                if isinstance(error, OSError) and self._ends_the_study(error):
                    raise
                failure = error
            except Exception as error:  # noqa: BLE001  one person's files must not end the study
                failure = error
                trace = traceback.format_exc()
        key = self._task.key_of_failure(too_long=isinstance(failure, _TooLongError))
        if failure is not None:
            self._clear()
        return Outcome(
            status="done" if failure is None else "failed",
            message="" if failure is None else _message(failure, is_ours=not trace),
            kind=self._kind,
            key=key,
            inputs=digests_of(self._files),
            seconds=time.monotonic() - began,
            objective=self._objective,
            warnings=tuple(messages),
            traceback=trace,
        )

    def _ends_the_study(self, error: OSError) -> bool:
        """Tell whether it is no fault of this row's files: the computer, or the results' folder."""
        name = error.filename if isinstance(error.filename, (str, os.PathLike)) else ""
        is_output = Path(name).is_relative_to(self._task.directory)
        # Its folder goes when the command that asked for it has ended.
        return is_output or error.errno in _OF_THE_COMPUTER or not self._folder.is_dir()

    def _clear(self) -> None:
        for file in sorted(self._folder.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()

    def _do(self) -> None:
        from ceinms_torch.inputs.checks.check import check_inputs  # noqa: PLC0415
        from ceinms_torch.inputs.checks.files import read_inputs  # noqa: PLC0415
        from ceinms_torch.model.setup import RunSetup  # noqa: PLC0415

        row, options = self._task.row, self._task.options
        tests = row.test_files()
        inputs, faults = read_inputs(row.setup, tests, legacy=options.method == "annealing")
        self._files += [*inputs.files(), *tests]
        report = check_inputs(inputs, faults)
        is_run = isinstance(inputs.setup, RunSetup)
        self._kind = "run" if is_run else "calibration"
        for message in report.reader_warnings:
            warnings.warn(CeinmsTorchWarning(message), stacklevel=2)
        errors = [one.line() for one in report.of_severity("error")]
        if errors:
            raise _FaultyError("\n".join(errors))
        if is_run:
            self._run(inputs)
        else:
            self._calibrate(inputs, report)

    def _calibrate(self, inputs: Inputs, report: CheckReport) -> None:
        from ceinms_torch.calibration.methods import choose_method  # noqa: PLC0415
        from ceinms_torch.cohort.tables import Tables  # noqa: PLC0415
        from ceinms_torch.inputs.calibrate import calibrate  # noqa: PLC0415
        from ceinms_torch.results.provenance import with_provenance  # noqa: PLC0415
        from ceinms_torch.results.write import save_result  # noqa: PLC0415

        row, options = self._task.row, self._task.options
        folder = inputs.folder()
        if options.recommended:
            folder = folder.recommended(tests=inputs.tests)
        limit = None if options.time_limit is None else _Limit(options.time_limit)
        with told_warnings(_again) as messages:
            result: CalibrationResult = calibrate(
                folder,
                options=choose_method(folder.plan, options.method),
                starts=options.starts,
                seed=options.seed,
                callback=limit,
            )
            if result.status == "interrupted":
                if limit is not None and limit.is_reached:
                    raise _too_long(row, options.time_limit)
                raise KeyboardInterrupt
            result = result.with_tests(inputs.tests)
        result = with_provenance(
            result, folder, findings=report, warnings=messages, command=self._task.command
        )
        self._objective = result.objective
        save_result(result, self._folder, subject_file=folder.setup.output_subject_file.name)
        tables = Tables.of_calibration(result, row.subject, row.condition)
        tables.write(self._folder / TABLES_FOLDER)

    def _run(self, inputs: Inputs) -> None:
        from ceinms_torch.cohort.tables import Tables  # noqa: PLC0415
        from ceinms_torch.results.trials import write_simulation  # noqa: PLC0415
        from ceinms_torch.simulation.fit import moment_fit  # noqa: PLC0415
        from ceinms_torch.simulation.simulate import simulate  # noqa: PLC0415

        row, execution = self._task.row, inputs.execution
        assert execution is not None  # noqa: S101  that would be an error of the check
        assert inputs.subject is not None  # noqa: S101
        if execution.hybrid is not None:
            raise OptionError(
                where=Place(execution.path, element="hybrid"),
                expected="<openLoop/>",
                got="<hybrid>",
                hint="Excitations are searched for by ceinms-torch run, a trial at a time",
            )
        if row.tests:
            raise OptionError(
                where="tests", expected="none for the setup file of a run", got=str(len(row.tests))
            )
        (trial,) = inputs.aligned
        simulation = simulate(inputs.subject, trial, tendon=execution.tendon.kind)
        write_simulation(simulation, self._folder)
        fit = {} if trial.measured_moment is None else moment_fit(trial, simulation)
        tables = Tables.of_run(simulation, fit, trial.name, row.subject, row.condition)
        tables.write(self._folder / TABLES_FOLDER)


class _FaultyError(Exception):
    """What a check of the folder has found, a line each."""


class _Limit:
    """Stops a calibration that takes too long, at one of its iterations."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self.is_reached = False

    def __call__(self, _: Iteration) -> None:
        if time.monotonic() > self._end:
            self.is_reached = True
            raise KeyboardInterrupt


def _too_long(row: StudyRow, limit: float | None) -> _TooLongError:
    return _TooLongError(
        where=row.setup,
        expected=f"a calibration within {limit:g} s",
        got="one that takes longer",
        hint="Raise --time-limit, or ask for less in the calibration file",
    )


def _message(failure: Exception, *, is_ours: bool) -> str:
    if isinstance(failure, OSError) and failure.filename is not None:
        return f"{failure.filename}: {failure.strerror}"
    if is_ours:
        return str(failure)
    return f"{type(failure).__name__}: {failure}. It is a fault of this program; please report it"


def _nobody(_: str) -> None:
    """Tell nobody: messages are kept."""


def _again(message: str) -> None:
    """Let who listens outside hear it, too."""
    warnings.warn(CeinmsTorchWarning(message), stacklevel=2)
