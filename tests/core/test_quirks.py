"""Quirks of CEINMS 0.9 that no other test shows: numbers are those of python/CEINMS.md."""

import dataclasses

import numpy as np
import pytest

from ceinms_torch.cli.programs import CEINMS, CEINMS_CALIBRATE
from ceinms_torch.errors import CeinmsTorchWarning
from ceinms_torch.inputs.calibrate import calibrate
from ceinms_torch.inputs.folder import CalibrationFolder, RunFolder
from ceinms_torch.io.storage import read_storage
from ceinms_torch.model.nms_model import Tendon
from ceinms_torch.model.parameters import PARAMETER_KINDS
from ceinms_torch.simulation.legacy.run import simulate_legacy
from helpers import CURVES, edit, run_legacy_folder, storage_text, write_tiny_folder

STIFF = Tendon(kind="stiff")


def folder_of(path, **options):
    return RunFolder.read(write_tiny_folder(path, **options) / "setup.xml", legacy=True)


def rewrite(path, change):
    """Replace (time, values) of a storage file by what a function makes of them."""
    storage = read_storage(path)
    time, values = change(storage.time, storage.values)
    path.write_text(storage_text("changed", time, storage.columns, values))


def activations(folder):
    read = RunFolder.read(folder / "setup.xml", legacy=True)
    return run_legacy_folder(read).simulation.activation.array


# ---- Activation and forces --------------------------------------------------------------


def test_emg_rows_between_frames_are_skipped(tmp_path):
    """F1. EMG at 200 Hz, frames at 100 Hz: after the run-in every other row is never looked at."""
    folder = write_tiny_folder(tmp_path)
    emg = folder / "trial1" / "emg.mot"
    before = activations(folder)

    def between(time, values):
        # Rows t - 0.015 s (the delay) belong to a frame; those 5 ms later do not.
        skipped = (time > -0.0126) & (np.rint((time + 0.015) / 0.005) % 2 == 1)
        assert skipped.sum() > 25
        return time, np.where(skipped[:, None], 0.9, values)

    rewrite(emg, between)
    np.testing.assert_array_equal(activations(folder), before)
    # All rows of the run-in count.
    rewrite(emg, lambda time, values: (time, np.where(time[:, None] < -0.016, 0.9, values)))
    assert np.abs(activations(folder)[0] - before[0]).min() > 1e-3


def test_activation_is_not_limited_and_forces_may_be_negative(tmp_path):
    """F5."""
    folder = folder_of(tmp_path)
    matrix = folder.subject.parameters()
    for kind in ("c1", "c2"):
        matrix[PARAMETER_KINDS.index(kind)] = 0.5  # gain 2.25 from rest
    subject = folder.subject.with_parameters(matrix)
    time = folder.trial.excitation_time
    step = np.where(time[:, None] < 0.1, 0.0, 1.0) * np.ones(3)
    run = simulate_legacy(subject, dataclasses.replace(folder.trial, excitation=step), tendon=STIFF)
    assert run.simulation.activation.array.max() > 1.0
    # Without excitation a short fibre that shortens is pushed by its damping alone.
    matrix = folder.subject.parameters()
    matrix[PARAMETER_KINDS.index("tendonSlackLength"), 0] += 0.02
    silent = dataclasses.replace(folder.trial, excitation=np.zeros_like(step))
    run = simulate_legacy(folder.subject.with_parameters(matrix), silent, tendon=STIFF)
    assert run.simulation.norm_fibre_length.array[:, 0].max() < 1.0
    assert run.simulation.mtu_force.array[:, 0].min() < 0.0


def test_force_law_normalises_velocity_by_lmo(tmp_path):
    """F6. Activation-dependent length in the active curve only, all velocities by lmo vmax."""
    folder = folder_of(tmp_path)
    run = run_legacy_folder(folder).simulation
    subject, i = folder.subject, 0
    mtu = subject.mtus[i]
    curve = subject.curves
    a, length = run.activation.array[:, i], run.fibre_length.array[:, i]
    w = run.fibre_velocity.array[:, i] / (mtu.optimal_fibre_length * mtu.max_contraction_velocity)
    np.testing.assert_allclose(w, run.norm_fibre_velocity.array[:, i], rtol=1e-12)
    longer = mtu.optimal_fibre_length * (mtu.percentage_change * (1.0 - a) + 1.0)
    active = spline(curve["activeForceLength"], length / longer)
    passive = spline(curve["passiveForceLength"], length / mtu.optimal_fibre_length)
    velocity = spline(curve["forceVelocity"], w)
    force = active * velocity * a + passive + mtu.damping * w
    force *= mtu.max_isometric_force * mtu.strength_coefficient
    force *= np.cos(run.pennation_angle.array[:, i])
    np.testing.assert_allclose(run.mtu_force.array[:, i], force, rtol=1e-9)


def spline(curve, x):
    """Evaluate the spline that CEINMS draws, from its definition (reference C.2), densely."""
    knots, y = np.asarray(curve.x), np.asarray(curve.y)
    n, h = len(knots), np.diff(knots)

    def third(first):  # divided difference of four points, times 6 the third derivative
        return np.polyfit(knots[first : first + 4] - knots[first], y[first : first + 4], 3)[0] * 6.0

    # Unknowns: second derivatives m at the knots.
    matrix, right = np.zeros((n, n)), np.zeros(n)
    for k in range(1, n - 1):
        matrix[k, k - 1 : k + 2] = h[k - 1], 2.0 * (h[k - 1] + h[k]), h[k]
        right[k] = 6.0 * ((y[k + 1] - y[k]) / h[k] - (y[k] - y[k - 1]) / h[k - 1])
    matrix[0, :2], right[0] = (-1.0, 1.0), third(0) * h[0]
    matrix[-1, -2:], right[-1] = (-1.0, 1.0), third(n - 4) * h[-1]
    m = np.linalg.solve(matrix, right)
    i = np.clip(np.searchsorted(knots, x) - 1, 0, n - 2)
    left, rest = x - knots[i], knots[i + 1] - x
    return (
        (m[i] * rest**3 + m[i + 1] * left**3) / (6.0 * h[i])
        + (y[i] / h[i] - m[i] * h[i] / 6.0) * rest
        + (y[i + 1] / h[i] - m[i + 1] * h[i] / 6.0) * left
    )


def test_slack_of_a_stiff_tendon_is_said(tmp_path, capsys):
    """F9. The fibre gets longer again, as in CEINMS; the program says so."""
    folder = write_tiny_folder(tmp_path)
    edit(folder / "subject.xml", "<tendonSlackLength>0.25<", "<tendonSlackLength>0.40<")
    assert CEINMS.main(["-S", str(folder / "setup.xml")]) == 0
    assert "soleus_r" in capsys.readouterr().err
    length = read_storage(folder / "output" / "FiberLenghts.sto").column("soleus_r")
    assert length.min() > 0.08


# ---- Calibration ------------------------------------------------------------------------


def test_start_of_the_annealing_is_not_evaluated(tmp_path):
    """F10. A start that fits exactly is left for good."""
    path = write_tiny_folder(tmp_path, n_trial=1)
    folder = CalibrationFolder.read(path / "calibrationSetup.xml", legacy=True)
    (trial,) = folder.trials
    exact = simulate_legacy(folder.subject, trial, tendon=STIFF).simulation.joint_moment.array
    trial = dataclasses.replace(trial, measured_moment=exact)
    result = calibrate(folder, [trial], method="annealing")
    assert result.objective > 1e-6


@pytest.mark.parametrize(
    ("kind", "scope"),
    [
        ("pennationAngle", "<single/>"),
        ("maxIsometricForce", "<single/>"),
        ("percentageChange", "<global/>"),
    ],
)
def test_parameters_at_which_ceinms_aborts_are_calibrated(tmp_path, kind, scope):
    """F15."""
    path = write_tiny_folder(tmp_path, n_trial=1)
    edit(
        path / "calibration.xml",
        "<name>c1</name>\n          <single/>",
        f"<name>{kind}</name>\n          {scope}",
    )
    edit(path / "calibration.xml", "<absolute>", "<relativeToSubjectValue>")
    edit(path / "calibration.xml", "-0.95 -0.05", "0.9 1.1")
    edit(path / "calibration.xml", "</absolute>", "</relativeToSubjectValue>")
    folder = CalibrationFolder.read(path / "calibrationSetup.xml", legacy=True)
    result = calibrate(folder, method="annealing")
    row = PARAMETER_KINDS.index(kind)
    ratio = result.subject.parameters()[row] / folder.subject.parameters()[row]
    assert np.all((ratio >= 0.9 - 1e-12) & (ratio <= 1.1 + 1e-12))
    assert np.all(ratio != 1.0)


def test_constant_moment_is_one_message(tmp_path, capsys):
    """F14. Its variance, a divisor, is zero."""
    path = write_tiny_folder(tmp_path)
    rewrite(path / "trial1" / "id.sto", lambda time, values: (time, 0.0 * values + 7.0))
    assert CEINMS_CALIBRATE.main(["-S", str(path / "calibrationSetup.xml")]) == 1
    assert "trial trial1: expected a measured moment of knee_angle_r" in capsys.readouterr().err


def test_curve_with_one_point_is_an_error(tmp_path, capsys):
    """F31. The original takes the argument for the value."""
    path = write_tiny_folder(tmp_path)
    x, y = CURVES["forceVelocity"]
    edit(path / "subject.xml", f">{x}<", ">0<")
    edit(path / "subject.xml", f">{y}<", ">1<")
    assert CEINMS.main(["-S", str(path / "setup.xml")]) == 1
    assert "<xPoints>: expected at least two points, got 1" in capsys.readouterr().err


# ---- Searched excitations ---------------------------------------------------------------


def hybrid(alpha=0, beta=0, gamma=0, no_epsilon=2):
    return f"""<hybrid><alpha>{alpha}</alpha><beta>{beta}</beta><gamma>{gamma}</gamma>
<synthMTUs>soleus_r</synthMTUs><adjustMTUs>gasmed_r recfem_r</adjustMTUs><algorithm>
<simulatedAnnealing><noEpsilon>{no_epsilon}</noEpsilon><rt>0.1</rt><T>0.1</T><NS>10</NS><NT>5</NT>
<epsilon>1E-6</epsilon><maxNoEval>5000</maxNoEval></simulatedAnnealing></algorithm></hybrid>"""


def searched(path, **weights):
    """Return the excitations used and those mapped, at each frame."""
    folder = folder_of(path, mode="online", type_xml=hybrid(**weights), n_step=6)
    used = run_legacy_folder(folder).adjusted_excitation.array
    rows = np.searchsorted(folder.trial.excitation_time, folder.trial.time - 0.015 - 1e-4)
    return used, folder.trial.excitation[rows]


def test_beta_is_the_sum_of_squares_of_all_excitations(tmp_path):
    """F25. The manual has it the other way round."""
    used, mapped = searched(tmp_path, beta=1)
    assert used.max() < 0.02
    assert mapped.min() > 0.05


def test_gamma_is_the_distance_from_the_recorded_excitations(tmp_path):
    """F25."""
    used, mapped = searched(tmp_path, gamma=1)
    np.testing.assert_allclose(used[:, 1:], mapped[:, 1:], atol=0.02)


def test_more_temperatures_may_have_to_agree_than_ceinms_can_count(tmp_path):
    """F26. The original aborts with a noEpsilon above 8."""
    used, _ = searched(tmp_path, gamma=1, no_epsilon=9)
    assert np.isfinite(used).all()


def test_times_of_searched_excitations_are_those_of_emg_rows(tmp_path):
    """F27."""
    path = write_tiny_folder(tmp_path, mode="online", type_xml=hybrid(gamma=1), n_step=6)
    rewrite(path / "trial1" / "emg.mot", lambda time, values: (time + 0.002, values))
    folder = RunFolder.read(path / "setup.xml", legacy=True)
    run = run_legacy_folder(folder)
    np.testing.assert_allclose(run.adjusted_excitation.time, folder.trial.time + 0.002, atol=1e-12)
    np.testing.assert_array_equal(run.simulation.joint_moment.time, run.adjusted_excitation.time)


def test_elaborated_dofs_change_nothing_open_loop(tmp_path):
    """F29."""
    folder = write_tiny_folder(tmp_path)
    before = activations(folder)
    edit(
        folder / "execution.xml",
        "<offline/>",
        "<offline/><elaboratedDoFs>knee_angle_r</elaboratedDoFs>",
    )
    read = RunFolder.read(folder / "setup.xml", legacy=True)
    assert read.execution.elaborated_dofs == ("knee_angle_r",)
    run = run_legacy_folder(read).simulation
    assert run.joint_moment.columns == ("knee_angle_r", "ankle_angle_r")
    np.testing.assert_array_equal(run.activation.array, before)


def test_moments_slower_than_frames_are_interpolated(tmp_path):
    """F35. The original aborts unless every frame has a torque row of its own."""
    path = write_tiny_folder(tmp_path, mode="online", type_xml=hybrid(alpha=1), n_step=7)
    rewrite(path / "trial1" / "id.sto", lambda time, values: (time[::2], values[::2]))
    with pytest.warns(CeinmsTorchWarning, match="interpolated linearly"):
        folder = RunFolder.read(path / "setup.xml", legacy=True)
    assert np.isfinite(run_legacy_folder(folder).adjusted_excitation.array).all()
