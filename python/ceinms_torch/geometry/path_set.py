"""MTU lengths and moment arms from joint angles."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ceinms_torch import _kernel
from ceinms_torch.arrays import FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.errors import CeinmsTorchWarning, DataError, did_you_mean, unknown_name
from ceinms_torch.geometry.polynomials import n_term
from ceinms_torch.io.display import OneLine

# Of a coordinate's fitted range, how far beyond it nobody needs to be told.
_SLACK = 0.05


def name_in(path: str) -> str:
    """Return the name at the end of a component's path, such as ``/jointset/hip_r/hip_flexion_r``.

    Parameters
    ----------
    path : str
        The path, or the name itself.

    Returns
    -------
    str
    """
    return path.rpartition("/")[2]


@dataclass(frozen=True, kw_only=True, eq=False)
class PolynomialPath(OneLine):
    """The length of one MTU as a polynomial of coordinates.

    Parameters
    ----------
    mtu : str
        Name of the MTU.
    coordinate_paths : tuple of str
        The coordinates that it depends on, by their paths in the model, such as
        ``/jointset/hip_r/hip_flexion_r``; names alone will do, but not for OpenSim.
    order : int
        Largest sum of exponents.
    coefficients : ndarray (n_term,)
        Of all powers of the coordinates [m / rad^exponents], the exponent of the last one running
        fastest.
    ranges : tuple of (float, float)
        Lowest and highest value of each coordinate that it was fitted to [rad]; empty where that
        is unknown.

    Raises
    ------
    DataError
        If there is no coordinate, one comes twice, or there are not as many coefficients, all
        finite, or ranges as coordinates and order ask for.
    """

    mtu: str
    coordinate_paths: tuple[str, ...]
    order: int
    coefficients: FloatArray
    ranges: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        """Check what belongs together."""
        names = self.coordinate_names
        if not names or len(set(names)) < len(names):
            got = ", ".join(names) or "none"
            raise self._error("different coordinates, one at least", got)
        expected = n_term(len(names), self.order)
        if self.coefficients.shape != (expected,):
            raise self._error(
                f"{expected} coefficients, as {len(names)} coordinates and order {self.order} have",
                str(self.coefficients.size),
            )
        if not np.isfinite(self.coefficients).all():
            raise self._error("finite coefficients", "NaN or infinity")
        if self.ranges and len(self.ranges) != len(names):
            raise self._error(f"ranges of {len(names)} coordinates", str(len(self.ranges)))

    def _error(self, expected: str, got: str) -> DataError:
        return DataError(where=f"path of {self.mtu}", expected=expected, got=got)

    @property
    def coordinate_names(self) -> tuple[str, ...]:
        """Names of the coordinates."""
        return tuple(name_in(path) for path in self.coordinate_paths)


class Geometry(NamedTuple):
    """MTU lengths and moment arms in some poses.

    Parameters
    ----------
    mtu_length : ndarray (n_pose, n_mtu)
        [m].
    moment_arm : ndarray (n_pose, n_dof, n_mtu)
        Minus the derivatives of the lengths [m].
    """

    mtu_length: FloatArray
    moment_arm: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class PathSet(OneLine):
    """Polynomial paths of several MTUs: OpenSim's ``FunctionBasedPathSet``.

        paths = ct.read_paths("walk_FunctionBasedPathSet.xml")
        geometry = paths.evaluate(angles, dofs=["knee_angle_r", "ankle_angle_r"])

    Parameters
    ----------
    paths : tuple of PolynomialPath
        One of each MTU.

    Raises
    ------
    DataError
        If there is none, or two of one MTU.
    """

    paths: tuple[PolynomialPath, ...]

    def __post_init__(self) -> None:
        """Check that every MTU has one path."""
        names = self.mtu_names
        twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
        if not names or twice is not None:
            got = "none" if twice is None else f"{twice} twice"
            raise DataError(where="paths", expected="one path of every MTU", got=got)

    def __getstate__(self) -> dict[str, object]:
        """Return what a copy needs: compiled paths are made where they are used."""
        return {"paths": self.paths}

    @cached_property
    def _compiled(self) -> dict[tuple[str, ...], _kernel.PathSet]:
        return {}

    @cached_property
    def mtu_names(self) -> tuple[str, ...]:
        """Names of the MTUs, in the order of every array."""
        return tuple(path.mtu for path in self.paths)

    @cached_property
    def coordinate_names(self) -> tuple[str, ...]:
        """Names of all coordinates that a path depends on, in the order of every array."""
        return tuple(dict.fromkeys(name for path in self.paths for name in path.coordinate_names))

    def select(self, mtu_names: Iterable[str]) -> PathSet:
        """Return the paths of some MTUs, in the order asked for.

        Parameters
        ----------
        mtu_names : iterable of str
            Their names.

        Returns
        -------
        PathSet

        Raises
        ------
        UnknownNameError
            If one has no path.
        """
        by_name = {path.mtu: path for path in self.paths}
        names = list(mtu_names)
        for name in names:
            if name not in by_name:
                raise unknown_name("paths", "an MTU with a path", name, by_name)
        return PathSet(paths=tuple(by_name[name] for name in names))

    def compiled(self, dofs: Sequence[str]) -> _kernel.PathSet:
        """Return the paths as the compiled module has them, made once.

        Parameters
        ----------
        dofs : sequence of str
            Coordinates about which moment arms are wanted, in their order.

        Returns
        -------
        _kernel.PathSet

        Raises
        ------
        DataError
            If no path depends on one of them: it has no moment arm then, or another name.
        """
        wanted, known = tuple(dofs), self.coordinate_names
        for name in wanted:
            if name not in known:
                raise DataError(
                    where="dofs",
                    expected=f"coordinates that a path depends on: {', '.join(known)}",
                    got=name,
                    hint=did_you_mean(name, known),
                )
        if wanted not in self._compiled:
            self._compiled[wanted] = _kernel.PathSet(
                n_coordinate=len(known),
                coordinates=[
                    np.array([known.index(name) for name in path.coordinate_names])
                    for path in self.paths
                ],
                orders=np.array([path.order for path in self.paths]),
                coefficients=[path.coefficients for path in self.paths],
                dofs=np.array([known.index(name) for name in wanted], dtype=np.int64),
            )
        return self._compiled[wanted]

    @one_blas_thread
    def evaluate(self, coordinates: ArrayLike, dofs: Sequence[str] | None = None) -> Geometry:
        """Return lengths and moment arms.

        Parameters
        ----------
        coordinates : array_like (n_pose, n_coordinate)
            In the order of `coordinate_names` [rad].
        dofs : sequence of str, optional
            Coordinates about which moment arms are wanted; all, unless given.

        Returns
        -------
        Geometry

        Raises
        ------
        DataError
            If the shape is wrong, a number is not finite, or no path depends on a DOF.

        Warns
        -----
        CeinmsTorchWarning
            If a coordinate is beyond the range that a path was fitted to.
        """
        compiled = self.compiled(self.coordinate_names if dofs is None else dofs)
        table = np.asarray(coordinates, dtype=np.float64)
        geometry = Geometry(*compiled.evaluate(table))
        beyond = self._beyond(table)
        if beyond:
            text = (
                f"{'; '.join(beyond)}: beyond what the paths were fitted to, where polynomials "
                "mean nothing. Fit them to poses that cover the movement."
            )
            warnings.warn(CeinmsTorchWarning(text, "beyond-fitted-range"), stacklevel=3)
        return geometry

    @cached_property
    def fitted_ranges(self) -> Mapping[str, tuple[float, float]]:
        """Values that all paths which depend on a coordinate were fitted to [rad].

        Coordinates of paths that do not say so are left out.
        """
        found: dict[str, tuple[float, float]] = {}
        for path in self.paths:
            for name, (low, high) in zip(path.coordinate_names, path.ranges, strict=False):
                lowest, highest = found.get(name, (low, high))
                found[name] = (max(low, lowest), min(high, highest))
        return found

    def _beyond(self, coordinates: FloatArray) -> list[str]:
        """Say of which coordinates values are beyond their fitted ranges."""
        found = []
        for name, (low, high) in self.fitted_ranges.items():
            values = coordinates[:, self.coordinate_names.index(name)]
            slack = _SLACK * (high - low)
            if len(values) and (values.min() < low - slack or values.max() > high + slack):
                found.append(
                    f"{name} is {values.min():.3g} to {values.max():.3g}, fitted "
                    f"{low:.3g} to {high:.3g} rad"
                )
        return found
