"""Terms of the objective that know parameters only: priors, and coherence of muscle groups.

Both are linear least squares in the point x of the unit box: squares of ``matrix @ x - offset``.
They are laid out here once; both engines add them to objective, gradient and normal equations.
"""

from __future__ import annotations

import math

import numpy as np

from ceinms_torch import _kernel
from ceinms_torch.arrays import FloatArray
from ceinms_torch.calibration.parameter_space import Component, ParameterSpace
from ceinms_torch.errors import OptionError
from ceinms_torch.model.parameters import PARAMETER_KINDS, PARAMETERS
from ceinms_torch.plan.calibration import CalibrationStep
from ceinms_torch.plan.objective import Objective


def linear_terms(
    step: CalibrationStep, space: ParameterSpace, n_trial: int
) -> list[_kernel.LinearTerm]:
    """Return the terms of a step's objective that know parameters only.

    Parameters
    ----------
    step : CalibrationStep
        Weights and muscle groups; terms without a weight are left out.
    space : ParameterSpace
        What may change, and from where.
    n_trial : int
        Trials that count.

    Returns
    -------
    list of LinearTerm
        Any of "parameter_prior" and "group_coherence".

    Raises
    ------
    DataError
        If the subject lacks an MTU of a muscle group.
    OptionError
        If a muscle group has nothing to keep together, or MTUs that share a value have different
        priors.

    Notes
    -----
    With the normalisation "variance" moment errors are summed over trials and DOFs, else averaged
    over trials. The weights here follow: what a weight balances does not depend on how many trials
    and DOFs there are. Nor does it depend on how many parameters there are: the prior is a mean.
    """
    objective = step.objective
    factor = len(step.dofs) * n_trial if objective.normalisation == "variance" else 1
    terms = []
    prior = _prior(step, space, factor)
    if prior is not None:
        terms.append(prior)
    if objective.group_coherence_weight > 0.0:
        terms.append(_coherence(objective, space, factor * objective.group_coherence_weight))
    return terms


def _start(space: ParameterSpace) -> FloatArray:
    """Return where the subject's own values are in the unit box, (n,); C1 and C2 as they are."""
    return space.shares([one.start for one in space.components])


def _prior(step: CalibrationStep, space: ParameterSpace, factor: int) -> _kernel.LinearTerm | None:
    """Return the mean over all that can change of weights times squared distances from centres.

    A distance of 1 is that of the farther bound. So a bound that is moved nearer on one side of the
    centre does not pull at the other, as it would in units of the range, and the prior is at most
    its weight. A range without width has none.
    """
    specs = {spec.kind: spec for spec in step.parameters}
    own = space.values_of(space.subject)
    weights, centres = [], []
    for one, value in zip(space.components, own, strict=True):
        spec = specs[one.kind]
        prior = spec.prior_of(one.mtu_names)
        general = step.objective.parameter_prior_weight
        weights.append(general if prior.weight is None else prior.weight)
        by = value if spec.range_type == "relativeToSubjectValue" else 1.0
        centres.append(one.start if prior.centre is None else prior.centre * by)
    if not any(weights):
        return None
    centre = space.shares(centres)
    can_change = space.upper > space.lower
    mean = factor * np.array(weights) * can_change / max(np.count_nonzero(can_change), 1)
    root = np.sqrt(mean) / np.maximum(centre, 1.0 - centre)
    return _kernel.LinearTerm(name="parameter_prior", matrix=np.diag(root), offset=root * centre)


def _coherence(objective: Objective, space: ParameterSpace, weight: float) -> _kernel.LinearTerm:
    n = len(space.components)
    per_range = np.array([_change_per_range(one) for one in space.components])
    rows = [np.zeros((0, n))]
    for muscles in objective.group_coherence_muscles:
        together = _together(space, muscles)
        if space.components and not together:
            raise OptionError(
                where=f"groupCoherence of '{' '.join(muscles)}'",
                expected="at least two muscles, each with a calibrated value of its own",
                got="one or none",
                hint="muscles that share a value are coherent already",
            )
        for members in together:
            # Each less the mean of all.
            centred = np.eye(len(members)) - 1.0 / len(members)
            block = np.zeros((len(members), n))
            block[:, members] = math.sqrt(weight) * centred * per_range[members]
            rows.append(block)
    matrix = np.concatenate(rows)
    return _kernel.LinearTerm(name="group_coherence", matrix=matrix, offset=matrix @ _start(space))


def _change_per_range(one: Component) -> float:
    """Return the change of a value over its whole range, relative to its start or to the range.

    A change of what is always above zero is a share of the start value, of others of their range.
    """
    width = one.upper - one.lower
    if PARAMETERS[one.kind].is_ratio and one.start != 0.0:
        return width / one.start
    return 1.0 if width > 0.0 else 0.0  # nothing changes within a range without width


def _together(space: ParameterSpace, muscles: tuple[str, ...]) -> list[list[int]]:
    """Return the components of a group's muscles, kind by kind, where there are two or more."""
    slots, components = space.slots()
    n_mtu = len(space.subject.mtus)
    indices = {space.subject.mtu_index(name) for name in muscles}
    result = []
    for row in range(len(PARAMETER_KINDS)):
        members = {
            int(component)
            for slot, component in zip(slots, components, strict=True)
            if slot // n_mtu == row and slot % n_mtu in indices
        }
        if len(members) > 1:
            result.append(sorted(members))
    return result
