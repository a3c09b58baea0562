"""The folder of joint loads: storage files by trial, a table, study.json."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ceinms_torch.inputs.outputs import trial_folder
from ceinms_torch.io.paths import write_atomically
from ceinms_torch.io.plain import plain
from ceinms_torch.io.results import results_in
from ceinms_torch.io.source import Source
from ceinms_torch.loads.doubts import Peak
from ceinms_torch.loads.joint_loads import JointLoads
from ceinms_torch.osim.process import OpenSim
from ceinms_torch.results.provenance import file_hashes, versions
from ceinms_torch.simulation.time_series import TimeSeries
from ceinms_torch.simulation.trial_result import Role

STUDY_FILE, TABLE_FILE, LOG_FILE = "study.json", "joint_loads.csv", "opensim.log"
# Storage files by trial, and what of a trial is in them.
_FILES: dict[str, Callable[[JointLoads], TimeSeries]] = {
    "JointForces.sto": lambda loads: loads.force,
    "JointForcesBodyWeights.sto": lambda loads: loads.in_body_weights(loads.force),
    "JointMoments.sto": lambda loads: loads.moment,
    "JointForcesWithoutMuscles.sto": lambda loads: loads.net_force,
    "MuscleForcesOfAll.sto": lambda loads: loads.muscle_force,
    "Reserves.sto": lambda loads: loads.reserves,
}
_BAND_FILES = ("JointForcesLower.sto", "JointForcesUpper.sto")


def loads_outputs(directory: Path, folders: Iterable[Path], *, bands: bool) -> Iterator[Path]:
    """Iterate over the files that `save_loads` writes.

    Parameters
    ----------
    directory : Path
        The folder.
    folders : iterable of Path
        Of the trials, as `loads_folder` names them.
    bands : bool
        Whether there are bands.
    """
    yield from (directory / name for name in (STUDY_FILE, TABLE_FILE, LOG_FILE))
    names = [*_FILES, *(_BAND_FILES if bands else ())]
    yield from (folder / name for folder in folders for name in names)


def loads_folder(directory: Path, role: Role | None, name: str) -> Path:
    """Return the folder of a trial: of a calibration one of its own, else the folder itself."""
    return directory if role is None else trial_folder(directory, role, name)


def save_loads(
    loads: Sequence[tuple[Role | None, JointLoads]],
    directory: str | os.PathLike[str],
    *,
    settings: Mapping[str, Any],
    sources: Iterable[Source],
    opensim: OpenSim,
    beside: Callable[[], object] | None = None,
) -> None:
    """Write joint loads, all of it or nothing.

    Parameters
    ----------
    loads : sequence of (str or None, JointLoads)
        Of every trial, with its role in a calibration.
    directory : path-like
        The folder: by trial forces [N and body weights], moments, reserves, forces of all muscles
        and the ends of bands as storage files; ``joint_loads.csv`` with the peaks; ``study.json``
        with every setting, what is doubtful, the hashes of all files and versions; OpenSim's
        messages.
    settings : mapping
        All settings.
    sources : iterable of Source
        Files that were read.
    opensim : OpenSim
        Who computed the dynamics.
    beside : callable, optional
        Writes what belongs to it, such as figures, by `write_atomically`.

    Raises
    ------
    OptionError
        If a file to write is one that was read, or another process writes into the folder.
    """
    folder, read = Path(directory), list(sources)
    with results_in(folder, [one.path for one in read if one.path]):
        for role, one in loads:
            of_trial = loads_folder(folder, role, one.name)
            for file, series in _FILES.items():
                series(one).to_sto(of_trial / file)
            if one.band is not None:
                for file, end in zip(_BAND_FILES, (one.band.lower, one.band.upper), strict=True):
                    end.to_sto(of_trial / file)
        write_atomically(folder / TABLE_FILE, _table([one for _, one in loads]).encode())
        write_atomically(folder / LOG_FILE, opensim.log.encode())
        if beside is not None:
            beside()
        study = {
            "made_by": "ceinms-torch loads",
            "settings": settings,
            "trials": {one.name: _summary(one) for _, one in loads},
            "inputs": file_hashes(read, None),
            "versions": {**versions(), "opensim": opensim.version},
        }
        text = json.dumps(plain(study), indent=2, allow_nan=False, ensure_ascii=False)
        write_atomically(folder / STUDY_FILE, f"{text}\n".encode())


def _summary(loads: JointLoads) -> dict[str, object]:
    return {
        "muscles without a calculated force": loads.others,
        "body weight [N]": loads.body_weight,
        "parameter sets": loads.n_set,
        "peaks": loads.peaks,
        "reserves [N m or N]": loads.reserve_shares,
        "doubts": loads.doubts,
    }


def _table(loads: Sequence[JointLoads]) -> str:
    text = io.StringIO()
    rows = [_row(one, peak) for one in loads for peak in one.peaks]
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


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
