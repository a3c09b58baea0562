"""Files damaged at random, a few of them; ``python tests/fuzz/readers.py`` makes any number."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "fuzz"))

import readers


@pytest.mark.parametrize("reader", ["storage", "xml"])
def test_damaged_files_are_taken_or_refused(reader, capsys):
    assert readers.run_blind(reader, 60, seed=11) == 0, capsys.readouterr().out
