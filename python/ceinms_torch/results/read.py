"""Read the folders that ``ceinms-torch calibrate`` writes (see `results`)."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ceinms_torch.errors import FileFormatError, OptionError, Place
from ceinms_torch.io.storage import read_storage
from ceinms_torch.results.saved import (
    FloatArray,
    SavedHistory,
    SavedParameter,
    SavedResult,
    SavedTrial,
)
from ceinms_torch.results.write import RECORDING_FILES, RESULT_FORMAT, STORAGE_FILES
from ceinms_torch.simulation.fit import MomentFit
from ceinms_torch.simulation.time_series import TimeSeries

# What is read of every trial's folder, and by whose names its columns go.
_SERIES = {
    "measured_moment": (RECORDING_FILES["measured_moment"], "dofs"),
    "joint_moment": (STORAGE_FILES["joint_moment"], "dofs"),
    "excitation": (RECORDING_FILES["excitation"], "mtus"),
    "activation": (STORAGE_FILES["activation"], "mtus"),
    "norm_fibre_length": (STORAGE_FILES["norm_fibre_length"], "mtus"),
    "tendon_strain": (STORAGE_FILES["tendon_strain"], "mtus"),
}
_AGAIN = "Run ceinms-torch calibrate again with this version"


def read_results(directories: Sequence[str | os.PathLike[str]]) -> tuple[SavedResult, ...]:
    """Read several result folders, each under a label of its own.

    Parameters
    ----------
    directories : sequence of path-like
        Folders that ``ceinms-torch calibrate`` has written.

    Returns
    -------
    tuple of SavedResult
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
        read_result(path, label=label) for path, label in zip(paths, _labels(resolved), strict=True)
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


def read_result(directory: str | os.PathLike[str], *, label: str | None = None) -> SavedResult:
    """Read what ``ceinms-torch calibrate`` has written.

    Parameters
    ----------
    directory : path-like
        The folder with ``result.json``.
    label : str, optional
        What to call it; the folder's name by default.

    Returns
    -------
    SavedResult

    Raises
    ------
    FileFormatError
        If it is no such folder, or one of another version, or a file in it is missing or faulty.
    """
    directory = Path(directory)
    path = directory / "result.json"
    summary = _summary(directory, path)
    try:
        trials = tuple(
            _trial(directory / group, name, summary, fits=fits)
            for group, fits in (("trials", summary["fit"]), ("test", summary["test_fit"]))
            for name in fits
        )
        parameters = _parameters(summary)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(
            where=path, expected="what ceinms-torch calibrate writes", got=repr(error), hint=_AGAIN
        ) from error
    return SavedResult(
        label=directory.resolve().name if label is None else label,
        directory=directory,
        summary=summary,
        trials=trials,
        parameters=parameters,
        history=_history(directory / "loss_history.csv"),
    )


def _summary(directory: Path, path: Path) -> dict[str, Any]:
    """Return what result.json says, if it is one that this version reads."""
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FileFormatError(
            where=directory,
            expected="a folder that ceinms-torch calibrate has written, with a result.json",
            got=f"none that can be read ({reason})",
            hint="Name the folder that its last line of output names",
        ) from error
    except json.JSONDecodeError as error:
        raise FileFormatError(
            where=Place(path, error.lineno), expected="JSON", got=error.msg, hint=_AGAIN
        ) from error
    _check_format(path, summary)
    return dict(summary)


def _check_format(path: Path, summary: object) -> None:
    """Refuse what another command or another version has written."""
    if not isinstance(summary, dict) or "study" in summary:
        got = f"that of a study, '{summary['study']}'" if isinstance(summary, dict) else "no object"
        raise FileFormatError(where=path, expected="a result of ceinms-torch calibrate", got=got)
    if summary.get("format") == RESULT_FORMAT:
        return
    missing = " and ".join(RECORDING_FILES.values())
    got = f"none: an older version wrote it, without {missing} of each trial"
    raise FileFormatError(
        where=Place(path, element="format"),
        expected=str(RESULT_FORMAT),
        got=str(summary.get("format", got)),
        hint=_AGAIN,
    )


def _trial(
    group: Path, name: str, summary: Mapping[str, Any], *, fits: Mapping[str, Any]
) -> SavedTrial:
    series = {}
    for key, (file, columns) in _SERIES.items():
        storage = read_storage(group / name / file)
        names = tuple(summary[columns])
        series[key] = TimeSeries(
            name=storage.name,
            units=storage.units,
            time=storage.time,
            columns=names,
            values=storage.select(names),
        )
    return SavedTrial(
        name=name,
        is_own=group.name == "trials",
        fit={
            dof: MomentFit(**{key: _number(value) for key, value in one.items()})
            for dof, one in fits[name].items()
        },
        synthesised=frozenset((summary.get("hybrid") or {}).get("synthesised", ())),
        **series,
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _parameters(summary: Mapping[str, Any]) -> tuple[SavedParameter, ...]:
    steps = summary["steps"]
    found = summary["identifiability"] or {"parameters": []}
    certainty = {(one["name"], tuple(one["mtus"])): one for one in found["parameters"]}
    parameters = []
    for i, step in enumerate(steps):
        for one in step["parameters"]:
            mtus = tuple(one["mtus"])
            # Identifiability speaks of the last step only.
            known = certainty.get((one["name"], mtus), {}) if i == len(steps) - 1 else {}
            interval = known.get("interval")
            parameters.append(
                SavedParameter(
                    step=i,
                    name=one["name"],
                    mtus=mtus,
                    start=float(one["start"]),
                    value=float(one["value"]),
                    lower=float(one["lower"]),
                    upper=float(one["upper"]),
                    at_bound=one["at_bound"] or "",
                    interval=None if interval is None else (interval[0], interval[1]),
                    reason=known.get("reason", ""),
                )
            )
    return tuple(parameters)


def _history(path: Path) -> SavedHistory:
    """Return the table of iterates, its iterations and seconds counted through all steps."""
    columns = _table(path)
    names = list(columns)
    objective = next((name for name in names if name.startswith("objective [")), None)
    needed = {"step", "iteration", "evaluations", "seconds [s]"}
    if objective is None or not needed <= set(names):
        raise FileFormatError(
            where=Place(path, 1),
            expected="columns step, iteration, evaluations, seconds [s], objective [...]",
            got=", ".join(names),
            hint=_AGAIN,
        )
    unit = objective.removeprefix("objective [").removesuffix("]")
    rest = [name for name in names if name not in needed | {objective}]
    rmse = {name: re.fullmatch(r"RMSE (.+) \[N m\]", name) for name in rest}
    step = columns["step"].astype(np.int64)
    return SavedHistory(
        step=step,
        iteration=_through_steps(columns["iteration"], step),
        seconds=_through_steps(columns["seconds [s]"], step),
        objective=columns[objective],
        terms={
            name.removesuffix(f" [{unit}]"): columns[name] for name in rest if rmse[name] is None
        },
        rmse={match[1]: columns[name] for name, match in rmse.items() if match is not None},
        unit=unit,
    )


def _table(path: Path) -> dict[str, FloatArray]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        table = np.array([[float(cell or "nan") for cell in row] for row in rows])
        return dict(zip(header, table.T, strict=True))
    except (OSError, ValueError) as error:
        raise FileFormatError(
            where=path,
            expected="the table that ceinms-torch calibrate writes",
            got=f"none that can be read ({error})",
            hint=_AGAIN,
        ) from error


def _through_steps(values: FloatArray, step: FloatArray | np.ndarray[Any, Any]) -> FloatArray:
    """Let the counts of each step go on from the end of the one before."""
    result = values.copy()
    for number in np.unique(step)[1:]:
        (rows,) = np.nonzero(step == number)
        result[rows] += result[rows[0] - 1]
    return result
