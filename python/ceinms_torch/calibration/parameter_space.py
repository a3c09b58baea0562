"""Which numbers a calibration step may change, and between which bounds (reference D.2)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from ceinms_torch import _kernel
from ceinms_torch.arrays import FloatArray, IndexArray
from ceinms_torch.errors import DataError, OptionError, Place
from ceinms_torch.io.display import OneLine
from ceinms_torch.model.calibration import CalibrationPlan, CalibrationStep, ParameterSpec
from ceinms_torch.model.parameters import PARAMETER_KINDS
from ceinms_torch.model.subject import Subject

# A start value may miss its bound by this share of the range: printed values are rounded.
_ROUNDING = 1e-9
# Components closer than this to 0 or 1 are at a bound.
_AT_BOUND = 1e-6
# C1 and C2 that start equal are moved apart by this share of their ranges.
_APART = 0.05


@dataclass(frozen=True, kw_only=True)
class Component:
    """One number that the optimiser changes: one parameter of one or more MTUs.

    Parameters
    ----------
    kind : str
        One of `PARAMETER_KINDS`.
    mtu_names : tuple of str
        The MTUs that share the value; the first gives the start value.
    lower, upper : float
        Bounds in the unit of the parameter; lower <= upper.
    start : float
        Start value, within the bounds unless the space was laid out without that check.
    """

    kind: str
    mtu_names: tuple[str, ...]
    lower: float
    upper: float
    start: float


@dataclass(frozen=True, kw_only=True)
class ParameterSpace(OneLine):
    """The unit box in which a calibration step searches.

    Parameters
    ----------
    subject : Subject
        The subject at the start of the step.
    components : tuple of Component
        One per dimension, in CEINMS's order: by kind, then in the order of the file.
    """

    subject: Subject
    components: tuple[Component, ...]

    @classmethod
    def of(
        cls,
        subject: Subject,
        step: CalibrationStep,
        plan: CalibrationPlan,
        *,
        check_start: bool = True,
    ) -> Self:
        """Lay out the parameters of a step.

        Parameters
        ----------
        subject : Subject
            The subject at the start of the step.
        step : CalibrationStep
            The step.
        plan : CalibrationPlan
            The plan it belongs to, for messages.
        check_start : bool
            Whether a start value outside its range is an error. CEINMS takes such values and
            checks a parameter only when it is its turn to change.

        Returns
        -------
        ParameterSpace

        Raises
        ------
        DataError
            If a start value is outside its range (see `check_start`), or the step names an
            unknown MTU or DOF.
        OptionError
            If percentageChange would differ between MTUs, which CEINMS's files cannot hold.
        """
        components = []
        by_kind = sorted(step.parameters, key=lambda spec: PARAMETER_KINDS.index(spec.kind))
        for spec in by_kind:
            groups = groups_of(subject, step, spec)
            if spec.kind == "percentageChange":
                _check_percentage_change(subject, groups)
            new = [_component(subject, spec, group) for group in groups]
            components += (
                [_checked(one, spec, plan, subject) for one in new] if check_start else new
            )
        return cls(subject=subject, components=tuple(components))

    @property
    def lower(self) -> FloatArray:
        """Lower bounds (n,), in the unit of each parameter."""
        return np.array([component.lower for component in self.components])

    @property
    def upper(self) -> FloatArray:
        """Upper bounds (n,), in the unit of each parameter."""
        return np.array([component.upper for component in self.components])

    def shares(self, values: ArrayLike) -> FloatArray:
        """Return where values (n,) are in their ranges, 0 to 1 within; from `lower` without one."""
        width = self.upper - self.lower
        return (np.asarray(values) - self.lower) / np.where(width > 0.0, width, 1.0)

    def start(self) -> FloatArray:
        """Return the subject's own values in the unit box, C1 and C2 moved apart.

        The model is symmetric in C1 and C2: where both start equal their gradients are equal,
        too, and no gradient method could ever part them.

        Returns
        -------
        ndarray (n,)
            0 to 1.
        """
        x = np.clip(self.shares([one.start for one in self.components]), 0.0, 1.0)
        index = {
            (component.kind, name): i
            for i, component in enumerate(self.components)
            for name in component.mtu_names
        }
        tied = {
            (index["c1", mtu.name], index["c2", mtu.name])
            for mtu in self.subject.mtus
            if ("c1", mtu.name) in index and ("c2", mtu.name) in index and mtu.c1 == mtu.c2
        }
        for first, second in sorted(tied):
            # Towards the inside where the start is at a bound.
            x[first] += _APART if x[first] + _APART <= 1.0 else -2.0 * _APART
            x[second] -= _APART if x[second] - _APART >= 0.0 else -2.0 * _APART
        return x

    def point_of(self, subject: Subject) -> FloatArray:
        """Return the point at which another subject's parameters are.

        Parameters
        ----------
        subject : Subject
            With the same MTUs. Where MTUs share a value, that of the first counts.

        Returns
        -------
        ndarray (n,)
            0 to 1; a value outside its range is at its bound.
        """
        return np.clip(self.shares(self.values_of(subject)), 0.0, 1.0)

    def values_of(self, subject: Subject) -> FloatArray:
        """Return the values (n,) of another subject with the same MTUs, in their units."""
        rows = [PARAMETER_KINDS.index(one.kind) for one in self.components]
        columns = [subject.mtu_index(one.mtu_names[0]) for one in self.components]
        return subject.parameters()[rows, columns]

    def starts(self, n: int, seed: int, *, random: bool = False) -> FloatArray:
        """Return start points for several searches.

        Parameters
        ----------
        n : int
            How many; >= 1.
        seed : int
            Seed of the scrambled Sobol sequence that the others come from; the same seed gives the
            same points.
        random : bool
            Take the first from the sequence, too, instead of `start`.

        Returns
        -------
        ndarray (n, n_component)
            0 to 1.
        """
        if n == 1 and not random:
            return self.start()[np.newaxis]
        from scipy.stats import qmc  # noqa: PLC0415  slow to load

        sobol = qmc.Sobol(len(self.components), seed=np.random.default_rng(seed))
        # The sequence is balanced over powers of two; drawing all of one keeps scipy from warning.
        points = np.asarray(sobol.random_base2((n - 1).bit_length()), dtype=np.float64)[:n]
        if not random:
            points[0] = self.start()
        return points

    def slots(self) -> tuple[IndexArray, IndexArray]:
        """Return which entries of the parameter matrix are set, and by which component.

        An MTU in two groups takes its value from the later one, as in CEINMS.

        Returns
        -------
        slot : ndarray (n_slot,)
            Index into the flattened (n_kind, n_mtu) parameter matrix; unique.
        component : ndarray (n_slot,)
            The component that this entry takes its value from.
        """
        n_mtu = len(self.subject.mtus)
        taken: dict[int, int] = {}
        for i, component in enumerate(self.components):
            row = PARAMETER_KINDS.index(component.kind)
            for name in component.mtu_names:
                taken[row * n_mtu + self.subject.mtu_index(name)] = i
        slots = np.array(sorted(taken), dtype=np.int64)
        return slots, np.array([taken[int(slot)] for slot in slots], dtype=np.int64)

    def map(self) -> _kernel.ParameterMap:
        """Return what both engines, too, take their parameters from."""
        slot, component = self.slots()
        return _kernel.ParameterMap(
            start=self.subject.parameters(),
            lower=self.lower,
            upper=self.upper,
            slot=slot,
            component=component,
        )

    def values(self, x: FloatArray) -> FloatArray:
        """Return the value of every component at a point of the unit box, (n,)."""
        return self.map().values(x)

    def at_bound(self, x: FloatArray) -> list[str]:
        """Return which bound each component is at.

        Parameters
        ----------
        x : ndarray (n,)
            A point of the unit box.

        Returns
        -------
        list of {"lower", "upper", ""}
        """
        return [
            "lower" if value <= _AT_BOUND else "upper" if value >= 1.0 - _AT_BOUND else ""
            for value in x.tolist()
        ]

    def subject_at(self, x: FloatArray) -> Subject:
        """Return the subject with the parameters of a point of the unit box.

        Parameters
        ----------
        x : ndarray (n,)
            A point of the unit box.

        Returns
        -------
        Subject
        """
        space = self.map()
        return self.subject.with_parameters(space.parameters(space.values(x)))


def groups_of(
    subject: Subject, step: CalibrationStep, spec: ParameterSpec
) -> tuple[tuple[str, ...], ...]:
    """Return the MTUs that share each value of a parameter, as CEINMS understands its scope.

    Parameters
    ----------
    subject : Subject
        The subject.
    step : CalibrationStep
        The step, whose DOFs count where the parameter lists no MTUs.
    spec : ParameterSpec
        One of its parameters.

    Returns
    -------
    tuple of tuple of str
        Names of MTUs, one tuple per value.
    """
    if spec.groups:
        return spec.groups
    acting = subject.mtus_on(step.dofs)
    return tuple((name,) for name in acting) if spec.scope == "single" else (acting,)


def _component(subject: Subject, spec: ParameterSpec, group: tuple[str, ...]) -> Component:
    row = PARAMETER_KINDS.index(spec.kind)
    start = float(subject.parameters()[row, subject.mtu_index(group[0])])
    bounds = (spec.low, spec.high)
    if spec.range_type == "relativeToSubjectValue":
        # CEINMS turns the bounds round when the value is negative (quirk F17).
        bounds = (
            min(spec.low * start, spec.high * start),
            max(spec.low * start, spec.high * start),
        )
    lower, upper = bounds
    return Component(kind=spec.kind, mtu_names=group, lower=lower, upper=upper, start=start)


def _checked(
    component: Component, spec: ParameterSpec, plan: CalibrationPlan, subject: Subject
) -> Component:
    """Return the component with its start value within the bounds, but for rounding."""
    lower, upper, start = component.lower, component.upper, component.start
    slack = _ROUNDING * max(upper - lower, abs(start))
    if not lower - slack <= start <= upper + slack:
        group = component.mtu_names
        raise DataError(
            where=Place(plan.path, spec.range_line, f"<range> of {spec.kind}"),
            expected=f"a range that holds the start value of {group[0]}, {start:g}",
            got=f"{lower:g} to {upper:g}",
            hint=f"widen the range, or change {spec.kind} of {group[0]} in "
            f"{subject.path or 'the subject'}",
        )
    return dataclasses.replace(component, start=min(max(start, lower), upper))


def _check_percentage_change(subject: Subject, groups: tuple[tuple[str, ...], ...]) -> None:
    if len(groups) != 1 or set(groups[0]) != set(subject.mtu_names):
        raise OptionError(
            where="percentageChange",
            expected="<global/>, or one group of all MTUs",
            got=f"{len(groups)} groups",
            hint="CEINMS's subject file holds it once for all MTUs",
        )
