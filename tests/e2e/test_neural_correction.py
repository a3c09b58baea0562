"""The example of a network beside the muscles, where the truth is known and as a user runs it."""

import dataclasses
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ceinms_torch as ct
from command_line import environment

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE = REPOSITORY / "python" / "examples" / "neural_correction.py"
GAIT = REPOSITORY / "subjects" / "gait"
SETTINGS = {"seed": 0, "iterations": 150, "weight": 0.1}


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("neural_correction", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder():
    return ct.CalibrationFolder.read(GAIT / "calibrate.xml")


@pytest.fixture(scope="module")
def tests(folder):
    names = ("walk_115", "walk_145")
    return [folder.read_trial(GAIT / "trials" / name / "inputData.xml") for name in names]


def mean_rmse(example, model, trials, tendon="rosenbrockElastic"):
    return np.mean([example.rmse(*model, trial, tendon) for trial in trials], axis=0)


def with_passive_moments(trial, folder):
    """Return a trial with moments that grow with the moment arms, so with the angles, of a DOF."""
    passive = np.zeros_like(trial.measured_moment)
    for dof, name in enumerate(("glmax_r", "recfem_r", "soleus_r")):
        column = folder.subject.mtu_names.index(name)
        seen = np.concatenate([one.moment_arm[:, dof, column] for one in folder.trials])
        arm = (trial.moment_arm[:, dof, column] - seen.mean()) / seen.std()
        passive[:, dof] = 4.0 * np.sinh(arm)  # [N m]
    return dataclasses.replace(trial, measured_moment=trial.measured_moment + passive)


def test_finds_moments_that_muscles_do_not_make(example, folder, tests):
    fitted = [with_passive_moments(trial, folder) for trial in folder.trials]
    tests = [with_passive_moments(trial, folder) for trial in tests]
    calibrated = ct.calibrate(folder.subject, fitted, folder.plan).subject
    error = {
        variant: mean_rmse(
            example, example.train(folder, fitted, calibrated, variant, **SETTINGS), tests
        )
        for variant in example.VARIANTS
    }
    muscles = mean_rmse(example, (calibrated, None), tests)
    assert min(muscles) > 1.0  # [N m]: the muscles hide a part of what was planted, not all
    assert (error["trained together"] < 0.6 * muscles).all()
    assert (error["trained together"] < 0.6 * error["network alone"]).all()


def test_leaves_alone_what_the_muscles_explain(example, folder, tests):
    calibrated = ct.calibrate(folder.subject, folder.trials, folder.plan).subject
    model = example.train(folder, list(folder.trials), calibrated, "trained together", **SETTINGS)
    # The moments are those of the true muscles without noise, found to ten digits.
    assert max(mean_rmse(example, model, tests)) < 1e-6


@pytest.mark.filterwarnings("ignore::ceinms_torch.CeinmsTorchWarning")
def test_helps_on_unseen_strides_of_recorded_conditions(example, shared_dir):
    """What python/EXTENDING.md says of these recordings, with one seed."""
    data = shared_dir / "data" / "lower_limb" / "ceinms"
    folder = ct.CalibrationFolder.read(data / "calibrate_elastic.xml")
    tests = [
        folder.read_trial(data / "trials" / f"{name}_{number}" / "inputData.xml")
        for name in ("walk36", "walk45", "run81")
        for number in ("c02", "c08")
    ]
    fitted = list(folder.trials)
    calibrated = ct.calibrate(folder.subject, fitted, folder.plan).subject
    settings = {"seed": 0, "iterations": 300, "weight": 1.0}
    model = example.train(folder, fitted, calibrated, "trained together", **settings)
    muscles = mean_rmse(example, (calibrated, None), tests)
    # Means of the page's table: 18.9 to 6.2, 17.2 to 9.0, 16.7 to 6.9 N m.
    assert (mean_rmse(example, model, tests) < 0.65 * muscles).all()


def test_script_prints_errors_of_unseen_trials():
    names = ("walk_115", "walk_145", "walk_140_stance")
    files = [GAIT / "trials" / name / "inputData.xml" for name in names]
    tests = [word for file in files for word in ("--test", file)]
    short = ("--seeds", "2", "--iterations", "2", "--leave-out", "condition")
    done = subprocess.run(
        [sys.executable, EXAMPLE, GAIT / "calibrate.xml", *tests, *short],
        check=False,
        capture_output=True,
        text=True,
        timeout=300.0,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    first, *rows, last = done.stdout.splitlines()
    assert first == "RMSE of test trials [N m]: hip_flexion_r, knee_angle_r, ankle_angle_r"
    variants = ["calibrated", "network alone", "network on top", "trained together"]
    assert [re.split(r"  +", row)[:2] for row in rows] == [
        [name, variant] for name in ("walk", "walk_140") for variant in variants
    ]
    # One value of every DOF; the muscles alone have no seeds to spread over.
    assert all(row.count("±") == (0 if " calibrated " in row else 3) for row in rows)
    assert re.fullmatch(r"longest training: [0-9.]+ s", last)


def test_every_trial_or_condition_is_left_out_once(example, folder, tests):
    fitted = list(folder.trials)
    assert list(example.folds(fitted, tests, None)) == [(fitted, tests)]
    by_trial = list(example.folds(fitted, tests, "trial"))
    assert [out for _, out in by_trial] == [[trial] for trial in (*fitted, *tests)]
    assert all(len(kept) == 4 for kept, _ in by_trial)
