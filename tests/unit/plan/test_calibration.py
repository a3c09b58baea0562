"""Calibration plans: what is read, what is refused, and round trips."""

import dataclasses
import re
from pathlib import Path

import pytest

from ceinms_torch.errors import CeinmsTorchWarning, DataError, FileFormatError, OptionError
from ceinms_torch.model.nms_model import SimulatedAnnealing, Tendon
from ceinms_torch.model.subject import Subject
from ceinms_torch.plan.calibration import CalibrationPlan, CalibrationStep, ParameterSpec
from ceinms_torch.plan.objective import Objective
from ceinms_torch.plan.options import AdamW, Lbfgs, LevenbergMarquardt
from helpers import edit, line_with, write_tiny_folder


@pytest.fixture
def path(tiny_folder):
    return tiny_folder / "calibration.xml"


def fault(path):
    with pytest.raises(FileFormatError) as caught:
        CalibrationPlan.read(path)
    return caught.value


def test_ceinms_plan(path):
    plan = CalibrationPlan.read(path)
    assert plan.algorithm == SimulatedAnnealing(
        no_epsilon=2, rt=0.3, temperature=20.0, ns=2, nt=2, epsilon=1e-3, max_no_eval=100
    )
    assert plan.tendon == Tendon(kind="stiff")
    assert plan.activation == "exponential"
    assert plan.trial_files == tuple(
        path.parent / trial / "inputData.xml" for trial in ("trial1", "trial2")
    )
    (step,) = plan.steps
    assert step.dofs == ("knee_angle_r", "ankle_angle_r")
    assert step.objective == Objective()
    assert [spec.kind for spec in step.parameters] == [
        "c1",
        "c2",
        "shapeFactor",
        "optimalFibreLength",
        "tendonSlackLength",
        "strengthCoefficient",
    ]
    c1, strength = step.parameters[0], step.parameters[-1]
    assert (c1.scope, c1.groups, c1.range_type) == ("single", (), "absolute")
    assert (c1.low, c1.high) == (-0.95, -0.05)
    assert c1.line == line_with(path, "<parameter>")
    assert strength.scope == "muscleGroups"
    assert strength.groups == (("soleus_r", "gasmed_r"), ("recfem_r",))
    assert step.parameters[3].range_type == "relativeToSubjectValue"


def test_variant_of_the_annealing(path, tmp_path):
    edit(path, "</maxNoEval>", "</maxNoEval><variant>modern</variant>")
    plan = CalibrationPlan.read(path)
    assert plan.algorithm.variant == "modern"
    plan.write(tmp_path / "again.xml")
    assert CalibrationPlan.read(tmp_path / "again.xml").algorithm == plan.algorithm
    # CEINMS itself reads what asks for its own.
    own = dataclasses.replace(plan, algorithm=dataclasses.replace(plan.algorithm, variant="ceinms"))
    own.write(tmp_path / "own.xml")
    assert "variant" not in (tmp_path / "own.xml").read_text()
    edit(path, ">modern<", ">moden<")
    assert "variant: expected one of ceinms, modern, got 'moden'" in str(fault(path))
    with pytest.raises(OptionError, match="Did you mean 'modern'"):
        SimulatedAnnealing.from_dict(plan.algorithm.to_dict() | {"variant": "modem"})


def test_listed_single_values_are_groups_of_one(path):
    edit(path, "<single/>", "<single>soleus_r\n recfem_r</single>")
    assert CalibrationPlan.read(path).steps[0].parameters[0].groups == (
        ("soleus_r",),
        ("recfem_r",),
    )


def test_own_elements(tmp_path):
    adamw = "<adamW><learningRate>0.05</learningRate><patience>10</patience></adamW>"
    tendon = "<rosenbrockElastic/>"
    folder = write_tiny_folder(tmp_path / "tiny", algorithm=adamw, tendon=tendon)
    path = folder / "calibration.xml"
    edit(
        path,
        "<minimizeTorqueError/>",
        "<minimizeTorqueError><normalisation>rmse</normalisation><tendonStrainPenalty>"
        "<range>0 0.1</range><weight>50</weight></tendonStrainPenalty></minimizeTorqueError>",
    )
    plan = CalibrationPlan.read(path)
    assert plan.algorithm == AdamW(learning_rate=0.05, patience=10)
    assert plan.tendon.kind == "rosenbrockElastic"
    assert plan.steps[0].objective == Objective(
        normalisation="rmse", tendon_strain_range=(0.0, 0.1), tendon_strain_weight=50.0
    )


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        ("<levenbergMarquardt/>", LevenbergMarquardt()),
        (
            (
                "<levenbergMarquardt><maxIterations>9</maxIterations><damping>0.5</damping>"
                "</levenbergMarquardt>"
            ),
            LevenbergMarquardt(max_iterations=9, damping=0.5),
        ),
        ("<lbfgs><memory>5</memory></lbfgs>", Lbfgs(memory=5)),
    ],
)
def test_other_optimisers_are_read_and_written(tmp_path, xml, expected):
    folder = write_tiny_folder(tmp_path / "tiny", algorithm=xml)
    plan = CalibrationPlan.read(folder / "calibration.xml")
    assert plan.algorithm == expected
    plan.write(folder / "again.xml")
    assert CalibrationPlan.read(folder / "again.xml").algorithm == expected


@pytest.mark.parametrize("kind", ["stiff", "equilibriumElastic", "integrationElastic"])
def test_tendons(tmp_path, kind):
    tendon = f"<{kind}><tolerance>1e-8</tolerance></{kind}>"
    folder = write_tiny_folder(tmp_path / "tiny", tendon=tendon)
    plan = CalibrationPlan.read(folder / "calibration.xml")
    assert plan.tendon == Tendon(kind=kind, tolerance=1e-8)


@pytest.mark.parametrize(
    ("old", "new", "marker", "message"),
    [
        ("-0.95 -0.05", "-0.05 -0.95", "-0.05 -", "got -0.05 and -0.95. The bounds are inverted"),
        ("0.9 1.1", "1.1 0.9", "1.1 0.9", "a low and a higher bound, got 1.1 and 0.9"),
        (
            "<name>c2<",
            "<name>C2<",
            "<name>C2",
            r"<name>: expected one of c1, .*'C2'. Did you mean 'c2'\?",
        ),
        ("0.5 2.5", "0.5", ">0.5<", "<range>: expected two numbers, low and high, got 1"),
        ("0.5 2.5", "0.5 1 2.5", "0.5 1", "two numbers, low and high, got 3"),
        ("0.5 2.5", "0.5 INF", "INF", "a finite number, got 'INF'"),
        ("<NS>2<", "<NS>0<", "<sim", "their ranges, got 'NS: expected a whole number >= 1, got 0"),
        ("<muscles>recfem_r<", "<muscles><", "<muscles><", "expected at least one MTU, got none"),
        ("knee_angle_r ankle_angle_r", "", "<dofs>", "<dofs>: expected at least one DOF, got none"),
        ("trial2/input", "trial3/input", "trialSet", "trial3/inputData.xml', which is missing"),
        ("trial1/inputData.xml trial2/inputData.xml", "", "trialSet", "at least one inputData"),
    ],
)
def test_faults_name_their_line(path, old, new, marker, message):
    edit(path, old, new)
    error = fault(path)
    assert re.search(message, str(error)), str(error)
    assert error.where.line == line_with(path, marker)


def test_settings_outside_their_range(tmp_path):
    folder = write_tiny_folder(tmp_path / "tiny", algorithm="<adamW><patience>0</patience></adamW>")
    error = fault(folder / "calibration.xml")
    assert error.where.element == "<adamW>"
    assert "patience: expected a whole number >= 1, got 0" in error.got


def test_second_parameter_of_a_kind_is_ignored(path):
    edit(path, "<name>c2<", "<name>c1<")
    edit(path, "<range>-0.95 -0.05<", "<range>-0.9 -0.1<")
    lines = [line_with(path, "<parameter>", i) for i in (1, 2)]
    with pytest.warns(CeinmsTorchWarning, match=rf":{lines[1]}: .*already \(line {lines[0]}\)"):
        plan = CalibrationPlan.read(path)
    kinds = [spec.kind for spec in plan.steps[0].parameters]
    assert kinds.count("c1") == 1
    assert plan.steps[0].parameters[0].low == -0.9


@pytest.mark.parametrize(
    ("old", "new", "marker", "message"),
    [
        (
            "<muscles>recfem_r<",
            "<muscles>rectfem_r<",
            6,
            "names of MTUs.*'rectfem_r'. Did you mean",
        ),
        (
            "<single/>",
            "<single>tibant_r</single>",
            1,
            "'tibant_r'. The subject has soleus_r, gasmed_r",
        ),
        (
            "<dofs>knee_angle_r",
            "<dofs>hip_angle_r",
            0,
            "names of DOFs of the subject, got 'hip_angle",
        ),
    ],
)
def test_names_that_the_subject_lacks(path, old, new, marker, message):
    subject = Subject.read(path.parent / "subject.xml")
    CalibrationPlan.read(path).check_names(subject)
    edit(path, old, new)
    line = line_with(path, "<parameter>", marker) if marker else line_with(path, "<step>")
    with pytest.raises(DataError, match=rf"{path}:{line}: .*{message}"):
        CalibrationPlan.read(path).check_names(subject)


def test_invalid_specs_cannot_be_made():
    with pytest.raises(OptionError, match="a low and a higher bound, got 2 and 1"):
        ParameterSpec(kind="c1", low=2.0, high=1.0)
    with pytest.raises(OptionError, match="a low and a higher bound"):
        ParameterSpec(kind="c1", low=float("nan"), high=1.0)
    with pytest.raises(
        OptionError, match=r"'optimalFiberLength'. Did you mean 'optimalFibreLength'\?"
    ):
        ParameterSpec(kind="optimalFiberLength", low=0.0, high=1.0)
    with pytest.raises(OptionError, match="tendon: expected one of"):
        Tendon(kind="elastic")


def test_round_trip(tmp_path):
    (tmp_path / "trial.xml").write_text("<inputData/>")
    spec = ParameterSpec(kind="c1", low=-1 / 3, high=-0.1, groups=(("a",), ("b",)))
    shared = ParameterSpec(
        kind="tendonSlackLength",
        scope="muscleGroups",
        groups=(("a", "b"), ("c",)),
        range_type="relativeToSubjectValue",
        low=0.9,
        high=1.1,
    )
    both = ParameterSpec(kind="damping", scope="global", low=0.0, high=0.2)
    plan = CalibrationPlan(
        algorithm=AdamW(max_iterations=7, weight_decay=0.1),
        tendon=Tendon(kind="equilibriumElastic", tolerance=1e-9),
        activation="piecewise",
        steps=(
            CalibrationStep(dofs=("d", "e"), parameters=(spec, shared)),
            CalibrationStep(
                dofs=("e",),
                objective=Objective(normalisation="meanSquare", fibre_length_weight=1 / 7),
                parameters=(both,),
            ),
        ),
        trial_files=(tmp_path / "trial.xml",),
        path=tmp_path / "plan.xml",
    )
    plan.write(tmp_path / "plan.xml")
    assert CalibrationPlan.read(tmp_path / "plan.xml") == plan


def test_round_trip_of_a_ceinms_plan_stays_plain(path):
    plan = CalibrationPlan.read(path)
    copy = path.parent / "copy.xml"
    plan.write(copy)
    assert dataclasses.replace(CalibrationPlan.read(copy), path=path) == plan
    assert "<minimizeTorqueError/>" in copy.read_text()


def test_trial_names_with_blanks_cannot_be_written(tmp_path):
    plan = CalibrationPlan(
        algorithm=AdamW(),
        tendon=Tendon(kind="stiff"),
        steps=(),
        trial_files=(Path("my trial.xml"),),
    )
    with pytest.raises(OptionError, match="file names without blanks"):
        plan.write(tmp_path / "plan.xml")


def test_reference_plans(shared_dir):
    files = [
        *shared_dir.rglob("golden/calibration_*.xml"),
        *shared_dir.rglob("ceinms/calibration_*.xml"),
    ]
    assert len(files) >= 4
    for file in files:
        plan = CalibrationPlan.read(file)
        assert isinstance(plan.algorithm, SimulatedAnnealing)
        assert all(spec.low < spec.high for step in plan.steps for spec in step.parameters)
