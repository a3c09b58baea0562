"""The files of one trial as they are, and whether they have what a subject needs."""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ceinms_torch.errors import CeinmsTorchWarning, DataError, FileFormatError, Place
from ceinms_torch.io.source import IN_MEMORY, Source
from ceinms_torch.io.storage import Storage, StorageReader, read_storage
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.input_data import InputData
from ceinms_torch.model.subject import Subject

# What a path of OpenSim 4 leads to where it is none of these quantities.
_OTHER_THAN = {
    "MTU length": re.compile(
        r"^(fib|tendon|norm|pennation|activat|excit|value)|force|speed|veloc|power"
    ),
    "moment arm": re.compile(r"force|speed|veloc|power|value|activat|excit|fib|tendon"),
    "joint moment": re.compile(r"^value|speed|accel|power|length|activat|excit"),
}
# Share of a trial that may be left out at its end before more is said than by how much.
_MOST_LEFT_OUT = 0.1
# Times closer than this [s] are the same time, as in CEINMS.
TIME_TOLERANCE = 1e-4


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The files of a trial by their roles in its ``inputData.xml``, as they were read.

    Parameters
    ----------
    input_data : Source
        The ``inputData.xml`` itself.
    muscle_tendon_length, excitations, torques : Source
        MTU lengths, normalised EMG envelopes, measured joint moments.
    moment_arms : mapping of str to Source
        Moment arms by DOF; several may be in one file.
    """

    input_data: Source = IN_MEMORY
    muscle_tendon_length: Source = IN_MEMORY
    moment_arms: Mapping[str, Source] = field(default_factory=dict)
    excitations: Source = IN_MEMORY
    torques: Source = IN_MEMORY

    def data(self) -> tuple[Source, ...]:
        """Return the files with the data, each once; none of a trial made in memory."""
        arms = self.moment_arms.values()
        files = (self.muscle_tendon_length, *arms, self.excitations, self.torques)
        return tuple(dict.fromkeys(file for file in files if file.path is not None))

    def __iter__(self) -> Iterator[Source]:
        """Iterate over all files, the ``inputData.xml`` first."""
        yield from (() if self.input_data.path is None else (self.input_data,))
        yield from self.data()


@dataclass(frozen=True, kw_only=True, eq=False)
class TrialFiles:
    """The storage files of a trial, not yet matched to a subject.

    Parameters
    ----------
    data : InputData
        Where they are.
    lengths : Storage
        MTU lengths [m] between the trial's start and stop.
    arms : mapping of str to Storage
        Moment arms [m], for every DOF of the subject.
    signals : Storage
        Normalised EMG envelopes (-).
    torques : Storage, optional
        Measured joint moments [N m].
    """

    data: InputData
    lengths: Storage
    arms: Mapping[str, Storage]
    signals: Storage
    torques: Storage | None = None

    @classmethod
    def read(
        cls,
        data: InputData,
        subject: Subject,
        read: Callable[[Path], Storage] | None = None,
    ) -> TrialFiles:
        """Read all files of a trial.

        Parameters
        ----------
        data : InputData
            Where they are.
        subject : Subject
            DOFs whose moment arms are needed, and delays of the excitations.
        read : callable, optional
            What reads a storage file: a `StorageReader` for several trials, which may share files.

        Returns
        -------
        TrialFiles

        Raises
        ------
        FileFormatError
            If a file is missing or faulty.
        DataError
            If there is no moment-arm file for a DOF.
        """
        read = StorageReader() if read is None else read
        file = data.external_torques_file
        arms = {dof: read(data.moment_arms_file(dof)) for dof in subject.dof_names}
        signals = read(data.excitations_file)
        torques = None if file is None else read(file)
        lengths = read_lengths(data, read, ends(arms, signals, torques, subject))
        return cls(data=data, lengths=lengths, arms=arms, signals=signals, torques=torques)

    def sources(self) -> Sources:
        """Return all files, as they were read."""
        document = self.data.document
        return Sources(
            input_data=IN_MEMORY if document is None else document.source,
            muscle_tendon_length=self.lengths.source,
            moment_arms={dof: storage.source for dof, storage in self.arms.items()},
            excitations=self.signals.source,
            torques=IN_MEMORY if self.torques is None else self.torques.source,
        )


def ends(
    arms: Mapping[str, Storage], signals: Storage | None, torques: Storage | None, subject: Subject
) -> dict[Path, float]:
    """Return the last time of the simulation that each file beside the MTU lengths can serve.

    Parameters
    ----------
    arms : mapping of str to Storage
        Moment arms [m] by DOF.
    signals : Storage, optional
        Normalised EMG envelopes (-), which serve as much later as the least delay.
    torques : Storage, optional
        Measured joint moments [N m].
    subject : Subject
        The delays.

    Returns
    -------
    dict of Path to float
        Times [s] by file.
    """
    last = {one.path: float(one.time[-1]) for one in (*arms.values(), torques) if one is not None}
    if signals is not None:
        last[signals.path] = float(signals.time[-1]) + min(mtu.em_delay for mtu in subject.mtus)
    return last


def check_quantity(storage: Storage, names: Iterable[str], quantity: str) -> None:
    """Refuse columns whose path of OpenSim 4 ends in another quantity.

    Parameters
    ----------
    storage : Storage
        The file.
    names : iterable of str
        Columns that it has.
    quantity : {"MTU length", "moment arm", "joint moment"}
        What they should be.

    Raises
    ------
    FileFormatError
        At the first that is something else.
    """
    for name in names:
        path = storage.paths.get(name, "")
        if _OTHER_THAN[quantity].search(re.split(r"[|/]", path)[-1].casefold()):
            raise FileFormatError(
                where=Place(storage.path, storage.label_line, name),
                expected=f"a {quantity} of '{name}'",
                got=f"'{path}'",
                hint=f"Export the {quantity}s, or name the file that has them",
                code="column-other-quantity",
            )


def check_signals(
    signals: Storage, mtu_names: tuple[str, ...], generator: ExcitationGenerator
) -> None:
    """Blame the file, not the mapping, for a signal that the mapping needs and the file lacks.

    Parameters
    ----------
    signals : Storage
        Normalised EMG envelopes (-).
    mtu_names : tuple of str
        The MTUs that need an excitation.
    generator : ExcitationGenerator
        Mapping from signals to excitations.

    Raises
    ------
    FileFormatError
        At the first signal that is missing.
    """
    wanted = set(mtu_names)
    for excitation in generator.excitations:
        if excitation.id in wanted:
            signals.select([name for name, _ in excitation.inputs])


def check_coverage(signals: Storage, lengths: Storage, subject: Subject) -> None:
    """Check that excitations, delayed, cover the simulation for every MTU.

    Parameters
    ----------
    signals : Storage
        Normalised EMG envelopes (-).
    lengths : Storage
        MTU lengths [m], whose times are those of the simulation.
    subject : Subject
        The MTUs and their delays.

    Raises
    ------
    DataError
        At the first MTU for which they are too short.
    """
    first, last = signals.time[0], signals.time[-1]
    for mtu in subject.mtus:
        begin, end = lengths.time[0] - mtu.em_delay, lengths.time[-1] - mtu.em_delay
        check_clock(signals, lengths, mtu.em_delay)
        if first > begin + TIME_TOLERANCE or last < end - TIME_TOLERANCE:
            raise DataError(
                where=signals.path,
                expected=f"signals from {begin:g} to {end:g} s (the times of '{lengths.path}' less "
                f"the emDelay of {mtu.name}, {mtu.em_delay:g} s)",
                got=f"{first:g} to {last:g} s",
                hint="The EMG is too short: export it from earlier to later, or shorten the trial",
            )


def check_clock(storage: Storage, lengths: Storage, delay: float = 0.0) -> None:
    """Check that a file has at least one instant of the MTU lengths.

    Parameters
    ----------
    storage : Storage
        Another file of the trial.
    lengths : Storage
        MTU lengths [m].
    delay : float
        How much earlier than the lengths it is needed [s].

    Raises
    ------
    DataError
        If it has none: exporting more or less of either does not help then.
    """
    begin, end = lengths.time[0] - delay, lengths.time[-1] - delay
    first, last = storage.time[0], storage.time[-1]
    if first <= end + TIME_TOLERANCE and last >= begin - TIME_TOLERANCE:
        return
    raise DataError(
        where=storage.path,
        expected=f"times that '{lengths.path}' has, too, {begin:g} to {end:g} s",
        got=f"{first:g} to {last:g} s, not one in common",
        hint=f"The files have different clocks: this one begins {first - begin:g} s from where it "
        "should, and a recorder may count from its own start. Find the offset (trigger, first "
        "frame of the c3d) and shift the times of one of the files",
        code="other-clock",
    )


def moment_columns(torques: Storage, dof_names: Iterable[str]) -> list[str]:
    """Return the labels of the DOFs' moments, which may end in ``_moment`` or not.

    Parameters
    ----------
    torques : Storage
        Measured joint moments [N m].
    dof_names : iterable of str
        Names of the DOFs.

    Returns
    -------
    list of str

    Raises
    ------
    FileFormatError
        At the first DOF without a column.
    """
    return [torques.label(f"{dof}_moment", dof) for dof in dof_names]


def read_lengths(
    data: InputData,
    read: Callable[[Path], Storage] = read_storage,
    others: Mapping[Path, float] | None = None,
) -> Storage:
    """Read the MTU lengths of a trial between its start and stop, as far as all files go.

    Parameters
    ----------
    data : InputData
        The trial.
    read : callable
        What reads a storage file.
    others : mapping of Path to float, optional
        Where the other files end [s]; they matter only if the trial has a stop.

    Returns
    -------
    Storage
        MTU lengths [m].

    Raises
    ------
    FileFormatError
        If the file is missing or faulty.
    DataError
        If the start is before its times, or start and stop leave less than two rows.

    Warns
    -----
    CeinmsTorchWarning
        If the stop is beyond the last row that all files have.
    """
    lengths = read(data.muscle_tendon_length_file)
    if data.start_stop_time is None or len(lengths.time) < 2:
        return lengths
    start, stop = data.start_stop_time
    time = lengths.time
    # Times come from events and rounded tables, so the file may begin or end a frame inside them.
    slack = float(np.diff(time).max()) + TIME_TOLERANCE
    if start < time[0] - slack or start >= time[-1]:
        raise DataError(
            where=data.place("<startStopTime>"),
            expected=f"times within those of '{lengths.path}', {time[0]:g} to {time[-1]:g} s",
            got=f"{start:g} to {stop:g} s",
            hint=f"Write times of that file, in seconds, such as {time[0]:g} {time[-1]:g}",
        )
    asked = (time >= start - TIME_TOLERANCE) & (time <= stop + TIME_TOLERANCE)
    if asked.sum() < 2:
        raise DataError(
            where=data.place("<startStopTime>"),
            expected=f"at least two rows of '{lengths.path}' between start and stop",
            got=str(int(asked.sum())),
            hint=f"Rows are about {np.diff(time).mean():.4g} s apart: move the stop",
        )
    last = {lengths.path: float(time[-1])} | dict(others or {})
    rows = asked & (time <= min(last.values()) + TIME_TOLERANCE)
    if rows.sum() < 2:  # the files are not of the same period, which is said where they are matched
        rows = asked
    end = time[rows][-1]
    if rows.sum() < asked.sum() or stop > time[-1] + slack:
        text = (
            f"the stop, {stop:g} s, is {stop - end:.4g} s beyond the last row that all files have; "
            f"the trial ends there, at {end:g} s, with '{min(last, key=lambda file: last[file])}'."
        )
        is_cut = rows.sum() < (1.0 - _MOST_LEFT_OUT) * asked.sum()
        code = "trial-cut" if is_cut else "stop-beyond-data"
        where = data.place("<startStopTime>")
        warnings.warn(CeinmsTorchWarning(text, code, where), stacklevel=3)
    return dataclasses.replace(lengths, time=time[rows], values=lengths.values[rows])
