"""Activation delays in milliseconds: read, written, refused, and as C1 and C2 at a rate."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ceinms_torch as ct
from ceinms_torch.model.activation_delay import activation_delay
from engine_cases import make_subject, make_trial
from helpers import edit, line_with

SUBJECT = make_subject([{"c2": -0.4}, {"c1": -0.95, "c2": -0.9}])
RANGE = "<range>-0.95 -0.05</range>"


def plan_of(*parameters, **changes):
    step = ct.CalibrationStep(dofs=SUBJECT.dof_names, parameters=parameters)
    return ct.CalibrationPlan(
        algorithm=ct.AdamW(), tendon=ct.Tendon(kind="stiff"), steps=(step,), **changes
    )


def trial_at(rate, name="walk"):
    return make_trial(SUBJECT, name, n_step=20, step=1.0 / rate, emg_rate=1000.0)


@pytest.fixture
def path(tiny_folder):
    """Return a plan in which an activation delay takes the place of C1, without C2."""
    file = tiny_folder / "calibration.xml"
    edit(file, "<name>c1</name>", "<name>activationDelay</name>")
    edit(file, RANGE, "<range>12.5 80</range>")
    edit(file, "<name>c2</name>", "<name>emDelay</name>")
    edit(file, RANGE, "<range>0 0.1</range>")
    return file


def test_a_delay_in_a_file_is_two_poles(path):
    (step,) = ct.CalibrationPlan.read(path).steps
    c1, c2 = (spec for spec in step.parameters if spec.kind in ("c1", "c2"))
    assert (c1.range_type, c1.low, c1.high) == ("timeConstant", 6.25, 40.0)
    assert dataclasses.replace(c1, kind="c2") == c2
    assert c1.line == c2.line == line_with(path, "<parameter>")


@pytest.mark.parametrize("scope", ["single", "global"])
def test_round_trip(tmp_path, scope):
    delay = ct.activation_delay_parameters(10.0, 100.0, scope=scope)
    own = dataclasses.replace(delay[0], low=3.0)
    for parameters, names in ((delay, ["activationDelay"]), ((own, delay[1]), ["c1", "c2"])):
        (tmp_path / "trial.xml").write_text("<inputData/>")
        plan = plan_of(*parameters, trial_files=(tmp_path / "trial.xml",), path=tmp_path / "p.xml")
        plan.write(plan.path)
        assert ct.CalibrationPlan.read(plan.path) == plan
        text = plan.path.read_text(encoding="utf-8")
        assert [name for name in ("activationDelay", "c1", "c2") if f"<name>{name}<" in text] == (
            names
        )


@given(
    rate=st.floats(20.0, 5000.0),
    low=st.floats(0.0, 50.0),
    width=st.floats(1.0, 200.0),
    share=st.lists(st.floats(0.0, 1.0), min_size=4, max_size=4),
)
def test_every_point_has_a_delay_in_the_range_at_every_rate(rate, low, width, share):
    plan = plan_of(*ct.activation_delay_parameters(low, low + width)).of_rate(rate)
    space = ct.ParameterSpace.of(SUBJECT, *plan.steps, plan, check_start=False)
    for mtu in space.subject_at(np.array(share)).mtus:
        delay = 1e3 * activation_delay(mtu.c1, mtu.c2, 1.0 / rate)
        assert low - 1e-6 <= delay <= low + width + 1e-6 * (low + width)
    for x, expected in ((0.0, low + width), (1.0, low)):  # the lowest C1 is the longest delay
        for mtu in space.subject_at(np.full(4, x)).mtus:
            delay = 1e3 * activation_delay(mtu.c1, mtu.c2, 1.0 / rate)
            assert delay == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_start_values_outside_are_told_in_milliseconds():
    plan = plan_of(*ct.activation_delay_parameters(10.0, 100.0)).of_trials([trial_at(100.0)])
    with pytest.warns(ct.CeinmsTorchWarning, match=r"outside 5 to 50 ms: mtu1 \((190|90)\)"):
        ct.ParameterSpace.of(SUBJECT, *plan.steps, plan)


def test_trials_at_two_rates_are_refused():
    plan = plan_of(*ct.activation_delay_parameters(10.0, 100.0))
    trials = [trial_at(100.0), trial_at(200.0, "run")]
    with pytest.raises(ct.DataError, match=r"trials whose MTU lengths have one rate.*run 200 Hz"):
        ct.calibrate(SUBJECT, trials, plan)
    coefficients = plan_of(ct.ParameterSpec(kind="c1", low=-0.9, high=-0.1))
    assert coefficients.of_trials(trials) is coefficients  # numbers stay what they were


def test_a_plan_that_knows_no_rate_is_refused():
    plan = plan_of(*ct.activation_delay_parameters(10.0, 100.0))
    with pytest.raises(ct.OptionError, match=r"the rate of its trials.*plan\.of_trials"):
        ct.ParameterSpace.of(SUBJECT, *plan.steps, plan)


@pytest.mark.parametrize(("low", "high"), [(0.01, 0.1), (-5.0, 50.0)])
def test_seconds_and_negative_delays_are_refused(low, high):
    with pytest.raises(ct.OptionError, match=r"milliseconds.*Only emDelay is in seconds"):
        ct.activation_delay_parameters(low, high)


def test_only_poles_have_time_constants():
    with pytest.raises(ct.OptionError, match="c1, c2"):
        ct.ParameterSpec(kind="damping", range_type="timeConstant", low=5.0, high=50.0)


def test_faults_in_files_have_their_line(path):
    edit(path, "<range>12.5 80</range>", "<range>0.0125 0.08</range>")
    line = line_with(path, "<range>")
    with pytest.raises(ct.FileFormatError, match=rf"{path}:{line}: .*milliseconds.*0.0125 to 0.08"):
        ct.CalibrationPlan.read(path)
