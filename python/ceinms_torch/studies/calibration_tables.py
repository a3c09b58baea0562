"""The tables of the calibration study, as printed and as written to ``result.json``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ceinms_torch.simulation.trial_result import Role
from ceinms_torch.studies.calibration import CONDITION, COST, TRIAL, CalibrationStudy, Part
from ceinms_torch.studies.compare_tables import (
    movements_table,
    notes_of,
    objectives_table,
    parameters_table,
    statistics_table,
)
from ceinms_torch.studies.comparison import Measure, Run, parameter_spread
from ceinms_torch.studies.result_file import Cell, Table, mean_and_spread

VALIDATIONS = {TRIAL: "trials", CONDITION: "conditions"}


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
    tables.append(movements_table(comparison, study.conditions))
    tables.append(statistics_table(comparison))
    tables += [_spread(study), _validation(study), _learning(study), _cost(study)]
    tables.append(parameters_table(comparison))
    return tuple(table for table in tables if table.rows)


def _summary(study: CalibrationStudy) -> Table:
    def row(name: str, runs: Sequence[Run], i: int, dof: str) -> dict[str, Cell]:
        def mean(role: Role, measure: Measure) -> Cell:
            return mean_and_spread([run.mean(role, measure, (dof,)) for run in runs], digits=4)

        with_cost = i == 0 and runs[0].objective is not None
        is_repeated = with_cost and len(runs) > 1
        return {
            "method": "" if i else name,
            "DOF": dof,
            "RMSE calibration [N m]": mean("calibration", "rmse"),
            "RMSE test [N m]": mean("test", "rmse"),
            "R² calibration [-]": mean("calibration", "r2"),
            "R² test [-]": mean("test", "r2"),
            "time [s]": mean_and_spread([run.seconds for run in runs]) if with_cost else None,
            "SD of parameters [ranges]": float(np.mean(parameter_spread(runs)))
            if is_repeated
            else None,
        }

    return Table.of(
        "Every method, mean ± SD over seeds",
        (
            row(*group, *dof)
            for group in study.comparison.groups().items()
            for dof in enumerate(study.comparison.dofs)
        ),
    )


def _spread(study: CalibrationStudy) -> Table:
    by_kind = study.spread_by_kind()
    names = dict.fromkeys(name for one in by_kind.values() for name in one)

    def text(spread: Sequence[float] | None) -> Cell:
        return None if spread is None else f"{np.mean(spread):.2f} ({max(spread):.2f})"

    return Table.of(
        "SD of parameters between seeds over their range: mean over MTUs (largest)",
        (
            {"parameter": kind, **{f"{name} [-]": text(one.get(name)) for name in names}}
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
    return [
        *(part.run.mean("test", "rmse", (dof,)) for dof in dofs),
        part.run.mean("test", "r2", dofs),
        part.control.mean("test", "rmse", dofs),
    ]


def _learning(study: CalibrationStudy) -> Table:
    def mean(parts: Sequence[Part], role: Role, measure: Measure) -> Cell:
        dofs = study.comparison.dofs
        return mean_and_spread([part.run.mean(role, measure, dofs) for part in parts])

    return Table.of(
        "How many trials are enough, mean ± SD over draws",
        (
            {
                "trials": n,
                "draws": len(parts),
                "RMSE calibration [N m]": mean(parts, "calibration", "rmse"),
                "RMSE test [N m]": mean(parts, "test", "rmse"),
                "R² test [-]": mean(parts, "test", "r2"),
            }
            for n, parts in study.learning_curve().items()
        ),
    )


def _cost(study: CalibrationStudy) -> Table:
    curves = study.cost_curves()

    def row(n: int) -> dict[str, Cell]:
        cells: dict[str, Cell] = {"trials": n}
        for name, curve in curves.items():
            known = n in curve
            cells[f"{name} [ms]"] = 1e3 * curve[n] if known else None
            relative = curve[n] / curve[1] if known and 1 in curve else None
            cells[f"{name}, over one trial [-]"] = relative
        return cells

    counts = sorted({n for curve in curves.values() for n in curve})
    return Table.of("Time of an iteration over the number of trials", map(row, counts))


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
    notes = list(notes_of(study.comparison))
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
    n_enough = study.enough_trials()
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
    groups = study.comparison.calibrated()
    legacy = groups.pop("annealing", None)
    if legacy is None or not legacy[0].test_fit:
        return []

    def error(runs: Sequence[Run], dof: str) -> float:
        return float(np.mean([run.mean("test", "rmse", (dof,)) for run in runs]))

    sentences = []
    for name, runs in groups.items():
        differences = {dof: error(runs, dof) - error(legacy, dof) for dof in study.comparison.dofs}
        listed = ", ".join(f"{dof} {value:+.2f}" for dof, value in differences.items())
        sentences.append(f"RMSE on test trials of {name} minus the annealing's [N m]: {listed}.")
    return sentences
