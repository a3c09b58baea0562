"""Real time: a stream is a trial, instant by instant."""

import dataclasses
import threading

import numpy as np
import pytest

import ceinms_torch as ct
from ceinms_torch import _kernel
from engine_cases import kernel_arguments, make_subject, make_trial, run_arrays, run_kernel

RATE = 128.0  # [Hz]: time steps without rounding, so that results must agree to the last digits
N_EARLY = 64  # excitations before the first step
# Delays [s]: none, a whole number of samples, and between two.
SUBJECT = make_subject(
    [
        {"em_delay": 0.0},
        {"em_delay": 4.0 / RATE, "c1": -0.8},
        {"em_delay": 0.0437, "pennation_angle": 0.1, "strength_coefficient": 1.6},
        {"em_delay": 0.0152, "tendon_slack_length": 0.24, "tendon_stiffness": 1.4},
        {"em_delay": 0.2, "c2": -0.7},
    ]
)
TRIAL = make_trial(
    SUBJECT, "trial", n_step=90, step=1.0 / RATE, emg_rate=RATE, emg_start=-N_EARLY / RATE
)
N_MTU = len(SUBJECT.mtus)


def instants(trial=TRIAL, n_early=N_EARLY):
    rows = trial.excitation[n_early:]
    return zip(rows, trial.mtu_length, trial.moment_arm, strict=False)


def run(stream, trial=TRIAL, n_early=N_EARLY):
    """Return forces (n_step, n_mtu) and moments (n_step, n_dof) of a whole trial."""
    if n_early:
        stream.run_in(trial.excitation[:n_early])
    steps = [stream.step(*instant) for instant in instants(trial, n_early)]
    assert len(steps) == len(trial.time)
    return tuple(np.stack(column) for column in zip(*steps, strict=True))


def with_parameter(subject, row, change):
    matrix = subject.parameters()
    matrix[row] = change(matrix[row])
    return subject.with_parameters(matrix)


def assert_same(actual, expected):
    """Check that a quantity differs nowhere by more than 1e-12 of its largest value."""
    scale = np.abs(expected).max()
    np.testing.assert_allclose(actual / scale, expected / scale, rtol=0.0, atol=1e-12)


# ---- a stream is a trial


@pytest.mark.parametrize("instruction_set", _kernel.instruction_sets())
@pytest.mark.parametrize("filter_start", ["zero", "ceinms"])
def test_equals_the_simulation_of_the_whole_trial(filter_start, instruction_set):
    expected = run_kernel(SUBJECT, TRIAL, filter_start=filter_start)
    stream = ct.Stream(
        SUBJECT, rate=RATE, filter_start=filter_start, instruction_set=instruction_set
    )
    stream.run_in(TRIAL.excitation[:N_EARLY])
    states = ("activation", "fibre_length", "fibre_velocity", "tendon_strain")
    actual = {name: [] for name in ("mtu_force", "joint_moment", *states)}
    for instant in instants():
        step = stream.step(*instant)
        actual["mtu_force"].append(step.mtu_force)
        actual["joint_moment"].append(step.joint_moment)
        for name in states:
            actual[name].append(getattr(stream, name))
    assert stream.n_step == len(TRIAL.time)
    for name, values in actual.items():
        assert_same(np.stack(values), expected[name])


def test_equals_the_public_simulation():
    simulation = ct.simulate(SUBJECT, TRIAL, filter_start="ceinms")
    force, moment = run(ct.Stream(SUBJECT, rate=RATE, filter_start="ceinms"))
    assert_same(force, simulation.mtu_force.array)
    assert_same(moment, simulation.joint_moment.array)


def test_stiff_tendon_takes_the_difference_of_two_lengths_for_its_velocity():
    velocity = np.diff(TRIAL.mtu_length, axis=0, prepend=TRIAL.mtu_length[:1]) * RATE
    arguments = kernel_arguments(SUBJECT, TRIAL, tendon="stiff", filter_start="zero")
    arguments["mtu_velocity"] = velocity
    expected = run_arrays(**arguments)
    force, moment = run(ct.Stream(SUBJECT, rate=RATE, tendon="stiff"))
    assert_same(force, expected["mtu_force"])
    assert_same(moment, expected["joint_moment"])


def test_excitations_before_the_first_step_are_optional():
    """Without them the muscles start from rest, as those of a trial whose EMG starts with it."""
    late = dataclasses.replace(
        TRIAL,
        excitation=TRIAL.excitation[N_EARLY:],
        excitation_time=TRIAL.excitation_time[N_EARLY:],
    )
    expected = run_kernel(SUBJECT, late, filter_start="zero")
    force, _ = run(ct.Stream(SUBJECT, rate=RATE), late, n_early=0)
    assert_same(force, expected["mtu_force"])
    rested, _ = run(ct.Stream(SUBJECT, rate=RATE))
    assert np.abs(force[:5] - rested[:5]).max() > 100.0


def test_moments_of_some_dofs_in_the_order_asked_for():
    everything = ct.Stream(SUBJECT, rate=RATE)
    ankle = ct.Stream(SUBJECT, ["ankle"], rate=RATE)
    turned = ct.Stream(SUBJECT, ["ankle", "knee"], rate=RATE)
    assert turned.dof_names == ("ankle", "knee")
    for e, length, arm in instants():
        moment = everything.step(e, length, arm).joint_moment
        assert ankle.step(e, length, arm[1:]).joint_moment == pytest.approx(moment[1:], rel=1e-14)
        turned_moment = turned.step(e, length, arm[::-1]).joint_moment
        assert turned_moment == pytest.approx(moment[::-1], rel=1e-14)


def test_moment_arms_where_an_mtu_does_not_act_are_ignored():
    stream = ct.Stream(SUBJECT, rate=RATE)
    given = ct.Stream(SUBJECT, rate=RATE)
    for e, length, arm in instants():
        assert (arm[1, 1::2] == 0.0).all()  # every other MTU acts on the ankle
        everywhere = np.where(arm == 0.0, 0.05, arm)
        np.testing.assert_array_equal(
            given.step(e, length, everywhere).joint_moment,
            stream.step(e, length, arm).joint_moment,
        )


def test_results_are_arrays_of_their_own():
    stream = ct.Stream(SUBJECT, rate=RATE)
    first, second, *_ = [stream.step(*instant) for instant in instants()]
    kept = first.mtu_force.copy()
    second.mtu_force[:] = 0.0
    np.testing.assert_array_equal(first.mtu_force, kept)
    assert (stream.activation > 0.0).all()


def test_lists_and_other_number_types_will_do():
    stream = ct.Stream(SUBJECT, rate=RATE)
    same = ct.Stream(SUBJECT, rate=RATE)
    e, length, arm = next(instants())
    step = stream.step(e.tolist(), length.tolist(), arm.tolist())
    strided = np.stack([length, length], axis=1)[:, 0]
    other = same.step(e, strided, np.asfortranarray(arm))
    np.testing.assert_array_equal(step.mtu_force, other.mtu_force)


# ---- changes on the way


def test_reset_begins_again():
    stream = ct.Stream(SUBJECT, rate=RATE)
    first, _ = run(stream)
    stream.reset()
    assert stream.n_step == 0
    assert (stream.activation == 0.0).all()
    again, _ = run(stream)
    np.testing.assert_array_equal(again, first)


def test_new_parameters_act_from_the_next_step_on():
    stronger = with_parameter(SUBJECT, 8, lambda strength: 1.5 * strength)
    stream = ct.Stream(SUBJECT, rate=RATE)
    changing = ct.Stream(SUBJECT, rate=RATE)
    for k, instant in enumerate(instants()):
        if k == 30:
            changing.set_subject(stronger)
            assert changing.subject is stronger
        factor = 1.5 if k >= 30 else 1.0
        force = stream.step(*instant).mtu_force
        np.testing.assert_allclose(changing.step(*instant).mtu_force, factor * force, rtol=1e-9)


def test_the_same_parameters_change_nothing():
    stream = ct.Stream(SUBJECT, rate=RATE)
    expected, _ = run(ct.Stream(SUBJECT, rate=RATE))
    stream.run_in(TRIAL.excitation[:N_EARLY])
    for k, instant in enumerate(instants()):
        np.testing.assert_array_equal(stream.step(*instant).mtu_force, expected[k])
        stream.set_subject(SUBJECT)


def test_fibres_and_filters_find_their_way_to_new_parameters():
    other = with_parameter(SUBJECT, 5, lambda slack: 1.01 * slack)
    other = with_parameter(other, 9, lambda delay: 0.5 * delay)
    expected, _ = run(ct.Stream(other, rate=RATE))
    unchanged, _ = run(ct.Stream(SUBJECT, rate=RATE))
    stream = ct.Stream(SUBJECT, rate=RATE)
    stream.run_in(TRIAL.excitation[:N_EARLY])
    forces = []
    for k, instant in enumerate(instants()):
        if k == 20:
            stream.set_subject(other)
        forces.append(stream.step(*instant).mtu_force)
    assert np.abs(unchanged - expected)[60:].max() > 100.0
    np.testing.assert_allclose(np.stack(forces)[60:], expected[60:], atol=5.0)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"mtus": SUBJECT.mtus[:-1], "dofs": SUBJECT.dofs[:0]}, "MTUs"),
        ({"dofs": SUBJECT.dofs[::-1]}, "DOFs"),
        ({"curves": {}}, "curves"),
    ],
)
def test_another_subject_is_refused(change, what):
    stream = ct.Stream(SUBJECT, rate=RATE)
    with pytest.raises(ct.DataError, match=rf"set_subject: expected the same {what}"):
        stream.set_subject(dataclasses.replace(SUBJECT, **change))
    assert stream.subject is SUBJECT


@pytest.mark.parametrize("delay", [-0.01, 0.3])
def test_delays_without_memory_are_refused(delay):
    late = with_parameter(SUBJECT, 9, lambda delays: delays * 0.0 + delay)
    stream = ct.Stream(SUBJECT, rate=RATE)
    message = rf"emDelay of mtu0: expected 0 to 0.25 s, got {delay:g} s"
    with pytest.raises(ct.DataError, match=message):
        stream.set_subject(late)
    with pytest.raises(ct.DataError, match=message):
        ct.Stream(late, rate=RATE)
    if delay > 0.0:
        ct.Stream(late, rate=RATE, longest_delay=delay)


# ---- what is refused


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_what_is_not_finite_is_refused_and_the_stream_stays_where_it_was(which, value):
    stream = ct.Stream(SUBJECT, rate=RATE)
    undisturbed = ct.Stream(SUBJECT, rate=RATE)
    name = ("excitation", "mtu_length", "moment_arm")[which]
    for instant in instants():
        bad = [array.copy() for array in instant]
        bad[which].flat[-1] = value
        with pytest.raises(ct.DataError, match=rf"^{name}: expected finite numbers"):
            stream.step(*bad)
        np.testing.assert_array_equal(
            stream.step(*instant).mtu_force, undisturbed.step(*instant).mtu_force
        )
    assert stream.n_step == undisturbed.n_step


@pytest.mark.parametrize("which", [0, 1, 2])
def test_wrong_shapes_are_refused(which):
    stream = ct.Stream(SUBJECT, rate=RATE)
    instant = list(next(instants()))
    name = ("excitation", "mtu_length", "moment_arm")[which]
    for wrong in (instant[which][..., :-1], instant[which][np.newaxis], 0.5):
        with pytest.raises(ct.DataError, match=rf"^{name}: expected shape \("):
            stream.step(*instant[:which], wrong, *instant[which + 1 :])
    assert stream.n_step == 0


def test_bad_run_ins_are_refused():
    stream = ct.Stream(SUBJECT, rate=RATE)
    with pytest.raises(ct.DataError, match=r"^excitation: expected shape \(0, 5\), got \(5\)"):
        stream.run_in(TRIAL.excitation[0])
    spoilt = TRIAL.excitation[:5].copy()
    spoilt[3, 2] = np.nan
    with pytest.raises(ct.DataError, match=r"^excitation: expected finite"):
        stream.run_in(spoilt)
    force, _ = run(stream)  # nothing of it has stayed
    np.testing.assert_array_equal(force, run(ct.Stream(SUBJECT, rate=RATE))[0])
    with pytest.raises(ct.DataError, match="a stream before its first step"):
        stream.run_in(TRIAL.excitation[:5])


def test_excitations_outside_their_range_are_clamped_and_counted():
    stream = ct.Stream(SUBJECT, rate=RATE)
    clamped = ct.Stream(SUBJECT, rate=RATE)
    for e, length, arm in instants():
        outside = e.copy()
        outside[:2] = (-0.3, 1.2)
        inside = e.copy()
        inside[:2] = (0.0, 1.0)
        np.testing.assert_array_equal(
            stream.step(outside, length, arm).mtu_force,
            clamped.step(inside, length, arm).mtu_force,
        )
    assert stream.n_clamped == 2 * len(TRIAL.time)
    assert clamped.n_clamped == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 0.0}, "rate: expected"),
        ({"rate": np.nan}, "rate: expected"),
        ({"longest_delay": -0.1}, "longest_delay: expected"),
        ({"tendon": "integrationElastic"}, "tendon: expected"),
        ({"filter_start": "warm"}, "filter_start: expected"),
        ({"dofs": ["knee", "hip"]}, "dofs: expected DOFs of the subject, knee, ankle, got hip"),
        ({"dofs": ["knee", "knee"]}, "dofs: expected every DOF once, got knee twice"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ct.OptionError, match=message):
        ct.Stream(SUBJECT, **{"rate": RATE, **options})


# ---- side by side


def test_streams_in_threads_do_not_disturb_each_other():
    subjects = [with_parameter(SUBJECT, 8, lambda s, i=i: s * (1.0 + i)) for i in range(4)]
    alone = [run(ct.Stream(subject, rate=RATE))[0] for subject in subjects]
    together = [None] * len(subjects)
    barrier = threading.Barrier(len(subjects), timeout=60.0)

    def work(i):
        stream = ct.Stream(subjects[i], rate=RATE)
        barrier.wait()
        for _ in range(20):
            stream.reset()
            together[i], _ = run(stream)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(subjects))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120.0)
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)
