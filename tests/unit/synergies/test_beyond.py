"""Excitations and moments that no calibration trial had are said, with trial, MTU and DOF."""

import dataclasses

import numpy as np
import pytest

import ceinms_torch as ct
from ceinms_torch.synergies.beyond import beyond_calibration, beyond_weightings
from ceinms_torch.synergies.trial_synergies import synthesised_trial
from engine_cases import make_subject, make_trial

SUBJECT = make_subject([{}, {}])
WALK = make_trial(SUBJECT, "walk", n_step=40, level=0.2)


def tried(trial, role="test"):
    return ct.TrialResult.of(trial, ct.simulate(SUBJECT, trial), role=role, synthesised=("mtu0",))


def scaled(trial, name, factor):
    excitation = trial.excitation.copy()
    excitation[:, 0] = np.clip(factor * excitation[:, 0], 0.0, 1.0)
    return dataclasses.replace(trial, name=name, excitation=excitation)


def found(trial, measured=0.0):
    moment = np.full_like(WALK.measured_moment, measured)
    known = tried(dataclasses.replace(WALK, measured_moment=moment), "calibration")
    return list(beyond_calibration([known], [tried(trial)], [trial]))


@pytest.mark.parametrize("factor", [0.0, 0.7, 1.0, 1.4])
def test_like_the_calibration_trials_nothing_is_said(factor):
    # Less of one muscle may mean more moment, which is known here.
    assert found(scaled(WALK, "again", factor), measured=1e3) == []


def test_far_beyond_it_is_said():
    warnings = found(scaled(WALK, "sprint", 4.0))
    assert {one.code for one in warnings} == {"beyond-calibration"}
    assert {one.where.trial for one in warnings} == {"sprint"}
    first, *moments = [one.what for one in warnings]
    assert first.startswith("The excitation of mtu0 that synergies make reaches 1, far above the ")
    assert "about knee, " in first or "about knee here" in first
    assert any(one.startswith("The moment of knee reaches ") for one in moments)
    assert all("mtu0 " in one and "mtu1" not in one for one in moments)


def test_a_measured_moment_of_the_calibration_makes_a_moment_known():
    warnings = found(scaled(WALK, "sprint", 4.0), measured=1e3)
    assert [one.what[:17] for one in warnings] == ["The excitation of"]


def test_synergies_that_work_harder_than_their_weightings_know():
    weightings = ct.Weightings(
        mtu_names=("mtu0", "mtu1"),
        origin=("recorded", "synthesised"),
        values=np.array([[0.5], [0.3]]),
    )
    n_row = len(WALK.excitation)
    for peak, is_said in ((1.0, False), (1.4, False), (3.0, True)):
        primitives = np.linspace(0.0, peak, n_row)[np.newaxis]
        synergies = synthesised_trial(WALK, weightings, primitives)
        warnings = list(beyond_weightings(synergies, WALK))
        assert bool(warnings) == is_said
        assert all("mtu1" in one.what and one.where.trial == "walk" for one in warnings)
