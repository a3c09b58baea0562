"""OpenSim's programs, run by an interpreter that has the package opensim.

OpenSim is optional, clashes with other libraries that read C3D, and prints what it likes. So it is
never imported here: jobs run in a process of their own, by this interpreter or by another one (of a
conda environment, for example), and come back as arrays. ::

    opensim = OpenSim.find()  # or OpenSim.find("/path/to/python"); an OptionError without opensim
    found = opensim.inverse_kinematics("scaled.osim", "walk.trc", "tasks.xml")
    found.motion  # a Storage, in degrees as OpenSim's tool writes it
    moments = opensim.inverse_dynamics(
        "scaled.osim", found.motion, external_loads="grf.xml", lowpass=6.0
    )
    geometry = opensim.muscle_analysis("scaled.osim", found.motion, dofs=["knee_angle_r"])
    geometry.arms["knee_angle_r"].write("walk_MuscleAnalysis_MomentArm_knee_angle_r.sto")

A motion is a path or a `Storage`, in radians or degrees as its header says, with columns named by
coordinates or by OpenSim 4's paths. Nothing is written but into a temporary folder, so that callers
write all of their results or none. What OpenSim printed is in `OpenSim.log`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from lxml import etree

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import CeinmsTorchWarning, DataError, FileFormatError, OptionError, Place
from ceinms_torch.io.paths import kind_of, missing_file_hint
from ceinms_torch.io.storage import Storage, read_storage, write_storage
from ceinms_torch.io.xml_document import read_root
from ceinms_torch.recordings.external_loads import read_external_loads

PathLike = str | os.PathLike[str]
Progress = Callable[[int, int], None]

# Names an interpreter with opensim where none is given.
VARIABLE = "CEINMS_TORCH_OPENSIM_PYTHON"
_START = "import sys; sys.path.append(sys.argv[1]); from opensim_jobs.main import main; main()"
_LAST_LINES = 6  # of OpenSim's messages that an error repeats
_INSTALL = (
    "install it with pip install 'ceinms-torch[opensim]', or name an interpreter that has it (of a "
    f"conda environment, for example) with --opensim-python or the variable {VARIABLE}"
)


@dataclass(frozen=True, kw_only=True, eq=False)
class InverseKinematics:
    """A motion by inverse kinematics.

    Parameters
    ----------
    motion : Storage
        Coordinates [deg or m].
    frame_rms, frame_largest : ndarray (n_frame,)
        Of every frame, root mean square and largest of the distances between markers of model and
        recording [m].
    marker_rms, marker_largest : mapping of str to float
        The same of every marker that counted, over all frames that have it [m].
    lacking : mapping of str to str
        Markers with a task that did not count, and what lacks them: "model" or "recording".
    """

    motion: Storage
    frame_rms: FloatArray
    frame_largest: FloatArray
    marker_rms: Mapping[str, float]
    marker_largest: Mapping[str, float]
    lacking: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, eq=False)
class MuscleAnalysis:
    """MTU lengths and moment arms of a motion.

    Parameters
    ----------
    length : Storage
        A column per MTU [m].
    arms : mapping of str to Storage
        By DOF, a column per MTU [m].
    """

    length: Storage
    arms: Mapping[str, Storage]


@dataclass(eq=False)
class OpenSim:
    """An interpreter that has the package opensim.

    Parameters
    ----------
    python : Path
        The interpreter.
    version : str
        Of OpenSim.
    log : str
        What OpenSim has printed since.
    """

    python: Path
    version: str
    log: str = field(default="", repr=False)

    @classmethod
    def find(cls, python: PathLike | None = None) -> OpenSim:
        """Find an interpreter with opensim.

        Parameters
        ----------
        python : path-like, optional
            The interpreter; by default the one that the variable CEINMS_TORCH_OPENSIM_PYTHON names,
            or this one.

        Returns
        -------
        OpenSim

        Raises
        ------
        OptionError
            If there is no such interpreter, or it does not import opensim.
        """
        named = python or os.environ.get(VARIABLE)
        if named is None and importlib.util.find_spec("opensim") is None:
            raise OptionError(
                where="opensim",
                expected="the package opensim",
                got=f"none in {sys.executable}",
                hint=_INSTALL,
                code="opensim-missing",
            )
        opensim = cls(python=Path(named or sys.executable), version="")
        opensim.version = opensim._run("version", {})["version"]
        return opensim

    def inverse_kinematics(
        self,
        model: PathLike,
        markers: PathLike,
        tasks: PathLike,
        *,
        start_stop_time: tuple[float, float] | None = None,
        progress: Progress | None = None,
    ) -> InverseKinematics:
        """Run OpenSim's inverse kinematics.

        Parameters
        ----------
        model : path-like
            The scaled model (.osim).
        markers : path-like
            Recorded markers (.trc), in the model's ground.
        tasks : path-like
            Weights of markers and coordinates: a file of IKTaskSet, or a setup file of the tool,
            of which tasks, accuracy and constraint weight count.
        start_stop_time : (float, float), optional
            First and last time [s]; all of the recording by default.
        progress : callable, optional
            Called with what is done, and of how much.

        Returns
        -------
        InverseKinematics

        Raises
        ------
        FileFormatError
            If a file is missing or not what it should be.
        DataError
            If model, tasks and recording have no marker in common, or OpenSim fails.
        """
        root = read_root(_file(tasks))
        if root.tag == "OpenSimDocument":
            root = root.elements()[0]
        if root.tag not in ("IKTaskSet", "InverseKinematicsTool"):
            raise FileFormatError(
                where=root.place, expected="<IKTaskSet> or <InverseKinematicsTool>", got=root.tag
            )
        coordinates = next(iter(root.descendants("coordinate_file")), None)
        named = coordinates and coordinates.text().strip() not in ("", "Unassigned")
        with tempfile.TemporaryDirectory(prefix="ceinms-torch-") as directory:
            output = Path(directory, "motion.mot")
            found = self._run(
                "inverse_kinematics",
                {
                    "model": _file(model),
                    "markers": _file(markers),
                    "setup": _file(tasks),
                    "setup_root": root.tag,
                    "coordinate_file": coordinates.file() if named and coordinates else None,
                    "start_stop_time": start_stop_time,
                    "output": output,
                },
                directory=Path(directory),
                progress=progress,
            )
            errors = read_storage(found["errors"])
            motion = read_storage(output)
        rms, largest = (errors.label(f"marker_error_{name}") for name in ("RMS", "max"))
        return InverseKinematics(
            motion=replace(motion, name=Path(markers).stem, units="deg or m"),
            frame_rms=errors.column(rms),
            frame_largest=errors.column(largest),
            marker_rms=found["marker_rms"],
            marker_largest=found["marker_largest"],
            lacking=found["lacking"],
        )

    def inverse_dynamics(
        self,
        model: PathLike,
        motion: PathLike | Storage,
        *,
        external_loads: PathLike | None = None,
        ground_forces: PathLike | Storage | None = None,
        lowpass: float | None = 6.0,
        start_stop_time: tuple[float, float] | None = None,
        progress: Progress | None = None,
    ) -> Storage:
        """Run OpenSim's inverse dynamics, without muscles.

        Parameters
        ----------
        model : path-like
            The scaled model (.osim).
        motion : path-like or Storage
            Coordinates.
        external_loads : path-like, optional
            Which measured force acts on which body (.xml).
        ground_forces : path-like or Storage, optional
            The forces; by default those in the file that `external_loads` names.
        lowpass : float, optional
            Cut-off frequency of OpenSim's filter of the coordinates [Hz]; None for none.
        start_stop_time : (float, float), optional
            First and last time [s]; all of the motion by default.
        progress : callable, optional
            Called with what is done, and of how much.

        Returns
        -------
        Storage
            Columns NAME_moment [N m] and NAME_force [N], at the times of the motion.

        Raises
        ------
        FileFormatError
            If a file is missing or not what it should be.
        DataError
            If the motion lacks coordinates, forces do not cover it, or OpenSim fails.
        """
        storage = _motion(motion)
        times = start_stop_time or (float(storage.time[0]), float(storage.time[-1]))
        with tempfile.TemporaryDirectory(prefix="ceinms-torch-") as directory:
            folder = Path(directory)
            self._run(
                "inverse_dynamics",
                {
                    "model": _file(model),
                    "motion": _plain_motion(storage, folder),
                    "lowpass": lowpass,
                    "external_loads": _plain_loads(external_loads, times, folder, ground_forces),
                    "start_stop_time": times,
                },
                directory=folder,
                progress=progress,
            )
            found = read_storage(folder / "inverse_dynamics.sto")
        return replace(found, name="inverse dynamics", units="N m or N")

    def muscle_analysis(
        self,
        model: PathLike,
        motion: PathLike | Storage,
        *,
        dofs: Sequence[str],
        mtus: Sequence[str] | None = None,
        least_arm: float | None = None,
        start_stop_time: tuple[float, float] | None = None,
        progress: Progress | None = None,
    ) -> MuscleAnalysis:
        """Return what OpenSim's MuscleAnalysis writes of lengths and moment arms, without a filter.

        Parameters
        ----------
        model : path-like
            The scaled model (.osim).
        motion : path-like or Storage
            Coordinates.
        dofs : sequence of str
            Coordinates whose moment arms are wanted.
        mtus : sequence of str, optional
            Muscles; by default all of the model.
        least_arm : float, optional
            Leave out muscles whose moment arm about each of the DOFs is no larger [m] in any of
            nine frames, evenly spread.
        start_stop_time : (float, float), optional
            First and last time [s]; all of the motion by default.
        progress : callable, optional
            Called with the number of frames done, and of all.

        Returns
        -------
        MuscleAnalysis
            At the times of the motion, with one set of MTUs everywhere, in the model's order.

        Raises
        ------
        FileFormatError
            If a file is missing or not what it should be.
        DataError
            If the model lacks a DOF or a muscle, or the motion lacks a DOF.
        """
        with tempfile.TemporaryDirectory(prefix="ceinms-torch-") as directory:
            folder = Path(directory)
            output = folder / "muscles.npz"
            found = self._run(
                "muscle_analysis",
                {
                    "model": _file(model),
                    "motion": _plain_motion(_motion(motion), folder),
                    "lowpass": None,
                    "dofs": list(dofs),
                    "mtus": None if mtus is None else list(mtus),
                    "least_arm": least_arm,
                    "start_stop_time": start_stop_time,
                    "output": output,
                },
                directory=folder,
                progress=progress,
            )
            if found["missing"]:
                text = (
                    f"the motion has no column for {', '.join(found['missing'])}: lengths are "
                    "those at the model's default values."
                )
                warnings.warn(CeinmsTorchWarning(text, "motion-lacks-coordinate"), stacklevel=2)
            with np.load(output) as arrays:
                time, length, arm = (arrays[name] for name in ("time", "length", "arm"))
        names = tuple(found["mtus"])

        def storage(what: str, values: FloatArray) -> Storage:
            return Storage(
                path=Path(model), name=what, time=time, columns=names, values=values, units="m"
            )

        arms = {
            dof: storage(f"moment arm about {dof}", np.ascontiguousarray(arm[:, i]))
            for i, dof in enumerate(dofs)
        }
        return MuscleAnalysis(length=storage("MTU length", length), arms=arms)

    def load_maps(
        self,
        model: PathLike,
        motion: PathLike | Storage,
        times: FloatArray,
        *,
        joints: Sequence[str],
        actuators: Sequence[str],
        also: Sequence[str] = (),
        and_others: bool = False,
        external_loads: PathLike | None = None,
        ground_forces: PathLike | Storage | None = None,
        lowpass: float | None = 6.0,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Return what joints bear as linear maps of the forces of actuators.

        Parameters
        ----------
        model : path-like
            The scaled model (.osim).
        motion : path-like or Storage
            Coordinates.
        times : ndarray (n_step,)
            When [s], within the motion.
        joints : sequence of str
            Names of joints in the model.
        actuators : sequence of str
            Muscles, and actuators that are none of coordinates, of which those count on which the
            loads depend and that share a coordinate with one.
        also : sequence of str
            Names that may be some of actuators, too; others are left out.
        and_others : bool
            Whether to take all actuators of the model that count.
        external_loads : path-like, optional
            Which measured force acts on which body (.xml).
        ground_forces : path-like or Storage, optional
            The forces, instead of the file that `external_loads` names.
        lowpass : float, optional
            Cut-off frequency of OpenSim's filter of the coordinates [Hz]; None for none.
        progress : callable, optional
            Called with the number of frames done, and of all.

        Returns
        -------
        dict
            Arrays and names, as `opensim_jobs.loads.load_maps` explains them.

        Raises
        ------
        FileFormatError
            If a file is missing or not what it should be.
        DataError
            If names are not those of the model, the motion lacks coordinates, motion or forces do
            not cover the times, or OpenSim fails.
        """
        storage = _motion(motion)
        begin, end = float(times[0]), float(times[-1])
        _check_covered(storage, "motion", begin, end)
        with tempfile.TemporaryDirectory(prefix="ceinms-torch-") as directory:
            folder = Path(directory)
            output, instants = folder / "maps.npz", folder / "times.npz"
            np.savez(instants, time=times)
            found = self._run(
                "load_maps",
                {
                    "model": _file(model),
                    "motion": _plain_motion(storage, folder),
                    "lowpass": lowpass,
                    "external_loads": _plain_loads(
                        external_loads, (begin, end), folder, ground_forces
                    ),
                    "external_loads_file": external_loads and str(external_loads),
                    "times": instants,
                    "joints": list(joints),
                    "actuators": list(actuators),
                    "also": list(also),
                    "and_others": and_others,
                    "output": output,
                },
                directory=folder,
                progress=progress,
            )
            with np.load(output) as arrays:
                return {**found, **arrays}

    def _run(
        self,
        job: str,
        arguments: Mapping[str, Any],
        *,
        directory: Path | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Do a job in a process of its own, which ends with this call, whatever happens."""
        if directory is None:
            with tempfile.TemporaryDirectory(prefix="ceinms-torch-") as name:
                return self._run(job, arguments, directory=Path(name), progress=progress)
        request = json.dumps({"job": job, "directory": directory, **arguments}, default=os.fspath)
        answer: dict[str, Any] = {}
        log = directory / "log.txt"
        try:
            with log.open("wb") as messages, self._process(messages) as process:
                try:
                    answer = _listen(process, request, progress)
                except BaseException:
                    process.kill()
                    raise
        finally:
            said = log.read_text(encoding="utf-8", errors="replace")
            self.log += said
        if "fault" in answer:
            raise _fault(answer["fault"])
        if "result" not in answer:
            raise self._failure(job, answer.get("failure"), process.returncode, said)
        result: dict[str, Any] = answer["result"]
        return result

    def _process(self, messages: Any) -> subprocess.Popen[str]:
        command = [os.fspath(self.python), "-c", _START, str(Path(__file__).parent)]
        try:
            return subprocess.Popen(  # noqa: S603  an interpreter that the user names
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=messages,
                text=True,
                encoding="utf-8",
                start_new_session=True,  # Ctrl-C reaches this process alone, which ends the other
            )
        except OSError as error:
            raise OptionError(
                where="--opensim-python",
                expected="a Python interpreter with opensim",
                got=f"'{self.python}' ({error.strerror})",
                hint=_INSTALL,
                code="opensim-missing",
            ) from error

    def _failure(self, job: str, said: str | None, status: int, log: str) -> DataError:
        lines = [line.strip() for line in log.splitlines() if line.strip()]
        if said is None and not lines:
            said = f"nothing, and exit status {status}"
        last = "; ".join(lines[-_LAST_LINES:])
        return DataError(
            where=f"OpenSim {self.version}".strip(),
            expected=f"{job.replace('_', ' ')} to succeed",
            got=said or f"exit status {status}",
            hint=f"its last messages: {last}" if lines and said is None else None,
            code="opensim-failed",
        )


def _listen(
    process: subprocess.Popen[str], request: str, progress: Progress | None
) -> dict[str, Any]:
    """Send a job and return its answer, if there is one."""
    assert process.stdin is not None  # noqa: S101  both were asked for
    assert process.stdout is not None  # noqa: S101
    answer: dict[str, Any] = {}
    try:
        process.stdin.write(request)
        process.stdin.close()
    except BrokenPipeError:  # it has ended; its messages say why
        return answer
    for line in process.stdout:
        message = json.loads(line)
        if "progress" not in message:
            answer |= message
        elif progress is not None:
            progress(*message["progress"])
    return answer


def _fault(parts: Mapping[str, Any]) -> DataError | FileFormatError | OptionError:
    code = parts["code"] or None
    kind: type[DataError | FileFormatError | OptionError] = DataError
    if code == "opensim-missing":
        kind = OptionError
    elif parts["file"]:
        kind = FileFormatError
    return kind(
        where=Place(parts["file"] and Path(parts["file"]), element=parts["element"]),
        expected=parts["expected"],
        got=parts["got"],
        hint=parts["hint"],
        code=code,
    )


def _file(path: PathLike) -> str:
    """Return the absolute path of a file that is there."""
    file = Path(path)
    if kind_of(file) != "file":
        raise FileFormatError(
            where=file,
            expected="a file",
            got="a folder" if kind_of(file) == "folder" else "nothing of that name",
            hint=missing_file_hint(file),
            code="file-missing",
        )
    return str(file.resolve())


def _motion(motion: PathLike | Storage) -> Storage:
    return motion if isinstance(motion, Storage) else read_storage(motion)


def _plain_motion(motion: Storage, folder: Path) -> Path:
    """Write a motion as OpenSim reads it: plain names, values of coordinates only."""
    columns: dict[str, int] = {}
    for i, name in enumerate(motion.columns):
        parts = name.strip("/").split("/")
        if not name.startswith("/"):
            columns[name] = i
        elif parts[0] == "jointset" and parts[-1] == "value":  # of a file with speeds, too
            columns[parts[-2]] = i
    path = folder / "coordinates.sto"
    replace(motion, columns=tuple(columns), values=motion.values[:, list(columns.values())]).write(
        path
    )
    return path


def _plain_loads(
    path: PathLike | None,
    times: tuple[float, float],
    folder: Path,
    ground_forces: PathLike | Storage | None = None,
) -> Path | None:
    """Write external loads with the absolute path of their data, having checked both."""
    if path is None:
        return None
    loads = read_external_loads(_file(path))
    root = read_root(path)
    named = next(iter(root.descendants("datafile")), None)
    if named is None:
        if ground_forces is None:
            raise root.error("<datafile>, the storage file with the forces", "none")
        named = next(iter(root.descendants("ExternalLoads")), root).add("datafile")
    if isinstance(ground_forces, Storage):
        data = ground_forces
    else:
        data = read_storage(named.file() if ground_forces is None else ground_forces)
    for force in loads.forces:
        for what, start in (
            ("force", force.force),
            ("point", force.point),
            ("torque", force.torque),
        ):
            found = [name for name in data.columns if start and name.startswith(start)]
            if (start or what == "force") and len(found) < 3:
                raise FileFormatError(
                    where=Place(data.path, data.label_line, start or what),
                    expected=f"three columns whose labels begin with '{start}', as {path} says of "
                    f"'{force.name}'",
                    got=f"{len(found)}",
                    code="external-loads",
                )
    _check_covered(data, "forces", *times)
    file = data.path.resolve()
    if data is ground_forces:
        file = folder / "ground_forces.mot"
        write_storage(
            file, data.time, data.columns, data.values, name="ground forces", units=data.units
        )
    named.set_text(str(file))
    target = folder / "external_loads.xml"
    target.write_bytes(etree.tostring(root.element.getroottree()))
    return target


def _check_covered(storage: Storage, what: str, begin: float, end: float) -> None:
    """Refuse times beyond a file, for which OpenSim would hold its first and last values."""
    first, last = float(storage.time[0]), float(storage.time[-1])
    half = 0.5 * (last - first) / max(len(storage.time) - 1, 1)
    if begin < first - half or end > last + half:
        raise DataError(
            where=Place(storage.path, element=what),
            expected=f"{what} from {begin:g} to {end:g} s",
            got=f"{first:g} to {last:g} s",
            hint="choose times that are in all files",
            code="times-not-covered",
        )
