"""What readers raise and warn becomes findings with a place of their own."""

import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceinms_torch.errors import CeinmsTorchWarning, DataError, FileFormatError, location, wording
from ceinms_torch.inputs.checks.attempts import Attempts

WORDS = st.text("abcdefghij0123456789", min_size=1, max_size=12)


def raised(error):
    def function():
        raise error

    findings = []
    assert Attempts(findings)("code", "trial1", function) is None
    (finding,) = findings
    return finding


@given(line=st.none() | st.integers(1, 999), element=st.none() | WORDS, got=WORDS, hint=WORDS)
def test_messages_are_taken_apart(line, element, got, hint):
    path = Path(__file__)
    hint = f"Use {hint}."
    message = wording(location(path, line, element), "a number", got, hint)
    finding = raised(DataError(message))
    assert finding.code == "code"
    assert (finding.where.file, finding.where.line) == (path, line)
    assert finding.where.element == element
    assert finding.what == f"expected a number, got {got}."
    assert finding.to_do == hint
    assert finding.line() == message


def test_faults_of_files_bring_their_own_code():
    error = FileFormatError("a.sto", line=3, element="x", expected="1", got="2", code="some-code")
    finding = raised(error)
    assert finding.code == "some-code"
    assert finding.line().startswith(str(error))
    assert finding.where.trial == "trial1"


def test_other_errors_are_not_hidden():
    with pytest.raises(ZeroDivisionError):
        Attempts([])("code", None, lambda: 1 / 0)


def test_warnings_are_kept_and_results_returned():
    def function():
        warnings.warn(CeinmsTorchWarning(f"{__file__}:7: <x>: odd.", "emg-slow"), stacklevel=2)
        return 5

    findings = []
    assert Attempts(findings)("code", None, function) == 5
    (finding,) = findings
    assert (finding.severity, finding.code, finding.where.line) == ("warning", "emg-slow", 7)
    assert finding.source == f"{__file__}:7: <x>: odd."
