"""Does the muscle model reproduce a measured muscle: the paper's Appendix A with four tendons."""

from __future__ import annotations

import dataclasses
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.errors import DataError
from ceinms_torch.io.source import Source
from ceinms_torch.model.subject import Curve, Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.simulate import Simulation
from ceinms_torch.studies.muscle_data import MuscleRecording, read_recording
from ceinms_torch.studies.muscle_models import (
    MODELS,
    RATE,
    fit_muscle,
    muscle_subject,
    muscle_trial,
    rat_soleus,
    run_muscle,
)

# The rat soleus: MTU length at rest less slack tendon and fibre at its optimum [mm], and the
# measured maximum isometric force [N].
OFFSET, REFERENCE_FORCE = -2.0, 1.17
_REPEATS = 7  # of the timed simulation; the fastest counts
SLACK, STIFFER = 0.8, 20.0  # factors on the tendon's slack length, and on its stiffness
_LONGER = 4  # factor on the time step


@dataclass(frozen=True, kw_only=True)
class MuscleStudy:
    """What four tendons say about recordings of one muscle; all of it ready for JSON.

    Parameters
    ----------
    reference_force : float
        What errors are divided by [N].
    fitted_on : str
        Name of the recording with the largest displacement.
    trials : list of dict
        By recording, from the smallest displacement on: "name", "displacement" [m], "time" [s],
        "force" [N] as recorded, "grid" [s], "predicted" [N] by model on the grid, "error" [%] by
        model at the recorded times.
    models : dict of str to dict
        By model: "parameters" as fitted, by XML name, "at_bound", "fit_time" [s], "step_time"
        [us per step].
    limits : list of dict
        By case and model: "case", "model", "lowest" and "highest" force over the maximum isometric
        force [-], "is_finite", "unsolved" steps or None where the model gave up.
    sources : tuple of Source
        The files that were read.
    """

    reference_force: float
    fitted_on: str
    trials: list[dict[str, Any]]
    models: dict[str, dict[str, Any]]
    limits: list[dict[str, Any]]
    sources: tuple[Source, ...] = field(default=(), compare=False)


@one_blas_thread
def study_muscle(
    files: Sequence[Path],
    subject_file: str | os.PathLike[str] | None = None,
    *,
    offset: float = OFFSET,
    reference_force: float | None = None,
    progress: Callable[[int, str], None] | None = None,
) -> MuscleStudy:
    """Fit each tendon to the largest displacement and predict the other recordings.

    Parameters
    ----------
    files : sequence of Path
        At least two recordings, see `read_recording`.
    subject_file : path-like, optional
        A ``subject.xml`` with one MTU; the rat soleus by default.
    offset : float
        With ``displacement_mm``: MTU length at zero displacement, less slack tendon and fibre at
        its optimum [mm].
    reference_force : float, optional
        What errors are divided by [N]; 1.17 N for the rat soleus, else the maximum isometric force
        of the subject.
    progress : callable, optional
        Called with the number of models that are done and what is next.

    Returns
    -------
    MuscleStudy

    Raises
    ------
    FileFormatError
        If a file is faulty.
    DataError
        If there are too few recordings or two have the same name, or the subject has not one MTU.
    """
    subject, sources = _read_subject(subject_file)
    mtu = subject.mtus[0]
    rest = mtu.tendon_slack_length + mtu.optimal_fibre_length * math.cos(mtu.pennation_angle)
    recordings = [read_recording(file, rest + 1e-3 * offset) for file in files]
    _check_recordings(recordings)
    recordings.sort(key=lambda recording: recording.displacement_range)
    trials = [muscle_trial(recording, subject) for recording in recordings]
    if reference_force is None:
        reference_force = REFERENCE_FORCE if subject_file is None else mtu.max_isometric_force
    models: dict[str, dict[str, Any]] = {}
    limits: list[dict[str, Any]] = []
    predicted: dict[str, list[FloatArray]] = {}
    for i, (model, label) in enumerate(MODELS.items()):
        if progress is not None:
            progress(i, label)
        fit = fit_muscle(subject, trials[-1], model)
        fitted = fit.subject.mtus[0]
        predicted[model] = [
            run_muscle(fit.subject, trial, model)[0].mtu_force.array[:, 0] for trial in trials
        ]
        models[model] = {
            "parameters": {
                "maxIsometricForce": fitted.max_isometric_force,
                "tendonSlackLength": fitted.tendon_slack_length,
                "optimalFibreLength": fitted.optimal_fibre_length,
            },
            "at_bound": list(fit.at_bound),
            "fit_time": fit.cpu_time,
            "step_time": _step_time(fit.subject, trials[-1], model),
        }
        limits += _limits(fit.subject, trials[-1], model)
    return MuscleStudy(
        reference_force=reference_force,
        fitted_on=recordings[-1].name,
        trials=[
            _of_trial(recording, trial, {m: f[i] for m, f in predicted.items()}, reference_force)
            for i, (recording, trial) in enumerate(zip(recordings, trials, strict=True))
        ],
        models=models,
        limits=limits,
        sources=(*(recording.source for recording in recordings), *sources),
    )


def _read_subject(path: str | os.PathLike[str] | None) -> tuple[Subject, list[Source]]:
    if path is None:
        return muscle_subject(rat_soleus()), []
    source = Subject.read(path)
    if len(source.mtus) != 1:
        hint = "keep the muscle that was recorded"
        raise DataError(where=Path(path), expected="one MTU", got=f"{len(source.mtus)}", hint=hint)
    subject = muscle_subject(source.mtus[0], source)
    return subject, [source.document.source] if source.document else []


def _check_recordings(recordings: Sequence[MuscleRecording]) -> None:
    names = [recording.name for recording in recordings]
    if len(names) < 2:
        hint = "one is fitted, the others are predicted"
        raise DataError(where="recordings", expected="at least two", got=f"{len(names)}", hint=hint)
    if len(set(names)) < len(names):
        raise DataError(
            where="recordings", expected="files of different names", got=", ".join(names)
        )


def _of_trial(
    recording: MuscleRecording, trial: Trial, predicted: dict[str, FloatArray], reference: float
) -> dict[str, Any]:
    def error(force: FloatArray) -> float:
        there = np.interp(recording.time, trial.time, force)
        return 100.0 * float(np.mean(np.abs(there - recording.force))) / reference

    return {
        "name": recording.name,
        "displacement": recording.displacement_range,
        "time": recording.time.tolist(),
        "force": recording.force.tolist(),
        "grid": trial.time.tolist(),
        "predicted": {model: force.tolist() for model, force in predicted.items()},
        "error": {model: error(force) for model, force in predicted.items()},
    }


def _step_time(subject: Subject, trial: Trial, model: str) -> float:
    """Return the CPU time of a step [us], that of preparing and labelling a run included."""
    times = []
    for _ in range(_REPEATS):
        started = time.process_time()
        run_muscle(subject, trial, model)
        times.append(time.process_time() - started)
    return 1e6 * min(times) / len(trial.time)


def _limits(subject: Subject, trial: Trial, model: str) -> list[dict[str, Any]]:
    """Return what a fitted muscle does where a tendon model may break."""
    slack_length = subject.mtus[0].tendon_slack_length
    rest = float(np.mean(trial.mtu_length))
    short = trial.mtu_length - rest + SLACK * slack_length
    tendon = subject.curves["tendonForceStrain"]
    stiff = Curve(name=tendon.name, x=tuple(x / STIFFER for x in tendon.x), y=tendon.y)
    cases = {
        "zero activation": (
            subject,
            dataclasses.replace(trial, excitation=np.zeros_like(trial.excitation)),
        ),
        f"slack: MTU around {SLACK:g} tendon slack lengths": (
            subject,
            dataclasses.replace(trial, mtu_length=np.maximum(short, 1e-3 * slack_length)),
        ),
        f"tendon {STIFFER:g} times as stiff": (
            dataclasses.replace(subject, curves={**subject.curves, "tendonForceStrain": stiff}),
            trial,
        ),
        f"steps of {1e3 * _LONGER / RATE:g} ms": (subject, _with_longer_steps(trial)),
    }
    return [
        {"case": case, "model": model, **_limit(*changed, model)} for case, changed in cases.items()
    ]


def _with_longer_steps(trial: Trial) -> Trial:
    rows = slice(None, None, _LONGER)
    return dataclasses.replace(
        trial,
        time=trial.time[rows],
        mtu_length=np.ascontiguousarray(trial.mtu_length[rows]),
        moment_arm=np.ascontiguousarray(trial.moment_arm[rows]),
        excitation_time=trial.excitation_time[rows],
        excitation=np.ascontiguousarray(trial.excitation[rows]),
        measured_moment=None,
    )


def _limit(subject: Subject, trial: Trial, model: str) -> dict[str, Any]:
    run: Simulation | None
    try:
        run, unsolved = run_muscle(subject, trial, model)
    except DataError:
        return {"lowest": None, "highest": None, "is_finite": False, "unsolved": None}
    force = run.mtu_force.array[:, 0] / subject.mtus[0].max_isometric_force
    finite = bool(np.isfinite(force).all())
    return {
        "lowest": float(force.min()) if finite else None,
        "highest": float(force.max()) if finite else None,
        "is_finite": finite,
        "unsolved": unsolved,
    }
