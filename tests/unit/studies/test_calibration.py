"""The calibration study: folds, what is run, what its tables say."""

import dataclasses
import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ceinms_torch as ct
from ceinms_torch.errors import DataError, OptionError
from ceinms_torch.io.plain import plain, revived
from ceinms_torch.plots.calibration import calibration_figure
from ceinms_torch.studies import calibration
from ceinms_torch.studies.calibration import (
    CONDITION,
    COST,
    DRAWN,
    SEEDS,
    TRIAL,
    CalibrationOptions,
    CalibrationStudy,
    annealing_budget,
    plan_study,
    study_calibration,
)
from ceinms_torch.studies.calibration_cells import CalibrationCell
from ceinms_torch.studies.calibration_tables import all_notes, tables_of
from ceinms_torch.studies.comparison import parameter_spread
from ceinms_torch.studies.folds import condition_folds, conditions_of, drawn_folds, trial_folds
from helpers import edit, write_tiny_folder

pytestmark = pytest.mark.filterwarnings("ignore::ceinms_torch.errors.CeinmsTorchWarning")
NAMES = st.lists(
    st.builds("{}{}{}".format, st.sampled_from("abc"), st.sampled_from(["", "_"]), st.integers(0)),
    min_size=2,
    max_size=12,
    unique=True,
)

# ---- Folds ------------------------------------------------------------------------------


@given(NAMES, st.data())
def test_every_trial_is_held_out_once(trials, data):
    n_fold = data.draw(st.none() | st.integers(2, len(trials)))
    seed = data.draw(st.integers(0, 5))
    for folds in (trial_folds(trials, n_fold, seed), condition_folds(trials)):
        if folds:
            assert sorted(name for fold in folds for name in fold.test) == sorted(trials)
        for fold in folds:
            assert fold.calibration
            assert fold.test
            assert sorted((*fold.calibration, *fold.test)) == sorted(trials)
    sizes = {len(fold.test) for fold in trial_folds(trials, n_fold, seed)}
    assert max(sizes) - min(sizes) <= 1


@given(NAMES, st.integers(0, 5))
def test_draws_grow_by_a_trial(trials, seed):
    folds = drawn_folds(trials, seed)
    assert [len(fold.calibration) for fold in folds] == list(range(1, len(trials)))
    for fold in folds:
        assert sorted((*fold.calibration, *fold.test)) == sorted(trials)
    for fewer, more in itertools.pairwise(folds):
        assert set(fewer.calibration) < set(more.calibration)


def test_conditions_by_name():
    names = ["walk36_c02", "walk36_c05", "run81_c02", "hop1", "hop-2", "7"]
    assert conditions_of(names) == {
        "walk36": ("walk36_c02", "walk36_c05"),
        "run81": ("run81_c02",),
        "hop": ("hop1", "hop-2"),
        "7": ("7",),
    }
    assert conditions_of(names[:3], "c0.") == {
        "c02": ("walk36_c02", "run81_c02"),
        "c05": ("walk36_c05",),
    }
    assert list(conditions_of(names[:3], "^(walk|run)[0-9]+")) == ["walk", "run"]
    assert condition_folds(["walk_1", "walk_2"]) == []


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: trial_folds(["one"]), DataError, "at least two trials, got 1"),
        (lambda: trial_folds(["a", "b"], 3), OptionError, "folds: expected 2 to 2"),
        (lambda: conditions_of(["a1", "b1"], "a"), OptionError, "none in 'b1'"),
        (lambda: conditions_of(["a1"], "("), OptionError, "a regular expression"),
        (lambda: condition_folds(["a1", "a2"], "a"), OptionError, "only 'a'"),
    ],
)
def test_impossible_folds(call, error, message):
    with pytest.raises(error, match=message):
        call()


# ---- The study --------------------------------------------------------------------------

OPTIONS = CalibrationOptions(seeds=(0, 1), lm_starts=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = write_tiny_folder(
        tmp_path_factory.mktemp("study") / "tiny", tendon="<equilibriumElastic/>", n_trial=3
    )
    edit(path / "calibration.xml", " trial3/inputData.xml", "")
    return path


def planned(path, options=OPTIONS, tests=("trial3",)):
    folder = ct.CalibrationFolder.read(path / "calibrationSetup.xml")
    files = [path / name / "inputData.xml" for name in tests]
    plan = plan_study(
        folder, folder.read_tests(files), options, setup=folder.setup.path, files=files
    )
    return folder, plan


def run(plan, directory, progress=lambda *_: None):
    return study_calibration(
        plan, directory, {"input": "0"}, max_evaluations=None, jobs=1, progress=progress
    )


@pytest.fixture(scope="module")
def study(folder, tmp_path_factory):
    return run(planned(folder)[1], tmp_path_factory.mktemp("cells"))


def test_what_is_run(folder, study):
    groups = study.comparison.groups()
    assert list(groups) == ["uncalibrated", "annealing", "adamw", "lm", "lm, 2 starts"]
    assert [len(runs) for runs in groups.values()] == [1, 2, 2, 2, 2]
    assert all(list(run.test_fit) == ["trial3"] for run in study.comparison.runs)
    # Names differ in their last digit only: one condition, so none is left out.
    assert not study.of_kind(CONDITION)
    assert [part.fold.test for part in study.of_kind(TRIAL)] == [
        ("trial1",),
        ("trial2",),
        ("trial3",),
    ]
    assert sorted(len(part.fold.calibration) for part in study.of_kind(DRAWN)) == [1, 1, 2, 2]
    for part in study.of_kind(TRIAL) + study.of_kind(DRAWN):
        assert tuple(part.run.fit) == part.fold.calibration
        assert tuple(part.run.test_fit) == part.fold.test
    assert {len(part.fold.calibration) for part in study.of_kind(COST)} == {1, 2, 3}
    # A whole temperature of the annealing, not its start alone.
    assert all(part.run.evaluations > 1 for part in study.of_kind(COST))
    # More starts, of which the first is the same, are never worse.
    for one, several in zip(groups["lm"], groups["lm, 2 starts"], strict=True):
        assert several.objective <= one.objective * (1.0 + 1e-9)


def test_validation_is_a_calibration_on_the_rest(folder, study):
    subject = ct.CalibrationFolder.read(folder / "calibrationSetup.xml")
    trials = {trial.name: trial for trial in subject.trials}
    trials["trial3"] = subject.read_trial(folder / "trial3" / "inputData.xml")
    part = study.of_kind(TRIAL)[0]
    alone = ct.calibrate(
        subject.subject,
        [trials["trial2"], trials["trial3"]],
        subject.plan,
        method="lm",
        start="random",
        starts=part.run.candidate.starts,
        seed=0,
    )
    assert part.run.objective == pytest.approx(alone.objective, rel=1e-12)


def test_tables(study):
    tables = {table.title: table for table in tables_of(study)}
    summary = tables["Every method, mean ± SD over seeds"]
    assert [row[0] for row in summary.rows[::2]] == list(study.comparison.groups())
    lm = study.comparison.groups()["lm"]
    values = [run.test_fit["trial3"]["knee_angle_r"].rmse for run in lm]
    row = next(row for row in summary.rows if row[0] == "lm")
    assert row[3] == f"{np.mean(values):.4g} ± {np.std(values, ddof=1):.2g}"
    spread = np.abs(np.subtract(lm[0].parameters, lm[1].parameters)) / np.sqrt(2.0)
    assert parameter_spread(lm) == pytest.approx(list(spread))
    assert row[-1] == pytest.approx(spread.mean())
    cost = tables["Time of an iteration over the number of trials"]
    assert [line[0] for line in cost.rows] == [1, 2, 3]
    assert list(study.cost_curves()) == ["annealing", "adamw", "lm"]
    assert cost.rows[0][2::2] == (1.0, 1.0, 1.0)
    assert any("minus the annealing's" in note for note in all_notes(study))
    assert study.enough_trials() in (1, 2)


def test_json_holds_all_of_it(study):
    again = revived(CalibrationStudy, json.loads(json.dumps(plain(study))))
    assert again == study
    assert tables_of(again) == tables_of(study)
    assert len(calibration_figure(again).axes) == 6


def test_only_what_is_missing_is_computed(folder, tmp_path, monkeypatch):
    _, plan = planned(folder, CalibrationOptions(methods=("lm",), seeds=(0,), lm_starts=1))
    assert {one.kind for one in plan} == {SEEDS, TRIAL, DRAWN, COST}

    def stop(n_done, label):
        if n_done == 2:
            raise KeyboardInterrupt

    part = run(plan, tmp_path, stop)
    assert not part.comparison.is_complete
    assert len(part.comparison.runs) == 2
    assert len(part.parts) == 1
    assert calibration_figure(part)
    computed = []
    compute = CalibrationCell.run
    monkeypatch.setattr(
        CalibrationCell, "run", lambda cell, file: computed.append(cell) or compute(cell, file)
    )
    whole = run(plan, tmp_path)
    assert whole.comparison.is_complete
    assert len(computed) == len({one.cell for one in plan}) - 2


def test_the_annealing_is_capped_where_its_budget_is_large(folder):
    read = ct.CalibrationFolder.read(folder / "calibrationSetup.xml")
    assert annealing_budget(read, OPTIONS) is None  # its file says 100
    algorithm = dataclasses.replace(read.plan.algorithm, max_no_eval=200_000)
    large = dataclasses.replace(read, plan=dataclasses.replace(read.plan, algorithm=algorithm))
    assert annealing_budget(large, OPTIONS) == calibration.CAPPED_EVALUATIONS
    assert annealing_budget(large, dataclasses.replace(OPTIONS, full=True)) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": ("lm", "annealling")}, "methods: .*Did you mean 'annealing'"),
        ({"methods": ("annealing",)}, "validation: expected a method with gradients"),
        ({"folds": 4}, "folds: expected 2 to 3"),
    ],
)
def test_impossible_options(folder, options, message):
    with pytest.raises(OptionError, match=message):
        planned(folder, dataclasses.replace(OPTIONS, **options))


def test_a_trial_is_named_once(folder):
    with pytest.raises(DataError, match="trials with different names"):
        planned(folder, tests=("trial2",))
