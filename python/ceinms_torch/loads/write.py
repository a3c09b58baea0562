"""The folder of joint loads: a storage file per quantity, a table, result.json."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ceinms_torch.io.paths import write_atomically
from ceinms_torch.io.results import write_result_file
from ceinms_torch.io.source import Source
from ceinms_torch.loads.joint_loads import JointLoads, Peak
from ceinms_torch.results.provenance import file_hashes, versions

# One storage file per quantity of a trial; the first stands for all.
FORCE_FILE = "JointForces.sto"
FILES = (
    FORCE_FILE,
    "JointForcesBodyWeights.sto",
    "JointMoments.sto",
    "JointForcesWithoutMuscles.sto",
    "MuscleForcesOfAll.sto",
    "Reserves.sto",
)
BAND_FILES = ("JointForcesLower.sto", "JointForcesUpper.sto")
TABLE_FILE = "joint_loads.csv"


def write_loads(loads: JointLoads, directory: Path) -> None:
    """Write the loads of a trial as storage files (`FILES`, and `BAND_FILES` with a band).

    Parameters
    ----------
    loads : JointLoads
        What to write.
    directory : Path
        Where; made if needed, files in it are overwritten.
    """
    series = (
        loads.force,
        loads.in_body_weights(loads.force),
        loads.moment,
        loads.net_force,
        loads.muscle_force,
        loads.reserves,
    )
    for file, one in zip(FILES, series, strict=True):
        one.to_sto(directory / file)
    if loads.band is not None:
        for file, one in zip(BAND_FILES, (loads.band.lower, loads.band.upper), strict=True):
            one.to_sto(directory / file)


def write_table(loads: Sequence[JointLoads], directory: Path) -> None:
    """Write a row for every trial and joint."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    rows = [_row(one, peak) for one in loads for peak in one.peaks]
    writer.writerow(list(rows[0]))
    writer.writerows(list(row.values()) for row in rows)
    write_atomically(directory / TABLE_FILE, text.getvalue().encode())


def write_summary(
    loads: Sequence[JointLoads],
    directory: Path,
    *,
    options: Mapping[str, Any],
    sources: Iterable[Source],
    opensim: str,
) -> None:
    """Write result.json: peaks, reserves, doubts, settings, hashes of the input, versions.

    Parameters
    ----------
    loads : sequence of JointLoads
        Of every trial.
    directory : Path
        Where.
    options : mapping
        All settings.
    sources : iterable of Source
        Files that were read.
    opensim : str
        Version of OpenSim.
    """
    write_result_file(
        directory,
        {
            "study": "loads",
            "options": options,
            "trials": [
                {
                    "name": one.name,
                    "others": one.others,
                    "body_weight [N]": one.body_weight,
                    "parameter_sets": one.n_set,
                    "peaks": one.peaks,
                    "reserves [N m or N]": one.reserve_shares,
                    "doubts": one.doubts,
                }
                for one in loads
            ],
            "inputs": file_hashes(sources, None),
            "versions": {**versions(), "opensim": opensim},
        },
    )


def _row(loads: JointLoads, peak: Peak) -> dict[str, object]:
    lower, upper = peak.ends or ("", "")
    return {
        "trial": loads.name,
        "joint": peak.joint,
        "on": loads.on,
        "peak [N]": peak.force,
        "peak [body weights]": peak.body_weights,
        "lower end [body weights]": lower,
        "upper end [body weights]": upper,
        "time [s]": peak.time,
        "peak without muscles [body weights]": peak.without_muscles,
        "most of it by [body weights]": muscles_in_words(peak),
        "other muscles": loads.others,
    }


def muscles_in_words(peak: Peak, most: int | None = None) -> str:
    """Return the muscles that add most at a peak, with how much [body weights]."""
    return ", ".join(f"{name} {value:.2f}" for name, value in list(peak.muscles.items())[:most])
