"""Named columns over time that know their unit."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ceinms_torch.io.storage import write_storage
from ceinms_torch.model.trial import Trial

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class TimeSeries:
    """A quantity of several MTUs or DOFs over time.

    Parameters
    ----------
    name : str
        What it is, for example "MTU force".
    units : str
        Unit of the values; "-" for pure numbers.
    time : ndarray (n_step,)
        Times [s].
    columns : tuple of str
        Name of each column.
    values : ndarray (n_step, n_column)
        The values.
    """

    name: str
    units: str
    time: FloatArray
    columns: tuple[str, ...]
    values: FloatArray

    def __getitem__(self, column: str) -> FloatArray:
        """Return one column by its name, (n_step,)."""
        return self.values[:, self.columns.index(column)]

    def to_sto(self, path: str | os.PathLike[str]) -> None:
        """Write a storage file that OpenSim opens.

        Parameters
        ----------
        path : path-like
            The file; its folder is created if needed.
        """
        write_storage(path, self.time, self.columns, self.values, name=self.name, units=self.units)

    def to_dataframe(self) -> pd.DataFrame:
        """Return the columns as a pandas data frame, indexed by time [s].

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        ImportError
            If pandas is not installed (``pip install pandas``).
        """
        import pandas as pd  # noqa: PLC0415  optional

        index = pd.Index(self.time, name="time [s]")
        return pd.DataFrame(self.values, index=index, columns=list(self.columns))


def excitation_series(trial: Trial) -> TimeSeries:
    """Return what drives each MTU of a trial, at the times of the recording, before any delay.

    Parameters
    ----------
    trial : Trial
        The trial.

    Returns
    -------
    TimeSeries
        (n_row, n_mtu) [-].
    """
    return TimeSeries(
        name="excitation",
        units="-",
        time=trial.excitation_time,
        columns=trial.mtu_names,
        values=trial.excitation,
    )
