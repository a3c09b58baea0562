"""How strongly each synergy excites each MTU: a table that files hold."""

from __future__ import annotations

import csv
import io
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, get_args

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import FileFormatError, Place, did_you_mean
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.paths import write_atomically
from ceinms_torch.io.source import read_text
from ceinms_torch.synergies.channels import Channels

Origin = Literal["recorded", "synthesised", "silent"]

_HEADER = ["muscle", "origin"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Weightings(OneLine):
    """Muscle weightings of synergies.

    Parameters
    ----------
    mtu_names : tuple of str
        The MTUs.
    origin : tuple of {"recorded", "synthesised", "silent"}
        What drove each MTU: its recording, the synergies, or nothing.
    values : ndarray (n_mtu, n_synergy)
        Excitation (-) per unit of each primitive, >= 0.
    """

    mtu_names: tuple[str, ...]
    origin: tuple[Origin, ...]
    values: FloatArray

    @classmethod
    def of(cls, channels: Channels, values: FloatArray) -> Self:
        """Return the table of all MTUs.

        Parameters
        ----------
        channels : Channels
            Recorded and synthesised excitations.
        values : ndarray (n_channel + n_synthesised, n_synergy)
            Weightings of the channels, then of the synthesised MTUs.

        Returns
        -------
        Weightings
        """
        origin: list[Origin] = [
            "recorded" if is_recorded else "silent"
            for is_recorded in np.any(channels.mixing, axis=1)
        ]
        for i in channels.synthesised:
            origin[i] = "synthesised"
        return cls(
            mtu_names=channels.mtu_names, origin=tuple(origin), values=channels.by_mtu(values)
        )

    @property
    def synergy_names(self) -> tuple[str, ...]:
        """Column names of the synergies."""
        return tuple(f"synergy_{i + 1}" for i in range(self.values.shape[1]))

    @property
    def synthesised(self) -> tuple[str, ...]:
        """MTUs that synergies drive."""
        pairs = zip(self.mtu_names, self.origin, strict=True)
        return tuple(name for name, origin in pairs if origin == "synthesised")

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a CSV file, one row per MTU.

        Parameters
        ----------
        path : path-like
            The file; its folder is created if needed.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*_HEADER, *(f"{name} [-]" for name in self.synergy_names)])
        for row in zip(self.mtu_names, self.origin, self.values.tolist(), strict=True):
            writer.writerow([row[0], row[1], *row[2]])
        write_atomically(Path(path), text.getvalue().encode())

    @classmethod
    def read(cls, path: str | os.PathLike[str], mtu_names: tuple[str, ...]) -> Self:
        """Read what `write` wrote.

        Parameters
        ----------
        path : path-like
            The file.
        mtu_names : tuple of str
            The MTUs wanted, in this order.

        Returns
        -------
        Weightings

        Raises
        ------
        FileFormatError
            If the file is missing, an MTU is not in it or twice, an origin is unknown, or a
            weighting is no finite number >= 0.
        """
        rows = _read_rows(Path(path))
        for name in mtu_names:
            if name not in rows:
                raise FileFormatError(
                    where=Place(Path(path), element="muscle"),
                    expected=f"a row of {name}",
                    got="none",
                    hint=did_you_mean(name, rows),
                )
        return cls(
            mtu_names=mtu_names,
            origin=tuple(rows[name][0] for name in mtu_names),
            values=np.array([rows[name][1] for name in mtu_names]),
        )


def _read_rows(path: Path) -> dict[str, tuple[Origin, list[float]]]:
    text, _ = read_text(path, "a file of weightings")
    lines = list(csv.reader(io.StringIO(text, newline="")))
    if not lines or lines[0][: len(_HEADER)] != _HEADER or len(lines[0]) == len(_HEADER):
        raise FileFormatError(
            where=Place(path, 1, "header"),
            expected="muscle,origin,synergy_1 [-],...",
            got=f"'{','.join(lines[0])}'" if lines else "an empty file",
        )
    rows: dict[str, tuple[Origin, list[float]]] = {}
    for number, cells in enumerate(lines[1:], 2):
        if not cells:
            continue
        expected, got = _fault(cells, len(lines[0]), rows)
        if expected:
            raise FileFormatError(where=Place(path, number, "row"), expected=expected, got=got)
        origin: Origin = cells[1]  # type: ignore[assignment]  # checked
        rows[cells[0]] = origin, [float(cell) for cell in cells[2:]]
    return rows


def _fault(
    cells: list[str], n_column: int, rows: dict[str, tuple[Origin, list[float]]]
) -> tuple[str, str]:
    """Return what a row should hold and what it holds, or empty texts for a sound one."""
    if len(cells) != n_column:
        return f"{n_column} columns", f"{len(cells)}"
    if cells[0] in rows:
        return "every muscle once", f"'{cells[0]}' twice"
    if cells[1] not in get_args(Origin):
        return f"one of {', '.join(get_args(Origin))}", f"'{cells[1]}'"
    for cell in cells[2:]:
        try:
            sound = math.isfinite(float(cell)) and float(cell) >= 0.0
        except ValueError:
            sound = False
        if not sound:
            return "weightings >= 0", f"'{cell}'"
    return "", ""
