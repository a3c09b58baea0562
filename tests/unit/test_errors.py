"""The wording of messages, and errors between processes."""

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
    error = errors.FileFormatError("f.xml", expected="a number", got="'x'", **given)
    assert str(error) == message


def test_every_error_is_one_of_ours_and_a_value_error():
    for kind in (errors.FileFormatError, errors.DataError, errors.OptionError):
        assert issubclass(kind, errors.CeinmsTorchError)
        assert issubclass(kind, ValueError)


def test_file_errors_survive_pickling():
    error = errors.FileFormatError("f.xml", line=2, element="e", expected="a", got="b", hint="c")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes
    assert str(copy) == str(error)
    assert (copy.path, copy.line, copy.hint) == (Path("f.xml"), 2, "c")


def test_nearest_ignores_case_and_refuses_what_is_far():
    assert errors.nearest("optimalfiberlength", ["damping", "optimalFibreLength"]) == (
        "optimalFibreLength"
    )
    assert errors.nearest("opensimModelFile", ["damping", "c1"]) is None
    assert errors.did_you_mean("x", []) is None


def test_location_without_a_file():
    assert errors.location(None, 3, "mapping") == "mapping"
