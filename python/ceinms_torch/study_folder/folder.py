"""A complete CEINMS folder: subject, map, calibration and execution files, trials, setup files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import DataError, Place
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.storage import write_storage
from ceinms_torch.model.activation_delay import (
    LONGEST_ACTIVATION_DELAY,
    SHORTEST_ACTIVATION_DELAY,
    coefficient,
)
from ceinms_torch.model.excitation_generator import Excitation, ExcitationGenerator
from ceinms_torch.model.execution import Execution
from ceinms_torch.model.input_data import InputData
from ceinms_torch.model.nms_model import SimulatedAnnealing, Tendon, TendonKind
from ceinms_torch.model.setup import CalibrationSetup, RunSetup
from ceinms_torch.model.subject import Dof, Mtu, Subject
from ceinms_torch.osim.model_file import OsimModel
from ceinms_torch.plan.calibration import CalibrationPlan, CalibrationStep, ParameterSpec
from ceinms_torch.plan.objective import Objective
from ceinms_torch.simulation.smooth_curves import CurveSet, with_curves
from ceinms_torch.study_folder.trial_list import Use

# An MTU acts on a DOF if its moment arm about it is longer than this at some instant [m].
LEAST_ARM = 1e-3
# CEINMS has no muscle without a tendon: what stands for none [m].
SHORTEST_TENDON = 1e-3
# What OpenSim's muscles do not have, as CEINMS's own examples have it.
EM_DELAY, _DAMPING, _PERCENTAGE_CHANGE = 0.015, 0.1, 0.15
_SHAPE = -1.0
# Mean delay of each of the two poles of the activation filter: least, to begin with, most [s].
_POLE = (0.5 * SHORTEST_ACTIVATION_DELAY, 0.01, 0.5 * LONGEST_ACTIVATION_DELAY)
# EMG before and behind a trial that delays and the activation filter need [s].
EMG_BEFORE, EMG_BEHIND = 0.3, 0.05
_LENGTHS, _STRENGTHS = (0.75, 1.25), (0.5, 2.5)
_ANNEALING = SimulatedAnnealing(
    no_epsilon=4, rt=0.3, temperature=2e5, ns=15, nt=5, epsilon=1e-3, max_no_eval=200_000
)


@dataclass(frozen=True, kw_only=True, eq=False)
class StudyTrial(OneLine):
    """What is written of a trial.

    Parameters
    ----------
    name : str
        Its name.
    use : {"calibration", "test"}
        Whether it is calibrated on.
    time : ndarray (n_frame,)
        [s].
    lengths : mapping of str to ndarray (n_frame,)
        MTU lengths [m]; of more MTUs than act, it may be.
    arms : mapping of str to mapping of str to ndarray (n_frame,)
        Moment arms [m] by DOF and MTU.
    moments : ndarray (n_frame, n_dof)
        Measured joint moments [N m], in the order of `arms`.
    signal_time : ndarray (n_row,)
        [s].
    signals : mapping of str to ndarray (n_row,)
        Normalised EMG envelopes (-).
    motion, external_loads : Path or None
        Files that it was made from: joint angles, and which forces act where.
    """

    name: str
    use: Use
    time: FloatArray
    lengths: Mapping[str, FloatArray]
    arms: Mapping[str, Mapping[str, FloatArray]]
    moments: FloatArray
    signal_time: FloatArray
    signals: Mapping[str, FloatArray]
    motion: Path | None = None
    external_loads: Path | None = None


def acting_mtus(model: OsimModel, trials: Sequence[StudyTrial]) -> dict[str, tuple[str, ...]]:
    """Return the MTUs whose moment arm about a DOF is long enough to count in one of the trials.

    Parameters
    ----------
    model : OsimModel
        The model; muscles that it switches off do not act.
    trials : sequence of StudyTrial
        All trials.

    Returns
    -------
    dict of str to tuple of str
        By DOF, in the order of the model.

    Raises
    ------
    DataError
        If no MTU acts on a DOF.
    """
    acting = {}
    for dof in trials[0].arms:
        acting[dof] = tuple(
            muscle.name
            for muscle in model.muscles
            if not muscle.is_disabled
            and any(
                float(np.abs(trial.arms[dof][muscle.name]).max(initial=0.0)) > LEAST_ARM
                for trial in trials
                if muscle.name in trial.arms[dof]
            )
        )
        if not acting[dof]:
            raise DataError(
                where=Place(model.path, column=dof),
                expected=f"a muscle with a moment arm above {1e3 * LEAST_ARM:g} mm about the DOF",
                got="none",
                hint="Name DOFs that muscles move, and give MuscleAnalysis all muscles",
            )
    return acting


def make_subject(
    model: OsimModel, acting: Mapping[str, Sequence[str]], curves: CurveSet, step: float
) -> tuple[Subject, list[str]]:
    """Make an uncalibrated subject with the parameters of a model.

    Parameters
    ----------
    model : OsimModel
        The model.
    acting : mapping of str to sequence of str
        MTUs by DOF.
    curves : {"degroote", "millard"}
        The force curves.
    step : float
        Time from one frame of the trials to the next [s].

    Returns
    -------
    Subject
        Parameters that OpenSim's muscles lack are those of CEINMS's examples.
    list of str
        What had to be changed: sentences.
    """
    wanted = set().union(*acting.values())
    muscles = [muscle for muscle in model.muscles if muscle.name in wanted]
    mtus = tuple(
        Mtu(
            name=one.name,
            c1=coefficient(_POLE[1], step),
            c2=coefficient(_POLE[1], step),
            shape_factor=_SHAPE,
            optimal_fibre_length=one.optimal_fibre_length,
            pennation_angle=one.pennation_angle,
            tendon_slack_length=max(one.tendon_slack_length, SHORTEST_TENDON),
            max_isometric_force=one.max_isometric_force,
            max_contraction_velocity=one.max_contraction_velocity,
            em_delay=EM_DELAY,
            damping=_DAMPING,
            percentage_change=_PERCENTAGE_CHANGE,
        )
        for one in muscles
    )
    short = [one.name for one in muscles if one.tendon_slack_length < SHORTEST_TENDON]
    change = (
        f"{', '.join(short)}: a tendon of {1e3 * SHORTEST_TENDON:g} mm, since CEINMS has no muscle "
        "without"
    )
    dofs = tuple(Dof(name=dof, mtu_names=tuple(names)) for dof, names in acting.items())
    subject = Subject(mtus=mtus, dofs=dofs)
    return with_curves(subject, curves), [change] if short else []


def make_generator(
    subject: Subject, weights: Mapping[str, Mapping[str, float]]
) -> ExcitationGenerator:
    """Make the map of signals to MTUs; those of the subject without signals stay, silent.

    Parameters
    ----------
    subject : Subject
        The subject.
    weights : mapping of str to mapping of str to float
        Weights of signals by MTU.

    Returns
    -------
    ExcitationGenerator
    """
    excitations = tuple(
        Excitation(id=name, inputs=tuple(weights.get(name, {}).items()))
        for name in subject.mtu_names
    )
    used = dict.fromkeys(signal for one in excitations for signal, _ in one.inputs)
    return ExcitationGenerator(input_signals=tuple(used), excitations=excitations)


def make_plan(
    subject: Subject, tendon: TendonKind, files: Sequence[Path], step: float
) -> CalibrationPlan:
    """Make a calibration that CEINMS 0.9 can read, too.

    Parameters
    ----------
    subject : Subject
        The subject.
    tendon : str
        The tendon model.
    files : sequence of Path
        The ``inputData.xml`` of the trials.
    step : float
        Time from one frame of the trials to the next [s].

    Returns
    -------
    CalibrationPlan
        Activation alike in all MTUs, 10 to 100 ms late; lengths and strengths each for itself.
    """
    late, early = coefficient(_POLE[2], step), coefficient(_POLE[0], step)
    kinds = [
        *(ParameterSpec(kind=one, scope="global", low=late, high=early) for one in ("c1", "c2")),
        ParameterSpec(kind="shapeFactor", scope="global", low=-2.999, high=-0.001),
        *(
            ParameterSpec(
                kind=one, range_type="relativeToSubjectValue", low=_LENGTHS[0], high=_LENGTHS[1]
            )
            for one in ("optimalFibreLength", "tendonSlackLength")
        ),
        ParameterSpec(kind="strengthCoefficient", low=_STRENGTHS[0], high=_STRENGTHS[1]),
    ]
    one = CalibrationStep(dofs=subject.dof_names, objective=Objective(), parameters=tuple(kinds))
    return CalibrationPlan(
        algorithm=_ANNEALING, tendon=Tendon(kind=tendon), steps=(one,), trial_files=tuple(files)
    )


def write_folder(
    directory: Path,
    subject: Subject,
    generator: ExcitationGenerator,
    trials: Sequence[StudyTrial],
    tendon: TendonKind,
) -> tuple[Path, ...]:
    """Write all files of a CEINMS folder.

    Parameters
    ----------
    directory : Path
        Where.
    subject : Subject
        The uncalibrated subject.
    generator : ExcitationGenerator
        The map.
    trials : sequence of StudyTrial
        All trials.
    tendon : str
        The tendon model.

    Returns
    -------
    tuple of Path
        The calibration setup file, then the ``inputData.xml`` of each test trial.
    """
    inputs = {trial.name: _write_trial(directory, trial, subject, generator) for trial in trials}
    files = {
        "subject": directory / "subjectUncalibrated.xml",
        "generator": directory / "excitationGenerator.xml",
        "calibration": directory / "calibration.xml",
        "execution": directory / "execution.xml",
    }
    subject.write(files["subject"])
    generator.write(files["generator"])
    calibrated_on = [inputs[one.name] for one in trials if one.use == "calibration"]
    step = float(np.median(np.diff(trials[0].time)))
    make_plan(subject, tendon, calibrated_on, step).write(files["calibration"])
    Execution(tendon=Tendon(kind=tendon)).write(files["execution"])
    calibrated = directory / "subjectCalibrated.xml"
    setup = CalibrationSetup(
        subject_file=files["subject"],
        excitation_generator_file=files["generator"],
        calibration_file=files["calibration"],
        output_subject_file=calibrated,
    )
    setup.write(directory / "calibrate.xml")
    for trial in trials:
        RunSetup(
            subject_file=calibrated,
            excitation_generator_file=files["generator"],
            execution_file=files["execution"],
            input_data_file=inputs[trial.name],
            output_directory=directory / "output" / trial.name,
        ).write(directory / f"run_{trial.name}.xml")
    tests = (inputs[one.name] for one in trials if one.use == "test")
    return (directory / "calibrate.xml", *tests)


def _write_trial(
    directory: Path, trial: StudyTrial, subject: Subject, generator: ExcitationGenerator
) -> Path:
    folder = directory / "trials" / trial.name
    files = {
        "lengths": folder / "lengths.sto",
        "moments": folder / "moments.sto",
        "emg": folder / "emg.sto",
    }
    names = subject.mtu_names
    lengths = np.stack([trial.lengths[name] for name in names], axis=1)
    write_storage(files["lengths"], trial.time, names, lengths, name="MTU lengths", units="m")
    arms = {}
    for dof in subject.dofs:
        arms[dof.name] = folder / f"moment_arms_{dof.name}.sto"
        values = np.stack([trial.arms[dof.name][name] for name in dof.mtu_names], axis=1)
        title = f"Moment arms about {dof.name}"
        write_storage(arms[dof.name], trial.time, dof.mtu_names, values, name=title, units="m")
    write_storage(
        files["moments"],
        trial.time,
        [f"{dof}_moment" for dof in subject.dof_names],
        trial.moments,
        name="Joint moments",
        units="N m",
    )
    signals = generator.input_signals
    values = np.stack([trial.signals[name] for name in signals], axis=1)
    title = "Normalised EMG envelopes"
    write_storage(files["emg"], trial.signal_time, signals, values, name=title, units="-")
    path = folder / "inputData.xml"
    InputData(
        name=trial.name,
        muscle_tendon_length_file=files["lengths"],
        moment_arms_files=arms,
        excitations_file=files["emg"],
        external_torques_file=files["moments"],
    ).write(path)
    return path
