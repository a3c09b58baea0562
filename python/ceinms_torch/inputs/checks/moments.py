"""Measured moments: their sign, their size, and whether these MTUs can make them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import Place
from ceinms_torch.inputs.checks.among import check_sizes
from ceinms_torch.inputs.checks.attempts import Attempts
from ceinms_torch.inputs.checks.files import Inputs
from ceinms_torch.inputs.checks.findings import Finding, Severity, listed
from ceinms_torch.inputs.checks.reach import Reach, strength_range
from ceinms_torch.inputs.checks.served import check_served
from ceinms_torch.inputs.checks.signs import check_signs
from ceinms_torch.inputs.checks.units import capacity
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.plan.objective import Objective
from ceinms_torch.simulation.moments import check_moments, measured_moments, varying_dofs

# A share of frames beyond what MTUs can make that is more than outliers.
_MANY_FRAMES = 0.1
# A muscle that is stretched makes up to so many times its isometric force (CEINMS's own curve).
_LENGTHENING = 1.75
# Moments that change less than this [N m] are noise.
_NOISE = 0.5
# A DOF whose moment changes by less than this share of the largest has almost none.
_ALMOST_NONE = 0.07


def check_moment_data(inputs: Inputs) -> list[Finding]:
    """Check the measured moments of every DOF.

    Parameters
    ----------
    inputs : Inputs
        What could be read.

    Returns
    -------
    list of Finding
    """
    findings: list[Finding] = []
    subject, plan = inputs.subject, inputs.plan
    every = (*inputs.aligned, *inputs.tests)
    trials = [trial for trial in every if trial.measured_moment is not None]
    if subject is None or not trials:
        return findings
    attempt = Attempts(findings)
    steps = plan.steps if plan else ()
    wanted = tuple(dict.fromkeys(dof for step in steps for dof in step.dofs))
    varying = {dof for step in steps for dof in varying_dofs(step)}
    for trial in inputs.aligned:
        if trial.measured_moment is not None:
            attempt("moment-constant", trial.name, check_moments, trial, varying)
    dofs = [i for i, dof in enumerate(subject.dof_names) if plan is None or dof in wanted]
    spread = _spread(trials)
    largest = max(spread[dofs], default=0.0)
    counted = [i for i in dofs if spread[i] > _ALMOST_NONE * largest]
    sizes = list(check_sizes(trials))
    findings += sizes
    reach = Reach.of(inputs, subject, trials)
    wrong = {} if sizes else check_signs(reach, trials, counted)
    strength = strength_range(inputs, subject)[1]
    # Without a calibration, forces are what they are: that is no fault of the input.
    rank: Severity = "note" if plan is None else "warning"
    for i in dofs:
        beyond = wrong.get(i) or list(_check_capacity(subject, trials, i, strength, rank))
        findings += beyond or (check_served(inputs, reach, i) if i in counted else ())
    findings += _check_small(inputs, trials, [i for i in dofs if i not in counted])
    return findings


def _spread(trials: Sequence[Trial]) -> FloatArray:
    """Return how much the moment of every DOF changes within trials, root mean square [N m]."""
    changes = [measured_moments(trial) - measured_moments(trial).mean(axis=0) for trial in trials]
    result: FloatArray = np.concatenate(changes).std(axis=0)
    return result


def _check_capacity(
    subject: Subject, trials: list[Trial], i: int, strength: FloatArray, rank: Severity
) -> Iterator[Finding]:
    measured = np.concatenate([measured_moments(trial)[:, i] for trial in trials])
    factor = _LENGTHENING * strength
    bounds = [capacity(subject, trial.moment_arm[:, [i]], factor)[:, :, 0] for trial in trials]
    low, high = np.concatenate(bounds, axis=1)
    share = float(np.mean((measured > high + _NOISE) | (measured < low - _NOISE)))
    dof = subject.dof_names[i]
    if share > 0.0:
        most = float(strength.max())
        times = f", {most:.3g} times as strong" if most > 1.0 else ""
        yield Finding(
            severity=rank if share > _MANY_FRAMES else "note",
            code="moment-capacity",
            where=_place(trials, dof),
            what=f"In {100 * share:.3g} % of the rows, the measured moment of {dof} is beyond what "
            f"its MTUs can make ({low.min():.4g} to {high.max():.4g} N m, all of one direction "
            f"fully active and stretched{times}).",
            why="No parameters within their ranges can fit these rows.",
            to_do="Check moments, forces and moment arms; add the MTUs that are missing, or raise "
            "the range of strengthCoefficient.",
        )


def _check_small(inputs: Inputs, trials: Sequence[Trial], dofs: Sequence[int]) -> Iterator[Finding]:
    """Find moments that are next to nothing and count as much as the largest all the same."""
    spread = _spread(trials)
    largest = int(np.argmax(spread))
    for i in dofs:
        dof = trials[0].dof_names[i]
        steps = [step for step in inputs.plan.steps if dof in step.dofs] if inputs.plan else []
        counts = any(_counts_alike(step.objective) for step in steps)
        alone = counts and all(len(step.dofs) == 1 for step in steps)
        if spread[i] == 0.0 or alone:
            continue
        yield Finding(
            severity="warning" if counts else "note",
            code="moment-small",
            where=_place(trials, dof),
            what=f"{dof} has almost no moment: it changes by {spread[i]:.2g} N m (root mean "
            f"square), that of {trials[0].dof_names[largest]} by {spread[largest]:.3g} N m.",
            why="Divided by its variance, noise counts as much as the moments of other DOFs, and "
            "may become the whole objective."
            if counts
            else "R² means nothing where noise is as large as the moment.",
            to_do="Write <varianceFloor>0.25</varianceFloor> or "
            "<normalisation>meanSquare</normalisation> inside <minimizeTorqueError>, "
            f"or take {dof} out of <dofs>; judge it by its RMSE."
            if counts
            else "Judge this DOF by its RMSE.",
        )


def _counts_alike(objective: Objective) -> bool:
    """Return whether next to no moment counts as much as the largest."""
    floor = _ALMOST_NONE**2  # of variances
    return objective.normalisation == "variance" and objective.variance_floor < floor


def _place(trials: Sequence[Trial], dof: str) -> Place:
    return Place(
        file=trials[0].sources.torques.path,
        column=dof,
        trial=listed([trial.name for trial in trials]),
    )
