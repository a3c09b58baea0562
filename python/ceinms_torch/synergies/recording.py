"""The recorded channels of a trial, as synergies are extracted from them."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import CeinmsTorchWarning, DataError
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.source import IN_MEMORY, Source
from ceinms_torch.io.storage import read_storage
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.input_data import InputData
from ceinms_torch.model.trial_files import TIME_TOLERANCE


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording(OneLine):
    """What the electrodes recorded in one trial.

    Parameters
    ----------
    name : str
        The trial.
    channels : tuple of str
        The signals, each once however many MTUs it drives.
    time : ndarray (n_sample,)
        [s], increasing.
    excitation : ndarray (n_sample, n_channel)
        Normalised envelopes (-), 0 to 1.
    source : Source
        The file they were read from.
    """

    name: str
    channels: tuple[str, ...]
    time: FloatArray
    excitation: FloatArray
    source: Source = IN_MEMORY

    @classmethod
    def read(
        cls, input_data: InputData | str | os.PathLike[str], channels: Sequence[str] | None = None
    ) -> Self:
        """Read the excitation signals of a trial.

        Parameters
        ----------
        input_data : InputData or path-like
            The trial, or its ``inputData.xml``.
        channels : sequence of str, optional
            The signals wanted; all columns of the file by default.

        Returns
        -------
        Recording
            All rows of the file.

        Raises
        ------
        FileFormatError
            If the file is missing or faulty, or lacks a channel.

        Warns
        -----
        CeinmsTorchWarning
            If values had to be limited to 0 to 1, as they are when they drive the model.
        """
        data = input_data if isinstance(input_data, InputData) else InputData.read(input_data)
        storage = read_storage(data.excitations_file)
        names = storage.columns if channels is None else tuple(channels)
        values = storage.select(names)
        outside = (values < 0.0) | (values > 1.0)
        if outside.any():
            named = ", ".join(names[i] for i in np.flatnonzero(np.any(outside, axis=0)))
            warnings.warn(
                CeinmsTorchWarning(
                    f"{int(outside.sum())} of {outside.size} values are outside 0 to 1 and are "
                    f"limited to it (lowest {values.min():.4g}, highest {values.max():.4g}; "
                    f"channels: {named}). Check how they were normalised.",
                    where=storage.path,
                ),
                stacklevel=2,
            )
        return cls(
            name=data.name,
            channels=names,
            time=storage.time,
            excitation=np.clip(values, 0.0, 1.0),
            source=storage.source,
        )

    def during(self, first: float, last: float) -> Self:
        """Return the part of the recording in a period.

        Parameters
        ----------
        first, last : float
            Its ends [s], both included.

        Returns
        -------
        Recording

        Raises
        ------
        DataError
            If there is no sample in it.
        """
        inside = (self.time >= first - TIME_TOLERANCE) & (self.time <= last + TIME_TOLERANCE)
        if not inside.any():
            raise DataError(
                where=f"recording of {self.name}",
                expected=f"samples from {first:g} to {last:g} s",
                got=f"{self.time[0]:g} to {self.time[-1]:g} s",
            )
        return dataclasses.replace(self, time=self.time[inside], excitation=self.excitation[inside])

    def without(self, channel: str) -> Self:
        """Return the recording without one of its channels.

        Parameters
        ----------
        channel : str
            Its name.

        Returns
        -------
        Recording
        """
        kept = [i for i, name in enumerate(self.channels) if name != channel]
        return dataclasses.replace(
            self,
            channels=tuple(self.channels[i] for i in kept),
            excitation=np.ascontiguousarray(self.excitation[:, kept]),
        )

    @property
    def phase(self) -> FloatArray:
        """Time from the first sample (0) to the last (1), (n_sample,)."""
        span = self.time[-1] - self.time[0]
        return (self.time - self.time[0]) / span if span > 0.0 else np.zeros(len(self.time))


def recorded_channels(
    generator: ExcitationGenerator, mtu_names: Iterable[str] | None = None
) -> tuple[str, ...]:
    """Return the signals that drive at least one MTU, each once.

    Parameters
    ----------
    generator : ExcitationGenerator
        Which signals drive which MTU.
    mtu_names : iterable of str, optional
        The MTUs that count; all that the generator has by default.

    Returns
    -------
    tuple of str
        In the order of the generator's input signals.

    Raises
    ------
    DataError
        If no MTU is driven by a signal.
    """
    wanted = None if mtu_names is None else set(mtu_names)
    driving = {
        signal
        for excitation in generator.excitations
        if wanted is None or excitation.id in wanted
        for signal, weight in excitation.inputs
        if weight != 0.0
    }
    if not driving:
        raise DataError(
            where=generator.path or "excitation generator",
            expected="at least one MTU with an <input>",
            got="none",
        )
    return tuple(name for name in generator.input_signals if name in driving)


def check_same_channels(recordings: Sequence[Recording]) -> None:
    """Check that trials can be factorised together.

    Parameters
    ----------
    recordings : sequence of Recording
        The trials.

    Raises
    ------
    DataError
        If there is none, two have the same name, or their channels differ.
    """
    if not recordings:
        raise DataError(where="recordings", expected="at least one trial", got="none")
    first = recordings[0]
    names: set[str] = set()
    for one in recordings:
        if one.name in names:
            raise DataError(
                where="recordings",
                expected="trials with different names",
                got=f"'{one.name}' twice",
            )
        names.add(one.name)
        if one.channels != first.channels:
            raise DataError(
                where=f"recording of {one.name}",
                expected=f"the channels of {first.name}, {', '.join(first.channels)}",
                got=", ".join(one.channels),
            )


def check_values(data: FloatArray, labels: Sequence[str]) -> None:
    """Refuse excitations that cannot be factorised.

    Parameters
    ----------
    data : ndarray (n_sample, n_channel)
        Excitations (-).
    labels : sequence of str
        Name of each channel.

    Raises
    ------
    DataError
        If a value is not finite or negative, or a channel is zero throughout.
    """
    finite = np.isfinite(data)
    if not finite.all():
        row, column = (int(i) for i in np.argwhere(~finite)[0])
        got = f"{data[row, column]} at sample {row} ({int((~finite).sum())} such values)"
        hint = "Fill the gaps of the recording, or leave out the channel"
        raise DataError(
            where=f"excitation of {labels[column]}", expected="finite numbers", got=got, hint=hint
        )
    if data.min() < 0.0:
        row, column = divmod(int(data.argmin()), data.shape[1])
        got = f"{data[row, column]:.4g} at sample {row} ({int((data < 0.0).sum())} negative values)"
        hint = "Rectify and low-pass the EMG, and set what the filter leaves below zero to zero"
        raise DataError(
            where=f"excitation of {labels[column]}", expected="values >= 0", got=got, hint=hint
        )
    silent = [name for name, top in zip(labels, data.max(axis=0), strict=True) if top == 0.0]
    if silent:
        raise DataError(
            where=f"excitation of {', '.join(silent)}",
            expected="a recorded signal",
            got="zeros throughout",
            hint="Leave out the channel: an electrode that came off tells nothing, and an "
            "excitation that was not recorded can be synthesised",
        )
