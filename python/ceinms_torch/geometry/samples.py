"""Poses with the MTU lengths, and perhaps the moment arms, that a model has in them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import DataError
from ceinms_torch.io.display import OneLine

# A moment arm that is smaller in all poses is that of a coordinate that the MTU does not cross [m].
LEAST_ARM = 1e-3


@dataclass(frozen=True, kw_only=True, eq=False)
class PoseSamples(OneLine):
    """Poses of a model, and its geometry in them.

    Parameters
    ----------
    coordinate_names : tuple of str
        Names of the model's coordinates.
    coordinates : ndarray (n_pose, n_coordinate)
        Their values [rad; m for translations].
    mtu_names : tuple of str
        Names of the MTUs.
    mtu_length : ndarray (n_pose, n_mtu)
        [m].
    dof_names : tuple of str
        Coordinates about which moment arms are known; none, or some of `coordinate_names`.
    moment_arm : ndarray (n_pose, n_dof, n_mtu)
        [m].

    Raises
    ------
    DataError
        If shapes do not fit together, a name comes twice, a DOF is none of the coordinates, a
        number is not finite, or there is no pose.
    """

    coordinate_names: tuple[str, ...]
    coordinates: FloatArray
    mtu_names: tuple[str, ...]
    mtu_length: FloatArray
    dof_names: tuple[str, ...]
    moment_arm: FloatArray

    def __post_init__(self) -> None:
        """Check that all fits together."""
        n_pose = len(self.coordinates)
        n_mtu, n_dof = len(self.mtu_names), len(self.dof_names)
        for name, array, shape in (
            ("coordinates", self.coordinates, (max(n_pose, 1), len(self.coordinate_names))),
            ("mtu_length", self.mtu_length, (n_pose, n_mtu)),
            ("moment_arm", self.moment_arm, (n_pose, n_dof, n_mtu)),
        ):
            if array.shape != shape:
                raise DataError(where=name, expected=f"shape {shape}", got=str(array.shape))
            if not np.isfinite(array).all():
                raise DataError(where=name, expected="finite numbers", got="NaN or infinity")
        for what, names in (
            ("coordinate_names", self.coordinate_names),
            ("mtu_names", self.mtu_names),
            ("dof_names", self.dof_names),
        ):
            twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
            if twice is not None:
                raise DataError(where=what, expected="every name once", got=f"{twice} twice")
        unknown = [name for name in self.dof_names if name not in self.coordinate_names]
        if unknown:
            raise DataError(
                where="dof_names",
                expected=f"coordinates whose values are known: {', '.join(self.coordinate_names)}",
                got=", ".join(unknown),
                hint="Moment arms mean something only beside the angle they are about: add its "
                "column to the motion",
            )

    @property
    def n_pose(self) -> int:
        """Number of poses."""
        return len(self.coordinates)

    def at(self, poses: FloatArray) -> PoseSamples:
        """Return the poses of some indices, rounded."""
        rows = np.asarray(poses).round().astype(np.int64)
        return dataclasses.replace(
            self,
            coordinates=self.coordinates[rows],
            mtu_length=self.mtu_length[rows],
            moment_arm=self.moment_arm[rows],
        )

    def columns(self, names: tuple[str, ...]) -> FloatArray:
        """Return the values of some coordinates (n_pose, len(names)) [rad or m]."""
        return self.coordinates[:, [self.coordinate_names.index(name) for name in names]]

    def arms(self, mtu: str, names: tuple[str, ...]) -> tuple[FloatArray, FloatArray]:
        """Return an MTU's moment arms about some coordinates, and which of them are known.

        Parameters
        ----------
        mtu : str
            Name of the MTU.
        names : tuple of str
            Names of coordinates.

        Returns
        -------
        moment_arm : ndarray (len(names), n_pose)
            [m]; zeros where it is not known.
        is_known : ndarray (len(names),)
            1 where it is known, else 0.
        """
        arms = np.zeros((len(names), self.n_pose))
        is_known = np.array([float(name in self.dof_names) for name in names])
        column = self.mtu_names.index(mtu)
        for i, name in enumerate(names):
            if is_known[i]:
                arms[i] = self.moment_arm[:, self.dof_names.index(name), column]
        return arms, is_known

    def acted_on(self, mtu: str, least_arm: float = LEAST_ARM) -> tuple[str, ...]:
        """Return the coordinates about which an MTU has a known moment arm.

        Parameters
        ----------
        mtu : str
            Name of the MTU.
        least_arm : float
            Moment arms that are nowhere greater are none [m].

        Returns
        -------
        tuple of str
            In the order of `coordinate_names`.
        """
        column = self.mtu_names.index(mtu)
        greatest = np.abs(self.moment_arm[:, :, column]).max(axis=0)
        acting = {dof for dof, arm in zip(self.dof_names, greatest, strict=True) if arm > least_arm}
        return tuple(name for name in self.coordinate_names if name in acting)
