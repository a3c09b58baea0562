"""A calibration in words: how good, how sure, what is doubtful, what to do next."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ceinms_torch.calibration.result import STATUS_SENTENCES
from ceinms_torch.model.objective import Objective, preferences
from ceinms_torch.model.synergy_hybrid import SynergyHybrid
from ceinms_torch.results.saved import SavedResult, SavedTrial

# What a coefficient of determination is called here. There is no agreement in the field; a report
# that shows the words shows these limits beside them.
R2_WORDS = ((0.9, "closely"), (0.75, "well"), (0.5, "roughly"), (0.0, "poorly"))
# A DOF is over-fitted when its errors on unseen trials are so many times those on its own, unless
# they are small all the same, or when R² is so much lower.
OVERFIT_RATIO = 1.5
OVERFIT_R2 = 0.2
# More than this share of all parameters at bounds asks for another look at ranges or data.
MANY_AT_BOUNDS = 0.2
# A penalty of more than this share of the objective holds the fit back.
LARGE_PENALTY = 0.05
# Objectives of several starts that differ by less than this, relative, are the same minimum.
SAME_MINIMUM = 0.01
FIBRE_RANGE = (0.5, 1.5)  # of normalised fibre lengths, where the curves are trusted [-]

Level = Literal["good", "note", "warning"]


@dataclass(frozen=True, kw_only=True)
class Point:
    """One thing to know about a calibration.

    Parameters
    ----------
    level : {"good", "note", "warning"}
        How it bears on the result.
    text : str
        What it is, with its numbers.
    advice : str
        What to do about it; "" if nothing.
    """

    level: Level
    text: str
    advice: str = ""


@dataclass(frozen=True, kw_only=True)
class DofFit:
    """How well the moments of a DOF are predicted, on average over trials of one kind.

    Parameters
    ----------
    dof : str
        The DOF.
    n_trial : int
        Number of trials; 0 without any, all figures then NaN.
    rmse : float
        Mean root mean square error [N m].
    r2, worst_r2 : float
        Mean and lowest coefficient of determination [-].
    """

    dof: str
    n_trial: int
    rmse: float
    r2: float
    worst_r2: float


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A calibration in words.

    Parameters
    ----------
    label : str
        Which one.
    headline : str
        The answer in one sentence.
    points : tuple of Point
        What to know, in order of weight.
    """

    label: str
    headline: str
    points: tuple[Point, ...]

    @property
    def advice(self) -> tuple[str, ...]:
        """What to do next, each once."""
        return tuple(dict.fromkeys(point.advice for point in self.points if point.advice))


def summarise(result: SavedResult) -> Summary:
    """Say in words what a calibration reached.

    Parameters
    ----------
    result : SavedResult
        The calibration.

    Returns
    -------
    Summary
    """
    return Summary(
        label=result.label,
        headline=_headline(result),
        points=(
            *_fit_points(result),
            *_status_points(result),
            *_bound_points(result),
            *_identifiability_points(result),
            *_penalty_points(result),
            *_preference_points(result),
            *_fibre_points(result),
            *_start_points(result),
            *_input_points(result),
        ),
    )


def dof_fits(result: SavedResult, trials: Sequence[SavedTrial]) -> list[DofFit]:
    """Return how well every DOF is predicted, on average over trials.

    Parameters
    ----------
    result : SavedResult
        The calibration.
    trials : sequence of SavedTrial
        Some of its trials.

    Returns
    -------
    list of DofFit
        Trials with a constant moment have no R² and do not count for it.
    """
    fits = []
    for dof in result.dofs:
        r2 = [trial.fit[dof].r2 for trial in trials if math.isfinite(trial.fit[dof].r2)]
        rmse = [trial.fit[dof].rmse for trial in trials]
        fits.append(
            DofFit(
                dof=dof,
                n_trial=len(trials),
                rmse=float(np.mean(rmse)) if rmse else math.nan,
                r2=float(np.mean(r2)) if r2 else math.nan,
                worst_r2=min(r2, default=math.nan),
            )
        )
    return fits


def r2_word(r2: float) -> str:
    """Return how a coefficient of determination is put in words."""
    if math.isnan(r2):
        return "against a constant"
    return next((word for limit, word in R2_WORDS if r2 >= limit), "worse than by their mean")


def plural(n: int, what: str) -> str:
    """Return a number with its noun, such as "1 trial" and "2 trials"."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _headline(result: SavedResult) -> str:
    trials, kind = (result.unseen, "unseen") if result.unseen else (result.own, "its own")
    fits = dof_fits(result, trials)
    by_word: dict[str, list[str]] = {}
    for fit in sorted(fits, key=lambda fit: math.inf if math.isnan(fit.r2) else -fit.r2):
        by_word.setdefault(r2_word(fit.r2), []).append(fit.dof)
    words = "; ".join(f"{', '.join(dofs)} {word}" for word, dofs in by_word.items())
    sentence = f"On {plural(len(trials), f'{kind} trial')}, moments are predicted: {words}."
    if not result.unseen:
        sentence += " How good predictions of other trials are is not known."
    return sentence


# ---- Fit --------------------------------------------------------------------------------


def _fit_points(result: SavedResult) -> Iterator[Point]:
    own = dof_fits(result, result.own)
    unseen = dof_fits(result, result.unseen)
    for mine, other in zip(own, unseen, strict=True):
        judged = other if result.unseen else mine
        text = f"{mine.dof}: on its own trials {_figures(mine)}"
        if result.unseen:
            text += f"; on unseen trials {_figures(other)}"
        yield Point(level=_level(judged.r2), text=f"{text}.", advice=_fit_advice(judged))
        if result.unseen:
            yield from _overfit_points(mine, other)
    if not result.unseen:
        yield Point(
            level="warning",
            text="No unseen trial was tested: a fit of the trials calibrated on says little about "
            "others.",
            advice="Calibrate again with --test and trials that are not calibrated on.",
        )
    yield from _repeated_points(result)


def _figures(fit: DofFit) -> str:
    r2 = f"R² {fit.r2:.2f} (lowest {fit.worst_r2:.2f})"
    return f"RMSE {fit.rmse:.3g} N m, {'no R²' if math.isnan(fit.r2) else r2}"


def _level(r2: float) -> Level:
    if r2 >= 0.75:
        return "good"
    return "note" if r2 >= 0.5 or math.isnan(r2) else "warning"


def _fit_advice(fit: DofFit) -> str:
    if fit.r2 >= 0.0 or math.isnan(fit.r2):
        return ""
    return (
        f"{fit.dof}: R² below zero means that the mean of the measured moment would be the better "
        "prediction. Do not use it before the cause is found: sign and unit of moments and moment "
        "arms, EMG that belongs to the MTUs of this DOF, MTUs that are missing."
    )


def _overfit_points(own: DofFit, unseen: DofFit) -> Iterator[Point]:
    is_worse = unseen.rmse > OVERFIT_RATIO * own.rmse and not unseen.r2 >= R2_WORDS[0][0]
    if is_worse or unseen.r2 < own.r2 - OVERFIT_R2:
        yield Point(
            level="warning",
            text=f"{own.dof} is over-fitted: RMSE goes from {own.rmse:.3g} to {unseen.rmse:.3g} "
            f"N m and R² from {own.r2:.2f} to {unseen.r2:.2f} on unseen trials.",
            advice="Calibrate on more and on more varied trials, or fewer parameters: muscleGroups "
            "and global instead of single.",
        )


def _repeated_points(result: SavedResult) -> Iterator[Point]:
    n = len(result.trials) - len(result.own) - len(result.unseen)
    if n:
        yield Point(
            level="note",
            text=f"{plural(n, 'trial')} of --test {'was' if n == 1 else 'were'} calibrated on and "
            "left out of the unseen ones.",
        )


# ---- Optimiser and parameters -----------------------------------------------------------


def _status_points(result: SavedResult) -> Iterator[Point]:
    status = result.summary["status"]
    if status.startswith("converged"):
        yield Point(level="good", text=STATUS_SENTENCES[status])
        return
    advice = {
        "max_iterations": "Allow more iterations with --max-iterations, or take --method lm.",
        "interrupted": "Let the calibration run to its end before using its parameters.",
    }
    yield Point(
        level="warning",
        text=STATUS_SENTENCES.get(status, status),
        advice=advice.get(status, "Check the ranges of the parameters and the input."),
    )


def _bound_points(result: SavedResult) -> Iterator[Point]:
    hits = [one for one in result.parameters if one.at_bound]
    n_all = len(result.parameters)
    if not hits:
        yield Point(level="good", text=f"None of {n_all} parameters ended at a bound of its range.")
        return
    many = len(hits) > MANY_AT_BOUNDS * n_all
    yield Point(
        level="warning" if many else "note",
        text=f"{len(hits)} of {plural(n_all, 'parameter')} ended at a bound of their range "
        f"({100 * len(hits) / n_all:.0f} %).",
        advice="Many parameters at bounds say that ranges are too narrow, or that lengths, moment "
        "arms, EMG or maximum forces do not suit the subject: check scaling and EMG normalisation "
        "before widening ranges."
        if many
        else "",
    )


def _identifiability_points(result: SavedResult) -> Iterator[Point]:
    found = result.summary["identifiability"]
    if found is None:
        yield Point(
            level="note",
            text="Whether the data determine the parameters is not known: annealing has no "
            "derivatives.",
            advice="Calibrate with --method lm to see which parameters the data determine.",
        )
        return
    parameters = result.last_parameters
    n_known = sum(not one.reason for one in parameters)
    most = n_known > 0.5 * len(parameters)
    yield Point(
        level="good" if n_known == len(parameters) else "note" if most else "warning",
        text=f"The data determine {n_known} of {plural(len(parameters), 'parameter')}; the moments "
        f"count as {found['observations']:.0f} independent observations.",
        advice=""
        if most
        else "Do not read physiology from single parameters: most could be others with the same "
        "moments. More trials at other speeds and joint angles, or values shared between MTUs, "
        "determine more.",
    )


def _penalty_points(result: SavedResult) -> Iterator[Point]:
    objective = result.summary["objective"]
    for name in ("fibre_length", "tendon_strain"):  # other terms than moments may be large
        value = result.summary["terms"].get(name, 0.0)
        if objective > 0.0 and value > LARGE_PENALTY * objective:
            yield Point(
                level="warning",
                text=f"The penalty {name} is {100 * value / objective:.0f} % of the objective.",
                advice="A large penalty says that the fit needs fibres or tendons where they do "
                "not work: check MTU lengths, and the ranges of optimalFibreLength and "
                "tendonSlackLength.",
            )


def _preference_points(result: SavedResult) -> Iterator[Point]:
    objective, terms = result.summary["objective"], result.summary["terms"]
    names = (*preferences(Objective), *preferences(SynergyHybrid))
    shares = {name: terms[name] / objective for name in names if terms.get(name, 0.0) > 0.0}
    if shares:
        listing = ", ".join(f"{name} {100 * share:.2g} %" for name, share in shares.items())
        yield Point(
            level="note",
            text=f"Parameters were chosen by preferences, too ({listing} of the objective).",
            advice="Calibrate without them to see what the data say alone; standard errors are "
            "those of the data.",
        )


def _fibre_points(result: SavedResult) -> Iterator[Point]:
    low, high = FIBRE_RANGE
    outside = []
    for mtu in result.mtus:
        values = [trial.norm_fibre_length[mtu] for trial in result.trials]
        ends = min(map(np.min, values)), max(map(np.max, values))
        if ends[0] < low or ends[1] > high:
            outside.append(f"{mtu} ({ends[0]:.2f} to {ends[1]:.2f})")
    if outside:
        yield Point(
            level="note",
            text=f"Fibres leave {low} to {high} optimal lengths: {', '.join(outside)}.",
        )


def _start_points(result: SavedResult) -> Iterator[Point]:
    starts = [
        one["objective"]
        for one in result.summary["steps"][-1]["starts"]
        if one["finished"] and one["objective"] is not None
    ]
    if len(starts) < 2:
        return
    best = min(starts)
    n_same = sum(value <= best * (1.0 + SAME_MINIMUM) for value in starts)
    yield Point(
        level="good" if n_same == len(starts) else "note",
        text=f"{n_same} of {len(starts)} starts that were followed to the end reached the best "
        f"objective within {100 * SAME_MINIMUM:.0f} %; the worst is {max(starts):.4g}, the best "
        f"{best:.4g}.",
    )


def _input_points(result: SavedResult) -> Iterator[Point]:
    findings = result.summary.get("findings") or []
    doubtful = [one for one in findings if one.get("severity") in {"error", "warning"}]
    n = len(doubtful) or len(result.summary["warnings"])
    if n:
        yield Point(
            level="note",
            text=f"{plural(n, 'thing')} in the input {'is' if n == 1 else 'are'} doubtful.",
            advice="Read what is doubtful in the input before anything else.",
        )
