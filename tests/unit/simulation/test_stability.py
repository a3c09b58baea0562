"""The Rosenbrock tendon says when its steps were too long."""

import numpy as np
import pytest

from ceinms_torch.errors import CeinmsTorchWarning
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.simulate import simulate
from ceinms_torch.simulation.stability import swings
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


def test_only_swings_beyond_the_greatest_velocity_count():
    velocity = np.array([[0.5, 2.0, 1.1], [-0.5, 3.0, -1.2], [0.5, 2.0, 1.3], [-0.5, 1.5, 0.9]])
    assert swings(velocity).tolist() == [0, 0, 2]
    assert swings(velocity[:1]).tolist() == [0, 0, 0]


def test_too_long_steps_are_said():
    subject, trial = switched_on(rate=250.0)
    with pytest.warns(CeinmsTorchWarning, match=r"'on': the elastic tendon is unstable.* 4 ms"):
        simulate(subject, trial, filter_start="zero")


def test_short_steps_need_no_warning():
    subject, trial = switched_on(rate=4000.0)
    velocity = simulate(subject, trial, filter_start="zero").norm_fibre_velocity.array
    assert swings(velocity).tolist() == [0]
