"""The names users see: they resolve, are described, and are listed alike everywhere."""

import ast
import inspect
from pathlib import Path

import pytest

import ceinms_torch

CONSTANTS = {"PARAMETER_KINDS"}  # a tuple cannot have a docstring
MODULES = {name for name, home in ceinms_torch._HOME_OF.items() if home == "ceinms_torch"}
CALLABLES = sorted(set(ceinms_torch.__all__) - CONSTANTS - MODULES)


@pytest.mark.parametrize("name", ceinms_torch.__all__)
def test_name_resolves_and_is_described(name):
    value = getattr(ceinms_torch, name)
    if name not in CONSTANTS:
        assert inspect.isclass(value) or inspect.isfunction(value) or name in MODULES
        assert value.__doc__, f"{name} has no docstring"
        assert value.__doc__.strip().splitlines()[0].endswith((".", "?")), value.__doc__


@pytest.mark.parametrize("name", CALLABLES)
def test_name_is_defined_where_it_is_taken_from(name):
    assert getattr(ceinms_torch, name).__module__ == ceinms_torch._HOME_OF[name]


def test_names_are_those_that_type_checkers_see():
    """Of the stub all names count, also those that `import X as Y` or an `if` would hide."""
    tree = ast.parse(Path(ceinms_torch.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    assert all(
        alias.name == alias.asname  # what a stub re-exports
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    )
    assert all(isinstance(node, (ast.Expr, ast.ImportFrom, ast.AnnAssign)) for node in tree.body)
    assert dir(ceinms_torch) == ceinms_torch.__all__ == sorted(set(ceinms_torch.__all__))


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
