"""What came out, as long tables: a number a row, with its unit, and a dictionary of all numbers."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.calibration.result import CalibratedParameter, CalibrationResult
from ceinms_torch.io.paths import write_atomically
from ceinms_torch.model.parameters import PARAMETERS
from ceinms_torch.simulation.fit import MomentFit
from ceinms_torch.simulation.simulate import Simulation
from ceinms_torch.simulation.time_series import TimeSeries

if TYPE_CHECKING:
    from ceinms_torch.simulation.trial_result import TrialResult

TableName = Literal["fit", "parameters", "forces", "muscle"]
# What each is about; the column of it is called so.
ABOUT: dict[TableName, str] = {
    "fit": "DOF",
    "parameters": "MTU",
    "forces": "MTU",
    "muscle": "MTU",
}
DICTIONARY_FILE = "dictionary.csv"

Row = tuple[str, str, str, str, str, str, str, str]


def columns_of(table: TableName) -> tuple[str, ...]:
    """Return the header of a table."""
    return ("subject", "condition", "trial", "role", ABOUT[table], "quantity", "unit", "value")


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number that is made of one column over time.

    Parameters
    ----------
    quantity : str
        What it is called.
    unit : str
        Its unit; "" for that of the column.
    of : callable
        Makes it of times [s] (n,) and values (n,).
    meaning : str
        A sentence for the dictionary.
    """

    quantity: str
    unit: str = ""
    of: Callable[[FloatArray, FloatArray], float]
    meaning: str


def impulse(time: FloatArray, values: FloatArray) -> float:
    """Return the integral over time, by trapezoids.

    Parameters
    ----------
    time, values : ndarray (n,)
        Times [s] and values.

    Returns
    -------
    float
        [unit of the values, s]; 0 of one frame.
    """
    return float(np.sum(0.5 * (values[1:] + values[:-1]) * np.diff(time)))


def mean_over_time(time: FloatArray, values: FloatArray) -> float:
    """Return the mean over time, whatever the rate: the integral over the duration.

    Parameters
    ----------
    time, values : ndarray (n,)
        Times [s] and values; of one frame its value.

    Returns
    -------
    float
    """
    duration = float(time[-1] - time[0])
    return impulse(time, values) / duration if duration > 0.0 else float(np.mean(values))


def _peak(_: FloatArray, values: FloatArray) -> float:
    return float(np.max(values))


def _least(_: FloatArray, values: FloatArray) -> float:
    return float(np.min(values))


def _largest(_: FloatArray, values: FloatArray) -> float:
    """Return the value that is farthest from zero, with its sign."""
    return float(values[np.argmax(np.abs(values))])


def _time_of_peak(time: FloatArray, values: FloatArray) -> float:
    duration = float(time[-1] - time[0])
    peak = float(time[np.argmax(values)] - time[0])
    return 100.0 * peak / duration if duration > 0.0 else math.nan


# ---- What the tables hold ---------------------------------------------------------------

_FORCE = (
    Measure(quantity="peak force", of=_peak, meaning="Largest force along the tendon."),
    Measure(
        quantity="mean force",
        of=mean_over_time,
        meaning="Force along the tendon, its integral over the trial divided by the duration.",
    ),
    Measure(
        quantity="impulse",
        unit="N s",
        of=impulse,
        meaning="Integral of the force along the tendon over the trial, by trapezoids.",
    ),
    Measure(
        quantity="time of peak force",
        unit="%",
        of=_time_of_peak,
        meaning="When the force is largest, from 0 at the first to 100 at the last frame.",
    ),
)


def _of(what: str, name: str, *, least: bool = False) -> tuple[Measure, ...]:
    """Return peak and mean of a quantity, and its least value."""
    measures = (
        Measure(quantity=f"peak {name}", of=_peak, meaning=f"Largest {what} of the trial."),
        Measure(
            quantity=f"mean {name}",
            of=mean_over_time,
            meaning=f"Mean over time of the {what}.",
        ),
    )
    lowest = Measure(quantity=f"least {name}", of=_least, meaning=f"Least {what} of the trial.")
    return (*measures, lowest) if least else measures


# By attribute of `Simulation`.
_MUSCLE: dict[str, tuple[Measure, ...]] = {
    "activation": _of("activation", "activation"),
    "norm_fibre_length": _of(
        "fibre length over optimal fibre length", "normalised fibre length", least=True
    ),
    "norm_fibre_velocity": _of(
        "fibre velocity over the greatest one, positive as the fibre lengthens",
        "normalised fibre velocity",
        least=True,
    ),
    "pennation_angle": _of("pennation angle", "pennation angle"),
    "tendon_strain": _of(
        "tendon strain, the tendon's length beyond slack over its slack length", "tendon strain"
    ),
}
_MOMENT = {
    "measured": "of the measured joint moment",
    "predicted": "of the predicted joint moment",
}
_FIT = {
    "rmse": ("RMSE", "N m", "Root mean square error of the predicted joint moment."),
    "r2": (
        "R2",
        "-",
        "Coefficient of determination, 1 - SSE / SST; empty where the measured moment is constant.",
    ),
    "r2_correlation": (
        "R2 of correlation",
        "-",
        "Squared correlation of measured and predicted moment: the shape alone.",
    ),
}
_DELAY = "activation delay"
# What is said of a calibrated parameter beside its value.
_OF_PARAMETER = {
    "": "Calibrated value",
    " at start": "Value before the calibration",
    " lower bound": "Lower end of the range that the calibration allowed",
    " upper bound": "Upper end of the range that the calibration allowed",
    " interval lower": "Lower end of the 95 % interval, where the parameter is identifiable",
    " interval upper": "Upper end of the 95 % interval, where the parameter is identifiable",
}
_SHARE = " share of range"


@dataclass(frozen=True)
class Tables:
    """The rows of all tables that one calibration or run gives.

    Parameters
    ----------
    subject, condition : str
        Whose.
    rows : dict of str to list of tuple of str
        By table, in the order of `columns_of`. Numbers are as Python writes them, with all digits;
        one that is not finite is an empty cell.
    """

    subject: str
    condition: str
    rows: dict[TableName, list[Row]]

    @classmethod
    def of_calibration(cls, result: CalibrationResult, subject: str, condition: str = "") -> Tables:
        """Make the tables of a calibration.

        Parameters
        ----------
        result : CalibrationResult
            Its calibration and test trials, its parameters.
        subject, condition : str
            Whose it is.

        Returns
        -------
        Tables
        """
        tables = cls(subject, condition, {name: [] for name in ABOUT})
        for trial in (*result.trials, *result.tests):
            tables._add_fit(trial.name, trial.role, trial.fit)
            tables._add_moments(trial.name, trial.role, trial)
            tables._add_simulation(trial.name, trial.role, trial.simulation)
        tables._add_parameters(result)
        return tables

    @classmethod
    def of_run(
        cls,
        simulation: Simulation,
        fit: dict[str, MomentFit],
        trial: str,
        subject: str,
        condition: str = "",
    ) -> Tables:
        """Make the tables of a run, which has no parameters.

        Parameters
        ----------
        simulation : Simulation
            Of the trial.
        fit : dict of str to MomentFit
            By DOF; empty without measured moments.
        trial : str
            Its name.
        subject, condition : str
            Whose it is.

        Returns
        -------
        Tables
        """
        tables = cls(subject, condition, {name: [] for name in ABOUT})
        tables._add_fit(trial, "run", fit)
        tables._add_largest(trial, "run", "predicted", simulation.joint_moment)
        tables._add_simulation(trial, "run", simulation)
        return tables

    def write(self, directory: Path) -> None:
        """Write a file for each table, with its header, also one without rows.

        Parameters
        ----------
        directory : Path
            The folder; made if needed.
        """
        for name, rows in self.rows.items():
            text = csv_text([columns_of(name), *rows])
            write_atomically(directory / f"{name}.csv", text.encode())

    def _add(
        self,
        table: TableName,
        trial: str,
        role: str,
        about: str,
        quantity: str,
        unit: str,
        value: float,
    ) -> None:
        text = repr(float(value)) if math.isfinite(value) else ""
        row = (self.subject, self.condition, trial, role, about, quantity, unit, text)
        self.rows[table].append(row)

    def _add_fit(self, trial: str, role: str, fit: dict[str, MomentFit]) -> None:
        for dof, one in fit.items():
            for name, (quantity, unit, _) in _FIT.items():
                self._add("fit", trial, role, dof, quantity, unit, getattr(one, name))

    def _add_moments(self, trial: str, role: str, of: TrialResult) -> None:
        self._add_largest(trial, role, "measured", of.measured_moment)
        self._add_largest(trial, role, "predicted", of.simulation.joint_moment)

    def _add_largest(self, trial: str, role: str, which: str, moment: TimeSeries) -> None:
        for dof, values in moment.items():
            peak = _largest(moment.time, values)
            self._add("fit", trial, role, dof, f"peak {which} moment", moment.units, peak)

    def _add_simulation(self, trial: str, role: str, simulation: Simulation) -> None:
        self._add_series("forces", trial, role, simulation.mtu_force, _FORCE)
        for name, measures in _MUSCLE.items():
            self._add_series("muscle", trial, role, getattr(simulation, name), measures)

    def _add_series(
        self,
        table: TableName,
        trial: str,
        role: str,
        series: TimeSeries,
        measures: Sequence[Measure],
    ) -> None:
        for about, values in series.items():
            for one in measures:
                value = one.of(series.time, values)
                unit = one.unit or series.units
                self._add(table, trial, role, about, one.quantity, unit, value)

    def _add_parameters(self, result: CalibrationResult) -> None:
        # Of a parameter that several steps calibrate, the last value counts, and the first start.
        first: dict[tuple[str, str], float] = {}
        last: dict[tuple[str, str], CalibratedParameter] = {}
        for one in result.parameters:
            for mtu in one.mtus:
                first.setdefault((one.name, mtu), one.start)
                last[one.name, mtu] = one
        for (name, mtu), one in last.items():
            lower, upper = one.interval or (math.nan, math.nan)
            start = first[name, mtu]
            numbers = (one.value, start, one.lower, one.upper, lower, upper)
            for ending, value in zip(_OF_PARAMETER, numbers, strict=True):
                self._add("parameters", "", "", mtu, f"{name}{ending}", one.unit, value)
            share = one.share(one.value)
            self._add("parameters", "", "", mtu, f"{name}{_SHARE}", "%", share)
        starts = result.start_activation_delays
        for mtu, delay in result.activation_delays.items():
            self._add("parameters", "", "", mtu, _DELAY, "ms", delay)
            self._add("parameters", "", "", mtu, f"{_DELAY} at start", "ms", starts[mtu])


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Return rows as a table with commas between, lines ending in a line feed."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


# ---- The dictionary ---------------------------------------------------------------------

_COLUMN_MEANINGS = {
    "subject": "Who, as the table of the study calls him or her.",
    "condition": "Under which condition; empty in a study without conditions.",
    "trial": "Name of the trial; empty for what holds for all of them.",
    "role": "calibration, test (nothing was fitted to it) or run; empty where there is no trial.",
    "DOF": "Degree of freedom.",
    "MTU": "Muscle-tendon unit.",
    "quantity": "What the value is; all of them are explained here.",
    "unit": "Unit of the value; - for pure numbers.",
    "value": "The number, with all its digits; empty where there is none.",
}


def dictionary() -> Iterator[tuple[str, str, str, str, str]]:
    """Iterate over the rows of the data dictionary, its header first.

    Yields
    ------
    tuple of str
        Table, whether it is a column or a quantity, its name, unit, what it means.
    """
    yield ("table", "kind", "name", "unit", "meaning")
    for table in ABOUT:
        for column in columns_of(table):
            yield (f"{table}.csv", "column", column, "", _COLUMN_MEANINGS[column])
        for name, unit, meaning in _quantities(table):
            yield (f"{table}.csv", "quantity", name, unit, meaning)


def _quantities(table: TableName) -> Iterator[tuple[str, str, str]]:
    if table == "fit":
        yield from _FIT.values()
        for which, words in _MOMENT.items():
            meaning = f"The value {words} that is farthest from zero, with its sign."
            yield f"peak {which} moment", "N m", meaning
    elif table == "forces":
        for one in _FORCE:
            yield one.quantity, one.unit or "N", one.meaning
    elif table == "muscle":
        units = {"pennation_angle": "rad"}
        for series, measures in _MUSCLE.items():
            for one in measures:
                yield one.quantity, one.unit or units.get(series, "-"), one.meaning
    else:
        for name, kind in PARAMETERS.items():
            for ending, words in _OF_PARAMETER.items():
                yield f"{name}{ending}", kind.unit, f"{words} of {name}."
            meaning = f"Where {name} ended in its range, 0 at the lower and 100 at the upper bound."
            yield f"{name}{_SHARE}", "%", meaning
        yield _DELAY, "ms", "Mean delay of activation behind excitation by C1 and C2."
        yield f"{_DELAY} at start", "ms", "The same before the calibration."
