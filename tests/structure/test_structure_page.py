"""python/STRUCTURE.md: the rooms it draws and the functions its roads pass are there."""

import ast
import re
from pathlib import Path

import pytest

from document_tables import check_cell

REPOSITORY = Path(__file__).resolve().parents[2]
ROOMS = ast.literal_eval(
    re.search(
        r"^ROOMS = (\(.*?^\))",
        (REPOSITORY / "tests" / "structure" / "test_layers.py").read_text(encoding="utf-8"),
        flags=re.MULTILINE | re.DOTALL,
    )[1]
)
TEXT = (REPOSITORY / "python" / "STRUCTURE.md").read_text(encoding="utf-8")
FOLDERS = [
    REPOSITORY / "cpp" / "include" / "ceinms_torch",
    REPOSITORY / "cpp" / "src",
    REPOSITORY / "python" / "ceinms_torch",
]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if line.startswith("|") and "`" in line
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_places_on_the_roads_exist(row):
    check_cell(row[1], FOLDERS)


def test_rooms_are_drawn_in_their_order():
    drawn = re.search(r"```\n(cli .*?)```", TEXT, flags=re.DOTALL)[1]
    rows = [tuple(re.split(r" {2,}", line)[0].split(", ")) for line in drawn.splitlines()]
    assert [set(row) for row in reversed(rows)] == [set(row) for row in ROOMS]
