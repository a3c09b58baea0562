"""Figures: their axes say what is drawn in which unit, and their lines are the data."""

import dataclasses
import re

import numpy as np
import pytest
from matplotlib.figure import Figure

import ceinms_torch as ct
from ceinms_torch.errors import DataError
from ceinms_torch.plots.narrow import MOST_POINTS, thinned
from helpers import DOF_NAMES, MTU_NAMES, around

UNIT = re.compile(r"\[[^\]]+\]")


@pytest.fixture(scope="module")
def one(saved_folder):
    return ct.load_results([saved_folder])


@pytest.fixture(scope="module")
def two(saved_folder, annealed_folder):
    return ct.load_results([saved_folder, annealed_folder])


FIGURES = {
    "moment bands": lambda results: ct.plots.plot_moment_bands(results, "ankle_angle_r"),
    "moments": lambda results: ct.plots.plot_moments(results, "trial1"),
    "parameters": lambda results: ct.plots.plot_parameters(results, "tendonSlackLength"),
    "operating ranges": ct.plots.plot_operating_ranges,
    "tendon strains": ct.plots.plot_tendon_strains,
    "forces": lambda results: ct.plots.plot_forces(results, "trial1"),
    "activations": lambda results: ct.plots.plot_activations(results, "trial1"),
    "iterations": ct.plots.plot_history,
    "seconds": lambda results: ct.plots.plot_history(results, "seconds"),
    "certainty": lambda results: ct.plots.plot_certainty(results[0]),
    "singular values": lambda results: ct.plots.plot_singular_values(results[:1]),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figure_names_its_quantities_and_units(name, two):
    figure = FIGURES[name](two)
    assert isinstance(figure, Figure)
    labels = [axes.get_xlabel() for axes in figure.axes] + [figure.get_supxlabel()]
    assert any(UNIT.search(text) or "Iteration" in text or "Direction" in text for text in labels)
    labels = [axes.get_ylabel() for axes in figure.axes] + [figure.get_supylabel()]
    rows = [text.get_text() for axes in figure.axes for text in axes.get_yticklabels()]
    assert any(map(UNIT.search, labels)) or any(len(text) > 1 for text in rows)
    figure.draw_without_rendering()  # without a warning


def lines(figure, label):
    """Return the lines with a label, one for every axes that has it."""
    return [line for axes in figure.axes for line in axes.lines if line.get_label() == label]


def test_moments_are_those_of_the_trial(one):
    trial = one[0].trials[1]
    figure = ct.plots.plot_moments(one, trial.name)
    for label, series in (
        ("measured", trial.measured_moment),
        ("predicted", trial.simulation.joint_moment),
    ):
        for line, dof in zip(lines(figure, label), DOF_NAMES, strict=True):
            np.testing.assert_array_equal(line.get_xdata(), series.time)
            np.testing.assert_array_equal(line.get_ydata(), series[dof])
    fit = trial.fit["knee_angle_r"]
    title = figure.axes[0].get_title(loc="left")
    assert title == f"knee_angle_r: RMSE {fit.rmse:.3g} N m, R² {fit.r2:.2f}"


def test_bands_are_drawn_and_named_beside_their_curves(one):
    """Of the results, one has bands, of one trial; nothing is drawn where there are none."""
    result = one[0]
    trial = result.trials[0]

    found = around(result, [trial])
    (bands,) = found.trials
    known = dataclasses.replace(result, uncertainty=found, label="known")
    for plot, name in (
        (ct.plots.plot_forces, "mtu_force"),
        (ct.plots.plot_moments, "joint_moment"),
    ):
        figure = plot([known], trial.name)
        assert "90 % band" in [one.get_text() for one in figure.legends[0].get_texts()]
        for axes, column in zip(figure.axes, getattr(bands, name).lower, strict=True):
            (area,) = axes.collections
            ys = area.get_paths()[0].vertices[:, 1]
            series = getattr(trial.simulation, name)[column]
            assert ys.min() == series.min() - 3.0
            assert ys.max() == series.max() + 5.0
        both = plot([known, dataclasses.replace(result, label="other")], trial.name)
        texts = [one.get_text() for one in both.legends[0].get_texts()]
        assert "90 % band, known" in texts
        assert "90 % band, other" not in texts
        without = plot([known], result.trials[1].name)
        assert not any(axes.collections for axes in without.axes)


def test_band_is_the_mean_and_one_standard_deviation(one):
    result = one[0]
    figure = ct.plots.plot_moment_bands(one, "knee_angle_r")
    (axes,) = figure.axes  # trial1 to trial3 are of one kind
    # All trials are 30 frames long and equally spaced, so every percent lies between two frames.
    percent = np.linspace(0.0, 100.0, 101)
    frames = np.linspace(0.0, 100.0, 30)
    moments = np.array(
        [
            np.interp(percent, frames, trial.simulation.joint_moment["knee_angle_r"])
            for trial in result.trials
        ]
    )
    (line,) = lines(figure, "predicted, calibration trials")
    np.testing.assert_allclose(line.get_ydata(), moments.mean(axis=0), rtol=0, atol=1e-9)
    measured, predicted = axes.collections  # one test trial has no spread
    top = predicted.get_paths()[0].vertices[:, 1].max()
    spread = moments.std(axis=0, ddof=1)
    assert top == pytest.approx((moments.mean(axis=0) + spread).max(), abs=1e-9)
    assert measured.get_facecolor()[0].tolist() != predicted.get_facecolor()[0].tolist()


def test_parameters_are_drawn_in_shares_of_their_range(one):
    figure = ct.plots.plot_parameters(one, "tendonSlackLength")
    (axes,) = figure.axes
    marks = [line for line in axes.lines if line.get_marker() in {"o", "<", ">"}]
    values = [line.get_xdata()[0] for line in marks]
    chosen = [p for p in one[0].parameters if p.name == "tendonSlackLength"]
    expected = [100 * (p.value - p.lower) / (p.upper - p.lower) for p in chosen]
    assert values == pytest.approx(expected)
    bounds = {"lower": "<", "upper": ">", "": "o"}
    assert [line.get_marker() for line in marks] == [bounds[p.at_bound] for p in chosen]


def test_ranges_hold_every_length_of_every_trial(one):
    figure = ct.plots.plot_operating_ranges(one)
    axes = figure.axes[1]
    drawn = np.concatenate([np.atleast_1d(line.get_xdata()) for line in axes.lines])
    lengths = np.concatenate(
        [trial.simulation.norm_fibre_length.array for trial in (*one[0].trials, *one[0].tests)]
    )
    assert drawn.min() == lengths.min()
    assert drawn.max() == lengths.max()
    assert [text.get_text() for text in axes.get_yticklabels()] == list(MTU_NAMES)


def test_curves_are_those_of_the_subject(one):
    figure = ct.plots.plot_operating_ranges(one)
    (active,) = lines(figure, "active")
    # The tiny subject has the curves of the CEINMS manual, which reach 0.993333 at 1.045.
    assert np.interp(1.045, active.get_xdata(), active.get_ydata()) == pytest.approx(
        0.993333,
        abs=1e-3,  # read off linearly between points 0.02 apart: 0.02² / 8 times a curvature of 10
    )


def test_certainty_counts_every_parameter(one):
    figure = ct.plots.plot_certainty(one[0])
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    assert sum(widths) == len(one[0].parameters)


def test_several_results_have_colours_of_their_own(two):
    figure = ct.plots.plot_moments(two, "trial1")
    colours = {
        label: lines(figure, label)[0].get_color()
        for label in ("gradient", "annealing", "measured")
    }
    assert len(set(colours.values())) == 3


def test_synthesised_excitation_is_said_so(one):
    from dataclasses import replace  # noqa: PLC0415

    trials = tuple(replace(trial, synthesised=("soleus_r",)) for trial in one[0].trials)
    figure = ct.plots.plot_activations([replace(one[0], trials=trials)], "trial1")
    assert len(lines(figure, "synthesised excitation")) == 1
    assert len(lines(figure, "excitation")) == len(MTU_NAMES) - 1


def test_user_settings_stay_as_they_are(one):
    import matplotlib as mpl  # noqa: PLC0415

    before = dict(mpl.rcParams)
    ct.plots.plot_history(one)
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda r: ct.plots.plot_moment_bands(r, "knee_angle"), "Did you mean 'knee_angle_r'"),
        (
            lambda r: ct.plots.plot_moments(r, "walk"),
            r"name of a trial, got 'walk'\. There are trial1",
        ),
        (lambda r: ct.plots.plot_activations(r, "trial9"), "Did you mean 'trial3'"),
        (
            lambda r: ct.plots.plot_parameters(r, "damping"),
            r"a parameter, got 'damping'\. There are c1",
        ),
    ],
)
def test_unknown_names(one, draw, message):
    with pytest.raises(DataError, match=message):
        draw(one)


def test_annealing_cannot_say_what_is_identifiable(two):
    with pytest.raises(DataError, match="annealing: expected a calibration by gradient"):
        ct.plots.plot_certainty(two[1])


@pytest.mark.parametrize("n", [1, 2, MOST_POINTS, MOST_POINTS + 1, 5000])
def test_lines_keep_their_ends(n):
    kept = thinned(n)
    assert (kept[0], kept[-1]) == (0, n - 1)
    assert len(kept) == min(n, MOST_POINTS)
