"""What a calibration gives back: the subject, and an account of how it came about."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.calibration.identifiability import Identifiability, ParameterCertainty
from ceinms_torch.calibration.methods import Options
from ceinms_torch.calibration.multi_start import StartResult
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.uncertainty import TrialBands, Uncertainty
from ceinms_torch.calibration.verification import Program, Verification, verify
from ceinms_torch.io.display import OneLine, html_table, optional
from ceinms_torch.model.activation_delay import activation_delay
from ceinms_torch.model.parameters import PARAMETERS
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.optimisers.minimum import STATUS_SENTENCES
from ceinms_torch.plan.calibration import CalibrationPlan, CalibrationStep
from ceinms_torch.simulation.fit import Fit, mean_fit
from ceinms_torch.simulation.legacy.run import simulate_legacy
from ceinms_torch.simulation.simulate import Simulation, simulate
from ceinms_torch.simulation.trial_result import TrialResult, fit_of

if TYPE_CHECKING:
    import pandas as pd

Start = Literal["subject", "random"]


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
class StepResult(OneLine):
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


@dataclass(frozen=True, kw_only=True)
class CalibratedParameter(OneLine):
    """A calibrated value.

    Parameters
    ----------
    step : int
        The calibration step, from 0.
    name : str
        One of `PARAMETER_KINDS`.
    mtus : tuple of str
        The MTUs that share the value.
    start, value, lower, upper : float
        Where it started, where it ended, and its range, in the parameter's unit.
    at_bound : str
        "lower" or "upper" if it ended there; else "".
    certainty : ParameterCertainty or None
        What the data say about it; None where nobody asked: in all steps but the last, and
        after an annealing or a loss of one's own.
    """

    step: int
    name: str
    mtus: tuple[str, ...]
    start: float
    value: float
    lower: float
    upper: float
    at_bound: str
    certainty: ParameterCertainty | None = field(repr=False)

    @property
    def unit(self) -> str:
        """Unit of the values."""
        return PARAMETERS[self.name].unit

    @property
    def interval(self) -> tuple[float, float] | None:
        """Where the value lies with 95 %; None unless it is known to be identifiable."""
        return None if self.certainty is None else self.certainty.interval

    @property
    def label(self) -> str:
        """The MTUs in few words."""
        if len(self.mtus) <= 2:
            return " + ".join(self.mtus)
        return f"{self.mtus[0]} + {len(self.mtus) - 1} more"

    def share(self, value: float) -> float:
        """Return a value as a share of the range [%], 0 at the lower bound, 100 at the upper."""
        return 100.0 * (value - self.lower) / (self.upper - self.lower)


@dataclass(frozen=True, kw_only=True)
class Provenance(OneLine):
    """Where a result comes from, as far as the numbers do not say it.

    Parameters
    ----------
    command : str
        The command line that did it; "" from Python.
    findings : tuple of mapping
        What a check of the input found before: each `Finding`, ready for JSON.
    warnings : tuple of str
        What was doubtful in the input.
    inputs : mapping of str to str
        SHA-256 of every input file.
    versions : mapping of str to str
        Of the packages that did it.
    """

    command: str = ""
    findings: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class CalibrationResult:
    """A calibrated subject and an account of how it came about.

    One in memory and one that `load_result` has read are the same: whatever is done with the one,
    figures, reports, tables and further trials, is done with the other.

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
    plan : CalibrationPlan
        What was done: the plan with the settings and objectives that counted. Without names of
        files after `load_result`.
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
    trials : tuple of TrialResult
        Every calibration trial, simulated with the calibrated subject.
    identifiability : Identifiability or None
        Which parameters of the last step are identifiable; None after an annealing, which has
        no derivatives, and where derivatives are beyond the largest numbers.
    tests : tuple of TrialResult
        Every test trial, see `with_tests`.
    uncertainty : Uncertainty or None
        Bands of forces and moments, where somebody asked for them (`ceinms_torch.uncertainty`).
    label : str
        What figures and reports call it; the method by default, the folder's name after
        `load_result`.
    provenance : Provenance
        Where it comes from.
    verification : Verification or None
        What the subject is worth in CEINMS 0.9, see `verified_in`; None where nobody asked.
    """

    subject: Subject
    method: str
    engine: str
    device: str = "cpu"
    tendon: str
    plan: CalibrationPlan
    polished: bool
    seed: int
    start: Start
    steps: tuple[StepResult, ...]
    history: tuple[Iteration, ...]
    trials: tuple[TrialResult, ...]
    identifiability: Identifiability | None
    tests: tuple[TrialResult, ...] = ()
    uncertainty: Uncertainty | None = None
    label: str = ""
    provenance: Provenance = field(default_factory=Provenance)
    verification: Verification | None = None

    def __post_init__(self) -> None:
        """Name it by its method, unless it has a name."""
        object.__setattr__(self, "label", self.label or self.method)

    @property
    def options(self) -> Options:
        """Settings of the optimiser."""
        return self.plan.algorithm

    @property
    def objective(self) -> float:
        """Objective of the last step, in `unit`."""
        return self.steps[-1].objective

    @property
    def unit(self) -> str:
        """Unit of the objective; several, where those of the steps differ."""
        return " or ".join(sorted({step.step.objective.unit for step in self.steps}))

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

    @property
    def simulations(self) -> dict[str, Simulation]:
        """Every calibration trial, simulated with the calibrated subject, by its name."""
        return {trial.name: trial.simulation for trial in self.trials}

    @property
    def fit(self) -> Fit:
        """Moment errors by calibration trial and DOF."""
        return fit_of(self.trials)

    @property
    def test_fit(self) -> Fit:
        """Moment errors by test trial and DOF."""
        return fit_of(self.tests)

    @property
    def new_tests(self) -> tuple[TrialResult, ...]:
        """Test trials without those that are calibration trials all the same."""
        return tuple(
            one for one in self.tests if not any(map(one.is_of_same_recording, self.trials))
        )

    @property
    def time_step(self) -> float:
        """Time from one step of a trial to the next [s]; the longest, where trials differ."""
        times = (trial.simulation.activation.time for trial in self.trials)
        return max(float(np.median(np.diff(time))) for time in times)

    @property
    def activation_delays(self) -> dict[str, float]:
        """By how much the activation of every MTU follows its excitation, on average [ms].

        C1 and C2 say it in samples (`activation_delay`), so it holds at this rate only.
        """
        return self._delays(self.subject)

    @property
    def start_activation_delays(self) -> dict[str, float]:
        """The same before the calibration [ms]."""
        return self._delays(self.steps[0].space.subject)

    def _delays(self, subject: Subject) -> dict[str, float]:
        step = self.time_step
        return {mtu.name: 1e3 * activation_delay(mtu.c1, mtu.c2, step) for mtu in subject.mtus}

    def subject_at_rate(self, rate: float) -> Subject:
        """Return the calibrated subject for trials or a stream at another rate.

        Parameters
        ----------
        rate : float
            Of MTU lengths [Hz], > 0.

        Returns
        -------
        Subject
            With C1 and C2 of the same time constants; see `Subject.at_rate`.
        """
        return self.subject.at_rate(rate, was=1.0 / self.time_step)

    def bands_of(self, trial: TrialResult) -> TrialBands | None:
        """Return the bands of one of its trials, or None."""
        found = self.uncertainty
        return None if found is None else found.of(trial.name, trial.role)

    def through_steps(self) -> Iterator[Iteration]:
        """Iterate over `history`, its counts going on from step to step."""
        for item in self.history:
            before = self.steps[: item.step]
            yield dataclasses.replace(
                item,
                iteration=item.iteration + sum(step.iterations for step in before),
                evaluations=item.evaluations + sum(step.evaluations for step in before),
                seconds=item.seconds + sum(step.seconds for step in before),
            )

    @property
    def parameters(self) -> tuple[CalibratedParameter, ...]:
        """Every calibrated value of every step."""
        return tuple(one for i in range(len(self.steps)) for one in self._parameters(i))

    @property
    def last_parameters(self) -> tuple[CalibratedParameter, ...]:
        """Those of the last step, of which `identifiability` speaks."""
        return self._parameters(len(self.steps) - 1)

    def _parameters(self, number: int) -> tuple[CalibratedParameter, ...]:
        step, found = self.steps[number], None
        if number == len(self.steps) - 1 and self.identifiability is not None:
            found = self.identifiability.parameters
        values, bounds = step.space.values(step.x).tolist(), step.space.at_bound(step.x)
        return tuple(
            CalibratedParameter(
                step=number,
                name=one.kind,
                mtus=one.mtu_names,
                start=one.start,
                value=values[i],
                lower=one.lower,
                upper=one.upper,
                at_bound=bounds[i],
                certainty=None if found is None else found[i],
            )
            for i, one in enumerate(step.space.components)
        )

    # ---- What to do with it --------------------------------------------------------------

    def simulate(self, trial: Trial) -> Simulation:
        """Simulate a trial with the calibrated subject and the model it was calibrated with.

        Parameters
        ----------
        trial : Trial
            The trial, read with this subject.

        Returns
        -------
        Simulation
        """
        if self.engine == "legacy":
            tendon, activation = self.plan.tendon, self.plan.activation
            return simulate_legacy(
                self.subject, trial, tendon=tendon, activation=activation
            ).simulation
        trial = trial.at_step_rate() if self.plan.time_constants else trial
        return simulate(self.subject, trial, tendon=self.tendon)

    def with_tests(self, trials: Iterable[Trial]) -> Self:
        """Return the result with trials that it is tested on, in place of those it has.

        Parameters
        ----------
        trials : iterable of Trial
            With measured moments, read with this subject.

        Returns
        -------
        CalibrationResult
        """
        tests = tuple(TrialResult.of(one, self.simulate(one), role="test") for one in trials)
        bands = self.uncertainty and self.uncertainty.of_calibration_trials()
        return dataclasses.replace(self, tests=tests, uncertainty=bands)

    def driven(self, trial: Trial) -> Trial:
        """Return a trial of this result with the excitations that drive its MTUs.

        Parameters
        ----------
        trial : Trial
            As recorded.

        Returns
        -------
        Trial
        """
        return trial

    @one_blas_thread
    def verified_in(
        self, program: Program, trials: Iterable[Trial], tests: Iterable[Trial] = ()
    ) -> Self:
        """Return the result with an account of the subject in CEINMS 0.9 itself.

        A subject that was calibrated with the Rosenbrock tendon is worth less in CEINMS, whose
        tendon is in equilibrium and whose velocity is that of the frames.

        Parameters
        ----------
        program : {"ceinms"}
            The program.
        trials, tests : iterable of Trial
            Calibration and test trials, with measured moments, read with this subject.

        Returns
        -------
        CalibrationResult

        Raises
        ------
        DataError
            If subject or trials are not such as CEINMS takes.
        """
        pair = [[self.driven(one) for one in some] for some in (trials, tests)]
        found = verify(program, self.subject, self.plan, *pair)
        return dataclasses.replace(self, verification=found)

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write everything into a folder, as ``ceinms-torch calibrate --out`` does.

        Parameters
        ----------
        directory : path-like
            Where; made if needed, files in it are overwritten. `load_result` reads it.
        """
        import ceinms_torch as ct  # noqa: PLC0415  rooms above this one

        ct.save_result(self, directory)

    def report(self, path: str | os.PathLike[str]) -> None:
        """Explain the result in one HTML file that needs nothing else.

        Parameters
        ----------
        path : path-like
            The file; its folder is made if needed.
        """
        import ceinms_torch as ct  # noqa: PLC0415  rooms above this one

        ct.write_report([self], path)

    def fit_table(self) -> pd.DataFrame:
        """Return the moment errors as a pandas data frame, one row per trial and DOF.

        Returns
        -------
        pandas.DataFrame
            trial, role ("calibration" or "test"), dof, rmse [N m], r2 [-], r2_correlation [-].

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        rows = [
            {"trial": one.name, "role": one.role, "dof": dof, **dataclasses.asdict(fit)}
            for one in (*self.trials, *self.tests)
            for dof, fit in one.fit.items()
        ]
        frame: pd.DataFrame = optional("pandas").DataFrame(rows)
        return frame

    def parameter_table(self) -> pd.DataFrame:
        """Return the calibrated values as a pandas data frame, one row per MTU and parameter.

        Returns
        -------
        pandas.DataFrame
            mtu, parameter (its XML name), unit, step (from 1), start, value, lower, upper, at_bound
            ("lower", "upper" or ""), identifiable (None where nobody asked), interval_lower and
            interval_upper (95 %, NaN unless identifiable), start_activation_delay and
            activation_delay [ms], what c1 and c2 mean together at the rate of the trials, before
            and after (NaN for other parameters).

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        delays = {
            "start_activation_delay": self.start_activation_delays,
            "activation_delay": self.activation_delays,
        }
        rows = [
            {
                "mtu": mtu,
                "parameter": one.name,
                "unit": one.unit,
                "step": one.step + 1,
                **{name: getattr(one, name) for name in ("start", "value", "lower", "upper")},
                "at_bound": one.at_bound,
                "identifiable": one.certainty and one.certainty.identifiable,
                "interval_lower": one.interval[0] if one.interval else np.nan,
                "interval_upper": one.interval[1] if one.interval else np.nan,
                **{
                    name: of[mtu] if one.name in {"c1", "c2"} else np.nan
                    for name, of in delays.items()
                },
            }
            for one in self.parameters
            for mtu in one.mtus
        ]
        frame: pd.DataFrame = optional("pandas").DataFrame(rows)
        return frame

    def __repr__(self) -> str:
        """Say how it ended, in one line."""
        return (
            f"<{type(self).__name__} {self.label}: {self.method} on the {self.engine} engine, "
            f"objective {self.objective:.6g} after {self.iterations} iterations, {self.status}; "
            f"{len(self.trials)} calibration and {len(self.tests)} test trials>"
        )

    def _repr_html_(self) -> str:
        rows = [
            (dof, role, fit.rmse, fit.r2)
            for role, fits in (("calibration", self.fit), ("test", self.test_fit))
            for dof, fit in mean_fit(fits).items()
        ]
        caption = f"{self.label}: {STATUS_SENTENCES[self.status]} Objective {self.objective:.6g}"
        return html_table(caption, ("DOF", "trials", "mean RMSE [N m]", "mean R² [-]"), rows)
