"""Read the folders that `save_result` and ``ceinms-torch calibrate`` write."""

from __future__ import annotations

import csv
import dataclasses
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ceinms_torch.blas import one_blas_thread
from ceinms_torch.calibration.identifiability import Identifiability
from ceinms_torch.calibration.loss import LossResult
from ceinms_torch.calibration.methods import Options
from ceinms_torch.calibration.multi_start import StartResult
from ceinms_torch.calibration.parameter_space import Component, ParameterSpace
from ceinms_torch.calibration.result import CalibrationResult, Iteration, Provenance, StepResult
from ceinms_torch.calibration.uncertainty import Uncertainty
from ceinms_torch.calibration.verification import Verification
from ceinms_torch.errors import CeinmsTorchWarning, FileFormatError, OptionError, Place
from ceinms_torch.inputs.outputs import HISTORY_FILE, RECORDED_FILE, trial_folder
from ceinms_torch.io.paths import kind_of
from ceinms_torch.io.plain import read_json, revived
from ceinms_torch.io.results import RESULT_FILE, check_files
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.nms_model import SimulatedAnnealing, Tendon
from ceinms_torch.model.parameters import PARAMETERS
from ceinms_torch.model.subject import Subject
from ceinms_torch.plan.calibration import CalibrationPlan, CalibrationStep, ParameterSpec
from ceinms_torch.plan.objective import Objective
from ceinms_torch.plan.options import OPTIMISERS
from ceinms_torch.plan.override import Override
from ceinms_torch.plan.synergy_hybrid import SynergyHybrid
from ceinms_torch.results.trials import read_trial, read_trial_bands, read_trial_synergies
from ceinms_torch.results.write import RESULT_FORMAT
from ceinms_torch.simulation.fit import Fit
from ceinms_torch.simulation.trial_result import Role, TrialResult
from ceinms_torch.synergies.result import HybridResult
from ceinms_torch.synergies.ties import Tie
from ceinms_torch.synergies.trial_synergies import TrialSynergies

_OPTIONS: dict[str, type[Options]] = {
    **{kind.method: kind for kind in OPTIMISERS.values()},
    SimulatedAnnealing.method: SimulatedAnnealing,
}
_STEP_KEYS = ("objective", "terms", "iterations", "evaluations", "seconds", "status")
_AGAIN = "Run ceinms-torch calibrate again with this version"


def load_results(directories: Sequence[str | os.PathLike[str]]) -> tuple[CalibrationResult, ...]:
    """Read several result folders, each under a label of its own.

    Parameters
    ----------
    directories : sequence of path-like
        Folders that `save_result` or ``ceinms-torch calibrate`` has written.

    Returns
    -------
    tuple of CalibrationResult
        In the same order. Labels are the folders' names, with as much of the path as it takes to
        tell them apart.

    Raises
    ------
    FileFormatError
        If a folder is none of these, or one of another version, or a file in it is missing or
        faulty.
    OptionError
        If a folder is named twice, or none is named.
    """
    paths = [Path(directory) for directory in directories]
    resolved = [path.resolve() for path in paths]
    if not paths or len(set(resolved)) < len(paths):
        got = "none" if not paths else f"'{_first_repeated(paths)}' twice"
        raise OptionError(where="results", expected="one or more folders, each once", got=got)
    return tuple(
        load_result(path, label=label) for path, label in zip(paths, _labels(resolved), strict=True)
    )


def _first_repeated(paths: Sequence[Path]) -> Path:
    resolved = [path.resolve() for path in paths]
    return next(path for i, path in enumerate(paths) if resolved[i] in resolved[:i])


def _labels(paths: Sequence[Path]) -> list[str]:
    for n_part in range(1, max(len(path.parts) for path in paths)):
        labels = ["/".join(path.parts[-n_part:]) for path in paths]
        if len(set(labels)) == len(labels):
            return labels
    return [str(path) for path in paths]


@one_blas_thread
def load_result(
    directory: str | os.PathLike[str], *, label: str | None = None
) -> CalibrationResult:
    """Read what `CalibrationResult.save` or ``ceinms-torch calibrate`` has written.

    Parameters
    ----------
    directory : path-like
        The folder with ``result.json``.
    label : str, optional
        What to call it; the folder's name by default.

    Returns
    -------
    CalibrationResult
        A `HybridResult` or a `LossResult`, if it was one; number for number what was saved.

    Raises
    ------
    FileFormatError
        If it is no such folder, or one of another version, or a file in it is missing, faulty, or
        another one than its result.json speaks of.
    """
    directory = Path(directory)
    path = directory / RESULT_FILE
    summary = _summary(directory, path)
    label = directory.resolve().name if label is None else label
    with warnings.catch_warnings():
        # What is doubtful about the subject was told when it was calibrated.
        warnings.simplefilter("ignore", CeinmsTorchWarning)
        try:
            subject = Subject.read(directory / summary["subject"])
            return _result(directory, summary, subject, label)
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            if isinstance(error, FileFormatError):
                raise
            raise FileFormatError(
                where=path,
                expected="what ceinms-torch calibrate writes",
                got=repr(error),
                hint=_AGAIN,
            ) from error


def _summary(directory: Path, path: Path) -> dict[str, Any]:
    """Return what result.json says, if it is one that this version reads."""
    if kind_of(path) != "file":
        expected = f"a folder that ceinms-torch calibrate has written, with a {RESULT_FILE}"
        hint = (
            "Name the folder that its last line of output names; a calibration that did not end "
            "leaves none"
        )
        raise FileFormatError(where=directory, expected=expected, got="none", hint=hint)
    summary = read_json(path, "a result of ceinms-torch calibrate", _AGAIN)
    if "study" in summary:
        got = f"that of a study, '{summary['study']}'"
        raise FileFormatError(where=path, expected="a result of ceinms-torch calibrate", got=got)
    if summary.get("format") != RESULT_FORMAT:
        raise FileFormatError(
            where=Place(path, element="format"),
            expected=str(RESULT_FORMAT),
            got=str(summary.get("format", "none")),
            hint=_AGAIN,
        )
    check_files(directory, summary.get("files"))
    return summary


def _result(
    directory: Path, summary: dict[str, Any], subject: Subject, label: str
) -> CalibrationResult:
    kind: type[CalibrationResult] = CalibrationResult
    also: dict[str, Any] = {}
    if "hybrid" in summary:
        kind, also = HybridResult, _hybrid(directory, summary, subject)
    elif "validation_losses" in summary:
        losses = revived(tuple[float, ...], summary["validation_losses"])
        kind, also = LossResult, {"validation_losses": losses}
    steps = _steps(summary, subject)

    def tried(role: Role, fits: Mapping[str, Any]) -> tuple[TrialResult, ...]:
        return tuple(
            read_trial(
                trial_folder(directory, role, name),
                subject.mtu_names,
                name=name,
                role=role,
                fit=fit,
                synthesised=also.get("synthesised", ()),
            )
            for name, fit in fits.items()
        )

    return kind(
        subject=subject,
        **{name: summary[name] for name in ("method", "engine", "device", "seed", "start")},
        tendon=summary["tendon"]["used"],
        plan=_plan(summary, tuple(step.step for step in steps)),
        polished=summary["polish"],
        steps=steps,
        history=tuple(_history(directory / HISTORY_FILE)),
        trials=tried("calibration", summary["fit"]),
        tests=tried("test", summary["test_fit"]),
        identifiability=_identifiability(summary["identifiability"], steps[-1].space),
        uncertainty=_uncertainty(directory, summary, subject),
        label=label,
        provenance=revived(Provenance, summary),
        verification=revived(Verification | None, summary.get("verification")),
        **also,
    )


def _identifiability(value: Any, space: ParameterSpace) -> Identifiability | None:
    """Return what the data say about the parameters of the last step, and of no others."""
    found: Identifiability | None = revived(Identifiability | None, value)
    if found is None:
        return None
    parameters = [(one.kind, one.mtu_names) for one in space.components]
    if [(one.name, one.mtus) for one in found.parameters] != parameters:
        raise ValueError("identifiability of other parameters than those of the last step")
    for one in found.parameters:
        if one.identifiable == (None in (one.standard_error, one.interval, one.share_of_range)):
            raise ValueError(f"identifiability: {one.name} of {', '.join(one.mtus)}")
    if any(
        (one.name, one.mtus) not in parameters for way in found.directions for one in way.loadings
    ):
        raise ValueError("identifiability: directions of other parameters")
    return found


def _uncertainty(directory: Path, summary: dict[str, Any], subject: Subject) -> Uncertainty | None:
    """Return the bands of all trials that have them, and what result.json says of them."""
    found = summary.get("uncertainty")
    if found is None:
        return None
    bands: Uncertainty = revived(Uncertainty, {**found, "trials": ()})
    trials = tuple(
        read_trial_bands(
            trial_folder(directory, one["role"], one["name"]),
            subject.mtu_names,
            subject.dof_names,
            level=bands.level,
            **one,
        )
        for one in found["trials"]
    )
    return dataclasses.replace(bands, trials=trials)


def _hybrid(directory: Path, summary: dict[str, Any], subject: Subject) -> dict[str, Any]:
    """Return what a `HybridResult` has beside other results."""

    def of(role: Role, names: Mapping[str, Any]) -> dict[str, TrialSynergies]:
        folders = {name: trial_folder(directory, role, name) for name in names}
        return {name: read_trial_synergies(one, subject.mtu_names) for name, one in folders.items()}

    driven = summary["hybrid"].get("emg_driven_parameters")
    return {
        "generator": ExcitationGenerator.read(directory / RECORDED_FILE),
        "n_synergy": summary["hybrid"]["n_synergy"],
        "synthesised": tuple(summary["hybrid"]["synthesised"]),
        "synergies": of("calibration", summary["fit"]),
        "test_synergies": of("test", summary["test_fit"]),
        "ties": revived(tuple[Tie, ...], summary["hybrid"].get("ties", [])),
        "begun_at": summary["hybrid"].get("begun_at", "subject"),
        "emg_driven": driven and subject.with_parameters(list(driven.values())),
        "emg_driven_fit": revived(Fit, summary["hybrid"].get("emg_driven_fit", {})),
        "emg_driven_test_fit": revived(Fit, summary["hybrid"].get("emg_driven_test_fit", {})),
    }


def _plan(summary: dict[str, Any], steps: tuple[CalibrationStep, ...]) -> CalibrationPlan:
    tendon, hybrid = summary["tendon"], summary.get("hybrid")
    return CalibrationPlan(
        algorithm=_OPTIONS[summary["method"]].from_dict(summary["options"]),
        tendon=Tendon(kind=tendon["requested"], tolerance=tendon["tolerance"]),
        activation=summary["activation"],
        steps=steps,
        overrides=revived(tuple[Override, ...], summary.get("overrides", ())),
        synergy_hybrid=None if hybrid is None else SynergyHybrid.from_dict(hybrid["options"]),
    )


def _steps(summary: dict[str, Any], subject: Subject) -> tuple[StepResult, ...]:
    """Return the steps, each from where the one before it ended."""
    result = []
    start = summary["start_parameters"]
    # A folder may be older than a kind of parameter, which then was at its default.
    matrix = [
        start.get(name, [kind.default] * len(subject.mtus)) for name, kind in PARAMETERS.items()
    ]
    before = dataclasses.replace(subject.with_parameters(matrix), path=None)
    for one in summary["steps"]:
        components = (
            {**item, "kind": item["name"], "mtu_names": item["mtus"]} for item in one["parameters"]
        )
        space = ParameterSpace(
            subject=before, components=tuple(revived(Component, item) for item in components)
        )
        step = StepResult(
            step=CalibrationStep(
                dofs=tuple(one["dofs"]),
                objective=Objective.from_dict(one["objective_options"]),
                parameters=revived(tuple[ParameterSpec, ...], one["parameter_options"]),
            ),
            space=space,
            x=np.array([item["share_of_range"] for item in one["parameters"]]),
            starts=revived(tuple[StartResult, ...], one["starts"]),
            **{name: one[name] for name in _STEP_KEYS},
        )
        result.append(step)
        before = space.subject_at(step.x)
    return tuple(result)


def _history(path: Path) -> Iterator[Iteration]:
    """Iterate over the table of iterates."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        table = [dict(zip(header, row, strict=True)) for row in rows]
        # Names without units: of columns that come first, of terms, of DOFs.
        names = {name: re.sub(r" \[[^\]]*\]$", "", name) for name in header}
        dofs = {name: names[name][5:] for name in header if name.startswith("RMSE ")}
        terms = {name: names[name] for name in header[5:] if name not in dofs}
        _, _, _, seconds, objective = header[:5]
        for row in table:
            yield Iteration(
                step=int(row["step"]) - 1,
                start=0,
                iteration=int(row["iteration"]),
                evaluations=int(row["evaluations"]),
                seconds=float(row[seconds]),
                objective=float(row[objective]),
                terms={term: float(row[name]) for name, term in terms.items() if row[name]},
                rmse={dof: float(row[name]) for name, dof in dofs.items() if row[name]},
            )
    except (OSError, ValueError, KeyError) as error:
        raise FileFormatError(
            where=path,
            expected="the table that ceinms-torch calibrate writes",
            got=f"none that can be read ({error})",
            hint=_AGAIN,
        ) from error
