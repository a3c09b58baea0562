"""Plans converted to CEINMS 0.9 and 0.21, and read back, have the same objective."""

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ceinms_torch as ct
from ceinms_torch.conversion.calibration import convert_calibration
from engine_cases import SMOOTH_SUBJECT, SMOOTH_TRIALS
from problem_cases import make_step, space_of

KINDS = ["shapeFactor", "optimalFibreLength", "strengthCoefficient"]
SEARCH = ct.SimulatedAnnealing(
    no_epsilon=4, rt=0.3, temperature=20.0, ns=3, nt=2, epsilon=1e-3, max_no_eval=600
)
DOFS, MTUS = SMOOTH_SUBJECT.dof_names, SMOOTH_SUBJECT.mtu_names
LENGTHS = ct.RangePenalty(quantity="normalisedFibreLength", range=(0.97, 1.01), weight=90.0)
STRAINS = ct.RangePenalty(quantity="tendonStrain", range=(0.001, 0.012), weight=3000.0)


def plan_of(*, tendon="stiff", algorithm=SEARCH, kinds=KINDS, dofs=DOFS, **objective):
    step = make_step(kinds, dofs=dofs, **objective)
    return ct.CalibrationPlan(algorithm=algorithm, tendon=ct.Tendon(kind=tendon), steps=(step,))


def composed(*composites, **changes):
    return plan_of(normalisation="rmse", composites=composites, **changes)


def components(plan):
    """Return what is calibrated, and the objective as a function of it."""
    (step,) = plan.steps
    space = space_of(SMOOTH_SUBJECT, step)
    tendon = {"equilibriumElastic": "rosenbrockElastic"}.get(plan.tendon.kind, plan.tendon.kind)
    problem = ct.FusedProblem(SMOOTH_SUBJECT, SMOOTH_TRIALS, step, space, tendon=tendon)
    return space.components, lambda x: problem.gradient(x)[0].objective


def assert_same_when_read_back(plan, version, folder):
    converted, lost = convert_calibration(plan, version, SMOOTH_SUBJECT)
    trial = folder / "trial.xml"
    converted = dataclasses.replace(converted, trial_files=(trial,))
    converted.write(folder / "converted.xml")
    again = ct.CalibrationPlan.read(folder / "converted.xml", must_exist=False)
    assert again.steps == converted.steps
    before, value = components(plan)
    after, other = components(again)
    assert [one.mtu_names for one in before] == [one.mtu_names for one in after]
    for seed in range(3):
        x = np.random.default_rng(seed).uniform(size=len(before))
        assert other(x) == pytest.approx(value(x), rel=1e-9, abs=1e-9)
    return again, lost


# ---- what can be said


@pytest.mark.parametrize("tendon", ["stiff", "rosenbrockElastic"])
@pytest.mark.parametrize("dofs", [DOFS, DOFS[:1]])
def test_published_objective_as_0_9(tmp_path, dofs, tendon):
    plan = composed(ct.TorqueError(), LENGTHS, dofs=dofs, tendon=tendon)
    again, lost = assert_same_when_read_back(plan, "0.9", tmp_path)
    (step,) = again.steps
    assert step.dofs == DOFS
    assert step.objective == ct.Objective(
        normalisation="rmse",
        fibre_length_range=(0.97, 1.01),
        fibre_length_weight=90.0,
        tendon_strain_weight=0.0,
    )
    assert any("CEINMS 0.9 itself refuses them" in one for one in lost)


@pytest.mark.parametrize("tendon", ["stiff", "rosenbrockElastic"])
@pytest.mark.parametrize("normalisation", ["rmse", "meanSquare"])
@pytest.mark.parametrize("dofs", [DOFS, DOFS[:1]])
def test_native_objective_as_0_21_and_back(tmp_path, dofs, normalisation, tendon):
    native = {
        "normalisation": normalisation,
        "fibre_length_range": (0.97, 1.01),
        "tendon_strain_range": (0.001, 0.012),
    }
    plan = plan_of(dofs=dofs, tendon=tendon, **native)
    later, lost = assert_same_when_read_back(plan, "0.21", tmp_path)
    assert later.steps[0].objective.composites
    assert any("tendonStrain" in one for one in lost) == (tendon != "stiff")
    back, _ = assert_same_when_read_back(later, "0.9", tmp_path)
    assert back.steps[0].objective.normalisation == normalisation


@settings(max_examples=25)
@given(
    weight=st.floats(0.1, 500.0),
    low=st.floats(0.8, 0.98),
    high=st.floats(1.0, 1.2),
    dofs=st.sampled_from([DOFS, DOFS[:1], DOFS[1:]]),
    targets=st.sampled_from([(), DOFS[:1], DOFS[1:]]),
    kinds=st.sets(st.sampled_from(KINDS), min_size=1),
    scope=st.sampled_from(["single", "global"]),
)
def test_any_that_0_9_can_say(tmp_path_factory, weight, low, high, dofs, targets, kinds, scope):
    penalty = dataclasses.replace(LENGTHS, weight=weight, range=(low, high))
    plan = composed(ct.TorqueError(targets=targets), penalty, dofs=dofs, kinds=sorted(kinds))
    specs = tuple(dataclasses.replace(one, scope=scope) for one in plan.steps[0].parameters)
    step = dataclasses.replace(plan.steps[0], parameters=specs)
    plan = dataclasses.replace(plan, steps=(step,))
    assert_same_when_read_back(plan, "0.9", tmp_path_factory.mktemp("converted"))


def test_what_is_said_already_stays():
    native = plan_of()
    assert convert_calibration(native, "0.9") == (native, ())
    later = composed(ct.TorqueError(), LENGTHS)
    assert convert_calibration(later, "0.21") == (later, ())


def test_what_is_not_carried_is_said():
    plan = plan_of(
        algorithm=ct.AdamW(),
        tendon="rosenbrockElastic",
        kinds=[*KINDS, "tendonStiffness"],
        normalisation="rmse",
    )
    converted, lost = convert_calibration(
        dataclasses.replace(plan, synergy_hybrid=ct.SynergyHybrid()), "0.9"
    )
    assert converted.tendon.kind == "equilibriumElastic"
    assert converted.algorithm.method == "annealing"
    assert converted.synergy_hybrid is None
    assert [spec.kind for spec in converted.steps[0].parameters] == KINDS
    said = " ".join(lost)
    for words in ("adamw", "rosenbrockElastic", "tendonStiffness", "synergyHybrid", "0.9 itself"):
        assert words in said


# ---- what cannot


@pytest.mark.parametrize(
    ("plan", "version", "got"),
    [
        (plan_of(), "0.21", "errors over the variance of moments"),
        (plan_of(normalisation="rmse", peak_force_weight=1.0), "0.21", "preferences"),
        (composed(ct.TorqueError(), ct.TorqueError(targets=DOFS[:1])), "0.9", "several moment"),
        (composed(ct.TorqueError(weight=2.0)), "0.9", "torqueErrorNormalised of weight 2"),
        (
            composed(ct.TorqueError(exponent=3.0)),
            "0.9",
            "torqueErrorNormalised of weight 1 and exponent 3",
        ),
        (composed(ct.TorqueError(normalised=False)), "0.9", "torqueError of weight 1"),
        (composed(ct.TorqueError(), LENGTHS, LENGTHS), "0.9", "several penalties on one"),
        (
            composed(ct.TorqueError(), dataclasses.replace(LENGTHS, targets=MTUS[:1])),
            "0.9",
            "a penalty on some MTUs",
        ),
        (
            composed(ct.TorqueError(), dataclasses.replace(LENGTHS, exponent=1.0)),
            "0.9",
            "a penalty on normalisedFibreLength with exponent 1",
        ),
        (
            composed(
                ct.TorqueError(),
                ct.RangePenalty(quantity="normalisedFibreVelocity", range=(-1.0, 1.0)),
            ),
            "0.9",
            "a penalty on normalisedFibreVelocity with exponent 2",
        ),
    ],
)
def test_another_objective_is_refused(plan, version, got):
    message = re.escape(f"an objective that a file for {version} can say, got {got}")
    with pytest.raises(ct.OptionError, match=message):
        convert_calibration(plan, version, SMOOTH_SUBJECT)


def test_all_needs_a_subject():
    with pytest.raises(ct.OptionError, match="expected DOFs by name, got all"):
        convert_calibration(composed(ct.TorqueError()), "0.9")
