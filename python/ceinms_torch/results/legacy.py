"""Write results as the program of CEINMS 0.9 does (reference B.3)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ceinms_torch.inputs.outputs import RESPELT
from ceinms_torch.io.paths import write_atomically
from ceinms_torch.io.results import results_in
from ceinms_torch.simulation.legacy.run import LegacyRun
from ceinms_torch.simulation.time_series import TimeSeries


def write_legacy(run: LegacyRun, directory: Path) -> None:
    """Write what CEINMS writes, one file per quantity, under its names; those of 0.21, too.

    Parameters
    ----------
    run : LegacyRun
        What to write.
    directory : Path
        Where; made if needed, files in it are overwritten.
    """
    with results_in(directory):
        for name, series in (run.series() | run.later).items():
            data = _text(series).encode()
            for file in {name, RESPELT.get(name, name)}:
                write_atomically(directory / f"{file}.sto", data)


def _text(series: TimeSeries) -> str:
    """Return a storage file of CEINMS: six digits, tabs at the ends of lines."""
    header = ["CEINMS output", f"datacolumns {len(series.columns) + 1}"]
    header += [f"datarows {len(series.time)}", "endheader"]
    header.append("".join(f"{label}\t" for label in ("time", *series.columns)))
    table = np.column_stack((series.time, series.array))
    row = "%g\t" * table.shape[1] + "\n"
    rows: str = row * len(table) % tuple(table.ravel().tolist())
    return "\n".join(header) + "\n" + rows
