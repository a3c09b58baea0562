"""The recommended recipe: what overrides a calibration file where better is known.

Every rule is the same for all data: it comes from physiology (delays, lengths of fibres) or from
calibrations of several recordings judged on trials kept apart, and none has a number of one of
them. What is overridden is said, one `Override` for each.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from ceinms_torch.errors import DataError
from ceinms_torch.model.activation_delay import activation_delay
from ceinms_torch.model.nms_model import SimulatedAnnealing
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.plan.calibration import (
    CalibrationPlan,
    CalibrationStep,
    ParameterSpec,
    RangeType,
)
from ceinms_torch.plan.objective import Objective
from ceinms_torch.plan.options import LevenbergMarquardt
from ceinms_torch.plan.override import Override

# Measured delays of muscles [s]: of force behind EMG, and of activation behind excitation.
SHORTEST_DELAY, LONGEST_DELAY = 0.01, 0.1
_POLE = (500.0 * SHORTEST_DELAY, 500.0 * LONGEST_DELAY)  # [ms]
# Lengths of fibres and tendons of a scaled model are known to about a quarter.
_LENGTHS = (0.75, 1.25)
_LENGTH_KINDS = ("optimalFibreLength", "tendonSlackLength")
# Least variance that moment errors are divided by, as a share of the trial's largest DOF.
_VARIANCE_FLOOR = 0.25
# Of the weights tried on six recordings the one that predicted best; a mean over parameters.
_PRIOR_WEIGHT = 0.06


def recommended_plan(
    plan: CalibrationPlan, subject: Subject, trials: Sequence[Trial]
) -> CalibrationPlan:
    """Return a plan that predicts trials it has not seen as well as we know how to.

    Parameters
    ----------
    plan : CalibrationPlan
        What the files say. What is calibrated, on which DOFs, in which groups of MTUs, the ranges
        of what is not named below, tendon, preferences and synergies stay.
    subject : Subject
        The subject to be calibrated.
    trials : sequence of Trial
        All trials that will be simulated: their EMG says how long emDelay can be.

    Returns
    -------
    CalibrationPlan
        C1 and C2 with a mean delay of 10 to 100 ms, one emDelay of 10 to 100 ms for
        all MTUs, lengths within 25 %, a prior on all parameters, and moment errors over variances
        with a floor; by Levenberg-Marquardt. `CalibrationPlan.overrides` says what was overridden.

    Raises
    ------
    DataError
        If there is no trial.
    """
    if not trials:
        raise DataError(where="recommended", expected="at least one trial", got="none")
    recipe = _Recipe(plan.of_subject(subject), subject, trials)
    return dataclasses.replace(recipe.result(), overrides=(*plan.overrides, *recipe.overrides))


class _Recipe:
    """Makes the plan, and keeps what it overrides."""

    def __init__(self, plan: CalibrationPlan, subject: Subject, trials: Sequence[Trial]) -> None:
        self._plan, self._subject, self._trials = plan, subject, trials
        self._steps = [float(np.median(np.diff(trial.time))) for trial in trials]
        self.overrides: list[Override] = []

    def result(self) -> CalibrationPlan:
        """Return the plan."""
        steps = tuple(self._step(step) for step in self._plan.steps)
        plan = dataclasses.replace(self._plan, steps=self._with_delays(steps))
        algorithm = plan.algorithm
        if plan.synergy_hybrid is not None or isinstance(algorithm, LevenbergMarquardt):
            return plan
        if not isinstance(algorithm, SimulatedAnnealing):  # of which `calibrate` makes it anyway
            self._say(
                "optimiser",
                algorithm.method,
                "lm",
                "its defaults reach lower objectives in a tenth of the time",
            )
        return dataclasses.replace(plan, algorithm=LevenbergMarquardt())

    def _say(self, what: str, file: str, recipe: str, why: str) -> None:
        one = Override(what=what, file=file, recipe=recipe, why=why)
        if file != recipe and one not in self.overrides:
            self.overrides.append(one)

    def _step(self, step: CalibrationStep) -> CalibrationStep:
        return dataclasses.replace(
            step,
            dofs=step.moment_dofs(self._subject.dof_names),
            objective=self._objective(step.objective),
            parameters=tuple(map(self._parameter, step.parameters)),
        )

    def _objective(self, objective: Objective) -> Objective:
        usual = Objective()
        said = objective.to_dict()
        new = dataclasses.replace(
            objective,
            normalisation=usual.normalisation,
            variance_floor=_VARIANCE_FLOOR,
            fibre_length_range=usual.fibre_length_range,
            fibre_length_weight=usual.fibre_length_weight,
            parameter_prior_weight=_PRIOR_WEIGHT,
            composites=(),
        )
        if objective.composites:
            self._say(
                "objective",
                "the file's composites",
                "moment errors over their variances, with penalties",
                "weights of RMSE in N m let the largest joint decide",
            )
        elif objective.normalisation != usual.normalisation:
            self._say(
                "normalisation",
                objective.normalisation,
                usual.normalisation,
                "a joint counts by what is explained of it, not by its size",
            )
        self._say(
            "varianceFloor",
            f"{said.get('varianceFloor', 0.0):g}",
            f"{_VARIANCE_FLOOR:g}",
            "a DOF with almost no moment is mostly noise",
        )
        self._say(
            "parameterPrior",
            f"weight {objective.parameter_prior_weight:g}",
            f"weight {_PRIOR_WEIGHT:g}",
            "what the moments do not say stays near the subject's values",
        )
        kept = (objective.fibre_length_range, objective.fibre_length_weight)
        if not objective.composites and kept != (
            usual.fibre_length_range,
            usual.fibre_length_weight,
        ):
            self._say(
                "fibreLengthPenalty",
                f"outside {_range(kept[0])}, weight {kept[1]:g}",
                f"outside {_range(usual.fibre_length_range)}, weight {usual.fibre_length_weight:g}",
                "fibres work within half and one and a half of their optimal length",
            )
        return new

    def _parameter(self, spec: ParameterSpec) -> ParameterSpec:
        if spec.kind in _LENGTH_KINDS:
            low, high = _LENGTHS
            new = _with_range(spec, "relativeToSubjectValue", low, high)
            why = "lengths of a scaled model are known to about a quarter"
        elif spec.kind in ("c1", "c2"):
            new = _with_range(spec, "timeConstant", *_POLE)
            why = (
                f"a mean delay of {1e3 * SHORTEST_DELAY:g} to {1e3 * LONGEST_DELAY:g} ms, half of "
                "it by each pole"
            )
        else:
            return spec
        self._say(f"range of {spec.kind}", _range_of(spec), _range_of(new), why)
        return new

    # ---- Delays, which every plan calibrates

    def _with_delays(self, steps: tuple[CalibrationStep, ...]) -> tuple[CalibrationStep, ...]:
        """Return the steps with one emDelay in the first, and C1 and C2 in it if they are late."""
        before = [spec for step in steps for spec in step.parameters if spec.kind == "emDelay"]
        steps = tuple(
            dataclasses.replace(
                step, parameters=tuple(one for one in step.parameters if one.kind != "emDelay")
            )
            for step in steps
        )
        first, *rest = steps
        new = [*self._late_filters(steps), *self._delay(first, before)]
        return (dataclasses.replace(first, parameters=(*first.parameters, *new)), *rest)

    def _delay(
        self, step: CalibrationStep, before: Sequence[ParameterSpec]
    ) -> Iterator[ParameterSpec]:
        low, high = self._reach()
        names = self._subject.mtu_names
        is_all = set(self._subject.mtus_on(step.dofs)) == set(names)
        said = "; ".join(f"{one.scope}, {_range_of(one)}" for one in before) or "not calibrated"
        if low >= high:
            self._say(
                "emDelay",
                said,
                "as the subject has it",
                "the EMG of the trials begins too late, or ends too early, for a range",
            )
            return
        is_cut = (low, high) != (SHORTEST_DELAY, LONGEST_DELAY)
        why = "EMG leads force by 10 to 100 ms, in all muscles of a recording by the same filter"
        self._say(
            "emDelay",
            said,
            f"global, {low:g} to {high:g}",
            why + ("; the EMG of the trials reaches no further" if is_cut else ""),
        )
        yield ParameterSpec(
            kind="emDelay",
            scope="global" if is_all else "muscleGroups",
            groups=() if is_all else (names,),
            low=low,
            high=high,
        )

    def _reach(self) -> tuple[float, float]:
        """Return the shortest and longest delay that the EMG of all trials covers [s]."""
        low, high = SHORTEST_DELAY, LONGEST_DELAY
        for trial in self._trials:
            low = max(low, float(trial.time[-1] - trial.excitation_time[-1]))
            high = min(high, float(trial.time[0] - trial.excitation_time[0]))
        # Whole microseconds, inside: rounding must not ask for more than there is.
        return np.ceil(1e6 * low - 1e-3) / 1e6, np.floor(1e6 * high + 1e-3) / 1e6

    def _late_filters(self, steps: Sequence[CalibrationStep]) -> Iterator[ParameterSpec]:
        """Iterate over ranges of C1 and C2 where these are not calibrated but implausible."""
        known = {spec.kind for step in steps for spec in step.parameters}
        delays = [
            activation_delay(mtu.c1, mtu.c2, step)
            for mtu in self._subject.mtus
            for step in self._steps
        ]
        if max(delays) <= LONGEST_DELAY or {"c1", "c2"} & known:
            return
        for kind in ("c1", "c2"):
            low, high = _POLE
            new = ParameterSpec(kind=kind, range_type="timeConstant", low=low, high=high)
            self._say(
                f"range of {kind}",
                "not calibrated",
                _range_of(new),
                f"the subject's filters are up to {1e3 * max(delays):.3g} ms late",
            )
            yield new


def _with_range(
    spec: ParameterSpec, range_type: RangeType, low: float, high: float
) -> ParameterSpec:
    """Return a parameter within another range, which no line of the file has.

    Priors of its own stay where their centres still mean the same and are within the range.
    """
    priors = tuple(
        one
        for one in spec.priors
        if one.centre is None or (range_type == spec.range_type and low <= one.centre <= high)
    )
    return dataclasses.replace(
        spec, range_type=range_type, low=low, high=high, range_line=None, priors=priors
    )


def _range(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]:.4g} to {bounds[1]:.4g}"


def _range_of(spec: ParameterSpec) -> str:
    units = {
        "absolute": "",
        "relativeToSubjectValue": " times the subject's",
        "timeConstant": " ms",
    }
    return _range((spec.low, spec.high)) + units[spec.range_type]
