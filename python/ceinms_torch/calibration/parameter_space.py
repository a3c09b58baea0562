"""Which numbers a calibration step may change, and between which bounds (reference D.2)."""

from __future__ import annotations

import dataclasses
import warnings
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from ceinms_torch import _kernel
from ceinms_torch.arrays import FloatArray, IndexArray
from ceinms_torch.errors import CeinmsTorchWarning, OptionError, Place
from ceinms_torch.io.display import OneLine
from ceinms_torch.model.activation_delay import activation_delay
from ceinms_torch.model.parameters import PARAMETER_KINDS
from ceinms_torch.model.subject import Subject
from ceinms_torch.plan.calibration import CalibrationPlan, CalibrationStep, ParameterSpec

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
        Start value; within the bounds, but for annealing as CEINMS does it.
    centre : float, optional
        Where a prior of its own pulls to, in the unit of the parameter; the start value by default.
    """

    kind: str
    mtu_names: tuple[str, ...]
    lower: float
    upper: float
    start: float
    centre: float | None = None


@dataclass(frozen=True, kw_only=True)
class ParameterSpace(OneLine):
    """The unit box in which a calibration step searches.

    Parameters
    ----------
    subject : Subject
        The subject at the start of the step.
    components : tuple of Component
        One per dimension, in CEINMS's order: by kind, then in the order of the file.
    doubts : tuple of str
        What was warned of: start values that are not the subject's.
    """

    subject: Subject
    components: tuple[Component, ...]
    doubts: tuple[str, ...] = field(default=(), compare=False)

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
            Whether a start value outside its range becomes the nearest one inside. CEINMS leaves
            it where it is, and checks a parameter only when it is its turn to change.

        Returns
        -------
        ParameterSpace

        Raises
        ------
        DataError
            If the step names an unknown MTU or DOF.
        OptionError
            If percentageChange would differ between MTUs, which CEINMS's files cannot hold.

        Warns
        -----
        CeinmsTorchWarning
            Once for each parameter of the step whose start values are moved (see `check_start`);
            it names all MTUs.
        """
        components: list[Component] = []
        doubts = []
        by_kind = sorted(step.parameters, key=lambda spec: PARAMETER_KINDS.index(spec.kind))
        for spec in by_kind:
            groups = groups_of(subject, step, spec)
            if spec.kind == "percentageChange":
                _check_percentage_change(subject, groups)
            new = [_component(subject, spec, group, plan.time_step) for group in groups]
            if check_start:
                outside = [one for one in new if _is_outside(one)]
                if outside:
                    doubt = _start_warning(outside, spec, plan)
                    warnings.warn(doubt, stacklevel=2)
                    doubts.append(str(doubt))
                new = [_inside(one) for one in new]
            components += new
        return cls(subject=subject, components=tuple(components), doubts=tuple(doubts))

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
        start = np.array([component.start for component in self.components])
        x = self.shares(np.clip(start, self.lower, self.upper))
        index = {
            (component.kind, name): i
            for i, component in enumerate(self.components)
            for name in component.mtu_names
        }
        pairs = {
            (index["c1", name], index["c2", name])
            for name in self.subject.mtu_names
            if ("c1", name) in index and ("c2", name) in index
        }
        tied = {(first, second) for first, second in pairs if start[first] == start[second]}
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


def _component(
    subject: Subject, spec: ParameterSpec, group: tuple[str, ...], time_step: float | None
) -> Component:
    row = PARAMETER_KINDS.index(spec.kind)
    start = float(subject.parameters()[row, subject.mtu_index(group[0])])
    lower, upper = spec.bounds(start, time_step)
    centre = spec.prior_of(group).centre
    return Component(
        kind=spec.kind,
        mtu_names=group,
        lower=lower,
        upper=upper,
        start=start,
        centre=None if centre is None else spec.in_unit(centre, start, time_step),
    )


def _is_outside(one: Component) -> bool:
    """Return whether the start value is outside its range, by more than rounding."""
    slack = _ROUNDING * max(one.upper - one.lower, abs(one.start))
    return not one.lower - slack <= one.start <= one.upper + slack


def _inside(one: Component) -> Component:
    """Return the component with the nearest start value within its range."""
    return dataclasses.replace(one, start=min(max(one.start, one.lower), one.upper))


def _start_warning(
    outside: list[Component], spec: ParameterSpec, plan: CalibrationPlan
) -> CeinmsTorchWarning:
    """Say of all MTUs at once that their start values are outside the range of a parameter."""
    names = ", ".join(name for one in outside for name in one.mtu_names)
    starts = [one.start for one in outside]
    bounds = f"{spec.low:g} to {spec.high:g}"
    if spec.range_type == "relativeToSubjectValue":
        bounds += " times the subject's value"
    elif spec.range_type == "timeConstant" and plan.time_step is not None:
        bounds += " ms"
        starts = [1e3 * activation_delay(start, 0.0, plan.time_step) for start in starts]
    values = dict.fromkeys(f"{pick(starts):g}" for pick in (min, max))
    return CeinmsTorchWarning(
        f"Start values outside {bounds}: {names} ({' to '.join(values)}). The calibration begins "
        "at the nearest value inside.",
        "start-outside-range",
        Place(plan.path, spec.range_line, f"<range> of {spec.kind}", column=names),
    )


def _check_percentage_change(subject: Subject, groups: tuple[tuple[str, ...], ...]) -> None:
    if len(groups) != 1 or set(groups[0]) != set(subject.mtu_names):
        raise OptionError(
            where="percentageChange",
            expected="<global/>, or one group of all MTUs",
            got=f"{len(groups)} groups",
            hint="CEINMS's subject file holds it once for all MTUs",
        )
