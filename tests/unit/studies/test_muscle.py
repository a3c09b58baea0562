"""The study of a muscle: recordings, curves, and a muscle whose truth is known."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import ceinms_torch as ct
from ceinms_torch.io.plain import plain, revived
from ceinms_torch.simulation.smooth_curves import millard_curves
from ceinms_torch.studies.muscle import MuscleStudy, study_muscle
from ceinms_torch.studies.muscle_data import full_activation, read_recording
from ceinms_torch.studies.muscle_models import (
    MODELS,
    ROSENBROCK,
    STIFF,
    fit_muscle,
    muscle_subject,
    muscle_trial,
    rat_soleus,
    run_muscle,
    scaled,
)
from ceinms_torch.studies.muscle_tables import all_models, prediction_errors, tables_of

GOOD = "time_s,displacement_mm,force_N,activation\n" + "".join(
    f"{0.02 * i},{0.1 * (-1) ** i},{0.5 + 0.01 * i},0.6\n" for i in range(8)
)


def write_recording(path, amplitude, force=None, n_row=81):
    """Write a sinusoidal length change with an activation that rises and falls."""
    time = np.linspace(0.0, 0.4, n_row)
    displacement = amplitude * np.sin(2.0 * np.pi * 5.0 * time)
    activation = 0.55 + 0.35 * np.sin(2.0 * np.pi * 4.0 * time)
    force = np.zeros(n_row) if force is None else force
    columns = np.column_stack([time, displacement, force, activation])
    header = "time_s,displacement_mm,force_N,activation"
    np.savetxt(path, columns, delimiter=",", header=header, comments="", fmt="%.12g")
    return path


# ---- Recordings -------------------------------------------------------------------------


def test_displacement_and_length_are_the_same_recording(tmp_path):
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text("time_s,displacement_mm,force_N\n0,1,2\n1,2,3\n2,1,2\n4,0,1\n")
    second.write_text(
        "force_N,note,length_m,time_s\n2,x,0.033,0\n3,x,0.034,1\n2,x,0.033,2\n1,x,0.032,4\n"
    )
    one, two = read_recording(first, 0.032), read_recording(second, 1.0)
    np.testing.assert_allclose(one.length, two.length, rtol=1e-12)
    assert one.activation is None
    np.testing.assert_array_equal(one.force, two.force)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("force_N", "force", "one column force_N, got 0 among time_s, displacement_mm, force, act"),
        ("displacement_mm", "displacement", "a column length_m or displacement_mm"),
        ("activation", "length_m", "got both"),
        ("0.51,", "nan,", "a finite number for force_N in row 3, got 'nan'"),
        ("0.51,", "two,", "a finite number for force_N in row 3, got 'two'"),
        ("0.04,", "0.02,", "times that increase, got 0.02 in row 4"),
        ("0.02,-0.1,0.51,0.6", "0.02,-0.1,0.51", "4 values in every row, got 3 in row 3"),
        ("0.51,0.6", "0.51,60", "activations from 0 to 1, got 60 in row 3"),
        ("0.02,-0.1", "0.02,-100", "MTU lengths above zero"),
    ],
)
def test_faults_are_named(tmp_path, old, new, message):
    path = tmp_path / "bad.csv"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ct.FileFormatError, match="bad") as caught:
        read_recording(path, 0.032)
    assert message in str(caught.value)


def test_too_short_is_refused(tmp_path):
    path = tmp_path / "short.csv"
    path.write_text("".join(GOOD.splitlines(keepends=True)[:4]))
    with pytest.raises(ct.FileFormatError, match="at least 4 rows, got 3 rows"):
        read_recording(path, 0.032)
    with pytest.raises(ct.FileFormatError, match="a CSV file"):
        read_recording(tmp_path / "none.csv", 0.032)


# ---- Activation and curves --------------------------------------------------------------


def test_activation_rises_as_its_equation():
    time = np.linspace(0.0, 0.2, 2001)
    a = full_activation(time)
    assert a[0] == pytest.approx(0.01)
    # The equation has an implicit solution: 2 (1 - a) is integrated to t = tau F(a).
    expected = 0.010 * (-2.0 * np.log((1.0 - a) / 0.99) - 1.5 * (a - 0.01))
    below = a < 0.9999
    np.testing.assert_allclose(time[below], expected[below], atol=1e-6)
    assert np.all(np.diff(a) >= 0.0)


def test_curves_pass_through_what_they_are_made_of():
    curves = {name: (np.array(c.x), np.array(c.y)) for name, c in millard_curves().items()}
    for x, y in curves.values():
        assert np.all(np.diff(x) > 0.0)
        assert np.all(np.isfinite(y))

    def at(name, where):
        return np.interp(where, *curves[name])

    assert at("activeForceLength", 1.0) == pytest.approx(1.0)
    assert at("activeForceLength", [0.3, 2.0]) == pytest.approx([0.0, 0.0])
    assert at("passiveForceLength", [0.9, 1.7]) == pytest.approx([0.0, 1.0])
    assert at("forceVelocity", [-1.0, 0.0, 1.0, 1.2]) == pytest.approx([0.0, 1.0, 1.4, 1.4])
    assert at("tendonForceStrain", [0.0, 0.049]) == pytest.approx([0.0, 1.0], abs=1e-9)
    stiff = millard_curves(0.02)["tendonForceStrain"]
    assert np.interp(0.02, stiff.x, stiff.y) == pytest.approx(1.0)


# ---- A muscle whose truth is known ------------------------------------------------------


@pytest.fixture
def start():
    return muscle_subject(rat_soleus())


@pytest.mark.parametrize("model", MODELS)
def test_forces_of_a_model_give_its_parameters_back(tmp_path, start, model):
    path = write_recording(tmp_path / "a.csv", 1.0)
    recording = read_recording(path, 0.0321)
    trial = muscle_trial(recording, start)
    truth = scaled(start, np.array([1.3, 1.02, 0.98]))
    run, _ = run_muscle(truth, trial, model)
    trial = dataclasses.replace(trial, measured_moment=run.mtu_force.array)
    fit = fit_muscle(start, trial, model)
    again, _ = run_muscle(fit.subject, trial, model)
    error = np.abs(again.mtu_force.array - run.mtu_force.array).max()
    assert error < 1e-3  # of about 1 N: differences with steps of 1e-4 leave that much
    found, true = fit.subject.mtus[0], truth.mtus[0]
    if model == STIFF:
        # With a stiff tendon one length is a tendon, the other a fibre: both are seen.
        assert found.optimal_fibre_length == pytest.approx(true.optimal_fibre_length, rel=1e-3)
    assert found.max_isometric_force == pytest.approx(true.max_isometric_force, rel=1e-3)
    assert fit.at_bound == ()


def test_study_finds_the_model_that_made_the_forces(tmp_path, start):
    truth = scaled(start, np.array([1.2, 1.0, 1.0]))
    files = []
    for i, amplitude in enumerate((0.5, 1.0, 0.25, 0.75)):
        path = write_recording(tmp_path / f"trial{i}.csv", amplitude, n_row=801)
        mtu = start.mtus[0]
        rest = mtu.tendon_slack_length + mtu.optimal_fibre_length * np.cos(mtu.pennation_angle)
        run, _ = run_muscle(
            truth, muscle_trial(read_recording(path, rest - 0.002), start), ROSENBROCK
        )
        write_recording(path, amplitude, run.mtu_force.array[:, 0], n_row=801)
        files.append(path)
    study = study_muscle(files)
    assert study.fitted_on == "trial1"
    assert [trial["name"] for trial in study.trials] == ["trial2", "trial0", "trial3", "trial1"]
    assert max(prediction_errors(study, ROSENBROCK)) < 0.1
    assert min(prediction_errors(study, STIFF)) > max(prediction_errors(study, ROSENBROCK))
    parameters = study.models[ROSENBROCK]["parameters"]
    assert parameters["maxIsometricForce"] == pytest.approx(1.2 * 1.2759, rel=1e-2)
    assert all(limit["is_finite"] for limit in study.limits if limit["model"] == ROSENBROCK)
    assert all_models(study).p is not None
    again = revived(MuscleStudy, plain(study))
    assert tables_of(again) == tables_of(study)


def test_recordings_that_cannot_be_compared(tmp_path):
    path = write_recording(tmp_path / "a.csv", 1.0)
    with pytest.raises(ct.DataError, match="at least two, got 1"):
        study_muscle([path])
    with pytest.raises(ct.DataError, match="files of different names"):
        study_muscle([path, path])


# ---- The rat soleus ---------------------------------------------------------------------


def test_rat_soleus(shared_dir):
    files = sorted((shared_dir / "data" / "rat_soleus").glob("trial*.csv"))
    study = study_muscle(files)
    assert study.fitted_on == "trial6_2.0mm"
    mean = {model: np.mean(prediction_errors(study, model)) for model in MODELS}
    assert mean[ROSENBROCK] <= mean["equilibriumElastic"] < mean[STIFF]
    # What Millard et al. (2013) report of their elastic tendons.
    assert max(trial["error"][ROSENBROCK] for trial in study.trials) <= 8.9
    assert all_models(study).is_significant
    # The page shows what the command writes; other processors may round otherwise.
    page = (Path(__file__).resolve().parents[3] / "python" / "MUSCLE.md").read_text("utf-8")
    for trial in study.trials:
        row = next(line for line in page.splitlines() if line.startswith(f"| {trial['name']}"))
        shown = [float(cell) for cell in row.split("|")[3:-1]]
        assert shown == pytest.approx([trial["error"][model] for model in MODELS], abs=0.05)
