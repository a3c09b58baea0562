"""A calibration step on the fused engine: compiled loops, no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from ceinms_torch import _kernel
from ceinms_torch.arrays import FloatArray
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.problems.linear_terms import linear_terms
from ceinms_torch.calibration.problems.objective import engine_objective
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.optimisers.problem import Differentiable, Evaluation
from ceinms_torch.plan.calibration import CalibrationStep
from ceinms_torch.simulation.curves import curve_tables
from ceinms_torch.simulation.moments import measured_moments, moment_variance
from ceinms_torch.simulation.simulate import engine_tendon
from ceinms_torch.simulation.trial_input import kernel_trial


class FusedProblem(Differentiable):
    """A calibration step on the fused engine.

    Not for several threads at a time: give each its own.

    Parameters
    ----------
    subject : Subject
        The subject at the start of the step.
    trials : sequence of Trial
        With measured moments; all with the subject's MTUs and DOFs.
    step : CalibrationStep
        DOFs and objective.
    space : ParameterSpace
        What may change.
    tendon : str
        Tendon by its XML name.
    filter_start : {"ceinms", "zero"}
        Start of the activation filter, see `simulate`.
    threads : int
        Threads over which a simulation is spread; >= 1.
    instruction_set : str
        "auto", or one of `_kernel.instruction_sets()`.

    Raises
    ------
    DataError
        If a measured moment that counts is constant.
    """

    core: _kernel.Problem
    module: ClassVar[Any] = _kernel

    def __init__(
        self,
        subject: Subject,
        trials: Sequence[Trial],
        step: CalibrationStep,
        space: ParameterSpace,
        *,
        tendon: str,
        filter_start: str = "ceinms",
        threads: int = 1,
        instruction_set: str = "auto",
    ) -> None:
        dofs = step.moment_dofs(subject.dof_names)
        variance = moment_variance(trials, step)
        # Rows of the residuals of each DOF of each trial, in their order.
        self.moment_rows = tuple(len(trial.time) for trial in trials for _ in dofs)
        self.core = _kernel.Problem(
            trials=[kernel_trial(subject, trial) for trial in trials],
            measured=[measured_moments(trial) for trial in trials],
            variance=variance.T,
            dofs=np.array([subject.dof_names.index(name) for name in dofs]),
            threads=threads,
            instruction_set=instruction_set,
            **problem_settings(
                subject,
                step,
                space,
                n_trial=len(trials),
                tendon=tendon,
                filter_start=filter_start,
            ),
        )
        self.term_names = tuple(self.core.term_names)

    def gradient(self, x: FloatArray) -> tuple[Evaluation, FloatArray]:
        """Return the objective and its gradient (n,) at x (n,)."""
        return self.gradient_of(self.core, x)

    def gradient_of(
        self, core: _kernel.SmoothProblem, x: FloatArray
    ) -> tuple[Evaluation, FloatArray]:
        """Return the same of any compiled objective."""
        item, gradient = core.gradient(x)
        return Evaluation.of(item), gradient

    def residuals(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return all residuals and their derivatives.

        Parameters
        ----------
        x : ndarray (n,)
            A point of the unit box.

        Returns
        -------
        residual : ndarray (n_row,)
            First the moments, trial by trial, DOF by DOF, step by step; then peak forces, trial by
            trial, step by step; a row for every penalty that is not zero; priors and coherence.
            Their squares sum to the objective; with "rmse", whose moment terms are roots or their
            powers, they are weighted so that ``2 jacobian.T @ residual`` is its gradient.
        jacobian : ndarray (n_row, n)
            Derivatives by x.
        """
        residual, jacobian = self.core.residuals(x)
        return residual, jacobian


def problem_settings(
    subject: Subject,
    step: CalibrationStep,
    space: ParameterSpace,
    *,
    n_trial: int,
    tendon: str,
    filter_start: str,
) -> dict[str, Any]:
    """Return what a problem of the fused engine needs but trials, DOFs and threads.

    Parameters
    ----------
    subject, step, space, tendon, filter_start
        As for `FusedProblem`.
    n_trial : int
        Number of trials.

    Returns
    -------
    dict of str to object
        Arguments of ``_kernel.Problem``.

    Raises
    ------
    OptionError
        If a muscle group has nothing to keep together.
    """
    return {
        "tables": curve_tables(subject),
        "map": space.map(),
        "objective": engine_objective(step, subject),
        "linear_terms": linear_terms(step, space, n_trial),
        "tendon": engine_tendon(tendon),
        "filter_start": filter_start,
    }
