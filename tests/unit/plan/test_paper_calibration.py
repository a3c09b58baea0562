"""Calibration files of the paper's calibrator become plans, and say what differs."""

import dataclasses

import pytest

import ceinms_torch as ct
from helpers import DOF_NAMES, MTU_NAMES, edit
from paper_files import DECAY, write_paper_calibration


@pytest.fixture
def read(tmp_path):
    """Return a function that writes such a file and reads it."""

    def write_and_read(**changes):
        path = write_paper_calibration(tmp_path / "paper.xml", ["trial1/inputData.xml"], **changes)
        return ct.CalibrationPlan.read(path, must_exist=False)

    return write_and_read


def test_its_settings_are_those_of_the_plan(read):
    plan = read()
    assert plan.algorithm == ct.AdamW(
        learning_rate=0.02,
        learning_rate_decay=0.99,
        min_learning_rate=1e-4,
        max_iterations=1000,
        min_improvement=0.1,
        improvement="absolute",
        patience=20,
        decay_when="always",
    )
    assert plan.tendon == ct.Tendon(kind="rosenbrockElastic")
    assert plan.synergy_hybrid is None
    assert [one.name for one in plan.trial_files[0].parents[:1]] == ["trial1"]
    (step,) = plan.steps
    assert step.objective.composites == (
        ct.TorqueError(),
        ct.RangePenalty(quantity="normalisedFibreLength", range=(0.5, 1.5), weight=100.0),
        ct.RangePenalty(quantity="tendonStrain", range=(0.0, 0.5), weight=1000.0),
    )
    found = {one.kind: (one.range_type, one.low, one.high) for one in step.parameters}
    relative = "relativeToSubjectValue"
    assert found == {
        "c1": ("absolute", -0.95, -0.05),
        "c2": ("absolute", -0.95, -0.05),
        "shapeFactor": ("absolute", -2.999, -0.001),
        "optimalFibreLength": (relative, 0.9, 1.1),
        "tendonSlackLength": (relative, 0.95, 1.05),
        "strengthCoefficient": (relative, 0.5, 3.5),
    }


def test_all_are_those_of_the_subject(read, tiny_folder):
    plan = read(groups=[MTU_NAMES[:2]])
    subject = ct.Subject.read(tiny_folder / "subject.xml")
    (step,) = plan.of_subject(subject).steps
    assert step.dofs == DOF_NAMES
    plan.of_subject(subject).check_names(subject)
    assert step.parameters[-1].groups == (MTU_NAMES[:2],)
    assert step.parameters[-1].scope == "muscleGroups"


@pytest.mark.parametrize(
    "muscles",
    [
        f"<muscles>{' '.join(MTU_NAMES[:2])}</muscles>",
        f"<muscles>{', '.join(MTU_NAMES[:2])}</muscles>",
        f"<muscles><muscle>{MTU_NAMES[0]}</muscle>\n<muscle name='{MTU_NAMES[1]}'/></muscles>",
    ],
)
def test_layouts_of_muscles(read, tmp_path, muscles):
    wanted = tuple((name,) for name in MTU_NAMES[:2])
    assert read(muscles=muscles).steps[0].parameters[0].groups == wanted
    path = tmp_path / "paper.xml"
    edit(path, muscles, "")
    edit(path, "<calibrationTargets>", f"<calibrationTargets>{muscles}")
    plan = ct.CalibrationPlan.read(path, must_exist=False)
    assert plan.steps[0].parameters[0].groups == wanted
    edit(path, muscles, "")
    plan = ct.CalibrationPlan.read(path, must_exist=False)
    assert plan.steps[0].parameters[0].groups == ()


@pytest.mark.parametrize(
    ("tendon", "kind"),
    [
        ("", "stiff"),
        ("<tendon>stiff</tendon>", "stiff"),
        ("<tendon><stiff/></tendon>", "stiff"),
        ("<tendon><elastic/></tendon>", "rosenbrockElastic"),
    ],
)
def test_tendons(read, tendon, kind):
    plan = read(tendon=tendon)
    assert plan.tendon.kind == kind
    no_effect = [one for one in plan.differences if "the tendon is stiff" in one]
    assert len(no_effect) == (kind == "stiff")


def test_hybrid_calibration_is_the_synergy_hybrid(read):
    plan = read(hybrid=True, synergies=3)
    assert plan.synergy_hybrid == ct.SynergyHybrid(
        n_synergy=3, excitation_weight=100.0, synthesised_weight=1.0, bounds_weight=1000.0
    )
    assert any("synergies: eq. (5)" in one for one in plan.differences)
    assert not any("no effect: hybrid" in one for one in plan.differences)


def test_every_difference_is_said(read, tmp_path):
    plain = read().differences
    for words in (
        "minImprovement of 0.1",
        "learning rate",
        "weight decay",
        "sum over DOFs of RMSE",
    ):
        assert sum(words in one for one in plain) == 1
    assert [one for one in plain if "hybridCalibration is not true" in one] != []
    path = tmp_path / "paper.xml"
    edit(path, "<name>MomentError</name>", "<name>MomentError</name><!-- squared -->")
    edit(path, "<exponent>1</exponent>", "<exponent>2</exponent>")
    edit(path, DECAY, "")
    plan = ct.CalibrationPlan.read(path, must_exist=False)
    assert any("an exponent of 2" in one for one in plan.differences)
    assert plan.algorithm.learning_rate_decay == 1.0
    assert plan.steps[0].objective.torque_errors == (ct.TorqueError(exponent=2.0),)


def test_written_as_a_file_of_ours_it_is_the_same_plan(read, tmp_path):
    plan = read(hybrid=True, groups=[MTU_NAMES[:2]])
    plan.write(tmp_path / "ours.xml")
    again = ct.CalibrationPlan.read(tmp_path / "ours.xml", must_exist=False)
    same = dataclasses.replace(plan, path=again.path)
    assert again == same
    assert again.differences == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name="c1"', 'name="c3"', r"<parameter>: expected one of c1, .*got 'c3'"),
        ("-0.95 -0.05", "-0.95", r"<parameter>: expected two numbers, low and high, got 1"),
        ("<name>MomentError</name>", "<name>TorqueError</name>", "got 'TorqueError'"),
        ("<tendon>elastic</tendon>", "<tendon>rigid</tendon>", "expected one of stiff, elastic"),
        (">normalisedFibreLength<", ">fibreLength<", "expected one of normalisedFibreLength"),
        ("<hybridCalibration>true<", "<hybridCalibration>yes<", "expected true or false"),
        ("<range>0 1</range>", "<range>0 2</range>", "expected 0 1, the range of excitations"),
        ("<learningRate>0.02<", "<learningRate>0<", "learningRate: expected a number > 0"),
        ("<muscles>all</muscles>", "<muscles> </muscles>", "expected names of MTUs, or all"),
        ("<mseWeight>100</mseWeight>", "", "expected <mseWeight> inside <objectiveFunction>"),
        ("<patience>20</patience>", "", "expected <patience> inside <earlyStopping>"),
    ],
)
def test_faults_have_a_place(read, tmp_path, old, new, message):
    read(hybrid=True)
    path = tmp_path / "paper.xml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ct.FileFormatError, match=rf"paper\.xml:\d+: .*{message}"):
        ct.CalibrationPlan.read(path, must_exist=False)
