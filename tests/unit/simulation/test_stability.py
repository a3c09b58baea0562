"""The Rosenbrock tendon says when its steps were too long, even in sub-steps."""

import dataclasses

import numpy as np
import pytest

from ceinms_torch.errors import CeinmsTorchWarning
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.simulate import simulate
from ceinms_torch.simulation.stability import imbalance
from ceinms_torch.studies.muscle_data import full_activation
from ceinms_torch.studies.muscle_models import muscle_subject, rat_soleus


def switched_on(rate):
    """A rat soleus of constant length that is activated at once."""
    mtu = rat_soleus()
    subject = muscle_subject(mtu)
    time = np.arange(0.0, 0.3, 1.0 / rate)
    length = mtu.tendon_slack_length + mtu.optimal_fibre_length * np.cos(mtu.pennation_angle)
    trial = Trial(
        name="on",
        mtu_names=subject.mtu_names,
        dof_names=subject.dof_names,
        time=time,
        mtu_length=np.full((len(time), 1), length),
        moment_arm=np.ones((len(time), 1, 1)),
        excitation_time=time,
        excitation=full_activation(time)[:, None],
        measured_moment=None,
    )
    return subject, trial


def simulated(subject, trial):
    simulation = simulate(subject, trial, filter_start="zero")
    return {
        name: getattr(simulation, name).array
        for name in ("fibre_length", "tendon_strain", "mtu_force")
    }


def test_onset_at_long_steps_is_followed():
    subject, trial = switched_on(rate=250.0)
    arrays = simulated(subject, trial)
    assert np.abs(imbalance(subject, arrays)).max() < 0.03
    assert arrays["mtu_force"].max() < 1.2 * subject.mtus[0].max_isometric_force


def test_steps_that_are_too_long_are_said():
    subject, trial = switched_on(rate=250.0)
    mtus = tuple(dataclasses.replace(mtu, damping=0.01) for mtu in subject.mtus)
    subject = dataclasses.replace(subject, mtus=mtus)
    moved = trial.mtu_length + 0.004 * (np.arange(len(trial.time)) % 2)[:, None]
    with pytest.warns(CeinmsTorchWarning, match=r"'on': steps of 4 ms, even in sub-steps, are too"):
        simulate(subject, dataclasses.replace(trial, mtu_length=moved), filter_start="zero")


def test_slack_at_the_least_fibre_length_is_no_fault():
    subject, trial = switched_on(rate=250.0)
    slack = dataclasses.replace(trial, mtu_length=0.1 * trial.mtu_length)
    assert not imbalance(subject, simulated(subject, slack)).any()
