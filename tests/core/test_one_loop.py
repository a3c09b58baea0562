"""What one kind of calibration can, all can, unless a number forbids it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

import ceinms_torch as ct
from helpers import write_tiny_folder
from loss_cases import PLAN, QUICK, SUBJECT, TRIALS, as_planned

MADE = "gasmed_r"  # has no recording


@pytest.fixture(scope="module", name="hybrid")
def hybrid_folder(tmp_path_factory):
    path = write_tiny_folder(tmp_path_factory.mktemp("tiny"), unrecorded=(MADE,))
    folder = ct.CalibrationFolder.read(path / "calibrationSetup.xml")
    plan = dataclasses.replace(folder.plan, synergy_hybrid=ct.SynergyHybrid(n_synergy=1))
    return dataclasses.replace(folder, plan=plan)


# ---- one entry


def test_folder_file_and_parts_are_the_same():
    setup = Path(__file__).resolve().parents[2] / "subjects" / "gait" / "calibrate.xml"
    folder = ct.CalibrationFolder.read(setup)
    options = ct.LevenbergMarquardt(max_iterations=2)
    results = [
        ct.calibrate(setup, options=options),
        ct.calibrate(str(setup), options=options),
        ct.calibrate(folder, options=options),
        ct.calibrate(folder.subject, folder.trials, folder.plan, options=options),
    ]
    assert len({result.objective for result in results}) == 1
    fewer = ct.calibrate(folder, folder.trials[:1], options=options)
    assert set(fewer.fit) == {folder.trials[0].name}


def test_a_subject_alone_is_not_enough():
    with pytest.raises(ct.OptionError, match="a folder, or subject, trials and plan"):
        ct.calibrate(SUBJECT, TRIALS)


def test_a_file_may_ask_for_annealing(tmp_path):
    path = write_tiny_folder(tmp_path)
    result = ct.calibrate(path / "calibrationSetup.xml", method="annealing")
    assert (result.method, result.engine) == ("annealing", "legacy")


# ---- where searches start


@pytest.mark.parametrize("kind", ["recorded", "loss", "synergies"])
def test_parameters_begin_where_asked(hybrid, kind):
    first = []

    def keep(item):
        first.append(item.objective)
        raise KeyboardInterrupt

    def start_of(begin_at):
        first.clear()
        options = {"options": QUICK, "begin_at": begin_at, "callback": keep}
        if kind == "recorded":
            ct.calibrate(SUBJECT, TRIALS, PLAN, **options)
        elif kind == "loss":
            ct.calibrate_with_loss(SUBJECT, TRIALS, PLAN, as_planned, **options)
        else:
            ct.calibrate(hybrid, **options)
        return first[0]

    own, plan = (hybrid.subject, hybrid.plan) if kind == "synergies" else (SUBJECT, PLAN)
    space = ct.ParameterSpace.of(own, plan.steps[0], plan)
    elsewhere = space.subject_at(np.full(len(space.components), 0.7))
    assert start_of(own) != start_of(elsewhere)
    if kind == "recorded":
        problem = ct.build_problem(
            SUBJECT, TRIALS, PLAN.steps[0], space, tendon="rosenbrockElastic"
        )
        evaluation, _ = problem.gradient(np.full(len(space.components), 0.7))
        assert start_of(elsewhere) == pytest.approx(evaluation.objective, rel=1e-9)


def test_a_random_start_and_one_that_is_named_contradict_each_other():
    with pytest.raises(ct.OptionError, match="start: expected subject, with begin_at"):
        ct.calibrate(SUBJECT, TRIALS, PLAN, start="random", begin_at=SUBJECT)


def test_synergies_start_at_random_parameters_too(hybrid):
    options = ct.Lbfgs(max_iterations=1)

    def objectives(**choices):
        result = ct.calibrate(hybrid, options=options, starts=2, **choices)
        return [one.objective for one in result.steps[0].starts]

    assert objectives(seed=1) != objectives(seed=1, start="random")
    assert objectives(seed=1, start="random") == objectives(seed=1, start="random", threads=2)


def test_losses_have_several_starts():
    def search(**choices):
        return ct.calibrate_with_loss(
            SUBJECT, TRIALS, PLAN, as_planned, options=QUICK, validation=TRIALS[:0], **choices
        )

    one, many = search(), search(starts=3, seed=2)
    assert len(many.steps[0].starts) == 3
    assert many.steps[0].starts[0].objective == one.objective
    assert many.objective == min(start.objective for start in many.steps[0].starts)
    variable = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    with pytest.raises(ct.OptionError, match="starts: expected 1, with variables, got 2"):
        search(starts=2, variables=[variable])


def test_the_best_start_is_that_of_the_validation_trials():
    def search(starts):
        return ct.calibrate_with_loss(
            SUBJECT,
            TRIALS[:1],
            PLAN,
            as_planned,
            options=QUICK,
            validation=TRIALS[1:],
            starts=starts,
            seed=2,
        )

    one, many = search(1), search(4)
    assert len(many.validation_losses) == len(many.history)
    assert min(many.validation_losses) <= min(one.validation_losses)
    kept = int(np.argmin(many.validation_losses))
    assert many.objective == many.history[kept].objective


# ---- polish


def test_what_cannot_be_polished_says_why(hybrid):
    with pytest.raises(ct.OptionError, match=r"got lm\. Primitives are searched, too"):
        ct.calibrate(hybrid, polish=True)
    with pytest.raises(ct.OptionError, match=r"got lm\. Levenberg-Marquardt needs the fused"):
        ct.calibrate(SUBJECT, TRIALS, PLAN, engine="tensor", polish=True)


def test_iterations_are_counted_on():
    seen = []
    result = ct.calibrate(SUBJECT, TRIALS, PLAN, options=QUICK, polish=True, callback=seen.append)
    assert [item.iteration for item in result.history] == list(range(len(result.history)))
    assert max(item.iteration for item in seen) == result.iterations
