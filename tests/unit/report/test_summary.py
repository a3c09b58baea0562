"""The summary says what the numbers say, also when that is bad."""

from dataclasses import replace

import numpy as np
import pytest

from ceinms_torch.calibration.multi_start import StartResult
from ceinms_torch.calibration.result import Provenance
from ceinms_torch.report.summary import r2_word, summarise
from ceinms_torch.results.read import load_result
from ceinms_torch.simulation.fit import MomentFit, mean_fit
from helpers import DOF_NAMES


@pytest.fixture(scope="module")
def saved(saved_folder):
    return load_result(saved_folder)


def with_fit(saved, **r2_and_rmse):
    """Return a result whose trials of each role have this R² and RMSE of every DOF."""

    def fitted(trial):
        r2, rmse = r2_and_rmse[trial.role]
        fit = MomentFit(rmse=rmse, r2=r2, r2_correlation=0.9)
        return replace(trial, fit=dict.fromkeys(DOF_NAMES, fit))

    trials, tests = (tuple(map(fitted, some)) for some in (saved.trials, saved.tests))
    return replace(saved, trials=trials, tests=tests)


def with_step(saved, **changes):
    """Return a result whose only step ended in another way."""
    return replace(saved, steps=(replace(saved.steps[0], **changes),))


def found(result, text):
    """Return the points of a summary that hold a text."""
    return [point for point in summarise(result).points if text in point.text]


def test_fit_is_averaged_over_trials(saved):
    (dof, fit), _ = mean_fit(saved.fit).items()
    values = [trial.fit[dof] for trial in saved.trials]
    assert fit.rmse == pytest.approx(sum(one.rmse for one in values) / 2)
    assert fit.r2 == pytest.approx(sum(one.r2 for one in values) / 2)
    (point,) = found(saved, f"{dof}: on calibration trials")
    assert f"R² {fit.r2:.2f} (lowest {min(one.r2 for one in values):.2f})" in point.text


def test_what_a_trial_does_not_have_does_not_count():
    fits = [
        MomentFit(rmse=rmse, r2=r2, r2_correlation=0.5)
        for rmse, r2 in ((1.0, 0.4), (3.0, float("nan")))
    ]
    mean = mean_fit({"one": {"knee": fits[0]}, "two": {"knee": fits[1]}})["knee"]
    assert (mean.rmse, mean.r2, mean.r2_correlation) == (2.0, 0.4, 0.5)
    assert mean_fit({}) == {}


@pytest.mark.parametrize(
    ("r2", "word"),
    [
        (1.0, "closely"),
        (0.9, "closely"),
        (0.899, "well"),
        (0.6, "roughly"),
        (0.0, "poorly"),
        (-0.01, "worse than by their mean"),
        (float("nan"), "against a constant"),
    ],
)
def test_words_for_r2(r2, word):
    assert r2_word(r2) == word


def test_headline_judges_test_trials(saved):
    result = with_fit(saved, calibration=(0.99, 1.0), test=(0.4, 1.1))
    assert summarise(result).headline == (
        "On 1 test trial, moments are predicted: knee_angle_r, ankle_angle_r poorly."
    )


def test_negative_r2_is_told_and_comes_with_advice(saved):
    result = with_fit(saved, calibration=(-0.5, 20.0), test=(-0.8, 25.0))
    points = found(result, "knee_angle_r")
    assert points[0].level == "warning"
    assert "R² -0.80" in points[0].text
    assert "the mean of the measured moment would be the better prediction" in points[0].advice
    assert "worse than by their mean" in summarise(result).headline


def test_constant_moment_has_no_r2(saved):
    nan = float("nan")
    result = with_fit(saved, calibration=(nan, 2.0), test=(nan, 3.0))
    (point,) = found(result, "knee_angle_r")
    assert point.text == (
        "knee_angle_r: on calibration trials RMSE 2 N m, no R²; on test trials RMSE 3 N m, no R²."
    )
    assert "against a constant" in summarise(result).headline


@pytest.mark.parametrize(
    ("calibration", "test", "is_overfit"),
    [
        ((0.95, 5.0), (0.89, 7.0), False),
        ((0.95, 5.0), (0.89, 8.0), True),  # 1.6 times the error
        ((0.9999, 0.1), (0.99, 1.0), False),  # small all the same
        ((0.95, 5.0), (0.70, 6.0), True),  # R² falls by 0.25
        ((0.60, 9.0), (0.95, 4.0), False),
    ],
)
def test_overfitting(saved, calibration, test, is_overfit):
    points = found(with_fit(saved, calibration=calibration, test=test), "over-fitted")
    assert [point.level for point in points] == ["warning"] * len(DOF_NAMES) * is_overfit


def test_without_test_trials_nobody_knows(annealed_folder):
    summary = summarise(load_result(annealed_folder))
    assert "How good predictions of other trials are is not known." in summary.headline
    assert any("--test" in advice for advice in summary.advice)
    assert any(
        "annealing, and losses of one's own, do not say it" in point.text
        for point in summary.points
    )


@pytest.mark.parametrize(("n_hit", "level"), [(0, "good"), (1, "note"), (8, "warning")])
def test_parameters_at_bounds(saved, n_hit, level):
    x = np.full(len(saved.parameters), 0.5)
    x[:n_hit] = 1.0
    (point,) = found(with_step(saved, x=x), "ended at a bound")
    assert point.level == level
    assert (f"{n_hit} of {len(x)}" in point.text) == (n_hit > 0)


def test_identifiable_parameters_are_counted(saved):
    parameters = tuple(
        replace(one, reason="" if i < 3 else "others can make up for it")
        for i, one in enumerate(saved.identifiability.parameters)
    )
    known = replace(saved.identifiability, parameters=parameters)
    (point,) = found(replace(saved, identifiability=known), "are identifiable")
    assert f"Of {len(parameters)} parameters, 3 are identifiable" in point.text
    assert point.level == "warning"
    assert "Do not read physiology from single parameters" in point.advice


def test_large_penalty(saved):
    result = with_step(
        saved, objective=10.0, terms={"moment": 6.0, "fibre_length": 3.6, "tendon_strain": 0.4}
    )
    (point,) = found(result, "penalty")
    assert point.text == "The penalty fibre_length is 36 % of the objective."


def test_other_terms_are_no_penalties(saved):
    """Synergies are paid for in terms of their own, with fibres and tendons as they should be."""
    result = with_step(
        saved, objective=10.0, terms={"moment": 1.0, "fibre_length": 0.0, "synthesised": 9.0}
    )
    assert found(result, "penalty") == []


def test_preferences_are_named(saved):
    assert found(saved, "preferences") == []
    terms = {"moment": 8.0, "fibre_length": 0.0, "peak_force": 0.5, "parameter_prior": 1.5}
    (point,) = found(with_step(saved, objective=10.0, terms=terms), "preferences")
    assert point.text == (
        "Parameters were chosen by preferences, too (peak_force 5 %, parameter_prior 15 % of the "
        "objective)."
    )


@pytest.mark.parametrize(
    ("status", "level"),
    [("converged_step", "good"), ("max_iterations", "warning"), ("not_finite", "warning")],
)
def test_status(saved, status, level):
    result = with_step(saved, status=status)
    points = [p for p in summarise(result).points if p.text.startswith(("Converged", "Stopped"))]
    assert [point.level for point in points] == [level]


def test_fibres_outside_the_range_are_named(saved):
    trial = saved.trials[0]
    array = trial.simulation.norm_fibre_length.array.copy()
    array[3, 0] = 1.8
    series = replace(trial.simulation.norm_fibre_length, array=array)
    changed = replace(trial, simulation=replace(trial.simulation, norm_fibre_length=series))
    result = replace(saved, trials=(changed, *saved.trials[1:]))
    (point,) = found(result, "Fibres leave 0.5 to 1.5")
    assert "soleus_r (" in point.text
    assert "to 1.80)" in point.text


def test_starts_that_found_other_minima(saved):
    starts = tuple(
        StartResult(objective=end, iterations=5, status="converged", finished=end < 9.0)
        for end in (3.0, 3.01, 4.5, 10.0)
    )
    (point,) = found(with_step(saved, starts=starts), "starts")
    assert point.text.startswith("2 of 3 starts that were followed to the end reached the best")
    assert "the worst is 4.5, the best 3" in point.text


def test_findings_and_warnings_are_counted(saved):
    def told(**provenance):
        return found(replace(saved, provenance=Provenance(**provenance)), "doubtful")

    severities = ("error", "warning", "note")
    (point,) = told(findings=tuple({"severity": one} for one in severities))
    assert point.text == "2 things in the input are doubtful."
    (point,) = told(warnings=("odd",))
    assert point.text == "1 thing in the input is doubtful."
    assert not told()


@pytest.mark.parametrize(
    ("c", "level", "text"),
    [
        (-0.95, "warning", "by more than 100 ms (soleus_r 380 ms, gasmed_r 380 ms"),
        (-0.05, "warning", "by less than a sample of 10 ms (soleus_r, gasmed_r"),
        (-0.6, "good", "by 30 to 30 ms"),
    ],
)
def test_late_and_immediate_activation(saved, c, level, text):
    """At 100 Hz."""
    mtus = tuple(replace(mtu, c1=c, c2=c) for mtu in saved.subject.mtus)
    (point,) = found(
        replace(saved, subject=replace(saved.subject, mtus=mtus)), "follows excitation"
    )
    assert point.level == level
    assert text in point.text
