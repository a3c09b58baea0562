"""Start values, ranges and groups: whether a search can start, and where it may go."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.problems.linear_terms import linear_terms
from ceinms_torch.errors import Place
from ceinms_torch.inputs.checks.attempts import Attempts
from ceinms_torch.inputs.checks.files import Inputs
from ceinms_torch.inputs.checks.findings import Finding, listed
from ceinms_torch.model.calibration import CalibrationPlan, CalibrationStep, ParameterSpec
from ceinms_torch.model.parameters import PARAMETER_KINDS, PARAMETERS
from ceinms_torch.model.subject import Subject


def check_parameters(inputs: Inputs) -> list[Finding]:
    """Check the plan's parameters against the subject.

    Parameters
    ----------
    inputs : Inputs
        What could be read; names in the plan are those of the subject.

    Returns
    -------
    list of Finding
    """
    findings: list[Finding] = []
    subject, plan = inputs.subject, inputs.plan
    if subject is None or plan is None:
        return findings
    moved: set[str] = set()
    for step in plan.steps:
        for spec in step.parameters:
            findings += _check_range(plan, spec, subject)
            findings += _check_groups(plan, step, spec, subject)
            # What an earlier step has changed starts from there, which nobody knows yet. The
            # annealing of CEINMS takes start values wherever they are.
            if spec.kind not in moved and not inputs.legacy:
                _check_start(Attempts(findings), plan, step, spec, subject)
        moved |= {spec.kind for spec in step.parameters}
        if not inputs.legacy:
            Attempts(findings)("group-without-values", None, _check_coherence, plan, step, subject)
    return findings


def _spec_place(plan: CalibrationPlan, spec: ParameterSpec, element: str) -> Place:
    line = spec.range_line if element == "<range>" else spec.line
    return Place(file=plan.path, line=line, element=f"{element} of {spec.kind}")


def _check_start(
    attempt: Attempts,
    plan: CalibrationPlan,
    step: CalibrationStep,
    spec: ParameterSpec,
    subject: Subject,
) -> None:
    alone = dataclasses.replace(step, parameters=(spec,))
    attempt("start-outside-range", None, ParameterSpace.of, subject, alone, plan)


def _check_coherence(plan: CalibrationPlan, step: CalibrationStep, subject: Subject) -> None:
    if step.objective.group_coherence_weight > 0.0:
        linear_terms(step, ParameterSpace.of(subject, step, plan, check_start=False), n_trial=1)


def _check_range(plan: CalibrationPlan, spec: ParameterSpec, subject: Subject) -> Iterator[Finding]:
    kind = PARAMETERS[spec.kind]
    low, high = spec.low, spec.high
    if spec.range_type == "relativeToSubjectValue":
        values = subject.parameters()[PARAMETER_KINDS.index(spec.kind)]
        products = np.outer((low, high), values)
        low, high = float(products.min()), float(products.max())
    sensible = kind.sensible or kind.allowed
    if low not in sensible or high not in sensible:
        is_refused = low not in kind.allowed or high not in kind.allowed
        yield Finding(
            severity="error" if is_refused else "warning",
            code="range-impossible",
            where=_spec_place(plan, spec, "<range>"),
            what=f"The range of {spec.kind} allows {low:.4g} to {high:.4g}; a value should be "
            f"{sensible}.",
            why="The model breaks down at such values, and a search will try them.",
            to_do="Narrow the range.",
        )
    elif low == high:
        yield Finding(
            severity="note",
            code="range-empty",
            where=_spec_place(plan, spec, "<range>"),
            what=f"The range of {spec.kind} is the single value {spec.low:g}.",
            why="It cannot change.",
            to_do="Leave the parameter out, or widen the range.",
        )


def _check_groups(
    plan: CalibrationPlan, step: CalibrationStep, spec: ParameterSpec, subject: Subject
) -> Iterator[Finding]:
    named = [name for group in spec.groups for name in group]
    outside = [name for name in named if name not in subject.mtus_on(step.dofs)]
    twice = sorted({name for name in named if named.count(name) > 1})
    if outside:
        yield Finding(
            severity="warning",
            code="group-outside-dofs",
            where=_spec_place(plan, spec, "<parameter>"),
            what=f"{listed(outside)} in {spec.kind}: on none of the step's DOFs "
            f"({listed(list(step.dofs))}).",
            why="The step changes them, but no moment that counts depends on them.",
            to_do="Take them out of the group, or add their DOF to the step.",
        )
    if twice:
        yield Finding(
            severity="warning",
            code="mtu-in-two-groups",
            where=_spec_place(plan, spec, "<parameter>"),
            what=f"{listed(twice)} in {spec.kind}: named more than once.",
            why="As in CEINMS, only the last group moves the MTU.",
            to_do="Name every MTU in one group.",
        )
