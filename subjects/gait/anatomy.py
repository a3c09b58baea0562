"""Right leg of the synthetic gait subject: muscles, geometry, and hidden true parameters.

Angles are in rad with OpenSim's signs for ``hip_flexion_r`` (flexion positive),
``knee_angle_r`` (flexion positive) and ``ankle_angle_r`` (dorsiflexion positive).
A moment arm is positive when the muscle's pull increases the coordinate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DOF_NAMES = ("hip_flexion_r", "knee_angle_r", "ankle_angle_r")
HIP, KNEE, ANKLE = DOF_NAMES

#: Muscles that share one strength coefficient, in the order of ``TRUE_STRENGTH``.
STRENGTH_GROUPS = (
    ("glmax_r",),
    ("iliopsoas_r", "tfl_r"),
    ("recfem_r", "vaslat_r", "vasmed_r", "vasint_r"),
    ("bflh_r", "bfsh_r", "semimem_r"),
    ("gasmed_r", "gaslat_r", "soleus_r"),
    ("tibant_r",),
)
TRUE_STRENGTH = (1.50, 1.45, 0.72, 1.34, 1.62, 1.15)

#: Start values of the calibration, the same for every muscle.
START_C1, START_C2, START_SHAPE_FACTOR = -0.5, -0.5, -1.5

#: Tendon strain at which ``Muscle.neutral_norm_fibre_length`` holds (neutral posture).
NEUTRAL_TENDON_STRAIN = 0.02


@dataclass(frozen=True, kw_only=True)
class Muscle:
    """One muscle-tendon unit.

    Parameters
    ----------
    name : str
    max_isometric_force : float
        N; generic value, kept by the true subject.
    optimal_fibre_length, tendon_slack_length : float
        m; generic values, the start of the calibration.
    pennation_angle : float
        rad; kept by the true subject.
    true_length_factors : tuple[float, float]
        True over generic optimal fibre length and tendon slack length, within 0.92 to 1.08.
    true_activation : tuple[float, float, float]
        True c1, c2 and shape factor.
    neutral_norm_fibre_length : float
        True fibre length over true optimal fibre length with all angles zero.
    moment_arms : dict[str, tuple[float, ...]]
        For each DOF that the muscle crosses, r0, r1, ... of r(q) = r0 + r1 q + r2 q^2 in m, q in
        rad.
    """

    name: str
    max_isometric_force: float
    optimal_fibre_length: float
    tendon_slack_length: float
    pennation_angle: float
    true_length_factors: tuple[float, float]
    true_activation: tuple[float, float, float]
    neutral_norm_fibre_length: float
    moment_arms: dict[str, tuple[float, ...]]

    @property
    def true_optimal_fibre_length(self) -> float:
        """Optimal fibre length of the true subject, m."""
        return round(self.optimal_fibre_length * self.true_length_factors[0], 6)

    @property
    def true_tendon_slack_length(self) -> float:
        """Tendon slack length of the true subject, m."""
        return round(self.tendon_slack_length * self.true_length_factors[1], 6)

    @property
    def true_strength(self) -> float:
        """Strength coefficient of the true subject."""
        for group, strength in zip(STRENGTH_GROUPS, TRUE_STRENGTH, strict=True):
            if self.name in group:
                return strength
        raise KeyError(f"{self.name} is in no strength group")

    @property
    def neutral_length(self) -> float:
        """Muscle-tendon length with all angles zero, m."""
        fibre = self.neutral_norm_fibre_length * self.true_optimal_fibre_length
        thickness = self.true_optimal_fibre_length * np.sin(self.pennation_angle)
        tendon = self.true_tendon_slack_length * (1.0 + NEUTRAL_TENDON_STRAIN)
        return float(tendon + np.sqrt(fibre**2 - thickness**2))

    def moment_arm(self, dof_name: str, angle: Array) -> Array:
        """Moment arm about one DOF.

        Parameters
        ----------
        dof_name : str
        angle : array (n_step,)
            rad.

        Returns
        -------
        array (n_step,)
            m; zero where the muscle does not cross the DOF.
        """
        arm = np.zeros_like(angle)
        for power, coefficient in enumerate(self.moment_arms.get(dof_name, ())):
            arm = arm + coefficient * angle**power
        return arm

    def length(self, angles: dict[str, Array]) -> Array:
        """Muscle-tendon length, whose negative derivative is :meth:`moment_arm`.

        Parameters
        ----------
        angles : dict of array (n_step,)
            Angle of each DOF by name, rad.

        Returns
        -------
        array (n_step,)
            m.
        """
        length = np.full_like(angles[HIP], self.neutral_length)
        for dof_name, coefficients in self.moment_arms.items():
            for power, coefficient in enumerate(coefficients):
                length = length - coefficient * angles[dof_name] ** (power + 1) / (power + 1)
        return length


# Force, lengths and pennation: OpenSim's generic gait2392 model (Delp et al. 1990). glmax_r lumps
# its three gluteus maximus paths and iliopsoas_r lumps iliacus and psoas: forces added, lengths
# averaged and rounded. Moment arms: our own polynomials of published size, no model's paths.
MUSCLES = (
    Muscle(
        name="glmax_r",
        max_isometric_force=1944.0,
        optimal_fibre_length=0.145,
        tendon_slack_length=0.131,
        pennation_angle=0.05,
        true_length_factors=(1.060, 0.940),
        true_activation=(-0.62, -0.34, -2.0),
        neutral_norm_fibre_length=0.93,
        moment_arms={HIP: (-0.058, 0.014)},
    ),
    Muscle(
        name="iliopsoas_r",
        max_isometric_force=2186.0,
        optimal_fibre_length=0.100,
        tendon_slack_length=0.130,
        pennation_angle=0.131,
        true_length_factors=(1.045, 1.055),
        true_activation=(-0.55, -0.41, -2.3),
        neutral_norm_fibre_length=1.00,
        moment_arms={HIP: (0.037, 0.008)},
    ),
    Muscle(
        name="tfl_r",
        max_isometric_force=233.0,
        optimal_fibre_length=0.095,
        tendon_slack_length=0.425,
        pennation_angle=0.052,
        true_length_factors=(0.950, 1.018),
        true_activation=(-0.46, -0.30, -1.9),
        neutral_norm_fibre_length=0.95,
        moment_arms={HIP: (0.058, 0.010), KNEE: (-0.008, 0.006)},
    ),
    Muscle(
        name="recfem_r",
        max_isometric_force=1169.0,
        optimal_fibre_length=0.114,
        tendon_slack_length=0.310,
        pennation_angle=0.087,
        true_length_factors=(0.940, 0.968),
        true_activation=(-0.70, -0.28, -1.3),
        neutral_norm_fibre_length=0.77,
        moment_arms={HIP: (0.040, -0.004), KNEE: (-0.041, -0.004, 0.012)},
    ),
    Muscle(
        name="vaslat_r",
        max_isometric_force=1871.0,
        optimal_fibre_length=0.084,
        tendon_slack_length=0.157,
        pennation_angle=0.087,
        true_length_factors=(1.070, 0.955),
        true_activation=(-0.52, -0.37, -2.1),
        neutral_norm_fibre_length=0.65,
        moment_arms={KNEE: (-0.042, -0.006, 0.013)},
    ),
    Muscle(
        name="vasmed_r",
        max_isometric_force=1294.0,
        optimal_fibre_length=0.089,
        tendon_slack_length=0.126,
        pennation_angle=0.087,
        true_length_factors=(0.955, 1.060),
        true_activation=(-0.58, -0.22, -0.9),
        neutral_norm_fibre_length=0.64,
        moment_arms={KNEE: (-0.040, -0.006, 0.012)},
    ),
    Muscle(
        name="vasint_r",
        max_isometric_force=1365.0,
        optimal_fibre_length=0.087,
        tendon_slack_length=0.136,
        pennation_angle=0.052,
        true_length_factors=(1.030, 1.045),
        true_activation=(-0.66, -0.33, -1.6),
        neutral_norm_fibre_length=0.65,
        moment_arms={KNEE: (-0.041, -0.006, 0.013)},
    ),
    Muscle(
        name="bflh_r",
        max_isometric_force=896.0,
        optimal_fibre_length=0.109,
        tendon_slack_length=0.326,
        pennation_angle=0.0,
        true_length_factors=(0.930, 1.030),
        true_activation=(-0.49, -0.40, -1.2),
        neutral_norm_fibre_length=0.89,
        moment_arms={HIP: (-0.055, -0.006), KNEE: (0.021, 0.016, -0.006)},
    ),
    Muscle(
        name="bfsh_r",
        max_isometric_force=804.0,
        optimal_fibre_length=0.173,
        tendon_slack_length=0.089,
        pennation_angle=0.401,
        true_length_factors=(0.945, 1.070),
        true_activation=(-0.60, -0.26, -2.3),
        neutral_norm_fibre_length=0.98,
        moment_arms={KNEE: (0.022, 0.018, -0.007)},
    ),
    Muscle(
        name="semimem_r",
        max_isometric_force=1288.0,
        optimal_fibre_length=0.080,
        tendon_slack_length=0.359,
        pennation_angle=0.262,
        true_length_factors=(1.065, 0.978),
        true_activation=(-0.44, -0.35, -0.7),
        neutral_norm_fibre_length=0.87,
        moment_arms={HIP: (-0.047, -0.006), KNEE: (0.018, 0.015, -0.006)},
    ),
    Muscle(
        name="gasmed_r",
        max_isometric_force=1558.0,
        optimal_fibre_length=0.060,
        tendon_slack_length=0.390,
        pennation_angle=0.297,
        true_length_factors=(1.055, 0.983),
        true_activation=(-0.57, -0.31, -1.4),
        neutral_norm_fibre_length=1.02,
        moment_arms={KNEE: (0.015, 0.010, -0.004), ANKLE: (-0.046, 0.008)},
    ),
    Muscle(
        name="gaslat_r",
        max_isometric_force=683.0,
        optimal_fibre_length=0.064,
        tendon_slack_length=0.380,
        pennation_angle=0.140,
        true_length_factors=(0.950, 1.015),
        true_activation=(-0.51, -0.24, -1.0),
        neutral_norm_fibre_length=1.04,
        moment_arms={KNEE: (0.016, 0.010, -0.004), ANKLE: (-0.046, 0.008)},
    ),
    Muscle(
        name="soleus_r",
        max_isometric_force=3549.0,
        optimal_fibre_length=0.050,
        tendon_slack_length=0.250,
        pennation_angle=0.436,
        true_length_factors=(1.040, 0.982),
        true_activation=(-0.63, -0.38, -1.7),
        neutral_norm_fibre_length=0.93,
        moment_arms={ANKLE: (-0.045, 0.008)},
    ),
    Muscle(
        name="tibant_r",
        max_isometric_force=905.0,
        optimal_fibre_length=0.098,
        tendon_slack_length=0.223,
        pennation_angle=0.087,
        true_length_factors=(0.965, 1.025),
        true_activation=(-0.47, -0.36, -1.2),
        neutral_norm_fibre_length=0.96,
        moment_arms={ANKLE: (0.041, -0.012)},
    ),
)


def muscles_on(dof_name: str) -> tuple[str, ...]:
    """Names of the muscles that cross a DOF, in the order of ``MUSCLES``."""
    return tuple(muscle.name for muscle in MUSCLES if dof_name in muscle.moment_arms)
