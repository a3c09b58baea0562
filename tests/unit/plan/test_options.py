"""Options: defaults, checks and the way to and from XML names."""

import dataclasses
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from lxml import etree

import ceinms_torch.io
from ceinms_torch.errors import OptionError
from ceinms_torch.model.nms_model import SimulatedAnnealing
from ceinms_torch.plan.objective import Objective
from ceinms_torch.plan.options import OPTIMISERS, AdamW, MethodName


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("learning_rate", 0.0, "learningRate: expected a number > 0, got 0.0"),
        ("learning_rate", float("nan"), "learningRate: expected a number > 0, got nan"),
        ("learning_rate", "0.1", "learningRate: expected a number > 0, got '0.1'"),
        ("learning_rate_decay", 1.5, "learningRateDecay: expected a number above 0 to 1, got 1.5"),
        ("min_learning_rate", -1e-9, "minLearningRate: expected a number >= 0"),
        ("max_iterations", 0, "maxIterations: expected a whole number >= 1, got 0"),
        ("max_iterations", 10.0, "maxIterations: expected a whole number >= 1, got 10.0"),
        ("patience", True, "patience: expected a whole number >= 1, got True"),
        ("min_improvement", -0.1, "minImprovement: expected a number >= 0"),
        ("weight_decay", float("inf"), "weightDecay: expected a number >= 0, got inf"),
    ],
)
def test_adamw_refuses(name, value, message):
    with pytest.raises(OptionError, match=f"^{message}"):
        AdamW(**{name: value})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"normalisation": "Variance"}, r"got 'Variance'. Did you mean 'variance'\?"),
        ({"fibre_length_range": (1.5, 0.5)}, "low below high, got 1.5 and 0.5"),
        ({"fibre_length_range": (-0.5, 0.5)}, "fibreLengthPenalty range: expected a number >= 0"),
        ({"fibre_length_range": (0.5,)}, "two numbers, low and high, got 1"),
        ({"tendon_strain_range": (0.0, float("inf"))}, "tendonStrainPenalty range"),
        ({"tendon_strain_weight": -1.0}, "tendonStrainPenalty weight: expected a number >= 0"),
    ],
)
def test_objective_refuses(changes, message):
    with pytest.raises(OptionError, match=message):
        Objective(**changes)


@pytest.mark.parametrize(("tag", "kind"), OPTIMISERS.items())
def test_every_setting_is_an_element_of_the_schema(tag, kind):
    schema = Path(ceinms_torch.io.__file__).parent / "schemas" / "calibration.xsd"
    xs = "{http://www.w3.org/2001/XMLSchema}"
    (element,) = etree.parse(schema).iterfind(f".//{xs}element[@name='{tag}']")
    assert [child.get("name") for child in element.iterfind(f".//{xs}element")] == list(
        kind().to_dict()
    )
    assert list(kind().to_dict().values()) == list(dataclasses.asdict(kind()).values())


def test_every_method_has_its_name():
    kinds = (*OPTIMISERS.values(), SimulatedAnnealing)
    assert [kind.method for kind in kinds] == list(get_args(MethodName))


def test_adamw_by_xml_names():
    options = AdamW(learning_rate=0.1, patience=3)
    assert options.to_dict()["learningRate"] == 0.1
    assert AdamW.from_dict(options.to_dict()) == options
    assert AdamW.from_dict({"patience": 3}) == AdamW(patience=3)
    assert AdamW(learning_rate=np.float64(0.1)).learning_rate == 0.1
    with pytest.raises(OptionError, match=r"'learning_rate'. Did you mean 'learningRate'\?"):
        AdamW.from_dict({"learning_rate": 0.1})


def test_objective_by_xml_names():
    objective = Objective(normalisation="rmse", fibre_length_range=(0.6, 1.4))
    assert Objective.from_dict(objective.to_dict()) == objective
    partial = Objective.from_dict({"tendonStrainPenalty": {"weight": 5.0}})
    assert partial == Objective(tendon_strain_weight=5.0)
    with pytest.raises(OptionError, match="one of range, weight, got 'factor'"):
        Objective.from_dict({"tendonStrainPenalty": {"factor": 5.0}})


def test_options_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        AdamW().patience = 5
