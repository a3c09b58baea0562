"""Write and read what a synergy-hybrid calibration found beside the calibrated subject."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.results.trials import (
    WEIGHTINGS_FILE,
    read_trial_synergies,
    trial_folder,
    write_trial_synergies,
)
from ceinms_torch.simulation.trial_result import Role
from ceinms_torch.synergies.result import HybridResult, TrialSynergies

GENERATOR_FILE = "excitationGenerator.xml"
RECORDED_FILE = "recordedExcitations.xml"


def write_synergies(result: HybridResult, directory: Path) -> None:
    """Write the synergies of all trials, and what later runs take them up with.

    Parameters
    ----------
    result : HybridResult
        The calibration.
    directory : Path
        The folder of the calibration's results. In it come the weightings for new trials, an
        excitation generator for the files of excitations, which hold those of every MTU, and the
        one of the recordings.
    """
    roles: tuple[Role, ...] = ("calibration", "test")
    for role, synergies in zip(roles, (result.synergies, result.test_synergies), strict=True):
        for name, one in synergies.items():
            write_trial_synergies(one, trial_folder(directory, role, name))
    result.weightings.write(directory / WEIGHTINGS_FILE)
    ExcitationGenerator.one_to_one(result.subject.mtu_names).write(directory / GENERATOR_FILE)
    result.generator.write(directory / RECORDED_FILE)


def hybrid_dict(result: HybridResult) -> dict[str, Any]:
    """Return what ``result.json`` says about synergies.

    Parameters
    ----------
    result : HybridResult
        The calibration.

    Returns
    -------
    dict
        Ready for JSON.
    """
    weightings = result.weightings
    return {
        "options": result.hybrid.to_dict(),
        "n_synergy": result.n_synergy,
        "synthesised": list(result.synthesised),
        "recorded": [
            name
            for name, origin in zip(weightings.mtu_names, weightings.origin, strict=True)
            if origin == "recorded"
        ],
        "vaf": {name: one.vaf for name, one in result.synergies.items()},
        "test_vaf": {name: one.vaf for name, one in result.test_synergies.items()},
    }


def read_hybrid(
    directory: Path, summary: Mapping[str, Any], mtu_names: tuple[str, ...]
) -> dict[str, Any]:
    """Return what a `HybridResult` has beside other results.

    Parameters
    ----------
    directory : Path
        The folder of the calibration's results.
    summary : mapping
        What ``result.json`` says.
    mtu_names : tuple of str
        MTUs of the subject.

    Returns
    -------
    dict
        By name of the field.
    """

    def of(role: Role, names: Mapping[str, Any]) -> dict[str, TrialSynergies]:
        folders = {name: trial_folder(directory, role, name) for name in names}
        return {name: read_trial_synergies(one, mtu_names) for name, one in folders.items()}

    return {
        "generator": ExcitationGenerator.read(directory / RECORDED_FILE),
        "n_synergy": summary["hybrid"]["n_synergy"],
        "synthesised": tuple(summary["hybrid"]["synthesised"]),
        "synergies": of("calibration", summary["fit"]),
        "test_synergies": of("test", summary["test_fit"]),
    }
