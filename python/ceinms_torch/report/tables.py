"""The rows of a report's tables."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ceinms_torch.calibration.identifiability import Loading
from ceinms_torch.calibration.result import CalibratedParameter, CalibrationResult
from ceinms_torch.errors import Place
from ceinms_torch.plots.identifiability import certainty_class
from ceinms_torch.plots.moments import dof_names, trial_names, trial_of
from ceinms_torch.simulation.fit import MomentFit, mean_fit
from ceinms_torch.simulation.trial_result import fit_of

NONE = "–"
_RMSE = "#.3g"  # three digits, zeros at the end included
_MOST_DIRECTIONS = 12  # that are told in words


def number(value: float | None, form: str = ".4g") -> str:
    """Return a number as text, and a dash where there is none."""
    if value is None or not math.isfinite(value):
        return NONE
    return format(value, form).removesuffix(".")


def fit_rows(results: Sequence[CalibrationResult]) -> list[dict[str, Any]]:
    """Return the fit of every DOF and trial, means first.

    Parameters
    ----------
    results : sequence of CalibrationResult
        Each fills the columns `figures[i]` (RMSE [N m], R², squared correlation).

    Returns
    -------
    list of dict
        With `dof`, `trial`, `role` (calibration or test), `figures`; means also have `is_mean`.
    """
    rows: list[dict[str, Any]] = []
    means = {
        "calibration": [mean_fit(result.fit) for result in results],
        "test": [mean_fit(fit_of(result.new_tests)) for result in results],
    }
    for dof in dof_names(results):
        for role, fits in means.items():
            if any(dof in one for one in fits):
                row = _fit_row(dof, "mean", {role}, [one.get(dof) for one in fits])
                rows.append({**row, "is_mean": True})
        for name in trial_names(results):
            trials = [trial_of(result, name) for result in results]
            found = [None if one is None else one.fit.get(dof) for one in trials]
            rows.append(_fit_row(dof, name, {one.role for one in trials if one}, found))
    return rows


def _fit_row(
    dof: str, trial: str, roles: Collection[str], fits: Sequence[MomentFit | None]
) -> dict[str, Any]:
    figures = [
        [NONE] * 3
        if one is None
        else [number(one.rmse, _RMSE), number(one.r2, ".3f"), number(one.r2_correlation, ".3f")]
        for one in fits
    ]
    return {"dof": dof, "trial": trial, "role": " or ".join(sorted(roles)), "figures": figures}


def interval(one: CalibratedParameter) -> str:
    """Return the 95 % interval of a parameter as text."""
    return NONE if one.interval is None else " to ".join(map(number, one.interval))


def certainty(one: CalibratedParameter) -> str:
    """Return what the data say about a parameter, in few words."""
    return NONE if one.certainty is None else certainty_class(one.certainty.reason)


def direction_sentences(result: CalibrationResult) -> list[str]:
    """Say which combinations of parameters the data leave open.

    Parameters
    ----------
    result : CalibrationResult
        The result.

    Returns
    -------
    list of str
        The most open first; what swapping c1 and c2 leaves as it is, in one sentence.
    """
    found = result.identifiability
    directions = [] if found is None else [one.loadings for one in found.directions]
    swaps = [loadings for loadings in directions if _is_swap(loadings)]
    others = [loadings for loadings in directions if not _is_swap(loadings)]
    sentences = []
    if swaps:
        mtus = ", ".join(" + ".join(loadings[0].mtus) for loadings in swaps)
        sentences.append(
            f"c1 against c2 of {mtus}: the activation filter depends on their sum and product, so "
            "one may go up a little as the other goes down."
        )
    sentences += [f"{_in_words(loadings)}." for loadings in others[:_MOST_DIRECTIONS]]
    if len(others) > _MOST_DIRECTIONS:
        rest = len(others) - _MOST_DIRECTIONS
        sentences.append(f"And {rest} more, which result.json lists.")
    return sentences


def _is_swap(loadings: Sequence[Loading]) -> bool:
    return {one.name for one in loadings} == {"c1", "c2"} and len(loadings) == 2


def _in_words(loadings: Sequence[Loading]) -> str:
    def part(one: Loading) -> str:
        direction = "up" if one.loading > 0.0 else "down"
        mtus = " + ".join(one.mtus[:3]) + (" + ..." if len(one.mtus) > 3 else "")
        return f"{one.name} of {mtus} {direction} ({100 * abs(one.loading):.0f} %)"

    first, *rest = (part(one) for one in loadings)
    return f"{first} while {', '.join(rest)}" if rest else f"{first}, alone"


def finding_rows(result: CalibrationResult) -> list[dict[str, str]]:
    """Return what a check of the input found before the calibration.

    Parameters
    ----------
    result : CalibrationResult
        The result.

    Returns
    -------
    list of dict
        With `severity`, `code`, `where`, `what`, `why` and `to_do`, all of them text; the most
        severe first.
    """
    rows = []
    for finding in result.provenance.findings:
        place = dict(finding["where"])
        if place["file"] is not None:
            place["file"] = Path(place["file"])
        rows.append({**finding, "where": str(Place(**place))})
    return rows


def provenance_rows(results: Sequence[CalibrationResult]) -> list[tuple[str, list[str]]]:
    """Return what was run, how, and with what, one column per result.

    Parameters
    ----------
    results : sequence of CalibrationResult
        The results.

    Returns
    -------
    list of (str, list of str)
        Name of the row, and its text for each result.
    """
    rows: dict[str, list[str]] = {}
    for i, result in enumerate(results):
        for name, text in _provenance(result):
            rows.setdefault(name, [NONE] * len(results))[i] = text
    return list(rows.items())


def _provenance(result: CalibrationResult) -> Iterator[tuple[str, str]]:
    unit = "" if result.unit == "-" else result.unit
    yield "command", result.provenance.command or NONE
    yield "method", f"{result.method}, {result.engine} engine on {result.device}"
    yield "tendon", f"{result.tendon} (the plan asks for {result.plan.tendon.kind})"
    yield "curves", "subject" if result.subject.curves else "De Groote et al. (2016)"
    yield "start", f"{result.start}, the best of {len(result.steps[-1].starts)}"
    yield "seed", str(result.seed)
    yield "iterations", f"{result.iterations} ({result.evaluations} evaluations)"
    yield "time inside the optimiser [s]", number(result.seconds, ".3g")
    yield "objective", f"{result.objective:.6g} {unit}"
    for name, value in result.terms.items():
        yield f"term {name}", f"{value:.6g} {unit}"
    for name, setting in result.options.to_dict().items():
        yield f"option {name}", str(setting)
    yield "polished by Levenberg-Marquardt", "yes" if result.polished else "no"
    for i, step in enumerate(result.steps, 1):
        yield f"step {i}: DOFs", ", ".join(step.step.dofs)
        for name, setting in step.step.objective.to_dict().items():
            yield f"step {i}: {name}", _plain(setting)
    for name, text in result.provenance.versions.items():
        yield f"version of {name}", text


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(one)}" for name, one in value.items())
    if isinstance(value, (list, tuple)):  # names, a range of numbers, or several of either
        of_numbers = all(isinstance(one, (int, float)) for one in value)
        of_names = all(isinstance(one, str) for one in value)
        return (" " if of_names else " to " if of_numbers else "; ").join(map(_plain, value))
    return str(value)
