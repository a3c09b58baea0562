"""The tables of the calibration study, as printed and as written to ``result.json``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ceinms_torch.simulation.fit import Fit, MomentFit
from ceinms_torch.studies.calibration import (
    CONDITION,
    COST,
    DRAWN,
    TRIAL,
    CalibrationStudy,
    Part,
)
from ceinms_torch.studies.compare_tables import (
    calibrated,
    fit_of_calibration,
    fit_of_tests,
    notes_of,
    objectives_table,
    parameters_table,
    r2,
    rmse,
    statistics_table,
)
from ceinms_torch.studies.comparison import Run
from ceinms_torch.studies.result_file import Cell, Table, mean_and_spread

VALIDATIONS = {TRIAL: "trials", CONDITION: "conditions"}


def mean_of(fit: Fit, figure: Callable[[MomentFit], float], dofs: Sequence[str]) -> float:
    """Return a figure averaged over trials and DOFs; NaN without trials.

    Parameters
    ----------
    fit : dict of str to dict of str to MomentFit
        By trial and DOF.
    figure : callable
        Which.
    dofs : sequence of str
        The DOFs that count.

    Returns
    -------
    float
    """
    values = [figure(trial[dof]) for trial in fit.values() for dof in dofs]
    return float(np.mean(values)) if values else float("nan")


def tables_of(study: CalibrationStudy) -> tuple[Table, ...]:
    """Return the tables: every method, cost, statistics, parameters, validation, trials.

    Parameters
    ----------
    study : CalibrationStudy
        The study.

    Returns
    -------
    tuple of Table
        Without those of what was not run.
    """
    comparison = study.comparison
    tables = [_summary(study), objectives_table(comparison)]
    if len(calibrated(comparison)) > 1:
        tables.append(statistics_table(comparison))
    tables += [_spread(study), _validation(study), _learning(study), _cost(study)]
    tables.append(parameters_table(comparison))
    return tuple(table for table in tables if table.rows)


def _summary(study: CalibrationStudy) -> Table:
    dofs = study.comparison.dofs
    rows: list[tuple[Cell, ...]] = []
    for name, runs in study.comparison.groups().items():
        for i, dof in enumerate(dofs):
            figures = [
                mean_and_spread([mean_of(fits(run), figure, (dof,)) for run in runs], digits=4)
                for figure in (rmse, r2)
                for fits in (fit_of_calibration, fit_of_tests)
            ]
            is_first = i == 0 and runs[0].objective is not None
            cost = mean_and_spread([run.seconds for run in runs]) if is_first else None
            spread = float(np.mean(parameter_spread(runs))) if is_first and len(runs) > 1 else None
            rows.append((name if i == 0 else "", dof, *figures, cost, spread))
    return Table(
        title="Every method, mean ± SD over seeds",
        columns=(
            "method",
            "DOF",
            "RMSE calibration [N m]",
            "RMSE test [N m]",
            "R² calibration [-]",
            "R² test [-]",
            "time [s]",
            "SD of parameters [ranges]",
        ),
        rows=tuple(rows),
    )


def parameter_spread(runs: Sequence[Run]) -> list[float]:
    """Return the standard deviation of every parameter between runs, over its range [-].

    Parameters
    ----------
    runs : sequence of Run
        At least two.

    Returns
    -------
    list of float
        One per parameter.
    """
    return [float(sd) for sd in np.std([run.parameters for run in runs], axis=0, ddof=1)]


def spread_by_kind(study: CalibrationStudy) -> dict[str, dict[str, list[float]]]:
    """Return `parameter_spread` by kind of parameter and method; empty with a single seed.

    Parameters
    ----------
    study : CalibrationStudy
        The study.

    Returns
    -------
    dict of str to dict of str to list of float
    """
    kinds = [kind for kind, _ in study.comparison.parameters]
    by_kind: dict[str, dict[str, list[float]]] = {}
    for name, runs in calibrated(study.comparison).items():
        if len(runs) > 1:
            for kind, spread in zip(kinds, parameter_spread(runs), strict=True):
                by_kind.setdefault(kind, {}).setdefault(name, []).append(spread)
    return by_kind


def _spread(study: CalibrationStudy) -> Table:
    by_kind = spread_by_kind(study)
    names = list(dict.fromkeys(name for one in by_kind.values() for name in one))
    return Table(
        title="SD of parameters between seeds over their range: mean over MTUs (largest)",
        columns=("parameter", *(f"{name} [-]" for name in names)),
        rows=tuple(
            (
                kind,
                *(
                    f"{np.mean(one[name]):.2f} ({max(one[name]):.2f})" if name in one else None
                    for name in names
                ),
            )
            for kind, one in by_kind.items()
        ),
    )


def _validation(study: CalibrationStudy) -> Table:
    dofs = study.comparison.dofs
    rows: list[tuple[Cell, ...]] = []
    for kind, words in VALIDATIONS.items():
        parts = study.of_kind(kind)
        figures = [_errors(part, dofs) for part in parts]
        for i, (part, values) in enumerate(zip(parts, figures, strict=True)):
            n_test = len(part.fold.test)
            rows.append((words if i == 0 else "", part.fold.name, n_test, *values))
        if parts:
            rows.append(("", "mean", None, *(float(one) for one in np.mean(figures, axis=0))))
    return Table(
        title="Validation: RMSE of what was held out, calibrated on the rest",
        columns=(
            "over",
            "held out",
            "trials",
            *(f"{dof} [N m]" for dof in dofs),
            "R² [-]",
            "uncalibrated [N m]",
        ),
        rows=tuple(rows),
    )


def _errors(part: Part, dofs: Sequence[str]) -> list[float]:
    fit = part.run.test_fit
    return [
        *(mean_of(fit, rmse, (dof,)) for dof in dofs),
        mean_of(fit, r2, dofs),
        mean_of(part.control.test_fit, rmse, dofs),
    ]


def learning_curve(study: CalibrationStudy) -> dict[int, list[Part]]:
    """Return the calibrations on drawn trials by the number of trials.

    Parameters
    ----------
    study : CalibrationStudy
        The study.

    Returns
    -------
    dict of int to list of Part
        One part per draw.
    """
    curve: dict[int, list[Part]] = {}
    for part in study.of_kind(DRAWN):
        curve.setdefault(len(part.fold.calibration), []).append(part)
    return dict(sorted(curve.items()))


def enough_trials(study: CalibrationStudy) -> int | None:
    """Return the smallest number of trials within a standard error of the best.

    Parameters
    ----------
    study : CalibrationStudy
        The study.

    Returns
    -------
    int or None
        By R² on the trials that were not drawn, which, other than RMSE, hardly depends on how
        large their moments are; None with fewer than two draws.
    """
    found = {
        n: [mean_of(part.run.test_fit, r2, study.comparison.dofs) for part in parts]
        for n, parts in learning_curve(study).items()
        if len(parts) > 1
    }
    if not found:
        return None
    best = max(found.values(), key=lambda values: float(np.mean(values)))
    limit = np.mean(best) - np.std(best, ddof=1) / np.sqrt(len(best))
    return min(n for n, values in found.items() if np.mean(values) >= limit)


def _learning(study: CalibrationStudy) -> Table:
    dofs = study.comparison.dofs
    return Table(
        title="How many trials are enough, mean ± SD over draws",
        columns=("trials", "draws", "RMSE calibration [N m]", "RMSE test [N m]", "R² test [-]"),
        rows=tuple(
            (
                n,
                len(parts),
                mean_and_spread([mean_of(part.run.fit, rmse, dofs) for part in parts]),
                mean_and_spread([mean_of(part.run.test_fit, rmse, dofs) for part in parts]),
                mean_and_spread([mean_of(part.run.test_fit, r2, dofs) for part in parts]),
            )
            for n, parts in learning_curve(study).items()
        ),
    )


def cost_curves(study: CalibrationStudy) -> dict[str, dict[int, float]]:
    """Return the time of an iteration [s] by method and number of trials.

    Parameters
    ----------
    study : CalibrationStudy
        The study.

    Returns
    -------
    dict of str to dict of int to float
        The least of all seeds; an iteration of the annealing is an evaluation.
    """
    curves: dict[str, dict[int, float]] = {}
    for part in study.of_kind(COST):
        curve = curves.setdefault(part.run.candidate.label, {})
        n_trial = len(part.fold.calibration)
        curve[n_trial] = min(curve.get(n_trial, np.inf), part.run.seconds / part.iterations)
    return curves


def _cost(study: CalibrationStudy) -> Table:
    curves = cost_curves(study)
    counts = sorted({n for curve in curves.values() for n in curve})
    rows = []
    for n in counts:
        row: list[Cell] = [n]
        for curve in curves.values():
            known = n in curve
            row.append(1e3 * curve[n] if known else None)
            row.append(curve[n] / curve[1] if known and 1 in curve else None)
        rows.append(tuple(row))
    headers = [(f"{name} [ms]", f"{name}, over one trial [-]") for name in curves]
    return Table(
        title="Time of an iteration over the number of trials",
        columns=("trials", *(header for pair in headers for header in pair)),
        rows=tuple(rows),
    )


def all_notes(study: CalibrationStudy) -> tuple[str, ...]:
    """Return what a reader of the tables must know, and what they say in words.

    Parameters
    ----------
    study : CalibrationStudy
        The study.

    Returns
    -------
    tuple of str
    """
    notes = list(notes_of(study.comparison, study.max_evaluations))
    notes += _against_annealing(study)
    validating = next(iter(study.of_kind(TRIAL)), None)
    if validating is not None:
        label = validating.run.candidate.label
        notes.append(f"Validation and learning curve: {label}, over all trials named.")
    conditions = [part.fold for part in study.of_kind(CONDITION)]
    if conditions:
        listed = "; ".join(f"{fold.name}: {', '.join(fold.test)}" for fold in conditions)
        notes.append(f"Conditions: {listed}.")
    elif validating is not None:
        notes.append("Conditions: only one, so none was left out.")
    n_enough = enough_trials(study)
    if n_enough is not None:
        notes.append(
            f"Enough: {n_enough} trial{'s' if n_enough > 1 else ''}, the fewest whose R² on the "
            "trials that were not drawn is within a standard error of the best."
        )
    if study.of_kind(COST):
        notes.append(
            "Times are of this machine, with other calibrations beside it if there are several "
            "processes; an iteration of the annealing is an evaluation there, a temperature in the "
            "figure of the objective."
        )
    return tuple(notes)


def _against_annealing(study: CalibrationStudy) -> list[str]:
    """Say of every method how its RMSE on test trials differs from that of the annealing."""
    groups = calibrated(study.comparison)
    legacy = groups.pop("annealing", None)
    if legacy is None or not legacy[0].test_fit:
        return []

    def error(runs: Sequence[Run], dof: str) -> float:
        return float(np.mean([mean_of(run.test_fit, rmse, (dof,)) for run in runs]))

    sentences = []
    for name, runs in groups.items():
        differences = {dof: error(runs, dof) - error(legacy, dof) for dof in study.comparison.dofs}
        listed = ", ".join(f"{dof} {value:+.2f}" for dof, value in differences.items())
        sentences.append(f"RMSE on test trials of {name} minus the annealing's [N m]: {listed}.")
    return sentences
