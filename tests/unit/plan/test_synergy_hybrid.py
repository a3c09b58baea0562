"""The element synergyHybrid of calibration.xml."""

import dataclasses
import re

import pytest

import ceinms_torch as ct
from helpers import edit

OPTIONS = ct.SynergyHybrid(
    n_synergy=2,
    excitation_weight=50.0,
    synthesised_weight=0.25,
    bounds_weight=10.0,
    weightings="trial",
    primitive_rate=40.0,
    synthesise=("soleus_r", "gasmed_r"),
)


@pytest.fixture
def path(tiny_folder):
    return tiny_folder / "calibration.xml"


def test_without_the_element_nothing_is_synthesised(path):
    assert ct.CalibrationPlan.read(path).synergy_hybrid is None


def test_an_empty_element_means_the_defaults(path):
    edit(path, "<openLoop/>", "<synergyHybrid/>")
    assert ct.CalibrationPlan.read(path).synergy_hybrid == ct.SynergyHybrid()


@pytest.mark.parametrize("options", [OPTIONS, ct.SynergyHybrid()], ids=["all", "defaults"])
def test_what_is_written_is_read(path, options):
    plan = dataclasses.replace(ct.CalibrationPlan.read(path), synergy_hybrid=options)
    plan.write(path.with_name("again.xml"))
    assert ct.CalibrationPlan.read(path.with_name("again.xml")).synergy_hybrid == options


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<nSynergy>0</nSynergy>", "nSynergy: expected a whole number >= 1, got 0"),
        ("<nSynergy>few</nSynergy>", "expected a whole number or auto, got 'few'"),
        ("<excitationWeight>0</excitationWeight>", "excitationWeight: expected a number > 0"),
        ("<synthesisedWeight>-1</synthesisedWeight>", "synthesisedWeight: expected a number >= 0"),
        ("<primitiveRate>0</primitiveRate>", "primitiveRate: expected a number > 0"),
        ("<weightings>some</weightings>", "expected one of shared, trial, got 'some'"),
    ],
)
def test_what_is_refused(path, content, message):
    edit(path, "<openLoop/>", f"<synergyHybrid>{content}</synergyHybrid>")
    with pytest.raises(ct.FileFormatError, match=re.escape(message)):
        ct.CalibrationPlan.read(path)
