"""XML files of the synthetic gait subject, in the grammar of CEINMS 0.9 and ceinms-torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree as ET

from anatomy import (
    DOF_NAMES,
    MUSCLES,
    START_C1,
    START_C2,
    START_SHAPE_FACTOR,
    STRENGTH_GROUPS,
    Muscle,
    muscles_on,
)
from signals import BURSTS, CALIBRATION_WALKS

Element = ET.Element

# As in the subject of the CEINMS manual, whose curve points follow: in use as the default.
EM_DELAY = 0.015  # s
PERCENTAGE_CHANGE = 0.15
DAMPING = 0.1
CURVES = {
    "activeForceLength": (
        (
            "-5 0 0.401 0.402 0.4035 0.52725 0.62875 0.71875 0.86125 1.045 1.2175 1.43875 "
            "1.61875 1.62 1.621 2.2 5"
        ),
        "0 0 0 0 0 0.226667 0.636667 0.856667 0.95 0.993333 0.77 0.246667 0 0 0 0 0",
    ),
    "passiveForceLength": (
        "-5 0.998 0.999 1 1.1 1.2 1.3 1.4 1.5 1.6 1.601 1.602 5",
        "0 0 0 0 0.035 0.12 0.26 0.55 1.17 2 2 2 2",
    ),
    "forceVelocity": (
        "-10 -1 -0.6 -0.3 -0.1 0 0.1 0.3 0.6 0.8 10",
        "0 0 0.08 0.2 0.55 1 1.4 1.6 1.7 1.75 1.75",
    ),
    "tendonForceStrain": (
        (
            "-10 -0.002 -0.001 0 0.00131 0.00281 0.00431 0.00581 0.00731 0.00881 0.0103 0.0118 "
            "0.0123 9.2 9.201 9.202 20"
        ),
        "0 0 0 0 0.0108 0.0257 0.0435 0.0652 0.0915 0.123 0.161 0.208 0.227 345 345 345 345",
    ),
}

# Electrodes of each muscle with their weights; the others have an electrode of their own name.
SHARED_ELECTRODES = {
    "vasint_r": (("vaslat", 0.5), ("vasmed", 0.5)),  # too deep for a surface electrode
    "bfsh_r": (("bflh", 1.0),),
    "gaslat_r": (("gasmed", 1.0),),
}


def electrodes_of(muscle_name: str) -> tuple[tuple[str, float], ...]:
    """Electrodes that drive a muscle, each with its weight."""
    return SHARED_ELECTRODES.get(muscle_name, ((muscle_name.removesuffix("_r"), 1.0),))


def add(parent: Element, tag: str, text: object = None, **attributes: str) -> Element:
    """Append an element with a text and attributes to ``parent`` and return it."""
    child = ET.SubElement(parent, tag, attributes)
    if text is not None:
        child.text = str(text)
    return child


def write(path: Path, root: Element) -> None:
    """Write a document with two blanks of indentation, creating its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    path.write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n', encoding="utf-8")


def parameters(muscle: Muscle, *, true: bool) -> dict[str, float]:
    """Parameters of one MTU in the order of the grammar, hidden truth or generic start."""
    c1, c2, shape_factor = muscle.true_activation
    return {
        "c1": c1 if true else START_C1,
        "c2": c2 if true else START_C2,
        "shapeFactor": shape_factor if true else START_SHAPE_FACTOR,
        "optimalFibreLength": (
            muscle.true_optimal_fibre_length if true else muscle.optimal_fibre_length
        ),
        "pennationAngle": muscle.pennation_angle,
        "tendonSlackLength": (
            muscle.true_tendon_slack_length if true else muscle.tendon_slack_length
        ),
        "maxIsometricForce": muscle.max_isometric_force,
        "strengthCoefficient": muscle.true_strength if true else 1.0,
    }


def subject_document(*, true: bool) -> Element:
    """Make ``subject``: the true one, or the generic one that a calibration starts from."""
    root = Element("subject")
    default = add(root, "mtuDefault")
    add(default, "emDelay", EM_DELAY)
    add(default, "percentageChange", PERCENTAGE_CHANGE)
    add(default, "damping", DAMPING)
    for name, (x_points, y_points) in CURVES.items():
        curve = add(default, "curve")
        add(curve, "name", name)
        add(curve, "xPoints", x_points)
        add(curve, "yPoints", y_points)
    mtu_set = add(root, "mtuSet")
    for muscle in MUSCLES:
        mtu = add(mtu_set, "mtu")
        add(mtu, "name", muscle.name)
        for tag, value in parameters(muscle, true=true).items():
            add(mtu, tag, value)
    dof_set = add(root, "dofSet")
    for dof_name in DOF_NAMES:
        dof = add(dof_set, "dof")
        add(dof, "name", dof_name)
        add(dof, "mtuNameSet", " ".join(muscles_on(dof_name)))
    info = add(add(root, "calibrationInfo"), "uncalibrated")
    add(info, "subjectID", "gait")
    add(info, "additionalInfo", "synthetic; true parameters" if true else "synthetic; start values")
    return root


def excitation_generator_document() -> Element:
    """Make ``excitationGenerator``: electrodes to MTUs."""
    root = Element("excitationGenerator")
    add(root, "inputSignals", " ".join(BURSTS), type="EMG")
    mapping = add(root, "mapping")
    for muscle in MUSCLES:
        excitation = add(mapping, "excitation", id=muscle.name)
        for electrode, weight in electrodes_of(muscle.name):
            add(excitation, "input", electrode, weight=f"{weight:g}")
    return root


def _add_model(root: Element) -> None:
    """Append the open-loop Rosenbrock model, which calibration and execution share."""
    model = add(root, "NMSmodel")
    add(add(model, "type"), "openLoop")
    add(add(model, "tendon"), "rosenbrockElastic")
    add(add(model, "activation"), "exponential")


def calibration_document() -> Element:
    """Make ``calibration``: one step on all DOFs with the ranges of the CEINMS manual."""
    root = Element("calibration")
    add(add(root, "algorithm"), "levenbergMarquardt")
    _add_model(root)
    step = add(add(root, "calibrationSteps"), "step")
    add(step, "dofs", " ".join(DOF_NAMES))
    add(add(step, "objectiveFunction"), "minimizeTorqueError")
    parameter_set = add(step, "parameterSet")
    for name, groups, kind, bounds in (
        ("c1", (), "absolute", "-0.95 -0.05"),
        ("c2", (), "absolute", "-0.95 -0.05"),
        ("shapeFactor", (), "absolute", "-2.999 -0.001"),
        ("optimalFibreLength", (), "relativeToSubjectValue", "0.85 1.15"),
        ("tendonSlackLength", (), "relativeToSubjectValue", "0.85 1.15"),
        ("strengthCoefficient", STRENGTH_GROUPS, "absolute", "0.5 2.5"),
    ):
        parameter = add(parameter_set, "parameter")
        add(parameter, "name", name)
        scope = add(parameter, "muscleGroups" if groups else "single")
        for group in groups:
            add(scope, "muscles", " ".join(group))
        add(add(parameter, kind), "range", bounds)
    add(
        root,
        "trialSet",
        " ".join(f"trials/{walk.name}/inputData.xml" for walk in CALIBRATION_WALKS),
    )
    return root


def execution_document() -> Element:
    """Make ``execution``: the model of the calibration."""
    root = Element("execution")
    _add_model(root)
    add(root, "offline")
    return root


def calibration_setup_document() -> Element:
    """Make ``ceinmsCalibration``: which files a calibration takes, and where its result goes."""
    return _setup(
        "ceinmsCalibration",
        subjectFile="subjectUncalibrated.xml",
        excitationGeneratorFile="excitationGenerator.xml",
        calibrationFile="calibration.xml",
        outputSubjectFile="results/subjectCalibrated.xml",
    )


def run_setup_document(trial_name: str) -> Element:
    """Make ``ceinms``: run one trial with the calibrated subject."""
    return _setup(
        "ceinms",
        subjectFile="results/subjectCalibrated.xml",
        inputDataFile=f"trials/{trial_name}/inputData.xml",
        executionFile="execution.xml",
        excitationGeneratorFile="excitationGenerator.xml",
        outputDirectory=f"results/{trial_name}",
    )


def input_data_document(dof_names: Iterable[str]) -> Element:
    """Make ``inputData``: the files of one trial, all in its own folder."""
    root = Element("inputData")
    add(root, "muscleTendonLengthFile", "lmt.sto")
    add(root, "excitationsFile", "emg.mot")
    moment_arms = add(root, "momentArmsFiles")
    for dof_name in dof_names:
        add(moment_arms, "momentArmsFile", f"ma_{dof_name}.sto", dofName=dof_name)
    add(root, "externalTorquesFile", "id.sto")
    return root


def _setup(tag: str, **files: str) -> Element:
    """Make a document that is a flat list of file names."""
    root = Element(tag)
    for element, file in files.items():
        add(root, element, file)
    return root
