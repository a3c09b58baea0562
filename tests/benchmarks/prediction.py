"""How well calibrations predict trials kept apart: CEINMS 0.9, the files' recipe, the recommended.

    python tests/benchmarks/prediction.py                     # the shipped subjects
    CEINMS_TORCH_SHARED=FOLDER python tests/benchmarks/prediction.py --seeds 10 --annealing

prints a row for each: RMSE of test trials by DOF, share of parameters at bounds, delays, CPU time;
means over seeds, and for the files' recipe on the recorded leg in how many of the seeds every DOF
is below CEINMS. CEINMS's own results count where there are some; with --annealing its search runs
elsewhere, too, with --evaluations at most.
"""

import argparse
import dataclasses
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np

import ceinms_torch as ct
from ceinms_torch.model.activation_delay import activation_delay
from ceinms_torch.simulation.legacy.run import simulate_legacy

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.recordings import recordings

HEADER = ("data", "recipe", "test RMSE by DOF [N m]", "mean [N m]", "at bounds [%]")
DELAYS = ("longest filter delay [ms]", "emDelay [ms]", "starts", "CPU [s]")


def write(cells):
    """Write a row of a table."""
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


def errors(tests, simulate):
    """Return the RMSE of every DOF, averaged over trials [N m]."""
    fits = [ct.moment_fit(trial, simulate(trial)) for trial in tests]
    return np.array([np.mean([fit[dof].rmse for fit in fits]) for dof in fits[0]])


def legacy_simulation(subject, plan):
    """Return what simulates a trial as CEINMS 0.9 does."""
    return lambda trial: simulate_legacy(subject, trial, tendon=plan.tendon).simulation


def calibrated(recording, recipe, seed, starts):
    """Return errors, share at bounds, delays, starts and CPU time of a calibration."""
    begin = time.process_time()
    folder = recording.folder
    if recipe == "recommended":
        folder = folder.recommended(tests=recording.tests)
    result = ct.calibrate(folder, seed=seed, starts=starts)
    seconds = time.process_time() - begin
    return errors(recording.tests, result.simulate), [
        100.0 * np.mean([bool(one.at_bound) for one in result.parameters]),
        max(result.activation_delays.values()),
        1e3 * max(mtu.em_delay for mtu in result.subject.mtus),
        len(result.steps[-1].starts),
        seconds,
    ]


def row(name, recipe, found, others):
    """Write a row of means, with the spread of the mean error over seeds."""
    means = np.mean(found, axis=1)
    spread = f" ± {np.std(means, ddof=1):.2g}" if len(means) > 1 else ""
    by_dof = " / ".join(f"{one:.3g}" for one in np.mean(found, axis=0))
    cells = [f"{one:.3g}" for one in np.mean(others, axis=0)]
    write((name, recipe, by_dof, f"{means.mean():.3g}{spread}", *cells))


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--starts", type=int, help="in place of as many as help")
    parser.add_argument("--only", help="recordings whose name begins so")
    parser.add_argument("--annealing", action="store_true", help="search as CEINMS does, too")
    parser.add_argument("--evaluations", type=int, default=200_000, help="of it, at most")
    arguments = parser.parse_args()
    shared = Path(os.environ.get("CEINMS_TORCH_SHARED", Path(__file__).parents[3] / "shared"))
    warnings.simplefilter("ignore", ct.CeinmsTorchWarning)
    write((*HEADER, *DELAYS))
    write(["---"] * 3 + ["---:"] * (len(HEADER) + len(DELAYS) - 3))
    for recording in recordings(shared):
        if not recording.name.startswith(arguments.only or ""):
            continue
        ceinms = _of_ceinms(recording, arguments)
        for recipe in ("files", "recommended"):
            seeds = [
                calibrated(recording, recipe, seed, arguments.starts)
                for seed in range(arguments.seeds)
            ]
            found = [one for one, _ in seeds]
            row(recording.name, recipe, found, [other for _, other in seeds])
            if ceinms is not None:
                n = sum(bool((one < ceinms).all()) for one in found)
                sys.stdout.write(f"below CEINMS on every DOF: {n} of {len(found)} seeds\n")


def _of_ceinms(recording, arguments):
    """Write the row of CEINMS 0.9, if there is one, and return its errors."""
    folder, subject, seconds = recording.folder, recording.ceinms, float("nan")
    plan = folder.plan
    if subject is None:
        if not arguments.annealing or not folder.subject.curves:
            return None
        options = dataclasses.replace(plan.algorithm, max_no_eval=arguments.evaluations)
        begin = time.process_time()
        subject = ct.calibrate(folder, method="annealing", options=options).subject
        seconds = time.process_time() - begin
    found = errors(recording.tests, legacy_simulation(subject, plan))
    space = ct.ParameterSpace.of(folder.subject, plan.steps[-1], plan, check_start=False)
    step = float(np.median(np.diff(folder.trials[0].time)))
    others = [
        100.0 * np.mean([bool(one) for one in space.at_bound(space.point_of(subject))]),
        max(1e3 * activation_delay(mtu.c1, mtu.c2, step) for mtu in subject.mtus),
        1e3 * max(mtu.em_delay for mtu in subject.mtus),
        1,
        seconds,
    ]
    row(recording.name, "CEINMS 0.9", [found], [others])
    return found


if __name__ == "__main__":
    main()
