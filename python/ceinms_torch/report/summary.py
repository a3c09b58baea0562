"""A calibration in words: how good, how sure, what is doubtful, what to do next."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ceinms_torch.calibration.result import CalibrationResult
from ceinms_torch.model.activation_delay import LONGEST_ACTIVATION_DELAY, is_plausible_delay
from ceinms_torch.optimisers.minimum import STATUS_SENTENCES
from ceinms_torch.plan.objective import Objective, preferences
from ceinms_torch.plan.synergy_hybrid import SynergyHybrid
from ceinms_torch.simulation.fit import MomentFit, mean_fit
from ceinms_torch.simulation.trial_result import TrialResult, fit_of
from ceinms_torch.synergies.result import HybridResult, mean_rmse

# What a coefficient of determination is called here. There is no agreement in the field; a report
# that shows the words shows these limits beside them.
R2_WORDS = ((0.9, "closely"), (0.75, "well"), (0.5, "roughly"), (0.0, "poorly"))
# A DOF is over-fitted when its errors on test trials are so many times those on calibration trials,
# unless they are small all the same, or when R² is so much lower.
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


def summarise(result: CalibrationResult) -> Summary:
    """Say in words what a calibration reached.

    Parameters
    ----------
    result : CalibrationResult
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
            *delay_points(result),
            *quantity_points(result),
            *identifiability_points(result),
            *band_points(result),
            *_penalty_points(result),
            *_preference_points(result),
            *_fibre_points(result),
            *start_points(result),
            *_hybrid_points(result),
            *_input_points(result),
        ),
    )


def r2_word(r2: float) -> str:
    """Return how a coefficient of determination is put in words."""
    if math.isnan(r2):
        return "against a constant"
    return next((word for limit, word in R2_WORDS if r2 >= limit), "worse than by their mean")


def plural(n: int, what: str) -> str:
    """Return a number with its noun, such as "1 trial" and "2 trials"."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _headline(result: CalibrationResult) -> str:
    trials = result.new_tests or result.trials
    kind = "test" if result.new_tests else "calibration"
    fits = mean_fit(fit_of(trials)).items()
    by_word: dict[str, list[str]] = {}
    for dof, fit in sorted(fits, key=lambda one: math.inf if math.isnan(one[1].r2) else -one[1].r2):
        by_word.setdefault(r2_word(fit.r2), []).append(dof)
    words = "; ".join(f"{', '.join(dofs)} {word}" for word, dofs in by_word.items())
    sentence = f"On {plural(len(trials), f'{kind} trial')}, moments are predicted: {words}."
    if not result.new_tests:
        sentence += " How good predictions of other trials are is not known."
    return sentence


# ---- Fit --------------------------------------------------------------------------------


def _fit_points(result: CalibrationResult) -> Iterator[Point]:
    calibrated, tested = mean_fit(result.fit), mean_fit(fit_of(result.new_tests))
    for dof, one in calibrated.items():
        other = tested.get(dof)
        judged = one if other is None else other
        text = f"{dof}: on calibration trials {_figures(one, dof, result.trials)}"
        if other is not None:
            text += f"; on test trials {_figures(other, dof, result.new_tests)}"
        yield Point(level=_level(judged.r2), text=f"{text}.", advice=_fit_advice(dof, judged))
        if other is not None:
            yield from _overfit_points(dof, one, other)
    if not result.new_tests:
        yield Point(
            level="warning",
            text="There is no test trial: how well calibration trials fit says little about "
            "others.",
            advice="Calibrate again with --test and trials that are not calibration trials.",
        )
    yield from _repeated_points(result)


def _figures(mean: MomentFit, dof: str, trials: Sequence[TrialResult]) -> str:
    if math.isnan(mean.r2):
        return f"RMSE {mean.rmse:.3g} N m, no R²"
    lowest = np.nanmin([trial.fit[dof].r2 for trial in trials])
    return f"RMSE {mean.rmse:.3g} N m, R² {mean.r2:.2f} (lowest {lowest:.2f})"


def _level(r2: float) -> Level:
    if r2 >= 0.75:
        return "good"
    return "note" if r2 >= 0.5 or math.isnan(r2) else "warning"


def _fit_advice(dof: str, fit: MomentFit) -> str:
    if fit.r2 >= 0.0 or math.isnan(fit.r2):
        return ""
    return (
        f"{dof}: R² below zero means that the mean of the measured moment would be the better "
        "prediction. Do not use it before the cause is found: sign and unit of moments and moment "
        "arms, EMG that belongs to the MTUs of this DOF, MTUs that are missing."
    )


def _overfit_points(dof: str, one: MomentFit, test: MomentFit) -> Iterator[Point]:
    is_worse = test.rmse > OVERFIT_RATIO * one.rmse and not test.r2 >= R2_WORDS[0][0]
    if is_worse or test.r2 < one.r2 - OVERFIT_R2:
        yield Point(
            level="warning",
            text=f"{dof} is over-fitted: RMSE goes from {one.rmse:.3g} to {test.rmse:.3g} "
            f"N m and R² from {one.r2:.2f} to {test.r2:.2f} on test trials.",
            advice="Calibrate on more and on more varied trials, or fewer parameters: muscleGroups "
            "and global instead of single.",
        )


def _repeated_points(result: CalibrationResult) -> Iterator[Point]:
    n = len(result.tests) - len(result.new_tests)
    if n:
        yield Point(
            level="note",
            text=f"{plural(n, 'trial')} of --test {'was' if n == 1 else 'were'} calibrated on and "
            "left out of the test trials.",
        )


# ---- Optimiser and parameters -----------------------------------------------------------


def _status_points(result: CalibrationResult) -> Iterator[Point]:
    status = result.status
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


def _bound_points(result: CalibrationResult) -> Iterator[Point]:
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


# What is not as the data want it where these end at a bound.
_SUSPECTS = {
    "activation delay": "a smoothed or late EMG envelope takes the place of the muscle's delay: "
    "check its filter, and the clocks of the EMG and motion files",
    "emDelay": "EMG and motion files may have clocks of their own, or the EMG filter a lag",
    "maxContractionVelocity": "check activations in fast movements, and MTU lengths for noise",
    "tendonStiffness": "tendonSlackLength may be wrong, which does nearly the same",
    "passiveStiffness": "optimalFibreLength or tendonSlackLength may be wrong, or a joint have a "
    "passive moment that is no muscle's",
    "emgGain": "the EMG may not be normalised by its largest value, or strengthCoefficient may "
    "want another range, which does nearly the same",
}


def quantity_points(result: CalibrationResult) -> Iterator[Point]:
    """Name delays, stiffnesses, velocities and gains that ended at a bound, each with its value."""
    found: dict[tuple[str, str, str], list[str]] = {}
    poles: dict[tuple[int, tuple[str, ...], str], set[str]] = {}
    for one in result.parameters:
        if not one.at_bound:
            continue
        if one.name in _SUSPECTS:
            value = f"{one.value:.3g} {one.unit}".removesuffix(" -")
            found.setdefault((one.name, one.at_bound, value), []).append(one.label)
        elif one.name in {"c1", "c2"}:
            poles.setdefault((one.step, one.mtus, one.at_bound), set()).add(one.name)
    for (_, mtus, bound), names in poles.items():
        if len(names) == 2:  # a delay is longest where both coefficients are lowest
            value = f"{result.activation_delays[mtus[0]]:.3g} ms"
            end = "upper" if bound == "lower" else "lower"
            found.setdefault(("activation delay", end, value), []).append(" + ".join(mtus))
    for (name, bound, value), labels in found.items():
        yield Point(
            level="warning",
            text=f"The {name} of {', '.join(labels)} ended at its {bound} bound, {value}.",
            advice=f"{name} at a bound: {_SUSPECTS[name]}.",
        )


def delay_points(result: CalibrationResult) -> Iterator[Point]:
    """Say by how much activation follows excitation, and whether muscles can be so late."""
    step, delays = result.time_step, result.activation_delays
    late = {name: ms for name, ms in delays.items() if ms > 1e3 * LONGEST_ACTIVATION_DELAY}
    odd = [name for name, ms in delays.items() if not is_plausible_delay(1e-3 * ms, step)]
    if not odd:
        yield Point(
            level="good",
            text=f"Activation follows excitation by {_range(delays)} ms on average (before the "
            f"calibration by {_range(result.start_activation_delays)} ms).",
        )
        return
    said = []
    if late:
        names = ", ".join(f"{n} {ms:.0f} ms" for n, ms in sorted(late.items(), key=lambda x: -x[1]))
        said.append(f"by more than {1e3 * LONGEST_ACTIVATION_DELAY:.0f} ms ({names})")
    if quick := [name for name in odd if name not in late]:
        said.append(f"by less than a sample of {1e3 * step:.3g} ms ({', '.join(quick)})")
    yield Point(
        level="warning",
        text=f"Activation follows excitation on average {' and '.join(said)}.",
        advice="Muscles take 10 to 100 ms from EMG to activation. Filters with c1 and c2 count "
        f"samples, so their ranges depend on the rate of the trials, here {1.0 / step:.4g} Hz: "
        "say activationDelay in milliseconds in place of c1 and c2.",
    )


def _range(values: Mapping[str, float]) -> str:
    return " to ".join(f"{pick(values.values()):.3g}" for pick in (min, max))


def identifiability_points(result: CalibrationResult) -> Iterator[Point]:
    """Say how many of the parameters are identifiable."""
    found = result.identifiability
    if found is None:
        yield Point(
            level="note",
            text="Which parameters are identifiable is not known: annealing, and losses of one's "
            "own, do not say it.",
            advice="Calibrate with --method lm to see which parameters are identifiable.",
        )
        return
    n_known, n_open, n_all = map(len, (found.identifiable, found.unidentifiable, found.parameters))
    most = n_known > 0.5 * n_all
    yield Point(
        level="good" if n_known == n_all else "note" if most else "warning",
        text=f"Of {plural(n_all, 'parameter')}, {n_known} are identifiable, {n_open} are not, and "
        f"{n_all - n_known - n_open} are at a bound; the moments count as {found.observations:.0f} "
        "independent observations.",
        advice=""
        if most
        else "Do not read physiology from single parameters: most could be others with the same "
        "moments. More trials at other speeds and joint angles, or values shared between MTUs, "
        "identify more.",
    )


# Terms of fibres and tendons; the annealing has one for all.
_PENALTIES = ("fibre_length", "fibre_velocity", "tendon_strain", "penalty")


def band_points(result: CalibrationResult) -> Iterator[Point]:
    """Say how wide the bands of moments and forces are.

    Parameters
    ----------
    result : CalibrationResult
        The calibration.

    Yields
    ------
    Point
        One, if there are bands.
    """
    found = result.uncertainty
    if found is None:
        return
    moments = ", ".join(
        f"{dof} {width:.3g} N m" for dof, width in found.mean_width["joint_moment"].items()
    )
    forces = sorted(found.mean_width["mtu_force"].items(), key=lambda one: -one[1])
    widest = ", ".join(f"{mtu} {width:.3g} N" for mtu, width in forces[:3])
    yield Point(
        level="note",
        text=f"{100 * found.level:g} % bands over {found.draws} parameter sets that fit alike, "
        f"from {found.minima} of {plural(found.starts, 'start')}: mean width {moments}; "
        f"widest of forces {widest}. They hold if the model is right.",
    )


def _penalty_points(result: CalibrationResult) -> Iterator[Point]:
    objective = result.objective
    for name in _PENALTIES:  # other terms than moments may be large
        value = result.terms.get(name, 0.0)
        if objective > 0.0 and value > LARGE_PENALTY * objective:
            yield Point(
                level="warning",
                text=f"The penalty {name} is {100 * value / objective:.0f} % of the objective.",
                advice="A large penalty says that the fit needs fibres or tendons where they do "
                "not work: check MTU lengths, and the ranges of optimalFibreLength and "
                "tendonSlackLength.",
            )


def _preference_points(result: CalibrationResult) -> Iterator[Point]:
    objective, terms = result.objective, result.terms
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


def uncalibrated_points(result: HybridResult) -> Iterator[Point]:
    """Say which DOFs synthesised MTUs act on although nothing tells what they do there."""
    for dof, names in result.uncalibrated.items():
        yield Point(
            level="warning",
            text=f"Synthesised MTUs ({', '.join(names)}) act about {dof}, which no step "
            "calibrates: nothing tells what they do there, and joint loads may be absurd.",
            advice=f"Calibrate {dof}, too, or leave these MTUs out of synthesise.",
        )


def _hybrid_points(result: CalibrationResult) -> Iterator[Point]:
    """Say how far synthesised excitations can be trusted."""
    if not isinstance(result, HybridResult):
        return
    yield from uncalibrated_points(result)
    tied = {tie.mtu: tie for tie in result.ties}
    free = [name for name in result.synthesised if name not in tied]
    held = "; ".join(f"{name} to {', '.join(tie.to)}" for name, tie in tied.items())
    texts = [
        f"held to recordings: {held}" if held else "",
        f"free: {', '.join(free)}" if free else "",
    ]
    yield Point(
        level="note",
        text=f"Synthesised excitations are no recordings ({'; '.join(filter(None, texts))}).",
        advice="Do not read single muscles from free ones, nor joint loads." if free else "",
    )
    pairs = ((result.emg_driven_test_fit, result.test_fit), (result.emg_driven_fit, result.fit))
    driven, fit = next((pair for pair in pairs if pair[0]), ({}, {}))
    if driven:
        before, after = mean_rmse(driven), mean_rmse(fit)
        kind = "test" if result.emg_driven_test_fit else "calibration"
        yield Point(
            level="good" if after <= before else "note",
            text=f"Moments of {kind} trials with synergies: {after:.2f} N m (mean RMSE); "
            f"EMG-driven, the same MTUs silent: {before:.2f} N m.",
            advice="" if after <= before else "Prefer the EMG-driven calibration for moments.",
        )


def _fibre_points(result: CalibrationResult) -> Iterator[Point]:
    low, high = FIBRE_RANGE
    outside = []
    for mtu in result.subject.mtu_names:
        values = [one.simulation.norm_fibre_length[mtu] for one in (*result.trials, *result.tests)]
        ends = min(map(np.min, values)), max(map(np.max, values))
        if ends[0] < low or ends[1] > high:
            outside.append(f"{mtu} ({ends[0]:.2f} to {ends[1]:.2f})")
    if outside:
        yield Point(
            level="note",
            text=f"Fibres leave {low} to {high} optimal lengths: {', '.join(outside)}.",
        )


def start_points(result: CalibrationResult) -> Iterator[Point]:
    """Say what the starts of the last step found, if there were several."""
    starts = [
        one.objective
        for one in result.steps[-1].starts
        if one.finished and math.isfinite(one.objective)
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


def _input_points(result: CalibrationResult) -> Iterator[Point]:
    findings = result.provenance.findings
    doubtful = [one for one in findings if one["severity"] in {"error", "warning"}]
    n = len(doubtful) or len(result.provenance.warnings)
    if n:
        yield Point(
            level="note",
            text=f"{plural(n, 'thing')} in the input {'is' if n == 1 else 'are'} doubtful.",
            advice="Read what is doubtful in the input before anything else.",
        )
