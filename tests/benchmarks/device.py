"""The tensor engine on a GPU: ``python tests/benchmarks/device.py --out FILE.json``.

Runs what tests the engine on another device, compares gradients with the fused engine's, and takes
the time of AdamW at 1, 32 and 1,000 trajectories (trials of the shipped gait subject) there and on
the CPU: about five minutes in all. It needs this repository, the installed package and pytest.
``--device cpu --seconds 2`` shows what it does without a GPU.
"""

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from cases import read_case
from run import REPOSITORY, commit, machine, rounded, versions

import ceinms_torch as ct
from ceinms_torch.calibration.problems.tensor import TensorProblem
from ceinms_torch.simulation.engine import tensor_device

TESTS = ("core/test_devices.py", "core/test_stepping.py")
TESTS_LIMIT = 120.0  # s
N_TRAJECTORY = (1, 32, 1000)
MAX_ITERATIONS = 300


def engine_tests():
    """Run the tests, on CUDA where there is one, and return how they ended."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    began = time.perf_counter()
    try:
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *(f"tests/{name}" for name in TESTS)],
            cwd=REPOSITORY,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=TESTS_LIMIT,
        )
    except subprocess.TimeoutExpired:
        return {"passed": False, "says": f"not through after {TESTS_LIMIT:.0f} s"}
    return {
        "passed": run.returncode == 0,
        "says": (run.stdout.strip() or run.stderr.strip()).splitlines()[-1],
        "seconds": time.perf_counter() - began,
    }


def adamw(case, trials, device, seconds):
    """Return the time of an evaluation with its gradient, and where AdamW is at the end."""
    step = case.folder.plan.steps[0]
    arguments = (case.folder.subject, trials, step, case.space)
    problem = TensorProblem(*arguments, tendon="rosenbrockElastic", device=device)
    start = case.space.start()
    _, gradient = problem.gradient(start)  # sets the device up
    _, expected = case.problem(trials=trials).gradient(start)
    wall, processor = time.perf_counter(), time.process_time()

    def stop_in_time(_iterate):
        if time.perf_counter() - wall > seconds:
            raise KeyboardInterrupt

    options = ct.AdamW(max_iterations=MAX_ITERATIONS, min_improvement=0.0)
    minimum = ct.minimise(problem, start, options, stop_in_time)
    return {
        "device": device,
        "trajectories": len(trials),
        "gradient_error": float(np.abs(gradient - expected).max() / np.abs(expected).max()),
        "evaluations": minimum.evaluations,
        "milliseconds": 1e3 * (time.perf_counter() - wall) / minimum.evaluations,
        "processor_milliseconds": 1e3 * (time.process_time() - processor) / minimum.evaluations,
        "objective": minimum.objective,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="the JSON to write")
    parser.add_argument("--device", default="cuda", help="as torch spells it")
    parser.add_argument("--seconds", type=float, default=25.0, help="for AdamW, each time")
    arguments = parser.parse_args()
    case = read_case("gait")
    name = str(tensor_device(arguments.device))
    gpu = torch.cuda.get_device_name(name) if name.startswith("cuda") else None
    result = {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "commit": commit(),
        "machine": machine() | {"gpu": gpu},
        "versions": versions(),
        "tests": engine_tests(),
        "adamw": [],
    }
    print(f"tests: {result['tests']['says']}")  # noqa: T201
    for number in N_TRAJECTORY:
        trials = case.repeated_trials(number)
        for device in dict.fromkeys((name, "cpu")):
            row = adamw(case, trials, device, arguments.seconds)
            result["adamw"].append(row)
            print(  # noqa: T201
                f"{number} trajectories on {device}: {row['milliseconds']:.1f} ms a gradient, "
                f"{row['gradient_error']:.0e} from the fused engine's; {row['evaluations']} taken",
                flush=True,
            )
    if arguments.out:
        arguments.out.write_text(json.dumps(rounded(result), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
