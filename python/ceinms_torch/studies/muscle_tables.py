"""The tables of the study of a muscle, for the terminal, its file and documents."""

from __future__ import annotations

from typing import Any

import numpy as np

from ceinms_torch.studies.muscle import MuscleStudy
from ceinms_torch.studies.muscle_models import MODELS, RANGES, ROSENBROCK, STIFF
from ceinms_torch.studies.result_file import Cell, Table
from ceinms_torch.studies.statistics import GroupComparison, compare_groups, deviation

TEST_ROW = "mean ± SD, test"


def prediction_errors(study: MuscleStudy, model: str) -> list[float]:
    """Return a model's errors on recordings it was not fitted to [%].

    Parameters
    ----------
    study : MuscleStudy
        The study.
    model : str
        One of `MODELS`.

    Returns
    -------
    list of float
    """
    trials = (trial for trial in study.trials if trial["name"] != study.fitted_on)
    return [trial["error"][model] for trial in trials]


def all_models(study: MuscleStudy) -> GroupComparison:
    """Return whether the errors on test recordings differ between models."""
    return compare_groups(*(prediction_errors(study, model) for model in MODELS))


def against_stiff(study: MuscleStudy, model: str) -> GroupComparison:
    """Return whether a model's errors on test recordings differ from the stiff tendon's."""
    return compare_groups(prediction_errors(study, STIFF), prediction_errors(study, model))


def tables_of(study: MuscleStudy) -> tuple[Table, ...]:
    """Return errors, parameters and costs, and behaviour at the limits.

    Parameters
    ----------
    study : MuscleStudy
        The study.

    Returns
    -------
    tuple of Table
    """
    return _errors(study), _models(study), _limits(study)


def _errors(study: MuscleStudy) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for trial in study.trials:
        name = f"{trial['name']}{' (fitted)' if trial['name'] == study.fitted_on else ''}"
        half = 500.0 * trial["displacement"]
        rows.append((name, f"±{half:.3g}", *(f"{trial['error'][m]:.2f}" for m in MODELS)))
    means = [prediction_errors(study, model) for model in MODELS]
    rows.append((TEST_ROW, None, *map(_spread, means)))
    rows.append(("p against stiff", None, None, *(_p(study, m) for m in list(MODELS)[1:])))
    return Table(
        title="mean absolute error of the force over maximum isometric force [%]",
        columns=("recording", "displacement [mm]", *MODELS.values()),
        rows=tuple(rows),
    )


def _spread(values: list[float]) -> str:
    return f"{np.mean(values):.2f} ± {deviation(values):.2f}"


def _p(study: MuscleStudy, model: str) -> str | None:
    outcome = against_stiff(study, model)
    if outcome.p is None:
        return None
    return f"{outcome.p:.2g} {'t' if outcome.test == 't test' else 'U'}"


def _models(study: MuscleStudy) -> Table:
    def row(model: str) -> dict[str, Cell]:
        values: dict[str, Any] = study.models[model]
        scales = {"N": 1.0, "mm": 1e3}
        units = dict(zip(RANGES, ("N", "mm", "mm"), strict=True))
        cost = values["step_time"]
        ratio = cost / study.models[ROSENBROCK]["step_time"]
        return {
            "tendon": MODELS[model],
            **{
                f"{kind} [{unit}]": f"{values['parameters'][kind] * scales[unit]:.4g}"
                f"{' (bound)' if kind in values['at_bound'] else ''}"
                for kind, unit in units.items()
            },
            "CPU time of fit [s]": f"{values['fit_time']:.1f}",
            "CPU time of run [µs/step]": f"{cost:.2f}",
            "run over Rosenbrock's [-]": f"{ratio:.1f}",
        }

    return Table.of("fitted parameters, and CPU times", map(row, MODELS))


def _limits(study: MuscleStudy) -> Table:
    def row(limit: dict[str, Any]) -> dict[str, Cell]:
        unsolved = limit["unsolved"]
        low, high = (
            None if limit[end] is None else f"{limit[end]:.3f}" for end in ("lowest", "highest")
        )
        return {
            "case": limit["case"],
            "tendon": MODELS[limit["model"]],
            "finite": "yes" if limit["is_finite"] else "no",
            "lowest force [F0]": low,
            "highest force [F0]": high,
            "steps solved": {None: "gave up", 0: "all"}.get(unsolved, f"all but {unsolved}"),
        }

    cases = list(dict.fromkeys(limit["case"] for limit in study.limits))
    ordered = sorted(study.limits, key=lambda limit: cases.index(limit["case"]))
    return Table.of("at the limits, on the recording that was fitted", map(row, ordered))


def notes_of(study: MuscleStudy) -> tuple[str, ...]:
    """Return the sentences under the tables.

    Parameters
    ----------
    study : MuscleStudy
        The study.

    Returns
    -------
    tuple of str
    """
    outcome = all_models(study)
    if outcome.p is None:
        test = f"No test over the models: {outcome.why_not}."
    else:
        test = f"All models on test recordings: {outcome.test}, p = {outcome.p:.2g}."
    return (
        f"Fitted on {study.fitted_on}; errors over {study.reference_force:g} N.",
        f"{test} p against stiff, uncorrected: t test (t) or Mann-Whitney U (U).",
    )


def document(tables: tuple[Table, ...], notes: tuple[str, ...]) -> str:
    """Return tables and notes as a document has them.

    Parameters
    ----------
    tables : tuple of Table
        The tables.
    notes : tuple of str
        What stands under them.

    Returns
    -------
    str
        Markdown.
    """
    parts = (
        f"{table.title[0].upper()}{table.title[1:]}:\n\n{_markdown(table)}" for table in tables
    )
    return "\n".join((*parts, f"{' '.join(notes)}\n"))


def _markdown(table: Table) -> str:
    rows = [table.columns, ("---",) * len(table.columns), *table.rows]
    return "".join(
        f"| {' | '.join('' if cell is None else str(cell) for cell in row)} |\n" for row in rows
    )
