"""The tables of a comparison, as printed and as written to ``result.json``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ceinms_torch.simulation.trial_result import Role
from ceinms_torch.studies.comparison import CONTROL, Comparison, Measure, Run
from ceinms_torch.studies.folds import conditions_of
from ceinms_torch.studies.result_file import Cell, Table, mean_and_spread
from ceinms_torch.studies.statistics import GroupComparison, compare_groups


def tables_of(comparison: Comparison) -> tuple[Table, ...]:
    """Return the tables: cost and objectives, accuracy, statistics, parameters.

    Parameters
    ----------
    comparison : Comparison
        What was found. Repetitions with several seeds are averaged.

    Returns
    -------
    tuple of Table
        Without statistics if there is but one method.
    """
    tables = [
        objectives_table(comparison),
        _accuracy(comparison),
        movements_table(comparison),
        statistics_table(comparison),
        parameters_table(comparison),
    ]
    return tuple(table for table in tables if table.rows)


def notes_of(comparison: Comparison) -> tuple[str, ...]:
    """Return what a reader of the tables must know.

    Parameters
    ----------
    comparison : Comparison
        What was found.

    Returns
    -------
    tuple of str
        Sentences.
    """
    methods: dict[str, list[str]] = {}
    for run in comparison.runs:
        if run.candidate.method not in methods.setdefault(run.model, []):
            methods[run.model].append(run.candidate.method)
    models = (f"{model} ({', '.join(names)})" for model, names in methods.items())
    notes = [
        f"Tendons: {', '.join(models)}.",
        f"Common objective: {comparison.yardstick}, whatever the method itself minimised.",
        "RMSE and R² (1 − SSE/SST) are means over trials, each method in its model.",
    ]
    if any(run.candidate.method == "annealing" for run in comparison.runs):
        notes.append(
            "The annealing's own objective is that of CEINMS, with penalties that jump, on the "
            "model of CEINMS; those of other methods are continuous."
        )
        if comparison.max_evaluations is not None:
            notes.append(
                "The annealing was capped: no temperature began after "
                f"{comparison.max_evaluations} evaluations, whatever its file says. Nothing is "
                "tested against a search that was cut short."
            )
    if any(run.candidate.hybrid for run in comparison.runs):
        notes.append(
            "Synergy-hybrid: synergies drive MTUs without a recording; the common objective and "
            "all errors are with those excitations, on test trials synthesised from their "
            "recordings alone. Settings of synergies that the calibration file does not name are "
            "ours."
        )
    if statistics_table(comparison).rows:
        notes.append(
            "t: independent samples t test; U: Mann-Whitney U test, where a Shapiro-Wilk test says "
            "that values are not normally distributed (section III-D of the paper); *: p < 0.05, "
            "not corrected for the number of tests."
        )
    return tuple(notes)


def objectives_table(comparison: Comparison) -> Table:
    """Return objectives, time and evaluations of every method, means over its runs."""
    unit = comparison.unit
    groups = comparison.groups()
    with_spread = any(len(runs) > 1 for runs in groups.values())
    legacy = [run.seconds for run in comparison.runs if run.candidate.method == "annealing"]

    def row(name: str, runs: Sequence[Run]) -> dict[str, Cell]:
        is_control = runs[0].candidate.method == CONTROL
        common = [run.common for run in runs]
        spread: dict[str, Cell] = {
            f"SD [{unit}]": float(np.std(common, ddof=1)) if len(runs) > 1 else None,
            f"least [{unit}]": min(common),
        }
        evaluations = round(np.mean([run.evaluations for run in runs]))
        seconds = float(np.mean([run.seconds for run in runs]))
        faster = float(np.mean(legacy)) / seconds if legacy and seconds > 0.0 else None
        statuses = ", ".join(dict.fromkeys(run.status for run in runs))
        return {
            "method": name,
            **({"runs": len(runs)} if with_spread else {}),
            f"own objective [{unit}]": None
            if is_control
            else float(np.mean([run.objective for run in runs])),
            f"common objective [{unit}]": float(np.mean(common)),
            **(spread if with_spread else {}),
            "time [s]": None if is_control else seconds,
            **({} if not legacy else {"annealing's time over it [-]": faster}),
            "evaluations": None if is_control else evaluations,
            "status": "-" if is_control else statuses,
        }

    return Table.of("Objective and cost", (row(*group) for group in groups.items()))


def _accuracy(comparison: Comparison) -> Table:
    def mean(runs: Sequence[Run], role: Role, dof: str, measure: Measure) -> Cell:
        values = by_trial(runs, role, dof, measure)
        return float(np.mean(values)) if values else None

    return Table.of(
        "Accuracy of the moments",
        (
            {
                "method": "" if i else name,
                "DOF": dof,
                "RMSE calibration [N m]": mean(runs, "calibration", dof, "rmse"),
                "R² calibration [-]": mean(runs, "calibration", dof, "r2"),
                "RMSE test [N m]": mean(runs, "test", dof, "rmse"),
                "R² test [-]": mean(runs, "test", dof, "r2"),
            }
            for name, runs in comparison.groups().items()
            for i, dof in enumerate(comparison.dofs)
        ),
    )


def movements_table(comparison: Comparison, pattern: str | None = None) -> Table:
    """Return the accuracy of every movement, mean over its trials (paper, Fig. 3).

    Parameters
    ----------
    comparison : Comparison
        What was found.
    pattern : str, optional
        What in a trial's name is its movement, as for `conditions_of`.

    Returns
    -------
    Table
        Of test trials, or else of calibration trials; empty with a single movement.
    """
    role: Role = "test" if comparison.runs[0].test_fit else "calibration"
    movements = conditions_of(tuple(comparison.runs[0].fits(role)), pattern)
    title = f"Accuracy by movement, {role} trials"

    def cells(runs: Sequence[Run], trials: Sequence[str], dof: str) -> dict[str, Cell]:
        fits = [run.fits(role)[trial][dof] for run in runs for trial in trials]
        return {
            "RMSE [N m]": mean_and_spread([one.rmse for one in fits]),
            "R² [-]": mean_and_spread([one.r2 for one in fits]),
        }

    return Table.of(
        f"{title}, mean ± SD",
        (
            {
                "movement": movement,
                "trials": len(trials),
                "DOF": dof,
                "method": name,
                **cells(runs, trials, dof),
            }
            for movement, trials in movements.items()
            for dof in comparison.dofs
            for name, runs in comparison.groups().items()
            if len(movements) > 1
        ),
    )


def by_trial(runs: Sequence[Run], role: Role, dof: str, measure: Measure) -> list[float]:
    """Return a measure of every trial, averaged over runs."""
    every = [run.fits(role) for run in runs]
    return [
        float(np.mean([getattr(fit[trial][dof], measure) for fit in every])) for trial in every[0]
    ]


def statistics_table(comparison: Comparison) -> Table:
    """Return whether methods differ from the first one, over trials.

    An annealing that was cut short is no method to test against. Empty with a single other one.
    """
    tested = {
        name: runs
        for name, runs in comparison.calibrated().items()
        if comparison.max_evaluations is None or runs[0].candidate.method != "annealing"
    }
    if len(tested) < 2:
        return Table(title="", columns=(), rows=())
    (reference, runs), *others = tested.items()
    role: Role = "test" if runs[0].test_fit else "calibration"
    measures: tuple[Measure, ...] = ("rmse", "r2")
    rows: list[tuple[Cell, ...]] = []
    for name, other in others:
        for i, dof in enumerate(comparison.dofs):
            tests = [
                compare_groups(by_trial(runs, role, dof, one), by_trial(other, role, dof, one))
                for one in measures
            ]
            words = [cell for test in tests for cell in _outcome(test)]
            rows.append(("" if i else name, dof, len(runs[0].fits(role)), *words))
    return Table(
        title=f"Against {reference}, {role} trials",
        columns=("method", "DOF", "trials", "RMSE", "p [-]", "R²", "p [-]"),
        rows=tuple(rows),
    )


def _outcome(test: GroupComparison) -> tuple[Cell, Cell]:
    if test.p is None:
        return f"none: {test.why_not}", None
    return _SHORT[test.test] + (" *" if test.is_significant else ""), test.p


_SHORT = {"t test": "t", "Mann-Whitney U": "U"}


def parameters_table(comparison: Comparison) -> Table:
    """Return every parameter within its range, means over runs."""
    values = {
        name: np.mean([run.parameters for run in runs], axis=0)
        for name, runs in comparison.groups().items()
    }
    return Table.of(
        "Parameters within their ranges, 0 to 1",
        (
            {
                "parameter": kind,
                "MTUs": " ".join(mtus),
                **{f"{name} [-]": float(value[i]) for name, value in values.items()},
            }
            for i, (kind, mtus) in enumerate(comparison.parameters)
        ),
    )
