"""Train a small neural network that corrects joint moments together with the muscle model.

    python neural_correction.py SETUP.xml --test TRIAL/inputData.xml [--test ...]

What it learns and whether that helps is shown by the moments of trials it has not seen: of the
model calibrated as usual, with the network on top of that model, and with both trained together.
"""

from __future__ import annotations

import argparse
import dataclasses
import time

import numpy as np
import torch

import ceinms_torch as ct


class Correction(torch.nn.Module):
    """Joint moments [N m] that the muscles do not explain: a function of one instant.

    It sees moment arms (they stand for the joint angles), activations and the model's own moments,
    each in units of its spread over the calibration trials.
    """

    def __init__(self, subject: ct.Subject, trials: list[ct.Trial], hidden: int = 16) -> None:
        super().__init__()
        batch = ct.trial_batch(trials)
        rows = self.inputs(batch, ct.simulate_tensors(subject, batch))[batch.is_valid]
        moments = np.concatenate([trial.measured_moment for trial in trials])
        self.mean, self.spread = rows.mean(0), rows.std(0).clamp(min=1e-9)
        self.scale = torch.from_numpy(moments.std(0))
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(rows.shape[1], hidden),
            torch.nn.Tanh(),
            torch.nn.Linear(hidden, len(self.scale)),
        ).double()
        torch.nn.init.zeros_(self.layers[-1].weight)  # it begins as no correction
        torch.nn.init.zeros_(self.layers[-1].bias)

    def inputs(self, batch, simulation):
        """Return what it sees, (n_step, n_trial, n_input)."""
        posture = batch.moment_arm.flatten(1, 2)
        seen = torch.cat([posture, simulation.activation, simulation.joint_moment], dim=1)
        return seen.movedim(1, 2)

    def forward(self, batch, simulation):
        """Return the correction over the moments' spread (n_step, n_dof, n_trial) [-]."""
        rows = (self.inputs(batch, simulation) - self.mean) / self.spread
        return self.layers(rows).movedim(2, 1)


def train(folder, trials, calibrated, *, together, seed, iterations, weight):
    """Return the subject and a network trained with it, or on top of it."""
    torch.manual_seed(seed)
    network = Correction(calibrated, trials)
    scale = network.scale[:, None]

    def loss(state):
        share = network(state.batch, state.simulation)
        size = share.movedim(1, 2)[state.batch.is_valid].square().mean()
        # The network may only take over what is worth its weight.
        return state.objective(state.simulation.joint_moment + scale * share) + weight * size

    plan = folder.plan
    if not together:
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


def rmse(subject, trials, network=None):
    """Return the moments' RMSE (n_dof,) [N m], averaged over trials."""
    batch = ct.trial_batch(trials)
    with torch.no_grad():
        simulation = ct.simulate_tensors(subject, batch)
        moment = simulation.joint_moment
        if network is not None:
            moment = moment + network.scale[:, None] * network(batch, simulation)
    errors = [moment[: len(t.time), :, i] - t.measured_moment for i, t in enumerate(trials)]
    return np.mean([error.square().mean(0).sqrt().numpy() for error in errors], axis=0)


def compare(folder, trials, tests, *, seeds, iterations, weight):
    """Print the RMSE of every DOF on calibration and unseen trials, mean ± SD over seeds."""
    calibrated = ct.calibrate(folder.subject, trials, folder.plan).subject
    found = {"calibrated": [(calibrated, None)], "network on top": [], "trained together": []}
    begin = time.perf_counter()
    for seed in range(seeds):
        for name, together in (("network on top", False), ("trained together", True)):
            pair = train(
                folder,
                trials,
                calibrated,
                together=together,
                seed=seed,
                iterations=iterations,
                weight=weight,
            )
            found[name].append(pair)
    each = (time.perf_counter() - begin) / (2 * seeds)
    print("RMSE [N m]: " + ", ".join(folder.subject.dof_names))
    for which, some in (("own", trials), ("unseen", tests)):
        for name, pairs in found.items():
            values = np.array([rmse(subject, some, network) for subject, network in pairs])
            cells = zip(values.mean(0), values.std(0), strict=True)
            text = "  ".join(f"{mean:6.2f} ± {spread:.2f}" for mean, spread in cells)
            print(f"{which:>6} {name:<17} {text}")
    print(f"one training: {each:.1f} s")


def main() -> None:
    """Read the command line and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("setup", help="calibration setup file")
    parser.add_argument("--test", action="append", required=True, help="inputData.xml; repeatable")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--weight", type=float, default=1.0)
    options = parser.parse_args()
    folder = ct.CalibrationFolder.read(options.setup)
    tests = list(folder.read_tests(options.test).values())
    compare(
        folder,
        list(folder.trials),
        tests,
        seeds=options.seeds,
        iterations=options.iterations,
        weight=options.weight,
    )


if __name__ == "__main__":
    main()
