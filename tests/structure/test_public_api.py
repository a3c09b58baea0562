"""The names users see: they resolve, are described, and are listed alike everywhere."""

import ast
import inspect
from pathlib import Path

import pytest

import ceinms_torch

INIT = Path(ceinms_torch.__file__)
CONSTANTS = {"PARAMETER_KINDS"}  # a tuple cannot have a docstring
MODULES = set(ceinms_torch._MODULES)
CALLABLES = sorted(set(ceinms_torch.__all__) - CONSTANTS - MODULES)


def names_for_type_checkers():
    """Return name -> module of the imports under ``if TYPE_CHECKING``."""
    tree = ast.parse(INIT.read_text(encoding="utf-8"))
    block = next(
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    return {alias.asname or alias.name: node.module for node in block.body for alias in node.names}


@pytest.mark.parametrize("name", ceinms_torch.__all__)
def test_name_resolves_and_is_described(name):
    value = getattr(ceinms_torch, name)
    if name not in CONSTANTS:
        assert inspect.isclass(value) or inspect.isfunction(value) or name in MODULES
        assert value.__doc__, f"{name} has no docstring"
        assert value.__doc__.strip().splitlines()[0].endswith((".", "?")), value.__doc__


@pytest.mark.parametrize("name", CALLABLES)
def test_name_is_defined_where_it_is_taken_from(name):
    assert getattr(ceinms_torch, name).__module__ == names_for_type_checkers()[name]


def test_all_lists_agree():
    homes = {
        name: f"ceinms_torch.{home}"
        for home, names in ceinms_torch._HOMES.items()
        for name in names
    } | dict.fromkeys(MODULES, "ceinms_torch")
    assert homes == names_for_type_checkers()
    assert sorted(homes) == sorted(ceinms_torch.__all__)
    assert dir(ceinms_torch) == sorted(ceinms_torch.__all__)
    assert len(set(ceinms_torch.__all__)) == len(ceinms_torch.__all__)


def test_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'calibrat'"):
        ceinms_torch.calibrat  # noqa: B018


@pytest.mark.parametrize("name", CALLABLES)
def test_parameters_are_described(name):
    value = getattr(ceinms_torch, name)
    if inspect.isclass(value) and issubclass(value, Exception):
        return
    described = inspect.getdoc(value)
    for parameter in inspect.signature(value).parameters.values():
        assert parameter.name in described, f"{name} does not describe {parameter.name}"
