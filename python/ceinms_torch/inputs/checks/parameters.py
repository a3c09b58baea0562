"""Start values, ranges and groups: whether a search can start, and where it may go."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.problems.linear_terms import linear_terms
from ceinms_torch.errors import Place
from ceinms_torch.inputs.checks.attempts import Attempts
from ceinms_torch.inputs.checks.files import Inputs
from ceinms_torch.inputs.checks.findings import Finding, listed
from ceinms_torch.model.activation_delay import (
    LONGEST_ACTIVATION_DELAY,
    SHORTEST_ACTIVATION_DELAY,
    activation_delay,
    coefficient,
    is_plausible_delay,
)
from ceinms_torch.model.parameters import PARAMETER_KINDS, PARAMETERS, parameter_row
from ceinms_torch.model.subject import Subject
from ceinms_torch.plan.calibration import CalibrationPlan, CalibrationStep, ParameterSpec

# Activation this late [s] is beyond anything that the usual ranges allow at 100 Hz (0.38).
_FAR_TOO_LATE = 0.5


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
    plan = Attempts(findings)("rates-differ", None, plan.of_trials, inputs.aligned) or plan
    if plan.time_constants and plan.time_step is None:
        return findings  # nothing tells what they are in c1 and c2
    findings += _check_activation(inputs, plan, subject)
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


def _check_activation(inputs: Inputs, plan: CalibrationPlan, subject: Subject) -> Iterator[Finding]:
    """Say what the ranges of C1 and C2 mean at the rate of the trials."""
    steps = [trial.time_step for trial in inputs.aligned]
    ranges = {spec.kind: spec for step in plan.steps for spec in step.parameters}
    if not steps or not {"c1", "c2"} & set(ranges):
        return
    step = max(steps)
    delays = []
    for bound in (0, 1):
        values = subject.parameters()[[parameter_row(kind) for kind in ("c1", "c2")]]
        for row, kind in enumerate(("c1", "c2")):
            if kind in ranges:
                spec = ranges[kind]
                values[row] = [spec.bounds(c, plan.time_step)[bound] for c in values[row]]
        delays += [activation_delay(c1, c2, step) for c1, c2 in values.T.tolist()]
    shortest, longest = min(delays), max(delays)
    if is_plausible_delay(shortest, step) and is_plausible_delay(longest, step):
        return
    spec = ranges.get("c1") or ranges["c2"]
    least = max(SHORTEST_ACTIVATION_DELAY, step)
    # The usual range is wide at 100 Hz: one that leaves no choice, or goes far beyond, is wrong.
    out_of_reach = shortest > LONGEST_ACTIVATION_DELAY or longest < step
    yield Finding(
        severity="warning" if out_of_reach or longest > _FAR_TOO_LATE else "note",
        code="activation-delay",
        where=_spec_place(plan, spec, "<range>"),
        what=f"At {1.0 / step:.4g} Hz, the ranges of c1 and c2 let activation follow excitation by "
        f"{1e3 * shortest:.2g} to {1e3 * longest:.3g} ms on average.",
        why="The filter counts samples, not time. Muscles take 10 to 100 ms; less than a sample is "
        "no filter at all.",
        to_do=f"Begin the range of the delay at {1e3 * step:.3g} ms, or export trials at a higher "
        "rate."
        if spec.range_type == "timeConstant"
        else "Calibrate activationDelay in place of both, with "
        f"<range>{1e3 * least:.3g} 100</range> in milliseconds; at this rate that is "
        f"{coefficient(0.05, step):.3f} to {coefficient(0.5 * least, step):.3f} for either.",
    )


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
    values = subject.parameters()[PARAMETER_KINDS.index(spec.kind)].tolist()
    bounds = [bound for value in values for bound in spec.bounds(value, plan.time_step)]
    low, high = min(bounds), max(bounds)
    sensible = kind.sensible or kind.allowed
    if low not in sensible or high not in sensible:
        is_refused = low not in kind.allowed or high not in kind.allowed
        yield Finding(
            severity="error" if is_refused else "warning",
            code="range-impossible",
            where=_spec_place(plan, spec, "<range>"),
            what=f"The range of {spec.kind} allows {low:.4g} to {high:.4g}; a value should be "
            f"{sensible}.",
            why=f"A search will try such values{f' ({kind.doubt})' if kind.doubt else ''}.",
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
