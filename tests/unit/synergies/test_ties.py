"""What synthesised excitations are held to."""

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ceinms_torch as ct
from ceinms_torch.synergies.channels import Channels
from ceinms_torch.synergies.ties import ALIKE, expected_excitations, find_ties
from engine_cases import make_subject, make_trial

NAMES = tuple(f"mtu{i}" for i in range(5))
SUBJECT = make_subject([{}] * 5)


def channels(n_recorded=3):
    """The first MTUs are recorded, the others synthesised."""
    mixing = np.zeros((5, n_recorded))
    mixing[:n_recorded] = np.eye(n_recorded)
    return Channels(
        mtu_names=NAMES,
        tracked=tuple(range(n_recorded)),
        mixing=mixing,
        synthesised=tuple(range(n_recorded, 5)),
    )


def trial_of(arms):
    """A trial with moment arms (n_dof, n_mtu) [m] that do not change."""
    trial = make_trial(SUBJECT, "one", n_step=4)
    moment_arm = np.broadcast_to(np.asarray(arms, dtype=float), (4, *np.shape(arms))).copy()
    return dataclasses.replace(trial, moment_arm=moment_arm)


def test_the_neighbours_are_those_with_like_moment_arms():
    arms = [[0.04, -0.03, 0.04, 0.02, 0.0], [0.0, 0.02, 0.01, 0.0, 0.0]]
    (tie,) = find_ties([trial_of(arms)], channels(), ct.SynergyHybrid())
    # mtu3 pulls as mtu0 does, and as mtu2 hardly less; mtu4 has no arms and nothing like it.
    assert (tie.mtu, tie.to) == ("mtu3", ("mtu0",))
    assert tie.likeness == pytest.approx(1.0)
    nearer = [[0.04, -0.03, 0.04, 0.02, 0.0], [0.0, 0.02, 0.002, 0.0, 0.0]]
    (tie,) = find_ties([trial_of(nearer)], channels(), ct.SynergyHybrid())
    assert tie.to == ("mtu0", "mtu2")


ARM = st.floats(-0.1, 0.1).filter(lambda one: one == 0.0 or abs(one) > 1e-6)


@given(st.lists(st.lists(ARM, min_size=5, max_size=5), min_size=2, max_size=2), st.floats(0.1, 9.0))
def test_neighbours_pull_the_same_way_whatever_the_unit(arms, unit):
    ties = find_ties([trial_of(arms)], channels(), ct.SynergyHybrid())
    again = find_ties([trial_of(unit * np.array(arms))], channels(), ct.SynergyHybrid())
    assert [one.mtu for one in ties] == sorted({one.mtu for one in ties})
    columns = np.array(arms).T
    for tie in ties:
        assert tie.mtu in NAMES[3:]
        assert tie.to
        assert set(tie.to) <= set(NAMES[:3])
        own = columns[NAMES.index(tie.mtu)]
        for name in tie.to:
            other = columns[NAMES.index(name)]
            assert own @ other >= (ALIKE - 0.03) * np.linalg.norm(own) * np.linalg.norm(other)
    if all(abs(one.likeness - ALIKE) > 1e-9 for one in ties):
        # A likeness at the limit may fall on either side by rounding, and so may an equal one.
        assert {one.mtu for one in ties} <= {one.mtu for one in again} | {
            one.mtu for one in ties if one.likeness < ALIKE + 1e-9
        }


def test_stated_ones():
    arms = np.full((2, 5), 0.03)
    hybrid = ct.SynergyHybrid(ties=("mtu4:mtu1+mtu2", "mtu3:mean"))
    ties = find_ties([trial_of(arms)], channels(), hybrid)
    assert [(one.mtu, one.to) for one in ties] == [
        ("mtu3", ("mtu0", "mtu1", "mtu2")),
        ("mtu4", ("mtu1", "mtu2")),
    ]
    excitation = np.random.default_rng(0).uniform(size=(6, 5))
    patterns = expected_excitations(ties, NAMES, excitation)
    np.testing.assert_allclose(patterns[0], excitation[:, :3].mean(axis=1))
    np.testing.assert_allclose(patterns[1], excitation[:, 1:3].mean(axis=1))
    assert expected_excitations((), NAMES, excitation).shape == (0, 6)


def test_none():
    arms = np.full((2, 5), 0.03)
    for hybrid in (ct.SynergyHybrid(ties="none"), ct.SynergyHybrid(tie_weight=0.0)):
        assert find_ties([trial_of(arms)], channels(), hybrid) == ()


@pytest.mark.parametrize(
    ("ties", "message"),
    [
        (("mtu0:mtu1",), "expected MTUs that are synthesised, each tied once, got 'mtu0'"),
        (("mtu3:mtu4",), "expected MTUs that are recorded, each tied once, got 'mtu4'"),
        (("mtu3:mtu0", "mtu3:mtu1"), "expected MTUs that are synthesised, each tied once, got"),
    ],
)
def test_what_cannot_be(ties, message):
    with pytest.raises(ct.OptionError, match=re.escape(message)):
        find_ties([trial_of(np.full((2, 5), 0.03))], channels(), ct.SynergyHybrid(ties=ties))


@pytest.mark.parametrize("ties", [(), "all", ("mtu3",), ("mtu3:",), ("a:b c",), ("a:b:c",)])
def test_what_is_no_tie(ties):
    with pytest.raises(ct.OptionError, match="ties: expected neighbours, none, or texts such as"):
        ct.SynergyHybrid(ties=ties)


def test_about_a_single_dof_all_are_alike_and_none_is_tied():
    assert find_ties([trial_of(np.full((1, 5), 0.03))], channels(), ct.SynergyHybrid()) == ()
    other = np.array([[0.03] * 5, [0.0] * 5])
    assert find_ties([trial_of(other)], channels(), ct.SynergyHybrid()) == ()
