"""Whether a C3D file is whole: ezc3d reads what was cut off without a word, or without an end.

References
----------
The C3D File Format: A Technical User Guide, Motion Lab Systems 2021: header and parameter section.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path

from ceinms_torch.errors import FileFormatError

EXPORT_AGAIN = "Export the recording again, or open and save it with the program that recorded it"
_BLOCK = 512  # bytes
# Without these it ends in the middle of the process.
_OF_POINTS = ("POINT:USED", "POINT:SCALE", "POINT:RATE", "POINT:LABELS")
_OF_ANALOGS = ("ANALOG:USED", "ANALOG:SCALE", "ANALOG:OFFSET", "ANALOG:GEN_SCALE", "ANALOG:LABELS")
# Processors whose numbers a file may have, and where the sign of the scale is then.
_DEC, _MIPS = b"\x55", b"\x56"
_SIGN = {_DEC: 13, _MIPS: 12}


def check_whole(path: Path, raw: bytes) -> None:
    """Refuse what is no C3D file, was cut off, or has parameters that lead nowhere.

    Parameters
    ----------
    path : Path
        The file, for messages.
    raw : bytes
        All of it.

    Raises
    ------
    FileFormatError
        If it is not whole.
    """

    def fault(expected: str, got: str) -> FileFormatError:
        return FileFormatError(
            where=path, expected=expected, got=got, hint=EXPORT_AGAIN, code="c3d-damaged"
        )

    if len(raw) < 2 * _BLOCK or raw[1] != 0x50:
        raise fault("a C3D file", "no C3D header")
    start = (raw[0] - 1) * _BLOCK
    processor = raw[start + 3 : start + 4]
    order = ">" if processor == _MIPS else "<"
    words = struct.unpack(f"{order}10H", raw[:20])
    n_point, n_analog, first, last, data = words[1], words[2], words[3], words[4], words[8]
    parameters = raw[start : start + raw[start + 2] * _BLOCK] if start + 4 <= len(raw) else b""
    names = _names(parameters, order)
    if not names:
        raise fault("parameters of a C3D file", "ones that are damaged or cut off")
    needed = (_OF_POINTS if n_point else ()) + (_OF_ANALOGS if n_analog else ())
    missing = [name for name in needed if name not in names]
    if missing:
        raise fault("the parameters that every C3D file has", f"no {missing[0]}")
    # Longer files than these words can count have their number of frames in a parameter.
    n_frame = last - first + 1 if last < 0xFFFF else 1
    size = 4 if raw[_SIGN.get(processor, 15)] & 0x80 else 2  # the scale is negative: floats
    whole = (data - 1) * _BLOCK + n_frame * (4 * n_point + n_analog) * size
    if len(raw) < whole:
        raise fault(
            f"{n_frame} frames, at least {whole} bytes", f"{len(raw)} bytes: it was cut off"
        )


def _names(parameters: bytes, order: str) -> set[str] | None:
    """Follow the chain of groups and parameters, as ezc3d would for ever, and look into each.

    Names are GROUP:PARAMETER; None if the chain or what is in it is damaged.
    """
    at, groups, names = 4, {}, []
    while at + 2 <= len(parameters):
        length, group = struct.unpack_from("2b", parameters, at)
        link = at + 2 + abs(length)
        if length == 0:
            break
        if group == 0 or link + 2 > len(parameters):
            return None
        step = struct.unpack_from(f"{order}H", parameters, link)[0]
        stop = link + step if step else len(parameters)
        name = parameters[at + 2 : link].decode("ascii", "replace").upper()
        if stop > len(parameters) or not _fits(parameters[link + 2 : stop], has_values=group > 0):
            return None
        if group < 0:
            groups[-group] = name
        else:
            names.append((group, name))
        at = stop
        if step == 0:
            break
    return {f"{groups.get(group, '')}:{name}" for group, name in names}


def _fits(entry: bytes, *, has_values: bool) -> bool:
    """Tell whether what is behind a link fits: values, as many as dimensions say, and a text."""
    at = 0
    if has_values:
        if len(entry) < 2:
            return False
        kind, n_dimension = entry[0], entry[1]
        at = 2 + n_dimension
        if kind not in (0xFF, 1, 2, 4) or n_dimension > 7 or at > len(entry):
            return False
        at += (1 if kind == 0xFF else kind) * math.prod(entry[2:at])
    return at < len(entry) and at + 1 + entry[at] <= len(entry)
