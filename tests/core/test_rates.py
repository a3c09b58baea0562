"""Delays are the same at every rate, and a subject goes from one rate to another."""

import dataclasses
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ceinms_torch as ct
from ceinms_torch.conversion.files import read_conversion
from ceinms_torch.inputs.rates import calibrated_rate
from ceinms_torch.model.activation_delay import activation_delay
from ceinms_torch.report.summary import quantity_points, summarise
from engine_cases import make_subject, make_trial
from helpers import edit, write_tiny_folder

FINE = 2000.0  # [Hz]
RATES = (100.0, 200.0, 1000.0, 2000.0)
MTUS = [
    {"shape_factor": -0.8},
    {"optimal_fibre_length": 0.07, "pennation_angle": 0.2, "shape_factor": -1.6},
    {"optimal_fibre_length": 0.09, "tendon_slack_length": 0.2, "strength_coefficient": 0.9},
]
START = make_subject(MTUS)
# At 2000 Hz: 32, 50 and 67 ms on average.
TRUTH = make_subject(
    [
        {**mtu, "c1": c, "c2": c, "strength_coefficient": strength}
        for mtu, c, strength in zip(MTUS, (-0.97, -0.98, -0.985), (1.4, 1.1, 0.8), strict=True)
    ]
)


def recordings():
    """Return trials at 2000 Hz with moments of the truth: envelopes of up to 3 Hz."""
    for i in range(3):
        trial = make_trial(
            TRUTH, f"trial{i}", n_step=2001, step=1.0 / FINE, emg_rate=FINE, emg_start=-0.4, phase=i
        )
        t, random = trial.excitation_time, np.random.default_rng(i)
        waves = [
            random.normal() * np.sin(2.0 * np.pi * f * t + random.uniform(0.0, 6.0))
            for _ in TRUTH.mtus
            for f in (0.6, 1.2, 1.8, 2.4, 3.0)
        ]
        signal = np.reshape(waves, (len(TRUTH.mtus), 5, -1)).sum(axis=1)
        excitation = 0.05 + 0.8 * (signal.T - signal.min()) / np.ptp(signal)
        trial = dataclasses.replace(trial, excitation=excitation)
        moment = ct.simulate(TRUTH, trial, tendon="stiff").joint_moment.array
        yield dataclasses.replace(trial, measured_moment=moment)


FINE_TRIALS = tuple(recordings())


def with_emg_at(trial, rate):
    every = round(FINE / rate)
    return dataclasses.replace(
        trial,
        excitation_time=trial.excitation_time[::every],
        excitation=trial.excitation[::every],
    )


def with_motion_at(trial, rate):
    every = round(FINE / rate)
    names = ("time", "mtu_length", "moment_arm", "measured_moment")
    return dataclasses.replace(trial, **{name: getattr(trial, name)[::every] for name in names})


def calibrated(trials):
    step = ct.CalibrationStep(
        dofs=START.dof_names,
        parameters=(
            *ct.activation_delay_parameters(5.0, 120.0),
            ct.ParameterSpec(kind="strengthCoefficient", low=0.5, high=2.5),
        ),
    )
    plan = ct.CalibrationPlan(
        algorithm=ct.LevenbergMarquardt(), tendon=ct.Tendon(kind="stiff"), steps=(step,)
    )
    start = START.at_rate(1.0 / trials[0].time_step, was=100.0)
    return ct.calibrate(start, trials, plan)


def delays_and_moments(result):
    """Return mean delays [ms], and moments at 100 Hz."""
    moments = []
    for trial in result.trials:
        series = trial.simulation.joint_moment
        moments.append(series.array[:: round(0.01 / (series.time[1] - series.time[0]))])
    return np.array(list(result.activation_delays.values())), np.concatenate(moments)


def assert_alike(results, *, delay, moment):
    (first, expected), *others = [delays_and_moments(result) for result in results]
    for delays, moments in others:
        np.testing.assert_allclose(delays, first, rtol=delay)
        error = np.sqrt(np.mean((moments - expected) ** 2, axis=0))
        share = error / np.ptp(expected, axis=0)
        assert share.max() < moment, share


def test_emg_at_any_rate_gives_the_same_delays_and_moments():
    """The envelope is straight between its samples: that is all that differs."""
    slow = [with_motion_at(trial, 100.0) for trial in FINE_TRIALS]
    results = [calibrated([with_emg_at(trial, rate) for trial in slow]) for rate in RATES]
    assert_alike(results, delay=1e-6, moment=1e-6)


def test_recordings_at_any_rate_give_the_same_delays_and_moments():
    """All files at one rate. A filter of 100 Hz is not one of 2000 Hz of the same mean delay."""
    results = [
        calibrated([with_motion_at(with_emg_at(trial, rate), rate) for trial in FINE_TRIALS])
        for rate in RATES
    ]
    assert_alike(results, delay=0.05, moment=0.02)
    true = [1e3 * activation_delay(mtu.c1, mtu.c2, 1.0 / FINE) for mtu in TRUTH.mtus]
    np.testing.assert_allclose(list(results[-1].activation_delays.values()), true, rtol=1e-6)
    np.testing.assert_allclose(list(results[0].activation_delays.values()), true, rtol=0.05)


def test_emg_before_the_first_step_is_filtered_as_after_it():
    """A delayed step of EMG, long before the trial: with fast EMG, too, it has settled alike."""
    trial = with_motion_at(FINE_TRIALS[0], 100.0)
    even = trial.at_step_rate()
    assert even.at_step_rate() is even
    assert np.diff(even.excitation_time) == pytest.approx(0.01)
    assert even.excitation_time[0] <= trial.excitation_time[0]
    assert even.excitation_time[-1] >= trial.excitation_time[-1] - 1e-9
    inside = (even.excitation_time >= trial.excitation_time[0]) & (
        even.excitation_time <= trial.excitation_time[-1]
    )
    for got, given_ in zip(even.excitation.T, trial.excitation.T, strict=True):
        expected = np.interp(even.excitation_time, trial.excitation_time, given_)
        np.testing.assert_allclose(got[inside], expected[inside], atol=1e-12)


# ---- A subject at another rate


@given(rate=st.floats(20.0, 5000.0), was=st.floats(20.0, 5000.0))
def test_subject_keeps_its_time_constants(rate, was):
    other = START.at_rate(rate, was=was)
    for before, after in zip(START.mtus, other.mtus, strict=True):
        for name in ("c1", "c2"):
            expected = activation_delay(getattr(before, name), 0.0, 1.0 / was)
            got = activation_delay(getattr(after, name), 0.0, 1.0 / rate)
            assert got == pytest.approx(expected, rel=1e-9, abs=1e-12)
    again = other.at_rate(was, was=rate)
    np.testing.assert_allclose(again.parameters(), START.parameters(), rtol=1e-9)


@pytest.mark.parametrize("c", [-1.0, 0.2])
def test_poles_without_a_time_constant_are_refused(c):
    subject = START.replace_mtu("mtu1", c2=c)
    with pytest.raises(ct.OptionError, match=r"c2 of mtu1.*has a time constant, got"):
        subject.at_rate(1000.0, was=100.0)


@pytest.fixture
def calibrated_folder(tmp_path):
    """Return a folder with its calibration, by delays, in results/."""
    folder = write_tiny_folder(tmp_path / "tiny")
    plan = folder / "calibration.xml"
    for _ in range(2):
        edit(plan, "<range>-0.95 -0.05</range>", "<range>2 20</range>")
    for kind in ("c1", "c2"):
        text = plan.read_text(encoding="utf-8")
        before, name, after = text.partition(f"<name>{kind}</name>")
        after = after.replace("absolute>", "timeConstant>", 2)
        plan.write_text(before + name + after, encoding="utf-8")
    read = ct.CalibrationFolder.read(folder / "calibrationSetup.xml")
    result = ct.calibrate(read, options=ct.LevenbergMarquardt(max_iterations=3))
    result.save(folder / "results")
    return folder, result


def test_result_tells_delays_and_rate(calibrated_folder):
    folder, result = calibrated_folder
    written = json.loads((folder / "results" / "result.json").read_text(encoding="utf-8"))
    assert written["time_step"] == pytest.approx(0.01)
    start = ct.Subject.read(folder / "subject.xml")
    for mtu in start.mtus:
        expected = 1e3 * activation_delay(mtu.c1, mtu.c2, 0.01)
        assert written["start_activation_delays"][mtu.name] == pytest.approx(expected)
        assert 4.0 - 1e-6 <= written["activation_delays"][mtu.name] <= 40.0 + 1e-6
    again = ct.load_result(folder / "results")
    assert again.plan.time_constants == result.plan.time_constants
    table = again.parameter_table().dropna(subset="start_activation_delay")
    assert set(table.parameter) == {"c1", "c2"}


def test_a_check_knows_ranges_in_milliseconds(calibrated_folder):
    folder, _ = calibrated_folder
    found = {one.code: one for one in ct.check_folder(folder / "calibrationSetup.xml").findings}
    assert "range-impossible" not in found
    assert "by 4 to 40 ms" in found["activation-delay"].what  # less than a sample of 10 ms
    assert "Begin the range of the delay at 10 ms" in found["activation-delay"].to_do
    for name in ("lmt.sto", "ma_knee_angle_r.sto", "ma_ankle_angle_r.sto", "id.sto"):
        file = folder / "trial2" / name
        lines = file.read_text(encoding="utf-8").splitlines()
        end = lines.index("endheader") + 2
        kept = lines[end::2]
        head = [re.sub(r"(?<=Rows=)\d+|(?<=rows )\d+", str(len(kept)), one) for one in lines[:end]]
        file.write_text("\n".join([*head, *kept]) + "\n", encoding="utf-8")
    findings = ct.check_folder(folder / "calibrationSetup.xml").findings
    refused = [one for one in findings if (one.code, one.severity) == ("rates-differ", "error")]
    assert len(refused) == 1
    assert "trial1 100 Hz, trial2 50 Hz" in refused[0].what
    assert refused[0].where.line is not None


def test_another_rate_is_warned_of_and_converted(calibrated_folder, tmp_path):
    folder, result = calibrated_folder
    subject = ct.Subject.read(folder / "results" / "subject.xml")
    assert calibrated_rate(subject) == pytest.approx(100.0)
    assert calibrated_rate(ct.Subject.read(folder / "subject.xml")) is None
    setup = folder / "setup.xml"
    edit(setup, "subject.xml", "results/subject.xml")
    ct.RunFolder.read(setup)  # at its own rate: no warning
    file = folder / "results" / "result.json"
    file.write_text(
        file.read_text(encoding="utf-8").replace('"time_step": 0.0', '"time_step": 0.1')
    )
    with pytest.warns(ct.CeinmsTorchWarning, match=r"convert .*subject.xml --rate 100"):
        ct.RunFolder.read(setup)
    found = {one.code for one in ct.check_folder(setup).findings}
    assert "rate-of-calibration" in found
    conversion = read_conversion(subject.path, tmp_path / "new", rate=1000.0, from_rate=100.0)
    conversion.write()
    converted = ct.Subject.read(tmp_path / "new" / "subject.xml")
    np.testing.assert_allclose(
        converted.parameters(), result.subject_at_rate(1000.0).parameters(), rtol=1e-12
    )
    with pytest.raises(ct.OptionError, match=r"--from-rate.*no result\.json"):
        read_conversion(folder / "subject.xml", tmp_path / "new", rate=1000.0)
    with pytest.raises(ct.OptionError, match="of a subject to convert"):
        read_conversion(folder / "setup.xml", tmp_path / "new", rate=1000.0)


def test_delays_for_ceinms_are_coefficients(calibrated_folder, tmp_path):
    folder, _ = calibrated_folder
    read_conversion(folder / "calibrationSetup.xml", tmp_path / "new").write()
    c1, *_ = ct.CalibrationPlan.read(tmp_path / "new" / "calibration.xml").steps[0].parameters
    assert (c1.kind, c1.range_type) == ("c1", "absolute")
    assert (c1.low, c1.high) == pytest.approx((-20.0 / 30.0, -2.0 / 12.0))
    with pytest.raises(ct.OptionError, match="Convert the setup file"):
        read_conversion(folder / "calibration.xml", tmp_path / "other")


# ---- What ends at a bound


def test_a_delay_and_a_gain_at_their_bounds_are_named():
    trials = [with_motion_at(trial, 100.0) for trial in FINE_TRIALS[:1]]
    step = ct.CalibrationStep(
        dofs=START.dof_names,
        parameters=(
            *ct.activation_delay_parameters(0.0, 10.0),
            ct.ParameterSpec(kind="emgGain", scope="global", low=0.5, high=1.0001),
        ),
    )
    plan = ct.CalibrationPlan(
        algorithm=ct.LevenbergMarquardt(), tendon=ct.Tendon(kind="stiff"), steps=(step,)
    )
    start = START.at_rate(100.0, was=2000.0)
    result = ct.calibrate(start, trials, plan)
    texts = [point.text for point in quantity_points(result)]
    assert any(
        text.startswith("The activation delay of mtu0") and "upper bound, 10 ms" in text
        for text in texts
    ), texts
    assert any("The emgGain of mtu0 + 2 more ended at its upper bound, 1" in one for one in texts)
    assert {one.level for one in quantity_points(result)} == {"warning"}
    assert set(texts) <= {point.text for point in summarise(result).points}
