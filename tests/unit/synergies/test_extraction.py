"""Extraction of synergies: known truth, conventions, messages."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ceinms_torch.errors import DataError, OptionError
from ceinms_torch.synergies.extraction import (
    extract_from_trials,
    extract_synergies,
    total_vaf,
)
from ceinms_torch.synergies.reliability import match_synergies, reliability
from ceinms_torch.synergies.vaf import vaf, vaf_by_channel
from synergy_cases import CHANNELS, WEIGHTINGS, planted, primitives, recordings


def test_planted_synergies_come_back():
    found = extract_synergies(planted(), 3, names=CHANNELS)
    # The order is that of the centres of activity, which are planted in that order; multiplicative
    # updates approach the truth slowly where it is zero, hence the tolerances.
    assert found.vaf > 0.9999
    np.testing.assert_allclose(found.weightings, WEIGHTINGS, atol=0.02)
    np.testing.assert_allclose(found.primitives, primitives(90), atol=0.02)
    assert found.names == CHANNELS
    assert found.vaf == pytest.approx(vaf(planted(), found.reconstruction), abs=1e-12)
    np.testing.assert_allclose(
        found.vaf_by_muscle, vaf_by_channel(planted(), found.reconstruction), atol=1e-12
    )


@st.composite
def excitations(draw):
    n_muscle = draw(st.integers(2, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    return rng.uniform(0.0, 1.0, (25, n_muscle)) ** draw(st.sampled_from([1.0, 3.0]))


@given(excitations(), st.integers(0, 100))
@settings(max_examples=10)
def test_factors_keep_their_conventions_and_more_synergies_explain_more(data, seed):
    before = None
    for number in range(1, data.shape[1] + 1):
        found = extract_synergies(data, number, replicates=3, seed=seed, start_from=before)
        assert found.primitives.min() >= 0.0
        assert found.weightings.min() >= 0.0
        np.testing.assert_allclose(found.primitives.max(axis=1), 1.0, atol=1e-12)
        centres = found.primitives @ np.linspace(0.0, 1.0, 25) / found.primitives.sum(axis=1)
        assert (np.diff(centres) >= 0.0).all()
        # A thousandth of a random synergy is added to the solution before; updates never climb.
        assert before is None or found.vaf >= before.vaf - 1e-6
        before = found


def test_result_depends_on_the_seed_alone():
    data = np.random.default_rng(0).uniform(0.0, 1.0, (40, 6))
    one, same, other = (extract_synergies(data, 3, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.primitives, same.primitives)
    assert one.replicate_vaf != other.replicate_vaf
    assert len(one.replicate_vaf) == 20


def test_scale_of_excitations_goes_into_the_weightings():
    one, half = (extract_synergies(scale * planted(), 3) for scale in (1.0, 0.5))
    np.testing.assert_allclose(half.weightings, 0.5 * one.weightings, atol=0.01)
    np.testing.assert_allclose(half.primitives, one.primitives, atol=0.02)


@pytest.mark.parametrize("shared", [True, False])
def test_trials_share_weightings_or_have_their_own(shared):
    trials = recordings()
    found = extract_from_trials(trials, 3, shared=shared, replicates=5)
    for one in trials:
        assert found[one.name].primitives.shape == (3, len(one.time))
        assert found[one.name].vaf > 0.999
    first, last = found["walk0"], found["walk2"]
    assert (first.weightings is last.weightings) == shared
    if shared:
        np.testing.assert_allclose(first.weightings, WEIGHTINGS, atol=0.02)
        # One scale for all: trials of 0.6 times the excitation have primitives that peak at 0.6.
        np.testing.assert_allclose(last.primitives.max(axis=1), 0.6, atol=0.02)
    else:
        np.testing.assert_allclose(last.weightings, 0.6 * WEIGHTINGS, atol=0.02)
        np.testing.assert_allclose(last.primitives.max(axis=1), 1.0, atol=1e-12)
    assert total_vaf(trials, found)[0] > 0.999


def test_vaf_is_uncentred():
    constant = np.full((10, 2), 0.5)
    assert vaf(constant, constant) == 1.0
    assert vaf(constant, np.zeros_like(constant)) == 0.0
    assert vaf(constant, 0.5 * constant) == pytest.approx(0.75)
    by_channel = vaf_by_channel(np.stack([np.ones(5), np.zeros(5)], axis=1), np.ones((5, 2)))
    assert by_channel[0] == 1.0
    assert np.isnan(by_channel[1])


# ---- What cannot be factorised ----------------------------------------------------------


def with_value(row, column, value):
    data = planted()
    data[row, column] = value
    return data


def silent():
    data = planted()
    data[:, 2] = 0.0
    return data


@pytest.mark.parametrize(
    ("data", "number", "error", "message"),
    [
        (planted(), 7, OptionError, "expected 1 to 6, the number of recorded channels, got 7"),
        (planted()[:2], 3, OptionError, "expected 1 to 2, the number of samples, got 3"),
        (planted(), 0, OptionError, "whole number >= 1"),
        (silent(), 2, DataError, "excitation of gas: expected a recorded signal, got zeros"),
        (
            with_value(4, 1, -0.25),
            2,
            DataError,
            "of sol: expected values >= 0, got -0.25 at sample 4",
        ),
        (
            with_value(7, 0, np.nan),
            2,
            DataError,
            "of tib: expected finite numbers, got nan at sample 7",
        ),
        (with_value(7, 0, np.inf), 2, DataError, "finite numbers, got inf"),
        (planted()[:, 0], 1, DataError, r"the shape \(n_sample, n_muscle\)"),
    ],
)
def test_what_cannot_be_factorised_is_named(data, number, error, message):
    with pytest.raises(error, match=message):
        extract_synergies(data, number, names=CHANNELS)


def test_the_trial_is_named():
    trials = recordings()
    trials[1].excitation[:, 3] = 0.0
    with pytest.raises(DataError, match="trial walk1: excitation of vast"):
        extract_from_trials(trials, 2, shared=False)
    with pytest.raises(DataError, match="the channels of walk0"):
        extract_from_trials([trials[0], trials[1].without("tib")], 2)
    with pytest.raises(DataError, match="'walk0' twice"):
        extract_from_trials([trials[0], trials[0]], 2)


# ---- Matching and reliability -----------------------------------------------------------


@given(st.permutations(range(3)))
@settings(max_examples=6)
def test_matching_undoes_a_permutation(order):
    truth = extract_synergies(planted(), 3, replicates=1)
    back = match_synergies(truth.reordered(order), truth)
    np.testing.assert_array_equal(back.weightings, truth.weightings)
    np.testing.assert_array_equal(back.primitives, truth.primitives)


def test_reliability_does_not_depend_on_the_order_of_synergies():
    trials = recordings(4, noise=0.02)
    own = list(extract_from_trials(trials, 3, shared=False, replicates=5).values())
    reference = own[0]
    plain = reliability(own, reference)
    turned = [one.reordered(np.roll(range(3), i)) for i, one in enumerate(own)]
    mixed = reliability(turned, reference)
    np.testing.assert_array_equal(mixed.weighting_similarity, plain.weighting_similarity)
    np.testing.assert_array_equal(mixed.primitive_correlation, plain.primitive_correlation)
    assert plain.weighting_similarity.shape == (6, 3)
    # The same weightings in all trials, with noise of 2 %; the narrowest bump, of width 0.05, moves
    # by up to 0.03, at which a Gaussian correlates by exp(-0.09) = 0.91 with itself.
    assert plain.weighting_similarity.min() > 0.97
    assert plain.primitive_correlation.min() > 0.85


def test_unlike_movements_are_not_reliable():
    one = extract_synergies(planted(), 3, names=CHANNELS)
    other = extract_synergies(planted()[:, ::-1] + 0.0, 3, names=CHANNELS)
    assert reliability([one, other], one).weighting_similarity.mean() < 0.7
    with pytest.raises(DataError, match="at least two"):
        reliability([one], one)
    with pytest.raises(DataError, match="number of synergies to match"):
        match_synergies(extract_synergies(planted(), 2, names=CHANNELS), one)
