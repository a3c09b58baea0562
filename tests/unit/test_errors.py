"""The wording of messages, and errors between processes."""

import copy
import pickle
from pathlib import Path

import pytest

from ceinms_torch import errors


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"line": 3, "element": "<c1>", "hint": "use a point"},
            "f.xml:3: <c1>: expected a number, got 'x'. Use a point.",
        ),
        ({"line": 3}, "f.xml:3: expected a number, got 'x'."),
        ({"hint": "Did you mean 'y'?"}, "f.xml: expected a number, got 'x'. Did you mean 'y'?"),
    ],
)
def test_wording(given, message):
    hint = given.pop("hint", None)
    where = errors.Place(Path("f.xml"), **given)
    error = errors.FileFormatError(where=where, expected="a number", got="'x'", hint=hint)
    assert str(error) == message


def test_every_error_is_one_of_ours_and_a_value_error():
    for kind in (errors.FileFormatError, errors.DataError, errors.OptionError):
        assert issubclass(kind, errors.CeinmsTorchError)
        assert issubclass(kind, ValueError)


@pytest.mark.parametrize("copied", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])  # noqa: S301  our own bytes
@pytest.mark.parametrize("kind", [errors.FileFormatError, errors.DataError, errors.OptionError])
def test_errors_survive_copies_and_pickling(kind, copied):
    place = errors.Place(Path("f.xml"), 2, "e", trial="t")
    error = kind(where=place, expected="a", got="b", hint="c", code="d")
    twin = copied(error)
    assert type(twin) is kind
    assert str(twin) == str(error) == "f.xml:2: e: expected a, got b. C."
    assert (twin.where, twin.expected, twin.got, twin.hint) == (place, "a", "b", "C.")
    assert twin.code == "d"


def test_warnings_survive_pickling():
    warning = errors.CeinmsTorchWarning("odd.", "some-code", errors.Place(Path("f.xml"), 2))
    twin = pickle.loads(pickle.dumps(warning))  # noqa: S301  our own bytes
    assert str(twin) == "f.xml:2: odd."
    assert (twin.what, twin.code, twin.where) == ("odd.", "some-code", warning.where)


def test_the_caller_may_know_more_of_the_place():
    error = errors.OptionError(where="tendon", expected="a", got="b")
    assert str(error.within(file=Path("f.xml"))) == "f.xml: tendon: expected a, got b."
    assert str(error.within(trial="t")) == "trial t: tendon: expected a, got b."
    assert isinstance(error.within(trial="t"), errors.OptionError)


def test_nearest_ignores_case_and_refuses_what_is_far():
    assert errors.nearest("optimalfiberlength", ["damping", "optimalFibreLength"]) == (
        "optimalFibreLength"
    )
    assert errors.nearest("opensimModelFile", ["damping", "c1"]) is None
    assert errors.did_you_mean("x", []) is None


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"line": 3, "element": "mapping"}, "mapping"),
        ({"file": Path("f.sto"), "line": 3, "element": "row", "column": "x"}, "f.sto:3: row, x"),
        ({"file": Path("f.sto"), "column": "x, y", "trial": "t"}, "f.sto"),
        ({"trial": "t"}, "trial t"),
        ({"trial": "t, u", "element": "e"}, "trials t, u: e"),
        ({}, ""),
    ],
)
def test_places_are_named_by_what_is_known(parts, text):
    assert str(errors.Place(**parts)) == text
