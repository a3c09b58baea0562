"""How often bands of forces and moments cover a hidden truth: the coverage behind CALIBRATION.md.

    python tests/benchmarks/band_coverage.py --repetitions 100 --jobs 2

simulates the gait subject's true parameters, adds noise to the moments, calibrates from the
uncalibrated subject and asks for 95 % bands, again and again. It prints, for white and for
low-passed noise of each size, how often the truth lies within the band: the mean over instants and
MTUs or DOFs, of calibration trials and of test trials, with its standard error over repetitions,
the lowest and highest MTU or DOF, and the width relative to the range of the true curve.

With --truth random, every repetition has another truth, drawn evenly from the middle 90 % of the
ranges, free of penalties. The shipped one was drawn up near the middle of the ranges and is covered
more often than that where only the ranges limit a force.
"""

import argparse
import dataclasses
import itertools
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from scipy import signal

import ceinms_torch as ct

GAIT = Path(__file__).resolve().parents[2] / "subjects" / "gait"
CUTOFF = 6.0  # of smooth noise [Hz], as inverse dynamics is filtered
QUANTITIES = ("mtu_force", "joint_moment")


def white(random, shape, _):
    """Return noise of variance 1 (n_step, n_dof) without any memory."""
    return random.standard_normal(shape)


def smooth(random, shape, rate):
    """Return noise of variance 1 (n_step, n_dof) through a Butterworth filter, back and forth."""
    margin = int(rate)  # beyond which the filter forgets its start
    sections = signal.butter(2, CUTOFF / (rate / 2.0), output="sos")
    impulse = np.zeros(8 * margin)
    impulse[4 * margin] = 1.0
    gain = np.linalg.norm(signal.sosfiltfilt(sections, impulse))
    noise = random.standard_normal((shape[0] + 2 * margin, shape[1]))
    return signal.sosfiltfilt(sections, noise, axis=0)[margin:-margin] / gain


NOISES = {"white": white, "smooth": smooth}


def with_noise(subject, trials, random, kind, share):
    """Return trials whose moments are the subject's, with noise of a share of each one's SD."""
    result = []
    for trial in trials:
        moment = ct.simulate(subject, trial).joint_moment.array
        rate = 1.0 / np.median(np.diff(trial.time))
        noise = NOISES[kind](random, moment.shape, rate)
        noise *= share * moment.std(axis=0, ddof=1)
        result.append(dataclasses.replace(trial, measured_moment=moment + noise))
    return result


def gait():
    """Return the gait subject: folder, truth, test trials."""
    folder = ct.CalibrationFolder.read(GAIT / "calibrate.xml")
    truth = ct.Subject.read(GAIT / "truth" / "subjectTrue.xml")
    names = ("walk_115", "walk_140_stance", "walk_145")
    tests = [
        ct.Trial.read(GAIT / "trials" / name / "inputData.xml", folder.subject, folder.generator)
        for name in names
    ]
    return folder, truth, tests


def random_truth(folder, random):
    """Return a subject from anywhere in the ranges that no penalty of the plan forbids."""
    space = ct.ParameterSpace.of(folder.subject, folder.plan.steps[-1], folder.plan)
    objective = folder.plan.steps[-1].objective
    bounds = {
        "norm_fibre_length": objective.fibre_length_range,
        "tendon_strain": objective.tendon_strain_range,
    }
    x = random.uniform(0.05, 0.95, len(space.components))
    for _ in range(1000):
        subject = space.subject_at(x)
        forbidden = set()
        for trial in folder.trials:
            simulation = ct.simulate(subject, trial)
            for name, (low, high) in bounds.items():
                for mtu, values in getattr(simulation, name).items():
                    if values.min() < low or values.max() > high:
                        forbidden.add(mtu)
        if not forbidden:
            return subject
        for i, one in enumerate(space.components):
            if "Length" in one.kind and forbidden & set(one.mtu_names):
                x[i] = random.uniform(0.05, 0.95)
    raise RuntimeError("no subject within the ranges keeps clear of the penalties")


def coverage(folder, truth, tests, *, kind, share, seed, starts=8, draws=39):
    """Calibrate once on noisy moments and return how much of the truth the bands cover.

    Returns a dict of (role, quantity) to shares covered and relative widths, (2, n_column).
    """
    random = np.random.default_rng(seed)
    if truth is None:
        truth = random_truth(folder, random)
    trials = with_noise(truth, folder.trials, random, kind, share)
    # The searches for minima that fit alike are those of the bands.
    result = ct.calibrate(folder.subject, trials, folder.plan, starts=1)
    bands = ct.uncertainty(result, trials, tests=tests, starts=starts, draws=draws, seed=seed)
    found = {}
    for one, trial in zip(bands.trials, (*trials, *tests), strict=True):
        true = ct.simulate(truth, trial)
        for quantity in QUANTITIES:
            band, series = getattr(one, quantity), getattr(true, quantity)
            shares = band.covers(series).mean(axis=0)
            widths = band.width.mean(axis=0) / np.ptp(series.array, axis=0)
            found.setdefault((one.role, quantity), []).append([shares, widths])
    return {key: np.mean(values, axis=0) for key, values in found.items()}


def repetition(arguments):
    """Return the coverage of one repetition, in a process of its own."""
    truth_kind, settings = arguments
    folder, truth, tests = gait()
    return coverage(folder, truth if truth_kind == "shipped" else None, tests, **settings)


def main():
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--repetitions", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    parser.add_argument("--noise", nargs="+", choices=NOISES, default=list(NOISES))
    parser.add_argument("--share", nargs="+", type=float, default=[0.02, 0.05])
    parser.add_argument("--truth", choices=("shipped", "random"), default="shipped")
    parser.add_argument("--starts", type=int, default=8)
    parser.add_argument("--draws", type=int, default=39)
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args()
    write = sys.stdout.write
    write("| noise | trials | quantity | covered [%] | lowest | highest | width [%] |\n")
    write("| --- | --- | --- | ---: | ---: | ---: | ---: |\n")
    with ProcessPoolExecutor(asked.jobs) as executor:
        for kind, share in itertools.product(asked.noise, asked.share):
            settings = {"kind": kind, "share": share, "starts": asked.starts, "draws": asked.draws}
            seeds = range(asked.first, asked.first + asked.repetitions)
            work = [(asked.truth, {**settings, "seed": seed}) for seed in seeds]
            found = list(executor.map(repetition, work))
            for role, quantity in found[0]:
                shares, widths = 100.0 * np.stack([one[role, quantity] for one in found], axis=1)
                error = shares.mean(axis=1).std(ddof=1) / np.sqrt(len(found))
                columns = shares.mean(axis=0)
                write(
                    f"| {kind}, {100 * share:g} % | {role} | {quantity} | {shares.mean():.1f} ± "
                    f"{error:.1f} | {columns.min():.0f} | {columns.max():.0f} | "
                    f"{widths.mean():.2g} |\n"
                )
                sys.stdout.flush()


if __name__ == "__main__":
    main()
