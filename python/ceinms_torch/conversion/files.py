"""Write files of any dialect as those of CEINMS 0.9 or 0.21, and say what these cannot hold."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ceinms_torch.conversion.calibration import convert_calibration
from ceinms_torch.conversion.rt_subject import DEFAULT_DELAY, Angles, read_rt_subject
from ceinms_torch.errors import FileFormatError, OptionError, Place
from ceinms_torch.inputs.dialect import Dialect, Version, dialect_of
from ceinms_torch.inputs.folder import check_trial_names
from ceinms_torch.inputs.rates import calibrated_rate
from ceinms_torch.io.grammar import SCHEMAS, load_grammar
from ceinms_torch.io.paths import written_together
from ceinms_torch.io.storage import Storage, StorageReader, write_storage
from ceinms_torch.io.xml_document import XmlDocument, open_document
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.execution import Execution, Hybrid
from ceinms_torch.model.input_data import InputData
from ceinms_torch.model.nms_model import Tendon
from ceinms_torch.model.setup import CalibrationSetup, RunSetup
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial, at_times
from ceinms_torch.model.trial_files import TrialFiles, moment_columns
from ceinms_torch.plan.calibration import CalibrationPlan

# Brought by versions that a target does not know.
_UNKNOWN_TO: dict[Version, tuple[str, ...]] = {
    "0.9": ("0.10", "ceinms-torch"),
    "0.21": ("ceinms-torch",),
}
_TENDONS = ("stiff", "equilibriumElastic", "integrationElastic")
_NO_NAME = re.compile(r"[\s,]+")


@dataclass(kw_only=True, eq=False)
class Conversion:
    """Files that were read, and what is written of them.

    Parameters
    ----------
    directory : Path
        Where the new files are to be.
    to : {"0.9", "0.21"}
        The version of CEINMS that is to read them.
    dialect : Dialect
        What was read.
    inputs : list of Path
        All files that were read.
    outputs : dict of Path to callable
        What writes each file.
    lost : list of str
        What the new files cannot hold, and what stands there instead: sentences.
    """

    directory: Path
    to: Version
    dialect: Dialect
    inputs: list[Path] = field(default_factory=list)
    outputs: dict[Path, Callable[[Path], None]] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    def write(self) -> None:
        """Write all files, or none; what they cannot hold is added to `lost`."""
        with written_together(lambda _: None) as staged:
            for path, write in self.outputs.items():
                write(path)
                if path.suffix == ".xml":
                    self._reduce(path, staged[-1].temporary)

    def _reduce(self, path: Path, written: Path) -> None:
        """Take out of a file what the version does not know."""
        document = open_document(written, *_schemas())
        names = document.remove(*_UNKNOWN_TO[self.to])
        if names:
            listing = ", ".join(f"<{name}>" for name in names)
            name = path.relative_to(self.directory)
            self.lost.append(f"{name}: CEINMS {self.to} does not know {listing}: left out")
            document.indent()
            document.write(path)


def read_conversion(
    path: str | os.PathLike[str],
    directory: str | os.PathLike[str],
    to: Version = "0.9",
    *,
    em_delay: float = DEFAULT_DELAY,
    angles: Angles | None = None,
    rate: float | None = None,
    from_rate: float | None = None,
) -> Conversion:
    """Read a file of any dialect; of a setup file all that it points at.

    Parameters
    ----------
    path : path-like
        A subject of CEINMS or CEINMS-RT, an execution, calibration, excitation generator, trial
        (``inputData.xml``) or setup file.
    directory : path-like
        Where the new files are to be. Those of a setup file are complete there: trials are cut to
        their start and stop, and their tables have the labels that CEINMS looks for.
    to : {"0.9", "0.21"}
        The version of CEINMS that is to read them.
    em_delay : float
        Delay of all MTUs of a CEINMS-RT subject [s].
    angles : {"degrees", "radians"}, optional
        Unit of the angles of a CEINMS-RT subject; see `read_rt_subject`.
    rate, from_rate : float, optional
        Rate of the trials that a subject shall run [Hz], and of those that it was calibrated on,
        which the ``result.json`` beside it tells, if there is one; see `Subject.at_rate`.

    Returns
    -------
    Conversion
        To be written.

    Raises
    ------
    FileFormatError, DataError
        If anything is missing or faulty, or the file is none of these.
    OptionError
        If rates are given and it is no subject, or the rate of its calibration is not known.
    """
    path, directory = Path(path), Path(directory)
    document = open_document(path, *_schemas())
    reader = _Reader(directory, to)
    if load_grammar(document.schema).root != document.root.tag:
        raise FileFormatError(
            where=Place(path, document.root.line, "root element"),
            expected="a file of CEINMS",
            got=f"<{document.root.tag}>",
            hint="Name a setup, subject, calibration, execution, excitation generator or inputData "
            "file",
        )
    if rate is None and from_rate is None:
        reader.read(document, em_delay, angles)
    else:
        reader.read_at_rate(document, rate, from_rate)
    return reader.conversion(path)


def _schemas() -> list[str]:
    return sorted(file.stem for file in SCHEMAS.glob("*.xsd"))


class _Reader:
    """Reads documents, and lists what is to be written of them."""

    def __init__(self, directory: Path, to: Version) -> None:
        self.directory = directory
        self.to = to
        self.documents: list[XmlDocument | None] = []
        self.inputs: list[Path] = []
        self.outputs: dict[Path, Callable[[Path], None]] = {}
        self.lost: list[str] = []

    def conversion(self, path: Path) -> Conversion:
        read = [one.path for one in self.documents if one is not None]
        return Conversion(
            directory=self.directory,
            to=self.to,
            dialect=dialect_of(self.documents),
            inputs=[path, *read, *self.inputs],
            outputs=self.outputs,
            lost=self.lost,
        )

    def read(self, document: XmlDocument, em_delay: float, angles: Angles | None) -> None:
        path = document.path
        match document.schema:
            case "NMSmodel":
                self.documents.append(document)
                subject, generator = read_rt_subject(path, em_delay=em_delay, angles=angles)
                self._add("subject.xml", subject)
                self._add("excitationGenerator.xml", generator)
            case "subject":
                self._add(path.name, self._subject(path))
            case "excitationGenerator":
                generator = self._known(ExcitationGenerator.read(path))
                self._add(path.name, generator)
                blank = [name for name in generator.input_signals if " " in name]
                if blank:
                    self._lose(path, f"names with blanks ({', '.join(blank)}), which CEINMS splits")
            case "execution":
                self._add(path.name, self._execution(path))
            case "calibration" | "paperCalibration":
                plan = self._known(CalibrationPlan.read(path, must_exist=False))
                self._add(path.name, self._plan(path, plan))
            case "inputData":
                data = self._known(InputData.read(path, must_exist=False))
                self._add(path.name, data)
                if self.to == "0.9" and data.start_stop_time is not None:
                    self._lose(
                        path,
                        "start and stop: CEINMS 0.9 runs the whole trial; convert the setup file, "
                        "which cuts the tables",
                    )
            case "ceinmsSetup":
                self._run_setup(RunSetup.read(path))
            case _:
                self._calibration_setup(CalibrationSetup.read(path))

    def read_at_rate(
        self, document: XmlDocument, rate: float | None, from_rate: float | None
    ) -> None:
        """Read a subject for trials of another rate."""
        if rate is None or document.schema != "subject":
            raise OptionError(
                where="--rate" if rate is None else document.path,
                expected="a rate [Hz], of a subject to convert",
                got="none" if rate is None else f"<{document.root.tag}>",
            )
        subject = self._subject(document.path)
        was = calibrated_rate(subject) if from_rate is None else from_rate
        if was is None:
            raise OptionError(
                where="--from-rate",
                expected="the rate that c1 and c2 were calibrated at [Hz]",
                got="none, and no result.json beside the subject that says it",
            )
        self._add(document.path.name, subject.at_rate(rate, was=was))
        self.lost.append(
            f"{document.path.name}: c1 and c2 are for trials at {rate:g} Hz now, with the time "
            f"constants that they had at {was:g} Hz"
        )

    # ---- Single documents -----------------------------------------------------------------

    def _known(self, thing: Any) -> Any:
        self.documents.append(thing.document)
        return thing

    def _add(self, name: str, thing: Any) -> Path:
        path = self.directory / name
        self.outputs[path] = thing.write
        return path

    def _lose(self, path: Path, what: str) -> None:
        self.lost.append(f"{path.name}: not carried over: {what}")

    def _subject(self, path: Path) -> Subject:
        subject: Subject = self._known(Subject.read(path))
        if not subject.curves:
            self._lose(path, "the smooth standard curves, of which the file has no points")
        return subject

    def _execution(self, path: Path, dof_names: Sequence[str] = ()) -> Execution:
        execution: Execution = self._known(Execution.read(path))
        online = execution.is_online if self.to == "0.9" else None
        tendon = self._tendon(path, execution.tendon)
        hybrid = execution.hybrid
        if hybrid is not None:
            hybrid = dataclasses.replace(hybrid, dof_set=self._dof_set(path, hybrid, dof_names))
        return dataclasses.replace(execution, online=online, tendon=tendon, hybrid=hybrid)

    def _dof_set(self, path: Path, hybrid: Hybrid, dof_names: Sequence[str]) -> tuple[str, ...]:
        """Return the DOFs to write: CEINMS 0.9 always takes all, later versions name them."""
        if self.to != "0.9":
            return hybrid.dof_set or tuple(dof_names)
        if hybrid.dof_set and set(hybrid.dof_set) != set(dof_names):
            self._lose(path, "<dofSet>: in CEINMS 0.9 the moments of all DOFs count")
        return ()

    def _tendon(self, path: Path, tendon: Tendon) -> Tendon:
        if tendon.kind in _TENDONS:
            return tendon
        self._lose(path, f"<{tendon.kind}/>, which is <equilibriumElastic/> now")
        return Tendon(kind="equilibriumElastic")

    def _plan(
        self, path: Path, plan: CalibrationPlan, subject: Subject | None = None
    ) -> CalibrationPlan:
        converted, lost = convert_calibration(plan, self.to, subject)
        self.lost += [f"{path.name}: {one}" for one in lost]
        return converted

    # ---- Folders --------------------------------------------------------------------------

    def _calibration_setup(self, setup: CalibrationSetup) -> None:
        path = setup.calibration_file
        plan: CalibrationPlan = self._known(CalibrationPlan.read(path, must_exist=False))
        subject, trials, recorded = self._trials(setup, plan.trial_files)
        plan = self._plan(path, plan.of_trials(recorded), subject)
        plan = dataclasses.replace(plan, trial_files=tuple(trials))
        new = dataclasses.replace(
            setup,
            subject_file=self._add("subject.xml", subject),
            excitation_generator_file=self.directory / "excitationGenerator.xml",
            calibration_file=self._add("calibration.xml", plan),
            output_subject_file=self.directory / "subjectCalibrated.xml",
        )
        self._add(setup.path.name if setup.path else "setup.xml", new)

    def _run_setup(self, setup: RunSetup) -> None:
        subject, trials, _ = self._trials(setup, [setup.input_data_file])
        execution = self._execution(setup.execution_file, subject.dof_names)
        new = dataclasses.replace(
            setup,
            subject_file=self._add("subject.xml", subject),
            excitation_generator_file=self.directory / "excitationGenerator.xml",
            execution_file=self._add("execution.xml", execution),
            input_data_file=trials[0],
            output_directory=self.directory / "output",
        )
        self._add(setup.path.name if setup.path else "setup.xml", new)

    def _trials(
        self, setup: CalibrationSetup | RunSetup, files: Iterable[Path]
    ) -> tuple[Subject, list[Path], list[Trial]]:
        """Add the excitation generator and trials that belong to a subject; return it and them."""
        self.documents.append(setup.document)
        subject = self._subject(setup.subject_file)
        generator: ExcitationGenerator = self._known(
            ExcitationGenerator.read(setup.excitation_generator_file)
        )
        read, trials = StorageReader(), []
        for file in files:
            data = self._known(InputData.read(file))
            trials.append(TrialFiles.read(data, subject, read))
        recorded = [Trial.of(one, subject, generator) for one in trials]
        check_trial_names(recorded)
        generator, signals = self._generator(generator, subject, trials)
        subject, generator = self._without_gains(subject, generator)
        self._add("excitationGenerator.xml", generator)
        return subject, [self._trial(one, subject, signals) for one in trials], recorded

    def _without_gains(
        self, subject: Subject, generator: ExcitationGenerator
    ) -> tuple[Subject, ExcitationGenerator]:
        """Move the gains of the EMG into the weights of the generator, which CEINMS has."""
        gains = {mtu.name: mtu.emg_gain for mtu in subject.mtus}
        if set(gains.values()) == {1.0}:
            return subject, generator
        self._lose(
            Path("subject.xml"), "emgGain, which is in the weights of excitationGenerator.xml now"
        )
        mtus = tuple(dataclasses.replace(mtu, emg_gain=1.0) for mtu in subject.mtus)
        excitations = tuple(
            dataclasses.replace(
                one, inputs=tuple((signal, gains[one.id] * weight) for signal, weight in one.inputs)
            )
            for one in generator.excitations
        )
        return (
            dataclasses.replace(subject, mtus=mtus),
            dataclasses.replace(generator, excitations=excitations),
        )

    def _generator(
        self, generator: ExcitationGenerator, subject: Subject, trials: list[TrialFiles]
    ) -> tuple[ExcitationGenerator, dict[str, str]]:
        """Return the mapping in CEINMS's order, and the new names of the signals by their old."""
        recorded = [name for name in generator.input_signals if _is_in_all(name, trials)]
        left_out = [name for name in generator.input_signals if name not in recorded]
        new = {name: _NO_NAME.sub("_", name) for name in recorded}
        path = generator.path or Path("excitationGenerator.xml")
        if left_out:
            self._lose(path, f"signals that no EMG file has: {', '.join(left_out)}")
        renamed = [f"{old} is {name} now" for old, name in new.items() if old != name]
        if renamed:
            self._lose(path, f"names with blanks: {', '.join(renamed)}")
        by_id = {one.id: one for one in generator.excitations}
        excitations = []
        for mtu in subject.mtu_names:
            inputs = tuple((new[signal], weight) for signal, weight in by_id[mtu].inputs)
            excitations.append(dataclasses.replace(by_id[mtu], inputs=inputs))
        changed = dataclasses.replace(
            generator, input_signals=tuple(new.values()), excitations=tuple(excitations)
        )
        return changed, new

    def _trial(self, files: TrialFiles, subject: Subject, signals: dict[str, str]) -> Path:
        """Add a trial whose tables are what CEINMS looks for; return its inputData.xml."""
        folder = self.directory / _NO_NAME.sub("_", files.data.name)
        lengths, time = files.lengths, files.lengths.time
        self.inputs += [source.path for source in files.sources() if source.path is not None]

        def add(name: str, time: Any, columns: Iterable[str], values: Any, unit: str) -> Path:
            path = folder / name
            self.outputs[path] = partial(
                write_storage,
                time=time,
                columns=tuple(columns),
                values=values,
                name=path.stem,
                units=unit,
            )
            return path

        def rows(storage: Storage, columns: Iterable[str]) -> Any:
            return at_times(storage, storage.select(columns), lengths)

        torques = None
        if files.torques is not None:
            values = rows(files.torques, moment_columns(files.torques, subject.dof_names))
            columns = [f"{dof}_moment" for dof in subject.dof_names]
            torques = add("id.sto", time, columns, values, "N m")
        arms = {
            dof.name: add(
                f"ma_{dof.name}.sto",
                time,
                dof.mtu_names,
                rows(files.arms[dof.name], dof.mtu_names),
                "m",
            )
            for dof in subject.dofs
        }
        window = (float(time[0]), float(time[-1]))
        data = dataclasses.replace(
            files.data,
            muscle_tendon_length_file=add(
                "lmt.sto", time, subject.mtu_names, lengths.select(subject.mtu_names), "m"
            ),
            moment_arms_files=arms,
            excitations_file=add(
                "emg.sto", files.signals.time, signals.values(), files.signals.select(signals), "-"
            ),
            external_torques_file=torques,
            start_stop_time=None if self.to == "0.9" else window,
        )
        self.outputs[folder / "inputData.xml"] = data.write
        return folder / "inputData.xml"


def _is_in_all(signal: str, trials: list[TrialFiles]) -> bool:
    return all(signal in one.signals.columns for one in trials)
