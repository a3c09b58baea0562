"""A comparison measures every calibration with one yardstick and with its own."""

import dataclasses
import json

import numpy as np
import pytest

import ceinms_torch as ct
from ceinms_torch.errors import DataError, OptionError
from ceinms_torch.io.plain import plain, revived
from ceinms_torch.simulation.legacy.run import simulate_legacy
from ceinms_torch.studies.compare import Candidate, candidates_of, compare, usual_methods
from ceinms_torch.studies.compare_tables import (
    movements_table,
    notes_of,
    objectives_table,
    statistics_table,
    tables_of,
)
from ceinms_torch.studies.comparison import CONTROL, Comparison
from helpers import edit, write_tiny_folder

pytestmark = pytest.mark.filterwarnings("ignore::ceinms_torch.errors.CeinmsTorchWarning")
METHODS = ("annealing", "adamw", "lm")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = write_tiny_folder(
        tmp_path_factory.mktemp("compare") / "tiny", tendon="<equilibriumElastic/>", n_trial=5
    )
    plan = (path / "calibration.xml").read_text()
    tests = " ".join(f"trial{i}/inputData.xml" for i in (3, 4, 5))
    (path / "calibration.xml").write_text(plan.replace(f" {tests}", ""))
    return ct.CalibrationFolder.read(path / "calibrationSetup.xml")


@pytest.fixture(scope="module")
def tests(folder):
    directory = folder.setup.path.parent
    return folder.read_tests(directory / f"trial{i}" / "inputData.xml" for i in (3, 4, 5))


@pytest.fixture(scope="module")
def comparison(folder, tests):
    return compare(folder, candidates_of(folder.plan, METHODS), tests=tests)


def test_every_method_and_a_control(comparison):
    assert [run.candidate.method for run in comparison.runs] == [CONTROL, *METHODS]
    assert list(comparison.groups()) == [CONTROL, *METHODS]
    assert [run.model for run in comparison.runs] == [
        "rosenbrockElastic",
        "equilibriumElastic",
        "rosenbrockElastic",
        "rosenbrockElastic",
    ]
    assert comparison.is_complete


def test_methods_are_those_of_calibrate(folder, comparison):
    alone = ct.calibrate(folder.subject, folder.trials, folder.plan, method="lm")
    run = comparison.runs[-1]
    assert run.objective == alone.objective
    assert run.evaluations == alone.evaluations
    assert [point[2] for point in run.history] == [item.objective for item in alone.history]
    assert run.fit == alone.fit


def test_common_objective(folder, comparison):
    control, annealing, *gradient = comparison.runs
    # Methods on the common model minimise it themselves, and all begin where the control is.
    for run in gradient:
        assert run.common == pytest.approx(run.objective, rel=1e-12)
        assert run.common < control.common
    assert control.objective is None
    assert annealing.common != annealing.objective
    start = folder.subject
    step = folder.plan.steps[0]
    space = ct.ParameterSpace.of(start, step, folder.plan)
    problem = ct.build_problem(start, folder.trials, step, space, tendon="rosenbrockElastic")
    point, _ = problem.gradient(space.start())
    assert control.common == pytest.approx(point.objective, rel=1e-12)


def test_preferences_are_no_part_of_the_common_objective(folder, comparison):
    objective = ct.Objective(parameter_prior_weight=1.0, peak_force_weight=1.0)
    step = dataclasses.replace(folder.plan.steps[0], objective=objective)
    plan = dataclasses.replace(folder.plan, steps=(step,))
    control, run = compare(dataclasses.replace(folder, plan=plan), candidates_of(plan, ["lm"])).runs
    assert control.common == comparison.runs[0].common
    assert run.common < control.common
    assert run.common < 0.9 * run.objective


def test_unseen_trials_are_judged_in_the_model_of_the_method(folder, tests, comparison):
    annealing = comparison.runs[1]
    space = ct.ParameterSpace.of(folder.subject, folder.plan.steps[0], folder.plan)
    subject = space.subject_at(np.array(annealing.parameters))
    for name, trial in tests.items():
        legacy = simulate_legacy(
            subject, trial, tendon=folder.plan.tendon, activation="exponential"
        )
        for dof, fit in ct.moment_fit(trial, legacy.simulation).items():
            assert annealing.test_fit[name][dof].rmse == pytest.approx(fit.rmse, rel=1e-9)


def test_parameters_are_shares_of_their_ranges(folder, comparison):
    space = ct.ParameterSpace.of(folder.subject, folder.plan.steps[0], folder.plan)
    start = [(c.start - c.lower) / (c.upper - c.lower) for c in space.components]
    assert comparison.runs[0].parameters == pytest.approx(start)
    for run in comparison.runs:
        assert len(run.parameters) == len(comparison.parameters)
        assert all(-1e-12 <= share <= 1.0 + 1e-12 for share in run.parameters)


def test_json_holds_all_of_it(comparison):
    again = revived(Comparison, json.loads(json.dumps(plain(comparison))))
    assert again == comparison
    assert tables_of(again) == tables_of(comparison)


def test_tables(comparison):
    objectives, accuracy, statistics, parameters = tables_of(comparison)
    assert [row[0] for row in objectives.rows] == [CONTROL, *METHODS]
    assert objectives.rows[0][1] is None
    assert objectives.rows[3][2] == comparison.runs[3].common
    mean = np.mean([trial["knee_angle_r"].rmse for trial in comparison.runs[3].test_fit.values()])
    row = next(row for row in accuracy.rows if row[0] == "lm")
    assert row[1] == "knee_angle_r"
    assert row[4] == pytest.approx(mean)
    # Two methods against the first, two DOFs each, three trials.
    assert [row[:3] for row in statistics.rows][::2] == [
        ("adamw", "knee_angle_r", 3),
        ("lm", "knee_angle_r", 3),
    ]
    assert len(parameters.rows) == len(comparison.parameters)
    assert any("CEINMS" in note for note in notes_of(comparison))


def test_seeds_repeat_every_method_from_other_starts(folder):
    candidates = candidates_of(folder.plan, ["annealing", "lm"], seeds=[1, 2])
    found = compare(folder, candidates, max_evaluations=40)
    annealing, lm = found.groups()["annealing"], found.groups()["lm"]
    for runs in (annealing, lm):
        assert [run.candidate.seed for run in runs] == [1, 2]
        assert runs[0].history[0][2] != runs[1].history[0][2] or runs is annealing
    # The modern annealing begins at the subject's values and never ends above them.
    assert annealing[0].history[0] == (
        1,
        pytest.approx(annealing[0].history[0][1]),
        pytest.approx(annealing[1].history[0][2], rel=1e-15),
    )
    assert all(run.objective <= run.history[0][2] for run in annealing)
    assert annealing[0].objective != annealing[1].objective
    # A temperature has 2 x 2 evaluations of every parameter.
    n = len(found.parameters)
    assert [run.evaluations for run in annealing] == [1 + 4 * n * -(-39 // (4 * n))] * 2
    objectives = tables_of(found)[0]
    assert "SD [-]" in objectives.columns
    assert objectives.rows[1][1] == 2


def test_an_annealing_that_was_cut_short_is_not_tested_against(comparison):
    whole, cut = (
        statistics_table(dataclasses.replace(comparison, max_evaluations=budget))
        for budget in (None, 40)
    )
    assert whole.title.startswith("Against annealing")
    assert {row[0] for row in whole.rows} == {"adamw", "lm", ""}
    assert cut.title.startswith("Against adamw")
    assert {row[0] for row in cut.rows} == {"lm", ""}
    two = [run for run in comparison.runs if run.candidate.method != "lm"]
    alone = dataclasses.replace(comparison, runs=tuple(two), max_evaluations=40)
    assert not statistics_table(alone).rows


def test_time_of_the_annealing_over_that_of_others(comparison):
    table = objectives_table(comparison)
    column = table.columns.index("annealing's time over it [-]")
    ratios = {row[0]: row[column] for row in table.rows}
    by_method = {run.candidate.method: run.seconds for run in comparison.runs}
    assert ratios[CONTROL] is None
    assert ratios["annealing"] == 1.0
    assert ratios["lm"] == pytest.approx(by_method["annealing"] / by_method["lm"], rel=1e-12)


def test_accuracy_by_movement(comparison):
    """Names up to their last part or digits are movements: here there is one, but for a pattern."""
    assert not movements_table(comparison).rows
    table = movements_table(comparison, "trial[34]|trial5")
    assert [row[:4] for row in table.rows[:2]] == [
        ("trial3", 1, "knee_angle_r", CONTROL),
        ("trial3", 1, "knee_angle_r", "annealing"),
    ]
    run = comparison.runs[1]
    rmse = run.test_fit["trial3"]["knee_angle_r"].rmse
    assert table.rows[1][4] == f"{rmse:.3g}"  # no spread of a single trial


@pytest.fixture(scope="module")
def unrecorded(tmp_path_factory):
    """A folder whose rectus femoris has no electrode, and a test trial."""
    path = write_tiny_folder(
        tmp_path_factory.mktemp("hybrid") / "tiny",
        tendon="<rosenbrockElastic/>",
        n_trial=3,
        unrecorded=("recfem_r",),
    )
    edit(path / "calibration.xml", " trial3/inputData.xml", "")
    folder = ct.CalibrationFolder.read(path / "calibrationSetup.xml")
    return folder, folder.read_tests([path / "trial3" / "inputData.xml"])


def test_synergies_and_engines_are_candidates(unrecorded):
    folder, tests = unrecorded
    plan = folder.plan
    candidates = candidates_of(plan, ["adamw", "adamw-hybrid", "lm"], engines=["fused", "tensor"])
    assert [one.label for one in candidates] == [
        "adamw",
        "adamw, tensor engine",
        "adamw, synergy-hybrid",
        "adamw, synergy-hybrid, tensor engine",
        "lm",
    ]
    _, plain, hybrid = compare(folder, candidates[:3:2], tests=tests).runs
    alone = ct.calibrate(
        folder,
        plan=dataclasses.replace(plan, synergy_hybrid=ct.SynergyHybrid()),
        method="adamw",
    ).with_tests(tests.values())
    assert hybrid.objective == alone.objective
    assert hybrid.test_fit == alone.test_fit
    assert hybrid.fit == alone.fit
    # Judged with the excitations that synergies gave, as if they had been recorded.
    driven = [alone.synergies[trial.name].drive(trial) for trial in folder.trials]
    judged = dataclasses.replace(folder, subject=alone.subject, trials=tuple(driven))
    assert hybrid.common == compare(judged, candidates[:1]).runs[0].common
    assert plain.common != hybrid.common


def test_synergies_without_anything_to_synthesise_are_refused_before_anything_is_run(folder):
    seen = []
    candidates = candidates_of(folder.plan, ["lm", "adamw-hybrid"])
    with pytest.raises(DataError, match="expected an MTU to synthesise"):
        compare(folder, candidates, progress=lambda *_: seen.append(1))
    assert not seen


def test_ctrl_c_keeps_what_is_complete(folder):
    candidates = candidates_of(folder.plan, ["lm", "adamw", "lbfgs"])
    seen = []

    def stop(candidate, number, iteration):
        seen.append(number)
        if candidate.method == "adamw" and iteration.iteration > 2:
            raise KeyboardInterrupt

    found = compare(folder, candidates, progress=stop)
    assert [run.candidate.method for run in found.runs] == [CONTROL, "lm"]
    assert not found.is_complete
    assert set(seen) == {0, 1}


def test_both_tendons_have_controls_of_their_own(folder):
    found = compare(folder, candidates_of(folder.plan, ["lm"], ["stiff", "equilibriumElastic"]))
    assert list(found.groups()) == [
        "uncalibrated, stiff",
        "uncalibrated, elastic",
        "lm, stiff",
        "lm, elastic",
    ]
    assert [run.model for run in found.runs][::2] == ["stiff", "stiff"]
    # One yardstick for all: that of the file's tendon.
    assert found.runs[0].common == found.runs[1].common
    assert found.yardstick.startswith("rosenbrockElastic tendon")
    stiff = found.runs[2]
    assert stiff.common != pytest.approx(stiff.objective, rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"methods": ["lm", "annealling"]}, "methods: .*'annealling'. Did you mean 'annealing'"),
        ({"methods": []}, "methods: expected at least one, got none"),
        ({"methods": ["lm", "lm"]}, "methods: expected different ones, got lm, lm"),
        ({"methods": ["lm"], "tendons": ["stif"]}, "tendon: .*Did you mean 'stiff'"),
        ({"methods": ["lm"], "seeds": [1, 1]}, "seeds: expected different ones"),
        ({"methods": ["lm-hybrid"]}, "methods: .*'lm-hybrid'"),
        ({"methods": ["lm"], "engines": ["tensr"]}, "engines: .*Did you mean 'tensor'"),
        (
            {"methods": ["lm", "annealing"], "engines": ["fused", "tensor"]},
            "methods: expected adamw or lbfgs among the methods, for the tensor engine",
        ),
    ],
)
def test_what_does_not_exist(folder, arguments, message):
    with pytest.raises(OptionError, match=message):
        candidates_of(folder.plan, **arguments)


def test_an_annealing_without_settings_is_refused_before_anything_is_run(folder):
    plan = dataclasses.replace(folder.plan, algorithm=ct.AdamW())
    with pytest.raises(OptionError, match="<simulatedAnnealing>, whose settings have no defaults"):
        candidates_of(plan, ["lm", "annealing"])
    # Without names, what the file can run.
    assert usual_methods(plan) == ["adamw", "lm"]
    assert usual_methods(folder.plan) == list(METHODS)
    hybrid = dataclasses.replace(plan, synergy_hybrid=ct.SynergyHybrid())
    assert usual_methods(hybrid) == ["adamw", "lm", "lbfgs-hybrid"]
    assert candidates_of(plan, ["adamw"]) == [Candidate(method="adamw", tendon="elastic")]
