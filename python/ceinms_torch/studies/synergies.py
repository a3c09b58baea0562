"""The study behind ``ceinms-torch synergies``: what the electrodes recorded, in few commands."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ceinms_torch.errors import OptionError
from ceinms_torch.inputs.folder import CalibrationFolder
from ceinms_torch.io.source import Source
from ceinms_torch.io.storage import read_storage
from ceinms_torch.io.xml_document import read_root
from ceinms_torch.model.input_data import InputData
from ceinms_torch.model.subject import Subject
from ceinms_torch.synergies.extraction import (
    REPLICATES,
    Synergies,
    extract_from_trials,
    total_vaf,
)
from ceinms_torch.synergies.gaussians import fit_gaussians
from ceinms_torch.synergies.held_out import HeldOut, held_out_moment_error
from ceinms_torch.synergies.number import NumberChoice, Score, choose_n_synergies
from ceinms_torch.synergies.recording import Recording, recorded_channels
from ceinms_torch.synergies.reliability import Reliability, match_synergies, reliability
from ceinms_torch.synergies.vaf import ENOUGH_VAF, vaf


@dataclass(frozen=True, kw_only=True, eq=False)
class SynergyInputs:
    """The trials that synergies are extracted from.

    Parameters
    ----------
    recordings : tuple of Recording
        Each over the period of its MTU lengths, which is the movement.
    whole : tuple of Recording
        The same with all rows of their files.
    folder : CalibrationFolder or None
        Subject, trials and generator, where a calibration setup file was given.
    sources : tuple of Source
        All files that were read.
    """

    recordings: tuple[Recording, ...]
    whole: tuple[Recording, ...]
    folder: CalibrationFolder | None
    sources: tuple[Source, ...]


@dataclass(frozen=True, kw_only=True)
class GaussianFit:
    """What is lost when primitives are sums of Gaussians.

    Parameters
    ----------
    n_bump : int
        Bumps per primitive.
    n_variable, n_value : int
        Variables that describe the primitives of all trials, and the samples they replace.
    vaf, vaf_lost : float
        Variance accounted for with them [-], and how much more the primitives themselves explain.
    """

    n_bump: int
    n_variable: int
    n_value: int
    vaf: float
    vaf_lost: float


@dataclass(frozen=True, kw_only=True, eq=False)
class SynergyStudy:
    """The outcome of `study_synergies`.

    Parameters
    ----------
    recordings : tuple of Recording
        What was factorised.
    choice : NumberChoice
        Numbers of synergies side by side.
    recorded_moment_error : float or None
        RMSE of the moments with the excitations as recorded, mean over trials and DOFs [N m].
    synergies : dict of str to Synergies
        The number chosen, by trial.
    reliability : Reliability or None
        Of synergies extracted trial by trial; None with a single trial.
    gaussians : GaussianFit or None
        Where they were asked for.
    """

    recordings: tuple[Recording, ...]
    choice: NumberChoice
    recorded_moment_error: float | None
    synergies: dict[str, Synergies]
    reliability: Reliability | None
    gaussians: GaussianFit | None


def read_inputs(paths: Sequence[str | os.PathLike[str]]) -> SynergyInputs:
    """Read the recordings that a calibration setup file, or ``inputData.xml`` files, name.

    Parameters
    ----------
    paths : sequence of path-like
        One calibration setup file: its trials, and those signals that drive an MTU of its subject,
        each once. Or one or more ``inputData.xml``: all signals of their files.

    Returns
    -------
    SynergyInputs

    Raises
    ------
    FileFormatError, DataError
        If anything is missing, faulty, or does not fit together.
    OptionError
        If a setup file is not the only one.
    """
    if read_root(paths[0]).tag != "ceinmsCalibration":
        data = [InputData.read(path) for path in paths]
        whole = tuple(Recording.read(one) for one in data)
        lengths = [read_storage(one.muscle_tendon_length_file) for one in data]
        periods = [storage.time for storage in lengths]
        sources = [one.document.source for one in data if one.document is not None]
        sources += [one.source for one in whole] + [one.source for one in lengths]
        folder = None
    else:
        if len(paths) > 1:
            got = f"{len(paths)} files"
            raise OptionError(
                where="inputs", expected="one setup file, or inputData.xml files", got=got
            )
        folder = CalibrationFolder.read(paths[0])
        channels = recorded_channels(folder.generator, folder.subject.mtu_names)
        whole = tuple(Recording.read(file, channels) for file in folder.plan.trial_files)
        periods = [trial.time for trial in folder.trials]
        sources = folder.sources()
    cut = (one.during(time[0], time[-1]) for one, time in zip(whole, periods, strict=True))
    return SynergyInputs(recordings=tuple(cut), whole=whole, folder=folder, sources=tuple(sources))


def study_synergies(
    inputs: SynergyInputs,
    *,
    number: int | None = None,
    threshold: float = ENOUGH_VAF,
    rule: str | None = None,
    subject: Subject | None = None,
    shared: bool = True,
    n_bump: int | None = None,
    cyclic: bool = False,
    replicates: int = REPLICATES,
    seed: int = 0,
    callback: Callable[[int], None] | None = None,
) -> SynergyStudy:
    """Extract synergies, choose their number, and judge how much they repeat themselves.

    Parameters
    ----------
    inputs : SynergyInputs
        The trials.
    number : int, optional
        The number of synergies; chosen by default.
    threshold, rule
        As in `choose_n_synergies`.
    subject : Subject, optional
        A calibrated subject. With a folder, numbers are then compared by the moments it predicts.
    shared : bool
        Whether trials share the weightings.
    n_bump : int, optional
        Also fit so many Gaussians to each primitive.
    cyclic : bool
        Whether the movement repeats after each trial, for the Gaussians.
    replicates, seed
        As in `extract_synergies`.
    callback : callable, optional
        Called with every number of synergies once it is done.

    Returns
    -------
    SynergyStudy
    """
    recordings = inputs.recordings
    several = len(recordings) > 1
    held_out = HeldOut(recordings, seed=seed) if several else None
    score = None if held_out is None else _moment_score(inputs, subject, held_out)
    choice = choose_n_synergies(
        recordings,
        numbers=None if number is None else [number],
        shared=shared,
        threshold=threshold,
        score=score,
        rule=rule,
        held_out=held_out,
        replicates=replicates,
        seed=seed,
        callback=callback,
    )
    chosen = choice.synergies[choice.n_synergy]
    reference = chosen[recordings[0].name]
    if not shared:
        chosen = {name: match_synergies(one, reference) for name, one in chosen.items()}
    repeated = None
    if several:
        own = chosen
        if shared:
            own = extract_from_trials(
                recordings, choice.n_synergy, shared=False, replicates=replicates, seed=seed
            )
        repeated = reliability(list(own.values()), reference)
    return SynergyStudy(
        recordings=recordings,
        choice=choice,
        recorded_moment_error=None if score is None else float(np.mean(score(0))),
        synergies=chosen,
        reliability=repeated,
        gaussians=None if n_bump is None else _with_gaussians(recordings, chosen, n_bump, cyclic),
    )


def _moment_score(
    inputs: SynergyInputs, subject: Subject | None, held_out: HeldOut
) -> Score | None:
    if subject is None:
        return None
    if inputs.folder is None:
        hint = "Moments need a subject's generator and moment arms"
        raise OptionError(
            where="subject", expected="a calibration setup file as input", got="trials", hint=hint
        )
    folder = inputs.folder
    return held_out_moment_error(
        subject, folder.trials, inputs.whole, folder.generator, held_out, tendon=folder.plan.tendon
    )


def _with_gaussians(
    recordings: Sequence[Recording], synergies: dict[str, Synergies], n_bump: int, cyclic: bool
) -> GaussianFit:
    recorded = np.concatenate([one.excitation for one in recordings])
    rebuilt, n_variable, n_value = [], 0, 0
    for one in recordings:
        found = synergies[one.name]
        fitted = fit_gaussians(found.primitives, one.phase, n_bump, period=1.0 if cyclic else None)
        rebuilt.append(fitted.values(one.phase).T @ found.weightings.T)
        n_variable += fitted.n_variable
        n_value += found.primitives.size
    explained = vaf(recorded, np.concatenate(rebuilt))
    return GaussianFit(
        n_bump=n_bump,
        n_variable=n_variable,
        n_value=n_value,
        vaf=explained,
        vaf_lost=total_vaf(recordings, synergies)[0] - explained,
    )
