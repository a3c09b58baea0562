"""Starts where nobody says how many: rounds until the best is settled, within a budget."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ceinms_torch as ct
from ceinms_torch.calibration import multi_start
from ceinms_torch.calibration.multi_start import Rounds
from ceinms_torch.errors import DataError, OptionError
from helpers import write_tiny_folder

OPTIONS = ct.LevenbergMarquardt(max_iterations=60)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a small folder with the curves of the manual, which have several minima."""
    path = write_tiny_folder(tmp_path_factory.mktemp("tiny"))
    return ct.CalibrationFolder.read(path / "calibrationSetup.xml")


def objectives(result):
    return [one.objective for one in result.steps[-1].starts]


@given(n_mtu=st.integers(1, 200), n_row=st.integers(1, 100_000), most=st.integers(1, 2000))
def test_rounds_keep_the_budget(n_mtu, n_row, most):
    rounds = Rounds.within_budget(n_mtu, n_row, most)
    cost = multi_start._most_iterations(rounds.size, most)
    assert 1 <= rounds.size <= 16
    # One start is always allowed; more only if a round of them cannot exceed the budget.
    assert rounds.size == 1 or cost * n_mtu * n_row <= multi_start._BUDGET
    if rounds.size < 16:
        larger = multi_start._most_iterations(rounds.size + 1, most)
        assert larger * n_mtu * n_row > multi_start._BUDGET - n_mtu * n_row
    assert not rounds.go_on(2.0, 1.0, rounds.budget)


@given(before=st.floats(1e-9, 1e9), share=st.floats(0.0, 0.5))
def test_a_round_that_helps_is_followed_by_another(before, share):
    rounds = Rounds(size=16, budget=10**9, max_iterations=100)
    if abs(share - 0.01) > 1e-6:  # rounding decides there
        assert rounds.go_on(before, before * (1.0 - share), 0) == (share > 0.01)
    assert rounds.go_on(np.inf, before, 0)  # nothing to compare the first round with


def test_several_starts_by_default_and_one_where_asked(folder):
    usual = ct.calibrate(folder, options=OPTIONS)
    one = ct.calibrate(folder, options=OPTIONS, starts=1)
    assert len(one.steps[0].starts) == 1
    assert len(usual.steps[0].starts) % 16 == 0
    assert usual.objective <= one.objective * (1.0 + 1e-12)
    assert usual.objective == min(objectives(usual))
    # The last round was no better than the noise, every one before it was.
    ends = [min(objectives(usual)[: n + 16]) for n in range(0, len(objectives(usual)), 16)]
    falls = [1.0 - after / before for before, after in itertools.pairwise(ends)]
    assert falls[-1] <= 0.01
    assert all(fall > 0.01 for fall in falls[:-1])


def test_threads_and_repetition_change_nothing(folder):
    first, again, threads = (
        ct.calibrate(folder, options=OPTIONS, seed=3, threads=n) for n in (1, 1, 3)
    )
    assert objectives(first) == objectives(again) == objectives(threads)
    assert first.subject == again.subject == threads.subject


def test_a_large_problem_has_one_start(folder, monkeypatch):
    monkeypatch.setattr(multi_start, "_BUDGET", 1000)
    assert len(ct.calibrate(folder, options=OPTIONS).steps[0].starts) == 1


def test_one_start_where_the_search_is_told_where_to_begin(folder):
    found = ct.calibrate(folder, options=OPTIONS, starts=1)
    result = ct.calibrate(folder, options=OPTIONS, begin_at=found.subject)
    assert len(result.steps[0].starts) == 1


def test_interrupted_in_a_later_round_keeps_the_best(folder):
    seen = []

    def stop(iteration):
        seen.append(iteration.objective)
        if iteration.start >= 20:
            raise KeyboardInterrupt

    result = ct.calibrate(folder, options=OPTIONS, callback=stop)
    assert result.status == "interrupted"
    assert result.objective == min(seen)


def test_resumed_in_a_later_round_is_the_same(folder, tmp_path):
    file = tmp_path / "checkpoint.json"

    def stop(iteration):
        if iteration.start >= 20:
            raise KeyboardInterrupt

    whole = ct.calibrate(folder, options=OPTIONS)
    ct.calibrate(folder, options=OPTIONS, callback=stop, checkpoint=file)
    resumed = ct.calibrate(folder, options=OPTIONS, checkpoint=file, resume=True)
    assert objectives(resumed) == objectives(whole)
    assert resumed.subject == whole.subject


def test_validation_chooses_among_starts_that_fit_alike(folder):
    fitted, judge = folder.trials[:1], folder.trials[1:]
    result = ct.calibrate(folder.subject, fitted, folder.plan, options=OPTIONS, validation=judge)
    starts = result.steps[0].starts
    alike = [one for one in starts if one.validation is not None]
    best = min(one.objective for one in starts)
    assert alike
    assert all(one.finished and one.objective <= 1.03 * best for one in alike)
    chosen = min(alike, key=lambda one: one.validation)
    assert result.objective == chosen.objective
    assert all(one.validation is None for one in starts if one.objective > 1.03 * best)


def test_validation_trials_must_not_be_fitted(folder):
    with pytest.raises(DataError, match=f"trials that are not fitted.*{folder.trials[0].name}"):
        ct.calibrate(folder, options=OPTIONS, validation=folder.trials[:1])
    with pytest.raises(OptionError, match="validation"):
        ct.calibrate(folder, method="annealing", validation=folder.trials[:1])
