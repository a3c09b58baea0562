"""A sixth optimiser is one function and one line: then every calibration has it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import ceinms_torch as ct
from ceinms_torch.optimisers.minimise import SEARCHES
from ceinms_torch.optimisers.run import Run
from ceinms_torch.plan.options import Optimiser

SUBJECTS = Path(__file__).resolve().parents[2] / "subjects"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProjectedGradient(Optimiser):
    method = "projected"
    max_iterations: int = 25
    step: float = 0.02  # of the ranges, at the start


def minimise_projected(problem, start, options, callback):
    run = Run(callback)

    def search():
        x, step = start, options.step
        while len(run.history) <= options.max_iterations:
            evaluation, gradient = problem.gradient(x)
            if not run.take(x, evaluation):
                step *= 0.5  # too far
            run.record()
            if run.stalls(min_improvement=1e-3, patience=5):
                return "converged"
            x = np.clip(x - step * gradient / np.abs(gradient).max(), 0.0, 1.0)
        return "max_iterations"

    return run.finish(start, search)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(SEARCHES, ProjectedGradient, minimise_projected)


@pytest.fixture(scope="module", name="folder")
def read_folder():
    return ct.CalibrationFolder.read(SUBJECTS / "gait" / "calibrate.xml")


def test_it_calibrates_the_shipped_subject(folder):
    result = ct.calibrate(folder, options=ProjectedGradient())
    assert (result.method, result.status) == ("projected", "max_iterations")
    assert result.objective < 0.5 * result.history[0].objective
    assert result.objective == min(item.objective for item in result.history)
    assert result.options == ProjectedGradient()


def test_it_has_starts_polish_and_ctrl_c(folder):
    seen = []

    def stop(item):
        seen.append(item)
        if item.start == 2 and item.iteration == 3:
            raise KeyboardInterrupt

    options = ProjectedGradient(max_iterations=5)
    result = ct.calibrate(folder, options=options, starts=4, seed=1, polish=True)
    assert [one.finished for one in result.steps[0].starts].count(True) == 4  # of 5 iterations
    # Levenberg-Marquardt went on to the truth.
    assert result.objective < 1e-6 * result.history[0].objective
    stopped = ct.calibrate(folder, options=options, starts=4, seed=1, callback=stop)
    assert stopped.status == "interrupted"
    assert stopped.objective == min(item.objective for item in seen)


@pytest.mark.parametrize("engine", ["fused", "tensor"])
def test_it_searches_synergies_on_either_engine(engine):
    folder = ct.CalibrationFolder.read(SUBJECTS / "gait_synergies" / "calibrate.xml")
    result = ct.calibrate(folder, options=ProjectedGradient(max_iterations=2), engine=engine)
    assert isinstance(result, ct.HybridResult)
    assert result.objective < result.history[0].objective


def test_it_minimises_losses_of_ones_own(folder):
    result = ct.calibrate_with_loss(
        folder.subject,
        folder.trials,
        folder.plan,
        lambda state: state.objective(),
        options=ProjectedGradient(max_iterations=4),
    )
    usual = ct.calibrate(folder, options=ProjectedGradient(max_iterations=4))
    # Two engines: rounding.
    assert result.objective == pytest.approx(usual.objective, rel=1e-7)


def test_one_that_is_not_registered_is_refused(folder, monkeypatch):
    monkeypatch.delitem(SEARCHES, ProjectedGradient)
    with pytest.raises(ct.OptionError, match=r"options: expected one of .*, got ProjectedGradient"):
        ct.calibrate(folder, options=ProjectedGradient())
