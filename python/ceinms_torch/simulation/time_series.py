"""Named columns over time that know their unit."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import unknown_name
from ceinms_torch.io.display import html_table, optional
from ceinms_torch.io.storage import write_storage
from ceinms_torch.model.trial import Trial

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class TimeSeries(Mapping[str, FloatArray]):
    """A quantity of several MTUs or DOFs over time, a mapping of their names to its values.

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
    array : ndarray (n_step, n_column)
        The values.
    """

    name: str
    units: str
    time: FloatArray
    columns: tuple[str, ...]
    array: FloatArray

    def __getitem__(self, column: str) -> FloatArray:
        """Return one column by its name, (n_step,); a KeyError names the nearest one."""
        if column not in self.columns:
            raise unknown_name(self.name, "a column", column, self.columns)
        return self.array[:, self.columns.index(column)]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the columns."""
        return iter(self.columns)

    def __len__(self) -> int:
        """Return the number of columns."""
        return len(self.columns)

    def __eq__(self, other: object) -> bool:
        """Tell whether names, unit, times and values are the same."""
        return (
            isinstance(other, TimeSeries)
            and (self.name, self.units, self.columns) == (other.name, other.units, other.columns)
            and np.array_equal(self.time, other.time)
            and np.array_equal(self.array, other.array)
        )

    __hash__ = None  # type: ignore[assignment]  # arrays can change

    def __repr__(self) -> str:
        """Say what it is, not its numbers."""
        begin, end = self._period()
        return (
            f"<TimeSeries {self.name} [{self.units}]: {len(self.columns)} columns, "
            f"{len(self.time)} steps from {begin:g} to {end:g} s>"
        )

    def _repr_html_(self) -> str:
        rows = (
            (name, float(one.min()), float(one.mean()), float(one.max()))
            for name, one in self.items()
            if len(one)
        )
        begin, end = self._period()
        caption = f"{self.name} [{self.units}], {len(self.time)} steps, {begin:g} to {end:g} s"
        return html_table(caption, ("", "lowest", "mean", "highest"), rows)

    def _period(self) -> tuple[float, float]:
        return (float(self.time[0]), float(self.time[-1])) if len(self.time) else (np.nan, np.nan)

    def to_sto(self, path: str | os.PathLike[str]) -> None:
        """Write a storage file that OpenSim opens.

        Parameters
        ----------
        path : path-like
            The file; its folder is created if needed.
        """
        write_storage(path, self.time, self.columns, self.array, name=self.name, units=self.units)

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
        pandas = optional("pandas")
        index = pandas.Index(self.time, name="time [s]")
        frame: pd.DataFrame = pandas.DataFrame(self.array, index=index, columns=[*self.columns])
        return frame

    def to_xarray(self) -> Any:
        """Return the values as an xarray, by time [s] and column, with unit and name.

        Returns
        -------
        xarray.DataArray

        Raises
        ------
        ImportError
            If xarray is not installed (``pip install xarray``).
        """
        return optional("xarray").DataArray(
            self.array,
            dims=("time", "column"),
            coords={"time": self.time, "column": list(self.columns)},
            name=self.name,
            attrs={"units": self.units},
        )


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
    names, time = trial.mtu_names, trial.excitation_time
    return TimeSeries("excitation", "-", time, names, trial.excitation)


def measured_series(trial: Trial, array: FloatArray) -> TimeSeries:
    """Return measured moments (n_step, n_dof) [N m] of a trial with names and times."""
    return TimeSeries("measured joint moment", "N m", trial.time, trial.dof_names, array)
