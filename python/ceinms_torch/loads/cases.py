"""The trials whose loads are asked for: their muscle forces, motions and external loads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ceinms_torch.arrays import FloatArray
from ceinms_torch.bands.uncertainty import subjects_that_fit_alike
from ceinms_torch.calibration.result import CalibrationResult
from ceinms_torch.errors import DataError, FileFormatError, Place
from ceinms_torch.inputs.folder import CalibrationFolder, RunFolder
from ceinms_torch.inputs.outputs import STORAGE_FILES
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.paths import kind_of
from ceinms_torch.io.results import RESULT_FILE
from ceinms_torch.io.source import Source, read_source
from ceinms_torch.io.storage import read_storage
from ceinms_torch.model.input_data import InputData
from ceinms_torch.model.trial import Trial
from ceinms_torch.results.read import load_result
from ceinms_torch.simulation.simulate import simulate
from ceinms_torch.simulation.time_series import TimeSeries
from ceinms_torch.simulation.trial_result import Role
from ceinms_torch.study_folder.origin import EXTERNAL_LOADS, MOTION, origin_of

PathLike = str | os.PathLike[str]
Forces = Mapping[str, FloatArray]

# Band of the parameter sets that `uncertainty` draws.
LEVEL = 0.95
_DRAWS, _STARTS = 79, 8


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadCase(OneLine):
    """One trial whose loads are asked for.

    Parameters
    ----------
    name : str
        Its name.
    role : {"calibration", "test"}, optional
        Whether it was calibrated on; None without a calibration.
    force : TimeSeries
        Forces along the tendon [N], by muscle.
    is_of_subject : bool
        Whether every column is an MTU of a subject; of a file with forces some are none.
    dofs : tuple of str
        Coordinates whose joints are meant where nobody names joints.
    motion, external_loads : Path, optional
        Files that it was made from, where they are known.
    ground_forces : Path, optional
        The forces, instead of the file that `external_loads` names.
    trial : Trial, optional
        What the forces were calculated from.
    alike : tuple of TimeSeries
        Forces of other parameter sets that fit alike.
    level : float
        Of the band of these; 1 for their range.
    sources : tuple of Source
        Files it was read from.
    """

    name: str
    role: Role | None = None
    force: TimeSeries = field(repr=False)
    is_of_subject: bool = True
    dofs: tuple[str, ...] = ()
    motion: Path | None = None
    external_loads: Path | None = None
    ground_forces: Path | None = None
    trial: Trial | None = field(default=None, repr=False)
    alike: tuple[TimeSeries, ...] = field(default=(), repr=False)
    level: float = 1.0
    sources: tuple[Source, ...] = field(default=(), repr=False)


def case_of_files(files: Sequence[PathLike]) -> LoadCase:
    """Take forces from storage files: of the first, with those of the others for a band.

    Parameters
    ----------
    files : sequence of path-like
        Storage files with a column per muscle [N], at the same times; columns of reserves and other
        names do not count.

    Returns
    -------
    LoadCase

    Raises
    ------
    FileFormatError
        If a file is missing or faulty.
    DataError
        If times differ.
    """
    first, *others = (read_storage(file) for file in files)
    for one in others:
        if one.time.shape != first.time.shape or abs(one.time - first.time).max() > 1e-6:
            raise DataError(
                where=Place(one.path, element="time"),
                expected=f"the times of {first.path}",
                got=f"{one.time[0]:g} to {one.time[-1]:g} s in {len(one.time)} rows",
            )
    series = [
        TimeSeries("MTU force", "N", first.time, one.columns, one.values)
        for one in (first, *others)
    ]
    return LoadCase(
        name=first.path.stem,
        force=series[0],
        is_of_subject=False,
        alike=tuple(series) if others else (),
        sources=tuple(one.source for one in (first, *others)),
    )


def case_of_run(setup: PathLike, results: Sequence[PathLike] = ()) -> LoadCase:
    """Take forces from what a run wrote, ours or one of CEINMS.

    Parameters
    ----------
    setup : path-like
        The execution setup file.
    results : sequence of path-like
        Folders with MuscleForces.sto; by default where the setup file says. Of several, the others
        make the band of the first.

    Returns
    -------
    LoadCase

    Raises
    ------
    FileFormatError
        If there are no results, or a file is faulty.
    """
    folder = RunFolder.read(setup, legacy=True)
    files = []
    for directory in results or [folder.setup.output_directory]:
        file = Path(directory, STORAGE_FILES["mtu_force"])
        if kind_of(file) != "file":
            raise FileFormatError(
                where=file,
                expected="muscle forces of a run",
                got="no such file",
                hint=f"run ceinms-torch run {os.fspath(setup)} first, or name the folder of its "
                "results with --results",
                code="results-missing",
            )
        files.append(file)
    case = case_of_files(files)
    names = folder.subject.mtu_names
    chosen = [
        _of_mtus(one, names, file)
        for one, file in zip((case.force, *case.alike), (files[0], *files), strict=False)
    ]
    return _with_trial(replace(case, force=chosen[0], alike=tuple(chosen[1:])), folder.trial, None)


def cases_of_calibration(
    setup: PathLike,
    results: Sequence[PathLike],
    *,
    tests: Iterable[PathLike] = (),
    bands: bool = False,
    threads: int = 1,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[LoadCase]:
    """Take forces from what a calibration wrote, for each of its trials.

    Parameters
    ----------
    setup : path-like
        The calibration setup file.
    results : sequence of path-like
        Folders of results. Of several, the others make the band of the first.
    tests : iterable of path-like
        inputData.xml of the test trials that are wanted, too.
    bands : bool
        Whether to draw parameter sets that fit alike, and to take a 95 % band over them.
    threads, seed
        For that, as for `ceinms_torch.uncertainty`.
    progress : callable, optional
        Called with the number of fits done, and of all.

    Returns
    -------
    list of LoadCase
        Of the calibration trials, then of the test trials.

    Raises
    ------
    FileFormatError, DataError
        If results are missing, or are not those of these files.
    OptionError
        If there are no bands of such a calibration.
    """
    folder = CalibrationFolder.read(setup, legacy=True)
    loaded = [load_result(one) for one in results]
    first = loaded[0]
    roles: list[tuple[Role, Trial]] = [("calibration", trial) for trial in folder.trials]
    roles += [("test", trial) for trial in folder.read_tests(tests).values()]
    subjects = (
        subjects_that_fit_alike(
            first,
            folder.trials,
            draws=_DRAWS,
            starts=_STARTS,
            seed=seed,
            threads=threads,
            progress=progress,
        )
        if bands
        else ()
    )
    cases = []
    for role, trial in roles:
        forces = [_force(one, role, trial) for one in loaded]
        alike = [simulate(one, trial, tendon=first.tendon).mtu_force for one in subjects]
        case = LoadCase(
            name=trial.name,
            role=role,
            force=forces[0],
            alike=tuple(alike or (forces if len(forces) > 1 else ())),
            level=LEVEL if bands else 1.0,
            sources=tuple(read_source(Path(one, RESULT_FILE), "a result")[1] for one in results),
        )
        cases.append(_with_trial(case, trial, role))
    return cases


def _force(result: CalibrationResult, role: Role, trial: Trial) -> TimeSeries:
    among = result.trials if role == "calibration" else result.tests
    found = next((one for one in among if one.name == trial.name), None)
    if found is None:
        raise DataError(
            where=Place(trial=trial.name),
            expected=f"a {role} trial of the results in {result.label}",
            got=", ".join(one.name for one in among) or "none",
            hint="calibrate with --test for it" if role == "test" else None,
        )
    return found.simulation.mtu_force


def _of_mtus(series: TimeSeries, names: tuple[str, ...], file: Path) -> TimeSeries:
    """Return the columns of a subject's MTUs."""
    lacking = [name for name in names if name not in series]
    if lacking:
        raise FileFormatError(
            where=Place(file, element=lacking[0]),
            expected="a column for every MTU of the subject",
            got=f"none for {', '.join(lacking)}",
        )
    places = [series.columns.index(name) for name in names]
    return replace(series, columns=names, array=series.array[:, places])


def _with_trial(case: LoadCase, trial: Trial, role: Role | None) -> LoadCase:
    source = trial.sources.input_data
    data = None if source.path is None else InputData.read(source.path)
    origin = {} if source.path is None else origin_of(source.path)
    return replace(
        case,
        name=trial.name,
        role=role,
        is_of_subject=True,
        dofs=trial.dof_names,
        motion=(data and data.motion_file) or origin.get(MOTION),
        external_loads=(data and data.external_loads_file) or origin.get(EXTERNAL_LOADS),
        trial=trial,
        sources=(*case.sources, *trial.sources),
    )
