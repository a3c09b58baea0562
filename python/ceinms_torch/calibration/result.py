"""What a calibration gives back: the subject, and an account of how it came about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ceinms_torch.calibration.identifiability import Identifiability
from ceinms_torch.calibration.multi_start import StartResult
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.model.calibration import CalibrationStep
from ceinms_torch.model.nms_model import SimulatedAnnealing
from ceinms_torch.model.options import Optimiser
from ceinms_torch.model.subject import Subject
from ceinms_torch.simulation.fit import Fit
from ceinms_torch.simulation.simulate import Simulation

FloatArray = NDArray[np.float64]
Start = Literal["subject", "random"]

STATUS_SENTENCES = {
    "converged": "Converged: the objective no longer improves.",
    "converged_gradient": "Converged: no direction within the ranges leads down.",
    "converged_step": "Converged: steps have become too small to matter.",
    "max_iterations": (
        "Stopped at the largest number of iterations; more iterations may improve the fit."
    ),
    "interrupted": "Interrupted; the best parameters found so far are kept.",
    "not_finite": (
        "Stopped because the objective became NaN or infinite; the best parameters found before "
        "are kept. Check the ranges of the parameters."
    ),
}


@dataclass(frozen=True, kw_only=True)
class Iteration:
    """The objective at one iterate of one calibration step.

    Parameters
    ----------
    step : int
        Calibration step, from 0.
    start : int
        Which of several starts, from 0.
    iteration : int
        0 is the start.
    evaluations : int
        Evaluations of the objective (and its gradient) so far in this step.
    seconds : float
        Time inside the optimiser so far in this step [s].
    objective : float
        The objective, in the unit of its normalisation.
    terms : dict of str to float
        Share of each term in the objective.
    rmse : dict of str to float
        Root mean square moment error by DOF, averaged over trials [N m].
    """

    step: int
    start: int
    iteration: int
    evaluations: int
    seconds: float
    objective: float
    terms: dict[str, float]
    rmse: dict[str, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class StepResult:
    """Outcome of one calibration step.

    Parameters
    ----------
    step : CalibrationStep
        What was asked for.
    space : ParameterSpace
        What could change, and from where.
    x : ndarray (n,)
        The best point in the unit box.
    objective : float
        The objective there.
    terms : dict of str to float
        Its terms there.
    iterations, evaluations : int
        How many were done.
    seconds : float
        Time inside the optimiser [s].
    status : str
        Why it stopped, a key of `STATUS_SENTENCES`, which says it in words.
    starts : tuple of StartResult
        Outcome of every start.
    """

    step: CalibrationStep
    space: ParameterSpace
    x: FloatArray
    objective: float
    terms: dict[str, float]
    iterations: int
    evaluations: int
    seconds: float
    status: str
    starts: tuple[StartResult, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class CalibrationResult:
    """A calibrated subject and an account of how it came about.

    Parameters
    ----------
    subject : Subject
        The calibrated subject: the best one seen.
    method : str
        The optimiser.
    engine : str
        What evaluated the model.
    device : str
        Where, as torch spells it; always "cpu" but for the tensor engine.
    tendon : str
        The tendon model that was used, by its XML name.
    options : AdamW, LevenbergMarquardt, Lbfgs or SimulatedAnnealing
        Settings of the optimiser.
    polished : bool
        Whether Levenberg-Marquardt followed.
    seed : int
        Seed of the start points, or of the modern annealing; 1, as in CEINMS, for its own.
    start : {"subject", "random"}
        Where the search began.
    steps : tuple of StepResult
        One per calibration step.
    history : tuple of Iteration
        Every iterate of every step, from the start that won.
    simulations : dict of str to Simulation
        Every calibration trial, simulated with the calibrated subject.
    fit : dict of str to dict of str to MomentFit
        Moment errors by calibration trial and DOF.
    identifiability : Identifiability or None
        Which parameters of the last step are identifiable; None after an annealing, which has
        no derivatives.
    """

    subject: Subject
    method: str
    engine: str
    device: str = "cpu"
    tendon: str
    options: Optimiser | SimulatedAnnealing
    polished: bool
    seed: int
    start: Start
    steps: tuple[StepResult, ...]
    history: tuple[Iteration, ...] = field(repr=False)
    simulations: dict[str, Simulation] = field(repr=False)
    fit: Fit
    identifiability: Identifiability | None = field(repr=False)

    @property
    def objective(self) -> float:
        """Objective of the last step."""
        return self.steps[-1].objective

    @property
    def terms(self) -> dict[str, float]:
        """Terms of the objective of the last step."""
        return self.steps[-1].terms

    @property
    def seconds(self) -> float:
        """Time inside the optimiser, all steps [s]."""
        return sum(step.seconds for step in self.steps)

    @property
    def iterations(self) -> int:
        """Iterations of all steps."""
        return sum(step.iterations for step in self.steps)

    @property
    def evaluations(self) -> int:
        """Evaluations of all steps."""
        return sum(step.evaluations for step in self.steps)

    @property
    def status(self) -> str:
        """Why the calibration ended: the status of its last step."""
        return self.steps[-1].status
