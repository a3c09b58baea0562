"""Whether the steps of the Rosenbrock tendon were short enough, sub-steps included."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import CeinmsTorchWarning
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.curves import curve_tables, curve_values

# Over maxIsometricForce times strengthCoefficient. Sub-steps begin at 0.03 (kernel/tendon.hpp).
_LARGEST_IMBALANCE = 0.05


def imbalance(subject: Subject, arrays: Mapping[str, FloatArray]) -> FloatArray:
    """Return eq. (A6) at every step: by how much tendon and muscle pull differently.

    A Rosenbrock step solves it linearised, so that what is left tells what the force is worth.

    Parameters
    ----------
    subject : Subject
        The subject.
    arrays : mapping of str to ndarray
        What the kernel made of a trial: fibre_length, tendon_strain, mtu_force (n_step, n_mtu).

    Returns
    -------
    ndarray (n_step, n_mtu)
        Over maxIsometricForce times strengthCoefficient [-]; zero where a fibre is kept at its
        least length, as a tendon that is slack even there holds nothing.
    """
    mtus = subject.mtus
    force = [mtu.max_isometric_force * mtu.strength_coefficient for mtu in mtus]
    stiffness = [mtu.tendon_stiffness for mtu in mtus]
    optimal = np.array([mtu.optimal_fibre_length for mtu in mtus])
    least = optimal * np.hypot(np.sin([mtu.pennation_angle for mtu in mtus]), 0.1)
    strain = arrays["tendon_strain"]
    tendon = curve_values(curve_tables(subject)[3], strain.ravel()).reshape(strain.shape)
    difference = stiffness * tendon - arrays["mtu_force"] / force
    moves = arrays["fibre_length"] > least * (1.0 + 1e-12)
    result: FloatArray = np.where(moves, difference, 0.0)
    return result


def warn_if_too_coarse(subject: Subject, trial: Trial, arrays: Mapping[str, FloatArray]) -> None:
    """Warn where forces of the Rosenbrock tendon mean nothing.

    Parameters
    ----------
    subject : Subject
        The subject.
    trial : Trial
        The trial that was simulated.
    arrays : mapping of str to ndarray
        What came out, see `imbalance`.

    Warns
    -----
    CeinmsTorchWarning
        If muscle and tendon differ by more than 5 % of the isometric force at a step.
    """
    is_off = ~(np.abs(imbalance(subject, arrays)) <= _LARGEST_IMBALANCE)
    counts = zip(trial.mtu_names, is_off.sum(axis=0).tolist(), strict=True)
    coarse = [f"{name} ({n})" for name, n in counts if n]
    if coarse:
        step = 1e3 * float(np.max(np.diff(trial.time)))
        warnings.warn(
            CeinmsTorchWarning(
                f"Trial '{trial.name}': steps of {step:g} ms, even in sub-steps, are too long for "
                f"the elastic tendon; at some of the {len(trial.time)} steps muscle and tendon "
                f"differ by more than {_LARGEST_IMBALANCE:.0%} of maxIsometricForce: "
                f"{', '.join(coarse)}. There their forces mean nothing. Give lengths and moment "
                "arms at a higher rate, or take the tendon dampedEquilibrium.",
                "coarse-steps",
            ),
            stacklevel=3,
        )
