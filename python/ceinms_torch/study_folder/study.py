"""From a scaled model, recordings and an EMG map to a complete CEINMS folder."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.emg.envelopes import Envelopes
from ceinms_torch.errors import DataError, Place
from ceinms_torch.geometry.contradictions import Contradiction, check_moment_arms
from ceinms_torch.geometry.path_files import read_paths
from ceinms_torch.geometry.samples import PoseSamples
from ceinms_torch.inputs.checks.check import check_folder
from ceinms_torch.inputs.checks.findings import CheckReport, Finding, listed
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.interrupts import held
from ceinms_torch.io.paths import (
    Staged,
    check_overwrites_none,
    relative_text,
    write_atomically,
    written_together,
)
from ceinms_torch.io.plain import plain
from ceinms_torch.io.storage import Storage, StorageReader
from ceinms_torch.model.nms_model import TendonKind
from ceinms_torch.model.trial_files import moment_columns
from ceinms_torch.osim.model_file import read_model
from ceinms_torch.osim.process import OpenSim
from ceinms_torch.results.provenance import versions
from ceinms_torch.simulation.smooth_curves import CurveSet
from ceinms_torch.study_folder.angles import angles_of
from ceinms_torch.study_folder.emg import EmgSettings, read_map, sources_of, study_envelopes
from ceinms_torch.study_folder.folder import (
    EM_DELAY,
    EMG_BEFORE,
    EMG_BEHIND,
    LEAST_ARM,
    StudyTrial,
    acting_mtus,
    make_generator,
    make_subject,
    write_folder,
)
from ceinms_torch.study_folder.origin import EXTERNAL_LOADS, MOTION, ORIGINS
from ceinms_torch.study_folder.recording import (
    Recording,
    RecordingSettings,
    read_recording,
    recordings_of,
)
from ceinms_torch.study_folder.steps import STUDY_FILE, Steps, digest
from ceinms_torch.study_folder.trial_list import TrialRow, read_trial_list

Arms = Literal["given", "derivative"]
# Arms over derivatives of most MTUs, where angles are in degrees: 180 / pi (-).
_DEGREES = (40.0, 80.0)
_TIME = 1e-6


@dataclass(frozen=True, kw_only=True)
class StudySettings(OneLine):
    """All that a study's folder depends on, beside the recordings.

    Parameters
    ----------
    model : Path
        The scaled model (.osim).
    trials : Path
        The list of trials, see `read_trial_list`.
    emg_map : Path
        Which channel drives which MTU.
    dofs : tuple of str
        The DOFs, coordinates of the model.
    tasks : Path, optional
        Weights of markers for inverse kinematics (IKTaskSet).
    loads : Path, optional
        External loads, for trials that name none.
    paths : Path, optional
        Polynomials of lengths (FunctionBasedPathSet), for trials without files of MuscleAnalysis.
    forward : str
        The axis of the laboratory that becomes the model's x, for C3D files, such as ``+y``; by
        default the first horizontal one.
    emg : EmgSettings
        How raw EMG becomes envelopes.
    lowpass : float, optional
        Cut-off of the angles [Hz], before moments, lengths and arms are computed of them; None for
        none.
    curves : {"degroote", "millard"}
        Force curves of the subject.
    tendon : str
        Its tendon model.
    arms : {"given", "derivative"}
        Whether moment arms that contradict the lengths are kept, or minus the derivative of the
        lengths is taken in their place.
    is_scaled : bool
        Whether the model is known to be this person's although nothing in it was scaled: one made
        of images.
    """

    model: Path
    trials: Path
    emg_map: Path
    dofs: tuple[str, ...]
    tasks: Path | None = None
    loads: Path | None = None
    paths: Path | None = None
    forward: str = ""
    emg: EmgSettings = field(default_factory=EmgSettings)
    lowpass: float | None = 6.0
    curves: CurveSet = "degroote"
    tendon: TendonKind = "equilibriumElastic"
    arms: Arms = "given"
    is_scaled: bool = False


@dataclass(frozen=True, kw_only=True)
class Study(OneLine):
    """A folder that was written.

    Parameters
    ----------
    directory : Path
        The folder.
    setup : Path
        Its calibration setup file.
    tests : tuple of Path
        The ``inputData.xml`` of its test trials.
    findings : tuple of Finding
        What is doubtful in model and recordings.
    report : CheckReport
        What `check_folder` says of the folder.
    """

    directory: Path
    setup: Path
    tests: tuple[Path, ...]
    findings: tuple[Finding, ...] = field(repr=False)
    report: CheckReport = field(repr=False)


@one_blas_thread
def new_study(
    directory: Path,
    settings: StudySettings,
    *,
    opensim: Callable[[], OpenSim] = OpenSim.find,
    tell: Callable[[str, int, int], None] = lambda *_: None,
) -> Study:
    """Write a complete CEINMS folder, or nothing.

    Parameters
    ----------
    directory : Path
        Where. What OpenSim computed for an earlier run of the same recordings is taken from there.
    settings : StudySettings
        Of what, and how.
    opensim : callable
        What returns OpenSim, or raises the error that there is none; called only where something
        must be computed that is in no file.
    tell : callable
        Called with what is being done, how much of it is done, and of how much.

    Returns
    -------
    Study

    Raises
    ------
    CeinmsTorchError
        If anything is missing, faulty, or does not fit together.
    """
    maker = _Maker(directory, settings, opensim, tell)
    return maker.write()


class _Maker:
    def __init__(
        self,
        directory: Path,
        settings: StudySettings,
        opensim: Callable[[], OpenSim],
        tell: Callable[[str, int, int], None],
    ) -> None:
        self._directory, self._settings = directory, settings
        self._steps = Steps(directory)
        self._read = StorageReader()
        self._findings: list[Finding] = []
        self._rows = read_trial_list(settings.trials)
        self._model = read_model(settings.model)
        self._check_model()
        self._weights = read_map(settings.emg_map, self._model)
        # As far as paths tell, before anything is computed.
        self._check_map(self._model.muscles_across(settings.dofs))
        self._recording_settings = RecordingSettings(
            model=self._model,
            dofs=settings.dofs,
            tasks=settings.tasks,
            loads=settings.loads,
            paths=None if settings.paths is None else read_paths(settings.paths),
            forward=settings.forward,
            lowpass=settings.lowpass,
            opensim=opensim,
            tell=tell,
        )

    def write(self) -> Study:
        # EMG first: it takes a second, and OpenSim a minute.
        envelopes, doubts = study_envelopes(
            self._rows, sources_of(self._weights), self._settings.emg, self._read
        )
        self._findings += doubts
        trials: list[StudyTrial] = []
        for rows in recordings_of(self._rows):
            recording = read_recording(rows, self._recording_settings, self._steps, self._read)
            self._findings += recording.findings
            table = self._table(recording)
            trials += [
                _cut(row, recording, table, self._settings.dofs, envelopes[row.name])
                for row in rows
            ]
        acting = acting_mtus(self._model, trials)
        subject, changes = make_subject(
            self._model, acting, self._settings.curves, float(np.median(np.diff(trials[0].time)))
        )
        self._check_map(subject.mtu_names)
        self._say_unused(subject.mtu_names)
        self._say("model-changed", changes)
        generator = make_generator(subject, self._weights)
        inputs = self._inputs()

        def begin(staged: Sequence[Staged]) -> None:
            targets = [one.target for one in staged]
            check_overwrites_none(targets, inputs, "choose another folder")

        with held(), written_together(begin) as staged:
            self._steps.write()
            setup, *tests = write_folder(
                self._directory, subject, generator, trials, self._settings.tendon
            )
            files = {self._name(one.target): digest(one.temporary) for one in staged}
            files |= {self._name(path): digest(path) for path in self._steps.kept}
            self._write_study(files, inputs, trials)
        return Study(
            directory=self._directory,
            setup=setup,
            tests=tuple(tests),
            findings=tuple(self._findings),
            report=check_folder(setup, tests=tests),
        )

    def _name(self, path: Path) -> str:
        return path.relative_to(self._directory).as_posix()

    def _inputs(self) -> list[Path]:
        named = [self._settings.model, self._settings.trials, self._settings.emg_map]
        named += [
            one for one in (self._settings.tasks, self._settings.loads, self._settings.paths) if one
        ]
        named += self._settings.emg.files
        files = [path for row in self._rows for path in row.files.values() if path.is_file()]
        return list(dict.fromkeys([*named, *files]))

    def _write_study(
        self, files: Mapping[str, str], inputs: Sequence[Path], trials: Sequence[StudyTrial]
    ) -> None:
        path = self._directory / STUDY_FILE

        def named(file: Path | None) -> str | None:
            return None if file is None else relative_text(file, path)

        content = {
            "kind": "study",
            "versions": versions(),
            "settings": self._settings,
            "inputs": {relative_text(one, path): digest(one) for one in inputs},
            ORIGINS: {
                one.name: {MOTION: named(one.motion), EXTERNAL_LOADS: named(one.external_loads)}
                for one in trials
            },
            "steps": self._steps.done,
            "findings": self._findings,
            "files": files,
        }
        write_atomically(path, f"{json.dumps(plain(content), indent=2)}\n".encode())

    def _say(self, code: str, sentences: Sequence[str]) -> None:
        for one in sentences:
            self._findings.append(
                Finding(
                    severity="note",
                    code=code,
                    where=Place(self._model.path),
                    what=f"{one}.",
                    why="The folder differs from the model.",
                    to_do="Nothing, unless that is not meant.",
                )
            )

    # ---- The model ------------------------------------------------------------------------

    def _check_model(self) -> None:
        for dof in self._settings.dofs:
            coordinate = self._model.coordinate(dof)
            if coordinate.follows is not None:
                raise DataError(
                    where=Place(self._model.path, element=dof),
                    expected="a coordinate that moves by itself",
                    got=f"one that a constraint makes a function of {coordinate.follows}",
                    hint=f"Name {coordinate.follows} in its place",
                )
            if not self._model.muscles_across([dof]):
                raise DataError(
                    where=Place(self._model.path, element=dof),
                    expected="a coordinate that muscles of the model cross",
                    got="none that does",
                    hint="Name DOFs that muscles move",
                )
        if self._model.is_scaled is False and not self._settings.is_scaled:
            raise DataError(
                where=self._model.path,
                expected="a model that is scaled to the person",
                got=f"'{self._model.name}', all of whose bones have their original size",
                hint="Scale it (OpenSim's Scale tool, AddBiomechanics). If it was made of images "
                "of this person, say so with --model-is-scaled",
                code="model-unscaled",
            )

    def _check_map(self, mtu_names: Sequence[str]) -> None:
        """Make sure that the map drives MTUs that act on the DOFs."""
        if not set(self._weights) & set(mtu_names):
            raise DataError(
                where=self._settings.emg_map,
                expected=f"EMG of MTUs that act on {', '.join(self._settings.dofs)}, such as "
                f"{listed(mtu_names, 3)}",
                got=f"EMG of {listed(list(self._weights))}, none of which does",
                hint="Is the map, or are the DOFs, of the other side?",
                code="wrong-side",
            )

    def _say_unused(self, mtu_names: Sequence[str]) -> None:
        """Say whose EMG is in the map for nothing."""
        idle = [name for name in self._weights if name not in mtu_names]
        if idle:
            self._findings.append(
                Finding(
                    severity="note" if len(idle) < len(self._weights) / 2 else "warning",
                    code="emg-unused",
                    where=Place(self._settings.emg_map, column=listed(idle)),
                    what=f"{listed(idle)} have EMG but no moment arm above 1 mm about the DOFs.",
                    why="Their EMG is not used.",
                    to_do="Add the DOFs that they move, or leave them out of the map.",
                )
            )

    # ---- Geometry -------------------------------------------------------------------------

    def _table(self, recording: Recording) -> _Table:
        """Return lengths and arms of all muscles of the model, arms checked."""
        geometry, dofs = recording.geometry, self._settings.dofs
        known = [one.name for one in self._model.muscles if one.name in geometry.lengths.columns]
        if not known:
            raise DataError(
                where=geometry.lengths.path,
                expected=f"MTU lengths of muscles of '{self._model.path}'",
                got=listed(geometry.lengths.columns),
                hint="Name the model that MuscleAnalysis was run with",
            )
        lengths = {name: geometry.lengths.column(name) for name in known}
        arms = {dof: {name: geometry.arms[dof].column(name) for name in known} for dof in dofs}
        if recording.angles is not None:
            for one in self._contradictions(recording, recording.angles, lengths, arms):
                if self._settings.arms == "derivative":
                    arms[one.dof][one.mtu] = one.moment_arm
        return _Table(time=geometry.lengths.time, lengths=lengths, arms=arms)

    def _contradictions(
        self,
        recording: Recording,
        motion: Storage,
        lengths: Mapping[str, FloatArray],
        arms: Mapping[str, Mapping[str, FloatArray]],
    ) -> tuple[Contradiction, ...]:
        time = recording.geometry.lengths.time
        angles = {
            name: np.interp(time, motion.time, values)
            for name, values in angles_of(motion, self._model).items()
        }
        mtus = tuple(
            name
            for name in lengths
            if any(float(np.abs(arms[dof][name]).max()) > LEAST_ARM for dof in arms)
        )
        dofs = tuple(dof for dof in arms if dof in angles)
        samples = PoseSamples(
            coordinate_names=tuple(angles),
            coordinates=np.stack(list(angles.values()), axis=1),
            mtu_names=mtus,
            mtu_length=np.stack([lengths[name] for name in mtus], axis=1),
            dof_names=dofs,
            moment_arm=np.stack(
                [np.stack([arms[dof][name] for name in mtus], axis=1) for dof in dofs], axis=1
            ),
        )
        found = check_moment_arms(
            samples, coordinates={name: self._model.coordinates_of(name) for name in mtus}
        )
        self._check_degrees(motion, found.contradictions, len(mtus) - len(found.not_judged))
        place = Place(recording.geometry.lengths.path, trial=recording.name)
        for one in found.contradictions:
            taken = self._settings.arms == "derivative"
            self._findings.append(
                Finding(
                    severity="warning",
                    code="arm-contradicts-length",
                    where=dataclasses.replace(place, column=one.mtu),
                    what=f"{str(one)[0].upper()}{str(one)[1:]}.",
                    why="A moment arm is -dL/dq, unless wrapping in the model breaks that.",
                    to_do="The derivative is taken in its place."
                    if taken
                    else "Mend the path in the model, or take the derivative "
                    "(--contradictions derivative).",
                )
            )
        return found.contradictions

    def _check_degrees(
        self, motion: Storage, contradictions: Sequence[Contradiction], n_judged: int
    ) -> None:
        """Recognise angles in degrees that are taken for radians, or the other way round."""
        ratios = [abs(one.given / one.derived) for one in contradictions if one.derived]
        off = [one for one in ratios if any(_DEGREES[0] < r < _DEGREES[1] for r in (one, 1 / one))]
        if len(off) > n_judged / 2:
            raise DataError(
                where=motion.path,
                expected="angles whose change, times the moment arms, is that of the MTU lengths",
                got=f"{np.median(off):.3g} times that, as degrees are for radians",
                hint="Correct inDegrees in the header of the motion",
                code="angle-unit",
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Table:
    """Lengths and arms [m] of a recording, by DOF and MTU."""

    time: FloatArray
    lengths: Mapping[str, FloatArray]
    arms: Mapping[str, Mapping[str, FloatArray]]


def _cut(
    row: TrialRow,
    recording: Recording,
    table: _Table,
    dofs: Sequence[str],
    envelopes: Envelopes,
) -> StudyTrial:
    """Return the part of a recording that is a trial."""
    moments = recording.moments
    columns = moments.select(moment_columns(moments, dofs))
    first = max(float(table.time[0]), float(moments.time[0]))
    last = min(float(table.time[-1]), float(moments.time[-1]))
    step = float(np.median(np.diff(table.time)))
    # What is asked for; without that, all whose EMG was recorded, delayed.
    begin = first if row.start is None else row.start
    end = last if row.stop is None else row.stop
    if row.start is None:
        begin = max(begin, float(envelopes.time[0]) + step * np.ceil(EM_DELAY / step))
    if row.stop is None:
        end = min(end, float(envelopes.time[-1]))
    rows = (table.time >= begin - _TIME) & (table.time <= end + _TIME)
    if begin < first - step or end > last + step or rows.sum() < 2:
        raise DataError(
            where=row.place,
            expected=f"times within those of kinematics and moments, {first:g} to {last:g} s",
            got=f"{begin:g} to {end:g} s",
            hint="Are the times of the trial those of the recording?",
            code="trial-outside",
        )
    time = table.time[rows]
    signal_time = _signal_times(row, time, step, envelopes)
    return StudyTrial(
        name=row.name,
        use=row.use,
        time=time,
        lengths={name: one[rows] for name, one in table.lengths.items()},
        arms={dof: {n: one[rows] for n, one in arms.items()} for dof, arms in table.arms.items()},
        moments=np.stack([np.interp(time, moments.time, one) for one in columns.T], axis=1),
        signal_time=signal_time,
        signals={
            name: np.interp(signal_time, envelopes.time, one)
            for name, one in zip(envelopes.channels, envelopes.values.T, strict=True)
        },
        motion=None if recording.angles is None else recording.angles.path,
        external_loads=recording.external_loads,
    )


def _signal_times(row: TrialRow, time: FloatArray, step: float, envelopes: Envelopes) -> FloatArray:
    """Return when the envelopes are taken: at the trial's rate, from earlier to later than it."""
    first, last = float(envelopes.time[0]), float(envelopes.time[-1])
    needed = step * np.ceil(EM_DELAY / step - _TIME)
    if first > time[0] - needed + _TIME or last < time[-1] - _TIME:
        raise DataError(
            where=row.place,
            expected=f"EMG from {time[0] - needed:g} to {time[-1]:g} s",
            got=f"{first:g} to {last:g} s",
            hint="Shorten the trial (start and stop), or export the EMG from earlier to later, on "
            "the clock of the markers; EMG of another rate than its file says is of other times, "
            "too",
            code="emg-short",
        )
    before = int(min(EMG_BEFORE, time[0] - first + _TIME) / step)
    behind = int(min(EMG_BEHIND, last - time[-1] + _TIME) / step)
    return np.concatenate(
        [
            time[0] - step * np.arange(before, 0, -1),
            time,
            time[-1] + step * np.arange(1, behind + 1),
        ]
    )
