"""The rows of a report's tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ceinms_torch.errors import Place
from ceinms_torch.model.parameters import PARAMETERS
from ceinms_torch.plots.identifiability import certainty_class
from ceinms_torch.plots.moments import dof_names, trial_names, trial_of
from ceinms_torch.report.summary import DofFit, dof_fits
from ceinms_torch.results.saved import SavedParameter, SavedResult

NONE = "–"
_RMSE = "#.3g"  # three digits, zeros at the end included
_MOST_DIRECTIONS = 12  # that are told in words


def number(value: float | None, form: str = ".4g") -> str:
    """Return a number as text, and a dash where there is none."""
    if value is None or not math.isfinite(value):
        return NONE
    return format(value, form).removesuffix(".")


def fit_rows(results: Sequence[SavedResult]) -> list[dict[str, Any]]:
    """Return the fit of every DOF and trial, means first.

    Parameters
    ----------
    results : sequence of SavedResult
        Each fills the columns `figures[i]` (RMSE [N m], R², squared correlation).

    Returns
    -------
    list of dict
        With `dof`, `trial`, `use` (own or unseen), `is_mean` and `figures`.
    """
    rows: list[dict[str, Any]] = []
    for dof in dof_names(results):
        for word in ("own", "unseen"):
            means = [_mean(result, getattr(result, word), dof) for result in results]
            if any(mean is not None and mean.n_trial for mean in means):
                rows.append(
                    {
                        "dof": dof,
                        "trial": "mean",
                        "use": word,
                        "is_mean": True,
                        "figures": [
                            [number(one.rmse, _RMSE), number(one.r2, ".3f"), NONE]
                            if one is not None
                            else [NONE] * 3
                            for one in means
                        ],
                    }
                )
        rows += [_trial_row(results, dof, trial) for trial in trial_names(results)]
    return rows


def _mean(result: SavedResult, trials: Sequence[Any], dof: str) -> DofFit | None:
    return next((one for one in dof_fits(result, trials) if one.dof == dof), None)


def _trial_row(results: Sequence[SavedResult], dof: str, name: str) -> dict[str, Any]:
    figures, uses = [], set()
    for result in results:
        trial = trial_of(result, name)
        fit = None if trial is None else trial.fit.get(dof)
        if trial is None or fit is None:
            figures.append([NONE] * 3)
            continue
        uses.add("own" if trial.is_own else "unseen")
        figures.append(
            [number(fit.rmse, _RMSE), number(fit.r2, ".3f"), number(fit.r2_correlation, ".3f")]
        )
    use = " or ".join(sorted(uses))
    return {"dof": dof, "trial": name, "use": use, "is_mean": False, "figures": figures}


def parameter_rows(results: Sequence[SavedResult]) -> list[dict[str, Any]]:
    """Return every calibrated parameter of every result.

    Parameters
    ----------
    results : sequence of SavedResult
        The results.

    Returns
    -------
    list of dict
        With `result`, `step`, `name`, `unit`, `mtus`, `start`, `value`, `lower`, `upper`,
        `interval`, `at_bound` and `certainty`, all of them text.
    """
    return [_parameter_row(result, one) for result in results for one in result.parameters]


def _parameter_row(result: SavedResult, one: SavedParameter) -> dict[str, Any]:
    interval = NONE
    if one.interval is not None:
        interval = f"{number(one.interval[0])} to {number(one.interval[1])}"
    is_known = one in result.last_parameters and result.summary["identifiability"] is not None
    return {
        "result": result.label,
        "step": str(one.step + 1),
        "name": one.name,
        "unit": PARAMETERS[one.name].unit,
        "mtus": ", ".join(one.mtus),
        "start": number(one.start),
        "value": number(one.value),
        "lower": number(one.lower),
        "upper": number(one.upper),
        "interval": interval,
        "at_bound": one.at_bound or NONE,
        "certainty": certainty_class(one) if is_known else NONE,
    }


def direction_sentences(result: SavedResult) -> list[str]:
    """Say which combinations of parameters the data leave open.

    Parameters
    ----------
    result : SavedResult
        The result.

    Returns
    -------
    list of str
        The most open first; what swapping c1 and c2 leaves as it is, in one sentence.
    """
    found = result.summary["identifiability"]
    directions = [] if found is None else [one["loadings"] for one in found["directions"]]
    swaps = [loadings for loadings in directions if _is_swap(loadings)]
    others = [loadings for loadings in directions if not _is_swap(loadings)]
    sentences = []
    if swaps:
        mtus = ", ".join(" + ".join(loadings[0]["mtus"]) for loadings in swaps)
        sentences.append(
            f"c1 against c2 of {mtus}: the activation filter depends on their sum and product, so "
            "one may go up a little as the other goes down."
        )
    sentences += [f"{_in_words(loadings)}." for loadings in others[:_MOST_DIRECTIONS]]
    if len(others) > _MOST_DIRECTIONS:
        rest = len(others) - _MOST_DIRECTIONS
        sentences.append(f"And {rest} more, which result.json lists.")
    return sentences


def _is_swap(loadings: Sequence[Mapping[str, Any]]) -> bool:
    return {one["name"] for one in loadings} == {"c1", "c2"} and len(loadings) == 2


def _in_words(loadings: Sequence[Mapping[str, Any]]) -> str:
    def part(one: Mapping[str, Any]) -> str:
        direction = "up" if one["loading"] > 0.0 else "down"
        mtus = " + ".join(one["mtus"][:3]) + (" + ..." if len(one["mtus"]) > 3 else "")
        return f"{one['name']} of {mtus} {direction} ({100 * abs(one['loading']):.0f} %)"

    first, *rest = (part(one) for one in loadings)
    return f"{first} while {', '.join(rest)}" if rest else f"{first}, alone"


def finding_rows(result: SavedResult) -> list[dict[str, str]]:
    """Return what a check of the input found before the calibration.

    Parameters
    ----------
    result : SavedResult
        The result.

    Returns
    -------
    list of dict
        With `severity`, `code`, `where`, `what`, `why` and `to_do`, all of them text; the most
        severe first.
    """
    rows = []
    for finding in result.summary.get("findings") or []:
        place = dict(finding["where"])
        if place["file"] is not None:
            place["file"] = Path(place["file"])
        rows.append({**finding, "where": str(Place(**place))})
    return rows


def provenance_rows(results: Sequence[SavedResult]) -> list[tuple[str, list[str]]]:
    """Return what was run, how, and with what, one column per result.

    Parameters
    ----------
    results : sequence of SavedResult
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


def _provenance(result: SavedResult) -> Iterator[tuple[str, str]]:
    summary = result.summary
    yield "command", summary["command"] or NONE
    yield "folder", result.directory.name or str(result.directory)
    yield "method", f"{summary['method']}, {summary['engine']} engine on {summary['device']}"
    tendon = summary["tendon"]
    yield "tendon", f"{tendon['used']} (the file asked for {tendon['requested']})"
    yield "curves", summary["curves"]["source"]
    yield "seed", str(summary["seed"])
    yield "iterations", f"{summary['iterations']} ({summary['evaluations']} evaluations)"
    yield "time inside the optimiser [s]", number(summary["seconds"], ".3g")
    yield "objective", f"{summary['objective']:.6g} {_unit(result)}"
    for name, value in summary["terms"].items():
        yield f"term {name}", f"{value:.6g} {_unit(result)}"
    for name, value in summary["options"].items():
        yield f"option {name}", str(value)
    for i, step in enumerate(summary["steps"], 1):
        yield f"step {i}: DOFs", ", ".join(step["dofs"])
        for name, value in step["objective_options"].items():
            yield f"step {i}: {name}", _plain(value)
    for name, text in summary["versions"].items():
        yield f"version of {name}", text


def _unit(result: SavedResult) -> str:
    return "" if result.history.unit == "-" else result.history.unit


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(one)}" for name, one in value.items())
    if isinstance(value, (list, tuple)):  # a range of numbers, or groups of names
        is_range = all(isinstance(one, (int, float)) for one in value)
        return " to ".join(map(str, value)) if is_range else "; ".join(map(" ".join, value))
    return str(value)
