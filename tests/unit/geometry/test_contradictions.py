"""Moment arms against the derivatives of the lengths that they come with."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ceinms_torch.errors import OptionError
from ceinms_torch.geometry.contradictions import check_moment_arms
from smooth_leg import COORDINATES, CROSSED, gait, geometry, samples

ACTING = [(mtu, dof) for mtu, dofs in CROSSED.items() for dof in dofs]


def with_arm(given, mtu, dof, change):
    """Return samples with one moment arm changed, and by how much (root mean square) [m]."""
    arms = given.moment_arm.copy()
    place = (slice(None), given.dof_names.index(dof), given.mtu_names.index(mtu))
    arms[place] = change(arms[place])
    off = np.sqrt(np.mean((arms[place] - given.moment_arm[place]) ** 2))
    return dataclasses.replace(given, moment_arm=arms), off


def test_derivatives_are_no_contradiction():
    check = check_moment_arms(samples(), coordinates=CROSSED)
    assert check.contradictions == ()
    assert check.not_judged == {}


@pytest.mark.parametrize(("mtu", "dof"), ACTING)
def test_an_arm_of_the_wrong_sign_is_named(mtu, dof):
    planted, off = with_arm(samples(), mtu, dof, np.negative)
    if off < 0.007:  # hardly above the tolerance: it may be found or not
        return
    check = check_moment_arms(planted, coordinates=CROSSED)
    (found,) = check.contradictions
    assert (found.mtu, found.dof) == (mtu, dof)
    # Lengths are known along one movement only, so that what they say of an arm is not exact.
    assert found.rms == pytest.approx(off, rel=0.2)
    _, slope = geometry(gait())
    truth = -slope[:, list(CROSSED).index(mtu), COORDINATES.index(dof)]
    assert np.sqrt(np.mean((found.moment_arm - truth) ** 2)) < 0.2 * off


@settings(max_examples=25, deadline=None)
@given(
    acting=st.sampled_from(ACTING),
    factor=st.one_of(st.floats(-2.0, 0.5), st.floats(1.5, 3.0)),
    seed=st.integers(0, 1000),
)
def test_what_is_named_is_what_was_planted(acting, factor, seed):
    """Whatever is planted, in movements of any kind: nothing else is blamed."""
    rng = np.random.default_rng(seed)
    q = gait(100) * rng.uniform(0.7, 1.3, 4) + rng.uniform(-0.2, 0.2, 4)
    planted, off = with_arm(samples(q), *acting, lambda arm: factor * arm)
    found = check_moment_arms(planted, coordinates=CROSSED).contradictions
    assert {(one.mtu, one.dof) for one in found} <= {acting}
    if off > 0.01:
        assert len(found) == 1


def test_two_arms_of_one_mtu_are_both_named():
    planted, _ = with_arm(samples(), "gaslat", "knee_angle", lambda arm: -arm)
    planted, _ = with_arm(planted, "gaslat", "ankle_angle", lambda arm: 0.4 * arm)
    found = check_moment_arms(planted, coordinates=CROSSED).contradictions
    assert {(one.mtu, one.dof) for one in found} == {
        ("gaslat", "knee_angle"),
        ("gaslat", "ankle_angle"),
    }


def test_arms_about_other_coordinates_need_not_be_known():
    planted, _ = with_arm(samples(dofs=["knee_angle"]), "gaslat", "knee_angle", np.negative)
    (found,) = check_moment_arms(planted, coordinates=CROSSED).contradictions
    assert (found.mtu, found.dof) == ("gaslat", "knee_angle")


def test_without_the_model_only_what_follows_from_the_arms_coordinates_is_judged():
    check = check_moment_arms(samples(dofs=["hip_flexion", "knee_angle", "ankle_angle"]))
    assert check.contradictions == ()
    assert set(check.not_judged) <= {"glutmed", "semiten"}
    assert "does not follow from hip_flexion" in check.not_judged["glutmed"]


def test_a_sentence_names_the_mtu_and_by_how_much():
    planted, _ = with_arm(samples(), "soleus", "ankle_angle", lambda arm: 0.5 * arm)
    (found,) = check_moment_arms(planted).contradictions
    assert str(found).startswith(
        "the moment arm of soleus about ankle_angle is not -dL/dq of its length: 2"
    )
    assert "22.5 mm given and 45.0 mm by the length" in str(found)


def test_too_few_poses_are_not_judged():
    check = check_moment_arms(samples(gait(10)))
    assert check.contradictions == ()
    assert set(check.not_judged) == set(CROSSED)


def test_a_tolerance_of_nothing_is_refused():
    with pytest.raises(OptionError, match="tolerance"):
        check_moment_arms(samples(), tolerance=0.0)
