"""Which signal drives which MTU, and which MTU moves which DOF."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from ceinms_torch.errors import Place, did_you_mean
from ceinms_torch.inputs.checks.files import Inputs
from ceinms_torch.inputs.checks.findings import Finding, listed
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.subject import Subject
from ceinms_torch.synergies.channels import uncalibrated_dofs

# A moment arm below this [m] at all times moves nothing.
_NO_ARM = 1e-6
# One that reaches this [m] does, and should be used.
_REAL_ARM = 5e-3
# A signal for more MTUs than this is worth a look.
_MANY = 5
_SIDE = re.compile(r"(?:^|[_.\- ])(l|r|left|right)$|^(l|r|left|right)[_.\- ]", re.IGNORECASE)


def check_mapping(inputs: Inputs) -> list[Finding]:
    """Check EMG map, MTUs, DOFs and moment arms against each other.

    Parameters
    ----------
    inputs : Inputs
        What could be read.

    Returns
    -------
    list of Finding
    """
    findings: list[Finding] = []
    subject, generator = inputs.subject, inputs.generator
    if generator is not None:
        findings += _check_signals(generator)
        if subject is not None:
            findings += _check_excitations(subject, generator)
            findings += _check_names(subject, generator)
            findings += _check_recorded(subject, generator)
    if subject is not None:
        findings += _check_dofs(inputs, subject)
        findings += _check_uncalibrated(inputs, subject)
        findings += _check_arms(inputs, subject)
    findings += _check_unmapped_columns(inputs)
    return findings


def _check_excitations(subject: Subject, generator: ExcitationGenerator) -> Iterator[Finding]:
    place = Place(file=generator.path, element="<mapping>")
    ids = [excitation.id for excitation in generator.excitations]
    missing = [name for name in subject.mtu_names if name not in ids]
    extra = [name for name in ids if name not in subject.mtu_names]
    if missing:
        yield Finding(
            severity="error",
            code="excitation-missing",
            where=place,
            what=f"expected an <excitation> for every MTU of the subject, got none for "
            f"{listed(missing)}.",
            why="Every MTU needs one, if only to say that it was not recorded.",
            to_do=did_you_mean(missing[0], extra)
            or "Add an <excitation>, without inputs if the MTU was not recorded.",
        )
    elif extra:
        yield Finding(
            severity="note",
            code="excitation-unused",
            where=place,
            what=f"The subject has no MTU named {listed(extra)}.",
            why="These excitations are ignored.",
            to_do="Nothing, if they are left over from a larger model.",
        )


def _check_uncalibrated(inputs: Inputs, subject: Subject) -> Iterator[Finding]:
    """Find DOFs that synthesised MTUs act on although nothing tells what they do there."""
    plan, generator = inputs.plan, inputs.generator
    if plan is None or plan.synergy_hybrid is None or generator is None:
        return
    dofs = [dof for step in plan.steps for dof in step.dofs if dof in subject.dof_names]
    made = plan.synergy_hybrid.synthesise
    if made is None:
        recorded = dict(zip(subject.mtu_names, generator.recorded(subject.mtu_names), strict=True))
        made = tuple(name for name in subject.mtus_on(dofs) if not recorded[name])
    for dof, names in uncalibrated_dofs(subject, made, dofs).items():
        yield Finding(
            severity="warning",
            code="synthesised-uncalibrated",
            where=Place(file=plan.path, element="<synergyHybrid>", column=dof),
            what=f"Synergies drive {listed(names)}, which act about {dof}, whose moment no step "
            "calibrates.",
            why="Nothing tells what they do there: excitations that fit other moments can load the "
            "joint absurdly.",
            to_do=f"Add {dof} to the <dofs> of the step, with its moments and moment arms, or "
            "leave these MTUs out of <synthesise>.",
        )


def _check_signals(generator: ExcitationGenerator) -> Iterator[Finding]:
    driven: dict[str, list[str]] = {name: [] for name in generator.input_signals}
    for excitation in generator.excitations:
        for signal, weight in excitation.inputs:
            if weight != 0.0:
                driven[signal].append(excitation.id)
    unmapped = [signal for signal, mtus in driven.items() if not mtus]
    if unmapped:
        yield Finding(
            severity="warning",
            code="signal-unmapped",
            where=Place(file=generator.path, element="<inputSignals>", column=listed(unmapped)),
            what=f"No MTU is driven by {listed(unmapped)}.",
            why="A recorded muscle is left out, and an MTU may be without its signal.",
            to_do="Add the signal to the <excitation> of its MTUs, or take it out of the list.",
        )
    for signal, mtus in driven.items():
        if len(mtus) > _MANY:
            yield Finding(
                severity="note",
                code="signal-drives-many",
                where=Place(file=generator.path, column=signal),
                what=f"'{signal}' drives {len(mtus)} MTUs: {listed(mtus)}.",
                why="They cannot act independently, and any fault of this signal is theirs, too.",
                to_do="Nothing, if they share a nerve and a function.",
            )


def _check_names(subject: Subject, generator: ExcitationGenerator) -> Iterator[Finding]:
    by_name = {_muscle(signal): signal for signal in generator.input_signals}
    for excitation in generator.excitations:
        signals = [signal for signal, weight in excitation.inputs if weight != 0.0]
        if excitation.id not in subject.mtu_names or not signals:
            continue
        place = Place(file=generator.path, element="<excitation>", column=excitation.id)
        side = _side(excitation.id)
        others = [name for name in signals if side and _side(name) and _side(name) != side]
        own = by_name.get(_muscle(excitation.id))
        same_side = own is not None and (not side or _side(own) in ("", side))
        if others:
            yield Finding(
                severity="warning",
                code="map-side",
                where=place,
                what=f"{excitation.id} is driven by {listed(others)}, of the other side.",
                why="The muscle would follow the EMG of the other leg or arm.",
                to_do="Correct the <input>, unless electrodes were mirrored on purpose.",
            )
        elif own is not None and same_side and own not in signals:
            yield Finding(
                severity="warning",
                code="map-name",
                where=place,
                what=f"{excitation.id} is driven by {listed(signals)}, not by '{own}'.",
                why="There is a signal of the MTU's own name; the map may be mixed up.",
                to_do=f"Let '{own}' drive {excitation.id}, or check the names of the columns.",
            )


def _side(name: str) -> str:
    """Return "l" or "r", or nothing, from the end or the beginning of a name."""
    match = _SIDE.search(name)
    return "" if match is None else (match[1] or match[2])[0].lower()


def _muscle(name: str) -> str:
    """Return a name without side, 'emg' and punctuation."""
    bare = re.sub(r"emg", "", _SIDE.sub("", name), flags=re.IGNORECASE)
    return re.sub(r"[^a-z0-9]", "", bare.lower())


def _check_recorded(subject: Subject, generator: ExcitationGenerator) -> Iterator[Finding]:
    recorded = {
        excitation.id
        for excitation in generator.excitations
        if any(weight != 0.0 for _, weight in excitation.inputs)
    }
    ids = {excitation.id for excitation in generator.excitations}
    # Those on no DOF, such as the other leg's, count for nothing.
    silent = [name for name in subject.mtus_on(subject.dof_names) if name in ids - recorded]
    if silent:
        yield Finding(
            severity="note",
            code="mtu-not-recorded",
            where=Place(file=generator.path, element="<mapping>", column=listed(silent)),
            what=f"No signal drives {listed(silent)}.",
            why="They are kept with passive force only, and other MTUs have to make up for them.",
            to_do="Let synergies drive them (--hybrid), give them the signal of a muscle with the "
            "same function, or accept it.",
        )
    for dof in subject.dofs:
        if dof.mtu_names and not recorded.intersection(dof.mtu_names):
            yield Finding(
                severity="warning",
                code="dof-not-driven",
                where=Place(file=subject.path, element="<dof>", column=dof.name),
                what=f"No MTU on {dof.name} is driven by a signal.",
                why="Its moment can only come from passive forces.",
                to_do="Map a signal to one of its MTUs, or take the DOF out of the step.",
            )


def _check_dofs(inputs: Inputs, subject: Subject) -> Iterator[Finding]:
    wanted = {dof for step in inputs.plan.steps for dof in step.dofs} if inputs.plan else set()
    for dof in subject.dofs:
        if not dof.mtu_names:
            yield Finding(
                severity="error" if dof.name in wanted else "warning",
                code="dof-without-mtu",
                where=Place(file=subject.path, element="<dof>", column=dof.name),
                what=f"{dof.name} has no MTUs.",
                why="Nothing can make its moment; fitting it is impossible.",
                to_do="List its MTUs in <mtuNameSet>, or take it out of <dofs>.",
            )
    idle = [name for name in subject.mtu_names if name not in subject.mtus_on(subject.dof_names)]
    if idle:
        yield Finding(
            severity="note",
            code="mtu-on-no-dof",
            where=Place(file=subject.path, element="<dofSet>", column=listed(idle)),
            what=f"{listed(idle)}: on none of the DOFs.",
            why="Their forces are computed but count for no moment, so nothing calibrates them.",
            to_do="Nothing, if they are of a limb that is not calibrated; otherwise add them to "
            "the <mtuNameSet> of the DOFs they cross.",
        )


def _check_arms(inputs: Inputs, subject: Subject) -> Iterator[Finding]:
    for dof in subject.dofs:
        files = [trial.arms[dof.name] for trial in inputs.trials if dof.name in trial.arms]
        largest: dict[str, float] = {}
        for storage in files:
            peaks = np.abs(storage.values).max(axis=0).tolist()
            for name, peak in zip(storage.columns, peaks, strict=True):
                largest[name] = max(largest.get(name, 0.0), peak)
        if not files:
            continue
        place = Place(file=files[0].path)
        zero = [name for name in dof.mtu_names if largest.get(name, 1.0) < _NO_ARM]
        if dof.mtu_names and len(zero) == len(dof.mtu_names):
            yield Finding(
                severity="error",
                code="dof-not-moved",
                where=place,
                what=f"The moment arms of all MTUs on {dof.name} are zero.",
                why="Nothing can make its moment; fitting it is impossible.",
                to_do="Export the moment arms of this DOF again.",
            )
        elif zero:
            yield Finding(
                severity="warning",
                code="moment-arm-zero",
                where=Place(file=files[0].path, column=listed(zero)),
                what=f"The moment arms of {listed(zero)} on {dof.name} are zero at all times.",
                why="They are listed as moving this DOF, but do not.",
                to_do=f"Export them again, or take them out of the <mtuNameSet> of {dof.name}.",
            )
        unused = [
            name
            for name in subject.mtu_names
            if name not in dof.mtu_names and largest.get(name, 0.0) > _REAL_ARM
        ]
        if unused:
            yield Finding(
                severity="warning",
                code="moment-arm-unused",
                where=Place(file=files[0].path, column=listed(unused)),
                what=f"{listed(unused)} have moment arms of more than {1e3 * _REAL_ARM:g} mm on "
                f"{dof.name}, but are not in its <mtuNameSet>.",
                why="Their moments are left out, and other MTUs have to make up for them.",
                to_do=f"Add them to the <mtuNameSet> of {dof.name}.",
            )


def _check_unmapped_columns(inputs: Inputs) -> Iterator[Finding]:
    if inputs.generator is None:
        return
    for trial in inputs.trials:
        signals = trial.signals
        known = inputs.generator.input_signals
        extra = [name for name in signals.columns if name not in known] if signals else []
        if extra:
            yield Finding(
                severity="note",
                code="column-unused",
                where=trial.place(signals, listed(extra)),
                what=f"Columns that the excitation generator does not name: {listed(extra)}.",
                why="They are ignored.",
                to_do="Nothing, unless one of them is a muscle of the model.",
            )
            return  # the other trials have the same columns
