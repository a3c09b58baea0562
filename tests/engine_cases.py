"""Subjects and trials made in memory, and both engines run on them."""

import dataclasses
import math

import numpy as np
import torch

from ceinms_torch import _kernel
from ceinms_torch._backend import _torch
from ceinms_torch.model.parameters import PARAMETERS
from ceinms_torch.model.subject import Curve, Dof, Mtu, Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.batch import trial_batch
from ceinms_torch.simulation.curves import curve_tables
from ceinms_torch.simulation.trial_input import trial_arrays
from helpers import CURVES

QUANTITIES = (
    "activation",
    "fibre_length",
    "fibre_velocity",
    "pennation_angle",
    "tendon_strain",
    "mtu_force",
    "joint_moment",
)


def make_subject(mtus, *, curves=True):
    """Return a subject with two DOFs: all MTUs on the first, every other on the second.

    Parameters
    ----------
    mtus : sequence of dict
        Values by Python attribute name; what is missing gets a value of a soleus.
    curves : bool
        The curves of the CEINMS manual, or none (the smooth default curves).

    Returns
    -------
    Subject
    """
    usual = {
        "c1": -0.5,
        "c2": -0.3,
        "shape_factor": -1.1,
        "optimal_fibre_length": 0.05,
        "pennation_angle": 0.4363,
        "tendon_slack_length": 0.25,
        "max_isometric_force": 3549.0,
        "max_contraction_velocity": 10.0,
        "strength_coefficient": 1.2,
        "em_delay": 0.0152,
        "damping": 0.1,
        "percentage_change": 0.15,
        "tendon_stiffness": 1.0,
        "passive_stiffness": 1.0,
        "emg_gain": 1.0,
    }
    assert set(usual) == {kind.attribute for kind in PARAMETERS.values()}
    names = [f"mtu{i}" for i in range(len(mtus))]
    points = {
        name: Curve(name=name, x=tuple(map(float, x.split())), y=tuple(map(float, y.split())))
        for name, (x, y) in (CURVES if curves else {}).items()
    }
    return Subject(
        mtus=tuple(
            Mtu(name=name, **{**usual, **values}) for name, values in zip(names, mtus, strict=True)
        ),
        dofs=(
            Dof(name="knee", mtu_names=tuple(names)),
            Dof(name="ankle", mtu_names=tuple(names[::2])),
        ),
        curves=points,
    )


def make_trial(
    subject,
    name,
    *,
    n_step,
    frequency=2.0,
    phase=0.0,
    norm_length=0.95,
    swing=0.12,
    step=0.01,
    emg_rate=200.0,
    emg_start=-0.103,
    level=0.4,
):
    """Return a trial of smooth signals around a normalised fibre length.

    Parameters
    ----------
    subject : Subject
        Whose MTUs it drives.
    name : str
        Its name.
    n_step : int
        Number of time steps, at least two.
    frequency : float
        Of lengths and excitations [Hz].
    phase : float
        [rad].
    norm_length : float
        Mean fibre length over optimal fibre length, were the tendon stretched by 2 %.
    swing : float
        Amplitude of the MTU length over optimal fibre length.
    step : float
        Time step [s].
    emg_rate, emg_start : float
        Sampling rate [Hz] and time of the first sample [s] of the excitations.
    level : float
        Mean excitation; its amplitude is 0.9 of it.

    Returns
    -------
    Trial
        With measured moments that no simulation matches exactly.
    """
    time = step * np.arange(n_step)
    omega = 2.0 * math.pi * frequency
    lengths, columns = [], []
    n_row = math.ceil((time[-1] - emg_start) * emg_rate) + 2
    emg_time = emg_start + np.arange(n_row) / emg_rate
    for i, mtu in enumerate(subject.mtus):
        fibre = mtu.optimal_fibre_length * norm_length
        thickness = mtu.optimal_fibre_length * math.sin(mtu.pennation_angle)
        along = math.sqrt(max(fibre**2 - thickness**2, 0.0))
        wave = np.sin(omega * time + phase + 0.9 * i)
        lengths.append(
            1.02 * mtu.tendon_slack_length + along + swing * mtu.optimal_fibre_length * wave
        )
        columns.append(level * (1.0 + 0.9 * np.sin(1.3 * omega * emg_time + phase - 0.7 * i)))
    n_mtu, n_dof = len(subject.mtus), len(subject.dofs)
    arm = np.zeros((n_step, n_dof, n_mtu))
    for d, dof in enumerate(subject.dofs):
        for mtu_name in dof.mtu_names:
            i = subject.mtu_index(mtu_name)
            arm[:, d, i] = (-1.0) ** i * (0.04 + 0.01 * d) * (1.0 + 0.1 * np.cos(omega * time))
    moments = [
        40.0 * np.sin(omega * time + phase + d) + 20.0 * np.cos(2.3 * omega * time)
        for d in range(n_dof)
    ]
    return Trial(
        name=name,
        mtu_names=subject.mtu_names,
        dof_names=subject.dof_names,
        time=time,
        mtu_length=np.stack(lengths, axis=1),
        moment_arm=arm,
        excitation_time=emg_time,
        excitation=np.stack(columns, axis=1),
        measured_moment=np.stack(moments, axis=1),
    )


def torch_curves(subject):
    """Return the subject's curves as the tensor engine takes them."""
    return _torch.Curves(
        [(torch.from_numpy(k), torch.from_numpy(p)) for k, p in curve_tables(subject)]
    )


def kernel_arguments(subject, trial, *, tendon="rosenbrock", filter_start="ceinms"):
    """Return the arguments of `run_arrays`."""
    return {
        "tables": curve_tables(subject),
        "parameters": subject.parameters(),
        **trial_arrays(trial),
        "tendon": tendon,
        "filter_start": filter_start,
    }


def run_arrays(tables, parameters, tendon, filter_start, **arrays):
    """Return what the double-precision kernel makes of a trial's arrays, by quantity."""
    return _kernel.simulate(
        tables=tables,
        parameters=parameters,
        trial=_kernel.Trial(**arrays),
        tendon=tendon,
        filter_start=filter_start,
    )


def run_kernel(subject, trial, **options):
    """Return what the double-precision kernel makes of a trial, by quantity."""
    return run_arrays(**kernel_arguments(subject, trial, **options))


def run_tensor(subject, trials, *, tendon="rosenbrock", filter_start="ceinms"):
    """Return what the tensor engine makes of trials side by side: one dict per trial, unpadded."""
    with torch.no_grad():
        result = _torch.simulate(
            torch_curves(subject),
            torch.from_numpy(subject.parameters()),
            trial_batch(trials),
            tendon=tendon,
            filter_start=filter_start,
        )
    return [
        {name: getattr(result, name).numpy()[: len(trial.time), :, i] for name in QUANTITIES}
        for i, trial in enumerate(trials)
    ]


# Away from every kink of the model by much more than the step of a central difference, which
# test_gradients.py checks.
SMOOTH_SUBJECT = make_subject(
    [
        {},
        {
            "c1": -0.6,
            "c2": 0.2,
            "shape_factor": -0.02,  # in the series of eq. (2) around a shape factor of zero
            "optimal_fibre_length": 0.1,
            "pennation_angle": 0.1,
            "tendon_slack_length": 0.31,
            "em_delay": 0.0337,
            "damping": 0.06,
            "tendon_stiffness": 1.3,
            "passive_stiffness": 0.8,
            "emg_gain": 1.2,  # excitations up to 0.91
        },
        {"shape_factor": -2.5, "max_contraction_velocity": 7.0, "strength_coefficient": 0.8},
    ]
)
SMOOTH_TRIALS = (
    make_trial(SMOOTH_SUBJECT, "short", n_step=5, emg_start=-0.0613),
    make_trial(SMOOTH_SUBJECT, "long", n_step=7, phase=1.1, norm_length=1.08, emg_rate=140.0),
)

# What CEINMS 0.9 can calibrate and run.
_PLAIN = {kind.attribute: kind.default for kind in PARAMETERS.values() if not kind.in_ceinms}
PLAIN_SUBJECT = dataclasses.replace(
    SMOOTH_SUBJECT,
    mtus=tuple(dataclasses.replace(mtu, **_PLAIN, em_delay=0.0) for mtu in SMOOTH_SUBJECT.mtus),
)
