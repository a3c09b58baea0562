"""Calibration plans as CEINMS 0.9 or 0.21 has them, and what neither can say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

from ceinms_torch.errors import OptionError, Place
from ceinms_torch.inputs.dialect import Version
from ceinms_torch.model.nms_model import SimulatedAnnealing, Tendon
from ceinms_torch.model.parameters import PARAMETERS
from ceinms_torch.model.settings import check_choice
from ceinms_torch.model.subject import Subject
from ceinms_torch.plan.calibration import CalibrationPlan, CalibrationStep, ParameterSpec
from ceinms_torch.plan.composites import Composite, RangePenalty, TorqueError
from ceinms_torch.plan.objective import Normalisation, Objective

# The calibration example of CEINMS's manual.
MANUAL_ANNEALING = SimulatedAnnealing(
    no_epsilon=4, rt=0.1, temperature=200000.0, ns=30, nt=20, epsilon=1e-5, max_no_eval=200000
)
_PREFIXES = {"normalisedFibreLength": "fibre_length", "tendonStrain": "tendon_strain"}


def convert_calibration(
    plan: CalibrationPlan, version: Version, subject: Subject | None = None
) -> tuple[CalibrationPlan, tuple[str, ...]]:
    """Return a plan in the words of a version of CEINMS, with the same objective.

    Parameters
    ----------
    plan : CalibrationPlan
        Of CEINMS, of this package or of the paper's calibrator.
    version : {"0.9", "0.21"}
        0.9 has ``minimizeTorqueError``, 0.21 composites.
    subject : Subject, optional
        Whose DOFs "all" are; needed where the file says that.

    Returns
    -------
    plan : CalibrationPlan
        To be written.
    lost : tuple of str
        What it does not carry, or what CEINMS itself will not read.

    Raises
    ------
    OptionError
        If the version has no such objective: another one would give another subject.
    """
    check_choice("version", version, get_args(Version))
    plan = plan if subject is None else plan.of_subject(subject)
    lost: list[str] = []
    algorithm = plan.algorithm
    if not isinstance(algorithm, SimulatedAnnealing):
        lost.append(f"{algorithm.method}: CEINMS only anneals; settings of its manual are written")
        algorithm = MANUAL_ANNEALING
    elif algorithm.variant != "ceinms":
        lost.append(f"the variant {algorithm.variant} of the annealing")
        algorithm = replace(algorithm, variant="ceinms")
    tendon = plan.tendon
    if tendon.kind in ("rosenbrockElastic", "dampedEquilibrium"):
        lost.append(f"the tendon {tendon.kind}: equilibriumElastic is written")
        tendon = Tendon(kind="equilibriumElastic", tolerance=tendon.tolerance)
    if plan.synergy_hybrid is not None:
        lost.append("synergyHybrid: in CEINMS nothing drives MTUs without a recording")
    steps = tuple(_step(plan, step, version, subject, lost) for step in plan.steps)
    converted = replace(
        plan, algorithm=algorithm, tendon=tendon, synergy_hybrid=None, steps=steps, differences=()
    )
    return converted, tuple(dict.fromkeys(lost))


def _step(
    plan: CalibrationPlan,
    step: CalibrationStep,
    version: Version,
    subject: Subject | None,
    lost: list[str],
) -> CalibrationStep:
    kept: list[ParameterSpec] = []
    for spec in step.parameters:
        if PARAMETERS[spec.kind].in_ceinms:
            kept.append(spec)
        else:
            lost.append(f"the parameter {spec.kind}, which CEINMS lacks")
    step = replace(step, parameters=tuple(kept))
    place = Place(plan.path, step.line, "<objectiveFunction>")
    if version == "0.21":
        return _with_composites(plan, step, place, lost)
    if step.objective.composites:
        step = _without_composites(step, subject, place)
    if step.objective != Objective() or step != step.without_preferences():
        lost.append(
            "the objective stays as it was, in elements of ceinms-torch inside "
            "<minimizeTorqueError> and <parameter>: CEINMS 0.9 itself refuses them"
        )
    return step


def _with_composites(
    plan: CalibrationPlan, step: CalibrationStep, place: Place, lost: list[str]
) -> CalibrationStep:
    objective = step.objective
    if objective.composites:
        return step
    if step != step.without_preferences():
        raise _unsayable(place, "0.21", "preferences among good fits")
    if objective.normalisation == "variance":
        raise _unsayable(place, "0.21", "errors over the variance of moments")
    error = TorqueError(targets=step.dofs)
    if objective.normalisation == "meanSquare":
        error = replace(error, weight=1.0 / len(step.dofs), exponent=2.0)
    penalties = [one for one in objective.penalties if one.weight > 0.0]
    if plan.tendon.kind == "stiff":  # whose strain counts nowhere
        penalties = [one for one in penalties if one.quantity != "tendonStrain"]
    elif any(one.quantity == "tendonStrain" for one in penalties):
        lost.append("the penalty on tendonStrain is written, which CEINMS is not known to have")
    composites: tuple[Composite, ...] = (error, *penalties)
    return replace(step, objective=Objective(normalisation="rmse", composites=composites))


def _without_composites(
    step: CalibrationStep, subject: Subject | None, place: Place
) -> CalibrationStep:
    objective = step.objective
    errors, penalties = objective.torque_errors, objective.penalties
    if len(errors) > 1:
        raise _unsayable(place, "0.9", "several moment errors")
    (error,) = errors
    if not error.targets and subject is None:
        hint = "convert the setup file, which names the subject"
        raise OptionError(where=place, expected="DOFs by name", got="all", hint=hint)
    dofs = error.targets if subject is None else step.moment_dofs(subject.dof_names)
    ways: dict[tuple[float, float], Normalisation] = {
        (1.0, 1.0): "rmse",
        (1.0 / len(dofs), 2.0): "meanSquare",
    }
    normalisation = ways.get((error.weight, error.exponent))
    if normalisation is None or not error.normalised:
        raise _unsayable(
            place, "0.9", f"{error.tag} of weight {error.weight:g} and exponent {error.exponent:g}"
        )
    values: dict[str, Any] = {f"{prefix}_weight": 0.0 for prefix in _PREFIXES.values()}
    for one in penalties:
        values |= _native_penalty(one, place)
    if len({one.quantity for one in penalties}) < len(penalties):
        raise _unsayable(place, "0.9", "several penalties on one quantity")
    return replace(
        step,
        dofs=dofs,
        objective=replace(objective, normalisation=normalisation, composites=(), **values),
        parameters=tuple(_named(spec, step, dofs, subject, place) for spec in step.parameters),
    )


def _native_penalty(one: RangePenalty, place: Place) -> dict[str, Any]:
    prefix = _PREFIXES.get(one.quantity)
    if prefix is None or one.targets or one.exponent != 2.0:
        of = "some MTUs" if one.targets else f"{one.quantity} with exponent {one.exponent:g}"
        raise _unsayable(place, "0.9", f"a penalty on {of}")
    return {f"{prefix}_range": one.range, f"{prefix}_weight": one.weight}


def _named(
    spec: ParameterSpec,
    step: CalibrationStep,
    dofs: tuple[str, ...],
    subject: Subject | None,
    place: Place,
) -> ParameterSpec:
    """Name the MTUs of the step's DOFs where the file leaves them out and other DOFs count."""
    if spec.groups or set(dofs) == set(step.dofs):
        return spec
    if subject is None:
        hint = "convert the setup file, which names the subject"
        raise OptionError(where=place, expected="MTUs by name", got="none", hint=hint)
    mtus = subject.mtus_on(step.dofs)
    if spec.scope == "single":
        return replace(spec, groups=tuple((name,) for name in mtus))
    return replace(spec, scope="muscleGroups", groups=(mtus,))


def _unsayable(place: Place, version: str, what: str) -> OptionError:
    return OptionError(
        where=place,
        expected=f"an objective that a file for {version} can say",
        got=what,
        hint="keep the file as it is; ceinms-torch reads it",
        code="objective-not-converted",
    )
