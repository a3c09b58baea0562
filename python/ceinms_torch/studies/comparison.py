"""What a comparison of calibrations found: every run, judged alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ceinms_torch.simulation.engine import EngineName
from ceinms_torch.simulation.fit import Fit
from ceinms_torch.simulation.trial_result import Role

CONTROL = "uncalibrated"
Measure = Literal["rmse", "r2"]  # root mean square error [N m]; R² = 1 − SSE/SST [-]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What is compared with others.

    Parameters
    ----------
    method : str
        One of `METHODS`, or `CONTROL`.
    tendon : {"stiff", "elastic"}
        The tendon.
    seed : int, optional
        Of the start point of a gradient method, or of the modern annealing; None for a search from
        the subject's values, which needs no random number or those of CEINMS.
    starts : int
        Starts of a gradient method, the best of which is kept.
    hybrid : bool
        Whether synergies drive what was not recorded (section III-C).
    engine : {"fused", "tensor"}
        What computes gradients.
    """

    method: str
    tendon: str
    seed: int | None = None
    starts: int = 1
    hybrid: bool = False
    engine: EngineName = "fused"

    @property
    def label(self) -> str:
        """The method, and what is not usual of it."""
        unusual = {
            "synergy-hybrid": self.hybrid,
            f"{self.starts} starts": self.starts > 1,
            "tensor engine": self.engine == "tensor",
        }
        return ", ".join([self.method, *(words for words, is_so in unusual.items() if is_so)])

    @property
    def group(self) -> str:
        """What repetitions with several seeds have in common: the label and the tendon."""
        return f"{self.label}, {self.tendon}"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One calibration, or the control.

    Parameters
    ----------
    candidate : Candidate
        What was run.
    model : str
        The tendon that was simulated, by its XML name; that of CEINMS 0.9 for an annealing.
    objective : float or None
        Final objective by the method's own definition; None for the control.
    common : float
        Objective of these parameters by the definition that all share, see `Comparison.yardstick`.
    seconds : float
        Time inside the optimiser [s].
    evaluations : int
        Evaluations of the objective and its derivatives.
    status : str
        Why it ended, a key of `STATUS_SENTENCES`; empty for the control.
    history : tuple of (int, float, float)
        Evaluations, seconds and the method's own objective at every iteration.
    fit, test_fit : dict of str to dict of str to MomentFit
        Moment errors by trial and DOF, on the calibration trials and on test trials, in the
        method's own model.
    parameters : tuple of float
        Within their ranges, 0 to 1, in the order of `Comparison.parameters`.
    """

    candidate: Candidate
    model: str
    objective: float | None
    common: float
    seconds: float = 0.0
    evaluations: int = 0
    status: str = ""
    history: tuple[tuple[int, float, float], ...] = ()
    fit: Fit
    test_fit: Fit
    parameters: tuple[float, ...]

    def fits(self, role: Role) -> Fit:
        """Return the moment errors on calibration or on test trials."""
        return self.fit if role == "calibration" else self.test_fit

    def mean(self, role: Role, measure: Measure, dofs: Sequence[str]) -> float:
        """Return a measure averaged over the trials of a role and over DOFs; NaN without trials."""
        values = [
            getattr(trial[dof], measure) for trial in self.fits(role).values() for dof in dofs
        ]
        return float(np.mean(values)) if values else float("nan")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Several calibrations and their controls.

    Parameters
    ----------
    runs : tuple of Run
        The controls first.
    dofs : tuple of str
        DOFs that count.
    parameters : tuple of (str, tuple of str)
        Kind and MTUs of every parameter that was calibrated.
    yardstick : str
        In words, the model and objective of `Run.common`.
    unit : str
        Unit of the objectives.
    is_complete : bool
        False if Ctrl-C ended it; what was complete is kept.
    max_evaluations : int or None
        Where the annealing was cut short; None if its file decided.
    """

    runs: tuple[Run, ...]
    dofs: tuple[str, ...]
    parameters: tuple[tuple[str, tuple[str, ...]], ...]
    yardstick: str
    unit: str
    is_complete: bool = True
    max_evaluations: int | None = None

    def groups(self) -> dict[str, list[Run]]:
        """Return the runs of every method, starts and tendon by name, controls first."""
        is_one = len({run.candidate.tendon for run in self.runs}) == 1
        groups: dict[str, list[Run]] = {}
        for run in self.runs:
            name = run.candidate.label if is_one else run.candidate.group
            groups.setdefault(name, []).append(run)
        return groups

    def calibrated(self) -> dict[str, list[Run]]:
        """Return the same without the controls."""
        groups = self.groups().items()
        return {name: runs for name, runs in groups if runs[0].candidate.method != CONTROL}


def parameter_spread(runs: Sequence[Run]) -> list[float]:
    """Return the standard deviation of every parameter between runs, over its range [-].

    Parameters
    ----------
    runs : sequence of Run
        At least two.

    Returns
    -------
    list of float
        One per parameter.
    """
    return [float(sd) for sd in np.std([run.parameters for run in runs], axis=0, ddof=1)]
