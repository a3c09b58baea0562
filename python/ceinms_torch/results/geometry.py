"""Polynomial paths on disk with how good they are, and lengths and moment arms from them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ceinms_torch.arrays import FloatArray
from ceinms_torch.geometry.fit import PathFit
from ceinms_torch.geometry.path_files import write_paths
from ceinms_torch.geometry.path_set import Geometry
from ceinms_torch.io.paths import write_atomically
from ceinms_torch.io.plain import plain
from ceinms_torch.io.results import results_in
from ceinms_torch.io.source import Source
from ceinms_torch.io.storage import write_storage
from ceinms_torch.results.provenance import file_hashes, versions

PATHS_FILE, ERRORS_FILE, STUDY_FILE = "paths.xml", "path_errors.csv", "study.json"
LENGTHS_FILE = "lmt.sto"


def arms_file(dof: str) -> str:
    """Return the name of the file of moment arms about a DOF."""
    return f"ma_{dof}.sto"


def geometry_outputs(directory: Path, dofs: Sequence[str]) -> list[Path]:
    """Return the files that `save_geometry` writes."""
    return [directory / name for name in (LENGTHS_FILE, *map(arms_file, dofs), STUDY_FILE)]


def fit_outputs(directory: Path) -> list[Path]:
    """Return the files that `save_path_fit` writes."""
    return [directory / name for name in (PATHS_FILE, ERRORS_FILE, STUDY_FILE)]


def save_path_fit(
    fit: PathFit, directory: Path, settings: Mapping[str, Any], sources: Sequence[Source]
) -> None:
    """Write fitted paths: paths.xml for OpenSim, too, path_errors.csv, study.json.

    Parameters
    ----------
    fit : PathFit
        The paths.
    directory : Path
        The folder; files in it are replaced, all or none.
    settings : mapping
        How they were fitted, for study.json.
    sources : sequence of Source
        The files that they were fitted to.
    """
    with results_in(directory, [one.path for one in sources if one.path is not None]):
        write_paths(fit.paths, directory / PATHS_FILE)
        write_atomically(directory / ERRORS_FILE, _errors_csv(fit).encode())
        study = {
            "made_by": "ceinms-torch geometry fit",
            "settings": settings,
            "errors [m]": fit.errors,
            "held_out [m]": fit.held_out,
            "left_out": [
                {
                    "mtu": one.mtu,
                    "dof": one.dof,
                    "rms difference from -dL/dq [m]": one.rms,
                    "at [rad]": one.coordinate,
                    "given [m]": one.given,
                    "-dL/dq [m]": one.derived,
                }
                for one in fit.contradictions
            ],
        }
        _write_study(directory, study, sources)


def save_geometry(
    geometry: Geometry,
    directory: Path,
    *,
    time: FloatArray,
    mtu_names: Sequence[str],
    dofs: Sequence[str],
    settings: Mapping[str, Any],
    sources: Sequence[Source],
) -> None:
    """Write lmt.sto, ma_DOF.sto for every DOF, and study.json.

    Parameters
    ----------
    geometry : Geometry
        Lengths and moment arms.
    directory : Path
        The folder; files in it are replaced, all or none.
    time : ndarray (n_pose,)
        [s].
    mtu_names, dofs : sequence of str
        What the columns and files are of.
    settings : mapping
        How they were made, for study.json.
    sources : sequence of Source
        The files that they follow from.
    """
    with results_in(directory, [one.path for one in sources if one.path is not None]):
        write_storage(
            directory / LENGTHS_FILE,
            time,
            mtu_names,
            geometry.mtu_length,
            name="MTU lengths",
            units="m",
        )
        for i, dof in enumerate(dofs):
            write_storage(
                directory / arms_file(dof),
                time,
                mtu_names,
                geometry.moment_arm[:, i],
                name=f"Moment arms about {dof}",
                units="m",
            )
        study = {"made_by": "ceinms-torch geometry evaluate", "settings": settings, "dofs": dofs}
        _write_study(directory, study, sources)


def _errors_csv(fit: PathFit) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    dofs = list(dict.fromkeys(dof for one in fit.errors for dof in one.arm_rms))
    table.writerow(
        [
            "MTU",
            "coordinates",
            "order",
            "length RMS [mm]",
            "length largest [mm]",
            "length held out RMS [mm]",
            *(f"arm about {dof} RMS [mm]" for dof in dofs),
        ]
    )
    for path, error, held_out in zip(fit.paths.paths, fit.errors, fit.held_out, strict=True):
        lengths = (error.length_rms, error.length_largest, held_out.length_rms)
        arms = [error.arm_rms.get(dof) for dof in dofs]
        table.writerow(
            [
                path.mtu,
                " ".join(path.coordinate_names),
                path.order,
                *(f"{1e3 * value:.6g}" for value in lengths),
                *("" if value is None else f"{1e3 * value:.6g}" for value in arms),
            ]
        )
    return text.getvalue()


def _write_study(directory: Path, study: Mapping[str, Any], sources: Sequence[Source]) -> None:
    whole = {**study, "inputs": file_hashes(sources, None), "versions": versions()}
    text = json.dumps(plain(whole), indent=2, allow_nan=False)
    write_atomically(directory / STUDY_FILE, f"{text}\n".encode())
