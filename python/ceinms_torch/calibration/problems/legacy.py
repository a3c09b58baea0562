"""A calibration step on the model of CEINMS 0.9."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ceinms_torch import _kernel
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.problems.objective import engine_objective
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.optimisers.problem import InOwnUnits
from ceinms_torch.plan.calibration import CalibrationPlan, CalibrationStep
from ceinms_torch.simulation.legacy.inputs import legacy_model, legacy_tables, legacy_trial
from ceinms_torch.simulation.moments import least_variance, measured_moments


class LegacyProblem(InOwnUnits):
    """A calibration step on the model of CEINMS 0.9 (reference D.3), or with composites.

    Parameters
    ----------
    subject, trials, step, space
        As for `FusedProblem`.
    plan : CalibrationPlan
        Tendon and activation.
    threads : int
        Threads over which trials are spread; >= 1.
    """

    def __init__(
        self,
        subject: Subject,
        trials: Sequence[Trial],
        step: CalibrationStep,
        space: ParameterSpace,
        plan: CalibrationPlan,
        *,
        threads: int = 1,
    ) -> None:
        self.lower, self.upper = space.lower, space.upper
        dofs = step.moment_dofs(subject.dof_names)
        self.core = _kernel.LegacyProblem(
            tables=legacy_tables(subject),
            model=legacy_model(plan.tendon, plan.activation, online=False),
            trials=[legacy_trial(subject, trial) for trial in trials],
            measured=[measured_moments(trial) for trial in trials],
            dofs=np.array([subject.dof_names.index(name) for name in dofs], dtype=np.int64),
            map=space.map(),
            objective=engine_objective(step, subject) if step.objective.composites else None,
            least_variance=least_variance(trials, step),
            threads=threads,
        )
        self.term_names = ("moment", "penalty" if step.objective.composites else "fibre_length")
