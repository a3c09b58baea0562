"""cpp/EQUATIONS.md: every file, function and test it names exists."""

import re
from pathlib import Path

import pytest

from document_tables import FILE, check_cell, without_comments

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENT = REPOSITORY / "cpp" / "EQUATIONS.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
# Where files named in each column are.
WHERE_FOLDERS = [
    REPOSITORY / "cpp" / "include" / "ceinms_torch",
    REPOSITORY / "cpp" / "src",
    REPOSITORY / "python" / "ceinms_torch",
]
TEST_FOLDERS = [REPOSITORY / "tests"]


def rows():
    """Return the rows of the tables of equations: equation, where, tests, departure."""
    lines = [line for line in TEXT.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if len(row) == 4 and row[0] != "Eq." and set(row[0]) != {"-"}]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_named_functions_and_tests_exist(row):
    _, where, tests, _ = row
    check_cell(where, WHERE_FOLDERS)
    check_cell(tests, TEST_FOLDERS)


def test_every_equation_has_a_row():
    equations = " ".join(row[0] for row in rows())
    expected = ["(1)", "(2)", "(3)", "(4)", "(5)", "(A1)-(A4)", "(A5)", "(A6)"]
    expected += ["C.1", "C.2", "C.3", "C.4", "C.5", "C.8", "D.2", "D.3"]
    assert [name for name in expected if name not in equations] == []


def test_what_is_implemented_is_tested():
    assert [equation for equation, where, tests, _ in rows() if "`" in where and not tests] == []


def test_every_name_in_the_text_exists():
    prose = "\n".join(line for line in TEXT.splitlines() if not line.startswith("| Eq."))
    sources = [
        path
        for folder in ("cpp", "python", "tests")
        for path in (REPOSITORY / folder).rglob("*")
        if path.suffix in {".hpp", ".cpp", ".py", ".xsd"}
    ]
    known = set()
    for path in sources:
        known |= set(re.findall(r"\w+", without_comments(path)))
    names = {word for code in re.findall(r"`([^`]+)`", prose) for word in re.findall(r"\w+", code)}
    files = {part for code in re.findall(FILE, prose) for part in re.split(r"[/.]", code)}
    assert sorted(names - known - files - {"tests", "cpp", "include", "src", "python"}) == []


def test_links_within_the_document_lead_somewhere():
    headings = re.findall(r"^#+ (.+)$", TEXT, flags=re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings}
    links = re.findall(r"\]\(#([^)]+)\)", TEXT)
    assert links
    assert [link for link in links if link not in anchors] == []


def test_figures_quoted_from_a_test_are_those_of_the_test():
    """The bounds that the document says the Rosenbrock test holds the step to."""
    test = (REPOSITORY / "tests" / "cpp" / "test_rosenbrock.cpp").read_text(encoding="utf-8")
    assert "holds the full term to 0.3 % at 10 ms" in TEXT
    assert "errors[0] <= 0.003" in test
    assert "less than a third of the error without it" in " ".join(TEXT.split())
    assert "printed > 3.0 * error" in test
