"""The data of one trial as aligned arrays."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.errors import CeinmsTorchWarning, DataError, FileFormatError, Place
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.storage import Storage
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.input_data import InputData
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial_files import (
    TIME_TOLERANCE,
    Sources,
    TrialFiles,
    check_clock,
    check_coverage,
    check_quantity,
    check_signals,
    moment_columns,
)

# Rows are evenly spaced if they are off an even grid by at most this share of a step.
_JITTER = 0.05
# Printed times make one rate look like two that differ by less than this.
SAME_RATE = 1.01


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial(OneLine):
    """One recording, ready to be simulated.

    Parameters
    ----------
    name : str
        Name of the trial.
    mtu_names : tuple of str
        MTUs, in subject order.
    dof_names : tuple of str
        DOFs, in subject order.
    time : ndarray (n_step,)
        Times of the simulation [s], strictly increasing, at least two.
    mtu_length : ndarray (n_step, n_mtu)
        MTU lengths [m].
    moment_arm : ndarray (n_step, n_dof, n_mtu)
        Moment arms [m]; 0 where the MTU is not one of the DOF's.
    excitation_time : ndarray (n_row,)
        Times of the excitations as recorded, without delay [s]; strictly increasing, even.
    excitation : ndarray (n_row, n_mtu)
        Excitations (-), 0 to 1.
    measured_moment : ndarray (n_step, n_dof) or None
        Measured joint moments at `time` [N m].
    sources : Sources
        The files the data were read from, by their roles.
    """

    name: str
    mtu_names: tuple[str, ...]
    dof_names: tuple[str, ...]
    time: FloatArray
    mtu_length: FloatArray
    moment_arm: FloatArray
    excitation_time: FloatArray
    excitation: FloatArray
    measured_moment: FloatArray | None = None
    sources: Sources = field(default_factory=Sources)

    @property
    def time_step(self) -> float:
        """Time from one step to the next [s]; the median. The activation filter counts steps."""
        return float(np.median(np.diff(self.time)))

    def at_step_rate(self) -> Trial:
        """Return the trial with excitations at the rate of its steps.

        Before the first step the activation filter takes every row of excitations, afterwards one
        for each step (reference B.2). So with fast EMG a delay of the filter is shorter before the
        first step than after it; at one rate it is the same all the time.

        Returns
        -------
        Trial
            This one, where rates differ by less than 1 %. Between rows excitations are straight.
        """
        step, rows = self.time_step, np.diff(self.excitation_time)
        if 1.0 / SAME_RATE <= float(np.median(rows)) / step <= SAME_RATE:
            return self
        ends = (self.excitation_time[[0, -1]] - self.time[0]) / step
        first, last = math.floor(ends[0] + 1e-6), math.ceil(ends[1] - 1e-6)
        time = self.time[0] + step * np.arange(first, last + 1)
        excitation = [np.interp(time, self.excitation_time, one) for one in self.excitation.T]
        return replace(self, excitation_time=time, excitation=np.stack(excitation, axis=1))

    @classmethod
    def read(
        cls,
        input_data: InputData | str | os.PathLike[str],
        subject: Subject,
        generator: ExcitationGenerator,
        *,
        require_moments: bool = False,
    ) -> Trial:
        """Read and align all files of a trial.

        Parameters
        ----------
        input_data : InputData or path-like
            The trial, or its ``inputData.xml``.
        subject : Subject
            Names of MTUs and DOFs, and the delays that the excitations must cover.
        generator : ExcitationGenerator
            Mapping from signals to excitations.
        require_moments : bool
            Whether a trial without measured moments is an error, as it is in a calibration.

        Returns
        -------
        Trial

        Raises
        ------
        FileFormatError
            If a file is missing or faulty, or lacks a column.
        DataError
            If files do not cover the times of the MTU lengths, or the moments are required and
            missing.

        Warns
        -----
        CeinmsTorchWarning
            If excitations had to be limited to 0 to 1 or put on an even grid, come slower than the
            MTU lengths, or moments or moment arms had to be interpolated.
        """
        data = input_data if isinstance(input_data, InputData) else InputData.read(input_data)
        files = TrialFiles.read(data, subject)
        return cls.of(files, subject, generator, require_moments=require_moments)

    @classmethod
    def of(
        cls,
        files: TrialFiles,
        subject: Subject,
        generator: ExcitationGenerator,
        *,
        require_moments: bool = False,
    ) -> Trial:
        """Align files that have been read; see `Trial.read`.

        Parameters
        ----------
        files : TrialFiles
            The files, with moment arms for every DOF of the subject.
        subject : Subject
            Names of MTUs and DOFs, and the delays that the excitations must cover.
        generator : ExcitationGenerator
            Mapping from signals to excitations.
        require_moments : bool
            Whether a trial without measured moments is an error.

        Returns
        -------
        Trial
        """
        data, lengths, signals = files.data, files.lengths, files.signals
        if len(lengths.time) < 2:
            raise FileFormatError(
                where=Place(lengths.path, element="rows"), expected="at least two rows", got="one"
            )
        check_quantity(lengths, subject.mtu_names, "MTU length")
        check_coverage(signals, lengths, subject)
        excitation = _excitations(data.name, signals, subject.mtu_names, generator)
        excitation_time, excitation = _even(signals, excitation)
        _warn_if_slow(signals, excitation_time, lengths.time)
        moments = None
        if files.torques is not None:
            columns = moment_columns(files.torques, subject.dof_names)
            check_quantity(files.torques, columns, "joint moment")
            moments = at_times(files.torques, files.torques.select(columns), lengths)
        elif require_moments:
            raise DataError(
                where=data.place(),
                expected="an <externalTorquesFile>, the measured moments to calibrate on",
                got="none",
            )
        return cls(
            name=data.name,
            mtu_names=subject.mtu_names,
            dof_names=subject.dof_names,
            time=lengths.time,
            mtu_length=lengths.select(subject.mtu_names),
            moment_arm=_moment_arms(files.arms, subject, lengths),
            excitation_time=excitation_time,
            excitation=excitation,
            measured_moment=moments,
            sources=files.sources(),
        )


def common_time_step(trials: Sequence[Trial], place: Place) -> float:
    """Return the time from one step to the next of trials that have one rate.

    Parameters
    ----------
    trials : sequence of Trial
        One or more.
    place : Place
        What asks for one rate.

    Returns
    -------
    float
        [s].

    Raises
    ------
    DataError
        If rates differ by more than 1 %.
    """
    steps = {trial.name: trial.time_step for trial in trials}
    low, high = min(steps.values()), max(steps.values())
    if high > SAME_RATE * low:
        listing = ", ".join(f"{name} {1.0 / step:.4g} Hz" for name, step in steps.items())
        raise DataError(
            where=place,
            expected="trials whose MTU lengths have one rate",
            got=listing,
            hint="The activation filter counts steps: with one C1 and C2 the delays would differ. "
            "Export all trials at one rate",
            code="rates-differ",
        )
    return low


def at_times(storage: Storage, values: FloatArray, lengths: Storage) -> FloatArray:
    """Return the rows of a file at the times of the MTU lengths, interpolated if they differ."""
    time, wanted = storage.time, lengths.time
    rows = np.minimum(np.searchsorted(time, wanted - TIME_TOLERANCE), len(time) - 1)
    if np.abs(time[rows] - wanted).max() <= TIME_TOLERANCE:
        return np.ascontiguousarray(values[rows])
    check_clock(storage, lengths)
    if time[0] > wanted[0] + TIME_TOLERANCE or time[-1] < wanted[-1] - TIME_TOLERANCE:
        raise DataError(
            where=storage.path,
            expected=f"times from {wanted[0]:g} to {wanted[-1]:g} s, as in '{lengths.path}'",
            got=f"{time[0]:g} to {time[-1]:g} s",
            hint="Export all files of a trial for the same period",
        )
    _warn(
        f"its times differ from those of '{lengths.path}', so its values are interpolated "
        "linearly.",
        "times-interpolated",
        storage.path,
    )
    columns = [np.interp(wanted, time, column) for column in values.T]
    return np.ascontiguousarray(np.array(columns).T)


def _moment_arms(arms: Mapping[str, Storage], subject: Subject, lengths: Storage) -> FloatArray:
    result = np.zeros((len(lengths.time), len(subject.dofs), len(subject.mtus)))
    for i, dof in enumerate(subject.dofs):
        storage = arms[dof.name]
        check_quantity(storage, dof.mtu_names, "moment arm")
        columns = [subject.mtu_index(name) for name in dof.mtu_names]
        result[:, i, columns] = at_times(storage, storage.select(dof.mtu_names), lengths)
    return result


@one_blas_thread
def _excitations(
    trial: str, signals: Storage, mtu_names: tuple[str, ...], generator: ExcitationGenerator
) -> FloatArray:
    """Map the signals to excitations and limit those to 0 to 1."""
    check_signals(signals, mtu_names, generator)
    excitation = signals.values @ generator.weights(mtu_names, signals.columns).T
    outside = (excitation < 0.0) | (excitation > 1.0)
    if outside.any():
        names = [mtu_names[i] for i in np.flatnonzero(np.any(outside, axis=0))]
        _warn(
            f"Trial '{trial}': {int(outside.sum())} of {outside.size} excitations are outside 0 to "
            f"1 and are limited to it (lowest {excitation.min():.4g}, highest "
            f"{excitation.max():.4g}; MTUs: {', '.join(names)}). Check how '{signals.path}' was "
            "normalised.",
            "emg-outside-range",
        )
    return np.clip(excitation, 0.0, 1.0)


def _even(signals: Storage, excitation: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Put excitations on an even time grid unless they are on one already."""
    time = signals.time
    if len(time) < 2:
        return time, excitation
    grid = np.linspace(time[0], time[-1], len(time))
    step = grid[1] - grid[0]
    if np.abs(time - grid).max() <= _JITTER * step:
        return time, excitation
    _warn(
        "rows are not evenly spaced in time, so excitations are interpolated linearly every "
        f"{step:.6g} s. Check the file for gaps.",
        "emg-uneven",
        signals.path,
    )
    columns = [np.interp(grid, time, column) for column in excitation.T]
    return grid, np.ascontiguousarray(np.array(columns).T)


def _warn_if_slow(signals: Storage, excitation_time: FloatArray, time: FloatArray) -> None:
    if len(excitation_time) < 2:
        return
    excitation_step = (excitation_time[-1] - excitation_time[0]) / (len(excitation_time) - 1)
    step = (time[-1] - time[0]) / (len(time) - 1)
    if excitation_step > SAME_RATE * step:
        _warn(
            f"signals come every {excitation_step:.4g} s, slower than MTU lengths ({step:.4g} s), "
            "so they are interpolated; CEINMS itself refuses such files.",
            "emg-slow",
            signals.path,
        )


def _warn(text: str, code: str, file: Path | None = None) -> None:
    warnings.warn(CeinmsTorchWarning(text, code, file), stacklevel=4)
