"""How far synthesised excitations and the moments they make can be trusted, by one command.

    python tests/benchmarks/withheld_electrodes.py > table.md
    python tests/benchmarks/withheld_electrodes.py --synergies 4 --ties none --seeds 3

Electrodes of the recorded leg are withheld, and `calibrate --hybrid` is compared with the
EMG-driven calibration of the same folder, in which MTUs without an electrode are silent: moments
of the six test strides, and synthesised excitations there against what was withheld. One muscle
group at a time (six cases), then one channel at a time (nine). Then the shipped subject whose
excitations are known. Only the weightings that seeds draw differ from run to run.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import ceinms_torch as ct
from ceinms_torch.synergies.electrodes import trial_with_electrodes, with_electrodes
from ceinms_torch.synergies.result import HybridResult, mean_rmse

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("CEINMS_TORCH_SHARED", REPOSITORY.parent / "shared"))
LEG = SHARED / "data" / "lower_limb" / "ceinms"
GAIT = REPOSITORY / "subjects" / "gait_synergies"
GROUPS = {
    "soleus": ("soleus_r",),
    "gastrocnemii": ("med_gas_r", "lat_gas_r"),
    "tibialis anterior": ("tib_ant_r",),
    "hamstrings": ("semimem_r", "bifemlh_r"),
    "vasti": ("vas_lat_r", "vas_med_r"),
    "rectus femoris": ("rect_fem_r",),
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="repetitions")
    parser.add_argument("--starts", type=int, default=1, help="of every calibration")
    parser.add_argument("--synergies", default="auto", help="number, or auto")
    parser.add_argument("--ties", default="neighbours", help="neighbours or none")
    parser.add_argument("--tie-weight", type=float, default=ct.SynergyHybrid.tie_weight)
    parser.add_argument("--tie-amplitude", type=float, default=ct.SynergyHybrid.tie_amplitude)
    parser.add_argument("--begin", default="both", help="both, emgDriven or subject")
    parser.add_argument("--weightings", default="shared", help="shared or trial")
    parser.add_argument("--gaussians", type=int, default=0, help="per primitive; 0 for samples")
    parser.add_argument("--only", default="groups,channels,gait", help="which parts")
    return parser.parse_args()


def say(text: str) -> None:
    """Write some lines."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Leg:
    """The recorded leg: three strides to calibrate on, six to test on."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.folder = ct.CalibrationFolder.read(LEG / "calibrate_elastic.xml")
        files = sorted((LEG / "trials").glob("*_c0[28]/inputData.xml"))
        self.tests = [self.folder.read_trial(file) for file in files]

    def without(self, withheld: Sequence[str]) -> list[HybridResult]:
        """Calibrate without some electrodes, once for every seed."""
        electrodes = self.folder.generator.input_signals
        kept = [name for name in electrodes if name not in withheld]
        generator = with_electrodes(self.folder.generator, kept)
        seen = [trial_with_electrodes(one, generator) for one in self.folder.trials]
        tests = [trial_with_electrodes(one, generator) for one in self.tests]
        plan = dataclasses.replace(self.folder.plan, synergy_hybrid=hybrid_of(self.options))
        return [
            ct.calibrate(
                self.folder.subject,
                seen,
                plan,
                generator=generator,
                starts=self.options.starts,
                seed=seed,
            ).with_tests(tests)
            for seed in range(self.options.seeds)
        ]

    def against_recording(self, result: HybridResult, mtu: str) -> tuple[float, float, float]:
        """Return RMSE of a synthesised excitation, that of silence, and r, on test strides."""
        recorded, made = [], []
        for trial in self.tests:
            inside = (trial.excitation_time >= trial.time[0]) & (
                trial.excitation_time <= trial.time[-1]
            )
            recorded.append(trial.excitation[inside, trial.mtu_names.index(mtu)])
            made.append(result.test_synergies[trial.name].excitations[mtu][inside])
        return agreement(np.concatenate(recorded), np.concatenate(made))


def agreement(recorded: np.ndarray, made: np.ndarray) -> tuple[float, float, float]:
    rmse, silence = (float(np.sqrt(np.mean(one**2))) for one in (made - recorded, recorded))
    r = float(np.corrcoef(recorded, made)[0, 1]) if np.ptp(made) > 0.0 else float("nan")
    return rmse, silence, r


def hybrid_of(options: argparse.Namespace) -> ct.SynergyHybrid:
    number = options.synergies
    return ct.SynergyHybrid(
        n_synergy=number if number == "auto" else int(number),
        ties=options.ties,
        tie_weight=options.tie_weight,
        tie_amplitude=options.tie_amplitude,
        begin=options.begin,
        weightings=options.weightings,
        n_gaussian=options.gaussians,
    )


def moments_row(name: str, results: Sequence[HybridResult]) -> tuple[float, float]:
    driven = float(np.mean([mean_rmse(one.emg_driven_test_fit) for one in results]))
    hybrid = [mean_rmse(one.test_fit) for one in results]
    worst = max(
        fit.rmse for one in results for dofs in one.test_fit.values() for fit in dofs.values()
    )
    begun = ", ".join(one.begun_at for one in results)
    say(
        f"| {name} | {results[0].n_synergy} | {driven:.2f} | {np.mean(hybrid):.2f} | "
        f"{min(hybrid):.2f} to {max(hybrid):.2f} | {100 * (np.mean(hybrid) / driven - 1):+.1f} % | "
        f"{worst:.1f} | {begun} |"
    )
    return driven, float(np.mean(hybrid))


def groups(leg: Leg) -> None:
    say(
        "\n| withheld | synergies | EMG-driven | hybrid, mean of seeds | seeds | change | worst "
        "DOF of a trial | better begin |\n|---|---:|---:|---:|---:|---:|---:|---|"
    )
    rows = [moments_row(name, leg.without(one)) for name, one in GROUPS.items()]
    worse = sum(hybrid > driven for driven, hybrid in rows)
    say(f"\nMean RMSE of test strides [N m]: hybrid worse in {worse} of {len(rows)} cases.")


def channels(leg: Leg) -> None:
    say(
        "\n| withheld channel | tied to | RMSE | silence | r, seeds | test RMSE, EMG-driven | "
        "hybrid |\n|---|---|---:|---:|---:|---:|---:|"
    )
    n_above, all_r = 0, []
    for name in leg.folder.generator.input_signals:
        results = leg.without([name])
        found = [leg.against_recording(one, name) for one in results]
        rmse, silence = float(np.mean([one[0] for one in found])), found[0][1]
        r = [one[2] for one in found]
        all_r += [float(np.mean(r))]
        n_above += rmse > silence
        to = next((", ".join(one.to) for one in results[0].ties if one.mtu == name), "nothing")
        driven = mean_rmse(results[0].emg_driven_test_fit)
        hybrid = float(np.mean([mean_rmse(one.test_fit) for one in results]))
        say(
            f"| {name} | {to} | {rmse:.3f} | {silence:.3f} | "
            f"{', '.join(f'{one:.2f}' for one in r)} | {driven:.2f} | {hybrid:.2f} |"
        )
    say(
        f"\nRMSE of synthesised excitations [-] above silence in {n_above} of {len(all_r)} "
        f"channels; median r {np.median(np.nan_to_num(all_r)):.2f} (silent: 0)."
    )


def gait(options: argparse.Namespace) -> None:
    folder = ct.CalibrationFolder.read(GAIT / "calibrate.xml")
    test = folder.read_trial(GAIT / "trials" / "walk_115" / "inputData.xml")
    hybrid = dataclasses.replace(
        folder.plan.synergy_hybrid,
        ties=options.ties,
        tie_weight=options.tie_weight,
        tie_amplitude=options.tie_amplitude,
        begin=options.begin,
        weightings=options.weightings,
        n_gaussian=options.gaussians,
    )
    truth = ct.read_storage(GAIT / "truth" / "walk_115_excitations.sto")
    for seed in range(options.seeds):
        plan = dataclasses.replace(folder.plan, synergy_hybrid=hybrid)
        result = ct.calibrate(folder, plan=plan, seed=seed).with_tests([test])
        made = result.test_synergies[test.name].excitations
        r = [agreement(truth.select((name,))[:, 0], made[name])[2] for name in result.synthesised]
        say(
            f"\ngait_synergies, seed {seed}: median r {np.median(r):.3f} (least {min(r):.2f}); "
            f"test moments {mean_rmse(result.test_fit):.2f} N m, EMG-driven "
            f"{mean_rmse(result.emg_driven_test_fit):.2f} N m; {result.seconds:.1f} s"
        )


def main() -> None:
    options = arguments()
    warnings.simplefilter("default", ct.CeinmsTorchWarning)
    parts = options.only.split(",")
    if {"groups", "channels"} & {*parts} and not LEG.is_dir():
        raise SystemExit(f"{LEG} is not there: set CEINMS_TORCH_SHARED")
    begin = time.process_time()
    if "groups" in parts:
        groups(Leg(options))
    if "channels" in parts:
        channels(Leg(options))
    if "gait" in parts:
        gait(options)
    say(f"\n{time.process_time() - begin:.0f} s of processor time; {vars(options)}")


if __name__ == "__main__":
    main()
