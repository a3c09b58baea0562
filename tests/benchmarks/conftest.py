"""Collects bench_*.py, but only for ``pytest tests/benchmarks --benchmark-only``."""

import pytest

from benchmarks.cases import SUBJECTS, read_case


def pytest_collect_file(file_path, parent):
    """Make a module of a benchmark; the normal test run times nothing."""
    if not parent.config.getoption("benchmark_only"):
        return None
    if file_path.match("bench_*.py"):
        return pytest.Module.from_parent(parent, path=file_path)
    return None


@pytest.fixture(scope="session", params=SUBJECTS)
def case(request):
    """A calibration to time: the shipped subject, and recorded data where there are some."""
    found = read_case(request.param)
    if found is None:
        pytest.skip(f"no data for {request.param}")
    return found
