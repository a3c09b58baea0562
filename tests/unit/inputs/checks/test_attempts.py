"""What readers raise and warn becomes findings with a place of their own."""

import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceinms_torch.errors import CeinmsTorchWarning, DataError, FileFormatError, Place
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
def test_findings_have_the_parts_of_the_error(line, element, got, hint):
    # Whatever the words are: a path with a colon, or "got" inside of what was expected.
    place = Place(Path("C: expected/got.xml"), line, element)
    error = DataError(where=place, expected="a, got b", got=got, hint=f"use {hint}")
    finding = raised(error)
    assert finding.code == "code"
    assert finding.where == replace(place, trial="trial1")
    assert finding.what == f"expected a, got b, got {got}."
    assert finding.to_do == f"Use {hint}."
    assert finding.line() == str(error)


def test_faults_of_files_bring_their_own_code():
    place = Place(Path("a.sto"), 3, "x")
    error = FileFormatError(where=place, expected="1", got="2", code="some-code")
    finding = raised(error)
    assert finding.code == "some-code"
    assert finding.line().startswith(str(error))
    assert finding.where.trial == "trial1"


def test_other_errors_are_not_hidden():
    with pytest.raises(ZeroDivisionError):
        Attempts([])("code", None, lambda: 1 / 0)


def test_warnings_are_kept_and_results_returned():
    def function():
        place = Place(Path("a.xml"), 7, "<x>")
        warnings.warn(CeinmsTorchWarning("odd.", "emg-slow", place), stacklevel=2)
        return 5

    findings = []
    assert Attempts(findings)("code", None, function) == 5
    (finding,) = findings
    assert (finding.severity, finding.code) == ("warning", "emg-slow")
    assert finding.where == Place(Path("a.xml"), 7, "<x>")
    assert (finding.what, finding.source) == ("odd.", "a.xml:7: <x>: odd.")
