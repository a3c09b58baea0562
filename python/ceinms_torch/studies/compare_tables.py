"""The tables of a comparison, as printed and as written to ``result.json``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ceinms_torch.simulation.fit import Fit, MomentFit
from ceinms_torch.studies.comparison import CONTROL, Comparison, Run
from ceinms_torch.studies.result_file import Cell, Table
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
    tables = [objectives_table(comparison), _accuracy(comparison)]
    if len(calibrated(comparison)) > 1:
        tables.append(statistics_table(comparison))
    return (*tables, parameters_table(comparison))


def notes_of(comparison: Comparison, max_evaluations: int | None = None) -> tuple[str, ...]:
    """Return what a reader of the tables must know.

    Parameters
    ----------
    comparison : Comparison
        What was found.
    max_evaluations : int, optional
        Where the annealing was capped.

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
        if max_evaluations is not None:
            notes.append(
                f"The annealing was capped: no temperature began after {max_evaluations} "
                "evaluations, whatever its file says."
            )
    if len(calibrated(comparison)) > 1:
        notes.append(
            "t: independent samples t test; U: Mann-Whitney U test, where a Shapiro-Wilk test says "
            "that values are not normally distributed (section III-D of the paper); *: p < 0.05, "
            "not corrected for the number of tests."
        )
    return tuple(notes)


def calibrated(comparison: Comparison) -> dict[str, list[Run]]:
    """Return the runs of every method by name, without the controls."""
    groups = comparison.groups().items()
    return {name: runs for name, runs in groups if runs[0].candidate.method != CONTROL}


def objectives_table(comparison: Comparison) -> Table:
    """Return objectives, time and evaluations of every method, means over its runs."""
    unit = comparison.unit
    with_spread = any(len(runs) > 1 for runs in comparison.groups().values())
    rows: list[tuple[Cell, ...]] = []
    for name, runs in comparison.groups().items():
        is_control = runs[0].candidate.method == CONTROL
        common = [run.common for run in runs]
        row: list[Cell] = [name, *((len(runs),) if with_spread else ())]
        row.append(None if is_control else _mean(runs, lambda run: run.objective))
        row.append(float(np.mean(common)))
        if with_spread:
            row += [float(np.std(common, ddof=1)) if len(runs) > 1 else None, min(common)]
        if is_control:
            row += [None, None, "-"]
        else:
            row += [
                _mean(runs, lambda run: run.seconds),
                round(_mean(runs, lambda run: float(run.evaluations))),
                ", ".join(dict.fromkeys(run.status for run in runs)),
            ]
        rows.append(tuple(row))
    return Table(
        title="Objective and cost",
        columns=(
            "method",
            *(("runs",) if with_spread else ()),
            f"own objective [{unit}]",
            f"common objective [{unit}]",
            *((f"SD [{unit}]", f"least [{unit}]") if with_spread else ()),
            "time [s]",
            "evaluations",
            "status",
        ),
        rows=tuple(rows),
    )


def _mean(runs: Sequence[Run], value: Callable[[Run], float | None]) -> float:
    return float(np.mean([value(run) for run in runs]))


def _accuracy(comparison: Comparison) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, runs in comparison.groups().items():
        for i, dof in enumerate(comparison.dofs):
            figures = [
                float(np.mean(by_trial(runs, fits, dof, figure))) if fits(runs[0]) else None
                for fits in (fit_of_calibration, fit_of_tests)
                for figure in (rmse, r2)
            ]
            rows.append((name if i == 0 else "", dof, *figures))
    return Table(
        title="Accuracy of the moments",
        columns=(
            "method",
            "DOF",
            "RMSE calibration [N m]",
            "R² calibration [-]",
            "RMSE test [N m]",
            "R² test [-]",
        ),
        rows=tuple(rows),
    )


def fit_of_calibration(run: Run) -> Fit:
    """Return the fit of the calibration trials."""
    return run.fit


def fit_of_tests(run: Run) -> Fit:
    """Return the fit of the test trials."""
    return run.test_fit


def rmse(fit: MomentFit) -> float:
    """Return the root mean square error [N m]."""
    return fit.rmse


def r2(fit: MomentFit) -> float:
    """Return R², 1 − SSE/SST [-]."""
    return fit.r2


def by_trial(
    runs: Sequence[Run], fits: Callable[[Run], Fit], dof: str, figure: Callable[[MomentFit], float]
) -> list[float]:
    """Return a figure of every trial, averaged over runs."""
    trials = fits(runs[0])
    return [float(np.mean([figure(fits(run)[trial][dof]) for run in runs])) for trial in trials]


def statistics_table(comparison: Comparison) -> Table:
    """Return whether methods differ from the first one, over trials."""
    (reference, runs), *others = calibrated(comparison).items()
    fits = fit_of_tests if runs[0].test_fit else fit_of_calibration
    rows: list[tuple[Cell, ...]] = []
    for name, other in others:
        for i, dof in enumerate(comparison.dofs):
            tests = [
                compare_groups(by_trial(runs, fits, dof, f), by_trial(other, fits, dof, f))
                for f in (rmse, r2)
            ]
            words = [cell for test in tests for cell in _outcome(test)]
            rows.append((name if i == 0 else "", dof, len(fits(runs[0])), *words))
    which = "test" if fits is fit_of_tests else "calibration"
    return Table(
        title=f"Against {reference}, {which} trials",
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
    groups = comparison.groups()
    values = {
        name: np.mean([run.parameters for run in runs], axis=0) for name, runs in groups.items()
    }
    rows: list[tuple[Cell, ...]] = [
        (kind, " ".join(mtus), *(float(value[i]) for value in values.values()))
        for i, (kind, mtus) in enumerate(comparison.parameters)
    ]
    return Table(
        title="Parameters within their ranges, 0 to 1",
        columns=("parameter", "MTUs", *(f"{name} [-]" for name in values)),
        rows=tuple(rows),
    )
