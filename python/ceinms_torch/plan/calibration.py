"""What is calibrated, in which range, on which trials (``calibration.xml``)."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, cast, get_args

from ceinms_torch.errors import CeinmsTorchWarning, DataError, OptionError, Place, did_you_mean
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.paths import relative_text
from ceinms_torch.io.xml_document import (
    XmlDocument,
    new_document,
    read_document,
    read_root,
    write_new,
)
from ceinms_torch.io.xml_node import XmlNode, number_text
from ceinms_torch.model.activation_delay import coefficient
from ceinms_torch.model.nms_model import (
    ACTIVATIONS,
    Activation,
    SimulatedAnnealing,
    Tendon,
    read_activation,
    read_tendon,
    write_annealing,
    write_model,
)
from ceinms_torch.model.parameters import PARAMETER_KINDS, PARAMETERS
from ceinms_torch.model.settings import check_choice
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial, common_time_step
from ceinms_torch.plan.composites import ALL, RangePenalty, read_range
from ceinms_torch.plan.objective import Objective, read_objective, write_objective
from ceinms_torch.plan.options import OPTIMISERS, Optimiser
from ceinms_torch.plan.override import Override
from ceinms_torch.plan.prior import Prior
from ceinms_torch.plan.synergy_hybrid import SynergyHybrid

Scope = Literal["single", "global", "muscleGroups"]
RangeType = Literal["absolute", "relativeToSubjectValue", "timeConstant"]
_SCOPES = ("single", "global", "muscleGroups")
_RANGE_TYPES: tuple[str, ...] = get_args(RangeType)
# The filter has two poles: a file may give their common delay in place of C1 and C2.
ACTIVATION_DELAY = "activationDelay"
_POLES = ("c1", "c2")
# Longest time constants below this are no milliseconds.
_LEAST_MILLISECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class ParameterSpec(OneLine):
    """One kind of parameter to calibrate, shared by MTUs or not, within a range.

    Parameters
    ----------
    kind : str
        One of `PARAMETER_KINDS`.
    scope : {"single", "global", "muscleGroups"}
        One value per MTU, one for all, or one per group.
    groups : tuple of tuple of str
        MTUs that share a value. For "single", one 1-tuple per listed MTU, or nothing for all MTUs
        on the step's DOFs; for "global", nothing.
    range_type : {"absolute", "relativeToSubjectValue", "timeConstant"}
        Whether the bounds are values, or factors on the value at the start of the step, or, for c1
        and c2 alone, time constants of that pole of the activation filter, which make the same
        delay at every rate of the trials; see `activation_delay_parameters`.
    low, high : float
        The bounds, low <= high: in the unit of the parameter (see `Mtu`), factors (-), or time
        constants [ms], >= 0.
    priors : tuple of Prior
        Weights and centres of its own in the objective's parameter prior; every MTU in one at most,
        and one at most for all others.
    line, range_line : int, optional
        Lines of the parameter and its range in the calibration file.

    Raises
    ------
    OptionError
        If a value is not one of those allowed, the bounds are inverted, or priors contradict each
        other or the range.
    """

    kind: str
    scope: Scope = "single"
    groups: tuple[tuple[str, ...], ...] = ()
    range_type: RangeType = "absolute"
    low: float
    high: float
    priors: tuple[Prior, ...] = ()
    line: int | None = field(default=None, compare=False)
    range_line: int | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Check every value."""
        check_choice("parameter name", self.kind, PARAMETER_KINDS)
        check_choice("scope", self.scope, _SCOPES)
        check_choice("range type", self.range_type, _RANGE_TYPES)
        if not -math.inf < self.low <= self.high < math.inf:
            got = f"{self.low:g} and {self.high:g}"
            raise OptionError(
                where=f"range of {self.kind}",
                expected="a low and a higher bound",
                got=got,
            )
        if self.range_type == "timeConstant":
            check_choice("parameter with time constants", self.kind, _POLES)
            if self.low < 0.0 or 0.0 < self.high < _LEAST_MILLISECONDS:
                raise OptionError(
                    where=f"time constants of {self.kind}",
                    expected="milliseconds, as in 5 to 50",
                    got=f"{self.low:g} to {self.high:g}",
                    hint="Only emDelay is in seconds",
                )
        self._check_priors()

    def _check_priors(self) -> None:
        where = f"prior of {self.kind}"
        named = [name for prior in self.priors for name in prior.muscles or ("all others",)]
        for name in named:
            if named.count(name) > 1:
                raise OptionError(
                    where=where, expected=f"one for {name}", got=f"{named.count(name)}"
                )
        for prior in self.priors:
            if prior.centre is not None and not self.low <= prior.centre <= self.high:
                raise OptionError(
                    where=where,
                    expected=f"a centre within the range, {self.low:g} to {self.high:g}",
                    got=f"{prior.centre:g}",
                    hint="it is given as the range is: in the unit of the parameter, or as a "
                    "factor on the subject's value",
                )

    def prior_of(self, mtu_names: tuple[str, ...]) -> Prior:
        """Return the prior of a value that MTUs share.

        Parameters
        ----------
        mtu_names : tuple of str
            The MTUs; all in the same prior.

        Returns
        -------
        Prior
            What it leaves open, that for all others says.

        Raises
        ------
        OptionError
            If some of them have a prior of their own, and others do not or another one.
        """
        general = next((prior for prior in self.priors if not prior.muscles), Prior())
        found = {
            next((prior for prior in self.priors if name in prior.muscles), general)
            for name in mtu_names
        }
        if len(found) > 1:
            raise OptionError(
                where=f"prior of {self.kind}",
                expected=f"the same for {', '.join(mtu_names)}, which share a value",
                got="several",
            )
        return found.pop().filled(general)

    def in_unit(self, number: float, start: float, time_step: float | None) -> float:
        """Return a number that is given as the range is, in the unit of the parameter.

        Parameters
        ----------
        number : float
            A value, a factor (-) or a time constant [ms], as `range_type` says.
        start : float
            The value at the start of the step.
        time_step : float or None
            Time from one step of a trial to the next [s]; time constants ask for it.

        Returns
        -------
        float

        Raises
        ------
        OptionError
            If it asks for a time step and there is none.
        """
        if self.range_type == "absolute":
            return number
        if self.range_type == "relativeToSubjectValue":
            return number * start
        if time_step is None:
            raise OptionError(
                where=f"time constants of {self.kind}",
                expected="a plan that knows the rate of its trials",
                got="none",
                hint="take plan.of_trials(trials)",
            )
        return coefficient(1e-3 * number, time_step)

    def bounds(self, start: float, time_step: float | None) -> tuple[float, float]:
        """Return the bounds of a value, in the unit of the parameter; see `in_unit`.

        A factor on a negative value turns them round, as in CEINMS (quirk F17), and so does a time
        constant.
        """
        ends = [self.in_unit(one, start, time_step) for one in (self.low, self.high)]
        return min(ends), max(ends)


def activation_delay_parameters(
    low: float, high: float, *, scope: Scope = "single", groups: tuple[tuple[str, ...], ...] = ()
) -> tuple[ParameterSpec, ParameterSpec]:
    """Return C1 and C2 to calibrate within a range of the mean delay of the activation filter.

    Either pole may make half of the delay at least and at most; see `activation_delay`.

    Parameters
    ----------
    low, high : float
        By how much activation may follow excitation on average [ms], whatever the rate of the
        trials; 0 <= low <= high. Muscles take 10 to 100.
    scope, groups
        As for `ParameterSpec`.

    Returns
    -------
    tuple of ParameterSpec
        Two parameters of a `CalibrationStep`.
    """
    first, second = (
        ParameterSpec(
            kind=kind,
            scope=scope,
            groups=groups,
            range_type="timeConstant",
            low=0.5 * low,
            high=0.5 * high,
        )
        for kind in _POLES
    )
    return first, second


@dataclass(frozen=True, kw_only=True)
class CalibrationStep(OneLine):
    """Parameters that are calibrated together, and against what.

    Parameters
    ----------
    dofs : tuple of str
        DOFs whose moment errors count, and whose MTUs are calibrated.
    objective : Objective
        What is minimised; composites may name other DOFs, see `moment_dofs`.
    parameters : tuple of ParameterSpec
        What is calibrated; every kind at most once. Their priors count whether or not the
        objective has a weight for all.
    line : int, optional
        Line in the calibration file.
    """

    dofs: tuple[str, ...]
    objective: Objective = field(default_factory=Objective)
    parameters: tuple[ParameterSpec, ...]
    line: int | None = field(default=None, compare=False)

    def without_preferences(self) -> CalibrationStep:
        """Return the step with moment errors and penalties alone."""
        parameters = tuple(replace(spec, priors=()) for spec in self.parameters)
        objective = self.objective.without_preferences()
        return replace(self, objective=objective, parameters=parameters)

    def moment_dofs(self, dof_names: Sequence[str]) -> tuple[str, ...]:
        """Return the DOFs whose moment errors count.

        Parameters
        ----------
        dof_names : sequence of str
            All of the subject.

        Returns
        -------
        tuple of str
            Those of the step; with composites, which have targets of their own, theirs.
        """
        targets = [one.targets or tuple(dof_names) for one in self.objective.torque_errors]
        if not targets:
            return self.dofs
        return tuple(name for name in dof_names if any(name in some for some in targets))


@dataclass(frozen=True, kw_only=True)
class CalibrationPlan(OneLine):
    """A calibration: algorithm, model, steps and trials.

    Parameters
    ----------
    algorithm : SimulatedAnnealing, AdamW, LevenbergMarquardt or Lbfgs
        How the objective is minimised.
    tendon : Tendon
        The tendon model.
    activation : {"exponential", "piecewise"}
        The activation model.
    steps : tuple of CalibrationStep
        Done one after the other, each from the result of the one before.
    trial_files : tuple of Path
        The ``inputData.xml`` of every trial.
    synergy_hybrid : SynergyHybrid, optional
        How synergies make excitations that were not recorded; None for recorded ones only.
    time_step : float, optional
        Time from one step of a trial to the next [s], by which time constants become C1 and C2;
        see `of_trials`.
    path : Path, optional
        The file it was read from.
    document : XmlDocument, optional
        What was read, kept to write unknown elements back.
    differences : tuple of str
        Where the plan departs from what a file of the paper's calibrator says, or may.
    overrides : tuple of Override
        What a recipe overrides of the files, see `recommended`.
    """

    algorithm: SimulatedAnnealing | Optimiser
    tendon: Tendon
    activation: Activation = "exponential"
    steps: tuple[CalibrationStep, ...]
    trial_files: tuple[Path, ...] = ()
    synergy_hybrid: SynergyHybrid | None = None
    time_step: float | None = field(default=None, repr=False)
    path: Path | None = None
    document: XmlDocument | None = field(default=None, repr=False, compare=False)
    differences: tuple[str, ...] = field(default=(), repr=False, compare=False)
    overrides: tuple[Override, ...] = field(default=(), repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check every value."""
        check_choice("activation", self.activation, ACTIVATIONS)

    @classmethod
    def read(cls, path: str | os.PathLike[str], *, must_exist: bool = True) -> CalibrationPlan:
        """Read a ``calibration.xml``, of CEINMS or of the paper's calibrator.

        Parameters
        ----------
        path : path-like
            The file.
        must_exist : bool
            Whether a trial that does not exist is an error.

        Returns
        -------
        CalibrationPlan

        Raises
        ------
        FileFormatError
            If the file does not follow the grammar, a range is not two finite numbers in order, a
            value is outside its range, or a trial does not exist.

        Warns
        -----
        CeinmsTorchWarning
            If a step names a parameter twice: as in CEINMS, the first one counts.
        """
        from ceinms_torch.plan.paper_calibration import (  # noqa: PLC0415  which makes plans
            read_paper_calibration,
        )

        document = read_document(path, "calibration", "paperCalibration")
        if document.schema == "paperCalibration":
            return read_paper_calibration(document, must_exist=must_exist)
        root = document.root
        model = root.child("NMSmodel")
        return cls(
            algorithm=_read_algorithm(root.child("algorithm")),
            tendon=read_tendon(model),
            activation=read_activation(model),
            steps=tuple(
                _read_step(node) for node in root.child("calibrationSteps").children("step")
            ),
            trial_files=trial_files_in(root, must_exist=must_exist),
            synergy_hybrid=_read_synergy_hybrid(model),
            path=document.path,
            document=document,
        )

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a ``calibration.xml``, with file names relative to it.

        Parameters
        ----------
        path : path-like
            The file to write; its folder is created if needed.

        Raises
        ------
        OptionError
            If the name of a trial file contains white space, which separates names in this file.
        """
        document = new_document("calibration", path)
        if isinstance(self.algorithm, SimulatedAnnealing):
            write_annealing(document.root, self.algorithm)
        else:
            tag = next(tag for tag, kind in OPTIMISERS.items() if type(self.algorithm) is kind)
            self.algorithm.write_to(document.root.add("algorithm").add(tag))
        kind = write_model(document.root, self.tendon, self.activation)
        if self.synergy_hybrid is None:
            kind.add("openLoop")
        else:
            self.synergy_hybrid.write_to(kind.add("synergyHybrid"))
        steps = document.root.add("calibrationSteps")
        for step in self.steps:
            _write_step(steps.add("step"), step)
        trials = [relative_text(file, path) for file in self.trial_files]
        for trial in trials:
            if len(trial.split()) != 1:
                raise OptionError(
                    where="trialSet", expected="file names without blanks", got=f"'{trial}'"
                )
        document.root.add("trialSet", " ".join(trials))
        is_ceinms = self.document is not None and self.document.schema == document.schema
        write_new(document, self.document if is_ceinms else None)

    def with_settings(
        self, algorithm: SimulatedAnnealing | Optimiser, objective: Objective | None = None
    ) -> CalibrationPlan:
        """Return the plan with settings, and an objective of every step, in place of its own.

        Parameters
        ----------
        algorithm : SimulatedAnnealing, AdamW, LevenbergMarquardt or Lbfgs
            The settings.
        objective : Objective, optional
            The objective; by default those of the steps stay.

        Returns
        -------
        CalibrationPlan
        """
        steps = self.steps
        if objective is not None:
            steps = tuple(replace(step, objective=objective) for step in steps)
        return replace(self, algorithm=algorithm, steps=steps)

    def recommended(self, subject: Subject, trials: Sequence[Trial]) -> CalibrationPlan:
        """Return the plan by the recommended recipe, see `recommended_plan`.

        Parameters
        ----------
        subject : Subject
            The subject to be calibrated.
        trials : sequence of Trial
            All trials that will be simulated.

        Returns
        -------
        CalibrationPlan
            Its `overrides` say what of the files does not count. Curves belong to the subject, see
            `CalibrationFolder.recommended`.
        """
        from ceinms_torch.plan.recommended import recommended_plan  # noqa: PLC0415  it makes plans

        return recommended_plan(self, subject, trials)

    def of_subject(self, subject: Subject) -> CalibrationPlan:
        """Return the plan with the subject's DOFs in steps that say "all".

        Parameters
        ----------
        subject : Subject
            The subject to be calibrated.

        Returns
        -------
        CalibrationPlan
        """
        if all(step.dofs != (ALL,) for step in self.steps):
            return self
        steps = (
            replace(step, dofs=subject.dof_names) if step.dofs == (ALL,) else step
            for step in self.steps
        )
        return replace(self, steps=tuple(steps))

    @property
    def time_constants(self) -> tuple[ParameterSpec, ...]:
        """The parameters whose ranges are time constants."""
        specs = (spec for step in self.steps for spec in step.parameters)
        return tuple(spec for spec in specs if spec.range_type == "timeConstant")

    def of_trials(self, trials: Sequence[Trial]) -> CalibrationPlan:
        """Return the plan with the rate at which time constants become C1 and C2.

        Parameters
        ----------
        trials : sequence of Trial
            The trials to calibrate on.

        Returns
        -------
        CalibrationPlan
            This one, where no range is in time constants.

        Raises
        ------
        DataError
            If trials differ in rate: one C1 would be another delay in each.
        """
        specs = self.time_constants
        if not specs or not trials:
            return self
        place = Place(self.path, specs[0].range_line, f"<range> of {specs[0].kind}")
        return replace(self, time_step=common_time_step(trials, place))

    def of_rate(self, rate: float) -> CalibrationPlan:
        """Return the plan with a rate of its trials [Hz], > 0; see `of_trials`."""
        return replace(self, time_step=1.0 / rate) if self.time_constants else self

    def check_names(self, subject: Subject) -> None:
        """Check that every DOF and MTU of the plan is one of the subject.

        Parameters
        ----------
        subject : Subject
            The subject to be calibrated.

        Raises
        ------
        DataError
            At the first name that the subject does not have.
        """
        for step in self.steps:
            self._check("DOFs", step.dofs, subject.dof_names, step.line, "<step>")
            for spec in step.parameters:
                for group in spec.groups:
                    self._check("MTUs", group, subject.mtu_names, spec.line, "<parameter>")
                for prior in spec.priors:
                    self._check("MTUs", prior.muscles, subject.mtu_names, spec.line, "<prior>")
            for group in step.objective.group_coherence_muscles:
                self._check("MTUs", group, subject.mtu_names, step.line, "<groupCoherence>")
            for one in step.objective.composites:
                what, known = "DOFs", subject.dof_names
                if isinstance(one, RangePenalty):
                    what, known = "MTUs", subject.mtu_names
                self._check(what, one.targets, known, step.line, f"<targets> of <{one.tag}>")

    def _check(
        self,
        what: str,
        names: tuple[str, ...],
        known: tuple[str, ...],
        line: int | None,
        element: str,
    ) -> None:
        for name in names:
            if name not in known:
                raise DataError(
                    where=Place(self.path, line, element),
                    expected=f"names of {what} of the subject",
                    got=f"'{name}'",
                    hint=did_you_mean(name, known) or f"The subject has {', '.join(known)}",
                )


def read_trial_files(path: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Read the trials of a ``calibration.xml`` alone, whatever else is wrong with it.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    tuple of Path
        The ``inputData.xml`` of every trial; they may not exist.

    Raises
    ------
    FileFormatError
        If it is no XML file, or has no trials.
    """
    return trial_files_in(read_root(path), must_exist=False)


def trial_files_in(root: XmlNode, *, must_exist: bool) -> tuple[Path, ...]:
    """Return the trials that a calibration file's root element lists; see `read_trial_files`."""
    trials = root.child("trialSet")
    if not trials.names():
        raise trials.error("at least one inputData file", "none")
    return trials.files(must_exist=must_exist)


def _read_algorithm(parent: XmlNode) -> SimulatedAnnealing | Optimiser:
    node = parent.child("simulatedAnnealing", *OPTIMISERS)
    if node.tag == "simulatedAnnealing":
        return SimulatedAnnealing.read_from(node)
    return OPTIMISERS[node.tag].read_from(node)


def _read_synergy_hybrid(model: XmlNode) -> SynergyHybrid | None:
    node = model.child("type").find("synergyHybrid")
    return None if node is None else SynergyHybrid.read_from(node)


def _read_step(node: XmlNode) -> CalibrationStep:
    dofs = node.child("dofs")
    if not dofs.names():
        raise dofs.error("at least one DOF", "none")
    parameters: dict[str, ParameterSpec] = {}
    for child in node.child("parameterSet").children("parameter"):
        for spec in _read_parameter(child):
            first = parameters.setdefault(spec.kind, spec)
            if first is spec:
                continue
            text = (
                f"{spec.kind} is in this step already (line {first.line}); as in CEINMS, the first "
                "one counts."
            )
            warnings.warn(CeinmsTorchWarning(text, "parameter-repeated", child.place), stacklevel=4)
    return CalibrationStep(
        dofs=dofs.names(),
        objective=read_objective(node.child("objectiveFunction")),
        parameters=tuple(parameters.values()),
        line=node.line,
    )


def _read_parameter(node: XmlNode) -> tuple[ParameterSpec, ...]:
    scope = node.child(*_SCOPES)
    groups: tuple[tuple[str, ...], ...] = ()
    if scope.tag == "single":
        groups = tuple((name,) for name in scope.names())
    elif scope.tag == "muscleGroups":
        for child in scope.children("muscles"):
            if not child.names():
                raise child.error("at least one MTU", "none")
            groups += (child.names(),)
    bounds = node.child(*_RANGE_TYPES)
    numbers = bounds.child("range")
    low, high = read_range(numbers)
    got = f"{low:g} to {high:g}"
    name = node.child("name")
    kind, range_type = name.text(), bounds.tag
    kinds: tuple[str, ...] = (kind,)
    priors = tuple(Prior.read_from(child) for child in node.children("prior"))
    if kind == ACTIVATION_DELAY:
        if range_type != "absolute":
            raise bounds.error("<absolute>, a range in milliseconds", f"<{range_type}>")
        kinds, range_type, low, high = _POLES, "timeConstant", 0.5 * low, 0.5 * high
        priors = tuple(prior.scaled(0.5) for prior in priors)
    elif kind not in PARAMETERS:
        names = (*PARAMETERS, ACTIVATION_DELAY)
        raise name.error(f"one of {', '.join(names)}", f"'{kind}'", did_you_mean(kind, names))
    try:
        return tuple(
            ParameterSpec(
                kind=one,
                scope=cast("Scope", scope.tag),
                groups=groups,
                range_type=cast("RangeType", range_type),
                low=low,
                high=high,
                priors=priors,
                line=node.line,
                range_line=numbers.line,
            )
            for one in kinds
        )
    except OptionError as error:
        if "prior" in str(error.where):
            raise node.error("priors that fit each other and the range", f"'{error}'") from error
        raise numbers.error(error.expected, got, error.hint) from error


def _write_step(node: XmlNode, step: CalibrationStep) -> None:
    node.add("dofs", " ".join(step.dofs))
    write_objective(node.add("objectiveFunction"), step.objective)
    parameters = node.add("parameterSet")
    for name, spec, scale in _as_written(step):
        range_type = "absolute" if name == ACTIVATION_DELAY else spec.range_type
        child = parameters.add("parameter")
        child.add("name", name)
        scope = child.add(spec.scope)
        if spec.scope == "single":
            scope.set_text(" ".join(name for group in spec.groups for name in group))
        for group in spec.groups if spec.scope == "muscleGroups" else ():
            scope.add("muscles", " ".join(group))
        bounds = (scale * spec.low, scale * spec.high)
        child.add(range_type).add("range", " ".join(map(number_text, bounds)))
        for prior in spec.priors:
            prior.scaled(scale).write_to(child.add("prior"), with_defaults=False)


def _as_written(step: CalibrationStep) -> Iterator[tuple[str, ParameterSpec, float]]:
    """Iterate over parameters with their names and a factor on the bounds.

    Two poles with the same range of time constants are a delay of twice that.
    """
    of_kind = {spec.kind: spec for spec in step.parameters}
    c1 = of_kind.get("c1")
    is_delay = (
        c1 is not None
        and c1.range_type == "timeConstant"
        and of_kind.get("c2") == replace(c1, kind="c2")
    )
    for spec in step.parameters:
        if not is_delay or spec.kind not in _POLES:
            yield spec.kind, spec, 1.0
        elif spec is c1:
            yield ACTIVATION_DELAY, spec, 2.0
