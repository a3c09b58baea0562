"""Run all benchmarks and write one JSON: ``python tests/benchmarks/run.py --out FILE.json``."""

import argparse
import datetime as dt
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).resolve().parent
# Instruction sets that matter to the fused engine.
FLAGS = ("sse2", "avx", "avx2", "fma", "avx512f", "avx512dq", "avx512vl")
PACKAGES = ("ceinms-torch", "numpy", "scipy", "torch", "pytest-benchmark")
# What a process does of which the peak memory is measured, on the shipped subject.
MEMORY = {
    "import": "import ceinms_torch",
    "lm": "calibrate()",
    "32 starts": "calibrate(starts=32, threads=2)",
    "adamw on the tensor engine": (
        "calibrate(engine='tensor', options=ct.AdamW(max_iterations=3))"
    ),
}
_CHILD = """
import resource, sys
import ceinms_torch as ct
def calibrate(**options):
    folder = ct.CalibrationFolder.read("subjects/gait/calibrate.xml")
    ct.calibrate(folder.subject, folder.trials, folder.plan, **options)
{action}
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
sys.stdout.write(str(peak / (1024.0 if sys.platform == "linux" else 1024.0**2)))
"""


def machine():
    """Describe the processor by its name and what matters of its features, no more."""
    info = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = dict(
            (part.strip() for part in line.split(":", 1))
            for line in cpuinfo.read_text(encoding="utf-8").splitlines()
            if ":" in line
        )
        info["processor"] = lines.get("model name", info["processor"])
        info["family"] = f"{lines.get('cpu family', '?')}/{lines.get('model', '?')}"
        info["flags"] = [flag for flag in FLAGS if flag in lines.get("flags", "").split()]
    info["system"] = f"{platform.system()} {platform.machine()}"
    return info


def commit():
    """Return the commit, with ``+`` for changes that are not part of it."""
    git = ["git", "-C", str(REPOSITORY)]
    name = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, check=False)
    state = subprocess.run([*git, "status", "--porcelain"], capture_output=True, check=False)
    return name.stdout.decode().strip() + ("+" if state.stdout.strip() else "")


def versions():
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    compiler = subprocess.run(["c++", "--version"], capture_output=True, check=True)  # noqa: S607
    return found | {
        "python": platform.python_version(),
        "compiler": compiler.stdout.decode().splitlines()[0],
    }


def cpp_programs(build):
    """Build the C++ benchmarks and return what they print, by program."""
    configure = ["cmake", "-S", REPOSITORY, "-B", build, "-DCMAKE_BUILD_TYPE=Release"]
    switches = ["-DCEINMS_TORCH_BUILD_PYTHON=OFF", "-DCEINMS_TORCH_BUILD_BENCHMARKS=ON"]
    subprocess.run([*configure, *switches], check=True, stdout=sys.stderr)
    subprocess.run(["cmake", "--build", build, "-j2"], check=True, stdout=sys.stderr)  # noqa: S607
    programs = sorted(path.stem for path in FOLDER.glob("bench_*.cpp"))
    results = {}
    for name in programs:
        path = build / "tests" / "benchmarks" / name
        output = subprocess.run([path], check=True, stdout=subprocess.PIPE).stdout
        results[name] = json.loads(output)
    return results


def python_benchmarks():
    """Run the pytest files and return seconds and what else they found."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.json"
        subprocess.run(
            [
                *(sys.executable, "-m", "pytest", FOLDER, "-q", "--benchmark-only"),
                *("--benchmark-quiet", f"--benchmark-json={path}"),
            ],
            cwd=REPOSITORY,
            check=True,
            stdout=sys.stderr,
        )
        report = json.loads(path.read_text(encoding="utf-8"))
    figures = {}
    for one in report["benchmarks"]:
        stats = {key: one["stats"][key] for key in ("min", "median", "max", "rounds")}
        name = one["name"].split("[")[0].removeprefix("test_")
        figures.setdefault(name, []).append(one["extra_info"] | {"time": stats})
    return figures


def peak_memory():
    """Return the peak resident set [MiB] of some processes."""
    peaks = {}
    for name, action in MEMORY.items():
        code = _CHILD.format(action=action)
        child = subprocess.run(
            [sys.executable, "-c", code], cwd=REPOSITORY, check=True, stdout=subprocess.PIPE
        )
        peaks[name] = float(child.stdout)
    return peaks


def rounded(value):
    """Return the same with numbers to five digits, which no timing deserves more of."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the JSON to write")
    build = REPOSITORY / "build" / "benchmarks"
    parser.add_argument("--build", type=Path, default=build, help="folder of the C++ build")
    arguments = parser.parse_args()
    result = {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "commit": commit(),
        "machine": machine(),
        "versions": versions(),
        "cpp": cpp_programs(arguments.build),
        "python": python_benchmarks(),
        "peak_memory_mib": peak_memory(),
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(rounded(result), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
