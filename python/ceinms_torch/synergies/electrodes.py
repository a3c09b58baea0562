"""The same subject and trials with fewer electrodes."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

import numpy as np

from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.parameters import PARAMETER_KINDS
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.plan.calibration import CalibrationPlan, CalibrationStep, ParameterSpec


def with_electrodes(generator: ExcitationGenerator, kept: Collection[str]) -> ExcitationGenerator:
    """Return a generator with some electrodes only.

    Parameters
    ----------
    generator : ExcitationGenerator
        With all electrodes.
    kept : collection of str
        The signals that are still there.

    Returns
    -------
    ExcitationGenerator
        MTUs that a missing signal drives, alone or together with others, are unrecorded.
    """
    excitations = tuple(
        excitation
        if all(signal in kept for signal, _ in excitation.inputs)
        else dataclasses.replace(excitation, inputs=())
        for excitation in generator.excitations
    )
    return dataclasses.replace(generator, excitations=excitations, document=None)


def trial_with_electrodes(trial: Trial, generator: ExcitationGenerator) -> Trial:
    """Return a trial in which MTUs without a recording are silent.

    Parameters
    ----------
    trial : Trial
        As recorded with all electrodes.
    generator : ExcitationGenerator
        What is left of them, see `with_electrodes`.

    Returns
    -------
    Trial
    """
    recorded = np.array(generator.recorded(trial.mtu_names))
    return dataclasses.replace(trial, excitation=np.where(recorded, trial.excitation, 0.0))


def recorded_subject(subject: Subject, generator: ExcitationGenerator) -> Subject:
    """Return the model without those MTUs that were not recorded, as the paper has it (III-A).

    Parameters
    ----------
    subject : Subject
        With all MTUs.
    generator : ExcitationGenerator
        Which of them were recorded.

    Returns
    -------
    Subject
        All DOFs; one on which no recorded MTU acts has none.
    """
    recorded = dict(zip(subject.mtu_names, generator.recorded(subject.mtu_names), strict=True))
    dofs = tuple(
        dataclasses.replace(dof, mtu_names=tuple(name for name in dof.mtu_names if recorded[name]))
        for dof in subject.dofs
    )
    mtus = tuple(mtu for mtu in subject.mtus if recorded[mtu.name])
    return dataclasses.replace(subject, mtus=mtus, dofs=dofs, document=None)


def recorded_trial(trial: Trial, part: Subject) -> Trial:
    """Return a trial as a model with fewer MTUs sees it.

    Parameters
    ----------
    trial : Trial
        Of the whole subject.
    part : Subject
        A part of it, see `recorded_subject`.

    Returns
    -------
    Trial
    """
    columns = [trial.mtu_names.index(name) for name in part.mtu_names]
    return dataclasses.replace(
        trial,
        mtu_names=part.mtu_names,
        mtu_length=np.ascontiguousarray(trial.mtu_length[:, columns]),
        moment_arm=np.ascontiguousarray(trial.moment_arm[:, :, columns]),
        excitation=np.ascontiguousarray(trial.excitation[:, columns]),
    )


def recorded_plan(plan: CalibrationPlan, part: Subject) -> CalibrationPlan:
    """Return a plan that calibrates only the MTUs of a model with fewer of them.

    Parameters
    ----------
    plan : CalibrationPlan
        For the whole subject.
    part : Subject
        A part of it, see `recorded_subject`.

    Returns
    -------
    CalibrationPlan
        Groups keep those of their MTUs that are left; DOFs on which no MTU acts do not count, since
        nothing could change their moments.
    """
    left = {dof.name for dof in part.dofs if dof.mtu_names}
    steps = tuple(
        dataclasses.replace(
            step,
            dofs=tuple(name for name in step.dofs if name in left),
            parameters=_of_part(step, part),
        )
        for step in plan.steps
    )
    steps = tuple(step for step in steps if step.dofs and step.parameters)
    return dataclasses.replace(plan, steps=steps, synergy_hybrid=None, document=None)


def _of_part(step: CalibrationStep, part: Subject) -> tuple[ParameterSpec, ...]:
    names = set(part.mtu_names)
    specs = []
    for spec in step.parameters:
        groups = tuple(tuple(name for name in group if name in names) for group in spec.groups)
        groups = tuple(group for group in groups if group)
        if groups or not spec.groups:
            specs.append(dataclasses.replace(spec, groups=groups))
    return tuple(specs)


def put_back(subject: Subject, part: Subject) -> Subject:
    """Return a subject with the parameters of a calibrated part of it.

    Parameters
    ----------
    subject : Subject
        The whole; MTUs that the part lacks keep their parameters.
    part : Subject
        The part.

    Returns
    -------
    Subject
    """
    matrix = subject.parameters()
    matrix[:, [subject.mtu_index(name) for name in part.mtu_names]] = part.parameters()
    return subject.with_parameters(matrix)


def normalised_parameters(
    subject: Subject, original: Subject, plan: CalibrationPlan, kinds: Collection[str]
) -> dict[str, dict[str, float]]:
    """Return parameters relative to the ranges they were allowed (paper, III-D).

    Parameters
    ----------
    subject : Subject
        Calibrated.
    original : Subject
        What the calibration started from, and the ranges refer to.
    plan : CalibrationPlan
        The ranges.
    kinds : collection of str
        The parameters wanted, of `PARAMETER_KINDS`; those that the plan does not calibrate are left
        out.

    Returns
    -------
    dict of str to dict of str to float
        By parameter and MTU: 0 at the lower bound, 1 at the upper.
    """
    from ceinms_torch.calibration.parameter_space import ParameterSpace  # noqa: PLC0415

    result: dict[str, dict[str, float]] = {}
    values = subject.parameters()
    for step in plan.steps:
        space = ParameterSpace.of(original, step, plan, check_start=False)
        for one in space.components:
            if one.kind not in kinds or one.upper <= one.lower:
                continue
            row = PARAMETER_KINDS.index(one.kind)
            for name in one.mtu_names:
                value = values[row, subject.mtu_index(name)]
                result.setdefault(one.kind, {})[name] = float(
                    (value - one.lower) / (one.upper - one.lower)
                )
    return result
