"""python/CEINMS.md: every quirk has a row, and every test in a row exists."""

import re
from pathlib import Path

import pytest

from document_tables import check_cell

REPOSITORY = Path(__file__).resolve().parents[2]
TEXT = (REPOSITORY / "python" / "CEINMS.md").read_text(encoding="utf-8")
N_QUIRK = 37  # of reference section F


def rows():
    """Return the rows of the table of quirks: number, CEINMS, here, default engine, tests."""
    lines = [line for line in TEXT.splitlines() if re.match(r"\| F\d+ \|", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_quirk_has_a_row():
    assert [row[0] for row in rows()] == [f"F{number}" for number in range(1, N_QUIRK + 1)]
    assert [row[0] for row in rows() if len(row) != 5 or not all(row)] == []


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_tests_of_a_quirk_exist(row):
    check_cell(row[4], [REPOSITORY / "tests"])
    names = re.findall(r"`(test_\w+)`(?!\.)", row[4])
    assert names or '"' in row[4], "a file alone shows nothing"


def test_tests_that_say_which_quirk_they_show_are_in_its_row():
    source = (REPOSITORY / "tests" / "core" / "test_quirks.py").read_text(encoding="utf-8")
    shown = re.findall(r'def (test_\w+)\([^)]*\):\n    """F(\d+)\.', source)
    assert len(shown) > 10
    tests = {row[0]: row[4] for row in rows()}
    assert [name for name, number in shown if f"`{name}`" not in tests[f"F{number}"]] == []
