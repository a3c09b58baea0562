"""Excitations of a new trial from its recordings and known muscle weightings."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.problems.fused import FusedProblem
from ceinms_torch.errors import DataError, Place
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.nms_model import Tendon
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.optimisers.minimise import minimise
from ceinms_torch.optimisers.problem import Differentiable, Evaluation
from ceinms_torch.plan.calibration import CalibrationStep
from ceinms_torch.plan.objective import Objective
from ceinms_torch.plan.options import Lbfgs
from ceinms_torch.plan.synergy_hybrid import SynergyHybrid
from ceinms_torch.simulation.moments import check_moments, varying_dofs
from ceinms_torch.simulation.simulate import calibrated_tendon
from ceinms_torch.simulation.trial_input import check_names
from ceinms_torch.synergies.channels import Channels
from ceinms_torch.synergies.problem import SynergyProblem, SynergySetting
from ceinms_torch.synergies.space import SynergySpace
from ceinms_torch.synergies.trial_synergies import TrialSynergies, synthesised_trial
from ceinms_torch.synergies.weightings import Weightings


@one_blas_thread
def synthesise_excitations(
    subject: Subject,
    trial: Trial,
    generator: ExcitationGenerator,
    weightings: Weightings,
    *,
    refine: bool = False,
    synergy_hybrid: SynergyHybrid | None = None,
    objective: Objective | None = None,
    dofs: Sequence[str] | None = None,
    tendon: str | Tendon = "rosenbrockElastic",
    options: Lbfgs | None = None,
) -> TrialSynergies:
    """Synthesise what was not recorded in a trial, with the weightings of a calibration.

    Primitives are those that reconstruct the recorded excitations best, sample by sample by
    non-negative least squares, and drive the MTUs that had no recording in the calibration.

    Parameters
    ----------
    subject : Subject
        The calibrated subject.
    trial : Trial
        As recorded; it may be one that the calibration has not seen.
    generator : ExcitationGenerator
        Which MTUs were recorded; all that the weightings call so.
    weightings : Weightings
        From the calibration, kept as they are.
    refine : bool
        Go on from these primitives to the minimum of eq. (5) with parameters and weightings fixed:
        the trial's own moments help to find its excitations.
    synergy_hybrid : SynergyHybrid, optional
        Weights of eq. (5) and rate of the primitives, as in the calibration.
    objective : Objective, optional
        Normalisation and penalties, to refine with.
    dofs : sequence of str, optional
        DOFs whose moments count in it; all.
    tendon : str or Tendon
        Tendon model in it, see `simulate`.
    options : Lbfgs, optional
        Settings of the optimiser.

    Returns
    -------
    TrialSynergies
        Its `drive(trial)` is ready for `simulate`.

    Raises
    ------
    DataError
        If the trial was read with another subject, an MTU that the weightings call recorded is
        not, or there are no moments to refine with.
    """
    check_names(subject, trial)
    synergy_hybrid = dataclasses.replace(
        synergy_hybrid or SynergyHybrid(), synthesise=weightings.synthesised, ties="none"
    )
    step = CalibrationStep(
        dofs=tuple(dofs or subject.dof_names), objective=objective or Objective(), parameters=()
    )
    channels = Channels.of([trial], generator, synergy_hybrid, step.dofs)
    _check_recorded(trial, channels, weightings, generator)
    setting = SynergySetting.of([trial], channels, synergy_hybrid, weightings.values.shape[1])
    own = weightings.values[[*channels.tracked, *channels.synthesised]]
    primitives = least_squares_primitives(own[: channels.n_channel], setting.recorded[0])
    if refine:
        check_moments(trial, varying_dofs(step))
        space = ParameterSpace(subject=subject, components=())
        name = calibrated_tendon(tendon)
        recorded_only = FusedProblem(subject, [trial], step, space, tendon=name)
        problem = SynergyProblem(recorded_only, setting, exact_bounds=False)
        primitives = _refined(problem, setting.space(0), own, primitives, options or Lbfgs())
    return synthesised_trial(trial, weightings, setting.nodes[0].to_rows(primitives))


def least_squares_primitives(weightings: FloatArray, recorded: FloatArray) -> FloatArray:
    """Return the primitives that reconstruct excitations best.

    Parameters
    ----------
    weightings : ndarray (n_channel, n_synergy)
        Of the recorded excitations.
    recorded : ndarray (n_channel, n_sample)
        The excitations.

    Returns
    -------
    ndarray (n_synergy, n_sample)
        >= 0.
    """
    from scipy.optimize import nnls  # noqa: PLC0415  slow to load

    return np.stack([nnls(weightings, sample)[0] for sample in recorded.T], axis=1)


class _PrimitivesOnly(Differentiable):
    """A hybrid problem of which only the primitives change."""

    def __init__(self, problem: SynergyProblem, fixed: FloatArray) -> None:
        self.problem = problem
        self.fixed = fixed

    def gradient(self, x: FloatArray) -> tuple[Evaluation, FloatArray]:
        """Return the objective and its gradient by the primitives."""
        evaluation, gradient = self.problem.gradient(np.concatenate([self.fixed, x]))
        return evaluation, gradient[len(self.fixed) :]


def _refined(
    problem: SynergyProblem,
    space: SynergySpace,
    weightings: FloatArray,
    primitives: FloatArray,
    options: Lbfgs,
) -> FloatArray:
    # Primitives exceed 1 where someone works harder than in the calibration. The search is within
    # 0 to 1, so the weightings take over what is beyond.
    scale = np.maximum(primitives.max(axis=1), 1.0)
    weightings, primitives = weightings * scale, primitives / scale[:, np.newaxis]
    start = space.join(np.zeros(0), weightings, [primitives])
    fixed = start[: space.first_primitive]
    minimum = minimise(_PrimitivesOnly(problem, fixed), start[len(fixed) :], options)
    found = space.primitives(np.concatenate([fixed, minimum.x]))[0]
    return np.asarray(found * scale[:, np.newaxis])


def _check_recorded(
    trial: Trial, channels: Channels, weightings: Weightings, generator: ExcitationGenerator
) -> None:
    recorded = np.any(channels.mixing, axis=1)
    for name, origin, is_recorded in zip(
        weightings.mtu_names, weightings.origin, recorded, strict=True
    ):
        if origin == "recorded" and not is_recorded:
            raise DataError(
                where=Place(trial=trial.name, element=f"excitation of {name}"),
                expected="a recording, as in the calibration that the weightings are from",
                got="none",
                hint=f"compare its <excitation> in {generator.path or 'the excitation generator'}",
            )
