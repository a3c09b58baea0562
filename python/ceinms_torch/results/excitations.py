"""Write what a search for excitations found: storage files, result.json, weights.csv."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ceinms_torch.excitations.search import ExcitationResult
from ceinms_torch.inputs.outputs import CHOICE_FILE
from ceinms_torch.io.paths import write_atomically
from ceinms_torch.io.results import results_in, write_result_file
from ceinms_torch.optimisers.minimum import STATUS_SENTENCES
from ceinms_torch.results.trials import write_series, write_simulation
from ceinms_torch.simulation.fit import Fit

if TYPE_CHECKING:
    from ceinms_torch.excitations.weights import WeightChoice


def write_excitations(
    result: ExcitationResult, fit: Fit, directory: Path, choice: WeightChoice | None = None
) -> None:
    """Write all quantities, the excitations used, and how they were found.

    Parameters
    ----------
    result : ExcitationResult
        What was found.
    fit : dict of str to dict of str to MomentFit
        By what drove the model ("recorded", "adjusted") and DOF.
    directory : Path
        Where; made if needed, files in it are overwritten.
    choice : WeightChoice, optional
        How the weights were chosen; adds weights.csv.
    """
    with results_in(directory):
        write_simulation(result.simulation, directory)
        write_series({"AdjustedEmgs": result.adjusted_excitation, **result.later}, directory)
        if choice is not None:
            write_atomically(directory / CHOICE_FILE, choice.to_csv().encode())
        write_result_file(directory, _result_dict(result, fit, choice))


def _result_dict(result: ExcitationResult, fit: Fit, choice: WeightChoice | None) -> dict[str, Any]:
    hybrid = result.hybrid
    chosen = {}
    if choice is not None:
        chosen = {
            "chosen_weight": {
                "name": choice.name,
                "best_moment_rmse_Nm": choice.best_rmse,
                "allowed_moment_rmse_Nm": choice.largest_rmse,
            }
        }
    return {
        "status": result.status,
        "status_message": STATUS_SENTENCES[result.status],
        "iterations": result.iterations,
        "evaluations": result.evaluations,
        "seconds": result.seconds,
        "weights": {name: getattr(hybrid, name) for name in ("alpha", "beta", "gamma")},
        **chosen,
        "adjusted_mtus": list(hybrid.adjust_mtus),
        "synthesised_mtus": list(hybrid.synth_mtus),
        "dofs": list(result.dofs),
        "objective": result.objective,
        "weighted_terms": result.terms.weighted(hybrid),
        "terms": {
            f"{name}_{unit}": value
            for unit, (name, value) in zip(
                ("N2m2", "-", "-"), dataclasses.asdict(result.terms).items(), strict=True
            )
        },
        "fit": fit,
    }
