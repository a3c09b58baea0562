"""Re-fits on the last seconds of a stream, of which the truth is known."""

import dataclasses
import threading
import time

import numpy as np
import pytest

import ceinms_torch as ct
from ceinms_torch.realtime.window_history import WindowHistory
from engine_cases import make_trial, run_kernel
from helpers import write_tiny_folder

RATE = 100.0  # [Hz]
STRENGTH, SLACK = 8, 5  # rows of the parameter matrix
THOROUGH = ct.LevenbergMarquardt(max_iterations=200, min_improvement=1e-6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = write_tiny_folder(
        tmp_path_factory.mktemp("windowed") / "tiny", tendon="<rosenbrockElastic/>"
    )
    return ct.CalibrationFolder.read(path / "calibrationSetup.xml")


def changed(subject, **factors):
    """Return the subject with rows of its parameters multiplied: c1=..., strength=..., slack=..."""
    matrix = subject.parameters()
    for name, factor in factors.items():
        matrix[{"c1": 0, "slack": SLACK, "strength": STRENGTH}[name]] *= factor
    return subject.with_parameters(matrix)


def truth_of(subject):
    return changed(subject, c1=0.9, strength=np.array([1.3, 1.3, 0.8]), slack=1.004)


def instants(subject, n, *, first=0, noise=0.0):
    """Yield instants of a movement with the moments that a subject has in it, and noise [N m]."""
    trial = make_trial(
        subject,
        "movement",
        n_step=first + n,
        frequency=0.9,
        emg_rate=RATE,
        emg_start=0.0,
        level=0.3,
    )
    moment = run_kernel(subject, trial)["joint_moment"]
    moment += noise * np.random.default_rng(5).standard_normal(moment.shape)
    for k in range(first, first + n):
        yield trial.excitation[k], trial.mtu_length[k], trial.moment_arm[k], moment[k]


def calibrator_of(folder, subject=None, **options):
    return ct.WindowedCalibrator(
        folder.subject if subject is None else subject,
        folder.plan,
        **{"rate": RATE, "window": 1.5, **options},
    )


def fill(calibrator, subject, n=350, **options):
    for instant in instants(subject, n, **options):
        calibrator.push(*instant)


# ---- known truth


def test_finds_the_truth_and_follows_when_it_moves(folder):
    first = truth_of(folder.subject)
    second = changed(first, strength=np.array([1.2, 1.2, 1.5]), slack=0.997)
    calibrator = calibrator_of(folder, options=THOROUGH)
    fill(calibrator, first)
    fit = calibrator.recalibrate()
    assert fit.start_objective > 0.02
    assert fit.objective < 1e-3 * fit.start_objective
    assert fit.subject is calibrator.subject
    assert fit.n_push == calibrator.n_push == 350
    # Strengths of the two groups; other parameters may stand in for each other.
    np.testing.assert_allclose(
        fit.subject.parameters()[STRENGTH], first.parameters()[STRENGTH], rtol=0.1
    )
    assert max(fit.rmse.values()) < 0.5
    fill(calibrator, second, 200, first=350)
    moved = calibrator.recalibrate()
    assert moved.n_push == 550
    assert moved.start_objective > 0.02
    assert moved.objective < 1e-2 * moved.start_objective
    np.testing.assert_allclose(
        moved.subject.parameters()[STRENGTH], second.parameters()[STRENGTH], rtol=0.1
    )


def test_prior_holds_parameters_unless_the_window_insists(folder):
    """It is about the subject that the calibrator was made with, not about the last fit."""
    found = {}
    for weight in (0.0, 1e5):
        objective = ct.Objective(parameter_prior_weight=weight)
        step = dataclasses.replace(folder.plan.steps[0], objective=objective)
        plan = dataclasses.replace(folder.plan, steps=(step,))
        calibrator = calibrator_of(dataclasses.replace(folder, plan=plan))
        fill(calibrator, truth_of(folder.subject))
        matrix = calibrator.recalibrate().subject.parameters()
        found[weight] = np.abs(matrix / folder.subject.parameters() - 1.0)[STRENGTH]
    assert found[0.0].max() > 0.05
    assert found[1e5].max() < 0.005


def test_few_iterations_when_warm(folder):
    truth = truth_of(folder.subject)
    calibrator = calibrator_of(folder)
    movement = list(instants(truth, 500, noise=1.0))
    for instant in movement[:300]:
        calibrator.push(*instant)
    cold = calibrator.recalibrate()
    while (fit := calibrator.recalibrate()).iterations == 10:
        assert fit.objective <= fit.start_objective
    before = calibrator.subject.parameters()[STRENGTH]
    for instant in movement[300:320]:
        calibrator.push(*instant)
    warm = calibrator.recalibrate()
    assert warm.iterations < cold.iterations
    assert warm.start_objective < 0.1 * cold.start_objective
    # Next to nothing was new.
    np.testing.assert_allclose(warm.subject.parameters()[STRENGTH], before, rtol=0.05)


def test_the_start_of_the_window_is_not_distorted(folder):
    """With the true parameters the window fits: filters and fibres are under way."""
    truth = truth_of(folder.subject)
    objectives = []
    for first in (0, 200):  # all that was before the window, or nothing
        calibrator = calibrator_of(folder, truth)
        fill(calibrator, truth, 350 - first, first=first)
        objectives.append(calibrator.recalibrate().start_objective)
    assert objectives[0] < 1e-6
    assert objectives[1] > 1e-3


def test_a_stream_goes_on_with_the_new_parameters(folder):
    truth = truth_of(folder.subject)
    stream = ct.Stream(folder.subject, rate=RATE, filter_start="ceinms")
    calibrator = calibrator_of(folder, options=THOROUGH)
    errors = []
    for k, instant in enumerate(instants(truth, 500)):
        errors.append(np.abs(stream.step(*instant[:3]).joint_moment - instant[3]).max())
        calibrator.push(*instant)
        if k == 300:
            stream.set_subject(calibrator.recalibrate().subject)
    assert max(errors[350:]) < 0.1 * max(errors[200:300])


# ---- in the background


def wait_for(calibrator, *, seconds=60.0):
    deadline = time.monotonic() + seconds
    while (fit := calibrator.poll()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return fit


def test_background_follows_while_the_stream_goes_on(folder):
    truth = truth_of(folder.subject)
    movement = list(instants(truth, 400))
    calibrator = calibrator_of(folder)
    n_thread = threading.active_count()
    with calibrator.start_background(interval=0.0) as started:
        assert started is calibrator
        for instant in movement[:200]:
            calibrator.push(*instant)
        fits = [wait_for(calibrator)]
        for instant in movement[200:]:
            calibrator.push(*instant)
            fit = calibrator.poll()
            if fit is not None:
                fits.append(fit)
        while fits[-1].n_push < calibrator.n_push:
            fits.append(wait_for(calibrator))
        # Nothing new: nothing to do.
        time.sleep(0.05)
        assert calibrator.poll() is None
    assert threading.active_count() == n_thread
    assert [fit.n_push for fit in fits] == sorted({fit.n_push for fit in fits})
    assert fits[-1].subject is calibrator.subject
    assert fits[-1].objective < 0.1 * fits[0].start_objective
    assert calibrator.poll() is None
    calibrator.stop()  # a second time does no harm


def test_background_waits_for_a_window(folder):
    calibrator = calibrator_of(folder)
    with calibrator.start_background(interval=0.0):
        fill(calibrator, folder.subject, 149)
        time.sleep(0.05)
        assert not calibrator.is_full
        assert calibrator.poll() is None
        for instant in instants(folder.subject, 1, first=149):
            calibrator.push(*instant)
        assert wait_for(calibrator).n_push == 150


def test_what_ends_the_background_comes_out_of_poll(folder, monkeypatch):
    calibrator = calibrator_of(folder)

    def fail():
        raise LookupError("no luck")

    monkeypatch.setattr(calibrator, "recalibrate", fail)
    fill(calibrator, folder.subject, 150)
    with calibrator.start_background(interval=0.0), pytest.raises(LookupError, match="no luck"):
        wait_for(calibrator)


def test_background_starts_once(folder):
    calibrator = calibrator_of(folder)
    with (
        calibrator.start_background(),
        pytest.raises(ct.OptionError, match="start_background: expected a calibrator at rest"),
    ):
        calibrator.start_background()


# ---- what goes in


def test_moments_that_hardly_vary_do_not_count_much(folder):
    """Standing still: a variance of zero would be a division by zero, its noise no information."""
    still = next(instants(folder.subject, 1))[:3]
    stream = ct.Stream(folder.subject, rate=RATE)
    moment = [stream.step(*still).joint_moment for _ in range(300)][-1]
    calibrator = calibrator_of(folder)
    for _ in range(300):
        calibrator.push(*still, moment + 0.05)
    fit = calibrator.recalibrate()
    assert fit.start_objective < 1e-2
    np.testing.assert_allclose(
        fit.subject.parameters()[STRENGTH], folder.subject.parameters()[STRENGTH], rtol=0.01
    )


def test_dofs_in_another_order_and_clamped_excitations_change_nothing(folder):
    truth = truth_of(folder.subject)
    plain = calibrator_of(folder)
    turned = calibrator_of(folder, dofs=folder.subject.dof_names[::-1])
    for e, length, arm, moment in instants(truth, 320):
        e[0] = 1.0 if e[0] > 0.4 else e[0]
        plain.push(e, length, arm, moment)
        everywhere = np.where(arm == 0.0, 0.05, arm)  # of MTUs that do not act: ignored
        turned.push(np.where(e == 1.0, 1.7, e), length, everywhere[::-1], moment[::-1])
    one, other = plain.recalibrate(), turned.recalibrate()
    assert one.objective == pytest.approx(other.objective, rel=1e-6)
    assert one.rmse == pytest.approx(other.rmse, rel=1e-4)
    np.testing.assert_allclose(
        one.subject.parameters(), other.subject.parameters(), rtol=1e-4, atol=1e-12
    )


def test_a_window_must_be_full(folder):
    calibrator = calibrator_of(folder)
    fill(calibrator, folder.subject, 149)
    with pytest.raises(ct.DataError, match="window: expected 150 instants, got 149"):
        calibrator.recalibrate()


@pytest.mark.parametrize("which", [0, 1, 2, 3])
def test_bad_instants_are_refused_and_forgotten(folder, which):
    calibrator = calibrator_of(folder)
    name = ("excitation", "mtu_length", "moment_arm", "measured_moment")[which]
    instant = list(next(instants(folder.subject, 1)))
    for spoilt, message in (
        (np.full_like(instant[which], np.nan), "expected finite numbers, got NaN or infinity"),
        (instant[which][..., :-1], r"expected shape \("),
        (0.5, r"expected shape \("),
    ):
        bad = [*instant[:which], spoilt, *instant[which + 1 :]]
        with pytest.raises(ct.DataError, match=rf"^{name}: {message}"):
            calibrator.push(*bad)
    assert calibrator.n_push == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 0.0}, "rate: expected"),
        ({"window": 0.05}, "window: expected"),
        ({"run_in": -1.0}, "run_in: expected"),
        ({"quiet": 0.0}, "quiet: expected"),
        ({"step": 1}, "step: expected 0 to 0, got 1"),
        ({"dofs": ["ankle_angle_r"]}, "dofs: expected knee_angle_r, which counts in the plan"),
        ({"tendon": "integrationElastic"}, "tendon: expected"),
    ],
)
def test_bad_options_are_refused(folder, options, message):
    with pytest.raises(ct.OptionError, match=message):
        calibrator_of(folder, **options)


def test_start_values_outside_their_ranges_begin_inside(folder):
    weak = changed(folder.subject, strength=0.1)
    with pytest.warns(ct.CeinmsTorchWarning, match="strengthCoefficient: Start values outside"):
        calibrator = calibrator_of(folder, weak)
    fill(calibrator, folder.subject, 150)
    calibrator.recalibrate()
    assert min(mtu.strength_coefficient for mtu in calibrator.subject.mtus) >= 0.5


def test_results_cannot_be_changed(folder):
    calibrator = calibrator_of(folder)
    fill(calibrator, folder.subject, 150)
    fit = calibrator.recalibrate()
    with pytest.raises(dataclasses.FrozenInstanceError):
        fit.objective = 0.0


# ---- the memory of instants


@pytest.mark.parametrize("n_push", [0, 1, 6, 7, 8, 20])
def test_history_gives_the_last_instants_oldest_first(n_push):
    random = np.random.default_rng(1)
    history = WindowHistory(n_mtu=3, n_dof=2, n_instant=7)
    pushed = []
    for _ in range(n_push):
        instant = [random.random(shape) for shape in ((3,), (3,), (2, 3), (2,))]
        history.push(*instant)
        pushed.append([array.copy() for array in instant])
        for array in instant:
            array[...] = np.nan  # the history has copies
    past = history.take()
    assert past.n_push == n_push
    kept = pushed[-7:]
    columns = (past.excitation, past.mtu_length, past.moment_arm, past.measured_moment)
    for i, column in enumerate(columns):
        assert len(column) == len(kept)
        for row, instant in zip(column, kept, strict=True):
            np.testing.assert_array_equal(row, instant[i])
    history.push(np.ones(3), np.ones(3), np.ones((2, 3)), np.ones(2))
    if n_push:
        np.testing.assert_array_equal(past.excitation[-1], kept[-1][0])  # and gives copies
