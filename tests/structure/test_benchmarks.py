"""The tables beside the benchmarks are those of the committed figures."""

import json
from pathlib import Path

from benchmarks import table

RESULTS = Path(table.__file__).parent / "results"


def test_page_shows_the_committed_figures():
    (path,) = RESULTS.glob("*.json")
    text = table.PAGE.read_text(encoding="utf-8")
    result = json.loads(path.read_text(encoding="utf-8"))
    hint = f"run python tests/benchmarks/table.py {path.relative_to(table.REPOSITORY)}"
    assert table.replaced(text, result) == text, hint


def test_figures_name_no_machine_but_its_processor():
    (path,) = RESULTS.glob("*.json")
    machine = json.loads(path.read_text(encoding="utf-8"))["machine"]
    assert set(machine) == {"processor", "family", "cores", "flags", "system"}


def test_normal_run_collects_no_benchmark():
    names = {path.name for path in Path(table.__file__).parent.glob("*.py")}
    assert "bench_calibration.py" in names
    assert not [name for name in names if name.startswith("test_")]
