"""What preferences of the objective change: fit, spread of parameters between starts, peak force.

    python tests/benchmarks/preferences.py CALIBRATE.xml --test trials/NAME/inputData.xml ...

calibrates by Levenberg-Marquardt from random starts, without preferences and with each of several
weights, and prints a row for each: mean and standard deviation over the starts. Muscle groups are
those of the calibration file's <muscleGroups>.
"""

import argparse
import dataclasses
import sys
from pathlib import Path

import numpy as np

import ceinms_torch as ct

COLUMNS = (
    "RMSE calibration [N m]",
    "RMSE test [N m]",
    "SD of parameters [ranges]",
    "at a bound",
    "SD in groups [%]",
    "peak force [N]",
    "time [s]",
)


def write(cells):
    """Write a row of a table."""
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


def groups_of(plan):
    """Return the groups of at least two muscles that share a parameter in the last step."""
    groups = [group for spec in plan.steps[-1].parameters for group in spec.groups]
    return tuple(dict.fromkeys(group for group in groups if len(group) > 1))


def cases(groups):
    """Yield a label and what it changes in the objective."""
    yield "none", {}
    for weight in (0.02, 0.2, 2.0):
        yield f"parameterPrior {weight:g}", {"parameter_prior_weight": weight}
    for weight in (0.1, 1.0):
        changes = {"group_coherence_weight": weight, "group_coherence_muscles": groups}
        yield f"groupCoherence {weight:g}", changes
    for weight in (1.0, 3.0):
        yield f"peakForce {weight:g}", {"peak_force_weight": weight}


def mean_rmse(trials, simulations):
    """Return the RMSE averaged over trials and DOFs [N m]."""
    fits = [ct.moment_fit(trial, simulations[trial.name]) for trial in trials]
    return np.mean([one.rmse for fit in fits for one in fit.values()])


def within_groups(result, groups):
    """Return the SD of relative changes of fibre and tendon lengths within groups [-]."""
    rows = [ct.PARAMETER_KINDS.index(k) for k in ("optimalFibreLength", "tendonSlackLength")]
    ratio = result.subject.parameters()[rows] / result.steps[0].space.subject.parameters()[rows]
    columns = [[result.subject.mtu_index(name) for name in group] for group in groups]
    return np.mean([ratio[:, some].std(axis=1, ddof=1) for some in columns])


def measure(folder, tests, changes, seeds, starts):
    """Return the row of a case: means and standard deviations as text."""
    numbers, points, groups = [], [], groups_of(folder.plan)
    for seed in seeds:
        objective = dataclasses.replace(folder.plan.steps[-1].objective, **changes)
        result = ct.calibrate(
            folder.subject,
            folder.trials,
            folder.plan,
            method="lm",
            objective=objective,
            start="random",
            starts=starts,
            seed=seed,
        )
        step = result.steps[-1]
        simulations = {
            one.name: ct.simulate(result.subject, one, tendon=result.tendon) for one in tests
        }
        forces = [one.mtu_force.array.sum(axis=1).max() for one in result.simulations.values()]
        at_bound = sum(map(bool, step.space.at_bound(step.x)))
        numbers.append(
            [
                mean_rmse(folder.trials, result.simulations),
                mean_rmse(tests, simulations),
                at_bound,
                100.0 * within_groups(result, groups),
                np.mean(forces),
                result.seconds,
            ]
        )
        points.append(step.x)
    mean, spread = np.mean(numbers, axis=0), np.std(numbers, axis=0, ddof=1)
    both = [f"{m:.2f} ± {s:.2f}" for m, s in zip(mean[:2], spread[:2], strict=True)]
    sd = np.std(points, axis=0, ddof=1).mean()
    rest = [
        f"{mean[2]:.0f} of {len(points[0])}",
        f"{mean[3]:.1f}",
        f"{mean[4]:.0f}",
        f"{mean[5]:.2f}",
    ]
    return [*both, f"{sd:.3f}", *rest]


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("setup", type=Path)
    parser.add_argument("--test", type=Path, action="append", required=True)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--starts", type=int, default=1, help="for every seed")
    arguments = parser.parse_args()
    folder = ct.CalibrationFolder.read(arguments.setup)
    tests = [folder.read_trial(path) for path in arguments.test]
    write(("preference", *COLUMNS))
    write(["---", *["---:" for _ in COLUMNS]])
    for label, changes in cases(groups_of(folder.plan)):
        row = measure(folder, tests, changes, range(1, arguments.seeds + 1), arguments.starts)
        write((label, *row))


if __name__ == "__main__":
    main()
