"""Where MTUs work: their equilibria, fully active and at rest, at given lengths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ceinms_torch import _kernel
from ceinms_torch.arrays import FloatArray
from ceinms_torch.model.parameters import PARAMETER_KINDS
from ceinms_torch.model.subject import Subject
from ceinms_torch.simulation.curves import curve_tables


@dataclass(frozen=True, kw_only=True, eq=False)
class Equilibria:
    """Fibres and tendons that pull alike; each array is (n_pose, n_mtu).

    Parameters
    ----------
    norm_fibre_length : ndarray
        [-].
    pennation_angle : ndarray
        [rad].
    tendon_strain : ndarray
        [-]; negative for a slack tendon.
    """

    norm_fibre_length: FloatArray
    pennation_angle: FloatArray
    tendon_strain: FloatArray

    @property
    def norm_fibre_along(self) -> FloatArray:
        """Normalised fibre length along the tendon [-]."""
        return np.asarray(self.norm_fibre_length * np.cos(self.pennation_angle))


def equilibria(subject: Subject, mtu_lengths: FloatArray) -> Equilibria:
    """Let every MTU, fully active and at rest, find its equilibrium at every length.

    Parameters
    ----------
    subject : Subject
        The subject.
    mtu_lengths : ndarray (n_pose, n_mtu)
        [m], finite.

    Returns
    -------
    Equilibria
    """
    # A simulation begins in equilibrium. This one has one step, and each pose is an MTU of its own.
    parameters = np.tile(subject.parameters(), len(mtu_lengths))
    for kind in ("c1", "c2", "shapeFactor", "emDelay"):  # activation is excitation
        parameters[PARAMETER_KINDS.index(kind)] = 0.0
    row = mtu_lengths.reshape(1, -1)
    arrays = _kernel.simulate(
        tables=curve_tables(subject),
        parameters=parameters,
        trial=_kernel.Trial(
            time=np.zeros(1),
            mtu_length=row,
            mtu_velocity=np.zeros_like(row),
            moment_arm=np.zeros((1, 0, row.size)),
            excitation=np.ones_like(row),
            excitation_start=0.0,
            excitation_rate=1.0,
        ),
        tendon="rosenbrock",
        filter_start="zero",
    )
    optimal = parameters[PARAMETER_KINDS.index("optimalFibreLength")]
    shape = mtu_lengths.shape
    return Equilibria(
        norm_fibre_length=(arrays["fibre_length"] / optimal).reshape(shape),
        pennation_angle=arrays["pennation_angle"].reshape(shape),
        tendon_strain=arrays["tendon_strain"].reshape(shape),
    )
