"""What is written down in C++ and in Python is the same in both."""

import dataclasses
import inspect
import re
from pathlib import Path

import pytest
from lxml import etree

from ceinms_torch import (
    AdamW,
    Lbfgs,
    LevenbergMarquardt,
    SynergyHybrid,
    _kernel,
    simulate,
)
from ceinms_torch.calibration.result import STATUS_SENTENCES
from ceinms_torch.io.grammar import SCHEMAS
from ceinms_torch.model.parameters import PARAMETERS
from ceinms_torch.model.subject import Mtu
from ceinms_torch.model.trial_files import TIME_TOLERANCE
from ceinms_torch.simulation.simulate import engine_tendon

XS = "{http://www.w3.org/2001/XMLSchema}"
CPP = Path(__file__).resolve().parents[2] / "cpp"


def without_comments(path):
    return re.sub(r"//.*", "", path.read_text(encoding="utf-8"))


TEXTS = [without_comments(path) for path in sorted((CPP / "include").rglob("*.hpp"))]


def headers_with(declaration):
    """Return the texts of the headers that have a declaration."""
    texts = [text for text in TEXTS if re.search(rf"\b{declaration}\b\s*[:{{=]", text)]
    assert texts, f"no header has {declaration}"
    return texts


def header_with(declaration):
    """Return the text of the one header that has a declaration."""
    (text,) = headers_with(declaration)
    return text


def body(text, start):
    """Return what is between the braces that follow `start`."""
    begin = text.index("{", text.index(start)) + 1
    depth, end = 1, begin
    while depth:
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        end += 1
    return text[begin : end - 1]


def enumerators(text, name):
    return [word for word in re.split(r"[\s,]+", body(text, f"enum class {name}")) if word]


def numbers_of(text, name):
    """Return member -> default of a struct of numbers, in order."""
    members = re.findall(r"(?:double|int)\s+(\w+)\s*=\s*([^;]+);", body(text, f"struct {name}"))
    return {member: float(value) for member, value in members}


# Python's defaults are the ones that count: bindings ask for every value.
def test_adamw_options():
    text = header_with("struct AdamWOptions")
    python = dataclasses.asdict(AdamW())
    assert python.pop("improvement") == "relative"
    assert python.pop("decay_when") == "stalled"
    assert "is_absolute = false" in body(text, "struct AdamWOptions")
    assert "decays_always = false" in body(text, "struct AdamWOptions")
    assert numbers_of(text, "AdamWOptions") == python


def test_levenberg_marquardt_options():
    text = header_with("struct LevenbergMarquardtOptions")
    assert numbers_of(text, "LevenbergMarquardtOptions") == dataclasses.asdict(LevenbergMarquardt())


@pytest.mark.parametrize("options", [AdamW, LevenbergMarquardt, Lbfgs, SynergyHybrid])
def test_names_in_the_xml_are_those_of_the_options(options):
    names = options().to_dict()
    attributes = [re.sub(r"[A-Z]", lambda m: "_" + m[0].lower(), name) for name in names]
    assert attributes == list(dataclasses.asdict(options()))
    assert list(names.values()) == list(dataclasses.asdict(options()).values())
    assert options.from_dict(names) == options()


def test_simulation_options():
    text = body(header_with("struct SimulationOptions"), "struct SimulationOptions")
    defaults = dict(re.findall(r"=\s*(\w+)::(\w+)", text))
    python = inspect.signature(simulate).parameters
    assert defaults["TendonModel"] == engine_tendon(python["tendon"].default)
    assert defaults["FilterStart"] == python["filter_start"].default


def test_parameters_are_one_list():
    fields = dataclasses.fields(Mtu)[1:]
    assert _kernel.parameter_kinds() == [kind.attribute for kind in PARAMETERS.values()]
    assert {field.name for field in fields} == set(_kernel.parameter_kinds())
    defaults = {field.name: field.default for field in fields}
    for kind in PARAMETERS.values():
        # An Mtu made in memory may leave out more than a file.
        if kind.default is not None:
            assert defaults[kind.attribute] == kind.default
            assert kind.default in kind.allowed


def test_parameters_are_those_of_the_grammar():
    tree = etree.parse(SCHEMAS / "subject.xsd")
    declared = {
        parent: {
            node.get("name"): node.get("minOccurs") != "0"
            for node in tree.iterfind(f".//{XS}element[@name='{parent}']/{XS}complexType/*/*")
        }
        for parent in ("mtu", "mtuDefault")
    }
    for kind in PARAMETERS.values():
        in_mtu, in_default = declared["mtu"].get(kind.name), declared["mtuDefault"].get(kind.name)
        # Some file, or the list, always has a value.
        assert in_mtu or in_default or (in_mtu is False and kind.default is not None)
        assert not (in_mtu and in_default)
    others = {"name", "activationScale", "curve"}
    assert declared["mtu"].keys() | declared["mtuDefault"].keys() == PARAMETERS.keys() | others


def test_every_status_has_a_sentence():
    statuses = set(enumerators(header_with("enum class Status"), "Status"))
    # To Python it says which of three rules found that the search has converged; this is the usual.
    assert statuses - {"converged_objective"} | {"converged"} == set(STATUS_SENTENCES)


def test_times_are_compared_alike():
    tolerance = re.search(r"time_tolerance\s*=\s*([^;]+);", header_with("double time_tolerance"))[1]
    assert float(tolerance) == TIME_TOLERANCE
