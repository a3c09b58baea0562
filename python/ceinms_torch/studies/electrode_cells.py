"""One calibration of the study of electrodes, in a process of its own and on file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from ceinms_torch.calibration.result import CalibrationResult
from ceinms_torch.inputs.calibrate import calibrate
from ceinms_torch.inputs.folder import CalibrationFolder
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.trial import Trial
from ceinms_torch.plan.synergy_hybrid import SynergyHybrid
from ceinms_torch.simulation.fit import Fit, MomentFit, moment_fit
from ceinms_torch.simulation.simulate import simulate
from ceinms_torch.simulation.time_series import TimeSeries
from ceinms_torch.studies.cells import StudyCell
from ceinms_torch.synergies.electrodes import (
    normalised_parameters,
    put_back,
    recorded_plan,
    recorded_subject,
    recorded_trial,
    trial_with_electrodes,
    with_electrodes,
)
from ceinms_torch.synergies.result import HybridResult
from ceinms_torch.synergies.synthesise import synthesise_excitations

EMG_DRIVEN = "EMG-driven"
HYBRID = "synergy-hybrid"
# How calibrations are searched: from random starts by Levenberg-Marquardt, the hybrid from where
# EMG-driven ends; or as the paper did, by AdamW, both from the uncalibrated subject.
Protocol = Literal["multi-start", "paper"]
# Parameters that are compared with those of the model with all electrodes, as in the paper.
COMPARED = ("optimalFibreLength", "tendonSlackLength", "strengthCoefficient")


@dataclass(frozen=True, kw_only=True)
class Cell(StudyCell):
    """A calibration of the study.

    Parameters
    ----------
    setup, tests
        As for `StudyCell`.
    kept : tuple of str
        The electrodes that are left, sorted.
    method : {"EMG-driven", "synergy-hybrid"}
        How it is calibrated.
    protocol : {"multi-start", "paper"}
        How both are searched.
    seed, starts : int
        Seed of the starts, and how many there are; the best is kept. The paper's protocol has one
        start, and the seed is that of the synergies.
    n_synergy : int or "auto"
        Most synergies; fewer where fewer electrodes are left.
    """

    kept: tuple[str, ...]
    method: str
    protocol: Protocol
    seed: int
    starts: int
    n_synergy: int | Literal["auto"]

    version: ClassVar[int] = 3

    @property
    def name(self) -> str:
        """What its file is called, for people."""
        return f"{len(self.kept):02d}_{self.method}_seed{self.seed}"

    @property
    def label(self) -> str:
        """What it is, for a progress bar."""
        return f"{len(self.kept)} electrodes, {self.method}, seed {self.seed}"

    def compute(self, checkpoint: Path | None = None) -> dict[str, Any]:
        """Calibrate and judge.

        Parameters
        ----------
        checkpoint : Path, optional
            As for `StudyCell`.

        Returns
        -------
        dict
            kept, method, seed; seconds, objective; n_synergy; fit of the calibration trials; test,
            the fit of test trials by way of driving them; withheld, the errors of synthesised
            excitations by trials and MTU; parameters, relative to their ranges, by kind and MTU.
        """
        compute = _emg_driven if self.method == EMG_DRIVEN else _hybrid
        found = compute(self, *self.inputs(), checkpoint)
        return found | {"kept": self.kept, "method": self.method, "seed": self.seed}


def _calibrate_recorded(
    cell: Cell,
    folder: CalibrationFolder,
    generator: ExcitationGenerator,
    checkpoint: Path | None,
) -> CalibrationResult:
    """Calibrate without the MTUs that were not recorded."""
    part = recorded_subject(folder.subject, generator)
    is_paper = cell.protocol == "paper"
    search: dict[str, Any] = (
        {"method": "adamw"} if is_paper else {"method": "lm", "start": "random"}
    )
    result = calibrate(
        part,
        [recorded_trial(trial, part) for trial in folder.trials],
        recorded_plan(folder.plan, part),
        **search,
        starts=cell.starts,
        seed=cell.seed,
        checkpoint=checkpoint,
        resume=True,
    )
    return _whole(result)


def _whole(result: CalibrationResult) -> CalibrationResult:
    if result.status == "interrupted":
        raise KeyboardInterrupt
    return result


def _emg_driven(
    cell: Cell, folder: CalibrationFolder, tests: dict[str, Trial], checkpoint: Path | None
) -> dict[str, Any]:
    generator = with_electrodes(folder.generator, cell.kept)
    result = _calibrate_recorded(cell, folder, generator, checkpoint)
    fit: Fit = {}
    for name, trial in tests.items():
        seen = recorded_trial(trial, result.subject)
        fit[name] = moment_fit(seen, simulate(result.subject, seen, tendon=folder.plan.tendon))
    whole = put_back(folder.subject, result.subject)
    return {
        "seconds": result.seconds,
        "objective": result.objective,
        "n_synergy": None,
        "fit": result.fit,
        "test": {"recorded": fit},
        "withheld": {},
        "parameters": normalised_parameters(whole, folder.subject, folder.plan, COMPARED),
    }


def _hybrid(
    cell: Cell, folder: CalibrationFolder, tests: dict[str, Trial], checkpoint: Path | None
) -> dict[str, Any]:
    """Calibrate with synergies that drive the MTUs that were not recorded.

    Parameters begin where the EMG-driven calibration of the same electrodes ends, so that synergies
    go on from what is known without them; but for the paper's protocol.
    """
    generator = with_electrodes(folder.generator, cell.kept)
    search: dict[str, Any]
    if cell.protocol == "paper":
        search, seconds = {"method": "adamw"}, 0.0
    else:
        begin = _calibrate_recorded(cell, folder, generator, checkpoint)
        search, seconds = {"begin_at": put_back(folder.subject, begin.subject)}, begin.seconds
    most = cell.n_synergy
    synergy_hybrid = SynergyHybrid(n_synergy=most if most == "auto" else min(most, len(cell.kept)))
    result = calibrate(
        folder.subject,
        [trial_with_electrodes(trial, generator) for trial in folder.trials],
        dataclasses.replace(folder.plan, synergy_hybrid=synergy_hybrid),
        **search,
        generator=generator,
        starts=cell.starts,
        seed=cell.seed,
        checkpoint=checkpoint and checkpoint.with_name(f"{checkpoint.name}2"),
        resume=True,
    )
    _whole(result)
    assert isinstance(result, HybridResult)  # noqa: S101  for mypy
    step = folder.plan.steps[-1]
    ways: dict[str, Fit] = {"synthesised": {}, "refined": {}}
    driven = {"calibration": {name: one.excitations for name, one in result.synergies.items()}}
    for way, fits in ways.items():
        driven[way] = {}
        for name, trial in tests.items():
            recorded = trial_with_electrodes(trial, generator)
            synergies = synthesise_excitations(
                result.subject,
                recorded,
                generator,
                result.weightings,
                refine=way == "refined",
                synergy_hybrid=synergy_hybrid,
                objective=step.objective,
                dofs=step.dofs,
                tendon=folder.plan.tendon,
            )
            driven[way][name] = synergies.excitations
            simulation = simulate(
                result.subject, synergies.drive(recorded), tendon=folder.plan.tendon
            )
            fits[name] = moment_fit(trial, simulation)
    known = {trial.name: trial for trial in folder.trials} | tests
    withheld = _withheld(folder.generator, generator, result.synthesised)
    return {
        "seconds": seconds + result.seconds,
        "objective": result.objective,
        "n_synergy": result.n_synergy,
        "fit": result.fit,
        "test": ways,
        "withheld": {
            way: {mtu: _error(mtu, known, trials) for mtu in withheld}
            for way, trials in driven.items()
        },
        "parameters": normalised_parameters(result.subject, folder.subject, folder.plan, COMPARED),
    }


def _withheld(
    whole: ExcitationGenerator, left: ExcitationGenerator, synthesised: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the MTUs that were recorded but whose recordings the calibration did not see."""
    before, after = whole.recorded(synthesised), left.recorded(synthesised)
    return tuple(
        name
        for name, was, still in zip(synthesised, before, after, strict=True)
        if was and not still
    )


def _error(
    mtu: str, known: Mapping[str, Trial], driven: Mapping[str, TimeSeries]
) -> dict[str, float]:
    """Return how far synthesised excitations of an MTU are from its recordings."""
    recorded, synthesised = [], []
    for name, excitations in driven.items():
        trial = known[name]
        # Rows before the first and after the last instant drive nothing.
        inside = (excitations.time >= trial.time[0]) & (excitations.time <= trial.time[-1])
        recorded.append(trial.excitation[inside, trial.mtu_names.index(mtu)])
        synthesised.append(excitations[mtu][inside])
    if not recorded:
        return {}
    fit = MomentFit.of(np.concatenate(recorded), np.concatenate(synthesised))
    a, b = np.concatenate(recorded), np.concatenate(synthesised)
    varies = np.ptp(a) > 0.0 and np.ptp(b) > 0.0
    correlation = float(np.corrcoef(a, b)[0, 1]) if varies else float("nan")
    return {"rmse": fit.rmse, "correlation": correlation}
