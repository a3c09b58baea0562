"""What ``ceinms-torch synergies`` shows and writes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.inputs.outputs import SYNERGY_FILES, WEIGHTINGS_FILE, trial_folder
from ceinms_torch.io.paths import write_atomically
from ceinms_torch.simulation.time_series import TimeSeries
from ceinms_torch.studies.result_file import Table
from ceinms_torch.studies.synergies import SynergyStudy
from ceinms_torch.synergies.number import RULE_NAMES
from ceinms_torch.synergies.reliability import Reliability

_RECORDED = "RecordedExcitations.sto"
_FILES = (SYNERGY_FILES["primitives"], SYNERGY_FILES["reconstruction"], _RECORDED, WEIGHTINGS_FILE)

_RULES = {
    "vaf": "the smallest number that accounts for more than {threshold:g} % of the variance",
    "held-out": "the smallest number whose error in channels as if not recorded, on trials not "
    "seen, is within a standard error of the best",
    "score": "the smallest number whose moments on trials left out are within a standard error of "
    "the best",
    "given": "the number asked for",
}


def tables_of(study: SynergyStudy) -> tuple[Table, ...]:
    """Return what the study shows.

    Parameters
    ----------
    study : SynergyStudy
        The study.

    Returns
    -------
    tuple of Table
    """
    choice = study.choice
    numbers = Table.of(
        "numbers of synergies",
        (
            {
                "synergies": row.n_synergy,
                "VAF [%]": 100.0 * row.vaf,
                "least VAF of a channel [%]": 100.0 * float(row.vaf_by_channel.min()),
                "VAF, held-out trials [%]": None
                if row.held_out_vaf is None
                else 100.0 * row.held_out_vaf,
                "error, unrecorded channels [%]": None
                if row.channel_error is None
                else 100.0 * float(np.mean(row.channel_error)),
                "moment RMSE, held-out trials [N m]": None
                if row.score is None
                else float(np.mean(row.score)),
                "rules": ", ".join(
                    RULE_NAMES[name] for name, n in choice.choices.items() if n == row.n_synergy
                ),
            }
            for row in choice.rows
        ),
    )
    by_channel = Table.of(
        "VAF of each channel by number of synergies [%]",
        (
            {
                "channel": name,
                **{str(row.n_synergy): 100.0 * float(row.vaf_by_channel[i]) for row in choice.rows},
            }
            for i, name in enumerate(choice.channels)
        ),
    )
    extra = () if study.reliability is None else (_reliability_table(study.reliability),)
    return (numbers, by_channel, *extra)


def _reliability_table(found: Reliability) -> Table:
    def figures(values: FloatArray) -> tuple[float, float]:
        return float(np.nanmean(values)), float(np.nanstd(values))

    columns = zip(found.weighting_similarity.T, found.primitive_correlation.T, strict=True)
    return Table(
        title="reliability, over all pairs of trials",
        columns=(
            "synergy",
            "weightings, cosine, mean [-]",
            "SD [-]",
            "primitives, correlation, mean [-]",
            "SD [-] ",
        ),
        rows=tuple((i, *figures(w), *figures(p)) for i, (w, p) in enumerate(columns, 1)),
    )


def notes_of(study: SynergyStudy) -> tuple[str, ...]:
    """Return the sentences under the tables: which number was taken and why.

    Parameters
    ----------
    study : SynergyStudy
        The study.

    Returns
    -------
    tuple of str
    """
    choice = study.choice
    reason = _RULES[choice.rule].format(threshold=100.0 * choice.threshold)
    notes = [f"{choice.n_synergy} synergies, by the rule '{RULE_NAMES[choice.rule]}': {reason}."]
    if study.recorded_moment_error is not None:
        error = study.recorded_moment_error
        notes.append(f"Moment RMSE with the excitations as recorded: {error:.4g} N m.")
    spread = np.ptp(next(iter(study.synergies.values())).replicate_vaf)
    notes.append(f"VAF of the starts differs by {100.0 * spread:.2g} % between best and worst.")
    if not all(one.converged for one in study.synergies.values()):
        notes.append("The factorisation stopped at its limit of iterations; VAF hardly changes.")
    if study.gaussians is not None:
        fit = study.gaussians
        notes.append(
            f"{fit.n_bump} Gaussians per primitive: {fit.n_variable} variables instead of "
            f"{fit.n_value} samples, VAF {100.0 * fit.vaf:.1f} % "
            f"({100.0 * fit.vaf_lost:.1f} % lost)."
        )
    return tuple(notes)


def data_of(study: SynergyStudy) -> dict[str, Any]:
    """Return what the figures are drawn from, for JSON.

    Parameters
    ----------
    study : SynergyStudy
        The study.

    Returns
    -------
    dict
    """
    choice, repeated = study.choice, study.reliability
    return {
        "channels": choice.channels,
        "n_synergy": choice.n_synergy,
        "rule": choice.rule,
        "choices": choice.choices,
        "threshold": choice.threshold,
        "recorded_moment_error": study.recorded_moment_error,
        "rows": choice.rows,
        "trials": {
            one.name: {
                "time": one.time,
                "excitation": one.excitation,
                "primitives": study.synergies[one.name].primitives,
                "weightings": study.synergies[one.name].weightings,
                "vaf": study.synergies[one.name].vaf,
            }
            for one in study.recordings
        },
        "reliability": None
        if repeated is None
        else {
            "weighting_similarity": repeated.weighting_similarity,
            "primitive_correlation": repeated.primitive_correlation,
        },
    }


def written_files(names: Iterable[str], directory: Path) -> Iterator[Path]:
    """Iterate over the files that `write_synergies` writes for trials of these names."""
    for name in names:
        folder = trial_folder(directory, "calibration", name)
        yield from (folder / file for file in _FILES)


def write_synergies(study: SynergyStudy, directory: Path) -> None:
    """Write primitives, weightings and excitations, trial by trial.

    Parameters
    ----------
    study : SynergyStudy
        The study.
    directory : Path
        The folder; made if needed. In ``trials/<trial>``: ``Primitives.sto``, ``Weightings.csv``,
        and recorded and rebuilt excitations.
    """
    for one in study.recordings:
        found = study.synergies[one.name]
        folder = trial_folder(directory, "calibration", one.name)
        labels = tuple(f"synergy_{i + 1}" for i in range(found.n_synergy))
        primitives = TimeSeries("primitives", "-", one.time, labels, found.primitives.T)
        primitives.to_sto(folder / SYNERGY_FILES["primitives"])
        recorded = TimeSeries("recorded excitation", "-", one.time, one.channels, one.excitation)
        recorded.to_sto(folder / _RECORDED)
        name = "excitation from synergies"
        rebuilt = TimeSeries(name, "-", one.time, found.names, found.reconstruction)
        rebuilt.to_sto(folder / SYNERGY_FILES["reconstruction"])
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("channel", *labels))
        writer.writerows(
            (name, *row) for name, row in zip(found.names, found.weightings.tolist(), strict=True)
        )
        write_atomically(folder / WEIGHTINGS_FILE, text.getvalue().encode())
