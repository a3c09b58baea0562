"""Calibration files of the paper's own calibrator, as a plan of this package.

The setup file that names them is CEINMS's. Their elements are known from files of users and from
the paper; whatever a plan cannot say alike is said in the plan's `differences`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, cast

from ceinms_torch.errors import OptionError, did_you_mean
from ceinms_torch.io.xml_document import XmlDocument
from ceinms_torch.io.xml_node import XmlNode
from ceinms_torch.model.nms_model import Tendon
from ceinms_torch.plan.calibration import (
    CalibrationPlan,
    CalibrationStep,
    ParameterSpec,
    RangeType,
    Scope,
    trial_files_in,
)
from ceinms_torch.plan.composites import (
    ALL,
    QUANTITIES,
    Composite,
    Quantity,
    RangePenalty,
    TorqueError,
    read_range,
)
from ceinms_torch.plan.objective import Objective
from ceinms_torch.plan.options import AdamW
from ceinms_torch.plan.synergy_hybrid import SynergyHybrid

# What parameters are called in lower case, and what their ranges are relative to.
_PARAMETERS: dict[str, tuple[str, RangeType]] = {
    "c1": ("c1", "absolute"),
    "c2": ("c2", "absolute"),
    "shapefactor": ("shapeFactor", "absolute"),
    "optimalfiberlength": ("optimalFibreLength", "relativeToSubjectValue"),
    "optimalfibrelength": ("optimalFibreLength", "relativeToSubjectValue"),
    "tendonslacklength": ("tendonSlackLength", "relativeToSubjectValue"),
    "strengthcoefficient": ("strengthCoefficient", "relativeToSubjectValue"),
}
_TENDONS: dict[str, Literal["stiff", "rosenbrockElastic"]] = {
    "stiff": "stiff",
    "elastic": "rosenbrockElastic",
}
_TERMS = ("MomentError", "Penalty", "ExcitationsSquared", "SynergyExtraction")


def read_paper_calibration(document: XmlDocument, *, must_exist: bool) -> CalibrationPlan:
    """Make a plan of a calibration file of the paper's calibrator.

    Parameters
    ----------
    document : XmlDocument
        The file.
    must_exist : bool
        Whether a trial that does not exist is an error.

    Returns
    -------
    CalibrationPlan
        AdamW with the file's settings, one step over all DOFs of the subject; with
        ``hybridCalibration`` as a synergy-hybrid calibration. `differences` says where it departs.

    Raises
    ------
    FileFormatError
        If an element is missing or its content is not understood.
    """
    reader = _Reader(document.root)
    tendon = reader.tendon()
    objective, hybrid = reader.objective(tendon)
    algorithm = reader.optimiser()
    step = CalibrationStep(
        dofs=_union(one.targets or (ALL,) for one in objective.torque_errors),
        objective=objective,
        parameters=reader.parameters(),
        line=document.root.child("calibrationTargets").line,
    )
    return CalibrationPlan(
        algorithm=algorithm,
        tendon=tendon,
        steps=(step,),
        trial_files=trial_files_in(document.root, must_exist=must_exist),
        synergy_hybrid=hybrid,
        path=document.path,
        document=document,
        differences=tuple(reader.differences),
    )


@dataclass
class _Reader:
    """Reads the parts of a file, and keeps what a plan cannot say alike."""

    root: XmlNode
    differences: list[str] = field(default_factory=list)

    always: ClassVar[tuple[str, ...]] = (
        (
            "the learning rate is in units of each parameter's range, which the search does not "
            "leave; how the paper's calibrator scales parameters is not published"
        ),
        "weight decay is 0, as the file has none; torch's AdamW has 0.01 where nobody asks",
    )

    def optimiser(self) -> AdamW:
        """Return the settings of AdamW."""
        node = self.root.child("optimiser")
        values: dict[str, Any] = {}
        for name in ("learningRate", "maxIterations"):
            child = node.find(name)
            if child is not None:
                values[name] = child.integer() if name == "maxIterations" else child.number()
        decay, stopping = node.find("learningRateDecay"), node.find("earlyStopping")
        values["learningRateDecay"], values["decayWhen"] = 1.0, "always"
        if decay is not None:
            values["learningRateDecay"] = decay.child("decay").number()
            values["minLearningRate"] = decay.child("minLearningRate").number()
        if stopping is not None:
            values["minImprovement"] = stopping.child("minImprovement").number()
            values["improvement"] = "absolute"
            values["patience"] = stopping.child("patience").integer()
            self.differences.append(
                f"earlyStopping: a minImprovement of {values['minImprovement']:g} is taken as a "
                "fall of the objective in N m; whether it is a share there is not published "
                "(--set improvement=relative)"
            )
        for name in ("learningRate", "maxIterations", "earlyStopping"):
            if node.find(name) is None:
                self.differences.append(f"{name} is not in the file: this package's default")
        self.differences += self.always
        try:
            return AdamW.from_dict(values)
        except OptionError as error:
            raise node.error("settings within their ranges", f"'{error}'") from error

    def tendon(self) -> Tendon:
        """Return the tendon; without the element it is stiff."""
        node = self.root.find("tendon")
        if node is None:
            return Tendon(kind="stiff")
        words = node.names() or tuple(child.tag for child in node.elements())
        kind = _TENDONS.get(words[0].lower()) if len(words) == 1 else None
        if kind is None:
            raise node.error(f"one of {', '.join(_TENDONS)}", f"'{' '.join(words)}'")
        return Tendon(kind=kind)

    def parameters(self) -> tuple[ParameterSpec, ...]:
        """Return what is calibrated, in which ranges."""
        targets = self.root.child("calibrationTargets")
        names = _mtu_names(self.root, targets)
        groups = tuple(
            _listed(node)
            for holder in targets.descendants("muscleGroups")
            for node in holder.children("muscles")
        )
        specs: dict[str, ParameterSpec] = {}
        for node in targets.child("parametersToCalibrate").children("parameter"):
            name = _name_of(node)
            if name.lower() not in _PARAMETERS:
                hint = did_you_mean(name, _PARAMETERS)
                raise node.error(f"one of {', '.join(_PARAMETERS)}", f"'{name}'", hint)
            kind, range_type = _PARAMETERS[name.lower()]
            if kind in specs:
                raise node.error(f"{kind} once", "it again")
            scope: Scope = "single"
            own: tuple[tuple[str, ...], ...] = tuple((one,) for one in names)
            if kind == "strengthCoefficient" and groups:
                scope, own = "muscleGroups", groups
                self.differences.append(
                    "strengthCoefficient: one value per group of <muscleGroups>; MTUs in none keep "
                    "theirs"
                )
            low, high = read_range(node.find("range") or node)
            specs[kind] = ParameterSpec(
                kind=kind,
                scope=scope,
                groups=own,
                range_type=range_type,
                low=low,
                high=high,
                line=node.line,
                range_line=node.line,
            )
        if not specs:
            raise targets.error("at least one <parameter>", "none")
        return tuple(specs.values())

    def objective(self, tendon: Tendon) -> tuple[Objective, SynergyHybrid | None]:
        """Return what is minimised, and the options of synergies if it is a hybrid calibration."""
        optimiser = self.root.child("optimiser")
        holder = self.root.child("objectiveFunctions")
        composites: list[Composite] = []
        synergies: dict[str, XmlNode] = {}
        for node in holder.children("objectiveFunction"):
            name = _name_of(node)
            if name not in _TERMS:
                known = ", ".join(_TERMS)
                raise node.error(f"one of {known}", f"'{name}'", did_you_mean(name, _TERMS))
            if name == "MomentError":
                composites.append(self._moment_error(node))
            elif name == "Penalty":
                composites.append(_penalty(node))
            else:
                synergies[name] = node
        if not any(isinstance(one, TorqueError) for one in composites):
            raise holder.error("an <objectiveFunction> of name MomentError", "none")
        self.differences.append(
            "objective: the sum over DOFs of RMSE in N m and penalties, each averaged over frames "
            "and trials and summed over MTUs; how frames, MTUs and trials are averaged there is "
            "not published"
        )
        if tendon.kind == "stiff" and any(
            isinstance(one, RangePenalty) and one.quantity == "tendonStrain" for one in composites
        ):
            self.differences.append("a penalty on tendonStrain has no effect: the tendon is stiff")
        objective = Objective(normalisation="rmse", composites=tuple(composites))
        flag = optimiser.find("hybridCalibration")
        if flag is None or not _truth(flag):
            for name in synergies:
                self.differences.append(f"{name} has no effect: hybridCalibration is not true")
            return objective, None
        return objective, self._hybrid(optimiser, synergies)

    def _moment_error(self, node: XmlNode) -> TorqueError:
        exponent = _number(node, "exponent", 1.0)
        if exponent != 1.0:
            self.differences.append(
                f"MomentError: an exponent of {exponent:g} is taken as that power of each RMSE"
            )
        try:
            return TorqueError(
                targets=_targets(node), weight=_number(node, "weight", 1.0), exponent=exponent
            )
        except OptionError as error:
            raise node.error("settings within their ranges", f"'{error}'") from error

    def _hybrid(self, optimiser: XmlNode, terms: dict[str, XmlNode]) -> SynergyHybrid:
        values: dict[str, Any] = {"synthesised_weight": 0.0}
        number = optimiser.find("numberOfSynergies")
        if number is not None:
            values["n_synergy"] = number.integer()
        made = terms.get("ExcitationsSquared")
        if made is not None:
            values["synthesised_weight"] = _number(made, "weight", 1.0)
            self._only(made, "exponent", 2.0)
        extraction = terms.get("SynergyExtraction")
        if extraction is None:
            self.differences.append("SynergyExtraction is not in the file: this package's weights")
        else:
            values["excitation_weight"] = extraction.child("mseWeight").number()
            values["bounds_weight"] = _number(extraction, "rangeWeight", 0.0)
            self._only(extraction, "rangeExponent", 2.0)
            bounds = extraction.find("range")
            if bounds is not None and read_range(bounds) != (0.0, 1.0):
                raise bounds.error("0 1, the range of excitations", f"'{bounds.text()}'")
        self.differences += [
            (
                "synergies: eq. (5) of the paper, primitives as numbers 50 times per second, means "
                "over nodes, excitations and trials"
            ),
            (
                "weightings of MTUs without electrode are shared by all trials (<weightings> of "
                "synergyHybrid); the paper's text has those of each trial"
            ),
        ]
        node = extraction or optimiser
        try:
            return SynergyHybrid(**values)
        except OptionError as error:
            raise node.error("settings within their ranges", f"'{error}'") from error

    def _only(self, node: XmlNode, name: str, value: float) -> None:
        found = _number(node, name, value)
        if found != value:
            self.differences.append(f"{_name_of(node)}: {name} is {value:g}, not {found:g}")


def _penalty(node: XmlNode) -> RangePenalty:
    kind = node.child("targetType", "targetsType")
    known = tuple(QUANTITIES)
    if kind.text() not in known:
        raise kind.error(
            f"one of {', '.join(known)}", f"'{kind.text()}'", did_you_mean(kind.text(), known)
        )
    try:
        return RangePenalty(
            quantity=cast("Quantity", kind.text()),
            targets=_targets(node),
            range=read_range(node.child("range")),
            weight=_number(node, "weight", 1.0),
            exponent=_number(node, "exponent", 2.0),
        )
    except OptionError as error:
        raise node.error("settings within their ranges", f"'{error}'") from error


def _mtu_names(root: XmlNode, targets: XmlNode) -> tuple[str, ...]:
    """Return the MTUs that are calibrated, wherever they are listed; none for all."""
    node = root.find("muscles") or targets.find("muscles")
    names = () if node is None else _listed(node)
    return () if tuple(name.lower() for name in names) == (ALL,) else names


def _listed(node: XmlNode) -> tuple[str, ...]:
    """Return names in the text, or one in every child; both layouts occur."""
    children: Iterator[str] = (
        name for child in node.elements() for name in (child.names() or (child.attribute("name"),))
    )
    names = (*node.text().replace(",", " ").split(), *children)
    if not names:
        raise node.error("names of MTUs, or all", "none")
    return names


def _union(targets: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name for some in targets for name in some))
    return (ALL,) if ALL in names else names


def _targets(node: XmlNode) -> tuple[str, ...]:
    child = node.find("targets")
    names = (ALL,) if child is None else _listed(child)
    return () if tuple(name.lower() for name in names) == (ALL,) else names


def _name_of(node: XmlNode) -> str:
    child = node.find("name")
    return node.attribute("name") if child is None else child.text()


def _number(node: XmlNode, name: str, default: float) -> float:
    child = node.find(name)
    return default if child is None else child.number()


def _truth(node: XmlNode) -> bool:
    words = {"true": True, "1": True, "false": False, "0": False}
    if node.text().lower() not in words:
        raise node.error("true or false", f"'{node.text()}'")
    return words[node.text().lower()]
