"""The recommended recipe: what it overrides, what it leaves, and that it says so."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ceinms_torch as ct
from ceinms_torch.errors import DataError, OptionError
from ceinms_torch.model.activation_delay import activation_delay
from ceinms_torch.plan.calibration import ParameterSpec
from ceinms_torch.plan.composites import TorqueError
from ceinms_torch.plan.objective import Objective
from helpers import write_tiny_folder

KINDS = ("c1", "c2", "shapeFactor", "optimalFibreLength", "tendonSlackLength", "emDelay")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = write_tiny_folder(tmp_path_factory.mktemp("tiny"))
    return ct.CalibrationFolder.read(path / "calibrationSetup.xml")


def at_rate(trial, rate):
    """Return a trial at another rate: only its times count here."""
    time = trial.time[0] + np.arange(len(trial.time)) / rate
    shift = trial.time[0] - trial.excitation_time[0]
    emg = time[0] - shift + np.arange(len(trial.excitation_time)) / rate
    emg = np.linspace(emg[0], max(emg[-1], time[-1]), len(emg))
    return dataclasses.replace(trial, time=time, excitation_time=emg)


def specs(plan):
    return {spec.kind: spec for step in plan.steps for spec in step.parameters}


@settings(max_examples=60, deadline=None)
@given(rate=st.floats(20.0, 4000.0))
def test_filters_are_10_to_100_ms_late_at_any_rate(folder, rate):
    plan = folder.plan
    step = dataclasses.replace(
        plan.steps[0],
        parameters=tuple(ParameterSpec(kind=kind, low=-0.95, high=-0.05) for kind in ("c1", "c2")),
    )
    trials = [at_rate(folder.trials[0], rate)]
    found = specs(dataclasses.replace(plan, steps=(step,)).recommended(folder.subject, trials))
    ends = zip(*(found[kind].bounds(-0.5, 1.0 / rate) for kind in ("c1", "c2")), strict=True)
    delays = [activation_delay(c1, c2, 1.0 / rate) for c1, c2 in ends]
    assert delays == pytest.approx([0.1, 0.01], rel=1e-9)


@given(lead=st.floats(0.0, 0.3), tail=st.floats(-0.1, 0.1))
def test_delay_stays_within_the_emg(folder, lead, tail):
    trial = folder.trials[0]
    emg = np.linspace(trial.time[0] - lead, trial.time[-1] + tail, len(trial.excitation_time))
    trial = dataclasses.replace(trial, excitation_time=emg)
    plan = folder.plan.recommended(folder.subject, [folder.trials[1], trial])
    found = specs(plan).get("emDelay")
    told = next(one for one in plan.overrides if one.what == "emDelay")
    if found is None:
        assert min(lead, 0.1) <= max(0.01, -tail) + 2e-6
        assert told.recipe == "as the subject has it"
        return
    assert 0.01 <= found.low < found.high <= 0.1
    assert found.high <= lead + 1e-8
    assert found.low >= -tail - 1e-8
    assert found.scope == "global"
    assert f"{found.high:g}" in told.recipe


def test_what_is_overridden_and_what_stays(folder):
    before, after = folder.plan, folder.plan.recommended(folder.subject, folder.trials)
    old, new = specs(before), specs(after)
    assert set(new) == set(old) | {"emDelay"}
    for kind, spec in old.items():
        assert (new[kind].scope, new[kind].groups) == (spec.scope, spec.groups) or kind == "emDelay"
    for kind in {"optimalFibreLength", "tendonSlackLength"} & set(old):
        assert (new[kind].low, new[kind].high) == (0.75, 1.25)
        assert new[kind].range_type == "relativeToSubjectValue"
    for kind in {"shapeFactor", "strengthCoefficient"} & set(old):
        assert new[kind] == old[kind]
    objective = after.steps[0].objective
    assert objective.variance_floor == 0.25
    assert objective.parameter_prior_weight > 0.0
    assert after.tendon == before.tendon
    assert after.algorithm == ct.LevenbergMarquardt()
    said = {one.what for one in after.overrides}
    changed = {kind for kind in old if new[kind] != old[kind] and kind != "emDelay"}
    assert {f"range of {kind}" for kind in changed} <= said
    assert {"emDelay", "varianceFloor", "parameterPrior"} <= said
    assert all(" instead of " in str(one) for one in after.overrides)


def test_recommended_twice_overrides_nothing_more(folder):
    once = folder.plan.recommended(folder.subject, folder.trials)
    twice = once.recommended(folder.subject, folder.trials)
    assert twice.steps == once.steps
    assert {one.what for one in twice.overrides[len(once.overrides) :]} <= {"emDelay"}


def test_preferences_stay_and_composites_go(folder):
    names = folder.subject.mtu_names
    step = folder.plan.steps[0]

    def recommended(objective):
        plan = dataclasses.replace(
            folder.plan, steps=(dataclasses.replace(step, objective=objective),)
        )
        return plan.recommended(folder.subject, folder.trials)

    preferred = Objective(
        normalisation="rmse", group_coherence_weight=0.3, group_coherence_muscles=(names[:2],)
    )
    found = recommended(preferred).steps[0].objective
    assert found.group_coherence_muscles == (names[:2],)
    assert found.normalisation == "variance"
    dof = folder.subject.dof_names[0]
    plan = recommended(Objective(normalisation="rmse", composites=(TorqueError(targets=(dof,)),)))
    assert plan.steps[0].objective.composites == ()
    assert plan.steps[0].dofs == (dof,)
    assert any(one.what == "objective" for one in plan.overrides)


def test_late_filters_that_are_not_calibrated_are(folder):
    subject = folder.subject.with_parameters(folder.subject.parameters())
    late = dataclasses.replace(
        subject, mtus=tuple(dataclasses.replace(mtu, c1=-0.95, c2=-0.95) for mtu in subject.mtus)
    )
    step = dataclasses.replace(
        folder.plan.steps[0], parameters=(ParameterSpec(kind="shapeFactor", low=-3.0, high=0.0),)
    )
    plan = dataclasses.replace(folder.plan, steps=(step,))
    assert {"c1", "c2"} <= set(specs(plan.recommended(late, folder.trials)))
    assert not {"c1", "c2"} & set(specs(plan.recommended(subject, folder.trials)))


def test_without_trials_there_is_no_rate(folder):
    with pytest.raises(DataError, match="at least one trial"):
        folder.plan.recommended(folder.subject, [])


@pytest.mark.parametrize("curves", ["file", "degroote", "millard"])
def test_result_keeps_what_was_overridden(folder, tmp_path, curves):
    chosen = folder.recommended(curves=curves)
    is_told = any(one.what == "curves" for one in chosen.plan.overrides)
    assert is_told == (curves != "file")
    result = ct.calibrate(chosen, options=ct.LevenbergMarquardt(max_iterations=5), starts=1)
    result.save(tmp_path)
    loaded = ct.load_result(tmp_path)
    assert loaded.plan.overrides == chosen.plan.overrides
    assert dict(loaded.subject.curves) == dict(chosen.subject.curves)


def test_written_and_read_it_is_the_same_plan(folder, tmp_path):
    chosen = folder.recommended()
    chosen.plan.write(tmp_path / "calibration.xml")
    assert ct.CalibrationPlan.read(tmp_path / "calibration.xml").steps == chosen.plan.steps


def test_unknown_curves_are_refused(folder):
    with pytest.raises(OptionError, match="curves"):
        folder.with_curves("hill")
