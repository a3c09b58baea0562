"""Train a small neural network that corrects joint moments together with the muscle model.

    python neural_correction.py SETUP.xml --test TRIAL/inputData.xml [--test ...]
    python neural_correction.py SETUP.xml --test ... --leave-out condition

and judge it by trials that nothing was fitted to: the RMSE of the calibrated muscles, of a network
on top of them, of muscles and network trained together, and of the network without any muscle.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import time

import numpy as np
import torch

import ceinms_torch as ct

VARIANTS = ("network on top", "trained together", "network alone")


class Correction(torch.nn.Module):
    """Joint moments as a function of one instant: moment arms, which stand for angles, activations.

    Inputs and outputs are in units of their spread over the calibration trials.
    """

    def __init__(self, subject, trials, tendon, *, muscles, hidden=16):
        super().__init__()
        batch = ct.trial_batch(trials)
        simulation = ct.simulate_tensors(subject, batch, tendon=tendon)
        rows = self.inputs(batch, simulation)[batch.is_valid]
        self.mean, self.spread = rows.mean(0), rows.std(0).clamp(min=1e-9)
        measured = np.concatenate([trial.measured_moment for trial in trials])
        self.unit = torch.from_numpy(measured.std(0))[:, None]  # [N m]
        self.muscles = muscles  # whether it is added to the model's moments, or is all there is
        last = torch.nn.Linear(hidden, len(self.unit))
        torch.nn.init.zeros_(last.weight)  # it begins as no correction
        torch.nn.init.zeros_(last.bias)
        first = torch.nn.Linear(rows.shape[1], hidden)
        self.layers = torch.nn.Sequential(first, torch.nn.Tanh(), last).double()

    def inputs(self, batch, simulation):
        """Return what it sees, (n_step, n_trial, n_input)."""
        posture = batch.moment_arm.flatten(1, 2)
        return torch.cat([posture, simulation.activation], dim=1).movedim(1, 2)

    def forward(self, batch, simulation):
        """Return moments [N m] and what the network adds to them [-], (n_step, n_dof, n_trial)."""
        rows = (self.inputs(batch, simulation) - self.mean) / self.spread
        share = self.layers(rows).movedim(2, 1)
        return self.muscles * simulation.joint_moment + self.unit * share, share


def train(folder, trials, calibrated, variant, *, seed, iterations, weight):
    """Return a subject and the network that belongs to it."""
    torch.manual_seed(seed)
    tendon = folder.plan.tendon
    network = Correction(calibrated, trials, tendon, muscles=variant != "network alone")

    def loss(state):
        moment, share = network(state.batch, state.simulation)
        size = share.movedim(1, 2)[state.batch.is_valid].square().mean()
        return state.objective(moment) + weight * network.muscles * size

    together = variant == "trained together"
    plan = folder.plan
    if not together:  # nothing but the network changes
        steps = [dataclasses.replace(step, parameters=()) for step in plan.steps]
        plan = dataclasses.replace(plan, steps=tuple(steps))
    result = ct.calibrate_with_loss(
        folder.subject if together else calibrated,
        trials,
        plan,
        loss,
        variables=[{"params": network.parameters(), "lr": 0.01, "weight_decay": 0.01}],
        options=ct.AdamW(learning_rate=0.01, max_iterations=iterations, patience=iterations),
        begin_at=calibrated if together else None,
    )
    return result.subject, network


def rmse(subject, network, trial, tendon):
    """Return the RMSE of every DOF's moment (n_dof,) [N m]."""
    batch = ct.trial_batch([trial])
    with torch.no_grad():
        simulation = ct.simulate_tensors(subject, batch, tendon=tendon)
        moment = simulation.joint_moment if network is None else network(batch, simulation)[0]
    return np.sqrt(np.mean((moment[..., 0].numpy() - trial.measured_moment) ** 2, axis=0))


def condition(trial):
    """Return what trials of one kind have in common: their name without its last part."""
    return trial.name.rpartition("_")[0]


def folds(trials, tests, leave_out):
    """Yield calibration and test trials."""
    if leave_out is None:
        yield trials, tests
        return
    every = [*trials, *tests]
    key = condition if leave_out == "condition" else (lambda trial: trial.name)
    for left_out in dict.fromkeys(map(key, every)):
        yield (
            [trial for trial in every if key(trial) != left_out],
            [trial for trial in every if key(trial) == left_out],
        )


def main():
    """Train, and print the RMSE of test trials by condition, mean ± SD over seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("setup", help="calibration setup file")
    parser.add_argument("--test", action="append", required=True, help="inputData.xml; repeatable")
    parser.add_argument("--leave-out", choices=["trial", "condition"], help="each in turn")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--weight", type=float, default=1.0, help="on the size of the correction")
    options = parser.parse_args()
    folder = ct.CalibrationFolder.read(options.setup)
    tests = list(folder.read_tests(options.test).values())
    settings = {"iterations": options.iterations, "weight": options.weight}
    errors = collections.defaultdict(list)  # (n_seed or 1, n_dof) of every test trial
    longest = 0.0
    for fitted, left_out in folds(list(folder.trials), tests, options.leave_out):
        calibrated = ct.calibrate(folder.subject, fitted, folder.plan, starts=1).subject
        models = {"calibrated": [(calibrated, None)]}
        for variant in VARIANTS:
            models[variant] = []
            for seed in range(options.seeds):
                begin = time.perf_counter()
                models[variant].append(
                    train(folder, fitted, calibrated, variant, seed=seed, **settings)
                )
                longest = max(longest, time.perf_counter() - begin)
        for variant, pairs in models.items():
            for trial in left_out:
                values = np.array([rmse(*pair, trial, folder.plan.tendon) for pair in pairs])
                errors[condition(trial), variant].append(values)
    print("RMSE of test trials [N m]: " + ", ".join(folder.subject.dof_names))
    for (name, variant), values in sorted(errors.items()):
        mean = np.mean(values, axis=0)  # over trials
        spread = mean.std(0, ddof=1) if len(mean) > 1 else np.full(mean.shape[1], np.nan)
        cells = zip(mean.mean(0), spread, strict=True)
        texts = [f"{m:8.2f}" + ("" if np.isnan(s) else f" ± {s:.2f}") for m, s in cells]
        print(f"{name:<10} {variant:<17}" + "".join(f"{text:<15}" for text in texts))
    print(f"longest training: {longest:.1f} s")


if __name__ == "__main__":
    main()
