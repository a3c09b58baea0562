"""Forces and moments in real time: one instant in, one instant out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ceinms_torch import _kernel
from ceinms_torch.arrays import BoolArray, FloatArray
from ceinms_torch.errors import DataError, OptionError, did_you_mean
from ceinms_torch.geometry.path_set import PathSet
from ceinms_torch.model.nms_model import Tendon
from ceinms_torch.model.settings import check_number
from ceinms_torch.model.subject import Subject
from ceinms_torch.simulation.curves import curve_tables
from ceinms_torch.simulation.simulate import engine_tendon


class StreamStep(NamedTuple):
    """What one step of a stream gives.

    Parameters
    ----------
    mtu_force : ndarray (n_mtu,)
        Along the tendon, eq. (3) [N].
    joint_moment : ndarray (n_dof,)
        [N m].
    """

    mtu_force: FloatArray
    joint_moment: FloatArray


def check_dofs(subject: Subject, dofs: Sequence[str] | None) -> tuple[str, ...]:
    """Return the DOFs asked for, all of the subject's where nobody asked.

    Parameters
    ----------
    subject : Subject
        The subject.
    dofs : sequence of str, optional
        Names of DOFs, in any order.

    Returns
    -------
    tuple of str

    Raises
    ------
    OptionError
        If the subject has no such DOF, or one is named twice.
    """
    names = subject.dof_names if dofs is None else tuple(dofs)
    for i, name in enumerate(names):
        if name not in subject.dof_names:
            hint = did_you_mean(name, subject.dof_names)
            expected = f"DOFs of the subject, {', '.join(subject.dof_names)}"
            raise OptionError(where="dofs", expected=expected, got=name, hint=hint)
        if name in names[:i]:
            raise OptionError(where="dofs", expected="every DOF once", got=f"{name} twice")
    return names


def acting_mtus(subject: Subject, dofs: Sequence[str]) -> BoolArray:
    """Return which MTUs act on which DOF.

    Parameters
    ----------
    subject : Subject
        The subject.
    dofs : sequence of str
        Some of its DOFs.

    Returns
    -------
    ndarray of bool (n_dof, n_mtu)
    """
    of_dof = {dof.name: dof.mtu_names for dof in subject.dofs}
    return np.array(
        [[name in of_dof[dof] for name in subject.mtu_names] for dof in dofs], dtype=bool
    ).reshape(len(dofs), len(subject.mtus))


def _paths_of(subject: Subject, dofs: Sequence[str], paths: PathSet) -> PathSet:
    """Return the paths of a subject's MTUs, in their order, once they fit its DOFs."""
    own = paths.select(subject.mtu_names)
    acting = {dof.name: dof.mtu_names for dof in subject.dofs}
    for dof in dofs:
        for path in own.paths:
            if path.mtu in acting[dof] and dof not in path.coordinate_names:
                raise DataError(
                    where=f"path of {path.mtu}",
                    expected=f"one that depends on {dof}, as the subject says that it acts on it",
                    got=f"one that depends on {', '.join(path.coordinate_names)}",
                    hint="A DOF has the name of the model's coordinate; without it in the path "
                    "the MTU has no moment arm",
                )
    return own


class Stream:
    """A simulation that goes on instant by instant, as signals come in.

    A stream over a recorded trial gives what `simulate` gives for the whole of it, if its
    excitations were recorded together with the lengths; only the stiff tendon's fibre velocity
    differs, since it follows from the last two lengths, not from a spline through all of them.
    All memory is taken when the stream is made. For one thread at a time.

    With `paths`, `step_at` takes joint angles in place of lengths and moment arms, and gives what
    `step` gives for those of the polynomials.

    Excitations act later by each MTU's delay. A stream that starts in the middle of a movement
    should be given what came before (`run_in`): else its muscles start from rest, and the first
    tenths of a second mean little.

    Parameters
    ----------
    subject : Subject
        The model.
    dofs : sequence of str, optional
        The DOFs whose moments are wanted, in the order of the moment arms; all of the subject's,
        unless given.
    rate : float
        Steps per second [Hz], 0.001 to 1e6.
    tendon : {"rosenbrockElastic", "equilibriumElastic", "stiff"} or Tendon
        Tendon model; the second is solved as the first.
    filter_start : {"zero", "ceinms"}
        Whether the activation filter starts from rest, or restarts at its third sample, as that of
        CEINMS does (reference C.1). A restart without excitations before the first step is a jump
        that an elastic tendon answers with a swing.
    longest_delay : float
        The longest delay that any subject of this stream will have [s], 0 to a million steps.
    instruction_set : str
        "auto", or one of `_kernel.instruction_sets()`.
    paths : PathSet, optional
        Polynomial paths of all MTUs, for `step_at`.

    Raises
    ------
    OptionError
        If an option is not one of these.
    DataError
        If a delay of the subject is negative, or longer than the longest; if an MTU has no path,
        or one that does not depend on a DOF that it acts on.
    """

    def __init__(
        self,
        subject: Subject,
        dofs: Sequence[str] | None = None,
        *,
        rate: float,
        tendon: str | Tendon = "rosenbrockElastic",
        filter_start: str = "zero",
        longest_delay: float = 0.25,
        instruction_set: str = "auto",
        paths: PathSet | None = None,
    ) -> None:
        check_number("rate", rate, least=1e-3, most=1e6)
        # Samples wait for their delay in memory: a million of every MTU at most.
        check_number("longest_delay", longest_delay, least=0.0, most=1e6 / rate)
        if filter_start not in ("zero", "ceinms"):
            raise OptionError(
                where="filter_start", expected="zero or ceinms", got=repr(filter_start)
            )
        self._subject = subject
        self.dof_names = check_dofs(subject, dofs)
        self.rate = float(rate)
        self.longest_delay = float(longest_delay)
        self._check_delays(subject)
        self._core = _kernel.Stream(
            tables=curve_tables(subject),
            parameters=subject.parameters(),
            acts=acting_mtus(subject, self.dof_names),
            rate=self.rate,
            longest_delay=self.longest_delay,
            tendon=engine_tendon(tendon),
            filter_start=filter_start,
            instruction_set=instruction_set,
        )
        # Looked up once, not at every step.
        self._step, self._step_at = self._core.step, self._core.step_at
        self._paths = None if paths is None else _paths_of(subject, self.dof_names, paths)
        self._compiled = None if self._paths is None else self._paths.compiled(self.dof_names)

    def run_in(self, excitation: ArrayLike) -> None:
        """Let the activation filter run over the excitations before the first step.

        Parameters
        ----------
        excitation : array_like (n_row, n_mtu)
            At the stream's rate, the last row one step before the first step. Values outside 0 to
            1 are clamped and counted. Half a second is plenty for most filters.

        Raises
        ------
        DataError
            If the shape is wrong, a number is not finite, or there has been a step.
        """
        if self.n_step > 0:
            hint = "call reset() to begin again"
            raise DataError(
                where="run_in",
                expected="a stream before its first step",
                got="one after",
                hint=hint,
            )
        self._core.run_in(excitation)

    def step(
        self, excitation: ArrayLike, mtu_length: ArrayLike, moment_arm: ArrayLike
    ) -> StreamStep:
        """Go on to the next instant.

        Parameters
        ----------
        excitation : array_like (n_mtu,)
            0 to 1; values outside are clamped and counted (`n_clamped`).
        mtu_length : array_like (n_mtu,)
            [m].
        moment_arm : array_like (n_dof, n_mtu)
            [m]; what is said of an MTU that does not act on a DOF is ignored.

        Returns
        -------
        StreamStep
            Arrays of its own.

        Raises
        ------
        DataError
            If a shape is wrong or a number not finite; the stream stays where it was.
        """
        return StreamStep(*self._step(excitation, mtu_length, moment_arm))

    def step_at(self, excitation: ArrayLike, coordinates: ArrayLike) -> StreamStep:
        """Go on to the next instant, with lengths and moment arms from joint angles.

        Parameters
        ----------
        excitation : array_like (n_mtu,)
            0 to 1; values outside are clamped and counted (`n_clamped`).
        coordinates : array_like (n_coordinate,)
            In the order of `coordinate_names` [rad]. Whether the paths were fitted to such poses
            is not checked here, but by `PathSet.evaluate`.

        Returns
        -------
        StreamStep
            Arrays of its own.

        Raises
        ------
        DataError
            If the stream has no paths, a shape is wrong or a number not finite; the stream stays
            where it was.
        """
        if self._compiled is None:
            raise DataError(
                where="step_at",
                expected="a stream with polynomial paths",
                got="one without",
                hint="Make it with paths=, or give step() lengths and moment arms",
            )
        return StreamStep(*self._step_at(self._compiled, excitation, coordinates))

    def set_subject(self, subject: Subject) -> None:
        """Go on with other parameters, such as those of a re-fit; activation and fibres stay.

        Parameters
        ----------
        subject : Subject
            With the same MTUs, DOFs and curves.

        Raises
        ------
        DataError
            If it differs in more than parameters, or a delay is negative or longer than
            `longest_delay`.
        """
        old = self._subject
        for what, same in (
            ("MTUs", subject.mtu_names == old.mtu_names),
            ("DOFs", subject.dofs == old.dofs),
            ("curves", subject.curves == old.curves),
        ):
            if not same:
                hint = "make another stream"
                raise DataError(
                    where="set_subject", expected=f"the same {what}", got="others", hint=hint
                )
        self._check_delays(subject)
        self._core.set_parameters(subject.parameters())
        self._subject = subject

    def reset(self) -> None:
        """Go back to rest, before the first instant. Parameters stay."""
        self._core.reset()

    def _check_delays(self, subject: Subject) -> None:
        for mtu in subject.mtus:
            if not 0.0 <= mtu.em_delay <= self.longest_delay:
                raise DataError(
                    where=f"emDelay of {mtu.name}",
                    expected=f"0 to {self.longest_delay:g} s",
                    got=f"{mtu.em_delay:g} s",
                    hint="make the stream with a greater longest_delay",
                )

    @property
    def subject(self) -> Subject:
        """The model as it is now."""
        return self._subject

    @property
    def mtu_names(self) -> tuple[str, ...]:
        """Names of the MTUs, in the order of every array."""
        return self._subject.mtu_names

    @property
    def coordinate_names(self) -> tuple[str, ...]:
        """Names of the coordinates that `step_at` takes, in their order; none without paths."""
        return () if self._paths is None else self._paths.coordinate_names

    @property
    def n_step(self) -> int:
        """Steps since the beginning or the last reset."""
        return self._core.n_step

    @property
    def n_clamped(self) -> int:
        """How many excitations since then were outside 0 to 1."""
        return self._core.n_clamped

    @property
    def activation(self) -> FloatArray:
        """Activation at the last step (n_mtu,), eq. (2) [-]; like all these, zero before."""
        return self._core.activation

    @property
    def fibre_length(self) -> FloatArray:
        """Fibre length at the last step (n_mtu,) [m]."""
        return self._core.fibre_length

    @property
    def fibre_velocity(self) -> FloatArray:
        """Fibre velocity at the last step (n_mtu,) [m/s], lengthening positive."""
        return self._core.fibre_velocity

    @property
    def tendon_strain(self) -> FloatArray:
        """Tendon strain at the last step (n_mtu,) [-]."""
        return self._core.tendon_strain
