"""A recording: its angles, moments, MTU lengths and moment arms, from files or by OpenSim."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import DataError, Place
from ceinms_torch.geometry.path_set import PathSet
from ceinms_torch.inputs.checks.findings import Finding
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.storage import Storage, StorageReader
from ceinms_torch.osim.model_file import OsimModel
from ceinms_torch.recordings.c3d import C3d, read_c3d
from ceinms_torch.recordings.external_loads import ExternalLoads, read_external_loads
from ceinms_torch.recordings.feet import zeroed
from ceinms_torch.recordings.filters import butterworth
from ceinms_torch.recordings.ground_force_files import as_storage
from ceinms_torch.recordings.trc import Markers, read_trc, write_trc
from ceinms_torch.study_folder.angles import angles_of
from ceinms_torch.study_folder.ground import check_ground_forces, ground_forces
from ceinms_torch.study_folder.muscle_analysis import MuscleGeometry, read_muscle_analysis
from ceinms_torch.study_folder.steps import Steps
from ceinms_torch.study_folder.trial_list import TrialRow

if TYPE_CHECKING:
    from ceinms_torch.osim.process import OpenSim

# Files that make two trials parts of one recording.
_OF_RECORDING = ("c3d", "trc", "motion", "grf", "loads", "moments", "muscle_analysis", "model")
# Frames around the trials, so that filters and derivatives have no end near them [s].
_AROUND = 0.25
# Marker errors that inverse kinematics should stay below (OpenSim's guide): root mean square of a
# frame, and largest [m].
_MARKER_RMS, _MARKER_LARGEST = 0.02, 0.04
# A residual force matters above this share of the weight, a warning in this share of the frames.
_RESIDUAL, _MOST_FRAMES = 0.1, 0.5
_RATE_TOLERANCE = 1e-3


@dataclass(frozen=True, kw_only=True)
class RecordingSettings(OneLine):
    """What is needed to compute recordings.

    Parameters
    ----------
    model : OsimModel
        The scaled model.
    dofs : tuple of str
        The DOFs.
    tasks : Path, optional
        Weights of markers for inverse kinematics.
    loads : Path, optional
        External loads, for trials that name none.
    paths : PathSet, optional
        Polynomials that lengths and moment arms are taken from, where no file has them.
    forward : str
        The axis of the laboratory that becomes the model's x, for C3D files; see `opensim_axes`.
    lowpass : float, optional
        Cut-off of the angles before anything is computed of them [Hz]; None for none.
    opensim : callable
        What returns OpenSim, or says that there is none; called when it is needed.
    tell : callable
        Called with what is being done, and how much of it.
    """

    model: OsimModel
    dofs: tuple[str, ...]
    tasks: Path | None
    loads: Path | None
    paths: PathSet | None
    forward: str
    lowpass: float | None
    opensim: Callable[[], OpenSim]
    tell: Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording(OneLine):
    """What is known of a recording.

    Parameters
    ----------
    name : str
        That of its first trial.
    angles : Storage or None
        What lengths and moments were computed from; None if only these are there.
    geometry : MuscleGeometry
        Lengths and moment arms [m].
    moments : Storage
        Joint moments [N m].
    external_loads : Path or None
        The ExternalLoads that act, if a file says so with the forces themselves.
    findings : tuple of Finding
        What is doubtful in it.
    """

    name: str
    angles: Storage | None
    geometry: MuscleGeometry
    moments: Storage
    external_loads: Path | None = None
    findings: tuple[Finding, ...] = field(default=(), compare=False)


def recordings_of(rows: Sequence[TrialRow]) -> list[tuple[TrialRow, ...]]:
    """Return the trials by the recording that they are parts of.

    Parameters
    ----------
    rows : sequence of TrialRow
        All trials.

    Returns
    -------
    list of tuple of TrialRow
        In the order of the first trial of each.
    """
    found: dict[tuple[Path | None, ...], list[TrialRow]] = {}
    for row in rows:
        found.setdefault(tuple(row.files.get(one) for one in _OF_RECORDING), []).append(row)
    return [tuple(one) for one in found.values()]


def read_recording(
    rows: Sequence[TrialRow], settings: RecordingSettings, steps: Steps, read: StorageReader
) -> Recording:
    """Read what there is of a recording, and let OpenSim compute the rest.

    Parameters
    ----------
    rows : sequence of TrialRow
        The trials that are parts of it.
    settings : RecordingSettings
        How.
    steps : Steps
        What has been computed before.
    read : StorageReader
        What reads files.

    Returns
    -------
    Recording

    Raises
    ------
    DataError, FileFormatError
        If something is missing that cannot be computed, or faulty; where ground forces are not
        those of these feet and this model.
    OptionError
        If OpenSim is needed and there is none.
    """
    return _Reader(rows, settings, steps, read).recording()


class _Reader:
    def __init__(
        self,
        rows: Sequence[TrialRow],
        settings: RecordingSettings,
        steps: Steps,
        read: StorageReader,
    ) -> None:
        self._rows, self._settings, self._steps, self._read = rows, settings, steps, read
        self._row = rows[0]
        self._name = self._row.name
        self._files = self._row.files
        self._findings: list[Finding] = []

    def recording(self) -> Recording:
        self._check_ground()
        angles = self._angles()
        smooth = self._smooth(angles)
        # Files of MuscleAnalysis are of the angles as they are, whatever was done to these before.
        angles = angles if "muscle_analysis" in self._files else smooth
        geometry = self._geometry(angles)
        moments = self._moments(smooth)
        self._check_residuals(moments)
        return Recording(
            name=self._name,
            angles=angles,
            geometry=geometry,
            moments=moments,
            external_loads=self._external_loads_file(),
            findings=tuple(self._findings),
        )

    def _external_loads_file(self) -> Path | None:
        """Return the file that says where forces act, if it also names the forces of this row."""
        loads, grf = self._loads, self._files.get("grf")
        if loads is None or loads.data_file is None:
            return None
        is_other = "c3d" in self._files if grf is None else not grf.samefile(loads.data_file)
        return None if is_other else loads.path

    def _missing(self, expected: str, got: str, hint: str) -> DataError:
        return DataError(
            where=self._row.place,
            expected=expected,
            got=got,
            hint=hint,
            code="recording-incomplete",
        )

    def _times(self, time: FloatArray, around: float = 0.0) -> tuple[float, float]:
        """Return the first and last time that are needed, of those that there are [s].

        Parameters
        ----------
        time : ndarray (n_frame,)
            Times of markers or angles [s].
        around : float
            How much before and behind the trials [s].

        Returns
        -------
        (float, float)
            Of all trials of the recording; where one names none, all that was recorded of motion
            and ground forces.
        """
        known = [time] if self._ground is None else [time, self._ground.time]
        first, last = max(float(one[0]) for one in known), min(float(one[-1]) for one in known)
        starts = [first if row.start is None else row.start for row in self._rows]
        stops = [last if row.stop is None else row.stop for row in self._rows]
        return (
            max(min(starts) - around, float(time[0])),
            min(max(stops) + around, float(time[-1])),
        )

    # ---- What was recorded ----------------------------------------------------------------

    @cached_property
    def _c3d(self) -> C3d | None:
        path = self._files.get("c3d")
        return None if path is None else read_c3d(path).in_opensim_axes(self._settings.forward)

    @cached_property
    def _markers(self) -> Markers | None:
        if "trc" in self._files:
            return read_trc(self._files["trc"])
        return None if self._c3d is None else self._c3d.markers

    @cached_property
    def _loads(self) -> ExternalLoads | None:
        path = self._files.get("loads", self._settings.loads)
        return None if path is None else read_external_loads(path)

    @cached_property
    def _ground(self) -> Storage | None:
        """The ground forces, with the labels that the external loads name."""
        if self._loads is None:
            return None
        path = self._files.get("grf")
        if path is None and self._c3d is not None and self._c3d.forces.plates:
            # Whoever steps on a plate of a few newtons has their mass wrong by as much.
            return as_storage(zeroed(self._c3d.forces))
        path = path or self._loads.data_file
        if path is None:
            raise self._missing(
                f"ground forces, of which '{self._loads.path}' says where they act",
                "none" if self._c3d is None else f"no force plate in '{self._c3d.path}'",
                "Name the file of the ground forces (column grf)",
            )
        return self._read(path)

    def _check_ground(self) -> None:
        if self._loads is None or self._ground is None:
            return
        forces = ground_forces(self._ground, self._loads)
        for one in check_ground_forces(forces, self._ground, self._settings.model, self._markers):
            if one.severity == "error":
                raise DataError(
                    where=one.where,
                    expected="ground forces of these feet and this model, in N",
                    got=f"what contradicts that: {one.what.rstrip('.')}",
                    hint=one.to_do,
                    code=one.code,
                )
            self._findings.append(one)

    # ---- What OpenSim computes --------------------------------------------------------------

    def _angles(self) -> Storage | None:
        motion = self._files.get("motion")
        if motion is None and "muscle_analysis" in self._files and "moments" in self._files:
            return None
        angles = self._inverse_kinematics() if motion is None else self._read(motion)
        angles_of(angles, self._settings.model)
        return angles

    def _smooth(self, angles: Storage | None) -> Storage | None:
        if angles is None or self._settings.lowpass is None:
            return angles
        if "moments" in self._files and "muscle_analysis" in self._files:
            return angles  # from which nothing is computed
        step = np.diff(angles.time)
        if np.ptp(step) > _RATE_TOLERANCE * step.mean():
            raise DataError(
                where=angles.path,
                expected="angles at one rate, to be filtered",
                got=f"steps of {step.min():g} to {step.max():g} s",
                hint="Export them at one rate, or filter nothing (--angle-cutoff 0)",
            )
        values = butterworth(angles.values, 1.0 / float(step.mean()), self._settings.lowpass)
        return dataclasses.replace(angles, values=values)

    def _inverse_kinematics(self) -> Storage:
        markers, tasks = self._markers, self._settings.tasks
        if markers is None or markers.path is None:
            raise self._missing(
                "markers or angles (columns trc, c3d or motion), or files of MuscleAnalysis and of "
                "inverse dynamics (muscle_analysis and moments)",
                "none of these",
                "Name what there is of the trial",
            )
        if tasks is None:
            raise self._missing(
                "weights of markers for inverse kinematics",
                f"'{markers.path}' without",
                "Name a file with an IKTaskSet (--tasks), or angles (column motion)",
            )
        model = self._settings.model.path

        times = self._times(markers.time, _AROUND)

        def compute() -> dict[str, Storage]:
            with tempfile.TemporaryDirectory(prefix="ceinms-torch-") as folder:
                file = markers.path
                if file is None or "trc" not in self._files:
                    file = Path(folder, f"{self._name}.trc")
                    write_trc(file, markers)
                found = self._settings.opensim().inverse_kinematics(
                    model,
                    file,
                    tasks,
                    start_stop_time=times,
                    progress=lambda *done: self._settings.tell("inverse kinematics", *done),
                )
            errors = dataclasses.replace(
                found.motion,
                name="Marker errors",
                units="m",
                in_degrees=False,
                columns=("rms", "largest"),
                values=np.stack([found.frame_rms, found.frame_largest], axis=1),
            )
            return {"angles": found.motion, "marker_errors": errors}

        found = self._steps.tables(
            f"{self._name}/inverse_kinematics",
            ("angles", "marker_errors"),
            {
                "model": model,
                "markers": markers,
                "tasks": tasks,
                "times [s]": times,
            },
            compute,
        )
        self._check_markers(found["marker_errors"], markers.path)
        return found["angles"]

    def _check_markers(self, errors: Storage, markers: Path) -> None:
        rms, largest = (errors.column(one) for one in ("rms", "largest"))
        is_bad = float(rms.mean()) > _MARKER_RMS
        if not is_bad and float(largest.mean()) <= _MARKER_LARGEST:
            return
        self._findings.append(
            Finding(
                severity="warning",
                code="marker-errors",
                where=Place(markers, trial=self._name),
                what=f"Inverse kinematics misses markers by {1e3 * rms.mean():.0f} mm (root mean "
                f"square), the worst by {1e3 * largest.mean():.0f} mm on average.",
                why="Scaled models come within 20 mm, and 40 mm for the worst marker: the model is "
                "perhaps unscaled or of another person, or markers are swapped.",
                to_do="Look at the markers that are worst; scale the model again.",
            )
        )

    def _geometry(self, angles: Storage | None) -> MuscleGeometry:
        if "muscle_analysis" in self._files:
            return read_muscle_analysis(
                self._files["muscle_analysis"], self._settings.dofs, self._read
            )
        assert angles is not None  # noqa: S101  only given files do without
        if self._settings.paths is not None:
            return self._polynomials(self._settings.paths, angles)
        model, dofs = self._settings.model.path, self._settings.dofs
        mtus = self._settings.model.muscles_across(dofs)
        times = self._times(angles.time)

        def compute() -> dict[str, Storage]:
            found = self._settings.opensim().muscle_analysis(
                model,
                angles,
                dofs=dofs,
                mtus=mtus,
                start_stop_time=times,
                progress=lambda done, total: self._settings.tell("muscle analysis", done, total),
            )
            return {"Length": found.length} | {
                f"MomentArm_{dof}": arm for dof, arm in found.arms.items()
            }

        found = self._steps.tables(
            f"{self._name}/muscle_analysis",
            ("Length", *(f"MomentArm_{dof}" for dof in dofs)),
            {"model": model, "angles": angles, "dofs": dofs, "times [s]": times},
            compute,
        )
        arms = {dof: found[f"MomentArm_{dof}"] for dof in dofs}
        return MuscleGeometry(lengths=found["Length"], arms=arms)

    def _polynomials(self, paths: PathSet, motion: Storage) -> MuscleGeometry:
        angles = angles_of(motion, self._settings.model)
        missing = [name for name in paths.coordinate_names if name not in angles]
        if missing:
            raise DataError(
                where=Place(motion.path, motion.label_line, missing[0]),
                expected=f"angles of all coordinates of the polynomials: "
                f"{', '.join(paths.coordinate_names)}",
                got="none of this one",
                hint="Add its column to the motion, or fit polynomials without it",
            )
        poses = np.stack([angles[name] for name in paths.coordinate_names], axis=1)
        begin, end = self._times(motion.time)
        rows = (motion.time >= begin) & (motion.time <= end)
        found = paths.evaluate(poses[rows], self._settings.dofs)

        def table(name: str, values: FloatArray) -> Storage:
            return dataclasses.replace(
                motion,
                name=name,
                time=motion.time[rows],
                columns=paths.mtu_names,
                values=values,
                units="m",
                in_degrees=False,
            )

        arms = {
            dof: table(f"Moment arms about {dof}", found.moment_arm[:, i])
            for i, dof in enumerate(self._settings.dofs)
        }
        return MuscleGeometry(lengths=table("MTU lengths", found.mtu_length), arms=arms)

    def _moments(self, angles: Storage | None) -> Storage:
        if "moments" in self._files:
            return self._read(self._files["moments"])
        if angles is None:
            raise self._missing(
                "joint moments", "none", "Name the file of inverse dynamics (column moments)"
            )
        model = self._files.get("model", self._settings.model.path)
        loads, ground = self._loads, self._ground
        times = self._times(angles.time)

        def compute() -> dict[str, Storage]:
            found = self._settings.opensim().inverse_dynamics(
                model,
                angles,
                external_loads=None if loads is None else loads.path,
                ground_forces=ground,
                lowpass=None,
                start_stop_time=times,
                progress=lambda done, total: self._settings.tell("inverse dynamics", done, total),
            )
            return {"moments": found}

        found = self._steps.tables(
            f"{self._name}/inverse_dynamics",
            ("moments",),
            {
                "model": model,
                "angles": angles,
                "external loads": None if loads is None else loads.path,
                "ground forces": ground,
                "times [s]": times,
            },
            compute,
        )
        return found["moments"]

    def _check_residuals(self, moments: Storage) -> None:
        """Say when something must hold the body that is no measured force."""
        model = self._settings.model
        roots = (
            name for one in model.joints if one.parent == "ground" for name in one.coordinate_names
        )
        columns = [f"{name}_force" for name in roots if f"{name}_force" in moments.columns]
        if self._loads is None or len(columns) < 3:
            return
        begin, end = self._times(moments.time)
        inside = (moments.time >= begin) & (moments.time <= end)
        weight = model.mass * float(np.linalg.norm(model.gravity))
        share = np.linalg.norm(moments.select(columns)[inside], axis=1) / weight
        held = share > _RESIDUAL
        if not held.any():
            return
        times = moments.time[inside][held]
        self._findings.append(
            Finding(
                severity="warning" if float(np.mean(held)) > _MOST_FRAMES else "note",
                code="residual-force",
                where=Place(moments.path, trial=self._name),
                what=f"Inverse dynamics needs a residual force of {100.0 * _RESIDUAL:.0f} to "
                f"{100.0 * float(share.max()):.0f} % of the weight in "
                f"{100.0 * float(np.mean(held)):.0f} % of the frames, between {times[0]:.3g} and "
                f"{times[-1]:.3g} s.",
                why="A foot was on the ground beside the plates, or forces, markers and model do "
                "not fit. Moments of a leg whose own foot is on a plate do not depend on the rest.",
                to_do="Use trials in which the feet of the leg are on plates; see to the masses.",
            )
        )
