"""The subject: muscle-tendon units, degrees of freedom and force curves (``subject.xml``)."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import OptionError, Place, UnknownNameError, unknown_name
from ceinms_torch.io.display import OneLine, html_table
from ceinms_torch.io.xml_document import XmlDocument
from ceinms_torch.model.activation_delay import activation_delay, coefficient
from ceinms_torch.model.parameters import PARAMETER_KINDS, PARAMETERS, check_value
from ceinms_torch.model.settings import check_number

CURVE_NAMES = ("activeForceLength", "passiveForceLength", "forceVelocity", "tendonForceStrain")


@dataclass(frozen=True, kw_only=True)
class Curve(OneLine):
    """Points of a normalised force curve, between which CEINMS puts a cubic spline.

    Parameters
    ----------
    name : str
        One of `CURVE_NAMES`.
    x : tuple of float
        Normalised fibre length, normalised fibre velocity or tendon strain (-); strictly
        increasing, at least two.
    y : tuple of float
        Normalised force (-), one per x.

    Raises
    ------
    OptionError
        If there are fewer than two points, x does not increase, or the numbers of x and y differ.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check the points."""
        if len(self.x) < 2:
            raise self._error("xPoints", "at least two points", str(len(self.x)))
        if len(self.y) != len(self.x):
            raise self._error("yPoints", f"{len(self.x)} numbers, one per xPoint", f"{len(self.y)}")
        if not np.isfinite((*self.x, *self.y)).all():
            raise self._error("points", "finite numbers", "NaN or infinity")
        for before, after in pairwise(self.x):
            if after <= before:
                got = f"{after:g} after {before:g}"
                raise self._error("xPoints", "strictly increasing numbers", got)

    def _error(self, element: str, expected: str, got: str) -> OptionError:
        where = Place(element=element, column=self.name)
        return OptionError(where=where, expected=expected, got=got)


@dataclass(frozen=True, kw_only=True)
class Mtu(OneLine):
    """A muscle-tendon unit with all its parameters, defaults filled in.

    Parameters
    ----------
    name : str
        Key everywhere.
    c1, c2 : float
        Coefficients of the recursive activation filter (-).
    shape_factor : float
        Non-linearity of activation (-): about -3 to 0 (exponential), 0 to 0.12 (piecewise).
    optimal_fibre_length : float
        [m].
    pennation_angle : float
        At optimal fibre length [rad].
    tendon_slack_length : float
        [m].
    max_isometric_force : float
        [N].
    max_contraction_velocity : float
        [optimal fibre lengths/s].
    strength_coefficient : float
        Factor on `max_isometric_force` (-).
    em_delay : float
        Electromechanical delay [s].
    damping : float
        Force per normalised fibre velocity (-).
    percentage_change : float
        Relative lengthening of the optimal fibre length at zero activation (-).
    tendon_stiffness : float
        Factor on the force of an elastic tendon at a strain (-).
    passive_stiffness : float
        Factor on the passive force of the fibre at a length (-).
    emg_gain : float
        Factor on the excitation before the activation (-); the product is at most 1.

    Raises
    ------
    OptionError
        If a value is not allowed by its `ParameterKind`.
    """

    name: str
    c1: float
    c2: float
    shape_factor: float
    optimal_fibre_length: float
    pennation_angle: float
    tendon_slack_length: float
    max_isometric_force: float
    max_contraction_velocity: float = 10.0
    strength_coefficient: float = 1.0
    em_delay: float
    damping: float
    percentage_change: float
    tendon_stiffness: float = 1.0
    passive_stiffness: float = 1.0
    emg_gain: float = 1.0

    def __post_init__(self) -> None:
        """Check every value."""
        for kind in PARAMETERS.values():
            check_value(kind, getattr(self, kind.attribute), self.name)


@dataclass(frozen=True, kw_only=True)
class Dof(OneLine):
    """A degree of freedom and the MTUs that act on it.

    Parameters
    ----------
    name : str
        Key everywhere.
    mtu_names : tuple of str
        Its MTUs, in the order of the file.
    """

    name: str
    mtu_names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Subject(OneLine):
    """A subject, calibrated or not.

    Parameters
    ----------
    mtus : tuple of Mtu
        All muscle-tendon units, in the order of ``mtuSet``.
    dofs : tuple of Dof
        All degrees of freedom, in the order of ``dofSet``.
    curves : mapping of str to Curve
        All four of `CURVE_NAMES`, or none to use smooth standard curves.
    opensim_model_file, contact_model_file : Path, optional
        The models this subject belongs to; kept on writing, not used. Not in CEINMS 0.9, but in
        later versions.
    path : Path, optional
        The file it was read from.
    document : XmlDocument, optional
        What was read, kept to write unknown elements back.

    Raises
    ------
    OptionError
        If a name occurs twice, or only some of the four curves are given.
    UnknownNameError
        If an MTU of a DOF is none of the subject.
    """

    mtus: tuple[Mtu, ...]
    dofs: tuple[Dof, ...]
    curves: Mapping[str, Curve] = field(default_factory=dict)
    opensim_model_file: Path | None = None
    contact_model_file: Path | None = None
    path: Path | None = None
    document: XmlDocument | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the names; those of files are checked when they are read, with their lines."""
        lists = [("MTU", self.mtu_names), ("DOF", self.dof_names)]
        lists += [(f"MTU of {dof.name}", dof.mtu_names) for dof in self.dofs]
        for what, names in lists:
            twice = [name for i, name in enumerate(names) if name in names[:i]]
            if twice:
                raise OptionError(
                    where="subject", expected=f"every {what} once", got=f"'{twice[0]}' twice"
                )
        for dof in self.dofs:
            for name in dof.mtu_names:
                self.mtu_index(name)
        missing = [name for name in CURVE_NAMES if name not in self.curves]
        if missing and self.curves:
            expected = f"all four curves or none ({', '.join(CURVE_NAMES)})"
            raise OptionError(where="curves", expected=expected, got=f"no {', no '.join(missing)}")

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Subject:
        """Read a ``subject.xml``.

        Parameters
        ----------
        path : path-like
            The file.

        Returns
        -------
        Subject

        Raises
        ------
        FileFormatError
            If the file does not follow the grammar, a value is outside its range, a name occurs
            twice or is unknown, or only some of the four curves are given.

        Warns
        -----
        CeinmsTorchWarning
            About elements and curves that are ignored, unstable filters, and delays that are
            implausible or differ between MTUs.
        """
        from ceinms_torch.model.subject_reading import read_subject  # noqa: PLC0415  it needs us

        return read_subject(path)

    def write(
        self,
        path: str | os.PathLike[str],
        *,
        calibrated_from: str | os.PathLike[str] | None = None,
        calibration_file: str | os.PathLike[str] | None = None,
    ) -> None:
        """Write a ``subject.xml`` that CEINMS 0.9 reads.

        The document that was read is written with the new values, its other content kept; one made
        in memory, or with other MTUs, DOFs or curves than were read, is written from scratch.

        Parameters
        ----------
        path : path-like
            The file to write; its folder is created if needed.
        calibrated_from : path-like, optional
            The subject file this calibration started from, for the history in the file.
        calibration_file : path-like, optional
            The calibration file, appended to the history. Both are written relative to `path`,
            with forward slashes.

        Raises
        ------
        OptionError
            If MTUs differ in percentageChange, which CEINMS has only once for all.
        """
        from ceinms_torch.model.subject_writing import write_subject  # noqa: PLC0415  it needs us

        write_subject(self, path, calibrated_from, calibration_file)

    @property
    def mtu_names(self) -> tuple[str, ...]:
        """Names of all MTUs, in order."""
        return tuple(mtu.name for mtu in self.mtus)

    @property
    def dof_names(self) -> tuple[str, ...]:
        """Names of all DOFs, in order."""
        return tuple(dof.name for dof in self.dofs)

    def mtu_index(self, name: str) -> int:
        """Return the place of an MTU in all arrays.

        Parameters
        ----------
        name : str
            Name of the MTU.

        Returns
        -------
        int

        Raises
        ------
        UnknownNameError
            If the subject has no such MTU.
        """
        if name not in self.mtu_names:
            raise self._unknown("an MTU", name, self.mtu_names)
        return self.mtu_names.index(name)

    def _unknown(self, what: str, name: str, known: Iterable[str]) -> UnknownNameError:
        where = "subject" if self.path is None else os.fspath(self.path)
        return unknown_name(where, what, name, known)

    def __getitem__(self, name: str) -> Mtu:
        """Return an MTU by its name; a KeyError names the nearest one."""
        return self.mtus[self.mtu_index(name)]

    def __contains__(self, name: object) -> bool:
        """Tell whether there is an MTU of that name."""
        return name in self.mtu_names

    def _repr_html_(self) -> str:
        header = ("", *(f"{kind.name} [{kind.unit}]" for kind in PARAMETERS.values()))
        names = [kind.attribute for kind in PARAMETERS.values()]
        rows = ((mtu.name, *(getattr(mtu, name) for name in names)) for mtu in self.mtus)
        where = "in memory" if self.path is None else self.path.name
        caption = f"Subject ({where}): {len(self.mtus)} MTUs, DOFs {', '.join(self.dof_names)}"
        return html_table(caption, header, rows)

    def replace_mtu(self, name: str, **changes: float) -> Subject:
        """Return a copy in which one MTU has other parameters.

        Parameters
        ----------
        name : str
            Name of the MTU.
        **changes : float
            Parameters by their names in `Mtu`, such as ``optimal_fibre_length=0.05``.

        Returns
        -------
        Subject

        Raises
        ------
        UnknownNameError
            If there is no such MTU, or no such parameter.
        OptionError
            If a value is not one that a parameter can have.
        """
        known = [kind.attribute for kind in PARAMETERS.values()]
        for attribute in changes:
            if attribute not in known:
                raise unknown_name(f"MTU {name}", "a parameter", attribute, known)
        place = self.mtu_index(name)
        values: dict[str, Any] = {**changes}
        mtu = dataclasses.replace(self.mtus[place], **values)
        return dataclasses.replace(self, mtus=(*self.mtus[:place], mtu, *self.mtus[place + 1 :]))

    def mtus_on(self, dof_names: Iterable[str]) -> tuple[str, ...]:
        """Return the MTUs that act on at least one of these DOFs, in subject order.

        Parameters
        ----------
        dof_names : iterable of str
            Names of DOFs.

        Returns
        -------
        tuple of str

        Raises
        ------
        UnknownNameError
            If the subject lacks one of the DOFs.
        """
        by_name = {dof.name: dof for dof in self.dofs}
        acting: set[str] = set()
        for name in dof_names:
            if name not in by_name:
                raise self._unknown("a DOF", name, by_name)
            acting.update(by_name[name].mtu_names)
        return tuple(name for name in self.mtu_names if name in acting)

    def parameters(self) -> FloatArray:
        """Return all parameters of all MTUs.

        Returns
        -------
        ndarray (n_kind, n_mtu)
            Rows as `parameter_row` says, in the units of `Mtu`.
        """
        rows = [[getattr(mtu, kind.attribute) for mtu in self.mtus] for kind in PARAMETERS.values()]
        return np.array(rows, dtype=np.float64)

    def at_rate(self, rate: float, *, was: float) -> Subject:
        """Return the subject for trials of another rate.

        C1 and C2 count samples. Those returned have the time constants that these have at the rate
        they were calibrated at, so that activation is as late as it was.

        Parameters
        ----------
        rate : float
            Of the MTU lengths of trials, or of a stream [Hz], > 0.
        was : float
            The rate that C1 and C2 were calibrated at [Hz], > 0.

        Returns
        -------
        Subject

        Raises
        ------
        OptionError
            If a rate is not above 0, or a pole has no time constant: C1 and C2 above 0 swing from
            sample to sample, at -1 they never end.
        """
        check_number("rate", rate, above=0.0)
        check_number("was", was, above=0.0)
        mtus = []
        for mtu in self.mtus:
            for name, c in (("c1", mtu.c1), ("c2", mtu.c2)):
                if not -1.0 < c <= 0.0:
                    raise OptionError(
                        where=f"{name} of {mtu.name}",
                        expected="a coefficient from above -1 to 0, which has a time constant",
                        got=f"{c:g}",
                        hint="Calibrate with an activationDelay in milliseconds",
                    )
            c1, c2 = (
                coefficient(activation_delay(c, 0.0, 1.0 / was), 1.0 / rate)
                for c in (mtu.c1, mtu.c2)
            )
            mtus.append(dataclasses.replace(mtu, c1=c1, c2=c2))
        return dataclasses.replace(self, mtus=tuple(mtus))

    def with_parameters(self, matrix: ArrayLike) -> Subject:
        """Return a copy with other parameters.

        Parameters
        ----------
        matrix : array_like (n_kind, n_mtu)
            Rows in the order of `PARAMETER_KINDS`, in the units of `Mtu`.

        Returns
        -------
        Subject

        Raises
        ------
        OptionError
            If the shape is another or a value is not allowed.
        """
        values = np.asarray(matrix, dtype=np.float64)
        shape = (len(PARAMETER_KINDS), len(self.mtus))
        if values.shape != shape:
            raise OptionError(
                where="parameters", expected=f"the shape {shape}", got=str(values.shape)
            )
        mtus = tuple(_with_values(mtu, values[:, i]) for i, mtu in enumerate(self.mtus))
        return dataclasses.replace(self, mtus=mtus)


def _with_values(mtu: Mtu, values: FloatArray) -> Mtu:
    names = (kind.attribute for kind in PARAMETERS.values())
    changes: dict[str, Any] = dict(zip(names, values.tolist(), strict=True))
    return dataclasses.replace(mtu, **changes)
