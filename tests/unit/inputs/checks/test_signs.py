"""The bounded fit by which signs are judged: against scipy's, and what turning does to it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear

from ceinms_torch.inputs.checks.among import turned_arms, turned_moments
from ceinms_torch.inputs.checks.files import read_inputs
from ceinms_torch.inputs.checks.matching import match_trials
from ceinms_torch.inputs.checks.reach import Reach, strength_range
from ceinms_torch.inputs.checks.signs import sign_fits
from good_folders import REPOSITORY, write_hinge_folder
from helpers import edit


def read(setup):
    inputs, _ = read_inputs(setup, [], legacy=False)
    match_trials(inputs)
    return inputs


@pytest.fixture(scope="module")
def gait():
    return read(REPOSITORY / "subjects" / "gait" / "calibrate.xml")


def turned(trial, *dofs):
    """Return a trial with the measured moments of DOFs negated."""
    moment = trial.measured_moment.copy()
    moment[:, list(dofs)] *= -1.0
    return replace(trial, measured_moment=moment)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_fit_is_that_of_scipy(tmp_path_factory, seed):
    """R² of one DOF, the better of both signs, at the best of all guesses."""
    inputs = read(write_hinge_folder(tmp_path_factory.mktemp("hinge"), seed))
    reach = Reach.of(inputs, inputs.subject, inputs.aligned)
    measured = np.concatenate(reach.measured(0))
    columns = np.concatenate(reach.moments(0), axis=1)
    spread = np.sum((measured - measured.mean()) ** 2)
    (fit,) = sign_fits(reach, [0])
    for sign, found in ((1.0, fit.as_it_is), (-1.0, fit.turned)):
        costs = [
            2.0 * lsq_linear(own, sign * measured, tuple(reach.strength)).cost for own in columns
        ]
        # Factors are found to 0.002, and the error is flat at its least.
        assert found == pytest.approx(1.0 - min(costs) / spread, abs=2e-3)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_turning_moments_swaps_the_fits(tmp_path_factory, seed):
    inputs = read(write_hinge_folder(tmp_path_factory.mktemp("hinge"), seed))
    reach = Reach.of(inputs, inputs.subject, inputs.aligned)
    (good,) = sign_fits(reach, [0])
    (bad,) = sign_fits(replace(reach, trials=tuple(turned(one, 0) for one in reach.trials)), [0])
    assert (bad.as_it_is, bad.turned) == pytest.approx((good.turned, good.as_it_is), abs=1e-9)
    assert (good.is_wrong, bad.is_wrong) == (False, True)
    assert bad.trials == tuple(trial.name for trial in inputs.aligned)


@settings(max_examples=20, deadline=None)
@given(dofs=st.sets(st.integers(0, 2)))
def test_any_dofs_of_the_shipped_subject(gait, dofs):
    trials = [turned(trial, *dofs) for trial in gait.aligned]
    fits = sign_fits(Reach.of(gait, gait.subject, trials), [0, 1, 2])
    assert {fit.dof for fit in fits if fit.is_wrong} == dofs


@given(data=st.data())
def test_the_fewest_trials_are_the_odd_ones(gait, data):
    """Of one DOF, any one of three trials; moment arms and moments alike."""
    dof, odd = data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))
    trials = list(gait.aligned)
    arm = trials[odd].moment_arm.copy()
    arm[:, dof] *= -1.0
    names = (trials[odd].name,)
    trials[odd] = replace(turned(trials[odd], dof), moment_arm=arm)
    for found in (turned_arms(trials), turned_moments(trials, [0, 1, 2])):
        assert [(one.dof, one.trials, one.is_known) for one in found] == [(dof, names, True)]
    two = [trials[odd], trials[odd - 1]]
    for found in (turned_arms(two), turned_moments(two, [0, 1, 2])):
        assert [(one.dof, one.is_known) for one in found] == [(dof, False)]


def test_good_trials_have_no_odd_ones(gait):
    assert turned_arms(gait.aligned) == []
    assert turned_moments(gait.aligned, [0, 1, 2]) == []


def test_strength_range(gait):
    assert strength_range(gait, gait.subject).tolist() == [[0.5] * 14, [2.5] * 14]
    mtus = tuple(replace(mtu, strength_coefficient=2.0) for mtu in gait.subject.mtus)
    strong = replace(gait.subject, mtus=mtus)
    assert strength_range(gait, strong).tolist() == [[0.25] * 14, [1.25] * 14]


def test_forces_and_strength_may_both_change(tmp_path):
    setup = write_hinge_folder(tmp_path, 1)
    relative = "<relativeToSubjectValue><range>0.5 3</range></relativeToSubjectValue>"
    force = f"<parameter><name>maxIsometricForce</name><single>back</single>{relative}</parameter>"
    edit(tmp_path / "calibration.xml", "</parameterSet>", f"{force}</parameterSet>")
    inputs = read(setup)
    assert strength_range(inputs, inputs.subject).tolist() == [[0.25, 0.5], [7.5, 2.5]]
