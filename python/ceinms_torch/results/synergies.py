"""Write what a synergy-hybrid calibration found beside the calibrated subject."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.synergies.result import HybridResult, TrialSynergies

WEIGHTINGS_FILE = "Weightings.csv"
EXCITATIONS_FILE = "Excitations.sto"
PRIMITIVES_FILE = "Primitives.sto"
RECONSTRUCTION_FILE = "ReconstructedExcitations.sto"
GENERATOR_FILE = "excitationGenerator.xml"


def write_trial_synergies(synergies: TrialSynergies, directory: Path) -> None:
    """Write the excitations, primitives and weightings of one trial.

    Parameters
    ----------
    synergies : TrialSynergies
        What to write.
    directory : Path
        Where; made if needed, files in it are overwritten.
    """
    synergies.excitations.to_sto(directory / EXCITATIONS_FILE)
    synergies.primitives.to_sto(directory / PRIMITIVES_FILE)
    synergies.reconstruction.to_sto(directory / RECONSTRUCTION_FILE)
    synergies.weightings.write(directory / WEIGHTINGS_FILE)


def write_synergies(
    result: HybridResult, tests: Mapping[str, TrialSynergies], directory: Path
) -> None:
    """Write the synergies of all trials, and what later runs take them up with.

    Parameters
    ----------
    result : HybridResult
        The calibration.
    tests : mapping of str to TrialSynergies
        Unseen trials.
    directory : Path
        The folder of the calibration's results. In it come the weightings for new trials and an
        excitation generator for the files of excitations, which hold those of every MTU.
    """
    for part, synergies in (("trials", result.synergies), ("test", tests)):
        for name, one in synergies.items():
            write_trial_synergies(one, directory / part / name)
    result.weightings.write(directory / WEIGHTINGS_FILE)
    ExcitationGenerator.one_to_one(result.subject.mtu_names).write(directory / GENERATOR_FILE)


def hybrid_dict(result: HybridResult, tests: Mapping[str, TrialSynergies]) -> dict[str, Any]:
    """Return what ``result.json`` says about synergies.

    Parameters
    ----------
    result : HybridResult
        The calibration.
    tests : mapping of str to TrialSynergies
        Unseen trials.

    Returns
    -------
    dict
        Ready for JSON.
    """
    weightings = result.weightings
    return {
        "options": dataclasses.replace(
            result.hybrid, n_synergy=result.n_synergy, synthesise=result.synthesised
        ).to_dict(),
        "synthesised": list(result.synthesised),
        "recorded": [
            name
            for name, origin in zip(weightings.mtu_names, weightings.origin, strict=True)
            if origin == "recorded"
        ],
        "vaf": {name: one.vaf for name, one in result.synergies.items()},
        "test_vaf": {name: one.vaf for name, one in tests.items()},
    }
