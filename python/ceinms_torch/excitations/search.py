"""EMG-assisted, hybrid and static optimisation of a whole trial, by its gradient, without torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ceinms_torch import _kernel
from ceinms_torch.arrays import FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.errors import OptionError
from ceinms_torch.io.display import OneLine
from ceinms_torch.model.execution import Hybrid
from ceinms_torch.model.nms_model import Tendon
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.optimisers.compiled import run_compiled
from ceinms_torch.optimisers.minimum import Iterate, Minimum
from ceinms_torch.simulation.curves import curve_tables
from ceinms_torch.simulation.excitation_targets import ExcitationTargets
from ceinms_torch.simulation.later_outputs import (
    TERM_NAMES,
    later_outputs,
    objective_components,
)
from ceinms_torch.simulation.moments import measured_moments
from ceinms_torch.simulation.simulate import Simulation, engine_tendon, simulation_of
from ceinms_torch.simulation.time_series import TimeSeries
from ceinms_torch.simulation.trial_input import kernel_trial

# What may be left of the objective, as a share of it. A change of the weights makes far more.
TOLERANCE = 3e-7


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The three sums of the objective over a trial, without their weights.

    Parameters
    ----------
    moment : float
        Squared moment errors of the DOFs that count [N^2 m^2].
    effort : float
        Squared excitations of all MTUs [-].
    tracking : float
        Absolute changes of the adjusted excitations [-].
    """

    moment: float
    effort: float
    tracking: float

    def weighted(self, hybrid: Hybrid) -> dict[str, float]:
        """Return each term times its weight; they sum to the objective."""
        weights = (hybrid.alpha, hybrid.beta, hybrid.gamma)
        values = dataclasses.astuple(self)
        return {
            name: weight * value
            for name, weight, value in zip(TERM_NAMES, weights, values, strict=True)
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class ExcitationResult(OneLine):
    """Excitations that were found, and what the model does with them.

    Parameters
    ----------
    simulation : Simulation
        All quantities.
    adjusted_excitation : TimeSeries
        Excitations of all MTUs as they act at each instant: after `emgGain` and the delay [-].
    hybrid : Hybrid
        The weights that were used, and the MTUs.
    dofs : tuple of str
        DOFs whose moment errors counted.
    terms : Terms
        Of the objective.
    later : dict of str to TimeSeries
        What CEINMS 0.21 writes besides (`later_outputs`), the objective frame by frame included.
    iterations : int
        Of the optimiser.
    evaluations : int
        Of the objective and its gradient.
    seconds : float
        Inside the optimiser [s].
    status : str
        Why it stopped, a key of `STATUS_SENTENCES`.
    """

    simulation: Simulation
    adjusted_excitation: TimeSeries
    hybrid: Hybrid
    dofs: tuple[str, ...]
    terms: Terms
    later: dict[str, TimeSeries]
    iterations: int
    evaluations: int
    seconds: float
    status: str

    @property
    def objective(self) -> float:
        """The objective, in the unit that the weights give it."""
        return sum(self.terms.weighted(self.hybrid).values())


class TrialSearch:
    """A trial whose excitations can be searched for, with any weights.

    Variables are the excitations of the searched MTUs as they act at each frame (after `emgGain`
    and the delay, where the activation filter takes them), so that there are as many as the
    moments can tell apart, whatever the rate of the EMG. All frames are one problem: an excitation
    also acts through the filter and the tendon on the frames that follow.

    Parameters
    ----------
    subject : Subject
        The model.
    trial : Trial
        The data, read with this subject, with measured moments.
    hybrid : Hybrid
        MTUs; its weights are those of `solve` unless others are given there.
    tendon : str or Tendon
        Tendon model, see `simulate`.
    dofs : sequence of str
        DOFs whose moment errors count; all if empty.
    filter_start : {"ceinms", "zero"}
        Start of the activation filter, see `simulate`.

    Raises
    ------
    DataError
        If the trial lacks moments or was read with another subject, or an MTU or DOF is unknown or
        named twice.
    OptionError
        If the tendon is not one of the engine's, or alpha is not positive.
    """

    def __init__(
        self,
        subject: Subject,
        trial: Trial,
        hybrid: Hybrid,
        *,
        tendon: str | Tendon = "rosenbrockElastic",
        dofs: Sequence[str] = (),
        filter_start: str = "ceinms",
    ) -> None:
        subject, trial = _with_gains_in_the_trial(subject, trial)
        self.subject, self.trial, self.hybrid = subject, trial, hybrid
        self.searched = ExcitationTargets.of(subject, hybrid, dofs)
        self.core = _kernel.ExcitationProblem(
            tables=curve_tables(subject),
            parameters=subject.parameters(),
            trial=kernel_trial(subject, trial),
            tendon=engine_tendon(tendon),
            filter_start=filter_start,
            measured=measured_moments(trial),
            searched=self.searched.mtus,
            dofs=self.searched.dofs,
        )
        self.recorded: FloatArray = self.core.recorded
        self._others = np.delete(self.recorded, self.searched.mtus, axis=1)
        self._effort_of_others = float((self._others**2).sum())

    @one_blas_thread
    def solve(
        self,
        hybrid: Hybrid | None = None,
        *,
        start: FloatArray | None = None,
        tolerance: float = TOLERANCE,
        max_iterations: int = 200,
        callback: Callable[[Iterate], None] | None = None,
    ) -> ExcitationResult:
        """Search the excitations; a KeyboardInterrupt stops and keeps the best.

        Parameters
        ----------
        hybrid : Hybrid, optional
            Weights; its MTUs are those given at the beginning.
        start : ndarray (n_step, n_mtu), optional
            Excitations to start from; those recorded if left out.
        tolerance : float
            The share of the objective that may be left when the search ends; > 0. A slow search
            also ends where five iterations gain less than a hundred times as much.
        max_iterations : int
            At most so many.
        callback : callable, optional
            Called with an Iterate after every iteration; its terms are weighted, over alpha.

        Returns
        -------
        ExcitationResult
        """
        hybrid = self.hybrid if hybrid is None else hybrid
        for name, value in (("alpha", hybrid.alpha), ("tolerance", tolerance)):
            if not value > 0.0:
                raise OptionError(where=name, expected="a positive number", got=str(value))
        for name, value in (("beta", hybrid.beta), ("gamma", hybrid.gamma)):
            if not value >= 0.0:
                raise OptionError(where=name, expected="a number >= 0", got=str(value))
        mtus = self.searched.mtus
        found = run_compiled(
            _kernel.ExcitationProblem.minimise,
            self.core,
            (self.recorded if start is None else start)[:, mtus],
            callback,
            # Over alpha, so that the path depends on ratios of weights only.
            beta=hybrid.beta / hybrid.alpha,
            gamma=hybrid.gamma / hybrid.alpha,
            recorded=self.recorded[:, mtus],
            n_adjusted=len(self.searched.adjust),
            effort_of_others=self._effort_of_others,
            tolerance=tolerance,
            max_iterations=max_iterations,
        )
        return self._result(hybrid, found.x.reshape(-1, len(mtus)), found)

    def _result(self, hybrid: Hybrid, searched: FloatArray, found: Minimum) -> ExcitationResult:
        excitation = self.recorded.copy()
        excitation[:, self.searched.mtus] = searched
        simulation = simulation_of(self.subject, self.trial, self.core.simulate(searched))
        dofs = tuple(self.subject.dof_names[i] for i in self.searched.dofs)
        components = objective_components(
            self.trial.time, self._terms_by_frame(searched, simulation), hybrid
        )
        return ExcitationResult(
            simulation=simulation,
            adjusted_excitation=TimeSeries(
                "adjusted excitation", "-", self.trial.time, self.subject.mtu_names, excitation
            ),
            hybrid=hybrid,
            dofs=dofs,
            terms=self.terms(searched),
            later=later_outputs(self.subject, self.trial, simulation, dofs, components),
            iterations=found.iterations,
            evaluations=found.evaluations,
            seconds=found.seconds,
            status=found.status,
        )

    def terms(self, searched: FloatArray) -> Terms:
        """Return the terms at excitations (n_step, n_searched) of the searched MTUs."""
        square, _ = self.core.square_errors(searched)
        return self.terms_with(float(square.sum()), searched)

    def terms_with(self, moment: float, searched: FloatArray) -> Terms:
        """Return the terms, given that of the moments."""
        effort, tracking = self._effort_and_tracking(searched)
        return Terms(
            moment=moment,
            effort=float(effort.sum()) + self._effort_of_others,
            tracking=float(tracking.sum()),
        )

    def _effort_and_tracking(self, searched: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return what the searched MTUs add to the two terms at each frame, (n_step, n)."""
        n_adjust = len(self.searched.adjust)
        change = searched[:, :n_adjust] - self.recorded[:, self.searched.adjust]
        return searched**2, np.abs(change)

    def _terms_by_frame(self, searched: FloatArray, simulation: Simulation) -> FloatArray:
        """Return the terms of every frame, (n_step, 3)."""
        effort, tracking = self._effort_and_tracking(searched)
        error = simulation.joint_moment.array - measured_moments(self.trial)
        parts = (
            error[:, self.searched.dofs] ** 2,
            np.concatenate([effort, self._others**2], axis=1),
            tracking,
        )
        return np.stack([part.sum(axis=1) for part in parts], axis=1)


def _with_gains_in_the_trial(subject: Subject, trial: Trial) -> tuple[Subject, Trial]:
    """Return the same with all gains 1: a search has no use for what is not EMG."""
    gains = np.array([mtu.emg_gain for mtu in subject.mtus])
    if np.all(gains == 1.0):
        return subject, trial
    mtus = tuple(dataclasses.replace(mtu, emg_gain=1.0) for mtu in subject.mtus)
    excitation = np.minimum(gains * trial.excitation, 1.0)
    return (
        dataclasses.replace(subject, mtus=mtus),
        dataclasses.replace(trial, excitation=excitation),
    )
