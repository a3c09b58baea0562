"""Which channel of the EMG drives which MTUs: ``emg.toml``, read, checked and proposed.

::

    relabelled = ["TA"]          # channels whose label names another muscle, on purpose

    [channels]
    Sol = "soleus_r"
    VL = { vaslat_r = 1.0, vasint_r = 0.5 }
    VM = { vasmed_r = 1.0, vasint_r = 0.5 }
    BF = ["bflh_r", "bfsh_r"]    # each with the weight 1
"""

from __future__ import annotations

import json
import math
import os
import re
import tomllib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ceinms_torch.emg.channel_names import muscles_of, side
from ceinms_torch.errors import (
    CeinmsTorchWarning,
    DataError,
    FileFormatError,
    Place,
    unknown_name,
)
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.paths import write_atomically
from ceinms_torch.io.source import IN_MEMORY, Source, read_text
from ceinms_torch.model.excitation_generator import Excitation, ExcitationGenerator


@dataclass(frozen=True, kw_only=True)
class EmgMap(OneLine):
    """Which channels drive which MTUs, and by how much.

    Parameters
    ----------
    channels : dict of str to dict of str to float
        Weights of MTUs by channel, above 0. An MTU's excitation is the weighted sum.
    relabelled : tuple of str
        Channels that lie on another muscle than their label says, or on the other side.
    source : Source
        The file it was read from.

    Raises
    ------
    DataError
        If a channel drives none, a weight is not above 0, a channel drives only MTUs of muscles
        that its label does not mean, or those of the other side, and is not `relabelled`.

    Warns
    -----
    CeinmsTorchWarning
        If the weights of an MTU add up to more than 1.
    """

    channels: Mapping[str, Mapping[str, float]]
    relabelled: tuple[str, ...] = ()
    source: Source = field(default=IN_MEMORY, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Check weights, and labels against MTUs."""
        if not self.channels:
            raise DataError(where=self._place(), expected="one channel at least", got="none")
        for name in self.relabelled:
            if name not in self.channels:
                raise unknown_name(self._place("relabelled"), "a channel", name, self.channels)
        for name, mtus in self.channels.items():
            self._check_weights(name, mtus)
            if name not in self.relabelled:
                self._check_label(name, tuple(mtus))
        sums: dict[str, float] = {}
        for mtus in self.channels.values():
            for mtu, weight in mtus.items():
                sums[mtu] = sums.get(mtu, 0.0) + weight
        if heavy := [mtu for mtu, total in sums.items() if total > 1.0 + 1e-9]:
            text = f"weights add up to more than 1 for {', '.join(heavy)}."
            warnings.warn(CeinmsTorchWarning(text, "emg-map", self._place()), stacklevel=3)

    def _place(self, element: str = "channels") -> Place:
        line = None
        if self.source.path is not None:
            line = _line_of(self.source.path, element.partition(",")[0])
        return Place(self.source.path, line, element)

    def _check_weights(self, name: str, mtus: Mapping[str, float]) -> None:
        if not mtus:
            hint = "Take the channel out of the map if it drives nothing"
            raise DataError(
                where=self._place(name), expected="one MTU at least", got="none", hint=hint
            )
        for mtu, weight in mtus.items():
            if not 0.0 < weight < math.inf:
                where = self._place(f"{name}, {mtu}")
                raise DataError(where=where, expected="a weight above 0", got=f"{weight:g}")

    def _check_label(self, name: str, mtus: tuple[str, ...]) -> None:
        meant = muscles_of(name)
        of_muscle = [mtu for mtu in mtus if any(one.has(mtu) or one.lends_to(mtu) for one in meant)]
        hint = (
            f"Send '{name}' elsewhere; or, if its label is wrong and the map is right, write "
            f'relabelled = ["{name}"] above [channels]'
        )
        if meant and not of_muscle:
            raise DataError(
                where=self._place(name),
                expected=f"MTUs of {' or '.join(one.name for one in meant)}, as the label says",
                got=", ".join(mtus),
                hint=hint,
                code="emg-map-muscle",
            )
        sides = {"r": "right", "l": "left"}
        wrong = [mtu for mtu in mtus if {side(mtu), side(name)} == {"r", "l"}]
        if wrong:
            raise DataError(
                where=self._place(name),
                expected=f"MTUs of the {sides[side(name) or 'r']} side, as the label says",
                got=", ".join(wrong),
                hint=hint,
                code="emg-map-side",
            )

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> EmgMap:
        """Read an ``emg.toml``.

        Parameters
        ----------
        path : path-like
            The file.

        Returns
        -------
        EmgMap

        Raises
        ------
        FileFormatError
            If the file is missing, no TOML, or has anything but channels with MTUs.
        DataError
            As for the class.
        """
        path = Path(path)
        text, source = read_text(path, "a map of EMG channels (TOML)")
        try:
            content = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            found = re.search(r"line (\d+)", str(error))
            raise FileFormatError(
                where=Place(path, int(found[1]) if found else None),
                expected="TOML",
                got=str(error),
                hint="Names with blanks or dots need quotes",
            ) from error
        unknown = [key for key in content if key not in ("channels", "relabelled")]
        if unknown or not isinstance(content.get("channels"), dict):
            raise FileFormatError(
                where=Place(path, _line_of(path, unknown[0]) if unknown else None),
                expected="a table [channels], and relabelled = [...] above it if need be",
                got=f"'{unknown[0]}'" if unknown else "no [channels]",
            )
        relabelled = content.get("relabelled", [])
        if not isinstance(relabelled, list) or not all(isinstance(one, str) for one in relabelled):
            raise FileFormatError(
                where=Place(path, _line_of(path, "relabelled"), "relabelled"),
                expected="a list of channels",
                got=repr(relabelled),
            )
        channels = {
            name: _weights(path, name, value) for name, value in content["channels"].items()
        }
        return cls(channels=channels, relabelled=tuple(relabelled), source=source)

    def write(self, path: str | os.PathLike[str], comments: Iterable[str] = ()) -> None:
        """Write an ``emg.toml``.

        Parameters
        ----------
        path : path-like
            The file to write.
        comments : iterable of str
            Lines to put in front.
        """
        lines = [f"# {comment}" for comment in comments]
        if self.relabelled:
            lines.append(f"relabelled = [{', '.join(map(_string, self.relabelled))}]")
        lines += ["", "[channels]"] if lines else ["[channels]"]
        for name, mtus in self.channels.items():
            pairs = ", ".join(f"{_key(mtu)} = {weight:g}" for mtu, weight in mtus.items())
            lines.append(f"{_key(name)} = {{ {pairs} }}")
        write_atomically(path, ("\n".join(lines) + "\n").encode())

    @property
    def mtus(self) -> tuple[str, ...]:
        """The MTUs that are driven, each once."""
        return tuple(dict.fromkeys(mtu for mtus in self.channels.values() for mtu in mtus))

    def check_mtus(self, known: Iterable[str]) -> None:
        """Make sure that a model has all MTUs.

        Parameters
        ----------
        known : iterable of str
            Names of the model's MTUs.

        Raises
        ------
        UnknownNameError
            At the first that it lacks.
        """
        names = list(known)
        for name, mtus in self.channels.items():
            for mtu in mtus:
                if mtu not in names:
                    raise unknown_name(self._place(name), "an MTU of the model", mtu, names)

    def excitation_generator(self, mtus: Sequence[str] | None = None) -> ExcitationGenerator:
        """Return the map as CEINMS has it.

        Parameters
        ----------
        mtus : sequence of str, optional
            All MTUs of the subject, those without electrode included; by default those driven.

        Returns
        -------
        ExcitationGenerator
        """
        excitations = tuple(
            Excitation(
                id=mtu,
                inputs=tuple((name, one[mtu]) for name, one in self.channels.items() if mtu in one),
            )
            for mtu in (self.mtus if mtus is None else mtus)
        )
        return ExcitationGenerator(input_signals=tuple(self.channels), excitations=excitations)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _string(name)


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # basic strings of TOML are those of JSON


def _line_of(path: Path, key: str) -> int | None:
    """Return the line that begins with a key, or None."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            return number
    return None


def _weights(path: Path, name: str, value: Any) -> dict[str, float]:
    """Return the weights of MTUs, however they are written."""
    if isinstance(value, str):
        value = [value]
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return dict.fromkeys(value, 1.0)
    if isinstance(value, dict) and all(
        isinstance(one, (int, float)) and not isinstance(one, bool) for one in value.values()
    ):
        return {mtu: float(weight) for mtu, weight in value.items()}
    raise FileFormatError(
        where=Place(path, _line_of(path, name), name),
        expected="an MTU, a list of MTUs, or weights as in { vaslat_r = 1.0, vasint_r = 0.5 }",
        got=repr(value),
    )
