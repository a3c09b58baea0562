"""What start values before a calibration are worth: the tables of ``python/CALIBRATION.md``.

A folder has one subject's recordings, and no other model that its MTU lengths could be compared
with. So generic models are invented, bigger than the subject: by 5 to 15 %, other for every MTU, in
the first frame, and up to ``--excursion`` more or less, other for every MTU and joint, in what the
joints change from there on. Fibres of a generic model work where those of the folder's subject file
do or, with ``--other-range``, of a subject whose two lengths per MTU are off by so much at random:
that people share operating ranges is the assumption of the method, which recordings of one cannot
test.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
import warnings

import numpy as np

import ceinms_torch as ct
from ceinms_torch.model.parameters import PARAMETER_KINDS
from ceinms_torch.preoptimisation.equilibrium import equilibria

LENGTHS = [PARAMETER_KINDS.index(kind) for kind in ("optimalFibreLength", "tendonSlackLength")]


def scaled_lengths(subject, factors):
    """Return a subject with both lengths of each MTU multiplied; factors (2, n_mtu) or (n_mtu,)."""
    values = subject.parameters()
    values[LENGTHS] *= factors
    return subject.with_parameters(values)


def changes_by_joint(lengths, arms):
    """Return what each joint changes of MTU lengths since the first frame (n_step, n_dof, n_mtu).

    Between frames every MTU changes by minus its moment arms times the changes of the angles, which
    are found by least squares over all MTUs.
    """
    middle = 0.5 * (arms[1:] + arms[:-1])
    changes = np.zeros_like(arms)
    for step, (arm, change) in enumerate(zip(middle, np.diff(lengths, axis=0), strict=True), 1):
        angles = np.linalg.lstsq(-arm.T, change, rcond=None)[0]
        changes[step] = changes[step - 1] - arm * angles[:, None]
    return changes


def generic_model(subject, lengths, changes, rng, *, excursion, other_range):
    """Return a bigger generic model of a subject, and its MTU lengths in the subject's poses."""
    _, n_dof, n_mtu = changes.shape
    size = rng.uniform(1.05, 1.15, n_mtu)
    more = rng.uniform(-excursion, excursion, (n_dof, n_mtu))
    generic_lengths = size * (lengths + (more * changes).sum(axis=1))
    alike = scaled_lengths(subject, 1.0 + rng.uniform(-other_range, other_range, (2, n_mtu)))
    return ct.preserve_operating_range(alike, lengths, generic_lengths).subject, generic_lengths


def starts_of(subject, lengths, changes, rng, **invented):
    """Return start values for the subject by how they are made, and the time it takes [s]."""
    generic, generic_lengths = generic_model(subject, lengths, changes, rng, **invented)
    one_pose = lengths[0] / generic_lengths[0]
    begun = time.process_time()
    found = ct.preserve_operating_range(generic, generic_lengths, lengths).subject
    seconds = time.process_time() - begun
    return {
        "generic, not scaled": generic,
        "generic, scaled by MTU length": scaled_lengths(generic, one_pose),
        "generic, pre-optimised": found,
    }, seconds


def range_error(subject, start, lengths):
    """Return how far fibres are from where the subject's work, RMS [optimal fibre lengths]."""
    expected, got = (equilibria(one, lengths).norm_fibre_length for one in (subject, start))
    return float(np.sqrt(np.mean((got - expected) ** 2)))


def mean_rmse(subject, trials, tendon):
    """Return the RMSE of every DOF [N m], mean over trials."""
    fit = {one.name: ct.moment_fit(one, ct.simulate(subject, one, tendon=tendon)) for one in trials}
    return [one.rmse for one in ct.mean_fit(fit).values()]


def figures(folder, start, tests):
    """Calibrate from a start; return RMSE before and after, objective, iterations and time."""
    before = mean_rmse(start, tests, folder.plan.tendon)
    result = ct.calibrate(start, folder.trials, folder.plan)
    calibration = mean_rmse(result.subject, folder.trials, folder.plan.tendon)
    test = mean_rmse(result.subject, tests, folder.plan.tendon)
    step = result.steps[-1]
    return [*before, *calibration, *test, step.objective, step.iterations, step.seconds]


def write(line):
    """Print a line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def row(name, measured, range_errors=()):
    """Print a row of the table: means and, over several models, standard deviations."""
    means, spread = np.mean(measured, axis=0), np.std(measured, axis=0, ddof=1)
    many = len(measured) > 1
    cells = [f"{np.mean(range_errors):.4f}" if len(range_errors) else ""]
    for i in (0, 3, 6):
        cells.append(" / ".join(f"{one:.1f}" for one in means[i : i + 3]))
        cells[-1] += f" ± {np.mean(spread[i : i + 3]):.1f}" if many else ""
    cells.append(f"{means[9]:.3f}" + (f" ± {spread[9]:.3f}" if many else ""))
    cells += [f"{means[10]:.0f}", f"{means[11]:.2f}"]
    write("| " + " | ".join([name, *cells]) + " |")


def main():
    """Print a table of calibrations from several starts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("setup", help="calibration setup file; three DOFs")
    parser.add_argument("--test", nargs="+", required=True, help="inputData.xml of test trials")
    parser.add_argument("--models", type=int, default=20, help="generic models to invent")
    parser.add_argument("--excursion", type=float, default=0.1, help="how much it may differ")
    parser.add_argument("--other-range", type=float, default=0.0, help="e.g. 0.05")
    parser.add_argument("--mass", type=float, help="forces from muscle volumes, too [kg]")
    parser.add_argument("--heights", type=float, nargs="+", default=(), help="[m]")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ct.CeinmsTorchWarning)

    folder = ct.CalibrationFolder.read(options.setup)
    plan = dataclasses.replace(folder.plan, algorithm=ct.LevenbergMarquardt())
    folder = dataclasses.replace(folder, plan=plan)
    subject = folder.subject
    tests = [ct.Trial.read(path, subject, folder.generator) for path in options.test]
    lengths = np.concatenate([trial.mtu_length for trial in folder.trials])
    changes = changes_by_joint(
        lengths, np.concatenate([trial.moment_arm for trial in folder.trials])
    )

    header = ("start", "range error", "uncalibrated", "calibration", "test", "objective")
    write(f"| {' | '.join((*header, 'iterations', 's'))} |")
    write("|---|---:|---:|---:|---:|---:|---:|---:|")
    row("as in the file", [figures(folder, subject, tests)])
    measured, errors, spent = {}, {}, []
    for seed in range(options.models):
        starts, seconds = starts_of(
            subject,
            lengths,
            changes,
            np.random.default_rng(seed),
            excursion=options.excursion,
            other_range=options.other_range,
        )
        spent.append(seconds)
        for name, start in starts.items():
            measured.setdefault(name, []).append(figures(folder, start, tests))
            errors.setdefault(name, []).append(range_error(subject, start, lengths))
    for name, rows in measured.items():
        row(name, rows, errors[name])
    for height in options.heights:
        start = ct.scale_max_isometric_force(subject, height=height, mass=options.mass)
        row(f"forces for {height:g} m, {options.mass:g} kg", [figures(folder, start, tests)])
    if spent:
        size = f"{lengths.shape[1]} MTUs in {len(lengths)} poses"
        write(f"\npre-optimisation of {size}: {1e3 * np.median(spent):.1f} ms CPU (median)")


if __name__ == "__main__":
    main()
