"""Calibration on the last seconds of a stream, again and again, while the stream goes on."""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from ceinms_torch import _kernel
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.problems.fused import problem_settings
from ceinms_torch.errors import DataError, OptionError
from ceinms_torch.io.display import OneLine
from ceinms_torch.model.settings import check_number
from ceinms_torch.model.subject import Subject
from ceinms_torch.plan.calibration import CalibrationPlan
from ceinms_torch.plan.options import LevenbergMarquardt
from ceinms_torch.realtime.window_history import WindowHistory
from ceinms_torch.simulation.simulate import calibrated_tendon
from ceinms_torch.simulation.stream import acting_mtus, check_dofs

# A warm start is close to where it will end: it is there when steps stop paying.
_FEW_ITERATIONS = LevenbergMarquardt(max_iterations=10, min_improvement=1e-3, patience=2)
# Fibres start in equilibrium, at rest. They take this long to forget it (to 1e-3 of a moment) [s].
_SETTLING = 0.2


@dataclass(frozen=True, kw_only=True, eq=False)
class WindowFit(OneLine):
    """Outcome of one re-fit.

    Parameters
    ----------
    subject : Subject
        With the new parameters.
    n_push : int
        How many instants had come when the window was taken: it ends with the last of them.
    start_objective, objective : float
        The objective in the window with the parameters before and after.
    rmse : dict of str to float
        Root mean square moment error in the window of each DOF that counts, after [N m].
    iterations : int
        Of Levenberg-Marquardt.
    seconds : float
        From taking the window to the new subject [s].
    status : str
        Why it stopped, a key of `STATUS_SENTENCES`.
    """

    subject: Subject
    n_push: int
    start_objective: float
    objective: float
    rmse: dict[str, float]
    iterations: int
    seconds: float
    status: str


class WindowedCalibrator:
    """Keeps the last seconds of a stream and fits the parameters to them, warm-started.

    Every re-fit starts from the parameters of the one before and searches within the ranges of the
    plan, which stay those of the first subject. What was before the window counts in so far as
    activation filters and fibres are under way when it starts.

        stream = ct.Stream(subject, rate=100.0)
        calibrator = ct.WindowedCalibrator(subject, plan, rate=100.0)
        with calibrator.start_background(interval=1.0):
            while ...:
                forces, moments = stream.step(excitation, mtu_length, moment_arm)
                calibrator.push(excitation, mtu_length, moment_arm, measured_moment)
                if (fit := calibrator.poll()) is not None:
                    stream.set_subject(fit.subject)

    Parameters
    ----------
    subject : Subject
        The parameters to start from.
    plan : CalibrationPlan
        Its step says which DOFs count, which parameters may change and in which ranges.
    dofs : sequence of str, optional
        The DOFs of moment arms and measured moments, in their order; all of the subject's, unless
        given.
    rate : float
        Instants per second [Hz], 0.001 to 1e6.
    window : float
        Length of the window [s]; ten instants to a million.
    run_in : float
        How long the activation filter runs before the fibres start [s], 0 to a million instants.
    step : int
        Which step of the plan.
    tendon : str, optional
        Tendon by its XML name; that of the plan.
    filter_start : {"zero", "ceinms"}
        Start of the activation filter at the beginning of the run-in, see `simulate`.
    quiet : float
        A moment that varies by less than this in the window (standard deviation) counts as if it
        varied by this much [N m], > 0: standing still is no reason to fit its noise.
    options : LevenbergMarquardt, optional
        Settings of a re-fit; few iterations, unless given.

    Raises
    ------
    OptionError
        If an option is not one of these, or the step's DOFs are not among `dofs`.

    Warns
    -----
    CeinmsTorchWarning
        If values of the subject are outside their ranges: re-fits begin inside.
    """

    def __init__(
        self,
        subject: Subject,
        plan: CalibrationPlan,
        dofs: Sequence[str] | None = None,
        *,
        rate: float,
        window: float = 2.0,
        run_in: float = 1.0,
        step: int = 0,
        tendon: str | None = None,
        filter_start: str = "ceinms",
        quiet: float = 1.0,
        options: LevenbergMarquardt = _FEW_ITERATIONS,
    ) -> None:
        check_number("rate", rate, least=1e-3, most=1e6)
        check_number("window", window, least=10.0 / rate, most=1e6 / rate)
        check_number("run_in", run_in, least=0.0, most=1e6 / rate)
        check_number("quiet", quiet, above=0.0)
        if not 0 <= step < len(plan.steps):
            raise OptionError(where="step", expected=f"0 to {len(plan.steps) - 1}", got=str(step))
        plan = plan.of_subject(subject).of_rate(rate)
        plan.check_names(subject)
        self.dof_names = check_dofs(subject, dofs)
        self.rate = float(rate)
        self._step = plan.steps[step]
        self._counted = self._step.moment_dofs(subject.dof_names)
        for name in self._counted:
            if name not in self.dof_names:
                raise OptionError(
                    where="dofs", expected=f"{name}, which counts in the plan", got="others"
                )
        self._options = dataclasses.replace(options)
        self._quiet_variance = quiet**2
        self._acts = acting_mtus(subject, self.dof_names)
        self._space = ParameterSpace.of(subject, self._step, plan)
        self._settings = problem_settings(
            subject,
            self._step,
            self._space,
            n_trial=1,
            tendon=calibrated_tendon(plan.tendon) if tendon is None else tendon,
            filter_start=filter_start,
        )
        self._settings["dofs"] = np.array([self.dof_names.index(n) for n in self._counted])
        self._n_window = round(window * rate)
        self._history = WindowHistory(
            n_mtu=len(subject.mtus),
            n_dof=len(self.dof_names),
            n_instant=self._n_window
            + math.ceil((run_in + self._longest_delay() + _SETTLING) * rate),
        )
        self._subject = subject
        self._x = self._space.start()
        self._fitting = threading.Lock()  # one re-fit at a time
        self._background: _Background | None = None

    def _longest_delay(self) -> float:
        delays = [mtu.em_delay for mtu in self._space.subject.mtus]
        delays += [c.upper for c in self._space.components if c.kind == "emDelay"]
        return max(delays)

    @property
    def subject(self) -> Subject:
        """The subject with the parameters of the last re-fit."""
        return self._subject

    @property
    def n_push(self) -> int:
        """How many instants have come."""
        return self._history.n_push

    @property
    def is_full(self) -> bool:
        """Whether there have been enough instants for a window."""
        return self.n_push >= self._n_window

    def push(
        self,
        excitation: ArrayLike,
        mtu_length: ArrayLike,
        moment_arm: ArrayLike,
        measured_moment: ArrayLike,
    ) -> None:
        """Remember an instant.

        Parameters
        ----------
        excitation : array_like (n_mtu,)
            Clamped to 0..1, as a stream does.
        mtu_length : array_like (n_mtu,)
            [m].
        moment_arm : array_like (n_dof, n_mtu)
            [m]; what is said of an MTU that does not act on a DOF is ignored.
        measured_moment : array_like (n_dof,)
            [N m].

        Raises
        ------
        DataError
            If a shape is wrong or a number not finite; nothing is remembered then.
        """
        self._history.push(excitation, mtu_length, moment_arm, measured_moment)

    @one_blas_thread
    def recalibrate(self) -> WindowFit:
        """Fit the parameters to the window.

        Returns
        -------
        WindowFit

        Raises
        ------
        DataError
            If the window is not full yet, or the objective is not finite in it.
        """
        with self._fitting:
            begin = time.perf_counter()
            n_push, share, problem = self._problem()
            minimum = _kernel.minimise_levenberg_marquardt(problem, self._x, options=self._options)
            if not minimum.history:
                hint = "check lengths and moment arms"
                raise DataError(
                    where="window", expected="a finite objective", got="NaN or infinity", hint=hint
                )
            best = min(minimum.history, key=lambda point: point.objective)
            self._x = np.asarray(minimum.x)
            self._subject = self._space.subject_at(self._x)
            return WindowFit(
                subject=self._subject,
                n_push=n_push,
                start_objective=minimum.history[0].objective,
                objective=minimum.objective,
                rmse={
                    name: rmse / math.sqrt(share)
                    for name, rmse in zip(self._counted, best.rmse, strict=True)
                },
                iterations=minimum.history[-1].iteration,
                seconds=time.perf_counter() - begin,
                status=minimum.status,
            )

    def _problem(self) -> tuple[int, float, _kernel.Problem]:
        """Return the window as a problem, which instant it ends with, and its share of the steps.

        Before the window come steps in which fibres settle. Moment arms and measured moments are
        zero there, so no parameter changes these errors of zero.
        """
        past = self._history.take()
        n_window = self._n_window
        if past.n_push < n_window:
            hint = "push more instants first"
            raise DataError(
                where="window", expected=f"{n_window} instants", got=str(past.n_push), hint=hint
            )
        n_kept = len(past.excitation)
        n_settling = min(round(_SETTLING * self.rate), n_kept - n_window)
        n_step = n_settling + n_window
        share = n_window / n_step
        moment_arm = past.moment_arm[-n_step:] * self._acts
        measured = past.measured_moment[-n_step:]
        # What the objective divides by, like a mean over all steps.
        variance = share * np.maximum(
            np.var(measured[n_settling:], axis=0, ddof=1), self._quiet_variance
        )
        moment_arm[:n_settling] = 0.0
        measured[:n_settling] = 0.0
        # Time 0 is the first instant that is kept; the steps are the last of them.
        clock = np.arange(n_kept) / self.rate
        # As in a stream: backward differences, of which the very first is unknown.
        velocity = np.diff(past.mtu_length, axis=0, prepend=past.mtu_length[:1]) * self.rate
        trial = _kernel.Trial(
            time=clock[-n_step:],
            mtu_length=past.mtu_length[-n_step:],
            mtu_velocity=velocity[-n_step:],
            moment_arm=moment_arm,
            excitation=past.excitation,
            excitation_start=0.0,
            excitation_rate=self.rate,
        )
        problem = _kernel.Problem(
            trials=[trial],
            measured=[measured],
            variance=variance[np.newaxis],
            threads=1,
            **self._settings,
        )
        return past.n_push, share, problem

    def start_background(self, interval: float = 1.0) -> Self:
        """Re-fit in a thread of its own from now on, whenever there is a new window.

        Parameters
        ----------
        interval : float
            Least time from one re-fit's start to the next [s], >= 0.

        Returns
        -------
        WindowedCalibrator
            Itself: as a context manager it calls `stop` at the end.

        Raises
        ------
        OptionError
            If it has been started already.
        """
        check_number("interval", interval, least=0.0)
        if self._background is not None:
            raise OptionError(
                where="start_background", expected="a calibrator at rest", got="one at work"
            )
        self._background = _Background(self, interval)
        return self

    def poll(self) -> WindowFit | None:
        """Return the newest re-fit of the background, once, or None if there is none.

        Raises
        ------
        Exception
            Whatever ended the work in the background.
        """
        return None if self._background is None else self._background.poll()

    def stop(self) -> None:
        """End the work in the background, after the re-fit that is under way."""
        if self._background is not None:
            self._background.stop()
            self._background = None

    def __enter__(self) -> Self:
        """Return the calibrator."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the work in the background."""
        self.stop()


class _Background:
    """A thread that re-fits, and its newest result."""

    def __init__(self, calibrator: WindowedCalibrator, interval: float) -> None:
        self._calibrator = calibrator
        self._interval = interval
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._newest: WindowFit | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="recalibration", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        # Looks for a new window this often, however short the interval [s].
        pause = 0.002
        last = 0
        due = time.monotonic()
        try:
            while not self._stop.wait(max(pause, due - time.monotonic())):
                if not self._calibrator.is_full or self._calibrator.n_push == last:
                    continue
                due = time.monotonic() + self._interval
                fit = self._calibrator.recalibrate()
                last = fit.n_push
                with self._lock:
                    self._newest = fit
        except BaseException as error:  # noqa: BLE001  handed to whoever polls
            with self._lock:
                self._error = error

    def poll(self) -> WindowFit | None:
        with self._lock:
            if self._error is not None:
                raise self._error
            newest, self._newest = self._newest, None
            return newest

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
