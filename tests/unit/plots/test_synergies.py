"""Figures of synergies show what they are given."""

import numpy as np
import pytest

from ceinms_torch.plots.synergies import (
    number_figure,
    reliability_figure,
    synergies_figure,
)
from ceinms_torch.synergies.extraction import extract_from_trials
from ceinms_torch.synergies.number import choose_n_synergies
from ceinms_torch.synergies.reliability import reliability
from synergy_cases import CHANNELS, recordings


@pytest.fixture(scope="module")
def trials():
    return recordings()


@pytest.fixture(scope="module")
def own(trials):
    return extract_from_trials(trials, 3, shared=False, replicates=1)


def lines_of(axes):
    return {line.get_label(): line.get_ydata() for line in axes.get_lines()}


def test_synergies_and_what_they_make_of_a_trial(trials, own):
    figure = synergies_figure(trials, own, "walk1")
    titles = {axes.get_title().split(",")[0]: axes for axes in figure.axes}
    assert set(CHANNELS) < set(titles)
    lines = lines_of(titles["gas"])
    np.testing.assert_array_equal(lines["recorded"], trials[1].excitation[:, 2])
    np.testing.assert_array_equal(lines["from synergies"], own["walk1"].reconstruction[:, 2])
    bars = [axes for axes in figure.axes if axes.get_ylabel() == "Synergy 2"]
    heights = [bar.get_height() for bar in bars[0].patches]
    mean = np.mean([one.weightings[:, 1] for one in own.values()], axis=0)
    np.testing.assert_allclose(heights, mean)


def test_panels_of_numbers_are_those_that_are_known(trials):
    alone = choose_n_synergies(trials[:1], numbers=[1, 2, 3], replicates=1)
    assert len(number_figure(alone).axes) == 1
    scored = choose_n_synergies(trials, numbers=[2, 3], score=lambda n: [1.0, n, 2.0], replicates=1)
    figure = number_figure(scored, recorded_moment_error=1.5)
    assert [axes.get_title() for axes in figure.axes][-1] == "rule 'moments': 2 (taken)"
    assert len(figure.axes) == 3


def test_reliability_shows_every_pair(own):
    found = reliability(list(own.values()), own["walk0"])
    figure = reliability_figure(found)
    dots = [line for line in figure.axes[-2].get_lines() if line.get_marker() == "."]
    assert [len(line.get_ydata()) for line in dots] == [3, 3, 3]
    np.testing.assert_array_equal(dots[1].get_ydata(), found.weighting_similarity[:, 1])
